//! The kernels of this crate, by name.

use std::collections::HashMap;

use crate::cache::Cached;
use crate::card::{Card, Function};
use crate::compiler::{compile, version};
use crate::error::CudaError;

/// What all sources begin with.
pub(crate) const PRELUDE: &str = include_str!("kernels/prelude.cu");

/// Kernels for any network.
const SOURCES: [&str; 4] = [
    PRELUDE,
    include_str!("kernels/elementwise.cu"),
    include_str!("kernels/reduce.cu"),
    include_str!("kernels/optimiser.cu"),
];

/// Threads of a block, where a kernel does not ask for another number.
pub(crate) const BLOCK: u32 = 256;

/// Blocks a multiprocessor that loops over values are given.
const BLOCKS_EACH: usize = 8;

/// Compiled kernels.
#[derive(Debug)]
pub(crate) struct Kernels {
    by_name: HashMap<String, Kernel>,
    processors: usize,
}

/// A kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    pub(crate) function: Function,
    /// How many arguments it has.
    pub(crate) arguments: usize,
}

/// The start of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Launch {
    function: Function,
    grid: [u32; 3],
    block: u32,
    shared: u32,
    early: bool,
    arguments: Vec<u64>,
}

impl Launch {
    pub(crate) fn new(
        kernel: Kernel,
        grid: [u32; 3],
        block: u32,
        shared: usize,
        arguments: &[Argument],
    ) -> Self {
        assert_eq!(kernel.arguments, arguments.len(), "arguments of a kernel");
        Self {
            function: kernel.function,
            grid,
            block,
            shared: shared as u32,
            early: false,
            arguments: arguments.iter().map(|argument| argument.bits()).collect(),
        }
    }

    /// The same of a kernel that waits by itself for what comes before it.
    pub(crate) fn early(self) -> Self {
        Self {
            early: true,
            ..self
        }
    }

    pub(crate) fn run(&self, card: &Card) {
        card.launch(
            self.function,
            self.grid,
            self.block,
            self.shared,
            self.early,
            &self.arguments,
        );
    }
}

/// An argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument {
    /// An address, or none.
    At(u64),
    /// `long long`
    Long(usize),
    /// `int`
    Int(usize),
    /// `float`
    Float(f32),
}

impl Argument {
    fn bits(self) -> u64 {
        match self {
            Self::At(address) => address,
            Self::Long(value) => value as u64,
            Self::Int(value) => {
                u64::from(u32::try_from(value).expect("extents below two thousand million"))
            }
            Self::Float(value) => value.to_bits().into(),
        }
    }
}

impl Kernels {
    pub(crate) fn compile(card: &Card) -> Result<Self, CudaError> {
        Ok(Self {
            by_name: compiled(card, &SOURCES.concat(), |name| match name {
                "turn_small" => most_shared(card),
                _ => 0,
            })?,
            processors: card.processors,
        })
    }

    /// A kernel of this crate.
    pub(crate) fn get(&self, name: &str) -> Kernel {
        self.by_name[name]
    }

    /// Blocks for a loop over `n` values.
    pub(crate) fn blocks(&self, n: usize) -> u32 {
        let most = self.processors * BLOCKS_EACH;
        n.div_ceil(BLOCK as usize).clamp(1, most) as u32
    }

    /// Multiprocessors of the card.
    pub(crate) fn processors(&self) -> usize {
        self.processors
    }
}

/// Most bytes of shared memory that a launch can give a kernel which has a little of its own.
pub(crate) fn most_shared(card: &Card) -> usize {
    card.shared_memory - 1024
}

/// Compiles all kernels of a source. `shared` says how much shared memory each may ask for when it is
/// started.
pub(crate) fn compiled(
    card: &Card,
    source: &str,
    shared: impl Fn(&str) -> usize,
) -> Result<HashMap<String, Kernel>, CudaError> {
    let cached = Cached::of(&[source, &card.name, &version(), env!("CARGO_PKG_VERSION")]);
    let known = cached.read().and_then(|image| card.load(&image).ok());
    let module = match known {
        Some(module) => module,
        None => {
            let image = compile(source, card.capability)?;
            let module = card.load(&image)?;
            cached.write(&image);
            module
        }
    };
    let named = signatures(source).map(|(name, arguments)| {
        let function = module.function(name, shared(name))?;
        let kernel = Kernel {
            function,
            arguments,
        };
        Ok((name.to_owned(), kernel))
    });
    named.collect()
}

/// Names of the kernels of a source, and how many arguments each has.
fn signatures(source: &str) -> impl Iterator<Item = (&str, usize)> {
    const KERNEL: &str = "extern \"C\" __global__ void ";
    let found = source.match_indices(KERNEL);
    let kernels = found.filter(|(at, _)| {
        let line = source[..*at].rsplit('\n').next();
        !line.is_some_and(|line| line.contains("//"))
    });
    kernels.filter_map(|(at, _)| {
        let rest = &source[at + KERNEL.len()..];
        let rest = match rest.strip_prefix("__launch_bounds__(") {
            Some(rest) => rest.split_once(") ")?.1,
            None => rest,
        };
        let (name, rest) = rest.split_once('(')?;
        let (parameters, _) = rest.split_once(')')?;
        Some((name.trim(), parameters.split(',').count()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_kernels_and_their_arguments() {
        let source = r#"
            // extern "C" __global__ void none(float* a)
            __device__ float f(float a) { return a; } // not one
            extern "C" __global__ void one(float* a) { f(0); }
            extern "C" __global__ void __launch_bounds__(128) two(const float* a,
                                                                  long long n) {}"#;
        assert_eq!(
            signatures(source).collect::<Vec<_>>(),
            [("one", 1), ("two", 2)]
        );
    }
}
