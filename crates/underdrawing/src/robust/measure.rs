use super::ldpc::Code;
#[test]
fn ldpc_thresholds() {
    let mut s = 12345u64;
    let mut draw = move || {
        s = s
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (s >> 33) as f64 / (1u64 << 31) as f64
    };
    for n in [432usize, 16000, 64000] {
        for p in [0.005, 0.01, 0.02, 0.04, 0.08, 0.15] {
            let h = |p: f64| -p * p.log2() - (1.0 - p) * (1.0 - p).log2();
            let cap = 1.0 - h(p);
            let llr = (8.0 * ((1.0 - p) / p).ln()).round() as i16;
            let mut best = 0.0;
            for gap in [
                0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.9, 0.88, 0.86, 0.84, 0.8, 0.75,
                0.7, 0.6,
            ] {
                let k = (n as f64 * cap * gap) as usize;
                let code = Code::new(n, n - k);
                let trials = if n < 1000 { 100 } else { 6 };
                let ok = (0..trials)
                    .filter(|_| {
                        let mut bits: Vec<u8> = (0..k).map(|_| (draw() > 0.5) as u8).collect();
                        let info = bits.clone();
                        code.encode(&mut bits);
                        let soft: Vec<i16> = bits
                            .iter()
                            .map(|&b| if (draw() < p) ^ (b == 1) { -llr } else { llr })
                            .collect();
                        code.decode(&soft) == Some(info)
                    })
                    .count();
                if ok == trials {
                    best = gap;
                    break;
                }
            }
            eprintln!("n {n} p {p} cap {cap:.4} reached {best} of it");
        }
    }
}
