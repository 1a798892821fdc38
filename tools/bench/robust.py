#!/usr/bin/env python3
"""Measures `hide --survive` through real JPEG encoders.

    python3 tools/bench/robust.py PICTURES [--survive 75] [--effort best] [--limit N] [--jpeg]
        [--through pillow:75:420,cjpeg:80:444,...] [--program target/release/underdrawing]

PICTURES is a folder: sorted by name, picture 2k is the cover, 2k+1 the secret. Each pair is hidden,
the container written (PNG, or with --jpeg JPEG), recompressed by each encoder, and revealed by another
process. A row of the table says how many pairs came back unchanged, and the mean qualities: container
as written against cover, what arrives against cover, revealed against secret.

Ways, with steps joined by `+`:
    none                      as hide wrote it
    pillow:Q:SAMPLING[:FLAG]  Pillow; sampling 420, 422 or 444; flag progressive or optimize
    cjpeg:Q:SAMPLING          libjpeg-turbo's cjpeg
    mozjpeg:Q:SAMPLING        the program named by --mozjpeg, a cjpeg of mozjpeg
    magick:Q:SAMPLING         ImageMagick's convert, named by --magick
    chromium:Q                a page's canvas in the browser named by --chromium; needs Playwright
    webp:Q, avif:Q            Pillow
    crop:LEFT:TOP:RIGHT:BOTTOM  pixels off each side; r for 5 to 40 by the pair's number
    crop                      5 to 40 pixels off one side, by the pair's number
    area:P                    P percent of the area off all sides, where and in what form by the pair's number
    png                       decoded and saved as PNG

Needs numpy and Pillow.
"""

import argparse
import base64
import concurrent.futures
import functools
import io
import math
import pathlib
import random
import subprocess
import tempfile
import time

import numpy
from PIL import Image, ImageCms

USUAL = ",".join(
    ["none"]
    + [f"pillow:{q}:{s}" for s in ("420", "444") for q in (75, 80, 85, 90, 95)]
    + ["pillow:75:420:progressive", "pillow:75:420:optimize", "pillow:90:420+pillow:75:420", "cjpeg:75:420"]
)
SAMPLINGS = {"444": ("1x1", 0), "422": ("2x1", 1), "420": ("2x2", 2)}


def psnr(a, b):
    if a.size != b.size:
        return math.nan
    error = numpy.mean((numpy.asarray(a, float) - numpy.asarray(b, float)) ** 2)
    return 100.0 if error == 0 else 10 * math.log10(255**2 / error)


def as_srgb(path):
    """A picture with its colours as sRGB, which hide makes of a cover first."""
    picture = Image.open(path)
    profile, picture = picture.info.get("icc_profile"), picture.convert("RGB")
    if profile is None:
        return picture
    return ImageCms.profileToProfile(picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"))


def opened(data):
    return Image.open(io.BytesIO(data)).convert("RGB")


def saved(picture, *args, **kwargs):
    out = io.BytesIO()
    picture.save(out, *args, **kwargs)
    return out.getvalue()


def ppm(picture):
    return saved(picture, "PPM")


class Canvas:
    """Saves pictures as a web page does: drawn into a canvas, which gives a JPEG."""

    SAVE = """async ([picture, quality]) => {
        const bitmap = await createImageBitmap(await (await fetch(picture)).blob());
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
        canvas.getContext("2d").drawImage(bitmap, 0, 0);
        const blob = await canvas.convertToBlob({type: "image/jpeg", quality});
        const reader = new FileReader();
        const read = new Promise(resolve => reader.onload = resolve);
        reader.readAsDataURL(blob);
        await read;
        return reader.result;
    }"""

    def __init__(self, program):
        from playwright.sync_api import sync_playwright

        self.browser = sync_playwright().start().chromium.launch(executable_path=program, args=["--no-sandbox"])
        self.page = self.browser.new_page()

    def save(self, picture, quality):
        url = "data:image/png;base64," + base64.b64encode(saved(picture, "PNG")).decode()
        return base64.b64decode(self.page.evaluate(self.SAVE, [url, quality / 100]).partition(",")[2])


@functools.cache
def canvas(program):
    return Canvas(program)


def step(data, words, number, options):
    """A file after one encoder."""
    kind, *rest = words.split(":")
    picture = opened(data)
    if kind == "pillow":
        flags = {flag: True for flag in rest[2:]}
        return saved(picture, "JPEG", quality=int(rest[0]), subsampling=SAMPLINGS[rest[1]][1], **flags)
    if kind in ("cjpeg", "mozjpeg"):
        program = "cjpeg" if kind == "cjpeg" else options.mozjpeg
        command = [program, "-quality", rest[0], "-sample", SAMPLINGS[rest[1]][0]]
        return subprocess.run(command, input=ppm(picture), capture_output=True, check=True).stdout
    if kind == "magick":
        command = [options.magick, "ppm:-", "-quality", rest[0], "-sampling-factor", SAMPLINGS[rest[1]][0], "jpg:-"]
        return subprocess.run(command, input=ppm(picture), capture_output=True, check=True).stdout
    if kind == "chromium":
        return canvas(options.chromium).save(picture, int(rest[0]))
    if kind in ("webp", "avif"):
        return saved(opened(saved(picture, kind.upper(), quality=int(rest[0]))), "PNG")
    if kind == "crop":
        if not rest:
            rest = ["r" if side == number % 4 else "0" for side in range(4)]
        off = [5 + (7 * number + 11 * side) % 36 if n == "r" else int(n) for side, n in enumerate(rest)]
        box = (off[0], off[1], picture.width - off[2], picture.height - off[3])
        return saved(picture.crop(box), "PNG")
    if kind == "area":
        random_numbers, left = random.Random(number), 1 - float(rest[0]) / 100
        width = math.ceil(picture.width * left ** random_numbers.uniform(0.3, 0.7))
        height = math.ceil(picture.width * picture.height * left / width)
        x, y = (random_numbers.randint(0, n) for n in (picture.width - width, picture.height - height))
        return saved(picture.crop((x, y, x + width, y + height)), "PNG")
    if kind == "png":
        return saved(picture, "PNG")
    raise SystemExit(f"no such way: {words}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=pathlib.Path)
    parser.add_argument("--survive", default="75")
    parser.add_argument("--effort", default="best")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--jpeg", action="store_true")
    parser.add_argument("--through", default=USUAL)
    parser.add_argument("--program", default="target/release/underdrawing")
    parser.add_argument("--mozjpeg", default="mozjpeg")
    parser.add_argument("--magick", default="convert")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--more", default="", help="further words for hide")
    options = parser.parse_args()

    names = sorted(p for p in options.pictures.iterdir() if p.suffix in (".png", ".jpg"))
    pairs = list(zip(names[::2], names[1::2]))[: options.limit]
    with tempfile.TemporaryDirectory() as folder:
        measure(pairs, pathlib.Path(folder), options)


def measure(pairs, folder, options):
    extension = "jpg" if options.jpeg else "png"
    containers, covers, secrets = [], [], []
    start = time.time()

    def hide(number):
        cover, secret = pairs[number]
        path = folder / f"{number:04}.{extension}"
        command = [options.program, "hide", cover, secret, "-o", path, "--survive", options.survive,
                   "--effort", options.effort, "--quiet", *options.more.split()]
        subprocess.run(command, check=True)
        return path.read_bytes()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        containers = list(pool.map(hide, range(len(pairs))))
    seconds = (time.time() - start) / len(pairs)
    covers = [as_srgb(cover) for cover, _ in pairs]
    secrets = [as_srgb(secret) for _, secret in pairs]
    size = sum(map(len, containers)) / len(pairs) / 1024
    db = [psnr(opened(data), cover) for data, cover in zip(containers, covers)]
    print(f"{len(pairs)} pairs of {options.pictures.name}, --survive {options.survive}, {extension} of {size:.0f} KiB, "
          f"container {numpy.mean(db):.2f} dB (least {min(db):.2f}), hidden in {seconds:.2f} s each\n")
    print("| way | back | arrives, dB | revealed, dB | least |\n|---|---|---|---|---|")
    for way in options.through.split(","):
        into, out = folder / "sent", folder / "out"
        for path in (into, out):
            path.mkdir(exist_ok=True)
            for file in path.iterdir():
                file.unlink()
        arrived = []
        for number, data in enumerate(containers):
            for words in way.split("+"):
                if words != "none":
                    data = step(data, words, number, options)
            name = f"{number:04}." + ("jpg" if data[:2] == b"\xff\xd8" else "png")
            (into / name).write_bytes(data)
            arrived.append(psnr(opened(data), covers[number]))
        done = subprocess.run([options.program, "reveal", into, "-o", out, "--quiet"], capture_output=True, text=True)
        if done.returncode not in (0, 1):
            print(done.stderr[-500:])
        back = {}
        for number in range(len(pairs)):
            path = out / f"{number:04}.png"
            if path.exists():
                back[number] = psnr(Image.open(path).convert("RGB"), secrets[number])
        mean = numpy.mean(list(back.values())) if back else math.nan
        least = min(back.values()) if back else math.nan
        print(f"| {way} | {len(back)} of {len(pairs)} | {numpy.mean(arrived):.2f} | {mean:.2f} | {least:.2f} |", flush=True)


if __name__ == "__main__":
    main()
