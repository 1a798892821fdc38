//! The commands, one a file: each an `impl` of `run` for its arguments.

mod capacity;
mod channels;
mod compare;
mod demo;
mod eval;
mod export;
mod generate;
mod hide;
mod import;
mod inspect;
mod models;
mod reveal;
mod train;

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::bail;
use underdrawing::Progress;

use crate::args::{ModelArgs, PasswordArgs};
use crate::files::{Inputs, is_stream};
use crate::interrupt;
use crate::output::{ExitStatus, Ui, is_broken_pipe};

/// How far the work on one picture is, and whether it goes on.
pub(crate) type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Goes on until Ctrl-C.
fn go_on() -> ControlFlow<()> {
    if interrupt::raised() {
        return ControlFlow::Break(());
    }
    ControlFlow::Continue(())
}

/// Refuses `-` for more than one input, a password's file among them.
fn at_most_one_stream(paths: &[Option<&Path>]) -> anyhow::Result<()> {
    if paths
        .iter()
        .flatten()
        .filter(|path| is_stream(path))
        .count()
        > 1
    {
        bail!("standard input can be read once: expected one `-` among the inputs");
    }
    Ok(())
}

/// Refuses a picture and JSON on one standard output.
fn refuse_mixed_output(json: bool, output: &Path) -> anyhow::Result<()> {
    if json && is_stream(output) {
        bail!("--json and `-o -` both write to standard output: expected a file for the picture");
    }
    Ok(())
}

/// All that a command reads: pictures, and what goes with them.
fn inputs_of<'a>(
    pictures: impl IntoIterator<Item = &'a Path>,
    password: &'a PasswordArgs,
    model: &'a ModelArgs,
) -> Inputs {
    let beside = password.password_file.as_deref().into_iter();
    Inputs::new(pictures.into_iter().chain(beside).chain(model.path()))
}

/// Does `work` for each job. One job fails or succeeds by itself; of several, a failed one is
/// reported and the others go on. Ctrl-C stops all.
fn for_each<Job>(
    jobs: &[Job],
    ui: &Ui,
    name: impl Fn(&Job) -> String,
    mut work: impl FnMut(&Job, &mut OnProgress<'_>) -> anyhow::Result<ExitStatus>,
) -> anyhow::Result<ExitStatus> {
    if let [job] = jobs {
        let bar = ui.bar_of_steps();
        bar.message(name(job));
        let mut show = |Progress { done, total }| {
            bar.set(done, total);
            go_on()
        };
        let result = work(job, &mut show);
        if interrupt::raised() {
            return Ok(ExitStatus::Interrupted);
        }
        return result;
    }
    let bar = ui.bar(jobs.len() as u64, "pictures");
    let (mut n_failed, mut n_no) = (0, 0);
    for job in jobs {
        bar.message(name(job));
        let result = work(job, &mut |_| go_on());
        if interrupt::raised() {
            return Ok(ExitStatus::Interrupted);
        }
        match result {
            Ok(ExitStatus::Done | ExitStatus::Interrupted) => {}
            Ok(ExitStatus::No) => n_no += 1,
            Ok(ExitStatus::SomeFailed) => n_failed += 1,
            Err(error) if is_broken_pipe(&error) => return Err(error),
            Err(error) => {
                ui.error(&error);
                n_failed += 1;
            }
        }
        bar.step();
    }
    if n_failed > 0 {
        ui.say(format_args!("{n_failed} of {} failed", jobs.len()));
        return Ok(ExitStatus::SomeFailed);
    }
    Ok(if n_no > 0 {
        ExitStatus::No
    } else {
        ExitStatus::Done
    })
}
