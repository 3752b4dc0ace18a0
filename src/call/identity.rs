//! Connected identity (RFC 4916): the URIs in From and To change while a dialog stands, its tags do
//! not.
//!
//! All state of it lives in this file, but for what each leg knows ([`Known`]). Without the
//! extension From and To stay as they began (RFC 3261 12.2.1.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::invitation::from_value;
use super::leg::Leg;
use super::offer_answer;
use super::policy::lists;
use super::{Action, Aside, Core, LegId, Notice, ServerId, State, wrong_state};
use crate::dialog::Dialog;
use crate::error::Misuse;
use crate::message::{HeaderList, Message, Name, NameAddr, Request, StatusCode};
use crate::sink::Sink;

/// The option tag of RFC 4916.
pub(crate) const OPTION_TAG: &str = "from-change";

/// What the other side of a leg knows of who this side is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Known {
    /// It has not listed the extension: From stays as it is.
    #[default]
    Closed,
    /// It has, and no request has told it.
    Untold,
    /// A request has gone with the From of now.
    Told,
}

/// The identities of a call that are others than at its beginning, or may become so.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Identities {
    /// This side's: a From value without tag.
    own: Option<Box<[u8]>>,
    /// The From of the INVITE, tag included, once that is another.
    first: Box<[u8]>,
    /// What of the other side has no final response.
    claims: Vec<Claim>,
}

/// A request of the other side whose From names another than before: a 2xx to it makes that the
/// other side's identity (4.4.2).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Claim {
    server: ServerId,
    leg: LegId,
    request: Box<Request>,
}

/// This side's identity.
impl Core {
    /// [`Command::Identify`](super::Command::Identify): what tells the other side goes as soon as it
    /// may.
    pub(super) fn identify(&mut self, from: &str) -> Result<(), Misuse> {
        let from = from_value(from)?;
        let may_hear = |leg: &Leg| leg.is_live() && leg.known != Known::Closed;
        if !self.legs.iter().any(may_hear) {
            return Err(wrong_state("identify", "with a side without from-change"));
        }
        for leg in self.legs.iter_mut().filter(|leg| may_hear(leg)) {
            leg.known = Known::Untold;
        }
        let first = self.first_from().unwrap_or_default().into();
        let identities = &mut self.aside.get_or_insert_default().identities;
        identities.first = first;
        identities.own = Some(from);
        self.take_own_identity();
        Ok(())
    }

    /// The From of the first INVITE of this side.
    pub(super) fn first_from(&self) -> Option<&[u8]> {
        let aside = self.aside.as_deref();
        let first = aside.map(|aside| &*aside.identities.first);
        let now = || self.dialog().map(Dialog::local);
        first.filter(|first| !first.is_empty()).or_else(now)
    }

    /// The call is over: what is left is the From for forks that still answer.
    pub(super) fn forget_identities(&mut self) {
        let first = self.aside.take().map(|aside| aside.identities.first);
        if let Some(first) = first.filter(|first| !first.is_empty()) {
            self.aside.get_or_insert_default().identities.first = first;
        }
    }

    /// 4.4.1: From is this side's identity on every leg that can take it.
    fn take_own_identity(&mut self) {
        let Some(own) = self
            .aside
            .as_deref()
            .and_then(|a| a.identities.own.as_deref())
        else {
            return;
        };
        for leg in &mut self.legs {
            if leg.known == Known::Untold {
                leg.dialog.rename_local(own);
            }
        }
    }

    /// A request that identifies this side goes on this leg.
    pub(super) fn told_identity(&mut self, at: usize) {
        if let Some(leg) = self.legs.get_mut(at)
            && leg.known == Known::Untold
        {
            leg.known = Known::Told;
        }
    }

    /// Tells who this side is, where that is due and may be said now: 4.2, 4.3.
    #[cold]
    pub(super) fn tell_identity(&mut self, state: &State, out: &mut (impl Sink<Action> + ?Sized)) {
        let (ready, only_first, answered) = match state {
            State::Inviting(inviting) => (!inviting.is_cancelled(), false, false),
            // 4.2: a PRACK says that the other side has the early dialog.
            State::Incoming(_) => (self.is_pracked(), true, false),
            State::Confirmed(session) => (session.has_its_ack(), true, true),
            State::Asking(_) | State::Lingering | State::Terminated => return,
        };
        if !ready || self.legs.iter().all(|leg| leg.known != Known::Untold) {
            return;
        }
        self.take_own_identity();
        let aside = self.aside.as_deref();
        let changed = aside.is_some_and(|aside| aside.identities.own.is_some());
        let legs = if only_first { 1 } else { self.legs.len() };
        for at in 0..legs {
            let Some(leg) = self.legs.get(at) else {
                return;
            };
            // 4.2: who answers a call says who that is, even if it is who was called.
            let unasked = answered && !self.owns_call_id && leg.takes_update == Some(true);
            let due = leg.known == Known::Untold && (changed || unasked);
            let update = offer_answer::Message::Update;
            let may = leg.is_live()
                && leg.takes_update != Some(false)
                && leg.exchange.may_send(update, false).is_ok();
            if due && may {
                self.send_identity(leg.id, out);
            }
        }
    }

    /// What this side says of the extension in an INVITE, and in what makes a dialog (4.1, 4.2).
    pub(super) fn with_from_change(&self, headers: HeaderList) -> HeaderList {
        if !self.context.connected_identity || lists(&headers, Name::Supported, OPTION_TAG) {
            return headers;
        }
        let mut headers = headers;
        // A tag cannot be malformed.
        let _ = headers.push(Name::Supported.as_str(), OPTION_TAG);
        headers
    }

    /// The same as a line for a response with these headers.
    pub(super) fn own_tag_line(&self, own: &HeaderList) -> &'static [u8] {
        let on = self.context.connected_identity;
        match on && !lists(own, Name::Supported, OPTION_TAG) {
            true => b"Supported: from-change\r\n",
            false => b"",
        }
    }
}

/// The other side's identity.
impl Core {
    /// A request of the other side within a dialog: whether its From names another.
    pub(super) fn hear_claim(&mut self, server: ServerId, request: &Request) {
        if self.context.connected_identity {
            self.take_claim(server, request);
        }
    }

    #[cold]
    fn take_claim(&mut self, server: ServerId, request: &Request) {
        let at = self.find_leg(request.tag_of_from());
        let Some(leg) = at.and_then(|at| self.legs.get_mut(at)) else {
            return;
        };
        leg.hear_extension(request);
        let (from, known) = (request.from_value(), leg.dialog.remote());
        if from == known || is_same(from, known) {
            return;
        }
        let claim = Claim {
            server,
            leg: leg.id,
            request: Box::new(request.clone()),
        };
        let aside = self.aside.get_or_insert_default();
        aside.identities.claims.push(claim);
    }

    /// A final response to a request of the other side is out: 4.4.2.
    pub(super) fn settle_claim(
        &mut self,
        server: ServerId,
        status: StatusCode,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        let Some(Aside { identities, .. }) = self.aside.as_deref_mut() else {
            return;
        };
        let mut claims = identities.claims.iter();
        let Some(at) = claims.position(|claim| claim.server == server) else {
            return;
        };
        let Claim { leg, request, .. } = identities.claims.swap_remove(at);
        if !status.is_success() {
            return;
        }
        if let Some(place) = self.leg_mut(leg) {
            place.dialog.rename_remote(request.from_value());
            out.push(Action::Notify(Notice::PeerIdentified { leg, request }));
        }
    }
}

impl Leg {
    /// Whether the other side lists the extension.
    pub(super) fn hear_extension(&mut self, message: &Message) {
        let mut tags = message.supported().flatten();
        if self.known == Known::Closed && tags.any(|tag| tag.eq_ignore_ascii_case(OPTION_TAG)) {
            self.known = Known::Untold;
        }
    }
}

/// Whether two From or To values name the same.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    match (NameAddr::parse(one), NameAddr::parse(other)) {
        (Ok(one), Ok(other)) => one.uri().equivalent(&other.uri()),
        // What cannot be read names nobody else.
        (Err(_), _) | (_, Err(_)) => true,
    }
}
