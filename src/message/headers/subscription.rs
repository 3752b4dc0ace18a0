//! Events: Event and Subscription-State (RFC 6665).

use super::super::params::Params;
use super::super::print::{Pieces, writes};
use super::super::scan::digits_u32;
use super::super::value_error::ValueError;
use super::shape;

shape::worded! {
    /// Event, and one value of Allow-Events with its templates: `presence.winfo;id=1` (6665 8.2.1).
    ///
    /// ```
    /// use drongo::message::Event;
    ///
    /// let event = Event::parse(b"presence.winfo ; id=q7").unwrap();
    /// assert_eq!((event.package(), event.id()), ("presence.winfo", Some("q7")));
    /// assert!(!event.matches(&Event::parse(b"presence.winfo").unwrap()));
    /// ```
    Event by shape::token {
        /// The event package with its templates, as it came.
        package
    }
}

impl<'a> Event<'a> {
    /// `id`, which tells subscriptions to one package in one dialog apart.
    pub fn id(&self) -> Option<&'a str> {
        self.params.str("id")
    }

    /// Whether both name the same events: package and `id` to the letter, and nothing else
    /// (6665 8.2.1).
    pub fn matches(&self, other: &Event<'_>) -> bool {
        self.package == other.package && self.id() == other.id()
    }
}

shape::worded! {
    /// Subscription-State: `terminated;reason=noresource;retry-after=60` (6665 8.2.3).
    ///
    /// ```
    /// use drongo::message::SubscriptionState;
    ///
    /// let state = SubscriptionState::parse(b"Active;expires=599").unwrap();
    /// assert!(state.is("active"));
    /// assert_eq!(state.expires(), Some(599));
    /// ```
    SubscriptionState by shape::token {
        /// The state, as it came: `active`, `pending`, `terminated`, or one of an extension.
        state
    }
}

impl<'a> SubscriptionState<'a> {
    /// Whether this is that state, without regard to case.
    pub fn is(&self, state: &str) -> bool {
        self.state.eq_ignore_ascii_case(state)
    }

    /// `expires`: seconds that are left.
    pub fn expires(&self) -> Option<u32> {
        digits_u32(self.params.get("expires")?.value?).ok()
    }

    /// `reason`: why it ended.
    pub fn reason(&self) -> Option<&'a str> {
        self.params.str("reason")
    }

    /// `retry-after`: seconds to wait before another attempt.
    pub fn retry_after(&self) -> Option<u32> {
        digits_u32(self.params.get("retry-after")?.value?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_match_by_package_and_id_to_the_letter() {
        let event = |text: &'static str| Event::parse(text.as_bytes()).unwrap();
        assert!(event("foo; id=1234").matches(&event("foo; param=abcd; id=1234")));
        for other in ["foo", "foo;id=123", "Foo;id=1234", "foo.winfo;id=1234"] {
            assert!(!event("foo;id=1234").matches(&event(other)), "{other}");
        }
        assert!(Event::parse(b" ").is_err() && Event::parse(b"a b").is_err());
        assert_eq!(event(" a ; id = 1 ").to_string(), "a;id=1");
    }

    #[test]
    fn a_subscription_state_keeps_what_it_does_not_know() {
        let state =
            SubscriptionState::parse(b"terminated; Reason=giveup;retry-after=60;x=y").unwrap();
        assert_eq!(
            (state.reason(), state.retry_after()),
            (Some("giveup"), Some(60))
        );
        assert_eq!(
            state.to_string(),
            "terminated;Reason=giveup;retry-after=60;x=y"
        );
        let odd = SubscriptionState::parse(b"asleep;expires=soon").unwrap();
        assert_eq!((odd.state(), odd.expires()), ("asleep", None));
    }
}
