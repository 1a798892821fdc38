"""What comes out: pictures with what is known of them."""

from __future__ import annotations

import html
import math
import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Optional, Union

from . import _files, _options
from ._native import Picture
from ._pictures import array_of

if TYPE_CHECKING:
    from ._pictures import Pixels

# Pictures in notebooks are at most so wide and high.
_PREVIEW = 768


def decibels(psnr_db: Optional[float]) -> str:
    """A PSNR for people."""
    if psnr_db is None:
        return "not measured"
    return "identical" if math.isinf(psnr_db) else f"{psnr_db:.2f} dB"


class _WithPicture:
    """A result that is a picture: an array for NumPy, an image for notebooks."""

    _picture: Picture

    def _pixels(self) -> Pixels:
        pixels: Optional[Pixels] = self.__dict__.get("_array")
        if pixels is None:
            pixels = array_of(self._picture)
            # `save` would not know of changes.
            pixels.flags.writeable = False
            self.__dict__["_array"] = pixels
        return pixels

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self._picture.width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self._picture.height

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        import numpy as np

        pixels = self._pixels()
        if dtype is not None and np.dtype(dtype) != pixels.dtype:
            if copy is False:
                raise ValueError(f"samples are uint8: expected copy=True for an array of {dtype}")
            return pixels.astype(dtype)
        return pixels.copy() if copy else pixels

    def save(self, path: Union[str, os.PathLike[str]], *, force: bool = False) -> None:
        """Writes the picture as a lossless file: `.png`, `.tiff`, `.bmp`, `.qoi` or `.webp`.

        `.jpg` is written for containers that were hidden as JPEG. An existing file is not replaced
        without `force`.

        Raises `PictureError` for a format that would change pixels, `OSError` for the file.
        """
        path = _options.path("path", path)
        _files.check_output(path, force)
        _files.write(path, self._picture.encode(_files.extension_of(path)), force)

    def _repr_png_(self) -> bytes:
        return self._picture.preview(_PREVIEW).encode("png")

    def _figures(self) -> list[tuple[str, str]]:
        shown = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.name.startswith("_") or value is None or value == ():
                continue
            name = field.name.replace("_psnr_db", "").replace("_", " ")
            shown.append((name, decibels(value) if "psnr" in field.name else str(value)))
        return shown

    def _repr_html_(self) -> str:
        import base64

        picture = base64.b64encode(self._repr_png_()).decode()
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
            for name, value in self._figures()
        )
        alt = f"{type(self).__name__}, {self.width}x{self.height}"
        return f'<img alt="{alt}" src="data:image/png;base64,{picture}"><table>{rows}</table>'

    def __repr__(self) -> str:
        figures = ", ".join(f"{name}: {value}" for name, value in self._figures())
        return f"<{type(self).__name__} {self.width}x{self.height}, {figures}>"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_array"}


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Hidden(_WithPicture):
    """A container, and what became of the secret."""

    _picture: Picture
    method: str
    """`coded`, `robust` or `network`."""
    container_psnr_db: float
    """PSNR of the container against the cover, over all RGB samples, in dB; infinite for identical
    pictures."""
    revealed_psnr_db: Optional[float]
    """PSNR of what is revealed against the secret, in its own size, in dB; infinite where nothing
    is lost; `None` where it was not measured (`measure=False`, by networks)."""
    password: bool = False
    """Whether a password is needed to reveal it."""
    survives: Optional[int] = None
    """Robust: the quality of JPEG that it survives."""
    survives_twice: Optional[bool] = None
    """Robust: whether it survives a second save, of that quality after one of it, of 5 or 10 above, or
    of 90 and finer."""
    coded_width: Optional[int] = None
    """Coded, robust: width of the picture that was coded, the secret's or smaller."""
    coded_height: Optional[int] = None
    """Coded, robust: its height."""
    coded_bytes: Optional[int] = None
    """Coded, robust: bytes of the coded picture."""
    model: Optional[str] = None
    """Network: the model's id."""
    secret_turned: Optional[bool] = None
    """Network: whether the secret was turned by 90 degrees, to fit the cover's aspect."""
    secret_resized: Optional[bool] = None
    """Network: whether the secret was resampled to the cover's size."""
    conversions: tuple[str, ...] = ()
    """What was changed in cover and secret before hiding, in words."""

    @property
    def container(self) -> Pixels:
        """The container: `uint8` `[h, w, 3]`, or `[h, w, 4]` where the cover has alpha; read-only,
        `container.copy()` may be changed."""
        return self._pixels()


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class HiddenFile(Hidden):
    """A container as a file, and what became of the secret."""

    file: bytes = b""
    """The file, with the cover's profile and alpha where its format has a place for them."""

    def _figures(self) -> list[tuple[str, str]]:
        return [figure for figure in super()._figures() if figure[0] != "file"]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a container says of itself."""

    method: str
    """`coded`, `robust` or `network`."""
    secret_width: int
    """The secret's own width in pixels."""
    secret_height: int
    """The secret's own height in pixels."""
    password: bool = False
    """Whether it took the password to open it."""
    survives: Optional[int] = None
    """Robust: the quality of JPEG that it survives."""
    coded_bytes: Optional[int] = None
    """Coded, robust: bytes of the coded secret."""
    parts: Optional[int] = None
    """Coded: parts that the secret is sealed in."""
    intact: Optional[int] = None
    """Coded: parts that were not changed since hiding."""
    cropped: Optional[bool] = None
    """Coded: whether the container's last rows are missing."""
    secret_turned: Optional[bool] = None
    """Network: whether the secret was turned by 90 degrees before hiding."""
    balance: Optional[int] = None
    """Network: -2 for the best container to 2 for the best revealed picture."""
    model: Optional[str] = None
    """Network: the id of the model that hid it."""


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Revealed(_WithPicture):
    """A revealed picture, and what the container says of it."""

    _picture: Picture
    found: Inspection
    """What the container says of itself."""
    blurred_rows: tuple[tuple[int, int], ...] = ()
    """First row and end of what lacks its details, after `salvage`."""
    grey_rows: tuple[tuple[int, int], ...] = ()
    """First row and end of what is lost and filled with grey, after `salvage`."""

    @property
    def picture(self) -> Pixels:
        """The revealed picture: `uint8` `[h, w, 3]`, sRGB, in the secret's own size; read-only,
        `picture.copy()` may be changed."""
        return self._pixels()

    def _figures(self) -> list[tuple[str, str]]:
        shown = [("method", self.found.method)]
        shown += [figure for figure in super()._figures() if figure[0] != "found"]
        return shown


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class RevealedFile(Revealed):
    """A revealed picture as a file."""

    file: bytes = b""
    """The file, lossless."""

    def _figures(self) -> list[tuple[str, str]]:
        return [figure for figure in super()._figures() if figure[0] != "file"]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a cover holds, and what becomes of a secret there."""

    bytes: int
    """Bytes of a coded secret that the cover holds; 0 where it holds no picture."""
    bits_per_pixel: float
    """Bits of a coded secret for each pixel of the cover."""
    container_psnr_db: float
    """Expected PSNR of the container in dB when all of them are used."""
    revealed_psnr_db: Optional[float]
    """Expected PSNR of the revealed picture in dB; `None` without a secret, and without room."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How far two pictures of the same size are apart, over all 8-bit RGB samples."""

    psnr_db: float
    """`10 log10(255^2 / MSE)` in dB, the mean square error over all RGB samples; infinite for
    identical pictures."""
    ssim: float
    """Structural similarity (Wang et al. 2004), -1 to 1; a Gaussian window of 11x11 and deviation
    1.5, each channel by itself, as scikit-image's `structural_similarity` with
    `gaussian_weights=True, use_sample_covariance=False`."""
    apd: float
    """Mean absolute difference, 0 to 255."""
    rmse: float
    """Square root of the mean square error, 0 to 255."""
    max_difference: int
    """The largest difference of any sample."""
    rounded_to_8_bits: bool = False
    """Whether a picture had 16 bits a sample: differences in the lower ones are not seen."""
