//! `models`: what is built in.

use serde::Serialize;
use underdrawing::BuiltInModel;

use crate::args::ModelsArgs;
use crate::output::{ExitStatus, Ui};

/// The line of `--json` for a model.
#[derive(Serialize)]
struct Report {
    name: &'static str,
    id: String,
    architecture: serde_json::Value,
    parameters: usize,
    bytes: usize,
    description: &'static str,
}

impl ModelsArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let mut reports = Vec::new();
        for entry in BuiltInModel::all() {
            let model = entry.model();
            reports.push(Report {
                name: entry.name,
                id: model.id().to_string(),
                architecture: serde_json::to_value(model.architecture())?,
                parameters: model.n_parameters(),
                bytes: entry.bytes.len(),
                description: entry.description,
            });
        }
        let width = reports
            .iter()
            .map(|report| report.name.len())
            .max()
            .unwrap_or(0);
        for (i, report) in reports.iter().enumerate() {
            if self.report.json {
                ui.json(report)?;
                continue;
            }
            let default = if i == 0 { " (default)" } else { "" };
            ui.data(format_args!(
                "{:width$}  {}  {} parameters{default}\n{:width$}  {}",
                report.name, report.id, report.parameters, "", report.description
            ))?;
        }
        Ok(ExitStatus::Done)
    }
}
