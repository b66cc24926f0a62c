//! What a panic says.
use crate::{console, power, println};
use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    console::seize();
    match info.location() {
        Some(place) => {
            println!("\nunreallm: panic at {}:{}: {}", place.file(), place.line(), info.message());
        }
        None => println!("\nunreallm: panic: {}", info.message()),
    }
    power::finish(power::Outcome::Failure)
}
