//! A model: networks, what they are, and how they were trained.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use underdrawing_net::{Architecture, CpuRunner, Networks, Pair2018Config, Rounding, Runner};

use crate::network::model_file::{
    self, ARCHITECTURE_KEY, ModelError, ModelFile, Precision, TRAINING_KEY, metadata_error,
};
use crate::network::model_id::ModelId;
use crate::network::onnx;
use crate::network::pth::{self, PthError};
use crate::network::run::Network;
#[cfg(feature = "refining")]
use crate::network::run::Refiner;
use crate::network::tile::{Context, Window};

/// Most parameters of an architecture, five times those of the 2018 system.
const MOST_PARAMETERS: usize = 200_000_000;

/// Side of the U-Net's tiles, as of the pictures that it was trained on.
const UNET_TILE: usize = 256;

/// Networks that hide and reveal, ready to run. Clones share them.
#[derive(Clone)]
pub struct Model {
    content: Arc<Content>,
    runner: Arc<dyn Runner>,
}

/// What a model file holds.
struct Content {
    networks: Networks,
    training: TrainingRecord,
    id: ModelId,
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
    /// A model of trained networks, which run on the processor.
    #[must_use]
    pub fn new(networks: Networks, mut training: TrainingRecord) -> Self {
        // JSON has no word for infinity.
        training.quality = training
            .quality
            .filter(|q| q.container_psnr_db.is_finite() && q.revealed_psnr_db.is_finite());
        Self {
            runner: Arc::new(CpuRunner::new(&networks)),
            content: Arc::new(Content {
                id: ModelId::of(&networks),
                networks,
                training,
            }),
        }
    }

    /// A model that has learned nothing yet, as training begins with it; equal seeds give equal
    /// ones.
    ///
    /// # Errors
    /// When the architecture is over the limits.
    pub fn fresh(architecture: Architecture, seed: u64) -> Result<Self, ModelError> {
        architecture.check()?;
        let parameters = Networks::shapes(architecture);
        let n_values = parameters.iter().map(|param| param.len()).sum();
        check_size(n_values, n_values)?;
        let training = TrainingRecord {
            seed,
            ..TrainingRecord::default()
        };
        Ok(Self::new(Networks::new(architecture, seed), training))
    }

    /// The same model, run by something else than the processor.
    #[must_use]
    pub fn with_runner(self, runner: Arc<dyn Runner>) -> Self {
        Self { runner, ..self }
    }

    /// Reads a model file; nothing is allocated for parameters before its header, names, shapes
    /// and sizes have been checked.
    ///
    /// # Errors
    /// When the file is damaged, not a model, newer than this code, or over the limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let mut file = ModelFile::parse(bytes)?;
        file.check_format()?;
        let architecture: Architecture = serde_json::from_str(file.metadata(ARCHITECTURE_KEY)?)
            .map_err(|e| metadata_error(ARCHITECTURE_KEY, e))?;
        let training = serde_json::from_str(file.metadata(TRAINING_KEY)?)
            .map_err(|e| metadata_error(TRAINING_KEY, e))?;
        architecture.check()?;
        let shapes = Networks::shapes(architecture);
        check_size(
            shapes.iter().map(|param| param.len()).sum(),
            file.n_values(),
        )?;
        let networks =
            Networks::with_values(architecture, |param| file.take(&param.name, &param.shape))?;
        file.check_all_taken()?;
        Ok(Self::new(networks, training))
    }

    /// The model as a file. What is read back from it has the same id in [`Precision::Full`]; in
    /// [`Precision::Half`] its parameters are rounded and it is a model of its own, unless they
    /// were before.
    #[must_use]
    pub fn to_bytes(&self, precision: Precision) -> Vec<u8> {
        let training = serde_json::to_string(&self.content.training)
            .expect("a record of numbers and JSON values becomes JSON");
        let architecture = self.content.networks.architecture().to_json();
        model_file::write(
            &architecture,
            &training,
            self.content.networks.params(),
            precision,
        )
    }

    /// A model of the 2018 system from `netH.pth` and `netR.pth` as PyTorch saves them: state dicts
    /// of the hiding and the reveal network, in either container of `torch.save` or in safetensors,
    /// by themselves or inside a checkpoint, in any type of floats, with and without the prefixes
    /// `module.` and `_orig_mod.`. Widths and depth follow from the shapes. Beside the model the
    /// names of entries that it has no use for.
    ///
    /// # Errors
    /// Which of the two files was rejected, and why.
    pub fn from_pth(hiding: &[u8], reveal: &[u8]) -> Result<(Self, Vec<String>), PthError> {
        let (networks, ignored) = pth::import_2018(hiding, reveal)?;
        Ok((Self::new(networks, TrainingRecord::default()), ignored))
    }

    /// A model of the 2018 system as the bytes of `netH.pth` and `netR.pth`, which `torch.load`
    /// reads with `weights_only=True` and `load_state_dict` takes with `strict=True`. None for
    /// networks of another design.
    #[must_use]
    pub fn to_pth(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        pth::export_2018(&self.content.networks)
    }

    /// Both networks as ONNX files (operator set 17): paths in a folder, with slashes, and bytes.
    /// `hiding/model.onnx` takes `cover` and `secret` to `container`, `reveal/model.onnx` takes
    /// `container` to `revealed`: `float32` of `[batch, 3, height, width]`, sRGB-encoded, 0 to 1.
    /// Batch and size are free; sides must be multiples of `size_multiple` in the file's metadata.
    /// Results are neither clamped nor rounded: [`Networks::rounding`] and the mark are not part of
    /// the networks. Beside each network lie pictures of two sizes and what it makes of them here,
    /// as ONNX's test runner has them.
    #[must_use]
    pub fn to_onnx(&self) -> Vec<(String, Vec<u8>)> {
        onnx::files(&self.content.networks, &self.id().to_string())
    }

    /// What tells this model from others; containers name it.
    #[must_use]
    pub fn id(&self) -> ModelId {
        self.content.id
    }

    /// What it is built of.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        self.content.networks.architecture()
    }

    /// How it was trained.
    #[must_use]
    pub fn training(&self) -> &TrainingRecord {
        &self.content.training
    }

    /// Whether [`NetworkOptions::effort`](crate::NetworkOptions::effort) can be the best: not for
    /// U-Nets, nor without the feature `refining`.
    #[must_use]
    pub fn refines(&self) -> bool {
        let unet = matches!(self.architecture(), Architecture::Unet2018(_));
        cfg!(feature = "refining") && !unet
    }

    /// The networks.
    #[must_use]
    pub fn networks(&self) -> &Networks {
        &self.content.networks
    }

    /// Trained parameters, without running statistics.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        underdrawing_net::n_parameters(self.content.networks.params())
    }
}

impl Network for Model {
    fn hiding_context(&self) -> Context {
        contexts(self.architecture()).0
    }

    fn revealing_context(&self) -> Context {
        contexts(self.architecture()).1
    }

    fn hide(&self, cover: &Window, secret: &Window) -> Window {
        cover.with_samples(
            self.runner
                .hide(cover.shape(), &cover.samples, &secret.samples),
        )
    }

    fn reveal(&self, container: &Window) -> Window {
        container.with_samples(self.runner.reveal(container.shape(), &container.samples))
    }

    #[cfg(feature = "refining")]
    fn refiner(&self, steps: usize) -> Option<Box<Refiner<'_>>> {
        if !self.refines() {
            return None;
        }
        let refiner = underdrawing_net::CpuRefiner::new(&self.content.networks);
        Some(Box::new(move |cover, secret| {
            refiner
                .refine(cover.shape(), &cover.samples, &secret.samples, steps)
                .map(|samples| cover.with_samples(samples))
        }))
    }

    fn rounding(&self) -> Rounding {
        self.content.networks.rounding()
    }
}

/// What hiding and revealing see around a pixel.
fn contexts(architecture: &Architecture) -> (Context, Context) {
    let context = |radius, channels| Context::Radius { radius, channels };
    match architecture {
        Architecture::Lifting(config) => {
            // Both branches: features are never there for more than a part of a tile.
            let both = context(config.receptive_radius(), /* channels */ 6);
            (both, both)
        }
        Architecture::Unet2018(Pair2018Config { hiding, reveal }) => {
            let side = UNET_TILE.next_multiple_of(hiding.size_multiple());
            let revealing = context(reveal.receptive_radius(), 4 * reveal.width);
            (Context::Blended { side }, revealing)
        }
        Architecture::Dense2017(config) => (
            context(config.hide_radius(), 3 * config.width + 3),
            context(config.reveal_radius(), 3 * config.width),
        ),
        _ => unreachable!("an architecture without a context"),
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({}, {:?})", self.id(), self.architecture())
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
mod tests;
