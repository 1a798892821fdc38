#!/usr/bin/env bash
# Collects what `check.sh` runs on a machine with a card and no compiler: `pack.sh FOLDER`.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$(mkdir -p "$1" && cd "$1" && pwd)
mkdir -p "$out/bin"
cargo build --release -p underdrawing-cli --features cuda
cargo build --release -p underdrawing-cuda --example card_bench
cp target/release/underdrawing target/release/examples/card_bench "$out/bin/"
cargo test --release -p underdrawing-cuda --no-run --message-format json |
    python3 -c '
import json, shutil, sys
for line in sys.stdin:
    message = json.loads(line)
    name = message.get("target", {}).get("name")
    if message.get("executable") and message["target"]["kind"] == ["test"]:
        shutil.copy(message["executable"], sys.argv[1] + "/bin/test-" + name)
' "$out"
strip "$out"/bin/*
du -sh "$out"/*
