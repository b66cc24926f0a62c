use model::engine::EngineKind;
use model::host::{
    calibrate::set_residual_bits,
    checkpoint::Checkpoint,
    fp32::{Fp32, Weights},
    pack::pack_in_memory,
    score,
    vocabulary::pack_gguf,
};
use model::int8::Int8;
use model::simd::Simd;
use rayon::prelude::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let limit: usize = args[3].parse().unwrap();
    let file = std::io::BufReader::new(std::fs::File::open(&args[1]).unwrap());
    let mut c = Checkpoint::open(file).unwrap();
    c.limit_context(1024);
    let Checkpoint::Gguf(g) = &c else { panic!() };
    let vocabulary = pack_gguf(&g.vocabulary().unwrap()).unwrap();
    let t = std::time::Instant::now();
    let mut packed = pack_in_memory(EngineKind::Int8, &mut c, &vocabulary, "x").unwrap();
    set_residual_bits(&mut packed, 15);
    eprintln!("packed {:.2}s {} bytes", t.elapsed().as_secs_f64(), packed.header.packed_bytes());
    let weights = Weights::read(&mut c).unwrap();
    let text = std::fs::read_to_string(&args[2]).unwrap();
    let v = packed.text().unwrap().vocabulary;
    let stories = score::stories(&text);
    let per = limit / stories.len();
    let all: Vec<_> = stories
        .par_iter()
        .map(|s| {
            let (mut tokens, _) = score::story_tokens(&v, s, 1024).unwrap();
            tokens.truncate(per + 1);
            let mut fp = Fp32::new(&weights, 1024);
            let mut e = Int8::new(packed.model().unwrap(), 1024, Simd::best()).unwrap();
            score::read_story(&mut fp, &mut [&mut e], &tokens)
        })
        .collect();
    for i in 0..2 {
        let s = score::Summary::of(all.iter().flat_map(|r| &r[i]));
        println!("{i} n {} nats {:.5} kl {:.3e} top1 {:.4}", s.predictions, s.nats, s.kl, s.top1);
    }
}
