//! Values of parameters on a card.

use std::sync::Arc;

use crate::device::Memory;

/// Values on a card.
#[derive(Debug)]
pub struct CudaBuffer {
    pub(crate) memory: Arc<Memory>,
    pub(crate) shape: Vec<usize>,
}

impl CudaBuffer {
    pub(crate) fn new(memory: impl Into<Arc<Memory>>, shape: &[usize]) -> Self {
        Self {
            memory: memory.into(),
            shape: shape.to_vec(),
        }
    }
}
