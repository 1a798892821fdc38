"""Pictures of all kinds as the native ones, and back. NumPy is imported with the first of them, so
that the program starts without it."""

from __future__ import annotations

import copyreg
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from ._errors import LimitError, PictureError
from ._native import Picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    PictureLike = Union[npt.ArrayLike, Any]
    PathOrBytes = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]
    Pixels = npt.NDArray[np.uint8]

# Pillow's modes whose arrays are what they seem to be.
_PLAIN_MODES = ("L", "RGB", "RGBA")
# Pillow's modes that lose nothing in one of them, and the way there.
_CONVERTED_MODES = {
    "1": ("L",),
    "P": ("RGB",),
    "LA": ("RGBA",),
    "La": ("LA", "RGBA"),
    "PA": ("RGBA",),
    "RGBa": ("RGBA",),
    "RGBX": ("RGB",),
    "CMYK": ("RGB",),
    "YCbCr": ("RGB",),
    "HSV": ("RGB",),
}
# Pillow's modes of other colours than RGB, as the native functions note them.
_COLOURS = {"1": "grey", "L": "grey", "LA": "grey", "La": "grey", "CMYK": "cmyk"}
# Exif's tag of which side is up.
_ORIENTATION = 0x0112

_EXPECTED = "a uint8 array of [h, w, 3], [h, w] or [h, w, 4], or a Pillow picture"


def picture_of(picture: Any, role: str, *, upright: bool = True) -> Picture:
    """The native picture of an array, of anything with `__array__`, of a result, which has one with
    its profile, or of a Pillow picture with its colour profile, which is turned as its Exif block
    asks where it is to be `upright`."""
    import numpy as np

    own = getattr(picture, "_picture", None)
    if isinstance(own, Picture):
        return own
    if isinstance(picture, (str, bytes, bytearray, os.PathLike)):
        raise TypeError(
            f"{role}: expected {_EXPECTED}, found {type(picture).__name__}; "
            "hide_file and reveal_file take files"
        )
    colours, turned, profile = "rgb", False, None
    if _is_pillow(picture):
        colours = _COLOURS.get(picture.mode, "rgb")
        profile = picture.info.get("icc_profile")
        if upright:
            picture, turned = _upright(picture)
        picture = _as_8_bit(picture, role)
    if isinstance(picture, np.ma.MaskedArray) and np.any(picture.mask):
        raise PictureError(
            f"{role}: expected an array without a mask, found a masked array; its method filled() "
            "puts samples where the mask is"
        )
    array = _array(picture, role)
    if array.size == 0:
        raise LimitError(f"{role}: expected an array with pixels, found one of shape {array.shape}")
    if array.dtype != np.uint8:
        is_array = hasattr(picture, "__array__") or isinstance(picture, memoryview)
        found = "one of" if is_array else f"a {type(picture).__name__} of"
        raise PictureError(
            f"{role}: expected an array of uint8, found {found} {array.dtype}; bring its samples "
            "to 0 to 255 and convert it with numpy.asarray and astype(numpy.uint8)"
        )
    if array.ndim == 2:
        colours = "grey"
        array = np.repeat(array[:, :, np.newaxis], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise PictureError(
            f"{role}: expected an array of [h, w, 3], [h, w] or [h, w, 4], found {array.shape}"
        )
    height, width, channels = array.shape
    alpha = array[:, :, 3].tobytes() if channels == 4 else None
    return Picture.from_samples(
        array[:, :, :3].tobytes(),
        width,
        height,
        alpha,
        colours=colours,
        turned=turned,
        profile=profile if isinstance(profile, bytes) else None,
    )


def _array(picture: Any, role: str) -> Any:
    """Whatever NumPy makes an array of numbers of."""
    import numpy as np

    found = type(picture).__name__
    try:
        array = np.asarray(picture)
    except ValueError as error:
        raise PictureError(f"{role}: expected {_EXPECTED}, found {found}: {error}") from None
    if array.dtype == object:
        opened = "; PIL.Image.open makes a picture of it" if hasattr(picture, "read") else ""
        raise PictureError(f"{role}: expected {_EXPECTED}, found {found}{opened}")
    return array


def _is_pillow(picture: Any) -> bool:
    """Whether it is a picture of Pillow, which need not be installed."""
    return isinstance(getattr(picture, "mode", None), str) and hasattr(picture, "getexif")


def _upright(picture: Any) -> tuple[Any, bool]:
    """A Pillow picture as its Exif block asks, and whether it was turned or mirrored for that."""
    from PIL import ImageOps

    if picture.getexif().get(_ORIENTATION, 1) not in range(2, 9):
        return picture, False
    return ImageOps.exif_transpose(picture), True


def _as_8_bit(picture: Any, role: str) -> Any:
    """Pillow pictures of palettes, of bits or of inks as grey or RGB; anything else as it is."""
    mode = picture.mode
    if mode in ("1", "L", "P", "RGB") and picture.info.get("transparency") is not None:
        return picture.convert("RGBA")
    if mode in _PLAIN_MODES:
        return picture
    if mode in _CONVERTED_MODES:
        for way in _CONVERTED_MODES[mode]:
            picture = picture.convert(way)
        return picture
    if mode[0] in "IF":
        instead = (
            "scale it to 8 bits first, since Pillow's convert only cuts off, or give its file to "
            "the functions for files"
        )
    else:
        instead = "convert it to RGB first"
    raise PictureError(
        f"{role}: expected a Pillow picture of 8 bits a sample in grey, RGB, a palette or CMYK, "
        f"found one of mode {mode}; {instead}"
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


def _restored(file: bytes) -> Picture:
    return Picture.decode(file)


def _reduced(picture: Picture) -> Any:
    """A native picture for `pickle` and `copy`: as a file, which keeps alpha and profile, and what
    came as JPEG as one."""
    try:
        return _restored, (picture.encode("jpg"),)
    except PictureError:
        return _restored, (picture.encode("png"),)


copyreg.pickle(Picture, _reduced)


def file_of(file: PathOrBytes, role: str) -> bytes:
    """A file's bytes, where it is not bytes already."""
    if isinstance(file, bytes):
        return file
    if isinstance(file, (bytearray, memoryview)):
        return bytes(file)
    if isinstance(file, (str, os.PathLike)):
        return Path(file).read_bytes()
    found = type(file).__name__
    opened = "; its method read() gives its bytes" if hasattr(file, "read") else ""
    raise TypeError(f"{role}: expected a path or bytes, found {found}{opened}")


def decoded(file: PathOrBytes, role: str, threads: int = 0) -> Picture:
    """The native picture of a file."""
    try:
        return Picture.decode(file_of(file, role), threads)
    except (LimitError, PictureError) as error:
        raise type(error)(f"{role}: {error}") from None


def anything(picture: PictureLike | PathOrBytes, role: str, *, upright: bool = True) -> Picture:
    """The native picture of a file or of pixels."""
    if isinstance(picture, (str, bytes, bytearray, memoryview, os.PathLike)):
        return decoded(picture, role)
    return picture_of(picture, role, upright=upright)
