//! The command line of underdrawing: hides a picture in a picture and reveals it again.

mod args;
mod channels;
mod commands;
mod compute;
mod files;
mod folder;
mod interrupt;
mod method;
mod models;
mod output;
mod password;
mod picture;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use output::{ExitStatus, Ui};

fn main() -> ExitCode {
    files::survive_file_size_limit();
    let cli = Cli::parse();
    let ui = Ui::new(cli.verbosity());
    match run(cli.command, &ui) {
        Ok(status) => status.into(),
        Err(error) if output::is_broken_pipe(&error) => ExitStatus::Done.into(),
        Err(error) => {
            ui.error(&error);
            ExitCode::from(output::FAILED)
        }
    }
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
