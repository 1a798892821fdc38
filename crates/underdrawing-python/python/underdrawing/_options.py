"""Options as the native functions take them. What is of another kind is a `TypeError` that names the
option, what was expected and what was found; what is out of its range an `OptionError`."""

from __future__ import annotations

import math
import operator
import os
import reprlib
from pathlib import Path
from typing import Any, Optional

from . import _native
from ._errors import OptionError

# The largest whole number that there is a use for, of a seed for one.
_LARGEST = 2**64 - 1


def other_kind(name: str, expected: str, found: object) -> TypeError:
    """The error for an option of another kind."""
    kind = type(found).__name__
    shown = "None" if found is None else f"{kind} {reprlib.repr(found)}"
    return TypeError(f"{name}: expected {expected}, found {shown}")


def whole(name: str, value: Any, least: int = 0, most: int = _LARGEST) -> Optional[int]:
    """A whole number, also one of NumPy's."""
    if value is None:
        return None
    most_too = f"from {least} to {most}" if most < _LARGEST else f"from {least} up"
    try:
        number = operator.index(value)
    except TypeError:
        raise other_kind(name, f"a whole number {most_too}", value) from None
    if not least <= number <= most:
        raise OptionError(f"{name} {number}: expected a whole number {most_too}")
    return number


def number(name: str, value: Any) -> Optional[float]:
    """A finite number, also one of NumPy's."""
    if value is None:
        return None
    kind = type(value)
    if not (hasattr(kind, "__float__") or hasattr(kind, "__index__")):
        raise other_kind(name, "a number", value)
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise other_kind(name, "a number", value) from None
    if not math.isfinite(found):
        raise OptionError(f"{name} {found}: expected a finite number")
    return found


def word(name: str, value: Any, expected: str) -> Optional[str]:
    """One of some words; which, the native functions know."""
    if value is None or isinstance(value, str):
        return value
    raise other_kind(name, expected, value)


def flag(name: str, value: Any) -> bool:
    """True or False, also NumPy's."""
    if isinstance(value, bool) or getattr(value, "dtype", None) == bool:
        return bool(value)
    raise other_kind(name, "True or False", value)


def threads(value: Any) -> int:
    """A number of threads; 0 for as many as there are cores."""
    found = whole("threads", value, 0, _native.MAX_THREADS)
    if found is None:
        raise other_kind("threads", "a whole number, 0 for all cores", value)
    return found


def balance(name: str, value: Any) -> Any:
    """A balance by its name or number."""
    if value is None or isinstance(value, str):
        return value
    expected = "container, equal, or a whole number from -2 to 2"
    try:
        step = operator.index(value)
    except TypeError:
        raise other_kind(name, expected, value) from None
    if not -2 <= step <= 2:
        raise OptionError(f"{name} {step}: expected {expected}")
    return step


def size(value: Any) -> Optional[tuple[int, int]]:
    """Width and height in pixels."""
    if value is None:
        return None
    expected = "width and height in pixels, as in (800, 600)"
    try:
        width, height = (whole("size", side, 1) for side in value)
    except OptionError:
        raise
    except (TypeError, ValueError):
        raise other_kind("size", expected, value) from None
    if width is None or height is None:
        raise other_kind("size", expected, value)
    return width, height


def path(name: str, value: Any) -> Path:
    """A path."""
    if isinstance(value, (str, os.PathLike)):
        return Path(value)
    raise other_kind(name, "a path", value)


def password(value: Any) -> Optional[bytes]:
    """A password's bytes; text is UTF-8."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            found = value.encode()
        except UnicodeEncodeError:
            raise OptionError(
                "password: expected text of whole characters, or bytes, found half of a surrogate "
                "pair"
            ) from None
    elif isinstance(value, (bytes, bytearray, memoryview)):
        found = bytes(value)
    else:
        # Not what it is: it may be a password.
        raise TypeError(f"password: expected str or bytes, found {type(value).__name__}")
    if not found:
        raise OptionError("the password is empty: expected at least one character")
    return found
