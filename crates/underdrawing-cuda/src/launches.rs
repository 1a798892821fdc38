//! Launches of kernels in the shapes that operations need them: value by value, sums down columns, means
//! of pictures.

use crate::device::{Command, Device, Memory};
use crate::kernels::Argument::{At, Float, Int, Long};
use crate::kernels::{Argument, BLOCK, Launch};

impl Device {
    /// Notes a kernel that loops over `n` values.
    pub(crate) fn each(&self, name: &str, n: usize, arguments: &[Argument]) {
        let grid = [self.kernels().blocks(n), 1, 1];
        self.launch(name, grid, BLOCK, 0, arguments);
    }

    /// Notes a kernel.
    pub(crate) fn launch(
        &self,
        name: &str,
        grid: [u32; 3],
        block: u32,
        shared: usize,
        arguments: &[Argument],
    ) {
        let kernel = self.kernels().get(name);
        self.note(Command::Launch(Launch::new(
            kernel, grid, block, shared, arguments,
        )));
    }

    /// Memory for what `name` makes of `x`, value by value, with `more` arguments.
    pub(crate) fn mapped(&self, name: &str, x: &Memory, more: &[Argument]) -> Memory {
        let y = self.room(x.len);
        let arguments = [x.at(), y.at(), Long(x.len)];
        self.each(name, x.len, &[&arguments, more].concat());
        y
    }

    /// The same of two.
    pub(crate) fn zipped(&self, name: &str, a: &Memory, b: &Memory, more: &[Argument]) -> Memory {
        let y = self.room(a.len);
        let arguments = [a.at(), b.at(), y.at(), Long(a.len)];
        self.each(name, a.len, &[&arguments, more].concat());
        y
    }

    /// Notes `name`, which sums down the columns of `[rows, c]`, and gives its partial sums.
    pub(crate) fn column_sums(
        &self,
        name: &str,
        [rows, c]: [usize; 2],
        terms: usize,
        before: &[Argument],
        after: &[Argument],
    ) -> (Memory, usize) {
        // As wide as what a thread loads at a time.
        let columns = if c.is_multiple_of(4) { c / 4 } else { c };
        let (groups, at_once) = (columns.div_ceil(256), 256 / columns.min(256));
        let most = 4 * self.kernels().processors() / groups;
        let blocks = rows.div_ceil(16 * at_once).clamp(1, most.max(1));
        // In double precision.
        let partial = self.room(2 * blocks * c * terms);
        let grid = [blocks as u32, groups as u32, 1];
        let sizes = [partial.at(), Long(rows), Int(c)];
        self.launch(name, grid, 256, 0, &[before, &sizes, after].concat());
        (partial, blocks)
    }

    /// The sums of columns that `name` has made partial sums of.
    pub(crate) fn column_sums_end(&self, (partial, blocks): (Memory, usize), c: usize) -> Memory {
        let y = self.room(c);
        let arguments = [partial.at(), Int(blocks), y.at()];
        self.launch("column_sums_end", [c as u32, 1, 1], 32, 0, &arguments);
        y
    }

    /// Means of each of `n` pictures' values, or of their squares.
    pub(crate) fn picture_means(&self, x: &Memory, n: usize, square: bool) -> Memory {
        let len = x.len / n;
        let blocks = len.div_ceil(4096).clamp(1, 128);
        let partial = self.room(2 * blocks * n);
        let arguments = [x.at(), partial.at(), Long(len), Int(square.into())];
        let grid = [blocks as u32, n as u32, 1];
        self.launch("picture_sums", grid, BLOCK, 0, &arguments);
        let y = self.room(n);
        let arguments = [partial.at(), Int(blocks), y.at(), Long(len)];
        self.launch("picture_sums_end", [n as u32, 1, 1], 32, 0, &arguments);
        y
    }
}

impl Memory {
    pub(crate) fn at(&self) -> Argument {
        At(self.address)
    }

    /// The start of a row of `n` values.
    pub(crate) fn at_row(&self, row: usize, n: usize) -> Argument {
        At(self.address + (row * n * size_of::<f32>()) as u64)
    }
}

/// `a + factor b`
pub(crate) fn add(device: &Device, a: &Memory, b: &Memory, factor: f32) -> Memory {
    device.zipped("add", a, b, &[Float(factor)])
}

/// `a b`, value by value.
pub(crate) fn multiplied(device: &Device, a: &Memory, b: &Memory) -> Memory {
    device.zipped("multiply", a, b, &[])
}

/// Gradients of what was coupled, of `c` channels, and of the update: from what went in, or
/// (inverse) came out, from `t`, whose pixels are `stride` values apart, and from the gradient.
pub(crate) fn couple_backward(
    device: &Device,
    [kept, t, dy]: [&Memory; 3],
    stride: usize,
    c: usize,
    inverse: bool,
) -> [Memory; 2] {
    let (dx, d_update) = (device.room(dy.len), device.room(2 * dy.len));
    let of = [kept.at(), t.at(), Int(stride), dy.at()];
    let to = [dx.at(), d_update.at()];
    let sizes = [Long(dy.len), Int(c), Int(inverse.into())];
    device.each("couple_backward", dy.len, &[&of[..], &to, &sizes].concat());
    [dx, d_update]
}
