//! Reading the loader by INT 13h.
use core::arch::{asm, global_asm};
use core::cell::Cell;
use core::mem::{MaybeUninit, offset_of};
use map::disk::{LOADER_LBA, PROGRAM_SECTORS, SECTOR};
use map::int13::{
    CHECK_EXTENSIONS, DiskAddressPacket, EXTENSIONS_ANSWER, EXTENSIONS_ASK, GET_PARAMETERS, Geometry,
    PACKET_ACCESS, READ_CHS, READ_EXTENDED, RESET,
};
use map::low_memory::PROGRAM_DATA;

/// How many reads may fail, with a reset after each: a drive that spins up needs a few.
const TRIES: u8 = 5;
/// Sectors in an extended read. 4 KiB divide both the load address and the 64 KB that no read may
/// cross.
const EXTENDED_STEP: u16 = 8;
/// A sector in units of real-mode segments.
const PARAGRAPHS_PER_SECTOR: u16 = SECTOR as u16 / 16;

const _: () =
    assert!(PROGRAM_DATA.start.is_multiple_of(4096) && PROGRAM_SECTORS.is_multiple_of(EXTENDED_STEP as u32));

/// The drive that we came from, and how far we read. Cells, as the entry code, the thunk and the BIOS
/// reach it beside us.
#[repr(C)]
pub struct Disk {
    /// What the next call reads, and to where.
    packet: Cell<DiskAddressPacket>,
    /// The BIOS's number of the drive. The entry code puts it here.
    drive: Cell<u8>,
    /// How many reads may still fail.
    tries: Cell<u8>,
    /// The shape, where sectors must be named by cylinder, head and sector.
    geometry: Cell<Option<Geometry>>,
}

// SAFETY: the boot sector runs on one processor and has no interrupt handlers of its own; the BIOS's
// know nothing of it.
unsafe impl Sync for Disk {}

/// Starts with the loader's first sectors.
pub static DISK: Disk = Disk {
    packet: Cell::new(DiskAddressPacket::new(LOADER_LBA, EXTENDED_STEP, (PROGRAM_DATA.start >> 4) as u16)),
    drive: Cell::new(0),
    tries: Cell::new(TRIES),
    geometry: Cell::new(None),
};

/// Where the entry code leaves the drive's number.
pub const DRIVE_OFFSET: usize = offset_of!(Disk, drive);

impl Disk {
    /// Extended reads where the BIOS has them, cylinder, head and sector otherwise.
    #[inline(always)]
    pub fn find_addressing(&self) -> Option<()> {
        let extensions = int13(CHECK_EXTENSIONS, Input::new(EXTENSIONS_ASK), ANY, ANY);
        if extensions.bx == EXTENSIONS_ANSWER && extensions.cx & PACKET_ACCESS != 0 {
            return extensions.succeeded();
        }
        self.change_packet(|packet| packet.sectors = 1);
        let shape = int13(GET_PARAMETERS, ANY, ANY, ANY);
        self.geometry.set(Geometry::from_registers(shape.cx, shape.dx));
        self.geometry.get()?;
        shape.succeeded()
    }

    /// Reads what the packet names.
    #[inline(always)]
    pub fn read(&self) -> Option<()> {
        match self.geometry.get() {
            None => {
                // Each time anew: a BIOS that fails puts the sectors it did read here, often none.
                self.change_packet(|packet| packet.sectors = EXTENDED_STEP);
                int13(READ_EXTENDED, ANY, ANY, ANY)
            }
            Some(geometry) => {
                let chs = geometry.chs(self.sector().into());
                int13(READ_CHS | 1, Input::new(0), Input::new(chs.cx), Input::new(u16::from(chs.head) << 8))
            }
        }
        .succeeded()
    }

    /// Moves on by what [`Self::read`] read.
    #[inline(always)]
    pub fn advance(&self) {
        self.change_packet(|packet| {
            packet.lba += u32::from(packet.sectors);
            packet.segment += packet.sectors * PARAGRAPHS_PER_SECTOR;
        });
    }

    /// Resets the drive. `None` if that was tried often enough.
    #[inline(always)]
    pub fn try_again(&self) -> Option<()> {
        int13(RESET, ANY, ANY, ANY);
        self.tries.set(self.tries.get() - 1);
        (self.tries.get() != 0).then_some(())
    }

    /// Is there more of the loader to read?
    #[inline(always)]
    pub fn wants_more(&self) -> bool {
        self.sector() < (LOADER_LBA + PROGRAM_SECTORS) as u8
    }

    /// The next sector's number, which fits a byte.
    #[inline(always)]
    fn sector(&self) -> u8 {
        // SAFETY: the lowest byte of a field of ours. Volatile because LLVM would keep all four in
        // a register through the loop, and 16-bit code pays a prefix for each use of one.
        unsafe { (&raw const (*self.packet.as_ptr()).lba).cast::<u8>().read_volatile() }
    }

    #[inline(always)]
    fn change_packet(&self, change: impl FnOnce(&mut DiskAddressPacket)) {
        let mut packet = self.packet.get();
        change(&mut packet);
        self.packet.set(packet);
    }

    /// The BIOS's number of the drive.
    #[inline(always)]
    pub fn drive(&self) -> u8 {
        self.drive.get()
    }
}

/// What a register holds when INT 13h is called.
type Input = MaybeUninit<u16>;
/// The function does not read this register.
const ANY: Input = Input::uninit();

/// Calls INT 13h with the drive in DL, the packet in DS:SI and its segment in ES.
#[inline(always)]
fn int13(ax: u16, bx: Input, cx: Input, dx: Input) -> Answer {
    let (bx_out, cx_out, dx_out, failed);
    // SAFETY: the BIOS writes only to where the packet or ES:BX says, which is memory for the loader,
    // and to the packet, which is a cell. Registers that it may change are outputs or saved by the thunk.
    unsafe {
        asm!("callw {thunk}", thunk = sym int13_thunk,
            inout("ax") ax => _, inout("bx") bx => bx_out, inout("cx") cx => cx_out,
            inout("dx") dx => dx_out, out("di") failed, options(att_syntax));
    }
    Answer { bx: bx_out, cx: cx_out, dx: dx_out, failed }
}

/// What a call leaves behind.
struct Answer {
    bx: u16,
    cx: u16,
    dx: u16,
    /// The carry flag, in every bit.
    failed: u16,
}

impl Answer {
    #[inline(always)]
    fn succeeded(self) -> Option<()> {
        (self.failed == 0).then_some(())
    }
}

unsafe extern "C" {
    fn int13_thunk();
}

// IN: AX, BX, CX, DH as INT 13h wants them. OUT: BX, CX, DX as it leaves them, DI = 0 if all is well,
// -1 if the carry flag was set. CLOBBER: AX. ESI is LLVM's own, so no operand can name it: the thunk
// sets SI and saves all of ESI.
global_asm!(
    ".section .text.int13, \"ax\"",
    "int13_thunk:",
    "push ebp",
    "push esi",
    "push es",
    "mov dl, [{disk} + {drive}]",
    "mov es, [{disk} + {segment}]",
    "mov si, offset {disk}",
    "int 0x13",
    "sbb di, di",
    "pop es",
    "pop esi",
    "pop ebp",
    ".byte 0xC3", // RET of 16 bits
    disk = sym DISK,
    drive = const DRIVE_OFFSET,
    segment = const offset_of!(Disk, packet) + offset_of!(DiskAddressPacket, segment),
);

const _: () = assert!(offset_of!(Disk, packet) == 0, "the thunk takes the one's address for the other's");
const _: () = assert!(LOADER_LBA + PROGRAM_SECTORS <= 0xFF, "sector numbers are compared as bytes");
