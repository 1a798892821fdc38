"""PyTorch twins of the networks in crates/underdrawing/src/net.

The 2018 U-Net is written as nested blocks, as the original state dicts name it, and not as the
loop over levels of unet.rs: where the two readings of the design differ, the tests show it.
`rust_name` translates the names of parameters.
"""

import torch
from torch import nn
from torch.nn import functional as F


class UnetBlock(nn.Module):
    """One level of the hiding U-Net around all levels below it."""

    def __init__(self, c_outer, c_inner, c_in=None, inside=None):
        super().__init__()
        outermost = c_in is not None
        down = nn.Conv2d(c_in or c_outer, c_inner, 4, stride=2, padding=1, bias=False)
        c_up = c_inner if inside is None else 2 * c_inner
        up = nn.ConvTranspose2d(c_up, c_outer, 4, stride=2, padding=1, bias=outermost)
        below = [] if inside is None else [inside]
        if outermost:
            layers = [down, *below, nn.ReLU(), up, nn.Sigmoid()]
        else:
            norm = [] if inside is None else [nn.BatchNorm2d(c_inner)]
            layers = [nn.LeakyReLU(0.2), down, *norm, *below, nn.ReLU(), up, nn.BatchNorm2d(c_outer)]
        self.outermost = outermost
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        y = self.model(x)
        return y if self.outermost else torch.cat([x, y], 1)


class HidingNet(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        channels = [width * min(2**level, 8) for level in range(depth)]
        block = None
        for level in reversed(range(1, depth)):
            block = UnetBlock(channels[level - 1], channels[level], inside=block)
        self.model = UnetBlock(3, channels[0], c_in=6, inside=block)
        self.depth = depth

    def forward(self, cover, secret):
        return self.model(torch.cat([cover, secret], 1))

    def rust_name(self, name):
        """`model.model.1.model.1.weight` to `down.1.weight`."""
        parts = name.split(".")
        level = parts.count("model") - 2
        index, field = int(parts[-2]), parts[-1]
        outermost, innermost = level == 0, level == self.depth - 1
        down = 0 if outermost else 1
        up = 3 if outermost or innermost else 5
        if index in (down, up):
            return f"{'down' if index == down else 'up'}.{level}.{field}"
        return f"{'down' if index == down + 1 else 'up'}.{level}.norm.{field}"


class RevealNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 2 * width, width]
        layers = []
        for c_in, c_out in zip(channels, channels[1:]):
            layers += [nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out), nn.ReLU()]
        self.main = nn.Sequential(*layers, nn.Conv2d(width, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, container):
        return self.main(container)

    def rust_name(self, name):
        """`main.4.weight` to `layers.1.norm.weight`."""
        _, index, field = name.split(".")
        layer, part = divmod(int(index), 3)
        return f"last.{field}" if layer == 5 else f"layers.{layer}.{['conv', 'norm'][part]}.{field}"


class Pair2018(nn.Module):
    def __init__(self, width, depth, reveal_width):
        super().__init__()
        self.hiding = HidingNet(width, depth)
        self.revealing = RevealNet(reveal_width)

    def hide(self, cover, secret):
        return self.hiding(cover, secret)

    def reveal(self, container):
        return self.revealing(container)

    def rust_name(self, name):
        net, name = name.split(".", 1)
        if net == "hiding":
            return "hiding." + self.hiding.rust_name(name)
        return "reveal." + self.revealing.rust_name(name)


class DenseBody(nn.Module):
    def __init__(self, c_in, width):
        super().__init__()
        conv = lambda c_in, kernel: nn.Conv2d(c_in, width, kernel, padding="same")
        self.branches = nn.ModuleList(
            nn.ModuleList([conv(c_in, k), conv(width, k), conv(width, k), conv(width, k)])
            for k in (3, 4, 5)
        )
        self.mixers = nn.ModuleList(conv(3 * width, k) for k in (5, 4, 3))

    def forward(self, x):
        branches = []
        for convs in self.branches:
            y = x
            for conv in convs:
                y = torch.relu(conv(y))
            branches.append(y)
        y = torch.cat(branches, 1)
        return torch.cat([torch.relu(mixer(y)) for mixer in self.mixers], 1)


class DenseNet(nn.Module):
    """Preparation without `last`, hiding and reveal with it."""

    def __init__(self, c_in, width, paints):
        super().__init__()
        self.body = DenseBody(c_in, width)
        self.last = nn.Conv2d(3 * width, 3, 1) if paints else None

    def forward(self, x):
        y = self.body(x)
        return y if self.last is None else self.last(y)


class Triple2017(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.preparation = DenseNet(3, width, paints=False)
        self.hiding = DenseNet(3 + 3 * width, width, paints=True)
        self.revealing = DenseNet(3, width, paints=True)

    def hide(self, cover, secret):
        features = self.preparation(normalised(secret))
        return denormalised(self.hiding(torch.cat([normalised(cover), features], 1)))

    def reveal(self, container):
        return denormalised(self.revealing(normalised(container)))

    def rust_name(self, name):
        return name.replace("revealing.", "reveal.")


def per_channel(values, like):
    return torch.tensor(values, dtype=like.dtype).view(1, 3, 1, 1)


def normalised(x):
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return (x - per_channel(mean, x)) / per_channel(deviation, x)


def denormalised(x):
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return x * per_channel(deviation, x) + per_channel(mean, x)


class Function(nn.Module):
    def __init__(self, c_out, width):
        super().__init__()
        self.first = nn.Conv2d(12, width, 3, padding=1)
        self.middle = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width + 12, c_out, 3, padding=1)

    def forward(self, x):
        a = F.leaky_relu(self.first(x), 0.2)
        b = F.leaky_relu(self.middle(a), 0.2)
        return self.last(torch.cat([a + b, x], 1))


class Coupling(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.cover_update = Function(12, width)
        self.secret_update = Function(24, width)

    def scale_and_shift(self, cover):
        t, b = self.secret_update(cover).chunk(2, 1)
        return torch.tanh(t), b

    def hide(self, cover, secret):
        return cover + self.cover_update(secret)

    def forward(self, cover, secret):
        cover = self.hide(cover, secret)
        t, b = self.scale_and_shift(cover)
        return cover, secret * torch.exp(t) + b

    def reveal(self, cover, secret):
        t, b = self.scale_and_shift(cover)
        return (secret - b) * torch.exp(-t)

    def inverse(self, cover, secret):
        secret = self.reveal(cover, secret)
        return cover - self.cover_update(secret), secret


class LiftingNet(nn.Module):
    def __init__(self, blocks, width):
        super().__init__()
        self.blocks = nn.ModuleList(Coupling(width) for _ in range(blocks))
        self.predictor = Function(12, width)

    def hide(self, cover, secret):
        cover, secret = haar(cover.clamp(4 / 255, 251 / 255) - 0.5), haar(secret - 0.5)
        *blocks, last = self.blocks
        for block in blocks:
            cover, secret = block(cover, secret)
        return inverse_haar(last.hide(cover, secret)) + 0.5

    def reveal(self, container):
        cover = haar(container - 0.5)
        secret = self.predictor(cover)
        first, *blocks = self.blocks
        for block in reversed(blocks):
            cover, secret = block.inverse(cover, secret)
        return inverse_haar(first.reveal(cover, secret)) + 0.5

    def rust_name(self, name):
        return name


def haar(x):
    """`[n, c, h, w]` to `[n, 4c, h/2, w/2]`: mean, horizontal, vertical, diagonal differences."""
    a, b = x[:, :, 0::2, 0::2], x[:, :, 0::2, 1::2]
    c, d = x[:, :, 1::2, 0::2], x[:, :, 1::2, 1::2]
    return torch.cat([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], 1) / 2


def inverse_haar(x):
    s, h, v, d = x.chunk(4, 1)
    n, c, rows, columns = s.shape
    y = x.new_empty(n, c, 2 * rows, 2 * columns)
    y[:, :, 0::2, 0::2] = (s + h + v + d) / 2
    y[:, :, 0::2, 1::2] = (s - h + v - d) / 2
    y[:, :, 1::2, 0::2] = (s + h - v - d) / 2
    y[:, :, 1::2, 1::2] = (s - h - v + d) / 2
    return y
