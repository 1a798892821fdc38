"""Chooses a small set of pictures that may travel to a machine with a graphics card.

    python tools/gpu/pack_pictures.py train FOLDER OUT --megabytes 34
    python tools/gpu/pack_pictures.py val FOLDER OUT --pairs 30 --megabytes 8

`train` takes JPEGs evenly over the sorted names, as many as fit; `val` the first pairs by sorted
name, fewer where they do not fit. A megabyte is 10^6 bytes. Nothing loses quality: files are copied,
and where jpegtran (Debian's libjpeg-turbo-progs) makes the same coefficients smaller as progressive
JPEG, that is taken instead. With Pillow installed, every file of OUT is decoded and compared with
the one it was made from. OUT must not exist or be empty.
"""

import argparse
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def smaller(path):
    """The bytes of a picture, rewritten where that is smaller; metadata stays."""
    original = path.read_bytes()
    if path.suffix.lower() not in (".jpg", ".jpeg") or not shutil.which("jpegtran"):
        return original
    command = ["jpegtran", "-copy", "all", "-optimize", "-progressive", path]
    return min(original, subprocess.run(command, check=True, capture_output=True).stdout, key=len)


def evenly(items, n):
    return [items[i * len(items) // n] for i in range(n)]


def choose(paths, sizes, budget):
    """The most pictures, evenly taken, that fit."""
    for n in range(len(paths), 0, -1):
        chosen = evenly(paths, n)
        if sum(sizes[path] for path in chosen) <= budget:
            return chosen
    return []


def first_pairs(paths, sizes, pairs, budget):
    chosen = paths[: 2 * min(pairs, len(paths) // 2)]
    while sum(sizes[path] for path in chosen) > budget:
        chosen = chosen[:-2]
    return chosen


def verify(paths, out):
    try:
        from PIL import Image, ImageChops
    except ImportError:
        print("not compared: no Pillow", file=sys.stderr)
        return
    for path in paths:
        with Image.open(path) as before, Image.open(out / path.name) as after:
            if before.mode != after.mode or ImageChops.difference(before, after).getbbox():
                sys.exit(f"{path.name} changed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["train", "val"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--megabytes", type=float, required=True)
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    if args.out.exists() and any(args.out.iterdir()):
        sys.exit(f"{args.out} is not empty")
    suffixes = (".jpg", ".jpeg", ".png")
    paths = sorted(path for path in args.folder.iterdir() if path.suffix.lower() in suffixes)
    if args.what == "val":
        paths = paths[: 2 * args.pairs]
    with ThreadPoolExecutor(args.jobs) as pool:
        contents = dict(zip(paths, pool.map(smaller, paths)))
    sizes = {path: len(content) for path, content in contents.items()}
    budget = int(1e6 * args.megabytes)
    if args.what == "train":
        chosen = choose(paths, sizes, budget)
    else:
        chosen = first_pairs(paths, sizes, args.pairs, budget)
    args.out.mkdir(parents=True, exist_ok=True)
    for path in chosen:
        (args.out / path.name).write_bytes(contents[path])
    verify(chosen, args.out)
    before = sum(path.stat().st_size for path in chosen)
    after = sum(sizes[path] for path in chosen)
    print(f"{args.out}: {len(chosen)} pictures, {after / 1e6:.2f} MB, were {before / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
