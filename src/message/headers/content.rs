//! What a body is and what is taken: Content-Disposition, codings, languages, MIME-Version, and
//! Priority.

use core::fmt;

use super::super::ContentType;
use super::super::name_addr::parse_q;
use super::super::params::Params;
use super::super::print::{Pieces, writes};
use super::super::scan::{ascii, digits_u32, trim};
use super::super::value_error::{ValueError, ValueErrorKind};
use super::shape;

shape::worded! {
    /// Content-Disposition: `session;handling=optional` (3261 20.11, 5621 8).
    ///
    /// ```
    /// use drongo::message::{ContentType, Disposition};
    ///
    /// let icon = Disposition::parse(b"Icon;handling=optional").unwrap();
    /// assert!(icon.is("icon") && !icon.is_required());
    /// assert!(Disposition::default_of(Some(&ContentType::SDP)).is("session"));
    /// ```
    Disposition by shape::token {
        /// What the body is for, as it came: `session`, `render`, `icon`, `alert`, or another.
        purpose
    }
}

impl Disposition<'_> {
    /// What a body without Content-Disposition is for: `session` if it is SDP, else `render`.
    pub fn default_of(content_type: Option<&ContentType<'_>>) -> Disposition<'static> {
        let session = content_type.is_some_and(|t| t.is("application", "sdp"));
        Disposition {
            purpose: if session { "session" } else { "render" },
            params: Params::EMPTY,
        }
    }

    /// Whether this is that purpose, without regard to case.
    pub fn is(&self, purpose: &str) -> bool {
        self.purpose.eq_ignore_ascii_case(purpose)
    }

    /// Whether a server that cannot handle the body must refuse the request: always, unless
    /// `handling` is `optional`.
    pub fn is_required(&self) -> bool {
        let handling = self.params.get("handling").and_then(|p| p.unquoted());
        !handling.is_some_and(|value| value.eq_ignore_ascii_case(b"optional"))
    }
}

shape::worded! {
    /// One value of Accept-Encoding: `gzip;q=0.5`, or `*` (3261 20.2).
    Coding by shape::token {
        /// The name of the coding, as it came. Names compare without case.
        name
    }
}

shape::worded! {
    /// One value of Accept-Language: `en-gb;q=0.8`, or `*` (3261 20.3).
    LanguageRange by language_range {
        /// The tag, as it came. Tags compare without case.
        tag
    }
}

shape::worded! {
    /// Features: one value of Accept-Contact, Reject-Contact (3841 9.2) or Feature-Caps (6809 6.3),
    /// a `*` with parameters.
    FeatureSet by star {
        /// The `*`.
        star
    }
}

shape::worded! {
    /// Info-Package, and one value of Recv-Info (6086 7).
    InfoPackage by shape::token {
        /// The name of the package, as it came.
        name
    }
}

shape::worded! {
    /// Answer-Mode and Priv-Answer-Mode (5373 4): `Auto;require`.
    AnswerMode by shape::token {
        /// `Manual`, `Auto`, or another, as it came.
        mode
    }
}

impl AnswerMode<'_> {
    /// Whether the request is to be refused rather than answered in another mode.
    pub fn is_required(&self) -> bool {
        self.params.contains("require")
    }
}

impl Coding<'_> {
    /// `q` in thousandths; 1000 if it is not there.
    ///
    /// # Errors
    ///
    /// [`Number`](ValueErrorKind::Number) if it is malformed.
    pub fn q(&self) -> Result<u16, ValueError> {
        q_of(&self.params)
    }
}

impl LanguageRange<'_> {
    /// `q` in thousandths; 1000 if it is not there.
    ///
    /// # Errors
    ///
    /// [`Number`](ValueErrorKind::Number) if it is malformed.
    pub fn q(&self) -> Result<u16, ValueError> {
        q_of(&self.params)
    }
}

/// Priority: how urgent a request is for the person called (3261 20.26).
///
/// ```
/// use drongo::message::Priority;
///
/// assert_eq!(Priority::parse(b"Emergency"), Ok(Priority::Emergency));
/// assert_eq!(Priority::parse(b"psap-callback"), Ok(Priority::Other("psap-callback")));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Priority<'a> {
    /// `emergency`.
    Emergency,
    /// `urgent`.
    Urgent,
    /// `normal`, which holds too when there is no Priority.
    #[default]
    Normal,
    /// `non-urgent`.
    NonUrgent,
    /// Any other word, as it came.
    Other(&'a str),
}

impl<'a> Priority<'a> {
    const WORDS: [(&'static str, Priority<'static>); 4] = [
        ("emergency", Priority::Emergency),
        ("urgent", Priority::Urgent),
        ("normal", Priority::Normal),
        ("non-urgent", Priority::NonUrgent),
    ];

    /// Reads a whole value.
    ///
    /// # Errors
    ///
    /// [`Token`](ValueErrorKind::Token) if it is none.
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let word = one_token(value)?;
        let known = Self::WORDS
            .iter()
            .find(|(text, _)| text.eq_ignore_ascii_case(word));
        Ok(known.map_or(Self::Other(word), |(_, priority)| *priority))
    }
}

impl fmt::Display for Priority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Emergency => "emergency",
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::NonUrgent => "non-urgent",
            Self::Other(word) => word,
        })
    }
}

/// One token and nothing else.
pub(super) fn one_token(value: &[u8]) -> Result<&str, ValueError> {
    let (word, params) = shape::token(value)?;
    if params.is_empty() {
        Ok(word)
    } else {
        Err(ValueError::new(ValueErrorKind::Unexpected, 0))
    }
}

/// `1*DIGIT "." 1*DIGIT`: major and minor version (3261 20.24).
pub(super) fn mime_version(value: &[u8]) -> Result<(u32, u32), ValueError> {
    let error = |kind| ValueError::new(kind, 0);
    let value = trim(value);
    let dot = memchr::memchr(b'.', value).ok_or(error(ValueErrorKind::Number))?;
    let (major, minor) = value.split_at_checked(dot).unwrap_or((value, &[]));
    let minor = minor.strip_prefix(b".").unwrap_or_default();
    let major = digits_u32(major).map_err(error)?;
    let minor = digits_u32(minor).map_err(error)?;
    Ok((major, minor))
}

/// A language tag: up to eight letters and digits, hyphens between; the first part has letters
/// only (3261 20.13).
pub(super) fn language_tag(value: &[u8]) -> Result<&str, ValueError> {
    let tag = trim(value);
    let mut parts = tag.split(|&b| b == b'-');
    let good =
        |part: &[u8], is: fn(&u8) -> bool| (1..=8).contains(&part.len()) && part.iter().all(is);
    let first = parts
        .next()
        .is_some_and(|part| good(part, u8::is_ascii_alphabetic));
    let good = first && parts.all(|part| good(part, u8::is_ascii_alphanumeric));
    let tag = ascii(tag).filter(|_| good);
    tag.ok_or(ValueError::new(ValueErrorKind::Token, 0))
}

fn language_range(value: &[u8]) -> Result<(&str, Params<'_>), ValueError> {
    let (tag, params) = shape::token(value)?;
    if tag != "*" {
        language_tag(tag.as_bytes())?;
    }
    Ok((tag, params))
}

fn star(value: &[u8]) -> Result<(&str, Params<'_>), ValueError> {
    let (star, params) = shape::token(value)?;
    if star == "*" {
        Ok((star, params))
    } else {
        Err(ValueError::new(ValueErrorKind::Unexpected, 0))
    }
}

fn q_of(params: &Params<'_>) -> Result<u16, ValueError> {
    params
        .get("q")
        .map_or(Ok(1000), |q| parse_q(q.value.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispositions_compare_without_case() {
        // 3261-7.3.1-20
        let one = Disposition::parse(b"session;handling=optional").unwrap();
        let other = Disposition::parse(b"Session;HANDLING=OPTIONAL").unwrap();
        assert!(one.equivalent(&other));
        assert!(!one.equivalent(&Disposition::parse(b"session").unwrap()));
        assert!(!one.equivalent(&Disposition::parse(b"render;handling=optional").unwrap()));
    }

    #[test]
    fn handling_is_required_unless_it_is_optional() {
        // 3261-20.11-01, 3261-20.11-03
        for purpose in ["session", "render", "icon", "alert", "by-reference"] {
            let text = format!("{purpose};handling=required;x=y");
            let disposition = Disposition::parse(text.as_bytes()).unwrap();
            assert_eq!(
                (disposition.purpose(), disposition.is_required()),
                (purpose, true)
            );
            assert_eq!(disposition.to_string(), text);
            assert!(
                Disposition::parse(purpose.as_bytes())
                    .unwrap()
                    .is_required()
            );
            let optional = format!("{purpose}; Handling = OPTIONAL");
            assert!(
                !Disposition::parse(optional.as_bytes())
                    .unwrap()
                    .is_required()
            );
        }
    }

    #[test]
    fn languages_and_codings_have_a_preference() {
        // 3261-20.3-01, 3261-20.12-03
        let range = LanguageRange::parse(b"en-gb;q=0.8").unwrap();
        assert_eq!((range.tag(), range.q()), ("en-gb", Ok(800)));
        assert_eq!(LanguageRange::parse(b"*").unwrap().q(), Ok(1000));
        let gzip = Coding::parse(b"GZIP;q=1.0").unwrap();
        assert!(gzip.equivalent(&Coding::parse(b"gzip; Q=1.0").unwrap()));
        assert_eq!(gzip.q(), Ok(1000));
        assert!(Coding::parse(b"gzip;q=2").unwrap().q().is_err());
        assert!(LanguageRange::parse(b"en_gb").is_err());
    }

    #[test]
    fn language_tags_have_short_parts() {
        // 3261-20.13-01
        for good in ["fr", "en-gb", "i-mingo", "zh-Hant-TW", "es-419"] {
            assert_eq!(language_tag(good.as_bytes()), Ok(good));
        }
        for wrong in ["", "toolonglanguage", "en_gb", "en-", "-en", "4en", "e n"] {
            assert!(language_tag(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_version_of_mime_is_two_numbers() {
        // 3261-20.24-01
        assert_eq!(mime_version(b" 1.0 "), Ok((1, 0)));
        assert_eq!(mime_version(b"12.034"), Ok((12, 34)));
        for wrong in ["", "1", "1.", ".0", "1.0.0", "a.b", "1 .0"] {
            assert!(mime_version(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_priority_is_a_word_in_any_case() {
        // 3261-20.26-01
        for (word, priority) in Priority::WORDS {
            let shout = word.to_ascii_uppercase();
            assert_eq!(Priority::parse(shout.as_bytes()), Ok(priority), "{word}");
            assert_eq!(priority.to_string(), word);
        }
        assert_eq!(Priority::parse(b" soon "), Ok(Priority::Other("soon")));
        for wrong in ["", "two words", "a;b"] {
            assert!(Priority::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn features_hang_on_a_star() {
        let text = "*;audio;+sip.instance=\"<urn:uuid:f81d>\";explicit";
        let features = FeatureSet::parse(text.as_bytes()).unwrap();
        assert!(features.params().contains("explicit"));
        assert_eq!(features.to_string(), text);
        assert!(FeatureSet::parse(b"sip:a@b;audio").is_err());
        assert!(AnswerMode::parse(b"Auto;require").unwrap().is_required());
        assert!(!AnswerMode::parse(b"Manual").unwrap().is_required());
        let package = InfoPackage::parse(b"dtmf ; x=1").unwrap();
        assert_eq!(package.name(), "dtmf");
    }
}
