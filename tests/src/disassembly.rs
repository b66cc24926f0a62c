//! The machine's programs, instruction by instruction: what a 486 cannot run stands only in functions that
//! ask first, nothing calculates in floating point, and no constant address was cut to 16 bits.
//!
//! In 16-bit code the compiler encodes an access to a constant address with 16 bits and says nothing. An
//! access to a static looks the same, but the linker has filled its address in: it has a relocation.
use std::{collections::HashSet, fmt, ops::Range};

use iced_x86::{
    Code, CpuidFeature, Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, OpKind, Register,
};
use object::{
    LittleEndian,
    elf::{FileHeader32, SHF_EXECINSTR, SHT_REL, SHT_SYMTAB, STT_FUNC, STT_NOTYPE, STT_OBJECT},
    read::elf::{FileHeader, SectionHeader, Sym},
};

/// What is wrong with an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is none.
    Invalid,
    /// It reads or writes a constant address, which may have been cut to 16 bits.
    ConstantAddress,
    /// A 486 does not have it, and its function did not ask.
    NotOn486(CpuidFeature),
    /// It calculates in floating point.
    FloatingPoint,
}

/// A fault, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub fault: Fault,
    /// Offset in the code segment.
    pub address: u32,
    /// The instruction.
    pub instruction: String,
    /// The function.
    pub function: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, address, instruction, function } = self;
        write!(f, "{address:#06x} {instruction}: {fault:?}, in {function}")
    }
}

/// Functions, by a part of their names, that may use more than a 486 has: they run only where CPUID says
/// that it is there.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    /// In the function's name.
    pub function: &'static str,
    /// What it may use.
    pub features: &'static [CpuidFeature],
}

/// A program's code.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its instructions; offset 0 of the code segment comes first.
    pub code: Vec<u8>,
    /// Where in the code the linker has filled something in.
    relocations: HashSet<u32>,
    /// Functions by address, lowest first.
    functions: Vec<(u32, String)>,
    /// Constants and variables between the functions: the boot sector has all in one section.
    data: Vec<Range<u32>>,
    /// Address of the first instruction.
    origin: u32,
}

impl Program {
    /// Reads the code section of an ELF file that was linked with `--emit-relocs`.
    ///
    /// # Errors
    /// What is not as it should be, as a sentence.
    pub fn read(elf: &[u8]) -> Result<Self, String> {
        let said = |cause: object::read::Error| format!("not an ELF file that can be read: {cause}");
        let e = LittleEndian;
        let header = FileHeader32::<LittleEndian>::parse(elf).map_err(said)?;
        let sections = header.sections(e, elf).map_err(said)?;
        let is_code = |section: &&object::elf::SectionHeader32<LittleEndian>| {
            section.sh_flags(e).contains(SHF_EXECINSTR) && section.sh_size(e) > 0
        };
        let mut all_code = sections.iter().enumerate().filter(|(_, section)| is_code(section));
        let (index, text) = all_code.next().ok_or("no code")?;
        if let Some((_, other)) = all_code.next() {
            return Err(format!("a second code section at {:#x}", other.sh_addr(e)));
        }
        let relocations = sections
            .iter()
            .filter(|section| section.sh_type(e) == SHT_REL && section.sh_info(e) as usize == index);
        let mut filled_in = HashSet::new();
        for section in relocations {
            if let Some((entries, _)) = section.rel(e, elf).map_err(said)? {
                filled_in.extend(entries.iter().map(|entry| entry.r_offset.get(e)));
            }
        }
        if filled_in.is_empty() {
            return Err("no relocations; was it linked with --emit-relocs?".to_owned());
        }
        let symbols = sections.symbols(e, elf, SHT_SYMTAB).map_err(said)?;
        let here = || symbols.iter().filter(|symbol| usize::from(symbol.st_shndx(e).0) == index);
        let data = here()
            .filter(|symbol| symbol.st_type() == STT_OBJECT)
            .map(|symbol| symbol.st_value(e)..symbol.st_value(e) + symbol.st_size(e))
            .collect();
        let mut functions: Vec<(u32, String)> = here()
            .filter(|symbol| symbol.st_type() == STT_FUNC || symbol.st_type() == STT_NOTYPE)
            .filter_map(|symbol| Some((symbol.st_value(e), symbol.name(e, symbols.strings()).ok()?)))
            .map(|(address, name)| {
                (address, format!("{:#}", rustc_demangle::demangle(&String::from_utf8_lossy(name))))
            })
            .collect();
        functions.sort();
        let code = text.data(e, elf).map_err(said)?.to_vec();
        Ok(Self { code, relocations: filled_in, functions, data, origin: text.sh_addr(e) })
    }

    /// The function that an address lies in.
    fn function(&self, address: u32) -> &str {
        let after = self.functions.partition_point(|(start, _)| *start <= address);
        after.checked_sub(1).map_or("no function", |at| &self.functions[at].1)
    }

    /// All that is wrong.
    pub fn findings(&self, permits: &[Permit]) -> Vec<Finding> {
        let mut decoder = Decoder::with_ip(16, &self.code, self.origin.into(), DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        let mut findings = Vec::new();
        while decoder.can_decode() {
            let here = decoder.ip() as u32;
            if let Some(data) = self.data.iter().find(|data| data.contains(&here)) {
                let after = (data.end - self.origin) as usize;
                decoder.set_ip(data.end.into());
                if decoder.set_position(after).is_err() {
                    break; // the data is the last thing in the section
                }
                continue;
            }
            decoder.decode_out(&mut instruction);
            let address = instruction.ip() as u32;
            let at = decoder.get_constant_offsets(&instruction).displacement_offset() as u32;
            let filled_in = at > 0 && self.relocations.contains(&(address + at));
            let function = self.function(address);
            if let Some(fault) = fault(&instruction, filled_in, function, permits) {
                let mut text = String::new();
                IntelFormatter::new().format(&instruction, &mut text);
                findings.push(Finding { fault, address, instruction: text, function: function.to_owned() });
            }
        }
        findings
    }
}

/// What is wrong with one instruction. `filled_in`: the linker has written its address.
fn fault(instruction: &Instruction, filled_in: bool, function: &str, permits: &[Permit]) -> Option<Fault> {
    use CpuidFeature::{FPU, INTEL186, INTEL286, INTEL386, INTEL486, INTEL8086, PAUSE};
    if instruction.code() == Code::INVALID {
        return Some(Fault::Invalid);
    }
    let in_memory = (0..instruction.op_count()).any(|i| instruction.op_kind(i) == OpKind::Memory);
    let constant =
        instruction.memory_base() == Register::None && instruction.memory_index() == Register::None;
    // LEA only calculates, and a far pointer's vector is no data.
    if in_memory && constant && !filled_in {
        return Some(Fault::ConstantAddress);
    }
    let permitted = |feature: CpuidFeature| {
        permits.iter().any(|permit| function.contains(permit.function) && permit.features.contains(&feature))
    };
    instruction.cpuid_features().iter().find_map(|&feature| match feature {
        // PAUSE is REP NOP to what came before it.
        INTEL8086 | INTEL186 | INTEL286 | INTEL386 | INTEL486 | PAUSE => None,
        FPU => Some(Fault::FloatingPoint),
        _ if permitted(feature) => None,
        _ => Some(Fault::NotOn486(feature)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a few bytes of which the linker has filled in those at `relocation`.
    fn found(code: &[u8], relocation: Option<u32>, permits: &[Permit]) -> Vec<Fault> {
        let program = Program {
            code: code.to_vec(),
            relocations: relocation.into_iter().collect(),
            functions: vec![(0, "scalar".to_owned())],
            data: vec![],
            origin: 0,
        };
        program.findings(permits).into_iter().map(|finding| finding.fault).collect()
    }

    #[test]
    fn an_address_that_was_cut_is_found() {
        // mov word ptr [8000h], ax: what write_volatile(0xB8000 as *mut u16, ...) becomes
        assert_eq!(found(&[0xA3, 0x00, 0x80], None, &[]), [Fault::ConstantAddress]);
        // mov word ptr [8000h], 1
        assert_eq!(found(&[0xC7, 0x06, 0x00, 0x80, 1, 0], None, &[]), [Fault::ConstantAddress]);
        // the same to a static, and by a register
        assert_eq!(found(&[0xA3, 0x00, 0x80], Some(1), &[]), []);
        assert_eq!(found(&[0x67, 0x89, 0x03], None, &[]), []);
        // lea eax, [ebx + 8000h] and a jump have no address to cut
        assert_eq!(found(&[0xEB, 0xFE], None, &[]), []);
    }

    #[test]
    fn data_is_no_code() {
        let program = |data: Option<Range<u32>>| Program {
            code: vec![0x90, 0x0F, 0x04, 0x90],
            relocations: HashSet::new(),
            functions: vec![],
            data: data.into_iter().collect(),
            origin: 0x700,
        };
        assert_eq!(program(Some(0x701..0x703)).findings(&[]), []);
        assert_eq!(program(Some(0x701..0x704)).findings(&[]), []);
        assert_eq!(program(None).findings(&[]).len(), 1);
    }

    #[test]
    fn what_a_486_lacks_is_found() {
        let cmov = [0x66, 0x0F, 0x44, 0xC3];
        assert_eq!(found(&cmov, None, &[]), [Fault::NotOn486(CpuidFeature::CMOV)]);
        let paddd = [0x66, 0x0F, 0xFE, 0xC1];
        assert_eq!(found(&paddd, None, &[]), [Fault::NotOn486(CpuidFeature::SSE2)]);
        let permit = |function| [Permit { function, features: &[CpuidFeature::SSE2] }];
        assert_eq!(found(&paddd, None, &permit("scalar")), []);
        assert_eq!(found(&paddd, None, &permit("sse2")), [Fault::NotOn486(CpuidFeature::SSE2)]);
        let fadd = [0xD8, 0xC1];
        assert_eq!(found(&fadd, None, &[]), [Fault::FloatingPoint]);
        assert_eq!(found(&[0x0F, 0x04], None, &[]), [Fault::Invalid]);
    }
}
