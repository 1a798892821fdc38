//! What ranks tell each other before they train: rank 0 what to train, all of them which pictures
//! they see. So only the pictures to train on must be there for every rank, under one path.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use underdrawing_net::Ranks;

use crate::config::{RunPaths, TrainConfig};
use crate::dataset::DatasetError;
use crate::error::TrainError;

/// Where a run stands.
#[derive(Debug, PartialEq)]
pub(crate) struct Beginning {
    pub(crate) settings: Settings,
    /// A checkpoint's file.
    pub(crate) checkpoint: Vec<u8>,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) paths: RunPaths,
    pub(crate) config: TrainConfig,
}

/// Tells the other ranks; nothing when this one could not begin.
pub(crate) fn tell(ranks: &dyn Ranks, beginning: Option<&Beginning>) {
    let bytes = beginning.map_or_else(Vec::new, |beginning| {
        let settings = toml::to_string(&beginning.settings).expect("settings are plain values");
        let length = settings.len() as u64;
        [
            &length.to_le_bytes()[..],
            settings.as_bytes(),
            &beginning.checkpoint,
        ]
        .concat()
    });
    ranks.broadcast(bytes);
}

/// What rank 0 tells.
pub(crate) fn hear(ranks: &dyn Ranks) -> Result<Beginning, TrainError> {
    let mut bytes = ranks.broadcast(Vec::new());
    let read = || {
        let (length, rest) = bytes.split_at_checked(8)?;
        let length = u64::from_le_bytes(length.try_into().ok()?) as usize;
        let (settings, _) = rest.split_at_checked(length)?;
        Some((toml::from_slice(settings).ok()?, 8 + length))
    };
    let (settings, length) = read().ok_or(TrainError::NotBegun)?;
    Ok(Beginning {
        settings,
        checkpoint: bytes.split_off(length),
    })
}

/// Bytes in which a rank says what it sees.
const SAID: usize = 512;

/// Refuses pictures that are not the same for all ranks, by their names below the folder and their
/// sizes in bytes. Each rank comes to the same end.
pub(crate) fn compare_pictures(
    ranks: &dyn Ranks,
    folder: &Path,
    pictures: Result<&[PathBuf], &DatasetError>,
) -> Result<(), TrainError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    // A letter, a digest or zeros, and words.
    let (letter, digest, words) = match pictures {
        Ok(pictures) => {
            let words = format!("{} pictures in {}", pictures.len(), folder.display());
            (b'+', digest(folder, pictures), words)
        }
        Err(error) => (b'-', 0, error.to_string()),
    };
    let mut said = [&[letter][..], &digest.to_le_bytes(), words.as_bytes()].concat();
    said.resize(SAID, 0);
    let all = ranks.gather(&said);
    let words = |said: &[u8]| {
        let words = String::from_utf8_lossy(&said[9..]).into_owned();
        words.trim_end_matches('\0').to_owned()
    };
    for (rank, said) in all.chunks_exact(SAID).enumerate() {
        let reason = if said[0] == b'-' {
            words(said)
        } else if said[..9] != all[..9] {
            format!(
                "it has {}, of other names or sizes than the {} of rank 0",
                words(said),
                words(&all[..SAID])
            )
        } else {
            continue;
        };
        return Err(TrainError::OtherPictures { rank, reason });
    }
    Ok(())
}

fn digest(folder: &Path, pictures: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in pictures {
        path.strip_prefix(folder).unwrap_or(path).hash(&mut hasher);
        let size = path.metadata().map_or(0, |metadata| metadata.len());
        size.hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Preset;
    use crate::dataset::list_pictures;
    use crate::thread_ranks::on_ranks;

    /// What two ranks make of the pictures that each sees.
    fn compared(names: [&[(&str, usize)]; 2]) -> [Result<(), String>; 2] {
        let place = tempfile::tempdir().unwrap();
        for (rank, names) in names.iter().enumerate() {
            let folder = place.path().join(rank.to_string());
            fs::create_dir(&folder).unwrap();
            for (name, size) in *names {
                fs::write(folder.join(name), vec![0; *size]).unwrap();
            }
        }
        let compared = on_ranks(2, |ranks| {
            let folder = place.path().join(ranks.rank().to_string());
            let pictures = list_pictures(&folder, 2);
            let pictures = pictures.as_ref().map(Vec::as_slice);
            let result = compare_pictures(&ranks, &folder, pictures);
            result.map_err(|error| error.to_string())
        });
        compared.try_into().unwrap()
    }

    #[test]
    fn ranks_that_see_other_pictures_are_named() {
        let usual = [("a.png", 3), ("b.png", 4)];
        assert_eq!(compared([&usual, &usual]), [Ok(()), Ok(())]);
        for other in [[("a.png", 3), ("b.png", 5)], [("a.png", 3), ("c.png", 4)]] {
            let [first, second] = compared([&usual, &other]);
            assert_eq!(first, second);
            let text = first.unwrap_err();
            let begin = "rank 1 cannot train with the others: it has 2 pictures in ";
            assert!(text.starts_with(begin), "{text}");
        }
        let [first, second] = compared([&usual, &usual[..1]]);
        assert_eq!(first, second);
        let text = first.unwrap_err();
        assert!(text.contains("1 holds 1 readable pictures"), "{text}");
    }

    #[test]
    fn what_rank_0_tells_is_heard() {
        let beginning = || Beginning {
            settings: Settings {
                paths: RunPaths {
                    train: "train".into(),
                    val: "val".into(),
                    out: "run".into(),
                },
                config: Preset::Recipe2018.config(),
            },
            checkpoint: vec![1, 2, 3],
        };
        let heard = on_ranks(3, |ranks| match ranks.rank() {
            0 => {
                tell(&ranks, Some(&beginning()));
                beginning()
            }
            _ => hear(&ranks).unwrap(),
        });
        assert!(heard.iter().all(|heard| *heard == beginning()));
    }
}
