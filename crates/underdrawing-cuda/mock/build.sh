#!/bin/sh
# Builds the mock's three libraries into the folder OUT: `build.sh OUT`.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUT" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
build() { # source, name, version
    ${CXX:-g++} -std=c++17 -O"${4:-1}" -fPIC -shared -fvisibility=hidden -Wall -Wextra ${5:-} \
        -DEMULATE_DIR="\"$here\"" -Wl,-soname,"lib$2.so.$3" "$here/$1" -o "$1.$$.tmp" -ldl -lpthread
    mv "$1.$$.tmp" "lib$2.so.$3"
    ln -sf "lib$2.so.$3" "lib$2.so"
}
cp "$here/emulate.h" "$1/emulate.h"
cd "$1"
build driver.cpp cuda 1
build nvrtc.cpp nvrtc 13
if [ -f "$here/cudnn.cpp" ]; then build cudnn.cpp cudnn 9 3 "-march=native -fno-math-errno -fno-trapping-math"; fi
