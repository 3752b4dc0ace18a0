//! Two endpoints in one process, and the calls between them.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use drongo::auth::{Account, Keyring, Policy, Presented, Secret, Side, Verifier};
use drongo::call::Invitation;
use drongo::call::reliable::Policy as Reliable;
use drongo::endpoint::{CallHandle, Config, Endpoint, Event, Input, Output};
use drongo::message::{Body, HeaderList, Outgoing, Request, StatusCode};
use drongo::seed::{Ids, Seed};
use drongo::time::Time;
use drongo::transport::{Flow, Local, Transport};

use super::counted;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// Two endpoints and what is on the way between them.
pub(crate) struct Pair {
    now: Time,
    ordinal: u64,
    endpoints: [Endpoint; 2],
    outs: [VecDeque<Output>; 2],
    /// The calls that stand, at the caller's side.
    pub(crate) answered: Vec<CallHandle>,
    /// How often a side has heard the end of a call.
    pub(crate) ended: u64,
    /// How often each side has asked for memory.
    pub(crate) allocations: [i64; 2],
    /// Asks for credentials, if it is there.
    verifier: Option<Verifier>,
    /// Whether the 180 is reliable, and the callee answers when its PRACK has come.
    prack: bool,
}

/// What the caller does: a frame of its own, so that a profiler can tell the sides apart.
#[inline(never)]
fn caller(work: impl FnOnce()) {
    black_box(0);
    work();
}

/// What the callee does.
#[inline(never)]
fn callee(work: impl FnOnce()) {
    black_box(1);
    work();
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The caller has a password, and the callee asks for it.
    pub(crate) fn with_digest() -> Self {
        let mut ids = Ids::new(Seed::from_bytes([3; 32])).nonces(0);
        let policy = Policy::new(Side::Server, "example.com");
        Self {
            verifier: Some(Verifier::new(policy, &mut ids).unwrap()),
            ..Self::new()
        }
    }

    /// The 180 is reliable.
    pub(crate) fn with_prack() -> Self {
        Self {
            prack: true,
            ..Self::with(|config| config.reliable = Reliable::Required)
        }
    }

    /// What both sides have in common is made by `configure`.
    pub(crate) fn with(configure: impl Fn(&mut Config)) -> Self {
        let secret = Secret::password("wonderland");
        let account = Account::new("example.com", "alice", secret).unwrap();
        let keyring = Keyring::new().with(account);
        let endpoint = |n: u8, address: &str| {
            let local = Local::new(Transport::Udp, address.parse().unwrap());
            let mut config = Config::default().local(local);
            // The 100 is part of the flow.
            config.timers.trying = Duration::ZERO;
            config.keyring = keyring.clone();
            configure(&mut config);
            Endpoint::new(config, Seed::from_bytes([n; 32]), Time::ZERO).unwrap()
        };
        Self {
            now: Time::ZERO,
            ordinal: 0,
            endpoints: [endpoint(1, "192.0.2.1:5060"), endpoint(2, "192.0.2.2:5060")],
            outs: [VecDeque::new(), VecDeque::new()],
            answered: Vec::new(),
            ended: 0,
            allocations: [0; 2],
            verifier: None,
            prack: false,
        }
    }

    /// Places a call and hangs it up when it is answered.
    pub(crate) fn call(&mut self) {
        self.place();
        let call = self.answered.pop().unwrap();
        self.hang_up(call);
    }

    pub(crate) fn hang_up(&mut self, call: CallHandle) {
        let now = self.now;
        self.side(0, |endpoint, out| {
            endpoint.call(call).unwrap().hang_up(now, out).unwrap();
        });
        self.settle();
    }

    /// Work of one side, with what it allocates.
    fn side(&mut self, at: usize, work: impl FnOnce(&mut Endpoint, &mut VecDeque<Output>)) {
        let before = counted::allocations();
        let (endpoint, out) = (&mut self.endpoints[at], &mut self.outs[at]);
        match at {
            0 => caller(|| work(endpoint, out)),
            _ => callee(|| work(endpoint, out)),
        }
        self.allocations[at] += counted::allocations() - before;
    }

    /// Places a call, which is answered.
    pub(crate) fn place(&mut self) {
        let outgoing = Outgoing::default().with_body(Body::sdp(SDP));
        let invitation = Invitation::new("sip:bob@192.0.2.2", "\"Alice\" <sip:alice@192.0.2.1>")
            .unwrap()
            .with(outgoing);
        self.ordinal += 1;
        let (now, ordinal) = (self.now, self.ordinal);
        self.side(0, |endpoint, out| {
            endpoint.place(now, ordinal, invitation, out).unwrap();
        });
        self.settle();
    }

    fn settle(&mut self) {
        while self.outs.iter().any(|out| !out.is_empty()) {
            for at in 0..2 {
                while let Some(output) = self.outs[at].pop_front() {
                    self.perform(at, output);
                }
            }
        }
    }

    fn perform(&mut self, at: usize, output: Output) {
        let now = self.now;
        match output {
            Output::Transmit(t) => {
                let flow = Flow {
                    local: t.flow.remote,
                    remote: t.flow.local,
                    ..t.flow
                };
                let input = Input::Datagram {
                    flow,
                    bytes: t.bytes,
                };
                self.side(1 - at, |endpoint, out| endpoint.receive(now, input, out));
            }
            Output::Event(Event::Incoming { call, request, .. }) => {
                if let Some((status, headers)) = self.challenge(&request) {
                    let outgoing = Outgoing::default().with_headers(headers);
                    return self.side(at, |endpoint, out| {
                        let mut call = endpoint.call(call).unwrap();
                        call.reject(now, status, outgoing, out).unwrap();
                    });
                }
                let answer = (!self.prack).then(answer);
                self.side(at, |endpoint, out| {
                    let mut call = endpoint.call(call).unwrap();
                    call.ring(now, out).unwrap();
                    if let Some(answer) = answer {
                        call.answer(now, answer, out).unwrap();
                    }
                });
            }
            Output::Event(Event::Pracked { call, .. }) => {
                let answer = answer();
                self.side(at, |endpoint, out| {
                    let mut call = endpoint.call(call).unwrap();
                    call.answer(now, answer, out).unwrap();
                });
            }
            Output::Event(Event::Answered { call, .. }) => self.answered.push(call),
            Output::Event(Event::Ended { .. }) => self.ended += 1,
            Output::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }

    /// What a request without good credentials gets, if it needs any.
    fn challenge(&mut self, request: &Request) -> Option<(StatusCode, HeaderList)> {
        let verifier = self.verifier.as_mut()?;
        match verifier.read(request) {
            Presented::Exempt => None,
            Presented::Refused(refusal) => Some(verifier.refuse(self.now, refusal)),
            Presented::Claim(claim) => {
                let secret = Secret::password("wonderland");
                let verified = verifier.verify(self.now, &claim, Some(&secret));
                verified
                    .err()
                    .map(|refusal| verifier.refuse(self.now, refusal))
            }
        }
    }

    /// Virtual time runs until all timers have, and nothing is left.
    pub(crate) fn rest(&mut self) {
        self.run_until(Time::MAX);
        for endpoint in &self.endpoints {
            assert!(endpoint.is_idle());
        }
    }

    /// Virtual time runs for so long.
    pub(crate) fn run(&mut self, span: Duration) {
        let until = (self.now + span).unwrap();
        self.run_until(until);
        self.now = until;
    }

    /// Virtual time jumps from one deadline to the next.
    pub(crate) fn run_until(&mut self, until: Time) {
        let next = |pair: &Self| pair.endpoints.iter().filter_map(Endpoint::deadline).min();
        while let Some(next) = next(self).filter(|next| *next <= until) {
            self.now = next;
            for at in 0..2 {
                self.endpoints[at].on_deadline(next, &mut self.outs[at]);
            }
            self.settle();
        }
    }

    /// How many transactions there are on both sides.
    pub(crate) fn transactions(&self) -> usize {
        self.endpoints.iter().map(Endpoint::transactions).sum()
    }

    /// What the endpoints hold, without the bench's own lists.
    pub(crate) fn heap(&mut self) -> i64 {
        for out in &mut self.outs {
            out.shrink_to_fit();
        }
        let own = self.answered.capacity() * size_of::<CallHandle>();
        counted::bytes() - own as i64
    }
}

fn answer() -> Outgoing {
    Outgoing::default().with_body(Body::sdp(SDP))
}
