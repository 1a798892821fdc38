"""The networks, losses and Muon of our training, as one writes them in PyTorch for speed.

The networks are the twins of tools/reference/networks.py, with other Haar transforms: fewer kernels
where they run one by one, and no tensor is written in slices, which compilers dislike.
"""

import importlib.util
import math
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

TWINS = Path(__file__).parent.parent / "reference" / "networks.py"
# Samples of a block of 2x2 pixels.
BLOCK = 12


def load_twins(name):
    """A copy of networks.py of its own."""
    spec = importlib.util.spec_from_file_location(name, TWINS)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def haar(x):
    n, c, h, w = x.shape
    left, right = x.view(n, c, h // 2, 2, w // 2, 2).unbind(5)
    (s0, s1), (d0, d1) = (left + right).unbind(3), (left - right).unbind(3)
    return torch.cat([s0 + s1, d0 + d1, s0 - s1, d0 - d1], 1) / 2


def inverse_haar(x):
    s, h, v, d = (x / 2).chunk(4, 1)
    s0, s1, d0, d1 = s + v, s - v, h + d, h - d
    return F.pixel_shuffle(torch.stack([s0 + d0, s0 - d0, s1 + d1, s1 - d1], 2).flatten(1, 2), 2)


networks = load_twins("fast_networks")
networks.haar, networks.inverse_haar = haar, inverse_haar


class Lifting(networks.LiftingNet):
    """The lifting network with its rounding shaped; weights start as ours do."""

    def __init__(self, blocks=6, width=32):
        super().__init__(blocks, width)
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                gain = 0.05 if ".last." in name else 1.0
                nn.init.normal_(parameter, std=gain * (2 / parameter[0].numel()) ** 0.5)
        self.feedback = nn.Parameter(torch.zeros(BLOCK, BLOCK, 3, 3))
        self.register_buffer("past", past())

    def rounding_errors(self, errors):
        """What rounding adds to a container, out of errors of single samples, `[n, 12, h, w]`."""
        errors = errors + F.conv2d(errors, self.feedback * self.past, padding=1)
        n, _, h, w = errors.shape
        return F.pixel_shuffle(errors.view(n, 4, 3, h, w).transpose(1, 2).flatten(1, 2), 2)


def past():
    """1 where a weight of the feedback is for an error that is known when a sample is rounded."""
    mask = torch.zeros(BLOCK, BLOCK, 9)
    mask[:, :, :4] = 1
    mask[:, :, 4] = torch.ones(BLOCK, BLOCK).tril(-1)
    return mask.view(BLOCK, BLOCK, 3, 3)


def pair_2018(width=64, depth=7, reveal_width=64):
    """The 2018 pair; weights start as ours do."""
    pair = networks.Pair2018(width, depth, reveal_width)
    for module in pair.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
    return pair


def fold_norms(module):
    """For inference: batch normalisations become part of the convolutions before them."""
    for name, child in module.named_children():
        if not isinstance(child, nn.Sequential):
            fold_norms(child)
            continue
        layers = []
        for layer in child:
            if isinstance(layer, nn.BatchNorm2d):
                transposed = isinstance(layers[-1], nn.ConvTranspose2d)
                fuse = nn.utils.fusion.fuse_conv_bn_eval
                layers[-1] = fuse(layers[-1], layer, transpose=transposed)
            else:
                fold_norms(layer)
                layers.append(layer)
        setattr(module, name, nn.Sequential(*layers))
    return module


class StraightThrough(torch.autograd.Function):
    """Values held within 0 to 1, the gradient as if they were not."""

    @staticmethod
    def forward(ctx, x):
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def mean_square(x):
    return x.square().mean((1, 2, 3))


def loss_2018(net, cover, secret):
    """The loss, and both errors; the preset simulates no file."""
    container = net.hide(cover, secret)
    container_mse = F.mse_loss(container, cover)
    revealed_mse = F.mse_loss(net.reveal(container), secret)
    errors = torch.stack([container_mse.detach(), revealed_mse.detach()])
    return container_mse + 0.75 * revealed_mse, errors


def loss_lifting(net, cover, secret, noise, exponents):
    """The loss, and both errors. `noise`: errors of rounding single samples; `exponents`: in [-1, 1],
    of the contrasts of the last secrets."""
    strengths = F.pad(exponents.exp2(), (len(secret) - len(exponents), 0), value=1.0)
    secret = (secret - 0.5) * strengths.view(-1, 1, 1, 1) + 0.5
    container = net.hide(cover, secret) + net.rounding_errors(noise)
    revealed = net.reveal(StraightThrough.apply(container))
    ghosts = F.avg_pool2d(container - cover.clamp(4 / 255, 251 / 255), 8)
    container_mse, revealed_mse = mean_square(container - cover), mean_square(revealed - secret)
    loss = (container_mse + revealed_mse + 8 * mean_square(ghosts)).log().mean()
    return loss, torch.stack([container_mse.detach().mean(), revealed_mse.detach().mean()])


def draw(n, size, like):
    """Noise and exponents of a step."""
    noise = torch.empty(
        (n, BLOCK, size // 2, size // 2),
        device=like.device,
        dtype=like.dtype,
        memory_format=torch.channels_last,
    )
    exponents = torch.empty(n // 2, device=like.device, dtype=like.dtype)
    return noise.uniform_(-0.5 / 255, 0.5 / 255), exponents.uniform_(-1, 1)


class Muon(torch.optim.Optimizer):
    """Muon as crates/underdrawing-net/src/engine.rs describes it, all weights of a shape at once.

    torch.optim.Muon takes matrices only and works on one at a time, in some 20 kernels each. Its
    settings would be `momentum=0.95, adjust_lr_fn="match_rms_adamw"`.
    """

    MOMENTUM, STEP, ITERATIONS = 0.95, 0.2, 5
    COEFFICIENTS = 3.4445, -4.7750, 2.0315

    def __init__(self, params, lr, weight_decay):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay))
        [self.group] = self.param_groups
        self.batches = {}
        for p in self.group["params"]:
            self.batches.setdefault(tuple(p.shape), []).append(p)
        self.momenta = {
            shape: torch.zeros_like(torch.stack([matrix(p) for p in params]))
            for shape, params in self.batches.items()
        }

    @torch.no_grad()
    def step(self, closure=None):
        lr, decay = self.group["lr"], self.group["weight_decay"]
        for shape, params in self.batches.items():
            gradient = torch.stack([matrix(p.grad) for p in params])
            momentum = self.momenta[shape].mul_(self.MOMENTUM).add_(gradient)
            steps = orthogonal(torch.add(gradient, momentum, alpha=self.MOMENTUM))
            rate = lr * self.STEP * math.sqrt(max(steps.shape[1:]))
            c_out, c_in, h, w = shape
            steps = steps.view(-1, c_out, h, w, c_in).permute(0, 1, 4, 2, 3).unbind(0)
            torch._foreach_mul_(params, 1 - lr * decay)
            torch._foreach_add_(params, steps, alpha=-rate)


def matrix(weight):
    """`[c_out, h * w * c_in]`: no copy where channels come last, and the order of columns does not
    matter to Muon."""
    return weight.detach().permute(0, 2, 3, 1).flatten(1)


def orthogonal(x):
    """Roughly the nearest matrices whose singular values are all 1 (Newton and Schulz)."""
    a, b, c = Muon.COEFFICIENTS
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True) + 1e-12)
    for _ in range(Muon.ITERATIONS):
        square = x @ x.mT
        factor = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, factor, x, beta=a)
    return x.mT if tall else x
