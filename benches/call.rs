//! A complete call between two endpoints in memory: INVITE with SDP, 100, 180, 200, ACK, BYE, 200;
//! bytes parsed and written on both sides, no sockets. The yardstick is `httparse::parse_headers`
//! over the header blocks of the messages in `vectors/corpus`, in the same run.
//!
//! Beside it, the same call with its INVITE challenged (401, digest with SHA-256), the same call
//! with a reliable 180 and its PRACK and 200, what a call allocates, and what it weighs over 100,000
//! calls. The last line is the ratio of the call to the yardstick.
//!
//! With numbers as its arguments the bench runs so many calls, and then so many digest calls and so
//! many PRACK calls, and nothing else. A profiler then gives the instructions of a call; what each side does stands in a
//! frame of its own, `caller` and `callee`, whose inclusive counts are those of the two sides:
//!
//! ```text
//! cargo bench --bench call --no-run
//! valgrind --tool=callgrind --callgrind-out-file=calls.out target/release/deps/call-… 1000
//! callgrind_annotate --inclusive=yes --threshold=100 calls.out | grep -E 'call::(caller|callee) '
//! ```
//!
//! (`callgrind_annotate` gives a function one line for each source file that was inlined into it:
//! the largest is the one that counts.) Timers do not run there, so that all calls linger.

#![allow(
    unsafe_code,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a bench: it counts allocations, reads the clock and may panic"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use drongo::auth::{Account, Keyring, Policy, Presented, Secret, Side, Verifier};
use drongo::call::Invitation;
use drongo::call::reliable::Policy as Reliable;
use drongo::endpoint::{CallHandle, Config, Endpoint, Event, Input, Output};
use drongo::message::{Body, HeaderList, Outgoing, Request, StatusCode};
use drongo::seed::{Ids, Seed};
use drongo::time::Time;
use drongo::transport::{Flow, Local, Transport};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

struct Counting;

static ALLOCATIONS: AtomicI64 = AtomicI64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

/// The bench has one thread: counting needs no locked instruction, which would be timed too.
fn add(counter: &AtomicI64, n: i64) {
    counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it is; the counters touch no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(&ALLOCATIONS, 1);
        add(&BYTES, layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(&BYTES, -(layout.size() as i64));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Two endpoints and what is on the way between them.
struct Pair {
    now: Time,
    ordinal: u64,
    endpoints: [Endpoint; 2],
    outs: [VecDeque<Output>; 2],
    answered: Vec<CallHandle>,
    ended: u64,
    /// What each side has allocated.
    allocations: [i64; 2],
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
    /// The caller has a password, and the callee asks for it.
    fn with_digest() -> Self {
        let mut ids = Ids::new(Seed::from_bytes([3; 32])).nonces(0);
        let policy = Policy::new(Side::Server, "example.com");
        Self {
            verifier: Some(Verifier::new(policy, &mut ids).unwrap()),
            ..Self::new()
        }
    }

    /// The 180 is reliable.
    fn with_prack() -> Self {
        Self {
            prack: true,
            ..Self::with(Reliable::Required)
        }
    }

    fn new() -> Self {
        Self::with(Reliable::Off)
    }

    fn with(reliable: Reliable) -> Self {
        let secret = Secret::password("wonderland");
        let account = Account::new("example.com", "alice", secret).unwrap();
        let keyring = Keyring::new().with(account);
        let endpoint = |n: u8, address: &str| {
            let local = Local::new(Transport::Udp, address.parse().unwrap());
            let mut config = Config::default().local(local);
            // The 100 is part of the flow.
            config.timers.trying = Duration::ZERO;
            config.keyring = keyring.clone();
            config.reliable = reliable;
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
    fn call(&mut self) {
        self.place();
        while let Some(call) = self.answered.pop() {
            self.hang_up(call);
        }
    }

    fn hang_up(&mut self, call: CallHandle) {
        let now = self.now;
        self.side(0, |endpoint, out| {
            endpoint.call(call).unwrap().hang_up(now, out).unwrap();
        });
        self.settle();
    }

    /// Work of one side, with what it allocates.
    fn side(&mut self, at: usize, work: impl FnOnce(&mut Endpoint, &mut VecDeque<Output>)) {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let (endpoint, out) = (&mut self.endpoints[at], &mut self.outs[at]);
        match at {
            0 => caller(|| work(endpoint, out)),
            _ => callee(|| work(endpoint, out)),
        }
        self.allocations[at] += ALLOCATIONS.load(Ordering::Relaxed) - before;
    }

    fn place(&mut self) {
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

    /// Virtual time runs until all timers have.
    fn rest(&mut self) {
        loop {
            let next = self.endpoints.iter().filter_map(Endpoint::deadline).min();
            let Some(next) = next else { break };
            self.now = next;
            for at in 0..2 {
                self.endpoints[at].on_deadline(next, &mut self.outs[at]);
            }
            self.settle();
        }
        for endpoint in &self.endpoints {
            assert_eq!(
                (
                    endpoint.transactions(),
                    endpoint.calls(),
                    endpoint.dialogs()
                ),
                (0, 0, 0)
            );
        }
    }
}

fn answer() -> Outgoing {
    Outgoing::default().with_body(Body::sdp(SDP))
}

fn header_blocks() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/corpus");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    names.sort();
    let files = names
        .iter()
        .filter(|name| name.extension().is_some_and(|e| e == "sip"));
    files
        .map(|name| {
            let bytes = std::fs::read(name).unwrap();
            let start = bytes.windows(2).position(|w| w == b"\r\n").unwrap() + 2;
            bytes[start..].to_vec()
        })
        .collect()
}

fn yardstick(blocks: &[Vec<u8>]) -> Duration {
    let start = Instant::now();
    for _ in 0..200 {
        for block in blocks {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let _ = black_box(httparse::parse_headers(black_box(block), &mut headers).unwrap());
        }
    }
    start.elapsed() / 200
}

/// The time of a call, both sides together: 200 of them, then the timers run, uncounted.
fn calls(pair: &mut Pair) -> Duration {
    let start = Instant::now();
    for _ in 0..200 {
        pair.call();
    }
    let elapsed = start.elapsed() / 200;
    pair.rest();
    elapsed
}

fn memory() {
    const CALLS: i64 = 100_000;
    // So many linger at once.
    const BATCH: i64 = 10_000;
    let mut pair = Pair::new();
    pair.call();
    pair.rest();
    let (ended, at_rest) = (pair.ended, pair.heap());
    // Both endpoints are in this process: a side is half of it.
    for batch in 1..=CALLS / BATCH {
        let before = pair.heap();
        for _ in 0..BATCH {
            pair.place();
        }
        if batch == 1 {
            let lingering = (pair.heap() - before) / (2 * BATCH);
            println!("heap per call and side, INVITE transaction lingering = {lingering}");
        }
        pair.rest_of_transactions();
    }
    let idle = (pair.heap() - at_rest) / (2 * CALLS);
    println!("heap per call and side, idle = {idle}");
    // The other sides of the calls are hung up in turn, too, while the timers run.
    for _ in 0..CALLS / BATCH {
        for _ in 0..BATCH {
            let call = pair.answered.pop().unwrap();
            pair.hang_up(call);
        }
        pair.rest_of_transactions();
    }
    pair.rest();
    assert_eq!(pair.ended - ended, 2 * CALLS as u64);
    let left = pair.heap() - at_rest;
    println!("heap after all have ended = {left}");
    // PAINS 115: a burst gives its memory back.
    assert!(left < 64 * 1024);
}

/// So many calls and nothing else, for a profiler.
fn only(calls: &[u64]) {
    let pairs = [Pair::new, Pair::with_digest, Pair::with_prack];
    for (pair, calls) in pairs.iter().zip(calls) {
        let mut pair = pair();
        (0..*calls).for_each(|_| pair.call());
        // A call that is challenged ends once more, where it was.
        assert!(pair.ended >= 2 * calls);
    }
}

impl Pair {
    fn rest_of_transactions(&mut self) {
        while let Some(next) = self.endpoints.iter().filter_map(Endpoint::deadline).min() {
            self.now = next;
            for at in 0..2 {
                self.endpoints[at].on_deadline(next, &mut self.outs[at]);
            }
            self.settle();
        }
    }

    /// What the endpoints hold, without the bench's own lists.
    fn heap(&mut self) -> i64 {
        for out in &mut self.outs {
            out.shrink_to_fit();
        }
        let own = self.answered.capacity() * size_of::<CallHandle>();
        BYTES.load(Ordering::Relaxed) - own as i64
    }
}

/// What the caller and the callee allocate in a call, on average.
fn allocations(pair: &mut Pair) -> [i64; 2] {
    const CALLS: i64 = 200;
    calls(pair);
    pair.allocations = [0; 2];
    for _ in 0..CALLS {
        pair.call();
    }
    pair.rest();
    pair.allocations.map(|n| (n + CALLS - 1) / CALLS)
}

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    if !numbers.is_empty() {
        return only(&numbers);
    }
    let blocks = header_blocks();
    let (mut pair, mut digest, mut prack) = (Pair::new(), Pair::with_digest(), Pair::with_prack());
    let [caller, callee] = allocations(&mut pair);
    let [digest_caller, digest_callee] = allocations(&mut digest);
    let [prack_caller, prack_callee] = allocations(&mut prack);
    memory();
    // In turn, so that a machine whose speed drifts does not favour one of them; the least of many.
    let [mut call, mut challenged, mut reliable, mut scan] = [Duration::MAX; 4];
    for _ in 0..200 {
        scan = scan.min(yardstick(&blocks));
        call = call.min(calls(&mut pair));
        challenged = challenged.min(calls(&mut digest));
        reliable = reliable.min(calls(&mut prack));
    }
    println!("allocations of a call: caller = {caller}, callee = {callee}");
    println!("allocations of a digest call: caller = {digest_caller}, callee = {digest_callee}");
    println!("allocations of a PRACK call: caller = {prack_caller}, callee = {prack_callee}");
    println!("httparse = {} ns", scan.as_nanos());
    let ratio = |time: Duration| time.as_secs_f64() / scan.as_secs_f64();
    println!("a digest call on both sides = {} ns", challenged.as_nanos());
    println!("digest call/httparse = {:.1}", ratio(challenged));
    println!("a PRACK call on both sides = {} ns", reliable.as_nanos());
    println!("PRACK call/httparse = {:.1}", ratio(reliable));
    println!("a call on both sides = {} ns", call.as_nanos());
    println!("call/httparse = {:.1}", ratio(call));
}
