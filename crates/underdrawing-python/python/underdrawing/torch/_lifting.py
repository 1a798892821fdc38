"""Lifting network: hides and reveals with one set of invertible steps.

Haar transforms and couplings, after HiNet (Jing et al., ICCV 2021) and Real NVP (Dinh et al. 2017);
what differs is in `underdrawing-net/src/lifting.rs`.
"""

from __future__ import annotations

from typing import Optional, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._networks import Networks, pixel_shuffle

# Channels of one picture after the Haar transform: 3 colours, 4 bands.
_BANDS = 12
# Black and white covers are moved inward, by four grey levels.
_HEADROOM = 4 / 255
# Bands are of what differs from the middle of the range.
_GREY = 0.5


class LiftingNet(Networks):
    """The invertible network of this project; 257,380 parameters as it is by default.

    - `blocks`: coupling blocks, 1 to 64. `width`: channels inside each residual network, 1 to 256.
    - `shaping`: whether rounding's errors are fed back, as learned (`rounding_errors`).
    - `seed`: of the first weights, which are those of `underdrawing train`.
    """

    size_multiple = 2

    def __init__(
        self,
        blocks: int = 6,
        width: int = 32,
        shaping: bool = True,
        *,
        seed: Optional[int] = 0,
    ) -> None:
        architecture = {"kind": "lifting", "blocks": blocks, "width": width}
        super().__init__({**architecture, "shaping": True} if shaping else architecture)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.predictor = _Residual(_BANDS, width, _BANDS)
        self.rounding = _NoiseShaping() if shaping else None
        self._begin_fresh(seed)

    def hide(self, cover: Tensor, secret: Tensor) -> Tensor:
        """Container from cover and secret: `[n, 3, h, w]` each, even sides."""
        cover = _haar(cover.clamp(_HEADROOM, 1 - _HEADROOM) - _GREY)  # [n, 12, h/2, w/2]
        secret = _haar(secret - _GREY)
        *blocks, last = self._couplings
        for block in blocks:
            cover = cover + block.cover_update(secret)
            log_scale, shift = block.scale_and_shift(cover)
            secret = secret * log_scale.exp() + shift
        return _inverse_haar(cover + last.cover_update(secret)) + _GREY

    def reveal(self, container: Tensor) -> Tensor:
        """Revealed picture from a container: `[n, 3, h, w]` each, even sides."""
        cover = _haar(container - _GREY)
        secret = self.predictor(cover)
        first, *blocks = self._couplings
        for block in reversed(blocks):
            secret = block.uncoupled(secret, cover)
            cover = cover - block.cover_update(secret)
        return _inverse_haar(first.uncoupled(secret, cover)) + _GREY

    @property
    def _couplings(self) -> list[_Block]:
        return cast("list[_Block]", list(self.blocks))

    def rounding_errors(self, errors: Tensor) -> Tensor:
        if self.rounding is not None:
            errors = self.rounding(errors)
        return pixel_shuffle(errors)


class _Block(nn.Module):
    """One coupling of the two branches, `[n, 12, h, w]` each."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.cover_update = _Residual(_BANDS, width, _BANDS)
        self.secret_update = _Residual(_BANDS, width, 2 * _BANDS)

    def scale_and_shift(self, cover: Tensor) -> tuple[Tensor, Tensor]:
        scale, shift = self.secret_update(cover).chunk(2, 1)
        return torch.tanh(scale), shift

    def uncoupled(self, secret: Tensor, cover: Tensor) -> Tensor:
        log_scale, shift = self.scale_and_shift(cover)
        return (secret - shift) * (-log_scale).exp()


class _Residual(nn.Module):
    """Three convolutions: the last one sees the sum of the first two's, beside the input."""

    def __init__(self, c_in: int, width: int, c_out: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(c_in, width, 3, padding=1)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width + c_in, c_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a = functional.leaky_relu(self.first(x), 0.2)
        b = functional.leaky_relu(self.middle(a), 0.2)
        y: Tensor = self.last(torch.cat([a + b, x], 1))
        return y


class _NoiseShaping(nn.Module):
    """Error feedback of rounding (docs/format.md, 2.2): a convolution over blocks of 2x2 pixels, of
    which only the part that lies before a sample counts."""

    past: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(_BANDS, _BANDS, 3, 3))  # to, from, row, column
        past = torch.zeros(_BANDS, _BANDS, 9)
        past[:, :, :4] = 1
        past[:, :, 4] = torch.ones(_BANDS, _BANDS).tril(-1)
        self.register_buffer("past", past.reshape(_BANDS, _BANDS, 3, 3), persistent=False)

    def forward(self, errors: Tensor) -> Tensor:
        return errors + functional.conv2d(errors, self.weight * self.past, padding=1)


def _haar(x: Tensor) -> Tensor:
    """`[n, c, h, w]` to `[n, 4c, h/2, w/2]`: mean, horizontal, vertical, diagonal differences."""
    a, b = x[:, :, 0::2, 0::2], x[:, :, 0::2, 1::2]
    c, d = x[:, :, 1::2, 0::2], x[:, :, 1::2, 1::2]
    bands = [a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d]
    return torch.cat(bands, 1) / 2


def _inverse_haar(x: Tensor) -> Tensor:
    s, h, v, d = x.chunk(4, 1)
    corners = [s + h + v + d, s - h + v - d, s + h - v - d, s - h - v + d]
    return pixel_shuffle(torch.cat(corners, 1) / 2)
