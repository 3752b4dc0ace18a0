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
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use common::{Application, Exit, Runner, What, count, listen, sdp, seconds};
use drongo::endpoint::{CallHandle, Config, Event};
use drongo::message::StatusCode;

const HELP: &str = "\
answer: answers SIP calls

Usage: answer --listen udp:ADDRESS:PORT [OPTIONS]

Options:
  --listen udp:ADDRESS:PORT   where to listen; port 0 takes any [default: udp:127.0.0.1:5060]
  --ring SECONDS              ring before answering [default: 0]
  --hang-up-after SECONDS     hang up so long after the ACK [default: the caller hangs up]
  --reject CODE               refuse every call with this status, 300-699
  --stop-after N              stop when N calls have ended
  --help                      this text

Each call event is a line on stderr. Ctrl-C hangs up, drains for up to 32 s and prints one line of
JSON on stdout; a second Ctrl-C exits at once.";

struct Options {
    listen: SocketAddr,
    ring: Duration,
    hang_up_after: Option<Duration>,
    reject: Option<StatusCode>,
    stop_after: Option<u64>,
}

fn options() -> Result<Options, Exit> {
    use lexopt::prelude::*;
    let mut options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 5060)),
        ring: Duration::ZERO,
        hang_up_after: None,
        reject: None,
        stop_after: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Err(Exit::Help),
            Long("listen") => {
                options.listen = listen("--listen", &parser.value()?.to_string_lossy())?;
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
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(options)
}

fn status(value: &str) -> Result<StatusCode, Exit> {
    let status = value.parse().ok().and_then(StatusCode::new);
    status
        .filter(|status| status.as_u16() >= 300)
        .ok_or_else(|| Exit::Usage(format!("--reject {value}: it must be 300 to 699")))
}

struct Answerer {
    options: Options,
    /// The offers of the calls that ring.
    ringing: HashMap<CallHandle, Bytes>,
    acknowledged: std::collections::HashSet<CallHandle>,
}

impl Application for Answerer {
    fn on_event(&mut self, runner: &mut Runner, event: &Event) {
        match event {
            Event::Incoming { call, offer, .. } => {
                if let Some(status) = self.options.reject {
                    return runner.reject(*call, status);
                }
                let call = *call;
                let _ = runner
                    .udp
                    .act(|endpoint, now, out| endpoint.call(call)?.ring(now, out));
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
            }
            Event::Ended { call, .. } => {
                self.ringing.remove(call);
                self.acknowledged.remove(call);
            }
            _ => {}
        }
    }

    fn on_time(&mut self, runner: &mut Runner, what: What) {
        match what {
            What::Answer(call) => {
                if let Some(offer) = self.ringing.remove(&call) {
                    match sdp::answer(&offer, runner.media()) {
                        Some(body) => runner.answer(call, Some(body)),
                        None => runner.reject(call, StatusCode::NOT_ACCEPTABLE_HERE),
                    }
                }
            }
            What::HangUp(call) => runner.hang_up(call),
            What::Place | What::Cancel(_) => {}
        }
    }

    fn is_done(&self, runner: &Runner) -> bool {
        self.options
            .stop_after
            .is_some_and(|calls| runner.summary.ended >= calls)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(exit) => return common::exit(exit, HELP),
    };
    let runner = match Runner::bind(options.listen, Config::default()).await {
        Ok(runner) => runner,
        Err(error) => {
            eprintln!("error: cannot listen on udp:{}: {error}", options.listen);
            return ExitCode::FAILURE;
        }
    };
    let (ringing, acknowledged) = Default::default();
    match runner
        .run(Answerer {
            options,
            ringing,
            acknowledged,
        })
        .await
    {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
