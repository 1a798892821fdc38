//! Hiding: a cover and a secret to a container that survives JPEG.

use crate::coding::decibels_of_mse;
use crate::error::Error;
use crate::picture::Pixels;
use crate::progress::{OnProgress, Progress, Steps};
use crate::report::{Hidden, HiddenDetails};
use crate::secrecy::{Cost, TAG_BYTES};

use super::container::contain;
use super::embed::{Digits, Twice, costs};
use super::header::{Fields, Header};
use super::keys::{COST, Keys, salt};
use super::message::{Message, overhead};
use super::plan::{Plan, Planner, Request};

/// The channel, coding, embedding.
const STEPS: usize = 3;

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
    let mut planner = Planner::new(request)?;
    steps.check()?;
    let mut plan = planner.aimed(&mut steps)?;
    steps.step()?;
    loop {
        let bytes = message(request, &plan);
        if let Some(container) = contained(&planner, &plan, &bytes, cost) {
            steps.step()?;
            steps.step()?;
            return Ok(hidden(&planner, &plan, container));
        }
        let chosen = match plan.chosen.more() {
            Some(more) => more,
            None => {
                planner.retreat()?;
                planner.choose()?
            }
        };
        plan = planner.plan(chosen, &mut steps)?;
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
    let mut planner = Planner::new(request)?;
    let mut ignore = Progress::ignore;
    let plan = planner.aimed(&mut Steps::new(&mut ignore, STEPS))?;
    let n_bytes = plan.coding.n_bytes() - TAG_BYTES;
    Ok(Expected {
        bytes: n_bytes - overhead(plan.fitted.coded.segments.len(), n_bytes),
        container_mse: plan.chosen.mse,
        revealed_mse: plan.fitted.mse,
    })
}

/// All bytes that are sealed.
fn message(request: &Request<'_>, plan: &Plan) -> Vec<u8> {
    let secret = request.secret;
    let message = Message {
        own: (secret.width(), secret.height()),
        finish: plan.fitted.finish,
        segments: plan.fitted.coded.segments.clone(),
    };
    let mut bytes = message.to_bytes();
    bytes.resize(plan.coding.n_bytes() - TAG_BYTES, 0);
    bytes
}

/// The container, if it survives what it should.
fn contained(planner: &Planner<'_>, plan: &Plan, message: &[u8], cost: Cost) -> Option<Pixels> {
    let Plan { chosen, coding, .. } = plan;
    let Planner {
        request,
        sites,
        grid,
        form,
        demands,
    } = planner;
    let (cover, password) = (request.cover, request.options.password.as_ref());
    let fields = Fields::of(*grid, chosen.parity, sites);
    let salt = salt(password, cover.data(), &fields.to_bytes(), message, cost);
    let keys = Keys::derive(password, &salt, cost);
    let sealed = keys.payload.seal(0, message);
    let mask = keys.mask(coding.n_digits());
    let digits = Digits {
        header: &Header::new(salt, fields, &keys).to_digits(),
        payload: &coding.encode(&sealed, &mask, &costs(cover, sites, *grid)),
    };
    let container = contain(cover, sites, *grid, &digits, *form, *demands);
    let survives = chosen.survives(&container, *grid, coding, &mask, &sealed);
    survives.then_some(container)
}

fn hidden(planner: &Planner<'_>, plan: &Plan, container: Pixels) -> Hidden {
    let fitted = &plan.fitted;
    Hidden {
        container,
        details: HiddenDetails::Robust {
            password: planner.request.options.password.is_some(),
            survives: planner.grid.survive,
            twice: planner.demands.twice == Twice::Usual,
            cropped: planner.crop().map(|crop| crop.quality),
            width: fitted.size.0,
            height: fitted.size.1,
            bytes: fitted.coded.len(),
            psnr_db: (fitted.mse > 0.0).then(|| decibels_of_mse(fitted.mse)),
        },
    }
}
