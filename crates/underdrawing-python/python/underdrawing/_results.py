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
    """A container, and what became of the secret.

    - `method`: `coded`, `robust` or `network`.
    - `container_psnr_db`: PSNR of the container against the cover, over all RGB samples, in dB;
      infinite for identical pictures.
    - `revealed_psnr_db`: PSNR of what is revealed against the secret, in its own size, in dB;
      infinite where nothing is lost; `None` where it was not measured (`measure=False`, by
      networks).
    - `password`: whether a password is needed to reveal it.
    - `conversions`: what was changed in cover and secret before hiding, in words.

    Coded and robust, `None` by networks:

    - `coded_width`, `coded_height`: size in pixels of the picture that was coded, the secret's or
      smaller.
    - `coded_bytes`: bytes of the coded picture.

    Robust alone:

    - `survives`: the quality of JPEG that it survives, at most 95; lower than was asked for where a
      part may be cut off, as long as nothing is.
    - `survives_twice`: whether it survives a second save, of that quality after one of it, of 5 or
      10 above, or of 90 and finer.
    - `survives_cropped`: the quality of JPEG that it survives with as much cut off as was asked
      for; `None` where nothing may be cut off.

    Network alone:

    - `model`: the model's id, 16 hexadecimal digits.
    - `secret_turned`: whether the secret was turned by 90 degrees, to fit the cover's aspect.
    - `secret_resized`: whether the secret was resampled to the cover's size.
    """

    _picture: Picture
    method: str
    container_psnr_db: float
    revealed_psnr_db: Optional[float]
    password: bool = False
    survives: Optional[int] = None
    survives_twice: Optional[bool] = None
    survives_cropped: Optional[int] = None
    coded_width: Optional[int] = None
    coded_height: Optional[int] = None
    coded_bytes: Optional[int] = None
    model: Optional[str] = None
    secret_turned: Optional[bool] = None
    secret_resized: Optional[bool] = None
    conversions: tuple[str, ...] = ()

    @property
    def container(self) -> Pixels:
        """The container: `uint8` `[h, w, 3]`, or `[h, w, 4]` where the cover has alpha; read-only,
        `container.copy()` may be changed."""
        return self._pixels()


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class HiddenFile(Hidden):
    """A container as a file, and what became of the secret: the fields of `Hidden`, and

    - `file`: the file, with the cover's profile and alpha where its format has a place for them.
    """

    file: bytes = b""

    def _figures(self) -> list[tuple[str, str]]:
        return [figure for figure in super()._figures() if figure[0] != "file"]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a container says of itself.

    - `method`: `coded`, `robust` or `network`.
    - `secret_width`, `secret_height`: the secret's own size in pixels.
    - `password`: whether it took the password to open it.
    - `coded_bytes`: bytes of the coded secret; `None` by networks.

    Coded alone, `None` by other methods:

    - `parts`: parts that the secret is sealed in, 1 or more.
    - `intact`: parts that were not changed since hiding, 0 to `parts`.
    - `cropped`: whether the container's last rows are missing.

    Robust alone:

    - `survives`: the quality of JPEG that it survives, at most 95.

    Network alone:

    - `secret_turned`: whether the secret was turned by 90 degrees before hiding.
    - `balance`: -2 for the best container to 2 for the best revealed picture.
    - `model`: the id of the model that hid it, 16 hexadecimal digits.
    """

    method: str
    secret_width: int
    secret_height: int
    password: bool = False
    survives: Optional[int] = None
    coded_bytes: Optional[int] = None
    parts: Optional[int] = None
    intact: Optional[int] = None
    cropped: Optional[bool] = None
    secret_turned: Optional[bool] = None
    balance: Optional[int] = None
    model: Optional[str] = None


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Revealed(_WithPicture):
    """A revealed picture, and what the container says of it.

    - `found`: what the container says of itself, an `Inspection`.
    - `blurred_rows`: pairs of first row and end (not among them), counted from 0, of what lacks its
      details after `salvage`.
    - `grey_rows`: the same of what is lost and filled with grey.
    """

    _picture: Picture
    found: Inspection
    blurred_rows: tuple[tuple[int, int], ...] = ()
    grey_rows: tuple[tuple[int, int], ...] = ()

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
    """A revealed picture as a file: the fields of `Revealed`, and

    - `file`: the file, lossless.
    """

    file: bytes = b""

    def _figures(self) -> list[tuple[str, str]]:
        return [figure for figure in super()._figures() if figure[0] != "file"]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What a cover holds, and what becomes of a secret there.

    - `bytes`: bytes of a coded secret that the cover holds; 0 where it holds no picture.
    - `bits_per_pixel`: bits of a coded secret for each pixel of the cover, 0 or more.
    - `container_psnr_db`: expected PSNR of the container in dB when all of them are used, or by what
      the secret needs, when there is one.
    - `revealed_psnr_db`: expected PSNR of the revealed picture in dB; `None` without a secret, and
      without room.
    """

    bytes: int
    bits_per_pixel: float
    container_psnr_db: float
    revealed_psnr_db: Optional[float]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How far two pictures of the same size are apart, over all 8-bit RGB samples.

    - `psnr_db`: `10 log10(255^2 / MSE)` in dB, the mean square error over all RGB samples; infinite
      for identical pictures.
    - `ssim`: structural similarity (Wang et al. 2004), -1 to 1; a Gaussian window of 11x11 and
      deviation 1.5, each channel by itself, as scikit-image's `structural_similarity` with
      `gaussian_weights=True, use_sample_covariance=False`.
    - `apd`: mean absolute difference, 0 to 255.
    - `rmse`: square root of the mean square error, 0 to 255.
    - `max_difference`: the largest difference of any sample, 0 to 255.
    - `rounded_to_8_bits`: whether a picture had 16 bits a sample: differences in the lower ones are
      not seen.
    """

    psnr_db: float
    ssim: float
    apd: float
    rmse: float
    max_difference: int
    rounded_to_8_bits: bool = False
