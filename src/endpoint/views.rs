//! The verbs of a call and of a request, as methods of short-lived views.

use alloc::boxed::Box;
use alloc::string::String;

use super::servers::{Owner, server_id};
use super::{CallHandle, Endpoint, Output, RequestHandle};
use crate::auth::{Refusal, Verifier};
use crate::call::reliable::Policy;
use crate::call::{Call, Command, LegId, session_timer};
use crate::error::Misuse;
use crate::message::{Outgoing, StatusCode};
use crate::sink::Sink;
use crate::time::Time;

/// The verbs of a call. Each is a command of the [`Call`] below and obeys the laws of
/// [`Machine`](crate::machine::Machine); a verb on a call that has ended does nothing.
#[derive(Debug)]
pub struct CallView<'e> {
    endpoint: &'e mut Endpoint,
    call: CallHandle,
}

impl<'e> CallView<'e> {
    pub(super) fn new(endpoint: &'e mut Endpoint, call: CallHandle) -> Self {
        Self { endpoint, call }
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = self.endpoint.advance(now, out);
        if !self.endpoint.calls.contains(self.call) {
            // Its last timer was due just now: a verb on what has ended is harmless.
            return Ok(());
        }
        self.endpoint.command_call(now, self.call, command, out)
    }

    /// Says 180 Ringing.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongState`] unless the other side's INVITE waits for an answer.
    pub fn ring(
        &mut self,
        now: Time,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.progress(now, StatusCode::RINGING, Outgoing::default(), out)
    }

    /// Says 101-199, with early media if it has a body (13.3.1.1).
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongStatus`], [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] unless the
    /// other side's INVITE waits for an answer.
    pub fn progress(
        &mut self,
        now: Time,
        status: StatusCode,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::Progress { status, outgoing }, out)
    }

    /// As [`progress`](Self::progress), without reliability where the other side leaves the choice:
    /// a session description in it is a preview (RFC 6337 3.1.1).
    ///
    /// # Errors
    ///
    /// Those of [`progress`](Self::progress).
    pub fn preview(
        &mut self,
        now: Time,
        status: StatusCode,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::Preview { status, outgoing }, out)
    }

    /// Answers the offer in a reliable provisional response, in its PRACK (RFC 3262 5). `leg` is
    /// that of its [`Early`](crate::call::Early).
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] unless an answer is owed, or without
    /// one.
    pub fn prack(
        &mut self,
        now: Time,
        leg: LegId,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::Prack { leg, outgoing }, out)
    }

    /// Callee, before its first response: whether provisional responses of this call are reliable
    /// (RFC 3262), if not as the endpoint's [`Config`](super::Config) says.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongState`] after a response, in another state, or if the INVITE requires the
    /// opposite, or has no such extension where it is demanded: then it is to be rejected with 420
    /// or 421.
    pub fn reliable(
        &mut self,
        now: Time,
        policy: Policy,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::Reliable(policy), out)
    }

    /// Callee, before it answers: what this side wants of session timers in this call (RFC 4028),
    /// if not as the endpoint's [`Config`](super::Config) says; `None` to do without.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongState`] unless the INVITE waits for an answer.
    pub fn session_timer(
        &mut self,
        now: Time,
        config: Option<session_timer::Config>,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::SessionTimer(config), out)
    }

    /// Accepts the INVITE or re-INVITE with 200 (13.3.1.4). The core repeats it until the ACK.
    /// It waits for the PRACK of what carried the answer already, and does not repeat that answer.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] unless an INVITE waits for an answer,
    /// or without the session description that the 2xx owes: the answer to the INVITE's offer, or
    /// the offer if that carries none.
    pub fn answer(
        &mut self,
        now: Time,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::Answer(outgoing), out)
    }

    /// Refuses the INVITE or re-INVITE with 300-699.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongStatus`], [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] unless an
    /// INVITE waits for an answer.
    pub fn reject(
        &mut self,
        now: Time,
        status: StatusCode,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::Reject { status, outgoing }, out)
    }

    /// Refuses the INVITE because of what it presents to `verifier`: 401 or 407 with a challenge
    /// for each algorithm, or what else the refusal is worth (22.1). The caller comes again with
    /// credentials, as another call.
    ///
    /// ```
    /// use drongo::auth::{Secret, Verifier};
    /// use drongo::endpoint::{CallHandle, Endpoint, Output};
    /// use drongo::error::Misuse;
    /// use drongo::message::{Body, Outgoing, Request};
    /// use drongo::time::Time;
    ///
    /// /// Answers those who know the password of bob.
    /// fn on_incoming(
    ///     endpoint: &mut Endpoint,
    ///     verifier: &mut Verifier,
    ///     now: Time,
    ///     (call, invite): (CallHandle, &Request),
    ///     out: &mut Vec<Output>,
    /// ) -> Result<(), Misuse> {
    ///     let secret = |name: &[u8]| (name == b"bob").then(|| Secret::password("zanzibar"));
    ///     match verifier.check(now, invite, secret) {
    ///         Ok(_) => {
    ///             let answer = Outgoing::default().with_body(Body::sdp("v=0\r\n"));
    ///             endpoint.call(call)?.answer(now, answer, out)
    ///         }
    ///         Err(refusal) => endpoint.call(call)?.challenge(now, verifier, refusal, out),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongState`] unless an INVITE waits for an answer.
    pub fn challenge(
        &mut self,
        now: Time,
        verifier: &mut Verifier,
        refusal: Refusal,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let (status, headers) = verifier.refuse(now, refusal);
        self.reject(now, status, Outgoing::new().with_headers(headers), out)
    }

    /// Sends the ACK with the answer to the offer that a 2xx brought (13.2.2.4).
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] unless one is owed.
    pub fn acknowledge(
        &mut self,
        now: Time,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::Acknowledge(outgoing), out)
    }

    /// Ends the call in whatever state it is: CANCEL, 480 or BYE. Repeating it is harmless. If the
    /// answer to the offer in a response is owed, one that refuses every stream goes before
    /// (13.2.2.4).
    ///
    /// # Errors
    ///
    /// None in any state; a `Result` as all verbs have.
    pub fn hang_up(
        &mut self,
        now: Time,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.hang_up_with(now, Outgoing::default(), out)
    }

    /// As [`hang_up`](Self::hang_up), with headers for the CANCEL, 480 or BYE, such as Reason.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`].
    pub fn hang_up_with(
        &mut self,
        now: Time,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::HangUp(outgoing), out)
    }

    /// Sends a re-INVITE (14.1). After one of the other side that was refused, it waits for the ACK
    /// of that.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] while another INVITE, or an UPDATE with an offer, is in progress.
    pub fn reinvite(
        &mut self,
        now: Time,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::Reinvite(outgoing), out)
    }

    /// Cancels the re-INVITE of this side that has no final response (9.1); the session stays. It
    /// does nothing if there is none.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] before the call is answered.
    pub fn cancel_reinvite(
        &mut self,
        now: Time,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        self.command(now, Command::CancelReinvite(outgoing), out)
    }

    /// Sends an UPDATE (RFC 3311), with an offer if it has a body, also before the call is
    /// answered: a caller's goes to the first early dialog.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReservedHeader`], or [`Misuse::WrongState`] without a dialog, with a side that
    /// lists no UPDATE in its Allow, or while another offer is open (RFC 3311 5.1).
    pub fn update(
        &mut self,
        now: Time,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let leg = None;
        self.command(now, Command::Update { leg, outgoing }, out)
    }

    /// As [`update`](Self::update), on this leg of an INVITE that forked.
    ///
    /// # Errors
    ///
    /// Those of [`update`](Self::update).
    pub fn update_leg(
        &mut self,
        now: Time,
        leg: LegId,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let leg = Some(leg);
        self.command(now, Command::Update { leg, outgoing }, out)
    }

    /// This side is somebody else from now on (RFC 4916): so say From and, as soon as it may go, an
    /// UPDATE; a callee's after the first PRACK or the ACK. `from` is a name-addr or URI without tag.
    /// [`Event::Identified`](super::Event::Identified) says that the other side has heard.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`], or [`Misuse::WrongState`] without a dialog with a side that has the
    /// extension, or if [`Config::connected_identity`](super::Config::connected_identity) is off.
    pub fn identify(
        &mut self,
        now: Time,
        from: &str,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let (from, reinvite) = (String::from(from), None);
        self.command(now, Command::Identify { from, reinvite }, out)
    }

    /// The same, told by a re-INVITE that is wanted at the same time (RFC 4916 4.3).
    ///
    /// # Errors
    ///
    /// Those of [`identify`](Self::identify) and of [`reinvite`](Self::reinvite).
    pub fn identify_in_reinvite(
        &mut self,
        now: Time,
        from: &str,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let (from, reinvite) = (String::from(from), Some(Box::new(outgoing)));
        self.command(now, Command::Identify { from, reinvite }, out)
    }

    /// Sends another request within the dialog, such as INFO.
    ///
    /// # Errors
    ///
    /// [`Misuse::Malformed`] for a method that has a verb of its own, [`Misuse::ReservedHeader`],
    /// or [`Misuse::WrongState`] without a confirmed dialog.
    pub fn send(
        &mut self,
        now: Time,
        method: &str,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let method = String::from(method);
        self.command(now, Command::Request { method, outgoing }, out)
    }

    /// Forgets the call as if the process had died: nothing more is sent, every table entry, timer
    /// and buffer is freed, and no [`Event::Ended`](super::Event::Ended) comes. The other side
    /// finds out by itself.
    pub fn abandon(self) {
        self.endpoint.abandon_call(self.call);
    }

    /// The machine, to look at.
    pub fn machine(&self) -> Option<&Call> {
        self.endpoint.calls.get(self.call).map(|entry| &entry.call)
    }
}

/// The verbs of a request.
#[derive(Debug)]
pub struct RequestView<'e> {
    endpoint: &'e mut Endpoint,
    request: RequestHandle,
}

impl<'e> RequestView<'e> {
    pub(super) fn new(endpoint: &'e mut Endpoint, request: RequestHandle) -> Self {
        Self { endpoint, request }
    }

    /// Answers with 200-699 but 408 (RFC 4320 4.2). Once; more is harmless and does nothing.
    ///
    /// # Errors
    ///
    /// [`Misuse::WrongStatus`] or [`Misuse::ReservedHeader`].
    pub fn respond(
        &mut self,
        now: Time,
        status: StatusCode,
        outgoing: Outgoing,
        out: &mut (impl Sink<Output> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = self.endpoint.advance(now, out);
        if let Some(name) = outgoing.reserved() {
            return Err(Misuse::ReservedHeader {
                name: name.as_str(),
            });
        }
        let Some(entry) = self.endpoint.servers.get(self.request) else {
            return Ok(());
        };
        match entry.owner {
            Owner::Call(call) => {
                let server = server_id(self.request);
                let command = Command::Respond {
                    server,
                    status,
                    outgoing,
                };
                self.endpoint.command_call(now, call, command, out)
            }
            Owner::Application { .. } => {
                self.endpoint
                    .respond_as_application(now, self.request, status, &outgoing, out)
            }
            Owner::Nobody => Ok(()),
        }
    }

    /// Whether it still waits for its answer.
    pub fn is_pending(&self) -> bool {
        self.endpoint.is_pending(self.request)
    }
}
