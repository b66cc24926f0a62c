//! From an ELF file to the bytes that the machine loads, with the sizes checked.
use map::low_memory::Region;
use object::{
    LittleEndian,
    elf::{
        FileHeader32, PT_LOAD, ProgramHeader32, SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS,
        SectionHeader32,
    },
    read::elf::{FileHeader, ProgramHeader, SectionHeader},
};

/// Why a program does not fit the machine.
#[derive(Debug, thiserror::Error)]
pub enum FlattenError {
    /// Not an ELF file of a 32-bit little-endian machine.
    #[error("{program} is not an ELF file that can be read: {cause}")]
    Elf {
        /// Name of the program.
        program: &'static str,
        /// What the reader said.
        cause: object::read::Error,
    },
    /// A section that no segment loads.
    #[error("{program}'s section {section} is in no segment; its linker script should load it")]
    NotLoaded {
        /// Name of the program.
        program: &'static str,
        /// Name of the section.
        section: String,
    },
    /// A section lies outside the memory that belongs to it.
    #[error(
        "{program} has {section} at {start:#x}..{end:#x}, but {:#x}..{:#x} is its memory; make it \
         {} bytes smaller, or look at its linker script",
        region.start, region.end,
        end.saturating_sub(region.end.into()).max(u64::from(region.start).saturating_sub(*start))
    )]
    Outside {
        /// Name of the program.
        program: &'static str,
        /// Name of the section.
        section: String,
        /// Its first byte, a linear address.
        start: u64,
        /// One past its last byte.
        end: u64,
        /// Where it should be.
        region: Region,
    },
}

/// Bytes of each kind in a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Instructions.
    pub code: u32,
    /// Constants.
    pub rodata: u32,
    /// Variables with a starting value.
    pub data: u32,
    /// Variables that start as zero.
    pub bss: u32,
    /// What is left behind the data's last section: there the stack is.
    pub stack: u32,
}

/// A program as memory holds it.
#[derive(Clone, Debug)]
pub struct Flat {
    /// From the lower region's first byte to the last byte that the file gives.
    pub bytes: Vec<u8>,
    /// What is in it.
    pub sizes: Sizes,
}

/// Lays the sections of `elf` out as they lie in memory, from the start of `code` or of `data`,
/// whichever is lower. Gaps and bss are zeros.
///
/// # Errors
/// A section with instructions that is not in `code`, or any other that is not in `data`.
pub fn flatten(program: &'static str, elf: &[u8], code: Region, data: Region) -> Result<Flat, FlattenError> {
    let bad = |cause| FlattenError::Elf { program, cause };
    let header = FileHeader32::<LittleEndian>::parse(elf).map_err(bad)?;
    let endian = header.endian().map_err(bad)?;
    let segments = header.program_headers(endian, elf).map_err(bad)?;
    let sections = header.sections(endian, elf).map_err(bad)?;
    let origin = u64::from(code.start.min(data.start));
    let mut flat = Flat { bytes: Vec::new(), sizes: Sizes { stack: data.size(), ..Sizes::default() } };
    for section in sections.iter() {
        let size = section.sh_size(endian);
        if size == 0 || !section.sh_flags(endian).contains(SHF_ALLOC) {
            continue;
        }
        let name = sections.section_name(endian, section).map_err(bad)?;
        let name = String::from_utf8_lossy(name).into_owned();
        let executable = section.sh_flags(endian).contains(SHF_EXECINSTR);
        let region = if executable { code } else { data };
        let Some(start) = segments.iter().find_map(|segment| load_address(section, segment)) else {
            return Err(FlattenError::NotLoaded { program, section: name });
        };
        let end = start + u64::from(size);
        if start < region.start.into() || end > region.end.into() {
            return Err(FlattenError::Outside { program, section: name, start, end, region });
        }
        if !executable {
            flat.sizes.stack = flat.sizes.stack.min(data.end - end as u32);
        }
        *flat.sizes.of(section) += size;
        let content = section.data(endian, elf).map_err(bad)?;
        let at = (start - origin) as usize;
        flat.bytes.resize(flat.bytes.len().max(at + content.len()), 0);
        flat.bytes[at..at + content.len()].copy_from_slice(content);
    }
    Ok(flat)
}

/// The linear address at which a segment loads a section: its physical address. (The virtual one
/// counts from the base of a code segment.) `None` if the section is not in this segment; file
/// offsets decide, since virtual addresses of code and data overlap.
fn load_address(
    section: &SectionHeader32<LittleEndian>,
    segment: &ProgramHeader32<LittleEndian>,
) -> Option<u64> {
    let e = LittleEndian;
    if segment.p_type(e) != PT_LOAD {
        return None;
    }
    let (address, size) = (u64::from(section.sh_addr(e)), u64::from(section.sh_size(e)));
    let (base, in_file) = (u64::from(segment.p_vaddr(e)), u64::from(segment.p_filesz(e)));
    let inside = if section.sh_type(e) == SHT_NOBITS {
        base + in_file <= address && address + size <= base + u64::from(segment.p_memsz(e))
    } else {
        let (offset, start) = (u64::from(section.sh_offset(e)), u64::from(segment.p_offset(e)));
        start <= offset && offset + size <= start + in_file
    };
    if inside { address.checked_sub(base).map(|into| u64::from(segment.p_paddr(e)) + into) } else { None }
}

impl Sizes {
    /// The sum that a section counts into.
    fn of(&mut self, section: &SectionHeader32<LittleEndian>) -> &mut u32 {
        let flags = section.sh_flags(LittleEndian);
        if flags.contains(SHF_EXECINSTR) {
            &mut self.code
        } else if section.sh_type(LittleEndian) == SHT_NOBITS {
            &mut self.bss
        } else if flags.contains(SHF_WRITE) {
            &mut self.data
        } else {
            &mut self.rodata
        }
    }
}
