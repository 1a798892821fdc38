//! `train`: runs the trainer and shows its events.

use crate::args::TrainArgs;
use crate::output::{ExitStatus, Ui};

impl TrainArgs {
    pub(crate) fn run(self, _ui: &Ui) -> anyhow::Result<ExitStatus> {
        anyhow::bail!("training is not there yet")
    }
}
