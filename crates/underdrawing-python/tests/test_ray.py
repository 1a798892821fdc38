"""Hiding and revealing in Ray's data sets: batches, a local Ray of two workers, and the script."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Pixels, as_file, program, scene

import underdrawing
import underdrawing.ray

SCRIPT = Path(__file__).parents[3] / "examples" / "ray_folder.py"


def column(cells: list[Any]) -> Any:
    """As Ray hands out cells of different sizes."""
    array = np.empty(len(cells), dtype=object)
    for index, cell in enumerate(cells):
        array[index] = cell
    return array


def test_batches_of_files_are_hidden_and_revealed(
    tmp_path: Path, cover: Pixels, secret: Pixels
) -> None:
    (tmp_path / "cover.png").write_bytes(as_file(cover))
    batch = {
        "name": np.array(["file", "path", "damaged", "missing"]),
        "cover": column(
            [as_file(cover), str(tmp_path / "cover.png"), as_file(cover)[:99], tmp_path / "none"]
        ),
        "secret": column([as_file(secret)] * 4),
    }
    hidden = underdrawing.ray.Hide(effort="fast")(batch)
    expected = underdrawing.hide_file(as_file(cover), as_file(secret), effort="fast")
    assert list(hidden["container"]) == [expected.file, expected.file, b"", b""]
    assert list(hidden["error"])[:2] == ["", ""]
    assert hidden["error"][2].startswith("PictureError: ")
    assert hidden["error"][3].startswith("FileNotFoundError: ")
    assert hidden["container_psnr_db"][0] == expected.container_psnr_db
    assert np.isnan(hidden["revealed_psnr_db"][2]) and list(hidden["name"]) == list(batch["name"])

    revealed = underdrawing.ray.Reveal()(hidden)
    assert revealed["revealed"][0] == underdrawing.reveal_file(expected.file).file
    assert list(revealed["secret_width"]) == [120, 120, 0, 0]
    plain = underdrawing.ray.Reveal()({"container": column([as_file(cover)])})
    assert plain["error"][0].startswith("NothingFoundError: ")


def test_batches_of_arrays_are_hidden_and_revealed(cover: Pixels, secret: Pixels) -> None:
    batch = {"a": np.stack([cover, cover]), "b": column([secret, np.zeros((0, 3, 3), np.uint8)])}
    options: dict[str, Any] = {"method": "network", "model": "lifting-3", "measure": False}
    hide = underdrawing.ray.Hide(cover="a", secret="b", container="c", **options)
    hidden = hide(batch)
    expected = underdrawing.hide(cover, secret, **options)
    assert np.array_equal(hidden["c"][0], expected.container)
    assert hidden["c"][1].size == 0 and hidden["error"][1].startswith("LimitError: ")
    assert np.isnan(hidden["revealed_psnr_db"][0])
    revealed = underdrawing.ray.Reveal(container="c", revealed="d")(hidden)
    assert np.array_equal(revealed["d"][0], underdrawing.reveal(expected).picture)


def test_rows_without_a_picture_fail_alone(cover: Pixels, secret: Pixels) -> None:
    file = as_file(cover)
    for whole, missing in [((file, file), (file, None)), ((file, file), (None, file))]:
        for nothing in (None, float("nan")):
            row = [nothing if cell is None else cell for cell in missing]
            batch = {name: column(list(cells)) for name, cells in zip("ab", zip(whole, row))}
            hidden = underdrawing.ray.Hide(cover="a", secret="b", effort="fast")(batch)
            assert hidden["error"][0] == "" and hidden["container"][1] == b""
            assert hidden["error"][1].endswith(": expected a file or an array, found none")
    batch = {"container": column([hidden["container"][0], None])}
    errors = underdrawing.ray.Reveal()(batch)["error"]
    assert list(errors) == ["", "PictureError: container: expected a file or an array, found none"]


def test_options_of_no_use_end_the_job(cover: Pixels, secret: Pixels) -> None:
    batch = {"cover": column([cover]), "secret": column([secret])}
    with pytest.raises(underdrawing.OptionError, match="effort much"):
        underdrawing.ray.Hide(effort="much")(batch)
    with pytest.raises(underdrawing.OptionError, match="no model"):
        underdrawing.ray.Hide(model="lifting-99")
    with pytest.raises(TypeError, match="strength"):
        underdrawing.ray.Hide(strength=3)(batch)


@pytest.fixture
def environment() -> dict[str, str]:
    """Of Ray, which otherwise calls home and leaves a token there."""
    pytest.importorskip("ray", reason="Ray is not installed (underdrawing[ray])")
    return {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """24 covers and secrets of different sizes, two of them damaged."""
    for name in ("covers", "secrets"):
        (tmp_path / name).mkdir()
    for index in range(24):
        cover, secret = scene(160 + index, 120, index), scene(120, 140 - index, 50 + index)
        (tmp_path / "covers" / f"{index:02}.png").write_bytes(as_file(cover))
        (tmp_path / "secrets" / f"{index:02}.jpg").write_bytes(as_file(secret, "JPEG"))
    for damaged in ("covers/05.png", "secrets/11.jpg"):
        content = (tmp_path / damaged).read_bytes()
        (tmp_path / damaged).write_bytes(content[: len(content) // 2])
    return tmp_path


def by_program(folders: Path) -> dict[str, bytes]:
    """What the program makes of the folders."""
    ran = program(
        "hide", folders / "covers", folders / "secrets", "-o", folders / "theirs", "--effort", "fast"
    )
    assert b"05.png" in ran.stderr and b"11" in ran.stderr
    return containers(folders / "theirs")


def containers(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.png")}


def start(folders: Path, environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), "covers", "secrets", "out", "--workers", "2"]
    return subprocess.Popen(
        [*command, "--batch", "2", "--effort", "fast", *options],
        cwd=folders,
        env={**environment, "UNDERDRAWING_TEST": str(folders)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def actors(folders: Path) -> Iterator[int]:
    """Processes of this test's actors."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            name, variables = (
                (process / "cmdline").read_bytes(),
                (process / "environ").read_bytes(),
            )
        except OSError:
            continue
        if b"HideAndStore" in name and f"UNDERDRAWING_TEST={folders}".encode() in variables:
            yield int(process.name)


def wait_for(what: Callable[[], Any], running: subprocess.Popen[str]) -> Any:
    until = time.monotonic() + 100
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        assert running.poll() is None, running.communicate()
        time.sleep(0.002)
    running.kill()
    pytest.fail("nothing happens")


def finished(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = running.communicate(timeout=150)
    return running.returncode, out, err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="actors are found by /proc")
def test_an_actor_that_is_killed_loses_nothing(
    folders: Path, environment: dict[str, str]
) -> None:
    expected = by_program(folders)
    running = start(folders, environment)
    wait_for(lambda: containers(folders / "out"), running)
    killed = next(actors(folders))
    os.kill(killed, signal.SIGKILL)
    assert len(containers(folders / "out")) < len(expected)
    code, out, err = finished(running)
    assert code == 1 and out.endswith("22 hidden, 2 failed, 0 of them before\n"), err
    assert "05.png, 05.jpg: PictureError: " in err and "11.png, 11.jpg: PictureError: " in err
    assert "24 of 24 pairs" in err
    assert containers(folders / "out") == expected
    figures = read_figures(folders)
    assert [row["cover"] for row in figures] == [f"{index:02}.png" for index in range(24)]
    for row in figures:
        if row["error"]:
            continue
        container = folders / "out" / row["container"]
        against = underdrawing.compare(folders / "covers" / row["cover"], container)
        assert row["container_psnr_db"] == pytest.approx(against.psnr_db)
        assert row["bytes"] == container.stat().st_size and row["seconds"] > 0

    # Once more, nothing is done; what failed is, where it is asked for and mended.
    times = {file: file.stat().st_mtime_ns for file in (folders / "out").glob("*.png")}
    code, out, _ = finished(start(folders, environment))
    assert code == 1 and out == "22 hidden, 2 failed, 24 of them before\n"
    assert {file: file.stat().st_mtime_ns for file in times} == times
    shutil.copy(folders / "covers" / "06.png", folders / "covers" / "05.png")
    code, out, _ = finished(start(folders, environment, "--retry"))
    assert code == 1 and out == "23 hidden, 1 failed, 22 of them before\n"
    code, _, err = finished(start(folders, environment, "--method", "network"))
    assert code == 1 and "--method was not given, and is network now" in err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="actors are found by /proc")
def test_goes_on_where_it_was_stopped(folders: Path, environment: dict[str, str]) -> None:
    expected = by_program(folders)
    running = start(folders, environment)
    wait_for(lambda: list((folders / "out").glob("figures/*.parquet")), running)
    working = list(actors(folders))
    running.kill()
    running.communicate()
    # Ray ends its actors when their driver is gone.
    until = time.monotonic() + 60
    while any(actors(folders)) and time.monotonic() < until:
        time.sleep(0.1)
    assert working and not any(actors(folders))
    (folders / "out" / ".underdrawing-left").write_bytes(b"half")
    code, out, err = finished(start(folders, environment))
    assert code == 1 and out.startswith("22 hidden, 2 failed, "), err
    assert 0 < int(out.split()[4]) < 24
    assert containers(folders / "out") == expected
    assert len(read_figures(folders)) == 24
    assert not list((folders / "out").glob(".*"))


def read_figures(folders: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(folders / "out" / "figures.parquet").to_pylist()
    return rows


DATA_SETS = """
import sys
import numpy, ray
import underdrawing, underdrawing.ray
sys.path.insert(0, {tests!r})
from conftest import scene
from test_ray import column

ray.init(num_cpus=2, include_dashboard=False)
pairs = [(scene(64 + 2 * i, 48, i), scene(40, 50 + i, 30 + i)) for i in range(6)]
batch = {{"cover": column([c for c, _ in pairs]), "secret": column([s for _, s in pairs])}}
two = dict(compute=ray.data.ActorPoolStrategy(size=2), num_cpus=1, batch_size=2)
# Read-only arrays of different sizes, in shared memory.
rows = [{{"cover": c, "secret": s, "index": i}} for i, (c, s) in enumerate(pairs)]
data = ray.data.from_items(rows, override_num_blocks=3)
data = data.map_batches(underdrawing.ray.Hide, fn_constructor_kwargs=dict(method="network"), **two)
data = data.materialize()
data = data.map_batches(underdrawing.ray.Reveal, **two)
found = sorted(data.take_all(), key=lambda row: row["index"])
assert len(found) == 6
for row, (cover, secret) in zip(found, pairs):
    hidden = underdrawing.hide(cover, secret, method="network")
    assert row["error"] == "" and row["container_psnr_db"] == hidden.container_psnr_db
    assert numpy.array_equal(row["container"], hidden.container)
    assert numpy.array_equal(row["revealed"], underdrawing.reveal(hidden).picture)
print("the same")
"""


Script = Callable[..., str]


@pytest.fixture
def script(
    folders: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Script:
    """The script's `main` with the batches done here, in place of Ray's actors: what it says."""
    spec = importlib.util.spec_from_file_location("ray_folder", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(pairs: list[dict[str, str]], args: Any, options: dict[str, Any]) -> None:
        columns = {name: [pair[name] for pair in pairs] for name in ("cover", "secret")}
        module.HideAndStore(args.covers, args.secrets, args.out, options)(columns)

    def main(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ray_folder.py", *words])
        try:
            module.main()
        except SystemExit as ended:
            return str(ended.code)
        return capsys.readouterr().out

    monkeypatch.setattr(module, "run", run)
    monkeypatch.chdir(folders)
    (folders / "word").write_text("correct horse\n")
    (folders / "other").write_text("wrong horse\n")
    return main


def test_goes_on_only_with_what_it_began_with(folders: Path, script: Script) -> None:
    same = ["covers", "secrets", "out", "--effort", "fast", "--password-file"]
    assert script(*same, "word") == "22 hidden, 2 failed, 0 of them before\n"
    noted = (folders / "out" / "options.json").read_text()
    assert "horse" not in noted
    # A file that the program opens with the file of the password.
    opened = folders / "r.png"
    ran = program(
        "reveal", folders / "out" / "00.png", "-o", opened, "--password-file", folders / "word"
    )
    assert ran.returncode == 0, ran.stderr.decode()
    # By another name, and the same.
    assert "24 of them before" in script(str(folders / "covers" / "."), *same[1:], "word")
    before = containers(folders / "out")
    shutil.copytree(folders / "secrets", folders / "others")
    for change, message in (
        ([*same, "other"], "--password-file has another password"),
        (same[:-1], "--password-file was given, and is not now"),
        ([*same, "word", "--cycle"], "--cycle was not given, and is given now"),
        ([*same, "word", "--balance", "equal"], "--balance was not given, and is equal now"),
        (["covers", "others", *same[2:], "word"], f"SECRETS was {folders}/secrets, and is "),
    ):
        said = script(*change)
        assert message in said and "expected the same ones, or another OUT" in said
    (folders / "out" / "options.json").write_text("[")
    assert "options.json in OUT is damaged" in script(*same, "word")
    assert containers(folders / "out") == before


def test_files_that_came_do_not_shift_what_is_hidden(folders: Path, script: Script) -> None:
    words = ["covers", "secrets", "out", "--effort", "fast"]
    script(*words)
    before = containers(folders / "out")
    shutil.copy(folders / "covers" / "06.png", folders / "covers" / "06a.png")
    shutil.copy(folders / "secrets" / "20.jpg", folders / "secrets" / "zz.jpg")
    said = script(*words)
    assert "error: 07.png went with 07.jpg when OUT was begun, and goes with 08.jpg now" in said
    assert containers(folders / "out") == before
    # In step with all others, a new pair is done beside them.
    shutil.move(folders / "secrets" / "zz.jpg", folders / "secrets" / "06a.jpg")
    assert script(*words) == "23 hidden, 2 failed, 24 of them before\n"


def test_options_of_no_use_leave_no_trace(folders: Path, script: Script) -> None:
    said = script("covers", "secrets", "out", "--survive", "20")
    assert said.startswith("error: survive 20: expected ")
    assert "no model lifting-99" in script("covers", "secrets", "out", "--model", "lifting-99")
    assert not (folders / "out").exists()


def test_help_needs_no_packages() -> None:
    # Without the folder of installed packages.
    alone = [sys.executable, "-S", str(SCRIPT)]
    ran = subprocess.run([*alone, "--help"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and "--password-file" in ran.stdout, ran.stderr
    for flag, value in (("--batch", "0"), ("--workers", "-1"), ("--batch", "many")):
        ran = subprocess.run(
            [*alone, "a", "b", "c", flag, value], capture_output=True, text=True, timeout=60
        )
        assert ran.returncode == 2
        assert f"{flag}: expected a whole number from 1 up, found {value}" in ran.stderr
    ran = subprocess.run([*alone, "a", "b", "c"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1 and 'pip install "underdrawing[ray]"' in ran.stderr


def test_never_writes_where_it_reads(folders: Path, environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), "covers", "secrets", "./secrets/"],
        cwd=folders,
        env=environment,
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert ran.returncode == 1 and "expected a folder of its own" in ran.stderr


def test_data_sets_of_arrays(environment: dict[str, str]) -> None:
    code = DATA_SETS.format(tests=str(Path(__file__).parent))
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=150, text=True
    )
    assert ran.stdout.endswith("the same\n"), ran.stderr
