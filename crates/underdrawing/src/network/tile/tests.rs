//! Every kind of tiling, with a network that copies.

use std::ops::ControlFlow;

use super::*;
use crate::progress::Progress;

/// Runs a network that returns what it gets, over every kind of tiling.
fn copied(width: usize, height: usize, context: Context, tile_size: usize) -> (Vec<f32>, usize) {
    let samples: Vec<f32> = (0..3 * width * height).map(|i| i as f32).collect();
    let source = Source {
        samples: &samples,
        stride: width,
        width,
        height,
    };
    let mut copy = vec![f32::NAN; samples.len()];
    let mut tiles = 0;
    Tiling {
        width,
        height,
        context,
        tile_size,
    }
    .run(
        &mut |area| source.window(area),
        &mut |y, part| {
            assert_eq!(part.width, width);
            for (i, &sample) in part.samples.iter().enumerate() {
                let (channel, row) = (i / width / part.height, i / width % part.height);
                let at = 3 * ((y + row) * width + i % width) + channel;
                assert!(copy[at].is_nan(), "every pixel comes once");
                copy[at] = sample;
            }
        },
        &mut |Progress { done, total }| {
            tiles += 1;
            assert_eq!(done, tiles);
            assert!(done <= total);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    let worst = copy
        .iter()
        .zip(&samples)
        .map(|(a, b)| (a - b).abs() / b.max(1.0));
    assert!(
        worst.fold(0.0, f32::max) < 1e-5,
        "{width}x{height} {context:?}"
    );
    (copy, tiles)
}

fn radius(radius: usize) -> Context {
    Context::Radius {
        radius,
        channels: 1,
    }
}

#[test]
fn wide_networks_get_small_tiles() {
    for (of, expected) in [
        ((78, 11), 1078),
        ((6, 256), 244),
        ((10, 153), 311),
        ((900, 256), 64),
    ] {
        assert_eq!(largest_tile(of.0, of.1), expected, "{of:?}");
    }
}

#[test]
fn a_network_that_copies_gives_the_picture_back() {
    for (width, height) in [(16, 16), (34, 70), (100, 18), (2, 2)] {
        for context in [
            radius(0),
            radius(7),
            radius(300),
            Context::Blended { side: 8 },
            Context::Blended { side: 32 },
            Context::Blended { side: 128 },
        ] {
            copied(width, height, context, 16);
        }
    }
    assert_eq!(copied(34, 70, radius(0), 16).1, 3 * 5);
    assert_eq!(copied(34, 70, radius(0), usize::MAX).1, 1);
}

#[test]
fn stops_after_the_tile_that_the_caller_says() {
    for context in [radius(0), Context::Blended { side: 16 }] {
        let tiling = Tiling {
            width: 48,
            height: 48,
            context,
            tile_size: 16,
        };
        let mut painted = 0;
        let result = tiling.run(
            &mut |area| {
                painted += 1;
                Window::black(area.width, area.height)
            },
            &mut |_, _| {},
            &mut |Progress { done, .. }| match done {
                2 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            },
        );
        assert_eq!((result, painted), (Err(Error::Cancelled), 2));
    }
}

/// A network whose error grows towards a tile's border, as a U-Net's does: blending must bring
/// the error at the seams near that elsewhere, where it is the error at a tile's middle.
#[test]
fn blending_hides_the_seams() {
    let fades = Fade::split(1000, 256);
    let error = |k: usize| 1.0 + (-(k.min(255 - k) as f32) / 8.0).exp();
    let mut sum = vec![0.0; 1000];
    for fade in &fades {
        for (i, (x, weight)) in fade.weights(1000).enumerate() {
            sum[x] += weight * error(i);
        }
    }
    let inside = &sum[64..1000 - 64];
    let worst = inside.iter().copied().fold(0.0, f32::max);
    assert!(worst < 1.05, "{worst} times the error in the middle");
}

#[test]
fn mirrors_as_often_as_it_takes() {
    let around: Vec<usize> = (-5..8).map(|i| mirrored(i, 3)).collect();
    assert_eq!(around, [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
    assert_eq!(mirrored(-9, 1), 0);
}
