//! From a name or a file to a checkpoint and the tokenizer that goes with it.
use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use model::host::vocabulary::llama2c;

use crate::{embedded, published};

/// The model where none is named.
pub const DEFAULT: &str = "stories260K";
/// The variable with the folders to look in, separated as in PATH.
pub const FOLDERS_VARIABLE: &str = "UNREALLM_MODELS";

/// How the files of checkpoints end: llama2.c's format, and GGUF.
const ENDINGS: [&str; 2] = ["bin", "gguf"];

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelFile {
    /// On this host's disk.
    OnDisk(PathBuf),
    /// In this program.
    BuiltIn(&'static str, &'static [u8]),
}

impl ModelFile {
    /// What a person would call it.
    pub fn name(&self) -> String {
        match self {
            Self::OnDisk(path) => path.display().to_string(),
            Self::BuiltIn(name, _) => format!("{name} (built in)"),
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn read(&self) -> Result<Vec<u8>, ModelsError> {
        match self {
            Self::OnDisk(path) => {
                fs::read(path).map_err(|cause| ModelsError::Read { path: path.clone(), cause })
            }
            Self::BuiltIn(_, bytes) => Ok(bytes.to_vec()),
        }
    }
}

/// A checkpoint that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The model's name: its file's, without the ending.
    pub name: String,
    /// The checkpoint.
    pub checkpoint: ModelFile,
}

/// Why a model is not there.
#[derive(Debug, thiserror::Error)]
pub enum ModelsError {
    /// A file was named, and it does not exist.
    #[error(
        "there is no file {path}; name a GGUF or a llama2.c checkpoint, or one of {}",
        published::names()
    )]
    NoFile {
        /// The file named.
        path: PathBuf,
    },
    /// A name was given, and no folder has it.
    #[error("no {name}.bin or {name}.gguf in {looked}; {}", advice(name))]
    NotFound {
        /// The name.
        name: String,
        /// The folders looked in.
        looked: String,
    },
    /// No tokenizer fits.
    #[error(
        "no tokenizer with {vocab} pieces for {model} (looked for {tried} in {looked}); name one with -z FILE"
    )]
    NoTokenizer {
        /// The model's name.
        model: String,
        /// Pieces that it needs.
        vocab: usize,
        /// The file names looked for.
        tried: String,
        /// The folders looked in.
        looked: String,
    },
    /// A file is there, but cannot be read.
    #[error("{path} cannot be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// What to do about a name that no folder has.
fn advice(name: &str) -> String {
    if published::find(name).is_some() {
        format!(
            "'cargo unreal fetch {name}' downloads it, or set {FOLDERS_VARIABLE} to the folder that has it"
        )
    } else {
        format!("set {FOLDERS_VARIABLE} to the folder that has it; published are {}", published::names())
    }
}

/// The folders where models are looked for.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The user's, in order, then the cache.
    all: Vec<PathBuf>,
}

impl Folders {
    /// From `$UNREALLM_MODELS` and the user's cache folder.
    pub fn of_user() -> Self {
        let mut all: Vec<PathBuf> = env::var_os(FOLDERS_VARIABLE)
            .map(|list| env::split_paths(&list).filter(|folder| !folder.as_os_str().is_empty()).collect())
            .unwrap_or_default();
        all.extend(cache());
        Self { all }
    }

    /// These and no others.
    pub fn new(all: Vec<PathBuf>) -> Self {
        Self { all }
    }

    /// Looks a model up: a file where the word is one, or looks like one; otherwise a name.
    ///
    /// # Errors
    /// Where it is not there, with what would help.
    pub fn find(&self, model: &str) -> Result<Found, ModelsError> {
        let path = Path::new(model);
        if path.is_file() {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(Found { name, checkpoint: ModelFile::OnDisk(path.into()) });
        }
        if path.components().count() > 1 || path.extension().is_some() {
            return Err(ModelsError::NoFile { path: path.into() });
        }
        let files = |folder: &PathBuf| ENDINGS.map(|ending| folder.join(format!("{model}.{ending}")));
        if let Some(path) = self.all.iter().flat_map(files).find(|path| path.is_file()) {
            return Ok(Found { name: model.into(), checkpoint: ModelFile::OnDisk(path) });
        }
        if model == embedded::MODEL_NAME {
            return Ok(built_in());
        }
        Err(ModelsError::NotFound { name: model.into(), looked: list(&self.all) })
    }

    /// The tokenizer of a model with `vocab` pieces: NAME.tok.bin beside it; else the first of
    /// tok{vocab}.bin, tokenizer{vocab}.bin and tokenizer.bin with that many pieces, beside it and
    /// then in the folders.
    ///
    /// # Errors
    /// Where there is none.
    pub fn find_tokenizer(&self, model: &Found, vocab: usize) -> Result<ModelFile, ModelsError> {
        let path = match &model.checkpoint {
            ModelFile::BuiltIn(..) => {
                return Ok(ModelFile::BuiltIn(embedded::MODEL_NAME, embedded::TOKENIZER));
            }
            ModelFile::OnDisk(path) => path,
        };
        let own = path.with_extension("tok.bin");
        if own.is_file() {
            return Ok(ModelFile::OnDisk(own));
        }
        let beside = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut folders = vec![beside];
        folders.extend(self.all.iter().cloned());
        let names = [format!("tok{vocab}.bin"), format!("tokenizer{vocab}.bin"), "tokenizer.bin".to_owned()];
        for folder in &folders {
            for name in &names {
                let path = folder.join(name);
                if fs::read(&path)
                    .is_ok_and(|bytes| llama2c::pieces(&bytes).is_ok_and(|pieces| pieces.len() == vocab))
                {
                    return Ok(ModelFile::OnDisk(path));
                }
            }
        }
        let tried = format!("{}, {}", own.file_name().unwrap_or_default().display(), names.join(", "));
        Err(ModelsError::NoTokenizer { model: model.name.clone(), vocab, tried, looked: list(&folders) })
    }
}

/// The model that ships with the project.
pub fn built_in() -> Found {
    let checkpoint = ModelFile::BuiltIn(embedded::MODEL_NAME, embedded::CHECKPOINT);
    Found { name: embedded::MODEL_NAME.into(), checkpoint }
}

/// The folder where fetched models are kept. `None` where the user has no home.
pub fn cache() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("unreallm"))
}

/// Folders as a sentence names them.
fn list(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "any folder (none is known)".into();
    }
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_needs_no_folder() {
        let none = Folders::new(Vec::new());
        let found = none.find("bedtime260K").unwrap();
        assert_eq!(found, built_in());
        let tokenizer = none.find_tokenizer(&found, 512).unwrap();
        assert_eq!(llama2c::pieces(&tokenizer.read().unwrap()).unwrap().len(), 512);
    }

    #[test]
    fn a_name_is_looked_up_in_order_and_a_file_is_taken_as_it_is() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let search = Folders::new(folders.iter().map(|folder| folder.path().into()).collect());
        let second = folders[1].path().join("tiny.bin");
        fs::write(&second, b"checkpoint").unwrap();
        assert_eq!(search.find("tiny").unwrap().checkpoint, ModelFile::OnDisk(second.clone()));
        let first = folders[0].path().join("tiny.bin");
        fs::write(&first, b"checkpoint").unwrap();
        assert_eq!(search.find("tiny").unwrap().checkpoint, ModelFile::OnDisk(first));
        let gguf = folders[0].path().join("large.gguf");
        fs::write(&gguf, b"checkpoint").unwrap();
        assert_eq!(search.find("large").unwrap().checkpoint, ModelFile::OnDisk(gguf));
        let by_path = search.find(second.to_str().unwrap()).unwrap();
        assert_eq!(by_path, Found { name: "tiny".into(), checkpoint: ModelFile::OnDisk(second) });
    }

    #[test]
    fn a_tokenizer_of_another_size_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.bin");
        fs::write(&path, b"checkpoint").unwrap();
        fs::write(folder.path().join("tok3.bin"), embedded::TOKENIZER).unwrap();
        let search = Folders::new(Vec::new());
        let model = search.find(path.to_str().unwrap()).unwrap();
        let error = search.find_tokenizer(&model, 3).unwrap_err().to_string();
        assert!(error.contains("no tokenizer with 3 pieces for tiny") && error.contains("-z"), "{error}");
        let three = [&[1, 0, 0, 0][..], &[0, 0, 0, 0, 1, 0, 0, 0, b'a'].repeat(3)].concat();
        fs::write(folder.path().join("tokenizer.bin"), &three).unwrap();
        let found = search.find_tokenizer(&model, 3).unwrap();
        assert_eq!(found, ModelFile::OnDisk(folder.path().join("tokenizer.bin")));
        fs::write(folder.path().join("tiny.tok.bin"), b"its own").unwrap();
        let found = search.find_tokenizer(&model, 3).unwrap();
        assert_eq!(found, ModelFile::OnDisk(folder.path().join("tiny.tok.bin")));
    }

    #[test]
    fn a_missing_model_says_what_would_help() {
        let search = Folders::new(Vec::new());
        let error = search.find("stories15M").unwrap_err().to_string();
        assert!(error.contains("cargo unreal fetch stories15M"), "{error}");
        let error = search.find("no/such.bin").unwrap_err().to_string();
        assert!(error.starts_with("there is no file no/such.bin;"), "{error}");
    }
}
