//! Work for the card: it is noted first, and sent when somebody waits for it or a training step is
//! complete.
//!
//! A step that asks for the same work as the one before, at the same addresses, is recorded by the
//! driver once and runs as a whole from then on, which takes the host a single call. Whoever notes
//! work need not know.

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::arena::Arena;
use crate::card::{Card, Event, Graph, Pinned};
use crate::convolution::{Convolutions, Convolve, Shape};
use crate::error::CudaError;
use crate::kernels::{Kernels, Launch};
use crate::residual_kernels::{Compiled, Way, Widths};

/// Smallest piece that memory is asked for in.
const CHUNK: u64 = 64 << 20;

/// Recorded steps that are kept.
const RECORDED: usize = 8;

/// Floats that a thread copies at a time.
const COPIED: usize = 1 << 16;

/// Floats that go to the card in one piece: the host fills the next one meanwhile.
const PIECE: usize = 1 << 21;

/// A card, its kernels and its memory. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Device(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    // Before the card, which what is in it needs.
    work: Mutex<Work>,
    kernels: Kernels,
    residual: Mutex<ResidualKernels>,
    tf32: bool,
    card: Card,
}

/// By channels and direction; none where the card has no room for them.
type ResidualKernels = HashMap<(Widths, Way), Option<Arc<Compiled>>>;

#[derive(Debug)]
struct Work {
    /// Memory for results.
    arena: Arena,
    /// Memory for what comes from the host, which is copied before the work that is noted.
    uploads: Arena,
    /// Of those, what is free once the noted work is sent.
    returned: Vec<(u64, u64)>,
    noted: Vec<Command>,
    /// What the last step asked for.
    last_step: Vec<Command>,
    recorded: Vec<(Vec<Command>, Graph)>,
    convolutions: Convolutions,
    readings: Vec<Noted>,
    staging: Staging,
}

/// One thing for the card to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    Launch(Launch),
    Convolve(Convolve),
    /// Zeros in so many floats.
    Clear(u64, usize),
}

/// Memory on the card, given back when nobody has it any more.
#[derive(Debug)]
pub(crate) struct Memory {
    device: Device,
    pub(crate) address: u64,
    /// In floats.
    pub(crate) len: usize,
    from_host: bool,
}

/// Values that go to the host after the noted work.
#[derive(Debug)]
struct Noted {
    memory: Arc<Memory>,
    outcome: Arc<Mutex<Option<(Pinned, Event)>>>,
}

/// Values on their way to the host.
#[derive(Debug)]
pub(crate) struct Coming {
    device: Device,
    len: usize,
    outcome: Arc<Mutex<Option<(Pinned, Event)>>>,
}

/// The host's memory for copies.
#[derive(Debug, Default)]
struct Staging {
    /// By length.
    free: BTreeMap<usize, Vec<Pinned>>,
    /// Free when the event has passed.
    busy: Vec<(Pinned, Event)>,
}

impl Device {
    pub(crate) fn open(tf32: bool) -> Result<Self, CudaError> {
        let card = Card::open()?;
        let convolutions = Convolutions::open(&card, tf32)?;
        let kernels = Kernels::compile(&card)?;
        let work = Work {
            arena: Arena::default(),
            uploads: Arena::default(),
            returned: Vec::new(),
            noted: Vec::new(),
            last_step: Vec::new(),
            recorded: Vec::new(),
            convolutions,
            readings: Vec::new(),
            staging: Staging::default(),
        };
        Ok(Self(Arc::new(Shared {
            work: Mutex::new(work),
            kernels,
            residual: Mutex::default(),
            tf32,
            card,
        })))
    }

    pub(crate) fn card(&self) -> &Card {
        &self.0.card
    }

    /// The card, for calls of this thread.
    fn entered(&self) -> &Card {
        self.0.card.enter();
        &self.0.card
    }

    pub(crate) fn kernels(&self) -> &Kernels {
        &self.0.kernels
    }

    /// The kernels of residual networks with such channels, compiled when first asked for; none where
    /// the card has no room for them.
    pub(crate) fn residual_kernels(&self, widths: Widths, way: Way) -> Option<Arc<Compiled>> {
        let known = self.0.residual.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let compiled = known.entry((widths, way)).or_insert_with(|| {
            widths.fits(&self.0.card).then(|| {
                let compiled = Compiled::new(self.entered(), widths, way, self.0.tf32);
                Arc::new(compiled.unwrap_or_else(|err| panic!("{err}")))
            })
        });
        compiled.clone()
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.0.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory for `len` floats; what is in it is left from earlier uses.
    pub(crate) fn room(&self, len: usize) -> Memory {
        let address = take(&mut self.work().arena, &self.0.card, len * size_of::<f32>());
        self.memory(address, len, /* from host */ false)
    }

    /// Zeros.
    pub(crate) fn zeros(&self, len: usize) -> Memory {
        let memory = self.room(len);
        self.note(Command::Clear(memory.address, len));
        memory
    }

    fn memory(&self, address: u64, len: usize, from_host: bool) -> Memory {
        Memory {
            device: self.clone(),
            address,
            len,
            from_host,
        }
    }

    /// Notes work.
    pub(crate) fn note(&self, command: Command) {
        self.work().noted.push(command);
    }

    /// Notes a convolution of `x`, `w`, `y`.
    pub(crate) fn convolve(&self, shape: Shape, tensors: [&Memory; 3]) {
        let known = self.work().convolutions.plan(&shape);
        let plan = known.unwrap_or_else(|| self.prepare(shape));
        let mut work = self.work();
        let work = &mut *work;
        let bytes = work.convolutions.workspace(plan);
        // Free again for what is noted after this.
        let workspace = match bytes {
            0 => 0,
            _ => {
                let address = take(&mut work.arena, &self.0.card, bytes);
                work.arena.give(address, Arena::rounded(bytes));
                address
            }
        };
        work.noted.push(Command::Convolve(Convolve {
            plan,
            tensors: tensors.map(|memory| memory.address),
            workspace,
        }));
    }

    /// Prepares convolutions of a shape.
    fn prepare(&self, shape: Shape) -> usize {
        let card = self.entered();
        let mut work = self.work();
        // The memory that ways are tried on may be one that noted work still needs. Nobody notes more
        // until they have been tried.
        let readings = work.send(card);
        let Work {
            arena,
            convolutions,
            ..
        } = &mut *work;
        let mut taken = Vec::new();
        let plan = convolutions.prepare(card, shape, |bytes| {
            let address = take(arena, card, bytes);
            taken.push((address, Arena::rounded(bytes)));
            address
        });
        for (address, len) in taken {
            arena.give(address, len);
        }
        drop(work);
        drop(readings);
        plan
    }

    /// Brings values to the card.
    pub(crate) fn upload(&self, values: &[f32]) -> Memory {
        let card = self.entered();
        let mut work = self.work();
        let address = take(&mut work.uploads, card, size_of_val(values));
        let mut to = address;
        for piece in values.chunks(PIECE) {
            let mut pinned = work.staging.take(card, piece.len());
            let room = &mut pinned.values_mut()[..piece.len()];
            copy(room, piece);
            card.copy_in(&pinned, to, piece.len());
            to += size_of_val(piece) as u64;
            work.staging.busy.push((pinned, card.mark()));
        }
        drop(work);
        self.memory(address, values.len(), /* from host */ true)
    }

    /// Brings values to the host, after all that is noted.
    pub(crate) fn download(&self, memory: &Memory) -> Vec<f32> {
        self.send();
        let card = self.entered();
        let mut work = self.work();
        let starts = (0..memory.len).step_by(PIECE);
        let pieces = starts.map(|start| {
            let len = PIECE.min(memory.len - start);
            let mut pinned = work.staging.take(card, len);
            let from = memory.address + (start * size_of::<f32>()) as u64;
            card.copy_out(from, &mut pinned, len);
            (pinned, card.mark(), len)
        });
        let pieces: Vec<_> = pieces.collect();
        drop(work);
        let mut values = vec![0.0; memory.len];
        for ((pinned, event, len), to) in pieces.iter().zip(values.chunks_mut(PIECE)) {
            event.wait();
            copy(to, &pinned.values()[..*len]);
        }
        let mut work = self.work();
        for (pinned, ..) in pieces {
            work.staging.put(pinned);
        }
        drop(work);
        values
    }

    /// Values that come to the host after all that has been noted when the next work is sent.
    pub(crate) fn coming(&self, memory: &Arc<Memory>) -> Coming {
        let outcome = Arc::default();
        self.work().readings.push(Noted {
            memory: memory.clone(),
            outcome: Arc::clone(&outcome),
        });
        Coming {
            device: self.clone(),
            len: memory.len,
            outcome,
        }
    }

    /// Sends what is noted.
    pub(crate) fn send(&self) {
        let card = self.entered();
        let readings = self.work().send(card);
        // What they read is given back here, when nobody holds the lock.
        drop(readings);
    }

    /// Sends what is noted, as a step that may come again.
    pub(crate) fn send_step(&self) {
        let card = self.entered();
        let readings = self.work().send_step(card);
        drop(readings);
    }
}

/// Copies within the host, by all threads.
fn copy(to: &mut [f32], from: &[f32]) {
    let chunks = to.par_chunks_mut(COPIED).zip(from.par_chunks(COPIED));
    chunks.for_each(|(to, from)| to.copy_from_slice(from));
}

/// Memory of an arena, which grows if it must.
fn take(arena: &mut Arena, card: &Card, bytes: usize) -> u64 {
    let bytes = Arena::rounded(bytes);
    if let Some(address) = arena.take(bytes) {
        return address;
    }
    card.enter();
    // Much at once, so that it is not cut to pieces; what is needed where there is not as much.
    let chunk = [bytes.max(CHUNK), bytes].into_iter();
    let mut chunk = chunk.filter_map(|len| Some((card.allocate(len)?, len)));
    let Some((address, len)) = chunk.next() else {
        let (free, total) = card.memory();
        panic!(
            "{bytes} more bytes do not fit on {}: {free} of {total} are free",
            card.name
        );
    };
    arena.grow(address, len);
    arena.take(bytes).expect("a chunk was added for it")
}

impl Work {
    /// Sends what is noted. What comes back must be dropped without the lock.
    #[must_use]
    fn send(&mut self, card: &Card) -> Vec<Noted> {
        let commands = mem::take(&mut self.noted);
        self.run(card, &commands);
        self.sent(card)
    }

    #[must_use]
    fn send_step(&mut self, card: &Card) -> Vec<Noted> {
        let commands = mem::take(&mut self.noted);
        let known = |(of, _): &(Vec<Command>, Graph)| *of == commands;
        if let Some((_, graph)) = self.recorded.iter().find(|recorded| known(recorded)) {
            card.replay(graph);
        } else if commands == self.last_step {
            let graph = card.record(|| self.run(card, &commands));
            card.replay(&graph);
            self.recorded.truncate(RECORDED - 1);
            self.recorded.insert(0, (commands, graph));
        } else {
            self.run(card, &commands);
            self.last_step = commands;
        }
        self.sent(card)
    }

    fn run(&self, card: &Card, commands: &[Command]) {
        for command in commands {
            match command {
                Command::Launch(launch) => launch.run(card),
                Command::Convolve(convolve) => self.convolutions.run(convolve),
                Command::Clear(address, len) => card.clear(*address, *len),
            }
        }
    }

    /// After the work: what was to be read, and memory that is free now.
    fn sent(&mut self, card: &Card) -> Vec<Noted> {
        let readings = mem::take(&mut self.readings);
        for reading in &readings {
            let memory = &reading.memory;
            let mut pinned = self.staging.take(card, memory.len);
            card.copy_out(memory.address, &mut pinned, memory.len);
            let mut outcome = reading
                .outcome
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *outcome = Some((pinned, card.mark()));
        }
        for (address, len) in mem::take(&mut self.returned) {
            self.uploads.give(address, len);
        }
        readings
    }
}

impl Staging {
    /// Memory for `len` floats, or more.
    fn take(&mut self, card: &Card, len: usize) -> Pinned {
        let (free, busy): (Vec<_>, Vec<_>) = mem::take(&mut self.busy)
            .into_iter()
            .partition(|(_, event)| event.is_passed());
        self.busy = busy;
        for (pinned, _) in free {
            self.put(pinned);
        }
        // A power of two, so that lengths that differ share.
        let len = len.max(64).next_power_of_two();
        let free = self.free.get_mut(&len).and_then(Vec::pop);
        free.unwrap_or_else(|| card.pinned(len))
    }

    fn put(&mut self, pinned: Pinned) {
        self.free.entry(pinned.len).or_default().push(pinned);
    }
}

impl Coming {
    /// Whether they have come.
    pub(crate) fn is_ready(&self) -> bool {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        self.device.entered();
        matches!(&*outcome, Some((_, event)) if event.is_passed())
    }

    /// Waits for them.
    pub(crate) fn values(&self) -> Vec<f32> {
        let take = || {
            let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.take()
        };
        let (pinned, event) = take().unwrap_or_else(|| {
            self.device.send();
            take().expect("sending brings what was noted before")
        });
        self.device.entered();
        event.wait();
        let values = pinned.values()[..self.len].to_vec();
        self.device.work().staging.put(pinned);
        values
    }
}

impl Memory {
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let len = Arena::rounded(self.len * size_of::<f32>());
        let mut work = self.device.work();
        match self.from_host {
            // Something else may only be copied there once the work that needs this is sent.
            true => work.returned.push((self.address, len)),
            false => work.arena.give(self.address, len),
        }
    }
}
