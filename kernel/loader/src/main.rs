//! The loader: from the boot sector to a model in memory.
#![no_std]
#![no_main]

extern crate alloc;

mod boot_disk;
mod choose_simd;
mod integrity;
mod loading;

use alloc::vec::Vec;
use boot_disk::BootDisk;
use choose_simd::choose_simd;
use firmware::e820::{MemoryMap, UsableRegion};
use kernel::handover::Handover;
use loader::banner::{MemoryLine, Millions, PlacesLine, ShapeLine};
use loader::memory_plan::{self, Plan};
use loader::sector_source::SectorSource;
use loading::Loading;
use map::disk::{KERNEL_LBA, MODEL_LBA, PROGRAM_SECTORS, SECTOR, SETTINGS_LBA};
use map::program_header::ProgramHeader;
use model::packed::{Packed, PackedHeader};
use model::simd::Operand;
use model::source::Source;
use pc::clock::Clock;
use pc::cpu::{self, Cpu};
use pc::disk::{Disk, DiskError};
use pc::ending::{self, OrRefuse};
use pc::{a20, acpi, console, e820, faults, flat_limits, heap, interrupts, println, stack};
use protocol::benchmark::Measured;
use protocol::settings::{SETTINGS_BYTES, Settings};

pc::program!(main);

/// From the boot sector's hand-over to the kernel's. `drive`: in the lowest byte the BIOS's number of
/// the drive that we came from.
extern "C" fn main(drive: u32) -> ! {
    faults::install();
    let intact = integrity::check_loader(); // before anything changes the loader's data or bss
    interrupts::enable(); // without a TSC the BIOS's ticks are the time
    stack::paint();
    console::init();
    let own = intact.or_refuse();

    let cpu = Cpu::detect();
    cpu::set_up(cpu.has_sse2());
    a20::open().or_refuse();
    let map = e820::map();
    let region = claim_memory(&map);
    let clock = Clock::calibrate(&cpu);
    println!("unreallm {} in unreal mode: 16-bit code, integers only", env!("CARGO_PKG_VERSION"));
    println!("cpu     {}, {clock}", cpu.name);
    println!("memory  {}", MemoryLine { map: &map, region });

    let mut disk = BootDisk(Disk::open(drive as u8).or_refuse());
    // The settings and the model's header tell disks apart.
    disk.0.find_bus_master(&clock, &[KERNEL_LBA, SETTINGS_LBA, MODEL_LBA]).or_refuse();
    let settings = read_settings(&mut disk);
    ending::set_power_off(settings.exit);
    let (kernel, header) = read_kernel(&mut disk, &own);
    let (packed, plan, load) = load_model(&mut disk, &clock);
    let choice = choose_simd(&cpu, &clock, &packed);
    println!("simd    {choice}");
    let processors = if settings.cpus > 1 { acpi::processors() } else { None };
    let place = packed.address() as u32;
    let handover =
        Handover::new(packed, plan.context, settings, (cpu, choice.simd), (clock, load), processors);
    // The cache is one vector, and the first thing that the kernel allocates.
    let cache = heap::next_place::<Operand>(plan.memory.kv_cache as usize / size_of::<Operand>());
    println!("places  {}", PlacesLine { kernel: header, model: place, cache });
    faults::uninstall();
    handover.start_kernel(kernel)
}

/// Takes the memory that the BIOS offers, proves that all segments reach it, and makes it the heap.
fn claim_memory(map: &MemoryMap) -> UsableRegion {
    let region = map.usable_region().or_refuse();
    flat_limits::check(region).or_refuse();
    // SAFETY: the BIOS says that nothing else uses the region, and `main` claims memory once.
    unsafe { heap::init(region) };
    region
}

fn read_settings(disk: &mut BootDisk) -> Settings {
    let mut sectors = alloc::vec![0; SETTINGS_BYTES];
    SectorSource::new(disk, SETTINGS_LBA).read(&mut sectors).or_refuse();
    Settings::parse(&sectors).or_refuse()
}

/// The kernel's file, which takes this program's place at the end, and its header.
fn read_kernel(disk: &mut BootDisk, loader: &ProgramHeader) -> (Vec<u8>, ProgramHeader) {
    let mut kernel = alloc::vec![0; (PROGRAM_SECTORS * SECTOR) as usize];
    SectorSource::new(disk, KERNEL_LBA).read(&mut kernel).or_refuse();
    let header = integrity::check_kernel(&kernel, loader).or_refuse();
    (kernel, header)
}

/// The model, what of the memory is for what, and how fast it came.
fn load_model(disk: &mut BootDisk, clock: &Clock) -> (Packed, Plan, Measured) {
    let mut source = Loading::new(SectorSource::new(disk, MODEL_LBA), clock);
    let header = PackedHeader::read(&mut source).or_refuse();
    println!("model   {}, {} parameters", header.name, Millions(header.shape.parameters()));
    println!("shape   {}", ShapeLine(&header.shape));
    let plan = memory_plan::plan(&header, heap::free() as u64).or_refuse();
    println!("plan    {plan}");
    source.inner.set_length(MODEL_LBA, header.packed_bytes());
    source.show(header.packed_bytes());
    let packed = Packed::read_payload(header, &mut source).or_refuse();
    packed.check::<DiskError>().or_refuse();
    (packed, plan, source.finish())
}
