//! Scratch: bits of the model over pictures.
use crate::encoder::Encoder;
use crate::entropy::Counter;
use crate::quantise::Machine;
use crate::{Effort, Picture};

#[test]
fn measure() {
    let Ok(folder) = std::env::var("PICS") else {
        return;
    };
    let count: usize = std::env::var("COUNT").map_or(8, |c| c.parse().unwrap());
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    files.sort();
    let (mut bits, mut fast, mut pixels, mut coefs, mut time) = (0.0, 0.0, 0, 0, 0.0);
    let mut models = [super::Model::new(3), super::Model::new(3)];
    let n_train: usize = std::env::var("TRAIN").map_or(0, |c| c.parse().unwrap());
    let mut train: Vec<_> = std::fs::read_dir("/work/shared/data/train")
        .unwrap()
        .flatten()
        .map(|e| e.path())
        .collect();
    train.sort();
    for file in train.iter().skip(7).step_by(37).take(n_train) {
        let parts = parts_of(file).0;
        let low = low_of(&parts);
        for (i, part) in parts.iter().enumerate() {
            let mut counter = Counter::default();
            super::code_with(
                &mut models[usize::from(!part.whole)],
                &mut counter,
                Machine::SIXTY_FOUR,
                &mut part.clone(),
                &low[i],
            );
        }
    }
    if par(7, 0) > 0 {
        models[1].show();
    }
    if n_train > 0 {
        for m in &mut models {
            m.doubt();
        }
    }
    for file in files.iter().skip(1).step_by(2).take(count) {
        let (parts, w, h) = parts_of(file);
        let low = low_of(&parts);
        for (i, part) in parts.iter().enumerate() {
            let mut counter = Counter::default();
            let mut copy = part.clone();
            crate::fast::code_part(&mut counter, Machine::SIXTY_FOUR, &mut copy);
            fast += counter.bits();
            let mut counter = Counter::default();
            let start = cpu();
            super::code_with(
                &mut models[usize::from(!part.whole)].clone(),
                &mut counter,
                Machine::SIXTY_FOUR,
                &mut copy,
                &low[i],
            );
            time += cpu() - start;
            assert!(copy.planes == part.planes);
            bits += counter.bits();
            coefs += part.planes.iter().map(Vec::len).sum::<usize>();
        }
        pixels += w * h;
    }
    println!(
        "bpp {:.4} fast {:.4} ratio {:.4}  {:.3} s/MP {:.0} ns/coef",
        bits / pixels as f64,
        fast / pixels as f64,
        bits / fast,
        time / (pixels as f64 / 1e6),
        time * 1e9 / coefs as f64
    );
}

fn parts_of(file: &std::path::Path) -> (Vec<crate::part::Part>, usize, usize) {
    let cache = format!(
        "/tmp/model/cache/{}",
        file.to_str().unwrap().replace('/', "_")
    );
    let image = image::open(file).unwrap().into_rgb8();
    let (w, h) = (image.width() as usize, image.height() as usize);
    let cut = crate::part::Cut::new(w, h);
    if let Ok(bytes) = std::fs::read(&cache) {
        let mut all = bytes
            .chunks_exact(4)
            .map(|b| i32::from_le_bytes(b.try_into().unwrap()));
        let n_planes = all.next().unwrap() as usize;
        let shapes =
            std::iter::once(cut.whole()).chain((0..cut.n_stripes()).map(|i| cut.stripe(i)));
        let parts = shapes
            .map(|shape| {
                let mut part = crate::part::Part::zeros(shape, n_planes);
                for plane in &mut part.planes {
                    for v in plane {
                        *v = all.next().unwrap();
                    }
                }
                part
            })
            .collect();
        return (parts, w, h);
    }
    let picture = Picture::new(w, h, 3, image.into_raw()).unwrap();
    let encoder = Encoder::new(&picture, Effort::Fast);
    let parts = encoder
        .multiples((4.75 * 1.08 * (w * h) as f64 / 8.0) as usize)
        .unwrap();
    let mut bytes = (parts[0].planes.len() as i32).to_le_bytes().to_vec();
    for part in &parts {
        for plane in &part.planes {
            for v in plane {
                bytes.extend(v.to_le_bytes());
            }
        }
    }
    std::fs::create_dir_all("/tmp/model/cache").unwrap();
    std::fs::write(&cache, bytes).unwrap();
    (parts, w, h)
}

/// Experiments: numbers from the environment.
pub(super) fn par(i: usize, default: i32) -> i32 {
    static PAR: std::sync::OnceLock<Vec<Option<i32>>> = std::sync::OnceLock::new();
    PAR.get_or_init(|| {
        (0..20)
            .map(|i| {
                std::env::var(format!("P{i}"))
                    .ok()
                    .map(|v| v.parse().unwrap())
            })
            .collect()
    })[i]
        .unwrap_or(default)
}

fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}

fn low_of(parts: &[crate::part::Part]) -> Vec<Vec<super::Low>> {
    let coded = parts[0].shape().coded();
    let mut low = vec![Vec::new()];
    let whole: Vec<super::Low> = parts[0]
        .planes
        .iter()
        .map(|p| {
            let mut l = super::Low::coarsest(p, &coded[0]);
            for t in coded[1..].chunks(3) {
                l = l.refined(p, [&t[0], &t[1], &t[2]]);
            }
            l
        })
        .collect();
    let mut y = 0;
    for part in &parts[1..] {
        let h = part.height.div_ceil(4);
        low.push(whole.iter().map(|l| l.rows(y..y + h)).collect());
        y += h;
    }
    low
}
