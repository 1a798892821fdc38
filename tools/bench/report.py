"""Tables from the raw times of a run."""

import csv
import statistics

TITLES = {
    "program-hide": "`hide`, whole process, 1224x816",
    "program-reveal": "`reveal`, whole process, 1224x816",
    "reveal": "2018 reveal network",
    "hide": "2018 hiding network",
    "lifting-hide": "lifting network, hiding",
    "lifting-reveal": "lifting network, revealing",
    "train-2018": "training step, 2018 system, batch 4, 128x128",
    "train-lifting": "training step, lifting network, batch 12, 96x96",
    "picture-hide": "hide a picture (lifting, in tiles)",
    "picture-reveal": "reveal a picture (lifting, in tiles)",
}


def write(folder, facts, docs):
    with open(folder / "raw.csv") as file:
        rows = list(csv.DictReader(file))
    times = {}
    for row in rows:
        key = (row["case"], row["side"])
        times.setdefault(key, {}).setdefault(row["program"], []).append(float(row["ms"]))
    summary = table(times)
    about = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    (folder / "summary.md").write_text(summary)
    (folder / "README.md").write_text(
        f"# Benchmarks of {facts['date']}\n\n{about}\n- command: `python tools/bench/bench.py`"
        f"{' --quick' if facts['mode'] == 'quick' else ''}\n\n`raw.csv` holds every single time, "
        "`summary.md` the medians.\n"
    )
    if docs:
        docs.write_text(page(facts, summary, folder.name))


def table(times):
    """Medians in milliseconds, and in brackets how many times as long as ours."""
    programs = []
    for entry in times.values():
        programs += [name for name in entry if name not in programs]
    order = ["ours", "before", "ONNX Runtime", "PyTorch channels-last", "PyTorch"]
    programs.sort(key=lambda name: (order.index(name) if name in order else 9, name))
    lines = ["| | " + " | ".join(programs) + " |", "|---" * (len(programs) + 1) + "|"]
    for (case, side), entry in times.items():
        ours = statistics.median(entry["ours"])
        cells = []
        for name in programs:
            if name not in entry:
                cells.append("")
                continue
            median = statistics.median(entry[name])
            ratio = "" if name == "ours" else f" ({median / ours:.2f})"
            cells.append(f"{number(median)}{ratio}")
        title = TITLES[case] + (f", {side}x{side}" if side else "")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def number(milliseconds):
    return f"{milliseconds:.0f}" if milliseconds >= 100 else f"{milliseconds:.1f}"


def page(facts, summary, run):
    return f"""# Benchmarks

Written by `tools/bench/bench.py` from [bench/runs/{run}](../bench/runs/{run}), not by hand.

{facts['machine']}, {facts['threads']} threads; {facts['rustc']}, PyTorch {facts['torch']}, ONNX Runtime {facts['onnxruntime']}; commit {facts['commit']}, {facts['date']}.

Milliseconds, medians of runs in turn, so that what disturbs the machine disturbs all; in each turn a program runs for 0.3 s before it is timed, since its threads take milliseconds to wake (whole processes run once); in brackets how many times as long as ours. All programs ran the same networks with the same weights, checked by their outputs; PyTorch eagerly, in its default layout and with the channels last, ONNX Runtime with its defaults. A training step is forward, loss, backward and Adam; loading pictures is not in it.

{summary}
What this does not show: one machine, two cores, no graphics card; other processors will differ.

To repeat it: `python tools/bench/bench.py --out bench/runs/DATE-MACHINE --docs docs/benchmarks.md`, after the builds that its head names; `--quick` takes under ten minutes.
"""
