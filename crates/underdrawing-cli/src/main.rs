//! The program: its command line is in the library beside it.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(underdrawing_cli::main(env::args_os()))
}
