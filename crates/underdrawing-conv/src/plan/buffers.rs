//! The memory of a plan, and where its maps are in it.

use std::sync::{Mutex, PoisonError};

use crate::pass::Pass;
use crate::shared::Shared;

/// Where some maps are, independently of the size of the pictures.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) buffer: usize,
    /// First channel within the pixels of the buffer.
    pub(super) offset: usize,
    /// Values from the first channel to the last, including the gaps between concatenated parts.
    pub(super) extent: usize,
    /// First channel and number of channels of each part.
    pub(super) parts: Vec<(usize, usize)>,
    /// How often the size of the inputs has been halved.
    pub(super) level: usize,
}

impl Place {
    pub(super) fn channels(&self) -> usize {
        self.parts.iter().map(|(_, channels)| channels).sum()
    }
}

/// Where some maps are in a buffer, for one size of pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// First pixel of the first picture. Rows and columns of zeros precede it.
    pub(super) start: usize,
    /// Distances between pictures, rows and pixels.
    pub(super) picture: usize,
    pub(super) row: usize,
    pub(super) pixel: usize,
    pub(super) n: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl View {
    /// Index of the first value of a pixel. Rows and columns of the border are negative.
    #[inline(always)]
    pub(super) fn at(&self, picture: usize, row: isize, col: isize) -> usize {
        let inside = row * self.row as isize + col * self.pixel as isize;
        (self.start + picture * self.picture).wrapping_add_signed(inside)
    }
}

/// Pictures of a level and their border.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    before: usize,
    /// From the first pixel of the picture to the end of the border.
    height: usize,
    width: usize,
}

impl Frame {
    fn area(&self) -> usize {
        (self.before + self.height) * (self.before + self.width)
    }
}

/// Level of a buffer, and its values per pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) level: usize,
    pub(super) pitch: usize,
}

/// What a convolution reads, for the size of the border.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read {
    pub(super) buffer: usize,
    pub(super) level: usize,
    /// Side of the tiles that it is computed by: they may extend beyond the picture.
    pub(super) tile: usize,
    /// For any size: only taps, steps and starts matter.
    pub(super) pass: Pass,
}

/// The buffers of a plan, for any size.
pub(super) struct Layout {
    kinds: Vec<Kind>,
    reads: Vec<Read>,
}

impl Layout {
    pub(super) fn new(kinds: Vec<Kind>, reads: Vec<Read>) -> Self {
        Self { kinds, reads }
    }

    /// Values per pixel in all buffers together.
    pub(super) fn numbers_of_pixel(&self) -> usize {
        self.kinds.iter().map(|kind| kind.pitch).sum()
    }

    /// Whether any maps differ in size from the inputs.
    pub(super) fn changes_size(&self) -> bool {
        self.kinds.iter().any(|kind| kind.level > 0)
    }
}

/// Memory that plans work in, one plan at a time. It grows as needed.
#[derive(Default)]
pub struct Workspace {
    /// Of parts that are computed at the same time.
    free: Mutex<Vec<Vec<Memory>>>,
}

impl Workspace {
    /// Calls `f` with the memory of a part.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Vec<Memory>) -> R) -> R {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = free().pop().unwrap_or_default();
        let result = f(&mut memory);
        free().push(memory);
        result
    }
}

impl std::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").finish_non_exhaustive()
    }
}

/// The buffers of a plan for one size, in the memory of a workspace.
pub(super) struct Buffers<'a> {
    layout: &'a Layout,
    n: usize,
    size: [usize; 2],
    frames: Vec<Frame>,
    memory: &'a mut [Memory],
}

impl<'a> Buffers<'a> {
    /// Makes room for `n` pictures and zeros the borders that convolutions read, which are never
    /// written.
    pub(super) fn new(
        layout: &'a Layout,
        memory: &'a mut Vec<Memory>,
        n: usize,
        size: [usize; 2],
    ) -> Self {
        let Layout { kinds, reads } = layout;
        let levels = kinds.iter().map(|kind| kind.level).max().unwrap_or(0);
        assert!(
            size.iter().all(|side| side % (1 << levels) == 0),
            "sides of {size:?} must be multiples of {}",
            1 << levels
        );
        memory.resize_with(kinds.len().max(memory.len()), Memory::default);
        let mut buffers = Self {
            layout,
            n,
            size,
            frames: Vec::new(),
            memory,
        };
        buffers.frames = (0..=levels).map(|level| buffers.frame(level)).collect();
        for (i, kind) in kinds.iter().enumerate() {
            let frame = buffers.frames[kind.level];
            buffers.memory[i].make_room(n * frame.area() * kind.pitch + SLACK);
            if reads.iter().any(|read| read.buffer == i) {
                buffers.clear_border(i);
            }
        }
        buffers
    }

    /// Zeros what is around the pictures in a buffer.
    fn clear_border(&mut self, buffer: usize) {
        let Kind { level, pitch } = self.layout.kinds[buffer];
        let frame = self.frames[level];
        let [height, width] = self.size.map(|side| side >> level);
        let row = (frame.before + frame.width) * pitch;
        let picture = (frame.before + frame.height) * row;
        let (left, right) = (frame.before * pitch, (frame.before + width) * pitch);
        let values = self.memory[buffer].values_mut();
        for picture in values.chunks_exact_mut(picture).take(self.n) {
            let (above, rest) = picture.split_at_mut(frame.before * row);
            let (inside, below) = rest.split_at_mut(height * row);
            above.fill(0.0);
            below.fill(0.0);
            for row in inside.chunks_exact_mut(row) {
                row[..left].fill(0.0);
                row[right..].fill(0.0);
            }
        }
    }

    fn frame(&self, level: usize) -> Frame {
        let [height, width] = self.size.map(|side| side >> level);
        let mut frame = Frame {
            before: 0,
            height,
            width,
        };
        for Read { pass, tile, .. } in self.layout.reads.iter().filter(|read| read.level == level) {
            frame.before = frame.before.max((-pass.start()).max(0) as usize);
            let end = |size: usize| {
                let grid = (size / pass.from.step).next_multiple_of(*tile);
                pass.reach(grid).saturating_add_signed(pass.start())
            };
            frame.height = frame.height.max(end(height));
            frame.width = frame.width.max(end(width));
        }
        frame
    }

    pub(super) fn view(&self, place: &Place) -> View {
        let frame = self.frames[place.level];
        let pitch = self.layout.kinds[place.buffer].pitch;
        let row = (frame.before + frame.width) * pitch;
        View {
            start: frame.before * (row + pitch) + place.offset,
            picture: (frame.before + frame.height) * row,
            row,
            pixel: pitch,
            n: self.n,
            height: self.size[0] >> place.level,
            width: self.size[1] >> place.level,
        }
    }

    /// The values of a buffer.
    pub(super) fn get(&self, buffer: usize) -> &[f32] {
        self.memory[buffer].values()
    }

    /// Takes a buffer out, so that it can be written while others are read. See [`Self::put`].
    pub(super) fn take(&mut self, buffer: usize) -> Memory {
        std::mem::take(&mut self.memory[buffer])
    }

    pub(super) fn put(&mut self, buffer: usize, memory: Memory) {
        self.memory[buffer] = memory;
    }
}

/// Values beyond the last pixel that may be read by a vector with unused lanes.
const SLACK: usize = 16;

/// Values aligned to a cache line.
#[derive(Default)]
pub(super) struct Memory {
    values: Vec<f32>,
    /// Start of the first cache line, and number of values from there on.
    start: usize,
    len: usize,
}

impl Memory {
    pub(super) fn copy_of(values: &[f32]) -> Self {
        let mut memory = Self::default();
        memory.make_room(values.len());
        memory.values_mut().copy_from_slice(values);
        memory
    }

    /// Makes room for `len` values; what they are is left from before.
    fn make_room(&mut self, len: usize) {
        const LINE: usize = 16;
        self.len = len;
        if self.start + len <= self.values.len() {
            return;
        }
        // Fresh zeros cost nothing until they are touched. The old memory is freed first.
        self.values = Vec::new();
        self.values = vec![0.0; len + LINE];
        let misfit = self.values.as_ptr().addr() / size_of::<f32>() % LINE;
        self.start = (LINE - misfit) % LINE;
    }

    fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
    }

    pub(super) fn values(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }

    pub(super) fn shared(&mut self) -> Shared<'_> {
        Shared::new(self.values_mut())
    }
}
