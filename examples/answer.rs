//! Answers calls.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::wildcard_enum_match_arm,
    reason = "an application may count, read the clock and ignore what it likes"
)]

mod common;

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use common::{Application, Exit, Place, Runner, What, count, policy, seconds, session_timer};
use drongo::auth::{Algorithm, Policy, Refusal, Secret, Side, Verified, Verifier};
use drongo::endpoint::{CallHandle, Config, Event};
use drongo::error::Misuse;
use drongo::message::{Body, HeaderList, Outgoing, Request, StatusCode};
use drongo::time::Time;

const HELP: &str = "\
answer: answers SIP calls

Usage: answer --listen udp:ADDRESS:PORT [OPTIONS]

Options:
  --listen udp:ADDRESS:PORT   where to listen, or tcp:, tls:, ws:, wss:; port 0 takes any
                              [default: udp:127.0.0.1:5060]
  --driver DRIVER             tokio or mio; mio has udp: and tcp: [default: tokio]
  --shards N                  how many endpoints share the work by Call-ID, each in a thread of its
                              own [default: 1]
  --cert FILE, --key FILE     who this is over TLS, in PEM [default: a self-signed certificate]
  --ca FILE                   whom to believe, in PEM
  --insecure                  believe anybody
  --transport-tls             say transport=tls in the Contact of sip: calls over TLS, for phones
                              that find no way back without it
  --ring SECONDS              ring before answering [default: 0]
  --hang-up-after SECONDS     hang up so long after the ACK [default: the caller hangs up]
  --reliable POLICY           reliable provisional responses (RFC 3262): off, supported or
                              required [default: off]
  --early-media               say 183 with the answer before 180
  --session-expires SECONDS   agree on a session timer (RFC 4028) of at most that, 90 or more
  --hold-after SECONDS        put the caller on hold so long after the ACK, by re-INVITE
  --resume-after SECONDS      take the caller off hold so long after the ACK, by re-INVITE
  --update-after SECONDS      offer once more so long after the ACK, by UPDATE (RFC 3311)
  --max-rate N                take so many new calls a second, refuse others with 503 and
                              Retry-After [default: as many as come]
  --reject CODE               refuse every call with this status, 300-699
  --require-auth              take calls only from who knows the password
  --user NAME                 whose password
  --password PASS             the password
  --digest ALGORITHM          md5, sha-256 or sha-512-256; several may be given, the best first
                              [default: sha-256, md5]
  --stop-after N              stop when N calls have ended
  --help                      this text

Each call event is a line on stderr. Ctrl-C hangs up, drains for up to 32 s and prints one line of
JSON on stdout; a second Ctrl-C exits at once.";

#[derive(Clone)]
struct Options {
    place: Place,
    ring: Duration,
    hang_up_after: Option<Duration>,
    reject: Option<StatusCode>,
    stop_after: Option<u64>,
    early_media: bool,
    hold_after: Option<Duration>,
    resume_after: Option<Duration>,
    update_after: Option<Duration>,
    config: Config,
    require_auth: bool,
    user: Option<String>,
    password: Option<String>,
    digest: Vec<Algorithm>,
}

fn options() -> Result<Options, Exit> {
    use lexopt::prelude::*;
    let mut options = Options {
        place: Place::udp(([127, 0, 0, 1], 5060)),
        ring: Duration::ZERO,
        hang_up_after: None,
        reject: None,
        stop_after: None,
        early_media: false,
        hold_after: None,
        resume_after: None,
        update_after: None,
        config: Config::default(),
        require_auth: false,
        user: None,
        password: None,
        digest: Vec::new(),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Err(Exit::Help),
            Long(
                name @ ("listen" | "driver" | "shards" | "cert" | "key" | "ca" | "insecure"
                | "transport-tls"),
            ) => {
                let name = name.to_owned();
                if !options.place.take(&name, &mut parser)? {
                    return Err(Exit::Usage(format!("--{name} needs the feature tls")));
                }
            }
            Long("ring") => options.ring = seconds("--ring", &parser.value()?.to_string_lossy())?,
            Long("hang-up-after") => {
                let value = parser.value()?;
                options.hang_up_after = Some(seconds("--hang-up-after", &value.to_string_lossy())?);
            }
            Long("reject") => {
                let value = parser.value()?;
                options.reject = Some(status(&value.to_string_lossy())?);
            }
            Long("stop-after") => {
                let value = parser.value()?;
                options.stop_after = Some(count("--stop-after", &value.to_string_lossy())?);
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
            Long("max-rate") => {
                let rate = count("--max-rate", &parser.value()?.to_string_lossy())?;
                let rate = u32::try_from(rate).unwrap_or(u32::MAX);
                options.config.limits.request_rate = Some(rate);
            }
            Long("require-auth") => options.require_auth = true,
            Long("user") => options.user = Some(parser.value()?.string()?),
            Long("password") => options.password = Some(parser.value()?.string()?),
            Long("digest") => {
                let value = parser.value()?;
                options.digest.push(algorithm(&value.to_string_lossy())?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let account = common::account(options.user.as_deref(), options.password.as_deref())?;
    match options.require_auth == account.is_some() {
        true => Ok(options),
        false => Err(Exit::Usage(
            "--require-auth needs --user NAME and --password PASS, and they need it".into(),
        )),
    }
}

fn algorithm(value: &str) -> Result<Algorithm, Exit> {
    let algorithm = Algorithm::parse(value.as_bytes()).filter(|one| !one.is_session());
    algorithm.ok_or_else(|| {
        Exit::Usage(format!(
            "--digest {value}: it must be md5, sha-256 or sha-512-256"
        ))
    })
}

/// Who may call, and how they prove it.
struct Guard {
    verifier: Verifier,
    user: String,
    secret: Secret,
}

impl Guard {
    fn new(runner: &Runner, options: &Options) -> Result<Option<Self>, Misuse> {
        let (true, Some(user), Some(password)) =
            (options.require_auth, &options.user, &options.password)
        else {
            return Ok(None);
        };
        let mut policy = Policy::new(Side::Server, runner.face().to_string());
        // Shards have one seed, and each has a key of its own.
        let ordinal = u64::from(runner.driver.shard().index());
        if !options.digest.is_empty() {
            policy.algorithms.clone_from(&options.digest);
        }
        Ok(Some(Self {
            verifier: runner.driver.endpoint().verifier(ordinal, policy)?,
            user: user.clone(),
            secret: Secret::password(password),
        }))
    }

    fn check(&mut self, now: Time, invite: &Request) -> Result<Option<Verified>, Refusal> {
        let Self {
            verifier,
            user,
            secret,
        } = self;
        let known = |name: &[u8]| (name == user.as_bytes()).then(|| secret.clone());
        verifier.check(now, invite, known)
    }
}

fn status(value: &str) -> Result<StatusCode, Exit> {
    let status = value.parse().ok().and_then(StatusCode::new);
    status
        .filter(|status| status.as_u16() >= 300)
        .ok_or_else(|| Exit::Usage(format!("--reject {value}: it must be 300 to 699")))
}

struct Answerer {
    options: Options,
    guard: Option<Guard>,
    /// Who has proved who they are.
    proved: HashMap<CallHandle, Verified>,
    /// The offers of the calls that ring.
    ringing: HashMap<CallHandle, Bytes>,
    acknowledged: std::collections::HashSet<CallHandle>,
}

impl Answerer {
    /// 180; before it, 183 with what the 200 will say.
    fn ring(&self, runner: &mut Runner, call: CallHandle, offer: &[u8]) {
        let body = match self.options.early_media {
            true => runner.answer_to(call, offer),
            false => None,
        };
        let early = body.map(|body| {
            let outgoing = Outgoing::default().with_body(body);
            (StatusCode::SESSION_PROGRESS, outgoing)
        });
        let ringing = (StatusCode::RINGING, Outgoing::default());
        for (status, outgoing) in early.into_iter().chain([ringing]) {
            let _ = runner.driver.act(|endpoint, now, out| {
                endpoint.call(call)?.progress(now, status, outgoing, out)
            });
        }
    }

    /// Whether the caller may call; if not, it is asked for credentials.
    fn admits(&mut self, runner: &mut Runner, call: CallHandle, invite: &Request) -> bool {
        let Some(guard) = &mut self.guard else {
            return true;
        };
        let now = runner.driver.act(|_, now, _| now);
        match guard.check(now, invite) {
            Ok(verified) => {
                self.proved
                    .extend(verified.map(|verified| (call, verified)));
                true
            }
            Err(refusal) => {
                runner.challenge(call, &mut guard.verifier, refusal);
                false
            }
        }
    }

    /// What proves this side to the caller, for the 2xx.
    fn proof(&mut self, runner: &mut Runner, call: CallHandle, body: &Body) -> HeaderList {
        match (&mut self.guard, self.proved.get(&call)) {
            (Some(guard), Some(verified)) => {
                let now = runner.driver.act(|_, now, _| now);
                guard.verifier.info(now, verified, body.bytes())
            }
            (Some(_) | None, _) => HeaderList::new(),
        }
    }
}

impl Application for Answerer {
    fn on_event(&mut self, runner: &mut Runner, event: &Event) {
        match event {
            Event::Incoming {
                call,
                offer,
                request,
            } => {
                if !self.admits(runner, *call, request) {
                    return;
                }
                if let Some(status) = self.options.reject {
                    return runner.reject(*call, status);
                }
                let call = *call;
                self.ring(runner, call, offer);
                self.ringing.insert(call, offer.clone());
                match self.options.ring {
                    Duration::ZERO => self.on_time(runner, What::Answer(call)),
                    ring => runner.at(ring, What::Answer(call)),
                }
            }
            // A re-INVITE is acknowledged too.
            Event::Acknowledged { call, .. } if self.acknowledged.insert(*call) => {
                runner.summary.answered += 1;
                if let Some(after) = self.options.hang_up_after {
                    runner.at(after, What::HangUp(*call));
                }
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
                self.ringing.remove(call);
                self.proved.remove(call);
                self.acknowledged.remove(call);
            }
            _ => {}
        }
    }

    fn on_time(&mut self, runner: &mut Runner, what: What) {
        match what {
            What::Answer(call) => {
                if let Some(offer) = self.ringing.remove(&call) {
                    match runner.answer_to(call, &offer) {
                        Some(body) => {
                            let proof = self.proof(runner, call, &body);
                            runner.answer_with(call, proof, Some(body));
                        }
                        None => runner.reject_offer(call),
                    }
                }
            }
            What::HangUp(call) => runner.hang_up(call),
            What::Hold(call) => runner.hold(call),
            What::Resume(call) => runner.resume(call),
            What::Update(call) => runner.update(call),
            What::Place | What::Cancel(_) => {}
        }
    }

    fn is_done(&self, runner: &Runner) -> bool {
        self.options
            .stop_after
            .is_some_and(|calls| runner.ended() >= calls)
    }
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(exit) => return common::exit(exit, HELP),
    };
    let answerer = |runner: &mut Runner| {
        let (ringing, acknowledged, proved) = Default::default();
        Ok(Answerer {
            guard: Guard::new(runner, &options)?,
            options: options.clone(),
            proved,
            ringing,
            acknowledged,
        })
    };
    match common::run(&options.place, options.config.clone(), answerer) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {:?}: {error}", options.place.listen);
            ExitCode::FAILURE
        }
    }
}
