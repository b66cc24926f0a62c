//! The console: the VGA's text screen and the serial port, every character on both.
//!
//! Text is UTF-8. The serial port gets it as it is, with line feeds as CR LF; the screen gets it in
//! code page 437.
use crate::serial::Serial;
use crate::vga::Vga;
use alloc::boxed::Box;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};
use spinning_top::Spinlock;
use terminal::cp437::from_char;
use terminal::screen::{Screen, StatusRow};
use terminal::utf8::Decoder;

/// Both consoles.
pub struct Console {
    is_screen_off: bool,
    vga: Vga,
    screen: Screen,
    decoder: Decoder,
    serial: Serial,
}

static CONSOLE: Spinlock<Console> = Spinlock::new(Console::absent());

impl Console {
    /// Neither a screen nor a port yet.
    pub const fn absent() -> Self {
        Self {
            is_screen_off: false,
            vga: Vga,
            screen: Screen::new(),
            decoder: Decoder::new(),
            serial: Serial::absent(),
        }
    }

    /// Writes UTF-8, which may begin or end inside a character, to both consoles.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.serial.send_text(bytes);
        if self.is_screen_off {
            return;
        }
        for &byte in bytes {
            let Self { screen, vga, decoder, .. } = self;
            decoder.decode(byte, &mut |character| screen.write(vga, from_char(character)));
        }
        self.screen.show_cursor(&mut self.vga);
    }

    /// Waits until all of it has left the machine.
    pub fn wait_until_sent(&mut self) {
        self.serial.wait_until_sent();
    }

    /// Shows `text` in the screen's status line, which the serial port does not get.
    pub fn set_status(&mut self, text: fmt::Arguments) {
        let mut row = StatusRow::new();
        let _ = row.write_fmt(text);
        self.screen.set_status(&mut self.vga, &row);
    }

    /// Lets `work` write to the serial port alone.
    pub fn serial_only(&mut self, work: impl FnOnce(&mut Self)) {
        self.is_screen_off = true;
        work(self);
        self.is_screen_off = false;
    }
}

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write_bytes(text.as_bytes());
        Ok(())
    }
}

/// Whether there is anything to print on: the loader sets it up, a later program takes it over.
static IS_SET_UP: AtomicBool = AtomicBool::new(false);

/// Sets both consoles up, also those of a loader that is damaged and must say so.
pub fn init() {
    // SAFETY: nobody holds it before it is set up.
    unsafe { CONSOLE.force_unlock() };
    let mut console = CONSOLE.lock();
    console.is_screen_off = false;
    let Console { vga, screen, serial, .. } = &mut *console;
    serial.init();
    vga.init();
    screen.clear(vga);
    IS_SET_UP.store(true, Ordering::Relaxed);
}

/// A place for the console on the heap.
#[inline(never)] // so that no program has it on its stack, where it is large
pub fn absent() -> Box<Console> {
    Box::new(Console::absent())
}

/// Exchanges the console: out of this program, or into it, to go on with what an earlier one left.
pub fn exchange(other: &mut Console) {
    core::mem::swap(other, &mut CONSOLE.lock());
    IS_SET_UP.store(true, Ordering::Relaxed);
}

/// Runs `work` on the console.
pub fn with<R>(work: impl FnOnce(&mut Console) -> R) -> R {
    work(&mut CONSOLE.lock())
}

/// Takes the console away from whoever holds it, and sets it up if nobody has.
///
/// # Safety
/// Whoever holds it must never run again.
pub unsafe fn seize() {
    // SAFETY: the caller's promise.
    unsafe { CONSOLE.force_unlock() };
    if !IS_SET_UP.load(Ordering::Relaxed) {
        init();
    }
    with(|console| console.is_screen_off = false);
}

/// Prints to both consoles. A function, so that a place that prints is a call and no more.
#[inline(never)]
pub fn print(text: fmt::Arguments) {
    with(|console| {
        let _ = console.write_fmt(text);
    });
}

/// Prints to both consoles.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::console::print(format_args!($($argument)*)) };
}

/// Prints to both consoles, and a line feed.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($argument:tt)*) => { $crate::print!("{}\n", format_args!($($argument)*)) };
}
