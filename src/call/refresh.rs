//! Session timers (RFC 4028) of a call: what its requests and responses say of them, refreshes by
//! UPDATE or re-INVITE, and the BYE at the end.
//!
//! The rules are [`session_timer`](super::session_timer)'s. A leg has a timer only while one was
//! agreed on.

use core::time::Duration;

use smallvec::SmallVec;

use super::failure::Retry;
use super::policy::listing;
use super::session_timer::{
    self, Answer, Asked, Event, Negotiation, OPTION_TAG, SessionExpires, SessionTimer, min_se,
};
use super::update::GLARE_STEP;
use super::{Action, Core, LegId, reliable};
use crate::machine::Machine;
use crate::message::{Body, HeaderList, Message, Name, Outgoing, Request, Response, StatusCode};
use crate::sink::Sink;
use crate::time::Time;

/// A refresh that cannot go now, or was refused, is tried again after this: soon enough for the
/// shortest session, whose refresh is due 15 s before its end.
const AGAIN: Duration = Duration::from_secs(3);

/// The session timer of a leg.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct SessionTime {
    negotiation: Negotiation,
    timer: SessionTimer,
    /// What this side said last of the session: a re-INVITE that refreshes repeats it (7.4).
    description: Option<Body>,
    /// What the INVITE of this side said of extensions by its user's wish (7.4).
    extensions: HeaderList,
    /// How many 422 a request has met since the last 2xx.
    too_small: u8,
}

impl SessionTime {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.timer.deadline()
    }

    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        self.timer.rebase(from, to);
    }
}

/// What the session timer of a leg wants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Due {
    Nothing,
    /// A refresh, by UPDATE if the other side has it. It was due at this time.
    Refresh(Time),
    /// BYE.
    Expired,
}

/// Puts Session-Expires and Min-SE into a request (7.1, 7.4).
pub(super) fn put_request(negotiation: &Negotiation, headers: &mut HeaderList) {
    if let Some((expires, least)) = negotiation.request() {
        // Numbers and one token cannot be malformed.
        let _ = headers.push(Name::SessionExpires.as_str(), alloc::format!("{expires}"));
        if let Some(least) = least {
            let _ = headers.push(Name::MinSe.as_str(), alloc::format!("{least}"));
        }
    }
}

/// Whether a request that met a 422 can be sent again (7.3).
pub(super) fn is_longer(negotiation: &mut Negotiation, response: &Message) -> bool {
    negotiation.on_too_small(min_se(response))
}

impl Core {
    /// What this side wants of a new dialog.
    pub(super) fn negotiation(&self) -> Negotiation {
        Negotiation::new(self.context.session_timer)
    }

    /// What a request of the other side asks for, if this side has session timers.
    pub(super) fn asks_for_timer(&self, request: &Request) -> Option<Asked> {
        self.context.session_timer.map(|_| Asked::of(request))
    }

    /// The leg's, or a new one.
    fn negotiation_of(&self, at: usize) -> Negotiation {
        let session = self.legs.get(at).and_then(|leg| leg.session());
        session.map_or_else(|| self.negotiation(), |session| session.negotiation)
    }

    /// A request of this side within the dialog.
    pub(super) fn put_timer(&self, at: usize, mut headers: HeaderList) -> HeaderList {
        if self.context.session_timer.is_some() {
            put_request(&self.negotiation_of(at), &mut headers);
        }
        headers
    }

    /// A 2xx of this side (section 9): what it says, and what holds from then on.
    pub(super) fn answer_timer(
        &mut self,
        now: Time,
        at: usize,
        asked: Option<&Asked>,
        headers: &mut HeaderList,
    ) {
        let Some(asked) = asked else {
            return;
        };
        let mut negotiation = self.negotiation_of(at);
        let answer = negotiation.answer(asked);
        if let Answer::Accept {
            expires, require, ..
        } = &answer
        {
            let _ = headers.push(Name::SessionExpires.as_str(), alloc::format!("{expires}"));
            if *require {
                let _ = headers.push(Name::Require.as_str(), OPTION_TAG);
            }
        }
        negotiation.on_answered(asked, &answer);
        self.agree(now, at, negotiation);
    }

    /// A 2xx of the other side to an INVITE (7.2).
    pub(super) fn begin_timer(
        &mut self,
        now: Time,
        at: usize,
        mut negotiation: Negotiation,
        response: &Message,
    ) {
        if self.context.session_timer.is_some() {
            negotiation.on_success(SessionExpires::of(response));
            negotiation.on_dialog();
            self.agree(now, at, negotiation);
        }
    }

    /// A 2xx of the other side to a re-INVITE or UPDATE: whatever that was for, the timer starts
    /// again (7.2).
    pub(super) fn renew_timer(&mut self, now: Time, at: usize, response: &Message) {
        if self.context.session_timer.is_some() {
            let mut negotiation = self.negotiation_of(at);
            negotiation.on_success(SessionExpires::of(response));
            self.agree(now, at, negotiation);
        }
    }

    fn agree(&mut self, now: Time, at: usize, negotiation: Negotiation) {
        let Some(leg) = self.legs.get_mut(at) else {
            return;
        };
        let Some(terms) = negotiation.terms() else {
            leg.take_rare(|rare| &mut rare.session);
            return;
        };
        let session = leg.rare().session.get_or_insert_with(|| SessionTime {
            negotiation,
            timer: SessionTimer::new(now),
            description: None,
            extensions: HeaderList::new(),
            too_small: 0,
        });
        session.negotiation = negotiation;
        session.too_small = 0;
        session.tell(now, Event::Agreed(Some(terms)));
    }

    /// This side has said this of the session, and it holds.
    pub(super) fn described(&mut self, at: usize, body: Option<&Body>) {
        if let (Some(leg), Some(body)) = (self.legs.get_mut(at), body)
            && let Some(session) = leg.session_mut()
        {
            session.description = Some(body.clone());
        }
    }

    /// With what a re-INVITE refreshes the session.
    pub(super) fn description(&self, at: usize) -> Outgoing {
        let session = self.legs.get(at).and_then(|leg| leg.session());
        let body = session.and_then(|session| session.description.clone());
        Outgoing {
            headers: self.refresh_headers(at, true),
            body,
        }
    }

    /// 7.4: refreshes carry the Supported, Require and Proxy-Require of the INVITE.
    pub(super) fn refreshes_say(&mut self, extensions: HeaderList) {
        if let Some(session) = self.legs.first_mut().and_then(|leg| leg.session_mut()) {
            session.extensions = extensions;
        }
    }

    /// RFC 3262 4: none but an INVITE requires reliable responses.
    pub(super) fn refresh_headers(&self, at: usize, is_invite: bool) -> HeaderList {
        let session = self.legs.get(at).and_then(|leg| leg.session());
        let headers = session
            .map(|session| session.extensions.clone())
            .unwrap_or_default();
        match is_invite || !headers.contains(Name::Require) {
            true => headers,
            false => listing(&headers, Name::Require, reliable::OPTION_TAG, false),
        }
    }

    /// A request that says how long the session shall be met a 422. Whether it can be sent again.
    pub(super) fn is_longer_now(&mut self, at: usize, response: &Message) -> bool {
        let status = response.status_code();
        if status != Some(StatusCode::SESSION_INTERVAL_TOO_SMALL) {
            return false;
        }
        let leg = self.legs.get_mut(at);
        let Some(session) = leg.and_then(|leg| leg.session_mut()) else {
            return false;
        };
        // Who asks for a little more each time leads this side in a circle.
        session.too_small = session.too_small.saturating_add(1);
        session.too_small <= Retry::LongerSession.limit()
            && is_longer(&mut session.negotiation, response)
    }

    /// A refresh that was due could not go, or was refused for good (section 10): once more before the
    /// end.
    pub(super) fn refresh_again(&mut self, now: Time, due: Time, leg: LegId) {
        // Law L5: counted from when it was due.
        let at = due + AGAIN;
        let at = at.filter(|at| *at > now).or(now + AGAIN);
        let wait = at.map(|at| at.saturating_since(now));
        let leg = self.leg_mut(leg);
        if let Some(session) = leg.and_then(|leg| leg.session_mut()) {
            session.tell(now, Event::Refused(wait));
        }
    }

    /// The other side refused a refresh. What crossed something, or came too soon after it, goes again
    /// as any such request does (RFC 3261 14.1, 14.2; RFC 3311 5.3).
    pub(super) fn refresh_refused(&mut self, now: Time, leg: LegId, response: &Response) {
        match self.after_refusal(now, response) {
            Some(at) => {
                // Later than now, whatever was drawn (law L8).
                let wait = at.saturating_since(now).max(GLARE_STEP);
                if let Some(session) = self.leg_mut(leg).and_then(|leg| leg.session_mut()) {
                    session.tell(now, Event::Refused(Some(wait)));
                }
            }
            None => self.refresh_again(now, now, leg),
        }
    }

    pub(super) fn on_session_timer(&mut self, now: Time, leg: LegId) -> Due {
        let leg = self.leg_mut(leg);
        let Some(session) = leg.and_then(|leg| leg.session_mut()) else {
            return Due::Nothing;
        };
        let at = session.deadline().unwrap_or(now);
        let mut actions: SmallVec<[session_timer::Action; 3]> = SmallVec::new();
        session.timer.on_deadline(now, &mut actions);
        actions
            .iter()
            .fold(Due::Nothing, |due, action| match action {
                session_timer::Action::Expired => Due::Expired,
                session_timer::Action::Refresh => Due::Refresh(at),
                session_timer::Action::Terminated => due,
            })
    }

    /// A refresh by UPDATE (7.4), if that can go.
    pub(super) fn refresh_by_update(
        &mut self,
        now: Time,
        due: Time,
        leg: LegId,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if !self.send_refresh(leg, out) {
            self.refresh_again(now, due, leg);
        }
    }
}

impl SessionTime {
    /// What it says is looked for at its deadline, which is later than now.
    fn tell(&mut self, now: Time, event: Event) {
        let mut ignored: SmallVec<[session_timer::Action; 3]> = SmallVec::new();
        self.timer.receive(now, event, &mut ignored);
    }
}
