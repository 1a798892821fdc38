//! The networks of underdrawing: floats in and out.
//!
//! A network is written once, over the operations of [`Tensor`], and runs in three ways: computed
//! at once, by plans and fused passes where there are any ([`CpuRunner`]); recorded, with gradients
//! ([`CpuEngine`]); or on a graphics card, for which another crate implements [`Runner`] and
//! [`Engine`]. Layers hold numbers of parameters; the parameters are a flat list beside them, so
//! that files, optimisers and cards need not know how a network is built.
//!
//! ```
//! use underdrawing_net::{Architecture, CpuRunner, LiftingNetConfig, Networks, Runner};
//!
//! let architecture = Architecture::Lifting(LiftingNetConfig::default());
//! let runner = CpuRunner::new(&Networks::new(architecture, /* seed */ 1));
//! let [cover, secret] = [[0.25; 3 * 16 * 16], [0.75; 3 * 16 * 16]];
//! let container = runner.hide([1, 3, 16, 16], &cover, &secret);
//! let revealed = runner.reveal([1, 3, 16, 16], &container);
//! assert_eq!(revealed.len(), secret.len());
//! ```

mod architecture;
mod cpu;
mod dense2017;
mod engine;
mod hiding2018;
mod init;
mod layers;
mod lifting;
mod networks;
mod onnx;
mod pair2018;
mod param;
mod ranks;
mod restoring;
mod reveal2018;
mod rounding;
mod shaping;
mod tape;
mod tensor;

pub use architecture::{Architecture, ArchitectureError};
#[cfg(feature = "gradients")]
pub use cpu::{CpuEngine, CpuRefiner};
pub use cpu::{CpuRestorer, CpuRunner, CpuTensor};
pub use dense2017::{Triple2017, Triple2017Config};
pub use engine::{AdamFactors, Engine, MuonFactors, Reading, Rule, Runner, Step, clipping};
pub use hiding2018::{HidingNet, HidingNetConfig};
pub use layers::{BatchNorm, ConvLayer, ConvTransposeLayer, ResidualNet};
pub use lifting::{HEADROOM, LiftingNet, LiftingNetConfig};
pub use networks::{Nets, Networks, n_parameters};
pub use onnx::{OnnxNetwork, onnx_tensor};
pub use pair2018::{Pair2018, Pair2018Config};
pub use param::{Param, ParamId, Role};
pub use rand_chacha::ChaCha8Rng;
pub use ranks::{Alone, Ranks, add_up, add_up_few};
pub use restoring::{Restoring, RestoringNet, RestoringNetConfig};
pub use reveal2018::{RevealNet, RevealNetConfig};
pub use rounding::{Rounder, Rounding};
pub use shaping::NoiseShaping;
pub use tape::{Gradients, Tape, Wanted};
pub use tensor::{Change, Differentiable, Shape, Tensor, residual_by_layers};
pub use underdrawing_conv::{Activation, Kernel, Stretch};
