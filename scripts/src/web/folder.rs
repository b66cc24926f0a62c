//! Puts the page's folder together: made beside its place, then renamed.
use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use map::disk::{SECTOR, SETTINGS_LBA};
use protocol::settings::SETTINGS_BYTES;
use serde_json::json;
use tempfile::TempDir;

use super::{WebError, bios, failed, images, images::PageModel, npm, sources};

/// A page in the making. Dropped before [`Page::put`], it leaves nothing behind.
pub struct Page {
    folder: TempDir,
    place: PathBuf,
    models: Vec<PageModel>,
}

impl Page {
    /// Begins a page that will be at `place`: everything but the models.
    ///
    /// # Errors
    /// Where `place` holds something else, or a part is missing.
    pub fn begin(place: &Path, bios_folder: Option<&Path>, tell: impl Fn(&str)) -> Result<Self, WebError> {
        check_place(place)?;
        let parent = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder =
            tempfile::Builder::new().prefix(".unreallm-").tempdir_in(parent).map_err(failed(parent))?;
        let page = Self { folder, place: place.into(), models: Vec::new() };
        for (path, bytes) in sources::PAGE {
            page.write(path, bytes)?;
        }
        let modules = npm::modules()?;
        for (from, to) in npm::FILES {
            let from = modules.join(from);
            page.write(to, &fs::read(&from).map_err(failed(&from))?)?;
        }
        for image in &bios::BIOS_IMAGES {
            page.write(image.page, &bios::read(image, bios_folder, &tell)?)?;
        }
        let images = page.path().join("images");
        fs::create_dir(&images).map_err(failed(&images))?;
        Ok(page)
    }

    /// The folder in the making.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Adds a model whose image is in the folder.
    ///
    /// # Errors
    /// Where there is one of that name.
    pub fn add(&mut self, model: PageModel) -> Result<(), WebError> {
        if self.models.iter().any(|other| other.name == model.name || other.image == model.image) {
            return Err(WebError::Twice { name: model.name });
        }
        self.models.push(model);
        Ok(())
    }

    /// Writes page.json and puts the page in its place. An older page there goes. Returns the bytes
    /// of all files.
    ///
    /// # Errors
    /// Where a file cannot be written or renamed.
    pub fn put(self) -> Result<u64, WebError> {
        let mut files = BTreeMap::new();
        list(self.path(), self.path(), &mut files)?;
        let about = json!({
            "files": files,
            "models": self.models,
            "steps": images::settings().steps,
            "settings": { "offset": SETTINGS_LBA * SECTOR, "bytes": SETTINGS_BYTES },
        });
        let about = format!("{about:#}\n");
        self.write("page.json", about.as_bytes())?;
        fs::set_permissions(self.path(), Permissions::from_mode(0o755)).map_err(failed(self.path()))?;
        check_place(&self.place)?;
        if self.place.exists() {
            fs::remove_dir_all(&self.place).map_err(failed(&self.place))?;
        }
        fs::rename(self.folder.keep(), &self.place).map_err(failed(&self.place))?;
        Ok(files.values().sum::<u64>() + about.len() as u64)
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), WebError> {
        let path = self.path().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        fs::write(&path, bytes).map_err(failed(&path))
    }
}

/// A page may come where nothing is, or an empty folder, or an older page.
fn check_place(place: &Path) -> Result<(), WebError> {
    if !place.exists() {
        return Ok(());
    }
    let empty = fs::read_dir(place).map_err(failed(place))?.next().is_none();
    let index = fs::read_to_string(place.join("index.html")).unwrap_or_default();
    if empty || index.contains(sources::GENERATOR) {
        Ok(())
    } else {
        Err(WebError::Foreign { folder: place.into() })
    }
}

/// All files under `folder` with their bytes, by their path from `root`.
fn list(root: &Path, folder: &Path, files: &mut BTreeMap<String, u64>) -> Result<(), WebError> {
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if path.is_dir() {
            list(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).expect("it was found under the root");
            let bytes = fs::metadata(&path).map_err(failed(&path))?.len();
            files.insert(name.to_string_lossy().into_owned(), bytes);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_ours_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check_place(folder.path()).is_ok(), "an empty folder");
        assert!(check_place(&folder.path().join("new")).is_ok());
        fs::write(folder.path().join("thesis.txt"), b"years of work").unwrap();
        let error = check_place(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is not empty and holds no page of ours"), "{error}");
        fs::write(folder.path().join("index.html"), sources::GENERATOR).unwrap();
        assert!(check_place(folder.path()).is_ok(), "an older page");
    }
}
