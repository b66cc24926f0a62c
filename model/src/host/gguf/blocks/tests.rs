use super::*;
use crate::sampler::{COIN_BITS, Random};
use proptest::prelude::*;
use std::ops::Range;

/// How far halves are apart, relative, for normal ones: the nearest is half of this away.
const HALF_STEP: f64 = 1.0 / 1024.0;
/// How far halves are apart at 0.
const LEAST_HALF: f64 = 1.0 / (1 << 24) as f64;

/// The largest error of the nearest half.
fn half_error(value: f64) -> f64 {
    (value.abs() * HALF_STEP).max(LEAST_HALF) / 2.0
}

fn least(values: &[f32]) -> f64 {
    values.iter().fold(f64::INFINITY, |least, &value| least.min(value.into()))
}

fn largest(values: &[f32]) -> f64 {
    values.iter().fold(f64::NEG_INFINITY, |largest, &value| largest.max(value.into()))
}

fn magnitude(values: &[f32]) -> f64 {
    largest(values).max(-least(values))
}

/// The largest error in a block of codes -n to n - 1 with a scale for each `group` numbers, which is
/// an integer of -s to s - 1 (s = 0: the scale is a half itself).
///
/// The extreme is code -n. A number as far on the other side is a code beyond the last, so the error
/// is a whole step; it is half of one elsewhere.
fn symmetric_bound(block: &[f32], group: usize, n: f64, s: f64) -> f64 {
    let step = magnitude(&block[..group]) / n;
    if s == 0.0 {
        return step + n * half_error(step);
    }
    // The scales are numbers of the same kind, with a step of d.
    let d = magnitude(block) / n / s;
    step + n * (d + s * half_error(d))
}

/// The largest error of the first group of a block of codes 0 to n with a minimum.
fn minimum_bound(block: &[f32], n: f64) -> f64 {
    let low = least(block);
    let step = (largest(block) - low + half_error(low)) / n;
    step / 2.0 + half_error(low) + n * half_error(step)
}

/// The same where scale and minimum are integers of 0 to s.
fn integer_minimum_bound(block: &[f32], group: usize, n: f64, s: f64) -> f64 {
    let low = |values: &[f32]| least(values).min(0.0);
    let step = |values: &[f32]| (largest(values) - low(values)) / n;
    let groups = || block.chunks_exact(group);
    let d = groups().map(step).fold(0.0, f64::max) / s;
    let dmin = -groups().map(low).fold(0.0, f64::min) / s;
    let scale_error = d / 2.0 + s * half_error(d);
    let minimum_error = dmin / 2.0 + s * half_error(dmin);
    (step(&block[..group]) + scale_error) / 2.0 + n * scale_error + minimum_error
}

/// The largest error that the first group of a block may have, from the numbers alone.
fn bound(kind: TensorType, block: &[f32]) -> f64 {
    let bound = match kind {
        TensorType::F32 => return 0.0,
        TensorType::F16 => half_error(magnitude(block)),
        TensorType::Bf16 => magnitude(block) / 256.0,
        TensorType::Q4_0 => symmetric_bound(block, 32, 8.0, 0.0),
        TensorType::Q5_0 => symmetric_bound(block, 32, 16.0, 0.0),
        // Codes -127 to 127 reach both ends.
        TensorType::Q8_0 => {
            let step = magnitude(block) / 127.0;
            step / 2.0 + 127.0 * half_error(step)
        }
        TensorType::Q4_1 => minimum_bound(block, 15.0),
        TensorType::Q5_1 => minimum_bound(block, 31.0),
        TensorType::Q2K => integer_minimum_bound(block, 16, 3.0, 15.0),
        TensorType::Q4K => integer_minimum_bound(block, 32, 15.0, 63.0),
        TensorType::Q5K => integer_minimum_bound(block, 32, 31.0, 63.0),
        TensorType::Q3K => symmetric_bound(block, 16, 4.0, 32.0),
        TensorType::Q6K => symmetric_bound(block, 16, 32.0, 128.0),
    };
    // The arithmetic is in f32.
    bound + magnitude(block) * f64::from(f32::EPSILON) * 4.0
}

fn there_and_back(kind: TensorType, values: &[f32]) -> Vec<f32> {
    let bytes = quantize(kind, values).unwrap();
    assert_eq!(bytes.len(), values.len() / kind.block_elements() * kind.block_bytes());
    let mut back = vec![f32::NAN; values.len()];
    dequantize(kind, &bytes, &mut back).unwrap();
    back
}

/// Numbers in a group: those that share a scale.
fn group(kind: TensorType) -> usize {
    let block = vec![0.0; kind.block_elements()];
    codes(kind, &quantize(kind, &block).unwrap()).unwrap().map_or(1, |codes| codes.columns)
}

fn check_errors(kind: TensorType, values: &[f32]) {
    let back = there_and_back(kind, values);
    let group = group(kind);
    for at in (0..values.len()).step_by(group) {
        let from = at / kind.block_elements() * kind.block_elements();
        let mut block = values[from..from + kind.block_elements()].to_vec();
        block.rotate_left(at - from);
        let bound = bound(kind, &block);
        for j in at..at + group {
            let error = (f64::from(values[j]) - f64::from(back[j])).abs();
            assert!(
                error <= bound,
                "{}: {} became {}, not within {bound:e}",
                kind.name(),
                values[j],
                back[j]
            );
        }
    }
}

/// Two blocks of the longest kind. Each 16 numbers have a middle and a size of their own, which is a
/// power of two: some groups are much smaller than others, some have all numbers on one side of 0.
fn numbers(seed: u64, exponents: Range<i32>) -> Vec<f32> {
    let mut random = Random::new(seed);
    let mut coin = move || random.coin() as f32 / (1 << COIN_BITS) as f32;
    let mut numbers = Vec::new();
    while numbers.len() < 512 {
        let spread = coin() * (exponents.end - exponents.start) as f32;
        let size = 2f32.powi(exponents.start + spread as i32);
        let middle = 2.0 * coin() - 1.0;
        numbers.extend((0..16).map(|_| (middle + 2.0 * coin() - 1.0) * size));
    }
    numbers
}

proptest! {
    #[test]
    fn numbers_come_back_within_the_error_of_their_group(seed: u64, least in -40i32..14, spread in 1i32..20) {
        let exponents = least..(least + spread).min(14);
        for kind in TensorType::ALL {
            check_errors(kind, &numbers(seed, exponents.clone()));
        }
    }
}

#[test]
fn zeros_stay_and_lone_numbers_come_back() {
    for kind in TensorType::ALL {
        assert!(there_and_back(kind, &[0.0; 512]).iter().all(|&number| number == 0.0), "{}", kind.name());
        for number in [1.0, -1.0, 0.3, -1e-3, 1000.5, f32::MIN_POSITIVE] {
            check_errors(kind, &[number; 512]);
        }
        // One large number among zeros.
        let mut values = [0.0; 512];
        values[300] = -0.7;
        check_errors(kind, &values);
    }
}

#[test]
fn the_same_numbers_give_the_same_bytes() {
    let values: Vec<f32> = (0..512).map(|j| ((j * 37 % 101) as f32 - 50.0) / 64.0).collect();
    let bytes: Vec<u8> = TensorType::ALL.iter().flat_map(|&kind| quantize(kind, &values).unwrap()).collect();
    assert_eq!(crate::crc32::crc32(&bytes), 0x8054_954B, "the encoders changed");
}

#[test]
fn what_cannot_be_written_is_refused() {
    let refusal = |kind, values: &[f32]| quantize(kind, values).unwrap_err().to_string();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = [0.5; 512];
        values[77] = bad;
        for kind in TensorType::ALL {
            let refusal = refusal(kind, &values);
            assert_eq!(refusal, format!("number 77 is {bad:?}: only finite numbers are quantized"));
        }
    }
    let mut values = [0.5; 512];
    values[300] = -3e38;
    for kind in TensorType::ALL {
        if matches!(kind, TensorType::F32 | TensorType::Bf16) {
            check_errors(kind, &values);
            continue;
        }
        let expected = format!("number 300 is -3e38, which is too large for {}; F32 holds it", kind.name());
        assert_eq!(refusal(kind, &values), expected);
    }
    assert_eq!(
        refusal(TensorType::Q4K, &[0.0; 288]),
        "288 numbers are no whole number of Q4_K blocks, which hold 256 each; \
         Q8_0 takes rows of whole 32s, F16 any row"
    );
}

#[test]
fn what_cannot_be_read_is_refused() {
    let refusal =
        |kind, bytes: &[u8], room| dequantize(kind, bytes, &mut vec![0.0; room]).unwrap_err().to_string();
    assert_eq!(
        refusal(TensorType::Q4_1, &[0; 41], 64),
        "41 bytes are no whole number of Q4_1 blocks, which have 20 bytes each"
    );
    assert_eq!(refusal(TensorType::Q6K, &[0; 420], 511), "the blocks hold 512 numbers, 511 are wanted");
    assert_eq!(
        codes(TensorType::Q8_0, &[0; 33]),
        Err(BlockError::Bytes { kind: TensorType::Q8_0, bytes: 33 })
    );
    for kind in TensorType::ALL {
        assert_eq!(dequantize(kind, &[], &mut []), Ok(()));
        assert_eq!(quantize(kind, &[]), Ok(Vec::new()));
    }
}

#[test]
fn an_unsound_scale_gives_unsound_numbers() {
    let mut block = quantize(TensorType::Q8_0, &[1.0; 32]).unwrap();
    block[..2].copy_from_slice(&[0x00, 0x7C]); // an infinite half
    let mut numbers = [0.0; 32];
    dequantize(TensorType::Q8_0, &block, &mut numbers).unwrap();
    assert!(numbers.iter().all(|number| number.is_infinite()));
}
