//! The kernel: the story of a boot.
#![no_std]
#![no_main]

use kernel::clock::Clock;
use kernel::cpu::Cpu;
use kernel::disk::Disk;
use kernel::e820::UsableRegion;
use kernel::loading::Loading;
use kernel::power::{self, Outcome};
use kernel::refusal::OrRefuse;
use kernel::sector_source::{SectorDisk, SectorSource};
use kernel::{
    a20, console, exceptions, flat_limits, heap, integrity, memory, memory_plan, println, stack_guard, story,
};
use model::generate::{Generator, Options};
use model::int8::Int8;
use model::matmul::{Kernel, Sse2};
use model::packed::{Model, PackedHeader};
use model::sampler::Greedy;
use model::settings::Settings;
use stage1::disk_map::{MODEL_LBA, SETTINGS_LBA, SETTINGS_SECTORS};

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
    let region = claim_memory();
    let clock = Clock::calibrate(&cpu);
    println!("unreallm {} in unreal mode", env!("CARGO_PKG_VERSION"));
    println!("cpu     {}, {}", cpu.name, if cpu.has_sse2() { "SSE2" } else { "no SSE2" });
    println!("memory  {} MB from {} MB on", region.size() >> 20, region.start >> 20);

    let mut disk = Disk::open(drive as u8).or_refuse();
    let settings = read_settings(&mut disk);
    power::set_power_off(settings.exit);
    let (model, context) = load_model(&mut disk, &clock);
    tell_story(&model, context, &settings, &cpu, &clock)
}

/// Opens A20, takes the memory that the BIOS offers, proves that all segments reach it, and makes it
/// the heap.
fn claim_memory() -> UsableRegion {
    a20::open().or_refuse();
    let region = memory::map().usable_region().or_refuse();
    flat_limits::check(region).or_refuse();
    // SAFETY: the BIOS says that nothing else uses the region.
    unsafe { heap::init(region) };
    region
}

fn read_settings(disk: &mut Disk) -> Settings {
    disk.fetch(SETTINGS_LBA, SETTINGS_SECTORS).or_refuse();
    Settings::parse(disk.fetched()).or_refuse()
}

/// The model, and how many positions of context there is memory for.
fn load_model(disk: &mut Disk, clock: &Clock) -> (Model, usize) {
    let mut source = Loading::new(SectorSource::new(disk, MODEL_LBA), clock);
    let header = PackedHeader::read(&mut source).or_refuse();
    println!("model   {}: {}", header.name, header.shape);
    let plan = memory_plan::plan(&header, heap::free() as u64).or_refuse();
    println!("plan    {plan}");
    source.inner.set_length(MODEL_LBA, header.packed_bytes());
    source.show(header.packed_bytes());
    let model = Model::load(&header, &mut source).or_refuse();
    source.finish();
    (model, plan.context)
}

fn tell_story(model: &Model, context: usize, settings: &Settings, cpu: &Cpu, clock: &Clock) -> ! {
    let kernel = if cpu.has_sse2() {
        // SAFETY: the CPU has SSE2, and `Cpu::set_up` has switched it on.
        let sse2 = unsafe { Sse2::new() };
        if cpu.is_tcg() { Kernel::Sse2Halves(sse2) } else { Kernel::Sse2(sse2) }
    } else {
        Kernel::Scalar
    };
    let mut engine = Int8::new(model, context, kernel).or_refuse();
    let options =
        Options { steps: settings.steps as usize, trace: settings.trace, raw_bytes: settings.raw_bytes };
    story::tell(Generator::new(&mut engine, &model.tokenizer, Greedy, &[], options), clock);
    power::finish(Outcome::Success) // nothing is dropped, which saves code
}
