"""Pictures of all kinds as the native ones, and back. NumPy is imported with the first of them, so
that the program starts without it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from ._errors import PictureError
from ._native import Picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    PictureLike = Union[npt.ArrayLike, Any]
    PathOrBytes = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]
    Pixels = npt.NDArray[np.uint8]

# Pillow's modes whose arrays are what they seem to be.
_PLAIN_MODES = ("L", "RGB", "RGBA")
# Pillow's modes that lose nothing in one of them.
_CONVERTED_MODES = {
    "1": "L",
    "LA": "RGBA",
    "La": "RGBA",
    "PA": "RGBA",
    "RGBa": "RGBA",
    "RGBX": "RGB",
    "CMYK": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
}


def picture_of(picture: PictureLike, role: str) -> Picture:
    """The native picture of an array, of anything with `__array__`, or of a Pillow picture."""
    import numpy as np

    if isinstance(picture, (str, bytes, bytearray, os.PathLike)):
        raise TypeError(
            f"{role}: expected a uint8 array or a picture, found {type(picture).__name__}; "
            "hide_file and reveal_file take files"
        )
    array = np.asarray(_as_8_bit(picture, role))
    if array.dtype != np.uint8:
        raise PictureError(f"{role}: expected an array of uint8, found {array.dtype}")
    if array.ndim == 2:
        array = np.repeat(array[:, :, np.newaxis], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise PictureError(
            f"{role}: expected an array of [h, w, 3], [h, w] or [h, w, 4], found {array.shape}"
        )
    height, width, channels = array.shape
    alpha = array[:, :, 3].tobytes() if channels == 4 else None
    return Picture.from_samples(array[:, :, :3].tobytes(), width, height, alpha)


def _as_8_bit(picture: Any, role: str) -> Any:
    """Pillow pictures of palettes, of bits or of inks as grey or RGB; anything else as it is."""
    mode = getattr(picture, "mode", None)
    if not isinstance(mode, str) or not hasattr(picture, "convert"):
        return picture
    if mode in _PLAIN_MODES:
        transparent = getattr(picture, "info", {}).get("transparency") is not None
        return picture.convert("RGBA") if transparent and mode != "RGBA" else picture
    if mode == "P":
        transparent = getattr(picture, "info", {}).get("transparency") is not None
        return picture.convert("RGBA" if transparent else "RGB")
    if mode in _CONVERTED_MODES:
        return picture.convert(_CONVERTED_MODES[mode])
    raise PictureError(
        f"{role}: a Pillow picture of mode {mode} has more than 8 bits a sample or other colours: "
        "convert it to RGB first"
    )


def array_of(picture: Picture) -> Pixels:
    """The native picture's samples: `[h, w, 3]`, or `[h, w, 4]` where it has alpha."""
    import numpy as np

    shape = (picture.height, picture.width)
    rgb = np.frombuffer(picture.samples(), np.uint8).reshape(*shape, 3)
    alpha = picture.alpha()
    if alpha is None:
        return rgb
    opacity = np.frombuffer(alpha, np.uint8).reshape(*shape, 1)
    return np.concatenate([rgb, opacity], axis=2)


def file_of(file: PathOrBytes, role: str) -> bytes:
    """A file's bytes, where it is not bytes already."""
    if isinstance(file, bytes):
        return file
    if isinstance(file, (bytearray, memoryview)):
        return bytes(file)
    if isinstance(file, (str, os.PathLike)):
        return Path(file).read_bytes()
    raise TypeError(f"{role}: expected a path or bytes, found {type(file).__name__}")


def anything(picture: PictureLike | PathOrBytes, role: str) -> Picture:
    """The native picture of a file or of pixels."""
    if isinstance(picture, (str, bytes, bytearray, memoryview, os.PathLike)):
        return Picture.decode(file_of(picture, role))
    return picture_of(picture, role)
