//! Steps over all parameters of a network, with state kept by name so that a checkpoint is a plain
//! list of named tensors.

use std::collections::BTreeMap;

use underdrawing_net::{AdamFactors, AdamState, Engine, MuonFactors, MuonState, Param, Role};

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
    /// By kind and name: `adam.mean.NAME`, `adam.square.NAME`, `muon.momentum.NAME`.
    state: BTreeMap<String, B>,
}

impl<B> Optimiser<B> {
    pub(crate) fn new(kind: OptimiserKind, adam: AdamConfig) -> Self {
        Self {
            kind,
            adam,
            steps: 0,
            state: BTreeMap::new(),
        }
    }

    /// One step; `scale` multiplies every gradient (clipping).
    pub(crate) fn step<E: Engine<Buffer = B>>(
        &mut self,
        engine: &E,
        params: &[Param],
        weights: &mut [B],
        gradients: &[Option<B>],
        scale: f64,
        rates: Rates,
    ) {
        self.steps += 1;
        for ((param, weights), gradient) in params.iter().zip(weights).zip(gradients) {
            let Some(gradient) = gradient else { continue };
            let rate = match param.reveals {
                true => rates.reveal,
                false => rates.hiding,
            };
            match (self.kind, param.role) {
                (OptimiserKind::Muon, Role::Weights) => {
                    self.by_muon(engine, param, weights, gradient, scale, rate);
                }
                _ => self.by_adam(engine, param, weights, gradient, scale, rate),
            }
        }
    }

    /// The state as named tensors.
    pub(crate) fn to_tensors<E: Engine<Buffer = B>>(&self, engine: &E) -> Vec<NamedTensor> {
        let tensors = self.state.iter().map(|(name, buffer)| {
            let values = engine.download(buffer);
            NamedTensor {
                name: name.clone(),
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
        steps: u64,
        tensors: Values,
    ) {
        let ours = |name: &str| name.starts_with("adam.") || name.starts_with("muon.");
        self.steps = steps;
        self.state = tensors
            .into_iter()
            .filter(|(name, _)| ours(name))
            .map(|(name, values)| (name, engine.upload(values)))
            .collect();
    }

    fn by_muon<E: Engine<Buffer = B>>(
        &mut self,
        engine: &E,
        param: &Param,
        value: &mut B,
        gradient: &B,
        scale: f64,
        rate: f64,
    ) {
        let factors = MuonFactors {
            rows: param.shape[0],
            gradient: scale as f32,
            rate: rate as f32,
            keep: (1.0 - rate * self.adam.weight_decay) as f32,
        };
        let momentum = self.state_of(engine, "muon.momentum", param);
        engine.muon(MuonState { value, momentum }, gradient, factors);
    }

    fn by_adam<E: Engine<Buffer = B>>(
        &mut self,
        engine: &E,
        param: &Param,
        value: &mut B,
        gradient: &B,
        scale: f64,
        rate: f64,
    ) {
        let AdamConfig {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
        } = self.adam;
        let steps = self.steps as f64;
        let mean_correction = 1.0 - beta_1.powf(steps);
        let square_correction = 1.0 - beta_2.powf(steps);
        let factors = AdamFactors {
            gradient: scale as f32,
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            root: (1.0 / square_correction.sqrt()) as f32,
            epsilon: epsilon as f32,
            rate: (rate / mean_correction) as f32,
            keep: (1.0 - rate * weight_decay) as f32,
        };
        // Two entries of one map: one is taken out while the other is changed.
        let square_key = key("adam.square", param);
        let square = self.state.remove(&square_key);
        let mut square = square.unwrap_or_else(|| engine.upload(vec![0.0; param.len()]));
        let state = AdamState {
            value,
            mean: self.state_of(engine, "adam.mean", param),
            square: &mut square,
        };
        engine.adam(state, gradient, factors);
        self.state.insert(square_key, square);
    }

    fn state_of<E: Engine<Buffer = B>>(&mut self, engine: &E, kind: &str, param: &Param) -> &mut B {
        self.state
            .entry(key(kind, param))
            .or_insert_with(|| engine.upload(vec![0.0; param.len()]))
    }
}

fn key(kind: &str, param: &Param) -> String {
    format!("{kind}.{}", param.name)
}
