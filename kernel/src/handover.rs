//! What the loader leaves to the kernel, and how the kernel takes the loader's place.
//!
//! A program of the bare machine has 64 KB of code. Bringing the model into memory and telling
//! stories with it need more than that together, and do not need each other; so they are two
//! programs, linked from the same libraries, that run one after the other in the same memory.
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::arch::{asm, global_asm};
use firmware::acpi::ProcessorList;
use linked_list_allocator::Heap;
use map::low_memory::{PROGRAM_CODE, PROGRAM_CS, PROGRAM_DATA, STAGE1};
use model::packed::Packed;
use model::simd::Simd;
use pc::clock::Clock;
use pc::console::{self, Console};
use pc::cpu::Cpu;
use pc::{ending, faults, heap, interrupts, linear, stack};
use protocol::benchmark::Measured;
use protocol::settings::Settings;

/// "HAND", for a kernel that was started without a loader.
const MAGIC: u32 = u32::from_le_bytes(*b"HAND");

/// All that the kernel gets. It lies on the heap, above 1 MiB, with everything that it owns; nothing
/// in it may point into the loader's own statics, which are gone.
pub struct Handover {
    magic: u32,
    /// The model, checked.
    pub packed: Packed,
    /// How many positions of context there is memory for.
    pub context: usize,
    /// The boot settings.
    pub settings: Settings,
    /// What CPUID said.
    pub cpu: Cpu,
    /// The kernel that was found right on it.
    pub simd: Simd,
    /// The calibrated clock.
    pub clock: Clock,
    /// How fast the model was read.
    pub load: Measured,
    /// The processors that the machine lists, where more than one was asked for.
    pub processors: Option<ProcessorList>,
    console: Console,
    heap: Heap,
}

impl Handover {
    /// Everything but the heap and the console, which [`Handover::start_kernel`] takes as the last.
    pub fn new(
        packed: Packed,
        context: usize,
        settings: Settings,
        (cpu, simd): (Cpu, Simd),
        (clock, load): (Clock, Measured),
        processors: Option<ProcessorList>,
    ) -> Box<Self> {
        let (console, heap) = (Console::absent(), Heap::empty());
        Box::new(Self {
            magic: MAGIC,
            packed,
            context,
            settings,
            cpu,
            simd,
            clock,
            load,
            processors,
            console,
            heap,
        })
    }

    /// Puts the kernel's file over the program that runs, and starts it.
    pub fn start_kernel(mut self: Box<Self>, kernel: Vec<u8>) -> ! {
        assert_eq!(kernel.len(), (PROGRAM_CODE.end - PROGRAM_DATA.start) as usize);
        self.console = console::take();
        self.heap = heap::take(); // nothing is allocated or freed from here on
        let (handover, kernel) = (Box::leak(self), kernel.leak());
        let pad: *mut u8 = linear::pointer(STAGE1.start);
        // SAFETY: the boot sector has done its work, so its place is free for the few bytes of the
        // pad; the kernel's file fills exactly the memory of a program, and was checked; this
        // program is not returned to.
        unsafe {
            let length = (&raw const jump_pad_end).byte_offset_from_unsigned(&raw const jump_pad);
            // The pad is linked into the code segment: its address there is an offset.
            let source: *const u8 = linear::pointer(PROGRAM_CODE.start + (&raw const jump_pad).addr() as u32);
            pad.copy_from_nonoverlapping(source, length);
            asm!(
                "cli",
                "cld",
                "ljmpw $0, ${pad}",
                pad = const STAGE1.start,
                in("ecx") kernel.len(),
                in("edx") &raw mut *handover,
                in("eax") kernel.as_ptr(),
                options(noreturn, att_syntax),
            );
        }
    }

    /// Takes over what the loader left at `address`, and makes the machine a program's: faults are heard, the
    /// stack is guarded, the console and the heap go on.
    ///
    /// # Safety
    /// `address` must be what the loader's [`Handover::start_kernel`] put into EDX, and be taken once.
    /// Both programs must come from one build, so that they agree on every type.
    pub unsafe fn take(address: u32) -> &'static mut Self {
        faults::install();
        interrupts::enable();
        stack::arm();
        // SAFETY: the caller's promise. Nobody else has the address.
        let handover: &mut Self = unsafe { &mut *linear::pointer(address) };
        assert!(handover.magic == MAGIC, "the kernel was started by something else than its loader");
        heap::put(core::mem::replace(&mut handover.heap, Heap::empty()));
        console::put(core::mem::replace(&mut handover.console, Console::absent()));
        ending::set_power_off(handover.settings.exit);
        handover
    }
}

unsafe extern "C" {
    static jump_pad: u8;
    static jump_pad_end: u8;
}

// Runs at the boot sector's old place, with CS = 0. IN: EAX = the kernel's file, ECX = its bytes, EDX =
// handover. OUT: the kernel's entry, EDX kept. It uses no stack, as it overwrites it.
global_asm!(
    ".section .text.jump_pad, \"ax\"",
    ".global jump_pad",
    ".global jump_pad_end",
    "jump_pad:",
    "movl %eax, %esi",
    "movl ${data}, %edi",
    "rep movsb (%esi), %es:(%edi)",
    "ljmpw ${cs}, $0",
    "jump_pad_end:",
    data = const PROGRAM_DATA.start,
    cs = const PROGRAM_CS,
    options(att_syntax),
);
