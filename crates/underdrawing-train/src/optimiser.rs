//! Steps over all parameters of a network, with state kept by name so that a checkpoint is a plain
//! list of named tensors.

use underdrawing_net::{AdamFactors, Engine, MuonFactors, Param, Role, Rule, Step};

use crate::checkpoint::{NamedTensor, Values};
use crate::config::OptimiserKind;

/// What stays the same of Adam during a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdamConfig {
    /// Decay of the mean of the gradients.
    pub(crate) beta_1: f64,
    /// Decay of the mean of their squares.
    pub(crate) beta_2: f64,
    /// Added to the root of the mean square; PyTorch's default is 1e-8.
    pub(crate) epsilon: f64,
    /// Decoupled weight decay (Loshchilov and Hutter 2019); 0 is plain Adam.
    pub(crate) weight_decay: f64,
}

/// Learning rates of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of all networks but the one below.
    pub hiding: f64,
    /// Of a reveal network of its own.
    pub reveal: f64,
}

/// Adam (Kingma and Ba 2015) with bias correction, and Muon where it is asked for.
#[derive(Debug)]
pub(crate) struct Optimiser<B> {
    kind: OptimiserKind,
    adam: AdamConfig,
    steps: u64,
    /// By parameter; none before its first step.
    state: Vec<Option<State<B>>>,
}

/// What is kept of a parameter between steps.
#[derive(Debug)]
enum State<B> {
    Adam { mean: B, square: B },
    Muon { momentum: B },
}

impl<B> State<B> {
    /// Made by `values`, which is told what for.
    fn new(kind: OptimiserKind, mut values: impl FnMut(&str) -> B) -> Self {
        match kind {
            OptimiserKind::Adam => Self::Adam {
                mean: values("adam.mean"),
                square: values("adam.square"),
            },
            OptimiserKind::Muon => Self::Muon {
                momentum: values("muon.momentum"),
            },
        }
    }

    /// The parts with what they are for, as [`State::new`] names them.
    fn parts(&self) -> Vec<(&'static str, &B)> {
        match self {
            Self::Adam { mean, square } => vec![("adam.mean", mean), ("adam.square", square)],
            Self::Muon { momentum } => vec![("muon.momentum", momentum)],
        }
    }
}

impl<B> Optimiser<B> {
    pub(crate) fn new(kind: OptimiserKind, adam: AdamConfig) -> Self {
        Self {
            kind,
            adam,
            steps: 0,
            state: Vec::new(),
        }
    }

    /// One step; gradients that are longer than `longest` together are shortened to that.
    pub(crate) fn step<E: Engine<Buffer = B>>(
        &mut self,
        engine: &E,
        params: &[Param],
        weights: &mut [B],
        gradients: &[Option<B>],
        longest: Option<f64>,
        rates: Rates,
    ) {
        self.steps += 1;
        let (kind, adam, steps) = (self.kind, self.adam, self.steps);
        self.state.resize_with(params.len(), || None);
        let all = params.iter().zip(weights).zip(gradients);
        let moving = all.zip(&mut self.state);
        let moving = moving.filter_map(|(((param, value), gradient), state)| {
            let gradient = gradient.as_ref()?;
            let rate = match param.reveals {
                true => rates.reveal,
                false => rates.hiding,
            };
            let state = state.get_or_insert_with(|| {
                let zeros = |_: &str| engine.upload(&param.shape, vec![0.0; param.len()]);
                State::new(kind_of(kind, param), zeros)
            });
            Some(Step {
                value,
                gradient,
                rule: rule(state, &adam, steps, param, rate),
            })
        });
        engine.update(&mut moving.collect::<Vec<_>>(), longest);
    }

    /// The state as named tensors: `adam.mean.NAME`, `adam.square.NAME`, `muon.momentum.NAME`.
    pub(crate) fn to_tensors<E: Engine<Buffer = B>>(
        &self,
        engine: &E,
        params: &[Param],
    ) -> Vec<NamedTensor> {
        let states = params.iter().zip(&self.state);
        let states = states.filter_map(|(param, state)| Some((param, state.as_ref()?)));
        let parts = states.flat_map(|(param, state)| {
            let parts = state.parts().into_iter();
            parts.map(|(part, buffer)| (format!("{part}.{}", param.name), buffer))
        });
        let tensors = parts.map(|(name, buffer)| {
            let values = engine.download(buffer);
            NamedTensor {
                name,
                shape: vec![values.len()],
                values,
            }
        });
        tensors.collect()
    }

    /// Restores what [`Optimiser::to_tensors`] gave, after `steps` steps; other tensors may be
    /// there.
    pub(crate) fn restore<E: Engine<Buffer = B>>(
        &mut self,
        engine: &E,
        params: &[Param],
        steps: u64,
        tensors: &Values,
    ) {
        self.steps = steps;
        let state = params.iter().map(|param| {
            let kind = kind_of(self.kind, param);
            let value = |part: &str| tensors.get(&format!("{part}.{}", param.name));
            let known = match kind {
                OptimiserKind::Adam => value("adam.mean").and(value("adam.square")),
                OptimiserKind::Muon => value("muon.momentum"),
            };
            known.map(|_| {
                let upload = |part: &str| {
                    let values = value(part).expect("looked for above");
                    engine.upload(&param.shape, values.clone())
                };
                State::new(kind, upload)
            })
        });
        self.state = state.collect();
    }
}

/// What moves a parameter.
fn kind_of(kind: OptimiserKind, param: &Param) -> OptimiserKind {
    match param.role {
        Role::Weights => kind,
        _ => OptimiserKind::Adam,
    }
}

/// How a parameter moves in step number `steps`, counted from 1.
fn rule<'a, B>(
    state: &'a mut State<B>,
    adam: &AdamConfig,
    steps: u64,
    param: &Param,
    rate: f64,
) -> Rule<'a, B> {
    let keep = (1.0 - rate * adam.weight_decay) as f32;
    match state {
        State::Adam { mean, square } => {
            let mean_correction = 1.0 - adam.beta_1.powf(steps as f64);
            let square_correction = 1.0 - adam.beta_2.powf(steps as f64);
            let factors = AdamFactors {
                beta_1: adam.beta_1 as f32,
                beta_2: adam.beta_2 as f32,
                root: (1.0 / square_correction.sqrt()) as f32,
                epsilon: adam.epsilon as f32,
                rate: (rate / mean_correction) as f32,
                keep,
            };
            Rule::Adam {
                mean,
                square,
                factors,
            }
        }
        State::Muon { momentum } => Rule::Muon {
            momentum,
            factors: MuonFactors {
                rows: param.shape[0],
                rate: rate as f32,
                keep,
            },
        },
    }
}
