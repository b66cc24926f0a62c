//! The page under test, made once for all tests, and a server for it.
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
    thread,
};

use model::host::synth::{FileType, SyntheticGguf, Tokenizer};
use tempfile::TempDir;
use unreallm::{
    models::Folders,
    packing::PackInput,
    web::{WebError, folder::Page, images, serve::Server},
};

use crate::case::Trouble;

/// The model that ships with the project.
pub const BUILT_IN: &str = unreallm::embedded::MODEL_NAME;
/// The model of the published stories; not on every computer.
pub const PUBLISHED: &str = "stories260K";

/// Small GGUF files of random weights, made here: one with each kind of tokenizer, their matrices of several types.
pub const RANDOM: [(&str, FileType, Tokenizer); 2] = [
    ("random_llama_q4_k_m", FileType::Q4KM, Tokenizer::LLAMA),
    ("random_gpt2_q5_k_m", FileType::Q5KM, Tokenizer::SMOLLM),
];
/// Their shape.
const SMALL: &str = "256,512,3,4,2,-320,64";

/// The page's folder, with the built-in model, the random ones and, where it is here, the published one.
pub fn folder() -> Result<PathBuf, Trouble> {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    static MADE: Mutex<bool> = Mutex::new(false);
    let folder = FOLDER.get_or_init(|| TempDir::with_prefix("unreallm-page-").expect("a temporary folder"));
    let place = folder.path().join("page");
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if !*made {
        make(&place)?;
        *made = true;
    }
    Ok(place)
}

/// Writes the page.
fn make(place: &Path) -> Result<(), Trouble> {
    let mut page = Page::begin(place, None, |line| eprintln!("{line}")).map_err(|error| match error {
        WebError::NoNpm | WebError::NoBios { .. } | WebError::Npm { .. } => Trouble::Skip(error.to_string()),
        error => Trouble::Wrong(error.to_string()),
    })?;
    let wrong = |error: &dyn std::fmt::Display| Trouble::Wrong(error.to_string());
    let random = random(place).map_err(|error| wrong(&error))?;
    let folders = Folders::of_user();
    for name in [PUBLISHED, BUILT_IN].into_iter().map(str::to_owned).chain(random) {
        let Ok(found) = folders.find(&name) else { continue };
        let mut input = PackInput::open(&found, None, None, &folders).map_err(|error| wrong(&error))?;
        let model = images::write(&mut input, page.path()).map_err(|error| wrong(&error))?;
        page.add(model).map_err(|error| wrong(&error))?;
    }
    page.put().map_err(|error| wrong(&error)).map(drop)
}

/// Writes the random models beside the page, and gives their paths.
fn random(place: &Path) -> Result<Vec<String>, std::io::Error> {
    let write = |(name, file_type, tokenizer): (&str, FileType, Tokenizer)| {
        let mut model = SyntheticGguf::of_shape(SMALL).expect("it is a shape");
        model.tokenizer = tokenizer;
        model.config.head_size *= 2; // not dim / heads
        model.config.rope_freqs = tokenizer.add_bos;
        let mut file = Vec::new();
        let type_of = |tensor: &str, columns| file_type.tensor_type(&model.config, tensor, columns);
        model.write(1, type_of, &mut file).map_err(std::io::Error::other)?;
        let path = place.with_file_name(format!("{name}.gguf"));
        std::fs::write(&path, file)?;
        Ok(path.display().to_string())
    };
    RANDOM.into_iter().map(write).collect()
}

/// A model's disk image on the page; skipped where the model is not on this computer.
pub fn image(page: &Path, model: &str) -> Result<Vec<u8>, Trouble> {
    let path = page.join(format!("images/{model}.img"));
    std::fs::read(path).map_err(|_| {
        Trouble::Skip(format!("the model {model} is not on this computer; set UNREALLM_MODELS to its folder"))
    })
}

/// Serves a folder until the tests end, and gives its address.
pub fn serve(folder: &Path) -> Result<String, Trouble> {
    let server = Server::open(folder, 0).map_err(|error| Trouble::Wrong(error.to_string()))?;
    let url = server.url();
    thread::spawn(move || server.run());
    Ok(url)
}
