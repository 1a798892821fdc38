"""The program inside the package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Pixels, as_file, program, scene

import underdrawing


def test_says_its_version_and_helps() -> None:
    ran = program("--version")
    assert ran.stdout.decode() == f"underdrawing {underdrawing.__version__}\n"
    ran = program("hide", "--help")
    assert ran.returncode == 0 and b"--survive" in ran.stdout and ran.stderr == b""
    as_module = [sys.executable, "-m", "underdrawing", "--help"]
    assert subprocess.run(as_module, capture_output=True, check=True).stdout.startswith(b"Hides a")


def test_starts_without_numpy() -> None:
    # It takes longer to import than the program to start.
    code = "import sys, underdrawing._program; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_exit_codes_are_the_programs(tmp_path: Path, cover: Pixels) -> None:
    (tmp_path / "plain.png").write_bytes(as_file(cover))
    nothing = program("reveal", tmp_path / "plain.png", "-o", tmp_path / "r.png")
    assert nothing.returncode == 1 and b"nothing found" in nothing.stderr
    usage = program("hide", "--no-such-flag")
    assert usage.returncode == 2 and b"Usage" in usage.stderr
    assert program("inspect", tmp_path / "none.png").returncode == 2


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, cover: Pixels) -> None:
    (tmp_path / "plain.png").write_bytes(as_file(cover))
    path = Path(sys.executable).with_name("underdrawing")
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run([path, "models", "--json"], stdout=writing, timeout=60)
    os.close(writing)
    assert ran.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(as_file(scene(1600, 1200)))
    path = Path(sys.executable).with_name("underdrawing")
    command = [str(path), "hide", "a.png", "a.png", "-o", "c.png", "--effort", "best"]
    ran = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    # The first one lets it stop at its next step, the second one ends it at once; on a busy machine
    # Python may still be starting.
    for _ in range(20):
        ran.send_signal(signal.SIGINT)
        time.sleep(0.25)
        if ran.poll() is not None:
            break
    # Before it watches for Ctrl-C, the system ends it.
    assert ran.poll() in (130, -signal.SIGINT)
    assert not (tmp_path / "c.png").exists()
