//! A model: networks, what they are, and how they were trained.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use underdrawing_net::{Architecture, CpuRunner, Networks, Pair2018Config, Rounding, Runner};

use crate::network::balance::Balance;
use crate::network::hide::{self, FloatPair, HideError, HideOptions};
use crate::network::model_file::{
    self, ARCHITECTURE_KEY, ModelError, ModelFile, Precision, TRAINING_KEY, metadata_error,
};
use crate::network::model_id::ModelId;
use crate::network::pth::{self, PthError};
use crate::network::reveal::{self, RevealError, RevealOptions};
use crate::network::run::Network;
use crate::network::tile::{Context, Window};
use crate::picture::Pixels;

/// Most parameters of an architecture, five times those of the 2018 system.
const MOST_PARAMETERS: usize = 200_000_000;

/// Side of the U-Net's tiles, as of the pictures that it was trained on.
const UNET_TILE: usize = 256;

/// Networks that hide and reveal, ready to run. Clones share them.
#[derive(Clone)]
pub struct Model {
    networks: Networks,
    training: TrainingRecord,
    id: ModelId,
    runner: Arc<dyn Runner>,
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
            id: ModelId::of(&networks),
            runner: Arc::new(CpuRunner::new(&networks)),
            networks,
            training,
        }
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
        let training = serde_json::to_string(&self.training)
            .expect("a record of numbers and JSON values becomes JSON");
        let architecture = self.networks.architecture().to_json();
        model_file::write(&architecture, &training, self.networks.params(), precision)
    }

    /// A model of the 2018 system from `netH.pth` and `netR.pth` as PyTorch saves them: state dicts
    /// of the hiding and the reveal network, in either container of `torch.save`, with and without
    /// the prefix `module.`. Widths and depth follow from the shapes.
    ///
    /// # Errors
    /// Which of the two files was rejected, and why.
    pub fn from_pth(hiding: &[u8], reveal: &[u8]) -> Result<Self, PthError> {
        let networks = pth::import_2018(hiding, reveal)?;
        Ok(Self::new(networks, TrainingRecord::default()))
    }

    /// A model of the 2018 system as the bytes of `netH.pth` and `netR.pth`, which `torch.load` reads
    /// with `weights_only=True` and `load_state_dict` takes with `strict=True`. None for networks of
    /// another design.
    #[must_use]
    pub fn to_pth(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        pth::export_2018(&self.networks)
    }

    /// What tells this model from others; containers name it.
    #[must_use]
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// What it is built of.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        self.networks.architecture()
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
        underdrawing_net::n_parameters(self.networks.params())
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

    fn rounding(&self) -> Rounding {
        self.networks.rounding()
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
        write!(f, "Model({}, {:?})", self.id, self.architecture())
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
    use underdrawing_net::{HidingNetConfig, LiftingNetConfig, RevealNetConfig, Triple2017Config};

    use super::*;

    /// Networks that do much to a picture: in each layer a deviation that keeps a signal's size,
    /// less in the last ones.
    fn lively(architecture: Architecture) -> Model {
        let networks = Networks::new(architecture, 3).map(|param| {
            let values = &param.values;
            if param.shape.len() < 4 {
                return values.clone();
            }
            let fan_in: usize = param.shape[1..].iter().product();
            let gain = if param.name.ends_with("last.weight") {
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
        Model::new(networks, TrainingRecord::default())
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

        fn hide(&self, cover: &Window, secret: &Window) -> Window {
            Network::hide(self.0, cover, secret)
        }

        fn reveal(&self, container: &Window) -> Window {
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
        let mut value = Some(1.0);
        let other = model
            .networks()
            .map(|param| vec![value.take().unwrap_or(0.0); param.len()]);
        let other = Model::new(other, TrainingRecord::default());
        assert_ne!(model.id(), other.id());
    }
}
