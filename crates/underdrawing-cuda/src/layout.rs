//! Values of parameters in the order of files, and of the card.

/// Weights of a layer `[a, b, side, side]` in the order of the card, `[a, side, side, b]`; others as
/// they are.
pub(crate) fn to_card(shape: &[usize], values: &[f32]) -> Vec<f32> {
    let [a, b, u, v] = *shape else {
        return values.to_vec();
    };
    permuted(values, [a, b, u * v])
}

/// Undoes [`to_card`].
pub(crate) fn from_card(shape: &[usize], values: &[f32]) -> Vec<f32> {
    let [a, b, u, v] = *shape else {
        return values.to_vec();
    };
    permuted(values, [a, u * v, b])
}

/// `[a, b, c]` to `[a, c, b]`.
fn permuted(values: &[f32], [a, b, c]: [usize; 3]) -> Vec<f32> {
    let mut result = Vec::with_capacity(values.len());
    for i in 0..a {
        let matrix = &values[i * b * c..][..b * c];
        for k in 0..c {
            result.extend((0..b).map(|j| matrix[j * c + k]));
        }
    }
    result
}
