//! How the process deals with memory that is free again.

/// Makes the C library's allocator keep what is freed, to hand it out again, for the rest of the
/// process. A training step frees and asks for the same hundreds of megabytes over and over, and
/// the system takes a fifth of the step's time to take them back and to hand out zeroed ones.
/// Nothing happens where there is another allocator.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// `M_TRIM_THRESHOLD`: bytes free at the end of the heap above which they are given back.
        const TRIM_THRESHOLD: i32 = -1;
        /// `M_MMAP_MAX`: most blocks that lie outside of the heap.
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
