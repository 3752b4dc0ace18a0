//! The parameters of Via by which neighbours tell each other how much to send (RFC 7339 4,
//! RFC 7415).

use core::fmt::{self, Write as _};
use core::time::Duration;

use crate::message::Via;

/// How long feedback is in force that does not say (RFC 7339 4.3), in milliseconds.
const VALIDITY: u32 = 500;

/// What the number of `oc` means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Algorithm {
    /// So many requests of a hundred are not to be sent (RFC 7339 7).
    Loss,
    /// So many requests a second may be sent (RFC 7415).
    Rate,
}

impl Algorithm {
    /// As `oc-algo` names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Rate => "rate",
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        let known = [Self::Loss, Self::Rate];
        known
            .into_iter()
            .find(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()))
    }
}

/// `oc-seq`: digits, a point and digits (RFC 7339 9). A timestamp, usually.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sequence(u64);

impl Sequence {
    /// How many the digits behind the point count.
    const SCALE: u64 = 100_000;

    /// The sequence number of what is said at this time.
    pub const fn at(time: crate::time::Time) -> Self {
        // 12 digits of seconds are 31,000 years.
        Self(time.as_nanos() / 10_000)
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let mut parts = value.split(|b| *b == b'.');
        let (whole, part) = (parts.next()?, parts.next().unwrap_or_default());
        if parts.next().is_some() || whole.len() > 12 || part.len() > 5 {
            return None;
        }
        let whole = number(whole)?;
        let mut rest = match part.is_empty() {
            true => 0,
            false => number(part)?,
        };
        for _ in part.len()..5 {
            rest = rest.saturating_mul(10);
        }
        Some(Self(whole.saturating_mul(Self::SCALE).saturating_add(rest)))
    }

    /// Whether what has this number is older than what has the other one. Much less than the
    /// other one, it has begun anew (RFC 7339 4.4).
    pub const fn is_before(self, other: Self) -> bool {
        self.0 <= other.0 && self.0 >= other.0 / 2
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / Self::SCALE, self.0 % Self::SCALE);
        write!(f, "{whole}.{rest:05}")
    }
}

/// What a server asks of a client.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Feedback {
    /// What the value means.
    pub algorithm: Algorithm,
    /// Percent of the requests that are not to be sent, or requests a second that may be.
    pub value: u32,
    /// How long it is in force, in milliseconds; zero ends what was in force.
    pub validity: u32,
    /// Which of two is newer. `None`: it did not say, against RFC 7339 4.4, and counts as newer.
    pub sequence: Option<Sequence>,
}

impl Feedback {
    /// Feedback for the time of one report.
    pub const fn new(algorithm: Algorithm, value: u32, validity: u32) -> Self {
        Self {
            algorithm,
            value,
            validity,
            sequence: None,
        }
    }

    /// Says which of two is newer.
    #[must_use]
    pub const fn with_sequence(mut self, sequence: Sequence) -> Self {
        self.sequence = Some(sequence);
        self
    }

    /// How long it is in force.
    pub const fn wait(&self) -> Duration {
        Duration::from_millis(self.validity as u64)
    }

    /// What the top Via of a response says. `None` if it says nothing that this side could do:
    /// no value, which shows that the server has no feedback (RFC 7339 5.1), an algorithm that
    /// was not offered, or a percentage over 100 (7.1).
    ///
    /// ```
    /// use drongo::message::Via;
    /// use drongo::overload::{Algorithm, Feedback};
    ///
    /// let via = Via::parse(
    ///     b"SIP/2.0/TLS p1.example.net;branch=z9hG4bK2d4790.3;oc=20;oc-algo=\"loss\";oc-validity=700",
    /// )?;
    /// assert_eq!(Feedback::of(&via), Some(Feedback::new(Algorithm::Loss, 20, 700)));
    /// # Ok::<(), drongo::message::ValueError>(())
    /// ```
    pub fn of(via: &Via<'_>) -> Option<Self> {
        let params = via.params();
        let said = number(params.get("oc")?.value?)?;
        let value = u32::try_from(said).unwrap_or(u32::MAX);
        let algorithm = match params.get("oc-algo").and_then(|param| param.unquoted()) {
            Some(name) => Algorithm::parse(name.trim_ascii())?,
            None => Algorithm::Loss,
        };
        if algorithm == Algorithm::Loss && value > 100 {
            return None;
        }
        let validity = params.get("oc-validity").and_then(|param| param.value);
        let validity = validity.and_then(number).unwrap_or(u64::from(VALIDITY));
        let sequence = params.get("oc-seq").and_then(|param| param.value);
        Some(Self {
            algorithm,
            value,
            validity: u32::try_from(validity).unwrap_or(u32::MAX),
            sequence: sequence.and_then(Sequence::parse),
        })
    }
}

/// What a client says in its Via: that it heeds feedback, and of which kinds.
pub(crate) fn asks_for_feedback(prefer: Algorithm) -> &'static [u8] {
    match prefer {
        Algorithm::Loss => b";oc;oc-algo=\"loss,rate\"",
        Algorithm::Rate => b";oc;oc-algo=\"rate,loss\"",
    }
}

/// Which algorithm a client gets: the preferred one if it has it, the other one otherwise. `None`
/// if it asks for no feedback.
pub(crate) fn of_client(via: &Via<'_>, prefer: Algorithm) -> Option<Algorithm> {
    let params = via.params();
    params.get("oc")?;
    let list = params.get("oc-algo").and_then(|param| param.unquoted());
    let Some(list) = list else {
        // 4.2: the default value.
        return Some(Algorithm::Loss);
    };
    let mut names = list.split(|b| *b == b',');
    let has = |wanted| {
        let mut names = names.clone();
        names.any(|name| Algorithm::parse(name.trim_ascii()) == Some(wanted))
    };
    match has(prefer) {
        true => Some(prefer),
        false => names.find_map(|name| Algorithm::parse(name.trim_ascii())),
    }
}

/// The parameters of a response.
pub(crate) fn put_feedback(feedback: &Feedback) -> smallvec::SmallVec<[u8; 96]> {
    let mut text = Text(smallvec::SmallVec::new());
    let algorithm = feedback.algorithm.as_str();
    // Writing to memory cannot fail.
    let _ = write!(
        text,
        ";oc={};oc-algo=\"{algorithm}\";oc-validity={}",
        feedback.value, feedback.validity
    );
    if let Some(sequence) = feedback.sequence {
        let _ = write!(text, ";oc-seq={sequence}");
    }
    text.0
}

struct Text(smallvec::SmallVec<[u8; 96]>);

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

fn number(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    // More than can be counted is as many as can be.
    let next = |n: u64, b: &u8| {
        n.saturating_mul(10)
            .saturating_add(u64::from(b.wrapping_sub(b'0')))
    };
    is_number.then(|| value.iter().fold(0, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    fn read(params: &str) -> Option<Feedback> {
        let via = format!("SIP/2.0/UDP p1.example.net;branch=z9hG4bK1{params}");
        Feedback::of(&Via::parse(via.as_bytes()).unwrap())
    }

    #[test]
    fn example_of_the_rfc_is_read() {
        // RFC 7339 6. 7339-9-01
        let found = read(
            r#";received=192.0.2.111;oc=20;oc-algo="loss";oc-validity=500;oc-seq=1282321615.782"#,
        );
        let sequence = Sequence(128_232_161_578_200);
        let expected = Feedback::new(Algorithm::Loss, 20, 500).with_sequence(sequence);
        assert_eq!(found, Some(expected));
    }

    #[test]
    fn validity_that_is_not_said_is_half_a_second() {
        // 7339-4.3-01
        assert_eq!(read(";oc=20").unwrap().wait(), Duration::from_millis(500));
    }

    #[test]
    fn what_says_nothing_that_could_be_done_is_no_feedback() {
        // 7339-5.1-02, 7339-4.3-02, 7339-7.1-01
        for params in [
            "",
            ";oc",
            ";oc;oc-algo=\"loss,rate\"",
            ";oc-validity=500",
            ";oc=101;oc-algo=\"loss\"",
            ";oc=20;oc-algo=\"A\"",
            ";oc=x",
        ] {
            assert_eq!(read(params), None, "{params}");
        }
        assert_eq!(read(";oc=150;oc-algo=\"rate\"").map(|f| f.value), Some(150));
    }

    #[test]
    fn client_gets_one_algorithm_of_its_list() {
        // 7339-4.2-02, 7415-3.5-01
        let choose = |params: &str, prefer| {
            let via = format!("SIP/2.0/UDP a;branch=z9hG4bK1{params}");
            of_client(&Via::parse(via.as_bytes()).unwrap(), prefer)
        };
        let both = ";oc;oc-algo=\"loss, rate\"";
        assert_eq!(choose(both, Algorithm::Rate), Some(Algorithm::Rate));
        assert_eq!(choose(both, Algorithm::Loss), Some(Algorithm::Loss));
        let one = ";oc;oc-algo=\"loss,A\"";
        assert_eq!(choose(one, Algorithm::Rate), Some(Algorithm::Loss));
        assert_eq!(choose(";oc", Algorithm::Rate), Some(Algorithm::Loss));
        assert_eq!(choose(";oc;oc-algo=\"A\"", Algorithm::Loss), None);
        assert_eq!(choose("", Algorithm::Loss), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let sequence = Sequence::at(Time::from_nanos(1_282_321_615_782_000_000));
        let said = Feedback::new(Algorithm::Rate, 150, 1_000).with_sequence(sequence);
        let text = String::from_utf8(put_feedback(&said).to_vec()).unwrap();
        assert_eq!(
            text,
            ";oc=150;oc-algo=\"rate\";oc-validity=1000;oc-seq=1282321615.78200"
        );
        assert_eq!(read(&text), Some(said));
    }

    #[test]
    fn sequence_that_is_a_little_less_is_old_and_one_that_is_much_less_begins_anew() {
        // 7339-5.4-03, 7339-5.4-04
        let at = |text: &str| Sequence::parse(text.as_bytes()).unwrap();
        assert!(at("9.99999").is_before(at("10.0")));
        assert!(at("10.5").is_before(at("10.50000")));
        assert!(!at("10.50001").is_before(at("10.5")));
        assert!(!at("4.9").is_before(at("10.0")));
        for bad in ["", ".5", "1.2.3", "1.123456", "x"] {
            assert_eq!(Sequence::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
