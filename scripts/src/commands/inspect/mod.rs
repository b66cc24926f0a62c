//! `cargo unreal inspect`: what a file holds, in words or as JSON.
mod gguf;

use model::{packed::PackedHeader, shape::Shape};
use protocol::settings::Decimal;
use serde_json::{Value, json};

use super::{CommandError, image::program_lines};
use crate::{
    cli::InspectArgs,
    embedded,
    inspect::{Contents, ImageContents, inspect as look_into},
    size::{Bytes, Grouped},
};

/// Describes a file on stdout.
pub fn inspect(args: &InspectArgs) -> Result<(), CommandError> {
    let contents = look_into(&args.file)?;
    if args.json {
        println!("{:#}", to_json(&contents));
        return Ok(());
    }
    match &contents {
        Contents::Checkpoint { shape, bytes } => {
            println!("llama2.c checkpoint, {}", Bytes(*bytes));
            describe_shape(shape);
        }
        Contents::Gguf(contents) => gguf::describe(contents),
        Contents::Packed(header) => {
            println!("packed model {}, {}, checksums right", header.name, Bytes(header.packed_bytes()));
            describe_model(header);
        }
        Contents::Image(image) => describe_image(image),
    }
    Ok(())
}

fn describe_image(image: &ImageContents) {
    println!("disk image, {}, checksums right", Bytes(image.bytes));
    let code = embedded::machine_code();
    for (name, found, own) in
        [("loader", &image.loader, &code.loader), ("kernel", &image.kernel, &code.kernel)]
    {
        println!(
            "{name}: {} of code, {} of data",
            Bytes(found.code_bytes.into()),
            Bytes(found.data_bytes.into())
        );
        if own.header() == *found {
            println!("  the same as in this program:");
            for line in program_lines(name, &own.sizes) {
                println!("  {line}");
            }
        }
    }
    let settings = &image.settings;
    println!(
        "settings: prompt {:?}, {} steps, temperature {}, top-p {}, seed {}, {} CPUs{}{}{}{}",
        settings.prompt,
        settings.steps,
        Decimal(settings.temperature),
        Decimal(settings.topp),
        settings.seed,
        settings.cpus,
        if settings.exit { ", powers off" } else { "" },
        if settings.trace { ", trace" } else { "" },
        if settings.endless { ", endless" } else { "" },
        if settings.raw_bytes { ", raw bytes" } else { "" },
    );
    println!("model: {}, {} packed", image.model.name, Bytes(image.model.packed_bytes()));
    describe_model(&image.model);
}

fn describe_model(header: &PackedHeader) {
    describe_shape(&header.shape);
    describe_memory(header);
    println!("  engine       {}", header.engine.name());
}

fn describe_memory(header: &PackedHeader) {
    let memory = header.memory(header.shape.seq_len);
    println!(
        "  memory       weights {}, key/value cache {},\n               activations {}, sampler {}",
        Bytes(memory.weights),
        Bytes(memory.kv_cache),
        Bytes(memory.activations),
        Bytes(memory.text)
    );
}

fn describe_shape(shape: &Shape) {
    println!("  parameters   {}", Grouped(shape.parameters()));
    println!(
        "  shape        dim {}, hidden {}, {} layers, {} heads, {} kv heads, {} tokens, context {}",
        shape.dim,
        shape.hidden_dim,
        shape.n_layers,
        shape.n_heads,
        shape.n_kv_heads,
        shape.vocab_size,
        shape.seq_len
    );
    println!("  head size    {}", shape.head_size);
    let classifier = if shape.shared_classifier { "shared with the embedding" } else { "of its own" };
    println!("  classifier   {classifier}");
}

fn to_json(contents: &Contents) -> Value {
    match contents {
        Contents::Checkpoint { shape, bytes } => {
            json!({ "kind": "checkpoint", "bytes": bytes, "shape": shape_to_json(shape) })
        }
        Contents::Gguf(contents) => gguf::to_json(contents),
        Contents::Packed(header) => json!({ "kind": "packed", "model": model_to_json(header) }),
        Contents::Image(image) => json!({
            "kind": "image",
            "bytes": image.bytes,
            "kernel": {
                "crc": format!("{:08x}", image.kernel.crc),
                "build": format!("{:08x}", image.kernel.build),
                "code_bytes": image.kernel.code_bytes,
                "data_bytes": image.kernel.data_bytes,
            },
            "settings": {
                "prompt": image.settings.prompt,
                "steps": image.settings.steps,
                "temperature": Decimal(image.settings.temperature).to_string(),
                "topp": Decimal(image.settings.topp).to_string(),
                "seed": image.settings.seed,
                "cpus": image.settings.cpus,
                "exit": image.settings.exit,
                "trace": image.settings.trace,
                "endless": image.settings.endless,
                "raw_bytes": image.settings.raw_bytes,
            },
            "model": model_to_json(&image.model),
        }),
    }
}

fn model_to_json(header: &PackedHeader) -> Value {
    json!({
        "name": header.name,
        "packed_bytes": header.packed_bytes(),
        "shape": shape_to_json(&header.shape),
        "engine": header.engine.name(),
        "memory": memory_to_json(header),
    })
}

fn memory_to_json(header: &PackedHeader) -> Value {
    let memory = header.memory(header.shape.seq_len);
    json!({
        "weights": memory.weights,
        "kv_cache": memory.kv_cache,
        "activations": memory.activations,
        "text": memory.text,
    })
}

fn shape_to_json(shape: &Shape) -> Value {
    json!({
        "dim": shape.dim,
        "hidden_dim": shape.hidden_dim,
        "n_layers": shape.n_layers,
        "n_heads": shape.n_heads,
        "n_kv_heads": shape.n_kv_heads,
        "head_size": shape.head_size,
        "vocab_size": shape.vocab_size,
        "seq_len": shape.seq_len,
        "shared_classifier": shape.shared_classifier,
        "parameters": shape.parameters(),
    })
}
