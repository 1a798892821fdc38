//! Training of the restoring network: on pictures that the codec has coded at few bits a pixel.
//!
//! All pictures are coded before the first step, each a few times at rates of its own, turned and
//! mirrored at random; a step sees squares of them. Seed and settings decide the result.

use std::ops::RangeInclusive;
use std::path::Path;

use half::f16;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use underdrawing::{Comparison, Pixels};
use underdrawing_codec::{Effort, Encoder, MAX_PIXELS, Picture, decode};
use underdrawing_net::{
    CpuEngine, CpuRestorer, Differentiable, Engine, Param, Restoring, RestoringNet,
    RestoringNetConfig, Tensor,
};

use crate::checkpoint::{CheckpointError, write_whole};
use crate::config::OptimiserKind;
use crate::dataset::{DatasetError, list_pictures, read_picture};
use crate::optimiser::{AdamConfig, Optimiser, Rates};
use crate::random::{below, unit};
use crate::schedule::Schedule;

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct RestoringConfig {
    /// Seed of everything random.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// Squares a step.
    pub batch_size: usize,
    /// Side in pixels of the squares, even.
    pub size: usize,
    /// First learning rate; it falls to nothing by half a cosine.
    pub learning_rate: f64,
    /// Times that each picture is coded.
    pub codings: usize,
    /// Bits a pixel that pictures are coded at, equally often in each octave.
    pub bits: RangeInclusive<f64>,
    /// Steps between validations.
    pub validate_every: u64,
    /// Bits a pixel that validation pictures are coded at.
    pub validation_bits: f64,
}

/// What [`train_restoring`] reports at a validation.
pub struct RestoringEvent<'a> {
    /// Steps so far.
    pub step: u64,
    /// Mean square error in the steps since the last validation, samples in [0, 1], restored and as
    /// it was decoded.
    pub training_mse: [f64; 2],
    /// Mean PSNR of the validation pictures in dB, 8 bits a sample, decoded and restored.
    pub psnr_db: [f64; 2],
    /// The network as it is.
    pub network: &'a Restoring,
}

/// Steps over which the learning rate rises at the start.
const WARMUP_STEPS: u64 = 100;

/// Longest gradient.
const CLIP_NORM: f64 = 1.0;

const ADAM: AdamConfig = AdamConfig {
    beta_1: 0.9,
    beta_2: 0.99,
    epsilon: 1e-8,
    weight_decay: 0.0,
};

/// A picture and what coding made of it.
struct Sample {
    original: Pixels,
    decoded: Pixels,
    coarseness: f32,
}

/// Trains a restoring network further. Pictures that are smaller than a square are left out.
///
/// # Panics
/// When no picture is left.
pub fn train_restoring(
    config: &RestoringConfig,
    mut network: Restoring,
    pictures: &[Pixels],
    validation: &[Pixels],
    mut on_event: impl FnMut(RestoringEvent<'_>),
) -> Restoring {
    let samples = samples(config, pictures);
    assert!(
        !samples.is_empty(),
        "expected pictures of {0}x{0}",
        config.size
    );
    let validation = all_coded(validation, config.validation_bits, Effort::Best);
    let engine = CpuEngine::default();
    let params = network.params().to_vec();
    let mut weights: Vec<_> = params
        .iter()
        .map(|param| engine.upload(&param.shape, param.values.clone()))
        .collect();
    let mut optimiser = Optimiser::new(OptimiserKind::Muon, ADAM);
    let mut errors = [0.0; 2];
    for step in 0..config.steps {
        let found = one_step(
            config,
            &samples,
            &engine,
            &network,
            &mut weights,
            &mut optimiser,
            step,
        );
        for (sum, found) in errors.iter_mut().zip(found) {
            *sum += found / config.validate_every as f64;
        }
        if (step + 1) % config.validate_every == 0 || step + 1 == config.steps {
            network = with_weights(network.config(), &engine, &weights);
            on_event(RestoringEvent {
                step: step + 1,
                training_mse: std::mem::take(&mut errors),
                psnr_db: means(&psnr(&network, &validation)),
                network: &network,
            });
        }
    }
    network
}

fn one_step(
    config: &RestoringConfig,
    samples: &[Sample],
    engine: &CpuEngine,
    network: &Restoring,
    weights: &mut [<CpuEngine as Engine>::Buffer],
    optimiser: &mut Optimiser<<CpuEngine as Engine>::Buffer>,
    step: u64,
) -> [f64; 2] {
    let (n, size) = (config.batch_size, config.size);
    let mut random = random(config, 1 << 63 | step);
    let shape = [n, 3, size, size];
    let mut batch = [const { Vec::new() }; 3];
    for _ in 0..n {
        let sample = &samples[below(&mut random, samples.len())];
        sample.square(size, &mut random, &mut batch);
    }
    let [original, decoded, coarseness] = batch;
    let square = |(a, b): (&f32, &f32)| f64::from((a - b).powi(2));
    let before = original.iter().zip(&decoded).map(square).sum::<f64>() / original.len() as f64;
    let x = engine.begin(network.params(), weights, shape, &decoded);
    let target = x.constant(shape, &original);
    let coarseness = x.constant([n, 1, size / 2, size / 2], &coarseness);
    let restored = network.net().restore(&x, &coarseness);
    let loss = restored.minus(&target).mean_square().mean();
    let after = f64::from(loss.to_vec()[0]);
    drop((x, target, coarseness));
    let gradients = engine.finish(loss, weights);
    let rate = Schedule::Cosine.factor(step, config.steps, WARMUP_STEPS) * config.learning_rate;
    let rates = Rates {
        hiding: rate,
        reveal: rate,
    };
    let params: &[Param] = network.params();
    optimiser.step(engine, params, weights, &gradients, Some(CLIP_NORM), rates);
    [after, before]
}

fn with_weights(
    config: RestoringNetConfig,
    engine: &CpuEngine,
    weights: &[<CpuEngine as Engine>::Buffer],
) -> Restoring {
    let mut weights = weights.iter();
    let network = Restoring::with_values(config, |_| {
        let weights = weights.next().expect("one buffer a parameter");
        Ok::<_, std::convert::Infallible>(engine.download(weights))
    });
    let Ok(network) = network;
    network
}

fn random(config: &RestoringConfig, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    random.set_stream(stream);
    random
}

/// All pictures, coded.
fn samples(config: &RestoringConfig, pictures: &[Pixels]) -> Vec<Sample> {
    let jobs = (0..config.codings * pictures.len()).into_par_iter();
    let sample = |i: usize| {
        let picture = &pictures[i % pictures.len()];
        if picture.width().min(picture.height()) < config.size {
            return None;
        }
        let mut random = random(config, i as u64);
        let (low, high) = (config.bits.start(), config.bits.end());
        let bits = low * (high / low).powf(f64::from(unit(&mut random)));
        let effort = [Effort::Fast, Effort::Best][below(&mut random, 2)];
        let [flip, flop] = [(); 2].map(|()| below(&mut random, 2) == 1);
        coded(&mirrored(picture, flip, flop), bits, effort)
    };
    jobs.filter_map(sample).collect()
}

fn mirrored(picture: &Pixels, flip: bool, flop: bool) -> Pixels {
    let (width, height) = (picture.width(), picture.height());
    let mirrored = Pixels::from_fn(width, height, |x, y| {
        let x = if flop { width - 1 - x } else { x };
        let y = if flip { height - 1 - y } else { y };
        picture.pixel(x, y)
    });
    mirrored.expect("as large as another picture")
}

fn all_coded(pictures: &[Pixels], bits: f64, effort: Effort) -> Vec<Sample> {
    let pictures = pictures.par_iter();
    pictures
        .filter_map(|picture| coded(picture, bits, effort))
        .collect()
}

/// None where the bits are not enough, or more than it takes without loss.
fn coded(picture: &Pixels, bits: f64, effort: Effort) -> Option<Sample> {
    let (width, height) = (picture.width(), picture.height());
    let budget = (bits * (width * height) as f64 / 8.0) as usize;
    let original = Picture::new(width, height, 3, picture.data().to_vec()).ok()?;
    let coded = Encoder::new(&original, effort)
        .encode_to_bytes(budget)
        .ok()?;
    let segments: Vec<_> = coded.segments.iter().map(|s| Some(&s[..])).collect();
    let decoded = decode(&segments, MAX_PIXELS).expect("it was just coded");
    Some(Sample {
        original: picture.clone(),
        decoded: Pixels::rgb8(decoded.picture.into_samples(), width, height).ok()?,
        coarseness: RestoringNet::coarseness(decoded.step?),
    })
}

impl Sample {
    /// Adds a square at an even position, transposed or not: the original, the decoded picture,
    /// coarseness.
    fn square(
        &self,
        size: usize,
        random: &mut ChaCha8Rng,
        [original, decoded, plane]: &mut [Vec<f32>; 3],
    ) {
        let sides = [self.original.height(), self.original.width()];
        let [top, left] = sides.map(|side| 2 * below(random, (side - size) / 2 + 1));
        let transposed = below(random, 2) == 1;
        for (picture, values) in [(&self.original, original), (&self.decoded, decoded)] {
            let square = Pixels::from_fn(size, size, |x, y| {
                let (x, y) = if transposed { (y, x) } else { (x, y) };
                picture.pixel(left + x, top + y)
            });
            values.extend(square.expect("it lies within the picture").to_planes());
        }
        plane.extend(std::iter::repeat_n(self.coarseness, size * size / 4));
    }
}

fn means(figures: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|i| figures.iter().map(|figure| figure[i]).sum::<f64>() / figures.len() as f64)
}

/// PSNR in dB of each picture, decoded and restored, coded at so many bits a pixel. Pictures have
/// even sides. Those that need more, or less without loss, are left out.
#[must_use]
pub fn restored_psnr(
    network: &Restoring,
    pictures: &[Pixels],
    bits: f64,
    effort: Effort,
) -> Vec<[f64; 2]> {
    psnr(network, &all_coded(pictures, bits, effort))
}

fn psnr(network: &Restoring, samples: &[Sample]) -> Vec<[f64; 2]> {
    let restorer = CpuRestorer::new(network);
    let of_sample = |sample: &Sample| {
        let (width, height) = (sample.original.width(), sample.original.height());
        let planes = sample.decoded.to_planes();
        let restored = restorer.restore([height, width], &planes, sample.coarseness);
        let byte = |value: &f32| (255.0 * value).round().clamp(0.0, 255.0) as u8;
        let bytes: Vec<u8> = restored.iter().map(byte).collect();
        let restored = Pixels::from_planes(&bytes, width, height).expect("as large as the other");
        [&sample.decoded, &restored].map(|picture| {
            let psnr_db = Comparison::psnr_db_only(&sample.original, picture);
            psnr_db.expect("of one size").unwrap_or(f64::INFINITY)
        })
    };
    samples.iter().map(of_sample).collect()
}

/// All pictures of a folder and its subfolders that can be read, by their paths.
///
/// # Errors
/// When the folder cannot be listed or holds none.
pub fn pictures_in(folder: &Path) -> Result<Vec<Pixels>, DatasetError> {
    let paths = list_pictures(folder, 1)?;
    Ok(paths
        .par_iter()
        .filter_map(|path| read_picture(path))
        .collect())
}

/// Reads what [`write_restoring`] wrote.
///
/// # Errors
/// When the file cannot be read, or holds no network of this size.
pub fn read_restoring(path: &Path, size: RestoringNetConfig) -> Result<Restoring, CheckpointError> {
    let bytes = std::fs::read(path).map_err(|source| CheckpointError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    let content = |reason: String| CheckpointError::Content {
        path: path.to_owned(),
        reason,
    };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| content(error.to_string()))?;
    Restoring::with_values(size, |param| {
        let tensor = file
            .tensor(&param.name)
            .map_err(|error| content(error.to_string()))?;
        if tensor.dtype() != Dtype::F16 || tensor.shape() != param.shape {
            let found = (tensor.dtype(), tensor.shape());
            let expected = (Dtype::F16, &param.shape);
            return Err(content(format!(
                "expected {expected:?} for {}, found {found:?}",
                param.name
            )));
        }
        let (halves, _) = tensor.data().as_chunks();
        let values = halves.iter().map(|&half| f16::from_le_bytes(half).to_f32());
        Ok(values.collect())
    })
}

/// Writes the weights as safetensors of 16-bit floats; the file is whole or not there.
///
/// # Errors
/// When the file cannot be written.
pub fn write_restoring(network: &Restoring, path: &Path) -> Result<(), CheckpointError> {
    let bytes = network.params().iter().map(|param| {
        let halves = param
            .values
            .iter()
            .flat_map(|v| f16::from_f32(*v).to_le_bytes());
        (param, halves.collect::<Vec<u8>>())
    });
    let bytes: Vec<_> = bytes.collect();
    let views = bytes.iter().map(|(param, bytes)| {
        let view = TensorView::new(Dtype::F16, param.shape.clone(), bytes);
        (&param.name, view.expect("two bytes a value"))
    });
    let bytes = safetensors::serialize(views, None).expect("names and shapes become JSON");
    write_whole(path, &bytes)
}
