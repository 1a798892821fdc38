//! The command line's grammar and its help texts.

mod method;
mod through;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::output::Verbosity;

pub(crate) use method::{Balance, Effort, Method, MethodArgs, PasswordArgs};
pub(crate) use through::Way;

const CLI_EXAMPLES: &str = "\
Examples:
  underdrawing demo
      Hide one bundled photograph in another, reveal it, and look at the five pictures.
  underdrawing hide beach.jpg portrait.jpg -o postcard.png
      Hide portrait.jpg in beach.jpg. postcard.png looks like beach.jpg.
  underdrawing reveal postcard.png -o portrait-again.png
      Get the portrait back from the file.
  underdrawing hide beach.jpg portrait.jpg -o postcard.png --password
      Ask for a password, without which nothing is revealed.

Words: a SECRET is hidden in a COVER; the result is the CONTAINER, which looks like the cover; what \
comes out of it is the REVEALED picture.

Without a password anybody with this program can reveal. The container must stay in a lossless \
format: saving it as JPEG, resizing it or sending it through a messenger that does either \
destroys what is hidden. What is hidden with --survive 75 survives JPEG.

Exit status: 0 done; 1 ran, and the answer is no (below the wanted quality, nothing hidden found); \
2 wrong usage or an error.";

/// Hides a full-size picture inside another picture and reveals it again.
#[derive(Debug, Parser)]
#[command(
    name = "underdrawing",
    bin_name = "underdrawing",
    version,
    propagate_version = false,
    after_help = CLI_EXAMPLES,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print errors only
    ///
    /// Hides notes, results on stderr and the progress bar; data on stdout stays.
    #[arg(short, long, global = true, help_heading = "General options")]
    quiet: bool,

    /// Print more: which model is used, how secrets are coded, which files are skipped
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "quiet",
        help_heading = "General options"
    )]
    verbose: bool,
}

impl Cli {
    /// How much is said on stderr.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}

impl Command {
    /// Threads to compute with; 0 is one for each core.
    pub(crate) fn threads(&self) -> usize {
        match self {
            Self::Hide(args) => args.compute.device.threads,
            Self::Reveal(args) => args.compute.device.threads,
            Self::Eval(args) => args.compute.device.threads,
            Self::Demo(args) => args.compute.device.threads,
            Self::Train(args) => args.compute.threads,
            _ => 0,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Hide a secret picture in a cover picture
    Hide(HideArgs),
    /// Reveal the picture hidden in a container
    Reveal(RevealArgs),
    /// Report how much a cover can hold
    Capacity(CapacityArgs),
    /// Measure how much two pictures differ
    Compare(CompareArgs),
    /// Measure hiding and revealing over many pairs
    Eval(EvalArgs),
    /// Train networks on your own pictures
    Train(Box<TrainArgs>),
    /// Hide and reveal a bundled photograph and show the result
    Demo(DemoArgs),
    /// List the built-in models
    Models(ModelsArgs),
    /// List the messengers and pages that hide --for knows
    Channels(ChannelsArgs),
    /// Show what a picture or model file is
    Inspect(InspectArgs),
    /// Make a model file from PyTorch weights of the 2018 system
    Import(ImportArgs),
    /// Write a model as ONNX, or one of the 2018 system as PyTorch weights
    Export(ExportArgs),
    /// Print the man page or shell completions
    #[command(hide = true)]
    Generate(GenerateArgs),
}

/// `hide`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  underdrawing hide beach.jpg portrait.jpg -o postcard.png
  underdrawing hide beach.jpg portrait.jpg -o postcard.png --sheet sheet.png
      Also write a sheet with all pictures and their differences, ten times amplified.
  underdrawing hide covers/ secrets/ -o containers/
      Hide every picture of secrets/ in one of covers/, paired by name.
  cat beach.jpg | underdrawing hide - portrait.jpg -o - > postcard.png

  underdrawing hide beach.jpg portrait.jpg -o postcard.png --method network
      With the built-in networks instead of the codec.
  underdrawing hide beach.jpg portrait.jpg -o postcard.jpg --survive 75
      To be sent: it survives JPEG of quality 75 and above.

The secret may have any size and comes back in it. The larger the cover, the less is lost; \
`underdrawing capacity` says how much.

Methods: coded, the default, compresses the secret and puts it into the cover's samples, by one \
grey level (two at black and white); the same grain everywhere, whatever the secret, and an optional password. \
Robust, with --survive, puts it into the coefficients of JPEG's blocks, to be sent. \
Network is what the published systems do: trained networks paint the secret into the cover.")]
pub(crate) struct HideArgs {
    /// Picture to hide in, or a folder of them; `-` reads standard input
    ///
    /// PNG, JPEG, WebP, BMP, TIFF, GIF (first frame), QOI or PNM. Its transparency and colour
    /// profile go to the container untouched; with --survive colours are converted to sRGB, as
    /// pages and messengers do, and transparency is laid on white, since JPEG has none. Other metadata (camera, place, time) is not kept.
    pub(crate) cover: PathBuf,

    /// Picture to hide, or a folder of them; `-` reads standard input
    ///
    /// Any size and aspect. Colours are converted to sRGB and transparency is laid on white. With
    /// folders, pictures go together by their sorted names.
    pub(crate) secret: PathBuf,

    /// Where the container goes; a folder when a folder was given; `-` writes standard output
    ///
    /// A lossless format by its extension: .png, .tiff, .bmp, .qoi or .webp; with --survive .jpg,
    /// too. In a folder, files are named after the cover, with the extension .png.
    #[arg(short, long, value_name = "CONTAINER", help_heading = OUTPUT)]
    pub(crate) output: PathBuf,

    /// In a folder, write JPEG in place of PNG; goes with --survive
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) jpeg: bool,

    /// Use the secrets again from the first when there are more covers
    #[arg(long)]
    pub(crate) cycle: bool,

    /// Also write a contact sheet; a folder when a folder was given
    ///
    /// Cover, container, secret and revealed picture side by side, with both differences
    /// amplified ten times. The revealed picture is revealed from the container that is written.
    #[arg(long, value_name = "FILE", help_heading = OUTPUT)]
    pub(crate) sheet: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) method: MethodArgs,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `reveal`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  underdrawing reveal postcard.png -o portrait.png
  underdrawing reveal containers/ -o revealed/
  underdrawing reveal postcard.png -o portrait.png --password-file secret.txt
  underdrawing reveal damaged.png -o portrait.png --salvage
      Reveal what is left of a container of the coded method that was changed.
  underdrawing reveal damaged.png -o portrait.png --size 800x600
      Reveal from a container of the network method whose mark was damaged; --size says how large \
the secret was.

How it was hidden need not be said: a container of the network method carries a mark, and one of \
the coded or the robust method opens with its password, or without one. When nothing opens, reveal exits with 1.")]
pub(crate) struct RevealArgs {
    /// Container to reveal from, or a folder of them; `-` reads standard input
    ///
    /// As hide wrote it; what was hidden with --survive is found in a recompressed JPEG, too.
    pub(crate) container: PathBuf,

    /// Where the revealed picture goes; a folder when a folder was given; `-` writes standard
    /// output
    ///
    /// A lossless format by its extension: .png, .tiff, .bmp, .qoi or .webp.
    #[arg(short, long, value_name = "REVEALED", help_heading = OUTPUT)]
    pub(crate) output: PathBuf,

    /// Reveal without a mark: the size of the secret
    ///
    /// With it, reveal does not ask the container's mark, neither for the size nor for the model:
    /// the model is the one of --model, or the default one.
    #[arg(long, value_name = "WxH")]
    pub(crate) size: Option<Size>,

    /// Reveal what is intact of a damaged container of the coded method
    ///
    /// Without it a container that was changed is refused. The secret is sealed in parts, which lie
    /// in the container from the top down: the first holds the whole secret without its fine details,
    /// each other one the details of a stripe of rows. A part counts when none of it was changed.
    /// Salvaging needs the container's width, its top with the list of parts, and the first part;
    /// rows of other parts that are lost come back blurred. Of a secret that was coded without loss,
    /// it needs a stripe, too, and lost rows are grey.
    #[arg(long, conflicts_with = "size")]
    pub(crate) salvage: bool,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `capacity`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  underdrawing capacity beach.jpg
  underdrawing capacity beach.jpg portrait.jpg
  underdrawing capacity beach.jpg portrait.jpg --survive 75

For the coded method, or with --survive the robust one, at its default rate. The secret is coded as \
for hiding, and takes as long. Exits with 1 where there is no room.")]
pub(crate) struct CapacityArgs {
    /// Picture to hide in; `-` reads standard input
    pub(crate) cover: PathBuf,

    /// Picture to hide
    pub(crate) secret: Option<PathBuf>,

    /// As for `hide`: the quality of JPEG to survive, 50 to 95
    #[arg(long, value_name = "QUALITY", allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(50..=95))]
    pub(crate) survive: Option<u8>,

    /// As for `hide`: percent that may be cut off, 1 to 30
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(1..=30))]
    pub(crate) survive_crop: Option<u8>,

    /// As for `hide`: a messenger or page, its size and its quality
    #[arg(long = "for", value_name = "CHANNEL", value_parser = method::channel)]
    pub(crate) channel: Option<&'static underdrawing::Channel>,

    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `channels`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  underdrawing hide beach.jpg portrait.jpg -o postcard.jpg --for telegram

From public sources, simulated and not sent; services change. docs/channels.md says what is known.")]
pub(crate) struct ChannelsArgs {
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `compare`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  underdrawing compare beach.png postcard.png
  underdrawing compare beach.png postcard.png --min-psnr 40 || echo 'worse than 40 dB'

PSNR: over all RGB samples; higher is better, 40 dB is hard to see. SSIM: 11x11 Gaussian window of \
deviation 1.5, mean of the three channels; 1 is identical. APD: mean absolute difference of the \
samples, 0 to 255. RMSE: root of the mean squared difference, 0 to 255.")]
pub(crate) struct CompareArgs {
    /// One picture; `-` reads standard input
    pub(crate) a: PathBuf,

    /// The other picture, of the same size
    pub(crate) b: PathBuf,

    /// Exit with 1 when the PSNR is below this
    ///
    /// Identical pictures pass any value.
    #[arg(long, value_name = "DB", allow_negative_numbers = true, value_parser = finite)]
    pub(crate) min_psnr: Option<f64>,

    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `eval`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  underdrawing eval kodak/
  underdrawing eval kodak/ --method network
  underdrawing eval --model run/best.safetensors --covers covers/ --secrets secrets/ --json

Each pair is hidden, the container written as PNG, read back and revealed; the 8-bit figures are \
measured on those pictures. The float figures beside them, of the network method, are what the \
networks gave before rounding, which is what papers print and no file contains. Each picture's PSNR is averaged in dB; \
identical pictures count as 100 dB.")]
pub(crate) struct EvalArgs {
    /// Folder whose pictures, sorted by name, are cover, secret, cover, secret
    ///
    /// Or else --covers and --secrets.
    #[arg(conflicts_with_all = ["covers", "secrets"])]
    pub(crate) pairs: Option<PathBuf>,

    /// Folder of covers
    #[arg(
        long,
        value_name = "DIR",
        requires = "secrets",
        conflicts_with = "pairs"
    )]
    pub(crate) covers: Option<PathBuf>,

    /// Folder of secrets, paired with the covers by sorted name
    #[arg(
        long,
        value_name = "DIR",
        requires = "covers",
        conflicts_with = "pairs"
    )]
    pub(crate) secrets: Option<PathBuf>,

    /// Send the containers through JPEG encoders, and say how many secrets come back
    ///
    /// Ways, separated by commas: `jpeg:QUALITY`, with `:444`, `:422` or `:420` (the default) for
    /// the sampling of colours; steps one after the other are joined by `+`. The encoder is a
    /// libjpeg-turbo to the bit.
    #[arg(long, value_name = "WAYS", value_delimiter = ',')]
    pub(crate) through: Vec<Way>,

    /// Measure the first N pairs only
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) limit: Option<usize>,

    #[command(flatten)]
    pub(crate) method: MethodArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `train`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  underdrawing train --train photos/ --val more-photos/ --out run/
  underdrawing train --preset 2018 --train photos/ --val more-photos/ --out run/
      The recipe of the 2018 system, to the letter.
  underdrawing train --resume run/
      Go on exactly where the run stopped.
  mpirun -n 4 underdrawing train --threads 8 --train photos/ --val more-photos/ --out run/
      Four processes share each batch, if the program is built with the feature `mpi`.

The run folder holds every setting (config.toml), what happened (events.jsonl; tensorboard/ for \
TensorBoard), curves, sheets, the worst validation pairs (worst.png), the last checkpoint and the \
best model. Ctrl-C saves and stops; so does SIGUSR1, which mpirun passes on.")]
pub(crate) struct TrainArgs {
    /// Folder of pictures to train on
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pub(crate) train: Option<PathBuf>,

    /// Folder of pictures to validate on, pairs by sorted name
    #[arg(long, value_name = "DIR", required_unless_present = "resume")]
    pub(crate) val: Option<PathBuf>,

    /// Folder for the run; it must not hold one already
    #[arg(long, value_name = "RUN", required_unless_present = "resume", help_heading = OUTPUT)]
    pub(crate) out: Option<PathBuf>,

    /// Resume the run in this folder
    #[arg(long, value_name = "RUN", conflicts_with_all = ["train", "val", "out", "from", "config"])]
    pub(crate) resume: Option<PathBuf>,

    /// Begin with the weights of a model instead of fresh ones
    ///
    /// A name from `underdrawing models`, or the path of a model file: to train it further, on
    /// pictures of your own or for longer. Its networks are trained, so their settings need not be
    /// given; the others are those of the preset, by default the one for such networks. A learning
    /// rate of a third of the preset's forgets less.
    #[arg(long, value_name = "MODEL")]
    pub(crate) from: Option<String>,

    /// TOML file of settings; flags override it, and it overrides the preset
    ///
    /// Its keys are the names of the flags with `_` for `-`. The config.toml of a run repeats it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Say what would be done and how long it would take, and write nothing
    ///
    /// Tries four steps and two validation pairs.
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) settings: underdrawing_train::TrainSettings,
    #[command(flatten)]
    pub(crate) compute: DeviceArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `demo`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  underdrawing demo -o look/
  underdrawing demo -o look/ --survive 75
      After a JPEG of quality 75, which is written as sent.jpg.

Writes cover.png, secret.png, container.png, revealed.png, difference.png (container minus cover, \
ten times amplified) and sheet.png with all of them.")]
pub(crate) struct DemoArgs {
    /// Folder for the pictures
    #[arg(
        short,
        long,
        value_name = "DIR",
        default_value = "underdrawing-demo",
        help_heading = OUTPUT
    )]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
    #[command(flatten)]
    pub(crate) method: MethodArgs,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `models`
#[derive(Debug, Args)]
#[command(after_help = "\
The first model is the default one. A container names the model that hid in it by its id, and \
reveal finds it here, or in the file given with --model.")]
pub(crate) struct ModelsArgs {
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `inspect`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  underdrawing inspect postcard.png
      Its size and format, and what is hidden in it, if that opens.
  underdrawing inspect model.safetensors
      Its networks, parameters and id, and how it was trained.

Exits with 1 where nothing is found in a picture, and with 0 where something is hidden, whether it \
opens or not (damaged, of a newer version, of another password as far as that can be told).")]
pub(crate) struct InspectArgs {
    /// A picture or a model file; `-` reads standard input
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) password: PasswordArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// `import`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  underdrawing import netH.pth netR.pth -o model.safetensors

Reads state dicts of the hiding and the reveal network, with or without the `module.` prefix of \
data-parallel training.")]
pub(crate) struct ImportArgs {
    /// State dict of the hiding network
    #[arg(value_name = "NETH.PTH")]
    pub(crate) hiding: PathBuf,

    /// State dict of the reveal network
    #[arg(value_name = "NETR.PTH")]
    pub(crate) reveal: PathBuf,

    /// Where the model file goes
    #[arg(short, long, value_name = "MODEL", help_heading = OUTPUT)]
    pub(crate) output: PathBuf,

    /// Store the parameters in half precision: half the size
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) half: bool,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

/// `export`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  underdrawing export model.safetensors -o weights/
  underdrawing export lifting-5 --onnx -o lifting-5/

The first writes weights/netH.pth and weights/netR.pth, which PyTorch's `load_state_dict` takes. The \
second writes lifting-5/hiding/model.onnx (cover and secret to container) and \
lifting-5/reveal/model.onnx (container to revealed), each beside pictures to test an engine with. \
Their inputs are float32 of [batch, 3, height, width], 0 to 1; docs/format.md says more.")]
pub(crate) struct ExportArgs {
    /// Model file, or with --onnx a built-in model; for PyTorch one of the 2018 system
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,

    /// Write the networks as ONNX, of any design
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) onnx: bool,

    /// Folder for netH.pth and netR.pth, or for hiding/ and reveal/
    #[arg(short, long, value_name = "DIR", help_heading = OUTPUT)]
    pub(crate) output: PathBuf,

    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

/// `generate`
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    pub(crate) what: Generated,
}

/// What `generate` prints.
#[derive(Debug, Subcommand)]
pub(crate) enum Generated {
    /// The man page, in roff
    Man,
    /// Completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

const OUTPUT: &str = "Output";
const MODEL: &str = "Model";
const COMPUTE: &str = "Compute";

/// How files are written.
#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// Replace files that exist
    ///
    /// Without it an existing file is an error. An input is never replaced, with or without it.
    #[arg(short, long, help_heading = OUTPUT)]
    pub(crate) force: bool,
}

/// How results are reported.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Print results as JSON on standard output, one object a line
    ///
    /// Of several pictures each has its line: where it failed, or nothing was found, the output is
    /// null, and `reason` says why. A PSNR is null where there is no difference: identical pictures,
    /// a secret without loss. A file's name is a string, or where it is no UTF-8 an object with the
    /// list of its `bytes`.
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
}

/// Which networks.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Built-in model or model file
    ///
    /// A name from `underdrawing models`, or the path of a model file. Default: the first built-in
    /// model; for revealing, the one that the container names.
    #[arg(short, long, value_name = "MODEL", help_heading = MODEL)]
    pub(crate) model: Option<String>,
}

impl ModelArgs {
    /// The path, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.model.as_deref().map(Path::new)
    }
}

/// Where and how to compute.
#[derive(Debug, Args)]
pub(crate) struct ComputeArgs {
    #[command(flatten)]
    pub(crate) device: DeviceArgs,

    /// Network: side of the tiles that large pictures are cut into, in pixels
    ///
    /// Smaller tiles need less memory and more time. The result is as good, and nearly the same.
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true, value_parser = at_least_one, help_heading = COMPUTE)]
    pub(crate) tile_size: Option<usize>,
}

/// Where to compute, and with how many threads.
#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// Where to compute
    ///
    /// The GPU needs a build with the feature `wgpu`, `vulkan` or `cuda`. The CPU is the default because it
    /// is always there and gives the same result on every machine.
    #[arg(long, value_enum, default_value_t = Device::Cpu, help_heading = COMPUTE)]
    pub(crate) device: Device,
    /// Let an NVIDIA card round the factors of products to 10 fraction bits: several times faster,
    /// with a relative error of about 0.001
    #[arg(long, help_heading = COMPUTE)]
    pub(crate) tf32: bool,

    /// Threads to compute with; 0 is one for each core
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, allow_negative_numbers = true, value_parser = threads, help_heading = COMPUTE)]
    pub(crate) threads: usize,
}

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Device {
    /// The processor
    Cpu,
    /// The graphics card
    Gpu,
}

/// A picture's size on the command line: `800x600`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |text: &str| text.parse().ok().filter(|&side: &usize| side > 0);
        text.split_once(['x', 'X'])
            .and_then(|(width, height)| {
                Some(Self {
                    width: side(width)?,
                    height: side(height)?,
                })
            })
            .ok_or_else(|| "expected WIDTHxHEIGHT in pixels, as in 800x600".to_owned())
    }
}

fn finite(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| "expected a number".to_owned())
}

/// A quality to aim for.
fn decibels(text: &str) -> Result<f64, String> {
    finite(text)
        .ok()
        .filter(|&value| value > 0.0)
        .ok_or_else(|| "expected decibels, a number above 0".to_owned())
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&value: &usize| value <= crate::MAX_THREADS)
        .ok_or_else(|| format!("expected a whole number from 0 to {}", crate::MAX_THREADS))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|&value: &usize| value > 0)
        .ok_or_else(|| "expected a whole number from 1 up".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn parses_sizes() {
        let size = |width, height| Some(Size { width, height });
        for (text, expected) in [
            ("800x600", size(800, 600)),
            ("1X1", size(1, 1)),
            ("0x5", None),
            ("800", None),
            ("800x", None),
            ("-8x6", None),
            ("8x6x4", None),
        ] {
            assert_eq!(text.parse::<Size>().ok(), expected, "{text}");
        }
    }
}
