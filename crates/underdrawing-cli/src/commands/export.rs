//! `export`: a model of the 2018 system in, PyTorch state dicts out.

use anyhow::bail;
use underdrawing::net::Networks;
use underdrawing::{Compute, export_2018};

use crate::args::ExportArgs;
use crate::files::{Inputs, OutputFile, create_folder, display_name};
use crate::models;
use crate::output::{ExitStatus, Ui};

impl ExportArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let model = models::from_file(&self.model, Compute::Cpu)?;
        let Networks::Unet2018(pair) = model.networks() else {
            bail!(
                "cannot export {}: expected a model of the 2018 system, found {:?}",
                display_name(&self.model),
                model.architecture()
            );
        };
        create_folder(&self.output)?;
        let inputs = Inputs::new([&*self.model]);
        let file = |name| OutputFile::new(&self.output.join(name), self.write.force, &inputs);
        let (hiding, reveal) = (file("netH.pth")?, file("netR.pth")?);
        let (hiding_bytes, reveal_bytes) = export_2018(pair);
        hiding.write(&hiding_bytes)?;
        reveal.write(&reveal_bytes)?;
        ui.say(format_args!(
            "{} and {}: state dicts of the hiding and the reveal network",
            hiding.display_name(),
            reveal.display_name()
        ));
        Ok(ExitStatus::Done)
    }
}
