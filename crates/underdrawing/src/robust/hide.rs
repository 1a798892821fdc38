//! Hiding: a cover and a secret to a container that survives JPEG.

use underdrawing_codec::{Effort, Encoder};

use crate::coded::{CodedOptions, CodedRate};
use crate::coding::{coding_picture, decibels_of_mse, mse_of_decibels};
use crate::error::Error;
use crate::picture::Pixels;
use crate::progress::{OnProgress, Progress, Steps};
use crate::reduction::{self, Fitted};
use crate::report::{Hidden, HiddenDetails};
use crate::restoring::restored;
use crate::secrecy::{Cost, Password, TAG_BYTES};

use super::aim::{NEAR, Take, seek};
use super::container::{Crop, Form, Way, contain};
use super::embed::{Demands, Digits, Mending, Twice, costs};
use super::grid::Grid;
use super::header::{Fields, Header};
use super::keys::{COST, Keys, salt};
use super::message::{Message, overhead};
use super::payload::Coding;
use super::rate::{self, Chosen};
use super::sites::{LEAST_SIDE, Sites};

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
    let mut plan = job.aimed(&mut steps)?;
    steps.step()?;
    loop {
        let bytes = job.message(&plan);
        if let Some(container) = job.contained(&plan, &bytes) {
            steps.step()?;
            steps.step()?;
            return Ok(job.hidden(container, &plan.fitted));
        }
        let chosen = match plan.chosen.more() {
            Some(more) => more,
            None => {
                job.retreat()?;
                job.choose()?
            }
        };
        plan = job.plan(chosen, &mut steps)?;
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
    let mut ignore = Progress::ignore;
    let plan = job.aimed(&mut Steps::new(&mut ignore, STEPS))?;
    let n_bytes = plan.coding.n_bytes() - TAG_BYTES;
    Ok(Expected {
        bytes: n_bytes - overhead(plan.fitted.coded.segments.len(), n_bytes),
        container_mse: plan.chosen.mse,
        revealed_mse: plan.fitted.mse,
    })
}

/// What a container is to hold, and how.
struct Plan {
    chosen: Chosen,
    coding: Coding,
    /// The secret; its error is that of what is revealed.
    fitted: Fitted,
    /// Whether the decoded secret is to be restored.
    restored: bool,
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
        let sites = Sites::new(cover.width(), cover.height()).ok_or(Error::CoverTooSmall {
            width: cover.width(),
            height: cover.height(),
            least: LEAST_SIDE,
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

    /// The plan that gives what was asked for, as nearly as can be told before it is embedded.
    fn aimed(&mut self, steps: &mut Steps<'_>) -> Result<Plan, Error> {
        let all = rate::FEWEST..=u8::MAX;
        let start = (self.grid, self.demands);
        let usual = self.grid.quarters;
        let db = |mse: f64| decibels_of_mse(mse.max(1e-3));
        match self.request.options.rate {
            CodedRate::Ternary => {
                let chosen = self.choose()?;
                self.plan(chosen, steps)
            }
            CodedRate::ContainerDb(asked_db) => {
                let found = seek(all, usual, Take::Fewer, |quarters| {
                    steps.check()?;
                    let chosen = self.choose_from(start, quarters)?;
                    let lacks_db = |chosen: &Chosen| db(chosen.mse) - asked_db;
                    Ok(chosen.map(|chosen| (lacks_db(&chosen), (self.grid, self.demands, chosen))))
                })?;
                let (grid, demands, chosen) = found.of;
                if found.lacks_db < -NEAR {
                    return Err(Error::ContainerDb {
                        asked_db,
                        most_db: db(chosen.mse),
                        survive: self.request.survive,
                    });
                }
                (self.grid, self.demands) = (grid, demands);
                self.plan(chosen, steps)
            }
            rate @ (CodedRate::RevealedDb(_) | CodedRate::Equal) => {
                let found = seek(all, usual, Take::Enough, |quarters| {
                    let Some(chosen) = self.choose_from(start, quarters)? else {
                        return Ok(None);
                    };
                    let plan = self.plan(chosen, steps)?;
                    let asked_db = match rate {
                        CodedRate::RevealedDb(db) => db,
                        _ => db(plan.chosen.mse),
                    };
                    let lacks_db = asked_db - db(plan.fitted.mse);
                    Ok(Some((lacks_db, (self.grid, self.demands, plan))))
                })?;
                let (grid, demands, plan) = found.of;
                if let CodedRate::RevealedDb(asked_db) = rate
                    && found.lacks_db > NEAR
                {
                    return Err(self.not_reached(asked_db, &plan));
                }
                (self.grid, self.demands) = (grid, demands);
                Ok(plan)
            }
        }
    }

    /// [`Self::choose`] with another number of quarters; none where so many more are not kept.
    fn choose_from(
        &mut self,
        (grid, demands): (Grid, Demands),
        quarters: u8,
    ) -> Result<Option<Chosen>, Error> {
        self.grid = Grid { quarters, ..grid };
        self.demands = demands;
        match self.choose() {
            Err(Error::NotKept { .. }) if quarters > grid.quarters => Ok(None),
            chosen => chosen.map(Some),
        }
    }

    fn plan(&self, chosen: Chosen, steps: &mut Steps<'_>) -> Result<Plan, Error> {
        let coding = self.coding(chosen.parity)?;
        let mut fitted = self.fitted(&coding, steps)?;
        let restored = self.restored(&fitted);
        fitted.mse = restored.unwrap_or(fitted.mse);
        Ok(Plan {
            chosen,
            coding,
            fitted,
            restored: restored.is_some(),
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
    /// quality to survive.
    fn is_hopeless(&self) -> bool {
        let mut grid = self.grid;
        while let Some(coarser) = self.coarser(grid) {
            grid = coarser;
        }
        let demands = Demands {
            mending: Mending::Utmost,
            fast: false,
            twice: Twice::No,
        };
        let decides = |way: &Way| match way {
            Way::Saved(quality) => *quality == grid.survive,
            way => matches!(way, Way::Cropped(_)),
        };
        let mut ways = Way::all(grid, self.form, self.crop(), demands);
        ways.retain(decides);
        self.chosen_for(grid, demands, ways).is_none()
    }

    /// What gives way next: digits, on a coarser grid, then most second saves, then the container's
    /// likeness, then encoders with the fast transform, which few drawings bear, then every second
    /// save.
    fn retreat(&mut self) -> Result<(), Error> {
        let coarser = self.coarser(self.grid);
        let demands = &mut self.demands;
        match coarser {
            Some(grid) => self.grid = grid,
            None if demands.twice == Twice::Usual => demands.twice = Twice::Fine,
            None if demands.mending == Mending::Usual => demands.mending = Mending::Utmost,
            None if demands.fast && self.grid.survives_fast() => {
                (demands.fast, demands.mending) = (false, Mending::Usual);
            }
            None if demands.twice == Twice::Fine => {
                (demands.twice, demands.mending) = (Twice::No, Mending::Usual);
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
    fn message(&self, plan: &Plan) -> Vec<u8> {
        let secret = self.request.secret;
        let message = Message {
            own: (secret.width(), secret.height()),
            restored: plan.restored,
            segments: plan.fitted.coded.segments.clone(),
        };
        let mut bytes = message.to_bytes();
        bytes.resize(plan.coding.n_bytes() - TAG_BYTES, 0);
        bytes
    }

    /// The container, if it survives what it should.
    fn contained(&self, plan: &Plan, message: &[u8]) -> Option<Pixels> {
        let Plan { chosen, coding, .. } = plan;
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
                twice: self.demands.twice == Twice::Usual,
                cropped: self.crop().map(|crop| crop.quality),
                width: fitted.size.0,
                height: fitted.size.1,
                bytes: fitted.coded.len(),
                psnr_db: (fitted.mse > 0.0).then(|| decibels_of_mse(fitted.mse)),
            },
        }
    }

    fn not_reached(&self, asked_db: f64, best: &Plan) -> Error {
        let secret = coding_picture(self.request.secret);
        let curve = Encoder::new(&secret, self.request.effort()).estimate();
        let most = best.coding.n_bytes();
        let needed = mse_of_decibels(asked_db).map_or(most, |mse| curve.bytes_at(mse));
        Error::RevealedDb {
            asked_db,
            needed: needed.max(most),
            most,
            reachable_db: Some(decibels_of_mse(best.fitted.mse)),
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
