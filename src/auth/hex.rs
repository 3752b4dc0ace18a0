//! Digests as the text that goes over the wire and into the next hash.

use core::fmt;
use core::hash::{Hash, Hasher};

use subtle::ConstantTimeEq;

/// A digest in lower-case hexadecimal digits, 32 or 64 of them.
///
/// Two compare in a time that tells nothing of where they differ.
#[derive(Clone, Copy)]
pub struct Hex {
    digits: [u8; Self::CAPACITY],
    len: u8,
}

impl Hex {
    const CAPACITY: usize = 64;

    /// The digits of `bytes`, of which there are 32 at most.
    pub(super) fn new(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let text = bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]);
        Self::from_digits(text)
    }

    /// Reads `len` digits of either case. `None` if there are more or fewer, or others.
    pub(super) fn parse(text: &[u8], len: usize) -> Option<Self> {
        let fits = text.len() == len && len <= Self::CAPACITY;
        (fits && text.iter().all(u8::is_ascii_hexdigit))
            .then(|| Self::from_digits(text.iter().map(u8::to_ascii_lowercase)))
    }

    fn from_digits(text: impl Iterator<Item = u8>) -> Self {
        let mut hex = Self {
            digits: [0; Self::CAPACITY],
            len: 0,
        };
        for (place, digit) in hex.digits.iter_mut().zip(text) {
            *place = digit;
            hex.len = hex.len.saturating_add(1);
        }
        hex
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The digits as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl PartialEq for Hex {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.digits.ct_eq(&other.digits) & self.len.ct_eq(&other.len))
    }
}

impl Eq for Hex {}

impl Hash for Hex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Hex;

    #[test]
    fn digests_are_equal_only_at_one_length() {
        let digest = Hex::new(&[0; 16]);
        // 7616-5.12-02: what is behind the end is zeros too.
        assert_ne!(digest, Hex::new(&[0; 15]));
        assert_ne!(digest, Hex::new(&[0; 32]));
        let mut last = [0; 16];
        last[15] = 1;
        assert_ne!(digest, Hex::new(&last));
        assert_eq!(digest, Hex::new(&[0; 16]));
        assert_eq!(Hex::parse(b"00", 32), None);
    }
}
