//! The presets' values in the help of `train`.

use clap::Arg;

use crate::config::Preset;

/// An argument with what the presets set it to, where it is a setting of theirs.
pub(crate) fn with_defaults(arg: Arg) -> Arg {
    let value = |preset: Preset| {
        let settings = toml::Table::try_from(preset.config()).ok()?;
        Some(match settings.get(arg.get_id().as_str())? {
            toml::Value::String(name) => name.clone(),
            value => value.to_string(),
        })
    };
    let (Some(usual), Some(of_2018)) = (value(Preset::Default), value(Preset::Recipe2018)) else {
        return arg;
    };
    let values = if usual == of_2018 {
        format!("[default: {usual}]")
    } else {
        format!("[default: {usual}; preset 2018: {of_2018}]")
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let long = arg.get_long_help().map(|help| format!("{help} {values}"));
    let arg = arg.help(format!("{help} {values}"));
    match long {
        Some(long) => arg.long_help(long),
        None => arg,
    }
}
