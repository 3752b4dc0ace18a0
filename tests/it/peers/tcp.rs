//! SIPp over TCP, with one connection for all calls and with one for each.

use std::process::Command;
use std::time::Duration;

use super::examples::Answer;
use super::{Process, SIPP, calls, wanted};

#[test]
fn sipp_uac_over_one_connection_calls_answer() {
    sipp_calls_answer("sipp_uac_over_one_connection_calls_answer", "t1", calls());
}

#[test]
fn sipp_uac_over_a_connection_a_call_calls_answer() {
    sipp_calls_answer(
        "sipp_uac_over_a_connection_a_call_calls_answer",
        "tn",
        calls(),
    );
}

fn sipp_calls_answer(test: &str, mode: &str, calls: u64) {
    if !wanted(test, &[SIPP]) {
        return;
    }
    let answer = Answer::start_on("tcp", &[]);
    let calls = calls.to_string();
    let mut command = Command::new("sipp");
    command
        .args(["-sn", "uac", "-i", "127.0.0.1", "-nostdin", "-t", mode])
        .args(["-max_socket", "1000", "-r", "200", "-m", &calls])
        .args(["-timeout", "120s", "-timeout_error"])
        .arg(answer.address.to_string());
    let mut sipp = Process::start(test, &mut command);
    let status = sipp.wait(Duration::from_secs(150));
    assert_eq!(status.code(), Some(0), "{}", sipp.transcript());
    let report = answer.stop();
    let calls = calls.parse().unwrap();
    report.check("calls", calls);
    report.check("answered", calls);
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
}
