// A CUDA driver (libcuda.so.1) without a card: memory is the host's, everything is done at once, and
// kernels are those that the mock's NVRTC compiled for the processor.
//
// It checks what a driver checks and returns the same errors. Every allocation ends at a page that
// nobody may touch: a kernel that reads or writes there is named and the process aborts.

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#define API extern "C" __attribute__((visibility("default")))

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct Context* CUcontext;
typedef struct Stream* CUstream;
typedef struct Event* CUevent;
typedef struct Module* CUmodule;
typedef struct Function* CUfunction;
typedef struct Graph* CUgraph;
typedef struct Executable* CUgraphExec;

struct ErrorText {
    CUresult code;
    const char *name, *text;
};

#define ERRORS(X)                                                                                      \
    X(0, CUDA_SUCCESS, "no error")                                                                     \
    X(1, CUDA_ERROR_INVALID_VALUE, "invalid argument")                                                 \
    X(2, CUDA_ERROR_OUT_OF_MEMORY, "out of memory")                                                    \
    X(3, CUDA_ERROR_NOT_INITIALIZED, "initialization error")                                           \
    X(4, CUDA_ERROR_DEINITIALIZED, "driver shutting down")                                             \
    X(34, CUDA_ERROR_STUB_LIBRARY, "CUDA driver is a stub library")                                    \
    X(100, CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected")                                 \
    X(101, CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal")                                        \
    X(200, CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid")                                 \
    X(201, CUDA_ERROR_INVALID_CONTEXT, "invalid device context")                                       \
    X(209, CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device")   \
    X(218, CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed")                                     \
    X(222, CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain.") \
    X(304, CUDA_ERROR_OPERATING_SYSTEM, "OS call failed or operation not supported on this OS")        \
    X(400, CUDA_ERROR_INVALID_HANDLE, "invalid resource handle")                                       \
    X(401, CUDA_ERROR_ILLEGAL_STATE, "the operation cannot be performed in the present state")         \
    X(500, CUDA_ERROR_NOT_FOUND, "named symbol not found")                                             \
    X(600, CUDA_ERROR_NOT_READY, "device not ready")                                                   \
    X(700, CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered")                     \
    X(701, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch")              \
    X(716, CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address")                                        \
    X(719, CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure")                                     \
    X(800, CUDA_ERROR_NOT_PERMITTED, "operation not permitted")                                        \
    X(801, CUDA_ERROR_NOT_SUPPORTED, "operation not supported")                                        \
    X(900, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing")  \
    X(901, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture") \
    X(902, CUDA_ERROR_STREAM_CAPTURE_MERGE, "operation would result in a merge of separate capture sequences") \
    X(903, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "capture was not ended in the same stream as it began") \
    X(904, CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "capturing stream has unjoined work")                   \
    X(905, CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "dependency created on uncaptured work in another stream") \
    X(906, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "operation would make the legacy stream depend on a capturing blocking stream") \
    X(907, CUDA_ERROR_CAPTURED_EVENT, "operation not permitted on an event last recorded in a capturing stream") \
    X(908, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, "attempt to terminate a thread-local capture sequence from another thread") \
    X(999, CUDA_ERROR_UNKNOWN, "unknown error")
#define X(code, name, text) name = code,
enum { ERRORS(X) };
#undef X
#define X(code, name, text) {code, #name, text},
static const ErrorText error_texts[] = {ERRORS(X)};
#undef X

// As in emulate.h.
struct Kernel {
    const char* name;
    unsigned n_parameters;
    const size_t* sizes;
    const bool* pointers;
    unsigned max_threads;
    size_t static_shared;
    void (*launch)(const Kernel*, void** args, const unsigned* grid, const unsigned* block, size_t shared);
};

typedef std::function<void()> Work;

struct Context {
    int dummy;
};

struct Graph {
    std::vector<Work> nodes;
};

struct Executable {
    std::shared_ptr<std::vector<Work>> nodes;
};

enum CaptureMode { GLOBAL, THREAD_LOCAL, RELAXED };

// One per cuStreamBeginCapture, shared by the streams that joined it.
struct Capture {
    std::vector<Work> nodes;
    Stream* origin;
    CaptureMode mode;
    std::thread::id thread;
    bool invalid = false, ended = false;
};

struct Stream {
    unsigned flags = 0;
    std::shared_ptr<Capture> capture;
    unsigned long long version = 0;    // counts what was put into it
    unsigned long long joined = 0;     // the version that the capture's origin waited for
};

struct Event {
    unsigned flags = 0;
    bool recorded = false;
    std::chrono::steady_clock::time_point when;
    std::shared_ptr<Capture> capture;
    Stream* stream = nullptr;
    unsigned long long version = 0;
};

struct Function {
    const Kernel* kernel;
    Module* module;
    size_t max_dynamic_shared = 48 * 1024;
    int carveout = -1;
};

struct Module {
    void* library = nullptr;
    std::string path;    // of the shared object whose copy is loaded
    std::mutex running;  // a kernel's host code works with globals
    std::map<std::string, std::unique_ptr<Function>> functions;
};

struct Allocation {
    unsigned char* map;
    size_t map_size;
    size_t size;
};

static const size_t OPT_IN_SHARED = 227 * 1024;

static std::recursive_mutex lock;
#define LOCK std::lock_guard<std::recursive_mutex> guard(lock)

static bool initialized;
static int retained;
static Context primary;
static Stream legacy_stream;
static std::map<uintptr_t, Allocation> allocations;
static std::deque<Allocation> freed;  // kept unmapped for a while, so that late uses are seen
static std::map<void*, size_t> host_allocations;
static size_t allocated_bytes;
static std::set<Stream*> streams;
static std::set<Event*> events;
static std::set<Module*> modules;
static std::set<Function*> functions;
static std::set<Graph*> graphs;
static std::set<Executable*> executables;
static thread_local Context* current;
static thread_local const char* running = nullptr;
static thread_local const Module* running_module = nullptr;
static struct sigaction previous_actions[65];

static std::string setting(const char* key) {
    const char* all = getenv("MOCK_CUDA");
    if (!all) return "";
    std::string text = std::string(all) + ",";
    for (size_t at = 0; at < text.size();) {
        size_t end = text.find(',', at);
        std::string one = text.substr(at, end - at);
        size_t equals = one.find('=');
        if (one.substr(0, equals) == key) return equals == std::string::npos ? "1" : one.substr(equals + 1);
        at = end + 1;
    }
    return "";
}

static size_t total_memory() {
    std::string memory = setting("memory");
    return memory.empty() ? (size_t)8 << 30 : strtoull(memory.c_str(), nullptr, 10);
}

#define INITIALIZED                                                                                    \
    do {                                                                                               \
        if (!initialized) return CUDA_ERROR_NOT_INITIALIZED;                                           \
    } while (0)
#define CURRENT                                                                                        \
    do {                                                                                               \
        INITIALIZED;                                                                                   \
        if (!current || !retained) return CUDA_ERROR_INVALID_CONTEXT;                                  \
    } while (0)
#define NEED(what)                                                                                     \
    do {                                                                                               \
        if (!(what)) return CUDA_ERROR_INVALID_VALUE;                                                  \
    } while (0)

// ---- memory ------------------------------------------------------------------------------------

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char* format, ...) {
    va_list list;
    va_start(list, format);
    char text[1024];
    int n = vsnprintf(text, sizeof text - 1, format, list);
    va_end(list);
    if (n > (int)sizeof text - 2) n = sizeof text - 2;
    text[n] = '\n';
    (void)!write(2, "mock CUDA: ", 11);
    (void)!write(2, text, n + 1);
    abort();
}

// Says where a kernel was, if addr2line is there. The process is lost anyway, so nothing needs care.
static void say_where(void* context) {
    uintptr_t at = 0;
#if defined(__x86_64__)
    at = ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    at = ((ucontext_t*)context)->uc_mcontext.pc;
#else
    (void)context;
#endif
    Dl_info info;
    if (!at || !running_module || !dladdr((void*)at, &info)) return;
    char command[1024];
    snprintf(command, sizeof command, "addr2line -s -p -i -e '%s' %#zx 2>/dev/null | grep -v -e emulate.h: -e mock: >&2", running_module->path.c_str(),
             (size_t)(at - (uintptr_t)info.dli_fbase));
    (void)!system(command);
}

static void on_fault(int signal, siginfo_t* info, void* context) {
    uintptr_t at = (uintptr_t)info->si_addr;
    const char* who = running ? running : "host code";
    if (running) say_where(context);
    if (running && (signal == SIGILL || signal == SIGTRAP)) die("`%s` used a misaligned address, or met a trap", who);
    // No lock: the process is lost anyway.
    for (auto& [start, one] : allocations) {
        uintptr_t map = (uintptr_t)one.map;
        if (at < map || at >= map + one.map_size) continue;
        if (at >= start + one.size)
            die("`%s` touched byte %zu of an allocation of %zu bytes", who, (size_t)(at - start), one.size);
        if (at < start)
            die("`%s` touched memory %zu bytes before an allocation of %zu bytes", who, (size_t)(start - at), one.size);
    }
    for (auto& one : freed)
        if (at >= (uintptr_t)one.map && at < (uintptr_t)one.map + one.map_size)
            die("`%s` touched memory that was freed (%zu bytes)", who, one.size);
    if (running) die("`%s` touched address %p, which is no device memory", who, info->si_addr);
    struct sigaction& previous = previous_actions[signal];
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal, info, context);
    } else {
        sigaction(signal, &previous, nullptr);  // the access is repeated and meets it
    }
}

static size_t page_size() {
    static const size_t size = sysconf(_SC_PAGESIZE);
    return size;
}

// The allocation that holds all of `size` bytes from `at`.
static const Allocation* allocation_of(CUdeviceptr at, size_t size) {
    auto next = allocations.upper_bound((uintptr_t)at);
    if (next == allocations.begin()) return nullptr;
    auto& [start, one] = *--next;
    size_t offset = (uintptr_t)at - start;
    return offset <= one.size && size <= one.size - offset ? &one : nullptr;
}

static bool is_device(CUdeviceptr at, size_t size) {
    LOCK;
    return allocation_of(at, size) != nullptr;
}

// What lies between an allocation and its pages must be as it was.
static void check_guards(uintptr_t start, const Allocation& one) {
    auto check = [&](uintptr_t from, uintptr_t to) {
        while (from < to && *(unsigned char*)from == 0xff) {
            if (!memcmp((void*)from, (void*)(from + 1), to - from - 1)) return;  // all are as the first
            from++;
        }
        if (from < to) die("somebody wrote byte %zd of an allocation of %zu bytes", (ssize_t)(from - start), one.size);
    };
    check((uintptr_t)one.map + page_size(), start);
    check(start + one.size, (uintptr_t)one.map + one.map_size - page_size());
}

static void check_all_guards() {
    LOCK;
    for (auto& [start, one] : allocations) check_guards(start, one);
}

static CUresult allocate(CUdeviceptr* at, size_t size) {
    LOCK;
    NEED(at && size);
    if (size > total_memory() || allocated_bytes + size > total_memory()) return CUDA_ERROR_OUT_OF_MEMORY;
    size_t page = page_size();
    size_t rounded = (size + 255) / 256 * 256;
    size_t inner = (rounded + page - 1) / page * page;
    size_t map_size = inner + 2 * page;
    void* map = mmap(nullptr, map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    unsigned char* first = (unsigned char*)map + page;
    if (mprotect(first, inner, PROT_READ | PROT_WRITE) != 0) {
        munmap(map, map_size);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    memset(first, 0xff, inner);
    uintptr_t start = (uintptr_t)first + inner - rounded;
    allocations[start] = Allocation{(unsigned char*)map, map_size, size};
    allocated_bytes += size;
    *at = start;
    return CUDA_SUCCESS;
}

static CUresult release(CUdeviceptr at) {
    LOCK;
    if (!at) return CUDA_SUCCESS;
    auto found = allocations.find((uintptr_t)at);
    if (found == allocations.end()) return CUDA_ERROR_INVALID_VALUE;
    Allocation one = found->second;
    check_guards(found->first, one);
    allocations.erase(found);
    allocated_bytes -= one.size;
    madvise(one.map, one.map_size, MADV_DONTNEED);
    mprotect(one.map, one.map_size, PROT_NONE);
    freed.push_back(one);
    if (freed.size() > 256) {
        munmap(freed.front().map, freed.front().map_size);
        freed.pop_front();
    }
    return CUDA_SUCCESS;
}

// ---- streams and captures --------------------------------------------------------------------------

static Stream* stream_of(CUstream stream) {
    if ((uintptr_t)stream <= 2) return &legacy_stream;
    return streams.count(stream) ? stream : nullptr;
}

static CUresult status_of(const Stream* stream) {
    return stream->capture && stream->capture->invalid ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED : CUDA_SUCCESS;
}

// Calls that a capture forbids: allocating, loading, waiting for everything.
static CUresult unsafe_call() {
    LOCK;
    CUresult result = CUDA_SUCCESS;
    for (Stream* stream : streams) {
        Capture* capture = stream->capture.get();
        if (!capture || capture->mode == RELAXED) continue;
        if (capture->mode == THREAD_LOCAL && capture->thread != std::this_thread::get_id()) continue;
        capture->invalid = true;
        result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    return result;
}

// Waiting for, or putting work into, the legacy stream while a stream that it would wait for captures.
static CUresult legacy_call() {
    CUresult result = CUDA_SUCCESS;
    for (Stream* stream : streams)
        if (stream->capture && !(stream->flags & 1)) {
            stream->capture->invalid = true;
            result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        }
    return result;
}

// Does the work now, or puts it into the graph that `handle` captures.
static CUresult enqueue(CUstream handle, Work work) {
    {
        LOCK;
        Stream* stream = stream_of(handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (stream == &legacy_stream)
            if (CUresult result = legacy_call()) return result;
        stream->version++;
        if (stream->capture) {
            if (CUresult result = status_of(stream)) return result;
            stream->capture->nodes.push_back(std::move(work));
            return CUDA_SUCCESS;
        }
    }
    work();
    return CUDA_SUCCESS;
}

// For the mock's cuDNN: `drop(data)` is called when the work will not be done (again).
API CUresult mock_enqueue(CUstream stream, void (*work)(void*), void* data, void (*drop)(void*), const char* name) {
    std::shared_ptr<void> owned(data, drop);
    std::string copy = name ? name : "?";
    return enqueue(stream, [work, owned, copy] {
        running = copy.c_str();
        work(owned.get());
        running = nullptr;
    });
}
API int mock_is_device(const void* at, size_t size) {
    return is_device((CUdeviceptr)(uintptr_t)at, size);
}
API int mock_is_stream(CUstream stream) {
    LOCK;
    return stream_of(stream) != nullptr;
}
// Bytes that were allocated and not freed.
API size_t mock_allocated_bytes() {
    LOCK;
    return allocated_bytes;
}

// ---- the driver and its device ---------------------------------------------------------------------

API CUresult cuInit(unsigned flags) {
    LOCK;
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (!setting("none").empty()) return CUDA_ERROR_NO_DEVICE;
    if (!initialized) {
        struct sigaction action = {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP}) sigaction(signal, &action, &previous_actions[signal]);
        initialized = true;
    }
    return CUDA_SUCCESS;
}

API CUresult cuDriverGetVersion(int* version) {
    NEED(version);
    *version = setting("old").empty() ? 13000 : 11040;
    return CUDA_SUCCESS;
}

API CUresult cuGetErrorName(CUresult error, const char** text) {
    NEED(text);
    for (const ErrorText& one : error_texts)
        if (one.code == error) return *text = one.name, CUDA_SUCCESS;
    *text = nullptr;
    return CUDA_ERROR_INVALID_VALUE;
}

API CUresult cuGetErrorString(CUresult error, const char** text) {
    NEED(text);
    for (const ErrorText& one : error_texts)
        if (one.code == error) return *text = one.text, CUDA_SUCCESS;
    *text = nullptr;
    return CUDA_ERROR_INVALID_VALUE;
}

API CUresult cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t, int* status) {
    NEED(symbol && function);
    (void)version;
    static void* self = [] {
        Dl_info info;
        return dladdr((void*)cuInit, &info) ? dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD) : nullptr;
    }();
    *function = self ? dlsym(self, (std::string(symbol) + "_v2").c_str()) : nullptr;
    if (!*function && self) *function = dlsym(self, symbol);
    if (status) *status = *function ? 0 : 1;
    return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

API CUresult cuDeviceGetCount(int* count) {
    INITIALIZED;
    NEED(count);
    *count = 1;
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    INITIALIZED;
    NEED(device);
    if (ordinal != 0) return CUDA_ERROR_INVALID_DEVICE;
    *device = 0;
    return CUDA_SUCCESS;
}

#define DEVICE(device)                                                                                 \
    do {                                                                                               \
        INITIALIZED;                                                                                   \
        if (device != 0) return CUDA_ERROR_INVALID_DEVICE;                                             \
    } while (0)

API CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
    DEVICE(device);
    NEED(name && length > 0);
    snprintf(name, length, "%s", "Mock card");
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetUuid_v2(char* uuid, CUdevice device) {
    DEVICE(device);
    NEED(uuid);
    memcpy(uuid, "mock card 000000", 16);
    return CUDA_SUCCESS;
}

API CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
    DEVICE(device);
    NEED(bytes);
    *bytes = total_memory();
    return CUDA_SUCCESS;
}

API CUresult cuDeviceGetAttribute(int* value, int attribute, CUdevice device) {
    DEVICE(device);
    NEED(value && attribute > 0 && attribute < 160);
    static const std::map<int, int> values = {
        {1, 1024},         // threads of a block
        {2, 1024},         // block x
        {3, 1024},         // block y
        {4, 64},           // block z
        {5, 2147483647},   // grid x
        {6, 65535},        // grid y
        {7, 65535},        // grid z
        {8, 48 * 1024},    // shared memory of a block
        {9, 64 * 1024},    // constant memory
        {10, 32},          // warp
        {11, 2147483647},  // pitch
        {12, 65536},       // registers of a block
        {13, 1980000},     // clock, kHz
        {14, 512},         // alignment of textures
        {15, 1},           // copies beside kernels
        {16, 132},         // multiprocessors
        {19, 1},           // maps host memory
        {31, 1},           // concurrent kernels
        {32, 1},           // error correction
        {36, 2619000},     // memory clock, kHz
        {37, 5120},        // bus, bits
        {38, 50 << 20},    // L2, bytes
        {39, 2048},        // threads of a multiprocessor
        {40, 3},           // copy engines
        {41, 1},           // unified addressing
        {75, 9},           // compute capability
        {76, 0},
        {78, 1},           // stream priorities
        {79, 1},           // L1 for globals
        {80, 1},           // L1 for locals
        {81, 228 * 1024},  // shared memory of a multiprocessor
        {82, 65536},       // registers of a multiprocessor
        {83, 1},           // managed memory
        {95, 1},           // cooperative launch
        {97, (int)OPT_IN_SHARED},
        {106, 32},         // blocks of a multiprocessor
        {111, 1024},       // reserved shared memory of a block
        {115, 1},          // memory pools
    };
    auto found = values.find(attribute);
    *value = found == values.end() ? 0 : found->second;
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    DEVICE(device);
    NEED(context);
    LOCK;
    retained++;
    *context = &primary;
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    DEVICE(device);
    LOCK;
    if (!retained) return CUDA_ERROR_INVALID_CONTEXT;
    if (--retained == 0)
        while (!allocations.empty()) release(allocations.begin()->first);
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned) {
    DEVICE(device);
    return CUDA_SUCCESS;
}

API CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
    DEVICE(device);
    NEED(flags && active);
    LOCK;
    *flags = 0;
    *active = retained > 0;
    return CUDA_SUCCESS;
}

API CUresult cuCtxSetCurrent(CUcontext context) {
    INITIALIZED;
    if (context && context != &primary) return CUDA_ERROR_INVALID_CONTEXT;
    current = context;
    return CUDA_SUCCESS;
}

API CUresult cuCtxGetCurrent(CUcontext* context) {
    INITIALIZED;
    NEED(context);
    *context = current;
    return CUDA_SUCCESS;
}

API CUresult cuCtxGetDevice(CUdevice* device) {
    CURRENT;
    NEED(device);
    *device = 0;
    return CUDA_SUCCESS;
}

API CUresult cuCtxSynchronize() {
    CURRENT;
    {
        LOCK;
        for (Stream* stream : streams)
            if (stream->capture) {
                stream->capture->invalid = true;
                return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
            }
    }
    check_all_guards();
    return CUDA_SUCCESS;
}

// ---- memory: the calls ---------------------------------------------------------------------------

API CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
    CURRENT;
    LOCK;
    size_t all = total_memory();
    if (free) *free = all > allocated_bytes ? all - allocated_bytes : 0;
    if (total) *total = all;
    return CUDA_SUCCESS;
}

API CUresult cuMemAlloc_v2(CUdeviceptr* at, size_t size) {
    CURRENT;
    if (CUresult result = unsafe_call()) return result;
    return allocate(at, size);
}

API CUresult cuMemFree_v2(CUdeviceptr at) {
    CURRENT;
    if (CUresult result = unsafe_call()) return result;
    return release(at);
}

API CUresult cuMemAllocAsync(CUdeviceptr* at, size_t size, CUstream stream) {
    CURRENT;
    LOCK;
    Stream* s = stream_of(stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture) return CUDA_ERROR_NOT_SUPPORTED;  // a card makes it a node; not in this mock
    return allocate(at, size);
}

API CUresult cuMemFreeAsync(CUdeviceptr at, CUstream stream) {
    CURRENT;
    LOCK;
    Stream* s = stream_of(stream);
    if (!s) return CUDA_ERROR_INVALID_HANDLE;
    if (s->capture) return CUDA_ERROR_NOT_SUPPORTED;
    return release(at);
}

API CUresult cuMemHostAlloc(void** at, size_t size, unsigned) {
    CURRENT;
    NEED(at);
    if (CUresult result = unsafe_call()) return result;
    if (!size) return *at = nullptr, CUDA_SUCCESS;
    void* memory = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    if (!memory) return CUDA_ERROR_OUT_OF_MEMORY;
    memset(memory, 0xff, size);
    LOCK;
    host_allocations[memory] = size;
    *at = memory;
    return CUDA_SUCCESS;
}

API CUresult cuMemAllocHost_v2(void** at, size_t size) {
    return cuMemHostAlloc(at, size, 0);
}

API CUresult cuMemFreeHost(void* at) {
    CURRENT;
    if (CUresult result = unsafe_call()) return result;
    if (!at) return CUDA_SUCCESS;
    LOCK;
    if (!host_allocations.erase(at)) return CUDA_ERROR_INVALID_VALUE;
    free(at);
    return CUDA_SUCCESS;
}

// `to` and `from` are checked again when a graph runs.
static CUresult copy(CUstream stream, void* to, bool to_device, const void* from, bool from_device, size_t size) {
    CURRENT;
    if (!size) return CUDA_SUCCESS;
    auto valid = [=] {
        return (to_device ? is_device((CUdeviceptr)(uintptr_t)to, size) : to != nullptr) &&
               (from_device ? is_device((CUdeviceptr)(uintptr_t)from, size) : from != nullptr);
    };
    NEED(valid());
    return enqueue(stream, [=] {
        if (!valid()) die("a graph copies %zu bytes from or to memory that was freed", size);
        memmove(to, from, size);
    });
}

#define DEVICE_POINTER(at) ((void*)(uintptr_t)(at))

API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t size, CUstream stream) {
    return copy(stream, DEVICE_POINTER(to), true, from, false, size);
}
API CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t size, CUstream stream) {
    return copy(stream, to, false, DEVICE_POINTER(from), true, size);
}
API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream) {
    return copy(stream, DEVICE_POINTER(to), true, DEVICE_POINTER(from), true, size);
}
static CUresult copy_now(void* to, bool to_device, const void* from, bool from_device, size_t size) {
    CURRENT;
    if (CUresult result = unsafe_call()) return result;
    return copy(nullptr, to, to_device, from, from_device, size);
}
API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t size) {
    return copy_now(DEVICE_POINTER(to), true, from, false, size);
}
API CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t size) {
    return copy_now(to, false, DEVICE_POINTER(from), true, size);
}
API CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t size) {
    return copy_now(DEVICE_POINTER(to), true, DEVICE_POINTER(from), true, size);
}

template <class T> static CUresult set(CUdeviceptr to, T value, size_t n, CUstream stream) {
    CURRENT;
    if (!n) return CUDA_SUCCESS;
    NEED(to % sizeof(T) == 0 && n <= SIZE_MAX / sizeof(T) && is_device(to, n * sizeof(T)));
    return enqueue(stream, [=] {
        if (!is_device(to, n * sizeof(T))) die("a graph sets %zu bytes of memory that was freed", n * sizeof(T));
        T* at = (T*)(uintptr_t)to;
        for (size_t i = 0; i < n; i++) at[i] = value;
    });
}

API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t n, CUstream stream) {
    return set<uint8_t>(to, value, n, stream);
}
API CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t n, CUstream stream) {
    return set<uint32_t>(to, value, n, stream);
}
API CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t n) {
    return set<uint8_t>(to, value, n, nullptr);
}
API CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t n) {
    return set<uint32_t>(to, value, n, nullptr);
}

// ---- streams and events: the calls ---------------------------------------------------------------

API CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
    CURRENT;
    NEED(stream && flags <= 1);
    LOCK;
    Stream* made = new Stream;
    made->flags = flags;
    streams.insert(made);
    *stream = made;
    return CUDA_SUCCESS;
}

API CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned flags, int) {
    return cuStreamCreate(stream, flags);
}

API CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
    CURRENT;
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return CUDA_SUCCESS;
}

API CUresult cuStreamDestroy_v2(CUstream stream) {
    CURRENT;
    LOCK;
    if (!streams.erase(stream)) return CUDA_ERROR_INVALID_HANDLE;
    for (Event* event : events)
        if (event->stream == stream) event->stream = nullptr;
    if (stream->capture) {
        stream->capture->invalid = true;
        if (stream->capture->origin == stream) stream->capture->ended = true;
        if (stream->capture->ended)
            for (Stream* other : streams)
                if (other->capture == stream->capture) other->capture = nullptr;
    }
    delete stream;
    return CUDA_SUCCESS;
}

API CUresult cuStreamSynchronize(CUstream handle) {
    CURRENT;
    {
        LOCK;
        Stream* stream = stream_of(handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (stream == &legacy_stream)
            if (CUresult result = legacy_call()) return result;
        if (stream->capture) {
            stream->capture->invalid = true;
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
    }
    check_all_guards();
    return CUDA_SUCCESS;
}

API CUresult cuStreamQuery(CUstream handle) {
    CURRENT;
    LOCK;
    Stream* stream = stream_of(handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (!stream->capture) return CUDA_SUCCESS;
    stream->capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

API CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned) {
    CURRENT;
    LOCK;
    Stream* stream = stream_of(handle);
    if (!stream || !events.count(event)) return CUDA_ERROR_INVALID_HANDLE;
    if (CUresult result = status_of(stream)) return result;
    if (!event->capture) {
        if (!stream->capture || !event->recorded) return CUDA_SUCCESS;
        stream->capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    }
    if (event->capture->ended) return CUDA_ERROR_CAPTURED_EVENT;
    if (stream == &legacy_stream) return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    if (!stream->capture) {
        stream->capture = event->capture;
        stream->joined = stream->version;
        stream->version++;
    } else if (stream->capture != event->capture) {
        stream->capture->invalid = event->capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_MERGE;
    } else if (event->stream && stream == stream->capture->origin && event->version > event->stream->joined) {
        event->stream->joined = event->version;
    }
    return CUDA_SUCCESS;
}

API CUresult cuEventCreate(CUevent* event, unsigned flags) {
    CURRENT;
    NEED(event && flags < 8);
    LOCK;
    Event* made = new Event;
    made->flags = flags;
    events.insert(made);
    *event = made;
    return CUDA_SUCCESS;
}

API CUresult cuEventDestroy_v2(CUevent event) {
    CURRENT;
    LOCK;
    if (!events.erase(event)) return CUDA_ERROR_INVALID_HANDLE;
    delete event;
    return CUDA_SUCCESS;
}

API CUresult cuEventRecord(CUevent event, CUstream handle) {
    CURRENT;
    LOCK;
    Stream* stream = stream_of(handle);
    if (!stream || !events.count(event)) return CUDA_ERROR_INVALID_HANDLE;
    if (stream == &legacy_stream)
        if (CUresult result = legacy_call()) return result;
    if (CUresult result = status_of(stream)) return result;
    event->capture = stream->capture;
    event->stream = stream;
    event->version = stream->version;
    event->recorded = !stream->capture;
    event->when = std::chrono::steady_clock::now();
    return CUDA_SUCCESS;
}

static CUresult event_done(CUevent event) {
    CURRENT;
    LOCK;
    if (!events.count(event)) return CUDA_ERROR_INVALID_HANDLE;
    if (event->capture) {
        event->capture->invalid = true;
        return CUDA_ERROR_CAPTURED_EVENT;
    }
    return CUDA_SUCCESS;
}

API CUresult cuEventSynchronize(CUevent event) {
    return event_done(event);
}
API CUresult cuEventQuery(CUevent event) {
    return event_done(event);
}

API CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
    CURRENT;
    NEED(milliseconds);
    LOCK;
    if (!events.count(start) || !events.count(end)) return CUDA_ERROR_INVALID_HANDLE;
    if (start->capture || end->capture) return CUDA_ERROR_CAPTURED_EVENT;
    if ((start->flags | end->flags) & 2 || !start->recorded || !end->recorded) return CUDA_ERROR_INVALID_HANDLE;
    *milliseconds = std::chrono::duration<float, std::milli>(end->when - start->when).count();
    return CUDA_SUCCESS;
}
API CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
    return cuEventElapsedTime(milliseconds, start, end);
}

// ---- modules and kernels ---------------------------------------------------------------------------

// Every load gets a copy of the shared object, hence globals of its own.
static void* load_copy(const std::string& path) {
    const char* folder = getenv("TMPDIR");
    std::string name = std::string(folder && *folder ? folder : "/tmp") + "/mock-cuda-XXXXXX";
    int to = mkstemp(&name[0]), from = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    void* library = nullptr;
    if (to >= 0 && from >= 0) {
        std::vector<char> buffer(1 << 16);
        ssize_t n;
        bool good = true;
        while ((n = read(from, buffer.data(), buffer.size())) > 0) good &= write(to, buffer.data(), n) == n;
        if (good && n == 0) library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!library) fprintf(stderr, "mock CUDA: cannot load %s: %s\n", path.c_str(), good ? dlerror() : "no copy");
    }
    if (from >= 0) close(from);
    if (to >= 0) {
        close(to);
        unlink(name.c_str());
    }
    return library;
}

API CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    CURRENT;
    NEED(module && image);
    if (CUresult result = unsafe_call()) return result;
    const char* text = (const char*)image;
    if (strncmp(text, "// mock CUDA\n", 13) != 0) return text[0] == 0x7f ? CUDA_ERROR_INVALID_IMAGE : CUDA_ERROR_INVALID_PTX;
    const char* key = strstr(text, "// shared object: ");
    const char* end = key ? strchr(key, '\n') : nullptr;
    if (!end) return CUDA_ERROR_INVALID_PTX;
    std::unique_ptr<Module> made(new Module);
    made->path = std::string(key + 18, end);
    made->library = load_copy(made->path);
    if (!made->library) return CUDA_ERROR_INVALID_IMAGE;
    LOCK;
    *module = made.release();
    modules.insert(*module);
    return CUDA_SUCCESS;
}

API CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned, int*, void**) {
    return cuModuleLoadData(module, image);
}

API CUresult cuModuleUnload(CUmodule module) {
    CURRENT;
    if (CUresult result = unsafe_call()) return result;
    LOCK;
    if (!modules.erase(module)) return CUDA_ERROR_INVALID_HANDLE;
    for (auto& [name, function] : module->functions) functions.erase(function.get());
    dlclose(module->library);
    delete module;
    return CUDA_SUCCESS;
}

API CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
    CURRENT;
    NEED(function && name);
    LOCK;
    if (!modules.count(module)) return CUDA_ERROR_INVALID_HANDLE;
    auto& one = module->functions[name];
    if (!one) {
        auto* kernel = (const Kernel*)dlsym(module->library, (std::string("emulate_kernel_") + name).c_str());
        if (!kernel) {
            module->functions.erase(name);
            return CUDA_ERROR_NOT_FOUND;
        }
        one.reset(new Function{kernel, module});
        functions.insert(one.get());
    }
    *function = one.get();
    return CUDA_SUCCESS;
}

API CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
    CURRENT;
    LOCK;
    if (!functions.count(function)) return CUDA_ERROR_INVALID_HANDLE;
    switch (attribute) {
    case 8:  // dynamic shared memory
        NEED(value >= 0 && (size_t)value <= OPT_IN_SHARED);
        function->max_dynamic_shared = value;
        return CUDA_SUCCESS;
    case 9:  // carveout in percent
        NEED(value >= -1 && value <= 100);
        function->carveout = value;
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_VALUE;
}

API CUresult cuFuncGetAttribute(int* value, int attribute, CUfunction function) {
    CURRENT;
    NEED(value);
    LOCK;
    if (!functions.count(function)) return CUDA_ERROR_INVALID_HANDLE;
    switch (attribute) {
    case 0: *value = function->kernel->max_threads; break;
    case 1: *value = function->kernel->static_shared; break;  // of the whole module
    case 2: case 3: case 7: *value = 0; break;
    case 4: *value = 32; break;  // registers
    case 5: case 6: *value = 90; break;
    case 8: *value = function->max_dynamic_shared; break;
    case 9: *value = function->carveout; break;
    default: return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

API CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads, size_t shared) {
    CURRENT;
    LOCK;
    NEED(blocks && threads > 0);
    if (!functions.count(function)) return CUDA_ERROR_INVALID_HANDLE;
    if ((unsigned)threads > function->kernel->max_threads || shared > function->max_dynamic_shared)
        return *blocks = 0, CUDA_SUCCESS;
    int by_threads = 2048 / ((threads + 31) / 32 * 32);
    int by_shared = (int)(228 * 1024 / (shared + 1024));
    *blocks = std::min(32, std::min(by_threads, by_shared));
    return CUDA_SUCCESS;
}

// A launch with its arguments by value.
struct Launch {
    Function* function;
    std::vector<std::vector<char>> values;
    unsigned grid[3], block[3];
    size_t shared;

    void run() {
        const Kernel& kernel = *function->kernel;
        std::vector<void*> args(values.size() + 1);
        for (size_t i = 0; i < values.size(); i++) {
            args[i] = values[i].data();
            if (!kernel.pointers[i]) continue;
            CUdeviceptr at;
            memcpy(&at, args[i], sizeof at);
            if (at && !is_device(at, 0))
                die("argument %zu of kernel `%s` points to %p, which is no device memory", i, kernel.name,
                    (void*)(uintptr_t)at);
        }
        std::lock_guard<std::mutex> guard(function->module->running);
        running = kernel.name;
        running_module = function->module;
        kernel.launch(&kernel, args.data(), grid, block, shared);
        running = nullptr;
        running_module = nullptr;
    }
};

API CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                            unsigned block_y, unsigned block_z, unsigned shared, CUstream stream, void** params,
                            void** extra) {
    CURRENT;
    auto launch = std::make_shared<Launch>();
    {
        LOCK;
        if (!functions.count(function)) return CUDA_ERROR_INVALID_HANDLE;
        NEED(grid_x && grid_y && grid_z && block_x && block_y && block_z);
        NEED(grid_x <= 2147483647u && grid_y <= 65535 && grid_z <= 65535);
        NEED(block_x <= 1024 && block_y <= 1024 && block_z <= 64 && block_x * block_y * block_z <= 1024);
        NEED(shared <= function->max_dynamic_shared);
        const Kernel& kernel = *function->kernel;
        if (block_x * block_y * block_z > kernel.max_threads) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
        NEED(!extra && (params || !kernel.n_parameters));
        launch->function = function;
        for (unsigned i = 0; i < kernel.n_parameters; i++) {
            NEED(params[i]);
            const char* from = (const char*)params[i];
            launch->values.emplace_back(from, from + kernel.sizes[i]);
        }
    }
    unsigned grid[3] = {grid_x, grid_y, grid_z}, block[3] = {block_x, block_y, block_z};
    memcpy(launch->grid, grid, sizeof grid);
    memcpy(launch->block, block, sizeof block);
    launch->shared = shared;
    return enqueue(stream, [launch] {
        {
            LOCK;
            if (!functions.count(launch->function)) die("a graph runs a kernel whose module was unloaded");
        }
        launch->run();
    });
}

struct LaunchAttribute {
    int id;
    int padding;
    char value[64];
};

struct LaunchConfig {
    unsigned grid[3], block[3], shared;
    CUstream stream;
    const LaunchAttribute* attributes;
    unsigned n_attributes;
};

API CUresult cuLaunchKernelEx(const LaunchConfig* config, CUfunction function, void** params, void** extra) {
    CURRENT;
    NEED(config && (config->attributes || !config->n_attributes));
    for (unsigned i = 0; i < config->n_attributes; i++)
        switch (config->attributes[i].id) {
        case 0:  // to be ignored
        case 6:  // starts before the kernel in front ends; here it never does
        case 8:  // priority
            break;
        default: return CUDA_ERROR_NOT_SUPPORTED;  // clusters and such, by this mock
        }
    const unsigned *g = config->grid, *b = config->block;
    return cuLaunchKernel(function, g[0], g[1], g[2], b[0], b[1], b[2], config->shared, config->stream, params, extra);
}

// ---- graphs ------------------------------------------------------------------------------------

API CUresult cuStreamBeginCapture_v2(CUstream handle, int mode) {
    CURRENT;
    NEED(mode >= 0 && mode <= 2);
    LOCK;
    Stream* stream = stream_of(handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (stream == &legacy_stream) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture) {
        stream->capture->invalid = true;
        return CUDA_ERROR_ILLEGAL_STATE;
    }
    stream->capture = std::make_shared<Capture>();
    stream->capture->origin = stream;
    stream->capture->mode = (CaptureMode)mode;
    stream->capture->thread = std::this_thread::get_id();
    return CUDA_SUCCESS;
}

API CUresult cuStreamEndCapture(CUstream handle, CUgraph* graph) {
    CURRENT;
    NEED(graph);
    LOCK;
    *graph = nullptr;
    Stream* stream = stream_of(handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    auto capture = stream->capture;
    if (!capture) return CUDA_ERROR_ILLEGAL_STATE;
    if (capture->origin != stream) {
        capture->invalid = true;
        return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
    }
    if (capture->mode != RELAXED && capture->thread != std::this_thread::get_id())
        return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    capture->ended = true;
    bool unjoined = false;
    for (Stream* other : streams)
        if (other->capture == capture) {
            if (other != stream && other->joined != other->version) unjoined = true;
            other->capture = nullptr;
        }
    if (capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (unjoined) return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    Graph* made = new Graph;
    made->nodes = std::move(capture->nodes);
    graphs.insert(made);
    *graph = made;
    return CUDA_SUCCESS;
}

API CUresult cuStreamIsCapturing(CUstream handle, int* status) {
    CURRENT;
    NEED(status);
    LOCK;
    Stream* stream = stream_of(handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (stream == &legacy_stream)
        if (CUresult result = legacy_call()) return result;
    *status = !stream->capture ? 0 : stream->capture->invalid ? 2 : 1;
    return CUDA_SUCCESS;
}

API CUresult cuGraphGetNodes(CUgraph graph, void** nodes, size_t* n) {
    CURRENT;
    NEED(n && !nodes);
    LOCK;
    if (!graphs.count(graph)) return CUDA_ERROR_INVALID_HANDLE;
    *n = graph->nodes.size();
    return CUDA_SUCCESS;
}

API CUresult cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long) {
    CURRENT;
    NEED(executable);
    if (CUresult result = unsafe_call()) return result;
    LOCK;
    if (!graphs.count(graph)) return CUDA_ERROR_INVALID_HANDLE;
    *executable = new Executable{std::make_shared<std::vector<Work>>(graph->nodes)};
    executables.insert(*executable);
    return CUDA_SUCCESS;
}

API CUresult cuGraphInstantiate_v2(CUgraphExec* executable, CUgraph graph, void** node, char* log, size_t size) {
    if (node) *node = nullptr;
    if (log && size) log[0] = 0;
    return cuGraphInstantiateWithFlags(executable, graph, 0);
}

API CUresult cuGraphUpload(CUgraphExec executable, CUstream stream) {
    CURRENT;
    LOCK;
    return executables.count(executable) && stream_of(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

API CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
    CURRENT;
    std::shared_ptr<std::vector<Work>> nodes;
    {
        LOCK;
        if (!executables.count(executable)) return CUDA_ERROR_INVALID_HANDLE;
        nodes = executable->nodes;
    }
    return enqueue(stream, [nodes] {
        for (Work& work : *nodes) work();
    });
}

API CUresult cuGraphExecDestroy(CUgraphExec executable) {
    CURRENT;
    LOCK;
    if (!executables.erase(executable)) return CUDA_ERROR_INVALID_HANDLE;
    delete executable;
    return CUDA_SUCCESS;
}

API CUresult cuGraphDestroy(CUgraph graph) {
    CURRENT;
    LOCK;
    if (!graphs.erase(graph)) return CUDA_ERROR_INVALID_HANDLE;
    delete graph;
    return CUDA_SUCCESS;
}
