"""What the package's Python files call; not for others."""

import os
from collections.abc import Callable, Sequence
from typing import Any, final

__all__ = [
    "MAX_THREADS",
    "Model",
    "Picture",
    "Training",
    "__version__",
    "after_fork",
    "after_fork_in_child",
    "before_fork",
    "capacity",
    "channels",
    "check_format",
    "compare",
    "hide",
    "inspect",
    "reveal",
    "run_program",
]

__version__: str
MAX_THREADS: int

@final
class Picture:
    @staticmethod
    def from_samples(
        samples: bytes,
        width: int,
        height: int,
        alpha: bytes | None,
        *,
        colours: str,
        turned: bool,
        profile: bytes | None,
    ) -> Picture: ...
    @staticmethod
    def decode(file: bytes, threads: int = 0) -> Picture: ...
    def encode(self, extension: str, threads: int = 0) -> bytes: ...
    def plain(self, threads: int = 0) -> Picture: ...
    def preview(self, longest: int) -> Picture: ...
    def samples(self) -> bytearray: ...
    def alpha(self) -> bytearray | None: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def conversions(self) -> list[str]: ...

@final
class Model:
    @staticmethod
    def from_bytes(file: bytes) -> Model: ...
    @staticmethod
    def built_in(name: str | None) -> Model: ...
    @staticmethod
    def built_in_names() -> list[tuple[str, str]]: ...
    @staticmethod
    def fresh(architecture: str, seed: int) -> Model: ...
    def hide_floats(
        self, shape: tuple[int, int, int], cover: bytes, secret: bytes
    ) -> bytes: ...
    def reveal_floats(self, shape: tuple[int, int, int], container: bytes) -> bytes: ...
    def round_floats(self, shape: tuple[int, int, int], containers: bytes) -> bytes: ...
    def to_bytes(self, half: bool) -> bytes: ...
    @property
    def id(self) -> str: ...
    @property
    def architecture(self) -> str: ...
    @property
    def training(self) -> str: ...
    @property
    def parameters(self) -> int: ...

@final
class Training:
    @staticmethod
    def start(
        settings: str,
        config: str | None,
        train: str | os.PathLike[str],
        val: str | os.PathLike[str],
        out: str | os.PathLike[str],
        from_model: Model | None,
        threads: int,
    ) -> Training: ...
    @staticmethod
    def resume(out: str | os.PathLike[str], threads: int) -> Training: ...
    def next(self) -> str | None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...

def hide(
    cover: Picture,
    secret: Picture,
    *,
    method: str | None,
    survive: int | None,
    survive_crop: int | None,
    channel: str | None,
    effort: str | None,
    balance: str | int | None,
    container_db: float | None,
    revealed_db: float | None,
    model: Model | None,
    password: bytes | None,
    tile_size: int | None,
    jpeg: bool,
    measure: bool,
    threads: int,
    progress: Callable[[int, int], object] | None,
) -> tuple[Picture, dict[str, Any]]: ...
def reveal(
    container: Picture,
    *,
    password: bytes | None,
    salvage: bool,
    model: Model | None,
    size: tuple[int, int] | None,
    tile_size: int | None,
    threads: int,
    progress: Callable[[int, int], object] | None,
) -> tuple[Picture, dict[str, Any]]: ...
def inspect(container: Picture, *, password: bytes | None) -> dict[str, Any]: ...
def capacity(
    cover: Picture,
    secret: Picture | None,
    *,
    survive: int | None,
    survive_crop: int | None,
    channel: str | None,
) -> dict[str, Any]: ...
def compare(a: Picture, b: Picture) -> dict[str, Any]: ...
def check_format(extension: str, lossy: bool) -> bool: ...
def channels() -> list[tuple[str, int | None, int]]: ...
def before_fork() -> None: ...
def after_fork() -> None: ...
def after_fork_in_child() -> None: ...
def run_program(command_line: Sequence[str]) -> int: ...
