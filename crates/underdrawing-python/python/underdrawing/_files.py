"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def extension_of(path: str | os.PathLike[str]) -> str:
    """A file name's extension, without the dot."""
    return Path(path).suffix[1:]


def check_output(path: str | os.PathLike[str], force: bool) -> None:
    """Refuses before any work what `write` would refuse after it."""
    target = Path(path)
    if target.exists() and not force:
        raise FileExistsError(f"{target} exists already: force=True replaces it")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target.parent} is no folder")


def write(path: str | os.PathLike[str], content: bytes, force: bool) -> None:
    """Writes a file by the name of another one first, so that nobody finds half of it."""
    target = Path(os.path.realpath(path))
    handle, unfinished = tempfile.mkstemp(prefix=".underdrawing-", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.chmod(unfinished, 0o666 & ~_umask())
        if force:
            os.replace(unfinished, target)
        else:
            # Fails where somebody else has written the file meanwhile.
            os.link(unfinished, target)
            os.unlink(unfinished)
    except BaseException:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
