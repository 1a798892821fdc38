"""What all networks have in common: pictures in and out, rounding, model files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Optional, Union

import torch
from torch import Tensor, nn
from torch.nn import functional

from .._models import Model
from . import _file


class Networks(nn.Module):
    """Networks that hide and reveal; `LiftingNet`, `Pair2018` and `Triple2017` are such.

    Pictures are floats of `[n, 3, h, w]`, sRGB-encoded, 0 to 1, RGB: bytes divided by 255. Outputs
    are not clamped. Both sides must be multiples of `size_multiple`.
    """

    architecture: dict[str, Any]
    """What the networks are built of, as model files say it."""
    size_multiple: int
    """Both sides of pictures must be multiples of this."""
    reveal: Callable[[Tensor], Tensor]
    """Revealed picture from a container: `[n, 3, h, w]` each. In networks that have a reveal
    network of its own, it is that module."""

    def __init__(self, architecture: dict[str, Any]) -> None:
        super().__init__()
        self.architecture = architecture
        self._record: dict[str, Any] = {}
        self._began_with: Optional[Model] = None

    def hide(self, cover: Tensor, secret: Tensor) -> Tensor:
        """Container from cover and secret: `[n, 3, h, w]` each."""
        raise NotImplementedError

    def forward(self, cover: Tensor, secret: Tensor) -> tuple[Tensor, Tensor]:
        """Container, and what is revealed from it before it is rounded."""
        container = self.hide(cover, secret)
        return container, self.reveal(container)

    def corners(self, pictures: Tensor) -> tuple[int, int, int, int]:
        """Shape of errors for `rounding_errors`, for pictures of even sides: `[n, 12, h/2, w/2]`."""
        n, _, height, width = pictures.shape
        return n, 12, height // 2, width // 2

    def rounding_errors(self, errors: Tensor) -> Tensor:
        """What rounding adds to containers, out of errors of single samples, differentiable.

        - `errors`: `[n, 12, h/2, w/2]`, for blocks of 2x2 pixels, pixel by pixel; in training
          independent and uniform in [-1/2, 1/2], in grey levels.
        - returns `[n, 3, h, w]`, in grey levels: divide by 255 before you add it to a container.
        """
        return pixel_shuffle(errors)

    def rounded(self, container: Tensor) -> Tensor:
        """A container as `underdrawing.hide` rounds it, but for the mark: `uint8`, same shape."""
        n, _, height, width = container.shape
        samples = container.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
        rounded = self.to_model()._native.round_floats((n, height, width), samples)
        pixels = torch.frombuffer(bytearray(rounded), dtype=torch.uint8)
        return pixels.reshape(container.shape).to(container.device)

    def to_model(self, *, training: Optional[dict[str, Any]] = None) -> Model:
        """The networks as they are now, for `underdrawing.hide`, `reveal` and files.

        `training` is the record of how they came about, with any of `config` (any JSON), `seed`,
        `steps`, `from` (a model's id) and `quality` (`container_psnr_db` and `revealed_psnr_db`).
        By default it is that of the model they began with if they are still that model, else it
        names it.

        Raises `ModelFileError` where a value is not finite.
        """
        record = self._record if training is None else training
        model = Model(_file.write(self.architecture, record, self.state_dict()))
        began_with = self._began_with
        return began_with if training is None and model == began_with and began_with else model

    def save(
        self,
        path: Union[str, os.PathLike[str]],
        *,
        training: Optional[dict[str, Any]] = None,
        force: bool = False,
    ) -> None:
        """Writes the model file of `to_model`. An existing file is not replaced without `force`."""
        self.to_model(training=training).save(path, force=force)

    def _begin_fresh(self, seed: Optional[int]) -> None:
        """The first weights of `underdrawing train`."""
        if seed is not None:
            self.load_state_dict(_file.tensors(Model.fresh(self.architecture, seed=seed)))
            self._record = {"seed": seed}

    def _begin_with(self, model: Model) -> None:
        self.load_state_dict(_file.tensors(model))
        self._record = {"from": model.id}
        self._began_with = model


def pixel_shuffle(corners: Tensor) -> Tensor:
    """Pixels of the corners of 2x2 blocks, `[n, 12, h, w]`, corner by corner, put where they belong:
    `[n, 3, 2h, 2w]`. PyTorch's own has them colour by colour."""
    n, _, height, width = corners.shape
    by_colour = corners.reshape(n, 4, 3, height, width).transpose(1, 2)
    return functional.pixel_shuffle(by_colour.reshape(n, 12, height, width), 2)
