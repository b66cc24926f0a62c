use super::*;
use crate::host::pack::{exp2_table, rope_table, sigmoid_table};
use crate::shape::MAX_LENGTH;
use crate::simd::{CACHED_ZERO, Simd};

/// One head of two values over the longest context.
const LONGEST: Shape = Shape {
    dim: 2,
    hidden_dim: 1,
    n_layers: 1,
    n_heads: 1,
    n_kv_heads: 1,
    head_size: 2,
    vocab_size: 1,
    seq_len: MAX_LENGTH,
    shared_classifier: true,
};

#[test]
fn equal_scores_over_the_longest_context_are_weighed_alike() {
    let tables = Tables { exp2: &exp2_table(), sigmoid: &sigmoid_table() };
    let rope = Rope { table: &rope_table(1, &[1.0]), pairs: 1 };
    for simd in Simd::all() {
        let mut allocator = Allocator::default();
        let cache = KvCache::new(&LONGEST, MAX_LENGTH).unwrap();
        let mut attention = Attention::new(&mut allocator, rope, &tables, cache);
        let mut out = [0; 2];
        // An empty cache: all keys are alike, and all values but the last the least that it holds. The
        // weights add up to 2^18 · 2^14.
        let qkv = &mut [0, 0, 0, 0, 100, -100];
        attention.attend(Processors::one(simd), 0, MAX_LENGTH - 1, qkv, 16, Some(&mut out));
        assert_eq!(out, [-CACHED_ZERO; 2], "{simd:?}");
    }
}
