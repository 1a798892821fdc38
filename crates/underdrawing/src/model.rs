//! A model: networks, what they are, and how they were trained.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use underdrawing_conv::Plan;

use crate::architecture::Architecture;
use crate::balance::Balance;
use crate::compute::Compute;
use crate::hide::{self, FloatPair, HideError, HideOptions, Network};
use crate::model_file::{
    self, ARCHITECTURE_KEY, ModelError, ModelFile, Precision, TRAINING_KEY, metadata_error,
};
use crate::model_id::ModelId;
use crate::net::{self, Init, Networks, Pair2018, named_tensors, with_tensors};
use crate::pixels::Pixels;
use crate::reveal::{self, RevealError, RevealOptions};
use crate::rounding::Rounding;
use crate::tile::{Context, Window};

/// Most parameters of an architecture, five times those of the 2018 system.
const MOST_PARAMETERS: usize = 200_000_000;

/// Networks that hide and reveal, ready to run.
#[derive(Clone)]
pub struct Model {
    architecture: Architecture,
    networks: Networks,
    training: TrainingRecord,
    id: ModelId,
    n_parameters: usize,
    device: Device,
    plans: Arc<Mutex<Plans>>,
}

/// Networks as plans of our kernels, built when first used; a copy of a model shares them.
#[derive(Default)]
struct Plans {
    hiding: Option<Plan>,
    reveal: Option<Plan>,
}

/// How a model came about. A model file holds it as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrainingRecord {
    /// All settings of the training run, as the trainer writes them; null when unknown.
    pub config: serde_json::Value,
    /// Seed of the run.
    pub seed: u64,
    /// Steps of the optimiser.
    pub steps: u64,
    /// Id of the model whose weights it began with; none if they were fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it reached on pictures it was not trained on.
    pub quality: Option<Quality>,
}

/// Measured quality of a model, means over pairs of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Container against cover, dB.
    pub container_psnr_db: f64,
    /// Revealed picture against secret, dB.
    pub revealed_psnr_db: f64,
}

impl Model {
    /// A model of trained networks. `networks` must be of `architecture`.
    #[must_use]
    pub fn new(
        architecture: Architecture,
        networks: Networks,
        mut training: TrainingRecord,
    ) -> Self {
        let networks = networks.valid();
        let mut tensors = named_tensors(&networks);
        let device = networks.devices().into_iter().next().unwrap_or_default();
        // JSON has no word for infinity.
        training.quality = training
            .quality
            .filter(|q| q.container_psnr_db.is_finite() && q.revealed_psnr_db.is_finite());
        Self {
            id: ModelId::of(&architecture, &mut tensors),
            n_parameters: net::n_parameters(&networks),
            architecture,
            networks,
            training,
            device,
            plans: Arc::default(),
        }
    }

    /// Reads a model file; nothing is allocated for parameters before its header, names, shapes
    /// and sizes have been checked.
    ///
    /// # Errors
    /// When the file is damaged, not a model, newer than this code, over the limits, or the device
    /// is not there.
    pub fn from_bytes(bytes: &[u8], compute: Compute) -> Result<Self, ModelError> {
        let mut file = ModelFile::parse(bytes)?;
        file.check_format()?;
        let architecture: Architecture = serde_json::from_str(file.metadata(ARCHITECTURE_KEY)?)
            .map_err(|e| metadata_error(ARCHITECTURE_KEY, e))?;
        let training = serde_json::from_str(file.metadata(TRAINING_KEY)?)
            .map_err(|e| metadata_error(TRAINING_KEY, e))?;
        architecture.check()?;
        let networks = architecture.build(&mut Init::unfilled(&compute.device()?));
        check_size(networks.num_params(), file.n_values())?;
        let mut problem = None;
        let networks = with_tensors(networks, &mut |name, shape| {
            let values = file.take(name, shape).map_err(|e| problem.get_or_insert(e));
            values.unwrap_or_else(|_| vec![0.0; shape.iter().product()])
        });
        if let Some(error) = problem {
            return Err(error);
        }
        file.check_all_taken()?;
        Ok(Self::new(architecture, networks, training))
    }

    /// The model as a file. What is read back from it has the same id in [`Precision::Full`]; in
    /// [`Precision::Half`] its parameters are rounded and it is a model of its own, unless they
    /// were before.
    #[must_use]
    pub fn to_bytes(&self, precision: Precision) -> Vec<u8> {
        let training = serde_json::to_string(&self.training)
            .expect("a record of numbers and JSON values becomes JSON");
        model_file::write(
            &self.architecture.to_json(),
            &training,
            named_tensors(&self.networks),
            precision,
        )
    }

    /// What tells this model from others; containers name it.
    #[must_use]
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// What it is built of.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// How it was trained.
    #[must_use]
    pub fn training(&self) -> &TrainingRecord {
        &self.training
    }

    /// The networks.
    #[must_use]
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Trained parameters, without running statistics.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        self.n_parameters
    }

    /// Hides `secret` in `cover`: a container of the cover's size, rounded to 8 bits and marked
    /// with the secret's size and this model's id. The same arguments give the same container.
    ///
    /// The cover has at least 16x16 pixels; the secret any size. It is turned by 90 degrees where
    /// that fits the cover's aspect better and resampled to the cover's size, unless it has it.
    ///
    /// # Errors
    /// When the cover or the tile size is too small.
    pub fn hide(
        &self,
        cover: &Pixels,
        secret: &Pixels,
        options: &HideOptions,
    ) -> Result<Pixels, HideError> {
        self.hide_with_progress(cover, secret, options, &mut |_, _| {})
    }

    /// [`Model::hide`] that reports after each tile: tiles done, tiles in all.
    ///
    /// # Errors
    /// As [`Model::hide`].
    pub fn hide_with_progress(
        &self,
        cover: &Pixels,
        secret: &Pixels,
        options: &HideOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Pixels, HideError> {
        hide::hide(self, self.id, cover, secret, options, progress)
    }

    /// The secret that a container holds, in its own size.
    ///
    /// # Errors
    /// When the container has no mark or names another model, and no size is given; when the size
    /// or the tile size is out of bounds.
    pub fn reveal(
        &self,
        container: &Pixels,
        options: &RevealOptions,
    ) -> Result<Pixels, RevealError> {
        self.reveal_with_progress(container, options, &mut |_, _| {})
    }

    /// [`Model::reveal`] that reports after each tile: tiles done, tiles in all.
    ///
    /// # Errors
    /// As [`Model::reveal`].
    pub fn reveal_with_progress(
        &self,
        container: &Pixels,
        options: &RevealOptions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Pixels, RevealError> {
        reveal::reveal(self, self.id, container, options, progress)
    }

    /// Container and revealed picture without rounding, for figures that compare with published
    /// ones. Takes 24 bytes a pixel.
    ///
    /// # Errors
    /// When the cover is too small.
    pub fn float_pair(
        &self,
        cover: &Pixels,
        secret: &Pixels,
        balance: Balance,
    ) -> Result<FloatPair, HideError> {
        hide::float_pair(self, cover, secret, balance)
    }

    /// The 2018 system, where it can run by plans of our kernels: on the CPU.
    fn planned(&self) -> Option<&Pair2018> {
        match &self.networks {
            Networks::Unet2018(pair) if self.device == Device::flex() => Some(pair),
            _ => None,
        }
    }

    /// A window as a tensor `[1, 3, h, w]`.
    fn tensor(&self, window: Window) -> Tensor<4> {
        let shape = [1, 3, window.height, window.width];
        Tensor::from_data(TensorData::new(window.samples, shape), &self.device)
    }
}

/// Runs a plan whose output has the inputs' size.
fn run(plan: &mut Plan, inputs: &[&Window]) -> Window {
    let Window { width, height, .. } = *inputs[0];
    let mut samples = vec![0.0; 3 * height * width];
    let inputs: Vec<&[f32]> = inputs.iter().map(|x| x.samples.as_slice()).collect();
    plan.run(
        /* n */ 1,
        [height, width],
        &inputs,
        &mut [&mut samples],
    );
    Window {
        width,
        height,
        samples,
    }
}

/// The window that a tensor `[1, 3, h, w]` holds.
fn window(tensor: Tensor<4>) -> Window {
    let [_, _, height, width] = tensor.dims();
    Window {
        width,
        height,
        samples: tensor
            .into_data()
            .try_into_vec()
            .expect("networks compute in f32"),
    }
}

impl Network for Model {
    fn hiding_context(&self) -> Context {
        self.architecture.contexts().0
    }

    fn revealing_context(&self) -> Context {
        self.architecture.contexts().1
    }

    fn hide(&self, cover: Window, secret: Window) -> Window {
        if let Some(pair) = self.planned() {
            let size = [cover.height, cover.width];
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            let plan = plans.hiding.get_or_insert_with(|| pair.hiding.plan(size));
            return run(plan, &[&cover, &secret]);
        }
        window(self.networks.hide(self.tensor(cover), self.tensor(secret)))
    }

    fn reveal(&self, container: Window) -> Window {
        if let Some(pair) = self.planned() {
            let size = [container.height, container.width];
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            let plan = plans.reveal.get_or_insert_with(|| pair.reveal.plan(size));
            return run(plan, &[&container]);
        }
        window(self.networks.reveal(self.tensor(container)))
    }

    fn rounding(&self) -> Rounding {
        self.networks.rounding()
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({}, {:?})", self.id, self.architecture)
    }
}

/// Refuses an architecture that would take more memory than the file itself suggests.
fn check_size(of_architecture: usize, in_file: usize) -> Result<(), ModelError> {
    if of_architecture > MOST_PARAMETERS {
        return Err(ModelError::TooManyParameters {
            found: of_architecture,
            most: MOST_PARAMETERS,
        });
    }
    // A file that lacks a tensor or two passes here, and the error names them.
    if of_architecture / 2 > in_file {
        return Err(ModelError::TooFewParameters {
            expected: of_architecture,
            found: in_file,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{
        HidingNetConfig, LiftingNetConfig, Pair2018Config, RevealNetConfig, Triple2017Config,
    };

    /// Networks that do much to a picture: in each layer a deviation that keeps a signal's size,
    /// less in the last ones.
    fn lively(architecture: Architecture) -> Model {
        let networks = architecture.init(3, &Device::flex());
        let tensors = named_tensors(&networks);
        let mut tensors = tensors.iter();
        let networks = with_tensors(networks, &mut |name, shape| {
            let values = &tensors.next().expect("both visit the same tensors").values;
            if shape.len() < 4 {
                return values.clone();
            }
            let fan_in: usize = shape[1..].iter().product();
            let gain = if name.ends_with("last.weight") {
                0.4
            } else {
                1.4
            };
            let square = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
            if square == 0.0 {
                return values.clone(); // rounding that has not learned anything
            }
            let factor = gain / (fan_in as f32 * square).sqrt();
            values.iter().map(|v| factor * v).collect()
        });
        Model::new(architecture, networks, TrainingRecord::default())
    }

    fn lifting(blocks: usize) -> Architecture {
        Architecture::Lifting(LiftingNetConfig {
            blocks,
            width: 4,
            ..LiftingNetConfig::default()
        })
    }

    /// The same networks with another context; one that is blended stays.
    struct Within<'a>(&'a Model, Context);

    impl Network for Within<'_> {
        fn hiding_context(&self) -> Context {
            match self.0.hiding_context() {
                Context::Radius { .. } => self.1,
                blended => blended,
            }
        }

        fn revealing_context(&self) -> Context {
            self.1
        }

        fn hide(&self, cover: Window, secret: Window) -> Window {
            Network::hide(self.0, cover, secret)
        }

        fn reveal(&self, container: Window) -> Window {
            Network::reveal(self.0, container)
        }

        fn rounding(&self) -> Rounding {
            self.0.rounding()
        }
    }

    fn picture(width: usize, height: usize, seed: u32) -> Pixels {
        Pixels::from_fn(width, height, |x, y| {
            [1u32, 2, 3].map(|channel| {
                let i = (x as u32 ^ (y as u32) << 8 ^ channel << 16 ^ seed << 20)
                    .wrapping_mul(2_654_435_761);
                (i >> 24) as u8
            })
        })
        .unwrap()
    }

    fn largest_difference(a: &Pixels, b: &Pixels) -> u8 {
        let steps = a.data().iter().zip(b.data()).map(|(a, b)| a.abs_diff(*b));
        steps.max().unwrap()
    }

    /// Container and revealed picture, in tiles of 24 or whole.
    fn both(network: &dyn Network, id: ModelId, tile_size: usize) -> (Pixels, Pixels) {
        let (cover, secret) = (picture(90, 74, 1), picture(90, 74, 2));
        let hiding = HideOptions {
            tile_size,
            ..HideOptions::default()
        };
        let container = hide::hide(network, id, &cover, &secret, &hiding, &mut |_, _| {}).unwrap();
        let whole = HideOptions::default();
        let given = hide::hide(network, id, &cover, &secret, &whole, &mut |_, _| {}).unwrap();
        let revealing = RevealOptions {
            tile_size,
            ..RevealOptions::default()
        };
        let revealed = reveal::reveal(network, id, &given, &revealing, &mut |_, _| {}).unwrap();
        (container, revealed)
    }

    #[test]
    fn tiles_agree_with_the_whole_picture() {
        struct Case {
            architecture: Architecture,
            too_narrow: usize,
            /// The U-Net's tiles are blended, so they differ.
            hides_exactly: bool,
        }
        for case in [
            Case {
                architecture: lifting(2),
                too_narrow: 8,
                hides_exactly: true,
            },
            Case {
                architecture: Architecture::Unet2018(Pair2018Config {
                    hiding: HidingNetConfig { width: 2, depth: 2 },
                    reveal: RevealNetConfig { width: 4 },
                }),
                too_narrow: 0,
                hides_exactly: false,
            },
            Case {
                architecture: Architecture::Dense2017(Triple2017Config { width: 4 }),
                too_narrow: 0,
                hides_exactly: true,
            },
        ] {
            let model = lively(case.architecture);
            let whole = both(&model, model.id(), 1024);
            let tiled = both(&model, model.id(), 24);
            let radius = case.too_narrow;
            let narrow = Within(
                &model,
                Context::Radius {
                    radius,
                    channels: 1,
                },
            );
            let narrow = both(&narrow, model.id(), 24);
            if case.hides_exactly {
                assert!(
                    largest_difference(&whole.0, &tiled.0) <= 1,
                    "{model:?} hides"
                );
                let narrow = largest_difference(&whole.0, &narrow.0);
                assert!(
                    narrow > 1,
                    "{model:?} hides: a margin of {radius} must not do"
                );
            }
            assert!(
                largest_difference(&whole.1, &tiled.1) <= 1,
                "{model:?} reveals"
            );
            let narrow = largest_difference(&whole.1, &narrow.1);
            assert!(
                narrow > 1,
                "{model:?} reveals: a margin of {radius} must not do"
            );
        }
    }

    #[test]
    fn the_id_follows_parameters_and_architecture() {
        let model = lively(lifting(1));
        assert_eq!(model.id(), lively(lifting(1)).id());
        assert_ne!(model.id(), lively(lifting(2)).id());
        let mut first = true;
        let networks = with_tensors(model.networks().clone(), &mut |_, shape| {
            let value = if std::mem::take(&mut first) { 1.0 } else { 0.0 };
            vec![value; shape.iter().product()]
        });
        let other = Model::new(*model.architecture(), networks, TrainingRecord::default());
        assert_ne!(model.id(), other.id());
    }
}
