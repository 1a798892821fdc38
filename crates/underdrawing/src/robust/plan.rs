//! Planning: a cover and a secret to the grid, the share of parity and the coded secret that give what
//! was asked for.

use underdrawing_codec::{Effort, Encoder};

use crate::coded::{CodedOptions, CodedRate};
use crate::coding::{coding_picture, decibels_of_mse, mse_of_decibels};
use crate::error::Error;
use crate::picture::Pixels;
use crate::progress::Steps;
use crate::reduction::{self, Fitted};
use crate::secrecy::TAG_BYTES;

use super::aim::{NEAR, Take, seek};
use super::container::{Crop, Form, Way};
use super::embed::{Demands, Mending, Twice};
use super::grid::Grid;
use super::message::overhead;
use super::payload::Coding;
use super::rate::{self, Chosen};
use super::sites::Sites;

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

/// What a container is to hold, and how.
pub(super) struct Plan {
    pub(super) chosen: Chosen,
    pub(super) coding: Coding,
    /// The secret; its error is that of what is revealed.
    pub(super) fitted: Fitted,
}

/// What is planned for a request, and under which demands.
pub(super) struct Planner<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) sites: Sites,
    pub(super) grid: Grid,
    pub(super) form: Form,
    pub(super) demands: Demands,
}

impl<'a> Planner<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Result<Self, Error> {
        let cover = request.cover;
        let (width, height) = (cover.width(), cover.height());
        let least = Sites::least_side(request.crop);
        let sites = Sites::new(width, height).filter(|_| width.min(height) >= least);
        let sites = sites.ok_or(Error::CoverTooSmall {
            width,
            height,
            least,
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
        })
    }

    /// The plan that gives what was asked for, as nearly as can be told before it is embedded.
    pub(super) fn aimed(&mut self, steps: &mut Steps<'_>) -> Result<Plan, Error> {
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

    pub(super) fn plan(&self, chosen: Chosen, steps: &mut Steps<'_>) -> Result<Plan, Error> {
        let coding = self.coding(chosen.parity)?;
        let fitted = self.fitted(&coding, steps)?;
        Ok(Plan {
            chosen,
            coding,
            fitted,
        })
    }

    /// The share of parity, after what has to give way where no share is enough for this cover.
    pub(super) fn choose(&mut self) -> Result<Chosen, Error> {
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
            way => matches!(way, Way::Cropped(..)),
        };
        let mut ways = Way::all(grid, self.form, self.crop(), demands);
        ways.retain(decides);
        self.chosen_for(grid, demands, ways).is_none()
    }

    /// What gives way next: digits, on a coarser grid, then most second saves, then the container's
    /// likeness, then encoders with the fast transform, which few drawings bear, then every second
    /// save.
    pub(super) fn retreat(&mut self) -> Result<(), Error> {
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

    pub(super) fn crop(&self) -> Option<Crop> {
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
            crop: self.request.crop,
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
