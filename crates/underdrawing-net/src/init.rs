//! Where the first weights come from: one generator, seeded once.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::param::{Param, ParamId, Role};

/// Deviation of the first weights of the 2018 system.
pub(crate) const FIRST_DEVIATION: f64 = 0.02;

/// Collects the parameters of a network as its layers ask for them, in that order.
///
/// Equal seeds give equal parameters on every machine.
#[derive(Debug)]
pub(crate) struct Init {
    /// None leaves the values out: they come from a file.
    random: Option<ChaCha8Rng>,
    path: Vec<String>,
    reveals: bool,
    params: Vec<Param>,
}

impl Init {
    /// Fresh parameters.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Some(ChaCha8Rng::seed_from_u64(seed)),
            ..Self::unfilled()
        }
    }

    /// Names and shapes only; no memory is taken for values.
    pub(crate) fn unfilled() -> Self {
        Self {
            random: None,
            path: Vec::new(),
            reveals: false,
            params: Vec::new(),
        }
    }

    /// All parameters asked for.
    pub(crate) fn into_params(self) -> Vec<Param> {
        self.params
    }

    /// The part of a network that is the field `name`.
    pub(crate) fn within<R>(&mut self, name: &str, part: impl FnOnce(&mut Self) -> R) -> R {
        self.path.push(name.to_owned());
        let result = part(self);
        self.path.pop();
        result
    }

    /// The parts of a network that are the list `name`.
    pub(crate) fn list<R>(
        &mut self,
        name: &str,
        n: usize,
        mut part: impl FnMut(&mut Self, usize) -> R,
    ) -> Vec<R> {
        (0..n)
            .map(|i| self.within(&format!("{name}.{i}"), |init| part(init, i)))
            .collect()
    }

    /// The reveal network of a design that has one of its own.
    pub(crate) fn within_reveal<R>(&mut self, part: impl FnOnce(&mut Self) -> R) -> R {
        self.reveals = true;
        let result = self.within("reveal", part);
        self.reveals = false;
        result
    }

    /// Normal values (Box-Muller transform).
    pub(crate) fn normal(
        &mut self,
        name: &str,
        shape: &[usize],
        mean: f64,
        deviation: f64,
    ) -> ParamId {
        self.add(name, shape, |random| {
            let radius = (-2.0 * (1.0 - unit(random)).ln()).sqrt();
            mean + deviation * radius * (std::f64::consts::TAU * unit(random)).cos()
        })
    }

    /// Values uniform in `[-bound, bound)`.
    pub(crate) fn uniform(&mut self, name: &str, shape: &[usize], bound: f64) -> ParamId {
        self.add(name, shape, |random| bound * (2.0 * unit(random) - 1.0))
    }

    /// One value everywhere.
    pub(crate) fn constant(&mut self, name: &str, shape: &[usize], value: f64) -> ParamId {
        self.add(name, shape, |_| value)
    }

    /// One value everywhere, which only training statistics change.
    pub(crate) fn statistic(&mut self, name: &str, n: usize, value: f64) -> ParamId {
        let id = self.constant(name, &[n], value);
        self.params[id.0].role = Role::Statistic;
        id
    }

    /// Weights that start as nothing, of which only those where `mask` is 1 count.
    pub(crate) fn masked(&mut self, name: &str, shape: &[usize], mask: Vec<f32>) -> ParamId {
        let id = self.constant(name, shape, 0.0);
        self.params[id.0].role = Role::Other;
        self.params[id.0].mask = Some(mask);
        id
    }

    fn add(
        &mut self,
        name: &str,
        shape: &[usize],
        mut value: impl FnMut(&mut ChaCha8Rng) -> f64,
    ) -> ParamId {
        let n: usize = shape.iter().product();
        let values = match &mut self.random {
            Some(random) => (0..n).map(|_| value(random) as f32).collect(),
            None => Vec::new(),
        };
        let path = self.path.iter().map(String::as_str).chain([name]);
        self.params.push(Param {
            name: path.collect::<Vec<_>>().join("."),
            shape: shape.to_vec(),
            role: match shape.len() {
                4 => Role::Weights,
                _ => Role::Other,
            },
            reveals: self.reveals,
            mask: None,
            values,
        });
        ParamId(self.params.len() - 1)
    }
}

/// Uniform in `[0, 1)`, 24 bits.
pub(crate) fn unit(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32() >> 8) / f64::from(1u32 << 24)
}
