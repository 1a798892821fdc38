"""Time by kernel, of logs that `ncu --csv --metrics gpu__time_duration.sum` wrote.

    python tools/gpu/kernels.py LOG...
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path


def main():
    for path in map(Path, sys.argv[1:]):
        lines = path.read_text().splitlines()
        starts = [i for i, line in enumerate(lines) if line.startswith('"ID"')]
        if not starts:
            print(f"{path.name}: no kernels")
            continue
        times = defaultdict(list)
        for row in csv.DictReader(lines[starts[0]:]):
            value = row.get("Metric Value") or ""
            scale = {"ns": 1e-3, "nsecond": 1e-3, "us": 1, "usecond": 1, "ms": 1e3, "msecond": 1e3}
            try:
                microseconds = float(value.replace(",", "")) * scale[row["Metric Unit"]]
            except (KeyError, ValueError):
                continue
            times[row["Kernel Name"].split("(")[0][:70]].append(microseconds)
        total = sum(map(sum, times.values()))
        print(f"{path.name}: {total / 1e3:.2f} ms in {sum(map(len, times.values()))} kernels")
        for name, each in sorted(times.items(), key=lambda item: -sum(item[1]))[:30]:
            print(f"{sum(each) / 1e3:9.3f} ms {len(each):5} x {sum(each) / len(each):9.1f} us  {name}")


if __name__ == "__main__":
    main()
