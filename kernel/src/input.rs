//! Keys from both consoles, in the order in which they come.
//!
//! Interrupts are on all the time. The keyboard's handler is the BIOS's, the serial port's is ours;
//! both only put away what has come. It is looked at between two tokens and at the prompt.
use alloc::vec::Vec;
use pc::clock::Clock;
use pc::{interrupts, keyboard, serial_input};
use prompt::bios_keys;
use prompt::key::Key;
use prompt::serial_keys::SerialKeys;

/// How long an ESC waits for the rest of a sequence, in microseconds: the next byte of one comes
/// after 87 µs at 115200 baud, and no finger is that fast.
const ESC_TIME: u64 = 5_000;
/// Keys that are kept while a story is told. When there are more, the serial line has to wait.
const MOST_KEYS: usize = 4096;

/// What was typed and not yet used.
pub struct Input<'c> {
    keys: Vec<Key>,
    /// How many of them are used.
    used: usize,
    serial_keys: SerialKeys,
    clock: &'c Clock,
}

impl<'c> Input<'c> {
    /// Begins to listen.
    pub fn new(clock: &'c Clock) -> Self {
        serial_input::listen();
        Self { keys: Vec::new(), used: 0, serial_keys: SerialKeys::new(), clock }
    }

    /// Waits for a key, asleep.
    pub fn wait_for_key(&mut self) -> Key {
        loop {
            if let Some(&key) = self.keys.get(self.used) {
                self.used += 1;
                return key;
            }
            self.keys.clear();
            self.used = 0;
            self.put(keyboard::take_key().and_then(bios_keys::decode));
            self.read_serial();
            if self.keys.is_empty() {
                sleep();
            }
        }
    }

    /// Puts away what was typed, and says whether Esc or Ctrl-C was among it.
    pub fn is_stopped(&mut self) -> bool {
        let from = self.used;
        self.read_serial();
        while keyboard::has_key()
            && let Some(key) = keyboard::take_key()
        {
            self.put(bios_keys::decode(key));
        }
        // The keys before it stay: they are the next line.
        let stop = self.keys[from..].iter().position(|&key| key == Key::Stop);
        stop.is_some_and(|stop| {
            self.keys.remove(from + stop);
            true
        })
    }

    /// Puts a key away, if it means something. Where there is no room any more only Esc still gets in.
    fn put(&mut self, key: Option<Key>) {
        if let Some(key) = key
            && (self.keys.len() < MOST_KEYS || key == Key::Stop)
        {
            self.keys.push(key);
        }
    }

    fn read_serial(&mut self) {
        let mut start = None;
        while self.keys.len() < MOST_KEYS {
            if let Some(byte) = serial_input::read() {
                self.serial_keys.decode(byte, &mut |key| self.keys.push(key));
                start = None;
            } else if !self.serial_keys.is_undecided() {
                return;
            } else if self.clock.micros_since(*start.get_or_insert_with(|| self.clock.now())) > ESC_TIME {
                let key = self.serial_keys.time_out();
                return self.put(key);
            }
        }
    }
}

/// Waits for the next interrupt, unless a key has come already.
fn sleep() {
    interrupts::disable();
    if serial_input::is_empty() && !keyboard::has_key() {
        interrupts::wait();
    } else {
        interrupts::enable();
    }
}
