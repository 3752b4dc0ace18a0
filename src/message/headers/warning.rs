//! Warning (RFC 3261 20.43).

use alloc::borrow::Cow;
use core::fmt::Write as _;

use super::super::params::unquote;
use super::super::print::{AsFmt, Pieces, unfolded, writes};
use super::super::scan::{Cursor, ascii};
use super::super::value_error::{ValueError, ValueErrorKind};
use super::shape;

/// One warning: `307 isi.edu "Session parameter 'foo' not understood"`.
///
/// ```
/// use drongo::message::Warning;
///
/// let warning = Warning::parse(br#"370 devnull "Choose a \"bigger\" pipe""#).unwrap();
/// assert_eq!((warning.code(), warning.agent()), (370, "devnull"));
/// assert_eq!(&*warning.text(), br#"Choose a "bigger" pipe"#);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Warning<'a> {
    code: u16,
    agent: &'a str,
    text: &'a [u8],
}

impl<'a> Warning<'a> {
    /// Reads one value.
    ///
    /// # Errors
    ///
    /// [`Number`](ValueErrorKind::Number) if the code has not three digits, or what else is wrong.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let mut cursor = Cursor::new(value);
        cursor.skip_lws();
        let start = cursor;
        let code = match cursor.take_while(|b| b.is_ascii_digit()) {
            digits @ [_, _, _] => ascii(digits).and_then(|text| text.parse().ok()),
            [..] => None,
        };
        let code = code.ok_or(start.error(ValueErrorKind::Number))?;
        space(&mut cursor)?;
        let error = cursor.error(ValueErrorKind::Host);
        let agent = cursor.take_while(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b','));
        let agent = ascii(agent)
            .filter(|agent| !agent.is_empty())
            .ok_or(error)?;
        space(&mut cursor)?;
        let text = cursor.quoted()?;
        cursor.skip_lws();
        if !cursor.is_at_end() {
            return Err(cursor.error(ValueErrorKind::Unexpected));
        }
        Ok(Self { code, agent, text })
    }

    /// The code, three digits. 399 is for people only: nothing acts on it.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// Who warns: a host, perhaps with a port, or a name.
    pub const fn agent(&self) -> &'a str {
        self.agent
    }

    /// The text, without quotes.
    pub fn text(&self) -> Cow<'a, [u8]> {
        unquote(self.text)
    }

    /// Whether it is about the session description: codes 300 to 379 (3261 20.43).
    pub const fn is_about_session(&self) -> bool {
        matches!(self.code, 300..=379)
    }

    /// Whether both say the same: the agent without case, the text to the letter.
    pub fn equivalent(&self, other: &Warning<'_>) -> bool {
        self.code == other.code
            && self.agent.eq_ignore_ascii_case(other.agent)
            && self.text() == other.text()
    }
}

impl Pieces for Warning<'_> {
    fn pieces(&self, out: &mut dyn FnMut(&[u8])) {
        // Writing to pieces cannot fail.
        let _ = write!(AsFmt(out), "{:03} {} ", self.code, self.agent);
        unfolded(self.text, out);
    }
}

writes!(Warning<'_>);
shape::debug!(Warning);

fn space(cursor: &mut Cursor<'_>) -> Result<(), ValueError> {
    let before = cursor.offset();
    cursor.skip_lws();
    if cursor.offset() == before {
        Err(cursor.error(ValueErrorKind::Unexpected))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(text: &str) -> Warning<'_> {
        Warning::parse(text.as_bytes()).expect(text)
    }

    #[test]
    fn a_warning_has_a_code_an_agent_and_a_text() {
        // 3261-20.43-01
        for (text, agent) in [
            (
                "307 isi.edu \"Session parameter 'foo' not understood\"",
                "isi.edu",
            ),
            ("301 isi.edu:5060 \"x\"", "isi.edu:5060"),
            ("301 [2001:db8::1]:5060 \"x\"", "[2001:db8::1]:5060"),
            ("399 devnull \"\"", "devnull"),
        ] {
            assert_eq!(
                (warning(text).agent(), warning(text).to_string()),
                (agent, text.into())
            );
        }
        for wrong in [
            "",
            "1812 overture \"In Progress\"",
            "30 a \"b\"",
            "307 a b",
            "307 \"b\"",
            "307a \"b\"",
            "307 a \"b\" c",
            "307 a \"b",
        ] {
            assert!(Warning::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_parts_are_written_with_one_space_between() {
        // 3261-25.1-40
        let loose = warning(" 370 \t devnull\r\n  \"Choose\r\n a  pipe\" ");
        assert_eq!(loose.to_string(), "370 devnull \"Choose a  pipe\"");
        assert!(Warning::parse(b"370 devnull\"x\"").is_err());
    }

    #[test]
    fn the_text_compares_with_case_and_the_agent_without() {
        // 3261-7.3.1-21
        let one = warning("370 devnull \"Choose a bigger pipe\"");
        assert!(one.equivalent(&warning("370 DevNull \"Choose a bigger pipe\"")));
        assert!(!one.equivalent(&warning("370 devnull \"CHOOSE A BIGGER PIPE\"")));
        assert!(!one.equivalent(&warning("371 devnull \"Choose a bigger pipe\"")));
    }

    #[test]
    fn codes_below_380_are_about_the_session() {
        // 3261-20.43-03
        for (code, about) in [
            (300, true),
            (379, true),
            (380, false),
            (381, false),
            (399, false),
        ] {
            let text = format!("{code} a \"b\"");
            assert_eq!(warning(&text).is_about_session(), about, "{code}");
        }
    }
}
