"""Hiding and revealing arrays."""

from __future__ import annotations

import dataclasses
import inspect
import io
import math
import pickle
import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from conftest import Pixels, as_file, scene
from PIL import Image, ImageCms

import underdrawing
from underdrawing import OptionError


def psnr_db(a: Pixels, b: Pixels) -> float:
    error = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


@pytest.mark.parametrize("method", ["coded", "robust", "network"])
def test_figures_are_those_of_the_arrays(cover: Pixels, secret: Pixels, method: str) -> None:
    hidden = underdrawing.hide(cover, secret, method=method)  # type: ignore[arg-type]
    revealed = underdrawing.reveal(hidden.container)
    assert hidden.method == revealed.found.method == method
    assert hidden.container.shape == cover.shape
    assert revealed.picture.shape == secret.shape
    assert hidden.container_psnr_db == pytest.approx(psnr_db(hidden.container, cover))
    assert hidden.revealed_psnr_db == pytest.approx(psnr_db(revealed.picture, secret))
    least = {"coded": 45, "robust": 30, "network": 30}[method]
    assert hidden.container_psnr_db > least
    assert (revealed.found.secret_width, revealed.found.secret_height) == (120, 140)


def test_networks_are_measured_where_asked(cover: Pixels, secret: Pixels) -> None:
    hidden = underdrawing.hide(cover, secret, method="network", measure=False)
    assert hidden.revealed_psnr_db is None
    assert hidden.model == underdrawing.Model().id


def test_what_hide_gives_is_what_reveal_takes(cover: Pixels, secret: Pixels) -> None:
    hidden = underdrawing.hide(cover, secret, effort="fast")
    direct = underdrawing.reveal(hidden).picture
    assert np.array_equal(direct, underdrawing.reveal(hidden.container).picture)
    copied = pickle.loads(pickle.dumps(hidden))
    assert np.array_equal(copied.container, hidden.container)
    assert copied.coded_bytes == hidden.coded_bytes


def test_results_are_not_changed_behind_their_back(cover: Pixels, secret: Pixels) -> None:
    hidden = underdrawing.hide(cover, secret, effort="fast")
    for array in (hidden.container, np.asarray(hidden), underdrawing.reveal(hidden).picture):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0
    mine = np.array(hidden)
    mine[0, 0] ^= 1
    assert np.array(hidden, dtype=float).dtype == float
    with pytest.raises(ValueError, match="expected copy=True"):
        np.array(hidden, dtype=float, copy=False)
    # Its fields go where those of data classes go.
    assert dataclasses.asdict(hidden)["coded_bytes"] == hidden.coded_bytes
    assert dataclasses.replace(hidden, survives=3).survives == 3


def test_any_number_of_threads_gives_the_same(cover: Pixels, secret: Pixels) -> None:
    for method in ("coded", "network"):
        one = underdrawing.hide(cover, secret, method=method, threads=1)
        three = underdrawing.hide(cover, secret, method=method, threads=3)
        assert np.array_equal(one.container, three.container)


def test_grey_alpha_and_views_are_pictures(cover: Pixels, secret: Pixels) -> None:
    alpha = scene(160, 120, seed=3)[:, :, :1]
    with_alpha = np.concatenate([cover, alpha], axis=2)
    hidden = underdrawing.hide(with_alpha, secret[:, :, 0], effort="fast")
    assert np.array_equal(hidden.container[:, :, 3:], alpha)
    opaque = underdrawing.hide(cover, np.repeat(secret[:, :, :1], 3, axis=2), effort="fast")
    assert np.array_equal(hidden.container[:, :, :3], opaque.container)
    assert underdrawing.reveal(hidden.container).found.method == "coded"
    # Neither upside down nor every other pixel is in memory as a picture is.
    view = cover[::-1, ::2]
    same = underdrawing.hide(np.ascontiguousarray(view), secret, effort="fast")
    assert np.array_equal(underdrawing.hide(view, secret, effort="fast").container, same.container)


def test_a_secrets_opacity_is_laid_on_white(cover: Pixels) -> None:
    secret = np.zeros((40, 30, 4), np.uint8)
    secret[:, 15:, 3] = 255
    hidden = underdrawing.hide(cover, secret)
    revealed = underdrawing.reveal(hidden).picture
    assert revealed[:, :10].min() > 250 and revealed[:, 20:].max() < 5
    assert "secret: transparency laid on white" in hidden.conversions


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "RGB", "YCbCr", "HSV"])
def test_pillow_pictures_mean_what_they_show(cover: Pixels, mode: str) -> None:
    picture = Image.fromarray(scene(60, 50)).convert(mode)
    shown = np.asarray(picture.convert("RGB"))
    by_picture = underdrawing.hide(cover, picture, effort="fast").container
    assert np.array_equal(by_picture, underdrawing.hide(cover, shown, effort="fast").container)


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_pictures_are_divided_again(cover: Pixels, mode: str) -> None:
    alpha = np.linspace(40, 255, 60 * 50).astype(np.uint8).reshape(50, 60, 1)
    plain = Image.fromarray(np.concatenate([scene(60, 50), alpha], axis=2))
    plain = plain.convert("LA") if mode == "La" else plain
    multiplied = plain.convert(mode)
    shown = np.asarray(multiplied.convert(plain.mode).convert("RGBA"))
    by_picture = underdrawing.hide(cover, multiplied, effort="fast").container
    assert np.array_equal(by_picture, underdrawing.hide(cover, shown, effort="fast").container)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pillow_pictures_stand_upright_as_files_do(
    cover: Pixels, secret: Pixels, orientation: int
) -> None:
    tag = Image.Exif()
    tag[0x0112] = orientation
    files = [as_file(pixels, exif=tag) for pixels in (cover, secret)]
    pictures = [Image.open(io.BytesIO(file)) for file in files]
    by_files = underdrawing.hide_file(files[0], files[1], effort="fast")
    by_pictures = underdrawing.hide(pictures[0], pictures[1], effort="fast")
    assert np.array_equal(by_pictures.container, by_files.container)
    noted = "turned upright as its orientation tag asks"
    for hidden in (by_files, by_pictures):
        assert (f"cover: {noted}" in hidden.conversions) == (orientation > 1)
        assert (f"secret: {noted}" in hidden.conversions) == (orientation > 1)
    # What is hidden lies in the samples as they are stored, whatever a tag says.
    tagged = Image.open(io.BytesIO(as_file(by_pictures.container, exif=tag)))
    assert underdrawing.inspect(tagged).method == "coded"
    assert underdrawing.reveal(tagged).picture.shape == (
        secret.shape if orientation < 5 else (secret.shape[1], secret.shape[0], 3)
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK"])
def test_pillow_pictures_have_the_colours_of_their_files(secret: Pixels, mode: str) -> None:
    # sRGB in name, and with red and green exchanged.
    other = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = other.index(b"rXYZ"), other.index(b"gXYZ")
    other[red : red + 4], other[green : green + 4] = b"gXYZ", b"rXYZ"
    if mode == "L":
        other[16:20] = b"GRAY"
    file = io.BytesIO()
    picture = Image.fromarray(scene(160, 120)).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    picture.save(file, kind, icc_profile=bytes(other))
    content = file.getvalue()
    opened = Image.open(io.BytesIO(content))
    assert opened.info["icc_profile"] == bytes(other)
    file_of_secret = as_file(secret)
    by_picture = underdrawing.hide(opened, secret, effort="fast")
    by_file = underdrawing.hide_file(content, file_of_secret, effort="fast")
    assert saved(by_picture) == by_file.file
    assert by_picture.conversions == by_file.conversions
    by_picture = underdrawing.hide(secret, opened, effort="fast")
    by_file = underdrawing.hide_file(file_of_secret, content, effort="fast")
    assert np.array_equal(by_picture.container, by_file.container)
    assert by_picture.conversions == by_file.conversions
    assert underdrawing.compare(opened, content).max_difference == 0


def saved(hidden: underdrawing.Hidden) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        hidden.save(f"{folder}/c.png")
        return Path(f"{folder}/c.png").read_bytes()


def test_takes_whatever_has_an_array(cover: Pixels, secret: Pixels) -> None:
    class Frame:
        def __array__(self, dtype: object = None, copy: object = None) -> Pixels:
            return cover

    hidden = underdrawing.hide(Frame(), secret, effort="fast")
    assert np.array_equal(hidden.container, underdrawing.hide(cover, secret, effort="fast").container)


@pytest.mark.parametrize(
    ("picture", "error", "found"),
    [
        (np.zeros((8, 8, 3)), underdrawing.PictureError, "found one of float64; bring"),
        (np.zeros((8, 8), np.uint16), underdrawing.PictureError, "found one of uint16"),
        ([[1, 2], [3, 4]], underdrawing.PictureError, "found a list of int64"),
        ([[1, 2], [3]], underdrawing.PictureError, "found list: "),
        (np.zeros((8, 8, 2), np.uint8), underdrawing.PictureError, "(8, 8, 2)"),
        (np.zeros((2, 8, 8, 3), np.uint8), underdrawing.PictureError, "(2, 8, 8, 3)"),
        (Image.new("I;16", (8, 8)), underdrawing.PictureError, "mode I;16; scale it to 8 bits"),
        (Image.new("F", (8, 8)), underdrawing.PictureError, "mode F; scale it to 8 bits"),
        (Image.new("LAB", (8, 8)), underdrawing.PictureError, "mode LAB; convert it to RGB"),
        (np.zeros((0, 8, 3), np.uint8), underdrawing.LimitError, "one of shape (0, 8, 3)"),
        ([], underdrawing.LimitError, "one of shape (0,)"),
        (None, underdrawing.PictureError, "a Pillow picture, found NoneType"),
        ({}, underdrawing.PictureError, "a Pillow picture, found dict"),
        (io.BytesIO(b"x"), underdrawing.PictureError, "found BytesIO; PIL.Image.open makes a"),
    ],
)
def test_other_pictures_are_refused_by_what_they_are(
    picture: object, error: Any, found: str
) -> None:
    with pytest.raises(error, match="^cover: expected ") as refused:
        underdrawing.hide(picture, np.zeros((8, 8, 3), np.uint8))
    assert found in str(refused.value)


def test_masks_are_not_lost_in_silence(cover: Pixels, secret: Pixels) -> None:
    masked: Any = np.ma.masked_array(secret, mask=secret > 128)  # type: ignore[no-untyped-call]
    with pytest.raises(underdrawing.PictureError, match=r"secret: .* masked array; .* filled\(\)"):
        underdrawing.hide(cover, masked)
    underdrawing.hide(cover, masked.filled(0), effort="fast")
    # Nothing is lost where nothing is masked.
    masked.mask = False
    underdrawing.hide(cover, masked, effort="fast")


def test_paths_go_to_the_functions_for_files(secret: Pixels) -> None:
    with pytest.raises(TypeError, match="hide_file"):
        underdrawing.hide("cover.png", secret)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "method magic: expected coded, robust or network"),
        ({"effort": "much"}, "effort much: expected fast, normal or best"),
        ({"survive": 10}, "survive 10: expected a whole number from 50 to 95"),
        ({"survive": 10**30}, "expected a whole number from 50 to 95"),
        ({"survive_crop": 90}, "survive_crop 90: expected a whole number from 1 to 30"),
        ({"threads": -1}, "threads -1: expected a whole number from 0 to 1024"),
        ({"threads": 10**9}, "threads 1000000000: expected a whole number from 0 to 1024"),
        ({"tile_size": -1}, "tile_size -1: expected a whole number from 0 up"),
        ({"channel": "pigeon"}, "channel pigeon: expected whatsapp"),
        ({"balance": 7}, "balance 7: expected container, equal"),
        ({"balance": 10**30}, "expected container, equal"),
        ({"balance": "even"}, "balance even: expected container, equal"),
        ({"method": "network", "balance": "container"}, "balance container goes with the coded"),
        ({"method": "coded", "survive": 75}, "survive goes with the robust method"),
        ({"method": "network", "password": "x"}, "password gives a password"),
        ({"method": "network", "container_db": 50}, "container_db goes with the coded method"),
        ({"container_db": 40.0, "revealed_db": 40.0}, "container_db cannot be used with"),
        ({"container_db": float("nan")}, "container_db nan: expected a finite number"),
        ({"revealed_db": math.inf}, "revealed_db inf: expected a finite number"),
        ({"container_db": -1}, "expected a number above 0"),
        ({"password": ""}, "the password is empty"),
        ({"password": "\udc80"}, "password: expected text of whole characters"),
        ({"model": "lifting-99"}, "no model lifting-99"),
        ({"method": "network", "tile_size": 1}, "tile size 1 is too small"),
    ],
)
def test_options_are_refused(
    cover: Pixels, secret: Pixels, options: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError) as refused:
        underdrawing.hide(cover, secret, **options)  # type: ignore[arg-type]
    assert message in str(refused.value)
    assert isinstance(refused.value, ValueError)


def test_channels_are_the_librarys() -> None:
    names = {name for name, _, _ in underdrawing._native.channels()}
    assert set(get_args(underdrawing._hiding.Channel)) == names


def test_each_kind_of_failure_has_its_exception(cover: Pixels, secret: Pixels) -> None:
    sealed = underdrawing.hide(cover, secret, password="word", effort="fast").container
    with pytest.raises(underdrawing.NothingFoundError):
        underdrawing.reveal(cover)
    with pytest.raises(underdrawing.WrongPasswordError):
        underdrawing.reveal(sealed, password="other")
    with pytest.raises(underdrawing.TooSmallError):
        underdrawing.hide(cover[:4, :4], secret)
    changed = sealed.copy()
    changed[60:, 40:] ^= 1
    with pytest.raises(underdrawing.DamagedError, match="salvage=True"):
        underdrawing.reveal(changed, password="word")
    changed = sealed.copy()
    changed[5:7] ^= 1
    with pytest.raises(underdrawing.DamagedError, match="nothing can be salvaged, since") as lost:
        underdrawing.reveal(changed, password="word", salvage=True)
    assert "salvage=True" not in str(lost.value)
    assert underdrawing.inspect(sealed, password=b"word").password
    assert underdrawing.reveal(sealed, password="word").picture.shape == secret.shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"survive": "75"}, "survive: expected a whole number from 50 to 95, found str '75'"),
        ({"survive": 75.0}, "survive: expected a whole number from 50 to 95, found float 75.0"),
        ({"threads": None}, "threads: expected a whole number, 0 for all cores, found None"),
        ({"balance": 1.5}, "balance: expected container, equal, or a whole number from -2 to 2,"),
        ({"balance": [1]}, "to 2, found list [1]"),
        ({"container_db": "45"}, "container_db: expected a number, found str '45'"),
        ({"container_db": np.zeros(3)}, "container_db: expected a number, found ndarray"),
        ({"method": 3}, "method: expected coded, robust or network, found int 3"),
        ({"channel": b"x"}, "channel: expected a channel's name, as telegram, found bytes b'x'"),
        ({"measure": "no"}, "measure: expected True or False, found str 'no'"),
        ({"model": 3}, "model: expected a Model, the name of a built-in one, a path or bytes,"),
        ({"progress": 3}, "progress: expected True, False or a function of steps done"),
        # Not shown: it may be a password.
        ({"password": 12345}, "password: expected str or bytes, found int"),
    ],
)
def test_options_of_another_kind_are_named(
    cover: Pixels, secret: Pixels, options: dict[str, object], message: str
) -> None:
    with pytest.raises(TypeError) as refused:
        underdrawing.hide(cover, secret, **options)  # type: ignore[arg-type]
    assert message in str(refused.value) and "12345" not in str(refused.value)


def test_options_may_be_numpys(cover: Pixels, secret: Pixels) -> None:
    plain = underdrawing.hide(cover, secret, survive=60, container_db=36, threads=1)
    options = {"survive": np.uint8(60), "container_db": np.float32(36), "threads": np.int64(1)}
    by_numpy = underdrawing.hide(cover, secret, **options)  # type: ignore[arg-type]
    assert np.array_equal(plain.container, by_numpy.container)
    hidden = underdrawing.hide(
        cover,
        secret,
        method="network",
        balance=np.int8(-1),  # type: ignore[arg-type]
        measure=np.bool_(False),  # type: ignore[arg-type]
    )
    assert hidden.revealed_psnr_db is None
    assert underdrawing.reveal(hidden).found.balance == -1


def test_sizes_to_reveal_are_pairs(cover: Pixels) -> None:
    for size in ((30, 20), [30, 20], np.array([30, 20])):
        noise = underdrawing.reveal(cover, size=size)  # type: ignore[arg-type]
        assert noise.picture.shape == (20, 30, 3)
    for other in (30, (30,), (1.5, 20), "30x20", (None, 20)):
        with pytest.raises(TypeError, match="size: expected width and height in pixels"):
            underdrawing.reveal(cover, size=other)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="size -1: expected a whole number from 1 up"):
        underdrawing.reveal(cover, size=(-1, 20))


def test_passwords_are_text_or_bytes(cover: Pixels, secret: Pixels) -> None:
    hidden = underdrawing.hide(cover, secret, effort="fast", password=bytearray(b"word"))
    assert underdrawing.reveal(hidden, password=memoryview(b"word")).found.password
    with pytest.raises(underdrawing.NothingFoundError, match="takes it as password"):
        underdrawing.reveal(hidden)
    with pytest.raises(underdrawing.NothingFoundError, match="takes it as password"):
        underdrawing.inspect(hidden)
    with pytest.raises(underdrawing.WrongPasswordError, match="case-sensitive"):
        underdrawing.reveal(hidden, password="Word")
    robust = underdrawing.hide(cover, secret, survive=75, effort="fast", password="word")
    with pytest.raises(underdrawing.NothingFoundError, match="give it as password"):
        underdrawing.reveal(robust)


def test_compare_is_the_formula(cover: Pixels, secret: Pixels) -> None:
    other = cover.copy()
    other[0, 0, 0] ^= 16
    found = underdrawing.compare(cover, other)
    assert found.psnr_db == pytest.approx(psnr_db(cover, other))
    assert found.max_difference == 16
    same = underdrawing.compare(cover, cover)
    assert same.psnr_db == math.inf and same.ssim == 1
    with pytest.raises(OptionError, match="expected the same size"):
        underdrawing.compare(cover, secret)


def test_capacity_foretells(cover: Pixels, secret: Pixels) -> None:
    expected = underdrawing.capacity(cover, secret)
    hidden = underdrawing.hide(cover, secret)
    assert expected.container_psnr_db == pytest.approx(hidden.container_psnr_db, abs=0.5)
    assert hidden.coded_bytes is not None and expected.bytes >= hidden.coded_bytes
    assert underdrawing.capacity(as_file(cover)).bytes == expected.bytes
    assert underdrawing.capacity(cover).revealed_psnr_db is None


def test_notebooks_see_a_picture_and_the_figures(cover: Pixels, secret: Pixels) -> None:
    hidden = underdrawing.hide(cover, secret, effort="fast")
    assert hidden._repr_png_().startswith(b"\x89PNG")
    page = hidden._repr_html_()
    assert "data:image/png;base64," in page and f"{hidden.container_psnr_db:.2f} dB" in page
    assert repr(hidden).startswith("<Hidden 160x120, method: coded, container: ")
    wide = underdrawing.reveal(underdrawing.hide(scene(900, 300), scene(900, 300), effort="fast"))
    with Image.open(io.BytesIO(wide._repr_png_())) as shown:
        assert shown.size == (768, 256)


def test_models_are_files_and_names(cover: Pixels, secret: Pixels) -> None:
    model = underdrawing.Model()
    assert model.parameters > 200_000 and model.architecture["kind"] == "lifting"
    again = underdrawing.Model(model.to_bytes())
    assert again == model and again.training == model.training
    older = underdrawing.Model("lifting-3")
    assert older != model
    # Stored in 16 bits, where a parameter of 32 is rounded.
    for already in (model, older):
        half = already.to_bytes(half=True)
        assert underdrawing.Model(half) == already and 2 * len(half) < 1.05 * len(already.to_bytes())
    fresh = underdrawing.Model.fresh(model.architecture)
    assert underdrawing.Model(fresh.to_bytes(half=True)) != fresh
    hidden = underdrawing.hide(cover, secret, model=older, balance=1)
    revealed = underdrawing.reveal(hidden)
    assert revealed.found.model == older.id and revealed.found.balance == 1
    with pytest.raises(underdrawing.ModelFileError):
        underdrawing.Model(b"no model")


@pytest.mark.parametrize("name", underdrawing.__all__)
def test_help_shows_each_field(name: str) -> None:
    kind: type = getattr(underdrawing, name)
    if dataclasses.is_dataclass(kind):
        told = "".join(each.__doc__ or "" for each in inspect.getmro(kind)[:2])
        for field in dataclasses.fields(kind):
            assert field.name.startswith("_") or f"`{field.name}`" in told, field.name


def test_a_picture_is_no_model(tmp_path: Path, cover: Pixels) -> None:
    (tmp_path / "picture.png").write_bytes(as_file(cover))
    with pytest.raises(underdrawing.ModelFileError) as refused:
        underdrawing.Model(tmp_path / "picture.png")
    assert str(refused.value) == (
        f"{tmp_path / 'picture.png'}: not a model file: expected safetensors, found a PNG picture"
    )


@pytest.mark.parametrize(
    ("width", "error", "message"),
    [
        (-1, OptionError, "architecture width -1: expected a whole number from 1 up"),
        ("4", TypeError, "architecture width: expected a whole number from 1 up, found str '4'"),
        (1.5, TypeError, "architecture width: expected a whole number from 1 up, found float 1.5"),
        (None, TypeError, "architecture width: expected a whole number from 1 up, found None"),
    ],
)
def test_numbers_of_an_architecture_are_named(width: object, error: Any, message: str) -> None:
    with pytest.raises(error) as refused:
        underdrawing.Model.fresh({"kind": "lifting", "blocks": 1, "width": width})
    assert str(refused.value) == message


def test_networks_on_floats_want_whole_windows() -> None:
    model = underdrawing.Model.fresh(
        {"kind": "2018", "hiding": {"width": 4, "depth": 3}, "reveal": {"width": 4}}, seed=1
    )
    assert model == underdrawing.Model(model.to_bytes()) and model.training["seed"] == 1
    assert model != underdrawing.Model.fresh(model.architecture, seed=2)
    samples = np.full((2, 3, 16, 8), 0.25, np.float32).tobytes()
    run = model._native.reveal_floats
    assert len(run((2, 16, 8), samples)) == len(samples)
    with pytest.raises(OptionError, match=r"expected floats of \[1, 3, 16, 8\], found 3072 bytes"):
        run((1, 16, 8), samples)
    with pytest.raises(OptionError, match="container: expected sides that are multiples of 8"):
        run((2, 12, 8), samples)
    with pytest.raises(OptionError, match="cover: expected floats"):
        model._native.hide_floats((0, 16, 8), b"", b"")
