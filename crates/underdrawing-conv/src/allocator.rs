//! Settings of the memory allocator.

/// Makes the C library's allocator keep freed memory for later allocations, for the rest of the
/// process. A training step frees and allocates the same hundreds of megabytes over and over;
/// returning them to the system and getting zeroed pages back takes a fifth of its time. Does
/// nothing with other allocators than glibc's.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// `M_TRIM_THRESHOLD`: number of free bytes at the end of the heap above which they are
        /// returned.
        const TRIM_THRESHOLD: i32 = -1;
        /// `M_MMAP_MAX`: maximum number of blocks outside of the heap.
        const MMAP_MAX: i32 = -4;
        unsafe extern "C" {
            fn mallopt(parameter: i32, value: i32) -> i32;
        }
        // SAFETY: the declaration is glibc's, which takes a lock of its own; -1 as a threshold is
        // the largest number of bytes.
        unsafe {
            mallopt(MMAP_MAX, 0);
            mallopt(TRIM_THRESHOLD, -1);
        }
    }
}
