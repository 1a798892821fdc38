"""Hides a full-size picture inside another picture so that nobody sees it, and reveals it again.

```python
import underdrawing

hidden = underdrawing.hide_file("holiday.jpg", "portrait.png", "container.png")
print(hidden.container_psnr_db, hidden.revealed_psnr_db)
revealed = underdrawing.reveal_file("container.png", "revealed.png")
```

With arrays, Pillow pictures or anything that has `__array__`:

```python
hidden = underdrawing.hide(cover, secret, password="correct horse")
picture = underdrawing.reveal(hidden.container, password="correct horse").picture
```

The words: a *secret* is hidden in a *cover*; the result is the *container*, which looks like the
cover; what comes out of it is the *revealed* picture.

Without a password anybody with this package can reveal. A container must stay as it is: JPEG,
resizing and filters destroy what it holds, but for JPEG what was hidden with `survive`.

`underdrawing.torch` has the networks as PyTorch modules, `underdrawing.ray` hides and reveals in
Ray's data sets; both are extras, and imported by their names.

Work goes on without the interpreter's lock and on all cores; Ctrl-C stops it. It works in threads,
and in processes that were forked or spawned.
"""

import os as _os

from . import _native
from ._errors import (
    DamagedError,
    LimitError,
    ModelFileError,
    NewerError,
    NothingFoundError,
    OptionError,
    PictureError,
    TooSmallError,
    TrainingError,
    UnderdrawingError,
    UnknownModelError,
    WrongPasswordError,
)
from ._hiding import capacity, compare, hide, hide_file, inspect, reveal, reveal_file
from ._models import Model
from ._results import (
    Capacity,
    Comparison,
    Hidden,
    HiddenFile,
    Inspection,
    Revealed,
    RevealedFile,
)
from ._training import Event, TrainingRun, train

__version__ = _native.__version__

__all__ = [
    "Capacity",
    "Comparison",
    "DamagedError",
    "Event",
    "Hidden",
    "HiddenFile",
    "Inspection",
    "LimitError",
    "Model",
    "ModelFileError",
    "NewerError",
    "NothingFoundError",
    "OptionError",
    "PictureError",
    "Revealed",
    "RevealedFile",
    "TooSmallError",
    "TrainingError",
    "TrainingRun",
    "UnderdrawingError",
    "UnknownModelError",
    "WrongPasswordError",
    "capacity",
    "compare",
    "hide",
    "hide_file",
    "inspect",
    "reveal",
    "reveal_file",
    "train",
]

if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(
        before=_native.before_fork,
        after_in_parent=_native.after_fork,
        after_in_child=_native.after_fork_in_child,
    )
