//! The VGA's text screen, mode 3: 80 × 25 cells at 0xB8000.
//!
//! Source: OSDev wiki, "Text Mode Cursor" and "Text UI".
use crate::bios::{self, Registers};
use crate::{linear, port};
use terminal::screen::{Attribute, COLUMNS, Display, ROWS};

/// Where the cells are.
const TEXT_MEMORY: u32 = 0xB_8000;
/// The CRT controller's index and data ports (colour).
const CRTC_INDEX: u16 = 0x3D4;
const CRTC_DATA: u16 = 0x3D5;
/// The cursor's cell number, high and low byte.
const CURSOR_HIGH: u8 = 0x0E;
const CURSOR_LOW: u8 = 0x0F;
/// INT 10h, AH=00h: set mode AL = 3, which clears the screen.
const SET_TEXT_MODE: u32 = 0x0003;

/// The hardware.
pub struct Vga;

impl Vga {
    /// Sets text mode 3: a BIOS may have left any mode.
    pub fn init(&mut self) {
        // SAFETY: the video BIOS keeps to its own memory. Without a VGA the BIOS's default handler
        // returns at once.
        unsafe { bios::call(0x10, &mut Registers::new(SET_TEXT_MODE)) };
    }
}

impl Display for Vga {
    fn show(&mut self, first: usize, characters: &[u8], attribute: Attribute) {
        let memory: *mut u16 = linear::pointer(TEXT_MEMORY);
        for (cell, &character) in (first..COLUMNS * ROWS).zip(characters) {
            let shown = u16::from_le_bytes([character, attribute as u8]);
            // SAFETY: a cell of the screen; video memory is nobody else's.
            unsafe { memory.add(cell).write_volatile(shown) };
        }
    }

    fn place_cursor(&mut self, cell: usize) {
        // SAFETY: only the cursor's registers are written.
        unsafe {
            port::write_u8(CRTC_INDEX, CURSOR_HIGH);
            port::write_u8(CRTC_DATA, (cell >> 8) as u8);
            port::write_u8(CRTC_INDEX, CURSOR_LOW);
            port::write_u8(CRTC_DATA, cell as u8);
        }
    }
}
