"""The 2018 system: a U-Net hides (Isola et al. 2017), six convolutions reveal.

The U-Net is a loop over its levels; `underdrawing export` gives the files of the original's nested
blocks.
"""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._networks import Networks


class Pair2018(Networks):
    """Both networks of the 2018 system; 42.6 million parameters as it is by default.

    - `width`: channels after the hiding network's first convolution, 1 to 256. `depth`: its levels,
      2 to 10, each of which halves the sides.
    - `reveal_width`: channels after the reveal network's first convolution, 1 to 256.
    - `seed`: of the first weights, which are those of `underdrawing train`.

    Batch normalisation makes a difference between `train()` and `eval()`; files are used as by
    `eval()`.
    """

    def __init__(
        self,
        width: int = 64,
        depth: int = 7,
        reveal_width: int = 64,
        *,
        seed: Optional[int] = 0,
    ) -> None:
        super().__init__(
            {
                "kind": "2018",
                "hiding": {"width": width, "depth": depth},
                "reveal": {"width": reveal_width},
            }
        )
        self.size_multiple = 2**depth
        self.hiding = _HidingNet(width, depth)
        self.reveal = _RevealNet(reveal_width)
        self._begin_fresh(seed)

    def hide(self, cover: Tensor, secret: Tensor) -> Tensor:
        """Container from cover and secret: `[n, 3, h, w]` each; within 0 and 1."""
        container: Tensor = self.hiding(torch.cat([cover, secret], 1))
        return container


class _HidingNet(nn.Module):
    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        channels = [width * min(2**level, 8) for level in range(depth)]
        outer = [6, *channels]
        self.down = nn.ModuleList(
            _Down(outer[level], channels[level], normed=0 < level < depth - 1)
            for level in range(depth)
        )
        outer[0] = 3
        # Below the innermost level there is nothing to concatenate with.
        self.up = nn.ModuleList(
            _Up(channels[level] * (1 if level == depth - 1 else 2), outer[level], normed=level > 0)
            for level in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for level, down in enumerate(self.down):
            if level > 0:
                skips.append(x)
                x = functional.leaky_relu(x, 0.2)
            x = down(x)  # [n, channels, h / 2^(level + 1), w / 2^(level + 1)]
        for up in reversed(self.up):
            x = up(functional.relu(x))
            if skips:
                x = torch.cat([skips.pop(), x], 1)
        return torch.sigmoid(x)


class _Down(nn.Conv2d):
    """A convolution that halves the sides."""

    def __init__(self, c_in: int, c_out: int, *, normed: bool) -> None:
        super().__init__(c_in, c_out, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(c_out) if normed else None

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y if self.norm is None else self.norm(y)


class _Up(nn.ConvTranspose2d):
    """A transposed convolution that doubles the sides; it has a bias where it is not normalised."""

    def __init__(self, c_in: int, c_out: int, *, normed: bool) -> None:
        super().__init__(c_in, c_out, 4, stride=2, padding=1, bias=not normed)
        self.norm = nn.BatchNorm2d(c_out) if normed else None

    def forward(self, x: Tensor, output_size: Optional[list[int]] = None) -> Tensor:
        y = super().forward(x, output_size)
        return y if self.norm is None else self.norm(y)


class _RevealNet(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 2 * width, width]
        self.layers = nn.ModuleList(
            _Layer(c_in, c_out) for c_in, c_out in zip(channels, channels[1:])
        )
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, container: Tensor) -> Tensor:
        x = container
        for layer in self.layers:
            x = layer(x)
        return torch.sigmoid(self.last(x))


class _Layer(nn.Module):
    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x)))
