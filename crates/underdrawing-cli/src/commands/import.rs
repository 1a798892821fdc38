//! `import`: PyTorch state dicts of the 2018 system in, a model file out.

use anyhow::Context;
use underdrawing::{Compute, Precision, import_2018};

use crate::args::ImportArgs;
use crate::files::{self, Inputs, MAX_MODEL_BYTES, OutputFile, display_name};
use crate::output::{ExitStatus, Ui};

impl ImportArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        super::at_most_one_stream(&[&self.hiding, &self.reveal])?;
        let inputs = [self.hiding.as_path(), &self.reveal];
        let output = OutputFile::new(&self.output, self.write.force, &Inputs::new(inputs))?;
        let read = |path| {
            files::read(path, MAX_MODEL_BYTES)
                .with_context(|| format!("failed to read {}", display_name(path)))
        };
        let (hiding, reveal) = (read(&self.hiding)?, read(&self.reveal)?);
        let model = import_2018(&hiding, &reveal, Compute::Cpu).with_context(|| {
            format!(
                "failed to import {} and {}",
                display_name(&self.hiding),
                display_name(&self.reveal)
            )
        })?;
        let precision = if self.half {
            Precision::Half
        } else {
            Precision::Full
        };
        output.write(&model.to_bytes(precision))?;
        ui.say(format_args!(
            "{}: model {} with {} parameters",
            output.display_name(),
            model.id(),
            model.n_parameters()
        ));
        Ok(ExitStatus::Done)
    }
}
