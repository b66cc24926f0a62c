//! The CPU: who it is, what it can, and the switches that a BIOS may have left wrong.
//!
//! Source: Intel SDM vol. 2A, CPUID; vol. 3A, 2.5 (control registers), 11.5.1 (cache control), 13.1.3 (SSE).
use crate::unreal;
use bitflags::bitflags;
use core::arch::asm;
use core::arch::x86::__cpuid;
use core::fmt::{self, Write};
use x86_64::registers::control::{Cr0Flags, Cr4Flags};

/// EFLAGS bit that can be changed if there is a CPUID instruction.
const EFLAGS_ID: u32 = 1 << 21;
/// CPUID leaves.
const LEAF_VENDOR: u32 = 0;
const LEAF_FEATURES: u32 = 1;
const LEAF_EXTENDED: u32 = 0x8000_0000;
const LEAVES_BRAND: [u32; 3] = [0x8000_0002, 0x8000_0003, 0x8000_0004];
/// The leaf with a hypervisor's name, and the first letters of QEMU's translator's: "TCGTCGTCGTCG".
const LEAF_HYPERVISOR: u32 = 0x4000_0000;
const TCG: u32 = u32::from_le_bytes(*b"TCGT");

bitflags! {
    /// What we ask CPUID for: leaf 1, EDX in the low half, ECX in the high half.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Features: u64 {
        /// Time-stamp counter.
        const TSC = 1 << 4;
        /// Local APIC.
        const APIC = 1 << 9;
        /// FXSAVE, and the control bits that SSE needs.
        const FXSR = 1 << 24;
        /// SSE.
        const SSE = 1 << 25;
        /// SSE2.
        const SSE2 = 1 << 26;
        /// SSE3.
        const SSE3 = 1 << 32;
        /// SSE4.1.
        const SSE4_1 = 1 << (32 + 19);
        /// Runs under a hypervisor that says so.
        const HYPERVISOR = 1 << (32 + 31);
    }
}

/// A CPU's name: CPUID's brand string or vendor, or what is known without CPUID.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; 48],
    len: usize,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.bytes[..self.len].iter().map(|&byte| char::from(byte));
        letters.skip_while(|&letter| letter == ' ').try_for_each(|letter| f.write_char(letter))
    }
}

/// The CPU as CPUID describes it.
#[derive(Clone, Copy)]
pub struct Cpu {
    /// Its name.
    pub name: Name,
    /// What it can; empty without CPUID.
    pub features: Features,
}

impl Cpu {
    /// Asks the CPU.
    pub fn detect() -> Self {
        let mut name = Name { bytes: [0; 48], len: 0 };
        if !has_cpuid() {
            let text = b"a 486 or older (no CPUID)";
            name.bytes[..text.len()].copy_from_slice(text);
            name.len = text.len();
            return Self { name, features: Features::empty() };
        }
        let vendor = __cpuid(LEAF_VENDOR);
        let features = if vendor.eax >= LEAF_FEATURES {
            let leaf = __cpuid(LEAF_FEATURES);
            Features::from_bits_truncate(u64::from(leaf.ecx) << 32 | u64::from(leaf.edx))
        } else {
            Features::empty()
        };
        let mut append = |words: &[u32]| {
            for word in words {
                name.bytes[name.len..name.len + 4].copy_from_slice(&word.to_le_bytes());
                name.len += 4;
            }
        };
        if __cpuid(LEAF_EXTENDED).eax >= LEAVES_BRAND[2] {
            for leaf in LEAVES_BRAND {
                let part = __cpuid(leaf);
                append(&[part.eax, part.ebx, part.ecx, part.edx]);
            }
        } else {
            append(&[vendor.ebx, vendor.edx, vendor.ecx]);
        }
        // A short brand string is filled up: by Intel with zeros, by AMD with blanks in front of a zero.
        while name.len > 0 && matches!(name.bytes[name.len - 1], b' ' | 0) {
            name.len -= 1;
        }
        Self { name, features }
    }

    /// Is this QEMU's translator? It runs other instruction sequences fastest than processors do.
    pub fn is_tcg(&self) -> bool {
        self.features.contains(Features::HYPERVISOR) && __cpuid(LEAF_HYPERVISOR).ebx == TCG
    }

    /// Can SSE2 be switched on? The control bits come with FXSR.
    pub fn has_sse2(&self) -> bool {
        self.features.contains(Features::FXSR | Features::SSE | Features::SSE2)
    }
}

/// Sets CR0 and CR4 as we need them: caches on, SSE on where there is SSE2. All CPUs do this,
/// each for itself.
pub fn set_up(has_sse2: bool) {
    let mut cr0 = unreal::cr0();
    cr0.remove(Cr0Flags::CACHE_DISABLE | Cr0Flags::NOT_WRITE_THROUGH);
    if has_sse2 {
        cr0.remove(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED);
        cr0.insert(Cr0Flags::MONITOR_COPROCESSOR);
    }
    // SAFETY: PE was clear and stays so. A BIOS that left the caches off has initialised memory
    // by now, so they may go on.
    unsafe { unreal::write_cr0(cr0) };
    if has_sse2 {
        let add = Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
        // SAFETY: CR4 exists and has these bits where FXSR and SSE do. Exceptions stay masked.
        unsafe {
            asm!("mov {old}, cr4", "or {old}, {add}", "mov cr4, {old}",
                old = out(reg) _, add = in(reg) add.bits() as u32, options(nomem, nostack));
        }
    }
}

/// CPUs before the late 486 have no CPUID; there bit 21 of EFLAGS does not change.
fn has_cpuid() -> bool {
    let changed: u32;
    // SAFETY: flips one flag that has no effect, and puts the flags back.
    unsafe {
        asm!(
            "pushfd", "pop {old}",
            "mov {changed}, {old}", "xor {changed}, {id}",
            "push {changed}", "popfd",
            "pushfd", "pop {changed}",
            "push {old}", "popfd",
            "xor {changed}, {old}",
            old = out(reg) _, changed = out(reg) changed, id = const EFLAGS_ID,
        );
    }
    changed & EFLAGS_ID != 0
}
