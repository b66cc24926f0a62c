//! Writes a GGUF again with all its numbers as F32: what the packer makes of a file without codes.
//!
//! `cargo run --release -p unreallm-model --example dequantize -- IN.gguf OUT.gguf`
use model::host::gguf::{Gguf, GgufWriter, TensorInfo, TensorType, dequantize};
use std::cell::RefCell;
use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(from), Some(to)) = (args.next(), args.next()) else {
        return Err("name the file to read and the file to write".into());
    };
    let mut reader = BufReader::new(File::open(from)?);
    let gguf = Gguf::read(&mut reader)?;
    let mut writer = GgufWriter::new(gguf.metadata.clone());
    for tensor in &gguf.tensors {
        writer.add(&tensor.name, &tensor.dims, TensorType::F32)?;
    }
    let reader = RefCell::new(reader);
    let mut out = BufWriter::new(File::create(to)?);
    writer.write(&mut out, |tensor: &TensorInfo, out| {
        let source = gguf.tensor(&tensor.name).expect("the same tensors");
        let (mut bytes, mut numbers) = (Vec::new(), vec![0.0f32; source.columns()]);
        for row in 0..source.rows() {
            source
                .read_rows(&mut *reader.borrow_mut(), row..row + 1, &mut bytes)
                .map_err(io::Error::other)?;
            dequantize(source.tensor_type, &bytes, &mut numbers).map_err(io::Error::other)?;
            out.write_all(bytemuck::cast_slice(&numbers))?;
        }
        Ok(())
    })?;
    Ok(out.flush()?)
}
