//! Revealing: a container back to the secret.

use std::ops::Range;

use underdrawing_codec::{Decoded, decode, is_lossless};

use crate::error::{Error, Salvage};
use crate::picture::{Limits, Pixels};
use crate::progress::{OnProgress, Progress, Steps};
use crate::report::{Inspection, Revealed};
use crate::secrecy::{Cost, Password, TAG_BYTES};

use super::channel::Channel;
use super::keys::{COST, Keys};
use super::layout::{Directory, Newer, VERSION};
use super::preamble::{self, Closed};

/// Opening, decoding.
const STEPS: usize = 2;

/// What to reveal with.
#[derive(Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    pub(crate) password: Option<&'a Password>,
    /// Reveals what is intact of a damaged container.
    pub(crate) salvage: bool,
    pub(crate) limits: Limits,
}

/// Reveals what `container` holds without a password or with the one given.
pub(crate) fn reveal(
    container: &Pixels,
    request: &Request<'_>,
    on_progress: &mut OnProgress<'_>,
) -> Result<Revealed, Error> {
    reveal_at_cost(container, request, COST, on_progress)
}

pub(super) fn reveal_at_cost(
    container: &Pixels,
    request: &Request<'_>,
    cost: Cost,
    on_progress: &mut OnProgress<'_>,
) -> Result<Revealed, Error> {
    let mut steps = Steps::new(on_progress, STEPS);
    let payload = open_any(container, request.password, cost, &mut steps)?;
    steps.step()?;
    let limits = &request.limits;
    let (width, height) = payload.directory.own;
    limits
        .check(width as u64, height as u64)
        .map_err(Error::SecretTooLarge)?;
    let parts = &payload.parts;
    let salvages = request.salvage && payload.salvage() == Salvage::Possible;
    if payload.intact() < parts.len() && !salvages {
        return Err(damaged(&payload));
    }
    let segments: Vec<Option<&[u8]>> = parts.iter().map(Option::as_deref).collect();
    // What is coded is the secret or a smaller one.
    let decoded = decode(&segments, (width * height) as u64).map_err(Error::Code)?;
    let revealed = finished(decoded, &payload);
    steps.step()?;
    Ok(revealed)
}

/// Whether `container` has a header of this method that opens without a password.
pub(crate) fn is_open(container: &Pixels) -> bool {
    preamble::read_salt(container.data()).is_some_and(|salt| {
        let keys = Keys::derive(None, &salt, COST);
        !matches!(
            preamble::read_header(container.data(), &keys),
            Err(Closed::Unreadable)
        )
    })
}

/// What `container` says of itself, without decoding the secret.
pub(crate) fn inspect(
    container: &Pixels,
    password: Option<&Password>,
) -> Result<Inspection, Error> {
    let mut ignore = Progress::ignore;
    let mut steps = Steps::new(&mut ignore, STEPS);
    Ok(open_any(container, password, COST, &mut steps)?.inspection())
}

/// What a container holds.
#[derive(Debug)]
pub(super) struct Payload {
    directory: Directory,
    /// It took the password to open it.
    password: bool,
    /// The coded segments; none for one whose seal is broken.
    parts: Vec<Option<Vec<u8>>>,
    /// The container is too short for them.
    cropped: bool,
}

impl Payload {
    fn inspection(&self) -> Inspection {
        Inspection::Coded {
            secret_width: self.directory.own.0,
            secret_height: self.directory.own.1,
            password: self.password,
            bytes: self.directory.segments.iter().map(|&n| n as usize).sum(),
            parts: self.parts.len(),
            intact: self.intact(),
            cropped: self.cropped,
        }
    }

    fn intact(&self) -> usize {
        self.parts.iter().flatten().count()
    }

    /// Whether what is intact shows anything: without loss, the first part alone is a size.
    fn salvage(&self) -> Salvage {
        match &self.parts[0] {
            None => Salvage::FirstPartLost,
            Some(first) if is_lossless(first) && self.intact() == 1 => Salvage::StripesLost,
            Some(_) => Salvage::Possible,
        }
    }
}

/// Opens the seals that open without a password, which costs nothing, or else with it.
fn open_any(
    container: &Pixels,
    password: Option<&Password>,
    cost: Cost,
    steps: &mut Steps<'_>,
) -> Result<Payload, Error> {
    steps.check()?;
    let mut opened = open(container.data(), None, cost);
    for form in password.iter().flat_map(|password| password.forms()) {
        if !matches!(opened, Err(Error::NothingFound | Error::WrongPassword)) {
            break;
        }
        steps.check()?;
        opened = open(container.data(), Some(&form), cost);
    }
    opened
}

/// Opens the seals of one key.
pub(super) fn open(
    samples: &[u8],
    password: Option<&Password>,
    cost: Cost,
) -> Result<Payload, Error> {
    let closed = || match password {
        Some(_) => Error::WrongPassword,
        None => Error::NothingFound,
    };
    let newer = || Error::Newer { supported: VERSION };
    let salt = preamble::read_salt(samples).ok_or_else(closed)?;
    let keys = Keys::derive(password, &salt, cost);
    let header = preamble::read_header(samples, &keys).map_err(|reason| match reason {
        Closed::Unreadable => closed(),
        Closed::Newer => newer(),
    })?;
    let samples = &samples[preamble::SAMPLES..];
    let channel = Channel::new(samples.len(), header.mix, keys.payload_channel.clone());
    let payload = channel.extract(samples);
    // A payload too short for what it lists was cut off: the lists are sealed.
    let (directory, mut rest) = payload
        .split_at_checked(header.directory as usize)
        .ok_or(Error::DirectoryLost)?;
    let directory = keys
        .payload
        .open(0, directory)
        .ok_or(Error::DirectoryLost)?;
    let directory = Directory::from_bytes(&directory).map_err(|Newer| newer())?;
    let mut parts = Vec::with_capacity(directory.segments.len());
    let mut cropped = false;
    for (i, &length) in directory.segments.iter().enumerate() {
        let Some((sealed, after)) = rest.split_at_checked(length as usize + TAG_BYTES) else {
            cropped = true;
            rest = &[];
            parts.push(None);
            continue;
        };
        parts.push(keys.payload.open(i + 1, sealed));
        rest = after;
    }
    Ok(Payload {
        directory,
        password: password.is_some(),
        parts,
        cropped,
    })
}

fn damaged(payload: &Payload) -> Error {
    let total: u64 = payload
        .directory
        .segments
        .iter()
        .map(|&n| u64::from(n))
        .sum();
    let intact = payload.parts.iter().flatten();
    let intact: u64 = intact.map(|part| part.len() as u64).sum();
    Error::Damaged {
        intact: payload.intact(),
        parts: payload.parts.len(),
        percent: (100 * intact / total.max(1)) as usize,
        cropped: payload.cropped,
        salvage: payload.salvage(),
    }
}

/// The decoded picture as what is revealed, and what of it is lost.
fn finished(decoded: Decoded, payload: &Payload) -> Revealed {
    let Directory { own, finish, .. } = payload.directory;
    let (own_height, height) = (own.1, decoded.picture.height());
    let lost_rows = decoded.lost_rows.clone();
    let picture = finish.revealed(decoded, own);
    let scaled = |row: usize| row * own_height / height;
    let rows = lost_rows
        .into_iter()
        .map(|rows| scaled(rows.start)..(rows.end * own_height).div_ceil(height));
    let rows = joined(rows);
    let without_loss = payload.parts[0]
        .as_ref()
        .is_some_and(|first| is_lossless(first));
    let (blurred_rows, grey_rows) = match without_loss {
        true => (Vec::new(), rows),
        false => (rows, Vec::new()),
    };
    Revealed {
        picture: Pixels::from_raster(picture),
        found: payload.inspection(),
        blurred_rows,
        grey_rows,
    }
}

/// Ranges in ascending order, with those that touch or overlap as one.
fn joined(ranges: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}
