"""Models as modules."""

from __future__ import annotations

import os
from typing import Union

from .._models import Model
from ._dense2017 import Triple2017
from ._lifting import LiftingNet
from ._networks import Networks
from ._pair2018 import Pair2018


def load(model: Union[Model, str, os.PathLike[str], bytes, None] = None) -> Networks:
    """The networks of a model, in evaluation mode on the processor: `train()` and `to(device)`
    change that.

    - `model`: a `Model`, the name of a built-in one, or a model file; the default one without.

    Raises what `Model` raises.
    """
    model = model if isinstance(model, Model) else Model(model)
    networks = _unfilled(model)
    networks._begin_with(model)
    return networks.eval()


def _unfilled(model: Model) -> Networks:
    architecture = model.architecture
    kind = architecture.pop("kind")
    if kind == "lifting":
        return LiftingNet(**{"shaping": False, **architecture}, seed=None)
    if kind == "2018":
        hiding, reveal = architecture["hiding"], architecture["reveal"]
        return Pair2018(hiding["width"], hiding["depth"], reveal["width"], seed=None)
    if kind == "2017":
        return Triple2017(architecture["width"], seed=None)
    raise NotImplementedError(f"networks of the kind {kind}")
