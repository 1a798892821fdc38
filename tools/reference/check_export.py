"""Checks that PyTorch takes exported weights: `weights_only=True`, then a strict load.

    underdrawing export model.safetensors -o DIR
    python tools/reference/check_export.py DIR/netH.pth DIR/netR.pth [originalH.pth originalR.pth]

With the files that were imported as third and fourth argument, every weight must be the same, bit
for bit.
"""

import sys

import torch

from networks import HidingNet, RevealNet


def load(path):
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {k.removeprefix("module."): v for k, v in state.items()}


def main(hiding_path, reveal_path, *originals):
    hiding, reveal = load(hiding_path), load(reveal_path)
    width = hiding["model.model.0.weight"].shape[0]
    depth = max(k.split(".").count("model") for k in hiding) - 1
    nets = HidingNet(width, depth), RevealNet(reveal["main.0.weight"].shape[0])
    for net, state in zip(nets, (hiding, reveal)):
        print(net.__class__.__name__, net.load_state_dict(state, strict=True))
    for path, state in zip(originals, (hiding, reveal)):
        for name, value in load(path).items():
            assert name.endswith("num_batches_tracked") or torch.equal(value, state[name]), name
        print(f"the same weights as {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
