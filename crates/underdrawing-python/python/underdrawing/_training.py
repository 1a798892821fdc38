"""Training runs: an iterator of what happens in them."""

from __future__ import annotations

import json
import math
import os
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from . import _native, _options
from ._errors import OptionError
from ._models import native_model
from ._progress import Line, is_line

if TYPE_CHECKING:
    from ._hiding import AnyModel, Progress

AnyPath = Union[str, "os.PathLike[str]"]

# Whole numbers that the native half keeps in 32 bits.
_SHORT = {"hiding_patience", "reveal_patience"}
# Settings that are no whole numbers.
_WORDS = {"preset", "network", "fit", "optimiser", "schedule", "loss"}
_FLAGS = {"simulate_file"}
_NUMBERS = {
    "drawn",
    "learning_rate",
    "beta_1",
    "beta_2",
    "weight_decay",
    "clip_norm",
    "reveal_weight",
    "ghost_weight",
    "strengths",
    "noise",
}


@dataclass(frozen=True)
class Event:
    """Something that happened in a run: its `kind`, and its `figures` by name, which are attributes,
    too (`event.step`).

    The kinds and what each has:

    - `started`: `first_step`, `steps`, `steps_per_epoch`, `pictures`, `validation_pairs`,
      `parameters`, `ranks` (always 1 here);
    - `step`: `step` (steps done), `container_mse`, `revealed_mse` (of samples in [0, 1]),
      `learning_rate`, `reveal_learning_rate`;
    - `validated`: `step`, `container_mse`, `revealed_mse`, and through 8-bit containers
      `container_psnr_db`, `revealed_psnr_db` (dB), `container_apd`, `revealed_apd` (0 to 255);
    - `worst`: `path` of a sheet of the pairs that came out worst in a validation, and `pairs`, each
      with `cover`, `secret`, `container_psnr_db` and `revealed_psnr_db`;
    - `sheet`: `path` of a contact sheet; `saved`: `path` of a checkpoint or model, and whether it
      is the `best` so far; `damaged`: `paths` that could not be read;
    - `finished`: `step`, and whether it was `stopped` before its last one.
    """

    kind: str
    figures: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        # Not by attributes: while an event is copied it has none yet.
        figures = self.__dict__.get("figures", {})
        if name in figures:
            return figures[name]
        raise AttributeError(f"an event of kind {self.__dict__.get('kind')} has no {name}")


class TrainingRun(Iterator[Event]):
    """A run under way, as `train` begins it: an iterator of its events.

    The run waits while nobody asks for the next event. It ends after its last step, when `stop` was
    called, on Ctrl-C, at the end of a `with` block, and when nothing refers to it any more; what
    was learned is saved in any of these cases, and `train(resume=out)` goes on exactly there.
    Ending takes until the step under way is done; Ctrl-C once more does not wait for it, and leaves
    the last checkpoint.
    """

    def __init__(self, native: _native.Training, out: Path, show: Optional[_Show]) -> None:
        self._native = native
        self.out = out
        """The run folder."""
        self._show = show
        self._first: Optional[Event] = None
        self._finalizer = weakref.finalize(self, native.close)
        # The run has begun, or has said why not.
        self._first = self._next()

    def _next(self) -> Optional[Event]:
        try:
            line = self._native.next()
        except KeyboardInterrupt:
            self.close()
            raise
        if line is None:
            return None
        figures = json.loads(line)
        return Event(figures.pop("event"), figures)

    def __iter__(self) -> TrainingRun:
        return self

    def __next__(self) -> Event:
        event, self._first = self._first, None
        event = event or self._next()
        if self._show is not None:
            self._show.event(event)
        if event is None:
            raise StopIteration
        return event

    def stop(self) -> None:
        """Lets the run end after its step. The events up to `finished` can still be asked for."""
        self._native.stop()

    def close(self) -> None:
        """Ends the run after its step, and returns once it is saved."""
        self._finalizer()

    def __repr__(self) -> str:
        return f"<TrainingRun in {self.out}>"

    def __enter__(self) -> TrainingRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def best(self) -> Path:
        """The best model so far, once there was a validation."""
        return self.out / "best.safetensors"


class _Show:
    """Progress of a run, on stderr or by the caller's function."""

    def __init__(self, progress: Progress) -> None:
        self._function = progress if callable(progress) else None
        self._line = None if callable(progress) else Line("training")
        self._total = 1
        self._since = (time.monotonic(), 0)
        self._figures = ""

    def event(self, event: Optional[Event]) -> None:
        if event is None or event.kind == "finished":
            if self._line is not None:
                self._line.wipe()
        elif event.kind == "started":
            self._total = event.steps
            self._since = (time.monotonic(), event.first_step)
        elif event.kind == "step":
            if self._function is not None:
                self._function(event.step, self._total)
            elif self._line is not None:
                began, first = self._since
                rate = (event.step - first) / max(time.monotonic() - began, 1e-3)
                container, revealed = _psnr_db(event.container_mse), _psnr_db(event.revealed_mse)
                beside = f"{rate:.1f} steps/s, container {container}, revealed {revealed}"
                self._line.show(event.step, self._total, beside)


def _psnr_db(mse: float) -> str:
    return f"{-10 * math.log10(max(mse, 1e-10)):.2f} dB"


def train(
    *,
    train: Optional[AnyPath] = None,
    val: Optional[AnyPath] = None,
    out: Optional[AnyPath] = None,
    resume: Optional[AnyPath] = None,
    from_model: AnyModel = None,
    config: Optional[AnyPath] = None,
    preset: Optional[Literal["default", "2018"]] = None,
    seed: Optional[int] = None,
    network: Optional[Literal["lifting", "2018", "2017"]] = None,
    width: Optional[int] = None,
    reveal_width: Optional[int] = None,
    depth: Optional[int] = None,
    batch_size: Optional[int] = None,
    accumulate: Optional[int] = None,
    size: Optional[int] = None,
    late_size: Optional[int] = None,
    fit: Optional[Literal["crop", "squeeze"]] = None,
    drawn: Optional[float] = None,
    cache_mib: Optional[int] = None,
    epochs: Optional[int] = None,
    steps: Optional[int] = None,
    optimiser: Optional[Literal["adam", "muon"]] = None,
    learning_rate: Optional[float] = None,
    schedule: Optional[Literal["plateau", "cosine", "constant"]] = None,
    warmup_steps: Optional[int] = None,
    hiding_patience: Optional[int] = None,
    reveal_patience: Optional[int] = None,
    beta_1: Optional[float] = None,
    beta_2: Optional[float] = None,
    weight_decay: Optional[float] = None,
    clip_norm: Optional[float] = None,
    loss: Optional[Literal["log", "log-squares", "sum"]] = None,
    reveal_weight: Optional[float] = None,
    ghost_weight: Optional[float] = None,
    simulate_file: Optional[bool] = None,
    strengths: Optional[float] = None,
    noise: Optional[float] = None,
    validate_every: Optional[int] = None,
    validate_pairs: Optional[int] = None,
    sheet_every: Optional[int] = None,
    checkpoint_every: Optional[int] = None,
    threads: int = 0,
    progress: Progress = None,
) -> TrainingRun:
    """Trains networks on folders of pictures: `for event in train(...)`.

    - `train`, `val`, `out`: folders of pictures to train on (at least `batch_size`), of pictures to
      validate on (at least 2), and of the run, which must not hold one yet.
    - `resume`: instead of all others, the folder of a run to go on with, exactly.
    - `from_model`: a `Model`, the name of a built-in one or a model file to begin with. Its networks
      are trained, so `network`, `width`, `reveal_width` and `depth` need not be given; the other
      settings are those of the preset, by default the one for such networks.
    - `config`: a TOML file of settings; those given here go before it.
    - `threads`: 0 for all cores. The result is the same for any number.
    - `progress`: `True` for a line on stderr, or a function of steps done and steps in all.

    The settings are the program's (`underdrawing train --help`); what is not given is as in the
    `preset`.

    Raises `OptionError` for settings that make no sense, `TrainingError` for folders that cannot be
    used and a loss that explodes, `OSError` for the files.
    """
    settings = {
        "preset": preset,
        "seed": seed,
        "network": network,
        "width": width,
        "reveal_width": reveal_width,
        "depth": depth,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "size": size,
        "late_size": late_size,
        "fit": fit,
        "drawn": drawn,
        "cache_mib": cache_mib,
        "epochs": epochs,
        "steps": steps,
        "optimiser": optimiser,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "warmup_steps": warmup_steps,
        "hiding_patience": hiding_patience,
        "reveal_patience": reveal_patience,
        "beta_1": beta_1,
        "beta_2": beta_2,
        "weight_decay": weight_decay,
        "clip_norm": clip_norm,
        "loss": loss,
        "reveal_weight": reveal_weight,
        "ghost_weight": ghost_weight,
        "simulate_file": simulate_file,
        "strengths": strengths,
        "noise": noise,
        "validate_every": validate_every,
        "validate_pairs": validate_pairs,
        "sheet_every": sheet_every,
        "checkpoint_every": checkpoint_every,
    }
    given = {name: _setting(name, value) for name, value in settings.items() if value is not None}
    threads = _options.threads(threads)
    show = _Show(progress) if callable(progress) or is_line(progress) else None
    if resume is not None:
        others = (train, val, out, from_model, config)
        if given or any(other is not None for other in others):
            raise OptionError("a resumed run keeps its settings: expected none beside resume")
        folder = _options.path("resume", resume)
        return TrainingRun(_native.Training.resume(folder, threads), folder, show)
    if train is None or val is None or out is None:
        raise OptionError("expected train, val and out, or resume")
    folder = _options.path("out", out)
    native = _native.Training.start(
        json.dumps(given),
        None if config is None else _options.path("config", config).read_text(encoding="utf-8"),
        _options.path("train", train),
        _options.path("val", val),
        folder,
        native_model(from_model, "from_model"),
        threads,
    )
    return TrainingRun(native, folder, show)


def _setting(name: str, value: Any) -> Any:
    """A setting as JSON has it; which words and ranges there are, the native half knows."""
    if name in _WORDS:
        return _options.word(name, value, "a word")
    if name in _FLAGS:
        return _options.flag(name, value)
    if name in _NUMBERS:
        return _options.number(name, value)
    if name in _SHORT:
        return _options.whole(name, value, most=2**32 - 1)
    return _options.whole(name, value)
