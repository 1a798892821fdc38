//! Revealing: a container, or what became of it, back to the secret.

use underdrawing_codec::decode;
use underdrawing_jpeg::quality;

use crate::error::Error;
use crate::picture::{Limits, Pixels};
use crate::progress::{OnProgress, Steps};
use crate::report::{Inspection, Revealed};
use crate::secrecy::{Cost, Password};

use super::header::{Fields, Header, VERSION};
use super::keys::{COST, Keys};
use super::lattice::{COARSE_OTHER_GRID, OTHER_GRID, ROUNDING};
use super::message::Message;
use super::payload::Coding;
use super::search::{Cropped, search};
use super::sites::Sites;
use super::view::View;

/// Opening, decoding.
const STEPS: usize = 2;

/// Headers that are opened, each of which takes a slow hash of the password: a container has one.
const HEADERS: usize = 4;

/// What a picture holds.
pub(crate) struct Found {
    /// Its coefficients; for a part of a container, in each place that it may have.
    views: Vec<View>,
    opened: Opened,
    /// Quality of the JPEG that it came as.
    quality: Option<u8>,
    /// Whether blocks are missing.
    cropped: bool,
}

impl Found {
    fn new(part: &Cropped, opened: Opened, quality: Option<u8>) -> Self {
        let fields = &opened.fields;
        Self {
            views: placed(part, fields),
            cropped: part.view.own.0 < fields.wide || part.view.own.1 < fields.high,
            opened,
            quality,
        }
    }
}

/// The header that `container` holds, if it holds one. A plain picture passes for a container with a
/// probability below 2^-32.
///
/// # Errors
/// When there is one, and it does not open or is of a newer version.
pub(crate) fn find(
    container: &Pixels,
    password: Option<&Password>,
) -> Result<Option<Found>, Error> {
    find_at_cost(container, password, COST)
}

pub(super) fn find_at_cost(
    container: &Pixels,
    password: Option<&Password>,
    cost: Cost,
) -> Result<Option<Found>, Error> {
    let Some(view) = View::of(container) else {
        return Ok(None);
    };
    let quality = container
        .jpeg()
        .map(|jpeg| quality::nearest(&jpeg.components[0].steps));
    let mut closed = false;
    for header in view.headers().take(HEADERS).collect::<Vec<_>>() {
        if let Some(opened) = Opened::new(&header, password, cost)? {
            let part = Cropped::at_the_start(header, view);
            return Ok(Some(Found::new(&part, opened, quality)));
        }
        closed = true;
    }
    for cropped in search(container) {
        let Some(opened) = Opened::new(&cropped.header, password, cost)? else {
            closed = true;
            continue;
        };
        return Ok(Some(Found::new(&cropped, opened, quality)));
    }
    match (closed, password) {
        (false, _) => Ok(None),
        (true, Some(_)) => Err(Error::OtherPassword),
        (true, None) => Err(Error::PasswordNeeded),
    }
}

/// A part of a container in each place that it may have there.
fn placed(cropped: &Cropped, fields: &Fields) -> Vec<View> {
    /// More take too long, and are of pictures far larger than what is left of them.
    const PLACES: usize = 25;
    let places = cropped.places(fields.wide, fields.high);
    let views = places.into_iter().take(PLACES).filter_map(|origin| {
        let sites = Sites::of_blocks(fields.wide, fields.high)?;
        Some(cropped.view.clone().within(sites, origin))
    });
    views.collect()
}

/// A header that opened.
struct Opened {
    fields: Fields,
    keys: Keys,
    password: bool,
}

impl Opened {
    /// None where neither no password nor the one given opens it.
    fn new(
        header: &Header,
        password: Option<&Password>,
        cost: Cost,
    ) -> Result<Option<Self>, Error> {
        let forms = password.iter().flat_map(|password| password.forms());
        for password in std::iter::once(None).chain(forms.map(Some)) {
            if let Some((keys, fields)) = header.open(password.as_ref(), cost) {
                let fields = fields.map_err(|_| Error::Newer { supported: VERSION })?;
                return Ok(Some(Self {
                    fields,
                    keys,
                    password: password.is_some(),
                }));
            }
        }
        Ok(None)
    }
}

impl Found {
    /// What the header and the payload say.
    pub(crate) fn inspection(&self) -> Result<Inspection, Error> {
        Ok(self.inspection_of(&self.message()?))
    }

    fn inspection_of(&self, message: &Message) -> Inspection {
        Inspection::Robust {
            secret_width: message.own.0,
            secret_height: message.own.1,
            password: self.opened.password,
            survives: self.opened.fields.grid.survive,
            bytes: message.segments.iter().map(Vec::len).sum(),
        }
    }

    pub(crate) fn reveal(
        &self,
        limits: &Limits,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Revealed, Error> {
        let mut steps = Steps::new(on_progress, STEPS);
        steps.check()?;
        let message = self.message()?;
        steps.step()?;
        let (width, height) = message.own;
        limits
            .check(width as u64, height as u64)
            .map_err(Error::SecretTooLarge)?;
        let segments: Vec<Option<&[u8]>> = message.segments.iter().map(|s| Some(&s[..])).collect();
        // What is coded is the secret or a smaller one.
        let decoded = decode(&segments, (width * height) as u64).map_err(Error::Code)?;
        let picture = message.finish.revealed(decoded, message.own);
        steps.step()?;
        Ok(Revealed {
            picture: Pixels::from_raster(picture),
            found: self.inspection_of(&message),
            blurred_rows: Vec::new(),
            grey_rows: Vec::new(),
        })
    }

    fn message(&self) -> Result<Message, Error> {
        let Opened { fields, keys, .. } = &self.opened;
        let lost = || Error::Worn {
            survives: fields.grid.survive,
            quality: self.quality,
            cropped: self.cropped,
        };
        for view in &self.views {
            let ranks = view.sites.ranks(&fields.grid.places());
            let coding = Coding::new(&ranks, fields.parity, fields.shaped).ok_or_else(lost)?;
            let mask = keys.mask(coding.n_digits());
            for noise in [ROUNDING, OTHER_GRID, COARSE_OTHER_GRID] {
                let soft = view.noisy_payload(fields.grid, noise);
                let sealed = coding.decode(&soft, &mask);
                if let Some(message) = sealed.and_then(|sealed| keys.payload.open(0, &sealed)) {
                    let newer = |_| Error::Newer { supported: VERSION };
                    return Message::from_bytes(&message).map_err(newer);
                }
            }
        }
        Err(lost())
    }
}
