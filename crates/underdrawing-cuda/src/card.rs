//! The card: everything that is asked of its driver.
//!
//! The calls are grouped so that what is unsafe in them stays here and in
//! [`convolution`](crate::convolution). Addresses are numbers; whoever has one from [`Card::allocate`]
//! may use it until the card is gone.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::{null, null_mut};

use cudarc::driver::sys;

use crate::error::CudaError;
use crate::libraries;

/// Oldest driver: of CUDA 12.0.
const OLDEST_DRIVER: i32 = 12_000;

/// A card with one queue of work.
#[derive(Debug)]
pub(crate) struct Card {
    context: sys::CUcontext,
    stream: sys::CUstream,
    pub(crate) name: String,
    /// Major and minor compute capability.
    pub(crate) capability: (i32, i32),
    /// Multiprocessors.
    pub(crate) processors: usize,
    /// Most bytes of shared memory that a block can have.
    pub(crate) shared_memory: usize,
    /// Bytes of shared memory that the blocks of a multiprocessor have together.
    pub(crate) all_shared_memory: usize,
}

// SAFETY: a context and its queue may be used from every thread in which the context is current;
// `Card::enter` makes it so.
unsafe impl Send for Card {}
// SAFETY: as above; the driver's calls lock what they need.
unsafe impl Sync for Card {}

/// A kernel on the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Function(sys::CUfunction);

// SAFETY: a function is a number to the driver, valid until its module is unloaded, which never
// happens.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

/// A point in the card's queue.
#[derive(Debug)]
pub(crate) struct Event(sys::CUevent);

// SAFETY: events may be used from every thread in which the context is current.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

/// Work that was recorded, to run again.
#[derive(Debug)]
pub(crate) struct Graph(sys::CUgraphExec);

// SAFETY: a graph is launched under the lock of its queue.
unsafe impl Send for Graph {}

/// Memory of the host that the card copies from and to by itself.
#[derive(Debug)]
pub(crate) struct Pinned {
    address: *mut c_void,
    /// In floats.
    pub(crate) len: usize,
}

// SAFETY: plain memory with one owner.
unsafe impl Send for Pinned {}
// SAFETY: shared access only reads.
unsafe impl Sync for Pinned {}

impl Card {
    /// The first card that the driver knows.
    pub(crate) fn open() -> Result<Self, CudaError> {
        libraries::load()?;
        // SAFETY: every call gets places for what it returns; the library is loaded.
        unsafe {
            let started = sys::cuInit(0);
            if started == sys::CUresult::CUDA_ERROR_NO_DEVICE {
                return Err(CudaError::NoCard);
            }
            tried(started, "start")?;
            let mut version = 0;
            tried(
                sys::cuDriverGetVersion(&raw mut version),
                "tell its version",
            )?;
            if version < OLDEST_DRIVER {
                return Err(CudaError::TooOld {
                    library: "a driver for CUDA",
                    expected: "12.0",
                    found: format!("{}.{}", version / 1000, version % 1000 / 10),
                });
            }
            let mut n = 0;
            tried(sys::cuDeviceGetCount(&raw mut n), "count cards")?;
            if n == 0 {
                return Err(CudaError::NoCard);
            }
            let mut device = 0;
            tried(sys::cuDeviceGet(&raw mut device, 0), "find a card")?;
            let mut name = [0; 128];
            let len = name.len() as c_int;
            tried(
                sys::cuDeviceGetName(name.as_mut_ptr(), len, device),
                "name a card",
            )?;
            let attribute = |attribute| {
                let mut value = 0;
                let asked = sys::cuDeviceGetAttribute(&raw mut value, attribute, device);
                tried(asked, "describe a card").map(|()| value)
            };
            use sys::CUdevice_attribute_enum as Attribute;
            let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
            let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
            let processors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
            let shared =
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
            let all_shared =
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)?;
            let name = CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned();
            if major < 7 {
                let found = format!("{major}.{minor}");
                return Err(CudaError::OldCard { name, found });
            }
            let mut context = null_mut();
            let retained = sys::cuDevicePrimaryCtxRetain(&raw mut context, device);
            tried(retained, "make a context")?;
            tried(sys::cuCtxSetCurrent(context), "use its context")?;
            let mut stream = null_mut();
            const NON_BLOCKING: u32 = 1;
            let created = sys::cuStreamCreate(&raw mut stream, NON_BLOCKING);
            tried(created, "make a queue")?;
            Ok(Self {
                context,
                stream,
                name,
                capability: (major, minor),
                processors: processors as usize,
                shared_memory: shared as usize,
                all_shared_memory: all_shared as usize,
            })
        }
    }

    /// Makes the card the one that this thread's calls are for.
    pub(crate) fn enter(&self) {
        // SAFETY: the context lives as long as the card.
        done(
            unsafe { sys::cuCtxSetCurrent(self.context) },
            "use its context",
        );
    }

    /// The queue, for libraries that put work into it.
    pub(crate) fn stream(&self) -> sys::CUstream {
        self.stream
    }

    /// New memory; none where there is not enough.
    pub(crate) fn allocate(&self, bytes: u64) -> Option<u64> {
        let mut address = 0;
        // SAFETY: the place for the address is there.
        let result = unsafe { sys::cuMemAlloc_v2(&raw mut address, bytes as usize) };
        if result == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            return None;
        }
        done(result, "give memory");
        Some(address)
    }

    /// Free and all bytes.
    pub(crate) fn memory(&self) -> (usize, usize) {
        let (mut free, mut total) = (0, 0);
        // SAFETY: the places for the numbers are there.
        let result = unsafe { sys::cuMemGetInfo_v2(&raw mut free, &raw mut total) };
        done(result, "tell its memory");
        (free, total)
    }

    /// Memory of the host for `len` floats, all zero bytes or not.
    pub(crate) fn pinned(&self, len: usize) -> Pinned {
        let mut address = null_mut();
        let bytes = len.max(1) * size_of::<f32>();
        // SAFETY: the place for the address is there.
        let result = unsafe { sys::cuMemAllocHost_v2(&raw mut address, bytes) };
        done(result, "lock memory of the host");
        // SAFETY: the memory is there and has that size.
        unsafe { address.cast::<u8>().write_bytes(0, bytes) };
        Pinned { address, len }
    }

    /// Copies the first `len` floats to the card, when all before is done.
    pub(crate) fn copy_in(&self, from: &Pinned, to: u64, len: usize) {
        assert!(len <= from.len, "{len} of {} floats", from.len);
        let bytes = len * size_of::<f32>();
        // SAFETY: the host's memory holds as many, and stays as it is until an event that is
        // recorded after this has come.
        let result = unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.address, bytes, self.stream) };
        done(result, "copy to it");
    }

    /// Copies `len` floats from the card, when all before is done.
    pub(crate) fn copy_out(&self, from: u64, to: &mut Pinned, len: usize) {
        assert!(len <= to.len, "{len} of {} floats", to.len);
        let bytes = len * size_of::<f32>();
        // SAFETY: the host's memory has room for as many; it is read after an event that is
        // recorded after this.
        let result = unsafe { sys::cuMemcpyDtoHAsync_v2(to.address, from, bytes, self.stream) };
        done(result, "copy from it");
    }

    /// Zeros.
    pub(crate) fn clear(&self, to: u64, len: usize) {
        // SAFETY: as above.
        done(
            unsafe { sys::cuMemsetD32Async(to, 0, len, self.stream) },
            "clear memory",
        );
    }

    /// Starts a kernel with its arguments, one of 8 bytes or the lower half of it each. An `early`
    /// kernel waits by itself for what comes before it, and may start while that ends.
    pub(crate) fn launch(
        &self,
        function: Function,
        grid: [u32; 3],
        block: u32,
        shared: u32,
        early: bool,
        arguments: &[u64],
    ) {
        let arguments = arguments
            .iter()
            .map(|a| (a as *const u64).cast_mut().cast());
        let mut arguments: Vec<*mut c_void> = arguments.collect();
        let [x, y, z] = grid;
        use sys::CUlaunchAttributeID_enum::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
        let mut attribute = sys::CUlaunchAttribute {
            id: CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
            pad: [0; 4],
            value: sys::CUlaunchAttributeValue { pad: [0; 64] },
        };
        attribute.value.programmaticStreamSerializationAllowed = 1;
        let config = sys::CUlaunchConfig {
            gridDimX: x,
            gridDimY: y,
            gridDimZ: z,
            blockDimX: block,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: shared,
            hStream: self.stream,
            attrs: &raw mut attribute,
            numAttrs: (early && self.capability.0 >= 9).into(),
        };
        // SAFETY: there are as many arguments as the kernel has (`Launch::new` checks), and the
        // driver copies them and the attribute.
        let result = unsafe {
            let arguments = arguments.as_mut_ptr();
            sys::cuLaunchKernelEx(&raw const config, function.0, arguments, null_mut())
        };
        done(result, "start a kernel");
    }

    /// Blocks of a kernel that a multiprocessor runs at the same time.
    pub(crate) fn blocks_at_once(&self, function: Function, block: usize, shared: usize) -> usize {
        let mut blocks = 0;
        // SAFETY: the place for the number is there.
        let result = unsafe {
            sys::cuOccupancyMaxActiveBlocksPerMultiprocessor(
                &raw mut blocks,
                function.0,
                block as c_int,
                shared,
            )
        };
        done(result, "tell how many blocks it runs at the same time");
        blocks.max(0) as usize
    }

    /// Loads compiled kernels.
    pub(crate) fn load(&self, image: &[u8]) -> Result<Module, CudaError> {
        let mut module = null_mut();
        // SAFETY: the image is whole, and ends with a zero where it is text.
        let loaded = unsafe { sys::cuModuleLoadData(&raw mut module, image.as_ptr().cast()) };
        tried(loaded, "load the kernels")?;
        Ok(Module(module))
    }

    /// Waits until all is done.
    pub(crate) fn wait(&self) {
        // SAFETY: the queue lives as long as the card.
        done(unsafe { sys::cuStreamSynchronize(self.stream) }, "finish");
    }

    /// A point that is passed when all is done that was asked for so far.
    pub(crate) fn mark(&self) -> Event {
        const WITHOUT_TIME: u32 = 2;
        let mut event = null_mut();
        // SAFETY: the place for the event is there.
        done(
            unsafe { sys::cuEventCreate(&raw mut event, WITHOUT_TIME) },
            "make an event",
        );
        let event = Event(event);
        self.mark_again(&event);
        event
    }

    /// Moves a point here.
    pub(crate) fn mark_again(&self, event: &Event) {
        // SAFETY: the event was made by this card.
        done(
            unsafe { sys::cuEventRecord(event.0, self.stream) },
            "mark a point",
        );
    }

    /// Records what `work` asks for instead of doing it.
    pub(crate) fn record(&self, work: impl FnOnce()) -> Graph {
        use sys::CUstreamCaptureMode_enum::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL as THREAD_LOCAL;
        // SAFETY: the queue is captured until the end of this function; places for what comes out
        // are there.
        unsafe {
            done(
                sys::cuStreamBeginCapture_v2(self.stream, THREAD_LOCAL),
                "record",
            );
            work();
            let mut graph = null_mut();
            done(
                sys::cuStreamEndCapture(self.stream, &raw mut graph),
                "record",
            );
            let mut executable = null_mut();
            done(
                sys::cuGraphInstantiateWithFlags(&raw mut executable, graph, 0),
                "prepare what was recorded",
            );
            done(sys::cuGraphDestroy(graph), "drop what was recorded");
            Graph(executable)
        }
    }

    /// Does what was recorded.
    pub(crate) fn replay(&self, graph: &Graph) {
        // SAFETY: the graph was made for this queue.
        done(
            unsafe { sys::cuGraphLaunch(graph.0, self.stream) },
            "start what was recorded",
        );
    }
}

/// Compiled kernels on the card, never unloaded.
#[derive(Debug)]
pub(crate) struct Module(sys::CUmodule);

impl Module {
    /// The kernel of a name, allowed `shared` bytes of shared memory.
    pub(crate) fn function(&self, name: &str, shared: usize) -> Result<Function, CudaError> {
        use sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES as MOST;
        let name = CString::new(name).expect("names of kernels have no zeros");
        let mut function = null_mut();
        // SAFETY: the place for the function is there, and the name ends with a zero.
        unsafe {
            let found = sys::cuModuleGetFunction(&raw mut function, self.0, name.as_ptr());
            tried(found, "find a kernel")?;
            if shared > 48 << 10 {
                let allowed = sys::cuFuncSetAttribute(function, MOST, shared as c_int);
                tried(allowed, "give a kernel shared memory")?;
            }
        }
        Ok(Function(function))
    }
}

impl Event {
    /// Whether it has been passed.
    pub(crate) fn is_passed(&self) -> bool {
        // SAFETY: the event was made by the card.
        let result = unsafe { sys::cuEventQuery(self.0) };
        if result == sys::CUresult::CUDA_ERROR_NOT_READY {
            return false;
        }
        done(result, "finish");
        true
    }

    /// Waits until it is passed.
    pub(crate) fn wait(&self) {
        // SAFETY: as above.
        done(unsafe { sys::cuEventSynchronize(self.0) }, "finish");
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: nobody else has the event. Errors at the end of a program do not matter.
        let _ = unsafe { sys::cuEventDestroy_v2(self.0) };
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: nobody else has the graph; the driver waits for a launch that is under way.
        let _ = unsafe { sys::cuGraphExecDestroy(self.0) };
    }
}

impl Pinned {
    /// What is there.
    pub(crate) fn values(&self) -> &[f32] {
        // SAFETY: the memory holds as many floats; whoever let the card write there has waited.
        unsafe { std::slice::from_raw_parts(self.address.cast(), self.len) }
    }

    /// To write to.
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and this is the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.address.cast(), self.len) }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: nobody else has the memory.
        let _ = unsafe { sys::cuMemFreeHost(self.address) };
    }
}

/// What the driver says of a result.
fn reason(result: sys::CUresult) -> String {
    let mut name = null();
    let mut text = null();
    // SAFETY: the driver gives text of its own, which stays, or leaves the places as they are.
    unsafe {
        let _ = sys::cuGetErrorName(result, &raw mut name);
        let _ = sys::cuGetErrorString(result, &raw mut text);
        let words = [name, text].map(|text| match text.is_null() {
            true => "unknown".to_owned(),
            false => CStr::from_ptr(text).to_string_lossy().into_owned(),
        });
        words.join(", ")
    }
}

fn tried(result: sys::CUresult, what: &'static str) -> Result<(), CudaError> {
    match result {
        sys::CUresult::CUDA_SUCCESS => Ok(()),
        _ => Err(CudaError::Driver {
            what,
            reason: reason(result),
        }),
    }
}

/// Panics on what can only fail with the card itself.
#[track_caller]
pub(crate) fn done(result: sys::CUresult, what: &str) {
    assert!(
        result == sys::CUresult::CUDA_SUCCESS,
        "the card failed to {what}: {}",
        reason(result)
    );
}
