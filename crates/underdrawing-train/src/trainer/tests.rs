use underdrawing::{FileFormat, Picture, Pixels};

use super::*;
use crate::config::Preset;
use crate::thread_ranks::on_ranks;

#[test]
fn ranks_whose_numbers_drift_apart_take_over_those_of_rank_0() {
    let place = tempfile::tempdir().unwrap();
    let picture = Picture::from(Pixels::from_fn(8, 8, |x, y| [x as u8, y as u8, 0]).unwrap());
    for name in ["a.png", "b.png", "c.png", "d.png"] {
        let png = picture.encode(FileFormat::Png).unwrap();
        std::fs::write(place.path().join(name), png).unwrap();
    }
    let config = TrainConfig {
        batch_size: 4,
        size: 8,
        width: 4,
        depth: 1,
        late_size: 0,
        ..Preset::Default.config()
    };
    let paths = RunPaths {
        train: place.path().to_owned(),
        val: place.path().to_owned(),
        out: place.path().join("run"),
    };
    let checkpoints = on_ranks(2, |ranks| {
        let rank = ranks.rank();
        let ranks: Rc<dyn Ranks> = Rc::new(ranks);
        let engine = CpuEngine::default();
        let mut trainer = match rank {
            0 => Trainer::start_on(ranks, config.clone(), None, &paths, engine).unwrap(),
            _ => Trainer::join(ranks, engine).unwrap(),
        };
        let mut tensors = checkpoint::network_tensors(&trainer.learner.networks());
        tensors[0].values[0] += rank as f32;
        let tensors = tensors.into_iter().map(|t| (t.name, t.values));
        trainer.learner.restore(0, tensors.collect()).unwrap();
        let before = trainer.checkpoint().unwrap();
        trainer.take_over(&before).unwrap();
        (before, trainer.checkpoint().unwrap())
    });
    assert!(checkpoints[0].0 != checkpoints[1].0);
    assert!(
        checkpoints
            .iter()
            .all(|(_, after)| *after == checkpoints[0].0)
    );
}
