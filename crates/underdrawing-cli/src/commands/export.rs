//! `export`: a model of the 2018 system in, PyTorch state dicts out.

use crate::args::ExportArgs;
use crate::files::{Inputs, OutputFile, create_folder, display_name};
use crate::models;
use crate::output::{ExitStatus, Ui};
use anyhow::bail;

impl ExportArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let model = models::from_file(&self.model)?;
        let Some((hiding_bytes, reveal_bytes)) = model.to_pth() else {
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
