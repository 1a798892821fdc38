//! Graphics cards for underdrawing's networks, by way of burn.
