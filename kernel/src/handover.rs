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
use model::engine::EngineKind;
use model::packed::{Model, Packed, Text};
use model::sectorllm::SectorllmWeights;
use model::simd::Simd;
use pc::clock::Clock;
use pc::console::{self, Console};
use pc::cpu::Cpu;
use pc::{ending, faults, heap, interrupts, linear, stack};
use protocol::benchmark::Measured;
use protocol::settings::Settings;

/// All that the kernel gets. It lies on the heap, above 1 MiB, with everything that it owns or borrows; nothing
/// in it may point into the loader's own statics, which are gone.
pub struct Handover {
    /// The model's name, shape and vocabulary.
    pub text: Text<'static>,
    /// Its weights.
    pub weights: Weights,
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
    console: Box<Console>,
    heap: Heap,
}

/// The weights of the engine that the model was packed for.
pub enum Weights {
    /// The int8 engine's.
    Int8(Model<'static>),
    /// The 1356-byte mode's.
    Sectorllm(SectorllmWeights<'static>),
}

/// The program that was started is not that of the model's engine.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the model is packed for the engine {model} and the kernel has {program}; write the image again")]
pub struct OtherEngine {
    model: &'static str,
    program: &'static str,
}

impl OtherEngine {
    const fn new(model: EngineKind, program: EngineKind) -> Self {
        Self { model: model.name(), program: program.name() }
    }
}

impl Weights {
    /// Those of the int8 engine.
    pub fn int8(self) -> Result<Model<'static>, OtherEngine> {
        match self {
            Self::Int8(model) => Ok(model),
            Self::Sectorllm(_) => Err(OtherEngine::new(EngineKind::Sectorllm, EngineKind::Int8)),
        }
    }

    /// Those of the 1356-byte mode.
    pub fn sectorllm(self) -> Result<SectorllmWeights<'static>, OtherEngine> {
        match self {
            Self::Sectorllm(weights) => Ok(weights),
            Self::Int8(_) => Err(OtherEngine::new(EngineKind::Int8, EngineKind::Sectorllm)),
        }
    }
}

impl Handover {
    /// Everything but the heap and the console, which [`Handover::start_kernel`] takes as the last. The model must
    /// have been checked.
    pub fn new(
        packed: Packed,
        context: usize,
        settings: Settings,
        (cpu, simd): (Cpu, Simd),
        (clock, load): (Clock, Measured),
        processors: Option<ProcessorList>,
    ) -> Box<Self> {
        let packed: &Packed = Box::leak(Box::new(packed));
        let text = packed.text().expect("the vocabulary was checked");
        let int8 = packed.model().map(Weights::Int8);
        let weights =
            int8.or_else(|| packed.sectorllm().map(Weights::Sectorllm)).expect("one of the engines");
        let (console, heap) = (console::absent(), Heap::empty());
        Box::new(Self { text, weights, context, settings, cpu, simd, clock, load, processors, console, heap })
    }

    /// Puts the kernel's file over the program that runs, and starts it.
    pub fn start_kernel(mut self: Box<Self>, kernel: Vec<u8>) -> ! {
        assert_eq!(kernel.len(), (PROGRAM_CODE.end - PROGRAM_DATA.start) as usize);
        console::exchange(&mut self.console);
        heap::exchange(&mut self.heap); // nothing is allocated or freed from here on
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
    /// Loader and program must be of one build, so that both lay out every type in the same way.
    pub unsafe fn take(address: u32) -> Box<Self> {
        faults::install();
        interrupts::enable();
        stack::paint();
        // SAFETY: the caller's promise: a box of the heap that is put back below, and which nobody else has.
        let mut handover: Box<Self> = unsafe { Box::from_raw(linear::pointer(address)) };
        heap::exchange(&mut handover.heap);
        console::exchange(&mut handover.console);
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
