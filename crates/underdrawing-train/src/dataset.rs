//! Training pictures: listed once, decoded and augmented by threads of their own.
//!
//! Which pictures a step sees, and how they are cropped, is a function of seed and step alone.
//! So the number of threads changes nothing, and a resumed run goes on exactly.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use underdrawing::{FileFormat, Limits, Picture, Pixels};

use crate::config::{Fit, TrainConfig};
use crate::drawing::drawing;
use crate::random::{below, unit};
use crate::share::Share;

/// Why a folder cannot be trained on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The folder cannot be listed.
    #[error("failed to list {}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Too few pictures.
    #[error("{} holds {found} readable pictures: expected at least {expected}", path.display())]
    TooFew {
        /// The folder.
        path: PathBuf,
        /// Pictures there.
        found: usize,
        /// Pictures needed.
        expected: usize,
    },
    /// Fewer training pictures than a step takes.
    #[error(
        "{} holds {found} readable pictures: expected at least {batch_size}, the batch size",
        path.display()
    )]
    LessThanABatch {
        /// The folder.
        path: PathBuf,
        /// Pictures there.
        found: usize,
        /// Pictures a step.
        batch_size: usize,
    },
}

impl DatasetError {
    /// Too few pictures for a batch.
    pub(crate) fn of_batch(self) -> Self {
        match self {
            Self::TooFew {
                path,
                found,
                expected,
            } => Self::LessThanABatch {
                path,
                found,
                batch_size: expected,
            },
            other => other,
        }
    }
}

/// The pictures of a folder and its subfolders, sorted by path.
///
/// # Errors
/// When the folder cannot be listed or holds fewer than `at_least` files that look like pictures.
pub(crate) fn list_pictures(folder: &Path, at_least: usize) -> Result<Vec<PathBuf>, DatasetError> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(path) = folders.pop() {
        let failed = |source| DatasetError::List {
            path: path.clone(),
            source,
        };
        for entry in std::fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?.path();
            let extension = entry.extension().and_then(|e| e.to_str());
            if entry.is_dir() {
                folders.push(entry);
            } else if extension.and_then(FileFormat::of_extension).is_some() {
                paths.push(entry);
            }
        }
    }
    paths.sort();
    if paths.len() < at_least {
        return Err(DatasetError::TooFew {
            path: folder.to_owned(),
            found: paths.len(),
            expected: at_least,
        });
    }
    Ok(paths)
}

/// Reads one picture; `None` when it is damaged or not a picture.
pub(crate) fn read_picture(path: &Path) -> Option<Pixels> {
    let bytes = std::fs::read(path).ok()?;
    let picture = Picture::decode(&bytes, &Limits::default()).ok()?;
    Some(picture.on_white().0)
}

/// What every worker shares.
pub(crate) struct Dataset {
    paths: Vec<PathBuf>,
    decoded: Vec<OnceLock<Arc<Pixels>>>,
    cache_left: AtomicUsize,
    damaged: Mutex<Vec<PathBuf>>,
    config: TrainConfig,
    steps: u64,
}

impl Dataset {
    pub(crate) fn new(paths: Vec<PathBuf>, config: &TrainConfig) -> Self {
        Self {
            decoded: paths.iter().map(|_| OnceLock::new()).collect(),
            steps: config.total_steps(paths.len()),
            paths,
            cache_left: AtomicUsize::new(config.cache_mib << 20),
            damaged: Mutex::new(Vec::new()),
            config: config.clone(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }

    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Bytes that decoded pictures will take once all have been met, by those that have.
    pub(crate) fn expected_bytes(&self, cache_mib: usize) -> usize {
        let kept = self.decoded.iter().filter_map(OnceLock::get);
        let sizes: Vec<usize> = kept.map(|picture| picture.data().len()).collect();
        let bytes: usize = sizes.iter().sum();
        let mean = bytes.checked_div(sizes.len()).unwrap_or(0);
        (mean * self.len()).min(cache_mib << 20)
    }

    /// Files met since the last call that are damaged or cannot be used, sorted.
    pub(crate) fn take_damaged(&self) -> Vec<PathBuf> {
        let mut damaged = std::mem::take(
            &mut *self
                .damaged
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        damaged.sort();
        damaged
    }

    /// A share of the batch of a step: the covers of its pairs, then the secrets,
    /// `[n, 3, size, size]` in [0, 1]. `None` when no picture can be used.
    pub(crate) fn batch(&self, step: u64, share: Share) -> Option<Vec<f32>> {
        let (batch_size, seed) = (self.config.batch_size, self.config.seed);
        let size = self.config.size_at(step, self.steps);
        let of_batch = batch_size / 2;
        let pairs = || share.pairs(of_batch);
        let slots = pairs().chain(pairs().map(|pair| of_batch + pair));
        let mut values = Vec::with_capacity(2 * pairs().len() * 3 * size * size);
        let n = self.len() as u64;
        let mut order = Vec::new();
        let mut order_epoch = None;
        for slot in slots {
            let position = step * batch_size as u64 + slot as u64;
            let epoch = position / n;
            if order_epoch != Some(epoch) {
                order = permutation(self.len(), seed, epoch);
                order_epoch = Some(epoch);
            }
            let random = |stream: u64| {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream((stream << 62) | position);
                random
            };
            let mut lot = random(3);
            let square = if f64::from(lot.next_u32()) < self.config.drawn * f64::from(u32::MAX) {
                drawing(size, &mut lot)
            } else {
                let picture = self.picture_from(order[(position % n) as usize])?;
                self.square(&picture, size, &mut random(1))
            };
            values.extend(square.to_planes());
        }
        Some(values)
    }

    /// The picture at `index`, or the next readable one after it.
    fn picture_from(&self, index: usize) -> Option<Arc<Pixels>> {
        (0..self.len()).find_map(|ahead| self.picture((index + ahead) % self.len()))
    }

    fn picture(&self, index: usize) -> Option<Arc<Pixels>> {
        if let Some(picture) = self.decoded[index].get() {
            return Some(picture.clone());
        }
        let picture = read_picture(&self.paths[index]).filter(|picture| self.can_use(picture));
        let Some(picture) = picture.map(Arc::new) else {
            let mut damaged = self
                .damaged
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if !damaged.contains(&self.paths[index]) {
                damaged.push(self.paths[index].clone());
            }
            return None;
        };
        let bytes = picture.data().len();
        let fits = self
            .cache_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(bytes)
            });
        if fits.is_ok() && self.decoded[index].set(picture.clone()).is_err() {
            // Another worker decoded it meanwhile.
            self.cache_left.fetch_add(bytes, Ordering::Relaxed);
        }
        Some(picture)
    }

    /// Whether squares can be cut from a picture: one that is too small is enlarged first, and a
    /// very thin one would then be longer than pictures may be.
    fn can_use(&self, picture: &Pixels) -> bool {
        let (width, height) = enlarged(picture, self.config.size_at(self.steps, self.steps));
        self.config.fit == Fit::Squeeze
            || Limits::default().check(width as u64, height as u64).is_ok()
    }

    fn square(&self, picture: &Pixels, size: usize, random: &mut ChaCha8Rng) -> Pixels {
        if self.config.fit == Fit::Squeeze {
            return resized(picture, size, size);
        }
        // Three eighths of the crops are drawn smaller by up to 0.6, which sharpens them, and a
        // quarter larger by up to 1.5: full-size camera pictures are softer than small ones.
        let shortest = picture.width().min(picture.height());
        let kind = random.next_u32() & 7;
        let amount = (random.next_u32() >> 16) as usize;
        let part_of = |most: usize| (most * amount) >> 16;
        let side = match kind {
            0..3 => size + part_of(size * 2 / 3),
            3..5 => size - part_of(size / 3),
            _ => size,
        };
        let larger;
        let (source, side) = if shortest >= size {
            (picture, side.min(shortest))
        } else {
            let (width, height) = enlarged(picture, size);
            larger = resized(picture, width, height);
            (&larger, size)
        };
        let mut below = |n| below(random, n);
        let left = below(source.width() - side + 1);
        let top = below(source.height() - side + 1);
        let flips = below(8);
        let crop = Pixels::from_fn(side, side, |x, y| {
            let x = if flips & 1 == 1 { side - 1 - x } else { x };
            let y = if flips & 2 == 2 { side - 1 - y } else { y };
            let (x, y) = if flips & 4 == 4 { (y, x) } else { (x, y) };
            source.pixel(left + x, top + y)
        })
        .expect("the square lies within the picture");
        let square = resized(&crop, size, size);
        if random.next_u32().is_multiple_of(8) {
            return burnt(&square, random);
        }
        square
    }
}

/// The size in which a square fits into a picture.
fn enlarged(picture: &Pixels, size: usize) -> (usize, usize) {
    let (width, height) = (picture.width(), picture.height());
    let shortest = width.min(height);
    if shortest >= size {
        return (width, height);
    }
    let scale = |side: usize| (side * size).div_ceil(shortest);
    (scale(width), scale(height))
}

/// A picture with burnt-out lights or blocked shadows, as skies and night scenes have them: the
/// network has to learn what room there is beside black and white.
fn burnt(picture: &Pixels, random: &mut ChaCha8Rng) -> Pixels {
    let lights = random.next_u32() & 1 == 0;
    let gain = 1.0 + 1.5 * unit(random);
    let stretched = |v: u8| {
        let v = f32::from(if lights { v } else { 255 - v }) * gain;
        let v = v.round().min(255.0) as u8;
        if lights { v } else { 255 - v }
    };
    Pixels::from_fn(picture.width(), picture.height(), |x, y| {
        picture.pixel(x, y).map(stretched)
    })
    .expect("the picture had this size")
}

/// A picture of the size that training asks for.
pub(crate) fn resized(picture: &Pixels, width: usize, height: usize) -> Pixels {
    picture
        .resized(width, height)
        .expect("training squares are within the limits")
}

/// A shuffled `0..n`, a function of seed and epoch (Fisher and Yates).
fn permutation(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(epoch);
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let j = ((u128::from(random.next_u64()) * (i as u128 + 1)) >> 64) as usize;
        order.swap(i, j);
    }
    order
}

/// Shares of batches in order of steps, made ahead of time by `workers` threads.
pub(crate) struct Loader {
    queues: Vec<Receiver<Option<Vec<f32>>>>,
    next: usize,
}

/// Batches that each worker keeps ready.
const AHEAD: usize = 2;

impl Loader {
    /// Of the steps `first..last`, `shares` of each.
    pub(crate) fn new(
        dataset: &Arc<Dataset>,
        first: u64,
        last: u64,
        shares: &[Share],
        workers: usize,
    ) -> Self {
        let queues = (0..workers)
            .map(|worker| {
                let (sender, receiver) = sync_channel(AHEAD);
                let (dataset, shares) = (dataset.clone(), shares.to_vec());
                std::thread::spawn(move || {
                    let steps = first..last;
                    let all = steps.flat_map(|step| shares.iter().map(move |share| (step, *share)));
                    let mine = all.skip(worker).step_by(workers);
                    produce(&dataset, mine, &sender);
                });
                receiver
            })
            .collect();
        Self { queues, next: 0 }
    }

    /// The next share; `None` after the last, or when no picture is readable.
    pub(crate) fn next_batch(&mut self) -> Option<Vec<f32>> {
        let queue = self.next;
        self.next = (queue + 1) % self.queues.len();
        self.queues[queue].recv().ok().flatten()
    }
}

fn produce(
    dataset: &Dataset,
    shares: impl Iterator<Item = (u64, Share)>,
    sender: &SyncSender<Option<Vec<f32>>>,
) {
    for (step, share) in shares {
        // The receiver is gone when the run was stopped.
        if sender.send(dataset.batch(step, share)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    #[test]
    fn permutations_hold_every_picture_once_and_differ_by_epoch() {
        let first = permutation(50, 1, 0);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert_ne!(first, permutation(50, 1, 1));
        assert_eq!(first, permutation(50, 1, 0));
    }

    fn folder_of_pictures(n: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..n {
            let pixels = Pixels::from_fn(20, 14 + i, |x, y| {
                [(x * 12) as u8, (y * 9) as u8, (i * 40) as u8]
            })
            .unwrap();
            let picture = Picture::from(pixels);
            let bytes = picture.encode(FileFormat::Png).unwrap();
            std::fs::write(folder.path().join(format!("{i}.png")), bytes).unwrap();
        }
        folder
    }

    #[test]
    fn batches_do_not_depend_on_workers_or_cache() {
        let folder = folder_of_pictures(5);
        let batches = |workers, cache_mib| {
            let paths = list_pictures(folder.path(), 5).unwrap();
            let config = TrainConfig {
                size: 16,
                batch_size: 4,
                cache_mib,
                ..Preset::Default.config()
            };
            let dataset = Arc::new(Dataset::new(paths, &config));
            let mut loader = Loader::new(&dataset, 2, 7, &[Share::WHOLE], workers);
            std::iter::from_fn(|| loader.next_batch()).collect::<Vec<_>>()
        };
        let one = batches(1, 0);
        assert_eq!(one.len(), 5);
        assert!(one.iter().all(|b| b.len() == 4 * 3 * 16 * 16));
        assert!(one[0].iter().all(|v| (0.0..=1.0).contains(v)));
        assert_ne!(one[0], one[1]);
        assert_eq!(one, batches(3, 16));
    }

    #[test]
    fn a_picture_that_two_workers_decode_is_kept_and_counted_once() {
        let folder = folder_of_pictures(5);
        let paths = list_pictures(folder.path(), 5).unwrap();
        for _ in 0..50 {
            let dataset = Dataset::new(paths.clone(), &Preset::Default.config());
            let before = dataset.cache_left.load(Ordering::Relaxed);
            let together = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        together.wait();
                        dataset.picture(2).unwrap();
                    });
                }
            });
            let bytes = 3 * 20 * 16;
            let left = dataset.cache_left.load(Ordering::Relaxed);
            assert_eq!(before - left, bytes);
            assert_eq!(dataset.expected_bytes(1), 5 * bytes);
        }
    }

    #[test]
    fn the_last_sixth_of_the_steps_sees_larger_squares() {
        let folder = folder_of_pictures(5);
        let sides = |size, late_size| {
            let config = TrainConfig {
                size,
                late_size,
                batch_size: 2,
                steps: 13,
                ..Preset::Default.config()
            };
            let paths = list_pictures(folder.path(), 5).unwrap();
            let dataset = Arc::new(Dataset::new(paths, &config));
            let mut loader = Loader::new(&dataset, 0, 13, &[Share::WHOLE], 2);
            let batches = std::iter::from_fn(|| loader.next_batch());
            let sides: Vec<usize> = batches.map(|b| (b.len() / 6).isqrt()).collect();
            (sides, config.work_left(3, 13), config.work_left(12, 13))
        };
        let late = |size, late| [vec![size; 11], vec![late; 2]].concat();
        assert_eq!(sides(8, 16), (late(8, 16), 8.0 + 2.0 * 4.0, 1.0));
        assert_eq!(sides(8, 0), (late(8, 8), 10.0, 1.0));
        assert_eq!(sides(16, 8), (late(16, 16), 10.0, 1.0));
    }

    #[test]
    fn shares_are_the_pairs_of_the_whole_batch() {
        let folder = folder_of_pictures(5);
        let config = TrainConfig {
            size: 16,
            batch_size: 10,
            ..Preset::Default.config()
        };
        let paths = list_pictures(folder.path(), 5).unwrap();
        let dataset = Arc::new(Dataset::new(paths, &config));
        // Five pairs a batch, which reaches into the second pass over the pictures.
        let whole = dataset.batch(1, Share::WHOLE).unwrap();
        let pictures: Vec<&[f32]> = whole.chunks(3 * 16 * 16).collect();
        let shares = Share::of_rank(1, 2, 2); // pairs 1 and 3, one after the other
        let mut loader = Loader::new(&dataset, 1, 2, &shares, 2);
        assert_eq!(
            loader.next_batch().unwrap(),
            [pictures[1], pictures[6]].concat()
        );
        assert_eq!(
            loader.next_batch().unwrap(),
            [pictures[3], pictures[8]].concat()
        );
        assert_eq!(loader.next_batch(), None);
    }

    #[test]
    fn pictures_that_are_too_thin_are_left_out() {
        let folder = folder_of_pictures(2);
        let thin = Pixels::from_fn(5000, 2, |x, _| [x as u8; 3]).unwrap();
        let png = Picture::from(thin).encode(FileFormat::Png).unwrap();
        let path = folder.path().join("thin.png");
        std::fs::write(&path, png).unwrap();
        for (fit, left_out) in [(Fit::Crop, vec![path]), (Fit::Squeeze, vec![])] {
            let config = TrainConfig {
                size: 16,
                batch_size: 6,
                drawn: 0.0,
                fit,
                ..Preset::Default.config()
            };
            let paths = list_pictures(folder.path(), 3).unwrap();
            let dataset = Dataset::new(paths, &config);
            assert_eq!(
                dataset.batch(0, Share::WHOLE).unwrap().len(),
                6 * 3 * 16 * 16
            );
            assert_eq!(dataset.take_damaged(), left_out);
        }
    }

    #[test]
    fn some_squares_have_burnt_lights_or_blocked_shadows() {
        let folder = tempfile::tempdir().unwrap();
        let pixels = Pixels::from_fn(16, 16, |x, y| [(60 + 4 * x + 4 * y) as u8; 3]).unwrap();
        let png = Picture::from(pixels).encode(FileFormat::Png).unwrap();
        std::fs::write(folder.path().join("grey.png"), png).unwrap();
        let config = TrainConfig {
            size: 16,
            batch_size: 400,
            drawn: 0.0,
            ..Preset::Default.config()
        };
        let paths = list_pictures(folder.path(), 1).unwrap();
        let batch = Dataset::new(paths, &config).batch(0, Share::WHOLE).unwrap();
        let squares = || batch.chunks(3 * 16 * 16);
        let share = |holds: fn(f32) -> bool| {
            let n = squares().filter(|s| s.iter().any(|v| holds(*v))).count();
            n as f64 / 400.0
        };
        let (black, white) = (share(|v| v == 0.0), share(|v| v == 1.0));
        assert!((0.01..0.1).contains(&black), "{black}");
        assert!((0.01..0.1).contains(&white), "{white}");
    }

    #[test]
    fn the_share_of_drawn_pictures_is_the_one_asked_for() {
        let folder = folder_of_pictures(4);
        let batch = |drawn| {
            let config = TrainConfig {
                size: 16,
                batch_size: 400,
                drawn,
                ..Preset::Default.config()
            };
            let paths = list_pictures(folder.path(), 4).unwrap();
            Dataset::new(paths, &config).batch(0, Share::WHOLE).unwrap()
        };
        let (none, some, all) = (batch(0.0), batch(0.25), batch(1.0));
        let square = 3 * 16 * 16;
        let mut n_drawn = 0;
        for i in 0..400 {
            let part = |batch: &[f32]| batch[i * square..][..square].to_vec();
            let drawn = part(&some) == part(&all);
            assert!(drawn || part(&some) == part(&none));
            n_drawn += usize::from(drawn);
        }
        assert!((70..130).contains(&n_drawn), "{n_drawn}");
    }

    #[test]
    fn a_damaged_picture_is_skipped_and_reported_once() {
        let folder = folder_of_pictures(3);
        std::fs::write(folder.path().join("1.png"), b"\x89PNG\r\n\x1a\nbroken").unwrap();
        let paths = list_pictures(folder.path(), 1).unwrap();
        let config = TrainConfig {
            size: 16,
            batch_size: 2,
            ..Preset::Recipe2018.config()
        };
        let dataset = Dataset::new(paths, &config);
        for step in 0..4 {
            assert!(dataset.batch(step, Share::WHOLE).is_some());
        }
        assert_eq!(dataset.take_damaged(), [folder.path().join("1.png")]);
    }

    #[test]
    fn an_empty_folder_is_an_error_that_says_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let error = list_pictures(folder.path(), 2).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("holds 0 readable pictures: expected at least 2")
        );
    }
}
