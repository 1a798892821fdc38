//! Loss and learning-rate curves of a run, drawn as SVG from its event log.

use std::collections::BTreeMap;

use plotters::prelude::{
    ChartBuilder, Color, DrawingArea, DrawingAreaErrorKind, DrawingBackend, IntoDrawingArea,
    LineSeries, PathElement, RGBColor, SVGBackend, SeriesLabelPosition, WHITE,
};

/// Points of a curve: step and value.
type Points = Vec<(f64, f64)>;

/// Training steps, at least, that one point of a curve is the mean of.
const STEPS_A_POINT: usize = 25;
/// Points of a curve, at most: more would be a band, not a line.
const MOST_POINTS: usize = 200;
/// Size of a drawing in pixels.
const SIZE: (u32, u32) = (960, 540);

/// Validation curves of the container, pale for training; then of the revealed picture.
const BLUE: RGBColor = RGBColor(21, 101, 192);
const PALE_BLUE: RGBColor = RGBColor(144, 202, 249);
const ORANGE: RGBColor = RGBColor(239, 108, 0);
const PALE_ORANGE: RGBColor = RGBColor(255, 204, 128);
const GREY: RGBColor = RGBColor(189, 189, 189);

/// What the log says, ready to be drawn.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct History {
    /// PSNR in dB of training batches: container, revealed.
    training: [Points; 2],
    /// PSNR in dB of validations, 8 bits: container, revealed.
    validation: [Points; 2],
    /// Learning rates: hiding side, reveal network.
    rates: [Points; 2],
}

impl History {
    /// Reads a log; of steps that were repeated after a resume the last counts, and lines that are
    /// not events are left out.
    pub(crate) fn of_events(log: &[u8]) -> Self {
        let mut steps = BTreeMap::new();
        let mut validations = BTreeMap::new();
        for line in String::from_utf8_lossy(log).lines() {
            let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else {
                continue;
            };
            let number = |key: &str| event[key].as_f64().unwrap_or(f64::NAN);
            let step = event["step"].as_u64().unwrap_or(0);
            match event["event"].as_str() {
                Some("step") => {
                    let errors = [number("container_mse"), number("revealed_mse")];
                    let rates = [number("learning_rate"), number("reveal_learning_rate")];
                    steps.insert(step, (errors, rates));
                }
                Some("validated") => {
                    let figures = [number("container_psnr_db"), number("revealed_psnr_db")];
                    validations.insert(step, figures);
                }
                _ => {}
            }
        }
        let mut history = Self::default();
        let steps: Vec<_> = steps.into_iter().collect();
        for group in steps.chunks(steps.len().div_ceil(MOST_POINTS).max(STEPS_A_POINT)) {
            let step = group[group.len() - 1].0 as f64;
            for i in 0..2 {
                // The mean of decibels: a batch that is hard to hide weighs as much as any other.
                let sum: f64 = group.iter().map(|(_, (mse, _))| psnr_db(mse[i])).sum();
                history.training[i].push((step, sum / group.len() as f64));
                history.rates[i].push((step, group[group.len() - 1].1.1[i]));
            }
        }
        for (step, figures) in validations {
            for i in 0..2 {
                history.validation[i].push((step as f64, figures[i]));
            }
        }
        history
    }

    /// Quality over steps, in dB: higher is better.
    pub(crate) fn draw_quality(&self) -> String {
        draw(
            "PSNR in dB: training batches, and validation after rounding to 8 bits",
            &[
                ("container, training", &self.training[0], PALE_BLUE),
                ("revealed, training", &self.training[1], PALE_ORANGE),
                ("container, validation", &self.validation[0], BLUE),
                ("revealed, validation", &self.validation[1], ORANGE),
            ],
        )
    }

    /// Learning rates over steps.
    pub(crate) fn draw_learning_rate(&self) -> String {
        draw(
            "Learning rate",
            &[
                ("hiding", &self.rates[0], BLUE),
                ("reveal", &self.rates[1], ORANGE),
            ],
        )
    }
}

fn psnr_db(mse: f64) -> f64 {
    -10.0 * mse.log10()
}

fn draw(title: &str, curves: &[(&str, &Points, RGBColor)]) -> String {
    let mut svg = String::new();
    let backend = SVGBackend::with_string(&mut svg, SIZE);
    draw_on(&backend.into_drawing_area(), title, curves).expect("drawing to a string cannot fail");
    svg
}

fn draw_on<B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    title: &str,
    curves: &[(&str, &Points, RGBColor)],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    let finite = |points: &Points| -> Points {
        let keep = |p: &&(f64, f64)| p.1.is_finite();
        points.iter().filter(keep).copied().collect()
    };
    let all: Points = curves
        .iter()
        .flat_map(|(_, points, _)| finite(points))
        .collect();
    let last = all.iter().map(|p| p.0).fold(1.0, f64::max);
    let low = all
        .iter()
        .map(|p| p.1)
        .fold(f64::INFINITY, f64::min)
        .min(1e6);
    let high = all.iter().map(|p| p.1).fold(low, f64::max);
    let room = (high - low).max(high.abs() * 1e-3).max(1e-9) * 0.05;

    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..last, (low - room)..(high + room))?;
    let digits = if high < 0.1 { 5 } else { 1 };
    chart
        .configure_mesh()
        .x_desc("step")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.digits$}"))
        .light_line_style(WHITE)
        .draw()?;
    for (label, points, colour) in curves {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(finite(points), style))?
            .label(*label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(GREY)
        .draw()?;
    area.present()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_step_counts_once_and_broken_lines_are_left_out() {
        let step = |step: u64, mse: f64| {
            format!(
                "{{\"event\":\"step\",\"step\":{step},\"container_mse\":{mse},\"revealed_mse\":0.1,\
                 \"learning_rate\":0.001,\"reveal_learning_rate\":0.001}}\n"
            )
        };
        let log = [
            step(1, 0.5),
            step(2, 0.9),
            step(2, 0.01),
            "{\"event\":".into(),
        ]
        .concat();
        let history = History::of_events(log.as_bytes());
        let expected = (-10.0 * 0.5f64.log10() + 20.0) / 2.0;
        assert_eq!(history.training[0].len(), 1);
        assert!((history.training[0][0].1 - expected).abs() < 1e-9);
        assert!(history.draw_quality().contains("container, training"));
        assert!(history.draw_learning_rate().starts_with("<svg"));
    }

    #[test]
    fn a_long_run_has_no_more_points_than_a_line_shows() {
        let log: String = (1..=9000)
            .map(|step| {
                format!(
                    "{{\"event\":\"step\",\"step\":{step},\"container_mse\":0.1,\
                     \"revealed_mse\":0.1,\"learning_rate\":1,\"reveal_learning_rate\":1}}\n"
                )
            })
            .collect();
        let [container, _] = History::of_events(log.as_bytes()).training;
        assert_eq!(container.len(), 200);
        assert_eq!(container[199].0, 9000.0);
    }

    #[test]
    fn an_empty_log_still_gives_a_drawing() {
        assert!(History::default().draw_quality().starts_with("<svg"));
    }
}
