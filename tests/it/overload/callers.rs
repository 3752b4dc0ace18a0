//! Callers as RFC 3261 has them, offered in phases to one core that takes time for each message.
//!
//! Arrivals stand on a virtual clock, and each message waits until those before it are done. A
//! caller repeats his INVITE after T1, 3*T1 and so on until he hears something (17.1.1.2), his BYE
//! likewise up to T2 (17.1.2.2), and his ACK whenever he hears a final response again (13.2.2.4,
//! 17.1.1.2). What was sent before an answer could be heard comes, however old it is when it is
//! looked at. Who is refused stays away longer than any phase (21.5.4). Nothing is lost on the way.
//!
//! `tests/it/overload.rs` says what a message costs, `benches/overload.rs` measures it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use drongo::endpoint::{Config, Endpoint, Event, Input, Output};
use drongo::message::{Body, Outgoing};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Local, Transport};

pub(crate) const HERE: &str = "192.0.2.1:5060";
pub(crate) const THERE: &str = "192.0.2.2:5060";
pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const T1: u64 = SECOND / 2;
const T2: u64 = 4 * SECOND;
/// From a message to what the caller says to its response.
const ROUND_TRIP: u64 = SECOND / 1_000;
/// When the first phase begins.
const BEGIN: u64 = SECOND;
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

fn message(method: &str, call: u64, cseq: u32, branch: &str, tag: &str, body: &str) -> Bytes {
    let kind = match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    let text = format!(
        "{method} sip:bob@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP {THERE};branch=z9hG4bK{branch}{call};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@{THERE}>;tag=a{call}\r\nTo: <sip:bob@{HERE}>{tag}\r\n\
         Call-ID: {call}@{THERE}\r\nCSeq: {cseq} {method}\r\nContact: <sip:alice@{THERE}>\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    text.into_bytes().into_boxed_slice().into()
}

pub(crate) fn invite(call: u64) -> Bytes {
    message("INVITE", call, 1, "i", "", SDP)
}

/// The ACK of a 200 and of any other final response.
fn ack(call: u64, is_accepted: bool, tag: &str) -> Bytes {
    let branch = if is_accepted { "a" } else { "i" };
    message("ACK", call, 1, branch, tag, "")
}

fn bye(call: u64, tag: &str) -> Bytes {
    message("BYE", call, 2, "b", tag, "")
}

/// The callee: an endpoint and an application that rings and answers at once.
pub(crate) struct Callee {
    pub(crate) endpoint: Endpoint,
    flow: Flow,
    out: VecDeque<Output>,
    /// Calls that the application heard of.
    pub(crate) answered: u64,
}

impl Callee {
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Self {
        let local = Local::new(Transport::Udp, HERE.parse().unwrap());
        let mut config = Config::default().local(local);
        change(&mut config);
        Self {
            endpoint: Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO).unwrap(),
            flow: Flow {
                id: FlowId::new(0),
                transport: Transport::Udp,
                local: HERE.parse().unwrap(),
                remote: THERE.parse().unwrap(),
            },
            out: VecDeque::new(),
            answered: 0,
        }
    }

    /// Brings a datagram, and gives what is sent for it.
    pub(crate) fn receive(&mut self, now: u64, arrived: u64, bytes: Bytes, sent: &mut Vec<Bytes>) {
        let (now, arrived) = (Time::from_nanos(now), Time::from_nanos(arrived));
        let flow = self.flow;
        let input = Input::Delayed {
            flow,
            bytes,
            arrived,
        };
        self.endpoint.receive(now, input, &mut self.out);
        self.perform(now, sent);
    }

    pub(crate) fn on_deadline(&mut self, now: u64, sent: &mut Vec<Bytes>) {
        let now = Time::from_nanos(now);
        self.endpoint.on_deadline(now, &mut self.out);
        self.perform(now, sent);
    }

    fn perform(&mut self, now: Time, sent: &mut Vec<Bytes>) {
        while let Some(output) = self.out.pop_front() {
            match output {
                Output::Transmit(transmit) => sent.push(transmit.bytes),
                Output::Event(Event::Incoming { call, .. }) => {
                    self.answered += 1;
                    let out = &mut self.out;
                    self.endpoint.call(call).unwrap().ring(now, out).unwrap();
                    let answer = Outgoing::default().with_body(Body::sdp(SDP));
                    let mut call = self.endpoint.call(call).unwrap();
                    call.answer(now, answer, out).unwrap();
                }
                _ => {}
            }
        }
    }
}

/// A callee on a core: how long it takes for a message, or for its deadlines, in nanoseconds.
pub(crate) trait Core {
    fn callee(&self) -> &Callee;
    fn receive(&mut self, now: u64, arrived: u64, bytes: Bytes, sent: &mut Vec<Bytes>) -> u64;
    fn on_deadline(&mut self, now: u64, sent: &mut Vec<Bytes>) -> u64;
}

/// What of a response its caller looks at.
struct Heard<'a> {
    call: u64,
    is_invite: bool,
    status: &'a str,
    /// As it stands in To, with its name.
    tag: &'a str,
}

impl<'a> Heard<'a> {
    fn of(response: &'a [u8]) -> Self {
        let text = std::str::from_utf8(response).unwrap();
        let value = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.unwrap()
        };
        let to = value("To: ");
        Self {
            call: value("Call-ID: ")
                .split('@')
                .next()
                .unwrap()
                .parse()
                .unwrap(),
            is_invite: value("CSeq: ").ends_with("INVITE"),
            status: text.split(' ').nth(1).unwrap(),
            tag: to.find(";tag=").map_or("", |at| to.split_at(at).1),
        }
    }

    fn is_final(&self) -> bool {
        !self.status.starts_with('1')
    }
}

/// Calls that are offered in equal intervals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase {
    /// Calls a second.
    pub(crate) rate: u64,
    pub(crate) seconds: u64,
}

/// What became of the calls that began in one phase.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) offered: u64,
    pub(crate) completed: u64,
    /// Heard 503 first.
    pub(crate) refused: u64,
    /// Heard nothing at all, though they repeated themselves for 64*T1.
    pub(crate) silent: u64,
    /// From its INVITE to its 200 the longest took.
    pub(crate) longest: Duration,
    /// The last call that did not complete, or that had to repeat its INVITE, began so long after
    /// the phase did.
    pub(crate) troubled_until: Duration,
    /// What its messages cost, and how many there were.
    pub(crate) spent: u64,
    pub(crate) messages: u64,
    pub(crate) longest_wait: Duration,
    pub(crate) longest_step: Duration,
}

struct Caller {
    phase: usize,
    began: u64,
    /// When he heard the first final response to his INVITE.
    settled: Option<u64>,
    copies: u32,
    is_completed: bool,
}

/// What a caller sends; it is written when it arrives.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    /// The copy of that number, unless he has heard something.
    Invite(u32),
    /// To a 200 or to another, with that To tag.
    Ack(bool, String),
    /// The copy of that number, unless he has heard something.
    Bye(u32, String),
}

/// When it arrives, in which order, of which call, and what.
type Due = (u64, u64, usize, Says);

/// All callers, and what is on its way from them.
pub(crate) struct Offered {
    callers: Vec<Caller>,
    due: BinaryHeap<Reverse<Due>>,
    order: u64,
    pub(crate) tallies: Vec<Tally>,
    /// The phases, and when each begins.
    phases: Vec<(Phase, u64)>,
    /// Which phase the next call begins in, and how many have begun in it.
    next: (usize, u64),
}

impl Offered {
    fn new(phases: &[Phase]) -> Self {
        let mut begin = BEGIN;
        let begins = phases.iter().map(|phase| {
            let begins = begin;
            begin += phase.seconds * SECOND;
            (*phase, begins)
        });
        Self {
            callers: Vec::new(),
            due: BinaryHeap::new(),
            order: 0,
            phases: begins.collect(),
            tallies: vec![Tally::default(); phases.len()],
            next: (0, 0),
        }
    }

    /// Lets the calls begin that begin before anything else comes.
    fn begin(&mut self) {
        while let Some((Phase { rate, seconds }, begins)) = self.phases.get(self.next.0).copied() {
            let (phase, n) = self.next;
            let began = begins + n * SECOND / rate;
            if n == rate * seconds {
                self.next = (phase + 1, 0);
                continue;
            }
            if self
                .due
                .peek()
                .is_some_and(|Reverse((due, ..))| *due < began)
            {
                return;
            }
            self.next = (phase, n + 1);
            let call = self.callers.len();
            self.callers.push(Caller {
                phase,
                began,
                settled: None,
                copies: 0,
                is_completed: false,
            });
            self.tallies[phase].offered += 1;
            self.say(began, call, Says::Invite(0));
        }
    }

    fn pop(&mut self) -> Option<Reverse<Due>> {
        self.begin();
        self.due.pop()
    }

    fn say(&mut self, at: u64, call: usize, what: Says) {
        self.order += 1;
        self.due.push(Reverse((at, self.order, call, what)));
    }

    /// What arrives next: when, whose it is, and what, unless its sender has heard enough.
    fn next(&mut self) -> Option<(u64, usize, Bytes)> {
        while let Some(Reverse((at, _, call, what))) = self.pop() {
            let sent = at - ROUND_TRIP / 2;
            let caller = &mut self.callers[call];
            let bytes = match what {
                Says::Invite(_) if caller.settled.is_some_and(|heard| heard <= sent) => continue,
                Says::Bye(..) if caller.is_completed => continue,
                Says::Invite(copies) => {
                    caller.copies = copies;
                    if copies < 6 {
                        self.say(at + (T1 << copies), call, Says::Invite(copies + 1));
                    }
                    invite(call as u64)
                }
                Says::Ack(is_accepted, tag) => ack(call as u64, is_accepted, &tag),
                Says::Bye(copies, tag) => {
                    let bytes = bye(call as u64, &tag);
                    if copies < 10 {
                        let again = at + (T1 << copies).min(T2);
                        self.say(again, call, Says::Bye(copies + 1, tag));
                    }
                    bytes
                }
            };
            return Some((at, call, bytes));
        }
        None
    }

    /// A response is sent.
    fn hear(&mut self, now: u64, response: &[u8]) {
        let heard = Heard::of(response);
        if !heard.is_final() {
            return;
        }
        let call = heard.call as usize;
        let caller = &mut self.callers[call];
        let tally = &mut self.tallies[caller.phase];
        if !heard.is_invite {
            tally.completed += u64::from(!std::mem::replace(&mut caller.is_completed, true));
            return;
        }
        let is_first = caller.settled.is_none();
        caller.settled.get_or_insert(now + ROUND_TRIP / 2);
        if is_first && heard.status == "503" {
            tally.refused += 1;
        } else if is_first {
            let took = Duration::from_nanos(now - caller.began);
            tally.longest = tally.longest.max(took);
        }
        // A copy of a response needs its ACK again, but the BYE has gone.
        let (is_accepted, tag) = (heard.status == "200", heard.tag);
        let at = now + ROUND_TRIP;
        self.say(at, call, Says::Ack(is_accepted, tag.to_owned()));
        if is_first && is_accepted {
            self.say(at, call, Says::Bye(0, tag.to_owned()));
        }
    }

    /// Nothing comes any more.
    fn finish(mut self) -> Vec<Tally> {
        for caller in &self.callers {
            let tally = &mut self.tallies[caller.phase];
            tally.silent += u64::from(caller.settled.is_none());
            if caller.copies > 0 || !caller.is_completed {
                let since = Duration::from_nanos(caller.began - self.phases[caller.phase].1);
                tally.troubled_until = tally.troubled_until.max(since);
            }
        }
        self.tallies
    }
}

/// Offers calls to one core, one phase after the other, and goes on until nothing comes any more.
pub(crate) fn offer(core: &mut impl Core, phases: &[Phase]) -> Vec<Tally> {
    let mut offered = Offered::new(phases);
    let (mut free_at, mut sent) = (0_u64, Vec::new());
    while let Some((arrived, call, bytes)) = offered.next() {
        while let Some(due) = core.callee().endpoint.deadline() {
            let now = due.as_nanos().max(free_at);
            if now > arrived.max(free_at) {
                break;
            }
            let took = core.on_deadline(now, &mut sent);
            free_at = now + took;
            offered.tallies[offered.callers[call].phase].spent += took;
            sent.drain(..)
                .for_each(|sent: Bytes| offered.hear(free_at, &sent));
        }
        let now = free_at.max(arrived);
        let took = core.receive(now, arrived, bytes, &mut sent);
        free_at = now + took;
        let tally = &mut offered.tallies[offered.callers[call].phase];
        tally.messages += 1;
        tally.spent += took;
        tally.longest_step = tally.longest_step.max(Duration::from_nanos(took));
        tally.longest_wait = tally.longest_wait.max(Duration::from_nanos(now - arrived));
        sent.drain(..).for_each(|sent| offered.hear(free_at, &sent));
    }
    offered.finish()
}
