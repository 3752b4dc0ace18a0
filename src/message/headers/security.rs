//! Security-Client, Security-Server, Security-Verify (RFC 3329).

use super::super::name_addr::parse_q;
use super::super::params::Params;
use super::super::print::{Pieces, writes};
use super::super::value_error::ValueError;
use super::shape;

shape::worded! {
    /// One mechanism that a side offers or has chosen: `digest;d-alg=md5;q=0.1` (3329 2.2).
    ///
    /// ```
    /// use drongo::message::SecurityMechanism;
    ///
    /// let tls = SecurityMechanism::parse(b"tls;q=0.2").unwrap();
    /// assert_eq!((tls.mechanism(), tls.q()), ("tls", Some(200)));
    /// ```
    SecurityMechanism by shape::token {
        /// The mechanism, as it came: `tls`, `digest`, `ipsec-3gpp`, … Compare without case.
        mechanism
    }
}

impl SecurityMechanism<'_> {
    /// `q`: the preference in thousandths; `None` too if it is malformed.
    pub fn q(&self) -> Option<u16> {
        parse_q(self.params.get("q")?.value?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mechanism_keeps_the_parameters_of_its_own() {
        let text = "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1111;port-s=5062";
        let mechanism = SecurityMechanism::parse(text.as_bytes()).unwrap();
        assert_eq!((mechanism.to_string(), mechanism.q()), (text.into(), None));
        assert!(SecurityMechanism::parse(b"digest;d-ver=\"x").is_err());
    }
}
