//! SIPp over TCP, with one connection for all calls and with one for each; with each driver, and
//! with shards.

use std::net::SocketAddr;
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN, Report};
use super::sipp::{Statistics, alone, is_listening, sipp};
use super::{Process, SIPP, calls, free_tcp_port, scratch, wanted};
use crate::idle::{Idle, ten_thousand};

#[test]
fn sipp_uac_over_one_connection_calls_answer() {
    sipp_calls_answer("sipp_uac_over_one_connection_calls_answer", "t1", &[]);
}

#[test]
fn sipp_uac_over_a_connection_a_call_calls_answer() {
    sipp_calls_answer("sipp_uac_over_a_connection_a_call_calls_answer", "tn", &[]);
}

#[cfg(feature = "mio")]
#[test]
fn sipp_uac_over_one_connection_calls_answer_on_mio() {
    let test = "sipp_uac_over_one_connection_calls_answer_on_mio";
    sipp_calls_answer(test, "t1", &["--driver", "mio"]);
}

#[cfg(feature = "mio")]
#[test]
fn sipp_uac_over_a_connection_a_call_calls_answer_on_mio() {
    let test = "sipp_uac_over_a_connection_a_call_calls_answer_on_mio";
    sipp_calls_answer(test, "tn", &["--driver", "mio"]);
}

#[test]
fn sipp_uac_over_a_connection_a_call_calls_four_shards() {
    let test = "sipp_uac_over_a_connection_a_call_calls_four_shards";
    sipp_calls_answer(test, "tn", &["--shards", "4"]);
}

#[cfg(feature = "mio")]
#[test]
fn sipp_uac_over_one_connection_calls_four_shards_on_mio() {
    let test = "sipp_uac_over_one_connection_calls_four_shards_on_mio";
    sipp_calls_answer(test, "t1", &["--driver", "mio", "--shards", "4"]);
}

fn sipp_calls_answer(test: &str, mode: &str, arguments: &[&str]) {
    if !wanted(test, &[SIPP]) {
        return;
    }
    let answer = Answer::start_on("tcp", arguments);
    let mut command = sipp(&scratch(test), free_tcp_port(), Duration::from_secs(120));
    command
        .args(["-sn", "uac", "-t", mode, "-max_socket", "1000", "-r", "200"])
        .args(["-m", &calls().to_string()])
        .arg(answer.address.to_string());
    let load = alone();
    let mut sipp = Process::start(test, &mut command);
    let status = sipp.wait(Duration::from_secs(150));
    drop(load);
    assert_eq!(status.code(), Some(0), "{}", sipp.transcript());
    check_all_answered(&answer.stop());
}

#[test]
fn sipp_uas_over_tcp_is_called() {
    sipp_uas_is_called("sipp_uas_over_tcp_is_called", &[]);
}

#[cfg(feature = "mio")]
#[test]
fn sipp_uas_over_tcp_is_called_on_mio() {
    sipp_uas_is_called("sipp_uas_over_tcp_is_called_on_mio", &["--driver", "mio"]);
}

#[test]
fn sipp_uas_over_tcp_is_called_by_two_shards() {
    let test = "sipp_uas_over_tcp_is_called_by_two_shards";
    sipp_uas_is_called(test, &["--shards", "2"]);
}

fn sipp_uas_is_called(test: &str, arguments: &[&str]) {
    if !wanted(test, &[SIPP]) {
        return;
    }
    // SIPp's own limit runs from its start.
    let load = alone();
    let (folder, port) = (scratch(test), free_tcp_port());
    // 200 calls a second.
    let span = Duration::from_secs(calls() / 200);
    let mut command = sipp(&folder, port, Duration::from_secs(140) + span);
    let mut uas = Process::start(test, command.args(["-sn", "uas", "-t", "t1"]));
    uas.wait_until("listening", Duration::from_secs(10), || is_listening(port));
    let number = calls().to_string();
    let mut call = Call::start(
        SocketAddr::from(([127, 0, 0, 1], port)),
        &[
            &["--listen", "tcp:127.0.0.1:0", "--calls", &number],
            ["--rate", "200", "--hold", "1"].as_slice(),
            arguments,
        ]
        .concat(),
    );
    call.wait_until_it_drains(Duration::from_secs(80) + span);
    drop(load);
    let (status, report) = call.end(DRAIN);
    assert!(status.success(), "call: {status}");
    check_all_answered(&report);
    uas.signal("USR1");
    let status = uas.wait(Duration::from_secs(20));
    assert_eq!(status.code(), Some(0), "{}", uas.transcript());
    Statistics::read(&folder).check("SuccessfulCall(C)", calls());
}

fn check_all_answered(report: &Report) {
    report.check("calls", calls());
    report.check("answered", calls());
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
}

#[test]
fn ten_thousand_idle_connections_do_not_disturb_calls() {
    idle("ten_thousand_idle_connections_do_not_disturb_calls", &[]);
}

#[cfg(feature = "mio")]
#[test]
fn ten_thousand_idle_connections_do_not_disturb_calls_on_mio() {
    let test = "ten_thousand_idle_connections_do_not_disturb_calls_on_mio";
    idle(test, &["--driver", "mio"]);
}

fn idle(test: &str, arguments: &[&str]) {
    if !wanted(test, &[]) {
        return;
    }
    let answer = Answer::start_on("tcp", arguments);
    let idle = Idle::open(answer.address, ten_thousand());
    let listen = ["--listen", "tcp:127.0.0.1:0"];
    let some = ["--calls", "100", "--rate", "100"];
    let mut call = Call::start(answer.address, &[listen.as_slice(), &some].concat());
    let (status, _) = call.end(Duration::from_secs(20) + DRAIN);
    assert!(status.success(), "call: {status}");
    drop(idle);
    let report = answer.stop();
    report.check("answered", 100);
    report.check_nothing_left();
}
