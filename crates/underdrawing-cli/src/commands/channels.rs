//! `channels`: what hide --for knows.

use serde::Serialize;
use underdrawing::Channel;

use crate::args::ChannelsArgs;
use crate::output::{ExitStatus, Ui};

/// The line of `--json` for a channel.
#[derive(Serialize)]
struct Report {
    name: &'static str,
    /// Null where pictures keep their size.
    longest_side: Option<usize>,
    survive: u8,
    confidence: &'static str,
    /// What is known to fail there.
    caveat: Option<&'static str>,
}

impl ChannelsArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        for channel in Channel::all() {
            if self.report.json {
                ui.json(&Report {
                    name: channel.name,
                    longest_side: channel.longest_side,
                    survive: channel.survive,
                    confidence: channel.confidence,
                    caveat: channel.caveat,
                })?;
                continue;
            }
            let side = channel
                .longest_side
                .map_or_else(|| "any size".to_owned(), |side| format!("{side} pixels"));
            ui.data(format_args!(
                "{:10}  {side:12}  --survive {}  (confidence: {})",
                channel.name, channel.survive, channel.confidence
            ))?;
            if let Some(caveat) = channel.caveat {
                ui.data(format_args!("{:12}{caveat}", ""))?;
            }
        }
        Ok(ExitStatus::Done)
    }
}
