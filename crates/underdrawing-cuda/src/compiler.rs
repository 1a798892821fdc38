//! Kernels from source to machine code, at run time, by NVRTC.

use std::ffi::{CStr, CString, c_int};
use std::ptr::{null, null_mut};

use cudarc::nvrtc::sys;

use crate::error::CudaError;

/// The compiler's version.
pub(crate) fn version() -> String {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: the places for the numbers are there.
    let _ = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    format!("{major}.{minor}")
}

/// Compiles CUDA C++ for a compute capability; what comes out is for `Card::load`.
///
/// A compiler that is older than the card gets it compiled for the newest card that it knows, for
/// the driver to finish.
pub(crate) fn compile(source: &str, (major, minor): (i32, i32)) -> Result<Vec<u8>, CudaError> {
    let target = format!("sm_{major}{minor}");
    match compile_for(source, &target) {
        Err(Refusal::UnknownTarget) => {
            let newest = newest_target();
            compile_for(source, &newest).map_err(|refusal| refusal.into_error(&newest))
        }
        compiled => compiled.map_err(|refusal| refusal.into_error(&target)),
    }
}

enum Refusal {
    UnknownTarget,
    Source(String),
}

impl Refusal {
    fn into_error(self, target: &str) -> CudaError {
        CudaError::Compilation {
            target: target.to_owned(),
            log: match self {
                Self::UnknownTarget => "the compiler does not know this kind of card".to_owned(),
                Self::Source(log) => log,
            },
        }
    }
}

/// The newest virtual card that the compiler knows.
fn newest_target() -> String {
    let mut n = 0;
    // SAFETY: the place for the number is there.
    let counted = unsafe { sys::nvrtcGetNumSupportedArchs(&raw mut n) };
    let mut known = vec![80; (n.max(1)) as usize];
    if counted == sys::nvrtcResult::NVRTC_SUCCESS && n > 0 {
        // SAFETY: there is room for as many as were counted.
        let _ = unsafe { sys::nvrtcGetSupportedArchs(known.as_mut_ptr()) };
    }
    format!("compute_{}", known.iter().max().unwrap_or(&80))
}

fn compile_for(source: &str, target: &str) -> Result<Vec<u8>, Refusal> {
    let text = |text: &str| CString::new(text).expect("sources have no zeros");
    let source = text(source);
    let name = text("underdrawing.cu");
    let options = [
        format!("--gpu-architecture={target}"),
        "--std=c++17".to_owned(),
        // What is not said to be for the card is for it all the same: functions without a name.
        "-default-device".to_owned(),
    ]
    .map(|option| text(&option));
    let options = options.each_ref().map(|option| option.as_ptr());
    let mut program = null_mut();
    // SAFETY: texts end with zeros and live until the program is destroyed; places for what comes
    // out have the sizes that the library told.
    unsafe {
        let created = sys::nvrtcCreateProgram(
            &raw mut program,
            source.as_ptr(),
            name.as_ptr(),
            0,
            null(),
            null(),
        );
        if created != sys::nvrtcResult::NVRTC_SUCCESS {
            return Err(Refusal::Source(reason(created)));
        }
        let compiled = sys::nvrtcCompileProgram(program, options.len() as c_int, options.as_ptr());
        let outcome = match compiled {
            sys::nvrtcResult::NVRTC_SUCCESS => image(program, target),
            sys::nvrtcResult::NVRTC_ERROR_INVALID_OPTION => Err(Refusal::UnknownTarget),
            _ => Err(Refusal::Source(log(program))),
        };
        let _ = sys::nvrtcDestroyProgram(&raw mut program);
        outcome
    }
}

/// Machine code, or text for the driver where the target is a virtual card.
///
/// # Safety
/// The program has been compiled.
unsafe fn image(program: sys::nvrtcProgram, target: &str) -> Result<Vec<u8>, Refusal> {
    let is_virtual = target.starts_with("compute");
    let mut len = 0;
    // SAFETY: the place for the length is there; the image gets as much room as that.
    unsafe {
        let asked = match is_virtual {
            true => sys::nvrtcGetPTXSize(program, &raw mut len),
            false => sys::nvrtcGetCUBINSize(program, &raw mut len),
        };
        if asked != sys::nvrtcResult::NVRTC_SUCCESS {
            return Err(Refusal::Source(reason(asked)));
        }
        let mut image = vec![0u8; len];
        let got = match is_virtual {
            true => sys::nvrtcGetPTX(program, image.as_mut_ptr().cast()),
            false => sys::nvrtcGetCUBIN(program, image.as_mut_ptr().cast()),
        };
        match got {
            sys::nvrtcResult::NVRTC_SUCCESS => Ok(image),
            _ => Err(Refusal::Source(reason(got))),
        }
    }
}

/// What the compiler said.
///
/// # Safety
/// The program is there.
unsafe fn log(program: sys::nvrtcProgram) -> String {
    let mut len = 0;
    // SAFETY: the place for the length is there; the log gets as much room as that.
    unsafe {
        let _ = sys::nvrtcGetProgramLogSize(program, &raw mut len);
        let mut log = vec![0u8; len + 1];
        let _ = sys::nvrtcGetProgramLog(program, log.as_mut_ptr().cast());
        let log = CStr::from_bytes_until_nul(&log).unwrap_or_default();
        log.to_string_lossy().trim().to_owned()
    }
}

fn reason(result: sys::nvrtcResult) -> String {
    // SAFETY: the library gives text of its own, which stays.
    let text = unsafe { CStr::from_ptr(sys::nvrtcGetErrorString(result)) };
    text.to_string_lossy().into_owned()
}
