"""Pictures a second of examples/ray_folder.py by one and two actors, beside the program.

    python tools/bench/ray_folder.py PROGRAM [PAIRS] [REPEATS]

The Python that runs this has the wheel with its extra `ray`, and Pillow. Covers and secrets are
windows of the demo's two photographs, 480x320, each another one. Every way hides all of them, in
turn; the rate is that of the wall clock after the first batch, so that starting Ray, which takes the
same for a million pictures, does not count; the whole time is beside it. Prints medians.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "crates/underdrawing-cli/demo"
EFFORTS = ("fast", "best")


def write_windows(name: str, folder: Path, count: int) -> None:
    folder.mkdir()
    with Image.open(DEMO / name) as file:
        picture = file.convert("RGB").resize((576, 384))
    for index in range(count):
        x, y = 7 * index % 96, 5 * index % 64
        window = picture.crop((x, y, x + 480, y + 320))
        if index % 2:
            window = window.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        window.save(folder / f"{index:04}.png", compress_level=1)


def by_program(program: str, folder: Path, effort: str, threads: int) -> tuple[float, float]:
    began = time.perf_counter()
    subprocess.run(
        [program, "hide", "covers", "secrets", "-o", "out", "--effort", effort],
        cwd=folder,
        check=True,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
    )
    seconds = time.perf_counter() - began
    return len(list((folder / "out").glob("*.png"))) / seconds, seconds


def by_ray(folder: Path, effort: str, workers: int) -> tuple[float, float]:
    script = ROOT / "examples/ray_folder.py"
    began = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, script, "covers", "secrets", "out", "--effort", effort]
        + ["--workers", str(workers), "--batch", "4"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
    )
    seconds = time.perf_counter() - began
    return float(re.findall(r"([0-9.]+) a second", ran.stderr)[-1]), seconds


def main() -> None:
    program = str(Path(sys.argv[1]).resolve())
    pairs = int(sys.argv[2]) if len(sys.argv) > 2 else 96
    repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    ways = {
        "program, 1 thread": lambda *where: by_program(program, *where, 1),
        "Ray, 1 actor": lambda *where: by_ray(*where, 1),
        "program, 2 threads": lambda *where: by_program(program, *where, 2),
        "Ray, 2 actors": lambda *where: by_ray(*where, 2),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_windows("cover.png", folder / "covers", pairs)
        write_windows("secret.png", folder / "secrets", pairs)
        for effort in EFFORTS:
            found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
            made = []
            for _ in range(repeats):
                for way, work in ways.items():
                    subprocess.run(["rm", "-rf", folder / "out"], check=True)
                    found[way].append(work(folder, effort))
                    made.append({f.name: f.read_bytes() for f in (folder / "out").glob("*.png")})
            same = all(files == made[0] for files in made) and len(made[0]) == pairs
            print(f"effort {effort}, {pairs} pairs, {'the same bytes' if same else 'BYTES DIFFER'}")
            for way, runs in found.items():
                rate, seconds = (statistics.median(column) for column in zip(*runs))
                print(f"  {way:20} {rate:6.2f} pairs a second, {seconds:5.1f} s in all", flush=True)


if __name__ == "__main__":
    main()
