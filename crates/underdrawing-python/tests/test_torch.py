"""The networks as PyTorch modules, and the package inside PyTorch's data loaders."""

from __future__ import annotations

import copy
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Pixels, as_file, program, scene
from PIL import Image

import underdrawing

torch = pytest.importorskip("torch", reason="PyTorch is not installed (underdrawing[torch])")

import underdrawing.torch as networks  # noqa: E402

# These networks are small, and machines of CI are shared.
torch.set_num_threads(1)

ARCHITECTURES: list[dict[str, Any]] = [
    {"kind": "lifting", "blocks": 3, "width": 9},
    {"kind": "lifting", "blocks": 1, "width": 16, "shaping": True},
    {"kind": "2018", "hiding": {"width": 8, "depth": 4}, "reveal": {"width": 6}},
    {"kind": "2018", "hiding": {"width": 4, "depth": 2}, "reveal": {"width": 8}},
    {"kind": "2017", "width": 7},
]
SIZES = [(48, 32), (64, 80)]


def lively(architecture: dict[str, Any], seed: int = 5) -> networks.Networks:
    """Networks whose parameters, all of them, are far from those of fresh ones."""
    nets = networks.load(underdrawing.Model.fresh(architecture, seed=seed))
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in nets.state_dict().items():
            if name.endswith("running_var"):
                value.mul_(torch.rand(value.shape, generator=random) + 0.5)
            elif name.endswith(".weight") and value.ndim == 4:
                # Fresh outputs of some hardly depend on what goes in.
                value.mul_({"lifting": 1, "2017": 2, "2018": 8}[architecture["kind"]])
                value.add_(0.02 * torch.randn(value.shape, generator=random))
            elif value.is_floating_point():
                value.add_(0.05 * torch.randn(value.shape, generator=random))
    return nets


def random_pictures(height: int, width: int, seed: int, n: int = 2) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).random((n, 3, height, width), dtype=np.float32)


def native_outputs(model: underdrawing.Model, cover: Any, secret: Any) -> tuple[Any, Any]:
    """What the package itself computes: container, and what it reveals from the cover."""
    shape = (cover.shape[0], *cover.shape[2:])
    container = model._native.hide_floats(shape, cover.tobytes(), secret.tobytes())
    revealed = model._native.reveal_floats(shape, cover.tobytes())
    arrays = [np.frombuffer(a, np.float32).reshape(cover.shape) for a in (container, revealed)]
    return arrays[0], arrays[1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_outputs_are_the_packages_own(architecture: dict[str, Any], size: tuple[int, int]) -> None:
    nets = lively(architecture)
    cover, secret = random_pictures(*size, seed=1), random_pictures(*size, seed=2)
    expected = native_outputs(nets.to_model(), cover, secret)
    with torch.no_grad():
        found = nets.hide(torch.tensor(cover), torch.tensor(secret)), nets.reveal(torch.tensor(cover))
        both = nets(torch.tensor(cover), torch.tensor(secret))
    for ours, theirs in zip(found, expected):
        assert ours.std() > 0.02
        assert np.abs(ours.numpy() - theirs).max() < 1e-5
    assert torch.equal(both[0], found[0]) and torch.equal(both[1], nets.reveal(both[0]))


@pytest.mark.parametrize("name", [name for name, _ in underdrawing.Model.built_in()])
def test_built_in_models_give_the_packages_outputs(name: str) -> None:
    nets = networks.load(name)
    for height, width in SIZES:
        pictures = np.stack([scene(width, height, seed) for seed in (1, 2)]).astype(np.float32) / 255
        cover, secret = (np.ascontiguousarray(p.transpose(2, 0, 1)[None]) for p in pictures)
        expected = native_outputs(underdrawing.Model(name), cover, secret)
        with torch.no_grad():
            container = nets.hide(torch.tensor(cover), torch.tensor(secret)).numpy()
            revealed = nets.reveal(torch.tensor(cover)).numpy()
        assert np.abs(container - expected[0]).max() < 1e-5
        assert np.abs(revealed - expected[1]).max() < 1e-5


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_files_come_back_as_they_were(architecture: dict[str, Any], tmp_path: Path) -> None:
    model = lively(architecture).to_model(training={"seed": 7, "steps": 3})
    nets = networks.load(model)
    nets.save(tmp_path / "same.safetensors")
    assert (tmp_path / "same.safetensors").read_bytes() == model.to_bytes()
    with pytest.raises(FileExistsError):
        nets.save(tmp_path / "same.safetensors")
    # Batches that are counted are no change; a weight is.
    nets.train()
    nets.load_state_dict(nets.state_dict())
    assert nets.to_model().training == model.training
    with torch.no_grad():
        next(iter(nets.parameters())).add_(1)
    changed = copy.deepcopy(nets).to_model()
    assert changed != model and changed.training["from"] == model.id
    assert nets.to_model(training={"steps": 9}).training["steps"] == 9


def test_fresh_networks_are_those_of_training() -> None:
    for nets, architecture in [
        (networks.LiftingNet(2, 8, seed=4), {"blocks": 2, "width": 8, "shaping": True}),
        (networks.LiftingNet(2, 8, False, seed=4), {"blocks": 2, "width": 8}),
        (networks.Pair2018(4, 3, 5, seed=4), None),
        (networks.Triple2017(4, seed=4), {"width": 4}),
    ]:
        expected = underdrawing.Model.fresh(nets.architecture, seed=4)
        assert nets.to_model() == expected and nets.to_model().training == expected.training
        if architecture is not None:
            assert {**nets.architecture, "kind": ""} == {**architecture, "kind": ""}
    counted = sum(p.numel() for p in networks.LiftingNet().parameters())
    assert counted == underdrawing.Model().parameters


def test_what_is_no_model_is_refused() -> None:
    nets: Any = networks.LiftingNet(1, 4)
    with torch.no_grad():
        nets.predictor.last.bias[0] = float("nan")
    with pytest.raises(underdrawing.ModelFileError, match="predictor.last.bias"):
        nets.to_model()
    with pytest.raises(underdrawing.OptionError, match="no model lifting-99"):
        networks.load("lifting-99")
    for wrong in ({"kind": "lifting"}, {"kind": "2016"}, {"kind": "2017", "width": 0}):
        with pytest.raises(underdrawing.OptionError, match="architecture"):
            underdrawing.Model.fresh(wrong)


def test_rounding_is_what_training_simulates() -> None:
    """The bytes' errors, undone sample by sample, are about those of rounding to the nearest."""
    nets = networks.load()
    height, width = 8, 12
    container = torch.tensor(0.2 + 0.6 * random_pictures(height, width, seed=3, n=1))
    rounded = nets.rounded(container)
    assert rounded.dtype == torch.uint8
    errors = (rounded.double() - 255 * container.double()).float()
    single: Any = torch.zeros(nets.corners(container))
    for y in range(height // 2):
        for x in range(width // 2):
            for i in range(12):
                corner, colour = divmod(i, 3)
                row, column = 2 * y + corner // 2, 2 * x + corner % 2
                with torch.no_grad():
                    so_far = nets.rounding_errors(single)
                missing = errors[0, colour, row, column] - so_far[0, colour, row, column]
                single[0, i, y, x] = missing
    # Of the two bytes next to a value rounding takes either; most often the nearer one.
    assert single.abs().max() < 1
    assert single.square().mean() < 0.1
    # Some are fed back: to the nearest no error would be larger.
    assert errors.abs().max() > 0.55
    plain = networks.Triple2017(2)
    nearest = (255 * container).round().to(torch.uint8)
    assert torch.equal(plain.rounded(container), nearest)


def floats(pixels: Pixels) -> Any:
    return torch.tensor(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)


@pytest.mark.parametrize(
    "nets",
    [
        lambda: networks.LiftingNet(2, 8, seed=1),
        lambda: networks.Pair2018(8, 3, 8, seed=1),
        lambda: networks.Triple2017(6, seed=1),
    ],
)
def test_hides_with_what_was_trained_in_pytorch(nets: Any, tmp_path: Path) -> None:
    nets = nets().train()
    optimiser = torch.optim.Adam(nets.parameters(), lr=2e-3)
    random = torch.Generator().manual_seed(2)
    losses = []
    for step in range(40):
        cover = torch.cat([floats(scene(32, 32, seed=2 * step + i)) for i in range(2)])
        secret = torch.cat([floats(scene(32, 32, seed=200 + 2 * step + i)) for i in range(2)])
        container = nets.hide(cover, secret)
        noise = torch.rand(nets.corners(cover), generator=random) - 0.5
        revealed = nets.reveal(container + nets.rounding_errors(noise) / 255)
        loss = (container - cover).square().mean() + (revealed - secret).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])

    model = tmp_path / "mine.safetensors"
    nets.eval().save(model)
    cover, secret = scene(256, 256, seed=900), scene(256, 256, seed=901)  # a tile of the U-Net's
    for name, pixels in (("cover.png", cover), ("secret.png", secret)):
        (tmp_path / name).write_bytes(as_file(pixels))
    for command in (
        ["hide", "cover.png", "secret.png", "-o", "c.png", "--model", model],
        ["reveal", "c.png", "-o", "r.png", "--model", model],
    ):
        ran = program(*command, cwd=tmp_path)
        assert ran.returncode == 0, ran.stderr.decode()
    # The program's networks are those of PyTorch: the same container but for the mark and for
    # samples that lie between two bytes.
    with torch.no_grad():
        expected = nets.rounded(nets.hide(floats(cover), floats(secret)))[0]
        container = np.asarray(Image.open(tmp_path / "c.png"))
        revealed = nets.reveal(floats(container))[0].clamp(0, 1)
    differ = container != expected.numpy().transpose(1, 2, 0)
    assert differ.mean() < 0.05
    by_program = np.asarray(Image.open(tmp_path / "r.png")).astype(int)
    assert np.abs(by_program - 255 * revealed.numpy().transpose(1, 2, 0)).max() < 0.51


class Hiding(torch.utils.data.Dataset):  # type: ignore
    """Containers made while they are loaded, as somebody does who trains against them."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        method: Any = ("coded", "network")[index % 2]
        cover, secret = scene(64, 48, index), scene(48, 64, 50 + index)
        hidden = underdrawing.hide(cover, secret, method=method, measure=False)
        revealed = underdrawing.reveal(hidden)
        return torch.tensor(hidden.container), torch.tensor(revealed.picture)


@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_data_loaders_have_workers(way: str) -> None:
    if way not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {way} here")
    # PyTorch's threads and the package's run already when a fork comes.
    torch.ones(512, 512) @ torch.ones(512, 512)
    expected = [Hiding()[index] for index in range(8)]
    loader = torch.utils.data.DataLoader(
        Hiding(),
        batch_size=2,
        num_workers=2,
        multiprocessing_context=way,
        persistent_workers=True,
        timeout=100,
    )
    for _ in range(2):  # epochs
        batches = list(loader)
        found = [pair for batch in batches for pair in zip(*batch)]
        for (container, revealed), (a, b) in zip(found, expected, strict=True):
            assert torch.equal(container, a) and torch.equal(revealed, b)
    # The parent works on while its workers are there.
    assert torch.equal(Hiding()[3][0], expected[3][0])
