//! Prints the speed of the convolutions at the shapes that the networks have.
//!
//! `cargo run --release -p underdrawing-conv --example throughput [SECONDS]`, with `SECONDS` for
//! each number (0.3 unless told). Speed is that of the sum as it is written, two operations a
//! product, whatever the method. It is that of the fastest call in that time.

#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use underdrawing_conv::Conv3x3;

/// `(n, c_in, c_out, side)`
const SHAPES: [(usize, usize, usize, usize); 15] = [
    (6, 3, 32, 48),
    (6, 12, 32, 48),
    (6, 32, 32, 48),
    (6, 44, 12, 48),
    (6, 44, 24, 48),
    (12, 32, 32, 48),
    (12, 44, 24, 48),
    (1, 32, 32, 592),
    (1, 12, 32, 592),
    (1, 3, 64, 256),
    (1, 64, 128, 256),
    (1, 128, 256, 256),
    (1, 256, 128, 256),
    (1, 128, 64, 256),
    (1, 64, 3, 256),
];

fn main() {
    let seconds = std::env::args().nth(1).map_or(0.3, |arg| {
        arg.parse().expect("the argument is a number of seconds")
    });
    let time = Duration::from_secs_f64(seconds);
    println!("GFLOP/s, {} threads", rayon::current_num_threads());
    println!(
        "{:>24} {:>8} {:>8} {:>8}",
        "n x c_in -> c_out, side", "y", "dx", "dw"
    );
    for (n, c_in, c_out, side) in SHAPES {
        let shape = Conv3x3 {
            n,
            c_in,
            c_out,
            height: side,
            width: side,
        };
        let area = n * side * side;
        let mut x = vec![0.25; area * c_in];
        let mut y = vec![0.5; area * c_out];
        let mut w = vec![0.125; c_out * c_in * 9];
        let b = vec![0.1; c_out];
        let flop = 18.0 * (area * c_in * c_out) as f64;
        let forward = fastest(time, || shape.forward(&x, &w, Some(&b), &mut y));
        let input = fastest(time, || shape.backward_input(&w, &y, &mut x));
        let weight = fastest(time, || shape.backward_weight(&x, &y, &mut w));
        let [forward, input, weight] = [forward, input, weight].map(|s| flop / s / 1e9);
        let name = format!("{n} x {c_in} -> {c_out}, {side}");
        println!("{name:>24} {forward:8.1} {input:8.1} {weight:8.1}");
    }
}

/// Seconds of the fastest call, after one to warm up: what the machine does when it does nothing
/// else meanwhile.
fn fastest(time: Duration, mut call: impl FnMut()) -> f64 {
    call();
    let begin = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < 3 || begin.elapsed() < time {
        let start = Instant::now();
        call();
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.into_iter().fold(f64::INFINITY, f64::min)
}
