//! The built-in network on photographs: the size of tiles must cost no quality.

use underdrawing::{
    Comparison, HideOptions, Limits, NetworkOptions, Picture, Pixels, Progress, hide, reveal,
};

/// The middle of one of the demo's photographs.
fn photograph(name: &str) -> Pixels {
    const SIDE: usize = 256;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../underdrawing-cli/demo");
    let bytes = std::fs::read(format!("{folder}/{name}")).expect("the demo's pictures are there");
    let picture = Picture::decode(&bytes, &Limits::default()).expect("they are pictures");
    let (left, top) = (
        (picture.pixels.width() - SIDE) / 2,
        (picture.pixels.height() - SIDE) / 2,
    );
    Pixels::from_fn(SIDE, SIDE, |x, y| picture.pixels.pixel(left + x, top + y))
        .expect("the side is within the limits")
}

#[test]
fn small_tiles_are_as_good_as_large_ones() {
    let (cover, secret) = (photograph("cover.png"), photograph("secret.png"));
    let quality = |tile_size| {
        let options = HideOptions::Network(NetworkOptions {
            tile_size,
            ..NetworkOptions::default()
        });
        let ignore = &mut Progress::ignore;
        let container = hide(&cover, &secret, &options, ignore)
            .expect("both are fine")
            .container;
        let revealed = reveal(&container, &options.to_reveal(), ignore)
            .expect("it was hidden")
            .picture;
        [(&container, &cover), (&revealed, &secret)].map(|(a, b)| {
            let comparison = Comparison::of(a, b).expect("both have one size");
            comparison.psnr_db.expect("networks lose something")
        })
    };
    let (whole, tiled) = (quality(256), quality(48));
    for (picture, (whole, tiled)) in ["container", "revealed"]
        .iter()
        .zip(whole.iter().zip(tiled))
    {
        assert!((whole - tiled).abs() < 0.05, "{picture}: {whole} {tiled}");
    }
}
