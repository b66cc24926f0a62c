//! The kernel: the story of a boot.
#![no_std]
#![no_main]

use kernel::clock::Clock;
use kernel::cpu::Cpu;
use kernel::disk::Disk;
use kernel::power::{self, Outcome};
use kernel::refusal::OrRefuse;
use kernel::{a20, console, exceptions, flat_limits, heap, integrity, memory, println, stack_guard};

/// From the boot sector's hand-over to the end of the story. `drive`: the BIOS's number of the drive
/// that we came from.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(drive: u32) -> ! {
    exceptions::install();
    let intact = integrity::check(); // before anything changes the kernel's data
    stack_guard::arm();
    console::init();
    intact.or_refuse();

    let cpu = Cpu::detect();
    cpu.set_up();
    a20::open().or_refuse();
    let region = memory::map().usable_region().or_refuse();
    flat_limits::check(region).or_refuse();
    // SAFETY: the BIOS says that nothing else uses the region.
    unsafe { heap::init(region) };
    let clock = Clock::calibrate(&cpu);
    println!("unreallm: {}, {} MB usable", cpu.name, region.size() >> 20);

    let mut disk = Disk::open(drive as u8).or_refuse();
    let start = clock.now();
    disk.read(0, 127).or_refuse();
    println!("{clock:?} {} us {:?}", clock.micros_since(start), kernel::unreal::cr0());
    stack_guard::check().or_refuse();
    power::finish(Outcome::Success)
}
