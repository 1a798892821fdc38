//! Values for which a function is small, by its gradients: the method of Broyden, Fletcher,
//! Goldfarb and Shanno with little memory (L-BFGS; Nocedal 1980).

use std::collections::VecDeque;

use rayon::prelude::*;

use super::elementwise::{self, CHUNK};

/// Steps that the next one is computed from.
const MEMORY: usize = 6;

/// What a step that led uphill is shortened to.
const SHORTER: f32 = 0.25;

/// Where a function was evaluated.
struct Point {
    x: Vec<f32>,
    value: f64,
    gradient: Vec<f32>,
}

/// A step, and how the gradient changed by it.
struct Change {
    x: Vec<f32>,
    gradient: Vec<f32>,
    /// Their product, which is positive.
    product: f64,
}

/// The best of the points that `evaluate`, which gives value and gradient, is asked for: `start`,
/// and as many more as `steps`. The first step is `rate` times the gradient.
pub(super) fn near(
    start: Vec<f32>,
    rate: f32,
    steps: usize,
    mut evaluate: impl FnMut(&[f32]) -> (f64, Vec<f32>),
) -> Vec<f32> {
    let mut at = |x: Vec<f32>| {
        let (value, gradient) = evaluate(&x);
        Point { x, value, gradient }
    };
    let mut best = at(start);
    let mut changes = VecDeque::new();
    let mut step = downhill(&best.gradient, &changes, rate);
    for _ in 0..steps {
        let mut x = best.x.clone();
        add(&mut x, &step, 1.0);
        let next = at(x);
        if next.value.is_nan() || next.value >= best.value {
            elementwise::map(&mut step, |v| v * SHORTER);
            continue;
        }
        let mut gradient = next.gradient.clone();
        add(&mut gradient, &best.gradient, -1.0);
        best = next;
        let product = dot(&step, &gradient);
        // Where the function bends down, there is no minimum to compute.
        if product > 0.0 {
            changes.truncate(MEMORY - 1);
            changes.push_front(Change {
                x: step,
                gradient,
                product,
            });
        }
        step = downhill(&best.gradient, &changes, rate);
    }
    best.x
}

/// The step toward the minimum, as far as the latest changes, newest first, tell how the function
/// is bent.
fn downhill(gradient: &[f32], changes: &VecDeque<Change>, rate: f32) -> Vec<f32> {
    let mut step = gradient.to_vec();
    let mut shares = Vec::with_capacity(changes.len());
    for change in changes {
        let share = dot(&change.x, &step) / change.product;
        add(&mut step, &change.gradient, -share);
        shares.push(share);
    }
    let scale = changes.front().map_or(f64::from(rate), |newest| {
        newest.product / elementwise::sum_of_squares(&newest.gradient)
    });
    elementwise::map(&mut step, |v| -(v * scale as f32));
    for (change, share) in changes.iter().zip(shares).rev() {
        let other = dot(&change.gradient, &step) / change.product;
        add(&mut step, &change.x, -share - other);
    }
    step
}

/// Adds `factor` times `terms`.
fn add(sum: &mut [f32], terms: &[f32], factor: f64) {
    elementwise::zip(sum, terms, |sum, term| sum + factor as f32 * term);
}

/// Sum of products; chunks are added in their order.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let chunks = a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)).map(|(a, b)| {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(a * b));
        products.sum::<f64>()
    });
    chunks.collect::<Vec<f64>>().iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A valley a hundred times as steep across as along.
    fn valley(x: &[f32]) -> (f64, Vec<f32>) {
        let [along, across] = [x[0] - 3.0, x[1] + 2.0];
        let value = 0.5 * (along * along + 100.0 * across * across);
        (f64::from(value), vec![along, 100.0 * across])
    }

    #[test]
    fn finds_the_floor_of_a_steep_valley() {
        let found = near(vec![0.0, 0.0], 0.01, 12, valley);
        assert!((found[0] - 3.0).abs() < 1e-3, "{found:?}");
        assert!((found[1] + 2.0).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn steps_that_lead_uphill_are_shortened() {
        let (start, _) = valley(&[0.0, 0.0]);
        let (found, _) = valley(&near(vec![0.0, 0.0], 1.0, 8, valley));
        assert!(found < 0.1 * start, "{found} of {start}");
    }

    #[test]
    fn evaluates_as_often_as_it_may_and_never_gets_worse() {
        let mut evaluations = 0;
        let start = vec![3.0, -2.0];
        let found = near(start.clone(), 1.0, 5, |x| {
            evaluations += 1;
            valley(x)
        });
        assert_eq!((found, evaluations), (start, 6));
    }
}
