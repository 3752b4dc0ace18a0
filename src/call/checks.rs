//! What a verb of the application may carry.

use crate::error::Misuse;
use crate::message::{Name, Outgoing, Reply, StatusCode, split_commas};

/// An application's headers must not be the core's.
pub(super) fn check(outgoing: &Outgoing) -> Result<(), Misuse> {
    match outgoing.reserved() {
        Some(name) => Err(Misuse::ReservedHeader {
            name: name.as_str(),
        }),
        None => Ok(()),
    }
}

/// A response of the application's: what its status makes necessary is there (21.4.2, 21.4.6, 21.4.8,
/// 21.4.15 to 21.4.17), and Min-SE is in no other than a 422 (RFC 4028 5).
pub(crate) fn check_response(status: StatusCode, outgoing: &Outgoing) -> Result<(), Misuse> {
    check(outgoing)?;
    let has = |name| outgoing.headers.contains(name);
    if status != StatusCode::SESSION_INTERVAL_TOO_SMALL && has(Name::MinSe) {
        let name = Name::MinSe.as_str();
        return Err(Misuse::ReservedHeader { name });
    }
    let name = match status.as_u16() {
        401 => Name::WwwAuthenticate,
        405 => Name::Allow,
        407 => Name::ProxyAuthenticate,
        420 => Name::Unsupported,
        421 => Name::Require,
        422 => Name::MinSe,
        423 => Name::MinExpires,
        _ => return Ok(()),
    };
    match has(name) {
        true => Ok(()),
        false => Err(Misuse::MissingHeader {
            name: name.as_str(),
        }),
    }
}

/// RFC 3261 20.12: a body in no coding that the request's Accept-Encoding lacks.
pub(crate) fn check_coding(reply: &Reply, outgoing: &Outgoing) -> Result<(), Misuse> {
    let mut codings = outgoing
        .headers
        .iter()
        .filter(|(name, ..)| *name == Name::ContentEncoding)
        .flat_map(|(.., value)| split_commas(value));
    let is_fine = |coding: &[u8]| str::from_utf8(coding).is_ok_and(|c| reply.may_encode(c));
    match codings.all(is_fine) {
        true => Ok(()),
        false => Err(Misuse::NotAccepted {
            what: "Content-Encoding",
        }),
    }
}

/// The verb is not for the state that the call is in.
pub(super) fn wrong_state(verb: &'static str, state: &'static str) -> Misuse {
    Misuse::WrongState { verb, state }
}
