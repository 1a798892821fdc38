//! The number of quarters that gives what is asked for, by trials: what a cover and a secret give is
//! known only when it was tried.

use crate::error::Error;

/// What is near enough, in dB.
pub(super) const NEAR: f64 = 0.1;

/// Trials at most.
const TRIALS: usize = 10;

/// Change in dB for e times as many quarters that is expected before it was seen.
const USUAL_SLOPE: f64 = 6.0;

/// Which of two neighbours is taken where what is asked for lies between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// The last with too few digits.
    Fewer,
    /// The first with enough digits.
    Enough,
}

/// A trial: its quarters, how many dB it lacks for want of digits, and what came of it.
pub(super) struct Trial<T> {
    pub(super) quarters: u8,
    pub(super) lacks_db: f64,
    pub(super) of: T,
}

/// Seeks the quarters, in `range`, with which hardly anything is lacking; more of them lack less. The
/// first trial is of `start`. Where the range ends before, that of its end. A measure of none says
/// that it ended before these quarters already.
pub(super) fn seek<T>(
    range: std::ops::RangeInclusive<u8>,
    start: u8,
    take: Take,
    mut measure: impl FnMut(u8) -> Result<Option<(f64, T)>, Error>,
) -> Result<Trial<T>, Error> {
    let (mut fewer, mut enough): (Option<Trial<T>>, Option<Trial<T>>) = (None, None);
    let mut end = *range.end();
    let mut quarters = start.clamp(*range.start(), end);
    for _ in 0..TRIALS {
        let measured = measure(quarters)?;
        let ended = measured.is_none();
        if let Some((lacks_db, of)) = measured {
            let trial = Trial {
                quarters,
                lacks_db,
                of,
            };
            let wanted = (take == Take::Fewer) == (lacks_db > 0.0);
            if wanted && lacks_db.abs() < NEAR {
                return Ok(trial);
            }
            let side = if lacks_db > 0.0 {
                &mut fewer
            } else {
                &mut enough
            };
            *side = Some(trial);
        } else {
            end = quarters.saturating_sub(1);
        }
        // What is not known yet.
        let from = fewer
            .as_ref()
            .map_or(Some(*range.start()), |t| t.quarters.checked_add(1));
        let to = enough
            .as_ref()
            .map_or(Some(end), |t| t.quarters.checked_sub(1));
        let (Some(from), Some(to)) = (from, to.map(|to| to.min(end))) else {
            break;
        };
        if from > to {
            break;
        }
        quarters = match ended {
            true => from.midpoint(to),
            false => next(fewer.as_ref(), enough.as_ref()).clamp(from, to),
        };
    }
    let (first, second) = match take {
        Take::Fewer => (fewer, enough),
        Take::Enough => (enough, fewer),
    };
    Ok(first.or(second).expect("there was a trial"))
}

/// Where nothing should be lacking, by what was seen; dB go with the logarithm.
fn next<T>(fewer: Option<&Trial<T>>, enough: Option<&Trial<T>>) -> u8 {
    let log = |trial: &Trial<T>| f64::from(trial.quarters).ln();
    let log = match (fewer, enough) {
        (Some(fewer), Some(enough)) => {
            let share = fewer.lacks_db / (fewer.lacks_db - enough.lacks_db);
            // Not next to what is known, where a curve would keep it for long.
            log(fewer) + share.clamp(0.1, 0.9) * (log(enough) - log(fewer))
        }
        _ => {
            let one = fewer.or(enough).expect("it is asked after a trial");
            log(one) + one.lacks_db / USUAL_SLOPE
        }
    };
    // A cast takes what is above 255 for 255.
    log.exp().round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A curve as covers have them: steep with few digits, and steeper again with many.
    fn lacking(asked_db: f64, quarters: u8) -> f64 {
        let x = f64::from(quarters).ln();
        asked_db - (5.0 + 3.0 * x + 0.3 * x * x)
    }

    #[test]
    fn what_is_asked_for_is_found_in_few_trials() {
        for asked in [12.0, 17.3, 23.0, 28.0] {
            for take in [Take::Fewer, Take::Enough] {
                let mut trials = 0;
                let found = seek(6..=255, 66, take, |quarters| {
                    trials += 1;
                    Ok(Some((lacking(asked, quarters), quarters)))
                });
                let found = found.expect("no trial fails");
                assert_eq!(found.of, found.quarters);
                let (here, off) = (found.lacks_db, if take == Take::Fewer { 1 } else { -1_i16 });
                assert_eq!(here > 0.0, take == Take::Fewer, "{asked}: {here}");
                let neighbour = (i16::from(found.quarters) + off) as u8;
                let beyond = (lacking(asked, neighbour) > 0.0) != (take == Take::Fewer);
                assert!(here.abs() < NEAR || beyond, "{asked}: {here}");
                assert!(trials <= 7, "{asked}: {trials}");
            }
        }
    }

    #[test]
    fn out_of_reach_ends_at_the_end() {
        let at = |asked, take| {
            let found = seek(6..=255, 66, take, |quarters| {
                Ok(Some((lacking(asked, quarters), ())))
            });
            let found = found.expect("no trial fails");
            (found.quarters, found.lacks_db > 0.0)
        };
        for take in [Take::Fewer, Take::Enough] {
            assert_eq!(at(90.0, take), (255, true));
            assert_eq!(at(0.0, take), (6, false));
        }
    }

    #[test]
    fn where_the_range_ends_early_the_last_that_can_be_tried_is_found() {
        let found = seek(6..=255, 66, Take::Enough, |quarters| {
            Ok((quarters <= 101).then_some((lacking(90.0, quarters), ())))
        });
        let found = found.expect("no trial fails").quarters;
        assert!((95..=101).contains(&found), "{found}");
    }

    #[test]
    fn a_trial_that_fails_ends_it() {
        let failing = seek(6..=255, 66, Take::Fewer, |_| {
            Err::<Option<(f64, ())>, _>(Error::Cancelled)
        });
        assert!(matches!(failing, Err(Error::Cancelled)));
    }
}
