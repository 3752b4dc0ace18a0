//! What a failure ends (RFC 5057), and what may be tried again (RFC 3261 8.1.3.5).
//!
//! All of it is data: [`effect`] looks a status up in one table and then in the notes below it,
//! [`retry`] in another. [`Budget`] bounds how often each kind of retry is made.

use crate::message::{Method, StatusCode};
use crate::transaction::Failure;

/// A usage of a dialog (RFC 5057 section 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Usage {
    /// The session.
    Invite,
    /// A subscription, also one that a REFER made: its Event says which.
    Subscription,
}

/// The usage that a request within a dialog belongs to (RFC 5057 5.3); `None` if to none.
pub const fn usage_of(method: Method<'_>) -> Option<Usage> {
    match method {
        Method::Invite
        | Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Prack
        | Method::Update
        | Method::Info => Some(Usage::Invite),
        Method::Subscribe | Method::Notify | Method::Refer => Some(Usage::Subscription),
        Method::Options
        | Method::Message
        | Method::Register
        | Method::Publish
        | Method::Other(_) => None,
    }
}

/// What a response to a request within a dialog ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Effect {
    /// The transaction only.
    Transaction,
    /// The whole dialog moves, with all its usages, or nothing does: "not well understood in SIP".
    /// Who does not follow it treats it as [`Effect::Transaction`].
    Redirection,
    /// The usage of the request. The dialog lives as long as another usage does.
    Usage,
    /// The dialog and all its usages.
    Dialog,
}

/// RFC 5057 section 5.1, table 2, in its order. What is not in it counts as its class's x00
/// (3261 8.1.3.2).
const TABLE: [(u16, Effect); 50] = {
    use Effect::{Dialog, Transaction, Usage};
    [
        (400, Transaction),
        (401, Transaction),
        (402, Transaction),
        (403, Transaction),
        (404, Dialog),
        (405, Usage),
        (406, Transaction),
        (407, Transaction),
        // Note 4: what a timeout does, which is 5.2's.
        (408, Usage),
        (410, Dialog),
        (412, Transaction),
        (413, Transaction),
        (414, Transaction),
        (415, Transaction),
        (416, Dialog),
        (417, Transaction),
        (420, Transaction),
        (421, Transaction),
        (422, Transaction),
        (423, Transaction),
        (428, Transaction),
        (429, Transaction),
        (436, Transaction),
        (437, Transaction),
        (438, Transaction),
        (480, Usage),
        (481, Usage),
        (482, Dialog),
        (483, Dialog),
        (484, Dialog),
        (485, Dialog),
        (486, Transaction),
        (487, Transaction),
        (488, Transaction),
        (489, Usage),
        (491, Transaction),
        (493, Transaction),
        (494, Transaction),
        (500, Transaction),
        (501, Usage),
        (502, Dialog),
        (503, Transaction),
        (504, Transaction),
        (505, Transaction),
        (513, Transaction),
        (580, Transaction),
        (600, Transaction),
        (603, Transaction),
        (604, Dialog),
        (606, Transaction),
    ]
};

/// What a response to a request within a dialog ends: RFC 5057 section 5.1, with its notes.
///
/// ```
/// use drongo::call::failure::{Effect, effect};
/// use drongo::message::{Method, StatusCode};
///
/// let lost = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
/// assert_eq!(effect(Method::Update, lost), Effect::Usage);
/// assert_eq!(effect(Method::Cancel, lost), Effect::Transaction);
/// assert_eq!(effect(Method::Info, StatusCode::GONE), Effect::Dialog);
/// ```
pub fn effect(method: Method<'_>, status: StatusCode) -> Effect {
    let listed = match status.class() {
        0..=2 => Effect::Transaction,
        3 => Effect::Redirection,
        4..=u16::MAX => listed(status),
    };
    match (method, listed) {
        // 3261 15.1.1, and notes 13 and 17: a BYE ends the usage whatever it meets, unless it
        // never came to be looked at.
        (Method::Bye, Effect::Transaction | Effect::Redirection) if ends_by_bye(status) => {
            Effect::Usage
        }
        (_, Effect::Usage) if !concerns_usage(method, status) => Effect::Transaction,
        (_, effect) => effect,
    }
}

/// What counts as the response where there was none (3261 8.1.3.1, 9.1). It is never sent.
pub const fn stand_in(failure: Failure) -> StatusCode {
    match failure {
        Failure::Timeout | Failure::NoAck => StatusCode::REQUEST_TIMEOUT,
        // RFC 7339 5.10, for what was not sent.
        Failure::Transport
        | Failure::Withheld
        | Failure::Unroutable
        | Failure::Unresolved
        | Failure::NoLocalAddress
        | Failure::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
        Failure::CancelTimeout | Failure::Withdrawn => StatusCode::REQUEST_TERMINATED,
    }
}

fn listed(status: StatusCode) -> Effect {
    let code = status.as_u16();
    let row = TABLE.iter().find(|(listed, _)| *listed == code);
    // Each x00 is Transaction.
    row.map_or(Effect::Transaction, |(_, effect)| *effect)
}

fn ends_by_bye(status: StatusCode) -> bool {
    status.is_final() && !matches!(status.as_u16(), 401 | 407)
}

/// Whether a status that ends a usage does so in response to this method.
fn concerns_usage(method: Method<'_>, status: StatusCode) -> bool {
    match (status.as_u16(), method) {
        // Note 8, and the same for a CANCEL that meets silence: the INVITE goes on.
        (_, Method::Cancel) => false,
        // Note 3: what is not integral to its usage. Who does not know PRACK can do without it: the
        // final response to its INVITE says what becomes of that.
        (405 | 501, Method::Update | Method::Info | Method::Refer | Method::Prack) => false,
        // Note 12.
        (489, method) => matches!(method, Method::Subscribe | Method::Notify),
        // 5.2, 5.3: the request belongs to none.
        (_, method) => usage_of(method).is_some(),
    }
}

/// What a Retry-After in a failure holds back until its time has passed (3261 20.33; RFC 5057
/// 5.1, notes 7, 13, 15 and 17).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Hold {
    /// This request; it can be tried again then.
    Request,
    /// Every request of its usage.
    Usage,
    /// Every request to that server (3261 21.5.4).
    Server,
}

/// What a Retry-After in a response of this status holds back; `None` where it has no meaning.
pub const fn hold(status: StatusCode) -> Option<Hold> {
    match status.as_u16() {
        404 | 413 | 486 | 500 | 600 | 603 => Some(Hold::Request),
        480 => Some(Hold::Usage),
        503 => Some(Hold::Server),
        _ => None,
    }
}

/// How a request that failed may be sent again at once, changed as the failure asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Retry {
    /// Not.
    Never,
    /// To the targets in Contact (8.1.3.4).
    Targets,
    /// With credentials (22).
    Credentials,
    /// Without a body, or with a shorter one (21.4.11).
    ShorterBody,
    /// With the types, encodings and languages in Accept, Accept-Encoding and Accept-Language
    /// (21.4.13).
    OtherBody,
    /// To a SIP URI (21.4.14).
    SipUri,
    /// Without the extensions in Unsupported (21.4.15).
    FewerExtensions,
    /// With the extensions in Require, if this side has them (21.4.16).
    MoreExtensions,
    /// With a Session-Expires of at least Min-SE (RFC 4028 7.3).
    LongerSession,
    /// With an Expires of at least Min-Expires (21.4.17).
    LongerExpiry,
    /// After a wait: see [`glare_wait`](super::offer_answer::glare_wait).
    AfterGlare,
    /// With the security mechanisms in Security-Server (RFC 3329 2.3.1).
    Security,
}

/// How a request that met this status may be sent again: 3261 8.1.3.4, 8.1.3.5 and the RFCs that
/// add to it. `secure` says that its Request-URI is a SIPS URI.
pub const fn retry(status: StatusCode, secure: bool) -> Retry {
    match status.as_u16() {
        300..=302 | 305 => Retry::Targets,
        401 | 407 => Retry::Credentials,
        413 => Retry::ShorterBody,
        415 => Retry::OtherBody,
        // 8.1.3.5, 19.1: a secure request never becomes an open one by itself.
        416 if !secure => Retry::SipUri,
        420 => Retry::FewerExtensions,
        421 => Retry::MoreExtensions,
        422 => Retry::LongerSession,
        423 => Retry::LongerExpiry,
        491 => Retry::AfterGlare,
        494 => Retry::Security,
        _ => Retry::Never,
    }
}

impl Retry {
    /// The most retries of this kind for one request. Each changes the request as it was told to:
    /// who is told the same again and again is being led in a circle.
    pub const fn limit(self) -> u8 {
        match self {
            Self::Never => 0,
            // Targets are tried one after another; this bounds redirections of redirections.
            Self::Targets => 5,
            // A stale nonce and a second realm on the way; proxies in a row.
            Self::Credentials => 4,
            // 3261 14.1: "once more".
            Self::AfterGlare
            | Self::ShorterBody
            | Self::OtherBody
            | Self::SipUri
            | Self::FewerExtensions
            | Self::MoreExtensions
            | Self::Security => 1,
            // Each element on the way may have a minimum of its own.
            Self::LongerSession | Self::LongerExpiry => 4,
        }
    }
}

/// How often a request was sent again, by kind.
///
/// ```
/// use drongo::call::failure::{Budget, Retry};
///
/// let mut budget = Budget::default();
/// assert!(budget.spend(Retry::FewerExtensions));
/// assert!(!budget.spend(Retry::FewerExtensions));
/// assert!(budget.spend(Retry::Credentials));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Budget([u8; 12]);

impl Budget {
    /// That of the request to the next target of a redirection. How often it was redirected counts
    /// on.
    #[must_use]
    pub fn of_next_target(self) -> Self {
        let mut spent = [0; 12];
        let at = Retry::Targets as usize;
        if let (Some(to), Some(from)) = (spent.get_mut(at), self.0.get(at)) {
            *to = *from;
        }
        Self(spent)
    }

    /// Whether a retry of this kind is left.
    pub fn has(&self, kind: Retry) -> bool {
        let spent = self.0.get(kind as usize);
        spent.is_some_and(|spent| *spent < kind.limit())
    }

    /// Takes one retry of this kind, if there is one left.
    pub fn spend(&mut self, kind: Retry) -> bool {
        let Some(spent) = self.0.get_mut(kind as usize) else {
            return false;
        };
        let left = *spent < kind.limit();
        *spent = spent.saturating_add(u8::from(left));
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn status(code: u16) -> StatusCode {
        StatusCode::new(code).unwrap()
    }

    fn of(method: Method<'_>, code: u16) -> Effect {
        effect(method, status(code))
    }

    const ALL: [Method<'_>; 15] = [
        Method::Invite,
        Method::Ack,
        Method::Bye,
        Method::Cancel,
        Method::Options,
        Method::Register,
        Method::Prack,
        Method::Update,
        Method::Info,
        Method::Message,
        Method::Refer,
        Method::Subscribe,
        Method::Notify,
        Method::Publish,
        Method::Other("FOO"),
    ];

    // 5057-5.3-01, 5057-5.3-02, 5057-5.3-03, 5057-5.3-04
    #[test]
    fn methods_belong_to_their_usages() {
        let of = |usage| {
            let all = ALL.into_iter().filter(|m| usage_of(*m) == usage);
            all.map(|m| m.as_str()).collect::<Vec<_>>().join(" ")
        };
        let invite = "INVITE ACK BYE CANCEL PRACK UPDATE INFO";
        assert_eq!(of(Some(Usage::Invite)), invite);
        assert_eq!(of(Some(Usage::Subscription)), "REFER SUBSCRIBE NOTIFY");
        assert_eq!(of(None), "OPTIONS REGISTER MESSAGE PUBLISH FOO");
    }

    // The rows of table 2, each against table 1, which is written down here.
    // 5057-5.1-02, 5057-5.1-03, 5057-5.1-04, 5057-5.1-05, 5057-5.1-06, 5057-5.1-08, 5057-5.1-09,
    // 5057-5.1-11, 5057-5.1-12, 5057-5.1-13, 5057-5.1-14, 5057-5.1-15, 5057-5.1-16, 5057-5.1-17,
    // 5057-5.1-18, 5057-5.1-19, 5057-5.1-20, 5057-5.1-21, 5057-5.1-22, 5057-5.1-23, 5057-5.1-24,
    // 5057-5.1-25, 5057-5.1-26, 5057-5.1-27, 5057-5.1-29, 5057-5.1-30, 5057-5.1-31, 5057-5.1-32,
    // 5057-5.1-33, 5057-5.1-34, 5057-5.1-35, 5057-5.1-37, 5057-5.1-38, 5057-5.1-39, 5057-5.1-42,
    // 5057-5.1-43, 5057-5.1-44, 5057-5.1-45, 5057-5.1-46, 5057-5.1-47, 5057-5.1-49, 5057-5.1-50,
    // 5057-5.1-51
    #[test]
    fn reinvite_meets_table_1() {
        let transaction = [
            400, 401, 402, 403, 406, 407, 412, 413, 414, 415, 417, 420, 421, 422, 423, 428, 429,
            436, 437, 438, 486, 487, 488, 491, 493, 494, 500, 503, 504, 505, 513, 580, 600, 603,
            606,
        ];
        let usage = [405, 408, 480, 481, 501];
        let dialog = [404, 410, 416, 482, 483, 484, 485, 502, 604];
        for code in 400..700 {
            let expected = if usage.contains(&code) {
                Effect::Usage
            } else if dialog.contains(&code) {
                Effect::Dialog
            } else {
                Effect::Transaction
            };
            assert_eq!(of(Method::Invite, code), expected, "{code}");
        }
        for code in transaction.into_iter().chain(usage).chain(dialog) {
            assert!(TABLE.iter().any(|(listed, _)| *listed == code), "{code}");
        }
        let rows = transaction.len() + usage.len() + dialog.len();
        // And 489.
        assert_eq!(rows + 1, TABLE.len());
    }

    // 5057-5.1-01
    #[test]
    fn redirection_concerns_the_dialog_as_a_whole() {
        for method in [Method::Invite, Method::Notify, Method::Options] {
            assert_eq!(of(method, 302), Effect::Redirection);
        }
    }

    // 5057-5.1-07, 5057-5.1-41
    #[test]
    fn method_not_allowed_ends_what_cannot_do_without_it() {
        for code in [405, 501] {
            for method in [Method::Invite, Method::Notify, Method::Subscribe] {
                assert_eq!(of(method, code), Effect::Usage, "{method} {code}");
            }
            for method in [
                Method::Update,
                Method::Prack,
                Method::Info,
                Method::Options,
                Method::Other("FOO"),
            ] {
                assert_eq!(of(method, code), Effect::Transaction, "{method} {code}");
            }
        }
    }

    // 5057-5.1-10, 5057-5.2-01, 5057-5.2-02, 3261-8.1.3.1-01, 3261-8.1.3.1-02
    #[test]
    fn silence_ends_the_usage_it_met() {
        let met = |method, failure| effect(method, stand_in(failure));
        for method in [Method::Invite, Method::Update, Method::Info, Method::Notify] {
            assert_eq!(met(method, Failure::Timeout), Effect::Usage, "{method}");
            assert_eq!(met(method, Failure::Transport), Effect::Transaction);
        }
        for method in [Method::Options, Method::Message, Method::Cancel] {
            assert_eq!(
                met(method, Failure::Timeout),
                Effect::Transaction,
                "{method}"
            );
        }
        assert_eq!(stand_in(Failure::Timeout).as_u16(), 408);
        assert_eq!(stand_in(Failure::Transport).as_u16(), 503);
    }

    // 5057-5.1-28
    #[test]
    fn lost_dialog_ends_the_usage_and_not_for_a_cancel() {
        assert_eq!(of(Method::Update, 481), Effect::Usage);
        assert_eq!(of(Method::Notify, 481), Effect::Usage);
        assert_eq!(of(Method::Cancel, 481), Effect::Transaction);
    }

    // 5057-5.1-36
    #[test]
    fn bad_event_ends_a_subscription_only() {
        assert_eq!(of(Method::Subscribe, 489), Effect::Usage);
        assert_eq!(of(Method::Notify, 489), Effect::Usage);
        for method in [Method::Invite, Method::Refer, Method::Info] {
            assert_eq!(of(method, 489), Effect::Transaction);
        }
    }

    // 5057-4.1-02, 5057-5.1-40, 5057-5.1-48
    #[test]
    fn bye_ends_the_usage_whatever_it_meets() {
        for code in [200, 302, 400, 403, 481, 491, 500, 599, 600, 699] {
            assert_eq!(of(Method::Bye, code), Effect::Usage, "{code}");
        }
        assert_eq!(of(Method::Bye, 404), Effect::Dialog);
        for code in [100, 401, 407] {
            assert_eq!(of(Method::Bye, code), Effect::Transaction, "{code}");
        }
        for code in [500, 599, 600, 699] {
            assert_eq!(of(Method::Invite, code), Effect::Transaction);
        }
    }

    // 5057-5.1-27
    #[test]
    fn retry_after_holds_what_its_status_says() {
        let of = |what| {
            let all = (100..700).filter(|code| hold(status(*code)) == what);
            all.collect::<Vec<u16>>()
        };
        assert_eq!(of(Some(Hold::Request)), [404, 413, 486, 500, 600, 603]);
        assert_eq!(of(Some(Hold::Usage)), [480]);
        assert_eq!(of(Some(Hold::Server)), [503]);
    }

    // The decisions only: that they are carried out is for the tests of what uses them.
    #[test]
    fn retries_are_those_of_the_rfcs() {
        let of = |code| retry(status(code), false);
        let all: Vec<(u16, Retry)> = (100..700)
            .map(|code| (code, of(code)))
            .filter(|(_, retry)| *retry != Retry::Never)
            .collect();
        assert_eq!(
            all,
            [
                (300, Retry::Targets),
                (301, Retry::Targets),
                (302, Retry::Targets),
                (305, Retry::Targets),
                (401, Retry::Credentials),
                (407, Retry::Credentials),
                (413, Retry::ShorterBody),
                (415, Retry::OtherBody),
                (416, Retry::SipUri),
                (420, Retry::FewerExtensions),
                (421, Retry::MoreExtensions),
                (422, Retry::LongerSession),
                (423, Retry::LongerExpiry),
                (491, Retry::AfterGlare),
                (494, Retry::Security),
            ]
        );
        assert_eq!(retry(status(416), true), Retry::Never);
        assert_eq!(retry(status(415), true), Retry::OtherBody);
    }

    #[test]
    fn each_kind_of_retry_is_bounded() {
        let mut budget = Budget::default();
        for code in 100..700 {
            let kind = retry(status(code), false);
            let other = budget;
            let spent = (0..100).filter(|_| budget.spend(kind)).count();
            assert!(spent <= usize::from(kind.limit()), "{kind:?}");
            let has_some = other != budget;
            assert_eq!(spent > 0, has_some);
        }
        assert!(!budget.spend(Retry::Never));
        assert!(!budget.spend(Retry::Security));
        assert!(Budget::default().spend(Retry::Security));
    }
}
