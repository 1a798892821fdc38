//! From coefficients to a file's bytes: baseline, with codes fitted to the picture.

mod codes;

use crate::jpeg::{Block, Colours, Component, Jpeg, WALK};
use codes::{Pair, Symbols};

impl Jpeg {
    /// A baseline file.
    ///
    /// # Panics
    /// When a coefficient is outside of what baseline files hold, -1023 to 1023 (2047 for
    /// differences of the constant parts), or sides are over 65,535.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8];
        self.write_application(&mut bytes);
        let tables = self.tables();
        for (number, steps) in tables.iter().enumerate() {
            let wide = steps.iter().any(|&step| step > 255);
            let mut content = vec![number as u8 | u8::from(wide) << 4];
            for &place in &WALK {
                let step = steps[usize::from(place)];
                if wide {
                    content.extend(step.to_be_bytes());
                } else {
                    content.push(step as u8);
                }
            }
            segment(&mut bytes, 0xdb, &content);
        }
        self.write_frame(&mut bytes, &tables);
        self.write_scans(&mut bytes);
        bytes.extend([0xff, 0xd9]);
        bytes
    }

    fn write_application(&self, bytes: &mut Vec<u8>) {
        let has = |number: u8, name: &[u8]| {
            self.application
                .iter()
                .any(|(n, content)| *n == number && content.starts_with(name))
        };
        match self.colours {
            Colours::Grey | Colours::YCbCr => {
                if !has(0, b"JFIF\0") && !has(14, b"Adobe") {
                    // Version 1.1, square pixels, no thumbnail.
                    segment(bytes, 0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
                }
            }
            Colours::Rgb | Colours::Cmyk | Colours::Ycck => {
                if !has(14, b"Adobe") {
                    let transform = u8::from(self.colours == Colours::Ycck) * 2;
                    let mut content = b"Adobe\0\x64\0\0\0\0".to_vec();
                    content.push(transform);
                    segment(bytes, 0xee, &content);
                }
            }
        }
        for (number, content) in &self.application {
            segment(bytes, 0xe0 | number, content);
        }
    }

    /// The tables of steps that occur.
    fn tables(&self) -> Vec<[u16; 64]> {
        let mut tables: Vec<[u16; 64]> = Vec::new();
        for component in &self.components {
            if !tables.contains(&component.steps) {
                tables.push(component.steps);
            }
        }
        tables
    }

    fn write_frame(&self, bytes: &mut Vec<u8>, tables: &[[u16; 64]]) {
        let side = |n: usize| {
            u16::try_from(n)
                .expect("a side is at most 65,535")
                .to_be_bytes()
        };
        let wide = tables.iter().flatten().any(|&step| step > 255);
        let mut content = vec![8];
        content.extend(side(self.height));
        content.extend(side(self.width));
        content.push(self.components.len() as u8);
        for (i, component) in self.components.iter().enumerate() {
            let table = tables.iter().position(|steps| *steps == component.steps);
            content.push(self.id(i));
            content.push((component.horizontal << 4 | component.vertical) as u8);
            content.push(table.unwrap_or(0) as u8);
        }
        // Steps of 16 bits are beyond baseline.
        segment(bytes, if wide { 0xc1 } else { 0xc0 }, &content);
    }

    fn id(&self, i: usize) -> u8 {
        if self.colours == Colours::Rgb {
            b"RGB"[i.min(2)]
        } else {
            i as u8 + 1
        }
    }

    /// One scan of all components, or where a unit would be too large one of each.
    fn write_scans(&self, bytes: &mut Vec<u8>) {
        let mut counts = [Symbols::default(), Symbols::default()];
        let scans = self.scans();
        for scan in &scans {
            self.each_block(scan, |kind, block, last| counts[kind].count(block, last));
        }
        let codes = counts.map(Symbols::codes);
        for (kind, codes) in codes.iter().enumerate().take(self.components.len()) {
            for (class, codes) in [(0, &codes.constant), (0x10, &codes.others)] {
                let mut content = vec![class | kind as u8];
                content.extend(codes.description());
                segment(bytes, 0xc4, &content);
            }
        }
        for scan in &scans {
            self.write_scan(bytes, scan, &codes);
        }
    }

    fn write_scan(&self, bytes: &mut Vec<u8>, scan: &[usize], codes: &[Pair; 2]) {
        let mut content = vec![scan.len() as u8];
        for &i in scan {
            let kind = kind(i) as u8;
            content.extend([self.id(i), kind << 4 | kind]);
        }
        content.extend([0, 63, 0]);
        segment(bytes, 0xda, &content);
        let mut out = Bits {
            bytes,
            pending: 0,
            n_pending: 0,
        };
        self.each_block(scan, |kind, block, last| {
            codes::symbols(block, last, |symbol| {
                let table = if symbol.constant {
                    &codes[kind].constant
                } else {
                    &codes[kind].others
                };
                let (code, length) = table.of(symbol.symbol);
                out.put(code, length);
                out.put(symbol.value, symbol.length);
            });
        });
        out.finish();
    }

    fn scans(&self) -> Vec<Vec<usize>> {
        let blocks = |component: &Component| component.horizontal * component.vertical;
        let n = self.components.len();
        if n > 1 && self.components.iter().map(blocks).sum::<usize>() > MAX_UNIT {
            return (0..n).map(|i| vec![i]).collect();
        }
        vec![(0..n).collect()]
    }

    /// Calls `visit` with the kind of codes, each block in the order of a scan, and the constant
    /// part of the component's block before it.
    fn each_block(&self, scan: &[usize], mut visit: impl FnMut(usize, &Block, i16)) {
        let mut last = [0; 4];
        if let [alone] = *scan {
            let component = &self.components[alone];
            let (width, height) = self.samples_of(component);
            for y in 0..height.div_ceil(8) {
                for x in 0..width.div_ceil(8) {
                    let block = &component.blocks[y * component.blocks_wide + x];
                    visit(kind(alone), block, last[0]);
                    last[0] = block[0];
                }
            }
            return;
        }
        let units = |component: &Component| {
            let rows = component.blocks.len() / component.blocks_wide;
            (
                component.blocks_wide / component.horizontal,
                rows / component.vertical,
            )
        };
        let (wide, high) = self.components.first().map_or((0, 0), units);
        for unit in 0..wide * high {
            for (i, component) in self.components.iter().enumerate() {
                for part in 0..component.horizontal * component.vertical {
                    let x = unit % wide * component.horizontal + part % component.horizontal;
                    let y = unit / wide * component.vertical + part / component.horizontal;
                    let block = &component.blocks[y * component.blocks_wide + x];
                    visit(kind(i), block, last[i]);
                    last[i] = block[0];
                }
            }
        }
    }
}

/// Blocks in a unit of several components, at most (ITU-T T.81, B.2.3).
const MAX_UNIT: usize = 10;

/// Which codes a component uses: its own for the first, one pair for all others.
fn kind(component: usize) -> usize {
    component.min(1)
}

fn segment(bytes: &mut Vec<u8>, marker: u8, content: &[u8]) {
    let length = u16::try_from(content.len() + 2).expect("a segment is shorter than 65,534 bytes");
    bytes.extend([0xff, marker]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(content);
}

/// Bits of a scan; a byte of ones is followed by one of zeros.
struct Bits<'a> {
    bytes: &'a mut Vec<u8>,
    pending: u64,
    n_pending: u32,
}

impl Bits<'_> {
    fn put(&mut self, value: u32, length: u32) {
        self.pending = self.pending << length | u64::from(value);
        self.n_pending += length;
        while self.n_pending >= 8 {
            self.n_pending -= 8;
            let byte = (self.pending >> self.n_pending) as u8;
            self.bytes.push(byte);
            if byte == 0xff {
                self.bytes.push(0);
            }
        }
    }

    fn finish(mut self) {
        let n = (8 - self.n_pending % 8) % 8;
        self.put((1 << n) - 1, n);
    }
}
