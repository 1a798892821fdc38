//! Our side of `tools/bench`: does one thing a line of standard input and prints how long it took.
//!
//! `reveal SIDE`, `hide SIDE` (networks of 2018), `lifting-hide SIDE`, `lifting-reveal SIDE`: one
//! pass of a network over a square. `picture-hide SIDE`, `picture-reveal SIDE`: the same for a
//! whole picture and the lifting network, in tiles as the program does it. `train-2018`,
//! `train-lifting`: one step. `mean CASE SIDE`: the mean of a network's output, to compare with
//! other programs. `path avx512|avx2|portable`: the instructions from here on. `weights FOLDER`:
//! writes the networks as model files.

#![allow(clippy::print_stdout, reason = "the other program reads it")]

use std::error::Error;
use std::io::{BufRead, stdin};
use std::path::Path as FilePath;
use std::time::Instant;

use underdrawing::{
    HideOptions, Model, NetworkOptions, Pixels, Precision, Progress, RevealOptions, TrainingRecord,
    hide, reveal,
};
use underdrawing_conv::{Path, force_path};
use underdrawing_net::{
    Architecture, CpuEngine, CpuRunner, LiftingNetConfig, Networks, Pair2018Config, Runner,
};
use underdrawing_train::{Learner, OptimiserKind, Preset, Rates, TrainConfig};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    // On a thread of the pool, as the program does it.
    let pool = rayon::ThreadPoolBuilder::new().build()?;
    Ok(pool.install(|| work().map_err(|error| error.to_string()))?)
}

fn work() -> Result<()> {
    let mut worker = Worker::new();
    for line in stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["weights", folder] => println!("{}", worker.write_weights(FilePath::new(folder))?),
            ["path", name] => println!("{}", worker.take_path(name)?),
            ["mean", case, side] => {
                let output = worker.run(case, side.parse()?)?.1;
                let sum: f64 = output.iter().map(|v| f64::from(*v)).sum();
                println!("{}", sum / output.len() as f64);
            }
            [case, side] => println!("{}", worker.run(case, side.parse()?)?.0),
            [case] => println!("{}", worker.train(case)?),
            _ => return Err(format!("no such command: {line}").into()),
        }
    }
    Ok(())
}

struct Worker {
    system: Model,
    lifting: Model,
    /// What runs each of them, and the side that it has run at.
    runners: [Option<(CpuRunner, usize)>; 2],
    /// In training, with the steps made: the 2018 system, the lifting network.
    learners: [Option<(Learner, u64)>; 2],
}

impl Worker {
    fn new() -> Self {
        let model = |architecture: Architecture| {
            let networks = Networks::new(architecture, /* seed */ 1);
            Model::new(networks, TrainingRecord::default())
        };
        Self {
            system: model(Architecture::Unet2018(Pair2018Config::default())),
            lifting: model(Architecture::Lifting(LiftingNetConfig::default())),
            runners: [None, None],
            learners: [None, None],
        }
    }

    fn write_weights(&self, folder: &FilePath) -> Result<&'static str> {
        for (name, model) in [("2018", &self.system), ("lifting", &self.lifting)] {
            let bytes = model.to_bytes(Precision::Full);
            std::fs::write(folder.join(format!("{name}.safetensors")), bytes)?;
        }
        Ok("written")
    }

    fn take_path(&mut self, name: &str) -> Result<&'static str> {
        let path = match name {
            "avx512" => Path::Avx512,
            "avx2" => Path::Avx2,
            "neon" => Path::Neon,
            "portable" => Path::Portable,
            _ => return Err(format!("no such path: {name}").into()),
        };
        self.runners = [None, None];
        let taken = force_path(Some(path));
        Ok(if taken { "taken" } else { "missing" })
    }

    /// Milliseconds of one pass, and its output.
    fn run(&mut self, case: &str, side: usize) -> Result<(f64, Vec<f32>)> {
        let [cover, secret] = [0, 7].map(|seed| noise(3 * side * side, seed));
        match case {
            "picture-hide" | "picture-reveal" => {
                Ok((self.run_picture(case, side, &cover, &secret)?, cover))
            }
            "hide" | "reveal" | "lifting-hide" | "lifting-reveal" => {
                Ok(self.run_networks(case, side, &cover, &secret))
            }
            _ => Err(format!("no such case: {case}").into()),
        }
    }

    /// Building the plan, once for a side, is not timed.
    fn run_networks(
        &mut self,
        case: &str,
        side: usize,
        cover: &[f32],
        secret: &[f32],
    ) -> (f64, Vec<f32>) {
        let (slot, model) = match case.strip_prefix("lifting-") {
            Some(_) => (&mut self.runners[1], &self.lifting),
            None => (&mut self.runners[0], &self.system),
        };
        slot.take_if(|(_, of)| *of != side);
        let (runner, _) = slot.get_or_insert_with(|| (CpuRunner::new(model.networks()), side));
        let shape = [1, 3, side, side];
        let run = || match case.ends_with("hide") {
            true => runner.hide(shape, cover, secret),
            false => runner.reveal(shape, cover),
        };
        run();
        let start = Instant::now();
        let output = run();
        (ms_since(start), output)
    }

    fn run_picture(&self, case: &str, side: usize, cover: &[f32], secret: &[f32]) -> Result<f64> {
        let picture = |samples: &[f32]| {
            let bytes = samples.iter().map(|v| (v * 255.0) as u8).collect();
            Pixels::rgb8(bytes, side, side)
        };
        let (cover, secret) = (picture(cover)?, picture(secret)?);
        let start = Instant::now();
        if case == "picture-hide" {
            let options = HideOptions::Network(NetworkOptions::new(self.lifting.clone()));
            hide(&cover, &secret, &options, &mut Progress::ignore)?;
        } else {
            let options = RevealOptions {
                size: Some((side, side)),
                models: vec![self.lifting.clone()],
                ..RevealOptions::default()
            };
            reveal(&cover, &options, &mut Progress::ignore)?;
        }
        Ok(ms_since(start))
    }

    /// Milliseconds of one step: loss, gradients and Adam.
    fn train(&mut self, case: &str) -> Result<f64> {
        let (slot, config) = match case {
            "train-2018" => {
                let config = TrainConfig {
                    batch_size: 4,
                    size: 128,
                    ..Preset::Recipe2018.config()
                };
                (&mut self.learners[0], config)
            }
            "train-lifting" => {
                // What the other programs do as well.
                let config = TrainConfig {
                    optimiser: OptimiserKind::Adam,
                    strengths: 1.0,
                    reveal_weight: 1.0,
                    ghost_weight: 0.0,
                    ..Preset::Default.config()
                };
                (&mut self.learners[1], config)
            }
            _ => return Err(format!("no such case: {case}").into()),
        };
        if slot.is_none() {
            *slot = Some((Learner::new(&config, CpuEngine::default()), 0));
        }
        let (learner, step) = slot.as_mut().ok_or("made above")?;
        *step += 1;
        let batch = noise(
            config.batch_size * 3 * config.size * config.size,
            *step as u32,
        );
        let rates = Rates {
            hiding: config.learning_rate,
            reveal: config.learning_rate,
        };
        let start = Instant::now();
        learner.step(batch, *step, rates);
        Ok(ms_since(start))
    }
}

fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// Numbers in [0, 1), as `tools/bench/peers.py` makes them.
fn noise(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32)
        .map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32)
        .collect()
}
