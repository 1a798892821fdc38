"""PyTorch and ONNX Runtime on the networks that `bench_worker` wrote, and inputs like its own."""

import io
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import load_file
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent.parent / "reference"))
import networks  # noqa: E402

# Adam's rate, betas and weight decay, and the weight of the revealed picture, of each preset.
RECIPES = {
    "train-2018": dict(n=4, size=128, lr=1e-3, betas=(0.5, 0.999), decay=0.0, weight=0.75),
    "train-lifting": dict(n=12, size=96, lr=1.5e-3, betas=(0.9, 0.99), decay=1e-5, weight=1.0),
}


# The twins' transforms write slices of a tensor, which ONNX Runtime does slowly.
def haar(x):
    n, c, h, w = x.shape
    a, b, d, e = F.pixel_unshuffle(x, 2).reshape(n, c, 4, h // 2, w // 2).unbind(2)
    return torch.cat([a + b + d + e, a - b + d - e, a + b - d - e, a - b - d + e], 1) / 2


def inverse_haar(x):
    s, h, v, d = x.chunk(4, 1)
    corners = [s + h + v + d, s - h + v - d, s + h - v - d, s - h - v + d]
    return F.pixel_shuffle(torch.stack(corners, 2).flatten(1, 2), 2) / 2


networks.haar, networks.inverse_haar = haar, inverse_haar


def noise(n, seed):
    i = (np.arange(n, dtype=np.uint64) + seed) * 2654435761 & 0xFFFFFFFF
    return (i >> 8).astype(np.float32) / 2**24


def picture(side, seed):
    return torch.from_numpy(noise(3 * side * side, seed).reshape(1, 3, side, side))


class Hide(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, cover, secret):
        return self.net.hide(cover, secret)


class Reveal(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, container):
        return self.net.reveal(container)


def load(folder):
    """Both models with the weights of the model files."""
    pair, lifting = networks.Pair2018(64, 7, 64), networks.LiftingNet(6, 32)
    for name, net in (("2018", pair), ("lifting", lifting)):
        values = load_file(Path(folder) / f"{name}.safetensors")
        state = net.state_dict()
        for key in state:
            if not key.endswith("num_batches_tracked"):
                state[key] = torch.from_numpy(values[net.rust_name(key)].copy())
        net.load_state_dict(state)
    return {
        "hide": Hide(pair),
        "reveal": Reveal(pair),
        "lifting-hide": Hide(lifting),
        "lifting-reveal": Reveal(lifting),
        "train-2018": pair,
        "train-lifting": lifting,
    }


class Peer:
    """One program's way of running the cases; `time` is milliseconds of one run."""

    def __init__(self, nets, threads):
        torch.set_num_threads(threads)
        self.nets, self.threads, self.ready = nets, threads, {}

    def prepared(self, case, side):
        if (case, side) not in self.ready:
            self.ready[case, side] = self.prepare(case, side)
        return self.ready[case, side]

    def time(self, case, side=None):
        run = self.prepared(case, side)
        start = time.perf_counter()
        run()
        return 1e3 * (time.perf_counter() - start)

    def mean(self, case, side):
        return float(np.mean(np.asarray(self.prepared(case, side)(), dtype=np.float64)))

    def forget(self):
        self.ready = {}


class Torch(Peer):
    def __init__(self, nets, threads, layout):
        super().__init__(nets, threads)
        self.layout = layout

    def prepare(self, case, side):
        if case in RECIPES:
            return self.training(case)
        net = self.nets[case].eval().to(memory_format=self.layout)
        inputs = [picture(side, seed).contiguous(memory_format=self.layout) for seed in (0, 7)]
        inputs = inputs[: 2 if case.endswith("hide") else 1]

        def run():
            with torch.inference_mode():
                return net(*inputs)

        return run

    def training(self, case):
        recipe = RECIPES[case]
        net = self.fresh(case).train().to(memory_format=self.layout)
        adam = torch.optim.AdamW(
            net.parameters(), recipe["lr"], recipe["betas"], weight_decay=recipe["decay"]
        )
        n, size = recipe["n"], recipe["size"]
        batch = torch.from_numpy(noise(n * 3 * size * size, 1).reshape(n, 3, size, size))

        def run():
            pictures = batch.contiguous(memory_format=self.layout)
            cover, secret = pictures[: n // 2], pictures[n // 2 :]
            container = net.hide(cover, secret)
            carried = container
            if case == "train-lifting":
                carried = container + (torch.rand_like(container) - 0.5) / 255
                carried = carried - (carried - carried.clamp(0, 1)).detach()
            revealed = net.reveal(carried)
            loss = F.mse_loss(container, cover) + recipe["weight"] * F.mse_loss(revealed, secret)
            if case == "train-lifting":
                loss = loss.log()
            adam.zero_grad()
            loss.backward()
            if case == "train-lifting":
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            adam.step()

        return run

    def fresh(self, case):
        import copy

        return copy.deepcopy(self.nets[case])


class Onnx(Peer):
    def prepare(self, case, side):
        inputs = [picture(side, seed) for seed in (0, 7)][: 2 if case.endswith("hide") else 1]
        net = self.nets[case].eval().to(memory_format=torch.contiguous_format)
        names = ["cover", "secret"][: len(inputs)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file = io.BytesIO()
            torch.onnx.export(net, tuple(inputs), file, input_names=names, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = onnxruntime.InferenceSession(
            file.getvalue(), options, providers=["CPUExecutionProvider"]
        )
        feed = {name: x.numpy() for name, x in zip(names, inputs)}
        return lambda: session.run(None, feed)[0]
