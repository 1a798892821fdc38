"""Our times beside PyTorch's on the same graphics card, as a Markdown table.

    python tools/gpu/table.py ours.jsonl torch.jsonl ...

Every line of the files that is a JSON object with a `program` is read, others are passed over, so
logs do. Ours say `"program": "underdrawing"`, PyTorch's `"program": "pytorch"`. Both say `case`,
`precision`, `card`, `median_ms` and the sizes of the case: `pairs`, `size`, or `width` and
`height`; training of the lifting network also `optimiser`. PyTorch's `mode` and `layout` tell its
lines for one case apart, and the fastest counts. Of lines that say the same the last one counts.
"""

import argparse
import json
from pathlib import Path

PROGRAMS = "underdrawing", "pytorch"


def lines(paths):
    for path in paths:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.lstrip().startswith("{"):
                continue
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if value.get("program") not in PROGRAMS:
                continue
            missing = {"case", "precision", "card", "median_ms"} - value.keys()
            if missing:
                raise SystemExit(f"{path}:{number}: no {', '.join(sorted(missing))}")
            yield value


def size(line):
    """What is run, in words that are equal where the work is."""
    if line["case"].startswith("infer"):
        width = line.get("width") or line["size"]
        return f"{width}x{line.get('height') or width}"
    words = f"{line['pairs']} pairs of {line['size']}x{line['size']}"
    return f"{words}, {line['optimiser']}" if line["case"] == "train-lifting" else words


def way(line):
    """PyTorch's mode, and its layout where that is not the usual one."""
    words = [line.get("mode", ""), line.get("layout", "")]
    return ", ".join(word for word in words if word and word != "channels-last")


def best(paths):
    """Milliseconds and way by program, by card, case, size and precision."""
    runs = {}
    for line in lines(paths):
        key = line["card"], line["case"], size(line), line["precision"]
        ways = runs.setdefault(key, {}).setdefault(line["program"], {})
        ways[way(line)] = line["median_ms"]
    pick = lambda ways: min((milliseconds, name) for name, milliseconds in ways.items())
    return {key: {name: pick(ways) for name, ways in found.items()} for key, found in runs.items()}


def number(milliseconds):
    digits = 0 if milliseconds >= 100 else 1 if milliseconds >= 10 else 2
    return f"{milliseconds:.{digits}f}"


def row(key, found):
    _, case, size, precision = key
    ours, theirs = (found.get(program) for program in PROGRAMS)
    cells = [
        f"{case}, {size}",
        precision,
        number(ours[0]) if ours else "",
        f"{number(theirs[0])} ({theirs[1]})" if theirs else "",
        f"{theirs[0] / ours[0]:.2f}" if ours and theirs else "",
    ]
    return "| " + " | ".join(cells) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    rows = best(parser.parse_args().files)
    for card in sorted({key[0] for key in rows}):
        print(f"{card}; ratio: PyTorch's time over ours\n")
        print("| case | precision | ours, ms | PyTorch's fastest, ms | ratio |")
        print("|---|---|---|---|---|")
        for key in sorted(key for key in rows if key[0] == card):
            print(row(key, rows[key]))
        print()


if __name__ == "__main__":
    main()
