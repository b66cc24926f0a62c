use super::*;
use crate::host::checkpoint::Checkpoint;
use crate::host::synth::{parse_shape, write_checkpoint};
use std::io::Cursor;

const SHAPES: [&str; 2] = ["12,20,2,3,1,30,5", "12,20,2,3,1,-30,5"];

fn version_0(shape: &str) -> Vec<u8> {
    let mut file = Vec::new();
    write_checkpoint(&parse_shape(shape).unwrap(), 1, &mut file).unwrap();
    file
}

/// The same weights in a version 1 file.
fn version_1(shape: &str) -> Vec<u8> {
    let mut old = Checkpoint::open(Cursor::new(version_0(shape))).unwrap();
    let shape = old.shape();
    let sizes = [shape.dim, shape.hidden_dim, shape.n_layers, shape.n_heads, shape.n_kv_heads];
    let mut file = b"24ka".to_vec();
    file.extend(1i32.to_le_bytes());
    let sizes = sizes.into_iter().chain([shape.vocab_size, shape.seq_len]);
    file.extend(sizes.flat_map(|size| (size as i32).to_le_bytes()));
    file.push(shape.shared_classifier.into());
    file.resize(BYTES_V1, 0);
    let classifier = (!shape.shared_classifier).then_some(Weight::Classifier);
    for weight in ORDER_V1.into_iter().chain(classifier) {
        for layer in 0..weight.size(&shape).0 {
            file.extend(bytemuck::cast_slice::<f32, u8>(&old.read(weight, layer).unwrap()));
        }
    }
    file
}

fn refusal(file: Vec<u8>) -> String {
    match Checkpoint::open(Cursor::new(file)) {
        Ok(_) => "not refused".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn both_versions_bring_the_same_weights() {
    for shape in SHAPES {
        let mut old = Checkpoint::open(Cursor::new(version_0(shape))).unwrap();
        let mut new = Checkpoint::open(Cursor::new(version_1(shape))).unwrap();
        assert_eq!(old.shape(), new.shape());
        assert_eq!(old.has(Weight::Classifier), !old.shape().shared_classifier);
        assert_eq!((old.has(Weight::FreqCos), new.has(Weight::FreqCos)), (true, false));
        for weight in ORDER_V1 {
            for layer in 0..weight.size(&old.shape()).0 {
                assert_eq!(old.read(weight, layer).unwrap(), new.read(weight, layer).unwrap());
            }
        }
        assert!(old.read(Weight::Wq, 2).is_err(), "there are two layers");
    }
}

#[test]
fn a_cut_file_is_refused_and_the_tensor_named() {
    for file in SHAPES.iter().flat_map(|shape| [version_0(shape), version_1(shape)]) {
        for end in (0..file.len()).step_by(4) {
            let error = refusal(file[..end].to_vec());
            if end == 0 {
                assert!(error.contains("the file is empty"), "{error}");
                continue;
            }
            assert!(error.contains("cut short in"), "cut at {end}: {error}");
            assert!(error.contains(&format!("it has {end};")), "{error}");
        }
    }
    let file = version_0(SHAPES[0]);
    assert!(refusal(file[..30].to_vec()).contains("in tok_embeddings"));
    assert!(refusal(file[..file.len() - 1].to_vec()).contains("in freq_cis_imag"));
    let file = version_0(SHAPES[1]);
    assert!(refusal(file[..file.len() - 1].to_vec()).contains("in wcls"));
}

#[test]
fn headers_that_lie_are_refused() {
    let changed = |at: usize, value: i32| {
        let mut file = version_0(SHAPES[0]);
        file[4 * at..][..4].copy_from_slice(&value.to_le_bytes());
        refusal(file)
    };
    assert!(changed(0, -12).contains("its dim would be -12"));
    assert!(changed(0, 13).contains("not divisible by its 3 heads"));
    assert!(changed(2, 0).contains("n_layers is 0"));
    assert!(changed(2, 3).contains("cut short"));
    assert!(changed(2, 1).contains("its header accounts for"));
    assert!(changed(5, i32::MIN).contains("vocab_size is 2147483648"));
    assert!(changed(6, i32::MAX).contains("seq_len is 2147483647"));
    let mut file = version_1(SHAPES[0]);
    file[4] = 3;
    assert!(refusal(file).contains("version 3"));
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    for (value, name) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let mut file = version_0(SHAPES[0]);
        let at = BYTES_V0 + 4 * (30 * 12 + 2 * 12 + 144 + 7); // wq of layer 1, the eighth weight
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let mut checkpoint = Checkpoint::open(Cursor::new(file)).unwrap();
        assert!(checkpoint.read(Weight::Wq, 0).is_ok());
        let error = checkpoint.read(Weight::Wq, 1).unwrap_err().to_string();
        assert_eq!(error, format!("the checkpoint's wq of layer 1 has the weight {name} at 7"));
    }
}

/// A layer's tensor and its numbers.
type Tensor = (Weight, usize, Vec<f32>);

/// A version 2 file whose numbers fp32 holds exactly, and the fp32 weights that it means.
fn version_2(shape: &str, group: usize) -> (Vec<u8>, Vec<Tensor>) {
    let shape = parse_shape(shape).unwrap();
    let sizes = [shape.dim, shape.hidden_dim, shape.n_layers, shape.n_heads, shape.n_kv_heads];
    let mut file = b"24ka".to_vec();
    file.extend(2i32.to_le_bytes());
    let sizes = sizes.into_iter().chain([shape.vocab_size, shape.seq_len]);
    file.extend(sizes.flat_map(|size| (size as i32).to_le_bytes()));
    file.push(shape.shared_classifier.into());
    file.extend((group as i32).to_le_bytes());
    file.resize(BYTES_V1, 0);
    let classifier = (!shape.shared_classifier).then_some(Weight::Classifier);
    let mut meant = Vec::new();
    for weight in ORDER_V1.into_iter().chain(classifier) {
        let (times, numbers) = weight.size(&shape);
        for layer in 0..times {
            let code = |i: usize| (i * 37 + layer * 11 + weight as usize) as i8;
            let scale = |i: usize| 2f32.powi(-(((i / group + layer) % 7) as i32));
            let tensor: Vec<f32> = match (Encoding::Int8 { group }).of(weight) {
                Encoding::Fp32 => (0..numbers).map(|i| f32::from(code(i)) / 8.0).collect(),
                Encoding::Int8 { .. } => {
                    file.extend((0..numbers).map(|i| code(i) as u8));
                    let scales = (0..numbers).step_by(group).map(scale);
                    file.extend(scales.flat_map(f32::to_le_bytes));
                    (0..numbers).map(|i| f32::from(code(i)) * scale(i)).collect()
                }
            };
            if (Encoding::Int8 { group }).of(weight) == Encoding::Fp32 {
                file.extend(bytemuck::cast_slice::<f32, u8>(&tensor));
            }
            meant.push((weight, layer, tensor));
        }
    }
    (file, meant)
}

#[test]
fn groups_of_int8_are_what_they_mean() {
    for shape in SHAPES {
        let (file, meant) = version_2(shape, 12);
        let mut checkpoint = Checkpoint::open(Cursor::new(&file)).unwrap();
        for (weight, layer, tensor) in meant {
            assert_eq!(checkpoint.read(weight, layer).unwrap(), tensor, "{weight:?} {layer}");
        }
        assert!(refusal(file[..file.len() - 1].to_vec()).contains("cut short"));
    }
    let mut odd = version_2(SHAPES[0], 12).0;
    odd[37..41].copy_from_slice(&7i32.to_le_bytes());
    assert!(refusal(odd).contains("groups of 7 weights do not divide"));
}
