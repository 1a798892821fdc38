"""Hiding and revealing, in arrays and in files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from . import _files, _native
from ._models import Model, native_model
from ._pictures import anything, file_of, picture_of
from ._progress import told
from ._results import (
    Capacity,
    Comparison,
    Hidden,
    HiddenFile,
    Inspection,
    Revealed,
    RevealedFile,
)

if TYPE_CHECKING:
    from ._pictures import PathOrBytes, PictureLike

Method = Literal["coded", "robust", "network"]
Channel = Literal[
    "whatsapp", "telegram", "signal", "x", "facebook", "instagram", "discord", "wechat"
]
Effort = Literal["fast", "normal", "best"]
Balance = Literal["container", "equal", -2, -1, 0, 1, 2]
Progress = Union[bool, Callable[[int, int], object], None]
AnyModel = Union[Model, str, "os.PathLike[str]", bytes, None]


def hide(
    cover: PictureLike,
    secret: PictureLike,
    *,
    method: Optional[Method] = None,
    survive: Optional[int] = None,
    survive_crop: Optional[int] = None,
    channel: Optional[Channel] = None,
    effort: Optional[Effort] = None,
    balance: Optional[Balance] = None,
    container_db: Optional[float] = None,
    revealed_db: Optional[float] = None,
    model: AnyModel = None,
    password: Union[str, bytes, None] = None,
    tile_size: Optional[int] = None,
    measure: bool = True,
    threads: int = 0,
    progress: Progress = None,
) -> Hidden:
    """Hides `secret` in `cover`: a container that looks like the cover.

    Pictures are `uint8` arrays of `[h, w, 3]` (sRGB), `[h, w]` (grey) or `[h, w, 4]` (with
    opacity), anything with `__array__`, or Pillow pictures; their colours are taken as sRGB. The
    secret may have any size, and comes back in it. A cover's opacity goes to the container; a
    secret's is laid on white.

    What is hidden stays in the container as long as no sample changes: save it losslessly
    (`Hidden.save`), or hide with `survive`.

    - `method`: `coded` leaves the best pictures; `robust` survives JPEG; `network` is the method of
      the published systems. By default coded, robust where one of the three below is given, network
      where a model is.
    - `survive`: the lowest quality of JPEG to survive, 50 to 95. `survive_crop`: how many percent
      may be cut off, 1 to 30. `channel`: a messenger or page, whose size and quality are kept.
    - `effort`: `fast`, `normal` or `best`; by default best up to 2.5 megapixels, normal up to 10.
    - `balance`: which picture comes out better. Coded, robust: `container` or `equal`; network: -2
      for the best container to 2 for the best revealed picture. `container_db`, `revealed_db`: the
      quality of one of them instead, in dB.
    - `model`: a `Model`, the name of a built-in one, or a model file.
    - `password`: without one anybody with this package can reveal. Networks have none.
    - `tile_size`: side of the tiles that networks see, at least 16.
    - `measure`: by networks, reveal once to know `revealed_psnr_db`; the others know it anyway.
    - `threads`: 0 for all cores. The container is the same for any number.
    - `progress`: `True` for a line on stderr, or a function of steps done and steps in all. What it
      raises stops the work.

    The same arguments give the same container as the program does.

    Raises `OptionError`, `TooSmallError`, `LimitError` or `PictureError`.
    """
    hidden: Hidden = _hide(
        Hidden,
        picture_of(cover, "cover"),
        picture_of(secret, "secret"),
        jpeg=False,
        method=method,
        survive=survive,
        survive_crop=survive_crop,
        channel=channel,
        effort=effort,
        balance=balance,
        container_db=container_db,
        revealed_db=revealed_db,
        model=model,
        password=password,
        tile_size=tile_size,
        measure=measure,
        threads=threads,
        progress=progress,
    )
    return hidden


def hide_file(
    cover: PathOrBytes,
    secret: PathOrBytes,
    output: Union[str, os.PathLike[str], None] = None,
    *,
    format: Optional[str] = None,
    force: bool = False,
    method: Optional[Method] = None,
    survive: Optional[int] = None,
    survive_crop: Optional[int] = None,
    channel: Optional[Channel] = None,
    effort: Optional[Effort] = None,
    balance: Optional[Balance] = None,
    container_db: Optional[float] = None,
    revealed_db: Optional[float] = None,
    model: AnyModel = None,
    password: Union[str, bytes, None] = None,
    tile_size: Optional[int] = None,
    measure: bool = True,
    threads: int = 0,
    progress: Progress = None,
) -> HiddenFile:
    """Hides a picture file in a picture file, as the program does; the same bytes come out.

    Files are paths or bytes: PNG (8 and 16 bit), JPEG, WebP, BMP, TIFF, GIF, QOI or PNM. The
    cover's colour profile and opacity go to the container; the secret's colours are converted to
    sRGB and laid on white.

    - `output`: where the container is written; by default nowhere, it is in `HiddenFile.file`. An
      existing file is not replaced without `force`.
    - `format`: the container's format, by default that of `output`'s extension, else `png`; `tiff`,
      `bmp`, `qoi`, `webp`, and `jpg` with `survive`.

    All others as those of `hide`.

    Raises what `hide` raises, `FileExistsError` and other `OSError`s.
    """
    kind = _format(output, format)
    if output is not None:
        _files.check_output(output, force)
    native_cover = _native.Picture.decode(file_of(cover, "cover"), threads)
    native_secret = _native.Picture.decode(file_of(secret, "secret"), threads)
    hidden: HiddenFile = _hide(
        HiddenFile,
        native_cover,
        native_secret,
        jpeg=kind.lower() in ("jpg", "jpeg", "jpe", "jfif"),
        encode=kind,
        method=method,
        survive=survive,
        survive_crop=survive_crop,
        channel=channel,
        effort=effort,
        balance=balance,
        container_db=container_db,
        revealed_db=revealed_db,
        model=model,
        password=password,
        tile_size=tile_size,
        measure=measure,
        threads=threads,
        progress=progress,
    )
    if output is not None:
        _files.write(output, hidden.file, force)
    return hidden


def _hide(
    kind: Any,
    cover: _native.Picture,
    secret: _native.Picture,
    *,
    encode: Optional[str] = None,
    model: AnyModel,
    password: Union[str, bytes, None],
    threads: int,
    progress: Progress,
    **settings: Any,
) -> Any:
    plain = secret.plain(threads)
    with told("hiding", progress) as on_progress:
        container, known = _native.hide(
            cover,
            plain,
            model=native_model(model),
            password=_password(password),
            threads=threads,
            progress=on_progress,
            **settings,
        )
    known["conversions"] = _conversions(known["conversions"], plain.conversions)
    if encode is not None:
        known["file"] = container.encode(encode, threads)
    return kind(_picture=container, **known)


def _conversions(cover: list[str], secret: list[str]) -> tuple[str, ...]:
    noted = [f"cover: {what}" for what in cover] + [f"secret: {what}" for what in secret]
    return tuple(noted)


def reveal(
    container: PictureLike,
    *,
    password: Union[str, bytes, None] = None,
    salvage: bool = False,
    model: AnyModel = None,
    size: Optional[tuple[int, int]] = None,
    tile_size: Optional[int] = None,
    threads: int = 0,
    progress: Progress = None,
) -> Revealed:
    """Reveals what `container` holds, by the method that it names.

    - `container`: as the pictures of `hide`, or what `hide` gave.
    - `password`: opens what was hidden with it; what needs none opens with one, too.
    - `salvage`: of a damaged container of the coded method, reveal what is intact.
    - `model`: a `Model`, the name of a built-in one or a model file, beside the built-in ones; the
      container names the one.
    - `size`: width and height of the secret, for a container of the network method whose mark is
      lost.
    - `tile_size`, `threads`, `progress`: as those of `hide`.

    Raises `NothingFoundError`, `WrongPasswordError`, `DamagedError`, `NewerError`,
    `UnknownModelError`, `OptionError` or `LimitError`.
    """
    revealed: Revealed = _reveal(
        Revealed,
        picture_of(container, "container"),
        password=password,
        salvage=salvage,
        model=model,
        size=size,
        tile_size=tile_size,
        threads=threads,
        progress=progress,
    )
    return revealed


def reveal_file(
    container: PathOrBytes,
    output: Union[str, os.PathLike[str], None] = None,
    *,
    format: Optional[str] = None,
    force: bool = False,
    password: Union[str, bytes, None] = None,
    salvage: bool = False,
    model: AnyModel = None,
    size: Optional[tuple[int, int]] = None,
    tile_size: Optional[int] = None,
    threads: int = 0,
    progress: Progress = None,
) -> RevealedFile:
    """Reveals what a container's file holds, as the program does; the same bytes come out.

    - `container`: a path or bytes.
    - `output`: where the revealed picture is written; by default nowhere, it is in
      `RevealedFile.file`. An existing file is not replaced without `force`.
    - `format`: its format, by default that of `output`'s extension, else `png`; `tiff`, `bmp`,
      `qoi` or `webp`.

    All others as those of `reveal`.

    Raises what `reveal` raises, `FileExistsError` and other `OSError`s.
    """
    kind = _format(output, format)
    if output is not None:
        _files.check_output(output, force)
    revealed: RevealedFile = _reveal(
        RevealedFile,
        _native.Picture.decode(file_of(container, "container"), threads),
        encode=kind,
        password=password,
        salvage=salvage,
        model=model,
        size=size,
        tile_size=tile_size,
        threads=threads,
        progress=progress,
    )
    if output is not None:
        _files.write(output, revealed.file, force)
    return revealed


def _reveal(
    kind: Any,
    container: _native.Picture,
    *,
    encode: Optional[str] = None,
    model: AnyModel,
    password: Union[str, bytes, None],
    threads: int,
    progress: Progress,
    **settings: Any,
) -> Any:
    with told("revealing", progress) as on_progress:
        picture, known = _native.reveal(
            container,
            model=native_model(model),
            password=_password(password),
            threads=threads,
            progress=on_progress,
            **settings,
        )
    result: dict[str, Any] = {
        name: tuple(known.pop(name)) for name in ("blurred_rows", "grey_rows")
    }
    if encode is not None:
        result["file"] = picture.encode(encode, threads)
    return kind(_picture=picture, found=Inspection(**known), **result)


def inspect(
    picture: Union[PictureLike, PathOrBytes], *, password: Union[str, bytes, None] = None
) -> Inspection:
    """What is hidden in a picture, without revealing it.

    `picture` is one of those of `reveal` or of `reveal_file`. A plain picture passes for a
    container of the network method with a probability below 2^-32.

    Raises `NothingFoundError` for a plain picture, `WrongPasswordError` for one that does not open
    with the password either, and `DamagedError` or `NewerError`.
    """
    native = anything(picture, "picture")
    return Inspection(**_native.inspect(native, password=_password(password)))


def capacity(
    cover: Union[PictureLike, PathOrBytes],
    secret: Union[PictureLike, PathOrBytes, None] = None,
    *,
    survive: Optional[int] = None,
    survive_crop: Optional[int] = None,
    channel: Optional[Channel] = None,
) -> Capacity:
    """What to expect when `secret` is hidden in `cover`, without doing it.

    By the coded method, or where something is to survive by the robust one, whose figures are
    estimates. Pictures are those of `hide` or of `hide_file`; so are `survive` (50 to 95),
    `survive_crop` (1 to 30) and `channel`. The secret is coded as for hiding, and takes as long.

    Raises `OptionError`, `LimitError` or `PictureError`.
    """
    native_secret = None if secret is None else anything(secret, "secret").plain()
    known = _native.capacity(
        anything(cover, "cover"),
        native_secret,
        survive=survive,
        survive_crop=survive_crop,
        channel=channel,
    )
    return Capacity(**known)


def compare(
    a: Union[PictureLike, PathOrBytes], b: Union[PictureLike, PathOrBytes]
) -> Comparison:
    """How far two pictures of the same size are apart, as the program compares them.

    Pictures are those of `hide` or of `hide_file`. Opacity is laid on white, and where their colour
    profiles differ, both are converted to sRGB.

    Raises `OptionError` where the sizes differ, `LimitError` or `PictureError`.
    """
    return Comparison(**_native.compare(anything(a, "a"), anything(b, "b")))


def _format(output: Union[str, os.PathLike[str], None], format: Optional[str]) -> str:
    if format is not None:
        return format
    return "png" if output is None else _files.extension_of(output)


def _password(password: Union[str, bytes, None]) -> Optional[bytes]:
    if password is None:
        return None
    if not isinstance(password, (str, bytes)):
        raise TypeError(f"password: expected str or bytes, found {type(password).__name__}")
    if not password:
        from ._errors import OptionError

        raise OptionError("the password is empty: expected at least one character")
    return password.encode() if isinstance(password, str) else password
