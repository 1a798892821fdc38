//! `export`: a model of the 2018 system in, PyTorch state dicts out.

use anyhow::Context;
use underdrawing::{Compute, export_2018};

use crate::args::ExportArgs;
use crate::files::{Inputs, OutputFile, create_folder, display_name};
use crate::models;
use crate::output::{ExitStatus, Ui};

impl ExportArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let model = models::from_file(&self.model, Compute::Cpu)?;
        let weights = export_2018(&model)
            .with_context(|| format!("cannot export {}", display_name(&self.model)))?;
        create_folder(&self.output)?;
        let inputs = Inputs::new([&*self.model]);
        let file = |name| OutputFile::new(&self.output.join(name), self.write.force, &inputs);
        let (hiding, reveal) = (file("netH.pth")?, file("netR.pth")?);
        hiding.write(&weights.hiding)?;
        reveal.write(&weights.reveal)?;
        ui.say(format_args!(
            "{} and {}: state dicts of the hiding and the reveal network",
            hiding.display_name(),
            reveal.display_name()
        ));
        Ok(ExitStatus::Done)
    }
}
