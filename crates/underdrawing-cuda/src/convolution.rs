//! Convolutions of any size, by cuDNN's graph interface.
//!
//! For each shape cuDNN names the ways that it expects to be fast ("engine configurations"); each
//! is tried on the card and the fastest kept. Ways whose results differ from run to run are left
//! out, and without TF32 those that round their operands.

use std::collections::HashMap;
use std::ffi::{CStr, c_void};
use std::fmt;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use cudarc::cudnn::sys;
use sys::cudnnBackendAttributeName_t as Name;
use sys::cudnnBackendAttributeType_t as Type;
use sys::cudnnBackendDescriptorType_t as Kind;

use crate::card::Card;
use crate::error::CudaError;

/// Oldest cuDNN: the first with this interface throughout.
const OLDEST: usize = 90_000;

/// Ways that are tried for a shape.
const TRIED: usize = 10;

/// Runs of a way that are timed together.
const TIMED: usize = 3;

/// Most bytes of scratch memory that a way may want.
const WORKSPACE: i64 = 2 << 30;

/// What is computed of a convolution `y = w * x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wanted {
    /// `y` from `x` and `w`.
    Output,
    /// The gradient of `x` from that of `y` and `w`; or a transposed convolution.
    Input,
    /// The gradient of `w` from that of `y` and `x`.
    Weights,
}

/// The shape of a convolution: `x` `[n, height, width, c_in]`, `w` `[c_out, side, side, c_in]`,
/// `y` `[n, height_out, width_out, c_out]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) wanted: Wanted,
    pub(crate) n: usize,
    pub(crate) c_in: usize,
    pub(crate) c_out: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) side: usize,
    pub(crate) stride: usize,
    /// Zeros on each side.
    pub(crate) padding: usize,
}

impl Shape {
    pub(crate) fn height_out(&self) -> usize {
        (self.height + 2 * self.padding - self.side) / self.stride + 1
    }

    pub(crate) fn width_out(&self) -> usize {
        (self.width + 2 * self.padding - self.side) / self.stride + 1
    }

    /// Floats of `x`, `w`, `y`.
    fn lens(&self) -> [usize; 3] {
        [
            self.n * self.height * self.width * self.c_in,
            self.c_out * self.side * self.side * self.c_in,
            self.n * self.height_out() * self.width_out() * self.c_out,
        ]
    }
}

/// A convolution for the card to compute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Convolve {
    pub(crate) plan: usize,
    /// Addresses of `x`, `w`, `y`.
    pub(crate) tensors: [u64; 3],
    pub(crate) workspace: u64,
}

/// Prepared convolutions.
pub(crate) struct Convolutions {
    handle: sys::cudnnHandle_t,
    tf32: bool,
    by_shape: HashMap<Shape, usize>,
    plans: Vec<Plan>,
}

// SAFETY: cuDNN's handle may be used from any thread, by one at a time; it is behind a lock.
unsafe impl Send for Convolutions {}

impl fmt::Debug for Convolutions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.by_shape).finish()
    }
}

/// A way to compute a convolution.
struct Plan {
    descriptor: Descriptor,
    /// Bytes.
    workspace: usize,
}

impl Convolutions {
    pub(crate) fn open(card: &Card, tf32: bool) -> Result<Self, CudaError> {
        card.enter();
        // SAFETY: the library is loaded; places for what comes out are there; the queue lives as
        // long as the card, which outlives this.
        unsafe {
            let version = sys::cudnnGetVersion();
            if version < OLDEST {
                return Err(CudaError::TooOld {
                    library: "cuDNN",
                    expected: "9.0",
                    found: version.to_string(),
                });
            }
            let mut handle = null_mut();
            tried(sys::cudnnCreate(&raw mut handle), "start cuDNN")?;
            let queued = sys::cudnnSetStream(handle, card.stream().cast());
            tried(queued, "give cuDNN the queue")?;
            Ok(Self {
                handle,
                tf32,
                by_shape: HashMap::new(),
                plans: Vec::new(),
            })
        }
    }

    /// The plan for a shape, if it is prepared.
    pub(crate) fn plan(&self, shape: &Shape) -> Option<usize> {
        self.by_shape.get(shape).copied()
    }

    /// Bytes of scratch memory of a plan.
    pub(crate) fn workspace(&self, plan: usize) -> usize {
        self.plans[plan].workspace
    }

    /// Prepares a plan: tries ways on memory that `room` gives for so many bytes.
    pub(crate) fn prepare(
        &mut self,
        card: &Card,
        shape: Shape,
        mut room: impl FnMut(usize) -> u64,
    ) -> usize {
        let tensors = shape.lens().map(|len| room(len * size_of::<f32>()));
        let mut best: Option<(Duration, Plan)> = None;
        let plans = self.plans_for(&shape);
        assert!(!plans.is_empty(), "cuDNN knows no way to compute {shape:?}");
        let only = plans.len() == 1;
        for plan in plans {
            if only {
                best = Some((Duration::ZERO, plan));
                break;
            }
            let workspace = room(plan.workspace);
            // The first run loads code.
            self.execute(&plan, tensors, workspace);
            card.wait();
            let start = Instant::now();
            for _ in 0..TIMED {
                self.execute(&plan, tensors, workspace);
            }
            card.wait();
            let time = start.elapsed();
            if best.as_ref().is_none_or(|(best, _)| time < *best) {
                best = Some((time, plan));
            }
        }
        let (_, plan) = best.expect("there was a way");
        self.plans.push(plan);
        self.by_shape.insert(shape, self.plans.len() - 1);
        self.plans.len() - 1
    }

    /// Puts a convolution into the queue.
    pub(crate) fn run(&self, convolve: &Convolve) {
        let plan = &self.plans[convolve.plan];
        self.execute(plan, convolve.tensors, convolve.workspace);
    }

    fn execute(&self, plan: &Plan, tensors: [u64; 3], workspace: u64) {
        let mut pack = Descriptor::new(Kind::CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
        pack.pointers(Name::CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, &tensors);
        pack.integers(Name::CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &UIDS);
        pack.pointers(Name::CUDNN_ATTR_VARIANT_PACK_WORKSPACE, &[workspace]);
        done(pack.finalize(), "take a convolution's tensors");
        // SAFETY: plan and pack are finished; the tensors have the sizes that the plan is for.
        let result = unsafe { sys::cudnnBackendExecute(self.handle, plan.descriptor.0, pack.0) };
        done(result, "convolve");
    }

    /// Ways to compute a shape, the one expected to be fastest first.
    fn plans_for(&self, shape: &Shape) -> Vec<Plan> {
        let graph = self.graph(shape);
        let modes = [
            sys::cudnnBackendHeurMode_t::CUDNN_HEUR_MODE_A,
            sys::cudnnBackendHeurMode_t::CUDNN_HEUR_MODE_FALLBACK,
        ];
        for mode in modes {
            let configurations = configurations(&graph, mode);
            let allowed = configurations.into_iter().filter(|of| self.allows(of));
            let plans = allowed.filter_map(|configuration| self.finished(&configuration));
            let plans: Vec<Plan> = plans.take(TRIED).collect();
            if !plans.is_empty() {
                return plans;
            }
        }
        Vec::new()
    }

    /// Whether a way gives the same result each time, as exactly as asked.
    fn allows(&self, configuration: &Descriptor) -> bool {
        use sys::cudnnBackendNumericalNote_t as Note;
        let engine = Descriptor::new(Kind::CUDNN_BACKEND_ENGINE_DESCRIPTOR);
        configuration.descriptors_of(Name::CUDNN_ATTR_ENGINECFG_ENGINE, &[engine.0]);
        let notes = engine.notes();
        let has = |note: Note| notes.contains(&(note as u32));
        let rounds = [
            Note::CUDNN_NUMERICAL_NOTE_TENSOR_CORE,
            Note::CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS,
            Note::CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION,
        ];
        let exact_enough = self.tf32 || !rounds.into_iter().any(has);
        exact_enough && !has(Note::CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
    }

    /// The plan of a way, if the card can do it.
    fn finished(&self, configuration: &Descriptor) -> Option<Plan> {
        let mut descriptor = Descriptor::new(Kind::CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
        descriptor.handle(Name::CUDNN_ATTR_EXECUTION_PLAN_HANDLE, self.handle);
        let name = Name::CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG;
        descriptor.descriptors(name, &[configuration]);
        if descriptor.finalize() != sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS {
            return None;
        }
        let workspace = descriptor.integer_of(Name::CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
        (workspace <= WORKSPACE).then_some(Plan {
            descriptor,
            workspace: workspace as usize,
        })
    }

    /// A graph of one operation.
    fn graph(&self, shape: &Shape) -> Descriptor {
        let Shape {
            n,
            c_in,
            c_out,
            side,
            ..
        } = *shape;
        let x = tensor(UIDS[0], [n, c_in, shape.height, shape.width]);
        let w = tensor(UIDS[1], [c_out, c_in, side, side]);
        let y = tensor(UIDS[2], [n, c_out, shape.height_out(), shape.width_out()]);
        let mut convolution = Descriptor::new(Kind::CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
        convolution.data_type(Name::CUDNN_ATTR_CONVOLUTION_COMP_TYPE);
        convolution.cross_correlation();
        convolution.integers(Name::CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, &[2]);
        let pairs = [
            (Name::CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, shape.padding),
            (Name::CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, shape.padding),
            (Name::CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, shape.stride),
            (Name::CUDNN_ATTR_CONVOLUTION_DILATIONS, 1),
        ];
        for (name, value) in pairs {
            convolution.integers(name, &[value as i64; 2]);
        }
        done(convolution.finalize(), "describe a convolution");
        let (kind, names) = match shape.wanted {
            Wanted::Output => (
                Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                [
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                ],
            ),
            Wanted::Input => (
                Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                [
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                ],
            ),
            Wanted::Weights => (
                Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                [
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                    Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                ],
            ),
        };
        let [of, x_name, w_name, y_name, alpha, beta] = names;
        let mut operation = Descriptor::new(kind);
        operation.descriptors(of, &[&convolution]);
        operation.descriptors(x_name, &[&x]);
        operation.descriptors(w_name, &[&w]);
        operation.descriptors(y_name, &[&y]);
        operation.float(alpha, 1.0);
        operation.float(beta, 0.0);
        done(operation.finalize(), "describe a convolution");
        let mut graph = Descriptor::new(Kind::CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
        graph.handle(Name::CUDNN_ATTR_OPERATIONGRAPH_HANDLE, self.handle);
        graph.descriptors(Name::CUDNN_ATTR_OPERATIONGRAPH_OPS, &[&operation]);
        done(graph.finalize(), "describe a convolution");
        graph
    }
}

/// Names of `x`, `w`, `y` within a graph.
const UIDS: [i64; 3] = [1, 2, 3];

/// Channels last; `extents` are pictures, channels, rows, columns.
fn tensor(uid: i64, extents: [usize; 4]) -> Descriptor {
    let [n, c, h, w] = extents.map(|extent| extent as i64);
    let mut tensor = Descriptor::new(Kind::CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    tensor.integers(Name::CUDNN_ATTR_TENSOR_UNIQUE_ID, &[uid]);
    tensor.data_type(Name::CUDNN_ATTR_TENSOR_DATA_TYPE);
    tensor.integers(Name::CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, &[16]);
    tensor.integers(Name::CUDNN_ATTR_TENSOR_DIMENSIONS, &[n, c, h, w]);
    tensor.integers(Name::CUDNN_ATTR_TENSOR_STRIDES, &[c * h * w, 1, c * w, c]);
    done(tensor.finalize(), "describe a tensor");
    tensor
}

/// Ways that cuDNN names for a graph.
fn configurations(graph: &Descriptor, mode: sys::cudnnBackendHeurMode_t) -> Vec<Descriptor> {
    let mut guess = Descriptor::new(Kind::CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    guess.descriptors(Name::CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, &[graph]);
    guess.mode(Name::CUDNN_ATTR_ENGINEHEUR_MODE, mode);
    if guess.finalize() != sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS {
        return Vec::new();
    }
    let name = Name::CUDNN_ATTR_ENGINEHEUR_RESULTS;
    // None is an error to some versions.
    let n = guess.descriptors_of(name, &[]);
    let mut found: Vec<Descriptor> = (0..n)
        .map(|_| Descriptor::new(Kind::CUDNN_BACKEND_ENGINECFG_DESCRIPTOR))
        .collect();
    let places: Vec<_> = found.iter().map(|descriptor| descriptor.0).collect();
    let n = guess.descriptors_of(name, &places);
    found.truncate(n);
    found
}

/// What cuDNN builds everything of.
struct Descriptor(sys::cudnnBackendDescriptor_t);

impl Descriptor {
    fn new(kind: Kind) -> Self {
        let mut descriptor = null_mut();
        // SAFETY: the place for the descriptor is there.
        let result = unsafe { sys::cudnnBackendCreateDescriptor(kind, &raw mut descriptor) };
        done(result, "make a description");
        Self(descriptor)
    }

    /// Sets an attribute; `T` is what the library expects for `kind`.
    fn set<T>(&mut self, name: Name, kind: Type, values: &[T]) {
        // SAFETY: there are as many values as are said, of the type that is said.
        let result = unsafe {
            let values_at: *const c_void = values.as_ptr().cast();
            sys::cudnnBackendSetAttribute(self.0, name, kind, values.len() as i64, values_at)
        };
        done(result, "take an attribute");
    }

    fn integers(&mut self, name: Name, values: &[i64]) {
        self.set(name, Type::CUDNN_TYPE_INT64, values);
    }

    fn pointers(&mut self, name: Name, values: &[u64]) {
        self.set(name, Type::CUDNN_TYPE_VOID_PTR, values);
    }

    fn float(&mut self, name: Name, value: f32) {
        self.set(name, Type::CUDNN_TYPE_FLOAT, &[value]);
    }

    fn data_type(&mut self, name: Name) {
        let single = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        self.set(name, Type::CUDNN_TYPE_DATA_TYPE, &[single]);
    }

    fn cross_correlation(&mut self) {
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let name = Name::CUDNN_ATTR_CONVOLUTION_CONV_MODE;
        self.set(name, Type::CUDNN_TYPE_CONVOLUTION_MODE, &[mode]);
    }

    fn handle(&mut self, name: Name, handle: sys::cudnnHandle_t) {
        self.set(name, Type::CUDNN_TYPE_HANDLE, &[handle]);
    }

    fn mode(&mut self, name: Name, mode: sys::cudnnBackendHeurMode_t) {
        self.set(name, Type::CUDNN_TYPE_HEUR_MODE, &[mode]);
    }

    fn descriptors(&mut self, name: Name, of: &[&Self]) {
        let of: Vec<_> = of.iter().map(|descriptor| descriptor.0).collect();
        self.set(name, Type::CUDNN_TYPE_BACKEND_DESCRIPTOR, &of);
    }

    fn finalize(&mut self) -> sys::cudnnStatus_t {
        // SAFETY: the descriptor is there.
        unsafe { sys::cudnnBackendFinalize(self.0) }
    }

    /// Fills descriptors with those of an attribute; how many there are.
    fn descriptors_of(&self, name: Name, places: &[sys::cudnnBackendDescriptor_t]) -> usize {
        let mut n = 0;
        let kind = Type::CUDNN_TYPE_BACKEND_DESCRIPTOR;
        let mut places = places.to_vec();
        // SAFETY: there are as many descriptors to fill as are said.
        let result = unsafe {
            let at = match places.is_empty() {
                true => null_mut(),
                false => places.as_mut_ptr().cast(),
            };
            let asked = places.len() as i64;
            sys::cudnnBackendGetAttribute(self.0, name, kind, asked, &raw mut n, at)
        };
        if result == sys::cudnnStatus_t::CUDNN_STATUS_NOT_SUPPORTED {
            return 0;
        }
        done(result, "name ways to convolve");
        match places.len() {
            0 => n as usize,
            asked => asked.min(n as usize),
        }
    }

    fn integer_of(&self, name: Name) -> i64 {
        let (mut n, mut value) = (0, 0i64);
        let kind = Type::CUDNN_TYPE_INT64;
        // SAFETY: the place for one number is there.
        let result = unsafe {
            let at = (&raw mut value).cast();
            sys::cudnnBackendGetAttribute(self.0, name, kind, 1, &raw mut n, at)
        };
        done(result, "describe a way to convolve");
        value
    }

    /// What is to be known of an engine's arithmetic.
    fn notes(&self) -> Vec<u32> {
        const MOST: usize = 64;
        let mut n = 0;
        // As numbers: newer libraries may know more notes.
        let mut notes = vec![u32::MAX; MOST];
        let kind = Type::CUDNN_TYPE_NUMERICAL_NOTE;
        let name = Name::CUDNN_ATTR_ENGINE_NUMERICAL_NOTE;
        // SAFETY: there is room for as many notes as are said.
        let result = unsafe {
            let at = notes.as_mut_ptr().cast();
            sys::cudnnBackendGetAttribute(self.0, name, kind, MOST as i64, &raw mut n, at)
        };
        done(result, "describe a way to convolve");
        notes.truncate(n.clamp(0, MOST as i64) as usize);
        notes
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: nobody else has the descriptor.
        let _ = unsafe { sys::cudnnBackendDestroyDescriptor(self.0) };
    }
}

/// What the library says of a result.
fn reason(status: sys::cudnnStatus_t) -> String {
    let mut message = [0; 512];
    // SAFETY: the library gives text of its own, which stays, and writes no more than there is room.
    unsafe {
        sys::cudnnGetLastErrorString(message.as_mut_ptr(), message.len());
        let kind = CStr::from_ptr(sys::cudnnGetErrorString(status)).to_string_lossy();
        let message = CStr::from_ptr(message.as_ptr()).to_string_lossy();
        format!("{kind}, {}", message.trim())
    }
}

fn tried(status: sys::cudnnStatus_t, what: &'static str) -> Result<(), CudaError> {
    match status {
        sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS => Ok(()),
        _ => Err(CudaError::Driver {
            what,
            reason: reason(status),
        }),
    }
}

/// Panics on what can only fail with the card itself.
#[track_caller]
fn done(status: sys::cudnnStatus_t, what: &str) {
    assert!(
        status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS,
        "cuDNN failed to {what}: {}",
        reason(status)
    );
}
