//! `bind MODULE FOLDER`: the page's WebAssembly module as it runs in browsers, and its JavaScript.
//!
//! A program of its own, since `wasm-bindgen-cli-support` takes a minute to build and only `cargo
//! xtask web` needs it.

use anyhow::{Context, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, folder] = &arguments[..] else {
        bail!("expected a module and a folder");
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .input_path(module);
    bindgen
        .generate(folder)
        .with_context(|| format!("failed to bind {module}"))
}
