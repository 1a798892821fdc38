//! `import`: PyTorch state dicts of the 2018 system in, a model file out.

use anyhow::Context;
use underdrawing::{Model, Precision};

use crate::args::ImportArgs;
use crate::files::{self, Inputs, MAX_MODEL_BYTES, OutputFile, display_name};
use crate::output::{ExitStatus, Ui};

impl ImportArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let inputs = [self.hiding.as_path(), &self.reveal];
        super::at_most_one_stream(&inputs.map(Some))?;
        let output = OutputFile::new(&self.output, self.write.force, &Inputs::new(inputs))?;
        let [hiding_name, reveal_name] = inputs.map(display_name);
        let read = |path, name: &str| {
            files::read(path, MAX_MODEL_BYTES).with_context(|| format!("failed to read {name}"))
        };
        let hiding = read(&self.hiding, &hiding_name)?;
        let reveal = read(&self.reveal, &reveal_name)?;
        let (model, ignored) = Model::from_pth(&hiding, &reveal)
            .with_context(|| format!("failed to import {hiding_name} and {reveal_name}"))?;
        for name in ignored {
            ui.note(format_args!("`{name}` was ignored: neither network has it"));
        }
        let precision = if self.half {
            Precision::Half
        } else {
            Precision::Full
        };
        let bytes = model.to_bytes(precision);
        // Rounding to half precision makes it another model, with an id of its own.
        let model = Model::from_bytes(&bytes).context("the imported model cannot be read back")?;
        output.write(&bytes)?;
        ui.say(format_args!(
            "{}: model {} with {} parameters",
            output.display_name(),
            model.id(),
            model.n_parameters()
        ));
        Ok(ExitStatus::Done)
    }
}
