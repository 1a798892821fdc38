//! What a file says its colours mean: as an ICC profile, or that they are sRGB.

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics,
};
use moxcms::{Layout, TransformOptions};

use super::structure::BmpProfile;
use super::{Conversion, FileFormat, structure};

/// Where a profile's header names its colour space, and where the signature of all profiles is.
const SPACE: std::ops::Range<usize> = 16..20;
const SIGNATURE: std::ops::Range<usize> = 36..40;

/// The profile that travels with the pixels; `read` is what the decoder found. None for sRGB, which
/// pixels without a profile are, and for what is left out, which `conversions` tell.
pub(super) fn profile(
    bytes: &[u8],
    format: FileFormat,
    read: Option<Vec<u8>>,
    conversions: &mut Vec<Conversion>,
) -> Option<Vec<u8>> {
    match format {
        FileFormat::Png => png_profile(bytes, read, conversions),
        FileFormat::Bmp => match structure::bmp_profile(bytes) {
            Some(BmpProfile::Embedded(profile)) if !profile.is_empty() => {
                rgb_profile(Some(profile.to_vec()), conversions)
            }
            Some(BmpProfile::Embedded(_) | BmpProfile::CutOff) => {
                conversions.push(Conversion::ProfileDamaged);
                None
            }
            Some(BmpProfile::Elsewhere) => {
                conversions.push(Conversion::ProfileElsewhere);
                None
            }
            None => {
                if structure::bmp_is_calibrated(bytes) {
                    conversions.push(Conversion::ColoursUnknown);
                }
                None
            }
        },
        _ => rgb_profile(read, conversions),
    }
}

/// The profile, if it is one, and for RGB.
pub(super) fn rgb_profile(
    profile: Option<Vec<u8>>,
    conversions: &mut Vec<Conversion>,
) -> Option<Vec<u8>> {
    let profile = profile.filter(|profile| !profile.is_empty())?;
    let length = structure::u32_be(&profile, 0).map_or(0, |n| n as usize);
    if profile.get(SIGNATURE) != Some(b"acsp") || length > profile.len() {
        conversions.push(Conversion::ProfileDamaged);
        return None;
    }
    let fitting = match &profile[SPACE] {
        b"RGB " => Some(profile),
        b"GRAY" if conversions.contains(&Conversion::GreyToRgb) => of_grey(&profile),
        _ => None,
    };
    if fitting.is_none() {
        conversions.push(Conversion::ProfileLeftOut);
    }
    fitting
}

/// The profile of RGB whose greys are those of a profile of grey.
fn of_grey(profile: &[u8]) -> Option<Vec<u8>> {
    let curve = ColorProfile::new_from_slice(profile).ok()?.gray_trc?;
    let mut of_rgb = ColorProfile::new_srgb();
    of_rgb.cicp = None;
    of_rgb.description = None;
    of_rgb.red_trc = Some(curve.clone());
    of_rgb.green_trc = Some(curve.clone());
    of_rgb.blue_trc = Some(curve);
    of_rgb.encode().ok()
}

/// PNG has four ways to say it; the first of them that is there counts (PNG, third edition, 4.3).
fn png_profile(
    bytes: &[u8],
    read: Option<Vec<u8>>,
    conversions: &mut Vec<Conversion>,
) -> Option<Vec<u8>> {
    let chunk = |name| structure::png_chunk(bytes, name);
    if chunk(b"sBIT").is_some_and(|bits| bits.iter().any(|&bits| bits < 8)) {
        conversions.push(Conversion::SignificantBits);
    }
    let meaning = if let Some(points) = chunk(b"cICP") {
        <[u8; 4]>::try_from(points).map_or(Meaning::Unknown, Meaning::of_code_points)
    } else if chunk(b"iCCP").is_some() {
        if read.is_none() {
            conversions.push(Conversion::ProfileDamaged);
        }
        return rgb_profile(read, conversions);
    } else if chunk(b"sRGB").is_some() {
        Meaning::Srgb
    } else {
        Meaning::of_gamma(chunk(b"gAMA"), chunk(b"cHRM"))
    };
    meaning.profile(conversions)
}

/// Colours by numbers of primaries and of a curve (ITU-T H.273).
#[cfg(feature = "heic")]
pub(super) struct Named {
    pub(super) primaries: u8,
    pub(super) transfer: u8,
}

#[cfg(feature = "heic")]
impl Named {
    /// The profile that says the same; none for sRGB, where nothing is said, and for what is left
    /// out, which `conversions` tell.
    pub(super) fn profile(&self, conversions: &mut Vec<Conversion>) -> Option<Vec<u8>> {
        const NOTHING_SAID: u8 = 2;
        if (self.primaries, self.transfer) == (NOTHING_SAID, NOTHING_SAID) {
            return None;
        }
        // The samples are RGB of the full range already.
        Meaning::of_code_points([self.primaries, self.transfer, 0, 1]).profile(conversions)
    }
}

/// What numbers say of colours.
enum Meaning {
    Srgb,
    Profile(Vec<u8>),
    /// Brighter than a profile of 8-bit samples can say.
    HighDynamicRange,
    Unknown,
}

impl Meaning {
    /// The profile that says it; none for sRGB and for what is left out, which `conversions` tell.
    fn profile(self, conversions: &mut Vec<Conversion>) -> Option<Vec<u8>> {
        match self {
            Self::Srgb => None,
            Self::Profile(profile) => Some(profile),
            Self::HighDynamicRange => {
                conversions.push(Conversion::ColoursLeftOut);
                None
            }
            Self::Unknown => {
                conversions.push(Conversion::ColoursUnknown);
                None
            }
        }
    }

    /// Of a cICP chunk (ITU-T H.273).
    fn of_code_points([primaries, transfer, matrix, full]: [u8; 4]) -> Self {
        /// PQ and HLG: brighter than any profile's white.
        const HIGH_DYNAMIC_RANGE: [u8; 2] = [16, 18];
        if HIGH_DYNAMIC_RANGE.contains(&transfer) {
            return Self::HighDynamicRange;
        }
        if (matrix, full) != (0, 1) {
            return Self::Unknown;
        }
        if (primaries, transfer) == (1, 13) {
            return Self::Srgb;
        }
        let (Ok(color_primaries), Ok(transfer_characteristics)) = (
            CicpColorPrimaries::try_from(primaries),
            TransferCharacteristics::try_from(transfer),
        ) else {
            return Self::Unknown;
        };
        let mut profile = ColorProfile::new_from_cicp(CicpProfile {
            color_primaries,
            transfer_characteristics,
            matrix_coefficients: MatrixCoefficients::Identity,
            full_range: true,
        });
        if profile.red_trc.is_none() {
            return Self::Unknown;
        }
        // The curves and colorants say it all, and to more readers.
        profile.cicp = None;
        Self::of(&profile)
    }

    /// Of a gAMA and a cHRM chunk: the exponent that encoded, and eight coordinates, all in
    /// 1/100,000.
    fn of_gamma(gamma: Option<&[u8]>, chromaticities: Option<&[u8]>) -> Self {
        /// sRGB, as both chunks state it, and how far from it the rounding of writers leads.
        const GAMMA: u32 = 45_455;
        const CHROMATICITIES: [u32; 8] = [
            31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000,
        ];
        const CLOSE: u32 = 100;
        /// Exponents that any screen or scanner had: 1/5 to 2.5.
        const GAMMAS: std::ops::RangeInclusive<u32> = 20_000..=250_000;
        let wrong = |chunk: Option<&[u8]>, length| chunk.is_some_and(|chunk| chunk.len() != length);
        if wrong(gamma, 4) || wrong(chromaticities, 32) {
            return Self::Unknown;
        }
        let gamma = gamma.and_then(|chunk| structure::u32_be(chunk, 0));
        let points = chromaticities;
        let points: Option<Vec<u32>> = points.map(|chunk| {
            (0..8)
                .filter_map(|i| structure::u32_be(chunk, 4 * i))
                .collect()
        });
        let points = points.unwrap_or_else(|| CHROMATICITIES.to_vec());
        let close = |a: u32, b: u32| a.abs_diff(b) <= CLOSE;
        let usual = points.iter().zip(CHROMATICITIES).all(|(&a, b)| close(a, b));
        if usual && gamma.is_none_or(|gamma| close(gamma, GAMMA)) {
            return Self::Srgb;
        }
        let at = |i: usize| Chromaticity {
            x: points[i] as f32 / 100_000.0,
            y: points[i + 1] as f32 / 100_000.0,
        };
        if gamma.is_some_and(|gamma| !GAMMAS.contains(&gamma)) || !are_colours(&points) {
            return Self::Unknown;
        }
        let mut profile = ColorProfile::new_srgb();
        profile.cicp = None;
        profile.description = None;
        profile.update_rgb_colorimetry(
            at(0).to_xyyb(),
            ColorPrimaries {
                red: at(2),
                green: at(4),
                blue: at(6),
            },
        );
        if let Some(gamma) = gamma.filter(|&gamma| !close(gamma, GAMMA)) {
            let curve = ToneReprCurve::Parametric(vec![100_000.0 / gamma as f32]);
            profile.red_trc = Some(curve.clone());
            profile.green_trc = Some(curve.clone());
            profile.blue_trc = Some(curve);
        }
        Self::of(&profile)
    }

    fn of(profile: &ColorProfile) -> Self {
        profile.encode().map_or(Self::Unknown, Self::Profile)
    }
}

/// Whether a white and three primaries, two coordinates each in 1/100,000, span colours: a triangle
/// with the white in it.
fn are_colours(points: &[u32]) -> bool {
    /// Twice the least area, a hundredth of sRGB's.
    const LEAST: i64 = 22_000_000;
    let exist = |point: &[u32]| point[0] <= 100_000 && point[1] <= 100_000 - point[0];
    let at = |i: usize| (i64::from(points[2 * i]), i64::from(points[2 * i + 1]));
    let area = |a: usize, b: usize, c: usize| {
        let ((ax, ay), (bx, by), (cx, cy)) = (at(a), at(b), at(c));
        (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    };
    let (all, parts) = (area(1, 2, 3), [area(0, 1, 2), area(0, 2, 3), area(0, 3, 1)]);
    let inside = parts.iter().all(|part| part.signum() == all.signum());
    points.chunks_exact(2).all(exist) && all.abs() >= LEAST && inside
}

/// Samples that a profile describes, in sRGB; none where the profile is not understood.
pub(super) fn to_srgb(samples: &[u8], profile: &[u8]) -> Option<Vec<u8>> {
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    let transform = profile.create_transform_8bit(
        Layout::Rgb,
        &ColorProfile::new_srgb(),
        Layout::Rgb,
        TransformOptions::default(),
    );
    let mut converted = vec![0; samples.len()];
    transform.ok()?.transform(samples, &mut converted).ok()?;
    Some(converted)
}
