//! The boot settings, which the host program leaves to the machine: their keys, what each may be, and (`sectors`)
//! how the disk image holds them. Keys that are not there keep their defaults.
mod sectors;

pub use crate::decimal::{Decimal, parse_decimal};

use crate::text::{parse_u32, parse_u64};
use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use map::disk::{SECTOR, SETTINGS_SECTORS};
use model::fixed::ONE;
use model::sampler::MAX_TEMPERATURE;
use sectors::unescape;

/// Bytes of the settings sectors.
pub const SETTINGS_BYTES: usize = (SETTINGS_SECTORS * SECTOR) as usize;
/// The most processors that are used.
pub const MAX_CPUS: u32 = 16;

/// What the machine does after boot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The beginning of the story; empty for a story from nothing.
    pub prompt: String,
    /// Forward passes at most; 0 means as many as the context holds. Past it the window rolls.
    pub steps: u32,
    /// Sampling temperature in Q16.16; 0 is greedy.
    pub temperature: u32,
    /// Top-p of nucleus sampling in Q16.16; 0 and 1 switch it off.
    pub topp: u32,
    /// Seed of the random numbers.
    pub seed: u64,
    /// Processors to use.
    pub cpus: u32,
    /// Power off after the story.
    pub exit: bool,
    /// Show the prompt at once, without a first story.
    pub interactive: bool,
    /// Print a trace record for each forward pass on serial.
    pub trace: bool,
    /// Begin another story where one ends, until there are no steps left.
    pub endless: bool,
    /// Print byte pieces by their names (`<0x0A>`) and keep the first space.
    pub raw_bytes: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prompt: String::new(),
            steps: 256,
            temperature: 0,
            topp: 58982, // 0.9, as in llama2.c
            seed: 1,
            cpus: 1,
            exit: false,
            interactive: false,
            trace: false,
            endless: false,
            raw_bytes: false,
        }
    }
}

/// Why settings cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// The sectors do not begin as settings do.
    #[error("the boot settings are missing, write the disk image again")]
    NotSettings,
    /// The text is not the text that was written.
    #[error(
        "the boot settings are damaged (CRC {found:08x}, expected {expected:08x}), write the disk image again"
    )]
    Crc {
        /// What the first line says.
        expected: u32,
        /// The CRC of what is there.
        found: u32,
    },
    /// A line without a key that is known.
    #[error("the boot settings have an unknown key '{0}'")]
    UnknownKey(String),
    /// A key stands twice.
    #[error("the boot settings have the key '{0}' twice")]
    Twice(String),
    /// A value that its key cannot take.
    #[error("the setting {key} is '{value}', it must be {wanted}")]
    BadValue {
        /// The key.
        key: String,
        /// The value found.
        value: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// The text does not fit the sectors.
    #[error("the boot settings take {bytes} bytes of {SETTINGS_BYTES}, use a shorter prompt")]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
    },
}

/// What would be right instead of a key or a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// A value like this.
    Value(&'static str),
    /// A key that is known.
    OtherKey,
}

impl From<&'static str> for Wanted {
    fn from(value: &'static str) -> Self {
        Self::Value(value)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value(value) => value,
            Self::OtherKey => "a setting that is known",
        })
    }
}

impl Settings {
    /// Sets one key to a value given as text.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingsError> {
        let set = self.set_story(key, value).or_else(|wanted| match wanted {
            Wanted::OtherKey => self.set_boot(key, value),
            wanted => Err(wanted),
        });
        set.map_err(|wanted| match wanted {
            Wanted::OtherKey => SettingsError::UnknownKey(key.to_owned()),
            Wanted::Value(wanted) => {
                SettingsError::BadValue { key: key.to_owned(), value: value.to_owned(), wanted }
            }
        })
    }

    /// [`Settings::set`] for the keys that change from story to story: steps, temperature, topp
    /// and seed.
    pub fn set_story(&mut self, key: &str, value: &str) -> Result<(), Wanted> {
        match key {
            "steps" => self.steps = parse_u32(value).ok_or("a number of tokens, 0 for the most")?,
            "temperature" => {
                let temperature = parse_decimal(value).filter(|&t| t <= MAX_TEMPERATURE);
                self.temperature = temperature.ok_or("between 0 and 100")?;
            }
            "topp" => self.topp = parse_decimal(value).filter(|&p| p <= ONE).ok_or("between 0 and 1")?,
            "seed" => self.seed = parse_u64(value).ok_or("a number below 2^64")?,
            _ => return Err(Wanted::OtherKey),
        }
        Ok(())
    }

    fn set_boot(&mut self, key: &str, value: &str) -> Result<(), Wanted> {
        match key {
            "prompt" => self.prompt = unescape(value).ok_or("text with \\n, \\r and \\\\")?,
            "cpus" => {
                let cpus = parse_u32(value).filter(|n| (1..=MAX_CPUS).contains(n));
                self.cpus = cpus.ok_or("between 1 and 16")?;
            }
            "exit" => self.exit = flag(value)?,
            "interactive" => self.interactive = flag(value)?,
            "trace" => self.trace = flag(value)?,
            "endless" => self.endless = flag(value)?,
            "raw_bytes" => self.raw_bytes = flag(value)?,
            _ => return Err(Wanted::OtherKey),
        }
        Ok(())
    }
}

fn flag(value: &str) -> Result<bool, Wanted> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Wanted::Value("0 or 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn bad_values_are_named() {
        let refused = |key: &str, value: &str| Settings::default().set(key, value).unwrap_err().to_string();
        assert_eq!(
            refused("temperature", "-1"),
            "the setting temperature is '-1', it must be between 0 and 100"
        );
        assert!(refused("topp", "1.01").contains("between 0 and 1"));
        assert!(refused("cpus", "17").contains("'17'"));
        assert!(refused("cpus", "0").contains("'0'"));
        assert!(refused("colour", "red").contains("unknown key 'colour'"));
        assert!(refused("prompt", "a\\q").contains("prompt"));
    }
}
