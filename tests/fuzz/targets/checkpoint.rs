//! llama2.c checkpoints. One that is accepted has a shape that can be run and exactly the tensors of
//! that shape; written again as version 0 it is the same; and packed, it is a model that runs.
#![no_main]
use harness::model_file::{load, run};
use libfuzzer_sys::fuzz_target;
use model::engine::EngineKind;
use model::host::checkpoint::{Checkpoint, CheckpointError, Weight, llama2c::ORDER_V0};
use model::host::pack::pack;
use model::host::vocabulary::llama2c;
use model::shape::Shape;
use std::io::Cursor;

fuzz_target!(|data: &[u8]| {
    let Ok(mut checkpoint) = Checkpoint::open(Cursor::new(data)) else { return };
    let shape = checkpoint.shape();
    assert_eq!(shape.check(), Ok(()));
    let Some(version_0) = as_version_0(&mut checkpoint) else { return };

    let mut again = Checkpoint::open(Cursor::new(&version_0[..])).expect("a whole version 0 file");
    assert_eq!(again.shape(), shape);
    assert_eq!(as_version_0(&mut again).as_ref(), Some(&version_0));
    if checkpoint.has(Weight::FreqCos) {
        // What is not a number has no single form; all else is the file itself.
        assert_eq!(version_0[28..], data[28..]);
    }

    let vocabulary = llama2c::pack(&vec![0; 4 + 8 * shape.vocab_size]).expect("empty pieces");
    let mut packed = Cursor::new(Vec::new());
    let header = pack(EngineKind::Int8, &mut checkpoint, &vocabulary, "fuzz", &mut packed, |_, _| {})
        .expect("it is small");
    if let Some(loaded) = load(packed.get_ref()) {
        let packed = loaded.expect("what was packed can be loaded");
        assert_eq!((&packed.header, packed.header.shape), (&header, shape));
        run(&packed);
    }
});

/// The checkpoint as a version 0 file; tables that version 1 does not have are zeros. `None` if a
/// weight is no number.
fn as_version_0(checkpoint: &mut Checkpoint<Cursor<&[u8]>>) -> Option<Vec<u8>> {
    let shape = checkpoint.shape();
    let mut file = header(&shape);
    let classifier = (!shape.shared_classifier).then_some(Weight::Classifier);
    for weight in ORDER_V0.into_iter().chain(classifier) {
        let (times, numbers) = weight.size(&shape);
        for layer in 0..times {
            let tensor = match checkpoint.has(weight) {
                false => vec![0.0; numbers],
                true => match checkpoint.read(weight, layer) {
                    Ok(tensor) => tensor,
                    Err(CheckpointError::NotFinite { index, value, .. }) => {
                        assert!(index < numbers && !value.is_finite());
                        return None;
                    }
                    Err(error) => panic!("the length was checked: {error}"),
                },
            };
            assert_eq!(tensor.len(), numbers);
            file.extend(bytemuck::cast_slice::<f32, u8>(&tensor));
        }
        assert!(checkpoint.read(weight, times).is_err(), "there are {times} layers");
    }
    Some(file)
}

/// A version 0 header.
fn header(shape: &Shape) -> Vec<u8> {
    let vocab_size = shape.vocab_size as i32;
    let sizes = [
        shape.dim as i32,
        shape.hidden_dim as i32,
        shape.n_layers as i32,
        shape.n_heads as i32,
        shape.n_kv_heads as i32,
        if shape.shared_classifier { vocab_size } else { -vocab_size },
        shape.seq_len as i32,
    ];
    bytemuck::cast_slice(&sizes).to_vec()
}
