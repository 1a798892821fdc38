"""The three-network design of 2017: preparation, hiding, reveal.

After Baluja, "Hiding Images in Plain Sight: Deep Steganography" (NIPS 2017), in the sizes of the
open PyTorch port of 2018; what differs is in `underdrawing-net/src/dense2017.rs`.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._networks import Networks

# Of ImageNet's pictures, RGB.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class Triple2017(Networks):
    """The three networks of 2017; 2,650,656 parameters as it is by default.

    - `width`: channels of each convolution, 1 to 256.
    - `seed`: of the first weights, which are those of `underdrawing train`.
    """

    size_multiple = 1

    def __init__(self, width: int = 50, *, seed: Optional[int] = 0) -> None:
        super().__init__({"kind": "2017", "width": width})
        self.preparation = _PreparationNet(width)
        self.hiding = _PictureNet(3 + 3 * width, width)
        self.reveal = _RevealNet(3, width)
        self._begin_fresh(seed)

    def hide(self, cover: Tensor, secret: Tensor) -> Tensor:
        """Container from cover and secret: `[n, 3, h, w]` each."""
        features = self.preparation(_normalised(secret))  # [n, 3 width, h, w]
        return _denormalised(self.hiding(torch.cat([_normalised(cover), features], 1)))


class _PreparationNet(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = _Body(3, width)

    def forward(self, secret: Tensor) -> Tensor:
        features: Tensor = self.body(secret)
        return features


class _PictureNet(nn.Module):
    """A network that paints a picture, in normalised colours."""

    def __init__(self, c_in: int, width: int) -> None:
        super().__init__()
        self.body = _Body(c_in, width)
        self.last = nn.Conv2d(3 * width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        picture: Tensor = self.last(self.body(x))
        return picture


class _RevealNet(_PictureNet):
    def forward(self, container: Tensor) -> Tensor:
        return _denormalised(super().forward(_normalised(container)))


class _Body(nn.Module):
    """Three branches of four convolutions, then three convolutions over all of them."""

    def __init__(self, c_in: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            _Branch(_SameConv(c, width, side) for c in (c_in, width, width, width))
            for side in (3, 4, 5)
        )
        self.mixers = nn.ModuleList(_SameConv(3 * width, width, side) for side in (5, 4, 3))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cat([branch(x) for branch in self.branches], 1)  # [n, 3 width, h, w]
        return torch.cat([functional.relu(mixer(y)) for mixer in self.mixers], 1)


class _Branch(nn.ModuleList):
    """Convolutions one after the other."""

    def forward(self, x: Tensor) -> Tensor:
        for conv in self:
            x = functional.relu(conv(x))
        return x


class _SameConv(nn.Conv2d):
    """A convolution that keeps the size; of even sides the odd zero is at the right and bottom."""

    def __init__(self, c_in: int, c_out: int, side: int) -> None:
        super().__init__(c_in, c_out, side)
        before, after = (side - 1) // 2, side // 2
        self._zeros = (before, after, before, after)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(functional.pad(x, self._zeros))


def _per_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)


def _normalised(picture: Tensor) -> Tensor:
    return (picture - _per_channel(_MEAN, picture)) / _per_channel(_DEVIATION, picture)


def _denormalised(picture: Tensor) -> Tensor:
    return picture * _per_channel(_DEVIATION, picture) + _per_channel(_MEAN, picture)
