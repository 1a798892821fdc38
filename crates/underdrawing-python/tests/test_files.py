"""Files: the same bytes as the program's, and nothing half-written."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import Pixels, as_file, program, scene
from PIL import Image, ImageCms

import underdrawing


@pytest.fixture
def folder(tmp_path: Path, cover: Pixels, secret: Pixels) -> Path:
    (tmp_path / "cover.png").write_bytes(as_file(cover))
    (tmp_path / "secret.jpg").write_bytes(as_file(secret, "JPEG", quality=92))
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "options", "name"),
    [
        ([], {}, "c.png"),
        (["--effort", "fast"], {"effort": "fast"}, "c.tiff"),
        (["--balance", "equal"], {"balance": "equal"}, "c.webp"),
        (["--container-db", "45"], {"container_db": 45}, "c.qoi"),
        (["--method", "network", "--balance", "-1"], {"method": "network", "balance": -1}, "c.bmp"),
        (["--model", "lifting-2"], {"model": "lifting-2"}, "c.png"),
        (["--survive", "80"], {"survive": 80}, "c.jpg"),
        (["--for", "discord"], {"channel": "discord"}, "c.png"),
    ],
)
def test_gives_the_programs_bytes(
    folder: Path, flags: list[str], options: dict[str, object], name: str
) -> None:
    cover, secret, by_program = folder / "cover.png", folder / "secret.jpg", folder / name
    ran = program("hide", cover, secret, "-o", by_program, *flags)
    assert ran.returncode == 0, ran.stderr.decode()
    ours = folder / f"ours-{name}"
    hidden = underdrawing.hide_file(cover, str(secret), ours, **options)  # type: ignore[arg-type]
    assert ours.read_bytes() == hidden.file == by_program.read_bytes()
    ran = program("reveal", by_program, "-o", folder / "r.png")
    assert ran.returncode == 0, ran.stderr.decode()
    revealed = underdrawing.reveal_file(hidden.file)
    assert revealed.file == (folder / "r.png").read_bytes()


def test_passwords_open_what_the_program_hid(folder: Path) -> None:
    (folder / "word").write_text("correct horse\n")
    container = folder / "c.png"
    flags = ["--password-file", folder / "word", "--effort", "fast"]
    ran = program("hide", folder / "cover.png", folder / "secret.jpg", "-o", container, *flags)
    assert ran.returncode == 0, ran.stderr.decode()
    assert underdrawing.reveal_file(container, password="correct horse").found.password
    with pytest.raises(underdrawing.NothingFoundError):
        underdrawing.reveal_file(container)


def test_a_result_is_a_picture_with_its_profile(cover: Pixels, secret: Pixels) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(cover)
    picture.info["icc_profile"] = profile.replace(b"sRGB", b"ours")
    hidden = underdrawing.hide(picture, secret, effort="fast")
    again = underdrawing.hide(hidden, secret, effort="fast")
    assert "icc_profile" in Image.open(io.BytesIO(again._picture.encode("png"))).info
    assert underdrawing.compare(hidden, picture).psnr_db == pytest.approx(hidden.container_psnr_db)


def test_profile_and_opacity_stay(folder: Path, cover: Pixels) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    alpha = scene(160, 120, seed=4)[:, :, :1]
    rgba = np.concatenate([cover, alpha], axis=2)
    file = as_file(rgba, icc_profile=profile)
    hidden = underdrawing.hide_file(file, folder / "secret.jpg", effort="fast")
    with Image.open(io.BytesIO(hidden.file)) as container:
        assert container.info["icc_profile"] == profile
        assert np.array_equal(np.asarray(container)[:, :, 3:], alpha)
        assert np.array_equal(np.asarray(container), hidden.container)


def test_a_lossy_container_is_named(folder: Path, cover: Pixels) -> None:
    hidden = underdrawing.hide(cover, cover, effort="fast")
    saved = as_file(hidden.container, "JPEG", quality=95)
    with pytest.raises(underdrawing.NothingFoundError, match="a lossy file keeps only what was hidden with survive"):
        underdrawing.reveal_file(saved)


def test_pickled_results_save_the_same_files(folder: Path, cover: Pixels) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    alpha = scene(160, 120, seed=4)[:, :, :1]
    tagged = as_file(np.concatenate([cover, alpha], axis=2), icc_profile=profile)
    secret = folder / "secret.jpg"
    for name, options in [("c.png", {}), ("c.webp", {}), ("c.jpg", {"survive": 80})]:
        hidden = underdrawing.hide_file(
            tagged, secret, format=name[2:], effort="fast", **options  # type: ignore[arg-type]
        )
        for copied in (pickle.loads(pickle.dumps(hidden)), copy.deepcopy(hidden)):
            copied.save(folder / name, force=True)
            assert (folder / name).read_bytes() == hidden.file == copied.file
            assert np.array_equal(copied.container, hidden.container)


def test_sixteen_bits_are_noted(folder: Path) -> None:
    wide = Image.fromarray(scene(50, 40)[:, :, 0].astype(np.uint16) * 257)
    file = io.BytesIO()
    wide.save(file, "PNG")
    hidden = underdrawing.hide_file(folder / "cover.png", file.getvalue(), effort="fast")
    assert hidden.conversions == (
        "secret: 16 bits a sample become 8",
        "secret: grey becomes RGB",
    )


def test_a_messenger_gets_the_size_that_it_keeps() -> None:
    cover, secret = as_file(scene(2000, 300)), as_file(scene(40, 30))
    hidden = underdrawing.hide_file(cover, secret, channel="x")
    assert (hidden.width, hidden.height, hidden.survives) == (1200, 180, 75)
    assert "cover: reduced to 1200x180" in hidden.conversions


def test_nothing_is_overwritten_or_half_written(folder: Path) -> None:
    cover, secret, output = folder / "cover.png", folder / "secret.jpg", folder / "c.png"
    output.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="force=True"):
        underdrawing.hide_file(cover, secret, output, effort="fast")
    assert output.read_bytes() == b"mine"
    hidden = underdrawing.hide_file(cover, secret, output, effort="fast", force=True)
    assert output.read_bytes() == hidden.file
    with pytest.raises(FileExistsError):
        hidden.save(output)
    hidden.save(folder / "other.png")
    with pytest.raises(FileNotFoundError):
        underdrawing.hide_file(cover, secret, folder / "no" / "c.png", effort="fast")
    with pytest.raises(underdrawing.NothingFoundError):
        underdrawing.reveal_file(cover, folder / "nothing.png")
    names = {path.name for path in folder.iterdir()}
    assert names == {"cover.png", "secret.jpg", "c.png", "other.png"}


def test_inputs_and_folders_are_never_outputs(folder: Path) -> None:
    cover, secret = folder / "cover.png", folder / "secret.jpg"
    before = cover.read_bytes()
    (folder / "link.png").symlink_to("cover.png")
    with pytest.raises(underdrawing.OptionError, match="is an input and would be overwritten"):
        underdrawing.hide_file(cover, secret, cover, effort="fast", force=True)
    with pytest.raises(underdrawing.OptionError, match="is an input and would be overwritten"):
        underdrawing.reveal_file(str(cover), folder / "link.png", force=True)
    assert cover.read_bytes() == before
    (folder / "c.png").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder: expected a file's name"):
        underdrawing.hide_file(cover, secret, folder / "c.png", effort="fast", force=True)


def test_lossy_and_unknown_formats_are_refused(folder: Path) -> None:
    cover, secret = folder / "cover.png", folder / "secret.jpg"

    def never(done: int, total: int) -> None:
        pytest.fail("it was hidden before that was refused")

    for name, error, message in [
        ("c.jpg", underdrawing.PictureError, "JPEG changes pixels"),
        ("c.gif", underdrawing.PictureError, "GIF files are not written"),
        ("c.xyz", underdrawing.OptionError, "cannot tell the format of .xyz: expected .png"),
        ("c", underdrawing.OptionError, f"cannot tell the format of {folder}/c: expected .png"),
    ]:
        with pytest.raises(error, match=message):
            underdrawing.hide_file(cover, secret, folder / name, effort="fast", progress=never)
    with pytest.raises(underdrawing.OptionError, match=r"cannot tell the format of \.xyz: expected \.png"):
        underdrawing.hide_file(cover, secret, format=".xyz", progress=never)
    hidden = underdrawing.hide_file(cover, secret, format=".png", effort="fast").file
    assert hidden.startswith(b"\x89PNG")
    with pytest.raises(underdrawing.PictureError, match="JPEG changes pixels"):
        underdrawing.reveal_file(hidden, folder / "r.jpg", progress=never)
    with pytest.raises(underdrawing.PictureError, match="^secret: not a picture file"):
        underdrawing.hide_file(cover, b"no picture")
    with pytest.raises(TypeError, match=r"^cover: .* found BytesIO; its method read\(\)"):
        underdrawing.hide_file(io.BytesIO(), secret)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="^output: expected a path, found int 3"):
        underdrawing.hide_file(cover, secret, 3)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        underdrawing.hide_file(folder / "none.png", secret)


def test_inspects_files(folder: Path) -> None:
    hidden = underdrawing.hide_file(folder / "cover.png", folder / "secret.jpg", effort="fast")
    found = underdrawing.inspect(hidden.file)
    assert (found.method, found.secret_width, found.secret_height) == ("coded", 120, 140)
    assert found.coded_bytes == hidden.coded_bytes and found.parts == found.intact
    with pytest.raises(underdrawing.NothingFoundError):
        underdrawing.inspect(folder / "cover.png")


def test_compares_files_as_the_program_does(folder: Path, cover: Pixels) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    wide = Image.fromarray(cover[:, :, 0].astype(np.uint16) * 257)
    wide.save(folder / "wide.png")
    changed = np.clip(cover.astype(int) + 3, 0, 255).astype(np.uint8)
    (folder / "plain.png").write_bytes(as_file(changed))
    (folder / "tagged.png").write_bytes(as_file(cover, icc_profile=srgb))
    (folder / "grey.png").write_bytes(as_file(np.repeat(cover[:, :, :1], 3, axis=2)))
    for a, b in [("cover.png", "plain.png"), ("tagged.png", "plain.png"), ("wide.png", "grey.png")]:
        ran = program("compare", folder / a, folder / b, "--json")
        assert ran.returncode == 0, ran.stderr.decode()
        theirs = json.loads(ran.stdout)
        ours = underdrawing.compare(folder / a, str(folder / b))
        assert theirs.pop("a") and theirs.pop("b")
        if theirs["psnr_db"] is None:
            theirs["psnr_db"] = float("inf")
        assert dataclasses.asdict(ours) == theirs
    # Pixels and files may be mixed.
    assert underdrawing.compare(cover, folder / "cover.png").max_difference == 0
    assert underdrawing.compare(folder / "wide.png", folder / "grey.png").rounded_to_8_bits
