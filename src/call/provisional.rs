//! Reliable provisional responses of this side (RFC 3262 3): sending them, their PRACKs, and the
//! 2xx that waits for one.
//!
//! The machine is [`ReliableServer`]; a call has one while an INVITE of the other side that knows
//! the extension is in progress, and until no late PRACK can come any more.

use alloc::borrow::Cow;
use alloc::boxed::Box;

use smallvec::SmallVec;

use super::description::{describes, has_session};
use super::exchange::Asked;
use super::offer_answer::{Message, Verdict};
use super::reliable::{
    self, Acknowledged, OPTION_TAG, Policy, ReliableServer, Sending, first_rseq, sending,
};
use super::session::To;
use super::{Action, Core, Notice, ServerId, wrong_state};
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::{Body, Name, Outgoing, Reply, Request, StatusCode, UriBuf};
use crate::sink::Sink;
use crate::time::Time;

type Actions = SmallVec<[reliable::Action; 4]>;

/// What a callee keeps for one INVITE.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Reliable {
    machine: ReliableServer,
    /// The INVITE's.
    server: ServerId,
    /// Whether every 101-199 must be reliable, or the application may choose.
    always: bool,
    /// The session description that was said reliably: what repeats it says nothing new.
    said: Option<Body>,
    /// The target that a re-INVITE brings: a reliable response takes it (RFC 6141 4.6).
    target: Option<UriBuf>,
    /// The 2xx that waits for a PRACK.
    held: Option<Box<Outgoing>>,
    /// The machine lets it go; an offer in a PRACK may still be unanswered.
    ready: bool,
    /// The other side has acknowledged one, so it has the early dialog.
    pracked: bool,
    /// The PRACK whose offer was refused: it comes again without (RFC 6337 2.3).
    refused: Option<Acknowledged>,
}

impl Reliable {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.machine.deadline()
    }

    pub(super) fn rebase(&mut self, from: Time, to: Time) {
        self.machine.rebase(from, to);
    }
}

/// What becomes of the INVITE of the other side.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Next {
    /// Nothing yet.
    Stay,
    /// This 2xx goes now.
    Accept(Box<Outgoing>),
    /// No PRACK came: it is refused (section 3).
    TimedOut,
}

impl Core {
    /// An INVITE of the other side begins.
    pub(super) fn begin_reliable(
        &mut self,
        now: Time,
        server: ServerId,
        (cseq, asked): (u32, reliable::Asked),
        target: Option<UriBuf>,
    ) {
        self.reliable = None;
        let policy = self.context.reliable;
        if policy == Policy::Off {
            return;
        }
        let always = match sending(policy, asked) {
            Sending::Reliable => true,
            Sending::Either => false,
            // Its owner has refused it already.
            Sending::Unreliable | Sending::Refuse(_) => return,
        };
        self.branches = self.branches.wrapping_add(1);
        let (base, counter) = (self.branch_base(), u64::from(self.branches));
        let first = first_rseq(&self.context.ids, base, counter);
        let timers = self.context.timers;
        self.reliable = Some(Box::new(Reliable {
            machine: ReliableServer::new(now, timers, cseq, first),
            server,
            always,
            said: None,
            target,
            held: None,
            ready: false,
            pracked: false,
            refused: None,
        }));
    }

    /// Whether this provisional response goes reliably.
    pub(super) fn is_reliable(&self, outgoing: &Outgoing, preview: bool) -> bool {
        let Some(reliable) = &self.reliable else {
            return false;
        };
        if reliable.always || preview {
            return reliable.always;
        }
        // Section 5: the first one to an INVITE without an offer makes the offer.
        let body = describes(outgoing, &self.context.limits);
        let leg = self.legs.first();
        body || leg.is_some_and(|leg| leg.exchange.may_send(Message::Reliable, false).is_ok())
    }

    /// Sends 101-199 reliably, as soon as those before it are acknowledged.
    pub(super) fn say_reliably(
        &mut self,
        now: Time,
        to: &To<'_>,
        status: StatusCode,
        outgoing: &Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<Next, Misuse> {
        let outgoing = self.unsaid(Message::Reliable, outgoing)?;
        let session = describes(&outgoing, &self.context.limits);
        if let (Some(leg), false) = (self.legs.first(), session) {
            leg.exchange.may_send(Message::Reliable, false)?;
        }
        let rseq = self.reliable.as_ref().and_then(|r| r.machine.next_rseq());
        let rseq = rseq.ok_or(Misuse::LimitReached { limit: "RSeq" })?;
        let mut headers = self.with_contact(to.host, &outgoing.headers);
        headers.push(Name::Require.as_str(), OPTION_TAG)?;
        headers.push(Name::RSeq.as_str(), alloc::format!("{rseq}"))?;
        // RFC 3311 4: Allow, and with it UPDATE.
        headers.put_over(&self.context.capabilities);
        let headers = self.with_from_change(headers);
        let bytes = self.dialog_response(to.reply, status, &headers, &outgoing);
        let Some(reliable) = &mut self.reliable else {
            return Ok(Next::Stay);
        };
        let mut actions = Actions::new();
        let command = reliable::Command::Send {
            status,
            bytes,
            session,
        };
        reliable.machine.command(now, command, &mut actions)?;
        if let (Some(body), true) = (&outgoing.body, session) {
            reliable.said = Some(body.clone());
        }
        let target = reliable.target.take();
        self.say(Message::Reliable, &outgoing);
        self.accepted_contact(&outgoing.headers);
        let next = self.perform_reliable(actions, out);
        if let Some(target) = target {
            self.refresh_target(0, target.as_uri(), out);
        }
        Ok(next)
    }

    /// The 2xx is wanted. It goes at once, unless what it must wait for is unacknowledged
    /// (section 3).
    pub(super) fn accept_reliably<'o>(
        &mut self,
        now: Time,
        outgoing: &'o Outgoing,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<Option<Cow<'o, Outgoing>>, Misuse> {
        let outgoing = self.unsaid(Message::Success, outgoing)?;
        let Some(reliable) = &mut self.reliable else {
            return Ok(Some(outgoing));
        };
        if reliable.held.is_some() {
            return Err(wrong_state("answer", "answered, with a PRACK missing"));
        }
        let mut actions = Actions::new();
        reliable
            .machine
            .command(now, reliable::Command::Accept, &mut actions)?;
        reliable.held = Some(Box::new(outgoing.into_owned()));
        match self.perform_reliable(actions, out) {
            Next::Accept(outgoing) => Ok(Some(Cow::Owned(*outgoing))),
            Next::Stay | Next::TimedOut => Ok(None),
        }
    }

    /// Whether a reliable response had its PRACK, and that its answer.
    pub(super) fn is_pracked(&self) -> bool {
        let waits = self.pending.iter().any(|p| p.asked == Asked::Prack);
        !waits && self.reliable.as_ref().is_some_and(|r| r.pracked)
    }

    /// Whether a reliable response waits for its PRACK.
    pub(super) fn is_waiting_for_prack(&self) -> bool {
        self.reliable
            .as_ref()
            .is_some_and(|r| r.machine.is_waiting())
    }

    /// Whether the 2xx waits for a PRACK.
    pub(super) fn is_accepting(&self) -> bool {
        self.reliable.as_ref().is_some_and(|r| r.held.is_some())
    }

    /// The INVITE was refused: no more copies go, and a late PRACK is answered still.
    pub(super) fn close_reliable(&mut self, now: Time) {
        if let Some(reliable) = &mut self.reliable {
            reliable.held = None;
            let mut actions = Actions::new();
            // Close is no misuse in any state, and pushes nothing but the end.
            let _ = reliable
                .machine
                .command(now, reliable::Command::Close, &mut actions);
        }
        self.drop_reliable();
    }

    pub(super) fn on_reliable_timer(
        &mut self,
        now: Time,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Next {
        let mut actions = Actions::new();
        if let Some(reliable) = &mut self.reliable {
            reliable.machine.on_deadline(now, &mut actions);
        }
        self.perform_reliable(actions, out)
    }

    /// What a final or reliable response to the INVITE carries: a session description that was
    /// said reliably is left out (RFC 6337 3.1.1), another one in its place is a misuse.
    fn unsaid<'o>(
        &self,
        message: Message,
        outgoing: &'o Outgoing,
    ) -> Result<Cow<'o, Outgoing>, Misuse> {
        let session = describes(outgoing, &self.context.limits);
        let body = outgoing.body.as_ref().filter(|_| session);
        let Some(leg) = self.legs.first() else {
            return Ok(Cow::Borrowed(outgoing));
        };
        let Some(body) = body else {
            // 13.3.1.4: a 2xx carries the answer, or the offer, unless a reliable 1xx did.
            if message == Message::Success && leg.exchange.owes_description() {
                leg.exchange.may_send(message, false)?;
            }
            return Ok(Cow::Borrowed(outgoing));
        };
        let said = self.reliable.as_ref().and_then(|r| r.said.as_ref());
        match leg.exchange.may_send(message, true) {
            Ok(()) => Ok(Cow::Borrowed(outgoing)),
            Err(_) if said == Some(body) => {
                let headers = outgoing.headers.clone();
                Ok(Cow::Owned(Outgoing::new().with_headers(headers)))
            }
            Err(error) => Err(error),
        }
    }

    fn perform_reliable(
        &mut self,
        actions: Actions,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Next {
        let mut timed_out = false;
        for action in actions {
            let Some(reliable) = &mut self.reliable else {
                break;
            };
            match action {
                reliable::Action::Transmit { status, bytes } => out.push(Action::Respond {
                    server: reliable.server,
                    status,
                    bytes,
                }),
                reliable::Action::Accept => reliable.ready = true,
                reliable::Action::TimedOut => timed_out = true,
                // The PRACK has its answer; the end is looked for below.
                reliable::Action::Acknowledged { .. }
                | reliable::Action::Unmatched
                | reliable::Action::Terminated => {}
            }
        }
        self.next_of_reliable(timed_out)
    }

    /// What becomes of the INVITE now.
    pub(super) fn next_of_reliable(&mut self, timed_out: bool) -> Next {
        let open = self.pending.iter().any(|p| p.asked == Asked::Prack);
        let Some(reliable) = &mut self.reliable else {
            return Next::Stay;
        };
        if timed_out {
            reliable.held = None;
            return Next::TimedOut;
        }
        if reliable.ready
            && !open
            && let Some(outgoing) = reliable.held.take()
        {
            self.drop_reliable();
            return Next::Accept(outgoing);
        }
        self.drop_reliable();
        Next::Stay
    }

    fn drop_reliable(&mut self) {
        let over = |r: &mut Box<Reliable>| r.machine.is_terminated() && r.held.is_none();
        self.reliable.take_if(over);
    }
}

/// PRACK.
impl Core {
    /// A PRACK of the other side. Its CSeq is taken.
    pub(super) fn on_prack(
        &mut self,
        now: Time,
        server: ServerId,
        (request, reply): (Box<Request>, Reply),
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Next {
        let Some(Ok(rack)) = request.rack() else {
            self.refuse(server, &reply, StatusCode::BAD_REQUEST, out);
            return Next::Stay;
        };
        let ack = Acknowledged::from(rack);
        let mut actions = Actions::new();
        let mut again = false;
        let unanswered = self.pending.iter().any(|p| p.asked == Asked::Prack);
        if let Some(reliable) = &mut self.reliable {
            again = !unanswered && reliable.refused == Some(ack);
            let event = reliable::Event::Prack(ack);
            reliable.machine.receive(now, event, &mut actions);
        }
        let matches =
            |action: &reliable::Action| matches!(action, reliable::Action::Acknowledged { .. });
        match actions.iter().any(matches) {
            true => self.answer_prack(now, server, reply, ack, request, out),
            false if again => self.refuse(server, &reply, StatusCode::OK, out),
            false => {
                let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
                self.refuse(server, &reply, status, out);
            }
        }
        self.perform_reliable(actions, out)
    }

    /// Section 5: an offer in it is the user's to answer; else it has its 200 at once.
    fn answer_prack(
        &mut self,
        now: Time,
        server: ServerId,
        reply: Reply,
        ack: Acknowledged,
        request: Box<Request>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) {
        if let Some(reliable) = &mut self.reliable {
            reliable.pracked = true;
        }
        let body = has_session(&request, &self.context.limits);
        let room = self.pending.len() < self.context.limits.pending_requests;
        let leg = self.legs.first_mut();
        let session = leg.map(|leg| leg.exchange.on_received(Message::Prack, body));
        let session = session.unwrap_or(Verdict::Nothing);
        if session != Verdict::Offer {
            self.refuse(server, &reply, StatusCode::OK, out);
            self.say(Message::PrackSuccess, &Outgoing::default());
            out.push(Action::Notify(Notice::Pracked { request, session }));
            return;
        }
        if let Some(reliable) = &mut self.reliable {
            reliable.refused = Some(ack);
        }
        if !room {
            self.refuse(server, &reply, StatusCode::SERVICE_UNAVAILABLE, out);
            return self.prack_refused();
        }
        self.ask(now, server, reply, Asked::Prack, request, out);
    }

    /// The answer to the offer in a PRACK is out.
    pub(super) fn prack_answered(&mut self, outgoing: &Outgoing) {
        self.say(Message::PrackSuccess, outgoing);
        if let Some(reliable) = &mut self.reliable {
            reliable.refused = None;
        }
    }

    /// The offer in a PRACK was refused. RFC 6337 2.3: the PRACK is due again, without it. It
    /// says nothing then, so the exchange does not wait for it.
    pub(super) fn prack_refused(&mut self) {
        if let Some(leg) = self.legs.first_mut() {
            leg.exchange.on_sent(Message::PrackFailure, false);
            leg.exchange.on_received(Message::Prack, false);
            leg.exchange.on_sent(Message::PrackSuccess, false);
        }
    }
}
