//! The library as a WebAssembly module for `page/worker.js`: converts, calls, converts.
//!
//! Pictures and models are objects that JavaScript holds and frees; files and samples cross as
//! bytes, options and reports as JSON, whose words are the program's. Errors are JavaScript's
//! `Error` with a `kind` beside the message.

// What JavaScript calls has to be public.
#![allow(unreachable_pub)]

mod errors;
mod hiding;
mod models;
mod options;
mod picture;
mod reports;

use std::sync::{Mutex, PoisonError};

use wasm_bindgen::prelude::*;

/// What the last panic said. It ends the module, and the page starts another one.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps what a panic says for [`panic_message`]; called once when the module starts.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
}

/// What the panic said that ended the module; empty where it ended by itself, for want of memory.
#[wasm_bindgen(js_name = panicMessage)]
#[must_use]
pub fn panic_message() -> String {
    PANIC.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The library's version.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
