"""Kinds of picture files: what the program reads of them beside what Pillow or tifffile reads.

    python tools/reference/kinds.py target/release/underdrawing

Needs Pillow, numpy, tifffile, imagecodecs. Each kind is written, read by one of them and saved as a
plain PNG, and both files are compared by the program. Prints the kinds that differ, then how many
were compared and how many refused, and why.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageOps

SIZES = [(1, 1), (7, 5), (16, 16), (33, 20), (70, 41)]


def scene(width, height):
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    rgb = np.stack([x * 3, 255 - y * 5, (x + y) * 2], axis=2).astype(np.uint8)
    rgb[: height // 3, : width // 3] = 250
    alpha = np.clip(255 - 4 * x, 0, 255).astype(np.uint8)
    return rgb, alpha


def plain(image):
    """As the program takes a picture to compare it: upright, and laid on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        rgb, alpha = np.array(image)[..., :3].astype(int), np.array(image)[..., 3:].astype(int)
        return Image.fromarray(((rgb * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8))
    return image.convert("RGB")


def by_pillow(folder, width, height):
    """Name, how far a sample may be off, file."""
    rgb, alpha = scene(width, height)
    image = Image.fromarray(rgb)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    grey = image.convert("L")
    modes = {
        "rgb": image,
        "rgba": rgba,
        "grey": grey,
        "grey-alpha": Image.fromarray(np.dstack([np.array(grey), alpha])),
        "palette": image.quantize(20, dither=Image.Dither.NONE),
        "bits": image.convert("1"),
        "cmyk": image.convert("CMYK"),
    }
    packings = ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"]
    for mode, picture in modes.items():
        for packing in packings:
            path = folder / f"{mode}-{packing}.tif"
            picture.save(path, compression=packing)
            yield path.name, 1 if mode == "cmyk" else 0, path
        if mode not in ("cmyk",):
            path = folder / f"{mode}.png"
            picture.save(path)
            yield path.name, 0, path
        if mode in ("rgb", "rgba", "grey", "palette", "bits"):
            path = folder / f"{mode}.bmp"
            picture.save(path)
            yield path.name, 0, path
    for quality in (75, 95):
        path = folder / f"jpeg-{quality}.tif"
        image.save(path, compression="jpeg", quality=quality)
        yield path.name, 4, path
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        for suffix, options in [
            ("png", {}),
            ("webp", {"lossless": True}),
            ("tif", {}),
            ("jpg", {"quality": 95, "subsampling": 0}),
        ]:
            path = folder / f"turned-{orientation}.{suffix}"
            image.save(path, exif=exif, **options)
            yield path.name, 0 if suffix != "jpg" else 2, path


def by_tifffile(folder, width, height):
    """The same with what they show."""
    rgb, alpha = scene(width, height)
    grey = rgb[..., 0]
    wide = rgb.astype(np.uint16) * 257
    straight = np.dstack([rgb, alpha])
    # Colours as they are after the multiplication was undone, which loses what alpha hides.
    a = alpha[..., None].astype(int)
    multiplied = (rgb.astype(int) * a + 127) // 255
    undone = np.minimum((multiplied * 255 + a // 2) // np.maximum(a, 1), 255)
    undone = np.where(a == 0, multiplied, undone).astype(np.uint8)
    for packing in (None, "lzw", "zlib"):
        options = {"compression": packing, "predictor": packing is not None}
        path = folder / f"straight-{packing}.tif"
        tifffile.imwrite(path, straight, extrasamples=["unassalpha"], photometric="rgb", **options)
        yield path.name, 0, path, straight
        path = folder / f"multiplied-{packing}.tif"
        tifffile.imwrite(
            path,
            np.dstack([multiplied.astype(np.uint8), alpha]),
            extrasamples=["assocalpha"],
            photometric="rgb",
            **options,
        )
        yield path.name, 0, path, np.dstack([undone, alpha])
        path = folder / f"wide-{packing}.tif"
        tifffile.imwrite(path, wide, photometric="rgb", **options)
        yield path.name, 0, path, rgb
        path = folder / f"miniswhite-{packing}.tif"
        tifffile.imwrite(path, 255 - grey, photometric="miniswhite", compression=packing)
        yield path.name, 0, path, np.dstack([grey] * 3)
    for packing in (None, "lzw", "zlib", "packbits"):
        for name, samples, shown, options in [
            ("rgb", rgb, rgb, {"photometric": "rgb"}),
            ("grey", grey, np.dstack([grey] * 3), {"photometric": "minisblack"}),
            (
                "planes",
                np.moveaxis(rgb, 2, 0),
                rgb,
                {"photometric": "rgb", "planarconfig": "separate"},
            ),
        ]:
            for big in (False, True):
                path = folder / f"tiles-{name}-{packing}-{big}.tif"
                options |= {"tile": (16, 16), "compression": packing, "bigtiff": big}
                tifffile.imwrite(path, samples, byteorder=">" if big else "<", **options)
                yield path.name, 0, path, shown
    white = np.dstack([255 - grey, alpha])
    path = folder / "miniswhite-alpha.tif"
    options = {"extrasamples": ["unassalpha"], "planarconfig": "contig"}
    tifffile.imwrite(path, white, photometric="miniswhite", **options)
    yield path.name, 0, path, np.dstack([grey] * 3 + [alpha])
    path = folder / "zstd.tif"
    tifffile.imwrite(path, rgb, photometric="rgb", compression="zstd")
    yield path.name, 0, path, rgb
    path = folder / "float.tif"
    tifffile.imwrite(path, grey.astype(np.float32) / 255, photometric="minisblack")
    yield path.name, 0, path, np.dstack([grey] * 3)


def main():
    program = sys.argv[1]
    n, refused, differ = 0, Counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        reference = folder / "reference.png"

        def compare(name, tolerance, path):
            nonlocal n, differ
            ran = subprocess.run(
                [program, "compare", path, reference, "--json", "-q"], capture_output=True, text=True
            )
            if ran.returncode != 0:
                refused[ran.stderr.strip().split(": ")[2]] += 1
                return
            n += 1
            found = json.loads(ran.stdout)["max_difference"]
            if found > tolerance:
                differ += 1
                print(f"{name}: differs by {found}")

        for width, height in SIZES:
            for name, tolerance, path in by_pillow(folder, width, height):
                with Image.open(path) as image:
                    plain(image).save(reference)
                compare(f"{width}x{height} {name}", tolerance, path)
            for name, tolerance, path, shown in by_tifffile(folder, width, height):
                plain(Image.fromarray(shown)).save(reference)
                compare(f"{width}x{height} {name}", tolerance, path)
    print(f"{n} compared, {differ} differ, {sum(refused.values())} refused")
    for reason, count in refused.most_common():
        print(f"  {count}: {reason}")


if __name__ == "__main__":
    main()
