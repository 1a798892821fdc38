"""The program `underdrawing`, from the native module."""

from __future__ import annotations

import signal
import sys

from . import _native


def main() -> int:
    """Runs the program with this process's command line; its exit code."""
    # The program has its own way with Ctrl-C, and until it does the system's is right.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.run_program(["underdrawing", *sys.argv[1:]])
