//! The serial console: the first 16550 UART, 115200 8N1.
use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::{FifoTriggerLevel, LSR};
use uart_16550::{BaudRate, Config, Uart16550};

/// COM1's first port on every PC.
pub const COM1: u16 = 0x3F8;
/// How often a full transmitter is asked before a byte is given up: at 115200 baud a FIFO of 16
/// bytes drains in 1.4 ms, in which the port can be read about 1,400 times.
const PATIENCE: u32 = 100_000;

/// COM1, if there is one.
pub struct Serial {
    uart: Option<Uart16550<PioBackend>>,
}

impl Serial {
    /// Nothing is sent before [`Self::init`].
    pub const fn absent() -> Self {
        Self { uart: None }
    }

    /// Finds and sets up the UART. A BIOS may have left it in any state (Bochs': 5 data bits).
    pub fn init(&mut self) {
        // SAFETY: COM1 is ours; ports without a device read as FFh, which `init` notices.
        let uart = unsafe { Uart16550::new_port(COM1) };
        let config = Config {
            baud_rate: BaudRate::Baud115200,
            // Room for eight more bytes, 0.7 ms, while a BIOS handler keeps interrupts off.
            fifo_trigger_level: Some(FifoTriggerLevel::Eight),
            ..Config::DEFAULT
        };
        self.uart = uart.ok().and_then(|mut uart| uart.init(config).ok().map(|()| uart));
    }

    /// Sends text, each line feed as CR LF.
    pub fn send_text(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    self.send(text);
                    self.send(b"\r\n");
                }
                None => self.send(line),
            }
        }
    }

    /// Sends bytes. A UART that stops taking any is given up for good, so that nothing hangs.
    pub fn send(&mut self, mut bytes: &[u8]) {
        let Some(uart) = &mut self.uart else { return };
        let mut patience = PATIENCE;
        while !bytes.is_empty() {
            match uart.send_bytes(bytes) {
                0 if patience == 0 => return self.uart = None,
                0 => patience -= 1,
                sent => {
                    bytes = &bytes[sent..];
                    patience = PATIENCE;
                }
            }
        }
    }

    /// Waits until the last byte has left the UART, which powering off would swallow.
    pub fn wait_until_sent(&mut self) {
        let Some(uart) = &mut self.uart else { return };
        for _ in 0..PATIENCE {
            if uart.lsr().contains(LSR::TRANSMITTER_EMPTY) {
                return;
            }
        }
    }
}
