//! `export`: a model in, PyTorch state dicts or ONNX files out.

use std::path::{Path, PathBuf};

use anyhow::bail;
use underdrawing::Model;

use crate::args::ExportArgs;
use crate::files::{Inputs, OutputFile, create_folder, display_name, write_together};
use crate::models;
use crate::output::{ExitStatus, Ui};

impl ExportArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let model = match self.model.to_str() {
            Some(name) => models::named(name)?,
            None => models::from_file(&self.model)?,
        };
        let files = if self.onnx {
            model.to_onnx()
        } else {
            self.state_dicts(&model)?
        };
        create_folder(&self.output)?;
        let inputs = Inputs::new([&*self.model]);
        let mut outputs = Vec::new();
        for (name, bytes) in files {
            let path: PathBuf = name.split('/').collect();
            if let Some(folder) = path.parent() {
                create_folder(&self.output.join(folder))?;
            }
            let output = OutputFile::new(&self.output.join(path), self.write.force, &inputs)?;
            outputs.push((output, bytes));
        }
        let files: Vec<_> = outputs.iter().map(|(o, bytes)| (o, &bytes[..])).collect();
        write_together(&files)?;
        let of = |path: &str| display_name(&self.output.join(Path::new(path)));
        let (hiding, reveal, what) = if self.onnx {
            (of("hiding/model.onnx"), of("reveal/model.onnx"), "ONNX")
        } else {
            (of("netH.pth"), of("netR.pth"), "state dicts")
        };
        ui.say(format_args!(
            "{hiding} and {reveal}: {what} of the hiding and the reveal network"
        ));
        Ok(ExitStatus::Done)
    }

    fn state_dicts(&self, model: &Model) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
        let Some((hiding, reveal)) = model.to_pth() else {
            bail!(
                "cannot export {} to PyTorch: expected a model of the 2018 system, found {}",
                display_name(&self.model),
                model.architecture()
            );
        };
        Ok(vec![
            ("netH.pth".to_owned(), hiding),
            ("netR.pth".to_owned(), reveal),
        ])
    }
}
