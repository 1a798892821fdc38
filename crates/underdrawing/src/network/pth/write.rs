//! Writes a state dict as `torch.save` does since PyTorch 1.6: a zip archive of a pickle and one
//! uncompressed entry for each tensor.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use underdrawing_net::Param;

/// The bytes of a file that holds `tensors`, and for each batch normalisation the counter that
/// newer versions of PyTorch look for.
pub(super) fn state_dict(tensors: &[(&str, &Param)]) -> Vec<u8> {
    let mut pickle = PickleWriter::new();
    let mut storages = Vec::new();
    for (name, tensor) in tensors {
        pickle.tensor(name, "FloatStorage", storages.len(), &tensor.shape);
        let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes());
        storages.push(bytes.collect::<Vec<u8>>());
        if let Some(norm) = name.strip_suffix("running_var") {
            let name = format!("{norm}num_batches_tracked");
            pickle.tensor(&name, "LongStorage", storages.len(), &[]);
            storages.push(0i64.to_le_bytes().to_vec());
        }
    }
    archive(&pickle.finish(), &storages).expect("writing to memory cannot fail")
}

fn archive(pickle: &[u8], storages: &[Vec<u8>]) -> zip::result::ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut entry = |name: &str, content: &[u8]| {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(u32::try_from(content.len()).is_err());
        zip.start_file(format!("archive/{name}"), options)?;
        zip.write_all(content)?;
        Ok::<(), zip::result::ZipError>(())
    };
    entry("data.pkl", pickle)?;
    entry("byteorder", b"little")?;
    for (key, storage) in storages.iter().enumerate() {
        entry(&format!("data/{key}"), storage)?;
    }
    entry("version", b"3\n")?;
    Ok(zip.finish()?.into_inner())
}

/// A pickle, protocol 2, of an `OrderedDict` from names to tensors.
struct PickleWriter(Vec<u8>);

impl PickleWriter {
    fn new() -> Self {
        let mut writer = Self(b"\x80\x02".to_vec());
        writer.ordered_dict();
        writer
    }

    /// An empty `OrderedDict`.
    fn ordered_dict(&mut self) {
        self.0.extend(b"ccollections\nOrderedDict\n)R");
    }

    /// An entry of the dictionary.
    fn tensor(&mut self, name: &str, class: &str, key: usize, shape: &[usize]) {
        self.text(name);
        self.0.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage");
        self.0.extend(format!("ctorch\n{class}\n").bytes());
        self.text(&key.to_string());
        self.text("cpu");
        self.integer(shape.iter().product());
        self.0.extend(b"tQ");
        self.integer(/* offset */ 0);
        self.sizes(shape);
        self.sizes(&strides(shape));
        self.0.push(0x89); // requires no gradient
        self.ordered_dict(); // no hooks
        self.0.extend(b"tRs");
    }

    fn sizes(&mut self, sizes: &[usize]) {
        self.0.push(b'(');
        for &size in sizes {
            self.integer(size);
        }
        self.0.push(b't');
    }

    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.bytes());
    }

    fn integer(&mut self, value: usize) {
        self.0.extend([0x8a, 8]);
        self.0.extend((value as u64).to_le_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        self.0.push(b'.');
        self.0
    }
}

/// Steps between neighbours along each extent, the last fastest.
fn strides(shape: &[usize]) -> Vec<usize> {
    (1..=shape.len())
        .map(|i| shape[i..].iter().product())
        .collect()
}
