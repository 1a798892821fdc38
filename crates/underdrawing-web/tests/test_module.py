"""The module by itself: the program's bytes, and errors by kind."""

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import pytest
from PIL import Image
from playwright.sync_api import Page

from conftest import DIST, ROOT, program, psnr

HIDE = """
async ([options, password, extension]) => {
    const module = await import('./underdrawing_web.js');
    await module.default({ module_or_path: 'underdrawing_web_bg.wasm' });
    const read = async (name) =>
        module.Picture.decode(new Uint8Array(await (await fetch(`pictures/${name}`)).arrayBuffer()));
    const [cover, secret] = [await read('cover.png'), (await read('secret.png')).plain()];
    const steps = [];
    const progress = (done, total) => steps.push([done, total]);
    const hidden = module.hide(cover, secret, JSON.stringify(options), password ?? undefined, progress);
    const file = hidden.encode(extension);
    let text = '';
    for (const byte of file) text += String.fromCharCode(byte);
    return { file: text, steps, report: JSON.parse(hidden.report) };
}
"""

REVEAL = """
async ([name, password]) => {
    const module = await import('./underdrawing_web.js');
    await module.default({ module_or_path: 'underdrawing_web_bg.wasm' });
    const file = new Uint8Array(await (await fetch(`pictures/${name}`)).arrayBuffer());
    try {
        const container = module.Picture.decode(file);
        const revealed = module.reveal(container, password ?? undefined, undefined, false, () => {});
        let text = '';
        for (const byte of revealed.takePicture().encode('png')) text += String.fromCharCode(byte);
        return { file: text };
    } catch (error) {
        return { kind: error.kind, message: error.message, model: error.model };
    }
}
"""

CASES = {
    "fast": ({"method": "coded", "effort": "fast"}, ["--effort", "fast"]),
    "normal": ({"method": "coded", "effort": "normal"}, ["--effort", "normal"]),
    "best": ({"method": "coded"}, []),
    "equal": ({"method": "coded", "balance": "equal"}, ["--balance", "equal"]),
    "robust": ({"method": "robust", "survive": 75}, ["--survive", "75"]),
    "crop": (
        {"method": "robust", "survive": 75, "surviveCrop": 5, "effort": "fast"},
        ["--survive", "75", "--survive-crop", "5", "--effort", "fast"],
    ),
    "jpeg": ({"method": "robust", "survive": 80, "jpeg": True}, ["--survive", "80"]),
    "channel": ({"method": "robust", "channel": "signal", "jpeg": True}, ["--for", "signal"]),
}


@pytest.fixture
def page(open_page: Callable[..., Page]) -> Page:
    return open_page()


def hide(page: Page, options: dict[str, object], password: str | None, extension: str) -> bytes:
    hidden = page.evaluate(HIDE, [options, password, extension])
    assert hidden["steps"], "no progress was told"
    assert hidden["report"]["method"] == options["method"]
    return hidden["file"].encode("latin-1")


@pytest.mark.parametrize("name", CASES)
def test_gives_the_programs_bytes(name: str, page: Page, pictures, tmp_path: Path) -> None:
    options, flags = CASES[name]
    extension = "jpg" if options.get("jpeg") else "png"
    ours = tmp_path / f"program.{extension}"
    program("hide", *pictures, "-o", ours, *flags)
    file = hide(page, options, None, extension)
    assert hashlib.sha256(file).digest() == hashlib.sha256(ours.read_bytes()).digest()
    # What the program reveals from it, the page does.
    program("reveal", ours, "-o", tmp_path / "theirs.png")
    revealed = page.evaluate(REVEAL, [ours.name, None])
    (tmp_path / "revealed.png").write_bytes(revealed["file"].encode("latin-1"))
    if options["method"] == "coded":
        assert psnr(tmp_path / "revealed.png", tmp_path / "theirs.png") == float("inf")
    # Restored by a network, whose last bits are the machine's.
    assert psnr(tmp_path / "revealed.png", tmp_path / "theirs.png") > 60


def test_the_first_load_is_small() -> None:
    # All that the service worker keeps; older models come when a container names them.
    loaded = sum(len(gzip.compress(file.read_bytes(), 6)) for file in DIST.iterdir() if file.is_file())
    assert loaded <= 2_000_000, f"{loaded} bytes with gzip"


def test_passwords_give_the_programs_bytes(page: Page, pictures, tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("grün wie Gras\n", encoding="utf-8")
    flags = ["--effort", "fast", "--password-file", word]
    program("hide", *pictures, "-o", tmp_path / "program.png", *flags)
    options = {"method": "coded", "effort": "fast"}
    file = hide(page, options, "grün wie Gras", "png")
    assert file == (tmp_path / "program.png").read_bytes()
    # As a keyboard types it that does not compose: the browser does.
    assert hide(page, options, "gru\u0308n wie Gras", "png") == file
    revealed = page.evaluate(REVEAL, ["program.png", "grün wie Gras"])
    assert revealed["file"]
    assert page.evaluate(REVEAL, ["program.png", "grün"])["kind"] == "wrong-password"
    assert page.evaluate(REVEAL, ["program.png", None])["kind"] == "nothing-found"


def test_networks_open_each_others_containers(page: Page, pictures, tmp_path: Path) -> None:
    cover, secret = pictures
    ours, theirs = tmp_path / "ours.png", tmp_path / "theirs.png"
    ours.write_bytes(hide(page, {"method": "network"}, None, "png"))
    program("hide", *pictures, "-o", theirs, "--method", "network")
    assert psnr(ours, cover) > 30
    # Sums round in another order, and rounding to bytes passes its errors on.
    assert psnr(ours, theirs) > 45
    program("reveal", ours, "-o", tmp_path / "by_program.png")
    revealed = page.evaluate(REVEAL, [theirs.name, None])
    (tmp_path / "by_page.png").write_bytes(revealed["file"].encode("latin-1"))
    assert psnr(tmp_path / "by_program.png", secret) > 25
    assert psnr(tmp_path / "by_page.png", tmp_path / "by_program.png") > 40


@pytest.mark.parametrize(
    ("file", "kind", "words"),
    [
        ("truncated.png", "picture", "damaged or incomplete"),
        ("float.tif", "not-read", "TIFF"),
        ("README.md", "not-read", "not a picture"),
        ("wide.png", "limit", "too large"),
        ("rgb.png", "nothing-found", "nothing in it opens"),
    ],
)
def test_errors_have_kinds(file: str, kind: str, words: str, page: Page, tmp_path: Path) -> None:
    folder = ROOT / "testdata" / ("" if file.endswith(".md") else "pictures")
    if file == "wide.png":
        Image.new("RGB", (32_769, 1)).save(tmp_path / file)
    else:
        copy(folder / file, tmp_path / file)
    error = page.evaluate(REVEAL, [file, None])
    assert error["kind"] == kind and words in error["message"], error


def test_options_that_are_none_are_refused(page: Page, pictures) -> None:
    for options, words in [
        ({"method": "magic"}, "unknown variant"),
        ({"metod": "coded"}, "unknown field"),
        ({"method": "network", "effort": "best"}, "expected normal or fast"),
        ({"method": "robust", "survive": 20}, "expected 50 to 95"),
        ({"channel": "pigeon"}, "not known"),
        ({"method": "network", "balance": 7}, "balance"),
    ]:
        script = f"(args) => ({HIDE})(args).catch((error) => [error.kind, error.message])"
        kind, message = page.evaluate(script, [options, None, "png"])
        assert kind == "option" and words in message, (options, message)
