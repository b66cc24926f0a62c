//! The processor's state out of what QEMU's `info registers` and Bochs' debugger print.

/// CR0 bit 0, PE: protected mode (Intel SDM vol. 3, 2.5).
pub const CR0_PE: u32 = 1;

/// What the tests look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Control register 0.
    pub cr0: u32,
    /// Code segment selector: in real mode its base is 16 times this.
    pub cs: u16,
    /// Instruction pointer.
    pub eip: u32,
    /// Limit of the data segment as the processor holds it: 0xFFFFFFFF in unreal mode.
    pub ds_limit: u32,
}

impl Registers {
    /// Whether the processor is in protected mode.
    pub fn protected(&self) -> bool {
        self.cr0 & CR0_PE != 0
    }

    /// Linear address of the next instruction in real mode.
    pub fn real_mode_address(&self) -> u32 {
        u32::from(self.cs) * 16 + self.eip
    }

    /// Reads QEMU's `info registers`.
    pub fn from_qemu(text: &str) -> Option<Self> {
        let cs = text.lines().find_map(|line| line.strip_prefix("CS ="))?;
        let ds = text.lines().find_map(|line| line.strip_prefix("DS ="))?;
        Some(Self {
            cr0: hex_after(text, "CR0=")?,
            cs: u16::try_from(hex_after(cs, "")?).ok()?,
            eip: hex_after(text, "EIP=").or_else(|| hex_after(text, "RIP="))?,
            // selector, base, limit, flags
            ds_limit: hex_after(ds.split_whitespace().nth(2)?, "")?,
        })
    }

    /// Reads the output of Bochs' debugger commands `r`, `sreg` and `creg`.
    pub fn from_bochs(text: &str) -> Option<Self> {
        let ds = text.get(text.find("\nds:0x")?..)?;
        Some(Self {
            cr0: hex_after(text, "CR0=0x")?,
            cs: u16::try_from(hex_after(text, "\ncs:0x")?).ok()?,
            eip: hex_after(text, "rip: ").or_else(|| hex_after(text, "eip: 0x"))?,
            ds_limit: hex_after(ds, "limit=0x")?,
        })
    }
}

/// The hexadecimal number behind the first `label`. Underscores are skipped (Bochs prints
/// `00000000_0000abcd`); digits above 32 bits must be zero.
fn hex_after(text: &str, label: &str) -> Option<u32> {
    let digits: String = text[text.find(label)? + label.len()..]
        .chars()
        .skip_while(|c| *c == ' ')
        .take_while(|c| c.is_ascii_hexdigit() || *c == '_')
        .filter(|c| *c != '_')
        .collect();
    u32::try_from(u64::from_str_radix(&digits, 16).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QEMU_64: &str = "\
RAX=0000000000000000 RBX=0000000000001234
RIP=0000000000008a0a RFL=00000046 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=0
ES =0000 00000000 ffffffff 00cf9300
CS =1000 00010000 0000ffff 00009b00
SS =0000 00000000 ffffffff 00cf9300
DS =0000 00000000 ffffffff 00cf9300
CR0=00000012 CR2=0000000000000000 CR3=0000000000000000 CR4=00000600
";

    const BOCHS: &str = "\
rax: 00000000_00000000 rcx: 00000000_00090000\r
rip: 00000000_00008a0a\r
es:0x0000, dh=0x00cf9300, dl=0x0000ffff, valid=1\r
\tData segment, base=0x00000000, limit=0xffffffff, Read/Write, Accessed\r
cs:0x1000, dh=0x00009300, dl=0x0000ffff, valid=1\r
\tData segment, base=0x00010000, limit=0x0000ffff, Read/Write, Accessed\r
ds:0x0000, dh=0x00009300, dl=0x0000ffff, valid=31\r
\tData segment, base=0x00000000, limit=0x0000ffff, Read/Write, Accessed\r
CR0=0x60000013: pg CD NW ac wp ne ET ts em MP pe\r
";

    #[test]
    fn qemu_in_unreal_mode() {
        let registers = Registers::from_qemu(QEMU_64).expect("a whole dump");
        assert_eq!(registers, Registers { cr0: 0x12, cs: 0x1000, eip: 0x8A0A, ds_limit: u32::MAX });
        assert!(!registers.protected());
        assert_eq!(registers.real_mode_address(), 0x1_8A0A);
    }

    #[test]
    fn bochs_in_plain_real_mode() {
        let registers = Registers::from_bochs(BOCHS).expect("a whole dump");
        assert_eq!(registers.ds_limit, 0xFFFF);
        assert_eq!((registers.cs, registers.eip), (0x1000, 0x8A0A));
        assert!(registers.protected(), "CR0 is {:#x}", registers.cr0);
    }

    #[test]
    fn half_a_dump_is_none() {
        assert_eq!(Registers::from_qemu(&QEMU_64[..200]), None);
        assert_eq!(Registers::from_bochs("CR0=0x10"), None);
    }
}
