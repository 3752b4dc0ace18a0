//! Policies of one call that differ from its endpoint's: reliable provisional responses (RFC 3262)
//! and session timers (RFC 4028). What the call says of itself in Supported and Allow follows them.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::reliable::{self, Policy, Sending, sending};
use super::{Context, Core, session_timer, wrong_state};
use crate::error::Misuse;
use crate::message::{HeaderList, Method, Name, Outgoing, split_commas};

/// What one call wants otherwise than its endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Policies {
    pub(super) reliable: Option<Policy>,
    /// The inner one is `None` for no session timer.
    pub(super) session_timer: Option<Option<session_timer::Config>>,
}

impl Policies {
    /// The context of a call with these.
    pub(super) fn over(self, context: Arc<Context>) -> Arc<Context> {
        if self == Self::default() {
            return context;
        }
        let mut own = (*context).clone();
        if let Some(policy) = self.reliable {
            let is_on = policy != Policy::Off;
            let (tag, prack) = (reliable::OPTION_TAG, Method::Prack.as_str());
            own.reliable = policy;
            own.capabilities = listing(&own.capabilities, Name::Supported, tag, is_on);
            own.capabilities = listing(&own.capabilities, Name::Allow, prack, is_on);
        }
        if let Some(config) = self.session_timer {
            let tag = session_timer::OPTION_TAG;
            own.session_timer = config;
            own.capabilities = listing(&own.capabilities, Name::Supported, tag, config.is_some());
        }
        Arc::new(own)
    }
}

impl Core {
    /// The callee takes another policy for reliable provisional responses than its endpoint's.
    pub(super) fn take_reliable(
        &mut self,
        policy: Policy,
        asked: reliable::Asked,
    ) -> Result<(), Misuse> {
        if matches!(sending(policy, asked), Sending::Refuse(_)) {
            return Err(wrong_state(
                "reliable",
                "Incoming, from who has it otherwise",
            ));
        }
        self.take_policies(Policies {
            reliable: Some(policy),
            session_timer: None,
        });
        Ok(())
    }

    pub(super) fn take_policies(&mut self, policies: Policies) {
        self.context = policies.over(self.context.clone());
    }

    /// RFC 4028 7.1: every request but ACK says that this side has session timers, if it has.
    pub(super) fn with_timer_tag(&self, headers: HeaderList) -> HeaderList {
        let tag = session_timer::OPTION_TAG;
        if self.context.session_timer.is_none() || lists(&headers, Name::Supported, tag) {
            return headers;
        }
        let mut headers = headers;
        // A tag cannot be malformed.
        let _ = headers.push(Name::Supported.as_str(), tag);
        headers
    }

    /// RFC 3262 4: every INVITE of a side that demands the extension does.
    pub(super) fn with_requirements(&self, headers: HeaderList) -> HeaderList {
        let tag = reliable::OPTION_TAG;
        if self.context.reliable != Policy::Required || lists(&headers, Name::Require, tag) {
            return headers;
        }
        let mut headers = headers;
        let _ = headers.push(Name::Require.as_str(), tag);
        headers
    }
}

/// What of an INVITE's own headers speaks of extensions: its refreshes say the same (RFC 4028 7.4).
pub(super) fn extensions(outgoing: &Outgoing) -> HeaderList {
    let speaks = |name| matches!(name, Name::Supported | Name::Require | Name::ProxyRequire);
    let mut headers = HeaderList::new();
    for (_, spelled, value) in outgoing.headers.iter().filter(|(name, ..)| speaks(*name)) {
        // It was well-formed when it was pushed.
        let _ = headers.push(core::str::from_utf8(spelled).unwrap_or_default(), value);
    }
    headers
}

/// Whether a list of these headers has this element.
pub(super) fn lists(headers: &HeaderList, name: Name, element: &str) -> bool {
    let mut rows = headers.iter().filter(|(other, ..)| *other == name);
    rows.any(|(.., value)| split_commas(value).any(|one| is(one, element)))
}

/// The headers with one row of this name, that lists the element or does not.
pub(super) fn listing(headers: &HeaderList, name: Name, element: &str, listed: bool) -> HeaderList {
    let mut changed = HeaderList::new();
    let mut all: Vec<&[u8]> = Vec::new();
    for (other, spelled, value) in headers.iter() {
        if other == name {
            all.extend(split_commas(value).filter(|one| !is(one, element)));
        } else {
            // It was well-formed when it was pushed.
            let _ = changed.push(core::str::from_utf8(spelled).unwrap_or_default(), value);
        }
    }
    if listed {
        all.push(element.as_bytes());
    }
    let all: Vec<&[u8]> = all.into_iter().map(<[u8]>::trim_ascii).collect();
    let value = all
        .iter()
        .filter(|one| !one.is_empty())
        .map(|one| String::from_utf8_lossy(one));
    let value: Vec<_> = value.collect();
    // 20.37: that none is supported may be said; that nothing is required is not.
    if !value.is_empty() || name == Name::Supported {
        let _ = changed.push(name.as_str(), value.join(", "));
    }
    changed
}

fn is(one: &[u8], element: &str) -> bool {
    one.trim_ascii().eq_ignore_ascii_case(element.as_bytes())
}
