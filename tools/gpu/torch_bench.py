"""Times PyTorch on a graphics card at what our CUDA engine does, for tools/gpu/table.py.

    python tools/gpu/torch_bench.py train-2018 --pairs 16 --size 256
    python tools/gpu/torch_bench.py train-lifting --pairs 24 --size 96 --optimiser muon
    python tools/gpu/torch_bench.py infer-lifting --width 4000 --height 3000
    python tools/gpu/torch_bench.py infer-2018 --size 1024

`--precision fp32 tf32`, `--mode eager compile ...` and `--layout channels-last contiguous` take
several values; each combination prints one JSON line. Modes beside torch.compile's own: `graph`
captures the whole step, optimiser and all, as one CUDA graph of eager kernels, `compile-graph` of
compiled ones. A training step is: the batch from pinned memory to the card (NCHW), forward, loss,
backward, clipping, optimiser, both errors read back. Inference is: pictures from pinned memory,
hide, container back to pinned memory; container to the card, reveal, picture back. Each step is
timed on its own by the host's clock, the card synchronised before and after.
"""

import argparse
import functools
import gc
import itertools
import json
import statistics
import sys
import time
import traceback

sys.dont_write_bytecode = True
import torch  # noqa: E402

import torch_models as models  # noqa: E402

COMPILE_MODES = {
    "compile": "default",
    "compile-graph": "default",
    "reduce-overhead": "reduce-overhead",
    "max-autotune": "max-autotune",
}
MODES = ["eager", *COMPILE_MODES, "graph"]
LAYOUTS = {"channels-last": torch.channels_last, "contiguous": torch.contiguous_format}
# Fresh batches in turn, so that none stays in a cache.
BATCHES = 4


class Setup:
    """Where and how a case runs."""

    def __init__(self, mode="eager", layout="channels-last", backend="inductor", device="cuda"):
        self.mode, self.backend, self.device = mode, backend, torch.device(device)
        self.layout = LAYOUTS[layout]
        self.captures = mode.endswith("graph")

    def compiled(self, function):
        if self.mode not in COMPILE_MODES:
            return function
        # Other backends than Inductor have no modes.
        mode = COMPILE_MODES[self.mode] if self.backend == "inductor" else None
        return torch.compile(function, mode=mode, backend=self.backend, fullgraph=True)

    def from_host(self, function):
        """A function of tensors on the card as one of tensors in the host's memory."""
        if self.captures:
            return captured(function, self.device)
        to_card = lambda x: x.to(self.device, non_blocking=True)
        return lambda *inputs: function(*map(to_card, inputs))

    def on_host(self, tensor):
        return tensor.pin_memory() if self.device.type == "cuda" else tensor

    def synchronise(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def captured(function, device):
    """The function as a CUDA graph, captured at its first call."""
    state = {}

    def capture(inputs):
        static = [torch.empty_like(x, device=device).copy_(x) for x in inputs]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                function(*static)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            output = function(*static)
        state.update(static=static, graph=graph, output=output)

    def replay(*inputs):
        if not state:
            capture(inputs)
        for static, x in zip(state["static"], inputs):
            static.copy_(x, non_blocking=True)
        state["graph"].replay()
        return state["output"]

    return replay


class Training:
    """Steps of training; each returns both errors."""

    def __init__(self, setup, net, loss_of, optimisers_of, clip_norm, pairs, size):
        self.net = net.train().to(setup.device).to(memory_format=setup.layout)
        self.optimisers = optimisers_of(self.net, setup)
        shape = (2 * pairs, 3, size, size)
        self.batches = [setup.on_host(torch.rand(shape)) for _ in range(BATCHES)]

        def loss(batch):
            cover, secret = batch.contiguous(memory_format=setup.layout).split(pairs)
            return loss_of(self.net, cover, secret)

        loss = setup.compiled(loss)
        parameters = list(self.net.parameters())

        def step(batch):
            for optimiser in self.optimisers:
                optimiser.zero_grad(set_to_none=True)
            value, errors = loss(batch)
            value.backward()
            if clip_norm:
                torch.nn.utils.clip_grad_norm_(parameters, clip_norm, foreach=True)
            for optimiser in self.optimisers:
                optimiser.step()
            return errors

        self.on_card = setup.from_host(step)

    def step(self, i):
        return self.on_card(self.batches[i % BATCHES]).tolist()


class Inference:
    """Hides and reveals; returns means of container and revealed picture, read outside the clock."""

    def __init__(self, setup, net, width, height):
        self.setup = setup
        self.net = net.eval().to(setup.device).to(memory_format=setup.layout)
        picture = lambda: setup.on_host(torch.rand(1, 3, height, width))
        self.pairs = [(picture(), picture()) for _ in range(2)]
        self.container, self.revealed = picture(), picture()

        def stage(function):
            arranged = lambda x: x.contiguous(memory_format=setup.layout)
            return setup.from_host(setup.compiled(lambda *xs: function(*map(arranged, xs)).contiguous()))

        self.hide, self.reveal = stage(self.net.hide), stage(self.net.reveal)

    @torch.inference_mode()
    def step(self, i):
        self.container.copy_(self.hide(*self.pairs[i % 2]), non_blocking=True)
        self.setup.synchronise()
        self.revealed.copy_(self.reveal(self.container), non_blocking=True)
        self.setup.synchronise()

    def errors(self):
        return [float(x.mean()) for x in (self.container, self.revealed)]


def adam(params, setup, **settings):
    capturable = setup.captures and setup.device.type == "cuda"
    return torch.optim.AdamW(params, fused=True, capturable=capturable, **settings)


def optimisers_2018(net, setup):
    return [adam(net.parameters(), setup, lr=1e-3, betas=(0.5, 0.999), weight_decay=0.0)]


def optimisers_lifting(net, setup, muon):
    settings = dict(lr=1e-3, weight_decay=1e-5)
    weights = [p for name, p in net.named_parameters() if muon and name.endswith("weight")]
    rest = [p for name, p in net.named_parameters() if not (muon and name.endswith("weight"))]
    rest = adam(rest, setup, betas=(0.9, 0.99), **settings)
    return [models.Muon(weights, **settings), rest] if muon else [rest]


def train_2018(args, setup, net=None):
    net = net or models.pair_2018()
    loss, clip_norm = models.loss_2018, 0.0
    return Training(setup, net, loss, optimisers_2018, clip_norm, args.pairs, args.size)


def train_lifting(args, setup, net=None):
    net = net or models.Lifting()

    def loss(net, cover, secret):
        return models.loss_lifting(net, cover, secret, *models.draw(len(cover), args.size, cover))

    optimisers = functools.partial(optimisers_lifting, muon=args.optimiser == "muon")
    return Training(setup, net, loss, optimisers, 1.0, args.pairs, args.size)


def infer_2018(args, setup, net=None):
    net = models.fold_norms((net or models.pair_2018()).eval())
    return Inference(setup, net, args.size, args.size)


def infer_lifting(args, setup, net=None):
    return Inference(setup, net or models.Lifting(), args.width, args.height)


# What makes a case, and its sizes.
CASES = {
    "train-2018": (train_2018, dict(pairs=16, size=256)),
    "train-lifting": (train_lifting, dict(pairs=24, size=96, optimiser="muon")),
    "infer-2018": (infer_2018, dict(size=1024)),
    "infer-lifting": (infer_lifting, dict(width=4000, height=3000)),
}


def measure(case, setup, seconds, warmup=1.0):
    """Milliseconds of each step, seconds until all was compiled and warm, and what the first and
    the last step returned."""
    start, i = time.perf_counter(), 0
    first = None
    # Five at least: the first ones compile, choose algorithms and capture graphs.
    while i < 5 or time.perf_counter() < first + warmup:
        errors = case.step(i) or case.errors()
        setup.synchronise()
        i += 1
        if first is None:
            first, first_errors = time.perf_counter(), errors
    warmup_seconds = time.perf_counter() - start
    if setup.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    gc.collect()
    times, spent = [], 0.0
    while len(times) < 5 or spent < seconds:
        setup.synchronise()
        start = time.perf_counter()
        errors = case.step(i)
        setup.synchronise()
        times.append(1e3 * (time.perf_counter() - start))
        spent += times[-1] / 1e3
        i += 1
    return times, warmup_seconds, [first_errors, errors or case.errors()]


def set_precision(precision):
    # Of the older settings, since torch.compile reads them.
    allowed = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cudnn.benchmark = True


def forget():
    torch._dynamo.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def bench(name, args, mode, precision, layout):
    make, sizes = CASES[name]
    set_precision(precision)
    torch.manual_seed(1)
    setup = Setup(mode, layout, args.backend or "inductor", args.device)
    times, warmup, errors = measure(make(args, setup), setup, args.seconds)
    on_cuda = setup.device.type == "cuda"
    mib = lambda size: round(size / 2**20) if on_cuda else None
    return {
        "program": "pytorch",
        "case": name,
        **{key: getattr(args, key) for key in sizes},
        "precision": precision,
        "mode": mode,
        "layout": layout,
        "median_ms": round(statistics.median(times), 4),
        "min_ms": round(min(times), 4),
        "steps": len(times),
        "warmup_s": round(warmup, 1),
        "peak_mib": mib(torch.cuda.max_memory_allocated()) if on_cuda else None,
        "reserved_mib": mib(torch.cuda.memory_reserved()) if on_cuda else None,
        "clock": "host, synchronised",
        # Of a training step: of container and revealed picture. The first ones are the same in all
        # modes but for random numbers, and `graph` has taken three steps before.
        "first_errors": errors[0],
        "last_errors": errors[1],
        "torch": torch.__version__,
        "card": torch.cuda.get_device_name() if on_cuda else "CPU",
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("case", choices=[*CASES])
    parser.add_argument("--precision", nargs="+", choices=["fp32", "tf32"], default=["fp32"])
    parser.add_argument("--mode", nargs="+", choices=MODES, default=["eager"])
    parser.add_argument("--layout", nargs="+", choices=LAYOUTS, default=["channels-last"])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--backend", help="of torch.compile [inductor]")
    parser.add_argument("--optimiser", choices=["adam", "muon"])
    for size in ("pairs", "size", "width", "height"):
        parser.add_argument(f"--{size}", type=int)
    return parser.parse_args()


def main():
    args = arguments()
    for key, value in CASES[args.case][1].items():
        if getattr(args, key) is None:
            setattr(args, key, value)
    failures = 0
    for precision, layout, mode in itertools.product(args.precision, args.layout, args.mode):
        try:
            print(json.dumps(bench(args.case, args, mode, precision, layout)), flush=True)
        except Exception:
            print(f"{args.case}, {precision}, {layout}, {mode}:", file=sys.stderr)
            traceback.print_exc(limit=-4)
            failures += 1
        forget()
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
