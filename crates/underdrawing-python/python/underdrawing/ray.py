"""Hiding and revealing in Ray's data sets, on as many machines as there are; the extra `ray`.

```python
import ray
import underdrawing.ray

pairs = ray.data.from_items([{"cover": "a.jpg", "secret": "b.jpg"}, {"cover": "c.jpg", "secret": "d.jpg"}])
hidden = pairs.map_batches(
    underdrawing.ray.Hide,
    fn_constructor_kwargs={"effort": "fast"},
    compute=ray.data.ActorPoolStrategy(size=8),
    num_cpus=1,
    batch_size=16,
)
```

The classes know nothing of Ray: an instance is a function from a batch of columns to one with more
columns, and works on one thread, so that there may be as many actors as cores. The script
`examples/ray_folder.py` does a whole folder or bucket, and goes on where it was stopped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Optional, Union

from ._errors import OptionError, PictureError, UnderdrawingError
from ._hiding import hide, hide_file, reveal, reveal_file
from ._models import Model
from ._results import Hidden, HiddenFile, Revealed, RevealedFile

# Columns by name: arrays, of objects where cells differ in size.
Batch = dict[str, Any]

__all__ = ["Hide", "Reveal"]

# What a row may fail by; everything else ends the job.
_FAILURES = (UnderdrawingError, OSError)


class Hide:
    """Hides a secret in a cover, row by row.

    - `cover`, `secret`: the columns to read. Cells are files (bytes or paths) or `uint8` arrays as
      those of `underdrawing.hide`.
    - `container`: the column to write: files as the program writes them where the cover is a file,
      else arrays. Where a row failed, there are no bytes or an array of no pixels.
    - `options`: those of `underdrawing.hide`; `format` where covers are files.

    More columns: `method`; `container_psnr_db` and `revealed_psnr_db` in dB, infinite for identical
    pictures and NaN where there is none; `seconds`; `error`, empty or why the row failed.

    Raises `OptionError` for options that make no sense, with the first batch.
    """

    def __init__(
        self,
        *,
        cover: str = "cover",
        secret: str = "secret",
        container: str = "container",
        format: Optional[str] = None,
        threads: int = 1,
        **options: Any,
    ) -> None:
        self._columns = (cover, secret, container)
        self._format = format
        self._options = _with_model(options, threads)

    def __call__(self, batch: Batch) -> Batch:
        cover, secret, container = self._columns
        rows = [self._row(*cells) for cells in zip(batch[cover], batch[secret])]
        return _with_columns(batch, container, rows, batch[cover])

    def _row(self, cover: Any, secret: Any) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            _check_there(cover, "cover")
            _check_there(secret, "secret")
            hidden: Union[Hidden, HiddenFile]
            if _is_file(cover):
                hidden = hide_file(cover, secret, format=self._format, **self._options)
            else:
                hidden = hide(cover, secret, **self._options)
            revealed_psnr_db = hidden.revealed_psnr_db
            return {
                "result": hidden.file if isinstance(hidden, HiddenFile) else hidden.container,
                "method": hidden.method,
                "container_psnr_db": hidden.container_psnr_db,
                "revealed_psnr_db": float("nan") if revealed_psnr_db is None else revealed_psnr_db,
            }

        nothing = {
            "method": "",
            "container_psnr_db": float("nan"),
            "revealed_psnr_db": float("nan"),
        }
        return _noted(work, nothing)


class Reveal:
    """Reveals what containers hold, row by row.

    - `container`: the column to read, files (bytes or paths) or arrays.
    - `revealed`: the column to write: PNG files, or files of `format`, where the container is a
      file, else arrays. Where a row failed, there are no bytes or an array of no pixels.
    - `options`: those of `underdrawing.reveal`.

    More columns: `method`, `secret_width` and `secret_height` (0 where a row failed), `seconds`;
    `error`, empty or why the row failed, as where nothing is hidden.
    """

    def __init__(
        self,
        *,
        container: str = "container",
        revealed: str = "revealed",
        format: Optional[str] = None,
        threads: int = 1,
        **options: Any,
    ) -> None:
        self._columns = (container, revealed)
        self._format = format
        self._options = _with_model(options, threads)

    def __call__(self, batch: Batch) -> Batch:
        container, revealed = self._columns
        rows = [self._row(cell) for cell in batch[container]]
        return _with_columns(batch, revealed, rows, batch[container])

    def _row(self, container: Any) -> dict[str, Any]:
        def work() -> dict[str, Any]:
            _check_there(container, "container")
            revealed: Union[Revealed, RevealedFile]
            if _is_file(container):
                revealed = reveal_file(container, format=self._format, **self._options)
            else:
                revealed = reveal(container, **self._options)
            return {
                "result": revealed.file if isinstance(revealed, RevealedFile) else revealed.picture,
                "method": revealed.found.method,
                "secret_width": revealed.found.secret_width,
                "secret_height": revealed.found.secret_height,
            }

        return _noted(work, {"method": "", "secret_width": 0, "secret_height": 0})


def _with_model(options: dict[str, Any], threads: int) -> dict[str, Any]:
    """The options with a model that is read once."""
    model = options.get("model")
    if model is not None and not isinstance(model, Model):
        options = {**options, "model": Model(model)}
    return {**options, "threads": threads}


def _check_there(cell: Any, role: str) -> None:
    """A row may lack a picture, as tables have it, and the others go on."""
    if cell is None or isinstance(cell, float):
        raise PictureError(f"{role}: expected a file or an array, found none")


def _is_file(cell: Any) -> bool:
    return isinstance(cell, (bytes, str, os.PathLike))


def _noted(work: Callable[[], dict[str, Any]], nothing: dict[str, Any]) -> dict[str, Any]:
    """What `work` gives, or why it failed; its result is then `None`."""
    began = time.perf_counter()
    try:
        row = {**work(), "error": ""}
    except OptionError:
        # No row could do better.
        raise
    except _FAILURES as error:
        row = {"result": None, **nothing, "error": f"{type(error).__name__}: {error}"}
    return {**row, "seconds": time.perf_counter() - began}


def _with_columns(batch: Batch, result: str, rows: list[dict[str, Any]], read: Any) -> Batch:
    """The batch with a column for each figure; results are of the kind that was `read`."""
    import numpy as np

    none: Any = b"" if any(map(_is_file, read)) else np.zeros((0, 0, 3), np.uint8)
    columns: dict[str, Any] = dict(batch)
    results = np.empty(len(rows), dtype=object)
    for index, row in enumerate(rows):
        made = row.pop("result")
        results[index] = none if made is None else made
    columns[result] = results
    for name in rows[0] if rows else ():
        columns[name] = np.array([row[name] for row in rows])
    return columns
