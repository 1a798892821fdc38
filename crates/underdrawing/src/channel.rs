//! Messengers and pages that pictures are sent by (docs/channels.md).

/// What a messenger or page does to pictures, as far as public sources tell.
#[derive(Debug, PartialEq, Eq)]
pub struct Channel {
    /// Short name, unique.
    pub name: &'static str,
    /// The longest side that is kept, in pixels; none where pictures keep their size.
    pub longest_side: Option<usize>,
    /// The quality of JPEG to survive.
    pub survive: u8,
    /// How sure that is.
    pub sure: &'static str,
}

static CHANNELS: [Channel; 8] = [
    channel("whatsapp", Some(1600), 60, "low"),
    channel("telegram", Some(1280), 70, "medium"),
    channel("signal", Some(1600), 70, "high"),
    channel("x", Some(1200), 75, "low"),
    channel("facebook", Some(2048), 70, "low"),
    channel("instagram", Some(1080), 70, "low"),
    channel("discord", None, 75, "medium"),
    channel("wechat", Some(1280), 50, "low"),
];

const fn channel(
    name: &'static str,
    longest_side: Option<usize>,
    survive: u8,
    sure: &'static str,
) -> Channel {
    Channel {
        name,
        longest_side,
        survive,
        sure,
    }
}

impl Channel {
    /// All that are known.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &CHANNELS
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        CHANNELS.iter().find(|channel| channel.name == name)
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
        assert_eq!(Channel::named("pigeon"), None);
    }
}
