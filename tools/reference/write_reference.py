"""Writes testdata/reference/*.safetensors, which crates/underdrawing/tests/reference.rs reads.

    python tools/reference/write_reference.py testdata/reference

Needs torch, numpy and safetensors (written with torch 2.15, safetensors 0.8). Random weights
from a fixed seed. PyTorch computes in 64 bits and the results are stored in 32, so the tolerance
of the tests is for the rounding of our arithmetic alone.

Keys of a file: `cover`, `secret` (8-bit pictures, [n, 3, h, w]); `weight/NAME` for parameters and
running statistics; `eval/container`, `eval/revealed` (of the first pair); then, after one forward
pass in training mode, `train/container`, `train/revealed`, `train/NAME` for running statistics and
`gradient/NAME` of the loss MSE(container, cover) + 0.75 MSE(revealed, secret).
"""

import sys
from pathlib import Path

import numpy
import torch
from safetensors.numpy import save_file

from networks import LiftingNet, Pair2018, Triple2017

REVEAL_WEIGHT = 0.75


def randomise(net, generator, gain):
    """Weights that keep the activations' size; statistics and affine parts away from 0 and 1."""
    normal = lambda x: torch.randn(x.shape, generator=generator, dtype=x.dtype)
    uniform = lambda x: torch.rand(x.shape, generator=generator, dtype=x.dtype)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
                transposed = isinstance(module, torch.nn.ConvTranspose2d)
                # A stride of 2 shows each output to a quarter of a transposed kernel.
                fan_in = module.in_channels * module.kernel_size[0] ** 2 / (4 if transposed else 1)
                module.weight.copy_(normal(module.weight) * gain * (2 / fan_in) ** 0.5)
                if module.bias is not None:
                    module.bias.copy_(normal(module.bias) * 0.1)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.copy_(1 + 0.2 * normal(module.weight))
                module.bias.copy_(0.2 * normal(module.bias))
                module.running_mean.copy_(0.2 * normal(module.running_mean))
                module.running_var.copy_(0.5 + uniform(module.running_var))
        # The tests read them in 32 bits; both sides must start from the same numbers.
        net.load_state_dict({k: v.float().to(v.dtype) for k, v in net.state_dict().items()})


def reference(net, height, width, seed, gain):
    generator = torch.Generator().manual_seed(seed)
    net = net.double()
    randomise(net, generator, gain)
    picture = lambda: torch.randint(0, 256, (2, 3, height, width), generator=generator)
    cover8, secret8 = picture(), picture()
    tensors = {"cover": cover8.to(torch.uint8), "secret": secret8.to(torch.uint8)}
    cover, secret = cover8.double() / 255, secret8.double() / 255

    state = lambda: {net.rust_name(k): v.clone() for k, v in net.state_dict().items()
                     if not k.endswith("num_batches_tracked")}
    tensors |= {f"weight/{k}": v for k, v in state().items()}
    with torch.no_grad():
        net.eval()
        container = net.hide(cover[:1], secret[:1])
        tensors["eval/container"] = container
        tensors["eval/revealed"] = net.reveal(container)

    net.train()
    container = net.hide(cover, secret)
    revealed = net.reveal(container)
    mse = torch.nn.functional.mse_loss
    loss = mse(container, cover) + REVEAL_WEIGHT * mse(revealed, secret)
    loss.backward()
    tensors["train/container"] = container
    tensors["train/revealed"] = revealed
    tensors |= {f"train/{k}": v for k, v in state().items() if "running_" in k}
    tensors |= {f"gradient/{net.rust_name(k)}": p.grad for k, p in net.named_parameters()}
    return {k: to_numpy(v) for k, v in tensors.items()}


def to_numpy(tensor):
    array = tensor.detach().numpy()
    return numpy.ascontiguousarray(array if array.dtype == numpy.uint8 else array.astype(numpy.float32))


def main(folder):
    torch.set_num_threads(1)
    pair = reference(Pair2018(width=2, depth=5, reveal_width=4), 32, 32, seed=1, gain=1.0)
    # Two files, since each stays under 200 KiB.
    of_reveal = lambda key: "/reveal" in key
    files = {
        "unet2018": {k: v for k, v in pair.items() if not of_reveal(k)},
        "reveal2018": {k: v for k, v in pair.items() if of_reveal(k)},
        "dense2017": reference(Triple2017(width=4), 11, 14, seed=2, gain=1.0),
        "lifting": reference(LiftingNet(blocks=2, width=8), 12, 10, seed=3, gain=0.5),
    }
    for name, tensors in files.items():
        path = Path(folder) / f"{name}.safetensors"
        save_file(tensors, path)
        print(f"{path}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
