//! Kamailio as a stateful proxy that stays on the way, between `call` and `answer`: route sets, loose
//! routing, a transport that changes on the way, CANCEL from hop to hop, a fork that two branches
//! answer.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN, Report};
use super::sipp::{is_bound, is_listening};
use super::{KAMAILIO, Process, free_pair_of_ports, scratch, wanted};

/// How long it may take for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Proxy {
    process: Process,
    address: SocketAddr,
}

impl Proxy {
    /// One that sends calls on to the first of these, over that transport, and to the second too
    /// if there is one.
    fn start(test: &str, transport: &str, targets: &[SocketAddr]) -> Self {
        let folder = scratch(test);
        let port = free_pair_of_ports();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/kamailio.cfg");
        let mut text = fs::read_to_string(template)
            .unwrap()
            .replace("@HERE@", &address.to_string())
            .replace("@FIRST@", &targets[0].to_string())
            .replace("@TRANSPORT@", transport);
        if let Some(second) = targets.get(1) {
            let defined = "#!KAMAILIO\n#!define FORKS\n";
            text = format!("{defined}{text}").replace("SECOND", &second.to_string());
        }
        let path = folder.join("kamailio.cfg");
        fs::write(&path, text).unwrap();
        let mut command = Command::new("kamailio");
        command.args(["-DD", "-E", "-m", "32", "-M", "4"]);
        command.arg("-f").arg(&path).arg("-Y").arg(&folder);
        let mut process = Process::start("kamailio", &mut command);
        process.wait_until("bound to its ports", PATIENCE, || {
            is_bound(port) && is_listening(port)
        });
        Self { process, address }
    }

    /// So many requests within dialogs went over it.
    fn check_in_dialog(&self, method: &str, times: usize) {
        let said = format!("in dialog: {method}");
        self.process.wait_for_lines(&said, times, PATIENCE);
    }
}

impl Drop for Proxy {
    /// Its children end with it only if it can tell them.
    fn drop(&mut self) {
        self.process.signal("TERM");
        self.process.wait(PATIENCE);
    }
}

fn check(report: &Report, calls: u64, ended: &str) {
    report.check("calls", calls);
    report.check(ended, calls);
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
}

fn end(mut call: Call) -> Report {
    let (status, report) = call.end(PATIENCE + DRAIN);
    assert!(status.success(), "call: {status}");
    report
}

#[test]
fn kamailio_stays_on_the_way_of_every_request() {
    let test = "kamailio_stays_on_the_way_of_every_request";
    if !wanted(test, &[KAMAILIO]) {
        return;
    }
    let agreed = ["--session-expires", "90"];
    let rings = ["--ring", "0.5", "--reliable", "supported"];
    let answer = Answer::start(&[&rings[..], &agreed].concat());
    let proxy = Proxy::start(test, "udp", &[answer.address]);
    let asks = ["--calls", "5", "--hold", "4", "--reliable", "required"];
    let active = [
        "--hold-after",
        "1",
        "--resume-after",
        "2",
        "--update-after",
        "3",
    ];
    let call = Call::start(proxy.address, &[&asks[..], &active, &agreed].concat());
    check(&end(call), 5, "answered");
    check(&answer.stop(), 5, "answered");
    for (method, times) in [
        ("PRACK", 5),
        ("INVITE", 10),
        ("UPDATE", 5),
        ("ACK", 15),
        ("BYE", 5),
    ] {
        proxy.check_in_dialog(method, times);
    }
}

#[test]
fn kamailio_cancels_what_is_cancelled() {
    let test = "kamailio_cancels_what_is_cancelled";
    if !wanted(test, &[KAMAILIO]) {
        return;
    }
    let answer = Answer::start(&["--ring", "20"]);
    let proxy = Proxy::start(test, "udp", &[answer.address]);
    let call = Call::start(proxy.address, &["--calls", "5", "--cancel-after", "1"]);
    check(&end(call), 5, "cancelled");
    check(&answer.stop(), 5, "cancelled");
}

#[test]
fn kamailio_carries_calls_from_udp_to_tcp() {
    let test = "kamailio_carries_calls_from_udp_to_tcp";
    if !wanted(test, &[KAMAILIO]) {
        return;
    }
    // The callee's BYE goes back to the proxy over TCP, and on from there over UDP.
    let answer = Answer::start_on("tcp", &["--hang-up-after", "1"]);
    let proxy = Proxy::start(test, "tcp", &[answer.address]);
    let call = Call::start(proxy.address, &["--calls", "5", "--hold", "20"]);
    let report = end(call);
    check(&report, 5, "answered");
    report.check_said("hung up, Remote", 5);
    check(&answer.stop(), 5, "answered");
    proxy.check_in_dialog("BYE", 5);
}

#[test]
fn kamailio_forks_and_two_branches_answer() {
    let test = "kamailio_forks_and_two_branches_answer";
    if !wanted(test, &[KAMAILIO]) {
        return;
    }
    let answers = [(); 2].map(|()| Answer::start(&["--ring", "0.5"]));
    let targets = answers.each_ref().map(|answer| answer.address);
    let proxy = Proxy::start(test, "udp", &targets);
    let call = Call::start(proxy.address, &["--calls", "10", "--hold", "1"]);
    check(&end(call), 10, "answered");
    // Each branch is answered or cancelled; who answers second is hung up at once (13.2.2.4), with a
    // BYE that may overtake the ACK in the proxy.
    let reports = answers.map(Answer::stop);
    let answered: u64 = reports.iter().map(|report| report.get("answered")).sum();
    assert!(answered >= 10, "every call was answered");
    for report in &reports {
        report.check("calls", 10);
        report.check("failed", 0);
        report.check_said(" ended: ", 10);
        report.check_nothing_left();
    }
}
