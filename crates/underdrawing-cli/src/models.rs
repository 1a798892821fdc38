//! Finding models: by name, by file, by the id in a container's mark.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use anyhow::Context;
use underdrawing::{BuiltInModel, Model, ModelId, built_in_model, built_in_models};

use crate::args::ModelArgs;
use crate::compute::Compute;
use crate::files::{self, MAX_MODEL_BYTES, display_name};
use crate::output::{Ui, error_with_hint};

impl ModelArgs {
    /// The model named on the command line, or the default one.
    pub(crate) fn load(&self, compute: &Compute, ui: &Ui) -> anyhow::Result<Model> {
        let model = match &self.model {
            Some(name) => named(name)?,
            None => built_in(default_model()?)?,
        };
        ui.detail(format_args!("model {}", model.id()));
        Ok(compute.run(model))
    }
}

/// The models that reveal can choose from.
pub(crate) struct Shelf {
    compute: Compute,
    /// The one named on the command line.
    named: Option<Model>,
    /// Built-in ones that a container asked for.
    built_in: BTreeMap<ModelId, Model>,
}

impl Shelf {
    /// The model named on the command line, if any, and all that are built in.
    pub(crate) fn new(args: &ModelArgs, compute: Compute) -> anyhow::Result<Self> {
        let name = args.model.as_deref();
        let named = name.map(named).transpose()?;
        Ok(Self {
            named: named.map(|model| compute.run(model)),
            compute,
            built_in: BTreeMap::new(),
        })
    }

    /// The model with this id.
    pub(crate) fn with_id(&mut self, id: ModelId) -> anyhow::Result<&Model> {
        if let Some(model) = &self.named
            && model.id() == id
        {
            return Ok(model);
        }
        let entry = built_in_model(id).ok_or_else(|| {
            error_with_hint(
                format!("it was made by model {id}, which is neither built in nor given"),
                "give that model's file with --model",
            )
        })?;
        load_once(&mut self.built_in, entry, &self.compute)
    }

    /// The model named on the command line, or the default one.
    pub(crate) fn first(&mut self) -> anyhow::Result<&Model> {
        match self.named {
            Some(ref model) => Ok(model),
            None => load_once(&mut self.built_in, default_model()?, &self.compute),
        }
    }
}

/// Loads a built-in model unless it is there already.
fn load_once<'a>(
    loaded: &'a mut BTreeMap<ModelId, Model>,
    entry: &BuiltInModel,
    compute: &Compute,
) -> anyhow::Result<&'a Model> {
    match loaded.entry(entry.id) {
        Entry::Occupied(there) => Ok(there.into_mut()),
        Entry::Vacant(place) => Ok(place.insert(compute.run(built_in(entry)?))),
    }
}

/// Loads a model file.
pub(crate) fn from_file(path: &Path) -> anyhow::Result<Model> {
    let failed = || format!("failed to read model {}", display_name(path));
    let bytes = files::read(path, MAX_MODEL_BYTES).with_context(failed)?;
    Model::from_bytes(&bytes).with_context(failed)
}

/// Loads a built-in model.
pub(crate) fn built_in(model: &BuiltInModel) -> anyhow::Result<Model> {
    Model::from_bytes(model.bytes)
        .with_context(|| format!("failed to load the built-in model {}", model.name))
}

pub(crate) fn named(name: &str) -> anyhow::Result<Model> {
    if let Some(model) = built_in_models().iter().find(|model| model.name == name) {
        return built_in(model);
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

fn default_model() -> anyhow::Result<&'static BuiltInModel> {
    built_in_models().first().ok_or_else(|| {
        error_with_hint(
            "this build has no built-in model",
            "give a model file with --model",
        )
    })
}
