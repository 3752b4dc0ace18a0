//! The project's examples as child processes, and the line of JSON they end with.

use std::collections::BTreeMap;
use std::env;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use super::Process;

/// After a stop, an example drains for up to 64*T1; the rest is for a busy machine.
pub(super) const DRAIN: Duration = Duration::from_secs(32 + 20);

/// The example `answer`, listening.
pub(super) struct Answer {
    process: Process,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Answer {
    /// Starts it on a port that the system chooses, with these arguments besides.
    pub(super) fn start(arguments: &[&str]) -> Self {
        Self::start_on("udp", arguments)
    }

    /// Starts it over another transport.
    pub(super) fn start_on(transport: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(path("answer"));
        let listen = format!("{transport}:127.0.0.1:0");
        command.args(["--listen", &listen]).args(arguments);
        let process = Process::start("answer", &mut command);
        let said = format!("listening on {transport}:");
        let address: SocketAddr = process.wait_for_line(
            "`listening on TRANSPORT:ADDRESS` on stderr",
            Duration::from_secs(10),
            |line| line.trim().strip_prefix(&said)?.parse().ok(),
        );
        assert_ne!(
            address.port(),
            0,
            "the line has to name the port that was bound"
        );
        Self { process, address }
    }

    /// Stops it as Ctrl-C does, and waits until it has drained.
    pub(super) fn stop(mut self) -> Report {
        self.interrupt();
        self.end(DRAIN)
    }

    /// Waits until it has said so on stderr.
    pub(super) fn wait_to_say(&self, text: &str, limit: Duration) {
        let said = |line: &str| line.contains(text).then_some(());
        self.process.wait_for_line(text, limit, said);
    }

    /// Waits until it has said so on stderr, so many times.
    pub(super) fn wait_to_say_times(&self, text: &str, times: usize, limit: Duration) {
        self.process.wait_for_lines(text, times, limit);
    }

    /// The most memory that it has had so far, in KiB.
    pub(super) fn peak_memory(&self) -> u64 {
        self.process.peak_memory()
    }

    /// Ctrl-C.
    pub(super) fn interrupt(&self) {
        self.process.signal("INT");
    }

    /// Waits until it ends, however it does.
    pub(super) fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
    }

    /// Waits until it ends by itself.
    pub(super) fn end(&mut self, limit: Duration) -> Report {
        let status = self.process.wait(limit);
        assert!(
            status.success(),
            "answer: {status}\n{}",
            self.process.transcript()
        );
        Report::of(&self.process)
    }
}

/// The example `call`.
pub(super) struct Call(Process);

impl Call {
    pub(super) fn start(to: SocketAddr, arguments: &[&str]) -> Self {
        Self::start_to(&format!("sip:bob@{to}"), arguments)
    }

    /// It calls that URI.
    pub(super) fn start_to(uri: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(path("call"));
        command.args(["--to", uri]).args(arguments);
        Self(Process::start("call", &mut command))
    }

    /// Waits until it has said so on stderr, so many times.
    pub(super) fn wait_to_say_times(&self, text: &str, times: usize, limit: Duration) {
        self.0.wait_for_lines(text, times, limit);
    }

    /// Waits until all its calls have ended: it drains then.
    pub(super) fn wait_until_it_drains(&self, limit: Duration) {
        let drains = |line: &str| line.starts_with("stopping:").then_some(());
        self.0.wait_for_line("`stopping:`", limit, drains);
    }

    /// Waits until all its calls have ended and it has drained.
    pub(super) fn end(&mut self, limit: Duration) -> (ExitStatus, Report) {
        let status = self.0.wait(limit);
        (status, Report::of(&self.0))
    }
}

/// The counters of the last line on stdout, and what else was said, for a failure's message.
pub(super) struct Report {
    counters: BTreeMap<String, u64>,
    transcript: String,
}

impl Report {
    const NAMES: [&'static str; 9] = [
        "calls",
        "answered",
        "rejected",
        "cancelled",
        "failed",
        "bye_timeout",
        "dropped",
        "transactions",
        "dialogs",
    ];

    fn of(process: &Process) -> Self {
        let transcript = process.transcript();
        let lines = process.stdout();
        let line = lines.iter().rev().find(|line| !line.trim().is_empty());
        let counters = line.and_then(|line| parse(line)).filter(|counters| {
            Self::NAMES.iter().all(|name| counters.contains_key(*name))
                && counters.len() == Self::NAMES.len()
        });
        let Some(counters) = counters else {
            panic!(
                "no line of JSON with exactly {:?}\n{transcript}",
                Self::NAMES
            )
        };
        Self {
            counters,
            transcript,
        }
    }

    pub(super) fn get(&self, name: &str) -> u64 {
        self.counters[name]
    }

    pub(super) fn check(&self, name: &str, expected: u64) {
        let found = self.get(name);
        assert_eq!(
            found, expected,
            "{name} in {:?}\n{}",
            self.counters, self.transcript
        );
    }

    pub(super) fn check_at_most(&self, name: &str, most: u64) {
        let found = self.get(name);
        assert!(
            found <= most,
            "{name} over {most} in {:?}\n{}",
            self.counters,
            self.transcript
        );
    }

    /// The example has said so, so many times.
    pub(super) fn check_said(&self, text: &str, times: usize) {
        let said = self.transcript.lines().filter(|line| line.contains(text));
        let count = said.count();
        assert_eq!(count, times, "lines with `{text}`\n{}", self.transcript);
    }

    /// Every table is empty: no call, transaction or dialog was forgotten.
    pub(super) fn check_nothing_left(&self) {
        self.check("transactions", 0);
        self.check("dialogs", 0);
    }
}

/// Where cargo put an example: beside the folder of this test's own binary.
pub(super) fn path(example: &str) -> PathBuf {
    let own = env::current_exe().unwrap();
    let profile = own.parent().and_then(|deps| deps.parent()).unwrap();
    let path = profile.join("examples").join(example);
    assert!(
        path.is_file(),
        "{} is not built: `cargo test --all-features` builds the examples, with `--test it` it \
         needs `cargo build --examples --all-features` before",
        path.display()
    );
    path
}

/// One flat JSON object of whole numbers.
fn parse(line: &str) -> Option<BTreeMap<String, u64>> {
    let body = line.trim().strip_prefix('{')?.strip_suffix('}')?;
    let pair = |pair: &str| {
        let (name, number) = pair.split_once(':')?;
        let name = name.trim().strip_prefix('"')?.strip_suffix('"')?;
        Some((name.to_owned(), number.trim().parse().ok()?))
    };
    body.split(',').map(pair).collect()
}

#[test]
fn report_is_one_flat_object_of_numbers() {
    let report = parse(r#"{"calls":2,"failed": 0}"#).unwrap();
    assert_eq!(
        report,
        BTreeMap::from([("calls".to_owned(), 2), ("failed".to_owned(), 0)])
    );
    for wrong in ["", "{}", r#"{"calls":-1}"#, r#"{"calls":1"#, r#"{calls:1}"#] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
}
