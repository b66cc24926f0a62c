//! The settings as the disk image holds them: `key=value`, a line each.
//!
//! The first line is `unreallm-settings crc=xxxxxxxx`: the CRC-32 of all bytes after it, with the NULs
//! that fill the sectors.
use super::{SETTINGS_BYTES, Settings, SettingsError};
use crate::decimal::Decimal;
use crate::text::split_at_byte;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use model::crc32::crc32;

/// What the settings begin with.
const MAGIC: &str = "unreallm-settings crc=";

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
pub(super) fn unescape(text: &str) -> Option<String> {
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
    fn a_long_prompt_is_refused() {
        let settings = Settings { prompt: "x".repeat(SETTINGS_BYTES), ..Settings::default() };
        assert!(matches!(settings.to_sectors(), Err(SettingsError::TooLong { .. })));
    }
}
