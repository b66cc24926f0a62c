//! Where a program's variables are, by its ELF file.
use std::ops::Range;

use object::{
    LittleEndian,
    elf::{FileHeader32, SHT_SYMTAB},
    read::elf::{FileHeader, Sym},
};

/// The linear addresses of the one variable whose path ends like this.
///
/// # Errors
/// There is none or more than one; the file is no ELF file.
pub fn find(elf: &[u8], path: &str) -> Result<Range<u32>, String> {
    let said = |cause: object::read::Error| format!("not an ELF file that can be read: {cause}");
    let e = LittleEndian;
    let header = FileHeader32::<LittleEndian>::parse(elf).map_err(said)?;
    let symbols =
        header.sections(e, elf).and_then(|sections| sections.symbols(e, elf, SHT_SYMTAB)).map_err(said)?;
    let named = |symbol: &&object::elf::Sym32<LittleEndian>| {
        let name = symbol.name(e, symbols.strings()).unwrap_or_default();
        format!("{:#}", rustc_demangle::demangle(&String::from_utf8_lossy(name))).ends_with(path)
    };
    let found: Vec<_> = symbols.iter().filter(named).collect();
    match found[..] {
        [symbol] => Ok(symbol.st_value(e)..symbol.st_value(e) + symbol.st_size(e)),
        _ => Err(format!("{} variables are named {path}", found.len())),
    }
}
