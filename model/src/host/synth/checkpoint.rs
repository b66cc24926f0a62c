//! Random checkpoints in llama2.c's format.
use super::{number, uniform};
use crate::host::checkpoint::{Weight, llama2c::ORDER_V0};
use crate::sampler::Random;
use crate::shape::Shape;
use std::io::{self, Write};

/// Writes a version 0 checkpoint of random weights.
pub fn write_checkpoint(shape: &Shape, seed: u64, out: &mut impl Write) -> io::Result<()> {
    let vocab = shape.vocab_size as i32;
    let sizes = [
        shape.dim as i32,
        shape.hidden_dim as i32,
        shape.n_layers as i32,
        shape.n_heads as i32,
        shape.n_kv_heads as i32,
        if shape.shared_classifier { vocab } else { -vocab },
        shape.seq_len as i32,
    ];
    out.write_all(bytemuck::cast_slice(&sizes))?;
    let mut random = Random::new(seed);
    let classifier = (!shape.shared_classifier).then_some(Weight::Classifier);
    for weight in ORDER_V0.into_iter().chain(classifier) {
        let (times, numbers) = weight.size(shape);
        for _ in 0..times {
            let tensor: Vec<f32> = match weight {
                Weight::FreqCos | Weight::FreqSin => vec![0.0; numbers], // skipped by every reader
                _ => {
                    let number = number(weight, shape);
                    (0..numbers).map(|_| number(uniform(&mut random))).collect()
                }
            };
            out.write_all(bytemuck::cast_slice(&tensor))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crc32::crc32;

    #[test]
    fn the_file_of_a_seed_never_changes() {
        let mut file = Vec::new();
        write_checkpoint(&Shape::STORIES260K, 1, &mut file).unwrap();
        assert_eq!(file.len(), 1_056_540);
        assert_eq!(crc32(&file), 0xC206BFE5);
    }
}
