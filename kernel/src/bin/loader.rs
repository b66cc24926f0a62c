//! The loader: from the boot sector to a model in memory.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel::banner::{MemoryLine, Millions, PlacesLine, ShapeLine};
use kernel::clock::Clock;
use kernel::cpu::{self, Cpu};
use kernel::disk::Disk;
use kernel::e820::{MemoryMap, UsableRegion};
use kernel::handover::Handover;
use kernel::loading::Loading;
use kernel::memory_plan::{self, Plan};
use kernel::power;
use kernel::refusal::OrRefuse;
use kernel::sector_source::SectorSource;
use kernel::{
    a20, console, exceptions, flat_limits, heap, integrity, memory, println, self_test, smp, stack_guard,
};
use model::measurement::Measured;
use model::packed::{Model, PackedHeader};
use model::settings::{SETTINGS_BYTES, Settings};
use model::source::Source;
use stage1::disk_map::{KERNEL_LBA, MODEL_LBA, PROGRAM_SECTORS, SECTOR, SETTINGS_LBA};
use stage1::program_header::ProgramHeader;

/// From the boot sector's hand-over to the kernel's. `drive`: in the lowest byte the BIOS's number of
/// the drive that we came from.
#[unsafe(no_mangle)]
extern "C" fn program_main(drive: u32) -> ! {
    let replaced = exceptions::install();
    let intact = integrity::check_loader(); // before anything changes the loader's data or bss
    replaced.keep();
    stack_guard::arm();
    CONSOLES_ARE_SET_UP.store(false, Ordering::Relaxed); // a damaged loader may say otherwise
    set_up_consoles();
    intact.or_refuse();

    let cpu = Cpu::detect();
    cpu::set_up(cpu.has_sse2());
    a20::open().or_refuse();
    let map = memory::map();
    let region = claim_memory(&map);
    let clock = Clock::calibrate(&cpu);
    println!("unreallm {} in unreal mode: 16-bit code, integers only", env!("CARGO_PKG_VERSION"));
    let simd = self_test::choose_kernel(&cpu);
    println!("cpu     {}, {simd}, {clock}", cpu.name);
    println!("memory  {}", MemoryLine { map: &map, region });

    let mut disk = Disk::open(drive as u8).or_refuse();
    // The settings and the model's header tell disks apart.
    disk.find_bus_master(&clock, &[KERNEL_LBA, SETTINGS_LBA, MODEL_LBA]).or_refuse();
    let settings = read_settings(&mut disk);
    power::set_power_off(settings.exit);
    let kernel = read_kernel(&mut disk);
    let (model, plan, place, load) = load_model(&mut disk, &clock);
    let processors = if settings.cpus > 1 { smp::find() } else { None };
    let handover = Handover::new(model, plan.context, settings, (cpu, simd), (clock, load), processors);
    let header = ProgramHeader::read(&kernel).expect("the kernel was checked");
    // The cache is the first thing that the kernel allocates.
    let cache = heap::next_place(plan.memory.kv_cache as usize);
    println!("places  {}", PlacesLine { kernel: header, model: place, cache });
    exceptions::uninstall();
    handover.start_kernel(kernel)
}

static CONSOLES_ARE_SET_UP: AtomicBool = AtomicBool::new(false);

/// Sets both consoles up, once: now, or when a fault wants its last words printed.
#[unsafe(no_mangle)]
extern "C" fn set_up_consoles() {
    if !CONSOLES_ARE_SET_UP.swap(true, Ordering::Relaxed) {
        console::init();
    }
}

/// Takes the memory that the BIOS offers, proves that all segments reach it, and makes it the heap.
fn claim_memory(map: &MemoryMap) -> UsableRegion {
    let region = map.usable_region().or_refuse();
    flat_limits::check(region).or_refuse();
    // SAFETY: the BIOS says that nothing else uses the region.
    unsafe { heap::init(region) };
    region
}

fn read_settings(disk: &mut Disk) -> Settings {
    let mut sectors = alloc::vec![0; SETTINGS_BYTES];
    SectorSource::new(disk, SETTINGS_LBA).read(&mut sectors).or_refuse();
    Settings::parse(&sectors).or_refuse()
}

/// The kernel's file, which takes this program's place at the end.
fn read_kernel(disk: &mut Disk) -> Vec<u8> {
    let mut kernel = alloc::vec![0; (PROGRAM_SECTORS * SECTOR) as usize];
    SectorSource::new(disk, KERNEL_LBA).read(&mut kernel).or_refuse();
    integrity::check("kernel", &kernel).or_refuse();
    kernel
}

/// The model, what of the memory is for what, where the model begins, and how fast it came.
fn load_model(disk: &mut Disk, clock: &Clock) -> (Model, Plan, u32, Measured) {
    let mut source = Loading::new(SectorSource::new(disk, MODEL_LBA), clock);
    let header = PackedHeader::read(&mut source).or_refuse();
    println!("model   {}, {} parameters", header.name, Millions(header.shape.parameters()));
    println!("shape   {}", ShapeLine(&header.shape));
    let plan = memory_plan::plan(&header, heap::free() as u64).or_refuse();
    println!("plan    {plan}");
    source.inner.set_length(MODEL_LBA, header.packed_bytes());
    source.show(header.packed_bytes());
    let place = heap::next_place(header.entries[0].bytes() as usize);
    let model = Model::load(&header, &mut source).or_refuse();
    (model, plan, place, source.finish())
}
