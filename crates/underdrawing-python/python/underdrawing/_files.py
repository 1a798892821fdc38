"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from ._errors import OptionError


def extension_of(path: str | os.PathLike[str]) -> str:
    """A file name's extension, without the dot."""
    extension = Path(path).suffix[1:]
    if not extension:
        raise OptionError(
            f"cannot tell the format of {path}: expected .png, .tiff, .bmp, .qoi or .webp"
        )
    return extension


def check_output(path: str | os.PathLike[str], force: bool, inputs: tuple[Any, ...] = ()) -> None:
    """Refuses before any work what `write` would refuse after it, and to write over `inputs`, as
    far as they are paths."""
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder: expected a file's name")
    for read in inputs:
        is_path = isinstance(read, (str, os.PathLike))
        if is_path and target.exists() and os.path.exists(read) and target.samefile(read):
            raise OptionError(f"{target} is an input and would be overwritten: expected another output")
    if target.exists() and not force:
        raise FileExistsError(f"{target} exists already: force=True replaces it")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target.parent} is no folder")


def write(path: str | os.PathLike[str], content: bytes, force: bool) -> None:
    """Writes a file by the name of another one first, so that nobody finds half of it."""
    target = Path(os.path.realpath(path))
    unfinished = target.with_name(f".underdrawing-{secrets.token_hex(8)}")
    try:
        with open(unfinished, "xb") as file:
            file.write(content)
        if force:
            os.replace(unfinished, target)
        else:
            _rename_to_nothing(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def _rename_to_nothing(unfinished: Path, target: Path) -> None:
    """Fails where somebody else has written the file meanwhile."""
    try:
        os.link(unfinished, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links.
        check_output(target, force=False)
        os.replace(unfinished, target)
