"""Event files of training runs, read by TensorBoard itself."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

from conftest import as_file, scene

import underdrawing


def test_tensorboard_reads_what_a_run_wrote(tmp_path: Path) -> None:
    for name, count in (("train", 4), ("val", 2)):
        (tmp_path / name).mkdir()
        for i in range(count):
            (tmp_path / name / f"{i}.png").write_bytes(as_file(scene(32, 32, seed=i)))
    out = tmp_path / "run"
    run = underdrawing.train(
        train=tmp_path / "train",
        val=tmp_path / "val",
        out=out,
        steps=6,
        batch_size=4,
        size=16,
        width=4,
        depth=1,
        validate_every=3,
    )
    # Stopped and gone on with: a file for each.
    for event in run:
        if event.kind == "step" and event.step == 4:
            run.stop()
    list(underdrawing.train(resume=out))
    assert len(list((out / "tensorboard").iterdir())) == 2

    # It has no types.
    module = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    accumulator: Any = getattr(module, "EventAccumulator")(str(out / "tensorboard"))
    accumulator.Reload()
    read: dict[str, dict[int, float]] = {
        tag: {event.step: event.value for event in accumulator.Scalars(tag)}
        for tag in accumulator.Tags()["scalars"]
    }
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    for kind, count, tag, name in (
        ("step", 6, "training/container_psnr_db", "container_mse"),
        ("step", 6, "training/revealed_psnr_db", "revealed_mse"),
        ("step", 6, "learning_rate/hiding", "learning_rate"),
        ("step", 6, "learning_rate/reveal", "reveal_learning_rate"),
        ("validated", 2, "validation/container_psnr_db", "container_psnr_db"),
        ("validated", 2, "validation/revealed_psnr_db", "revealed_psnr_db"),
        ("validated", 2, "validation/container_apd", "container_apd"),
        ("validated", 2, "validation/revealed_apd", "revealed_apd"),
    ):
        told = {event["step"]: event[name] for event in events if event["event"] == kind}
        if name.endswith("_mse"):
            told = {step: -10 * math.log10(mse) for step, mse in told.items()}
        assert len(told) == count
        assert read[tag].keys() == told.keys(), tag
        for step, value in told.items():
            assert math.isclose(read[tag][step], value, rel_tol=1e-6), (tag, step)
