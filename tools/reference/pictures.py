"""Writes testdata/pictures: small picture files of every kind that underdrawing reads.

    python -m venv venv && venv/bin/pip install pillow==13.0.0 numpy pillow-heif
    venv/bin/python tools/reference/pictures.py testdata/pictures

Every file shows the same scene (an asymmetric colour ramp with a bright corner), so the tests can
say what a pixel must be. tests/pictures.rs holds the expected values.
"""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

WIDTH, HEIGHT = 48, 32


def scene():
    """RGB: red grows to the right, green downwards, blue along the diagonal; one white corner."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    rgb = np.stack([x * 5, y * 7, (x + y) * 3], axis=2).astype(np.uint8)
    rgb[:6, :6] = 255  # top left: shows how a picture was turned
    return rgb


def alpha():
    """Opaque on the left half, then fading out to the right."""
    x = np.arange(WIDTH)
    row = np.where(x < 24, 255, 255 - (x - 23) * 10).clip(0, 255).astype(np.uint8)
    return np.tile(row, (HEIGHT, 1))


def chunk(name, content):
    """A PNG chunk with its checksum."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(width, height, depth, kind, rows):
    """A PNG file made by hand, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def rgb16():
    """16-bit samples: the 8-bit scene's 257-fold, plus 100, which rounds back to the scene."""
    wide = scene().astype(np.uint32) * 257 + 100
    wide = wide.clip(0, 65535).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    return png(WIDTH, HEIGHT, 16, 2, rows)


def heic(out, image, rgba):
    """HEIC without chroma subsampling, whose interpolation decoders do not agree on."""
    pillow_heif.register_heif_opener()
    options = {"quality": 98, "chroma": 444, "save_nclx_profile": True}
    srgb = {"color_primaries": 1, "transfer_characteristics": 13, "matrix_coefficients": 6}
    image.save(out / "plain.heic", **options, **srgb)
    rgba.save(out / "alpha.heic", **options, **srgb)
    # pillow-heif writes the orientation as properties of the file and sets the tag back.
    for name, orientation, stored in [
        ("turned", 6, Image.Transpose.ROTATE_90),
        ("mirrored", 5, Image.Transpose.TRANSPOSE),
    ]:
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = image.transpose(stored)
        turned.save(out / f"{name}.heic", exif=exif.tobytes(), **options, **srgb)
    display_p3 = srgb | {"color_primaries": 12}
    image.save(out / "p3.heic", **options, **display_p3)
    wide = (np.array(image).astype(np.uint16) * 257).tobytes()
    ten = pillow_heif.from_bytes(mode="RGB;16", size=image.size, data=wide)
    ten.save(out / "ten.heic", **options, **srgb)


def main(out):
    out.mkdir(parents=True, exist_ok=True)
    rgb = scene()
    image = Image.fromarray(rgb)
    rgba = Image.fromarray(np.dstack([rgb, alpha()]))
    grey = image.convert("L")
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # its date, so that runs agree

    image.save(out / "rgb.png", optimize=True, icc_profile=bytes(profile))
    (out / "rgb16.png").write_bytes(rgb16())
    grey.save(out / "grey.png", optimize=True)
    Image.fromarray(np.dstack([np.array(grey), alpha()])).save(out / "grey_alpha.png")
    image.quantize(16, dither=Image.Dither.NONE).save(out / "palette.png", optimize=True)
    rgba.save(out / "rgba.png", optimize=True)
    image.copy().save(out / "animated.png", save_all=True, append_images=[image.rotate(180)])

    image.save(out / "plain.jpg", quality=95, subsampling=0)
    image.save(out / "progressive.jpg", quality=95, subsampling=0, progressive=True)
    grey.save(out / "grey.jpg", quality=95)
    image.convert("CMYK").save(out / "cmyk.jpg", quality=95)
    # Orientation 6: the stored picture has to be turned clockwise to stand upright.
    exif = Image.Exif()
    exif[0x0112] = 6
    image.transpose(Image.Transpose.ROTATE_90).save(
        out / "turned.jpg", quality=95, subsampling=0, exif=exif
    )

    image.save(out / "lossy.webp", quality=90)
    rgba.save(out / "lossy_alpha.webp", quality=90)
    image.save(out / "lossless.webp", lossless=True)
    rgba.save(out / "lossless_alpha.webp", lossless=True, exact=True)
    image.save(
        out / "animated.webp", lossless=True, save_all=True, append_images=[image.rotate(180)]
    )

    image.save(out / "plain.bmp")
    image.save(out / "plain.tif", compression="tiff_lzw")
    pages = {"save_all": True, "append_images": [grey.copy()]}
    image.copy().save(out / "pages.tif", **pages)
    image.copy().save(out / "pages_big.tif", big_tiff=True, **pages)
    image.save(out / "plain.ppm")
    image.save(out / "plain.qoi")
    palette = image.quantize(64, dither=Image.Dither.NONE)
    palette.save(out / "animated.gif", save_all=True, append_images=[palette.rotate(180)])

    whole = io.BytesIO()
    image.save(whole, "png")
    (out / "truncated.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    (out / "huge.png").write_bytes(png(60_000, 60_000, 8, 2, b"\0" * 64))

    heic(out, image, rgba)

    # A float TIFF: a kind of pixel that is refused.
    Image.fromarray(rgb[:, :, 0].astype(np.float32)).save(out / "float.tif")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
