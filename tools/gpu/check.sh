#!/usr/bin/env bash
# Checks and times the engine on a machine with an NVIDIA card and PyTorch, and no compiler:
#
#     check.sh FOLDER OUT STAGE...
#
# FOLDER is what `pack.sh` collected; logs and a table go to OUT. Stages: `tests`, `ours` and `torch`,
# which are run where none is named and take eight minutes at most; `kernels`, the time of each kernel
# (it needs `ncu`); `train`, four minutes of the 2018 system at full width, for which FOLDER also has
# `train` and `val` of `pack_pictures.py`.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 out=$2
shift 2
[ $# -gt 0 ] || set -- tests ours torch
mkdir -p "$out"

# PyTorch brings CUDA's libraries.
libraries=$(python3 - <<'END'
import glob, os, site, sys
roots = site.getsitepackages() + [p for p in sys.path if p]
print(":".join(sorted({d for r in roots for d in glob.glob(os.path.join(r, "nvidia", "*", "lib"))})))
END
)
export UNDERDRAWING_CUDA=$libraries LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PYTHONUNBUFFERED=1
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$out/card.txt"

step() { # name, seconds, command
    local name=$1 seconds=$2 start=$SECONDS
    shift 2
    echo "== $name"
    timeout "$seconds" "$@" >"$out/$name.log" 2>&1
    local status=$?
    tail -n "${LINES_SHOWN:-12}" "$out/$name.log" | cut -c1-400
    echo "-- $name: status $status, $((SECONDS - start)) s"
}

for stage in "$@"; do
    case $stage in
    tests)
        export UNDERDRAWING_TEST_CARD=1
        for test in "$folder"/bin/test-*; do
            step "$(basename "$test")" 120 "$test" --test-threads 1
        done
        ;;
    ours)
        step ours 150 "$folder/bin/card_bench" seconds=2 \
            tf32 train-lifting:24:96:muon train-lifting:24:96:adam train-lifting:48:96:adam \
            infer-lifting:4000:3000 train-2018:16:256 infer-2018:1024 \
            fp32 train-lifting:24:96:adam infer-lifting:4000:3000 train-2018:16:256
        ;;
    torch)
        bench() { python3 "$here/torch_bench.py" "$@" --seconds 2; }
        export -f bench
        export here
        LINES_SHOWN=4 step torch-2018 70 bash -c 'bench train-2018 --pairs 16 --size 256 \
            --precision tf32 --mode eager compile'
        LINES_SHOWN=4 step torch-infer 40 bash -c 'bench infer-lifting --width 4000 --height 3000 \
            --precision tf32 --mode eager'
        # Compiling takes more than a minute.
        LINES_SHOWN=4 step torch-lifting 150 bash -c 'bench train-lifting --pairs 24 --size 96 \
            --optimiser adam --precision tf32 --mode eager graph compile-graph'
        ;;
    kernels)
        # The time of each kernel of a training step.
        for case in train-lifting:24:96:muon train-2018:16:256; do
            LINES_SHOWN=2 step "kernels-${case%%:*}" 100 ncu --metrics gpu__time_duration.sum \
                --clock-control none --csv "$folder/bin/card_bench" tf32 warm-up=1 steps=0 "$case"
        done
        python3 "$here/kernels.py" "$out"/kernels-*.log
        ;;
    train)
        step train 240 "$folder/bin/underdrawing" train --preset 2018 --device gpu --tf32 \
            --train "$folder/train" --val "$folder/val" --out "$out/run" --json
        ;;
    esac
done
python3 "$here/table.py" "$out"/*.log | tee "$out/table.md"
