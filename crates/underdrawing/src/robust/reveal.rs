//! Revealing: a container, or what became of it, back to the secret.

use underdrawing_codec::decode;
use underdrawing_jpeg::quality;

use crate::coding::rgb;
use crate::error::Error;
use crate::picture::{Limits, Pixels};
use crate::progress::{OnProgress, Steps};
use crate::report::{Inspection, Revealed};
use crate::secrecy::{Cost, Password};

use super::container::view;
use super::header::{Fields, VERSION};
use super::keys::{COST, Keys};
use super::message::Message;
use super::payload::Coding;
use super::view::View;

/// Opening, decoding.
const STEPS: usize = 2;

/// What a picture holds.
pub(crate) struct Found {
    view: View,
    fields: Fields,
    keys: Keys,
    password: bool,
    /// Quality of the JPEG that it came as.
    quality: Option<u8>,
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
    let Some(view) = view(container) else {
        return Ok(None);
    };
    let headers: Vec<_> = view.headers().collect();
    for header in &headers {
        let opened = header.open(None, cost).map(|opened| (opened, false));
        let opened = opened.or_else(|| {
            let password = password?;
            Some((header.open(Some(password), cost)?, true))
        });
        if let Some(((keys, fields), password)) = opened {
            let fields = fields.map_err(|_| Error::Newer { supported: VERSION })?;
            let quality = container
                .jpeg()
                .map(|jpeg| quality::nearest(&jpeg.components[0].steps));
            return Ok(Some(Found {
                view,
                fields,
                keys,
                password,
                quality,
            }));
        }
    }
    match (headers.is_empty(), password) {
        (true, _) => Ok(None),
        (false, Some(_)) => Err(Error::WrongPassword),
        (false, None) => Err(Error::PasswordNeeded),
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
            password: self.password,
            survives: self.fields.grid.survive,
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
        let decoded = decode(&segments, limits.max_pixels).map_err(Error::Code)?;
        let picture = rgb(decoded.picture).resized(width, height);
        steps.step()?;
        Ok(Revealed {
            picture: Pixels::from_raster(picture),
            found: self.inspection_of(&message),
            blurred_rows: Vec::new(),
        })
    }

    fn message(&self) -> Result<Message, Error> {
        let lost = || Error::Worn {
            survives: self.fields.grid.survive,
            quality: self.quality,
        };
        let soft = self.view.payload(self.fields.grid);
        let coding = Coding::new(soft.len(), self.fields.parity).ok_or_else(lost)?;
        let mask = self.keys.mask(coding.n_digits());
        let sealed = coding.decode(&soft, &mask).ok_or_else(lost)?;
        let message = self.keys.payload.open(0, &sealed).ok_or_else(lost)?;
        Message::from_bytes(&message).map_err(|_| Error::Newer { supported: VERSION })
    }
}
