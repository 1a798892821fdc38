//! Scratch: bits of the model over pictures.
use crate::encoder::Encoder;
use crate::entropy::Counter;
use crate::quantise::Machine;
use crate::{Effort, Picture};

#[test]
fn measure() {
    let Ok(folder) = std::env::var("PICS") else {
        return;
    };
    let count: usize = std::env::var("COUNT").map_or(8, |c| c.parse().unwrap());
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    files.sort();
    let (mut bits, mut fast, mut pixels, mut coefs, mut time) = (0.0, 0.0, 0, 0, 0.0);
    for file in files.iter().skip(1).step_by(2).take(count) {
        let image = image::open(file).unwrap().into_rgb8();
        let (w, h) = (image.width() as usize, image.height() as usize);
        let picture = Picture::new(w, h, 3, image.into_raw()).unwrap();
        let encoder = Encoder::new(&picture, Effort::Fast);
        let parts = encoder.parts_at((4.75 * 1.08 * (w * h) as f64 / 8.0) as usize);
        for part in &parts {
            let mut counter = Counter::default();
            let mut copy = part.clone();
            crate::fast::code_part(&mut counter, Machine::EIGHT, &mut copy);
            fast += counter.bits();
            let mut counter = Counter::default();
            let start = std::time::Instant::now();
            super::code_part(&mut counter, Machine::EIGHT, &mut copy);
            time += start.elapsed().as_secs_f64();
            assert!(copy.planes == part.planes);
            bits += counter.bits();
            coefs += part.planes.iter().map(Vec::len).sum::<usize>();
        }
        pixels += w * h;
    }
    println!(
        "bpp {:.4} fast {:.4} ratio {:.4}  {:.3} s/MP {:.0} ns/coef",
        bits / pixels as f64,
        fast / pixels as f64,
        bits / fast,
        time / (pixels as f64 / 1e6),
        time * 1e9 / coefs as f64
    );
}
