//! Where the maps of a plan lie.

use crate::layout::Shared;
use crate::pass::Pass;
use crate::transform::TILE;

/// Where some maps lie, whatever the pictures' size.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) buffer: usize,
    /// First channel in the buffer's pixels.
    pub(super) offset: usize,
    /// Numbers from the first channel to the last: between concatenated parts are gaps.
    pub(super) extent: usize,
    /// The channels: first number, and how many.
    pub(super) parts: Vec<(usize, usize)>,
    /// How often the pictures have been halved, from the inputs' size.
    pub(super) level: usize,
}

impl Place {
    pub(super) fn channels(&self) -> usize {
        self.parts.iter().map(|(_, channels)| channels).sum()
    }
}

/// Where some maps lie in a buffer, for one size of pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    /// The first picture's first pixel. Before it are rows and columns of zeros.
    pub(super) start: usize,
    /// From a picture, row, or pixel to the next.
    pub(super) picture: usize,
    pub(super) row: usize,
    pub(super) pixel: usize,
    pub(super) n: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Spot {
    /// Index of a pixel's first number. The border has negative rows and columns.
    #[inline(always)]
    pub(super) fn at(&self, picture: usize, row: isize, col: isize) -> usize {
        let inside = row * self.row as isize + col * self.pixel as isize;
        (self.start + picture * self.picture).wrapping_add_signed(inside)
    }
}

/// Rows and columns around the pictures of a level.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    before: usize,
    /// From the first pixel on, the pictures included.
    height: usize,
    width: usize,
}

/// A buffer's level and the numbers of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) level: usize,
    pub(super) pitch: usize,
}

/// What a convolution reads beyond its pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) level: usize,
    /// For any size: what counts are taps, steps and starts.
    pub(super) pass: Pass,
}

/// The memory of a plan.
pub(super) struct Buffers {
    kinds: Vec<Kind>,
    reads: Vec<Read>,
    n: usize,
    size: [usize; 2],
    frames: Vec<Frame>,
    memory: Vec<Memory>,
}

impl Buffers {
    pub(super) fn new(kinds: Vec<Kind>, reads: Vec<Read>) -> Self {
        Self {
            memory: kinds.iter().map(|_| Memory::default()).collect(),
            kinds,
            reads,
            n: 0,
            size: [0; 2],
            frames: Vec::new(),
        }
    }

    /// Makes room for `n` pictures. Their borders are zeros afterwards, and stay so.
    pub(super) fn resize(&mut self, n: usize, size: [usize; 2]) {
        if (self.n, self.size) == (n, size) {
            return;
        }
        (self.n, self.size) = (n, size);
        let levels = self.kinds.iter().map(|kind| kind.level).max().unwrap_or(0);
        assert!(
            size.iter().all(|side| side % (1 << levels) == 0),
            "sides of {size:?} must be multiples of {}",
            1 << levels
        );
        self.frames = (0..=levels).map(|level| self.frame(level)).collect();
        for (memory, kind) in self.memory.iter_mut().zip(&self.kinds) {
            let frame = self.frames[kind.level];
            let area = (frame.before + frame.height) * (frame.before + frame.width);
            memory.reset(n * area * kind.pitch + SLACK);
        }
    }

    /// Numbers of a pixel in all buffers together.
    pub(super) fn numbers_of_pixel(&self) -> usize {
        self.kinds.iter().map(|kind| kind.pitch).sum()
    }

    /// Whether there are maps of another size than the inputs.
    pub(super) fn changes_size(&self) -> bool {
        self.kinds.iter().any(|kind| kind.level > 0)
    }

    fn frame(&self, level: usize) -> Frame {
        let [height, width] = self.size.map(|side| side >> level);
        let mut frame = Frame {
            before: 0,
            height,
            width,
        };
        for Read { pass, .. } in self.reads.iter().filter(|read| read.level == level) {
            frame.before = frame.before.max((-pass.start()).max(0) as usize);
            let end = |size: usize| {
                let grid = (size / pass.from.step).next_multiple_of(TILE);
                pass.reach(grid).saturating_add_signed(pass.start())
            };
            frame.height = frame.height.max(end(height));
            frame.width = frame.width.max(end(width));
        }
        frame
    }

    pub(super) fn spot(&self, place: &Place) -> Spot {
        let frame = self.frames[place.level];
        let pitch = self.kinds[place.buffer].pitch;
        let row = (frame.before + frame.width) * pitch;
        Spot {
            start: frame.before * (row + pitch) + place.offset,
            picture: (frame.before + frame.height) * row,
            row,
            pixel: pitch,
            n: self.n,
            height: self.size[0] >> place.level,
            width: self.size[1] >> place.level,
        }
    }

    /// A buffer's numbers.
    pub(super) fn get(&self, buffer: usize) -> &[f32] {
        self.memory[buffer].numbers()
    }

    /// Takes a buffer away, to write it while others are read. To be put back.
    pub(super) fn take(&mut self, buffer: usize) -> Memory {
        std::mem::take(&mut self.memory[buffer])
    }

    pub(super) fn put(&mut self, buffer: usize, memory: Memory) {
        self.memory[buffer] = memory;
    }
}

/// Numbers that may be read beyond the last pixel, by a vector of which some lanes aren't used.
const SLACK: usize = 16;

/// Numbers from a cache line on.
#[derive(Default)]
pub(super) struct Memory {
    numbers: Vec<f32>,
    /// Where the first cache line starts, and how many numbers there are from there on.
    start: usize,
    len: usize,
}

impl Memory {
    fn reset(&mut self, len: usize) {
        const LINE: usize = 16;
        // Fresh zeros cost nothing until they are touched; what was there is given back first.
        self.numbers = Vec::new();
        self.numbers = vec![0.0; len + LINE];
        let misfit = self.numbers.as_ptr().addr() / size_of::<f32>() % LINE;
        self.start = (LINE - misfit) % LINE;
        self.len = len;
    }

    fn numbers(&self) -> &[f32] {
        &self.numbers[self.start..][..self.len]
    }

    pub(super) fn shared(&mut self) -> Shared<'_> {
        Shared::new(&mut self.numbers[self.start..][..self.len])
    }
}
