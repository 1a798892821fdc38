//! Memory that large pictures take.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};
use std::time::Duration;

use underdrawing::{FileFormat, Picture, Pixels};

const SIDES: (usize, usize) = (2400, 1600);

/// Bytes a pixel of cover and secret together, and what a program takes without them. Whole planes of
/// 32-bit coefficients took 58.
const A_PIXEL: usize = 30;
const BESIDE: usize = 40 << 20;

fn picture(seed: usize) -> Picture {
    let pixels = Pixels::from_fn(SIDES.0, SIDES.1, |x, y| {
        let wave = (x * (seed + 2) / 3 + y * 2) % 200;
        let grain = (x * 31 + y * 17 + x * y * seed) % 29;
        [20 + wave + grain, 10 + wave, 220 - wave + grain].map(|sample| sample as u8)
    });
    Picture::from(pixels.expect("within the limits"))
}

#[test]
fn a_pixel_takes_few_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seed) in [("cover.png", 1), ("secret.png", 5)] {
        let file = picture(seed).encode(FileFormat::Png).unwrap();
        std::fs::write(folder.path().join(name), file).unwrap();
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_underdrawing"))
        .args(["hide", "cover.png", "secret.png", "-o", "container.png"])
        .args(["--effort", "fast", "--threads", "2", "--quiet"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(folder.path().join("container.png").exists());
    let pixels = SIDES.0 * SIDES.1;
    assert!(peak > 6 * pixels, "{peak} bytes are not all");
    let most = A_PIXEL * pixels + BESIDE;
    assert!(peak < most, "{peak} bytes: expected at most {most}");
}
