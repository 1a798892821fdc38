//! A model as files of ONNX.

use underdrawing_net::{CpuRunner, Networks, OnnxNetwork, Runner, Shape, onnx_tensor};

/// Height and width of the pictures that come with the networks, before they are made multiples.
const FIRST_SIZE: [usize; 2] = [40, 56];

/// A file's path in a folder, with slashes, and its bytes.
pub(crate) type File = (String, Vec<u8>);

/// Both networks, each in a folder with pictures for it and what it makes of them here, laid out as
/// ONNX's own tests are: `hiding/model.onnx`, `hiding/test_data_set_0/input_0.pb`, ...
pub(crate) fn files(networks: &Networks, id: &str) -> Vec<File> {
    let about = [("model", id)];
    let (hiding, reveal) = (
        networks.hiding_to_onnx(&about),
        networks.reveal_to_onnx(&about),
    );
    let multiple = hiding.size_multiple;
    let [height, width] = FIRST_SIZE.map(|side| side.next_multiple_of(multiple));
    let shapes = [[1, 3, height, width], [2, 3, height + multiple, width]];
    let runner = CpuRunner::new(networks);
    let mut files = Vec::new();
    for (number, shape) in shapes.into_iter().enumerate() {
        let [cover, secret] = [0, 1].map(|seed| picture(shape, seed));
        let container = runner.hide(shape, &cover, &secret);
        let revealed = runner.reveal(shape, &container);
        let mut add = |folder: &str, network: &OnnxNetwork, inputs: &[&[f32]], output: &[f32]| {
            let folder = format!("{folder}/test_data_set_{number}");
            for (i, (name, values)) in network.inputs.iter().zip(inputs).enumerate() {
                let bytes = onnx_tensor(name, &shape, values);
                files.push((format!("{folder}/input_{i}.pb"), bytes));
            }
            let bytes = onnx_tensor(network.output, &shape, output);
            files.push((format!("{folder}/output_0.pb"), bytes));
        };
        add("hiding", &hiding, &[&cover, &secret], &container);
        add("reveal", &reveal, &[&container], &revealed);
    }
    files.push(("hiding/model.onnx".to_owned(), hiding.bytes));
    files.push(("reveal/model.onnx".to_owned(), reveal.bytes));
    files
}

/// Slopes and grain, 0 to 1.
fn picture([n, c, height, width]: Shape, seed: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(n * c * height * width);
    for plane in 0..n * c {
        for y in 0..height {
            for x in 0..width {
                let slope = (x * (plane + 2) + y * (seed + 3)) % 200;
                let grain = (x * 31 + y * 17 + x * y * (plane + seed + 1)) % 56;
                values.push((slope + grain) as f32 / 255.0);
            }
        }
    }
    values
}
