//! underdrawing-train
