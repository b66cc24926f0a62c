//! The model that a user asked for: found, or fetched, or the built-in one in its place.
use crate::{
    fetch::{FetchError, Fetcher},
    models::{self, Folders, Found, ModelFile, ModelsError},
    published,
};

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// It is not there, and it is not published.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// It is published, but could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

/// Looks a model up, and fetches it where it is published and not here. Where even that fails and
/// the default model was asked for, the built-in one takes its place, and `tell` says so.
///
/// # Errors
/// Where there is no such model, or it cannot be fetched.
pub fn locate(
    model: &str,
    folders: &Folders,
    fetcher: impl FnOnce(&'static str) -> Result<Fetcher, FetchError>,
    tell: impl Fn(&str),
) -> Result<Found, LocateError> {
    let missing = match folders.find(model) {
        Err(error @ ModelsError::NotFound { .. }) => error,
        found => return Ok(found?),
    };
    let Some(published) = published::find(model) else { return Err(missing.into()) };
    match fetcher(published.name).and_then(|fetcher| fetcher.model(&published)) {
        Ok(fetched) => Ok(Found { name: model.into(), checkpoint: ModelFile::OnDisk(fetched.checkpoint) }),
        Err(error) if model == models::DEFAULT => {
            let built_in = models::built_in();
            tell(&format!("{model} is not here, so the built-in {} tells the story: {error}", built_in.name));
            Ok(built_in)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::RefCell, ffi::OsString};

    /// Without a network, and with no model anywhere.
    fn offline(model: &str) -> (Result<Found, LocateError>, String) {
        let folder = tempfile::tempdir().unwrap();
        let told = RefCell::new(String::new());
        let fetcher =
            |_| Ok(Fetcher::new(Some("http://models.invalid".into()), OsString::new(), folder.path().into()));
        let found = locate(model, &Folders::new(Vec::new()), fetcher, |line| {
            *told.borrow_mut() += &format!("{line}\n");
        });
        (found, told.into_inner())
    }

    #[test]
    fn the_default_model_has_a_stand_in_and_that_is_said() {
        let (found, told) = offline("stories260K");
        assert_eq!(found.unwrap(), models::built_in());
        assert!(
            told.starts_with("stories260K is not here, so the built-in bedtime260K tells the story"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }

    #[test]
    fn no_other_model_has_one() {
        let error = offline("stories15M").0.unwrap_err().to_string();
        assert!(error.contains("cannot be reached") && error.contains("stories15M.bin"), "{error}");
        let (error, told) = offline("nosuch");
        assert!(error.unwrap_err().to_string().starts_with("no nosuch.bin or nosuch.gguf in any"));
        assert_eq!(told, "", "what is not published is not fetched");
    }
}
