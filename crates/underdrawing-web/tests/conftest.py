"""A server for the page, a browser, and pictures."""

import http.server
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

DIST = Path(os.environ["DIST"])
PROGRAM = os.environ["UNDERDRAWING"]
ROOT = Path(__file__).parents[3]

# Shared machines are slow; a test that waits this long has failed.
expect.set_options(timeout=60_000)


class Files(http.server.SimpleHTTPRequestHandler):
    """The page, and under `pictures/` what a test has made."""

    pictures: Path

    def translate_path(self, path: str) -> str:
        name = path.removeprefix("/pictures/")
        return super().translate_path(path) if name == path else str(self.pictures / name)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server:
    def __init__(self, pictures: Path) -> None:
        handler = type("Handler", (Files,), {"pictures": pictures})
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(handler, directory=str(DIST))
        )
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # The pages are ours, and CI runs as root, where Chromium has no sandbox.
        browser = playwright.chromium.launch(
            executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens the page in a context of its own; an error in it fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_page(fragment: str = "", **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(server.url + fragment)
        page.wait_for_selector("html[data-ready]")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors


def photograph(width: int, height: int, seed: int) -> Image.Image:
    """Waves of several lengths with a little noise: what a photograph is like to a codec."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 100.0
    planes = []
    for _ in range(3):
        plane = np.full((height, width), 128.0)
        for octave in range(5):
            angle, phase = random.uniform(0, 2 * np.pi, 2)
            wave = np.cos(angle) * x + np.sin(angle) * y
            plane += 50 / 1.7**octave * np.sin(2**octave * 2 * wave + phase)
        planes.append(plane + random.normal(0, 2, (height, width)))
    return Image.fromarray(np.clip(np.stack(planes, 2), 0, 255).astype(np.uint8))


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    """A cover and a secret of another size."""
    cover, secret = tmp_path / "cover.png", tmp_path / "secret.png"
    photograph(300, 220, 1).save(cover)
    photograph(161, 203, 2).save(secret)
    return cover, secret


def program(*arguments: object) -> None:
    """Runs the program."""
    done = subprocess.run(
        [PROGRAM, *map(str, arguments), "--quiet", "--force"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def psnr(a: Path | Image.Image, b: Path | Image.Image) -> float:
    """PSNR in dB over all RGB samples of two pictures of one size."""
    samples = [
        np.asarray((Image.open(p) if isinstance(p, Path) else p).convert("RGB"), float)
        for p in (a, b)
    ]
    assert samples[0].shape == samples[1].shape
    mse = float(np.mean((samples[0] - samples[1]) ** 2))
    return float("inf") if mse == 0 else 10 * np.log10(255**2 / mse)
