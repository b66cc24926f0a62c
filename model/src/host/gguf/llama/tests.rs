use super::*;
use crate::host::gguf::tests::{file_of, read};
use crate::host::gguf::{Strings, TensorType, Value};

/// A small model whose heads are not embedding_length / head_count long, with every optional part.
const SMALL: LlamaConfig = LlamaConfig {
    context_length: 64,
    embedding_length: 12,
    block_count: 2,
    feed_forward_length: 20,
    head_count: 4,
    head_count_kv: 2,
    head_size: 6,
    vocab_size: 30,
    epsilon: 1e-6,
    rope_base: 500_000.0,
    rope_factor: 4.0,
    rope_freqs: true,
    tied: false,
};

/// A file of this metadata and these tensors.
fn gguf_of(metadata: Metadata, tensors: &[(String, Vec<usize>)]) -> Gguf {
    let tensors: Vec<_> =
        tensors.iter().map(|(name, dims)| (&name[..], &dims[..], TensorType::F16)).collect();
    read(&file_of(metadata, &tensors)).unwrap()
}

/// The config that is read from this metadata and the tensors of `config`.
fn config_of(metadata: Metadata, config: &LlamaConfig) -> Result<LlamaConfig, LlamaError> {
    LlamaConfig::of(&gguf_of(metadata, &config.tensors().collect::<Vec<_>>()))
}

/// The metadata of the small model, with this key instead of its own.
fn with(key: &str, value: impl Into<Value>) -> Metadata {
    let mut metadata = without(key);
    metadata.push(key, value);
    metadata
}

/// The metadata of the small model without this key.
fn without(key: &str) -> Metadata {
    let mut rest = Metadata::default();
    SMALL.metadata().iter().filter(|(other, _)| *other != key).for_each(|(key, value)| {
        rest.push(key, value.clone());
    });
    rest
}

fn refusal(metadata: Metadata) -> String {
    config_of(metadata, &SMALL).map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
}

#[test]
fn what_a_config_writes_is_read() {
    let plain = LlamaConfig { rope_factor: 1.0, rope_freqs: false, tied: true, ..SMALL };
    for config in [SMALL, plain, LlamaConfig { head_size: 2, head_count_kv: 4, ..SMALL }] {
        assert_eq!(config_of(config.metadata(), &config).unwrap(), config);
    }
    let names: Vec<_> = SMALL.tensors().map(|(name, _)| name).collect();
    assert_eq!(names.len(), 1 + 1 + 2 * 9 + 1 + 1);
    assert_eq!(plain.tensors().count(), 1 + 2 * 9 + 1);
    assert_eq!(SMALL.tensors().find(|(name, _)| name == "blk.1.attn_k.weight").unwrap().1, [12, 12]);
    assert_eq!(SMALL.tensors().find(|(name, _)| name == "blk.1.attn_output.weight").unwrap().1, [24, 12]);
}

#[test]
fn defaults_are_llama_cpps() {
    let mut metadata = Metadata::default();
    metadata.push("general.architecture", "llama");
    for (key, size) in [
        ("context_length", 64u32),
        ("embedding_length", 12),
        ("block_count", 2),
        ("feed_forward_length", 20),
        ("attention.head_count", 2),
    ] {
        metadata.push(&format!("llama.{key}"), size);
    }
    metadata.push("llama.attention.layer_norm_rms_epsilon", 1e-5);
    metadata.push("tokenizer.ggml.tokens", ["a", "b", "c"].into_iter().collect::<Strings>());
    let wanted = LlamaConfig {
        head_count: 2,
        head_count_kv: 2,
        head_size: 6,
        vocab_size: 3,
        epsilon: 1e-5,
        rope_base: 10_000.0,
        rope_factor: 1.0,
        rope_freqs: false,
        tied: true,
        ..SMALL
    };
    assert_eq!(config_of(metadata, &wanted).unwrap(), wanted);
}

#[test]
fn sizes_may_be_given_for_each_layer_where_all_are_equal() {
    let key = "llama.feed_forward_length";
    assert_eq!(config_of(with(key, &[20, 20][..]), &SMALL).unwrap(), SMALL);
    assert!(
        refusal(with(key, &[20, 24][..]))
            .contains("is [20, 24], it must be the same number for each of the 2")
    );
    assert!(refusal(with(key, &[20][..])).contains("for each of the 2 layers"));
    assert!(refusal(with(key, &[0, 0][..])).contains("feed_forward_length is 0"));
}

#[test]
fn rope_scaling_is_linear_or_refused() {
    let factor = |entries: &[(&str, Value)]| {
        let mut metadata = LlamaConfig { rope_factor: 1.0, ..SMALL }.metadata();
        entries.iter().for_each(|(key, value)| metadata.push(key, value.clone()));
        config_of(metadata, &SMALL).map(|config| config.rope_factor).map_err(|error| error.to_string())
    };
    let (kind, new, old) =
        ("llama.rope.scaling.type", "llama.rope.scaling.factor", "llama.rope.scale_linear");
    assert_eq!(factor(&[]), Ok(1.0));
    assert_eq!(factor(&[(new, 2.0.into())]), Ok(2.0));
    assert_eq!(factor(&[(old, 2.0.into())]), Ok(2.0));
    assert_eq!(factor(&[(old, 2.0.into()), (new, 8.0.into())]), Ok(8.0));
    assert_eq!(factor(&[(new, 0.0.into())]), Ok(1.0));
    assert_eq!(factor(&[(kind, "linear".into()), (new, 8.0.into())]), Ok(8.0));
    assert_eq!(factor(&[(kind, "none".into()), (new, 8.0.into())]), Ok(1.0));
    for other in ["yarn", "longrope"] {
        let error = factor(&[(kind, other.into())]).unwrap_err();
        assert!(error.contains(&format!("RoPE is scaled by {other:?}")), "{error}");
    }
    assert!(
        factor(&[(new, f32::NAN.into())]).unwrap_err().contains("is NaN, it must be a finite float above 0")
    );
    assert!(factor(&[(new, (-1.0).into())]).is_err());
}

#[test]
fn other_models_are_refused_by_name() {
    assert!(refusal(without("general.architecture")).contains("has no general.architecture"));
    for other in ["smollm3", "qwen2", "llama4"] {
        let error = refusal(with("general.architecture", other));
        assert!(error.contains(&format!("architecture is {other:?}, only \"llama\" is run")), "{error}");
    }
    assert!(refusal(with("general.type", "adapter")).contains(r#"of the kind "adapter""#));
    for (key, value, wanted) in [
        ("expert_count", Value::U32(8), "has experts (llama.expert_count is 8)"),
        ("attention.sliding_window", Value::U32(4096), "has a sliding window"),
        ("attention.scale", Value::F32(0.0078125), "has a scale of attention of its own"),
        ("attention.causal", Value::Bool(false), "has attention to later tokens"),
        ("logit_scale", Value::F32(8.0), "has scaled logits (llama.logit_scale is 8.0)"),
        ("residual_scale", Value::F32(0.22), "has a scaled residual stream"),
        ("embedding_scale", Value::F32(12.0), "has a scaled embedding"),
        ("final_logit_softcapping", Value::F32(30.0), "has capped logits"),
        ("attn_logit_softcapping", Value::F32(50.0), "has capped attention"),
        ("pooling_type", Value::U32(1), "has pooling instead of a next token"),
        ("logit_scale", Value::F32(f32::NAN), "has scaled logits"),
        ("expert_count", Value::from("eight"), "has experts"),
        (
            "rope.freq_base_swa",
            Value::F32(1e4),
            "llama.rope.freq_base_swa is 10000.0, which is not known here",
        ),
    ] {
        let error = refusal(with(&format!("llama.{key}"), value));
        assert!(error.contains(wanted), "{error}");
    }
    for (key, neutral) in [
        ("expert_count", Value::U32(0)),
        ("attention.causal", Value::Bool(true)),
        ("logit_scale", Value::F32(1.0)),
        ("attention.sliding_window", Value::U32(0)),
    ] {
        assert_eq!(refusal(with(&format!("llama.{key}"), neutral)), "nothing", "{key}");
    }
    assert_eq!(refusal(with("another.key", 1u32)), "nothing");
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    for key in ["context_length", "embedding_length", "block_count", "feed_forward_length", "vocab_size"] {
        let key = format!("llama.{key}");
        assert!(refusal(with(&key, 0u32)).contains(&format!("the model's {key} is 0")));
        assert!(refusal(with(&key, "many")).contains(&format!("the GGUF's {key} is \"many\"")));
        assert!(refusal(without(&key)).contains(&format!("the GGUF has no {key}")));
    }
    let key = "llama.attention.head_count_kv";
    assert!(refusal(with(key, 3u32)).contains("4 heads are not divisible by its 3 kv heads"));
    assert!(refusal(with(key, 0u32)).contains("head_count_kv is 0"));
    assert!(refusal(with("llama.attention.key_length", 5u32)).contains("head size 5 is odd"));
    assert!(
        refusal(with("llama.attention.value_length", 8u32))
            .contains("values have 8 numbers a head and its keys 6")
    );
    assert!(
        refusal(without("llama.attention.value_length")).contains("values have 3 numbers a head"),
        "12 / 4"
    );
    assert!(refusal(with("llama.rope.dimension_count", 4u32)).contains("RoPE turns 4 of a head's 6"));
    let mut many_heads = Metadata::default();
    without("llama.attention.key_length").iter().for_each(|(key, value)| {
        let many = key.contains("head_count");
        many_heads.push(key, if many { Value::U32(16) } else { value.clone() });
    });
    assert!(refusal(many_heads).contains("embedding length 12 is less than its 16 heads"));
    let key = "llama.attention.layer_norm_rms_epsilon";
    assert!(refusal(without(key)).contains(&format!("has no {key}")));
    for epsilon in [0.0, -1.0, f32::INFINITY] {
        assert!(refusal(with(key, epsilon)).contains("it must be a finite float above 0"));
    }
    assert!(refusal(with("llama.rope.freq_base", 0.0)).contains("llama.rope.freq_base is 0, it must be"));
    let tokens = ["a", "b"].into_iter().collect::<Strings>();
    assert!(
        refusal(with("tokenizer.ggml.tokens", tokens))
            .contains("llama.vocab_size is 30, tokenizer.ggml.tokens has 2")
    );
    // As large as a size can be: no overflow, and no tensor of such a shape.
    for key in
        ["llama.embedding_length", "llama.block_count", "llama.vocab_size", "llama.attention.head_count"]
    {
        let error = refusal(with(key, u32::MAX));
        assert!(error != "nothing", "{key}: {error}");
    }
}

#[test]
fn tensors_must_be_those_of_the_model() {
    let all: Vec<_> = SMALL.tensors().collect();
    let refusal = |tensors: &[_]| {
        let config = LlamaConfig::of(&gguf_of(SMALL.metadata(), tensors));
        config.map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
    };
    assert_eq!(refusal(&all), "nothing");
    for (i, (name, dims)) in all.iter().enumerate() {
        let mut others = all.clone();
        others.remove(i);
        let missing = refusal(&others);
        match &name[..] {
            OUTPUT | ROPE_FREQS => assert_eq!(missing, "nothing", "{name} is not always there"),
            _ => assert!(missing.contains(&format!("has no tensor {name}; download")), "{missing}"),
        }
        let mut changed = all.clone();
        changed[i].1[0] += 1;
        let wanted =
            format!("{name} has the dims {:?}, by the model's metadata it must have {dims:?}", changed[i].1);
        assert!(refusal(&changed).contains(&wanted), "{}", refusal(&changed));
        changed[i] = (name.clone(), [&dims[..], &[1]].concat());
        assert_eq!(refusal(&changed), "nothing", "a one at the end changes nothing");
    }
    let and = |name: &str| refusal(&[&all[..], &[(name.to_owned(), vec![12])]].concat());
    assert!(and("blk.1.attn_q.bias").contains("has biases (blk.1.attn_q.bias)"));
    assert!(
        and("blk.0.ffn_gate_exps.weight")
            .contains("has the tensor blk.0.ffn_gate_exps.weight, which is no part")
    );
    assert!(and("blk.2.attn_norm.weight").contains("has the tensor blk.2.attn_norm.weight"));
    assert!(and("rope_factors_long.weight").contains("has the tensor rope_factors_long.weight"));
}
