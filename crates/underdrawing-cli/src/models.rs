//! Finding models: by name or by file.

use std::path::Path;

use anyhow::Context;
use underdrawing::{BuiltInModel, Model, ModelId};

use crate::args::ModelArgs;
use crate::compute::Compute;
use crate::files::{self, MAX_MODEL_BYTES, display_name};
use crate::output::{Ui, error_with_hint};

impl ModelArgs {
    /// The model named on the command line, or the default one.
    pub(crate) fn load(&self, compute: &Compute, ui: &Ui) -> anyhow::Result<Model> {
        let model = match &self.model {
            Some(name) => named(name)?,
            None => BuiltInModel::first().model(),
        };
        ui.detail(format_args!("model {}", model.id()));
        Ok(compute.run(model))
    }

    /// Models for revealing, beside the library's built-in ones: the one named on the command line,
    /// first.
    pub(crate) fn for_revealing(&self, compute: &Compute) -> anyhow::Result<Vec<Model>> {
        let mut models = Vec::new();
        if let Some(name) = &self.model {
            models.push(named(name)?);
        }
        if !compute.is_default() {
            // The library's own would run on the processor.
            models.extend(BuiltInModel::all().iter().map(BuiltInModel::model));
        }
        Ok(models.into_iter().map(|model| compute.run(model)).collect())
    }
}

/// A model for people: by its name where it is built in, and its id.
pub(crate) fn spelled(id: ModelId) -> String {
    match BuiltInModel::all().iter().find(|model| model.id == id) {
        Some(model) => format!("{} ({id})", model.name),
        None => id.to_string(),
    }
}

/// Loads a model file.
pub(crate) fn from_file(path: &Path) -> anyhow::Result<Model> {
    let failed = || format!("failed to read model {}", display_name(path));
    let bytes = files::read(path, MAX_MODEL_BYTES).with_context(failed)?;
    Model::from_bytes(&bytes).with_context(failed)
}

/// The built-in model or model file of this name.
pub(crate) fn named(name: &str) -> anyhow::Result<Model> {
    if let Some(built_in) = BuiltInModel::all().iter().find(|model| model.name == name) {
        return Ok(built_in.model());
    }
    let path = Path::new(name);
    if !files::is_stream(path) && !path.exists() {
        return Err(error_with_hint(
            format!("no model {name}: neither a built-in model nor a file"),
            "`underdrawing models` lists the built-in models",
        ));
    }
    from_file(path)
}
