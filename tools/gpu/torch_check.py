"""That torch_bench.py computes what our training does: by the unchanged twins, on the CPU.

    python tools/gpu/torch_check.py
"""

import copy
import itertools
import math
from types import SimpleNamespace

import torch
from torch.nn import functional as F

import torch_bench as bench
import torch_models as models

twins = models.load_twins("twins")


def assert_close(found, expected, what, tolerance=1e-9, scale=None):
    found, expected = found.detach(), expected.detach()
    worst = float((found - expected).abs().max() / (scale or expected.abs().max()))
    assert worst < tolerance, f"{what}: off by {worst}"


def same_gradients(net, twin, loss, twin_loss, what):
    loss.backward()
    twin_loss.backward()
    found = {name: parameter.grad for name, parameter in net.named_parameters()}
    expected = {name: parameter.grad for name, parameter in twin.named_parameters()}
    # Of a bias before a normalisation it is zero but for rounding.
    scale = max(gradient.abs().max() for gradient in expected.values())
    for name, gradient in expected.items():
        assert_close(found[name], gradient, f"{what}: gradient of {name}", scale=scale)


def transforms_are_the_twins():
    x = torch.rand(2, 3, 12, 10, dtype=torch.float64)
    for x in (x, x.contiguous(memory_format=torch.channels_last)):
        bands = models.haar(x)
        assert_close(bands, twins.haar(x), "Haar")
        assert_close(models.inverse_haar(bands), x, "inverse Haar")
        assert_close(twins.inverse_haar(bands), x, "the twin's inverse Haar")


def loss_2018_is_the_twins():
    net = models.pair_2018(4, 3, 5).double()
    twin = twins.Pair2018(4, 3, 5).double()
    twin.load_state_dict(net.state_dict())
    cover, secret = torch.rand(2, 3, 3, 16, 16, dtype=torch.float64)
    container = twin.hide(cover, secret)
    expected = [((container - cover) ** 2).mean(), ((twin.reveal(container) - secret) ** 2).mean()]
    loss, errors = models.loss_2018(net, cover, secret)
    assert_close(errors, torch.stack(expected).detach(), "errors of 2018")
    twin_loss = expected[0] + 0.75 * expected[1]
    assert_close(loss, twin_loss, "loss of 2018")
    same_gradients(net, twin, loss, twin_loss, "2018")


def fed_back(errors, weight):
    """What rounding adds to pictures, sample by sample in reading order of blocks and in them."""
    n, _, h, w = errors.shape
    result = torch.zeros(n, 3, 2 * h, 2 * w, dtype=errors.dtype)
    neighbours = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 0)]
    for y, x, to in itertools.product(range(h), range(w), range(12)):
        value = errors[:, to, y, x]
        for (dy, dx), source in itertools.product(neighbours, range(12)):
            inside = 0 <= y + dy < h and 0 <= x + dx < w
            if inside and ((dy, dx) != (0, 0) or source < to):
                tap = weight[to, source, dy + 1, dx + 1]
                value = value + tap * errors[:, source, y + dy, x + dx]
        pixel, colour = divmod(to, 3)
        result[:, colour, 2 * y + pixel // 2, 2 * x + pixel % 2] = value
    return result


def loss_lifting_is_the_twins():
    net = models.Lifting(2, 5).double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    twin = twins.LiftingNet(2, 5).double()
    twin.load_state_dict({k: v for k, v in net.state_dict().items() if k not in ("feedback", "past")})
    # Ten blocks of rows and columns: two rows and columns of pixels are no whole square.
    cover, secret = torch.rand(2, 3, 3, 18, 20, dtype=torch.float64)
    noise, exponents = models.draw(3, 18, cover)
    noise = torch.empty(3, 12, 9, 10, dtype=torch.float64).uniform_(-0.5 / 255, 0.5 / 255)
    loss, errors = models.loss_lifting(net, cover, secret, noise, exponents)

    contrasts = [1.0, 1.0, 2 ** float(exponents[0])]
    varied = torch.stack([(s - 0.5) * k + 0.5 for s, k in zip(secret, contrasts)])
    container = twin.hide(cover, varied) + fed_back(noise, net.feedback.detach())
    clamped = container + (container.clamp(0, 1) - container).detach()
    revealed = twin.reveal(clamped)
    logs, expected = [], torch.zeros(2, dtype=torch.float64)
    for i in range(3):
        change = container[i] - cover[i].clamp(4 / 255, 251 / 255)
        squares = [change[:, y : y + 8, x : x + 8].mean((1, 2)) for y in (0, 8) for x in (0, 8)]
        ghost = (torch.stack(squares) ** 2).mean()
        pair = [((container[i] - cover[i]) ** 2).mean(), ((revealed[i] - varied[i]) ** 2).mean()]
        logs.append(torch.log(pair[0] + pair[1] + 8 * ghost))
        expected += torch.stack(pair).detach() / 3
    twin_loss = sum(logs) / 3
    assert_close(errors, expected, "errors of lifting")
    assert_close(loss, twin_loss, "loss of lifting")
    same_gradients(net, twin, loss, twin_loss, "lifting")
    assert net.feedback.grad.abs().max() > 0 and (net.feedback.grad * (1 - net.past) == 0).all()


def parameters_are_as_many_as_ours():
    count = lambda net: sum(p.numel() for p in net.parameters())
    assert count(models.Lifting()) == 257_380
    with torch.device("meta"):
        assert count(models.pair_2018()) == 41_832_067 + 742_659


def folding_changes_nothing():
    net = models.pair_2018(4, 3, 5).double()
    cover, secret = torch.rand(2, 3, 3, 16, 16, dtype=torch.float64)
    for _ in range(3):
        net.reveal(net.hide(cover, secret))
    folded = models.fold_norms(copy.deepcopy(net).eval())
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    container = net.eval().hide(cover, secret)
    assert_close(folded.hide(cover, secret), container, "folded hiding network")
    assert_close(folded.reveal(container), net.reveal(container), "folded reveal network")


def muon_step(value, momentum, gradient, lr, decay):
    """As crates/underdrawing-net/src/cpu/optimiser.rs does it, for one matrix."""
    momentum = 0.95 * momentum + gradient
    x = 0.95 * momentum + gradient
    rows, columns = x.shape
    x = x.T if rows > columns else x
    x = x / x.norm()
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    x = x.T if rows > columns else x
    return value * (1 - lr * decay) - lr * 0.2 * math.sqrt(max(rows, columns)) * x, momentum


def muon_is_ours():
    shapes = [(4, 3, 3, 3), (4, 3, 3, 3), (40, 2, 3, 3)]
    for layout in bench.LAYOUTS.values():
        values = [torch.randn(s, dtype=torch.float64) for s in shapes]
        params = [torch.nn.Parameter(v.clone(memory_format=layout)) for v in values]
        matrices = [torch.nn.Parameter(v.flatten(1).clone()) for v in values]
        muon = models.Muon(params, lr=0.01, weight_decay=0.1)
        theirs = torch.optim.Muon(
            matrices, lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
        )
        expected = [(v.flatten(1), 0.0) for v in values]
        for _ in range(3):
            for i, (p, m) in enumerate(zip(params, matrices)):
                gradient = torch.randn_like(p)
                p.grad, m.grad = gradient, gradient.flatten(1)
                expected[i] = muon_step(*expected[i], m.grad, 0.01, 0.1)
            muon.step()
            theirs.step()
        for p, m, (value, _) in zip(params, matrices, expected):
            assert_close(p.detach().flatten(1), value, "Muon")
            # It works in 16 bits.
            assert_close(m.detach(), value, "torch.optim.Muon", 0.01)


def tiny(name):
    lifting = lambda: models.Lifting(2, 5)
    pair = lambda: models.pair_2018(4, 3, 5)
    return {
        "train-2018": (pair, dict(pairs=2, size=16)),
        "train-lifting": (lifting, dict(pairs=3, size=16)),
        "infer-2018": (pair, dict(size=16)),
        "infer-lifting": (lifting, dict(width=20, height=12)),
    }[name]


def every_case_runs(backend):
    for name, (make, _) in bench.CASES.items():
        net, sizes = tiny(name)
        for optimiser in ("adam", "muon") if name == "train-lifting" else (None,):
            found = []
            for mode, layout in itertools.product(("eager", "compile"), bench.LAYOUTS):
                torch.manual_seed(1)
                setup = bench.Setup(mode, layout, backend, "cpu")
                case = make(SimpleNamespace(**sizes, optimiser=optimiser), setup, net())
                steps = [case.step(i) or case.errors() for i in range(5)]
                found.append(torch.tensor(steps))
                times, _, _ = bench.measure(case, setup, seconds=0, warmup=0)
                assert len(times) == 5
                bench.forget()
            # Inductor draws other random numbers.
            loose = backend == "inductor" and name == "train-lifting"
            for other in found[1:]:
                assert_close(other, found[0], f"{name} in other modes", 0.2 if loose else 1e-3)
            print(f"{name} {optimiser or ''}: runs, compiles")


def one_step_moves_the_parameters_as_the_twins():
    """A whole step of each kind of training against plain PyTorch."""
    sizes = SimpleNamespace(pairs=2, size=16)
    net = models.pair_2018(4, 3, 5)
    twin = twins.Pair2018(4, 3, 5)
    twin.load_state_dict(net.state_dict())
    case = bench.train_2018(sizes, bench.Setup(device="cpu"), net)
    optimiser = torch.optim.Adam(twin.parameters(), lr=1e-3, betas=(0.5, 0.999))
    for i in range(2):
        cover, secret = case.batches[i].split(2)
        container = twin.hide(cover, secret)
        errors = [F.mse_loss(container, cover), F.mse_loss(twin.reveal(container), secret)]
        optimiser.zero_grad()
        (errors[0] + 0.75 * errors[1]).backward()
        optimiser.step()
        assert_close(torch.tensor(case.step(i)), torch.stack(errors).detach(), f"step {i}", 1e-4)


def check(backend="aot_eager"):
    torch.set_num_threads(1)
    torch.manual_seed(1)
    transforms_are_the_twins()
    loss_2018_is_the_twins()
    loss_lifting_is_the_twins()
    parameters_are_as_many_as_ours()
    folding_changes_nothing()
    muon_is_ours()
    one_step_moves_the_parameters_as_the_twins()
    every_case_runs(backend)
    print("all agree")
    return 0


if __name__ == "__main__":
    check()
