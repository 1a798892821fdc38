//! Times a card: `card_bench CASE...`, each `train-2018:PAIRS:SIZE`,
//! `train-lifting:PAIRS:SIZE:adam|muon`, `infer-lifting:WIDTH:HEIGHT` or `infer-2018:SIDE`, after
//! `fp32` or `tf32`; `seconds=S` and `steps=N` say how long each is repeated, `warm-up=N` how many
//! steps come before.
//!
//! One line of JSON for each, as `tools/gpu/table.py` reads them. Batches come from the host's
//! memory, losses and pictures are back there when a time is taken.

#![allow(clippy::print_stdout, reason = "the lines are the result")]

use std::error::Error;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use underdrawing_cuda::{CudaEngine, CudaOptions};
use underdrawing_net::{Architecture, Engine, LiftingNetConfig, Networks, Pair2018Config, Runner};
use underdrawing_train::{Learner, OptimiserKind, Preset, Rates, TrainConfig};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut bench = Bench {
        engine: None,
        tf32: false,
        seconds: 3.0,
        most: usize::MAX,
        warm_up: 5,
    };
    for word in std::env::args().skip(1) {
        bench.take(&word)?;
    }
    Ok(())
}

struct Bench {
    engine: Option<CudaEngine>,
    tf32: bool,
    seconds: f64,
    most: usize,
    warm_up: usize,
}

impl Bench {
    fn take(&mut self, word: &str) -> Result<()> {
        if let Some(seconds) = word.strip_prefix("seconds=") {
            self.seconds = seconds.parse()?;
            return Ok(());
        }
        if let Some(steps) = word.strip_prefix("warm-up=") {
            self.warm_up = steps.parse()?;
            return Ok(());
        }
        if let Some(most) = word.strip_prefix("steps=") {
            self.most = most.parse()?;
            return Ok(());
        }
        if let "fp32" | "tf32" = word {
            self.tf32 = word == "tf32";
            self.engine = None;
            return Ok(());
        }
        let parts: Vec<&str> = word.split(':').collect();
        let line = match parts[..] {
            ["train-2018", pairs, size] => {
                let config = TrainConfig {
                    batch_size: 2 * pairs.parse::<usize>()?,
                    size: size.parse()?,
                    ..Preset::Recipe2018.config()
                };
                self.train("train-2018", &config)?
            }
            ["train-lifting", pairs, size, optimiser] => {
                let config = TrainConfig {
                    batch_size: 2 * pairs.parse::<usize>()?,
                    size: size.parse()?,
                    optimiser: match optimiser {
                        "adam" => OptimiserKind::Adam,
                        "muon" => OptimiserKind::Muon,
                        _ => return Err(format!("no such optimiser: {optimiser}").into()),
                    },
                    ..Preset::Default.config()
                };
                let mut line = self.train("train-lifting", &config)?;
                line["optimiser"] = optimiser.into();
                line
            }
            ["infer-lifting", width, height] => {
                let config = Architecture::Lifting(LiftingNetConfig::default());
                let size = [width.parse()?, height.parse()?];
                self.infer("infer-lifting", config, size)?
            }
            ["infer-2018", side] => {
                let config = Architecture::Unet2018(Pair2018Config::default());
                let side = side.parse()?;
                self.infer("infer-2018", config, [side, side])?
            }
            _ => return Err(format!("no such case: {word}").into()),
        };
        println!("{line}");
        Ok(())
    }

    fn engine(&mut self) -> Result<CudaEngine> {
        if self.engine.is_none() {
            let options = CudaOptions::default().with_tf32(self.tf32);
            self.engine = Some(CudaEngine::open(options)?);
        }
        Ok(self.engine.clone().ok_or("opened above")?)
    }

    fn train(&mut self, case: &str, config: &TrainConfig) -> Result<Value> {
        let start = Instant::now();
        let mut learner = Learner::new(config, self.engine()?);
        let rates = Rates {
            hiding: config.learning_rate,
            reveal: config.learning_rate,
        };
        let batches = [1, 2].map(|seed| noise(config.batch_size * 3 * config.size.pow(2), seed));
        let mut step = 0;
        let mut first = None;
        let mut warm_up = || {
            let batch = batches[step as usize % 2].clone();
            step += 1;
            learner.step(batch, step, rates)
        };
        for _ in 0..self.warm_up {
            let errors = warm_up().values();
            first.get_or_insert(errors);
        }
        let ready = start.elapsed();
        let mut last = (0.0, 0.0);
        let times = self.times(|| {
            let batch = batches[step as usize % 2].clone();
            step += 1;
            let start = Instant::now();
            last = learner.step(batch, step, rates).values();
            start.elapsed()
        });
        // Errors are read a step late, as the trainer does.
        let n = times.len().min(200);
        let mut pending = None;
        let start = Instant::now();
        for _ in 0..n {
            let batch = batches[step as usize % 2].clone();
            step += 1;
            let errors = learner.step(batch, step, rates);
            if let Some(earlier) = pending.replace(errors) {
                let _ = earlier.values();
            }
        }
        let _ = pending.map(|errors| errors.values());
        let overlapped = start.elapsed().as_secs_f64() * 1e3 / n as f64;
        let mut line = self.line(case, &times, ready)?;
        line["pairs"] = (config.batch_size / 2).into();
        line["size"] = config.size.into();
        line["overlapped_ms"] = overlapped.into();
        line["first_errors"] = json!(first);
        line["last_errors"] = json!(last);
        Ok(line)
    }

    fn infer(
        &mut self,
        case: &str,
        architecture: Architecture,
        [width, height]: [usize; 2],
    ) -> Result<Value> {
        let start = Instant::now();
        let networks = Networks::new(architecture, /* seed */ 1);
        let runner = self.engine()?.runner(&networks);
        let shape = [1, 3, height, width];
        let [cover, secret] = [1, 2].map(|seed| noise(3 * width * height, seed));
        let run = |runner: &dyn Runner| {
            let container = runner.hide(shape, &cover, &secret);
            runner.reveal(shape, &container)
        };
        run(&*runner);
        let ready = start.elapsed();
        let times = self.times(|| {
            let start = Instant::now();
            run(&*runner);
            start.elapsed()
        });
        let mut line = self.line(case, &times, ready)?;
        line["width"] = width.into();
        line["height"] = height.into();
        Ok(line)
    }

    fn times(&self, mut run: impl FnMut() -> Duration) -> Vec<f64> {
        let start = Instant::now();
        let mut times = Vec::new();
        while times.len() < self.most
            && (times.len() < 3 || start.elapsed().as_secs_f64() < self.seconds)
        {
            times.push(run().as_secs_f64() * 1e3);
        }
        times
    }

    fn line(&mut self, case: &str, times: &[f64], ready: Duration) -> Result<Value> {
        let mut sorted = times.to_vec();
        sorted.sort_by(f64::total_cmp);
        Ok(json!({
            "program": "underdrawing",
            "case": case,
            "precision": if self.tf32 { "tf32" } else { "fp32" },
            "card": self.engine()?.card(),
            "median_ms": sorted.get(sorted.len() / 2),
            "minimum_ms": sorted.first(),
            "steps": times.len(),
            "warm_up_s": ready.as_secs_f64(),
        }))
    }
}

/// Numbers in [0, 1).
fn noise(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32)
        .map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32)
        .collect()
}
