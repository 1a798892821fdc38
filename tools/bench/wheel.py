"""The wheel against the program: hiding and revealing a megapixel, file to file, in turn.

    python tools/bench/wheel.py PROGRAM [REPEATS]

The Python that runs this has the wheel installed. The program's times are those of whole processes,
the wheel's those of calls in this one. Prints medians of wall and processor seconds, and whether the
files are the same.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import underdrawing

METHODS = {
    "coded, best": {"effort": "best"},
    "coded, normal": {"effort": "normal"},
    "coded, fast": {"effort": "fast"},
    "network": {"method": "network"},
}


def scene(width: int, height: int, seed: int) -> np.ndarray:
    """Slopes, edges and a little noise."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        128 + 70 * np.sin((x + 37 * seed) / 29 + c) * np.cos(y / 41 - c) for c in range(3)
    ]
    noise = np.random.default_rng(seed).normal(0, 3, (height, width, 3))
    return np.clip(np.stack(planes, axis=2) + noise, 1, 254).astype(np.uint8)


def png(pixels: np.ndarray, path: Path) -> None:
    """Written by the wheel, since Pillow may not be there."""
    height, width, _ = pixels.shape
    picture = underdrawing._native.Picture.from_samples(
        pixels.tobytes(), width, height, None, colours="rgb", turned=False, profile=None
    )
    path.write_bytes(picture.encode("png"))


def timed(work) -> tuple[float, float]:
    """Wall and processor seconds, of children too."""
    before, began = os.times(), time.perf_counter()
    work()
    after, ended = os.times(), time.perf_counter()
    return ended - began, sum(after[:4]) - sum(before[:4])


def main() -> None:
    program = sys.argv[1]
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cover, secret = folder / "cover.png", folder / "secret.png"
        png(scene(1224, 816, 1), cover)
        png(scene(1224, 816, 2), secret)
        print("method          what    program s (cpu)   wheel s (cpu)     ratio (cpu)   bytes")
        for method, options in METHODS.items():
            flags = [f"--{key}={value}" for key, value in options.items()]
            theirs, ours = folder / "theirs.png", folder / "ours.png"
            revealed = [folder / "their-r.png", folder / "our-r.png"]
            ways = {
                "hide": (
                    [program, "hide", cover, secret, "-o", theirs, "--force", *flags],
                    lambda: underdrawing.hide_file(cover, secret, ours, force=True, **options),
                    (theirs, ours),
                ),
                "reveal": (
                    [program, "reveal", theirs, "-o", revealed[0], "--force"],
                    lambda: underdrawing.reveal_file(theirs, revealed[1], force=True),
                    tuple(revealed),
                ),
            }
            for what, (command, call, files) in ways.items():
                call()
                times = {"program": [], "wheel": []}
                for _ in range(repeats):
                    run = lambda: subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
                    times["program"].append(timed(run))
                    times["wheel"].append(timed(call))
                (a, a_cpu), (b, b_cpu) = (
                    [statistics.median(column) for column in zip(*times[who])]
                    for who in ("program", "wheel")
                )
                same = files[0].read_bytes() == files[1].read_bytes()
                print(
                    f"{method:15} {what:7} {a:6.3f} ({a_cpu:6.3f})   {b:6.3f} ({b_cpu:6.3f})   "
                    f"{b / a:5.2f} ({b_cpu / a_cpu:4.2f})   {'same' if same else 'DIFFER'}"
                )


if __name__ == "__main__":
    main()
