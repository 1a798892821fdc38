//! Memory of tensors that goes round: a training step, and a tile of a picture, ask for the same
//! lengths over and over. The system takes a fifth of a step's time to take hundreds of megabytes
//! back and to hand out zeroed ones.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::elementwise::CHUNK;
use crate::param::Param;

/// Memory that is free, by its length.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<BTreeMap<usize, Vec<Vec<f32>>>>);

impl Pool {
    /// Memory for `len` values. What they are is left from earlier uses.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = free.get_mut(&len).and_then(Vec::pop);
        Buffer {
            values: values.unwrap_or_else(|| vec![0.0; len]),
            pool: Some(self.clone()),
        }
    }

    /// Gives all free memory back to the system.
    pub(super) fn clear(&self) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.clear();
    }

    fn put(&self, values: Vec<f32>) {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.entry(values.len()).or_default().push(values);
    }
}

/// Values of a tensor. Their memory returns to the pool that it is from.
#[derive(Debug)]
pub struct Buffer {
    values: Vec<f32>,
    pool: Option<Arc<Pool>>,
}

impl Buffer {
    /// The values of parameters as networks use them.
    pub(super) fn of_params(params: &[Param]) -> Vec<Arc<Self>> {
        let values = params.iter().map(|param| param.masked_values().into());
        values.map(Arc::new).collect()
    }

    /// A copy of other values.
    pub(super) fn copy_of(values: &[f32], pool: &Arc<Pool>) -> Self {
        let mut copy = pool.take(values.len());
        let chunks = copy.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
        chunks.for_each(|(to, from)| to.copy_from_slice(from));
        copy
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(values: Vec<f32>) -> Self {
        Self { values, pool: None }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.put(std::mem::take(&mut self.values));
        }
    }
}
