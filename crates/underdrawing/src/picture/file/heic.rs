//! HEIC, with the feature `heic`. The decoder crops and turns pictures as the file's own properties
//! ask, and makes RGB of what was coded; an Exif block's orientation does not count beside them.

use heifer::heifer_hevc_dec::nal::NalUnit;
use heifer::heifer_hevc_dec::params::ParameterSets;
use heifer::heifer_isobmff::boxes::{ColorInfo, Property};
use heifer::heifer_isobmff::{HeifFile, ItemId};
use heifer::{Error, Options};
use image::metadata::Orientation;

use super::colour::Named;
use super::stored::{Layout, Stored};
use super::{Conversion, FileFormat, ImageFileError, Picture};
use crate::picture::Limits;

const FORMAT: FileFormat = FileFormat::Heic;

/// How deep pictures that are made of others are looked into.
const MAX_DEPTH: usize = 4;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageFileError> {
    let file = HeifFile::parse(bytes).map_err(|error| failed(error.into()))?;
    let id = file.primary_id;
    let broken = |error: heifer::heifer_isobmff::Error| failed(error.into());
    if let Some((width, height)) = file.image_size(id).map_err(broken)? {
        limits.check(width.into(), height.into())?;
    }
    if !file.referenced_items(id, b"prem").is_empty() {
        return Err(ImageFileError::Unsupported {
            format: FORMAT,
            found: "colours multiplied by their alpha".to_owned(),
        });
    }
    let options = Options {
        max_pixels: limits.max_pixels,
        ..Options::default()
    };
    let image = heifer::decode_with_options(bytes, &options).map_err(failed)?;
    let (bits, most) = (image.bit_depth, u32::from(image.max_value()));
    let sixteen = |sample: u16| ((u32::from(sample) * 65_535 + most / 2) / most) as u16;
    let samples = match bits {
        8 => image.data.iter().map(|&sample| sample as u8).collect(),
        _ => (image.data.iter())
            .flat_map(|&sample| sixteen(sample).to_ne_bytes())
            .collect(),
    };
    let stored = Stored {
        width: image.width,
        height: image.height,
        orientation: Orientation::NoTransforms,
        profile: file.icc_profile(id).map_err(broken)?.map(<[u8]>::to_vec),
        samples,
        layout: Layout {
            grey: false,
            alpha: true,
            sixteen_bit: bits > 8,
        },
    };
    let has_profile = stored.profile.is_some();
    let mut picture = stored.picture(bytes, FORMAT, limits)?;
    picture.lossy = true;
    if !image.has_alpha {
        picture.alpha = None;
    }
    if file.top_level_image_ids().len() > 1 {
        picture.conversions.insert(0, Conversion::FirstFrame);
    }
    if !has_profile {
        let named = named_colours(&file, id).map_err(failed)?;
        picture.icc_profile = named.and_then(|(primaries, transfer)| {
            Named {
                primaries,
                transfer,
            }
            .profile(&mut picture.conversions)
        });
    }
    Ok(picture)
}

/// Numbers of primaries and curve (ITU-T H.273) of a picture, or of the first that it is made of: by
/// the file, or by what was coded.
fn named_colours(file: &HeifFile<'_>, mut id: ItemId) -> Result<Option<(u8, u8)>, Error> {
    let small = |n: u16| u8::try_from(n).unwrap_or(u8::MAX);
    for _ in 0..MAX_DEPTH {
        for property in file.item_properties(id)? {
            if let Property::Color(ColorInfo::Nclx {
                primaries,
                transfer,
                ..
            }) = property
            {
                return Ok(Some((small(*primaries), small(*transfer))));
            }
        }
        if let Some(config) = file.hevc_config(id)? {
            let mut sets = ParameterSets::default();
            for unit in &config.nal_units {
                sets.add(&NalUnit::parse(unit)?)?;
            }
            let vui = sets.sps.iter().flatten().find_map(|sps| sps.vui.as_ref());
            return Ok(vui.map(|vui| (vui.colour_primaries, vui.transfer_characteristics)));
        }
        let Some(&part) = file.referenced_items(id, b"dimg").first() else {
            break;
        };
        id = part;
    }
    Ok(None)
}

fn failed(error: Error) -> ImageFileError {
    match error {
        Error::Unsupported(_) => ImageFileError::Unsupported {
            format: FORMAT,
            found: "coding of a rare kind".to_owned(),
        },
        error => ImageFileError::Corrupt {
            format: FORMAT,
            reason: error.into(),
        },
    }
}
