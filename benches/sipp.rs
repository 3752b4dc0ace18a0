//! What a call costs in user CPU over UDP on loopback, beside what SIPp's own `uas` scenario spends
//! on the same calls.
//!
//! `sipp -sn uac` places the same calls, at the same rate, to one process after the other, in turn
//! and several times over: to SIPp's `uas`, and to an endpoint on each driver whose application does
//! what that scenario does (180, 200 with a session description, 200 for the BYE). Each is one
//! process pinned to the first core; the caller is pinned to another, if there is one. User CPU is
//! what the operating system says of the process: for the endpoint up to the end of its last timer,
//! 32 s after the last call, for SIPp until it has nothing more to do.
//!
//! ```text
//! cargo bench --bench sipp --features mio,tokio [-- CALLS RATE ROUNDS]
//! ```

#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a bench: it reads the clock and may panic"
)]

use std::collections::VecDeque;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use drongo::endpoint::{Config, Endpoint, Event, Output};
use drongo::message::{Body, Outgoing};
use drongo::time::Time;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// After it the endpoint has no transaction left: 64*T1, and a little.
const LINGERING: Duration = Duration::from_secs(34);
/// `uas` waits 4 s for a BYE that comes again.
const PAUSE: Duration = Duration::from_secs(6);

/// What takes the calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Callee {
    Sipp,
    Mio,
    Tokio,
}

impl Callee {
    const ALL: [Self; 3] = [Self::Sipp, Self::Mio, Self::Tokio];

    fn name(self) -> &'static str {
        match self {
            Self::Sipp => "sipp",
            Self::Mio => "mio",
            Self::Tokio => "tokio",
        }
    }

    /// Starts it on the first core. Where it listens.
    fn start(self) -> (Child, String) {
        match self {
            Self::Sipp => {
                let free = UdpSocket::bind("127.0.0.1:0").unwrap();
                let port = free.local_addr().unwrap().port().to_string();
                drop(free);
                let uas = [
                    "sipp",
                    "-sn",
                    "uas",
                    "-i",
                    "127.0.0.1",
                    "-nostdin",
                    "-p",
                    &port,
                ];
                let child = pinned(0, &uas).stdout(Stdio::null()).spawn();
                // It does not say when it is ready.
                thread::sleep(Duration::from_secs(2));
                (
                    child.expect("sipp and taskset"),
                    format!("127.0.0.1:{port}"),
                )
            }
            Self::Mio | Self::Tokio => {
                let own = env::current_exe().unwrap();
                let mut command = pinned(0, &[own.to_str().unwrap(), "serve", self.name()]);
                let mut child = command.stdout(Stdio::piped()).spawn().expect("taskset");
                let mut address = String::new();
                let mut said = BufReader::new(child.stdout.take().unwrap());
                said.read_line(&mut address).unwrap();
                (child, address.trim().to_owned())
            }
        }
    }

    fn rest(self) -> Duration {
        match self {
            Self::Sipp => PAUSE,
            Self::Mio | Self::Tokio => LINGERING,
        }
    }
}

fn pinned(core: usize, command: &[&str]) -> Command {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    let core = core.min(cores - 1).to_string();
    let mut pinned = Command::new("taskset");
    pinned
        .args(["-c", &core])
        .args(command)
        .stderr(Stdio::null());
    pinned
}

/// What a process has had of a core so far, in microseconds: in user mode, in system mode, and all
/// in all.
fn spent(child: &Child) -> [f64; 3] {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    // The name in brackets may contain anything.
    let fields = stat.rsplit_once(") ").unwrap().1;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |field: &str| field.parse::<f64>().unwrap() * 10_000.0;
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let run = tasks.map(|task| {
        let path = task.unwrap().path().join("schedstat");
        let text = fs::read_to_string(path).unwrap_or_default();
        let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
        nanos.unwrap_or(0.0) / 1_000.0
    });
    [ticks(fields[11]), ticks(fields[12]), run.sum()]
}

/// Samples what a process does, until it is told to stop.
struct Samples {
    perf: Child,
    path: std::path::PathBuf,
}

impl Samples {
    /// `None` where there is no `perf`, or it may not.
    fn start(process: &Child) -> Option<Self> {
        let path = env::temp_dir().join(format!("drongo-{}.perf", process.id()));
        let mut perf = Command::new("perf");
        perf.args(["record", "-q", "-e", "cpu-clock", "-F", "3989", "-p"]);
        perf.arg(process.id().to_string()).arg("-o").arg(&path);
        let perf = perf.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let perf = perf.ok()?;
        thread::sleep(Duration::from_secs(1));
        Some(Self { perf, path })
    }

    /// The share of the samples that are of user mode.
    fn share(mut self) -> Option<f64> {
        let id = self.perf.id().to_string();
        Command::new("kill")
            .args(["-s", "INT", &id])
            .status()
            .ok()?;
        self.perf.wait().ok()?;
        let mut script = Command::new("perf");
        script.args(["script", "-F", "ip", "-i"]).arg(&self.path);
        let text = script.stderr(Stdio::null()).output().ok()?.stdout;
        let _ = fs::remove_file(&self.path);
        let text = String::from_utf8_lossy(&text);
        let all = text.split_whitespace().count();
        let system = text.split_whitespace();
        let system = system
            .filter(|at| at.len() == 16 && at.starts_with("ffff"))
            .count();
        (all > 0).then(|| (all - system) as f64 / all as f64)
    }
}

/// Has so many calls placed. User, system and all time, in microseconds a call.
fn measure(callee: Callee, calls: u64, rate: u64) -> [f64; 3] {
    let (mut child, address) = callee.start();
    let samples = Samples::start(&child);
    let before = spent(&child);
    let (m, r) = (calls.to_string(), rate.to_string());
    let uac = ["sipp", "-sn", "uac", "-i", "127.0.0.1", "-nostdin"];
    let mut uac = pinned(1, &[&uac[..], &["-m", &m, "-r", &r, &address]].concat());
    let status = uac.stdout(Stdio::null()).status().unwrap();
    // 1: some calls have failed, on a machine with too much else to do.
    assert!(matches!(status.code(), Some(0 | 1)), "sipp: {status}");
    if !status.success() {
        println!("{}: not all calls were answered", callee.name());
    }
    thread::sleep(callee.rest());
    let after = spent(&child);
    let share = samples.and_then(Samples::share);
    child.kill().unwrap();
    child.wait().unwrap();
    let [user, system, all] = [0, 1, 2].map(|part| (after[part] - before[part]) / calls as f64);
    match share {
        Some(share) => [all * share, all * (1.0 - share), all],
        None => [user, system, all],
    }
}

/// What the scenario `uas` does.
fn answer(endpoint: &mut Endpoint, now: Time, event: &Event, out: &mut VecDeque<Output>) {
    if let Event::Incoming { call, .. } = event {
        endpoint.call(*call).unwrap().ring(now, out).unwrap();
        let answer = Outgoing::default().with_body(Body::sdp(SDP));
        let mut call = endpoint.call(*call).unwrap();
        call.answer(now, answer, out).unwrap();
    }
}

fn serve_on_mio() {
    let address = "127.0.0.1:0".parse().unwrap();
    let mut driver = drongo::driver::mio::Driver::udp(address, Config::default()).unwrap();
    println!("{}", driver.local_addr());
    loop {
        let event = driver.next_event().unwrap();
        driver.act(|endpoint, now, out| answer(endpoint, now, &event, out));
    }
}

fn serve_on_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let address = "127.0.0.1:0".parse().unwrap();
        let driver = drongo::driver::tokio::Driver::udp(address, Config::default());
        let mut driver = driver.await.unwrap();
        println!("{}", driver.local_addr());
        loop {
            let event = driver.next_event().await.unwrap();
            driver.act(|endpoint, now, out| answer(endpoint, now, &event, out));
        }
    });
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [serve, driver] = &arguments[..]
        && serve == "serve"
    {
        return match driver.as_str() {
            "mio" => serve_on_mio(),
            _ => serve_on_tokio(),
        };
    }
    let numbers: Vec<u64> = arguments
        .iter()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let [calls, rate, rounds] = [(0, 40_000), (1, 1_000), (2, 3)]
        .map(|(at, usual)| numbers.get(at).copied().unwrap_or(usual));
    let mut sums = [[0.0; 2]; 3];
    for round in 1..=rounds {
        for (sum, callee) in sums.iter_mut().zip(Callee::ALL) {
            let [user, system, all] = measure(callee, calls, rate);
            println!(
                "round {round}, {}: {user:.1} us user, {system:.1} us system, {all:.1} us in all a call",
                callee.name()
            );
            sum[0] += user;
            sum[1] += all;
        }
    }
    for (sum, callee) in sums.iter().zip(Callee::ALL).skip(1) {
        println!(
            "{}/sipp = {:.2} in user mode, {:.2} in all",
            callee.name(),
            sum[0] / sums[0][0],
            sum[1] / sums[0][1]
        );
    }
}
