//! From a file's bytes to coefficients: markers and their segments.

mod bits;
mod codes;
mod scan;

use crate::error::JpegError;
use crate::jpeg::WALK;
use crate::jpeg::{Colours, Component, Jpeg, most};
use bits::Bits;
use codes::Codes;
use scan::{Part, Process, Scan};

/// Scans at most: a file may hold any number of scans of next to no bytes, each over all blocks.
const MAX_SCANS: usize = 100;

/// Samples a side at most.
const MAX_SIDE: usize = 65_500;

impl Jpeg {
    /// Reads a file of at most `max_pixels` pixels; nothing of that size is allocated for a larger
    /// one. Memory: two bytes a sample.
    ///
    /// # Errors
    /// When the bytes are no JPEG, end early, are damaged, or of a kind that is not read.
    pub fn read(bytes: &[u8], max_pixels: u64) -> Result<Self, JpegError> {
        Reader::new(bytes, max_pixels).read()
    }
}

/// A component on the way in.
pub(super) struct Plane {
    pub(super) id: u8,
    table: usize,
    /// Whether its steps were noted, at its first scan.
    begun: bool,
    /// Bits of each coefficient that no scan brought yet.
    missing: [u32; 64],
    pub(super) component: Component,
    /// Blocks across and down in a scan of its own.
    pub(super) own: (usize, usize),
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    max_pixels: u64,
    steps: [Option<[u16; 64]>; 4],
    constant: [Option<Codes>; 4],
    others: [Option<Codes>; 4],
    restart: usize,
    application: Vec<(u8, Vec<u8>)>,
    /// Width, height, and whether it is progressive; there after the frame header.
    frame: Option<(usize, usize, bool)>,
    planes: Vec<Plane>,
    scans: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], max_pixels: u64) -> Self {
        Self {
            bytes,
            position: 0,
            max_pixels,
            steps: [None; 4],
            constant: [const { None }; 4],
            others: [const { None }; 4],
            restart: 0,
            application: Vec::new(),
            frame: None,
            planes: Vec::new(),
            scans: 0,
        }
    }

    fn read(mut self) -> Result<Jpeg, JpegError> {
        if !self.bytes.starts_with(&[0xff, 0xd8]) {
            return Err(JpegError::Damaged("not a JPEG"));
        }
        self.position = 2;
        loop {
            let Some(marker) = self.marker() else {
                // Some writers leave out the end marker.
                if self.is_whole() {
                    return self.finish();
                }
                return Err(JpegError::Truncated);
            };
            match marker {
                0xd9 => return self.finish(),
                // Restarts and others without content.
                0x01 | 0xd0..=0xd8 => {}
                0xda => self.scan()?,
                _ => {
                    let segment = self.segment()?;
                    self.note(marker, segment)?;
                }
            }
        }
    }

    /// The next marker; bytes before it are skipped.
    fn marker(&mut self) -> Option<u8> {
        loop {
            let rest = self.bytes.get(self.position..)?;
            let start = rest.iter().position(|&byte| byte == 0xff)?;
            let after = rest[start..].iter().position(|&byte| byte != 0xff)?;
            let marker = rest[start + after];
            self.position += start + after + 1;
            if marker != 0 {
                return Some(marker);
            }
        }
    }

    /// The segment that follows a marker.
    fn segment(&mut self) -> Result<&'a [u8], JpegError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let length = rest.first_chunk::<2>().ok_or(JpegError::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length < 2 {
            return Err(JpegError::Damaged("a segment is shorter than its length"));
        }
        let segment = rest.get(2..length).ok_or(JpegError::Truncated)?;
        self.position += length;
        Ok(segment)
    }

    fn note(&mut self, marker: u8, segment: &[u8]) -> Result<(), JpegError> {
        match marker {
            0xdb => self.step_tables(segment),
            0xc4 => self.code_tables(segment),
            0xdd => {
                let restart = segment.first_chunk::<2>().ok_or(JpegError::Truncated)?;
                self.restart = u16::from_be_bytes(*restart).into();
                Ok(())
            }
            0xe0..=0xef => {
                self.application.push((marker & 15, segment.to_vec()));
                Ok(())
            }
            0xc0..=0xc2 => self.frame(segment, marker == 0xc2),
            0xc3 | 0xc7 | 0xcb | 0xcf => Err(JpegError::Unsupported("lossless coding")),
            0xc5 | 0xc6 | 0xcd | 0xce => Err(JpegError::Unsupported("hierarchical coding")),
            0xc9 | 0xca | 0xcc => Err(JpegError::Unsupported("arithmetic codes")),
            0xf7 => Err(JpegError::Unsupported("the coding of JPEG-LS")),
            _ => Ok(()),
        }
    }

    fn step_tables(&mut self, mut segment: &[u8]) -> Result<(), JpegError> {
        while let Some((&kind, rest)) = segment.split_first() {
            let wide = kind >> 4 != 0;
            let n_bytes = if wide { 128 } else { 64 };
            let (values, rest) = rest.split_at_checked(n_bytes).ok_or(JpegError::Truncated)?;
            let slot = self.steps.get_mut(usize::from(kind & 15));
            let slot = slot.ok_or(JpegError::Damaged("a table's number is above 3"))?;
            let mut steps = [0; 64];
            for (i, &place) in WALK.iter().enumerate() {
                steps[usize::from(place)] = if wide {
                    u16::from_be_bytes([values[2 * i], values[2 * i + 1]])
                } else {
                    values[i].into()
                };
            }
            *slot = Some(steps);
            segment = rest;
        }
        Ok(())
    }

    fn code_tables(&mut self, mut segment: &[u8]) -> Result<(), JpegError> {
        while let Some((&kind, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(JpegError::Truncated)?;
            let n_symbols = counts.iter().map(|&n| usize::from(n)).sum();
            let (symbols, rest) = rest
                .split_at_checked(n_symbols)
                .ok_or(JpegError::Truncated)?;
            let tables = match kind >> 4 {
                0 => &mut self.constant,
                1 => &mut self.others,
                _ => return Err(JpegError::Damaged("a table of codes of no kind")),
            };
            let slot = tables.get_mut(usize::from(kind & 15));
            let slot = slot.ok_or(JpegError::Damaged("a table's number is above 3"))?;
            *slot = Some(Codes::new(counts, symbols)?);
            segment = rest;
        }
        Ok(())
    }

    fn frame(&mut self, segment: &[u8], progressive: bool) -> Result<(), JpegError> {
        if self.frame.is_some() {
            return Err(JpegError::Damaged("two frame headers"));
        }
        let (header, components) = segment
            .split_first_chunk::<6>()
            .ok_or(JpegError::Truncated)?;
        if header[0] != 8 {
            return Err(JpegError::Unsupported("more than 8 bits a sample"));
        }
        let height = usize::from(u16::from_be_bytes([header[1], header[2]]));
        let width = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let (components, _) = components.as_chunks::<3>();
        if !(1..=4).contains(&header[5]) || components.len() != usize::from(header[5]) {
            return Err(JpegError::Unsupported("an unusual number of components"));
        }
        if height == 0 {
            return Err(JpegError::Unsupported("their height after their rows"));
        }
        if width == 0 || width > MAX_SIDE || height > MAX_SIDE {
            return Err(JpegError::Damaged("a side of no or too many pixels"));
        }
        let max_pixels = self.max_pixels;
        if (width * height) as u64 > max_pixels {
            return Err(JpegError::TooLarge {
                width,
                height,
                max_pixels,
            });
        }
        for &[id, factors, table] in components {
            let (horizontal, vertical) = (usize::from(factors >> 4), usize::from(factors & 15));
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) || table > 3 {
                return Err(JpegError::Damaged("a component's header is wrong"));
            }
            self.planes.push(Plane {
                id,
                table: table.into(),
                begun: false,
                missing: [u32::MAX; 64],
                component: Component {
                    horizontal,
                    vertical,
                    steps: [0; 64],
                    blocks_wide: 0,
                    blocks: Vec::new(),
                },
                own: (0, 0),
            });
        }
        self.frame = Some((width, height, progressive));
        self.allocate(width, height)
    }

    fn allocate(&mut self, width: usize, height: usize) -> Result<(), JpegError> {
        let factors: Vec<(usize, usize)> = self
            .planes
            .iter()
            .map(|plane| (plane.component.horizontal, plane.component.vertical))
            .collect();
        let across = factors.iter().map(|f| f.0).max().unwrap_or(1);
        let down = factors.iter().map(|f| f.1).max().unwrap_or(1);
        let fractional = |&(h, v): &(usize, usize)| across % h != 0 || down % v != 0;
        if factors.iter().any(fractional) {
            return Err(JpegError::Unsupported("fractional sampling"));
        }
        let units = (width.div_ceil(8 * across), height.div_ceil(8 * down));
        for plane in &mut self.planes {
            let component = &mut plane.component;
            component.blocks_wide = units.0 * component.horizontal;
            let blocks_high = units.1 * component.vertical;
            component.blocks = vec![[0; 64]; component.blocks_wide * blocks_high];
            plane.own = (
                (width * component.horizontal).div_ceil(8 * across),
                (height * component.vertical).div_ceil(8 * down),
            );
        }
        Ok(())
    }

    fn scan(&mut self) -> Result<(), JpegError> {
        let segment = self.segment()?;
        let (_, _, progressive) = self
            .frame
            .ok_or(JpegError::Damaged("a scan before its frame"))?;
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(JpegError::Damaged("too many scans"));
        }
        let (&n, rest) = segment.split_first().ok_or(JpegError::Truncated)?;
        let (list, rest) = rest
            .split_at_checked(2 * usize::from(n))
            .ok_or(JpegError::Truncated)?;
        let &[first, last, bits] = rest.first_chunk::<3>().ok_or(JpegError::Truncated)?;
        let mut parts = Vec::new();
        for &[id, tables] in list.as_chunks::<2>().0 {
            let index = self.planes.iter().position(|plane| plane.id == id);
            let index = index.ok_or(JpegError::Damaged("a scan of an unknown component"))?;
            if parts.iter().any(|part: &Part| part.plane == index) {
                return Err(JpegError::Damaged("a scan holds a component twice"));
            }
            self.begin(index)?;
            parts.push(Part {
                plane: index,
                constant: usize::from(tables >> 4),
                others: usize::from(tables & 15),
            });
        }
        let process = if progressive {
            Process::progressive(first, last, bits)?
        } else {
            Process::Sequential
        };
        if parts.is_empty() || parts.len() > 1 && !process.may_interleave() {
            return Err(JpegError::Damaged("a scan of a wrong number of components"));
        }
        let mut scan = Scan {
            bits: Bits::new(self.bytes, self.position),
            planes: &mut self.planes,
            parts,
            constant: &self.constant,
            others: &self.others,
            process,
            restart: self.restart,
        };
        scan.read()?;
        self.position = scan.bits.position();
        let (coefficients, low) = process.brings();
        for part in &scan.parts {
            scan.planes[part.plane].missing[coefficients.clone()].fill(low);
        }
        Ok(())
    }

    /// The steps that hold at a component's first scan are its steps.
    fn begin(&mut self, index: usize) -> Result<(), JpegError> {
        let plane = &mut self.planes[index];
        if !plane.begun {
            plane.component.steps =
                self.steps[plane.table].ok_or(JpegError::Damaged("a table of steps is missing"))?;
            plane.begun = true;
        }
        Ok(())
    }

    /// Whether a file without an end marker may end here: all bits of all coefficients came.
    fn is_whole(&self) -> bool {
        let all = |plane: &Plane| plane.missing == [0; 64];
        !self.planes.is_empty() && self.planes.iter().all(all)
    }

    fn finish(self) -> Result<Jpeg, JpegError> {
        let (width, height, _) = self.frame.ok_or(JpegError::Truncated)?;
        if !self.planes.iter().all(|plane| plane.begun) {
            return Err(JpegError::Truncated);
        }
        let ids: Vec<u8> = self.planes.iter().map(|plane| plane.id).collect();
        let colours = colours(&ids, &self.application);
        let components: Vec<Component> = self
            .planes
            .into_iter()
            .map(|plane| plane.component)
            .collect();
        debug_assert!(most(&components).0 <= 4);
        Ok(Jpeg {
            width,
            height,
            colours: colours.ok_or(JpegError::Unsupported("two components"))?,
            components,
            application: self.application,
        })
    }
}

/// What components mean, by the rules of libjpeg: a JFIF segment goes before an Adobe one, and that
/// before their names.
fn colours(ids: &[u8], application: &[(u8, Vec<u8>)]) -> Option<Colours> {
    let starts = |number, name: &'static [u8]| {
        application
            .iter()
            .find(move |(n, content)| *n == number && content.starts_with(name))
    };
    let jfif = starts(0, b"JFIF\0").is_some();
    let adobe = starts(14, b"Adobe").and_then(|(_, content)| content.get(11).copied());
    Some(match (ids.len(), adobe) {
        (1, _) => Colours::Grey,
        (3, _) if jfif => Colours::YCbCr,
        (3, Some(0)) => Colours::Rgb,
        (3, Some(_)) => Colours::YCbCr,
        (3, None) if ids == b"RGB" => Colours::Rgb,
        (3, None) => Colours::YCbCr,
        (4, Some(2)) => Colours::Ycck,
        (4, _) => Colours::Cmyk,
        _ => return None,
    })
}
