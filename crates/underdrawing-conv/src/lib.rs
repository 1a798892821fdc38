//! underdrawing-conv
