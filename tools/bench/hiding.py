"""Hiding, method against method, on folders of pairs: one row a method.

    python tools/bench/hiding.py PROGRAM FOLDER [FOLDER ...]

PROGRAM is the built `underdrawing`; each FOLDER's pictures, sorted by name, are cover, secret,
cover, secret. Measured in one run:

- this project's methods, by `PROGRAM eval FOLDER --json`: written PNGs, read back and revealed;
- JPEG 2000 (OpenJPEG by Pillow, 9/7 wavelet) of the secret in residues modulo 3: the same channel
  as the coded method's, with a general-purpose codec; where the codec's best does not use the
  room, the rate that it reached is below the channel's;
- 4-bit LSB in its best form: the secret's upper four bits in the container's lower four, the
  container the nearest value with those bits, the revealed value the middle of its interval.

PSNR over all RGB samples in dB, averaged over pairs; a secret that lies otherwise than its cover is
turned. Needs pillow and numpy.
"""

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

SALT_AND_HEADER = 246  # samples of the coded method's own bookkeeping, granted to JPEG 2000 as well


def psnr(a, b):
    mse = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return 100.0 if mse == 0 else 10 * np.log10(255**2 / mse)


def load(path):
    return np.asarray(Image.open(path).convert("RGB"))


def nearest_with_residue(cover, residue, modulus):
    """The values in 0..255 nearest to `cover` that leave `residue`."""
    value = cover.astype(np.int32)
    up = (residue - value) % modulus
    near = value + np.where(2 * up > modulus, up - modulus, up)
    near = np.where(near < 0, near + modulus, near)
    return np.where(near > 255, near - modulus, near).astype(np.uint8)


def lsb(cover, secret):
    container = nearest_with_residue(cover, (secret >> 4).astype(np.int32), 16)
    revealed = ((container & 15) << 4) + 8
    return container, revealed


def jpeg_2000(secret, budget):
    """The best JPEG 2000 file of at most `budget` bytes, by bisecting the compression ratio."""
    def encode(ratio):
        data = io.BytesIO()
        Image.fromarray(secret).save(
            data, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[ratio],
            no_jp2=True, mct=1,
        )
        return data.getvalue()

    low, high, best = 1.0, 200.0, None
    for _ in range(14):
        middle = (low * high) ** 0.5
        data = encode(middle)
        if len(data) <= budget:
            best, high = data, middle
        else:
            low = middle
    return best


def jpeg_2000_in_residues(cover, secret, random):
    samples = cover.size - SALT_AND_HEADER
    data = jpeg_2000(secret, int(samples * np.log2(3) / 8))
    residues = random.integers(0, 3, cover.shape)
    container = nearest_with_residue(cover, residues, 3)
    return container, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), 8 * len(data)


def pairs(folder):
    names = sorted(Path(folder).iterdir())
    for cover, secret in zip(names[::2], names[1::2]):
        cover, secret = load(cover), load(secret)
        if (cover.shape[0] > cover.shape[1]) != (secret.shape[0] > secret.shape[1]):
            secret = np.rot90(secret, -1)
        yield cover, secret


def row(name, container, revealed, seconds, extra=""):
    print(
        f"| {name} | {np.mean(container):.2f} | {np.mean(revealed):.2f} | {np.min(container):.2f} "
        f"| {np.min(revealed):.2f} | {seconds:.1f} | {extra} |",
        flush=True,
    )


def ours(program, folder, name, flags):
    start = time.perf_counter()
    out = subprocess.run(
        [program, "eval", folder, "--json", "--quiet", *flags],
        check=True, capture_output=True, text=True,
    ).stdout
    seconds = time.perf_counter() - start
    lines = [json.loads(line) for line in out.splitlines()]
    figures = [line for line in lines if "cover" in line]
    side = lambda key: [100.0 if line[key] is None else line[key] for line in figures]
    row(name, side("container_psnr_db"), side("revealed_psnr_db"), seconds)


def python_method(folder, name, method):
    start = time.perf_counter()
    container, revealed, rates = [], [], []
    for cover, secret in pairs(folder):
        made, back, *bits = method(cover, secret)
        container.append(psnr(cover, made))
        revealed.append(psnr(secret, back))
        rates += [bits[0] / (secret.size / 3)] if bits else []
    extra = f"{np.mean(rates):.2f} bits a pixel" if rates else ""
    row(name, container, revealed, time.perf_counter() - start, extra)


def main():
    program, *folders = sys.argv[1:]
    random = np.random.default_rng(1)
    for folder in folders:
        print(f"\n{Path(folder).name}\n")
        print("| method | container dB | revealed dB | worst | worst | s | |")
        print("|---|---|---|---|---|---|---|")
        for effort in ["fast", "normal", "best"]:
            ours(program, folder, f"coded, {effort}", ["--method", "coded", "--effort", effort])
        ours(program, folder, "network, built-in", ["--method", "network"])
        refined = ["--method", "network", "--effort", "best"]
        ours(program, folder, "network, built-in, best", refined)
        python_method(
            folder, "JPEG 2000 in residues modulo 3",
            lambda cover, secret: jpeg_2000_in_residues(cover, secret, random),
        )
        python_method(folder, "4-bit LSB", lsb)


main()
