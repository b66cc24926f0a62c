//! What a GGUF holds, also one that is not run, and what the packer makes of it.
use std::{collections::BTreeMap, fs::File, io::BufReader, path::Path};

use model::{
    engine::EngineKind,
    host::{
        checkpoint::{Checkpoint, CheckpointError, gguf::gguf_name},
        coding::weights,
        gguf::{
            Gguf, GgufError, GgufVocabulary, Listing, ROPE_FREQS, TensorInfo, TensorType, check_file_name,
        },
        pack::{PackError, plan},
        vocabulary::{TokenizerError, pack_gguf},
    },
    matrix::Coding,
    packed::{Kind, PackedHeader},
    shape::Shape,
    vocabulary::Vocabulary,
};

use crate::packing::limit_to_what_fits;

/// A GGUF.
#[derive(Debug)]
pub struct GgufContents {
    /// Metadata and directory.
    pub listing: Listing,
    /// How many tensors there are of each type, and their bytes.
    pub types: BTreeMap<String, (usize, u64)>,
    /// The tokenizer, where it can be read.
    pub vocabulary: Option<GgufVocabulary>,
    /// What the packer makes of it, or the sentence that says why it is not run.
    pub packed: Result<PackedGguf, String>,
}

/// What the packer makes of a GGUF.
#[derive(Debug)]
pub struct PackedGguf {
    /// The file's shape, with the whole context.
    pub shape: Shape,
    /// The packed model's header.
    pub header: PackedHeader,
    /// Where a text without a beginning starts.
    pub start: Option<u32>,
    /// The tokens that end a text.
    pub endings: Vec<u32>,
    /// What becomes of the file's tensors, in the packed model's order.
    pub parts: Vec<Part>,
}

/// What the packer makes of some tensors of the file, of all layers together that are coded alike.
#[derive(Debug)]
pub struct Part {
    /// What they become.
    pub kind: Kind,
    /// How the weights of matrices are written.
    pub coding: Coding,
    /// What they are called in the file, without their layer. Empty for what the file has no tensor for.
    pub from: Vec<&'static str>,
    /// Their types in the file.
    pub types: Vec<TensorType>,
    /// How many there are in the packed model.
    pub count: usize,
    /// Rows of each of them in the packed model.
    pub rows: u32,
    /// Columns of each.
    pub cols: u32,
    /// Bytes of all.
    pub bytes: u64,
}

/// Why a GGUF is not run.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    #[error(transparent)]
    Pack(#[from] PackError),
}

impl GgufContents {
    /// Looks into a GGUF.
    ///
    /// # Errors
    /// Where not even its header can be read.
    pub fn read(path: &Path, mut file: BufReader<File>) -> Result<Self, GgufError> {
        let listing = Listing::read(&mut file)?;
        let vocabulary = GgufVocabulary::of(&listing.metadata).ok();
        let types = types(&listing);
        let packed = packed(path, file, &listing).map_err(|refused| refused.to_string());
        Ok(Self { listing, types, vocabulary, packed })
    }
}

fn types(listing: &Listing) -> BTreeMap<String, (usize, u64)> {
    let mut offsets: Vec<u64> = listing.tensors.iter().map(|tensor| tensor.offset).collect();
    offsets.push(listing.file_bytes.saturating_sub(listing.header_bytes));
    offsets.sort_unstable();
    let mut types = BTreeMap::new();
    for tensor in &listing.tensors {
        let known = TensorType::from_number(tensor.type_number)
            .and_then(|tensor_type| TensorInfo::new(&tensor.name, &tensor.dims, tensor_type, 0).ok());
        // Of others it is known only where the next one begins.
        let next = || offsets.iter().find(|&&offset| offset > tensor.offset).copied();
        let bytes =
            known.map_or_else(|| next().unwrap_or(tensor.offset) - tensor.offset, |known| known.bytes);
        let (count, all) = types.entry(tensor.type_name()).or_insert((0, 0));
        *count += 1;
        *all += bytes;
    }
    types
}

/// Everything that packing does, but for the weights.
fn packed(path: &Path, file: BufReader<File>, listing: &Listing) -> Result<PackedGguf, Refused> {
    check_file_name(&path.file_name().unwrap_or_default().to_string_lossy())?;
    let gguf = Gguf::of(listing.clone())?;
    let mut checkpoint = Checkpoint::open(file)?;
    let whole = checkpoint.shape();
    let words = pack_gguf(&GgufVocabulary::of(&gguf.metadata).map_err(CheckpointError::from)?)?;
    limit_to_what_fits(&mut checkpoint, &words);
    let shape = checkpoint.shape();
    let vocabulary = Vocabulary::parse(&words, shape.vocab_size).map_err(PackError::Vocabulary)?;
    let header = plan(EngineKind::Int8, &checkpoint, shape, &words)?;
    let mut parts: Vec<Part> = Vec::new();
    for entry in &header.entries {
        let same = |part: &&mut Part| (part.kind, part.coding) == (entry.kind, entry.coding);
        let part = match parts.iter_mut().find(same) {
            Some(part) => part,
            None => {
                let from = match entry.kind {
                    Kind::Rope if gguf.tensor(ROPE_FREQS).is_some() => vec![name_in_layer(ROPE_FREQS)],
                    kind => weights(kind, &shape)
                        .iter()
                        .copied()
                        .filter_map(gguf_name)
                        .map(name_in_layer)
                        .collect(),
                };
                let (kind, coding, rows, cols) = (entry.kind, entry.coding, entry.rows, entry.cols);
                parts.push(Part { kind, coding, from, types: Vec::new(), count: 0, rows, cols, bytes: 0 });
                parts.last_mut().expect("just pushed")
            }
        };
        part.count += 1;
        part.bytes += entry.padded_bytes();
        let types = weights(entry.kind, &shape).iter();
        part.types.extend(types.filter_map(|&weight| checkpoint.tensor_type(weight, entry.layer.into())));
    }
    for part in &mut parts {
        part.types.sort_unstable_by_key(|tensor_type| tensor_type.name());
        part.types.dedup();
    }
    let (start, endings) = (vocabulary.start(), vocabulary.endings().to_vec());
    Ok(PackedGguf { shape: whole, header, start, endings, parts })
}

/// A tensor's name without the word `weight`.
fn name_in_layer(name: &'static str) -> &'static str {
    name.strip_suffix(".weight").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use model::host::synth::{FileType, SyntheticGguf};
    use model::matrix::Grouped;

    use super::*;

    fn contents(change: impl FnOnce(&mut Vec<u8>)) -> GgufContents {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let model = SyntheticGguf::of_shape("256,512,8,4,2,-300,64").unwrap();
        let mut file = Vec::new();
        let type_of = |tensor: &str, columns| FileType::Q4KM.tensor_type(&model.config, tensor, columns);
        model.write(1, type_of, &mut file).unwrap();
        change(&mut file);
        fs::write(&path, &file).unwrap();
        GgufContents::read(&path, BufReader::new(File::open(&path).unwrap())).unwrap()
    }

    /// Puts other bytes of the same length in the place of the first ones that are so.
    fn replace(file: &mut [u8], old: &[u8], new: &[u8]) {
        let at = file.windows(old.len()).position(|window| window == old).unwrap();
        file[at..at + old.len()].copy_from_slice(new);
    }

    #[test]
    fn a_model_that_is_run_is_shown_as_it_will_be_packed() {
        let contents = contents(|_| ());
        let types: Vec<_> = contents.types.iter().map(|(name, (count, _))| (&name[..], *count)).collect();
        // 8 layers: the first, the last and two between have Q6_K in attn_v and ffn_down; then the classifier.
        assert_eq!(types, [("F32", 17), ("Q4_K", 49), ("Q6_K", 9)]);
        let packed = contents.packed.unwrap();
        let wqkv: Vec<_> = packed.parts.iter().filter(|part| part.kind == Kind::Wqkv).collect();
        let [mixed, alike] = wqkv[..] else { panic!("{wqkv:?}") };
        assert_eq!((mixed.count, mixed.rows, mixed.cols), (4, 512, 256));
        assert_eq!(mixed.coding, Coding::Groups(Grouped::eight_with_offsets(16)));
        assert_eq!(mixed.types, [TensorType::Q4K, TensorType::Q6K]);
        assert_eq!((alike.count, alike.coding), (4, Coding::Groups(Grouped::four(32))));
        assert_eq!(alike.types, [TensorType::Q4K]);
        assert_eq!(alike.from, ["attn_q", "attn_k", "attn_v"]);
        let all: u64 = packed.parts.iter().map(|part| part.bytes).sum();
        assert_eq!(all, packed.header.payload_bytes());
        assert_eq!((packed.start, &packed.endings[..]), (Some(1), &[1, 2][..]));
    }

    #[test]
    fn a_model_that_is_not_run_is_shown_with_the_reason() {
        let other = contents(|file| replace(file, b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0qwen2"));
        assert_eq!(other.types["Q4_K"].0, 49);
        assert!(other.packed.unwrap_err().contains("qwen2"));
        // A directory's entry: the name, two dims, the type.
        let entry = |number: u8| {
            let dims = [&2u32.to_le_bytes()[..], &256u64.to_le_bytes(), &256u64.to_le_bytes()].concat();
            [b"blk.3.attn_q.weight", &dims[..], &[number]].concat()
        };
        const IQ4_XS: u8 = 23;
        let unread = contents(|file| replace(file, &entry(12), &entry(IQ4_XS)));
        assert_eq!(unread.types["IQ4_XS"], (1, 256 * 144));
        assert!(unread.packed.unwrap_err().contains("IQ4_XS"));
    }
}
