//! Messengers and pages that pictures are sent by (docs/channels.md).

/// What a messenger or page does to pictures, according to public sources.
#[derive(Debug, PartialEq, Eq)]
pub struct Channel {
    /// Short name, unique.
    pub name: &'static str,
    /// The longest side that is kept, in pixels; none where pictures keep their size.
    pub longest_side: Option<usize>,
    /// The quality of JPEG to survive.
    pub survive: u8,
    /// How likely it is that what is hidden comes through: low, medium or high.
    pub confidence: &'static str,
    /// What is known to fail there, as a sentence's part; none where nothing is known.
    pub caveat: Option<&'static str>,
}

const MOZJPEG: &str = "phones save by mozjpeg: some containers do not open afterwards, and none after mozjpeg's own table of quality 75; with --survive 50 all that were tried did";
const WEBP: &str = "previews are WebP, which destroys what is hidden: open the original download";
const WIDE: &str = "sources say quality 50 to 80: below 60 it is lost";
const HD: &str = "HD pictures are saved by mozjpeg: some containers do not open afterwards, and none after mozjpeg's own table of quality 75; with --survive 50 all that were tried did";
const REPORTS: &str = "known from reports only";
const IOS: &str = "the tables of iOS' encoder are not the usual ones, and were not tried";
const WORST: &str = "sources say quality 40 to 85: below 50 it is lost";

static CHANNELS: [Channel; 8] = [
    channel("whatsapp", Some(1600), 60, "low", Some(WIDE)),
    channel("telegram", Some(1280), 70, "low", Some(MOZJPEG)),
    channel("signal", Some(1600), 70, "medium", Some(IOS)),
    channel("x", Some(1200), 75, "low", Some(REPORTS)),
    channel("facebook", Some(2048), 70, "low", Some(HD)),
    channel("instagram", Some(1080), 70, "low", None),
    channel("discord", None, 75, "low", Some(WEBP)),
    channel("wechat", Some(1280), 50, "low", Some(WORST)),
];

const fn channel(
    name: &'static str,
    longest_side: Option<usize>,
    survive: u8,
    confidence: &'static str,
    caveat: Option<&'static str>,
) -> Channel {
    Channel {
        name,
        longest_side,
        survive,
        confidence,
        caveat,
    }
}

impl Channel {
    /// All that are known.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &CHANNELS
    }

    /// The one of this name, in capitals or small letters.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        CHANNELS
            .iter()
            .find(|channel| channel.name.eq_ignore_ascii_case(name))
    }

    /// The size that a picture is reduced to; none where it fits.
    #[must_use]
    pub fn reduced(&self, width: usize, height: usize) -> Option<(usize, usize)> {
        let longest = self.longest_side?;
        let side = width.max(height);
        let scaled = |n: usize| ((n * longest + side / 2) / side).max(1);
        (side > longest).then(|| (scaled(width), scaled(height)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduces_what_is_larger() {
        let telegram = Channel::named("telegram").unwrap();
        assert_eq!(telegram.reduced(4000, 3000), Some((1280, 960)));
        assert_eq!(telegram.reduced(10, 12_800), Some((1, 1280)));
        assert_eq!(telegram.reduced(1280, 700), None);
        assert_eq!(Channel::named("discord").unwrap().reduced(9000, 9000), None);
        assert_eq!(Channel::named("Telegram"), Some(telegram));
        assert_eq!(Channel::named("pigeon"), None);
    }
}
