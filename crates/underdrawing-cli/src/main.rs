//! The program: its command line is in the library beside it.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    keep_memory();
    ExitCode::from(underdrawing_cli::main(env::args_os()))
}

/// Memory that was freed is kept for the next picture, not given back to the system, which clears
/// every page anew: that is a tenth of the time of hiding a megapixel. Only the bounds of what is
/// kept are set, which glibc otherwise raises step by step.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the allocator's settings are C functions")]
fn keep_memory() {
    /// Allocations up to this size are reused; the largest that glibc takes.
    const REUSED_BYTES: libc::c_int = 32 << 20;
    /// Free memory at the heap's end beyond this is given back.
    const FREE_BYTES: libc::c_int = 128 << 20;
    // SAFETY: no other thread runs yet, and both settings are numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, REUSED_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, FREE_BYTES);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_memory() {}
