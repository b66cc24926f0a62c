//! The page's own files, built into this program.

/// A file of the page: its path in the page's folder, and its bytes.
pub type PageFile = (&'static str, &'static [u8]);

/// Names files of scripts/web that the page has under the same name.
macro_rules! page_files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../web/", $name)))),*]
    };
}

/// The page.
pub const PAGE: &[PageFile] = page_files![
    "index.html",
    "style.css",
    "icon.svg",
    "before.js",
    "page.js",
    "crc32.js",
    "download.js",
    "machine.js",
    "meter.js",
    "settings.js",
    "trace.js",
    "trouble.js",
    "licenses/NOTICE.txt",
    "licenses/seabios.txt",
    "licenses/lgpl-3.0.txt",
    "licenses/gpl-3.0.txt",
];

/// What `npm ci` needs: the packages and their pinned versions.
pub const PACKAGES: &[PageFile] = page_files!["package.json", "package-lock.json", ".npmrc"];

/// How a page of ours is known again: index.html has this.
pub const GENERATOR: &str = r#"<meta name="generator" content="unreallm">"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str) -> &'static str {
        let (_, bytes) = PAGE.iter().find(|(path, _)| *path == name).unwrap();
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_page_is_known_again_by_its_mark() {
        assert!(text("index.html").contains(GENERATOR));
    }

    #[test]
    fn every_module_that_the_page_imports_is_there() {
        let mut imports = 0;
        for (name, bytes) in PAGE.iter().filter(|(name, _)| name.ends_with(".js")) {
            for line in std::str::from_utf8(bytes).unwrap().lines() {
                let Some(path) = line.split("from \"./").nth(1).and_then(|rest| rest.split('"').next())
                else {
                    continue;
                };
                let ours = PAGE.iter().any(|(file, _)| *file == path);
                let from_npm = super::super::npm::FILES.iter().any(|(_, file)| *file == path);
                assert!(ours || from_npm, "{name} imports {path}");
                imports += 1;
            }
        }
        assert!(imports >= 8, "only {imports} imports were seen");
    }

    #[test]
    fn nothing_comes_from_another_host() {
        for (name, bytes) in PAGE.iter().filter(|(name, _)| !name.starts_with("licenses/")) {
            let text = std::str::from_utf8(bytes).unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{name} names a host");
        }
        let (_, lock) = PACKAGES[1];
        assert!(
            !std::str::from_utf8(lock).unwrap().contains("\"resolved\""),
            "the lock file names a registry"
        );
    }
}
