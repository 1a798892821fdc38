"""Threads, forks, Ctrl-C: what notebooks and data loaders do to a library."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import Pixels, scene

import underdrawing


def digest(seed: int) -> str:
    """What comes of hiding and revealing, by two methods."""
    cover, secret = scene(64, 48, seed), scene(48, 40, seed + 100)
    found = hashlib.sha256()
    for method in ("coded", "network"):
        hidden = underdrawing.hide(cover, secret, method=method)
        found.update(hidden.container.tobytes())
        found.update(underdrawing.reveal(hidden).picture.tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_other_processes_give_the_same(way: str) -> None:
    if way not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {way} here")
    # Threads run already when the fork comes.
    expected = [digest(seed) for seed in range(4)]
    with multiprocessing.get_context(way).Pool(2) as pool:
        assert pool.map_async(digest, range(4)).get(timeout=60) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks are of Unix")
def test_forks_while_other_threads_work() -> None:
    expected = digest(7)
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            assert digest(7) == expected

    with ThreadPoolExecutor(2) as threads:
        working = [threads.submit(work) for _ in range(2)]
        try:
            for _ in range(12):
                child = os.fork()
                if child == 0:
                    os._exit(0 if digest(7) == expected else 1)
                assert _code_of(child, seconds=30) == 0
        finally:
            done.set()
        for each in working:
            each.result(timeout=30)


def _code_of(child: int, seconds: float) -> int:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


def test_threads_share_nothing_that_counts() -> None:
    expected = [digest(seed) for seed in range(3)]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(digest, list(range(3)) * 4)) == expected * 4


def test_other_threads_run_meanwhile() -> None:
    picture = scene(1000, 800)
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            time.sleep(0.005)
            counted += 1

    counter = threading.Thread(target=count)
    counter.start()
    began = time.monotonic()
    underdrawing.hide(picture, picture, effort="best")
    took = time.monotonic() - began
    done.set()
    counter.join()
    # With the lock held it would not have counted once.
    assert counted > took / 0.005 / 10


CTRL_C = """
import numpy, os, signal, sys, threading, time
sys.path.insert(0, {tests!r})
from conftest import scene
import underdrawing
picture = numpy.tile(scene(300, 240), (8, 8, 1))
def press():
    time.sleep(0.6)
    pressed.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
pressed = []
threading.Thread(target=press).start()
try:
    underdrawing.hide(picture, picture, effort="best")
except KeyboardInterrupt:
    print("after", time.monotonic() - pressed[0])
    # What was stopped does not get in the way of what comes next.
    small = scene(64, 48)
    underdrawing.reveal(underdrawing.hide(small, small, effort="fast"))
    print("goes on")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_ctrl_c_stops_within_a_second() -> None:
    code = CTRL_C.format(tests=os.path.dirname(__file__))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, text=True)
    lines = ran.stdout.splitlines()
    assert len(lines) == 2, ran.stderr
    assert float(lines[0].split()[1]) < 1.0


def test_progress_is_told_and_may_stop(cover: Pixels, secret: Pixels) -> None:
    told: list[tuple[int, int]] = []
    caller = threading.get_ident()

    def note(done: int, total: int) -> None:
        assert threading.get_ident() == caller
        told.append((done, total))

    underdrawing.hide(cover, secret, progress=note)
    assert told and told[-1][0] == told[-1][1]

    def enough(done: int, total: int) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        underdrawing.hide(cover, secret, progress=enough)


def test_progress_is_a_line_where_asked(
    cover: Pixels, secret: Pixels, capsys: pytest.CaptureFixture[str]
) -> None:
    underdrawing.hide(cover, secret, progress=True)
    shown = capsys.readouterr()
    assert "hiding [" in shown.err and shown.err.endswith("\r") and shown.out == ""
