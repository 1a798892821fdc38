//! The command line of underdrawing: hides a picture in a picture and reveals it again.
//!
//! A library of one function and one bound, so that the Python package has the program inside, too.

mod args;
mod commands;
mod compute;
mod files;
mod folder;
mod interrupt;
mod method;
mod models;
mod output;
mod pace;
mod password;
mod picture;
mod progress;
mod ranks;

use std::ffi::OsString;

use anyhow::Context;
use clap::Parser;

use args::{Cli, Command};
use output::{ExitStatus, Ui};

/// The most threads that `--threads` takes, and `threads` in Python: more than any machine has a use
/// for. They only cost time to start, and a million of them would bring a machine down.
pub const MAX_THREADS: usize = 1024;

/// Runs the program with a command line, its name first, and returns the exit code: 0 done; 1 the
/// answer is no; 2 wrong usage or an error; 130 stopped by Ctrl-C.
///
/// It takes over the handling of signals and the number of threads of the whole process, and may
/// end the process: call it once, where nothing else runs.
pub fn main(command_line: impl IntoIterator<Item = OsString>) -> u8 {
    files::survive_file_size_limit();
    let cli = match Cli::try_parse_from(command_line) {
        Ok(cli) => cli,
        Err(help_or_error) => {
            // Where it is written, as clap does by itself.
            let _ = help_or_error.print();
            return if help_or_error.use_stderr() {
                output::FAILED
            } else {
                ExitStatus::Done.into()
            };
        }
    };
    let ui = Ui::new(cli.verbosity());
    let threads = cli.command.threads();
    match on_threads(threads, || run(cli.command, &ui)).flatten() {
        Ok(status) => status.into(),
        Err(error) if output::is_broken_pipe(&error) => ExitStatus::Done.into(),
        Err(error) => {
            ui.error(&error);
            output::FAILED
        }
    }
}

/// Does `work` on so many threads, 0 for one for each core. It runs on one of them: from outside, each
/// step of a network would wake them and wait, which took a fifth of a training step.
fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
    /// That of a program's first thread.
    const STACK_BYTES: usize = 8 << 20;
    let failed = || format!("failed to start {threads} threads");
    let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads);
    // For the threads that read pictures while those train; by default it is made when they need it.
    if threads > 0 {
        pool().build_global().with_context(failed)?;
    }
    let pool = pool().stack_size(STACK_BYTES).build();
    Ok(pool.with_context(failed)?.install(work))
}

fn run(command: Command, ui: &Ui) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Hide(args) => args.run(ui),
        Command::Reveal(args) => args.run(ui),
        Command::Capacity(args) => args.run(ui),
        Command::Compare(args) => args.run(ui),
        Command::Eval(args) => args.run(ui),
        Command::Train(args) => args.run(ui),
        Command::Demo(args) => args.run(ui),
        Command::Models(args) => args.run(ui),
        Command::Channels(args) => args.run(ui),
        Command::Inspect(args) => args.run(ui),
        Command::Import(args) => args.run(ui),
        Command::Export(args) => args.run(ui),
        Command::Generate(args) => args.run(ui),
    }
}
