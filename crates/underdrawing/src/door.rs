//! The door: hiding, revealing and looking, whatever the method.

use std::ops::ControlFlow;

use crate::coded::{self, Capacity, CodedOptions};
use crate::error::{Error, ErrorKind};
use crate::network;
use crate::options::{HideOptions, RevealOptions};
use crate::picture::{Limits, Pixels};
use crate::progress::Progress;
use crate::report::{Hidden, Inspection, Revealed};
use crate::robust;
use crate::secrecy::Password;

/// Hides `secret` in `cover`: a container of the cover's size, in 8 bits.
///
/// The secret may have any size. The same arguments give the same container, whatever the number
/// of threads. `progress` is called as [`Progress`] says, and may stop the work.
///
/// Memory: by the coded method about 15 bytes a pixel of the secret and 6 a pixel of the cover; by
/// networks bounded by [`NetworkOptions::tile_size`](crate::NetworkOptions::tile_size), beside the
/// pictures.
///
/// # Errors
/// When the cover is too small, an option is out of its range, the secret is larger than the
/// formats allow (32,768 a side, 120 million pixels), or `progress` stopped the work.
pub fn hide(
    cover: &Pixels,
    secret: &Pixels,
    options: &HideOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Hidden, Error> {
    Limits::OF_FORMATS
        .check(secret.width() as u64, secret.height() as u64)
        .map_err(Error::SecretTooLarge)?;
    match options {
        HideOptions::Coded(options) => coded::hide(cover, secret, options, progress),
        HideOptions::Robust {
            survive,
            crop,
            jpeg,
            coded,
        } => {
            let request = robust::Request {
                cover,
                secret,
                survive: *survive,
                crop: *crop,
                jpeg: *jpeg,
                options: coded,
            };
            robust::hide(&request, progress)
        }
        HideOptions::Network(options) => network::hide(cover, secret, options, progress),
    }
}

/// Reveals what `container` holds, by the method and the model that it names.
///
/// A wrong password takes as long as the right one, about half a second for each of its forms
/// ([`Password`]); what opens without one is found in no time.
///
/// # Errors
/// When nothing is found, the container was changed or is of a newer version, its model is not
/// there, the secret is over the limits, or `progress` stopped the work.
pub fn reveal(
    container: &Pixels,
    options: &RevealOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Revealed, Error> {
    as_stored(container, |container| {
        reveal_from(container, options, progress)
    })
}

/// What was hidden is in the samples as a file stores them: those come first where an orientation
/// tag turned the picture, and then the picture as it was turned.
fn as_stored<T>(
    container: &Pixels,
    mut open: impl FnMut(&Pixels) -> Result<T, Error>,
) -> Result<T, Error> {
    let Some(stored) = container.stored() else {
        return open(container);
    };
    let no = |error: &Error| {
        matches!(
            error.kind(),
            ErrorKind::NothingFound | ErrorKind::WrongPassword
        )
    };
    match open(&stored) {
        Err(first) if no(&first) => {
            let vague = |error: &Error| matches!(error, Error::NothingFound | Error::WrongPassword);
            // Not as the JPEG, whose coefficients are those of what is stored.
            open(&container.clone().samples_alone())
                .map_err(|second| if vague(&second) { first } else { second })
        }
        opened => opened,
    }
}

fn reveal_from(
    container: &Pixels,
    options: &RevealOptions,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Revealed, Error> {
    let by_network = network::Request {
        models: &options.models,
        tile_size: options.tile_size,
        limits: options.limits,
    };
    if let Some(size) = options.size {
        return network::reveal_at_size(container, size, &by_network, progress);
    }
    if let Some(mark) = network::read_mark(container)? {
        return network::reveal_marked(container, &mark, &by_network, progress);
    }
    if let Some(found) = find_robust(container, options.password.as_ref())? {
        return found.reveal(&options.limits, progress);
    }
    let by_code = coded::Request {
        password: options.password.as_ref(),
        salvage: options.salvage,
        limits: options.limits,
    };
    coded::reveal(container, &by_code, progress)
}

/// Looks for a container of the robust method, which takes a search, unless it is plainly one of the
/// coded method.
fn find_robust(
    container: &Pixels,
    password: Option<&Password>,
) -> Result<Option<robust::Found>, Error> {
    if coded::is_open(container) {
        return Ok(None);
    }
    robust::find(container, password)
}

/// What is hidden in `container`, without revealing it. A plain picture passes for a container of
/// the network method with a probability below 2^-32.
///
/// # Errors
/// When nothing is found, the container is of a newer version, or so damaged that it cannot be
/// told; damaged parts of the secret are no error here.
pub fn inspect(container: &Pixels, password: Option<&Password>) -> Result<Inspection, Error> {
    as_stored(container, |container| {
        if let Some(mark) = network::read_mark(container)? {
            return Ok(mark.inspection());
        }
        if let Some(found) = find_robust(container, password)? {
            return found.inspection();
        }
        coded::inspect(container, password)
    })
}

/// What to expect when `secret` is hidden in `cover`, without doing it: room, and both qualities. By
/// the coded method, or where a quality to `survive` is given by the robust one, which may survive a
/// `crop`, too, in percent as for [`hide`]. Nothing but `effort` and `rate` of the options counts. The
/// secret is coded as for hiding, and takes as long.
///
/// # Errors
/// When a quality asked for is out of its range.
pub fn capacity(
    cover: &Pixels,
    secret: Option<&Pixels>,
    options: &CodedOptions,
    survive: Option<u8>,
    crop: u8,
) -> Result<Capacity, Error> {
    if let Some(secret) = secret {
        Limits::OF_FORMATS
            .check(secret.width() as u64, secret.height() as u64)
            .map_err(Error::SecretTooLarge)?;
    }
    match survive {
        Some(survive) => {
            let pixel = Pixels::from_fn(1, 1, |_, _| [128; 3]).expect("within any limits");
            let request = robust::Request {
                cover,
                secret: secret.unwrap_or(&pixel),
                survive,
                crop,
                jpeg: false,
                options,
            };
            robust::capacity(&request, secret.is_some())
        }
        None => coded::capacity(cover, secret, options),
    }
}
