//! A folder with files in it, and the program run there.
// Each test file uses its part, and helpers of tests may panic as tests do.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use underdrawing::{FileFormat, Limits, Model, Picture, Pixels, Precision, TrainingRecord};
use underdrawing_net::{Architecture, LiftingNetConfig, Networks};

/// A temporary folder, which is also the program's working folder.
pub(crate) struct Folder {
    root: tempfile::TempDir,
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Standard output as it came.
    pub(crate) bytes: Vec<u8>,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Writes a PNG of smooth colours that differ with `seed`.
    pub(crate) fn picture(&self, name: &str, width: usize, height: usize, seed: usize) -> Pixels {
        let pixels = picture(width, height, seed);
        self.png(name, pixels.clone().into());
        pixels
    }

    pub(crate) fn png(&self, name: &str, picture: Picture) {
        self.write(name, picture.encode(FileFormat::Png).unwrap());
    }

    pub(crate) fn decoded(&self, name: &str) -> Picture {
        Picture::decode(&self.read(name), &Limits::default()).unwrap()
    }

    /// Every file and folder in it, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        list(self.root.path(), self.root.path(), &mut names);
        names.sort();
        names
    }

    /// Runs `underdrawing` with arguments separated by spaces.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_with_input(arguments, b"")
    }

    pub(crate) fn run_with_input(&self, arguments: &str, input: &[u8]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_underdrawing"));
        command.args(arguments.split_whitespace());
        self.finish(command, input)
    }

    /// Runs a line of `sh` in which `$U` is the program.
    #[cfg(unix)]
    pub(crate) fn shell(&self, line: &str) -> Ran {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command.env("U", env!("CARGO_BIN_EXE_underdrawing"));
        self.finish(command, b"")
    }

    fn finish(&self, mut command: Command, input: &[u8]) -> Ran {
        let mut child = command
            .current_dir(self.root.path())
            .env("COLUMNS", "100")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Small inputs fit the pipe; a program that does not read them is no failure here.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
        }
    }
}

impl Ran {
    /// Exit code 0 and nothing on stderr that looks like a failure.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert!(!self.stderr.contains("error:"), "{self:?}");
        self
    }

    /// Exit code 2, no data, one `error:` line, and `expected` somewhere in it.
    #[track_caller]
    pub(crate) fn failed(self, expected: &str) -> Self {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert_eq!(self.stderr.matches("error: ").count(), 1, "{self:?}");
        assert!(
            self.stderr.contains(expected),
            "expected `{expected}`: {self:?}"
        );
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }

    /// The lines of standard output, each parsed.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The keys of an object, as they are sorted by the parser.
#[track_caller]
pub(crate) fn keys(value: &serde_json::Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// Smooth colours that differ with `seed`.
pub(crate) fn picture(width: usize, height: usize, seed: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        let wave = |k: usize| {
            let angle = (x * (k + 1) + y * (3 - k) + 40 * seed * (k + 1)) as f64 / 17.0;
            (127.5 + 100.0 * angle.sin()) as u8
        };
        [wave(0), wave(1), wave(2)]
    })
    .unwrap()
}

/// A PNG that says it is `width` by `height` and holds hardly any pixels.
pub(crate) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(png_chunk(b"IHDR", &header));
    png.extend(png_chunk(b"IDAT", &[0; 20]));
    png
}

/// A PNG with a chunk more before its samples.
pub(crate) fn with_png_chunk(png: &[u8], name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    const AFTER_HEADER: usize = 33;
    let (before, after) = png.split_at(AFTER_HEADER);
    [before, &png_chunk(name, content), after].concat()
}

fn png_chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [name, content].concat();
    let mut chunk = u32::try_from(content.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend(&named);
    chunk.extend(crc32(&named).to_be_bytes());
    chunk
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    !crc
}

fn list(root: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        names.push(
            path.strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        );
        if path.is_dir() {
            list(root, &path, names);
        }
    }
}

/// A tiny model with random parameters: what it hides looks poor, and is hidden all the same.
pub(crate) fn tiny_model(seed: u64) -> Model {
    let architecture = Architecture::Lifting(LiftingNetConfig {
        blocks: 1,
        width: 4,
        ..LiftingNetConfig::default()
    });
    let networks = Networks::new(architecture, seed);
    Model::new(networks, TrainingRecord::default())
}

impl Folder {
    /// A folder with a tiny model in `model.safetensors`.
    pub(crate) fn with_model() -> (Self, Model) {
        let folder = Self::new();
        let model = tiny_model(1);
        folder.write("model.safetensors", model.to_bytes(Precision::Full));
        (folder, model)
    }
}
