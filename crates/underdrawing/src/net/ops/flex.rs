//! Tensors of burn's CPU backend as slices, and loops over them on all threads.

use burn::backend::TensorMetadata;
use burn::backend::flex::{FlexTensor, Layout};
use burn::prelude::Shape;
use burn::tensor::{Bytes, DType};
use rayon::prelude::*;

/// Values that a thread takes at a time in element-wise loops.
pub(super) const CHUNK: usize = 1 << 14;

/// The tensor with its values in order and without gaps.
pub(super) fn contiguous(t: FlexTensor) -> FlexTensor {
    if t.as_slice::<f32>().is_some() {
        t
    } else {
        t.to_contiguous()
    }
}

/// Values of a contiguous tensor.
pub(super) fn floats(t: &FlexTensor) -> &[f32] {
    t.as_slice()
        .expect("networks compute in f32 on contiguous tensors")
}

/// Values of a contiguous tensor that nobody else holds and that has its memory to itself.
pub(super) fn unshared(t: &mut FlexTensor) -> Option<&mut [f32]> {
    let n = t.layout().num_elements();
    t.try_storage_mut::<f32>()
        .filter(|values| values.len() == n)
}

pub(super) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape.into()),
        DType::F32,
    )
}

/// The same for a shape of any rank.
#[cfg(feature = "autodiff")]
pub(super) fn tensor_of(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(Shape::from(shape.to_vec())),
        DType::F32,
    )
}

pub(super) fn dims<const D: usize>(t: &FlexTensor) -> [usize; D] {
    t.shape().dims()
}

/// `f` of each pair of values; in the memory of `a` where nobody else holds it.
pub(super) fn zip(a: FlexTensor, b: &FlexTensor, f: impl Fn(f32, f32) -> f32 + Sync) -> FlexTensor {
    let mut a = contiguous(a);
    let b = floats(b).par_chunks(CHUNK);
    if let Some(values) = unshared(&mut a) {
        values.par_chunks_mut(CHUNK).zip(b).for_each(|(a, b)| {
            for (a, b) in a.iter_mut().zip(b) {
                *a = f(*a, *b);
            }
        });
        return a;
    }
    let shape: [usize; 4] = dims(&a);
    let mut y = vec![0.0; floats(&a).len()];
    let inputs = floats(&a).par_chunks(CHUNK).zip(b);
    let outputs = y.par_chunks_mut(CHUNK);
    outputs.zip(inputs).for_each(|(y, (a, b))| {
        for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
            *y = f(*a, *b);
        }
    });
    tensor(y, shape)
}

/// `f` of each value; in the tensor's memory where nobody else holds it.
pub(super) fn map(t: FlexTensor, f: impl Fn(f32) -> f32 + Sync) -> FlexTensor {
    let mut t = contiguous(t);
    if unshared(&mut t).is_none() {
        t = tensor(floats(&t).to_vec(), dims::<4>(&t));
    }
    let values = unshared(&mut t).expect("nobody else holds a tensor made here");
    values.par_chunks_mut(CHUNK).for_each(|values| {
        for v in values {
            *v = f(*v);
        }
    });
    t
}

/// The sum of `f` of each value: in single precision over short runs, which vectorise, and in
/// double precision over those.
pub(super) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for run in values.chunks(512) {
        let mut lanes = [0.0; 16];
        let (whole, rest) = run.as_chunks::<16>();
        for values in whole {
            for (lane, v) in lanes.iter_mut().zip(values) {
                *lane += f(*v);
            }
        }
        let lanes = lanes.iter().sum::<f32>();
        total += f64::from(lanes + rest.iter().map(|v| f(*v)).sum::<f32>());
    }
    total
}
