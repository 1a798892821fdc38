// Compiles CUDA C++ kernels as host code: `g++ -include emulate.h`.
//
// Every thread of a block is a fibre, and blocks run one after the other. A fibre runs until it
// waits at a barrier or in an operation of its warp; whoever comes last does the operation for the
// whole warp and goes on. What a card leaves undefined is reported (threads at different barriers,
// lanes in different operations) or filled with 0xFF bytes, which are NaN (shared memory that
// nobody wrote, values of lanes that do not take part).
//
// Only C headers without common names are included, because kernels have names of their own.
#pragma once
#ifndef EMULATED
#define EMULATED 1
#endif

#include <math.h>
#include <stddef.h>
#include <stdint.h>

extern "C" int dprintf(int, const char*, ...);
extern "C" char* getenv(const char*) noexcept;

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct uint3 {
    unsigned x, y, z;
};

// Set whenever a fibre starts or goes on.
static uint3 threadIdx, blockIdx;
static dim3 blockDim, gridDim;
static const int warpSize = 32;

// ---- fibres ------------------------------------------------------------------------------------

#if defined(__x86_64__)
asm(R"(
.text
.p2align 4
.local emulate_switch
.type emulate_switch, @function
emulate_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulate_switch, .-emulate_switch
)");
#define EMULATE_SWITCH 1
#elif defined(__aarch64__)
asm(R"(
.text
.p2align 4
.local emulate_switch
.type emulate_switch, %function
emulate_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size emulate_switch, .-emulate_switch
)");
#define EMULATE_SWITCH 1
#else
#include <ucontext.h>
#endif

#ifdef EMULATE_SWITCH
// Saves this stack's pointer in `*from` and goes on where the other stack was left.
extern "C" __attribute__((visibility("hidden"))) void emulate_switch(void** from, void* to);
#endif

namespace emulate {

enum Operation : unsigned char { BARRIER, SHUFFLE, BALLOT, REDUCE_ADD, REDUCE_MIN, REDUCE_MAX, MMA_TF32 };

struct Fibre {
#ifdef EMULATE_SWITCH
    void* stack_pointer;
#else
    ucontext_t context;
#endif
    unsigned char* stack;
    Fibre* next_free;
};

// What a lane brings to an operation of its warp, and takes from it.
struct Lane {
    unsigned mask;
    unsigned line;
    Operation operation;
    int source;       // SHUFFLE: lane whose value is wanted
    uint64_t value;   // in
    uint64_t result;  // out
    const unsigned *a, *b;  // MMA_TF32
    float* d;
};

// Bits are lanes.
struct Warp {
    unsigned alive, started, ready, at_barrier, in_operation;
    Lane lanes[32];
};

static const unsigned STACK = 128 * 1024;
static const unsigned GUARD = 1024;
static const uint64_t CANARY = 0x5afe57ac5afe57acull;

static Warp warps[32];
static Fibre* fibre_of[1024];
static Fibre *current_fibre, *free_fibres, main_fibre;
static uint3 thread_indices[1024];
static unsigned current_thread, ready_warps, n_alive, n_at_barrier, barrier_line;
static unsigned barrier_count, barrier_result;
static bool from_the_end;
static void (*thread_main)(void**);
static void** arguments;
static const char* kernel_name = "?";
static unsigned char* dynamic_shared;
static size_t dynamic_shared_size, dynamic_shared_room;

__attribute__((noinline, noreturn, cold)) static void die() {
    __builtin_abort();
}

#define EMULATE_DIE(format, ...)                                                                     \
    do {                                                                                             \
        dprintf(2, "emulated kernel `%s`, block (%u, %u, %u), thread (%u, %u, %u): " format "\n",    \
                emulate::kernel_name, blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y,  \
                threadIdx.z, ##__VA_ARGS__);                                                         \
        emulate::die();                                                                              \
    } while (0)

static inline void set_current(unsigned thread) {
    current_thread = thread;
    threadIdx = thread_indices[thread];
}

static void fibre_main();

static void go_to(Fibre* fibre) {
    Fibre* self = current_fibre;
    if (self == fibre) return;
    current_fibre = fibre;
#ifdef EMULATE_SWITCH
    emulate_switch(&self->stack_pointer, fibre->stack_pointer);
#else
    swapcontext(&self->context, &fibre->context);
#endif
}

static Fibre* take_fibre() {
    Fibre* fibre = free_fibres;
    if (fibre) {
        free_fibres = fibre->next_free;
        return fibre;
    }
    static unsigned count;
    fibre = (Fibre*)__builtin_calloc(1, sizeof(Fibre));
    fibre->stack = (unsigned char*)__builtin_malloc(STACK);
    if (!fibre->stack) EMULATE_DIE("no memory for a stack");
    *(uint64_t*)fibre->stack = CANARY;
    // Tops of stacks are spread over the sets of the cache.
    uintptr_t top = ((uintptr_t)fibre->stack + STACK - (count++ * 832) % 8192) & ~(uintptr_t)63;
#if defined(__x86_64__)
    void** frame = (void**)top;
    *--frame = nullptr;            // where fibre_main would return to; also aligns the stack
    *--frame = (void*)fibre_main;  // popped by `ret`
    for (int i = 0; i < 6; i++) *--frame = nullptr;
    fibre->stack_pointer = frame;
#elif defined(__aarch64__)
    void** frame = (void**)(top - 160);
    for (int i = 0; i < 20; i++) frame[i] = nullptr;
    frame[11] = (void*)fibre_main;  // x30
    fibre->stack_pointer = frame;
#else
    getcontext(&fibre->context);
    fibre->context.uc_stack.ss_sp = fibre->stack;
    fibre->context.uc_stack.ss_size = top - (uintptr_t)fibre->stack;
    fibre->context.uc_link = nullptr;
    makecontext(&fibre->context, fibre_main, 0);
#endif
    return fibre;
}

__attribute__((noinline, cold)) static void report_deadlock() {
    unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    dprintf(2, "emulated kernel `%s`, block (%u, %u, %u): deadlock. %u of %u threads exited", kernel_name,
            blockIdx.x, blockIdx.y, blockIdx.z, threads - n_alive, threads);
    if (n_at_barrier) dprintf(2, ", %u wait in __syncthreads of line %u", n_at_barrier, barrier_line);
    for (unsigned w = 0; w < (threads + 31) / 32; w++)
        if (warps[w].in_operation) {
            unsigned lane = __builtin_ctz(warps[w].in_operation);
            dprintf(2, ", warp %u waits in line %u with lanes %08x of %08x", w, warps[w].lanes[lane].line,
                    warps[w].in_operation, warps[w].lanes[lane].mask);
        }
    dprintf(2, "\n");
    die();
}

// The next thread that can run, of the same warp if there is one.
static inline int pick() {
    unsigned w = current_thread / 32;
    if (!warps[w].ready) {
        if (!ready_warps) {
            if (n_alive) report_deadlock();
            return -1;
        }
        w = from_the_end ? 31 - __builtin_clz(ready_warps) : __builtin_ctz(ready_warps);
    }
    unsigned ready = warps[w].ready;
    unsigned lane = from_the_end ? 31 - __builtin_clz(ready) : __builtin_ctz(ready);
    warps[w].ready = ready &= ~(1u << lane);
    if (!ready) ready_warps &= ~(1u << w);
    return w * 32 + lane;
}

static inline bool started(unsigned thread) {
    return warps[thread / 32].started >> thread % 32 & 1;
}

static inline void start(unsigned thread, Fibre* fibre) {
    warps[thread / 32].started |= 1u << thread % 32;
    fibre_of[thread] = fibre;
}

static void run(unsigned thread) {
    if (!started(thread)) start(thread, take_fibre());
    set_current(thread);
    go_to(fibre_of[thread]);
}

// The current thread waits until somebody makes it ready.
static void wait() {
    run(pick());
}

static void release_barrier() {
    for (unsigned w = 0; w < 32; w++)
        if (warps[w].at_barrier) {
            warps[w].ready |= warps[w].at_barrier;
            warps[w].at_barrier = 0;
            ready_warps |= 1u << w;
        }
    n_at_barrier = 0;
    barrier_result = barrier_count;
    barrier_count = 0;
}

__attribute__((noinline)) static unsigned block_barrier(unsigned count, unsigned line) {
    if (n_at_barrier && barrier_line != line)
        EMULATE_DIE("waits in __syncthreads of line %u, others in that of line %u", line, barrier_line);
    barrier_line = line;
    barrier_count += count;
    if (++n_at_barrier == n_alive) {
        release_barrier();
    } else {
        warps[current_thread / 32].at_barrier |= 1u << current_thread % 32;
        wait();
    }
    return barrier_result;
}

typedef float Row __attribute__((vector_size(32)));

static inline float ignoring_low_bits(unsigned tf32) {
    tf32 &= 0xffffe000u;
    float value;
    __builtin_memcpy(&value, &tf32, 4);
    return value;
}

static void warp_mma_tf32(Lane* lanes) {
    float a[16][8], b[8][8], d[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const Lane& l = lanes[lane];
        int g = lane / 4, t = lane % 4;
        a[g][t] = ignoring_low_bits(l.a[0]);
        a[g + 8][t] = ignoring_low_bits(l.a[1]);
        a[g][t + 4] = ignoring_low_bits(l.a[2]);
        a[g + 8][t + 4] = ignoring_low_bits(l.a[3]);
        b[t][g] = ignoring_low_bits(l.b[0]);
        b[t + 4][g] = ignoring_low_bits(l.b[1]);
        d[g][2 * t] = l.d[0];
        d[g][2 * t + 1] = l.d[1];
        d[g + 8][2 * t] = l.d[2];
        d[g + 8][2 * t + 1] = l.d[3];
    }
    Row rows[8];
    __builtin_memcpy(rows, b, sizeof rows);
    for (int i = 0; i < 16; i++) {
        Row sum;
        __builtin_memcpy(&sum, d[i], sizeof sum);
        for (int k = 0; k < 8; k++) sum += a[i][k] * rows[k];
        __builtin_memcpy(d[i], &sum, sizeof sum);
    }
    for (int lane = 0; lane < 32; lane++) {
        float* to = lanes[lane].d;
        int g = lane / 4, t = lane % 4;
        to[0] = d[g][2 * t];
        to[1] = d[g][2 * t + 1];
        to[2] = d[g + 8][2 * t];
        to[3] = d[g + 8][2 * t + 1];
    }
}

// Does an operation for all lanes of `taking_part`, which are waiting in it.
static void perform(Lane* lanes, unsigned taking_part, Operation operation) {
    uint64_t result = 0;
    bool first = true;
    switch (operation) {
    case BARRIER:
        return;
    case SHUFFLE:
        for (unsigned rest = taking_part; rest; rest &= rest - 1) {
            Lane& lane = lanes[__builtin_ctz(rest)];
            lane.result = taking_part >> lane.source & 1 ? lanes[lane.source].value : ~0ull;
        }
        return;
    case MMA_TF32:
        if (taking_part != ~0u) EMULATE_DIE("mma_tf32 with lanes %08x only", taking_part);
        warp_mma_tf32(lanes);
        return;
    case BALLOT:
        for (unsigned rest = taking_part; rest; rest &= rest - 1)
            result |= (uint64_t)(lanes[__builtin_ctz(rest)].value != 0) << __builtin_ctz(rest);
        break;
    case REDUCE_ADD:
    case REDUCE_MIN:
    case REDUCE_MAX:
        for (unsigned rest = taking_part; rest; rest &= rest - 1, first = false) {
            uint64_t value = lanes[__builtin_ctz(rest)].value;
            if (operation == REDUCE_ADD) result += value;
            else if (first || ((int64_t)value < (int64_t)result) == (operation == REDUCE_MIN)) result = value;
        }
        break;
    }
    for (unsigned rest = taking_part; rest; rest &= rest - 1) lanes[__builtin_ctz(rest)].result = result;
}

static bool try_operation(unsigned w, unsigned mask) {
    Warp& warp = warps[w];
    unsigned taking_part = mask & warp.alive;
    if ((warp.in_operation & taking_part) != taking_part || !taking_part) return false;
    const Lane& one = warp.lanes[__builtin_ctz(taking_part)];
    for (unsigned rest = taking_part; rest; rest &= rest - 1) {
        const Lane& lane = warp.lanes[__builtin_ctz(rest)];
        if (lane.mask != mask) return false;
        if (lane.line != one.line || lane.operation != one.operation)
            EMULATE_DIE("lanes of a warp are in different operations, in lines %u and %u", one.line, lane.line);
    }
    perform(warp.lanes, taking_part, one.operation);
    warp.in_operation &= ~taking_part;
    warp.ready |= taking_part;
    ready_warps |= 1u << w;
    return true;
}

static inline Lane& lane() {
    return warps[current_thread / 32].lanes[current_thread % 32];
}

// The current lane joins the operation that its `Lane` describes and returns when it is done.
__attribute__((noinline)) static uint64_t join(Operation operation, unsigned mask, unsigned line) {
    unsigned w = current_thread / 32, bit = 1u << current_thread % 32;
    Warp& warp = warps[w];
    Lane& self = warp.lanes[current_thread % 32];
    if (!(mask & bit)) EMULATE_DIE("the mask %08x of line %u lacks the calling lane", mask, line);
    self.mask = mask;
    self.line = line;
    self.operation = operation;
    warp.in_operation |= bit;
    if (try_operation(w, mask)) {
        warp.ready &= ~bit;
        if (!warp.ready) ready_warps &= ~(1u << w);
    } else {
        wait();
    }
    return self.result;
}

static inline uint64_t join(Operation operation, unsigned mask, uint64_t value, unsigned line) {
    lane().value = value;
    return join(operation, mask, line);
}

template <class T> static inline T shuffle(unsigned mask, T value, int source, unsigned line) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    lane().source = source;
    bits = join(SHUFFLE, mask, bits, line);
    __builtin_memcpy(&value, &bits, sizeof(T));
    return value;
}

// Copies to shared memory that nobody waited for yet, per thread. They happen when they are waited for,
// which is as late as a card may do them.
struct Copies {
    struct Copy {
        void* to;
        const void* from;
        unsigned group;
    };
    Copy* list;
    unsigned room, begin, end, group;

    void add(void* to, const void* from) {
        if (end == room) {
            room = room ? 2 * room : 16;
            list = (Copy*)__builtin_realloc(list, room * sizeof(Copy));
        }
        list[end++] = Copy{to, from, group};
    }
    // Does those of groups before `limit`.
    void finish(unsigned limit) {
        for (; begin < end && list[begin].group < limit; begin++) __builtin_memcpy(list[begin].to, list[begin].from, 16);
        if (begin == end) begin = end = 0;
    }
};
static Copies copies[1024];

static bool is_shared(const void* at, size_t size);

static inline void finish_thread() {
    Copies& own = copies[current_thread];
    if (own.end) own.finish(~0u);
    own.group = 0;
    Warp& warp = warps[current_thread / 32];
    warp.alive &= ~(1u << current_thread % 32);
    n_alive--;
    if (n_alive && n_at_barrier == n_alive) release_barrier();
    for (unsigned rest = warp.in_operation; rest; rest &= rest - 1)
        if (warp.in_operation >> __builtin_ctz(rest) & 1)
            try_operation(current_thread / 32, warp.lanes[__builtin_ctz(rest)].mask);
}

// A fibre runs threads for ever: one that ended leaves its stack to the next.
static void fibre_main() {
    for (;;) {
        thread_main(arguments);
        finish_thread();
        Fibre* self = current_fibre;
        if (*(uint64_t*)self->stack != CANARY) EMULATE_DIE("more than %u bytes of stack", STACK);
        int next = pick();
        if (next >= 0 && !started(next)) {
            start(next, self);
            set_current(next);
            continue;
        }
        self->next_free = free_fibres;
        free_fibres = self;
        if (next < 0) go_to(&main_fibre);
        else run(next);
    }
}

extern "C" __attribute__((weak, visibility("hidden"))) unsigned char __start_emulate_shared[];
extern "C" __attribute__((weak, visibility("hidden"))) unsigned char __stop_emulate_shared[];

static bool is_shared(const void* at, size_t size) {
    const unsigned char* byte = (const unsigned char*)at;
    return (byte >= dynamic_shared && byte + size <= dynamic_shared + dynamic_shared_size) ||
           (byte >= __start_emulate_shared && byte + size <= __stop_emulate_shared);
}

static void run_block(unsigned threads, unsigned number) {
    if (&__start_emulate_shared[0] != &__stop_emulate_shared[0])
        __builtin_memset(__start_emulate_shared, 0xff, __stop_emulate_shared - __start_emulate_shared);
    __builtin_memset(dynamic_shared, 0xff, dynamic_shared_size + GUARD);
    ready_warps = 0;
    for (unsigned w = 0; w < 32; w++) {
        unsigned lanes = threads <= w * 32 ? 0 : threads - w * 32;
        Warp& warp = warps[w];
        warp.alive = warp.ready = lanes >= 32 ? ~0u : (1u << lanes) - 1;
        warp.started = warp.at_barrier = warp.in_operation = 0;
        if (lanes) ready_warps |= 1u << w;
    }
    n_alive = threads;
    n_at_barrier = barrier_count = 0;
    static int reversed = -1;
    if (reversed < 0) {
        const char* order = getenv("MOCK_CUDA_ORDER");
        reversed = order && order[0] == 'r';
    }
    // Every other block runs its threads from the last to the first, which shows missing barriers.
    from_the_end = (number ^ reversed) & 1;
    current_fibre = &main_fibre;
    current_thread = from_the_end ? threads - 1 : 0;
    run(pick());
    for (unsigned i = 0; i < GUARD; i++)
        if (dynamic_shared[dynamic_shared_size + i] != 0xff)
            EMULATE_DIE("wrote %u bytes behind %zu bytes of dynamic shared memory", i, dynamic_shared_size);
}

} // namespace emulate

__attribute__((destructor)) static void emulate_free() {
    while (emulate::Fibre* fibre = emulate::free_fibres) {
        emulate::free_fibres = fibre->next_free;
        __builtin_free(fibre->stack);
        __builtin_free(fibre);
    }
    for (emulate::Copies& one : emulate::copies) __builtin_free(one.list);
    __builtin_free(emulate::dynamic_shared);
    emulate::dynamic_shared = nullptr;
}

// Runs `thread_main(args)` for every thread. Not for two host threads at once.
static void emulate_launch(void (*thread_main)(void**), void** args, dim3 grid, dim3 block, size_t shared,
                           const char* name = "?") __attribute__((unused));
static void emulate_launch(void (*thread_main)(void**), void** args, dim3 grid, dim3 block, size_t shared,
                           const char* name) {
    using namespace emulate;
    kernel_name = name;
    unsigned threads = block.x * block.y * block.z;
    if (!threads || threads > 1024) EMULATE_DIE("a block of %u threads", threads);
    if (!dynamic_shared || dynamic_shared_room < shared) {
        __builtin_free(dynamic_shared);
        dynamic_shared = (unsigned char*)__builtin_aligned_alloc(1024, (shared + GUARD + 1023) & ~(size_t)1023);
        dynamic_shared_room = shared;
    }
    dynamic_shared_size = shared;
    emulate::thread_main = thread_main;
    arguments = args;
    gridDim = grid;
    blockDim = block;
    for (unsigned i = 0; i < threads; i++)
        thread_indices[i] = uint3{i % block.x, i / block.x % block.y, i / block.x / block.y};
    unsigned number = 0;
    for (blockIdx.z = 0; blockIdx.z < grid.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < grid.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < grid.x; blockIdx.x++) run_block(threads, number++);
}

// ---- kernels as data: what the mock's driver looks up in a compiled module -----------------------

namespace emulate {

struct Kernel {
    const char* name;
    unsigned n_parameters;
    const size_t* sizes;
    const bool* pointers; // which parameters are pointers
    unsigned max_threads; // __launch_bounds__, or 1024
    size_t static_shared; // of the whole module
    void (*launch)(const Kernel*, void** args, const unsigned* grid, const unsigned* block, size_t shared);
};

template <class T> struct IsPointer {
    static constexpr bool value = false;
};
template <class T> struct IsPointer<T*> {
    static constexpr bool value = true;
};
template <class F> struct Signature;
template <class... P> struct Signature<void (*)(P...)> {
    static constexpr unsigned count = sizeof...(P);
    static constexpr size_t sizes[sizeof...(P) + 1] = {sizeof(P)..., 0};
    static constexpr bool pointers[sizeof...(P) + 1] = {IsPointer<P>::value..., false};
};

template <size_t... i> struct Indices {};
template <size_t n, size_t... i> struct UpTo : UpTo<n - 1, n - 1, i...> {};
template <size_t... i> struct UpTo<0, i...> {
    typedef Indices<i...> type;
};

template <class... P, size_t... i>
static inline void call_kernel(void (*kernel)(P...), void** args, Indices<i...>) {
    kernel(*(P*)args[i]...);
}
template <class... P> static inline void call_kernel(void (*kernel)(P...), void** args) {
    call_kernel(kernel, args, typename UpTo<sizeof...(P)>::type());
}

} // namespace emulate

// Makes `emulate_thread_NAME` for emulate_launch, and `emulate_kernel_NAME` that tells all about a kernel.
#define EMULATE_KERNEL(name) EMULATE_KERNEL_BOUNDED(name, 1024)
#define EMULATE_KERNEL_BOUNDED(kernel, bound)                                                          \
    static void emulate_thread_##kernel(void** args) { emulate::call_kernel(kernel, args); }           \
    static void emulate_run_##kernel(const emulate::Kernel*, void** args, const unsigned* g,           \
                                     const unsigned* b, size_t shared) {                               \
        emulate_launch(emulate_thread_##kernel, args, dim3(g[0], g[1], g[2]), dim3(b[0], b[1], b[2]),  \
                       shared, #kernel);                                                               \
    }                                                                                                  \
    extern "C" __attribute__((visibility("default"))) emulate::Kernel emulate_kernel_##kernel;         \
    emulate::Kernel emulate_kernel_##kernel = {                                                        \
        #kernel, emulate::Signature<decltype(&kernel)>::count,                                         \
        emulate::Signature<decltype(&kernel)>::sizes, emulate::Signature<decltype(&kernel)>::pointers, \
        bound,                                                                                         \
        size_t(emulate::__stop_emulate_shared - emulate::__start_emulate_shared), emulate_run_##kernel};

// ---- the language ------------------------------------------------------------------------------

#define __global__ __attribute__((visibility("hidden")))
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __constant__
#define __shared__ static __attribute__((section("emulate_shared")))
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__
// The block's dynamic shared memory, as an array `name`.
#define DYNAMIC_SHARED(type, name) type* const name = (type*)emulate::dynamic_shared

#define EMULATE_VECTORS(type, name, align1, align2, align4)                                               \
    struct align1 name##1 { type x; };                                                                    \
    struct align2 name##2 { type x, y; };                                                                 \
    struct name##3##_ { type x, y, z; };                                                                  \
    struct align4 name##4 { type x, y, z, w; };                                                           \
    static inline name##2 make_##name##2(type x, type y) { return name##2{x, y}; }                        \
    static inline name##4 make_##name##4(type x, type y, type z, type w) { return name##4{x, y, z, w}; }
EMULATE_VECTORS(float, float, alignas(4), alignas(8), alignas(16))
EMULATE_VECTORS(int, int, alignas(4), alignas(8), alignas(16))
EMULATE_VECTORS(unsigned, uint, alignas(4), alignas(8), alignas(16))
EMULATE_VECTORS(double, double, alignas(8), alignas(16), alignas(16))
EMULATE_VECTORS(unsigned char, uchar, alignas(1), alignas(2), alignas(4))
EMULATE_VECTORS(signed char, char, alignas(1), alignas(2), alignas(4))
EMULATE_VECTORS(unsigned short, ushort, alignas(2), alignas(4), alignas(8))
EMULATE_VECTORS(short, short, alignas(2), alignas(4), alignas(8))
struct float3 { float x, y, z; };
struct int3 { int x, y, z; };
struct uchar3 { unsigned char x, y, z; };
static inline float3 make_float3(float x, float y, float z) { return float3{x, y, z}; }
static inline int3 make_int3(int x, int y, int z) { return int3{x, y, z}; }
static inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return uint3{x, y, z}; }
static inline uchar3 make_uchar3(unsigned char x, unsigned char y, unsigned char z) { return uchar3{x, y, z}; }

// ---- barriers and warps ------------------------------------------------------------------------

static inline void __syncthreads(unsigned line = __builtin_LINE()) { emulate::block_barrier(0, line); }
static inline int __syncthreads_count(int value, unsigned line = __builtin_LINE()) {
    return emulate::block_barrier(value != 0, line);
}
static inline int __syncthreads_or(int value, unsigned line = __builtin_LINE()) {
    return emulate::block_barrier(value != 0, line) != 0;
}
static inline int __syncthreads_and(int value, unsigned line = __builtin_LINE()) {
    return emulate::block_barrier(value == 0, line) == 0;
}
static inline void __syncwarp(unsigned mask = ~0u, unsigned line = __builtin_LINE()) {
    emulate::join(emulate::BARRIER, mask, line);
}
static inline void __threadfence() {}
static inline void __threadfence_block() {}

template <class T>
static inline T __shfl_sync(unsigned mask, T value, int source, int width = 32, unsigned line = __builtin_LINE()) {
    int lane = emulate::current_thread % 32;
    return emulate::shuffle(mask, value, (lane & -width) | (source & (width - 1)), line);
}
template <class T>
static inline T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32, unsigned line = __builtin_LINE()) {
    int lane = emulate::current_thread % 32, source = lane ^ flip;
    return emulate::shuffle(mask, value, source <= (lane | (width - 1)) ? source & 31 : lane, line);
}
template <class T>
static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, unsigned line = __builtin_LINE()) {
    int lane = emulate::current_thread % 32, source = lane + (int)by;
    return emulate::shuffle(mask, value, source <= (lane | (width - 1)) ? source : lane, line);
}
template <class T>
static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, unsigned line = __builtin_LINE()) {
    int lane = emulate::current_thread % 32, source = lane - (int)by;
    return emulate::shuffle(mask, value, source >= (lane & -width) ? source : lane, line);
}
static inline unsigned __ballot_sync(unsigned mask, int value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::BALLOT, mask, value != 0, line);
}
static inline int __any_sync(unsigned mask, int value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::BALLOT, mask, value != 0, line) != 0;
}
static inline int __all_sync(unsigned mask, int value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::BALLOT, mask, value == 0, line) == 0;
}
static inline int __reduce_add_sync(unsigned mask, int value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::REDUCE_ADD, mask, (int64_t)value, line);
}
static inline unsigned __reduce_add_sync(unsigned mask, unsigned value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::REDUCE_ADD, mask, value, line);
}
static inline int __reduce_min_sync(unsigned mask, int value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::REDUCE_MIN, mask, (int64_t)value, line);
}
static inline int __reduce_max_sync(unsigned mask, int value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::REDUCE_MAX, mask, (int64_t)value, line);
}
static inline unsigned __reduce_min_sync(unsigned mask, unsigned value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::REDUCE_MIN, mask, value, line);
}
static inline unsigned __reduce_max_sync(unsigned mask, unsigned value, unsigned line = __builtin_LINE()) {
    return emulate::join(emulate::REDUCE_MAX, mask, value, line);
}

// mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32: d += a b.
static inline void mma_tf32(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                            unsigned line = __builtin_LINE()) {
    emulate::Lane& lane = emulate::lane();
    lane.a = a;
    lane.b = b;
    lane.d = d;
    emulate::join(emulate::MMA_TF32, ~0u, line);
}
// cvt.rna.tf32.f32: to ten bits of mantissa, ties away from zero.
static inline unsigned tf32(float value) {
    unsigned bits;
    __builtin_memcpy(&bits, &value, 4);
    return (bits & 0x7f800000u) == 0x7f800000u ? bits : (bits + 0x1000u) & 0xffffe000u;
}
static inline void copy_async16(void* shared, const void* global, unsigned line = __builtin_LINE()) {
    if (((uintptr_t)shared | (uintptr_t)global) & 15) EMULATE_DIE("copy_async16 of misaligned addresses in line %u", line);
    if (!emulate::is_shared(shared, 16)) EMULATE_DIE("copy_async16 to what is no shared memory in line %u", line);
    emulate::copies[emulate::current_thread].add(shared, global);
}
static inline void copy_async_commit() { emulate::copies[emulate::current_thread].group++; }
// Until at most N groups are on their way.
template <int N> static inline void copy_async_wait() {
    emulate::Copies& own = emulate::copies[emulate::current_thread];
    if (own.group > N) own.finish(own.group - N);
}

// ---- atomics: threads of a block take turns only where they wait -----------------------------------

#define EMULATE_ATOMICS(type)                                                                          \
    static inline type atomicAdd(type* at, type value) { type old = *at; *at = old + value; return old; } \
    static inline type atomicSub(type* at, type value) { type old = *at; *at = old - value; return old; } \
    static inline type atomicExch(type* at, type value) { type old = *at; *at = value; return old; }      \
    static inline type atomicMin(type* at, type value) { type old = *at; if (value < old) *at = value; return old; } \
    static inline type atomicMax(type* at, type value) { type old = *at; if (value > old) *at = value; return old; } \
    static inline type atomicCAS(type* at, type expected, type value) {                                \
        type old = *at;                                                                                \
        if (old == expected) *at = value;                                                              \
        return old;                                                                                    \
    }
EMULATE_ATOMICS(int)
EMULATE_ATOMICS(unsigned)
EMULATE_ATOMICS(unsigned long long)
static inline float atomicAdd(float* at, float value) { float old = *at; *at = old + value; return old; }
static inline double atomicAdd(double* at, double value) { double old = *at; *at = old + value; return old; }
static inline float atomicExch(float* at, float value) { float old = *at; *at = value; return old; }
static inline unsigned atomicOr(unsigned* at, unsigned value) { unsigned old = *at; *at = old | value; return old; }
static inline int atomicOr(int* at, int value) { int old = *at; *at = old | value; return old; }
static inline unsigned atomicAnd(unsigned* at, unsigned value) { unsigned old = *at; *at = old & value; return old; }
static inline unsigned atomicXor(unsigned* at, unsigned value) { unsigned old = *at; *at = old ^ value; return old; }

// ---- numbers -----------------------------------------------------------------------------------

template <class T> static inline T __ldg(const T* at) { return *at; }
template <class T> static inline T __ldcs(const T* at) { return *at; }
template <class T> static inline T __ldcg(const T* at) { return *at; }
template <class T> static inline void __stcs(T* at, T value) { *at = value; }
template <class T> static inline void __stcg(T* at, T value) { *at = value; }

#define EMULATE_BITS(name, to, from)                                                                   \
    static inline to name(from value) { to bits; __builtin_memcpy(&bits, &value, sizeof bits); return bits; }
EMULATE_BITS(__float_as_uint, unsigned, float)
EMULATE_BITS(__float_as_int, int, float)
EMULATE_BITS(__uint_as_float, float, unsigned)
EMULATE_BITS(__int_as_float, float, int)
EMULATE_BITS(__double_as_longlong, long long, double)
EMULATE_BITS(__longlong_as_double, double, long long)

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __brev(unsigned x) {
    unsigned y = 0;
    for (int i = 0; i < 32; i++) y |= (x >> i & 1u) << (31 - i);
    return y;
}
static inline unsigned __umulhi(unsigned a, unsigned b) { return (uint64_t)a * b >> 32; }
static inline int __mulhi(int a, int b) { return (int64_t)a * b >> 32; }
static inline unsigned umulhi(unsigned a, unsigned b) { return __umulhi(a, b); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned __int128)a * b >> 64;
}
static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned by) {
    return (((uint64_t)high << 32 | low) << (by & 31)) >> 32;
}
static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned by) {
    return ((uint64_t)high << 32 | low) >> (by & 31);
}
static inline int __mul24(int a, int b) { return a * b; }
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned select) {
    uint64_t bytes = (uint64_t)b << 32 | a;
    unsigned result = 0;
    for (int i = 0; i < 4; i++) {
        unsigned s = select >> 4 * i, byte = bytes >> 8 * (s & 7) & 0xff;
        result |= (s & 8 ? (byte & 0x80 ? 0xffu : 0u) : byte) << 8 * i;
    }
    return result;
}

// Kept from being contracted into multiply-adds.
static inline float emulate_rounded(float x) {
#if defined(__x86_64__)
    asm("" : "+x"(x));
#elif defined(__aarch64__)
    asm("" : "+w"(x));
#else
    asm("" : "+m"(x));
#endif
    return x;
}
static inline float __fadd_rn(float a, float b) { return emulate_rounded(emulate_rounded(a) + emulate_rounded(b)); }
static inline float __fsub_rn(float a, float b) { return emulate_rounded(emulate_rounded(a) - emulate_rounded(b)); }
static inline float __fmul_rn(float a, float b) { return emulate_rounded(a * b); }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline float __fdiv_rn(float a, float b) { return emulate_rounded(a / b); }
static inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
static inline float __frcp_rn(float a) { return 1.0f / a; }
static inline float __frsqrt_rn(float a) { return (float)(1.0 / __builtin_sqrt((double)a)); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float rsqrtf(float a) { return (float)(1.0 / __builtin_sqrt((double)a)); }
static inline double rsqrt(double a) { return 1.0 / __builtin_sqrt(a); }
// Macros, because the C library declares functions of these names.
#define __expf(a) __builtin_expf(a)
#define __exp10f(a) __builtin_powf(10.0f, a)
#define __logf(a) __builtin_logf(a)
#define __log2f(a) __builtin_log2f(a)
#define __log10f(a) __builtin_log10f(a)
#define __powf(a, b) __builtin_powf(a, b)
#define __sinf(a) __builtin_sinf(a)
#define __cosf(a) __builtin_cosf(a)
#define __tanf(a) __builtin_tanf(a)
#define __tanhf(a) __builtin_tanhf(a)
static inline void sincospif(float a, float* s, float* c) {
    *s = __builtin_sin(M_PI * a);
    *c = __builtin_cos(M_PI * a);
}
#define __sincosf(a, s, c) ((void)(*(s) = __builtin_sinf(a), *(c) = __builtin_cosf(a)))
static inline float sinpif(float a) { return __builtin_sin(M_PI * a); }
static inline float cospif(float a) { return __builtin_cos(M_PI * a); }
static inline float __saturatef(float a) { return a > 0.0f ? (a < 1.0f ? a : 1.0f) : 0.0f; }
static inline float fdividef(float a, float b) { return a / b; }

// Conversions saturate, as the card's do.
#define EMULATE_CONVERT(name, type, low, high, how)                                                    \
    static inline type name(float value) {                                                             \
        if (value != value) return 0;                                                                  \
        double rounded = how((double)value);                                                           \
        return rounded <= low ? (type)low : rounded >= high ? (type)high : (type)rounded;              \
    }
EMULATE_CONVERT(__float2int_rn, int, -2147483648.0, 2147483647.0, __builtin_rint)
EMULATE_CONVERT(__float2int_rd, int, -2147483648.0, 2147483647.0, __builtin_floor)
EMULATE_CONVERT(__float2int_ru, int, -2147483648.0, 2147483647.0, __builtin_ceil)
EMULATE_CONVERT(__float2int_rz, int, -2147483648.0, 2147483647.0, __builtin_trunc)
EMULATE_CONVERT(__float2uint_rn, unsigned, 0.0, 4294967295.0, __builtin_rint)
EMULATE_CONVERT(__float2uint_rd, unsigned, 0.0, 4294967295.0, __builtin_floor)
EMULATE_CONVERT(__float2uint_rz, unsigned, 0.0, 4294967295.0, __builtin_trunc)
static inline float __int2float_rn(int a) { return (float)a; }
static inline float __uint2float_rn(unsigned a) { return (float)a; }

#define EMULATE_MIN_MAX(type, a_type, b_type)                                                          \
    static inline type min(a_type a, b_type b) { return (type)a < (type)b ? (type)a : (type)b; }       \
    static inline type max(a_type a, b_type b) { return (type)a > (type)b ? (type)a : (type)b; }
EMULATE_MIN_MAX(int, int, int)
EMULATE_MIN_MAX(unsigned, unsigned, unsigned)
EMULATE_MIN_MAX(unsigned, int, unsigned)
EMULATE_MIN_MAX(unsigned, unsigned, int)
EMULATE_MIN_MAX(long, long, long)
EMULATE_MIN_MAX(unsigned long, unsigned long, unsigned long)
EMULATE_MIN_MAX(unsigned long, long, unsigned long)
EMULATE_MIN_MAX(unsigned long, unsigned long, long)
EMULATE_MIN_MAX(long long, long long, long long)
EMULATE_MIN_MAX(unsigned long long, unsigned long long, unsigned long long)
// A NaN gives way to the other operand.
static inline float min(float a, float b) { return __builtin_fminf(a, b); }
static inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
static inline double min(double a, double b) { return __builtin_fmin(a, b); }
static inline double max(double a, double b) { return __builtin_fmax(a, b); }
static inline double min(float a, double b) { return __builtin_fmin(a, b); }
static inline double max(float a, double b) { return __builtin_fmax(a, b); }
static inline double min(double a, float b) { return __builtin_fmin(a, b); }
static inline double max(double a, float b) { return __builtin_fmax(a, b); }

#define __trap() EMULATE_DIE("__trap in line %d", __LINE__)
#undef assert
#define assert(what) do { if (!(what)) EMULATE_DIE("assertion `%s` failed in line %d", #what, __LINE__); } while (0)
extern "C" int printf(const char*, ...);
#ifdef __noinline__
#undef __noinline__
#endif
#define __noinline__ __attribute__((noinline))
