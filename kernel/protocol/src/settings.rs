//! The boot settings: what the host program tells the machine, as `key=value` text in the disk
//! image's settings sectors.
//!
//! The first line is `unreallm-settings crc=xxxxxxxx`: the CRC-32 of all bytes after it, with the NULs
//! that fill the sectors. Keys that are not there keep their defaults.
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use map::disk::{SECTOR, SETTINGS_SECTORS};
use model::crc32::crc32;
use model::fixed::ONE;
use model::sampler::MAX_TEMPERATURE;

/// Bytes of the settings sectors.
pub const SETTINGS_BYTES: usize = (SETTINGS_SECTORS * SECTOR) as usize;
/// What the settings begin with.
const MAGIC: &str = "unreallm-settings crc=";
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SettingsError {
    /// The sectors do not begin as settings do.
    NotSettings,
    /// The text is not the text that was written.
    Crc {
        /// What the first line says.
        expected: u32,
        /// The CRC of what is there.
        found: u32,
    },
    /// A line without a key that is known.
    UnknownKey(String),
    /// A key stands twice.
    Twice(String),
    /// A value that its key cannot take.
    BadValue {
        /// The key.
        key: String,
        /// The value found.
        value: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// The text does not fit the sectors.
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

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSettings => f.write_str("the boot settings are missing, write the disk image again"),
            Self::Crc { expected, found } => {
                write!(f, "the boot settings are damaged (CRC {found:08x}, expected {expected:08x}), ")?;
                f.write_str("write the disk image again")
            }
            Self::UnknownKey(key) => write!(f, "the boot settings have an unknown key '{key}'"),
            Self::Twice(key) => write!(f, "the boot settings have the key '{key}' twice"),
            Self::BadValue { key, value, wanted } => {
                write!(f, "the setting {key} is '{value}', it must be {wanted}")
            }
            Self::TooLong { bytes } => {
                write!(f, "the boot settings take {bytes} bytes of {SETTINGS_BYTES}, use a shorter prompt")
            }
        }
    }
}

impl core::error::Error for SettingsError {}

impl Settings {
    /// Reads the settings sectors.
    pub fn parse(sectors: &[u8]) -> Result<Self, SettingsError> {
        let rest = sectors.strip_prefix(MAGIC.as_bytes()).ok_or(SettingsError::NotSettings)?;
        let (digits, rest) = rest.split_at_checked(8).ok_or(SettingsError::NotSettings)?;
        let body = rest.strip_prefix(b"\n").ok_or(SettingsError::NotSettings)?;
        let expected = parse_hex(digits).ok_or(SettingsError::NotSettings)?;
        let found = crc32(body);
        if found != expected {
            return Err(SettingsError::Crc { expected, found });
        }
        let used = body.iter().position(|&byte| byte == 0).unwrap_or(body.len());
        let body = core::str::from_utf8(&body[..used]).map_err(|_| SettingsError::NotSettings)?;
        let mut settings = Self::default();
        let mut seen: Vec<&str> = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            let (line, after) = split_at_byte(rest, b'\n');
            rest = after;
            let (key, value) = split_at_byte(line, b'=');
            if seen.contains(&key) {
                return Err(SettingsError::Twice(key.to_owned()));
            }
            seen.push(key);
            settings.set(key, value)?;
        }
        Ok(settings)
    }

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

    /// The settings sectors: [`SETTINGS_BYTES`] bytes. Fails if the prompt is too long for them.
    pub fn to_sectors(&self) -> Result<Vec<u8>, SettingsError> {
        let mut body = String::new();
        let flag = |on: bool| on as u8;
        let written = write!(
            body,
            "prompt={}\nsteps={}\ntemperature={}\ntopp={}\nseed={}\ncpus={}\n\
             exit={}\ninteractive={}\ntrace={}\nendless={}\nraw_bytes={}\n",
            escape(&self.prompt).ok_or_else(|| SettingsError::BadValue {
                key: "prompt".to_owned(),
                value: self.prompt.replace('\0', "\\0"),
                wanted: "text without NUL",
            })?,
            self.steps,
            Decimal(self.temperature),
            Decimal(self.topp),
            self.seed,
            self.cpus,
            flag(self.exit),
            flag(self.interactive),
            flag(self.trace),
            flag(self.endless),
            flag(self.raw_bytes)
        );
        debug_assert!(written.is_ok(), "a String takes all that is written");
        let first_line = MAGIC.len() + 8 + 1;
        let bytes = first_line + body.len();
        if bytes > SETTINGS_BYTES {
            return Err(SettingsError::TooLong { bytes });
        }
        let mut body = body.into_bytes();
        body.resize(SETTINGS_BYTES - first_line, 0);
        let mut sectors = alloc::format!("{MAGIC}{:08x}\n", crc32(&body)).into_bytes();
        sectors.append(&mut body);
        Ok(sectors)
    }
}

/// Lower-case hexadecimal digits, as the first line has them: no other spelling of the number is
/// accepted, so that every change of a bit is noticed.
fn parse_hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(value))
    })
}

/// The text before and after the first `separator`, an ASCII character; all of it and nothing where
/// there is none. The standard library's searchers are ten times this code.
#[inline(never)]
fn split_at_byte(text: &str, separator: u8) -> (&str, &str) {
    match text.bytes().position(|byte| byte == separator) {
        // Never empty here, but an index would bring the code of its panic along.
        Some(at) => (text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or("")),
        None => (text, ""),
    }
}

fn flag(value: &str) -> Result<bool, Wanted> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Wanted::Value("0 or 1")),
    }
}

/// One copy of the number parser is enough.
#[inline(never)]
fn parse_u64(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn parse_u32(text: &str) -> Option<u32> {
    parse_u64(text)?.try_into().ok()
}

/// Reads decimal text as Q16.16, rounded to the nearest; `None` for anything else and from 32768 on.
pub fn parse_decimal(text: &str) -> Option<u32> {
    let (whole, fraction) = split_at_byte(text, b'.');
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u32 = if whole.is_empty() { 0 } else { parse_u32(whole).filter(|&w| w < 32768)? };
    let (mut numerator, mut denominator) = (0u64, 1u64);
    for digit in fraction.bytes().take(9) {
        numerator = numerator * 10 + u64::from(digit - b'0');
        denominator *= 10;
    }
    Some(whole * ONE + ((numerator * u64::from(ONE) + denominator / 2) / denominator) as u32)
}

/// A Q16.16 as decimal text, with as many digits as bring the same Q16.16 back.
pub struct Decimal(
    /// The Q16.16.
    pub u32,
);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / ONE, self.0 % ONE);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        // The shortest of 1 to 5 digits that reads back as the same number: 5 are always enough.
        let (mut digits, mut denominator) = (1, 10);
        while digits < 5 {
            let rounded = (fraction * denominator + ONE / 2) / ONE;
            if (rounded * ONE + denominator / 2) / denominator == fraction {
                break;
            }
            digits += 1;
            denominator *= 10;
        }
        let rounded = (u64::from(fraction) * u64::from(denominator) + u64::from(ONE) / 2) / u64::from(ONE);
        write!(f, "{whole}.{rounded:0digits$}")
    }
}

/// The prompt on one line; `None` if it holds a NUL, which would end the settings.
fn escape(text: &str) -> Option<String> {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => return None,
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\\' => escaped.push_str("\\\\"),
            c => escaped.push(c),
        }
    }
    Some(escaped)
}

/// The prompt back; `None` for an escape that [`escape`] does not write.
fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn settings_come_back_as_they_were() {
        let settings = Settings {
            prompt: "One day,\n a \\ dog ÿ €\r".into(),
            steps: 0,
            temperature: 45875, // 0.7
            topp: 1,
            seed: u64::MAX,
            cpus: 16,
            exit: true,
            interactive: true,
            trace: true,
            endless: true,
            raw_bytes: true,
        };
        let sectors = settings.to_sectors().unwrap();
        assert_eq!(sectors.len(), SETTINGS_BYTES);
        assert_eq!(Settings::parse(&sectors), Ok(settings));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sectors = Settings::default().to_sectors().unwrap();
        let same = |s: &[u8]| Settings::parse(s) == Ok(Settings::default());
        for bit in 0..sectors.len() * 8 {
            let mut damaged = sectors.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!same(&damaged), "bit {bit}");
        }
    }

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

    #[test]
    fn every_q16_16_reads_back_from_its_decimal_text() {
        for q in (0..=3 * ONE).chain(MAX_TEMPERATURE - 10..=MAX_TEMPERATURE) {
            assert_eq!(parse_decimal(&alloc::format!("{}", Decimal(q))), Some(q));
        }
        assert_eq!(alloc::format!("{}", Decimal(45875)), "0.7");
        for text in ["", ".", "1e3", "+1", "NaN", "40000", "1.2.3", "-0"] {
            assert_eq!(parse_decimal(text), None, "{text}");
        }
    }

    #[test]
    fn a_long_prompt_is_refused() {
        let settings = Settings { prompt: "x".repeat(SETTINGS_BYTES), ..Settings::default() };
        assert!(matches!(settings.to_sectors(), Err(SettingsError::TooLong { .. })));
    }
}
