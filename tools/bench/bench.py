"""Times ours, PyTorch and ONNX Runtime in turn, on the same networks, in one go.

    cargo build --release -p underdrawing-cli
    cargo build --release -p underdrawing-train --example bench_worker
    python tools/bench/bench.py --out bench/runs/DATE-MACHINE [--quick] [--docs docs/benchmarks.md]

Needs torch, onnx, onnxruntime, safetensors, numpy and pillow. `--before PROGRAM` times another
build of the program beside this one. Every number is a median; each round runs every program once,
so what disturbs the machine disturbs all of them. Between two programs there is a pause, in which
the other's threads stop waiting for work; then it runs for a while before it is timed, as a training
step follows another. Whole processes run once. Written are raw.csv, summary.md and README.md.
"""

import argparse
import csv
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image, ImageFilter

sys.dont_write_bytecode = True
import peers  # noqa: E402
import report  # noqa: E402

ROOT = Path(__file__).parent.parent.parent
RELEASE = ROOT / "target" / "release"
# Seconds: PyTorch's threads spin this long for more work.
PAUSE = 0.25
# Seconds that a program runs before it is timed: threads that slept take milliseconds to wake.
AWAKE = 0.3

OURS, BEFORE = "ours", "before"
AVX2, ONE = "ours, AVX2", "ours, 1 thread"
TORCH, LAST, ONNX = "PyTorch", "PyTorch channels-last", "ONNX Runtime"


class Worker:
    """Our side, a process that runs what it is told."""

    def __init__(self, threads, path=None):
        self.process = subprocess.Popen(
            [RELEASE / "examples" / "bench_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"RAYON_NUM_THREADS": str(threads)},
        )
        self.works = path is None or self.ask("path", path) == "taken"

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words if word) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit(f"bench_worker failed at {words}")
        return answer

    def time(self, case, side=None):
        return float(self.ask(case, side))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Program:
    """The whole program on a pair of one megapixel: a process a run."""

    def __init__(self, program, folder):
        self.program, self.folder = program, Path(folder)

    def time(self, case, side=None):
        name = self.folder / f"{Path(self.program).name}-{abs(hash(self.program))}.png"
        hide = ["hide", self.folder / "cover.png", self.folder / "secret.png", "-o", name, "--method", "network"]
        reveal = ["reveal", name, "-o", self.folder / "revealed.png"]
        if case == "program-reveal" and not name.exists():
            self.run(hide)
        return self.run(hide if case == "program-hide" else reveal)

    def run(self, arguments):
        start = time.perf_counter()
        subprocess.run([self.program, *arguments, "--force", "--quiet"], check=True)
        return 1e3 * (time.perf_counter() - start)


def write_pair(folder):
    """Two pictures with edges and grain, 1224x816."""
    random_numbers = np.random.default_rng(1)
    for name in ("cover", "secret"):
        coarse = random_numbers.integers(0, 256, (17, 25, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((1224, 816), Image.BICUBIC)
        grain = random_numbers.integers(-6, 7, (816, 1224, 3))
        picture = np.clip(np.asarray(picture.filter(ImageFilter.EDGE_ENHANCE)) + grain, 0, 255)
        Image.fromarray(picture.astype(np.uint8)).save(Path(folder) / f"{name}.png")


def cases(quick):
    """Case, side, programs, rounds."""
    few = 5 if quick else 10
    inference = [OURS, ONNX, LAST, TORCH]
    training = [OURS, LAST, TORCH]
    plan = [
        ("program-hide", None, [OURS, BEFORE], few),
        ("program-reveal", None, [OURS, BEFORE], few),
        ("reveal", 256, [*inference, AVX2, ONE], few),
        ("reveal", 1024, [OURS, ONNX, LAST] if quick else inference, 3 if quick else 10),
        ("hide", 256, [*inference, AVX2, ONE], few),
        ("lifting-hide", 256, [*inference, AVX2, ONE], few),
        ("lifting-reveal", 256, inference, few),
        ("train-2018", None, [*training, ONE], few),
        ("train-lifting", None, [*training, ONE], few),
    ]
    for side in (64, 128, 256, 512, 1024, 2048, 4096):
        rounds = few if side <= 1024 else (1 if quick else 3)
        with_peers = side <= 1024 and not quick
        plan.append(("picture-hide", side, [OURS], rounds))
        plan.append(("picture-reveal", side, [OURS], rounds))
        if side != 256 and side != 1024 and side < 1024:
            plan.append(("reveal", side, inference if with_peers else [OURS, ONNX], rounds))
    return plan


def check_means(worker, nets, programs):
    """All programs compute the same, or the times mean nothing."""
    for case in ("reveal", "hide", "lifting-hide", "lifting-reveal"):
        ours = float(worker.ask("mean", case, 128))
        for name, program in programs.items():
            mean = program.mean(case, 128)
            if abs(mean - ours) > 1e-4 * max(1, abs(ours)):
                sys.exit(f"{case}: mean {ours} here, {mean} in {name}")
            program.forget()


def measure(programs, plan, write_row):
    order = random.Random(1)
    for case, side, names, rounds in plan:
        present = [name for name in names if name in programs]
        for name in present:
            programs[name].time(case, side)  # warms up
        times = {name: [] for name in present}
        for _ in range(rounds):
            order.shuffle(present)
            for name in present:
                time.sleep(PAUSE)
                start = time.perf_counter()
                while not isinstance(programs[name], Program) and time.perf_counter() - start < AWAKE:
                    programs[name].time(case, side)
                milliseconds = programs[name].time(case, side)
                times[name].append(milliseconds)
                write_row([case, side or "", name, f"{milliseconds:.3f}"])
        for program in programs.values():
            if isinstance(program, peers.Peer):
                program.forget()
        medians = {name: round(statistics.median(values), 1) for name, values in times.items()}
        print(case, side or "", medians, file=sys.stderr, flush=True)


def machine():
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if "model name" in line),
        platform.processor(),
    )
    features = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "")
    wide = "AVX-512" if " avx512f" in features else "AVX2" if " avx2" in features else "no AVX2"
    return f"{model}, {wide}, {platform.system()} {platform.release().split('-')[0]}"


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under ten minutes")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--before", help="another build of the program")
    parser.add_argument("--only", help="cases whose name contains this")
    parser.add_argument("--docs", type=Path, help="write this page from the run")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    begin = time.time()
    with tempfile.TemporaryDirectory() as folder:
        write_pair(folder)
        ours = Worker(args.threads)
        ours.ask("weights", folder)
        nets = peers.load(folder)
        programs = {
            LAST: peers.Torch(nets, args.threads, torch.channels_last),
            TORCH: peers.Torch(nets, args.threads, torch.contiguous_format),
            ONNX: peers.Onnx(nets, args.threads),
        }
        check_means(ours, nets, programs)
        programs |= {OURS: ours, ONE: Worker(1)}
        avx2 = Worker(args.threads, "avx2")
        if avx2.works:
            programs[AVX2] = avx2
        workers = [ours, programs[ONE], avx2]
        plan = [case for case in cases(args.quick) if not args.only or args.only in case[0]]
        with open(args.out / "raw.csv", "w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["case", "side", "program", "ms"])
            processes = {OURS: Program(str(RELEASE / "underdrawing"), folder)}
            if args.before:
                processes[BEFORE] = Program(args.before, folder)
            whole = [case for case in plan if case[0].startswith("program")]
            measure(processes, whole, rows.writerow)
            rest = [case for case in plan if not case[0].startswith("program")]
            measure(programs, rest, rows.writerow)
        for worker in workers:
            worker.close()
    facts = {
        "machine": machine(),
        "threads": args.threads,
        "date": time.strftime("%Y-%m-%d"),
        "commit": output_of("git", "rev-parse", "--short", "HEAD"),
        "rustc": output_of("rustc", "--version"),
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "mode": "quick" if args.quick else "full",
        "minutes": f"{(time.time() - begin) / 60:.0f}",
    }
    report.write(args.out, facts, args.docs)


if __name__ == "__main__":
    main()
