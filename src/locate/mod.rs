//! Where a request goes (RFC 3263): transport, port and address of each server that may take it,
//! one after the other. All state of a location is in [`Locate`].
//!
//! ```text
//!                  name alone                      answer, none or timeout
//!     new ------------------------------> Naptr ----------------+
//!      |                                                        |
//!      |  name and transport               SRV asked for        v
//!      +----------------------------------------------------> Services <-----+
//!      |                                                        |            |
//!      |  name and port                    a server             v            | no address left,
//!      +---------------------------------------------------> Addresses -----+| a service left
//!      |                                                        |           ||
//!      |  numeric                          an address           v           ||
//!      +-----------------------------------------------------> Trying <-----+|
//!                                                             |  |  ^        |
//!                                                    nothing  |  +--+ Next   |
//!                                                    left     |  +-----------+
//!                                                             v
//!                                                         Terminated
//! ```

mod reach;
mod records;
mod select;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::mem;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use smallvec::SmallVec;

use crate::error::Misuse;
use crate::limits::Limits;
use crate::machine::{Leaf, Machine};
use crate::seed::Stream;
use crate::sink::Sink;
use crate::time::Time;
use crate::transport::{NextHop, Transport};
pub use reach::Reach;
pub use records::{Naptr, Question, Records, Srv, Target};
use select::{Server, servers, services, srv_name, supported};

/// What comes from below.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// DNS has answered.
    Answer {
        /// That of the [`Action::Ask`].
        number: u16,
        /// What it said.
        records: Records,
    },
}

/// What the user wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Command {
    /// The last target failed (4.3): name the next one. A user that got through drops the machine.
    Next,
}

/// What must now be done.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Ask DNS. What was asked before may be forgotten as soon as a target is named.
    Ask {
        /// To answer it.
        number: u16,
        /// The question.
        question: Question,
    },
    /// Send the request there.
    Try(Target),
    /// There is no target, or no other one.
    Exhausted,
    /// The last action: the resources are free.
    Terminated,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    /// Which transports the domain offers is being asked.
    Naptr {
        domain: Box<str>,
        number: u16,
        until: Option<Time>,
    },
    /// The servers of the next service are being asked.
    Services {
        plan: Plan,
        until: Option<Time>,
    },
    /// The addresses of the next server are being asked.
    Addresses {
        plan: Plan,
        server: Server,
        number: u16,
        until: Option<Time>,
    },
    /// A target is out, and the user tries it.
    Trying {
        plan: Plan,
    },
    Terminated,
}

/// What is left to try, in this order: addresses of one server, servers of one service, services.
/// Those of two are never mixed.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Plan {
    addresses: VecDeque<Target>,
    servers: VecDeque<Server>,
    services: VecDeque<Service>,
    /// The domain itself, which serves if no SRV record is found at all.
    fallback: Option<Server>,
}

/// The SRV records of a transport.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Service {
    transport: Transport,
    name: Box<str>,
    asked: Asked,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Asked {
    NotYet,
    Now(u16),
    Answered(Vec<Srv>),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Input {
    Answer(u16, Records),
    Next,
    /// The next wait is counted from then (law L5).
    Timeout(Time),
}

/// Finds the targets of one request.
///
/// ```
/// use drongo::limits::Limits;
/// use drongo::locate::{Action, Locate, Reach};
/// use drongo::message::Uri;
/// use drongo::seed::{Domain, Seed};
/// use drongo::time::Time;
/// use drongo::transport::{Local, NextHop, Transport};
///
/// let uri = Uri::parse(b"sip:bob@192.0.2.4").unwrap();
/// let hop = NextHop::of(&uri, false)?;
/// let local = Local::new(Transport::Udp, "192.0.2.1:5060".parse()?);
/// let random = Seed::from_bytes([7; 32]).stream(Domain::Targets, 0);
/// let mut out = Vec::new();
/// Locate::new(Time::ZERO, &hop, Reach::of([&local]), random, &Limits::DEFAULT, &mut out);
/// let [Action::Try(target)] = out[..] else {
///     panic!("{out:?}");
/// };
/// assert_eq!(target.remote, "192.0.2.4:5060".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Locate {
    reach: Reach,
    secure: bool,
    random: Stream,
    wait: Duration,
    max_records: usize,
    max_targets: usize,
    /// How many questions were asked.
    asked: u16,
    /// What was named already is not named again.
    named: SmallVec<[Target; 2]>,
    since: Time,
    state: State,
}

impl Locate {
    /// Begins to look for the targets of a request: names the first, or asks.
    ///
    /// `random` decides between servers of one priority (RFC 2782). Requests that shall prefer the
    /// same server, such as those of one call, get the same stream. Of `limits` count
    /// [`query_wait`](Limits::query_wait), [`dns_records`](Limits::dns_records) and
    /// [`request_targets`](Limits::request_targets).
    pub fn new(
        now: Time,
        hop: &NextHop<'_>,
        reach: Reach,
        random: Stream,
        limits: &Limits,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Self {
        let mut new = Self {
            reach,
            secure: hop.secure,
            random,
            // A wait of zero would ask and give up at once.
            wait: limits.query_wait.max(Duration::from_nanos(1)),
            max_records: limits.dns_records,
            max_targets: limits.request_targets,
            asked: 0,
            named: SmallVec::new(),
            since: now,
            state: State::Terminated,
        };
        new.state = new.start(now, hop, out);
        new
    }

    /// The state's name.
    pub fn state(&self) -> &'static str {
        match self.state {
            State::Naptr { .. } => "Naptr",
            State::Services { .. } => "Services",
            State::Addresses { .. } => "Addresses",
            State::Trying { .. } => "Trying",
            State::Terminated => "Terminated",
        }
    }

    /// Whether [`Command::Next`] has anything to try or to ask.
    pub fn has_next(&self) -> bool {
        match &self.state {
            State::Trying { plan } => !plan.is_empty() && self.may_name_more(),
            State::Naptr { .. } | State::Services { .. } | State::Addresses { .. } => true,
            State::Terminated => false,
        }
    }

    /// 4.1 and 4.2, as far as the URI decides.
    fn start(
        &mut self,
        now: Time,
        hop: &NextHop<'_>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let host: Box<str> = hop.host.to_string().into();
        let mut plan = Plan::default();
        match (hop.host.ip(), hop.transport, hop.port) {
            (Some(ip), transport, port) => {
                let transport = transport.unwrap_or(self.default_transport());
                let port = port.unwrap_or(transport.default_port());
                plan.addresses = self.targets(transport, port, [ip]);
            }
            (None, transport, Some(port)) => {
                let transport = transport.unwrap_or(self.default_transport());
                plan.push_server(transport, host, port);
            }
            (None, Some(transport), None) => plan.push_services(&[transport], &host),
            (None, None, None) => {
                let name = host.clone();
                let number = self.ask(Question::Naptr { name }, out);
                return State::Naptr {
                    domain: host,
                    number,
                    until: now + self.wait,
                };
            }
        }
        self.advance(now, plan, out)
    }

    /// 4.1: what goes without saying.
    fn default_transport(&self) -> Transport {
        match self.secure {
            true => Transport::Tls,
            false => Transport::Udp,
        }
    }

    /// The figure as a table.
    fn step(&mut self, now: Time, input: Input, out: &mut (impl Sink<Action> + ?Sized)) {
        use Input as I;
        use State as S;
        let state = mem::replace(&mut self.state, S::Terminated);
        let before = mem::discriminant(&state);
        self.state = match (state, input) {
            (S::Naptr { domain, number, .. }, I::Answer(to, records)) if to == number => {
                self.on_naptr(now, domain, records, out)
            }
            (S::Naptr { domain, .. }, I::Timeout(due)) => {
                self.on_naptr(due, domain, Records::None, out)
            }
            (S::Services { mut plan, until }, I::Answer(to, records)) => {
                match plan.answer(to, records) {
                    true => self.advance_until(now, plan, until, out),
                    false => S::Services { plan, until },
                }
            }
            (S::Services { mut plan, .. }, I::Timeout(due)) => {
                plan.give_up_services();
                self.advance(due, plan, out)
            }
            (
                S::Addresses {
                    plan,
                    server,
                    number,
                    ..
                },
                I::Answer(to, records),
            ) if to == number => self.on_addresses(now, plan, &server, records, out),
            (S::Addresses { plan, server, .. }, I::Timeout(due)) => {
                self.on_addresses(due, plan, &server, Records::None, out)
            }
            (S::Trying { plan }, I::Next) => self.advance(now, plan, out),
            // Answers to questions that are over; and who has no target cannot have failed.
            (state @ (S::Naptr { .. } | S::Addresses { .. }), I::Answer(..))
            | (state @ (S::Naptr { .. } | S::Services { .. } | S::Addresses { .. }), I::Next)
            | (state @ S::Trying { .. }, I::Answer(..) | I::Timeout(_))
            | (state @ S::Terminated, I::Answer(..) | I::Next | I::Timeout(_)) => state,
        };
        if mem::discriminant(&self.state) != before {
            self.since = now;
        }
    }

    /// 4.1: the services that are offered and spoken; if none, all that are spoken.
    fn on_naptr(
        &mut self,
        now: Time,
        domain: Box<str>,
        records: Records,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        let records = match records {
            Records::Naptr(records) => records,
            Records::None | Records::Srv(_) | Records::Addresses(_) => Vec::new(),
        };
        let offered = services(records, self.secure, self.reach, self.max_records);
        let mut plan = Plan::default();
        if offered.is_empty() {
            plan.push_services(&supported(self.secure, self.reach), &domain);
            // 4.1: does a query for each. What comes first in the list is used first.
            self.ask_services(&mut plan, out);
        } else {
            // The domain's own wish for the case that the SRV records are missing.
            plan.set_fallback(offered.first().map(|(transport, _)| *transport), &domain);
            let service = |(transport, name)| Service {
                transport,
                name,
                asked: Asked::NotYet,
            };
            plan.services = offered.into_iter().map(service).collect();
        }
        self.advance(now, plan, out)
    }

    fn on_addresses(
        &mut self,
        now: Time,
        mut plan: Plan,
        server: &Server,
        records: Records,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        if let Records::Addresses(addresses) = records {
            plan.addresses = self.targets(server.transport, server.port, addresses);
        }
        self.advance(now, plan, out)
    }

    fn advance(&mut self, now: Time, plan: Plan, out: &mut (impl Sink<Action> + ?Sized)) -> State {
        let until = now + self.wait;
        self.advance_until(now, plan, until, out)
    }

    /// Names the next target, or asks for what leads to it. What was asked together is waited for
    /// together, up to `until`.
    fn advance_until(
        &mut self,
        now: Time,
        mut plan: Plan,
        until: Option<Time>,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> State {
        while self.may_name_more() {
            if let Some(target) = plan.addresses.pop_front() {
                if self.named.contains(&target) {
                    continue;
                }
                self.named.push(target);
                plan.forget_questions();
                out.push(Action::Try(target));
                return State::Trying { plan };
            }
            if let Some(server) = plan.servers.pop_front() {
                let name = server.host.clone();
                let number = self.ask(Question::Addresses { name }, out);
                plan.forget_questions();
                let until = now + self.wait;
                return State::Addresses {
                    plan,
                    server,
                    number,
                    until,
                };
            }
            match plan.services.pop_front() {
                Some(Service {
                    transport,
                    asked: Asked::Answered(records),
                    ..
                }) => self.take_service(&mut plan, transport, records),
                Some(mut service) => {
                    let until = match service.asked {
                        Asked::Now(_) => until,
                        Asked::NotYet | Asked::Answered(_) => now + self.wait,
                    };
                    self.ask_service(&mut service, out);
                    plan.services.push_front(service);
                    return State::Services { plan, until };
                }
                None => match plan.fallback.take() {
                    Some(server) => plan.servers.push_back(server),
                    None => break,
                },
            }
        }
        out.push(Action::Exhausted);
        out.push(Action::Terminated);
        State::Terminated
    }

    fn may_name_more(&self) -> bool {
        self.named.len() < self.max_targets
    }

    fn take_service(&mut self, plan: &mut Plan, transport: Transport, records: Vec<Srv>) {
        if records.is_empty() {
            return;
        }
        // 4.2: the domain itself is for the case that there are no SRV records. One whose target is
        // the root says that the service is not there (RFC 2782).
        plan.fallback = None;
        plan.servers = servers(transport, records, &mut self.random, self.max_records);
    }

    fn ask_services(&mut self, plan: &mut Plan, out: &mut (impl Sink<Action> + ?Sized)) {
        for service in &mut plan.services {
            self.ask_service(service, out);
        }
    }

    fn ask_service(&mut self, service: &mut Service, out: &mut (impl Sink<Action> + ?Sized)) {
        if service.asked == Asked::NotYet {
            let name = service.name.clone();
            service.asked = Asked::Now(self.ask(Question::Srv { name }, out));
        }
    }

    fn ask(&mut self, question: Question, out: &mut (impl Sink<Action> + ?Sized)) -> u16 {
        let number = self.asked;
        self.asked = self.asked.wrapping_add(1);
        out.push(Action::Ask { number, question });
        number
    }

    /// 4.2: addresses of families that no local address reaches are left out.
    fn targets(
        &self,
        transport: Transport,
        port: u16,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> VecDeque<Target> {
        let target = |ip| Target {
            transport,
            remote: SocketAddr::new(ip, port),
        };
        let reached = addresses
            .into_iter()
            .filter(|ip| self.reach.reaches(transport, *ip));
        reached.take(self.max_records).map(target).collect()
    }

    fn timer(&self) -> Option<Time> {
        match &self.state {
            State::Naptr { until, .. }
            | State::Services { until, .. }
            | State::Addresses { until, .. } => *until,
            State::Trying { .. } | State::Terminated => None,
        }
    }
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.addresses.is_empty()
            && self.servers.is_empty()
            && self.services.is_empty()
            && self.fallback.is_none()
    }

    fn push_server(&mut self, transport: Transport, host: Box<str>, port: u16) {
        self.servers.push_back(Server {
            transport,
            host,
            port,
        });
    }

    fn push_services(&mut self, transports: &[Transport], domain: &str) {
        self.set_fallback(transports.first().copied(), domain);
        self.services
            .extend(transports.iter().map(|&transport| Service {
                transport,
                name: srv_name(transport, domain),
                asked: Asked::NotYet,
            }));
    }

    /// 4.2: without SRV records, the domain at the default port of the transport.
    fn set_fallback(&mut self, transport: Option<Transport>, domain: &str) {
        self.fallback = transport.map(|transport| Server {
            transport,
            host: domain.into(),
            port: transport.default_port(),
        });
    }

    /// Whether the question was one of these.
    fn answer(&mut self, to: u16, records: Records) -> bool {
        let asked = |service: &&mut Service| service.asked == Asked::Now(to);
        let Some(service) = self.services.iter_mut().find(asked) else {
            return false;
        };
        service.asked = Asked::Answered(match records {
            Records::Srv(records) => records,
            Records::None | Records::Naptr(_) | Records::Addresses(_) => Vec::new(),
        });
        true
    }

    /// No answer is an answer without records.
    fn give_up_services(&mut self) {
        for service in &mut self.services {
            if matches!(service.asked, Asked::Now(_)) {
                service.asked = Asked::Answered(Vec::new());
            }
        }
    }

    /// What is not answered yet is asked again when it is needed: until then nobody waits for it.
    fn forget_questions(&mut self) {
        for service in &mut self.services {
            if matches!(service.asked, Asked::Now(_)) {
                service.asked = Asked::NotYet;
            }
        }
    }
}

impl Machine for Locate {
    type Event = Event;
    type Command = Command;
    type Action = Action;

    fn receive(&mut self, now: Time, event: Event, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        let Event::Answer { number, records } = event;
        self.step(now, Input::Answer(number, records), out);
    }

    fn command(
        &mut self,
        now: Time,
        command: Command,
        out: &mut (impl Sink<Action> + ?Sized),
    ) -> Result<(), Misuse> {
        let now = now.max(self.since);
        self.on_deadline(now, out);
        let Command::Next = command;
        match self.state {
            State::Trying { .. } | State::Terminated => {
                self.step(now, Input::Next, out);
                Ok(())
            }
            State::Naptr { .. } | State::Services { .. } | State::Addresses { .. } => {
                Err(Misuse::WrongState {
                    verb: "next",
                    state: self.state(),
                })
            }
        }
    }

    fn on_deadline(&mut self, now: Time, out: &mut (impl Sink<Action> + ?Sized)) {
        let now = now.max(self.since);
        while let Some(due) = self.timer().filter(|at| *at <= now) {
            let is_ahead = (due + self.wait).is_none_or(|next| next > now);
            let due = if is_ahead { due } else { now };
            self.step(now, Input::Timeout(due), out);
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.timer()
    }

    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn rebase(&mut self, from: Time, to: Time) {
        self.since = self.since.rebased(from, to);
        match &mut self.state {
            State::Naptr { until, .. }
            | State::Services { until, .. }
            | State::Addresses { until, .. } => *until = until.map(|at| at.rebased(from, to)),
            State::Trying { .. } | State::Terminated => {}
        }
    }
}

impl Leaf for Locate {
    /// A timeout that asks once more, late; then an answer, and the end.
    const MAX_ACTIONS: usize = 3;
}

#[cfg(test)]
mod tests;
