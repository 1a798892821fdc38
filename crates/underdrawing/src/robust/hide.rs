//! Hiding: a cover and a secret to a container that survives JPEG.

use underdrawing_codec::{Effort, Encoder};

use crate::coded::CodedOptions;
use crate::coding::{coding_picture, decibels_of_mse};
use crate::error::Error;
use crate::picture::Pixels;
use crate::progress::{OnProgress, Progress, Steps};
use crate::reduction::{self, Fitted};
use crate::report::{Hidden, HiddenDetails};
use crate::restoring::restored;
use crate::secrecy::{Cost, Password, TAG_BYTES};

use super::container::{Crop, Form, Way, contain};
use super::embed::{Demands, Digits, Mending, costs};
use super::grid::Grid;
use super::header::{Fields, Header};
use super::keys::{COST, Keys, salt};
use super::message::{Message, overhead};
use super::payload::Coding;
use super::rate::{self, Chosen};
use super::sites::Sites;

/// The channel, coding, embedding.
const STEPS: usize = 3;

/// What to hide and how.
pub(crate) struct Request<'a> {
    pub(crate) cover: &'a Pixels,
    pub(crate) secret: &'a Pixels,
    /// The quality to survive.
    pub(crate) survive: u8,
    /// How much of the picture may be cut off, in percent.
    pub(crate) crop: u8,
    /// Whether the container is written as a JPEG.
    pub(crate) jpeg: bool,
    pub(crate) options: &'a CodedOptions,
}

impl Request<'_> {
    fn effort(&self) -> Effort {
        let secret = self.secret;
        self.options.effort_for((secret.width(), secret.height()))
    }
}

/// Hides the secret in the cover.
pub(crate) fn hide(
    request: &Request<'_>,
    on_progress: &mut OnProgress<'_>,
) -> Result<Hidden, Error> {
    hide_at_cost(request, COST, on_progress)
}

pub(super) fn hide_at_cost(
    request: &Request<'_>,
    cost: Cost,
    on_progress: &mut OnProgress<'_>,
) -> Result<Hidden, Error> {
    let mut steps = Steps::new(on_progress, STEPS);
    let mut job = Job::new(request, cost)?;
    steps.check()?;
    let mut chosen = job.choose()?;
    steps.step()?;
    loop {
        let coding = job.coding(chosen.parity)?;
        let mut fitted = job.fitted(&coding, &mut steps)?;
        let restored = job.restored(&fitted);
        fitted.mse = restored.unwrap_or(fitted.mse);
        let bytes = job.message(&coding, &fitted, restored.is_some());
        if let Some(container) = job.contained(&coding, &chosen, &bytes) {
            steps.step()?;
            steps.step()?;
            return Ok(job.hidden(container, &fitted));
        }
        chosen = match chosen.more() {
            Some(more) => more,
            None => {
                job.retreat()?;
                job.choose()?
            }
        };
    }
}

/// What to expect of a request.
pub(super) struct Expected {
    /// Bytes for the segments.
    pub(super) bytes: usize,
    /// Mean squared errors of the container and of what is revealed.
    pub(super) container_mse: f64,
    pub(super) revealed_mse: f64,
}

/// All of hiding but the embedding.
pub(super) fn expect(request: &Request<'_>) -> Result<Expected, Error> {
    let mut job = Job::new(request, COST)?;
    let chosen = job.choose()?;
    let coding = job.coding(chosen.parity)?;
    let mut ignore = Progress::ignore;
    let fitted = job.fitted(&coding, &mut Steps::new(&mut ignore, STEPS))?;
    let n_bytes = coding.n_bytes() - TAG_BYTES;
    Ok(Expected {
        bytes: n_bytes - overhead(fitted.coded.segments.len(), n_bytes),
        container_mse: chosen.mse,
        revealed_mse: job.restored(&fitted).unwrap_or(fitted.mse),
    })
}

struct Job<'a> {
    request: &'a Request<'a>,
    sites: Sites,
    grid: Grid,
    form: Form,
    demands: Demands,
    cost: Cost,
}

impl<'a> Job<'a> {
    fn new(request: &'a Request<'a>, cost: Cost) -> Result<Self, Error> {
        let cover = request.cover;
        let sites = Sites::new(cover.width(), cover.height()).ok_or(Error::NoRoom {
            width: cover.width(),
            height: cover.height(),
            bytes: 0,
        })?;
        let curve = || {
            let secret = coding_picture(request.secret);
            Encoder::new(&secret, request.effort()).estimate()
        };
        let grid = rate::grid(
            request.survive,
            &sites,
            request.options.rate,
            request.crop,
            curve,
        )?;
        let form = if request.jpeg {
            Form::Jpeg
        } else {
            Form::Pixels
        };
        Ok(Self {
            request,
            sites,
            grid,
            form,
            demands: Demands::of(grid),
            cost,
        })
    }

    /// The share of parity, after what has to give way where no share is enough for this cover.
    fn choose(&mut self) -> Result<Chosen, Error> {
        if let Some(chosen) = self.chosen() {
            return Ok(chosen);
        }
        if self.is_hopeless() {
            return Err(self.not_kept());
        }
        loop {
            self.retreat()?;
            if let Some(chosen) = self.chosen() {
                return Ok(chosen);
            }
        }
    }

    /// Whether nothing comes back by the last thing that [`Self::retreat`] leads to, told by the
    /// few ways that ask for most.
    fn is_hopeless(&self) -> bool {
        let mut grid = self.grid;
        while let Some(coarser) = self.coarser(grid) {
            grid = coarser;
        }
        let demands = Demands {
            mending: Mending::Utmost,
            twice: false,
            ..self.demands
        };
        let decides = |way: &Way| matches!(way, Way::SavedTwice(..) | Way::Cropped(_));
        let mut ways = Way::all(grid, self.form, self.crop(), demands);
        ways.retain(decides);
        !ways.is_empty() && self.chosen_for(grid, demands, ways).is_none()
    }

    /// What gives way next: digits, on a coarser grid, then a second save, then the container's
    /// likeness, then encoders with the fast transform, which few drawings bear.
    fn retreat(&mut self) -> Result<(), Error> {
        let coarser = self.coarser(self.grid);
        let demands = &mut self.demands;
        match coarser {
            Some(grid) => self.grid = grid,
            None if demands.twice => demands.twice = false,
            None if demands.mending == Mending::Usual => demands.mending = Mending::Utmost,
            None if demands.fast && self.grid.survives_fast() => {
                (demands.fast, demands.mending) = (false, Mending::Usual);
            }
            None => return Err(self.not_kept()),
        }
        Ok(())
    }

    fn chosen(&self) -> Option<Chosen> {
        let ways = Way::all(self.grid, self.form, self.crop(), self.demands);
        self.chosen_for(self.grid, self.demands, ways)
    }

    fn chosen_for(&self, grid: Grid, demands: Demands, ways: Vec<Way>) -> Option<Chosen> {
        let cover = self.request.cover;
        rate::choose(cover, &self.sites, grid, self.form, demands, ways)
    }

    fn crop(&self) -> Option<Crop> {
        /// How much finer than the quality to survive a JPEG has to be whose blocks lie elsewhere.
        const FINER: u8 = 5;
        let Request { survive, crop, .. } = *self.request;
        (crop > 0).then_some(Crop {
            percent: crop,
            quality: (survive + FINER).min(100),
        })
    }

    /// A grid that holds more where a part may be cut off.
    fn coarser(&self, grid: Grid) -> Option<Grid> {
        let cropped = self.request.crop > 0;
        cropped.then(|| rate::coarser(grid)).flatten()
    }

    fn coding(&self, parity: u8) -> Result<Coding, Error> {
        let ranks = self.sites.ranks(&self.grid.places());
        Coding::new(&ranks, parity, true).ok_or_else(|| self.no_room())
    }

    fn fitted(&self, coding: &Coding, steps: &mut Steps<'_>) -> Result<Fitted, Error> {
        let n_bytes = coding.n_bytes().saturating_sub(TAG_BYTES);
        let budget = |n_segments| n_bytes.checked_sub(overhead(n_segments, n_bytes));
        let effort = |size| self.request.options.effort_for(size);
        reduction::fit(self.request.secret, budget, effort, steps)?.ok_or_else(|| self.no_room())
    }

    /// Mean squared error of the restored secret, in its own size, if it gains by that.
    fn restored(&self, fitted: &Fitted) -> Option<f64> {
        let secret = self.request.secret;
        let size = (secret.width(), secret.height());
        let restored = restored(reduction::decoded(&fitted.coded)?, size);
        let mse = reduction::mse(secret.raster(), &restored);
        (mse < fitted.mse).then_some(mse)
    }

    /// All bytes that are sealed.
    fn message(&self, coding: &Coding, fitted: &Fitted, restored: bool) -> Vec<u8> {
        let secret = self.request.secret;
        let message = Message {
            own: (secret.width(), secret.height()),
            restored,
            segments: fitted.coded.segments.clone(),
        };
        let mut bytes = message.to_bytes();
        bytes.resize(coding.n_bytes() - TAG_BYTES, 0);
        bytes
    }

    /// The container, if it survives what it should.
    fn contained(&self, coding: &Coding, chosen: &Chosen, message: &[u8]) -> Option<Pixels> {
        let cover = self.request.cover;
        let password = self.password();
        let fields = Fields::of(self.grid, chosen.parity, &self.sites);
        let salt = salt(
            password,
            cover.data(),
            &fields.to_bytes(),
            message,
            self.cost,
        );
        let keys = Keys::derive(password, &salt, self.cost);
        let sealed = keys.payload.seal(0, message);
        let mask = keys.mask(coding.n_digits());
        let digits = Digits {
            header: &Header::new(salt, fields, &keys).to_digits(),
            payload: &coding.encode(&sealed, &mask, &costs(cover, &self.sites, self.grid)),
        };
        let container = contain(
            cover,
            &self.sites,
            self.grid,
            &digits,
            self.form,
            self.demands,
        );
        let survives = chosen.survives(&container, self.grid, coding, &mask, &sealed);
        survives.then_some(container)
    }

    fn password(&self) -> Option<&Password> {
        self.request.options.password.as_ref()
    }

    fn hidden(&self, container: Pixels, fitted: &Fitted) -> Hidden {
        Hidden {
            container,
            details: HiddenDetails::Robust {
                password: self.password().is_some(),
                survives: self.grid.survive,
                twice: self.demands.twice,
                width: fitted.size.0,
                height: fitted.size.1,
                bytes: fitted.coded.len(),
                psnr_db: (fitted.mse > 0.0).then(|| decibels_of_mse(fitted.mse)),
            },
        }
    }

    fn not_kept(&self) -> Error {
        let cover = self.request.cover;
        Error::NotKept {
            width: cover.width(),
            height: cover.height(),
            survive: self.request.survive,
        }
    }

    fn no_room(&self) -> Error {
        let cover = self.request.cover;
        Error::NoRoom {
            width: cover.width(),
            height: cover.height(),
            bytes: rate::bytes(&self.sites, self.grid, self.request.crop),
        }
    }
}
