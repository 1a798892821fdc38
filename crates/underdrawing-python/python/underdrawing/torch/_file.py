"""Model files (docs/format.md, section 1) as tensors, and back."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor

from .._models import Model

# PyTorch counts batches there; nothing depends on it with a fixed momentum.
_NOT_OURS = "num_batches_tracked"


def tensors(model: Model) -> dict[str, Tensor]:
    """All parameters and running statistics, by the names that they have in files."""
    file = model.to_bytes()
    end = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:end])
    del header["__metadata__"]
    state = {}
    for name, info in header.items():
        start, stop = info["data_offsets"]
        # PyTorch wants memory that may be written to.
        values = torch.frombuffer(bytearray(file[end + start : end + stop]), dtype=torch.float32)
        state[name] = values.reshape(info["shape"])
    return state


def write(architecture: dict[str, Any], training: dict[str, Any], state: dict[str, Tensor]) -> bytes:
    """A model file of a state dict."""
    header: dict[str, Any] = {
        "__metadata__": {
            "underdrawing.format": "1",
            "underdrawing.architecture": json.dumps(architecture),
            "underdrawing.training": json.dumps(training),
        }
    }
    data = bytearray()
    for name in sorted(state):
        if name.endswith(_NOT_OURS):
            continue
        values = state[name].detach().to("cpu", torch.float32).contiguous()
        start = len(data)
        data += values.numpy().astype("<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(values.shape),
            "data_offsets": [start, len(data)],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(data)
