"""Hiding and revealing, in arrays and in files."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from . import _files, _native, _options
from ._models import Model, native_model
from ._pictures import anything, decoded, picture_of
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
AnyPassword = Union[str, bytes, bytearray, memoryview, None]
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
    password: AnyPassword = None,
    tile_size: Optional[int] = None,
    measure: bool = True,
    threads: int = 0,
    progress: Progress = None,
) -> Hidden:
    """Hides `secret` in `cover`: a container that looks like the cover.

    Pictures are `uint8` arrays of `[h, w, 3]` (sRGB), `[h, w]` (grey) or `[h, w, 4]` (with
    opacity), anything with `__array__`, or Pillow pictures, up to 120 megapixels and 32,768 pixels
    a side. Pillow pictures are as their files to `hide_file`: turned upright as their Exif block
    asks, and with their colour profile, which a cover keeps (`Hidden.save` writes it) and a secret
    is converted from. Arrays stay as they are, in sRGB. The secret may have any size, and comes
    back in it. A cover's opacity goes to the container, but where it is to survive JPEG: then it is
    laid on white, as a secret's is, and its colours become sRGB.

    What is hidden stays in the container as long as no sample changes: save it losslessly
    (`Hidden.save`), or hide with `survive`.

    - `method`: `coded` leaves the best pictures; `robust` survives JPEG; `network` is the method of
      the published systems. By default coded, robust where one of the three below is given, network
      where a model is.
    - `survive`: the lowest quality of JPEG to survive, 50 to 95. By default 75: with
      `method="robust"`, and with `survive_crop` alone. Below 90 it may be saved twice, the second
      time at this quality and the first at it, at 5 or 10 above, or at 90 and finer, where
      `Hidden.survives_twice` says so: some covers do not bear it.
    - `survive_crop`: how many percent of its area may be cut off, 1 to 30, at any sides, before the
      container is saved as JPEG of a quality at least 5 above `survive`, which is 55 or more then;
      `Hidden.survives_cropped` is that quality. Both pictures come out worse.
    - `channel`: a messenger or page, by name. The cover is reduced to the longest side that it
      keeps, and the container survives the quality of its JPEG (`underdrawing channels` lists
      both), or `survive` where both are given. Arrays are reduced, too.
    - `effort`: `fast`, `normal` or `best`; by default best up to 2.5 megapixels, normal up to 10.
      By networks, `best` refines both pictures for each other, some 10 s a megapixel on two cores, but
      for models of the 2018 system; by default they answer at once, which is `normal` and `fast`.
    - `balance`: which picture comes out better. Coded, robust: `container`, the default, or
      `equal`; network: -2 for the best container to 2 for the best revealed picture, by default 0,
      which `equal` is another name for. `container_db`, `revealed_db`: the quality of one of them
      instead, in dB, a finite number above 0 (coded, robust).
    - `model`: a `Model`, the name of a built-in one, or a model file.
    - `password`: text or bytes; without one anybody with this package can reveal. Networks have
      none.
    - `tile_size`: side of the tiles that networks see, at least 16.
    - `measure`: by networks, reveal once to know `revealed_psnr_db`; the others know it anyway.
    - `threads`: 0 for all cores, at most 1024. The container is the same for any number.
    - `progress`: `True` for a line on stderr, or a function of steps done and steps in all. What it
      raises stops the work.

    The same arguments give the same container as the program does.

    Raises `OptionError`, `TooSmallError`, `LimitError` or `PictureError`; `TypeError` for options
    of another kind, and for files.
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
    password: AnyPassword = None,
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
      `bmp`, `qoi`, `webp`, and `jpg` with `survive`, with a dot before it or without.

    All others as those of `hide`.

    Raises what `hide` raises, `FileExistsError` and other `OSError`s.
    """
    threads = _options.threads(threads)
    output = None if output is None else _options.path("output", output)
    kind = _format(output, format)
    jpeg = _native.check_format(kind, lossy=True)
    if output is not None:
        _files.check_output(output, force, (cover, secret, model))
    native_cover = decoded(cover, "cover", threads)
    native_secret = decoded(secret, "secret", threads)
    hidden: HiddenFile = _hide(
        HiddenFile,
        native_cover,
        native_secret,
        jpeg=jpeg,
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
    password: AnyPassword,
    threads: int,
    progress: Progress,
    **settings: Any,
) -> Any:
    threads = _options.threads(threads)
    for name, as_native in _HIDING.items():
        settings[name] = as_native(name, settings[name])
    plain = secret.plain(threads)
    with told("hiding", progress) as on_progress:
        container, known = _native.hide(
            cover,
            plain,
            model=native_model(model),
            password=_options.password(password),
            threads=threads,
            progress=on_progress,
            **settings,
        )
    known["conversions"] = _conversions(known["conversions"], plain.conversions)
    if encode is not None:
        known["file"] = container.encode(encode, threads)
    return kind(_picture=container, **known)


# What is to survive: by `hide` and by `capacity`.
_SURVIVING: dict[str, Callable[[str, Any], Any]] = {
    "survive": partial(_options.whole, least=50, most=95),
    "survive_crop": partial(_options.whole, least=1, most=30),
    "channel": partial(_options.word, expected="a channel's name, as telegram"),
}
_HIDING: dict[str, Callable[[str, Any], Any]] = {
    **_SURVIVING,
    "method": partial(_options.word, expected="coded, robust or network"),
    "effort": partial(_options.word, expected="fast, normal or best"),
    "balance": _options.balance,
    "container_db": _options.number,
    "revealed_db": _options.number,
    "tile_size": _options.whole,
    "measure": _options.flag,
}


def _conversions(cover: list[str], secret: list[str]) -> tuple[str, ...]:
    noted = [f"cover: {what}" for what in cover] + [f"secret: {what}" for what in secret]
    return tuple(noted)


def reveal(
    container: PictureLike,
    *,
    password: AnyPassword = None,
    salvage: bool = False,
    model: AnyModel = None,
    size: Optional[tuple[int, int]] = None,
    tile_size: Optional[int] = None,
    threads: int = 0,
    progress: Progress = None,
) -> Revealed:
    """Reveals what `container` holds, by the method that it names.

    - `container`: as the pictures of `hide`, or what `hide` gave. Pillow pictures are not turned:
      what is hidden lies in the samples as they are stored.
    - `password`: opens what was hidden with it; what needs none opens with one, too.
    - `salvage`: of a damaged container of the coded method, reveal what is intact.
    - `model`: a `Model`, the name of a built-in one or a model file, beside the built-in ones; the
      container names the one.
    - `size`: width and height of the secret, for a container of the network method whose mark is
      lost. Nothing is looked for then: what holds nothing, or was hidden otherwise, gives noise.
    - `tile_size`, `threads`, `progress`: as those of `hide`.

    Raises `NothingFoundError` (as for what was hidden with a password, without one),
    `WrongPasswordError`, `DamagedError`, `NewerError`, `UnknownModelError`, `OptionError` or
    `LimitError`; `TypeError` for options of another kind, and for files.
    """
    revealed: Revealed = _reveal(
        Revealed,
        picture_of(container, "container", upright=False),
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
    password: AnyPassword = None,
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
    threads = _options.threads(threads)
    output = None if output is None else _options.path("output", output)
    kind = _format(output, format)
    _native.check_format(kind, lossy=False)
    if output is not None:
        _files.check_output(output, force, (container, model))
    revealed: RevealedFile = _reveal(
        RevealedFile,
        decoded(container, "container", threads),
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
    password: AnyPassword,
    salvage: bool,
    size: Optional[tuple[int, int]],
    tile_size: Optional[int],
    threads: int,
    progress: Progress,
) -> Any:
    threads = _options.threads(threads)
    with told("revealing", progress) as on_progress:
        picture, known = _native.reveal(
            container,
            model=native_model(model),
            password=_options.password(password),
            salvage=_options.flag("salvage", salvage),
            size=_options.size(size),
            tile_size=_options.whole("tile_size", tile_size),
            threads=threads,
            progress=on_progress,
        )
    result: dict[str, Any] = {
        name: tuple(known.pop(name)) for name in ("blurred_rows", "grey_rows")
    }
    if encode is not None:
        result["file"] = picture.encode(encode, threads)
    return kind(_picture=picture, found=Inspection(**known), **result)


def inspect(
    picture: Union[PictureLike, PathOrBytes], *, password: AnyPassword = None
) -> Inspection:
    """What is hidden in a picture, without revealing it.

    `picture` is one of those of `reveal` or of `reveal_file`. A plain picture passes for a
    container of the network method with a probability below 2^-32.

    Raises `NothingFoundError` for a plain picture, `WrongPasswordError` for one that does not open
    with the password either, and `DamagedError` or `NewerError`.
    """
    native = anything(picture, "picture", upright=False)
    return Inspection(**_native.inspect(native, password=_options.password(password)))


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
    estimates. Pictures are those of `hide` or of `hide_file`; so are `survive` (50 to 95, by
    default 75), `survive_crop` (1 to 30) and `channel`. The secret is coded as for hiding, and takes as long.

    Raises `OptionError`, `LimitError` or `PictureError`.
    """
    native_secret = None if secret is None else anything(secret, "secret").plain()
    settings: dict[str, Any] = {
        "survive": survive,
        "survive_crop": survive_crop,
        "channel": channel,
    }
    for name, as_native in _SURVIVING.items():
        settings[name] = as_native(name, settings[name])
    known = _native.capacity(anything(cover, "cover"), native_secret, **settings)
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
        word = _options.word("format", format, "an extension, as png") or ""
        return word.removeprefix(".")
    return "png" if output is None else _files.extension_of(output)
