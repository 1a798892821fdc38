//! Steps of optimisers, all parameters in a few launches.

use underdrawing_net::{MuonFactors, Rule, Step};

use crate::buffer::CudaBuffer;
use crate::device::{Device, Memory};
use crate::kernels::Argument::{At, Float, Int, Long};
use crate::kernels::{BLOCK, most_shared};

/// Values that a block takes, as in `kernels/optimiser.cu`.
const SHARE: usize = 4096;

/// Threads that turn a matrix.
const TURNING_BLOCK: u32 = 512;

/// A step of all parameters.
pub(crate) fn update(device: &Device, steps: &mut [Step<'_, CudaBuffer>], longest: Option<f64>) {
    if steps.is_empty() {
        return;
    }
    // Muon looks ahead into memory of its own.
    let ahead = steps.iter().map(|step| match step.rule {
        Rule::Muon { .. } => Some(device.room(step.value.memory.len)),
        Rule::Adam { .. } => None,
    });
    let ahead: Vec<Option<Memory>> = ahead.collect();
    let (table, shares) = table(steps, &ahead);
    let table = device.upload(&table);
    let of = [table.at(), Int(steps.len())];
    let scale = longest.map(|longest| {
        let partial = device.room(2 * shares);
        let grid = [shares as u32, 1, 1];
        let arguments = [&of[..], &[partial.at()]].concat();
        device.launch("gradient_squares", grid, BLOCK, 0, &arguments);
        let scale = device.room(1);
        let arguments = [partial.at(), Int(shares), Float(longest as f32), scale.at()];
        device.launch("gradient_scale", [1, 1, 1], 1024, 0, &arguments);
        scale
    });
    let scale = scale.as_ref().map_or(At(0), Memory::at);
    let more = [scale, Float(MuonFactors::MOMENTUM)];
    let arguments = [&of[..], &more].concat();
    device.launch(
        "move_parameters",
        [shares as u32, 1, 1],
        BLOCK,
        0,
        &arguments,
    );
    turn(device, steps, &ahead);
}

/// Words of the table that `move_parameters` reads, as floats of the same bits, and how many shares
/// there are in all.
fn table(steps: &[Step<'_, CudaBuffer>], ahead: &[Option<Memory>]) -> (Vec<f32>, usize) {
    let mut words = Vec::new();
    let mut shares = 0;
    for (step, ahead) in steps.iter().zip(ahead) {
        let (value, gradient) = (&step.value.memory, &step.gradient.memory);
        assert_eq!(
            value.len, gradient.len,
            "a gradient is as long as its parameter"
        );
        let (first, second, factors, muon) = match &step.rule {
            Rule::Adam {
                mean,
                square,
                factors: f,
            } => (
                &mean.memory,
                square.memory.address,
                [f.beta_1, f.beta_2, f.root, f.epsilon, f.rate, f.keep],
                0,
            ),
            Rule::Muon { momentum, .. } => (
                &momentum.memory,
                ahead.as_ref().map_or(0, |ahead| ahead.address),
                [0.0; 6],
                1,
            ),
        };
        assert_eq!(value.len, first.len, "a state is as long as its parameter");
        longs(
            &mut words,
            &[
                value.address,
                first.address,
                second,
                gradient.address,
                value.len as u64,
                shares as u64,
            ],
        );
        words.extend(factors);
        words.extend([muon, 0].map(f32::from_bits));
        shares += value.len.div_ceil(SHARE);
    }
    (words, shares)
}

fn longs(words: &mut Vec<f32>, longs: &[u64]) {
    let halves = longs
        .iter()
        .flat_map(|long| [*long as u32, (*long >> 32) as u32]);
    words.extend(halves.map(f32::from_bits));
}

/// A parameter that Muon moves.
struct Turning<'a> {
    value: &'a Memory,
    ahead: &'a Memory,
    rows: usize,
    columns: usize,
    rate: f32,
    keep: f32,
}

impl Turning<'_> {
    /// Bytes of shared memory that turning it in one block takes.
    fn shared(&self) -> usize {
        let side = self.rows.min(self.columns).next_multiple_of(4);
        let length = self.rows.max(self.columns);
        4 * 2 * (length + side) * (side + 4)
    }
}

/// Muon's steps along matrices that have been made orthogonal.
fn turn(device: &Device, steps: &[Step<'_, CudaBuffer>], ahead: &[Option<Memory>]) {
    let turning = steps.iter().zip(ahead).filter_map(|(step, ahead)| {
        let Rule::Muon { factors, .. } = &step.rule else {
            return None;
        };
        let value = &*step.value.memory;
        let columns = value.len / factors.rows;
        Some(Turning {
            value,
            ahead: ahead.as_ref()?,
            rows: factors.rows,
            columns,
            rate: factors.rate * MuonFactors::STEP * (factors.rows.max(columns) as f32).sqrt(),
            keep: factors.keep,
        })
    });
    let most = most_shared(device.card());
    let (small, large): (Vec<_>, Vec<_>) = turning.partition(|turning| turning.shared() <= most);
    for turning in &large {
        turn_large(device, turning);
    }
    let Some(shared) = small.iter().map(Turning::shared).max() else {
        return;
    };
    let mut words = Vec::new();
    for turning in &small {
        longs(&mut words, &[turning.value.address, turning.ahead.address]);
        let sizes = [turning.rows, turning.columns].map(|size| size as u32);
        words.extend(sizes.map(f32::from_bits));
        words.extend([turning.rate, turning.keep]);
    }
    let table = device.upload(&words);
    let [a, b, c] = MuonFactors::COEFFICIENTS.map(Float);
    let arguments = [table.at(), Int(MuonFactors::ITERATIONS), a, b, c];
    let grid = [small.len() as u32, 1, 1];
    device.launch("turn_small", grid, TURNING_BLOCK, shared, &arguments);
}

/// The same of a matrix that one block has no room for.
fn turn_large(device: &Device, turning: &Turning<'_>) {
    let Turning {
        value,
        ahead,
        rows,
        columns,
        ..
    } = *turning;
    let len = value.len;
    let transpose = |x: &Memory, rows: usize, columns: usize| {
        let y = device.room(len);
        let arguments = [x.at(), y.at(), Int(rows), Int(columns)];
        device.each("transpose", len, &arguments);
        y
    };
    // Products of a wide matrix with itself are the smaller ones.
    let is_wide = rows <= columns;
    let turned = (!is_wide).then(|| transpose(ahead, rows, columns));
    let start = turned.as_ref().unwrap_or(ahead);
    let (side, length) = (rows.min(columns), rows.max(columns));

    let blocks = len.div_ceil(SHARE).min(128);
    let partial = device.room(2 * blocks);
    let arguments = [start.at(), partial.at(), Long(len), Int(1)];
    device.launch("picture_sums", [blocks as u32, 1, 1], BLOCK, 0, &arguments);
    let mut x = device.room(len);
    let arguments = [start.at(), partial.at(), Int(blocks), x.at(), Long(len)];
    device.each("divide_by_length", len, &arguments);

    // alpha a b + beta d
    let product = |(a, b): (&Memory, &Memory),
                   [n, k]: [usize; 2],
                   transposed: bool,
                   alpha: f32,
                   (d, beta): (&Memory, f32)| {
        let y = device.room(side * n);
        let d = if beta == 0.0 { At(0) } else { d.at() };
        let sizes = [Int(side), Int(n), Int(k), Int(transposed.into())];
        let memory = [a.at(), b.at(), d, y.at()];
        let factors = [Float(alpha), Float(beta)];
        let grid = [n.div_ceil(16) as u32, side.div_ceil(16) as u32, 1];
        let arguments = [&memory[..], &sizes, &factors].concat();
        device.launch("matrix_product", grid, 256, 0, &arguments);
        y
    };
    let [a, b, c] = MuonFactors::COEFFICIENTS;
    for _ in 0..MuonFactors::ITERATIONS {
        let square = product((&x, &x), [side, length], true, 1.0, (&x, 0.0));
        let factor = product((&square, &square), [side, side], true, c, (&square, b));
        x = product((&factor, &x), [length, side], false, 1.0, (&x, a));
    }
    let step = match is_wide {
        true => x,
        false => transpose(&x, side, length),
    };
    let factors = [Float(turning.rate), Float(turning.keep)];
    let arguments = [&[value.at(), step.at(), Long(len)][..], &factors].concat();
    device.each("turn", len, &arguments);
}
