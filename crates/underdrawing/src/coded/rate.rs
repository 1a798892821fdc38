//! How many bytes the secret gets, and what the cover pays for them.

use underdrawing_codec::{Coded, Encoder, n_stripes};

use crate::coding::{coding_picture, decibels_of_mse, mse_of_decibels};
use crate::error::Error;
use crate::picture::Pixels;
use crate::progress::{Progress, Steps};
use crate::reduction::{self, Finish, Fitted};
use crate::secrecy::TAG_BYTES;

use super::channel::assured_capacity;
use super::layout::directory_bytes;
use super::mix::{Costs, Mix};
use super::options::{CodedOptions, CodedRate};
use super::preamble;

/// A mix with fewer bits is worth its header when it leaves this share of them unused.
const WORTH_SHRINKING: f64 = 0.99;

/// Encodings at most before a restored secret is as near to a quality asked for as this.
const RESTORED_ROUNDS: usize = 4;
const RESTORED_WITHIN: f64 = 0.99;

/// Encodings at most before container and revealed picture count as equal.
const EQUAL_ROUNDS: usize = 4;

/// Encodings at most before a reduced secret is as near to a quality asked for as this.
const QUALITY_ROUNDS: usize = 6;
const QUALITY_WITHIN_DB: f64 = 0.1;

/// Pixels a byte of the first of them, at least: where estimates say too little.
const FIRST_PIXELS_A_BYTE: f64 = 200.0;

/// Decibels that twice the bytes are expected to buy at few bits, to begin with.
const DB_A_DOUBLING: f64 = 2.0;

/// Decibels that a bit more for each pixel of the secret is expected to buy, between the 3.0 and
/// 2.5 that validation pictures showed from 3 to 4.75 and to 6 bits; after that, two codings tell.
const DB_A_BIT: f64 = 2.75;

/// Times the bytes that there are: estimates are a few per cent off, far more for odd pictures.
const PLAINLY_TOO_MUCH: usize = 2;

/// As near as equal qualities have to be, in dB.
const EQUAL_WITHIN_DB: f64 = 0.05;

/// A secret that fits its cover, and the mix that holds it.
pub(super) struct Held {
    pub(super) fitted: Fitted,
    pub(super) mix: Mix,
}

/// Codes the secret so that it fits.
pub(super) fn fit(
    cover: &Pixels,
    secret: &Pixels,
    options: &CodedOptions,
    steps: &mut Steps<'_>,
) -> Result<Held, Error> {
    let job = Job {
        cover,
        secret,
        costs: &Costs::of(cover),
        options,
    };
    match options.rate {
        CodedRate::Ternary => job.at_mix(Mix::TERNARY, steps),
        CodedRate::ContainerDb(db) => {
            let mix = mix_within(cover, mse_of_decibels(db)?, job.costs);
            job.at_mix(mix, steps)
        }
        CodedRate::RevealedDb(db) => job.at_quality(db, steps),
        CodedRate::Equal => job.equal(steps),
    }
}

/// The mix of the most bits that keeps a container's error within `mse`, header and all.
pub(super) fn mix_within(cover: &Pixels, mse: f64, costs: &Costs) -> Mix {
    let (all, payload) = (cover.data().len() as f64, payload_samples(cover) as f64);
    let of_header = (all - payload) * costs.mse(Mix::TERNARY);
    Mix::within_error((all * mse - of_header) / payload.max(1.0), costs)
}

/// What a mix holds of a secret, by coding it; none where nothing fits.
pub(super) fn at_mix(
    cover: &Pixels,
    secret: &Pixels,
    costs: &Costs,
    options: &CodedOptions,
    mix: Mix,
) -> Option<Held> {
    let job = Job {
        cover,
        secret,
        costs,
        options,
    };
    let mut ignore = Progress::ignore;
    job.at_mix(mix, &mut Steps::new(&mut ignore, 1)).ok()
}

/// Samples of a cover that hold the payload.
fn payload_samples(cover: &Pixels) -> usize {
    cover.data().len().saturating_sub(preamble::SAMPLES)
}

/// Bytes for the segments of a coded picture; none where not even what is around them fits.
pub(super) fn budget(cover: &Pixels, mix: Mix, n_segments: usize) -> Option<usize> {
    assured_capacity(payload_samples(cover), mix).checked_sub(overhead(n_segments))
}

/// Segments of a coded picture of this size.
pub(super) fn n_segments((width, height): (usize, usize)) -> usize {
    1 + n_stripes(width, height)
}

/// Bytes around coded segments: their directory, and a seal each and for the directory.
fn overhead(n_segments: usize) -> usize {
    directory_bytes(n_segments) + TAG_BYTES * (1 + n_segments)
}

struct Job<'a> {
    cover: &'a Pixels,
    secret: &'a Pixels,
    costs: &'a Costs,
    options: &'a CodedOptions,
}

impl Job<'_> {
    /// The best picture that the mix has room for.
    fn at_mix(&self, mix: Mix, steps: &mut Steps<'_>) -> Result<Held, Error> {
        let budget = |n_segments| budget(self.cover, mix, n_segments);
        let effort = |size| self.options.effort_for(size);
        let fitted = reduction::fit(self.secret, budget, effort, steps)?;
        let fitted = fitted.ok_or_else(|| self.too_small(mix))?;
        Ok(self.held(fitted, mix))
    }

    /// The secret at a quality, in the fewest bytes.
    fn at_quality(&self, db: f64, steps: &mut Steps<'_>) -> Result<Held, Error> {
        let size = (self.secret.width(), self.secret.height());
        let mse = mse_of_decibels(db)?;
        steps.check()?;
        let secret = coding_picture(self.secret);
        let encoder = Encoder::new(&secret, self.options.effort_for(size));
        let curve = encoder.estimate();
        let room = budget(self.cover, Mix::HIGHEST, n_segments(size)).unwrap_or(0);
        let reachable_db = Some(decibels_of_mse(curve.mse_at(room)));
        // Not coded where that is plain, unless it is a drawing, which takes less without loss.
        let (expected, most) = (curve.bytes_at(mse), self.most());
        if expected > PLAINLY_TOO_MUCH * most && encoder.encode_without_loss(most).is_none() {
            return Err(self.too_much(db, expected, reachable_db));
        }
        let pixels = (size.0 * size.1) as f64;
        let fitted = if 8.0 * (expected as f64) < reduction::PLENTY * pixels {
            self.by_bytes(db, expected, steps)?
        } else {
            self.within_error(&encoder, mse, steps)?
        };
        let needed = needed(&fitted.coded);
        let Some(mix) = self.least_mix(needed) else {
            return Err(self.too_much(db, needed, reachable_db));
        };
        Ok(Held { fitted, mix })
    }

    /// Bytes of the payload that the cover holds at most.
    fn most(&self) -> usize {
        assured_capacity(payload_samples(self.cover), Mix::HIGHEST)
    }

    fn too_much(&self, asked_db: f64, needed: usize, reachable_db: Option<f64>) -> Error {
        Error::RevealedDb {
            asked_db,
            needed,
            most: self.most(),
            reachable_db: reachable_db.filter(|&reachable| reachable < asked_db),
        }
    }

    /// The secret at a quality in about the fewest bytes, reduced where that takes fewer: by trying
    /// numbers of bytes, from those that are expected on.
    fn by_bytes(&self, db: f64, expected: usize, steps: &mut Steps<'_>) -> Result<Fitted, Error> {
        let effort = |size| self.options.effort_for(size);
        let pixels = (self.secret.width() * self.secret.height()) as f64;
        let most = self.most() as f64;
        let mut bytes = (pixels / FIRST_PIXELS_A_BYTE)
            .floor()
            .max(expected as f64)
            .min(most);
        let (mut best, mut reached) = (None::<Fitted>, None);
        let (mut before, mut slope) = (None::<(f64, f64)>, DB_A_DOUBLING);
        for _ in 0..QUALITY_ROUNDS {
            let budget = |n_segments| (bytes as usize).checked_sub(overhead(n_segments));
            let Some(fitted) = reduction::fit(self.secret, budget, effort, steps)? else {
                bytes = (2.0 * bytes).min(most);
                continue;
            };
            let (x, found) = (bytes.log2(), decibels_of_mse(fitted.mse));
            let is_all = bytes >= most;
            if is_all {
                reached = Some(found);
            }
            let is_smaller = |best: &Fitted| fitted.coded.len() < best.coded.len();
            if found >= db && best.as_ref().is_none_or(is_smaller) {
                best = Some(fitted);
            }
            if (db..db + QUALITY_WITHIN_DB).contains(&found) || is_all && found < db {
                break;
            }
            if let Some((x0, found0)) = before
                && (x - x0) * (found - found0) > 0.0
            {
                slope = ((found - found0) / (x - x0)).clamp(0.5, 8.0);
            }
            before = Some((x, found));
            let wanted = x + (db + QUALITY_WITHIN_DB / 2.0 - found) / slope;
            bytes = wanted.clamp(x - 3.0, x + 3.0).exp2().min(most);
        }
        best.ok_or_else(|| {
            let doublings = reached.map_or(1.0, |reached| (db - reached) / DB_A_DOUBLING);
            let needed = (most * doublings.exp2()) as usize;
            self.too_much(db, needed.max(expected), reached)
        })
    }

    /// The secret in its own size with an error of at most `mse`: coded more coarsely where it is
    /// restored.
    fn within_error(
        &self,
        encoder: &Encoder<'_>,
        mse: f64,
        steps: &mut Steps<'_>,
    ) -> Result<Fitted, Error> {
        let at = |aim| self.finished(encoder.encode_to_mse(aim));
        let mut best = at(mse);
        let (mut aim, mut found) = (mse, best.mse);
        for _ in 0..RESTORED_ROUNDS {
            if best.finish == Finish::Plain || best.mse >= RESTORED_WITHIN * mse {
                break;
            }
            steps.check()?;
            aim *= mse / found * f64::midpoint(1.0, RESTORED_WITHIN);
            let fitted = at(aim);
            found = fitted.mse;
            if found <= mse {
                best = fitted;
            }
        }
        Ok(best)
    }

    fn finished(&self, coded: Coded) -> Fitted {
        let own = (self.secret.width(), self.secret.height());
        reduction::finished(self.secret, coded, own)
    }

    /// Both pictures at one quality, as nearly as it goes.
    fn equal(&self, steps: &mut Steps<'_>) -> Result<Held, Error> {
        let mut tried = Mix::TERNARY;
        let mut best = self.at_mix(tried, steps)?;
        let mut slope = DB_A_BIT;
        // Bytes and decibels of the last one, which the next mix is chosen by.
        let of = |held: &Held| {
            let bytes = held.fitted.coded.len() as f64;
            (bytes, decibels_of_mse(held.fitted.mse), held.fitted.size)
        };
        let (mut bytes, mut db, mut size) = of(&best);
        for _ in 0..EQUAL_ROUNDS {
            if best.fitted.mse == 0.0 || self.decibels_apart(&best) < EQUAL_WITHIN_DB {
                break;
            }
            let bits = 8.0 / (size.0 * size.1) as f64;
            let expected_db = |mix| {
                let room = budget(self.cover, mix, n_segments(size)).unwrap_or(0) as f64;
                db + slope * bits * (room - bytes)
            };
            let crossing =
                Mix::least(|mix| expected_db(mix) >= decibels_of_mse(self.costs.mse(mix)));
            let mix = crossing.unwrap_or(Mix::HIGHEST);
            if mix == tried {
                break;
            }
            let held = self.at_mix(mix, steps)?;
            let (more, found_db, found_size) = of(&held);
            if (more - bytes) * (found_db - db) > 0.0 {
                slope = ((found_db - db) / (bits * (more - bytes))).clamp(1.0, 60.0);
            }
            (tried, bytes, db, size) = (mix, more, found_db, found_size);
            if self.decibels_apart(&held) < self.decibels_apart(&best) {
                best = held;
            }
        }
        Ok(best)
    }

    /// How far apart the qualities of container and revealed picture are.
    fn decibels_apart(&self, held: &Held) -> f64 {
        let container = decibels_of_mse(self.costs.mse(held.mix));
        (decibels_of_mse(held.fitted.mse) - container).abs()
    }

    /// With no more bits than it takes.
    fn held(&self, fitted: Fitted, mix: Mix) -> Held {
        let needed = needed(&fitted.coded);
        let room = assured_capacity(payload_samples(self.cover), mix);
        let mix = if (needed as f64) < WORTH_SHRINKING * room as f64 {
            self.least_mix(needed).unwrap_or(mix)
        } else {
            mix
        };
        Held { fitted, mix }
    }

    fn least_mix(&self, needed: usize) -> Option<Mix> {
        let n_samples = payload_samples(self.cover);
        Mix::least(|mix| assured_capacity(n_samples, mix) >= needed)
    }

    fn too_small(&self, mix: Mix) -> Error {
        let (width, height) = (self.cover.width(), self.cover.height());
        let room = |mix| assured_capacity(payload_samples(self.cover), mix);
        let (bytes, usual) = (room(mix), room(Mix::TERNARY));
        match self.options.rate {
            CodedRate::ContainerDb(asked_db) if bytes < usual => Error::NoRoomAtDb {
                asked_db,
                width,
                height,
                bytes,
                usual,
            },
            _ => Error::NoRoom {
                width,
                height,
                bytes,
            },
        }
    }
}

/// Bytes of the sealed payload.
fn needed(coded: &Coded) -> usize {
    coded.len() + overhead(coded.segments.len())
}
