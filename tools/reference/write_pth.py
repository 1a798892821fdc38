"""Writes the small state dicts and the pictures that crates/underdrawing/src/pth/tests.rs reads.

    python tools/reference/write_pth.py testdata/reference

The 2018 system at width 1 and depth 5 (hiding) and width 2 (reveal), random weights from a fixed
seed, in both containers of `torch.save`, one of each pair with the prefix that data-parallel
training leaves. The files of the older container lack the counters of batches, as those of 2018.
`netH-checkpoint.pth` and `netR-checkpoint.pth` hold the same weights as training scripts leave them:
inside a checkpoint, with the prefixes of `torch.compile` and of data-parallel training, as doubles
and channels last, with an entry that no network has; and as parameters. `netR-half.pth` and
`netR-bfloat16.pth` hold them rounded. `pth.safetensors` holds a pair of pictures and what the networks make of it in evaluation mode.
"""

import sys
from pathlib import Path

import torch
from safetensors.numpy import save_file

from networks import HidingNet, RevealNet
from write_reference import randomise, to_numpy


def save(net, path, prefix, legacy):
    state = {prefix + k: v for k, v in net.state_dict().items()
             if not (legacy and k.endswith("num_batches_tracked"))}
    torch.save(type(net.state_dict())(state), path, _use_new_zipfile_serialization=not legacy)
    print(f"{path}: {path.stat().st_size} bytes")


def channels_last(weights):
    return weights.to(memory_format=torch.channels_last)


def main(folder):
    torch.set_num_threads(1)
    folder = Path(folder)
    generator = torch.Generator().manual_seed(4)
    hiding, reveal = HidingNet(width=1, depth=5), RevealNet(width=2)
    for net in (hiding, reveal):
        randomise(net, generator, gain=1.0)
        net.eval()
    save(hiding, folder / "netH-zip.pth", prefix="module.", legacy=False)
    save(hiding, folder / "netH-legacy.pth", prefix="", legacy=True)
    save(reveal, folder / "netR-zip.pth", prefix="", legacy=False)
    save(reveal, folder / "netR-legacy.pth", prefix="module.", legacy=True)

    doubles = {"_orig_mod.module." + k: channels_last(v.double()) if v.dim() == 4 else v.double()
               for k, v in hiding.state_dict().items()}
    doubles["module.ema.decay"] = torch.tensor(0.5)
    torch.save({"epoch": 3, "optimizer": {"state": {}, "lr": 1e-3}, "state_dict": doubles},
               folder / "netH-checkpoint.pth")
    parameters = {k: torch.nn.Parameter(v, requires_grad=False) for k, v in reveal.state_dict().items()
                  if v.is_floating_point()}
    torch.save({"args": None, "nets": {"model": parameters}}, folder / "netR-checkpoint.pth")
    for name, dtype in [("half", torch.half), ("bfloat16", torch.bfloat16)]:
        torch.save({k: v.to(dtype) for k, v in reveal.state_dict().items() if v.is_floating_point()},
                   folder / f"netR-{name}.pth")

    picture = lambda: torch.randint(0, 256, (1, 3, 32, 32), generator=generator, dtype=torch.uint8)
    cover, secret = picture(), picture()
    with torch.no_grad():
        container = hiding.double()(cover.double() / 255, secret.double() / 255)
        revealed = reveal.double()(container)
    pictures = {"cover": cover, "secret": secret, "container": container, "revealed": revealed}
    save_file({k: to_numpy(v) for k, v in pictures.items()}, folder / "pth.safetensors")


if __name__ == "__main__":
    main(sys.argv[1])
