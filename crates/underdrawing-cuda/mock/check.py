#!/usr/bin/env python3
"""Checks the mock against plain loops: `check.py FOLDER` with what build.sh made there. Needs numpy."""

import atexit
import ctypes as c
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

folder = os.path.abspath(sys.argv[1])
cuda = c.CDLL(f"{folder}/libcuda.so.1", mode=c.RTLD_GLOBAL)
nvrtc = c.CDLL(f"{folder}/libnvrtc.so.13")


def need(result, code=0):
    assert result == code, f"expected {code}, found {result}"


def compile(source, *options, code=0):
    program = c.c_void_p()
    need(nvrtc.nvrtcCreateProgram(c.byref(program), source.encode(), b"check.cu", 0, None, None))
    given = (c.c_char_p * len(options))(*[o.encode() for o in options])
    result = nvrtc.nvrtcCompileProgram(program, len(options), given)
    size = c.c_size_t()
    need(nvrtc.nvrtcGetProgramLogSize(program, c.byref(size)))
    log = c.create_string_buffer(size.value)
    need(nvrtc.nvrtcGetProgramLog(program, log))
    assert result == code, (result, log.value.decode())
    if code:
        return log.value.decode()
    need(nvrtc.nvrtcGetPTXSize(program, c.byref(size)))
    image = c.create_string_buffer(size.value)
    need(nvrtc.nvrtcGetPTX(program, image))
    module = c.c_void_p()
    need(cuda.cuModuleLoadData(c.byref(module), image))
    need(nvrtc.nvrtcDestroyProgram(c.byref(program)))
    return module


def function(module, name, code=0):
    found = c.c_void_p()
    need(cuda.cuModuleGetFunction(c.byref(found), module, name.encode()), code)
    return found


def alloc(size):
    at = c.c_uint64()
    need(cuda.cuMemAlloc_v2(c.byref(at), c.c_size_t(size)))
    return at


def upload(array):
    at = alloc(array.nbytes)
    need(cuda.cuMemcpyHtoD_v2(at, array.ctypes.data_as(c.c_void_p), c.c_size_t(array.nbytes)))
    return at


def download(at, shape, dtype=np.float32):
    array = np.empty(shape, dtype)
    need(cuda.cuMemcpyDtoH_v2(array.ctypes.data_as(c.c_void_p), at, c.c_size_t(array.nbytes)))
    return array


def launch(f, grid, block, *args, shared=0, stream=None, code=0):
    pointers = (c.c_void_p * len(args))(*[c.cast(c.pointer(a), c.c_void_p) for a in args])
    need(cuda.cuLaunchKernel(f, *grid, *block, shared, stream, pointers, None), code)


KERNELS = r"""
typedef unsigned int word;
// __global__ void not_this_one(float* x);
extern "C" __global__ void __launch_bounds__(256, 2) total(const float* __restrict__ x, float* y, int n) {
    __shared__ float parts[32];
    float sum = 0.0f;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += x[i];
    for (int by = 16; by > 0; by >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, by);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0.0f;
        for (int by = 16; by > 0; by >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, by);
        if (threadIdx.x == 0) atomicAdd(y, sum);
    }
}
extern "C" __global__ void flip(float* x) {
    DYNAMIC_SHARED(float, line);
    line[threadIdx.x] = x[blockIdx.x * blockDim.x + threadIdx.x];
    __syncthreads();
    x[blockIdx.x * blockDim.x + threadIdx.x] = line[blockDim.x - 1 - threadIdx.x];
}
extern "C" __global__ void votes(const int* x, word* y) {
    word b = __ballot_sync(0xffffffffu, x[threadIdx.x] > 3);
    int all = __all_sync(0xffffffffu, x[threadIdx.x] >= 0), any = __any_sync(0xffffffffu, x[threadIdx.x] > 100);
    int up = __shfl_sync(0xffffffffu, x[threadIdx.x], (threadIdx.x + 1) % 8, 8);
    if (threadIdx.x < 8) up += __shfl_sync(0x000000ffu, up, 0); else __syncwarp(0xffffff00u);
    y[threadIdx.x] = b ^ (all << 1) ^ any ^ (up << 8);
}
// c = a b: m x k, k x n, all multiples of the tile.
extern "C" __global__ void product(const float* a, const float* b, float* c, int m, int n, int k) {
    int g = threadIdx.x / 4, t = threadIdx.x % 4, row = blockIdx.y * 16, col = blockIdx.x * 8;
    float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int i = 0; i < k; i += 8) {
        unsigned fa[4] = {tf32(a[(row + g) * k + i + t]), tf32(a[(row + g + 8) * k + i + t]),
                          tf32(a[(row + g) * k + i + t + 4]), tf32(a[(row + g + 8) * k + i + t + 4])};
        unsigned fb[2] = {tf32(b[(i + t) * n + col + g]), tf32(b[(i + t + 4) * n + col + g])};
        mma_tf32(d, fa, fb);
    }
    c[(row + g) * n + col + 2 * t] = d[0];
    c[(row + g) * n + col + 2 * t + 1] = d[1];
    c[(row + g + 8) * n + col + 2 * t] = d[2];
    c[(row + g + 8) * n + col + 2 * t + 1] = d[3];
}
extern "C" __global__ void add(float* x, float by, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] += by * SCALE;
}
extern "C" __global__ void grid(uint4* y) {
    y[(blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] =
        make_uint4(blockIdx.x, blockIdx.y, blockIdx.z, __syncthreads_count(threadIdx.x + threadIdx.y + threadIdx.z > 0));
}
extern "C" __global__ void diverging(int* x) {
    if (threadIdx.x < 16) { __syncthreads(); } else {
        __syncthreads();
    }
}
// Doubles rows through two buffers, with a copy ahead.
extern "C" __global__ void ahead(const float* x, float* y, int rows) {
    __shared__ __align__(16) float buffer[2][128];
    int lane = threadIdx.x;
    copy_async16(&buffer[0][lane * 4], x + lane * 4);
    copy_async_commit();
    for (int row = 0; row < rows; row++) {
        if (row + 1 < rows) copy_async16(&buffer[(row + 1) % 2][lane * 4], x + (row + 1) * 128 + lane * 4);
        copy_async_commit();
        copy_async_wait<WAIT>();
        __syncthreads();
        for (int i = lane; i < 128; i += 32) y[row * 128 + i] = 2.0f * buffer[row % 2][i];
        __syncthreads();
    }
}
extern "C" __global__ void outside(float* x, int at) { x[at] = 1.0f; }
extern "C" __global__ void misaligned(const float* x, float* y, int at) {
    *(float4*)y = *(const float4*)(x + at);
}
#ifdef NOWHERE
extern "C" __global__ void gone(float* x) {}
#endif
"""


def kernels(m, rng):
    x = rng.random(100003, np.float32)
    a, y = upload(x), upload(np.zeros(1, np.float32))
    launch(function(m, "total"), (7, 1, 1), (256, 1, 1), a, y, c.c_int(x.size))
    assert abs(download(y, 1)[0] - x.sum(dtype=np.float64)) < 0.05
    launch(function(m, "total"), (7, 1, 1), (512, 1, 1), a, y, c.c_int(x.size), code=701)

    x = rng.random((5, 96), np.float32)
    a = upload(x)
    launch(function(m, "flip"), (5, 1, 1), (96, 1, 1), a, shared=96 * 4)
    assert (download(a, x.shape) == x[:, ::-1]).all()

    x = rng.integers(0, 9, 32).astype(np.int32)
    a, y = upload(x), alloc(128)
    launch(function(m, "votes"), (1, 1, 1), (32, 1, 1), a, y)
    ballot = sum(1 << i for i in range(32) if x[i] > 3)
    up = np.array([x[i // 8 * 8 + (i + 1) % 8] for i in range(32)])
    up[:8] += up[0]
    want = np.uint32(ballot) ^ np.uint32(2) ^ (up.astype(np.uint32) << np.uint32(8))
    assert (download(y, 32, np.uint32) == want).all()

    p, q = rng.standard_normal((48, 32)).astype(np.float32), rng.standard_normal((32, 24)).astype(np.float32)
    rounded = [((z.view(np.uint32) + 0x1000) & 0xFFFFE000).view(np.float32).astype(np.float64) for z in (p, q)]
    a, b, y = upload(p), upload(q), alloc(48 * 24 * 4)
    launch(function(m, "product"), (3, 3, 1), (32, 1, 1), a, b, y, c.c_int(48), c.c_int(24), c.c_int(32))
    assert np.abs(download(y, (48, 24)) - rounded[0] @ rounded[1]).max() < 1e-5

    x = rng.random((5, 128), np.float32)
    a, y = upload(x), alloc(x.nbytes)
    launch(function(m, "ahead"), (1, 1, 1), (32, 1, 1), a, y, c.c_int(5))
    assert (download(y, x.shape) == 2 * x).all()
    early = compile(KERNELS, "-DSCALE=1.0f", "-DWAIT=2")
    launch(function(early, "ahead"), (1, 1, 1), (32, 1, 1), a, y, c.c_int(5))
    assert np.isnan(download(y, x.shape)[0]).all()
    need(cuda.cuModuleUnload(early))

    y = alloc(2 * 3 * 5 * 16)
    launch(function(m, "grid"), (2, 3, 5), (7, 3, 2), y)
    z, r, s = np.meshgrid(range(5), range(3), range(2), indexing="ij")
    want = np.stack([s, r, z, np.full_like(s, 41)], -1)
    assert (download(y, (5, 3, 2, 4), np.uint32) == want).all()


def graphs(m):
    add = function(m, "add")
    stream, graph, executable = c.c_void_p(), c.c_void_p(), c.c_void_p()
    need(cuda.cuStreamCreate(c.byref(stream), 1))
    n = 1000
    x, copy = upload(np.zeros(n, np.float32)), alloc(4 * n)
    assert np.isnan(download(copy, n)).all()
    need(cuda.cuStreamBeginCapture_v2(stream, 1))
    for by in (1.0, 2.0):
        launch(add, (4, 1, 1), (256, 1, 1), x, c.c_float(by), c.c_int(n), stream=stream)
    need(cuda.cuMemcpyDtoDAsync_v2(copy, x, c.c_size_t(4 * n), stream))
    need(cuda.cuMemsetD32Async(x, 0x3F800000, c.c_size_t(1), stream))
    status = c.c_int()
    need(cuda.cuStreamIsCapturing(stream, c.byref(status)))
    assert status.value == 1
    need(cuda.cuStreamEndCapture(stream, c.byref(graph)))
    assert (download(x, n) == 0).all()
    need(cuda.cuGraphInstantiateWithFlags(c.byref(executable), graph, c.c_uint64(0)))
    need(cuda.cuGraphDestroy(graph))
    for i in range(3):
        need(cuda.cuGraphLaunch(executable, stream))
    need(cuda.cuStreamSynchronize(stream))
    assert (download(copy, n)[1:] == 18).all() and download(copy, n)[0] == 7 and download(x, n)[0] == 1
    need(cuda.cuGraphExecDestroy(executable))
    need(cuda.cuGraphExecDestroy(executable), 400)

    need(cuda.cuStreamBeginCapture_v2(stream, 0))
    at = c.c_uint64()
    need(cuda.cuMemAlloc_v2(c.byref(at), c.c_size_t(4)), 900)
    launch(add, (4, 1, 1), (256, 1, 1), x, c.c_float(1), c.c_int(n), stream=stream, code=901)
    need(cuda.cuStreamEndCapture(stream, c.byref(graph)), 901)
    need(cuda.cuStreamBeginCapture_v2(stream, 1))
    need(cuda.cuStreamSynchronize(stream), 900)
    need(cuda.cuStreamEndCapture(stream, c.byref(graph)), 901)
    need(cuda.cuStreamEndCapture(stream, c.byref(graph)), 401)

    # Another stream joins and must come back.
    other, fork, join = c.c_void_p(), c.c_void_p(), c.c_void_p()
    need(cuda.cuStreamCreate(c.byref(other), 1))
    need(cuda.cuEventCreate(c.byref(fork), 2))
    need(cuda.cuEventCreate(c.byref(join), 2))
    for joined in (True, False):
        need(cuda.cuStreamBeginCapture_v2(stream, 1))
        need(cuda.cuEventRecord(fork, stream))
        need(cuda.cuStreamWaitEvent(other, fork, 0))
        launch(add, (4, 1, 1), (256, 1, 1), x, c.c_float(1), c.c_int(n), stream=other)
        need(cuda.cuEventRecord(join, other))
        if joined:
            need(cuda.cuStreamWaitEvent(stream, join, 0))
        need(cuda.cuStreamEndCapture(stream, c.byref(graph)), 0 if joined else 904)
    need(cuda.cuEventQuery(join), 907)
    need(cuda.cuStreamDestroy_v2(other))
    need(cuda.cuStreamDestroy_v2(stream))
    need(cuda.cuStreamDestroy_v2(stream), 400)


def errors(m):
    add = function(m, "add")
    function(m, "gone", 500)
    function(m, "not_this_one", 500)
    x = alloc(100)
    args = (x, c.c_float(1), c.c_int(25))
    host = (c.c_char * 200)()
    need(cuda.cuMemcpyHtoD_v2(x, host, c.c_size_t(101)), 1)
    need(cuda.cuMemcpyDtoH_v2(host, c.c_uint64(x.value + 60), c.c_size_t(41)), 1)
    need(cuda.cuMemcpyDtoH_v2(host, c.c_uint64(x.value + 60), c.c_size_t(40)))
    launch(add, (1, 1, 1), (1025, 1, 1), *args, code=1)
    launch(add, (1, 65536, 1), (1, 1, 1), *args, code=1)
    launch(add, (0, 1, 1), (1, 1, 1), *args, code=1)
    launch(add, (1, 1, 1), (1, 1, 1), *args, shared=48 * 1024 + 1, code=1)
    need(cuda.cuFuncSetAttribute(add, 8, 227 * 1024 + 1), 1)
    need(cuda.cuFuncSetAttribute(add, 8, 227 * 1024))
    launch(add, (1, 1, 1), (1, 1, 1), *args, shared=227 * 1024)
    need(cuda.cuMemFree_v2(x))
    need(cuda.cuMemFree_v2(x), 1)
    need(cuda.cuMemAlloc_v2(c.byref(x), c.c_size_t(0)), 1)
    log = compile('extern "C" __global__ void f(float* x) {\n    x[0] = y;\n}\n', code=6)
    assert "check.cu:2" in log and "y" in log, log
    compile("#include <stdio.h>\n", code=6)
    log = compile("__device__ uint32_t f() { return 1; }\n", code=6)
    assert "uint32_t" in log, log
    cuda.cuModuleUnload(compile("#ifndef EMULATED\ntypedef unsigned uint32_t;\n#endif\n__device__ uint32_t f() { return 1; }\n"))
    compile("", "--no-such-option", code=5)
    compile("", "--gpu-architecture=compute_12", code=5)
    name = c.c_char_p()
    need(cuda.cuGetErrorName(900, c.byref(name)))
    assert name.value == b"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"


def in_child(code, env=None, expect=None):
    """What a process prints that aborts (or not), beside this script."""
    run = subprocess.run([sys.executable, __file__, folder, code], capture_output=True, text=True,
                         env={**os.environ, **(env or {})})
    if os.environ.get("MOCK_CHECK_VERBOSE"):
        print(run.stdout + run.stderr)
    assert expect in run.stderr + run.stdout, (code, run.stdout, run.stderr)


def start():
    need(cuda.cuInit(0))
    context = c.c_void_p()
    need(cuda.cuDevicePrimaryCtxRetain(c.byref(context), 0))
    need(cuda.cuCtxSetCurrent(context))
    return compile(KERNELS, "--gpu-architecture=sm_90", "-DSCALE=2.0f", "-DWAIT=1", "--use_fast_math", "--std=c++17")


def main():
    if len(sys.argv) > 2:
        exec(sys.argv[2])
        return
    need(cuda.cuCtxSynchronize(), 3)
    if "MOCK_CUDA_CACHE" not in os.environ:
        os.environ["MOCK_CUDA_CACHE"] = cache = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, cache)
    m = start()
    kernels(m, np.random.default_rng(1))
    graphs(m)
    errors(m)
    need(cuda.cuModuleUnload(m))
    if os.path.exists(f"{folder}/libcudnn.so.9"):
        import check_cudnn

        check_cudnn.check(folder, cuda, alloc, upload, download)
    outside = 'm = start(); x = alloc(100); launch(function(m, "outside"), (1,1,1), (1,1,1), {}); need(cuda.cuCtxSynchronize())'
    in_child(outside.format("x, c.c_int(25)"), expect="somebody wrote byte 100 of an allocation of 100 bytes")
    in_child(outside.format("x, c.c_int(64)"), expect="`outside` touched byte 256 of an allocation of 100 bytes")
    in_child(outside.format("c.c_uint64(4096), c.c_int(0)"), expect="argument 0 of kernel `outside` points to 0x1000")
    in_child(outside.format("c.c_uint64(0), c.c_int(0)"), expect="`outside` touched address")
    in_child('m = start(); launch(function(m, "diverging"), (1,1,1), (32,1,1), c.c_uint64(0))',
             expect="waits in __syncthreads of line")
    in_child('m = start(); x = alloc(100); launch(function(m, "misaligned"), (1,1,1), (1,1,1), x, x, c.c_int(4)); print("good");'
             'sys.stdout.flush(); launch(function(m, "misaligned"), (1,1,1), (1,1,1), x, x, c.c_int(5))',
             expect="`misaligned` used a misaligned address")
    in_child('print("code", cuda.cuInit(0))', {"MOCK_CUDA": "none"}, "code 100")
    in_child('v = c.c_int(); cuda.cuDriverGetVersion(c.byref(v)); print("version", v.value)', {"MOCK_CUDA": "old"}, "version 11040")
    in_child('start(); alloc(600); x = c.c_uint64(); print("code", cuda.cuMemAlloc_v2(c.byref(x), c.c_size_t(600)))',
             {"MOCK_CUDA": "memory=1000"}, "code 2")
    print("all good")


main()
