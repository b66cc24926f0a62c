//! The library's modules use each other in one direction: whoever reads one need not have read those that use it.
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string};
use std::path::Path;

/// Every module of the library but the host's side, and the modules that it names.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let mut uses = BTreeMap::<String, BTreeSet<String>>::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![(root, None)];
    while let Some((folder, module)) = folders.pop() {
        for entry in read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let module = module.clone().unwrap_or(name.clone());
            if module == "host" || module == "lib" || name == "tests" {
                continue;
            } else if path.is_dir() {
                folders.push((path, Some(module)));
                continue;
            }
            let text = read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let code = code.join("\n");
            let named = code.split("crate::").skip(1);
            let named =
                named.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap());
            let others = named.filter(|&other| other != module).map(str::to_owned);
            uses.entry(module.clone()).or_default().extend(others);
        }
    }
    uses
}

#[test]
fn modules_do_not_use_each_other_in_circles() {
    let mut uses = uses();
    assert!(uses["attention"].contains("simd") && uses.len() > 20, "{uses:?}");
    // A module that uses none that are left cannot be in a circle.
    while let Some(lowest) = uses.iter().find(|(_, used)| used.is_empty()).map(|(name, _)| name.clone()) {
        uses.remove(&lowest);
        uses.values_mut().for_each(|used| _ = used.remove(&lowest));
    }
    assert!(uses.is_empty(), "each of these uses another of them: {uses:?}");
}
