//! What the examples share: arguments, the loop with its clean stop, the summary.

#![allow(dead_code, reason = "each example uses its part")]

pub(crate) mod sdp;
#[cfg(feature = "tls")]
pub(crate) mod secure;
pub(crate) mod wires;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use drongo::auth::{Refusal, Verifier};
use drongo::call::offer_answer::Verdict;
use drongo::call::reliable::Policy;
use drongo::call::{EndReason, LegId, session_description, session_timer};
use drongo::driver::Listen;
use drongo::endpoint::{CallHandle, Config, Endpoint, Event, RequestHandle};
use drongo::error::Misuse;
use drongo::limits::Limits;
use drongo::message::{Body, HeaderList, Message, Method, Outgoing, StatusCode};
use drongo::transaction::Failure;
use sdp::Said;
use tokio::sync::watch;
use tokio::time::Instant;
use wires::{Kind, Stop, Wires};

/// How long a stop may take: 64*T1 until the last transaction is gone, and a little room. A callee
/// whose 2xx was not acknowledged waits up to that long before its BYE (RFC 3261 §15); what is
/// not over by then is abandoned, and counts as a BYE without an answer.
const DRAIN: Duration = Duration::from_secs(33);

/// What ends an example before it begins.
pub(crate) enum Exit {
    /// `--help`.
    Help,
    /// A mistake on the command line.
    Usage(String),
}

impl From<lexopt::Error> for Exit {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Ends with the help text or with a mistake.
pub(crate) fn exit(exit: Exit, help: &str) -> ExitCode {
    match exit {
        Exit::Help => {
            // Whoever has read enough may be gone.
            let _ = writeln!(io::stdout(), "{help}");
            ExitCode::SUCCESS
        }
        Exit::Usage(mistake) => {
            eprintln!("error: {mistake}\n\nTry --help.");
            ExitCode::from(2)
        }
    }
}

/// What the arguments say of where to listen, and how.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) listen: Listen,
    pub(crate) driver: Kind,
    /// How many endpoints share the work, each in a thread of its own.
    pub(crate) shards: u32,
    /// Whether a Contact says `transport=tls`.
    pub(crate) transport_tls: bool,
    #[cfg(feature = "tls")]
    pub(crate) credentials: secure::Credentials,
}

impl Place {
    pub(crate) fn udp(address: impl Into<SocketAddr>) -> Self {
        Self {
            listen: Listen::Udp(address.into()),
            driver: Kind::default(),
            shards: 1,
            transport_tls: false,
            #[cfg(feature = "tls")]
            credentials: secure::Credentials::default(),
        }
    }

    /// Takes the argument, if it is about the place.
    pub(crate) fn take(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, Exit> {
        match name {
            "listen" => self.listen = listen("--listen", &parser.value()?.to_string_lossy())?,
            "driver" => self.driver = Kind::parse(&parser.value()?.to_string_lossy())?,
            "shards" => {
                let value = count("--shards", &parser.value()?.to_string_lossy())?;
                self.shards = u32::try_from(value).unwrap_or(u32::MAX).min(MOST_SHARDS);
            }
            "transport-tls" => self.transport_tls = true,
            #[cfg(feature = "tls")]
            "cert" => self.credentials.cert = Some(parser.value()?.into()),
            #[cfg(feature = "tls")]
            "key" => self.credentials.key = Some(parser.value()?.into()),
            #[cfg(feature = "tls")]
            "ca" => self.credentials.ca = Some(parser.value()?.into()),
            #[cfg(feature = "tls")]
            "insecure" => self.credentials.insecure = true,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// More than any machine has cores.
const MOST_SHARDS: u32 = 1_024;

/// `udp:ADDRESS:PORT`, or another transport.
fn listen(name: &str, value: &str) -> Result<Listen, Exit> {
    let (transport, address) = value.split_once(':').unwrap_or_default();
    let place: fn(SocketAddr) -> Listen = match transport {
        "udp" => Listen::Udp,
        "tcp" => Listen::Tcp,
        #[cfg(feature = "tls")]
        "tls" => Listen::Tls,
        #[cfg(feature = "ws")]
        "ws" => Listen::Ws,
        #[cfg(all(feature = "tls", feature = "ws"))]
        "wss" => Listen::Wss,
        #[cfg(not(all(feature = "tls", feature = "ws")))]
        "tls" | "ws" | "wss" => {
            return Err(Exit::Usage(format!(
                "{name} {value}: this was built without it; see the features tls and ws"
            )));
        }
        _ => {
            return Err(Exit::Usage(format!(
                "{name} {value}: it must be udp:ADDRESS:PORT, or tcp:, tls:, ws: or wss:"
            )));
        }
    };
    let address = address.parse();
    address
        .map(place)
        .map_err(|error| Exit::Usage(format!("{name} {value}: {error}")))
}

/// What stands before the address of a place.
fn prefix(place: Listen) -> String {
    let transport = place.transport().as_via();
    format!("{}:", transport.to_ascii_lowercase())
}

/// `off`, `supported` or `required`.
pub(crate) fn policy(name: &str, value: &str) -> Result<Policy, Exit> {
    match value {
        "off" => Ok(Policy::Off),
        "supported" => Ok(Policy::Supported),
        "required" => Ok(Policy::Required),
        _ => Err(Exit::Usage(format!(
            "{name} {value}: it must be off, supported or required"
        ))),
    }
}

/// Session timers of this many seconds, at least 90 (RFC 4028 4).
pub(crate) fn session_timer(name: &str, value: &str) -> Result<session_timer::Config, Exit> {
    let mut config = session_timer::Config::default();
    let seconds = value.parse().ok().filter(|n| *n >= session_timer::LEAST);
    config.interval = seconds.ok_or_else(|| {
        Exit::Usage(format!(
            "{name} {value}: it must be a number of seconds, 90 or more"
        ))
    })?;
    Ok(config)
}

/// A number that is not negative, such as `1.5`, of seconds.
pub(crate) fn seconds(name: &str, value: &str) -> Result<Duration, Exit> {
    let seconds = value
        .parse::<f64>()
        .ok()
        .and_then(|s| Duration::try_from_secs_f64(s).ok());
    seconds.ok_or_else(|| Exit::Usage(format!("{name} {value}: it must be a number of seconds")))
}

/// `--user` and `--password`: both or neither.
pub(crate) fn account<'a>(
    user: Option<&'a str>,
    password: Option<&'a str>,
) -> Result<Option<(&'a str, &'a str)>, Exit> {
    match (user, password) {
        (Some(user), Some(password)) => Ok(Some((user, password))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(Exit::Usage("--user needs --password PASS".into())),
        (None, Some(_)) => Err(Exit::Usage("--password needs --user NAME".into())),
    }
}

/// A whole number of at least one.
pub(crate) fn count(name: &str, value: &str) -> Result<u64, Exit> {
    let number = value.parse().ok().filter(|n| *n >= 1);
    number.ok_or_else(|| Exit::Usage(format!("{name} {value}: it must be a number above 0")))
}

/// The summary, as one line of JSON.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) calls: u64,
    pub(crate) answered: u64,
    pub(crate) rejected: u64,
    pub(crate) cancelled: u64,
    pub(crate) failed: u64,
    pub(crate) bye_timeout: u64,
    pub(crate) ended: u64,
    dropped: u64,
    transactions: u64,
    dialogs: u64,
}

impl Summary {
    fn print(&self) {
        let _ = writeln!(
            io::stdout(),
            "{{\"calls\":{},\"answered\":{},\"rejected\":{},\"cancelled\":{},\"failed\":{},\
             \"bye_timeout\":{},\"dropped\":{},\"transactions\":{},\"dialogs\":{}}}",
            self.calls,
            self.answered,
            self.rejected,
            self.cancelled,
            self.failed,
            self.bye_timeout,
            self.dropped,
            self.transactions,
            self.dialogs,
        );
    }

    /// What is left when all is over.
    fn look_at(&mut self, endpoint: &Endpoint) {
        self.dropped = endpoint.counters().dropped();
        self.transactions = endpoint.transactions() as u64;
        self.dialogs = endpoint.dialogs() as u64;
    }

    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.rejected += other.rejected;
        self.cancelled += other.cancelled;
        self.failed += other.failed;
        self.bye_timeout += other.bye_timeout;
        self.ended += other.ended;
        self.dropped += other.dropped;
        self.transactions += other.transactions;
        self.dialogs += other.dialogs;
    }

    /// Counts how a call ended. A refusal with 408 or 5xx is a failure that nobody asked for.
    fn count(&mut self, reason: &EndReason) {
        self.ended += 1;
        match reason {
            EndReason::Refused { response } if is_failure(response.status()) => self.failed += 1,
            EndReason::Refused { .. } | EndReason::Rejected { .. } => self.rejected += 1,
            EndReason::Cancelled { timeout: false } | EndReason::CancelledByCaller { .. } => {
                self.cancelled += 1;
            }
            EndReason::ByeFailed(Failure::Timeout | Failure::Transport) => self.bye_timeout += 1,
            // It had its final response; only the ACK is missing.
            EndReason::NoAck { bye: Some(_) } => self.bye_timeout += 1,
            EndReason::NoAck { bye: None } => {}
            // It was answered, and is over.
            EndReason::HungUp { .. } | EndReason::DialogLost { .. } | EndReason::SessionExpired => {
            }
            // No final response, or a 480 because nobody decided.
            _ => self.failed += 1,
        }
    }
}

fn is_failure(status: StatusCode) -> bool {
    status.as_u16() == 408 || status.class() == 5
}

/// What makes one example different from another.
pub(crate) trait Application {
    /// It begins.
    fn start(&mut self, _: &mut Runner) {}

    /// Something happened. [`Runner`] has counted it already.
    fn on_event(&mut self, runner: &mut Runner, event: &Event);

    /// A time that the application asked for has come.
    fn on_time(&mut self, runner: &mut Runner, what: What);

    /// Whether all is done and the example can stop by itself.
    fn is_done(&self, runner: &Runner) -> bool;
}

/// What is to be done at some time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum What {
    Answer(CallHandle),
    HangUp(CallHandle),
    Cancel(CallHandle),
    /// Put the other side on hold, by re-INVITE.
    Hold(CallHandle),
    /// Take it off hold, by re-INVITE.
    Resume(CallHandle),
    /// Offer the session once more, by UPDATE.
    Update(CallHandle),
    Place,
}

/// What the shards of an example have in common.
#[derive(Clone)]
struct Shared {
    stop: Stop,
    /// Shards that have nothing to do any more.
    drained: Arc<AtomicU32>,
    ended: Arc<AtomicU64>,
}

/// The loop around a driver.
pub(crate) struct Runner {
    pub(crate) driver: Wires,
    pub(crate) summary: Summary,
    /// What is due when, in the order in which it was asked for.
    agenda: BTreeMap<(Instant, u64), What>,
    asked: u64,
    stopping: bool,
    shared: Shared,
    stops: watch::Receiver<u32>,
    media: UdpSocket,
    /// Whose calls were refused with a challenge: they come again, and are counted then.
    challenged: BTreeSet<CallHandle>,
    /// What this side has said of its sessions.
    said: BTreeMap<CallHandle, Said>,
}

/// Binds the sockets, and runs an application for each shard until it is done or Ctrl-C. Drains,
/// and prints the summary. What arrives as media is thrown away.
pub(crate) fn run<A: Application>(
    place: &Place,
    config: Config,
    application: impl Fn(&mut Runner) -> Result<A, Misuse> + Sync,
) -> io::Result<Summary> {
    let mut stop = Stop::new();
    let mut config = config;
    config.transport_tls = place.transport_tls;
    let all = Wires::bind(place, config, &mut stop)?;
    stop.listen_for_ctrl_c()?;
    if let Some(first) = all.first() {
        let (prefix, address) = (prefix(place.listen), first.local_addr());
        // Whoever reads the line may press Ctrl-C.
        eprintln!("listening on {prefix}{address}");
    }
    let shared = Shared {
        stop,
        drained: Arc::default(),
        ended: Arc::default(),
    };
    let runners: io::Result<Vec<Runner>> = all
        .into_iter()
        .map(|driver| Runner::new(driver, shared.clone()))
        .collect();
    let mut summary = Summary::default();
    thread::scope(|scope| {
        let run = |mut runner: Runner| {
            let application = &application;
            scope.spawn(move || {
                let application = application(&mut runner).map_err(io::Error::other)?;
                runner.run(application)
            })
        };
        let threads: Vec<_> = runners?.into_iter().map(run).collect();
        for thread in threads {
            let panicked = |_| io::Error::other("a shard panicked");
            summary.add(&thread.join().map_err(panicked)??);
        }
        Ok::<(), io::Error>(())
    })?;
    summary.print();
    Ok(summary)
}

impl Runner {
    fn new(driver: Wires, shared: Shared) -> io::Result<Self> {
        let media = UdpSocket::bind(SocketAddr::new(driver.local_addr().ip(), 0))?;
        Ok(Self {
            driver,
            summary: Summary::default(),
            agenda: BTreeMap::new(),
            asked: 0,
            stopping: false,
            stops: shared.stop.subscribe(),
            shared,
            media,
            challenged: BTreeSet::new(),
            said: BTreeMap::new(),
        })
    }

    /// One call more is over.
    pub(crate) fn count_ended(&self) {
        self.shared.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// How many calls of all shards have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.shared.ended.load(Ordering::Relaxed)
    }

    /// The address that others are told: a wildcard would say nothing.
    pub(crate) fn face(&self) -> IpAddr {
        let locals = &self.driver.endpoint().config().locals;
        let told = locals.first().and_then(|local| local.host().ip());
        told.unwrap_or(self.driver.local_addr().ip())
    }

    /// Where this side pretends to take media.
    pub(crate) fn media(&self) -> (IpAddr, u16) {
        // 9 is the port that discards.
        let port = self.media.local_addr().map_or(9, |address| address.port());
        (self.face(), port)
    }

    pub(crate) fn at(&mut self, after: Duration, what: What) {
        let Some(at) = Instant::now().checked_add(after) else {
            return;
        };
        self.asked += 1;
        if let Entry::Vacant(entry) = self.agenda.entry((at, self.asked)) {
            entry.insert(what);
        }
    }

    /// Whether the call has got a final response.
    pub(crate) fn is_answered(&mut self, call: CallHandle) -> bool {
        self.driver.act(|endpoint, _, _| {
            let state = endpoint
                .call(call)
                .ok()
                .and_then(|c| c.machine().map(|m| m.state()));
            state != Some("Inviting")
        })
    }

    /// A verb that meets a call which has just ended is no trouble.
    pub(crate) fn hang_up(&mut self, call: CallHandle) {
        let _ = self
            .driver
            .act(|endpoint, now, out| endpoint.call(call)?.hang_up(now, out));
    }

    pub(crate) fn reject(&mut self, call: CallHandle, status: StatusCode) {
        self.reject_with(call, status, Outgoing::default());
    }

    /// Refuses a session that nobody here understands (13.3.1.3, 14.2).
    pub(crate) fn reject_offer(&mut self, call: CallHandle) {
        let warning = "305 drongo \"Incompatible media format\"";
        let headers = HeaderList::new().with("Warning", warning);
        let outgoing = Outgoing::default().with_headers(headers.unwrap_or_default());
        self.reject_with(call, StatusCode::NOT_ACCEPTABLE_HERE, outgoing);
    }

    fn reject_with(&mut self, call: CallHandle, status: StatusCode, outgoing: Outgoing) {
        let _ = self
            .driver
            .act(|endpoint, now, out| endpoint.call(call)?.reject(now, status, outgoing, out));
    }

    /// Asks for credentials.
    pub(crate) fn challenge(
        &mut self,
        call: CallHandle,
        verifier: &mut Verifier,
        refusal: Refusal,
    ) {
        self.summary.calls -= 1;
        self.challenged.insert(call);
        let _ = self
            .driver
            .act(|endpoint, now, out| endpoint.call(call)?.challenge(now, verifier, refusal, out));
    }

    pub(crate) fn answer(&mut self, call: CallHandle, body: Option<Body>) {
        self.answer_with(call, HeaderList::new(), body);
    }

    pub(crate) fn answer_with(
        &mut self,
        call: CallHandle,
        headers: HeaderList,
        body: Option<Body>,
    ) {
        let mut outgoing = Outgoing::default().with_headers(headers);
        outgoing.body = body;
        let _ = self
            .driver
            .act(|endpoint, now, out| endpoint.call(call)?.answer(now, outgoing, out));
    }

    /// Hangs up all, and takes no more.
    fn stop(&mut self) {
        self.stopping = true;
        self.agenda.clear();
        let calls: Vec<CallHandle> = self.driver.endpoint().call_handles().collect();
        for call in calls {
            self.hang_up(call);
        }
        let (calls, transactions) = (
            self.driver.endpoint().calls(),
            self.driver.endpoint().transactions(),
        );
        eprintln!(
            "stopping: {calls} calls and {transactions} transactions to drain, up to 32 s; \
             Ctrl-C again exits at once"
        );
    }

    fn abandon(&mut self) {
        let calls: Vec<CallHandle> = self.driver.endpoint().call_handles().collect();
        for call in calls {
            self.driver.act(|endpoint, _, _| {
                let Ok(call) = endpoint.call(call) else {
                    return;
                };
                // One that lingers has ended, and was counted.
                if call
                    .machine()
                    .is_some_and(|machine| machine.state() != "Lingering")
                {
                    self.summary.bye_timeout += 1;
                }
                call.abandon();
            });
        }
    }

    fn is_drained(&self) -> bool {
        let endpoint = self.driver.endpoint();
        let is_free = endpoint.calls() == 0 && endpoint.transactions() == 0;
        is_free && !self.driver.has_unsent()
    }

    /// Counts an event, says it on stderr, and answers what every application answers alike.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Incoming { call, request, .. } => {
                self.summary.calls += 1;
                eprintln!("{call} incoming from {}", request.from().uri());
                if self.stopping {
                    self.reject(*call, StatusCode::SERVICE_UNAVAILABLE);
                }
            }
            Event::Progress {
                call,
                response,
                early,
            } => {
                eprintln!("{call} {}", response.status());
                if let Some(early) = early.filter(|early| early.session == Verdict::Offer) {
                    self.prack(*call, early.leg, &session_in(response));
                }
            }
            Event::Answered {
                call,
                response,
                answer_needed,
            } => {
                self.summary.answered += 1;
                eprintln!("{call} answered");
                if *answer_needed {
                    self.acknowledge(*call, &session_in(response));
                }
            }
            Event::Offered {
                call,
                request,
                message,
            } => {
                eprintln!("{call} {} with an offer", message.method());
                let answer = self.answer_to(*call, &session_in(message));
                self.respond(*request, answer);
            }
            Event::Acknowledged { call, .. } => eprintln!("{call} acknowledged"),
            Event::Updated { call, response, .. } => {
                eprintln!("{call} updated: {}", response.status());
            }
            Event::Pracked { call, .. } => eprintln!("{call} PRACK"),
            Event::Refreshed { call, .. } | Event::SessionRefreshed { call, .. } => {
                eprintln!("{call} refreshed");
            }
            Event::Redirected { call, target, .. } => eprintln!("{call} goes to {target}"),
            Event::Ended { call, .. } if self.challenged.remove(call) => {
                eprintln!("{call} challenged");
            }
            Event::Ended { call, reason } => {
                self.said.remove(call);
                self.summary.count(reason);
                self.count_ended();
                eprintln!("{call} ended: {}", spoken(reason));
            }
            Event::Request {
                request, message, ..
            } => {
                // RFC 6665 4.1.3: nobody here has subscribed to anything.
                let status = match message.method() == Method::Notify {
                    true => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
                    false => StatusCode::OK,
                };
                eprintln!("{} answered {status}", message.method());
                let request = *request;
                let _ = self.driver.act(|endpoint, now, out| {
                    let outgoing = Outgoing::default();
                    endpoint
                        .request(request)?
                        .respond(now, status, outgoing, out)
                });
            }
            Event::Reoffered { call, request } => {
                eprintln!("{call} re-INVITE");
                match self.answer_to(*call, &session_in(request)) {
                    Some(body) => self.answer(*call, Some(body)),
                    None => self.reject_offer(*call),
                }
            }
            // Descriptions are made anew each time, so what was overtaken is as good as ever.
            Event::ReinviteOutdated { call, outgoing } => {
                eprintln!("{call} offers again");
                if let Some(body) = outgoing.body.clone() {
                    self.reinvite(*call, body);
                }
            }
            Event::UpdateOutdated { call, .. } => {
                eprintln!("{call} offers again");
                self.update(*call);
            }
            other => eprintln!("{other:?}"),
        }
    }

    /// What the INVITE of a call has said.
    pub(crate) fn has_said(&mut self, call: CallHandle, said: Said) {
        self.said.insert(call, said);
    }

    /// What this side says now, as the version of its description that it is.
    pub(crate) fn say(&mut self, call: CallHandle, text: String) -> Body {
        self.said.entry(call).or_default().body(text)
    }

    /// The answer to an offer; nothing if there is none.
    pub(crate) fn answer_to(&mut self, call: CallHandle, offer: &[u8]) -> Option<Body> {
        let text = sdp::answer(offer, self.media())?;
        Some(self.say(call, text))
    }

    /// Answers an offer in an UPDATE or PRACK.
    fn respond(&mut self, request: RequestHandle, answer: Option<Body>) {
        let (status, outgoing) = match answer {
            Some(body) => (StatusCode::OK, Outgoing::default().with_body(body)),
            None => (StatusCode::NOT_ACCEPTABLE_HERE, Outgoing::default()),
        };
        let _ = self.driver.act(|endpoint, now, out| {
            endpoint
                .request(request)?
                .respond(now, status, outgoing, out)
        });
    }

    /// Answers an offer in a provisional response. A call whose offer nobody understands is hung
    /// up, which answers it first.
    fn prack(&mut self, call: CallHandle, leg: LegId, offer: &[u8]) {
        let Some(body) = self.answer_to(call, offer) else {
            return self.hang_up(call);
        };
        let outgoing = Outgoing::default().with_body(body);
        let _ = self
            .driver
            .act(|endpoint, now, out| endpoint.call(call)?.prack(now, leg, outgoing, out));
    }

    /// Puts the other side on hold (RFC 3264 8.4).
    pub(crate) fn hold(&mut self, call: CallHandle) {
        let body = self.say(call, sdp::hold(self.media()));
        self.reinvite(call, body);
    }

    /// Takes it off hold.
    pub(crate) fn resume(&mut self, call: CallHandle) {
        let body = self.say(call, sdp::offer(self.media()));
        self.reinvite(call, body);
    }

    fn reinvite(&mut self, call: CallHandle, offer: Body) {
        let outgoing = Outgoing::default().with_body(offer);
        let sent = self
            .driver
            .act(|endpoint, now, out| endpoint.call(call)?.reinvite(now, outgoing, out));
        if let Err(misuse) = sent {
            eprintln!("{call} cannot be put on hold or taken off it: {misuse}");
        }
    }

    /// Offers the session once more, by UPDATE (RFC 3311).
    pub(crate) fn update(&mut self, call: CallHandle) {
        let body = self.say(call, sdp::offer(self.media()));
        let outgoing = Outgoing::default().with_body(body);
        let updated = self
            .driver
            .act(|endpoint, now, out| endpoint.call(call)?.update(now, outgoing, out));
        if let Err(misuse) = updated {
            eprintln!("{call} cannot be updated: {misuse}");
        }
    }

    fn acknowledge(&mut self, call: CallHandle, offer: &[u8]) {
        let Some(body) = self.answer_to(call, offer) else {
            return self.hang_up(call);
        };
        let outgoing = Outgoing::default().with_body(body);
        let _ = self
            .driver
            .act(|endpoint, now, out| endpoint.call(call)?.acknowledge(now, outgoing, out));
    }

    /// Runs until the application is done or all are stopped, and drains.
    fn run(mut self, mut application: impl Application) -> io::Result<Summary> {
        let mut give_up: Option<Instant> = None;
        let mut is_drained = false;
        application.start(&mut self);
        loop {
            if !self.stopping && application.is_done(&self) {
                self.shared.stop.press_once();
            }
            let stops = *self.stops.borrow_and_update();
            if stops > 1 {
                eprintln!("stopped at once");
                break;
            }
            if stops > 0 && !self.stopping {
                self.stop();
            }
            if self.stopping {
                let limit = *give_up.get_or_insert_with(|| Instant::now() + DRAIN);
                if self.is_drained() && !is_drained {
                    is_drained = true;
                    self.shared.drained.fetch_add(1, Ordering::AcqRel);
                }
                // Others may need the sockets of this one.
                let drained = self.shared.drained.load(Ordering::Acquire);
                if drained >= self.driver.shard().of() && !self.driver.has_unsent() {
                    break;
                }
                if Instant::now() >= limit {
                    self.abandon();
                    break;
                }
            }
            let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
            // While draining, the tables are looked at often: nothing is said when they empty.
            let look = self
                .stopping
                .then(|| Instant::now() + Duration::from_millis(50));
            let wake = [next, look].into_iter().flatten().min();
            if let Some(event) = self.driver.next(wake, &mut self.stops)? {
                self.note(&event);
                if !self.stopping {
                    application.on_event(&mut self, &event);
                }
            }
            self.do_what_is_due(&mut application);
        }
        self.summary.look_at(self.driver.endpoint());
        Ok(self.summary)
    }

    fn do_what_is_due(&mut self, application: &mut impl Application) {
        let now = Instant::now();
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let what = entry.remove();
            application.on_time(self, what);
        }
    }
}

fn spoken(reason: &EndReason) -> String {
    match reason {
        EndReason::Refused { response } => format!("refused with {}", response.status()),
        EndReason::Rejected { status } => format!("rejected with {status}"),
        EndReason::Cancelled { timeout: false } => "cancelled".into(),
        EndReason::Cancelled { timeout: true } => "cancelled: nobody answered".into(),
        EndReason::CancelledByCaller { .. } => "cancelled by the caller".into(),
        EndReason::HungUp { by, .. } => format!("hung up, {by:?}"),
        EndReason::ByeFailed(failure) => format!("BYE got no answer: {failure:?}"),
        EndReason::Failed(Failure::Transport) => "failed: it cannot be sent there".into(),
        EndReason::Failed(Failure::Timeout) => "failed: no answer".into(),
        EndReason::Failed(failure) => format!("failed: {failure:?}"),
        EndReason::NoAck { .. } => "the 2xx was never acknowledged".into(),
        EndReason::NoPrack => "no PRACK ever came".into(),
        EndReason::SessionExpired => "nobody refreshed the session".into(),
        other => format!("{other:?}"),
    }
}

/// The session description in a message; empty if there is none.
fn session_in(message: &Message) -> bytes::Bytes {
    session_description(message, &Limits::DEFAULT).unwrap_or_default()
}
