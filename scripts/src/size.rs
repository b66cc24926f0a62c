//! Sizes as people read them.
use std::fmt;

/// A number of bytes, its digits in groups of three.
pub struct Bytes(pub u64);

/// A number of bytes of the most that there may be.
pub struct Of(pub u64, pub u64);

/// A number, its digits in groups of three.
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", Grouped(self.0))
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes", Grouped(self.0), Grouped(self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_threes() {
        let grouped = [0, 999, 1000, 1_048_576].map(|number| Grouped(number).to_string());
        assert_eq!(grouped, ["0", "999", "1,000", "1,048,576"]);
        assert_eq!(Of(444, 446).to_string(), "444 of 446 bytes");
    }
}
