"""The page as people use it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from conftest import ROOT, Server, photograph, program, psnr

DONE = re.compile(r"Revealed\d")


def choose(page: Page, zone: str, file: Path) -> None:
    page.locator(f"#{zone} input").first.set_input_files(file)
    expect(page.locator(f"#{zone} .caption")).to_contain_text(file.name)


def fill(page: Page, cover: Path, secret: Path, effort: str = "fast") -> None:
    choose(page, "cover", cover)
    choose(page, "secret", secret)
    page.get_by_label("Effort").select_option(effort)


def hide(page: Page) -> None:
    page.get_by_role("button", name="Hide", exact=True).click()
    expect(page.locator("#hidden:not([hidden]) dl")).to_contain_text(DONE, timeout=120_000)


def save(page: Page, link: str, path: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    download.value.save_as(path)
    return path


def reveal(page: Page, container: Path) -> None:
    page.get_by_role("tab", name="Reveal").click()
    choose(page, "container", container)


def shows_revealed(page: Page) -> None:
    expect(page.get_by_role("heading", name="The secret")).to_be_visible(timeout=120_000)


def test_hides_saves_and_reveals(open_page: Callable[..., Page], pictures, tmp_path: Path) -> None:
    cover, secret = pictures
    page = open_page()
    expect(page.get_by_role("button", name="Hide", exact=True)).to_be_disabled()
    fill(page, cover, secret)
    expect(page.locator("#expected")).to_contain_text(re.compile(r"the secret at \d+\.\d dB"))
    hide(page)
    expect(page.get_by_role("heading", name="The container")).to_be_focused()
    container = save(page, "Save the container", tmp_path / "container.png")
    program("hide", cover, secret, "-o", tmp_path / "program.png", "--effort", "fast")
    assert container.read_bytes() == (tmp_path / "program.png").read_bytes()
    told = page.locator("#hidden-facts dd").first.inner_text()
    assert told.startswith(f"{psnr(cover, container):.1f} dB")

    other = open_page("#reveal")
    choose(other, "container", container)
    shows_revealed(other)
    revealed = save(other, "Save the picture", tmp_path / "revealed.png")
    told = page.locator("#hidden-facts dd").nth(1).inner_text()
    assert told.startswith(f"{psnr(secret, revealed):.1f} dB")


def test_the_slider_and_the_difference(open_page: Callable[..., Page], pictures) -> None:
    page = open_page()
    fill(page, *pictures)
    hide(page)
    slider = page.get_by_role("slider", name="Cover on the left, Container on the right")
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    clip = "(canvas) => getComputedStyle(canvas).clipPath"
    assert page.locator(".pair canvas").nth(1).evaluate(clip) == "inset(0px 0px 0px 52%)"
    page.get_by_role("radio", name="Difference × 10").check()
    greys = """(canvas) => {
        const { width, height } = canvas;
        const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
        return [...new Set(data.filter((_, i) => i % 4 < 3))].sort((a, b) => a - b);
    }"""
    shown = page.get_by_role("img", name="Difference between cover and container")
    # Samples change by one grey level, which is ten on the screen; black and white by two.
    assert {0, 10} <= set(shown.evaluate(greys)) <= {0, 10, 20}
    page.get_by_role("radio", name="Revealed").check()
    expect(page.get_by_role("slider", name="Secret on the left, Revealed on the right")).to_be_visible()


def test_passwords(open_page: Callable[..., Page], pictures, tmp_path: Path) -> None:
    page = open_page()
    fill(page, *pictures)
    page.locator("#password").fill("correct horse")
    hide(page)
    container = save(page, "Save the container", tmp_path / "container.png")
    reveal(page, container)
    failure = page.locator("#reveal-failure")
    expect(failure).to_contain_text("Nothing in it opens without a password")
    expect(failure).to_contain_text("enter it above")
    expect(page.locator("#opener")).to_be_focused()
    page.locator("#opener").fill("wrong")
    page.keyboard.press("Enter")
    expect(failure).to_contain_text("The password is wrong")
    page.locator("#opener").fill("correct horse")
    page.keyboard.press("Enter")
    shows_revealed(page)
    expect(failure).to_be_hidden()


def test_a_plain_picture_and_no_picture(open_page: Callable[..., Page], pictures) -> None:
    page = open_page("#reveal")
    choose(page, "container", pictures[0])
    expect(page.locator("#reveal-failure")).to_contain_text("a plain picture")
    page.locator("#container input").first.set_input_files(ROOT / "testdata/README.md")
    expect(page.locator("#container [role=alert]")).to_contain_text("Not a picture file")
    expect(page.get_by_role("button", name="Reveal", exact=True)).to_be_disabled()


def test_a_damaged_container_gives_what_is_intact(
    open_page: Callable[..., Page], pictures, tmp_path: Path
) -> None:
    cover = tmp_path / "large.png"
    photograph(640, 480, 3).save(cover)
    secret = tmp_path / "tall.png"
    photograph(400, 400, 4).save(secret)
    container = tmp_path / "container.png"
    program("hide", cover, secret, "-o", container, "--effort", "fast")
    damaged = Image.open(container)
    damaged.paste((9, 9, 9), (100, 470, 110, 472))
    damaged.save(container)
    page = open_page("#reveal")
    choose(page, "container", container)
    expect(page.locator("#reveal-failure")).to_contain_text("changed after hiding")
    page.get_by_role("button", name="Reveal what is intact").click()
    shows_revealed(page)


@pytest.mark.parametrize("model", ["lifting-1", "lifting-2", "lifting-3", "lifting-4"])
def test_older_models_are_fetched(
    model: str, open_page: Callable[..., Page], pictures, tmp_path: Path
) -> None:
    container = tmp_path / "old.png"
    program("hide", *pictures, "-o", container, "--model", model)
    program("reveal", container, "-o", tmp_path / "theirs.png")
    page = open_page("#reveal")
    with page.expect_request(f"**/models/{model}.safetensors"):
        choose(page, "container", container)
    shows_revealed(page)
    revealed = save(page, "Save the picture", tmp_path / "revealed.png")
    assert psnr(revealed, tmp_path / "theirs.png") > 40


def test_what_the_browser_reads(open_page: Callable[..., Page], pictures, tmp_path: Path) -> None:
    cover, secret = pictures
    avif = tmp_path / "cover.avif"
    Image.open(cover).save(avif, quality=90)
    page = open_page()
    fill(page, avif, secret)
    expect(page.locator("#cover .caption")).to_contain_text("300 × 220 · AVIF, read by the browser")
    hide(page)
    container = save(page, "Save the container", tmp_path / "container.png")
    assert container.name and psnr(container, avif) > 35


def test_work_can_be_cancelled(open_page: Callable[..., Page], tmp_path: Path) -> None:
    cover, secret = tmp_path / "a.png", tmp_path / "b.png"
    photograph(1400, 1000, 5).save(cover)
    photograph(1400, 1000, 6).save(secret)
    page = open_page()
    fill(page, cover, secret, "best")
    page.get_by_role("button", name="Hide", exact=True).click()
    cancel = page.locator("#hide-cancel")
    expect(cancel).to_be_focused()
    cancel.click()
    expect(cancel).to_be_hidden()
    expect(page.locator("#hide-failure")).to_be_hidden()
    # The pictures are still there, with the worker that came after.
    page.get_by_label("Effort").select_option("fast")
    hide(page)


def test_works_offline(open_page: Callable[..., Page], server: Server, pictures) -> None:
    page = open_page()
    page.wait_for_selector("html[data-offline]")
    page.context.set_offline(True)
    server.stop()
    page.reload()
    page.wait_for_selector("html[data-ready]")
    fill(page, *pictures)
    hide(page)


def test_nothing_is_sent(open_page: Callable[..., Page], server: Server, pictures) -> None:
    page = open_page()
    page.wait_for_selector("html[data-offline]")
    requests: list[str] = []
    page.context.on("request", lambda request: requests.append(f"{request.method} {request.url}"))
    fill(page, *pictures)
    hide(page)
    # The browser asks for the pictures that the page itself holds.
    assert [r for r in requests if not r.startswith("GET blob:")] == []


def test_twelve_megapixels(open_page: Callable[..., Page], tmp_path: Path) -> None:
    cover, secret = tmp_path / "cover.jpg", tmp_path / "secret.jpg"
    for file, seed in [(cover, 7), (secret, 8)]:
        tile = photograph(1000, 750, seed)
        large = Image.new("RGB", (4000, 3000))
        for i in range(16):
            large.paste(tile.transpose(i % 2), (i % 4 * 1000, i // 4 * 750))
        large.save(file, quality=92)
    page = open_page()
    page.evaluate(
        """() => {
            self.longest = 0;
            new PerformanceObserver((list) => {
                for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
            }).observe({ type: 'longtask' });
        }"""
    )
    fill(page, cover, secret)
    hide(page)
    memory = page.locator("#hidden").get_attribute("data-memory")
    longest = page.evaluate("longest")
    print(f"\n12 megapixels: {int(memory or 0) / 2**20:.0f} MiB of the module, the page waited {longest} ms at most")
    assert 2**26 < int(memory or 0) < 2**30
    # 50 ms where nothing else runs; work of the worker's here would be seconds.
    assert longest < 300
    reveal(page, save(page, "Save the container", tmp_path / "container.png"))
    shows_revealed(page)
    expect(page.locator("#revealed-facts")).to_contain_text("4000 × 3000")


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_sticks_out(width: int, open_page: Callable[..., Page], pictures) -> None:
    phone = width == 320
    page = open_page(viewport={"width": width, "height": 640}, has_touch=phone, is_mobile=phone)
    wide = "() => document.documentElement.scrollWidth"
    assert page.evaluate(wide) <= width
    camera = page.locator("#cover input[capture]")
    assert camera.count() == 1
    expect(page.get_by_role("button", name="Camera: cover")).to_be_visible(visible=phone)
    fill(page, *pictures)
    page.get_by_role("radio", name="For sending").check()
    hide(page)
    assert page.evaluate(wide) <= width
    page.get_by_role("tab", name="Reveal").click()
    assert page.evaluate(wide) <= width


def test_everything_has_a_name_and_the_keyboard_reaches_it(
    open_page: Callable[..., Page], pictures
) -> None:
    page = open_page()
    fill(page, *pictures)
    hide(page)
    nameless = """() => [...document.querySelectorAll('button, input, select, a, canvas, progress')]
        .filter((e) => e.type !== 'file' && !e.labels?.length && !e.ariaLabel && !e.textContent.trim())
        .map((e) => e.outerHTML)"""
    assert page.evaluate(nameless) == []
    page.locator("#tab-hide").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Reveal")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Reveal")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    reached = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.id || document.activeElement.name"))
    assert {"method", "effort", "balance", "password", "hide-button", "save-container"} <= reached


def test_can_be_installed(open_page: Callable[..., Page]) -> None:
    page = open_page()
    session = page.context.new_cdp_session(page)
    page.wait_for_selector("html[data-offline]")
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # A test's context is one.
    assert [error for error in errors if error["errorId"] != "in-incognito"] == []
