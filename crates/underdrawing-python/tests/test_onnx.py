"""Networks as ONNX files, run by ONNX Runtime on the pictures that come with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import as_file, program, scene

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

# Of samples that are nominally 0 to 1: both sum products in another order.
TOLERANCE = 1e-5


def trained(folder: Path, network: str) -> Path:
    """A small model of two training steps, so that its statistics are not those of the start."""
    (folder / "pictures").mkdir()
    for i in range(6):
        (folder / "pictures" / f"{i}.png").write_bytes(as_file(scene(64, 56, seed=i)))
    sizes = ["--size", "32", "--width", "4", "--reveal-width", "4", "--depth", "3"]
    sizes = sizes if network == "2018" else sizes[:4]
    steps = ["--steps", "2", "--batch-size", "2", "--validate-pairs", "1", "--sheet-every", "0"]
    pictures = ["--train", folder / "pictures", "--val", folder / "pictures", "--out", folder / "run"]
    ran = program("train", "--network", network, *sizes, *steps, *pictures)
    assert ran.returncode == 0, ran.stderr.decode()
    return folder / "run" / "last.safetensors"


def tensor(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    message = onnx.TensorProto.FromString(path.read_bytes())
    return np.asarray(onnx.numpy_helper.to_array(message))


@pytest.mark.parametrize("network", ["lifting-5", "2018", "2017"])
def test_onnx_runtime_computes_the_same(network: str, tmp_path: Path) -> None:
    model: str | Path = network if network == "lifting-5" else trained(tmp_path, network)
    out = tmp_path / "out"
    ran = program("export", model, "--onnx", "-o", out)
    assert ran.returncode == 0, ran.stderr.decode()
    for folder in (out / "hiding", out / "reveal"):
        onnx.checker.check_model(folder / "model.onnx", full_check=True)
        session = onnxruntime.InferenceSession(folder / "model.onnx")
        sizes = set()
        for data in sorted(folder.glob("test_data_set_*")):
            paths = sorted(data.glob("input_*.pb"))
            inputs = {i.name: tensor(path) for i, path in zip(session.get_inputs(), paths)}
            (found,) = session.run(None, inputs)
            expected = tensor(data / "output_0.pb")
            assert found.shape == expected.shape
            assert np.ptp(expected) > 0.01
            assert np.abs(found - expected).max() < TOLERANCE, f"{folder.name}, {data.name}"
            sizes.add(found.shape)
        assert len(sizes) == 2
