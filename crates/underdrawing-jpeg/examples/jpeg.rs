//! For `tools/reference/jpeg.py`: `jpeg pixels IN.jpg OUT.ppm`, `jpeg again IN.jpg OUT.jpg` and
//! `jpeg encode IN.ppm QUALITY SAMPLING OUT.jpg`, any number of times, one command a line of
//! standard input; says `ok` or why not for each.

use std::error::Error;
use std::io::{BufRead, Write};

use underdrawing_jpeg::{Jpeg, Sampling, quality};

fn main() -> Result<(), Box<dyn Error>> {
    for line in std::io::stdin().lock().lines() {
        let answer = match run(&line?) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        };
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

fn run(line: &str) -> Result<(), Box<dyn Error>> {
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["pixels", from, to] => {
            let jpeg = Jpeg::read(&std::fs::read(from)?, 100_000_000)?;
            let mut ppm = format!("P6 {} {} 255\n", jpeg.width, jpeg.height).into_bytes();
            ppm.extend(jpeg.to_rgb());
            std::fs::write(to, ppm)?;
        }
        ["again", from, to] => {
            let jpeg = Jpeg::read(&std::fs::read(from)?, 100_000_000)?;
            std::fs::write(to, jpeg.write())?;
        }
        ["encode", from, quality, sampling, to] => {
            let ppm = std::fs::read(from)?;
            let header: Vec<&[u8]> = ppm.splitn(4, |&byte| byte == b'\n').collect();
            let [_, size, _, rgb] = header[..] else {
                return Err("expected a PPM of three header lines".into());
            };
            let size = std::str::from_utf8(size)?;
            let (width, height) = size.split_once(' ').ok_or("expected a size")?;
            let sampling = match sampling {
                "1x1" => Sampling::Full,
                "2x1" => Sampling::HalfAcross,
                _ => Sampling::Half,
            };
            let tables = quality::tables(quality.parse()?);
            let (width, height) = (width.parse()?, height.parse()?);
            std::fs::write(
                to,
                Jpeg::from_rgb(rgb, width, height, sampling, &tables).write(),
            )?;
        }
        _ => return Err("no such command".into()),
    }
    Ok(())
}
