//! How to hide: `--method` and what belongs to the coded one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use underdrawing::Channel;

const METHOD: &str = "Method";
const PASSWORD: &str = "Password";

/// How to hide.
#[derive(Debug, Args)]
pub(crate) struct MethodArgs {
    /// How to hide
    ///
    /// Default: coded, robust with --survive, --survive-crop or --for, network with --model. Coded
    /// leaves the best pictures, four to eight decibels above networks, and can ask for a password;
    /// robust can too, and survives JPEG; network is the method of the published systems, with
    /// models of your own. `reveal` finds out by itself.
    #[arg(long, value_enum, help_heading = METHOD)]
    pub(crate) method: Option<Method>,

    /// Survive JPEG of this quality and above, 50 to 95
    ///
    /// What is hidden is then read from the file after a messenger or a page has saved it as JPEG,
    /// at this quality or a better one, in any sampling of colours. It is also read after two saves,
    /// the second at this quality and the first at it, at 5 or 10 above, or at 90 and finer, as by an
    /// editor and then a messenger; hide says where a cover does not bear that, as none does from 90
    /// on. After other pairs it may be lost. The lower, the less is left of both pictures. Default
    /// with `--method robust`: 75.
    #[arg(long, value_name = "QUALITY", allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(50..=95), help_heading = METHOD)]
    pub(crate) survive: Option<u8>,

    /// Survive being cropped, too, by so many percent of the picture's area, 1 to 30
    ///
    /// At any sides, and then saved as JPEG of a quality at least 5 above that of --survive, which is
    /// 55 or more. Takes a coarser grid and more error correction: both pictures come out worse, and
    /// small covers bear no more than 10 percent at 65 or 25 at 75.
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(1..=30), help_heading = METHOD)]
    pub(crate) survive_crop: Option<u8>,

    /// Hide for a messenger or page: its size and its quality
    ///
    /// Scales the cover down to the longest side that it keeps, and survives the JPEG that it makes,
    /// according to public sources; `underdrawing channels` lists them, and what is known to fail
    /// there. --survive overrides the channel's quality.
    #[arg(long = "for", value_name = "CHANNEL", value_parser = channel, help_heading = METHOD)]
    pub(crate) channel: Option<&'static Channel>,

    /// How much work goes into both pictures
    ///
    /// Coded, robust: into the secret's code; the default is best up to 2.5 megapixels of what is
    /// coded, normal up to 10, else fast. Network: normal, the default, and fast take what the
    /// networks answer at once; best refines it for this cover and this secret. Photographs of
    /// 256x256 gain half a decibel of the container and one of the revealed picture on average,
    /// larger ones less; where one picture loses, the other gains more. It takes some 10 s a
    /// megapixel on two cores and 300 MB, whatever the size of tiles, and does not go with models
    /// of the 2018 system.
    #[arg(long, value_enum, help_heading = METHOD)]
    pub(crate) effort: Option<Effort>,

    /// Which picture comes out better: container, equal, or -2 to 2
    ///
    /// Coded: `container`, the default, holds the container at 49.9 dB, and `equal` makes both
    /// pictures alike. Robust: the container at about 40 dB for a quality of 75, or `equal`. Network: a number, from -2 for the best container to 2 for the best revealed
    /// picture; 0, or `equal`, is the default.
    #[arg(
        long,
        value_parser = Balance::parse,
        allow_negative_numbers = true,
        group = "rate",
        help_heading = METHOD
    )]
    pub(crate) balance: Option<Balance>,

    /// Coded, robust: quality of the container in dB; the rest goes to the revealed picture
    #[arg(long, value_name = "DB", allow_negative_numbers = true, value_parser = super::decibels, group = "rate", help_heading = METHOD)]
    pub(crate) container_db: Option<f64>,

    /// Coded, robust: quality of the revealed picture in dB; the rest goes to the container
    #[arg(long, value_name = "DB", allow_negative_numbers = true, value_parser = super::decibels, group = "rate", help_heading = METHOD)]
    pub(crate) revealed_db: Option<f64>,
}

pub(super) fn channel(name: &str) -> Result<&'static Channel, String> {
    Channel::named(name).ok_or_else(|| {
        let names: Vec<&str> = Channel::all().iter().map(|channel| channel.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Ways to hide a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// A compressed secret in the cover's samples
    Coded,
    /// A compressed secret that survives JPEG
    Robust,
    /// Trained networks
    Network,
}

/// How much work goes into both pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Effort {
    /// The fastest
    Fast,
    /// In between
    Normal,
    /// The best pictures
    Best,
}

/// What container and revealed picture share between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Balance {
    /// The container at 49.9 dB, the rest to the revealed picture.
    Container,
    /// Both at the same quality.
    Equal,
    /// A step of a network's dial.
    Step(underdrawing::Balance),
}

impl Balance {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "container" => Ok(Self::Container),
            "equal" => Ok(Self::Equal),
            _ => text
                .parse()
                .ok()
                .and_then(underdrawing::Balance::new)
                .map(Self::Step)
                .ok_or_else(|| {
                    "expected container, equal, or a whole number from -2 to 2".to_owned()
                }),
        }
    }
}

/// Where the password comes from, for the coded and the robust method.
#[derive(Debug, Args)]
#[allow(clippy::doc_markdown)] // The variable's name is shown to the user as it is.
pub(crate) struct PasswordArgs {
    /// Ask for a password at the terminal
    ///
    /// Without a password anybody with this program can reveal. The environment variable
    /// UNDERDRAWING_PASSWORD, when it is set, is a password, too.
    #[arg(long, conflicts_with = "password_file", help_heading = PASSWORD)]
    pub(crate) password: bool,

    /// Read the password from a file; `-` reads standard input
    ///
    /// A line break at its end and a byte order mark are not part of the password; UTF-16 with such a
    /// mark is read as text. Other bytes that are not UTF-8, those of a Latin-1 file for one, are the
    /// password as they are.
    #[arg(long, value_name = "FILE", help_heading = PASSWORD)]
    pub(crate) password_file: Option<PathBuf>,
}
