//! The table that `eval` prints without `--json`.

use std::path::Path;

use super::figures::{Figures, Quality};

const NAME_WIDTH: usize = 28;

/// Two lines of headings.
pub(super) fn header() -> String {
    let columns = format!("{:>7} {:>8} {:>7} {:>7}", "dB", "(float)", "SSIM", "APD");
    let groups = format!(
        "{:NAME_WIDTH$}  {:^32}  {:^32}",
        "", "container", "revealed"
    );
    format!(
        "{}\n{:NAME_WIDTH$}  {columns}  {columns}",
        groups.trim_end(),
        "pair"
    )
}

/// A line of figures.
pub(super) fn row(name: &str, figures: &Figures) -> String {
    let (float_container, float_revealed) = figures.float.unzip();
    format!(
        "{:NAME_WIDTH$}  {}  {}",
        shortened(name),
        columns(figures.container, float_container),
        columns(figures.revealed, float_revealed)
    )
}

/// What a pair is called: both file names without folder and extension.
pub(super) fn pair_name(cover: &Path, secret: &Path) -> String {
    let stem = |path: &Path| {
        path.file_stem().map_or_else(
            || path.to_string_lossy().into_owned(),
            |stem| stem.to_string_lossy().into_owned(),
        )
    };
    format!("{} + {}", stem(cover), stem(secret))
}

fn columns(written: Quality, float: Option<Quality>) -> String {
    let float = float.map_or_else(
        || "-".to_owned(),
        |float| format!("({})", db(float.psnr_db)),
    );
    format!(
        "{:>7} {float:>8} {:>7.4} {:>7.3}",
        db(written.psnr_db),
        written.ssim,
        written.apd
    )
}

fn db(psnr_db: Option<f64>) -> String {
    psnr_db.map_or_else(|| "same".to_owned(), |db| format!("{db:.2}"))
}

/// Cut in the middle of nowhere rather than pushing the columns aside.
fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME_WIDTH {
        return name.to_owned();
    }
    let kept: String = name.chars().take(NAME_WIDTH - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_columns_under_their_headings() {
        let quality = |psnr_db| Quality {
            psnr_db,
            ssim: 0.98765,
            apd: 12.3456,
        };
        let figures = Figures {
            container: quality(Some(41.236)),
            revealed: quality(None),
            float: Some((quality(Some(100.0)), quality(None))),
        };
        let header = header();
        let widths: Vec<_> = header
            .lines()
            .map(str::to_owned)
            .chain([row("a + b", &figures), row(&"ä".repeat(60), &figures)])
            .map(|line| line.trim_end().chars().count())
            .collect();
        assert_eq!(widths[1..], [widths[1]; 3], "{header}");
        assert!(row("a + b", &figures).contains("41.24 (100.00)  0.9877  12.346"));
    }
}
