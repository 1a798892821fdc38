#!/usr/bin/env python3
"""Compares underdrawing-jpeg with libjpeg-turbo's djpeg and cjpeg.

    python3 tools/reference/jpeg.py [--every N]

Decodes a matrix of samplings (1 to 4 each way and component), scans, restarts and sizes with both
programs, and encodes with both. Needs djpeg and cjpeg in PATH. Prints a line
for each kind: how many files, how many are identical, how many both refuse.
"""

import argparse
import collections
import itertools
import json
import pathlib
import random
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = {
    "baseline": [],
    "restarts": ["-restart", "2B"],
    "progressive": ["-progressive"],
    "progressive, restarts": ["-progressive", "-restart", "3B"],
    "a scan a component": "scans",
}


def picture(width, height, random):
    """Waves, an edge and noise, as a binary PPM."""
    bytes_ = bytearray()
    a, b = random.random(), random.random()
    for y in range(height):
        for x in range(width):
            edge = 90 if x * a + y * b > 8 else 0
            bytes_ += bytes((n + edge + random.randrange(30)) % 256 for n in (5 * x, 7 * y, 3 * (x + y)))
    return b"P6\n%d %d\n255\n" % (width, height) + bytes(bytes_)


def run(command, stdin):
    done = subprocess.run(command, input=stdin, capture_output=True)
    return done.stdout if done.returncode == 0 and done.stdout else None


def pixels(ppm):
    """Size and samples of a binary PPM or PGM, as RGB."""
    kind, rest = ppm[:2], ppm[2:]
    fields, position = [], 0
    while len(fields) < 3:
        while rest[position : position + 1].isspace():
            position += 1
        start = position
        while not rest[position : position + 1].isspace():
            position += 1
        fields.append(int(rest[start:position]))
    samples = rest[position + 1 :]
    if kind == b"P5":
        samples = bytes(itertools.chain.from_iterable((n,) * 3 for n in samples))
    return fields[:2], samples


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1, help="take every Nth file only")
    every = parser.parse_args().every
    rng = random.Random(1)
    build = ["cargo", "build", "--release", "-p", "underdrawing-jpeg", "--example", "jpeg",
             "--message-format", "json"]
    messages = subprocess.run(build, cwd=ROOT, capture_output=True, check=True).stdout.splitlines()
    program = next(m["executable"] for m in map(json.loads, messages)
                   if m.get("executable") and m["target"]["name"] == "jpeg")
    ours = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(*words):
        ours.stdin.write(" ".join(map(str, words)) + "\n")
        ours.stdin.flush()
        return ours.stdout.readline().strip()

    outcome = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        scans = folder / "scans"
        scans.write_text("0;\n1;\n2;\n")
        factors = [f"{h}x{v}" for h in range(1, 5) for v in range(1, 5)]
        cases = list(itertools.product(KINDS, factors, factors, ["1x1", "2x2", "same"]))
        for number, (kind, luma, cb, cr) in enumerate(cases):
            if number % every:
                continue
            ppm = picture(rng.randint(1, 40), rng.randint(1, 40), rng)
            flags = KINDS[kind] if KINDS[kind] != "scans" else ["-scans", str(scans)]
            sample = ",".join([luma, cb, cb if cr == "same" else cr])
            jpeg = run(["cjpeg", "-quality", "85", "-sample", sample, *flags], ppm)
            if jpeg is None:
                outcome[kind]["not encoded by cjpeg"] += 1
                continue
            (folder / "a.jpg").write_bytes(jpeg)
            theirs = run(["djpeg"], jpeg)
            answer = ask("pixels", folder / "a.jpg", folder / "a.ppm")
            if theirs is None or answer != "ok":
                both = theirs is None and answer != "ok"
                outcome[kind]["refused by both" if both else f"refused by one: {sample} {answer}"] += 1
                continue
            same = pixels((folder / "a.ppm").read_bytes()) == pixels(theirs)
            outcome[kind]["identical" if same else f"different: {sample} {ppm[3:8]}"] += 1
            answer = ask("again", folder / "a.jpg", folder / "b.jpg")
            same = answer == "ok" and run(["djpeg"], (folder / "b.jpg").read_bytes()) == theirs
            outcome["written again"]["identical" if same else f"different: {sample} {answer}"] += 1
        for quality, sample in itertools.product(range(25, 101, 5), ["1x1", "2x1", "2x2"]):
            for _ in range(8):
                ppm = picture(rng.randint(1, 70), rng.randint(1, 70), rng)
                (folder / "a.ppm").write_bytes(ppm)
                theirs = run(["cjpeg", "-quality", str(quality), "-sample", sample], ppm)
                answer = ask("encode", folder / "a.ppm", quality, sample, folder / "a.jpg")
                mine = run(["djpeg"], (folder / "a.jpg").read_bytes())
                same = answer == "ok" and mine == run(["djpeg"], theirs)
                key = "identical" if same else f"different: {quality} {sample} {ppm[3:8]} {answer}"
                outcome["encoded"][key] += 1
    for kind, counts in outcome.items():
        print(f"{kind}: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))


if __name__ == "__main__":
    main()
