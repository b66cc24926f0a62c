//! `cargo unreal web`: the page that boots the model in a browser.
use std::path::Path;

use super::{CommandError, open_model};
use crate::{
    cli::{ModelArgs, WebArgs},
    size::Bytes,
    web::{folder::Page, images, serve::Server},
};

/// Writes the page, shows it on this computer, or both.
pub fn web(args: &WebArgs) -> Result<(), CommandError> {
    if let Some(folder) = &args.output {
        write(args, folder)?;
        if args.serve {
            return serve(folder, args.port);
        }
        println!("Put {} on any static host; --serve shows the page here.", folder.display());
        return Ok(());
    }
    let passing = tempfile::Builder::new().prefix("unreallm-").tempdir().map_err(CommandError::Temporary)?;
    let folder = passing.path().join("page");
    write(args, &folder)?;
    serve(&folder, args.port)
}

/// Writes the page with its models.
pub fn write(args: &WebArgs, folder: &Path) -> Result<(), CommandError> {
    let mut page = Page::begin(folder, args.bios.as_deref(), |line| eprintln!("{line}"))?;
    for model in &args.models {
        let (model, tokenizer) = (model.clone(), args.tokenizer.clone());
        let named = ModelArgs { model, tokenizer, context: None, refine: args.refine };
        let model = images::write(&mut open_model(&named)?, page.path())?;
        println!("{}: {}", model.name, model.about);
        page.add(model)?;
    }
    let bytes = page.put()?;
    println!("{}: {}", folder.display(), Bytes(bytes));
    Ok(())
}

fn serve(folder: &Path, port: u16) -> Result<(), CommandError> {
    let server = Server::open(folder, port)?;
    println!("The page is at {} (Ctrl-C ends it)", server.url());
    server.run();
    Ok(())
}
