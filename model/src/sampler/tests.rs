use super::*;
use crate::host::pack::{exp2_table, sigmoid_table};
use proptest::prelude::*;

fn tables() -> Tables<'static> {
    Tables { exp2: exp2_table().leak(), sigmoid: sigmoid_table().leak() }
}

fn q16(x: f64) -> u32 {
    (x * 65536.0) as u32
}

#[test]
fn the_lowest_of_equal_logits_wins() {
    assert_eq!(argmax(&[1, 7, 3, 7]), 1);
    assert_eq!(argmax(&[i32::MIN, i32::MIN]), 0);
}

#[test]
fn random_numbers_are_llama2cs() {
    // The first numbers of xorshift64* from state 1, as llama2.c's random_u32 gives them.
    let mut random = Random::new(1);
    assert_eq!(
        [random.coin(), random.coin(), random.coin()],
        [0x47e4ce4b >> 8, 0xabcfa6a8 >> 8, 0xb9d10d8f >> 8]
    );
}

#[test]
fn tokens_come_as_often_as_their_probabilities_say() {
    let tables = tables();
    let logits: Vec<i32> = [0.0, 1.0, 2.0, -1.0, 0.5].iter().map(|x| (x * 65536.0) as i32).collect();
    for temperature in [0.5, 1.0, 3.0] {
        let weights: Vec<f64> =
            logits.iter().map(|&l| (f64::from(l) / 65536.0 / temperature).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let mut sampler = Sampler::new(tables, 5, q16(temperature), 0, 7).unwrap();
        let mut counts = [0; 5];
        const DRAWS: u32 = 100_000;
        for _ in 0..DRAWS {
            counts[sampler.sample(&logits) as usize] += 1;
        }
        for (count, weight) in counts.iter().zip(&weights) {
            let p = weight / sum;
            let deviation = (p * (1.0 - p) / f64::from(DRAWS)).sqrt();
            let share = f64::from(*count) / f64::from(DRAWS);
            assert!((share - p).abs() < 4.5 * deviation, "{share} instead of {p} at {temperature}");
        }
    }
}

proptest! {
    #[test]
    fn the_nucleus_is_the_one_that_sorting_finds(
        logits in prop::collection::vec(-8.0f64..8.0, 1..400), topp in 1u32..ONE, temperature in 0.1f64..5.0
    ) {
        let tables = tables();
        let logits: Vec<i32> = logits.iter().map(|x| (x * 65536.0) as i32).collect();
        let sampler = Sampler::new(tables, logits.len(), q16(temperature), topp, 1).unwrap();
        let Sampler::Random(mut chance) = sampler else {
            return Err(TestCaseError::fail("temperature is not 0"));
        };
        let sum = chance.weigh(&logits);
        let mut sorted = chance.candidates.clone();
        let planned = Sampler::memory(logits.len()) as usize;
        prop_assert_eq!(chance.candidates.capacity() * size_of::<Candidate>(), planned);
        let (nucleus, nucleus_sum) = chance.find_nucleus(sum);
        sorted.sort_by(|a, b| b.cmp(a));
        let mut total = 0;
        let enough = ((u128::from(sum) * u128::from(topp)) >> 16) as u64;
        let wanted = sorted.iter().position(|c| { total += c.weight(); total > enough }).unwrap() + 1;
        prop_assert!(nucleus.iter().rev().eq(&sorted[..wanted]));
        prop_assert_eq!(nucleus_sum, total);
    }

    #[test]
    fn same_seed_same_tokens(seed: u64) {
        let tables = tables();
        let logits: Vec<i32> = (0..50).map(|i| i * 3000).collect();
        let draw = || {
            let mut sampler = Sampler::new(tables, 50, ONE, q16(0.9), seed).unwrap();
            (0..20).map(|_| sampler.sample(&logits)).collect::<Vec<_>>()
        };
        prop_assert_eq!(draw(), draw());
    }

    #[test]
    fn parts_are_exact(sum in 0u64..1 << 48, fraction in 0u32..1 << 24) {
        let exact = ((u128::from(sum) * u128::from(fraction)) >> 24) as u64;
        prop_assert_eq!(part(sum, fraction, 24), exact);
    }
}

#[test]
fn extreme_logits_and_temperatures_are_no_trouble() {
    let tables = tables();
    for temperature in [1, ONE, MAX_TEMPERATURE] {
        for topp in [0, 1, ONE / 2, ONE - 1, ONE] {
            let mut sampler = Sampler::new(tables, 1000, temperature, topp, 0).unwrap();
            for logits in [&[0][..], &[i32::MIN, i32::MAX], &[i32::MIN; 3], &[5; 1000]] {
                assert!((sampler.sample(logits) as usize) < logits.len());
            }
        }
    }
}
