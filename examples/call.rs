//! Places calls.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::wildcard_enum_match_arm,
    reason = "an application may count, read the clock and ignore what it likes"
)]

mod common;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use common::sdp::Said;
use common::{Application, Exit, Place, Runner, What, count, policy, sdp, seconds, session_timer};
use drongo::auth::{Account, Keyring, Secret};
use drongo::call::Invitation;
use drongo::endpoint::{CallHandle, Config, Event};
use drongo::message::{Outgoing, StatusCode};
use drongo::transport::Transport;

const HELP: &str = "\
call: places SIP calls and hangs up

Usage: call --to sip:USER@HOST:PORT [OPTIONS]

Options:
  --to URI                    whom to call; HOST is an address or a name
  --listen udp:ADDRESS:PORT   where from, or tcp:, tls:, ws:, wss:; port 0 takes any
                              [default: udp:127.0.0.1:0, which reaches this machine only;
                              udp:0.0.0.0:0 reaches others]
  --driver DRIVER             tokio or mio; mio has udp: and tcp: [default: tokio]
  --shards N                  how many endpoints share the work, each in a thread of its own
                              [default: 1]
  --cert FILE, --key FILE     who this is over TLS, in PEM [default: a self-signed certificate]
  --ca FILE                   whom to believe, in PEM
  --insecure                  believe anybody
  --transport-tls             say transport=tls in the Contact of sip: calls over TLS, for phones
                              that find no way back without it
  --calls N                   how many calls [default: 1]
  --rate N                    how many of them a second [default: 10]
  --hold SECONDS              hang up so long after the answer [default: 1]
  --cancel-after SECONDS      cancel what is not answered by then
  --reliable POLICY           reliable provisional responses (RFC 3262): off, supported or
                              required [default: off]
  --early-media               offer nothing: the callee makes the offer, in an early response if
                              it is reliable
  --session-expires SECONDS   ask for a session timer (RFC 4028), 90 or more
  --hold-after SECONDS        put the callee on hold so long after the answer, by re-INVITE
  --resume-after SECONDS      take the callee off hold so long after the answer, by re-INVITE
  --update-after SECONDS      offer once more so long after the answer, by UPDATE (RFC 3311)
  --user NAME                 answer challenges as NAME, in whatever realm asks
  --password PASS             with this password
  --help                      this text

Each call event is a line on stderr. At the end, which waits up to 32 s for the last transactions,
one line of JSON on stdout. The exit status is 1 if any call failed; one that was refused has not. Ctrl-C hangs up and stops; a
second one exits at once.";

#[derive(Clone)]
struct Options {
    to: String,
    place: Place,
    calls: u64,
    rate: u64,
    hold: Duration,
    cancel_after: Option<Duration>,
    early_media: bool,
    hold_after: Option<Duration>,
    resume_after: Option<Duration>,
    update_after: Option<Duration>,
    config: Config,
    user: Option<String>,
    password: Option<String>,
}

fn options() -> Result<Options, Exit> {
    use lexopt::prelude::*;
    let mut to = None;
    let mut options = Options {
        to: String::new(),
        place: Place::udp(([127, 0, 0, 1], 0)),
        calls: 1,
        rate: 10,
        hold: Duration::from_secs(1),
        cancel_after: None,
        early_media: false,
        hold_after: None,
        resume_after: None,
        update_after: None,
        config: Config::default(),
        user: None,
        password: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Err(Exit::Help),
            Long("to") => to = Some(parser.value()?.to_string_lossy().into_owned()),
            Long(
                name @ ("listen" | "driver" | "shards" | "cert" | "key" | "ca" | "insecure"
                | "transport-tls"),
            ) => {
                let name = name.to_owned();
                if !options.place.take(&name, &mut parser)? {
                    return Err(Exit::Usage(format!("--{name} needs the feature tls")));
                }
            }
            Long("calls") => {
                options.calls = count("--calls", &parser.value()?.to_string_lossy())?;
            }
            Long("rate") => options.rate = count("--rate", &parser.value()?.to_string_lossy())?,
            Long("hold") => options.hold = seconds("--hold", &parser.value()?.to_string_lossy())?,
            Long("cancel-after") => {
                let value = parser.value()?;
                options.cancel_after = Some(seconds("--cancel-after", &value.to_string_lossy())?);
            }
            Long("reliable") => {
                let value = parser.value()?;
                options.config.reliable = policy("--reliable", &value.to_string_lossy())?;
            }
            Long("early-media") => options.early_media = true,
            Long("session-expires") => {
                let value = parser.value()?;
                let timer = session_timer("--session-expires", &value.to_string_lossy())?;
                options.config.session_timer = Some(timer);
            }
            Long("hold-after") => {
                let value = parser.value()?;
                options.hold_after = Some(seconds("--hold-after", &value.to_string_lossy())?);
            }
            Long("resume-after") => {
                let value = parser.value()?;
                options.resume_after = Some(seconds("--resume-after", &value.to_string_lossy())?);
            }
            Long("update-after") => {
                let value = parser.value()?;
                options.update_after = Some(seconds("--update-after", &value.to_string_lossy())?);
            }
            Long("user") => options.user = Some(parser.value()?.string()?),
            Long("password") => options.password = Some(parser.value()?.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    options.to = to.ok_or_else(|| Exit::Usage("--to sip:USER@HOST:PORT is missing".into()))?;
    options.to = over(options.place.listen.transport(), options.to);
    let invitation = Invitation::new(&options.to, "sip:drongo@127.0.0.1").ok();
    match invitation.is_some_and(|invitation| invitation.target().as_sip().is_some()) {
        true => Ok(options),
        false => Err(Exit::Usage(format!(
            "--to {}: it must be a SIP URI",
            options.to
        ))),
    }
}

/// The target, to be reached by the transport of this side.
fn over(transport: Transport, to: String) -> String {
    if to.contains("transport=") {
        return to;
    }
    let to = match to.strip_prefix("sip:") {
        Some(rest) if transport.is_secure() => format!("sips:{rest}"),
        _ => to,
    };
    match transport {
        Transport::Tcp => to + ";transport=tcp",
        Transport::Ws | Transport::Wss => to + ";transport=ws",
        _ => to,
    }
}

/// The accounts with which challenges are answered.
fn keyring(options: &Options) -> Result<Keyring, Exit> {
    let Some((user, password)) =
        common::account(options.user.as_deref(), options.password.as_deref())?
    else {
        return Ok(Keyring::new());
    };
    let account = Account::anywhere(user, Secret::password(password))
        .map_err(|misuse| Exit::Usage(format!("--user: {misuse}")))?;
    Ok(Keyring::new().with(account))
}

struct Caller {
    options: Options,
    /// How many calls this shard places.
    calls: u64,
    /// How many of them a second.
    rate: f64,
    placed: u64,
    /// What was placed and has not ended.
    open: HashSet<CallHandle>,
    started: tokio::time::Instant,
}

impl Caller {
    /// Places what is due by now: a loop that was late catches up.
    fn place(&mut self, runner: &mut Runner) {
        let elapsed = self.started.elapsed().as_secs_f64();
        let due = 1 + (elapsed * self.rate) as u64;
        while self.placed < due.min(self.calls) {
            self.placed += 1;
            self.place_one(runner);
        }
        if self.placed < self.calls {
            let next = self.placed as f64 / self.rate - elapsed;
            runner.at(
                Duration::try_from_secs_f64(next).unwrap_or_default(),
                What::Place,
            );
        }
    }

    fn place_one(&mut self, runner: &mut Runner) {
        runner.summary.calls += 1;
        let here = SocketAddr::new(runner.face(), runner.driver.local_addr().port());
        let from = format!("sip:drongo@{here}");
        let mut said = Said::default();
        let outgoing = match self.options.early_media {
            true => Outgoing::default(),
            false => Outgoing::default().with_body(said.body(sdp::offer(runner.media()))),
        };
        let placed = Invitation::new(&self.options.to, &from)
            .map(|invitation| invitation.with(outgoing))
            .and_then(|invitation| runner.driver.place(invitation));
        match placed {
            Ok(call) => {
                eprintln!("{call} calling {}", self.options.to);
                self.open.insert(call);
                runner.has_said(call, said);
                if let Some(after) = self.options.cancel_after {
                    runner.at(after, What::Cancel(call));
                }
            }
            Err(misuse) => {
                let (to, from) = (&self.options.to, runner.driver.local_addr());
                eprintln!("cannot call {to} from udp:{from}: {misuse}");
                runner.summary.failed += 1;
                runner.count_ended();
            }
        }
    }
}

impl Application for Caller {
    fn start(&mut self, runner: &mut Runner) {
        self.place(runner);
    }

    fn on_event(&mut self, runner: &mut Runner, event: &Event) {
        match event {
            Event::Answered { call, .. } => {
                runner.at(self.options.hold, What::HangUp(*call));
                if let Some(after) = self.options.hold_after {
                    runner.at(after, What::Hold(*call));
                }
                if let Some(after) = self.options.resume_after {
                    runner.at(after, What::Resume(*call));
                }
                if let Some(after) = self.options.update_after {
                    runner.at(after, What::Update(*call));
                }
            }
            Event::Ended { call, .. } => {
                self.open.remove(call);
            }
            // This example only calls.
            Event::Incoming { call, .. } => {
                runner.reject(*call, StatusCode::TEMPORARILY_UNAVAILABLE);
            }
            _ => {}
        }
    }

    fn on_time(&mut self, runner: &mut Runner, what: What) {
        match what {
            What::Place => self.place(runner),
            What::HangUp(call) => runner.hang_up(call),
            What::Cancel(call) => {
                if !runner.is_answered(call) {
                    runner.hang_up(call);
                }
            }
            What::Hold(call) => runner.hold(call),
            What::Resume(call) => runner.resume(call),
            What::Update(call) => runner.update(call),
            What::Answer(_) => {}
        }
    }

    fn is_done(&self, runner: &Runner) -> bool {
        // Those of all shards.
        let own = self.placed == self.calls && self.open.is_empty();
        own && runner.ended() >= self.options.calls
    }
}

fn main() -> ExitCode {
    let options = options().and_then(|options| Ok((keyring(&options)?, options)));
    let (keyring, options) = match options {
        Ok(options) => options,
        Err(exit) => return common::exit(exit, HELP),
    };
    let mut config = options.config.clone();
    config.keyring = keyring;
    let caller = |runner: &mut Runner| {
        let shard = runner.driver.shard();
        let (index, of) = (u64::from(shard.index()), u64::from(shard.of()));
        Ok(Caller {
            calls: options.calls / of + u64::from(index < options.calls % of),
            rate: options.rate as f64 / of as f64,
            options: options.clone(),
            placed: 0,
            open: HashSet::new(),
            started: tokio::time::Instant::now(),
        })
    };
    match common::run(&options.place, config, caller) {
        Ok(summary) if summary.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {:?}: {error}", options.place.listen);
            ExitCode::FAILURE
        }
    }
}
