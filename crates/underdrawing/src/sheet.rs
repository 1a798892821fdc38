//! Contact sheets: what was hidden and what came back, side by side and labelled.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::metric::Comparison;
use crate::picture::Pixels;

/// Longest side of a picture in [`Sheet::contact`]; larger ones are scaled down.
const CONTACT_SIDE: usize = 512;
/// Longest side of a picture in [`Sheet::training`].
const TRAINING_SIDE: usize = 256;
/// Most pairs in [`Sheet::training`].
const TRAINING_COLUMNS: usize = 64;

const PAPER: [u8; 3] = [247, 247, 245];
const INK: [u8; 3] = [34, 34, 34];
const PALE_INK: [u8; 3] = [120, 120, 118];
const MARGIN: usize = 24;
const GAP: usize = 16;
const FONT: FontWeight = FontWeight::Regular;
const TEXT: RasterHeight = RasterHeight::Size20;
/// A label's line with the space below it.
const LABEL_HEIGHT: usize = 28;

/// The four pictures of one hidden secret, to be shown side by side.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// The picture that hides.
    pub cover: &'a Pixels,
    /// The cover with the secret in it.
    pub container: &'a Pixels,
    /// The picture that is hidden.
    pub secret: &'a Pixels,
    /// The secret as it came back.
    pub revealed: &'a Pixels,
}

impl Sheet<'_> {
    /// Two rows with labels: cover, container and their difference; secret, revealed and theirs.
    ///
    /// The differences are absolute and amplified 10 times: black where nothing changed. The PSNR
    /// of container and revealed stands beside their labels. Pictures are scaled down to 512 pixels
    /// a side, after the differences were taken. Where the sizes of a row differ, the difference is
    /// omitted.
    #[must_use]
    pub fn contact(&self) -> Pixels {
        let rows = [
            panels(["cover", "container"], self.cover, self.container),
            panels(["secret", "revealed"], self.secret, self.revealed),
        ];
        let mut widths = [0; 3];
        let mut heights = [0; 2];
        for (row, height) in rows.iter().zip(&mut heights) {
            for (panel, width) in row.iter().zip(&mut widths) {
                *width = panel.width().max(*width);
                *height = panel.picture.height().max(*height);
            }
        }
        let mut canvas = Canvas::new(
            2 * MARGIN + widths.iter().sum::<usize>() + 2 * GAP,
            2 * MARGIN + heights.iter().sum::<usize>() + 2 * LABEL_HEIGHT + GAP,
        );
        let mut y = MARGIN;
        for (row, height) in rows.iter().zip(heights) {
            let mut x = MARGIN;
            for (panel, width) in row.iter().zip(widths) {
                let note = x + text_width(&panel.label) + text_width(" ");
                canvas.text(x, y, &panel.label, INK);
                canvas.text(note, y, &panel.note, PALE_INK);
                canvas.paste(x, y + LABEL_HEIGHT, &panel.picture);
                x += width + GAP;
            }
            y += LABEL_HEIGHT + height + GAP;
        }
        canvas.0
    }

    /// Four labelled rows (cover, container, secret, revealed), one column a pair: a quick look at
    /// a training run. Pictures are scaled down to 256 pixels a side; at most 64 pairs are shown.
    #[must_use]
    pub fn training(columns: &[Self]) -> Pixels {
        const LABELS: [&str; 4] = ["cover", "container", "secret", "revealed"];
        let columns: Vec<[Pixels; 4]> = columns
            .iter()
            .take(TRAINING_COLUMNS)
            .map(|c| [c.cover, c.container, c.secret, c.revealed].map(|p| fitted(p, TRAINING_SIDE)))
            .collect();
        // A row is as high as its highest picture, and at least as its label.
        let height = |row: usize| {
            let pictures = columns.iter().map(|column| column[row].height());
            pictures.max().unwrap_or(0).max(LABEL_HEIGHT)
        };
        let width = |column: &[Pixels; 4]| column.iter().map(Pixels::width).max().unwrap_or(0);
        let left = MARGIN + text_width("container");
        let mut canvas = Canvas::new(
            left + columns.iter().map(|c| GAP + width(c)).sum::<usize>() + MARGIN,
            2 * MARGIN + (0..4).map(height).sum::<usize>() + 3 * GAP,
        );
        let mut y = MARGIN;
        for (row, label) in LABELS.iter().enumerate() {
            let label_y = y + (height(row) - LABEL_HEIGHT) / 2;
            canvas.text(left - text_width(label), label_y, label, INK);
            let mut x = left + GAP;
            for column in &columns {
                canvas.paste(x, y, &column[row]);
                x += width(column) + GAP;
            }
            y += height(row) + GAP;
        }
        canvas.0
    }
}

/// A picture with its label and a paler note beside it.
struct Panel {
    label: String,
    note: String,
    picture: Pixels,
}

impl Panel {
    fn width(&self) -> usize {
        let label = text_width(&self.label) + text_width(" ") + text_width(&self.note);
        label.max(self.picture.width())
    }
}

/// The panels of a row: both pictures and their difference.
fn panels([label_a, label_b]: [&str; 2], a: &Pixels, b: &Pixels) -> Vec<Panel> {
    let size = |pixels: &Pixels| format!("{}x{}", pixels.width(), pixels.height());
    let panel = |label: &str, note, picture: &Pixels| Panel {
        label: label.to_owned(),
        note,
        picture: fitted(picture, CONTACT_SIDE),
    };
    let (Some(difference), Ok(psnr_db)) =
        (a.amplified_difference(b), Comparison::psnr_db_only(a, b))
    else {
        return vec![panel(label_a, size(a), a), panel(label_b, size(b), b)];
    };
    let likeness = match psnr_db {
        Some(psnr_db) => format!("{psnr_db:.1} dB"),
        None => "identical".to_owned(),
    };
    vec![
        panel(label_a, size(a), a),
        panel(label_b, likeness, b),
        panel("difference", "x 10".to_owned(), &difference),
    ]
}

/// Scaled down, aspect kept, so that no side is longer than `side`.
fn fitted(picture: &Pixels, side: usize) -> Pixels {
    let longest = picture.width().max(picture.height());
    if longest <= side {
        return picture.clone();
    }
    let scaled = |length: usize| (length * side).div_ceil(longest);
    picture
        .resized(scaled(picture.width()), scaled(picture.height()))
        .expect("a smaller picture is within the limits")
}

fn text_width(text: &str) -> usize {
    text.chars().count() * get_raster_width(FONT, TEXT)
}

/// A sheet being drawn. What would lie outside is a mistake of the layout above, and panics.
struct Canvas(Pixels);

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        let paper = Pixels::from_fn(width, height, |_, _| PAPER);
        Self(paper.expect("a sheet is bounded by the number and sides of its pictures"))
    }

    fn paste(&mut self, x: usize, y: usize, picture: &Pixels) {
        let row_length = 3 * picture.width();
        let stride = 3 * self.0.width();
        for (row, samples) in picture.data().chunks_exact(row_length).enumerate() {
            let start = (y + row) * stride + 3 * x;
            self.0.data_mut()[start..start + row_length].copy_from_slice(samples);
        }
    }

    /// Writes printable ASCII with its top left corner at the position.
    fn text(&mut self, x: usize, y: usize, text: &str, ink: [u8; 3]) {
        let stride = 3 * self.0.width();
        for (i, raster) in text
            .chars()
            .filter_map(|c| get_raster(c, FONT, TEXT))
            .enumerate()
        {
            for (row, shades) in raster.rows().enumerate() {
                let start = (y + row) * stride + 3 * (x + i * raster.width());
                let samples = &mut self.0.data_mut()[start..start + 3 * shades.len()];
                for (rgb, &shade) in samples.chunks_exact_mut(3).zip(shades) {
                    for (sample, ink) in rgb.iter_mut().zip(ink) {
                        let shade = u32::from(shade);
                        let blended = u32::from(*sample) * (255 - shade) + u32::from(ink) * shade;
                        *sample = (blended / 255) as u8;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(width: usize, height: usize, rgb: [u8; 3]) -> Pixels {
        Pixels::from_fn(width, height, |_, _| rgb).unwrap()
    }

    /// Position of the first pixel of a colour, row by row.
    fn find(sheet: &Pixels, rgb: [u8; 3]) -> Option<(usize, usize)> {
        let i = sheet
            .data()
            .chunks_exact(3)
            .position(|pixel| pixel == rgb)?;
        Some((i % sheet.width(), i / sheet.width()))
    }

    #[test]
    fn a_contact_sheet_shows_six_pictures_in_two_rows() {
        let (cover, container) = (flat(300, 200, [200, 0, 0]), flat(300, 200, [204, 0, 30]));
        let (secret, revealed) = (flat(90, 1100, [0, 200, 0]), flat(90, 1100, [0, 199, 2]));
        let sheet = Sheet::contact(&Sheet {
            cover: &cover,
            container: &container,
            secret: &secret,
            revealed: &revealed,
        });
        let top = MARGIN + LABEL_HEIGHT;
        let bottom = top + 200 + GAP + LABEL_HEIGHT;
        let second = MARGIN + 300 + GAP;
        for (rgb, position) in [
            ([200, 0, 0], (MARGIN, top)),
            ([204, 0, 30], (second, top)),
            ([40, 0, 255], (second + 300 + GAP, top)),
            ([0, 200, 0], (MARGIN, bottom)),
            ([0, 199, 2], (second, bottom)),
            ([0, 10, 20], (second + 300 + GAP, bottom)),
        ] {
            assert_eq!(find(&sheet, rgb), Some(position), "{rgb:?}");
        }
        assert_eq!(sheet.height(), bottom + 512 + MARGIN);
        assert!(find(&sheet, INK).is_some(), "no label was written");
    }

    #[test]
    fn pictures_of_different_sizes_have_no_difference() {
        let (a, b) = (flat(1, 1, [1, 2, 3]), flat(2, 1, [200, 0, 0]));
        let column = Sheet {
            cover: &a,
            container: &b,
            secret: &a,
            revealed: &a,
        };
        let sheet = column.contact();
        assert!(find(&sheet, [200, 0, 0]).is_some());
        let black = sheet.data().chunks_exact(3).filter(|rgb| rgb == &[0; 3]);
        assert_eq!(
            black.count(),
            1,
            "only secret and revealed have a difference"
        );
    }

    #[test]
    fn a_training_sheet_has_a_column_a_pair() {
        let pictures = [[9, 0, 0], [8, 0, 0], [7, 0, 0], [6, 0, 0]].map(|rgb| flat(400, 40, rgb));
        let column = Sheet {
            cover: &pictures[0],
            container: &pictures[1],
            secret: &pictures[2],
            revealed: &pictures[3],
        };
        for (n, shown) in [(0, 0), (1, 1), (5, 5), (65, 64)] {
            let sheet = Sheet::training(&vec![column; n]);
            for rgb in [[9, 0, 0], [8, 0, 0], [7, 0, 0], [6, 0, 0]] {
                let count = sheet
                    .data()
                    .chunks_exact(3)
                    .filter(|pixel| *pixel == rgb)
                    .count();
                assert_eq!(count, shown * 256 * 26, "{n} pairs, {rgb:?}");
            }
        }
    }
}
