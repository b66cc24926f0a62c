//! A layer of the fp32 reference: attention and the feed-forward layer, over some positions at once.
use super::Rounding;
use crate::host::checkpoint::{Checkpoint, CheckpointError, Config, Weight};
use crate::host::dense::{dot, matmul};
use crate::shape::Shape;
use std::io::{Read, Seek};

/// A layer's weights, by llama2.c's names.
#[derive(Clone)]
pub struct LayerWeights {
    pub(in crate::host) rms_att: Vec<f32>,
    pub(in crate::host) wq: Vec<f32>,
    pub(in crate::host) wk: Vec<f32>,
    pub(in crate::host) wv: Vec<f32>,
    pub(in crate::host) wo: Vec<f32>,
    pub(in crate::host) rms_ffn: Vec<f32>,
    pub(in crate::host) w1: Vec<f32>,
    pub(in crate::host) w2: Vec<f32>,
    pub(in crate::host) w3: Vec<f32>,
}

impl LayerWeights {
    /// Reads a layer's tensors.
    ///
    /// # Errors
    /// A file that cannot be read, a number that is none.
    pub fn read<R: Read + Seek>(
        checkpoint: &mut Checkpoint<R>,
        layer: usize,
    ) -> Result<Self, CheckpointError> {
        let mut read = |weight| checkpoint.read(weight, layer);
        Ok(Self {
            rms_att: read(Weight::RmsAtt)?,
            wq: read(Weight::Wq)?,
            wk: read(Weight::Wk)?,
            wv: read(Weight::Wv)?,
            wo: read(Weight::Wo)?,
            rms_ffn: read(Weight::RmsFfn)?,
            w1: read(Weight::W1)?,
            w2: read(Weight::W2)?,
            w3: read(Weight::W3)?,
        })
    }
}

/// What went into a layer's matrices, a row for each position.
pub struct Inputs {
    /// Into wq, wk and wv (positions, dim).
    pub wqkv: Vec<f32>,
    /// Into wo (positions, q_dim).
    pub wo: Vec<f32>,
    /// Into w1 and w3 (positions, dim).
    pub w13: Vec<f32>,
    /// Into w2 (positions, hidden_dim).
    pub w2: Vec<f32>,
}

/// What all layers of a model have in common.
#[derive(Clone)]
pub struct Layers {
    shape: Shape,
    /// ε in RMSNorm.
    epsilon: f32,
    /// RoPE's frequencies (head_size / 2,).
    rope_frequencies: Vec<f32>,
}

impl Layers {
    /// Those of a model.
    pub fn of(config: &Config) -> Self {
        let rope_frequencies = config.rope_frequencies.iter().map(|&frequency| frequency as f32).collect();
        Self { shape: config.shape, epsilon: config.epsilon as f32, rope_frequencies }
    }

    /// Takes the residual stream x (positions, dim), whose first row is position `pos`, through a layer. The cache
    /// is the layer's keys and values (context, kv_dim).
    pub fn forward<R: Rounding>(
        &self,
        layer: &LayerWeights,
        x: &mut [f32],
        pos: usize,
        cache: (&mut [f32], &mut [f32]),
        rounding: &R,
    ) -> Inputs {
        let (q_dim, hidden_dim) = (self.shape.q_dim(), self.shape.hidden_dim);
        let wqkv = self.rmsnorm(x, &layer.rms_att, rounding);
        let mut wo = self.attention(layer, &wqkv, pos, cache, rounding);
        wo.chunks_exact_mut(q_dim).for_each(|heads| rounding.input(heads));
        add(x, &matmul(&layer.wo, &wo, q_dim));

        let w13 = self.rmsnorm(x, &layer.rms_ffn, rounding);
        let mut w2 = self.swiglu(layer, &w13, rounding);
        w2.chunks_exact_mut(hidden_dim).for_each(|hb| rounding.input(hb));
        add(x, &matmul(&layer.w2, &w2, hidden_dim));
        Inputs { wqkv, wo, w13, w2 }
    }

    /// `x · weight / sqrt(mean(x²) + ε)`, position by position, ready for a matrix.
    pub fn rmsnorm<R: Rounding>(&self, x: &[f32], weight: &[f32], rounding: &R) -> Vec<f32> {
        let mut xb = x.to_vec();
        for xb in xb.chunks_exact_mut(weight.len()) {
            let scale = rounding.rsqrt(dot(xb, xb) / xb.len() as f32 + self.epsilon);
            for (x, weight) in xb.iter_mut().zip(weight) {
                *x = weight * (scale * *x);
            }
            rounding.input(xb);
        }
        xb
    }

    /// The inside of the feed-forward layer for `xb` (positions, dim): (positions, hidden_dim), without w2.
    pub fn swiglu<R: Rounding>(&self, layer: &LayerWeights, xb: &[f32], rounding: &R) -> Vec<f32> {
        let mut hb = matmul(&layer.w1, xb, self.shape.dim);
        for (gate, up) in hb.iter_mut().zip(matmul(&layer.w3, xb, self.shape.dim)) {
            *gate *= up * rounding.sigmoid(*gate);
        }
        hb
    }

    /// What the heads give for `xb` (positions, dim), whose first row is position `pos`: (positions, q_dim), without
    /// wo. The cache is the layer's keys and values (context, kv_dim).
    pub fn attention<R: Rounding>(
        &self,
        layer: &LayerWeights,
        xb: &[f32],
        pos: usize,
        (keys, values): (&mut [f32], &mut [f32]),
        rounding: &R,
    ) -> Vec<f32> {
        let Shape { dim, head_size, n_heads, n_kv_heads, .. } = self.shape;
        let (q_dim, kv_dim) = (self.shape.q_dim(), self.shape.kv_dim());
        let mut q = matmul(&layer.wq, xb, dim);
        let mut k = matmul(&layer.wk, xb, dim);
        let mut v = matmul(&layer.wv, xb, dim);
        rope(&mut q, q_dim, pos, &self.rope_frequencies);
        rope(&mut k, kv_dim, pos, &self.rope_frequencies);
        for heads in [&mut q, &mut k, &mut v] {
            heads.chunks_exact_mut(head_size).for_each(|head| rounding.head(head));
        }
        keys[pos * kv_dim..][..k.len()].copy_from_slice(&k);
        values[pos * kv_dim..][..v.len()].copy_from_slice(&v);

        let group = n_heads / n_kv_heads;
        let mut heads = vec![0.0; q.len()];
        for (i, (q, heads)) in q.chunks_exact(q_dim).zip(heads.chunks_exact_mut(q_dim)).enumerate() {
            let mut att = vec![0.0; pos + i + 1];
            let each = q.chunks_exact(head_size).zip(heads.chunks_exact_mut(head_size));
            for (head, (q, out)) in each.enumerate() {
                let at = head / group * head_size;
                for (att, k) in att.iter_mut().zip(keys.chunks_exact(kv_dim)) {
                    *att = dot(q, &k[at..][..head_size]) / (head_size as f32).sqrt();
                }
                softmax(&mut att, rounding);
                for (&att, v) in att.iter().zip(values.chunks_exact(kv_dim)) {
                    for (out, v) in out.iter_mut().zip(&v[at..][..head_size]) {
                        *out += att * v;
                    }
                }
            }
        }
        heads
    }
}

/// RoPE on x (positions, width) from position `pos` on: pair i of each head is turned by
/// `position · frequencies[i]`.
fn rope(x: &mut [f32], width: usize, pos: usize, frequencies: &[f32]) {
    for (i, x) in x.chunks_exact_mut(width).enumerate() {
        for head in x.chunks_exact_mut(2 * frequencies.len()) {
            for (pair, frequency) in head.as_chunks_mut::<2>().0.iter_mut().zip(frequencies) {
                let (sin, cos) = f64::from((pos + i) as f32 * frequency).sin_cos();
                let ([a, b], sin, cos) = (*pair, sin as f32, cos as f32);
                *pair = [a * cos - b * sin, a * sin + b * cos];
            }
        }
    }
}

/// `x = e^x / Σ e^x`
fn softmax(x: &mut [f32], rounding: &impl Rounding) {
    let max = x.iter().fold(f32::NEG_INFINITY, |max, &x| max.max(x));
    let mut sum = 0.0;
    for x in x.iter_mut() {
        *x = rounding.exp(*x - max);
        sum += *x;
    }
    for x in x.iter_mut() {
        *x /= sum;
    }
}

/// `x += delta`
pub fn add(x: &mut [f32], delta: &[f32]) {
    for (x, delta) in x.iter_mut().zip(delta) {
        *x += delta;
    }
}
