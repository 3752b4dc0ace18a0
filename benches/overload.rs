//! What overload costs, and what is left of a core that is offered twice what it carries.
//!
//! First the price of each: of a call that is taken (INVITE, 180, 200, ACK, BYE, 200, all on the
//! side of the callee), of one that is refused (INVITE, 503, ACK), and of an INVITE that is dropped.
//! Then a generator in memory offers calls to one endpoint: arrivals stand on a virtual clock, and
//! each message takes as much of it as the endpoint really takes of a core's time for it, on this
//! machine. (On Linux that is the time of the thread: on a machine with other things to do, those
//! would count as the endpoint's.) So the queue grows as it would, and what is measured is the whole
//! of the endpoint without sockets. Callers repeat an INVITE after T1, 3*T1 and so on, as SIP has it.
//!
//! Three phases of 3 s each: at half of what the core carries, at twice of it, and at half again, in
//! one endpoint without a pause; with the bounds of the queue alone, and with a rate.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a bench: it reads the clock and may panic"
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use drongo::endpoint::{Config, Endpoint, Event, Input, Output};
use drongo::message::{Body, Outgoing};
use drongo::seed::Seed;
use drongo::time::Time;
use drongo::transport::{Flow, FlowId, Local, Transport};

const HERE: &str = "192.0.2.1:5060";
const THERE: &str = "192.0.2.2:5060";
const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// What this thread has had of a core so far.
#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    clock.now().unwrap().into()
}

#[cfg(not(target_os = "linux"))]
fn cpu_time() -> Duration {
    use std::sync::LazyLock;
    static BEGIN: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    BEGIN.elapsed()
}

fn flow() -> Flow {
    Flow {
        id: FlowId::new(0),
        transport: Transport::Udp,
        local: HERE.parse().unwrap(),
        remote: THERE.parse().unwrap(),
    }
}

fn message(method: &str, call: u64, cseq: u32, branch: &str, tag: &str, body: &str) -> Bytes {
    let kind = match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    format!(
        "{method} sip:bob@{HERE} SIP/2.0\r\nVia: SIP/2.0/UDP {THERE};branch=z9hG4bK{branch}{call};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@{THERE}>;tag=a{call}\r\nTo: <sip:bob@{HERE}>{tag}\r\n\
         Call-ID: {call}@{THERE}\r\nCSeq: {cseq} {method}\r\nContact: <sip:alice@{THERE}>\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

fn invite(call: u64) -> Bytes {
    message("INVITE", call, 1, "i", "", SDP)
}

/// The callee: an endpoint and an application that answers at once.
struct Callee {
    endpoint: Endpoint,
    out: VecDeque<Output>,
}

impl Callee {
    fn new(change: impl FnOnce(&mut Config)) -> Self {
        let local = Local::new(Transport::Udp, HERE.parse().unwrap());
        let mut config = Config::default().local(local);
        change(&mut config);
        Self {
            endpoint: Endpoint::new(config, Seed::from_bytes([7; 32]), Time::ZERO).unwrap(),
            out: VecDeque::new(),
        }
    }

    /// Brings a datagram, and gives the responses that it causes.
    fn receive(&mut self, now: Time, arrived: Time, bytes: Bytes, sent: &mut Vec<Bytes>) {
        let (flow, out) = (flow(), &mut self.out);
        let input = Input::Delayed {
            flow,
            bytes,
            arrived,
        };
        self.endpoint.receive(now, input, out);
        while let Some(output) = self.out.pop_front() {
            match output {
                Output::Transmit(transmit) => sent.push(transmit.bytes),
                Output::Event(Event::Incoming { call, .. }) => {
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

fn header<'a>(bytes: &'a [u8], name: &str) -> &'a str {
    let text = std::str::from_utf8(bytes).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.unwrap()
}

fn tag(bytes: &[u8]) -> String {
    let to = header(bytes, "To: ");
    let tag = to.split_once(";tag=");
    tag.map_or(String::new(), |(_, tag)| format!(";tag={tag}"))
}

/// Nanoseconds of one of so many, with what the generator itself does left out.
fn price(calls: u64, change: impl FnOnce(&mut Config), late: Duration) -> u64 {
    let mut callee = Callee::new(change);
    let (mut spent, mut sent) = (Duration::ZERO, Vec::new());
    for call in 0..calls {
        let now = Time::from_millis(1_000 + call);
        let arrived = Time::from_nanos(now.as_nanos() - late.as_nanos() as u64);
        let mut steps = VecDeque::from([invite(call)]);
        while let Some(bytes) = steps.pop_front() {
            sent.clear();
            let begin = cpu_time();
            callee.receive(now, arrived, bytes, &mut sent);
            spent += cpu_time() - begin;
            steps.extend(sent.iter().flat_map(|sent| answers(call, sent)));
        }
    }
    (spent.as_nanos() / u128::from(calls)) as u64
}

/// What the caller says to a response.
fn answers(call: u64, response: &[u8]) -> Vec<Bytes> {
    let is = |status: &str| response.starts_with(status.as_bytes());
    let is_invite = header(response, "CSeq: ").ends_with("INVITE");
    let tag = tag(response);
    if is("SIP/2.0 200") && is_invite {
        let ack = message("ACK", call, 1, "a", &tag, "");
        return vec![ack, message("BYE", call, 2, "b", &tag, "")];
    }
    match is("SIP/2.0 503") && is_invite {
        true => vec![message("ACK", call, 1, "i", &tag, "")],
        false => vec![],
    }
}

/// What a phase of a run came to.
#[derive(Default, Debug)]
struct Tally {
    offered: u64,
    completed: u64,
    refused: u64,
    /// Heard nothing within 64*T1, or until the end.
    silent: u64,
    worst_wait: Duration,
    /// The longest that one message took.
    worst_step: Duration,
    /// How long after the beginning of the phase the last one was refused.
    last_refusal: Duration,
    /// Messages, and nanoseconds of a core for them.
    messages: u64,
    spent: u64,
}

const PHASE: u64 = 3_000_000_000;
/// From a message to what the caller says to its response.
const ROUND_TRIP: u64 = 1_000_000;
const T1: u64 = 500_000_000;

/// When, in which order, which call, and how often its INVITE was repeated, or what else.
type Due = (u64, u64, u64, Result<u32, Bytes>);

/// Offers calls in three phases to one core: so many a second in each.
fn offer(rates: [u64; 3], change: impl FnOnce(&mut Config)) -> [Tally; 3] {
    let mut callee = Callee::new(change);
    let mut tallies = <[Tally; 3]>::default();
    let mut events: BinaryHeap<Reverse<Due>> = BinaryHeap::new();
    let mut phase_of = Vec::new();
    let mut settled = Vec::new();
    for (phase, rate) in rates.into_iter().enumerate() {
        for n in 0..rate * PHASE / 1_000_000_000 {
            let at = 1_000_000_000 + phase as u64 * PHASE + n * 1_000_000_000 / rate;
            let call = phase_of.len() as u64;
            phase_of.push(phase);
            settled.push(false);
            events.push(Reverse((at, call, call, Ok(0))));
            tallies[phase].offered += 1;
        }
    }
    let mut order = phase_of.len() as u64;
    let mut free_at = 0_u64;
    let mut sent = Vec::new();
    while let Some(Reverse((arrived, _, call, what))) = events.pop() {
        let index = call as usize;
        let bytes = match what {
            Ok(_) if settled[index] => continue,
            Ok(copies) => {
                order += 1;
                if copies < 6 {
                    let again = arrived + (T1 << copies);
                    events.push(Reverse((again, order, call, Ok(copies + 1))));
                }
                invite(call)
            }
            Err(bytes) => bytes,
        };
        let begins = free_at.max(arrived);
        let (now, came) = (Time::from_nanos(begins), Time::from_nanos(arrived));
        sent.clear();
        let begin = cpu_time();
        callee.receive(now, came, bytes, &mut sent);
        let step = cpu_time() - begin;
        free_at = begins + step.as_nanos() as u64;
        let tally = &mut tallies[phase_of[index]];
        tally.worst_step = tally.worst_step.max(step);
        tally.messages += 1;
        tally.spent += step.as_nanos() as u64;
        tally.worst_wait = tally.worst_wait.max(now.saturating_since(came));
        for response in &sent {
            let whose: u64 = header(response, "Call-ID: ")
                .split('@')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            let is_bye = header(response, "CSeq: ").ends_with("BYE");
            let is_final = !response.starts_with(b"SIP/2.0 1");
            let tally = &mut tallies[phase_of[whose as usize]];
            let known = &mut settled[whose as usize];
            let first = is_final && !*known;
            *known |= is_final;
            tally.completed += u64::from(is_bye);
            if first && response.starts_with(b"SIP/2.0 503") {
                tally.refused += 1;
                let since = 1_000_000_000 + phase_of[whose as usize] as u64 * PHASE;
                tally.last_refusal = Duration::from_nanos(free_at.saturating_sub(since));
            }
            for answer in answers(whose, response) {
                // A copy of a response needs its ACK again, but the BYE has gone.
                if !first && answer.starts_with(b"BYE") {
                    continue;
                }
                order += 1;
                events.push(Reverse((free_at + ROUND_TRIP, order, whose, Err(answer))));
            }
        }
    }
    for (call, settled) in settled.iter().enumerate() {
        tallies[phase_of[call]].silent += u64::from(!settled);
    }
    tallies
}

fn report(name: &str, capacity: u64, limit: u64, tallies: &[Tally; 3]) {
    println!("{name}");
    for (phase, tally) in tallies.iter().enumerate() {
        let seconds = PHASE / 1_000_000_000;
        println!(
            "  phase {phase}: offered {:>7}/s, completed {:>7}/s ({:>3} % of the limit, {:>3} % of the \
             core), refused {:>7}/s, the last after {:?}, silent {:>5}, longest wait {:?}, \
             longest step {:?}, {} ns a message",
            tally.offered / seconds,
            tally.completed / seconds,
            tally.completed * 100 / (limit * seconds),
            tally.completed * 100 / (capacity * seconds),
            tally.refused / seconds,
            tally.last_refusal,
            tally.silent,
            tally.worst_wait,
            tally.worst_step,
            tally.spent / tally.messages.max(1),
        );
    }
}

fn main() {
    let taken = price(50_000, |_| (), Duration::ZERO);
    let refused = price(
        50_000,
        |config| config.limits.request_rate = Some(0),
        Duration::ZERO,
    );
    let dropped = price(50_000, |_| (), Duration::from_secs(1));
    println!("a call that is taken: {taken} ns; refused: {refused} ns; dropped: {dropped} ns");
    let capacity = 1_000_000_000 / taken;
    println!("a core carries {capacity} calls a second, by its price");
    let rates = [capacity / 2, capacity * 2, capacity / 2];
    let tallies = offer(rates, |_| ());
    report("bounded by the queue alone", capacity, capacity, &tallies);
    let limit = capacity / 2;
    let rates = [limit / 2, limit * 2, limit / 2];
    let tallies = offer(rates, |config| {
        config.limits.request_rate = u32::try_from(limit).ok();
    });
    report(
        "with a rate of half, twice of which is offered",
        capacity,
        limit,
        &tallies,
    );
    let rates = [limit / 2, capacity * 2, limit / 2];
    let tallies = offer(rates, |config| {
        config.limits.request_rate = u32::try_from(limit).ok();
    });
    report(
        "with a rate of half, four times of which is offered",
        capacity,
        limit,
        &tallies,
    );
}
