// What all kernels share. It comes before them in the text that NVRTC compiles, which knows no
// headers. Compiled for the host by `mock/emulate.h`, which defines EMULATED and has its own
// version of what is PTX here.

#ifndef EMULATED

// Shared memory whose size the launch says.
#define DYNAMIC_SHARED(type, name) extern __shared__ __align__(16) type name[]

#if __CUDA_ARCH__ >= 800

// The nearest number with 10 bits after the leading one, as tensor cores read them.
__device__ __forceinline__ unsigned tf32(float value) {
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return bits;
}

// d += a * b, 16x8 and 8x8 to 16x8, by a warp. With `row = lane / 4` and `column = lane % 4` a lane
// holds of a: (row, column), (row + 8, column), (row, column + 4), (row + 8, column + 4); of b:
// (column, row), (column + 4, row); of d: (row, 2 column), (row, 2 column + 1), and those of
// row + 8.
__device__ __forceinline__ void mma_tf32(float (&d)[4], const unsigned (&a)[4],
                                         const unsigned (&b)[2]) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// 16 bytes from global to shared memory; no register waits for them.
__device__ __forceinline__ void copy_async16(void *shared, const void *global) {
    const unsigned address = (unsigned)__cvta_generic_to_shared(shared);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global)
                 : "memory");
}

// The same, or 16 bytes of zeros; the address is not looked at then.
__device__ __forceinline__ void copy_async16_or_zeros(void *shared, const void *global,
                                                      bool copied) {
    const unsigned address = (unsigned)__cvta_generic_to_shared(shared);
    const int bytes = copied ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global),
                 "r"(bytes)
                 : "memory");
}

// Ends a group of copies.
__device__ __forceinline__ void copy_async_commit() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

// Waits until at most the newest PENDING groups of this thread are not there yet.
template <int PENDING> __device__ __forceinline__ void copy_async_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// The same number. What is computed from it is not kept in registers over a loop around it.
__device__ __forceinline__ int computed_anew(int number) {
    asm volatile("" : "+r"(number));
    return number;
}

// Four times 8 rows of four words from shared memory. Lane `8 i + j` says where row j of the i-th
// eight is; every lane gets, of each eight, word `lane % 4` of row `lane / 4`. That is how
// `mma_tf32` wants its operands. (The instruction is of 16-bit matrices, Turing's; that it serves
// 32-bit words so is CUTLASS's idea.)
__device__ __forceinline__ void load_rows(unsigned (&words)[4], const float *row) {
    const unsigned address = (unsigned)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
}

// The same of two times 8 rows; lanes 0 to 15 say where.
__device__ __forceinline__ void load_rows(unsigned (&words)[2], const float *row) {
    const unsigned address = (unsigned)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(words[0]), "=r"(words[1])
                 : "r"(address)
                 : "memory");
}

#endif // __CUDA_ARCH__ >= 800

// For kernels that are launched with CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION, on
// compute capability 9.0 and up. Elsewhere, and without it, these do nothing.
//
// The next kernel's blocks may take the places that this one's leave, and do what they do before
// `previous_kernel_done`.
__device__ __forceinline__ void next_kernel_may_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Waits until the kernel before this one has ended and all it wrote can be read.
__device__ __forceinline__ void previous_kernel_done() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

#else // EMULATED

inline int computed_anew(int number) { return number; }
inline void next_kernel_may_start() {}
inline void previous_kernel_done() {}

// See above.
inline void copy_async16_or_zeros(void *shared, const void *global, bool copied) {
    if (copied) {
        copy_async16(shared, global);
    } else {
        *(float4 *)shared = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
}

// See above.
template <int EIGHTS> inline void load_rows(unsigned (&words)[EIGHTS], const float *row) {
    const int lane = threadIdx.x % 32;
    for (int i = 0; i < EIGHTS; i++) {
        const unsigned long long there =
            __shfl_sync(0xffffffffu, (unsigned long long)row, 8 * i + lane / 4);
        words[i] = __float_as_uint(((const float *)there)[lane % 4]);
    }
}

#endif // EMULATED
