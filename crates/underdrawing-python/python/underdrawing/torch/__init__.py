"""The networks as PyTorch modules, to be trained and studied there (the extra `torch`).

```python
import torch
import underdrawing.torch

nets = underdrawing.torch.load("lifting-5").train()       # a built-in model, or a model file
optimiser = torch.optim.Adam(nets.parameters(), lr=1e-4)
for cover, secret in pictures:                            # float [n, 3, h, w], sRGB, 0 to 1
    container = nets.hide(cover, secret)
    noise = torch.rand(nets.corners(cover)) - 0.5         # what rounding to 8 bits will add
    revealed = nets.reveal(container + nets.rounding_errors(noise) / 255)
    loss = (container - cover).square().mean() + (revealed - secret).square().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
nets.save("mine.safetensors")
underdrawing.hide(cover, secret, model="mine.safetensors")
```

Parameters have the names that they have in model files. What the modules compute is what
`underdrawing` computes, to 1e-5; files go there and back without a change.
"""

import importlib.util

if importlib.util.find_spec("torch") is None:
    raise ImportError(
        'underdrawing.torch needs PyTorch: pip install "underdrawing[torch]"', name="torch"
    )

from ._dense2017 import Triple2017
from ._lifting import LiftingNet
from ._load import load
from ._networks import Networks
from ._pair2018 import Pair2018

__all__ = ["LiftingNet", "Networks", "Pair2018", "Triple2017", "load"]
