"""Training runs as iterators."""

from __future__ import annotations

import copy
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import as_file, program, scene

import underdrawing

SMALL: dict[str, Any] = {
    "steps": 12,
    "batch_size": 4,
    "size": 24,
    "width": 4,
    "depth": 2,
    "validate_every": 6,
    "validate_pairs": 1,
    "sheet_every": 0,
    "seed": 3,
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("pictures")
    for name, count in (("train", 6), ("val", 2)):
        (folder / name).mkdir()
        for i in range(count):
            file = folder / name / f"{i}.png"
            file.write_bytes(as_file(scene(64, 56, seed=i)))
    return {"train": folder / "train", "val": folder / "val"}


def test_tells_what_happens_and_hides_with_the_result(
    folders: dict[str, Any], tmp_path: Path
) -> None:
    run = underdrawing.train(**folders, out=tmp_path / "run", **SMALL)
    events = list(run)
    kinds = [event.kind for event in events]
    assert kinds[0] == "started" and kinds[-1] == "finished"
    assert [event.step for event in events if event.kind == "step"] == list(range(1, 13))
    assert kinds.count("validated") == 2 and not events[-1].stopped
    assert copy.deepcopy(events) == events
    with pytest.raises(AttributeError, match="an event of kind started has no step"):
        events[0].step
    figures = next(event for event in events if event.kind == "validated")
    assert 5 < figures.container_psnr_db < 60
    model = underdrawing.Model(run.best)
    assert model.training["steps"] in (6, 12)
    picture = scene(64, 48)
    hidden = underdrawing.hide(picture, picture, model=model)
    assert underdrawing.reveal(hidden, model=model).found.model == model.id
    with pytest.raises(underdrawing.UnknownModelError, match=model.id):
        underdrawing.reveal(hidden)


def test_a_stopped_run_goes_on_exactly(folders: dict[str, Any], tmp_path: Path) -> None:
    whole = underdrawing.train(**folders, out=tmp_path / "whole", **SMALL)
    assert list(whole)[-1].step == 12
    with underdrawing.train(**folders, out=tmp_path / "stopped", **SMALL) as stopped:
        for event in stopped:
            if event.kind == "step" and event.step == 4:
                stopped.stop()
        assert event.kind == "finished" and event.stopped and event.step < 12
    at = event.step
    with underdrawing.train(resume=tmp_path / "stopped", threads=1) as resumed:
        events = list(resumed)
    assert events[0].first_step == at and events[-1].step == 12
    files = [tmp_path / name / "last.safetensors" for name in ("whole", "stopped")]
    one, other = (underdrawing.Model(file) for file in files)
    assert one == other


def test_leaving_the_block_saves(folders: dict[str, Any], tmp_path: Path) -> None:
    with underdrawing.train(**folders, out=tmp_path / "run", **SMALL) as run:
        next(event for event in run if event.kind == "step")
    resumed = underdrawing.train(resume=tmp_path / "run")
    assert 0 < next(resumed).first_step < 12
    resumed.close()
    assert list(resumed) == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batch_size": 1}, underdrawing.OptionError, "batch"),
        ({"schedule": "wavy"}, underdrawing.OptionError, "^schedule: .*wavy"),
        ({"steps": "3"}, TypeError, "^steps: expected a whole number from 0 up, found str '3'"),
        ({"learning_rate": float("nan")}, underdrawing.OptionError, "^learning_rate nan: "),
        ({"noise": "much"}, TypeError, "^noise: expected a number, found str 'much'"),
        ({"seed": -1}, underdrawing.OptionError, "^seed -1: expected a whole number from 0 up"),
        (
            {"hiding_patience": 2**32},
            underdrawing.OptionError,
            "^hiding_patience 4294967296: expected a whole number from 0 to 4294967295",
        ),
        ({"loss": 3}, TypeError, "^loss: expected a word, found int 3"),
        ({"from_model": 3}, TypeError, "^from_model: expected a Model"),
        (
            {"from_model": "lifting-5", "width": 32},
            underdrawing.OptionError,
            "^depth: expected 6 as in the model to begin with, found 2",
        ),
        ({"out": 3}, TypeError, "^out: expected a path, found int 3"),
        ({"progress": 3}, TypeError, "^progress: expected True, False or a function"),
        ({"train": "nowhere"}, underdrawing.TrainingError, "nowhere"),
        ({"train": None}, underdrawing.OptionError, "expected train, val and out"),
        ({"resume": "nowhere"}, underdrawing.OptionError, "none beside resume"),
    ],
)
def test_refuses_before_it_begins(
    folders: dict[str, Any], tmp_path: Path, change: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        underdrawing.train(**{**folders, **SMALL, "out": tmp_path / "run", **change})


def test_networks_are_those_of_the_model_to_begin_with(
    folders: dict[str, Any], tmp_path: Path
) -> None:
    begin = underdrawing.Model.fresh(
        {"kind": "lifting", "blocks": 2, "width": 4, "shaping": True}, seed=1
    )
    rest = {name: SMALL[name] for name in SMALL if name not in ("width", "depth")}
    run = underdrawing.train(**folders, out=tmp_path / "run", from_model=begin, **rest)
    assert sum(1 for _ in run) > 12
    assert underdrawing.Model(run.best).architecture == begin.architecture


def test_a_settings_file_is_refused_in_words(folders: dict[str, Any], tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text("width = -1")
    with pytest.raises(underdrawing.OptionError) as refused:
        underdrawing.train(**folders, out=tmp_path / "run", config=config)
    message = str(refused.value)
    assert message.startswith("config: ") and "1 | width = -1" in message
    assert message.endswith("integer `-1`, expected a whole number from 0 up")


def test_settings_may_be_numpys(folders: dict[str, Any], tmp_path: Path) -> None:
    settings = {**SMALL, "steps": np.int64(2), "learning_rate": np.float32(0.001)}
    with underdrawing.train(**folders, out=tmp_path / "run", **settings) as run:
        assert next(run).steps == 2


def test_a_setting_of_each_kind_is_taken(folders: dict[str, Any], tmp_path: Path) -> None:
    # Of the signature's kinds, whatever the lists of `_training.py` say.
    values = {"Optional[int]": 1, "Optional[float]": 0.5, "Optional[bool]": True}
    kinds = underdrawing.train.__annotations__
    for name, kind in kinds.items():
        if kind in values:
            assert underdrawing._training._setting(name, values[kind]) == values[kind], name
        elif kind.startswith("Optional[Literal"):
            assert underdrawing._training._setting(name, "word") == "word", name


def test_a_folder_holds_one_run(folders: dict[str, Any], tmp_path: Path) -> None:
    underdrawing.train(**folders, out=tmp_path / "run", **SMALL).close()
    with pytest.raises(underdrawing.TrainingError, match="already holds a run"):
        underdrawing.train(**folders, out=tmp_path / "run", **SMALL)


def test_has_every_setting_of_the_program() -> None:
    shown = program("train", "--help").stdout.decode()
    flags = {flag.replace("-", "_") for flag in re.findall(r"^ +--([a-z0-9-]+)", shown, re.M)}
    flags |= {flag.replace("-", "_") for flag in re.findall(r"^ +-\w, --([a-z0-9-]+)", shown, re.M)}
    # Of the program alone: where it runs and what it prints; `from` is a word of Python.
    flags -= {"device", "tf32", "dry_run", "json", "quiet", "verbose", "help", "from"}
    assert flags | {"from_model", "progress"} == set(inspect.signature(underdrawing.train).parameters)


def test_progress_is_told(folders: dict[str, Any], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    run = underdrawing.train(
        **folders,
        out=tmp_path / "run",
        **SMALL,
        progress=lambda done, total: told.append((done, total)),
    )
    assert sum(1 for _ in run) > 12
    assert told == [(step, 12) for step in range(1, 13)]


CTRL_C = """
import os, signal, sys, threading
import underdrawing
run = underdrawing.train(train={train!r}, val={val!r}, out={out!r}, **{settings!r})
try:
    for event in run:
        if event.kind == "step" and event.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


CTRL_C_TWICE = """
import os, signal, threading, time
import underdrawing
run = underdrawing.train(train={train!r}, val={val!r}, out={out!r}, **{settings!r})
print(next(run).kind, flush=True)
def press():
    # Once for the end of the step, which is far, and once more not to wait for it.
    for _ in range(2):
        pressed.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
pressed = []
threading.Timer(0.5, press).start()
try:
    for event in run:
        print(event.kind, flush=True)
except KeyboardInterrupt:
    print(len(pressed), time.monotonic() - pressed[-1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_ctrl_c_twice_waits_for_no_step(folders: dict[str, Any], tmp_path: Path) -> None:
    # A step of these takes many seconds.
    settings = {**SMALL, "width": 256, "depth": 32, "batch_size": 6, "size": 48}
    paths = {name: str(path) for name, path in folders.items()}
    code = CTRL_C_TWICE.format(**paths, out=str(tmp_path / "run"), settings=settings)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, text=True)
    assert ran.stdout.startswith("started\n2 "), ran.stdout + ran.stderr
    assert float(ran.stdout.split()[2]) < 0.4


@pytest.mark.skipif(sys.platform == "win32", reason="signals are of Unix")
def test_ctrl_c_saves(folders: dict[str, Any], tmp_path: Path) -> None:
    settings = {**SMALL, "steps": 100_000, "validate_every": 50_000}
    paths = {name: str(path) for name, path in folders.items()}
    code = CTRL_C.format(**paths, out=str(tmp_path / "run"), settings=settings)
    environment = {**os.environ, "PYTHONPATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, text=True, env=environment
    )
    assert ran.stdout == "interrupted\n", ran.stderr
    run = underdrawing.train(resume=tmp_path / "run")
    assert next(run).first_step >= 3
    run.close()
