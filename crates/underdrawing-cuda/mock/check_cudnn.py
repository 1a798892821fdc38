"""The cuDNN part of check.py: three convolutions against sums over windows, and what is refused."""

import ctypes as c
import os
import time

import numpy as np

CONVOLUTION, ENGINE, CONFIG, HEURISTICS, PLAN, FORWARD, FILTER, DATA, GRAPH, PACK, TENSOR = 1, 2, 3, 4, 5, 10, 11, 12, 15, 16, 17
HANDLE, DATA_TYPE, BOOLEAN, INT64, FLOAT, DOUBLE, POINTER, MODE, HEUR, NOTE, DESCRIPTOR = 0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 15
C_TYPES = {HANDLE: c.c_void_p, DATA_TYPE: c.c_int, INT64: c.c_int64, FLOAT: c.c_float, DOUBLE: c.c_double,
           POINTER: c.c_void_p, MODE: c.c_int, HEUR: c.c_int, NOTE: c.c_int, DESCRIPTOR: c.c_void_p}


def need(result, code=0):
    assert result == code, f"expected {code}, found {result}: {last_error()}"


def last_error():
    text = c.create_string_buffer(500)
    dnn.cudnnGetLastErrorString(text, c.c_size_t(500))
    return text.value.decode()


def make(kind):
    made = c.c_void_p()
    need(dnn.cudnnBackendCreateDescriptor(kind, c.byref(made)))
    return made


def put(descriptor, attribute, kind, *values, code=0):
    array = (C_TYPES[kind] * len(values))(*values)
    need(dnn.cudnnBackendSetAttribute(descriptor, attribute, kind, c.c_int64(len(values)), array), code)


def finalize(descriptor, code=0):
    need(dnn.cudnnBackendFinalize(descriptor), code)
    return descriptor


def get(descriptor, attribute, kind, values, code=0):
    array = (C_TYPES[kind] * max(1, len(values)))(*values)
    count = c.c_int64(-1)
    need(dnn.cudnnBackendGetAttribute(descriptor, attribute, kind, c.c_int64(len(values)), c.byref(count),
                                      array if values else None), code)
    return count.value, list(array)


def tensor(uid, shape, last, strides=None):
    n, ch, h, w = shape
    t = make(TENSOR)
    put(t, 901, DATA_TYPE, 0)
    put(t, 902, INT64, *shape)
    put(t, 903, INT64, *(strides or ((h * w * ch, 1, w * ch, ch) if last else (ch * h * w, h * w, w, 1))))
    put(t, 906, INT64, uid)
    put(t, 900, INT64, 16)
    return finalize(t)


def convolution(stride, pre, post):
    d = make(CONVOLUTION)
    put(d, 100, DATA_TYPE, 0)
    put(d, 101, MODE, 1)
    put(d, 102, INT64, 1, 1)
    put(d, 103, INT64, *stride)
    put(d, 104, INT64, *post)
    put(d, 105, INT64, *pre)
    put(d, 106, INT64, 2)
    return finalize(d)


def graph_of(kind, handle, x, w, y, conv, alpha=1.0, beta=0.0, code=0):
    first, (aw, ax, ay) = {FORWARD: (700, (703, 704, 705)), DATA: (706, (709, 710, 711)), FILTER: (712, (715, 716, 717))}[kind]
    op = make(kind)
    put(op, first, FLOAT, alpha)
    put(op, first + 1, DOUBLE, beta)
    put(op, first + 2, DESCRIPTOR, conv)
    for attribute, t in ((aw, w), (ax, x), (ay, y)):
        put(op, attribute, DESCRIPTOR, t)
    finalize(op, code)
    if code:
        return None
    graph = make(GRAPH)
    put(graph, 800, HANDLE, handle)
    put(graph, 801, DESCRIPTOR, op)
    return finalize(graph)


def plans(graph, handle):
    heuristics = make(HEURISTICS)
    put(heuristics, 201, DESCRIPTOR, graph)
    put(heuristics, 200, HEUR, 3)
    finalize(heuristics)
    assert get(heuristics, 202, DESCRIPTOR, [])[0] == 2
    count, configs = get(heuristics, 202, DESCRIPTOR, [make(CONFIG).value for _ in range(5)])
    assert count == 2
    found = []
    for config in configs[:count]:
        _, (engine,) = get(c.c_void_p(config), 301 - 1, DESCRIPTOR, [make(ENGINE).value])
        notes, values = get(c.c_void_p(engine), 1303, NOTE, [0] * 10)
        plan = make(PLAN)
        put(plan, 400, HANDLE, handle)
        put(plan, 401, DESCRIPTOR, config)
        finalize(plan)
        _, (size,) = get(plan, 402, INT64, [0])
        found.append((plan, size, 0 in values[:notes]))
    assert [(size > 0, core) for _, size, core in found] == [(False, False), (True, True)]
    return found


def pack_of(pointers, workspace):
    pack = make(PACK)
    put(pack, 1000, INT64, *pointers.keys())
    put(pack, 1001, POINTER, *[p.value for p in pointers.values()])
    put(pack, 1003, POINTER, workspace)
    return finalize(pack)


def windows(x, shape, stride, pre, post):
    x = np.pad(x, ((0, 0), (0, 0), (pre[0], post[0]), (pre[1], post[1])))
    v = np.lib.stride_tricks.sliding_window_view(x, shape, (2, 3))
    return v[:, :, :: stride[0], :: stride[1]]  # [n, c, p, q, r, s]


def round_tf32(x):
    return ((x.view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32)


def memory(array, last):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1) if last else array)


def check(folder, cuda, alloc, upload, download):
    global dnn
    dnn = c.CDLL(f"{folder}/libcudnn.so.9")
    dnn.cudnnGetVersion.restype = c.c_size_t
    assert dnn.cudnnGetVersion() >= 90200
    handle, stream = c.c_void_p(), c.c_void_p()
    need(dnn.cudnnCreate(c.byref(handle)))
    need(cuda.cuStreamCreate(c.byref(stream), 1))
    need(dnn.cudnnSetStream(handle, stream))
    workspace = alloc(1024)
    rng = np.random.default_rng(2)
    cases = [((2, 5, 9, 7), (4, 5, 3, 3), (1, 1), (1, 1), (1, 1)), ((1, 3, 8, 12), (20, 3, 4, 4), (2, 2), (1, 1), (1, 1)),
             ((3, 17, 6, 5), (33, 17, 1, 1), (1, 1), (0, 0), (0, 0)), ((1, 2, 7, 8), (3, 2, 3, 2), (2, 1), (0, 2), (3, 1)),
             ((1, 4, 5, 5), (6, 4, 2, 2), (3, 2), (2, 1), (0, 0))]
    for case, (xs, ws, stride, pre, post) in enumerate(cases):
        for last in (True, False):
            x, w = rng.standard_normal(xs, np.float32), rng.standard_normal(ws, np.float32)
            ys = windows(x, ws[2:], stride, pre, post).shape
            ys = (xs[0], ws[0], ys[2], ys[3])
            y = rng.standard_normal(ys, np.float32)
            tx, tw, ty = tensor(1, xs, last), tensor(2, ws, last), tensor(3, ys, last)
            conv = convolution(stride, pre, post)
            for kind in (FORWARD, DATA, FILTER):
                alpha, beta = (1.0, 0.0) if case % 2 == 0 else (0.5, -2.0)
                for plan, size, core in plans(graph_of(kind, handle, tx, tw, ty, conv, alpha, beta), handle):
                    a, b, d = [(round_tf32(z) if core else z).astype(np.float64) for z in (x, w, y)]
                    view = windows(a, ws[2:], stride, pre, post)
                    if kind == FORWARD:
                        want, before, shape = np.einsum("ncpqrs,kcrs->nkpq", view, b), y, ys
                    elif kind == FILTER:
                        want, before, shape = np.einsum("ncpqrs,nkpq->kcrs", view, d), w, ws
                    else:
                        before, shape = x, xs
                        wide = np.zeros((xs[0], xs[1], xs[2] + pre[0] + post[0], xs[3] + pre[1] + post[1]))
                        for p in range(ys[2]):
                            for q in range(ys[3]):
                                i, j = p * stride[0], q * stride[1]
                                wide[:, :, i:i + ws[2], j:j + ws[3]] += np.einsum("nk,kcrs->ncrs", d[:, :, p, q], b)
                        want = wide[:, :, pre[0]:pre[0] + xs[2], pre[1]:pre[1] + xs[3]]
                    want = alpha * want + (beta * before if beta else 0)
                    at = {1: upload(memory(x, last)), 2: upload(memory(w, last)), 3: upload(memory(y, last))}
                    need(dnn.cudnnBackendExecute(handle, plan, pack_of(at, workspace.value if size else None)))
                    out = {FORWARD: 3, DATA: 1, FILTER: 2}[kind]
                    found = download(at[out], memory(before, last).shape)
                    found = found.transpose(0, 3, 1, 2) if last else found
                    error = np.abs(found - want).max()
                    assert error < 2e-5 * max(1, np.abs(want).max()), (case, last, kind, core, error)

    # In a graph; then what is refused.
    (plan, _, _), (second, _, _) = plans(graph_of(FORWARD, handle, tx, tw, ty, conv), handle)
    at = {1: upload(memory(x, last)), 2: upload(memory(w, last)), 3: alloc(y.nbytes)}
    graph, run = c.c_void_p(), c.c_void_p()
    need(cuda.cuStreamBeginCapture_v2(stream, 1))
    need(dnn.cudnnBackendExecute(handle, plan, pack_of(at, None)))
    need(cuda.cuStreamEndCapture(stream, c.byref(graph)))
    assert np.isnan(download(at[3], y.shape)).all()
    need(cuda.cuGraphInstantiateWithFlags(c.byref(run), graph, c.c_uint64(0)))
    need(cuda.cuGraphLaunch(run, stream))
    assert np.isfinite(download(at[3], y.shape)).all()

    need(dnn.cudnnBackendExecute(handle, second, pack_of(at, None)), 2002)
    assert "workspace" in last_error()
    need(dnn.cudnnBackendExecute(handle, plan, pack_of({1: at[1], 2: at[2]}, None)), 2000)
    assert "unique id 3" in last_error()
    need(dnn.cudnnBackendExecute(handle, plan, pack_of({**at, 3: c.c_uint64(at[3].value + 4)}, None)), 2003)
    need(dnn.cudnnBackendExecute(handle, plan, pack_of({**at, 3: c.c_uint64(4096)}, None)), 5000)
    put(tx, 906, INT64, 7, code=1001)
    t = make(TENSOR)
    put(t, 902, DATA_TYPE, 1, code=2010)
    put(t, 906, INT64, 1, 2, code=2000)
    put(t, 100, INT64, 1, code=2000)
    finalize(t, 2000)
    assert "was not set" in last_error()
    op = make(FORWARD)
    put(op, 704, DESCRIPTOR, t, code=2004)
    put(op, 704, DESCRIPTOR, conv, code=2012)
    graph_of(FORWARD, handle, tx, tw, tensor(4, (1, 6, 9, 9), last), conv, code=2008)
    graph_of(FORWARD, handle, tx, tw, tensor(1, ys, last), conv, code=2009)
    mixed = make(HEURISTICS)
    put(mixed, 201, DESCRIPTOR, graph_of(FORWARD, handle, tx, tw, tensor(3, ys, not last), conv))
    put(mixed, 200, HEUR, 0)
    get(finalize(mixed), 202, DESCRIPTOR, [], code=3000)
    get(make(TENSOR), 906, INT64, [0], code=1001)
    need(dnn.cudnnDestroy(handle))

    if os.environ.get("MOCK_CHECK_SPEED"):
        need(dnn.cudnnCreate(c.byref(handle)))
        xs, ws = (1, 64, 128, 128), (64, 64, 3, 3)
        tx, tw, ty = tensor(1, xs, True), tensor(2, ws, True), tensor(3, xs, True)
        at = {1: upload(np.ones(xs, np.float32)), 2: upload(np.ones(ws, np.float32)), 3: upload(np.ones(xs, np.float32))}
        for kind in (FORWARD, DATA, FILTER):
            (plan, _, _), _ = plans(graph_of(kind, handle, tx, tw, ty, convolution((1, 1), (1, 1), (1, 1))), handle)
            start = time.time()
            need(dnn.cudnnBackendExecute(handle, plan, pack_of(at, None)))
            print(kind, f"{2 * 128 * 128 * 64 * 64 * 9 / (time.time() - start) / 1e9:.1f} GFLOP/s")
