"""Pictures for the tests, drawn from formulas, and the program beside the package."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def scene(width: int, height: int, seed: int = 0) -> Pixels:
    """A picture with slopes, edges and a little noise, as photographs have them."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [
        128 + 70 * np.sin((x + 37 * seed) / 29 + c) * np.cos(y / 41 - c) + 20 * ((x // 48 + y // 32) % 2)
        for c in range(3)
    ]
    noise = np.random.default_rng(seed).normal(0, 2, (height, width, 3))
    return np.clip(np.stack(waves, axis=2) + noise, 1, 254).astype(np.uint8)


def as_file(pixels: Pixels, format: str = "PNG", **options: Any) -> bytes:
    """A picture file, by Pillow."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


def program(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """The program of this environment."""
    path = Path(sys.executable).with_name("underdrawing")
    command = [str(path), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, **options)


@pytest.fixture(scope="session")
def cover() -> Pixels:
    return scene(160, 120, seed=1)


@pytest.fixture(scope="session")
def secret() -> Pixels:
    return scene(120, 140, seed=2)


@pytest.fixture(autouse=True)
def _no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERDRAWING_PASSWORD", raising=False)
    assert "UNDERDRAWING_PASSWORD" not in os.environ
