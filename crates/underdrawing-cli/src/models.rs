//! Finding models: by name, by file, by the id in a container's mark.

use std::path::Path;

use anyhow::Context;
use underdrawing::{BuiltInModel, Compute, Model, ModelId, built_in_models};

use crate::args::ModelArgs;
use crate::files::{self, MAX_MODEL_BYTES, display_name};
use crate::output::{Ui, error_with_hint};

impl ModelArgs {
    /// The model named on the command line, or the default one.
    pub(crate) fn load(&self, compute: Compute, ui: &Ui) -> anyhow::Result<Model> {
        let model = match &self.model {
            Some(name) => named(name, compute)?,
            None => built_in(default_model()?, compute)?,
        };
        ui.detail(format_args!("model {}", model.id()));
        Ok(model)
    }
}

/// The models that reveal can choose from, each loaded when a container first asks for it.
pub(crate) struct Shelf {
    compute: Compute,
    /// The one named on the command line first, if any; then all that are built in.
    slots: Vec<Slot>,
}

enum Slot {
    Loaded(Box<Model>),
    BuiltIn(&'static BuiltInModel),
}

impl Shelf {
    /// The model named on the command line, if any, and all that are built in.
    pub(crate) fn new(args: &ModelArgs, compute: Compute) -> anyhow::Result<Self> {
        let mut slots = Vec::new();
        if let Some(name) = &args.model {
            slots.push(Slot::Loaded(Box::new(named(name, compute)?)));
        }
        slots.extend(built_in_models().iter().map(Slot::BuiltIn));
        Ok(Self { compute, slots })
    }

    /// The model with this id.
    pub(crate) fn with_id(&mut self, id: ModelId) -> anyhow::Result<&Model> {
        for position in 0..self.slots.len() {
            if self.load(position)?.id() == id {
                return self.load(position);
            }
        }
        Err(error_with_hint(
            format!("it was made by model {id}, which is neither built in nor given"),
            "give that model's file with --model",
        ))
    }

    /// The model named on the command line, or the default one.
    pub(crate) fn first(&mut self) -> anyhow::Result<&Model> {
        if self.slots.is_empty() {
            default_model()?;
        }
        self.load(0)
    }

    fn load(&mut self, position: usize) -> anyhow::Result<&Model> {
        let slot = &mut self.slots[position];
        if let Slot::BuiltIn(model) = slot {
            *slot = Slot::Loaded(Box::new(built_in(model, self.compute)?));
        }
        match slot {
            Slot::Loaded(model) => Ok(model),
            Slot::BuiltIn(_) => unreachable!("it was loaded above"),
        }
    }
}

/// Loads a model file.
pub(crate) fn from_file(path: &Path, compute: Compute) -> anyhow::Result<Model> {
    let failed = || format!("failed to read model {}", display_name(path));
    let bytes = files::read(path, MAX_MODEL_BYTES).with_context(failed)?;
    Model::from_bytes(&bytes, compute).with_context(failed)
}

/// Loads a built-in model.
pub(crate) fn built_in(model: &BuiltInModel, compute: Compute) -> anyhow::Result<Model> {
    Model::from_bytes(model.bytes, compute)
        .with_context(|| format!("failed to load the built-in model {}", model.name))
}

fn named(name: &str, compute: Compute) -> anyhow::Result<Model> {
    if let Some(model) = built_in_models().iter().find(|model| model.name == name) {
        return built_in(model, compute);
    }
    let path = Path::new(name);
    if !files::is_stream(path) && !path.exists() {
        return Err(error_with_hint(
            format!("no model {name}: neither a built-in model nor a file"),
            "`underdrawing models` lists the built-in models",
        ));
    }
    from_file(path, compute)
}

fn default_model() -> anyhow::Result<&'static BuiltInModel> {
    built_in_models().first().ok_or_else(|| {
        error_with_hint(
            "this build has no built-in model",
            "give a model file with --model",
        )
    })
}
