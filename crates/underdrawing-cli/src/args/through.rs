//! `--through`: ways that a container takes.

use std::fmt;
use std::str::FromStr;

use underdrawing_jpeg::Sampling;

/// Encoders one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// Qualities and samplings.
    pub(crate) steps: Vec<(u8, Sampling)>,
    text: String,
}

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let steps: Option<Vec<_>> = text.split('+').map(step).collect();
        let steps =
            steps.ok_or("expected jpeg:QUALITY or jpeg:QUALITY:SAMPLING, of 1 to 100 and of 420, 422 or 444, as \
             jpeg:75:420; with + between several, as jpeg:90+jpeg:75")?;
        Ok(Self {
            steps,
            text: text.to_owned(),
        })
    }
}

fn step(text: &str) -> Option<(u8, Sampling)> {
    let mut words = text.strip_prefix("jpeg:")?.split(':');
    let quality = words
        .next()?
        .parse()
        .ok()
        .filter(|quality| (1..=100).contains(quality))?;
    let sampling = match words.next() {
        None | Some("420") => Sampling::Half,
        Some("422") => Sampling::HalfAcross,
        Some("444") => Sampling::Full,
        Some(_) => return None,
    };
    words.next().is_none().then_some((quality, sampling))
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ways_and_refuses_others() {
        let way: Way = "jpeg:90+jpeg:75:444".parse().unwrap();
        assert_eq!(way.steps, [(90, Sampling::Half), (75, Sampling::Full)]);
        for wrong in [
            "",
            "jpeg",
            "jpeg:0",
            "jpeg:101",
            "png:5",
            "jpeg:75:411",
            "jpeg:75:444:1",
        ] {
            assert!(wrong.parse::<Way>().is_err(), "{wrong}");
        }
    }
}
