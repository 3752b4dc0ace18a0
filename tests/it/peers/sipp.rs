//! SIPp calls `answer`, and is called by `call`.
//!
//! What SIPp 3.6.1 does, tried against itself: it exits 0 when all calls succeeded, 1 when some
//! failed, 254 when it cannot bind, 255 when `-timeout` ends it (with `-timeout_error`). As a UAS it
//! keeps each call for 4 s after its BYE, and ends when SIGUSR1 has come and no call is left; it
//! does not say when it is ready. `-lost 10` drops a tenth of what it sends and of what it
//! receives. When that takes both the 180 and the 200 of a call, its UAS takes the INVITE that is
//! sent again for an unexpected one, gives the call up and is silent: 7 in 1,000 calls fail so,
//! whoever the caller is. `-abortunexp` has it go on instead. The last row of `-trace_stat` is
//! written when it ends.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN, Report};
use super::{Process, SIPP, calls, free_port, scratch, wanted};

const RATE: u64 = 200;

/// Two loads side by side keep two cores so busy that an answer can take longer than T1.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    static LOAD: Mutex<()> = Mutex::new(());
    LOAD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn sipp_uac_calls_answer() {
    calls_answer("sipp_uac_calls_answer", &[]);
}

fn calls_answer(test: &str, arguments: &[&str]) {
    if !wanted(test, &[SIPP]) {
        return;
    }
    let answer = Answer::start(arguments);
    let load = alone();
    let statistics = uac(test, answer.address, &[]);
    drop(load);
    let report = answer.stop();
    statistics.check_all_succeeded();
    check_all_answered(&report);
}

#[cfg(feature = "mio")]
#[test]
fn sipp_uac_calls_four_shards_on_mio() {
    let test = "sipp_uac_calls_four_shards_on_mio";
    calls_answer(test, &["--driver", "mio", "--shards", "4"]);
}

#[cfg(feature = "mio")]
#[test]
fn sipp_uac_calls_answer_on_mio() {
    calls_answer("sipp_uac_calls_answer_on_mio", &["--driver", "mio"]);
}

#[test]
fn sipp_uac_calls_four_shards() {
    calls_answer("sipp_uac_calls_four_shards", &["--shards", "4"]);
}

#[test]
fn sipp_uac_that_loses_a_tenth_calls_answer() {
    if !wanted("sipp_uac_that_loses_a_tenth_calls_answer", &[SIPP]) {
        return;
    }
    let answer = Answer::start(&[]);
    let load = alone();
    let statistics = uac(
        "sipp_uac_that_loses_a_tenth_calls_answer",
        answer.address,
        &["-lost", "10"],
    );
    drop(load);
    let report = answer.stop();
    statistics.check_at_most("FailedCall(C)", calls() / 100);
    report.check_at_most("calls", calls());
    report.check_at_most("failed", calls() / 100);
    report.check_nothing_left();
    assert!(
        report.get("calls") >= calls() - calls() / 100,
        "an INVITE is sent up to six times"
    );
}

#[test]
fn sipp_uas_is_called() {
    if !wanted("sipp_uas_is_called", &[SIPP]) {
        return;
    }
    let uas = Uas::start("sipp_uas_is_called", &["-sn", "uas"]);
    let _load = alone();
    let (status, report) = place_calls(&uas).end(placing() + DRAIN);
    uas.stop().check_all_succeeded();
    check_all_answered(&report);
    assert!(status.success(), "call: {status}");
}

#[test]
fn sipp_uas_that_loses_a_tenth_is_called() {
    if !wanted("sipp_uas_that_loses_a_tenth_is_called", &[SIPP]) {
        return;
    }
    let test = "sipp_uas_that_loses_a_tenth_is_called";
    let uas = Uas::start(
        test,
        &[
            "-sn",
            "uas",
            "-lost",
            "10",
            "-default_behaviors",
            "all,-abortunexp",
        ],
    );
    let _load = alone();
    // An INVITE and then a BYE may each go unanswered for 64*T1.
    let (status, report) = place_calls(&uas).end(placing() + DRAIN * 3);
    report.check("calls", calls());
    report.check_at_most("failed", calls() / 100);
    report.check_nothing_left();
    assert_eq!(
        status.success(),
        report.get("failed") == 0,
        "call: {status}"
    );
}

#[test]
fn sipp_uas_that_only_rings_is_cancelled() {
    if !wanted("sipp_uas_that_only_rings_is_cancelled", &[SIPP]) {
        return;
    }
    let test = "sipp_uas_that_only_rings_is_cancelled";
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/uas_ring_only.xml");
    let uas = Uas::start(test, &["-sf", scenario.to_str().unwrap()]);
    let mut call = Call::start(
        uas.address,
        &["--calls", "20", "--rate", "10", "--cancel-after", "1"],
    );
    let (status, report) = call.end(Duration::from_secs(10) + DRAIN);
    let statistics = uas.stop();
    // The scenario succeeds only with INVITE, CANCEL and ACK, in this order and no more.
    statistics.check("SuccessfulCall(C)", 20);
    statistics.check("FailedCall(C)", 0);
    statistics.check_at_most("Retransmissions(C)", 2);
    for (name, expected) in [
        ("calls", 20),
        ("cancelled", 20),
        ("answered", 0),
        ("failed", 0),
    ] {
        report.check(name, expected);
    }
    report.check_nothing_left();
    assert!(
        status.success(),
        "a call that was cancelled has not failed: {status}"
    );
}

/// How long it takes to place all calls, with time for a busy machine.
fn placing() -> Duration {
    Duration::from_secs(calls() / RATE) * 2 + Duration::from_secs(20)
}

fn place_calls(uas: &Uas) -> Call {
    let (calls, rate) = (calls().to_string(), RATE.to_string());
    Call::start(
        uas.address,
        &["--calls", &calls, "--rate", &rate, "--hold", "1"],
    )
}

fn check_all_answered(report: &Report) {
    report.check("calls", calls());
    report.check("answered", calls());
    for none in ["rejected", "cancelled", "failed", "bye_timeout"] {
        report.check(none, 0);
    }
    report.check_nothing_left();
}

/// Has SIPp's own UAC scenario place all calls to `to`.
fn uac(test: &str, to: SocketAddr, arguments: &[&str]) -> Statistics {
    let folder = scratch(test);
    let (calls, rate) = (calls().to_string(), RATE.to_string());
    // With losses SIPp itself takes 32 s to give an INVITE or a BYE up.
    let limit = placing() + Duration::from_secs(70);
    let mut command = sipp(&folder, free_port(), limit);
    command
        .args(["-sn", "uac", &to.to_string(), "-m", &calls, "-r", &rate])
        .args(arguments);
    let mut process = Process::start("sipp uac", &mut command);
    let status = process.wait(limit + Duration::from_secs(10));
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "sipp: {status}\n{}",
        process.transcript()
    );
    Statistics::read(&folder)
}

/// SIPp as a UAS, ready.
pub(super) struct Uas {
    process: Process,
    folder: PathBuf,
    pub(super) address: SocketAddr,
}

impl Uas {
    pub(super) fn start(test: &str, scenario: &[&str]) -> Self {
        let folder = scratch(test);
        let port = free_port();
        let limit = placing() + DRAIN * 4;
        let mut process = Process::start("sipp uas", sipp(&folder, port, limit).args(scenario));
        process.wait_until("bound to its port", Duration::from_secs(10), || {
            is_bound(port)
        });
        Self {
            process,
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    /// Lets it finish the calls it has.
    pub(super) fn stop(mut self) -> Statistics {
        self.process.signal("USR1");
        let status = self.process.wait(Duration::from_secs(20));
        assert!(
            matches!(status.code(), Some(0 | 1)),
            "{status}\n{}",
            self.process.transcript()
        );
        Statistics::read(&self.folder)
    }
}

pub(super) fn sipp(folder: &Path, port: u16, limit: Duration) -> Command {
    let mut command = Command::new("sipp");
    command
        .args([
            "-i",
            "127.0.0.1",
            "-mi",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-nostdin",
        ])
        .args([
            "-timeout",
            &format!("{}s", limit.as_secs()),
            "-timeout_error",
        ])
        .args(["-trace_stat", "-fd", "1", "-stf", "statistics.csv"])
        .args(["-trace_err", "-error_file", "errors.log"])
        .current_dir(folder);
    command
}

/// Whether any process has bound this UDP port, by the kernel's own list: to try would race.
pub(super) fn is_bound(port: u16) -> bool {
    is_in("/proc/net/udp", port, "")
}

/// Whether any process listens on this TCP port.
pub(super) fn is_listening(port: u16) -> bool {
    // The state LISTEN.
    is_in("/proc/net/tcp", port, "0A")
}

fn is_in(sockets: &str, port: u16, state: &str) -> bool {
    let port = format!(":{port:04X}");
    let sockets = fs::read_to_string(sockets).unwrap();
    sockets.lines().any(|line| {
        let mut words = line.split_whitespace();
        let is_it = words.nth(1).is_some_and(|local| local.ends_with(&port));
        is_it && words.nth(1).is_some_and(|its| its.starts_with(state))
    })
}

/// The last row of SIPp's statistics, by name. Those that end in `(C)` count from the start.
pub(super) struct Statistics {
    values: BTreeMap<String, String>,
    errors: String,
}

impl Statistics {
    pub(super) fn read(folder: &Path) -> Self {
        let table = fs::read_to_string(folder.join("statistics.csv")).unwrap();
        let (names, row) = (table.lines().next().unwrap(), table.lines().last().unwrap());
        let pairs = names.split(';').zip(row.split(';'));
        let values = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        // There is no such file when there was no error.
        let errors = fs::read_to_string(folder.join("errors.log")).unwrap_or_default();
        Self {
            values,
            errors: errors.chars().take(2_000).collect(),
        }
    }

    fn get(&self, name: &str) -> u64 {
        let value = self
            .values
            .get(name)
            .unwrap_or_else(|| panic!("SIPp has no {name}"));
        value
            .parse()
            .unwrap_or_else(|e| panic!("{name}: {value}: {e}"))
    }

    pub(super) fn check(&self, name: &str, expected: u64) {
        assert_eq!(
            self.get(name),
            expected,
            "SIPp's {name}; its errors begin:\n{}",
            self.errors
        );
    }

    pub(super) fn check_at_most(&self, name: &str, most: u64) {
        let found = self.get(name);
        assert!(
            found <= most,
            "SIPp's {name}: {found}, not {most}; errors:\n{}",
            self.errors
        );
    }

    /// No call failed, and next to nothing was sent twice, by whichever side. A machine that
    /// stalls for T1 makes a few retransmissions of its own: one in fifty calls is no storm.
    fn check_all_succeeded(&self) {
        self.check("SuccessfulCall(C)", calls());
        self.check("FailedCall(C)", 0);
        for strays in ["Retransmissions(C)", "DeadCallMsgs(C)", "OutOfCallMsgs(C)"] {
            self.check_at_most(strays, calls() / 50);
        }
    }
}
