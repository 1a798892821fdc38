//! The networks, one file each, written once in burn's terms for every device.

mod conv;
mod haar;
mod init;
mod lifting;
mod ops;

pub use init::Init;
pub use lifting::{LiftingNet, LiftingNetConfig};
