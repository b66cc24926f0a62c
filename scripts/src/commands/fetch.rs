//! `cargo unreal fetch`: a published model into the cache.
use super::CommandError;
use crate::{cli::FetchArgs, fetch::Fetcher, published};

/// Fetches a model's files and says where they are.
pub fn fetch(args: &FetchArgs) -> Result<(), CommandError> {
    let Some(model) = published::find(&args.name) else {
        return Err(CommandError::NotPublished { name: args.name.clone() });
    };
    let fetched = Fetcher::of_user(model.name)?.model(&model)?;
    for path in [Some(fetched.checkpoint), fetched.tokenizer].into_iter().flatten() {
        println!("{}", path.display());
    }
    Ok(())
}
