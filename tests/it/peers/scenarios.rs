//! SIPp with scenarios of this project's own, in `tests/peers`: what goes wrong between two that
//! call, many times over. A scenario fails unless each message comes as it says.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN, Report};
use super::sipp::{Statistics, Uas, sipp};
use super::{Process, SIPP, free_port, rounds, scratch, wanted};

const CREDENTIALS: [&str; 4] = ["--user", "bob", "--password", "zanzibar"];

pub(super) fn path(scenario: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let path = folder.join(format!("{scenario}.xml"));
    path.to_str().unwrap().to_owned()
}

/// `call` calls SIPp, and both go as far as the scenario does.
pub(super) fn is_called(scenario: &str, sipp: &[&str], arguments: &[&str]) -> Report {
    let path = path(scenario);
    let uas = Uas::start(scenario, &[&["-sf", path.as_str()][..], sipp].concat());
    let count = rounds().to_string();
    let own = ["--calls", &count, "--rate", "20", "--hold", "0.5"];
    let mut call = Call::start(uas.address, &[&own[..], arguments].concat());
    let (status, report) = call.end(Duration::from_secs(rounds() / 10) + DRAIN * 2);
    let statistics = uas.stop();
    statistics.check("SuccessfulCall(C)", rounds());
    statistics.check("FailedCall(C)", 0);
    report.check("calls", rounds());
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
    assert!(status.success(), "call: {status}");
    report
}

/// SIPp calls `answer`, and both go as far as the scenario does.
pub(super) fn calls(scenario: &str, to: SocketAddr, sipp_too: &[&str]) {
    let folder = scratch(scenario);
    let limit = Duration::from_secs(rounds() / 10) + DRAIN * 2;
    let mut command = sipp(&folder, free_port(), limit);
    let (path, count) = (path(scenario), rounds().to_string());
    command
        .args(["-sf", &path, &to.to_string(), "-m", &count, "-r", "20"])
        // All at once: calls that last for most of a minute would else wait for each other.
        .args(["-l", &count])
        .args(sipp_too);
    let mut process = Process::start("sipp uac", &mut command);
    let status = process.wait(limit + Duration::from_secs(10));
    let transcript = process.transcript();
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "{status}\n{transcript}"
    );
    let statistics = Statistics::read(&folder);
    statistics.check("SuccessfulCall(C)", rounds());
    statistics.check("FailedCall(C)", 0);
}

#[test]
fn challenge_with_two_algorithms_is_answered() {
    if wanted("challenge_with_two_algorithms_is_answered", &[SIPP]) {
        // PAINS 52, 54, 89; 8760-2.4-02
        let report = is_called("uas_digest_sha256", &[], &CREDENTIALS);
        report.check("answered", rounds());
    }
}

#[test]
fn challenge_that_begins_with_what_nobody_knows_is_answered() {
    if wanted(
        "challenge_that_begins_with_what_nobody_knows_is_answered",
        &[SIPP],
    ) {
        let report = is_called("uas_digest_md5", &[], &CREDENTIALS);
        report.check("answered", rounds());
    }
}

#[test]
fn caller_that_is_challenged_comes_again() {
    if !wanted("caller_that_is_challenged_comes_again", &[SIPP]) {
        return;
    }
    let guarded = ["--require-auth", "--digest", "md5"];
    let answer = Answer::start(&[&guarded[..], &CREDENTIALS].concat());
    // Left alone, SIPp signs another URI than it calls.
    let uri = format!("bob@{}", answer.address);
    calls("uac_authentication", answer.address, &["-auth_uri", &uri]);
    let report = answer.stop();
    report.check("answered", rounds());
    report.check("failed", 0);
    report.check_nothing_left();
}

#[test]
fn redirection_is_followed() {
    if wanted("redirection_is_followed", &[SIPP]) {
        let report = is_called("uas_redirect", &[], &[]);
        report.check("answered", rounds());
    }
}

#[test]
fn fork_that_loses_is_hung_up() {
    if wanted("fork_that_loses_is_hung_up", &[SIPP]) {
        // PAINS 1, 2, 3, 4, 98
        let report = is_called("uas_forked", &[], &[]);
        report.check("answered", rounds());
    }
}

#[test]
fn cancel_that_crosses_the_200_ends_with_bye() {
    if wanted("cancel_that_crosses_the_200_ends_with_bye", &[SIPP]) {
        // PAINS 18, 19
        let scenario = "uas_cancel_crosses_200";
        let report = is_called(scenario, &[], &["--cancel-after", "0.2"]);
        report.check("cancelled", rounds());
    }
}

#[test]
fn lost_acks_are_sent_again() {
    if wanted("lost_acks_are_sent_again", &[SIPP]) {
        // PAINS 4, 6, 10
        let patience = ["-max_invite_retrans", "11"];
        let report = is_called("uas_loses_acks", &patience, &["--hold", "33"]);
        report.check("answered", rounds());
    }
}

#[test]
fn callee_whose_first_ack_is_lost_says_200_again() {
    if !wanted("callee_whose_first_ack_is_lost_says_200_again", &[SIPP]) {
        return;
    }
    // PAINS 8, 12
    let answer = Answer::start(&[]);
    calls("uac_first_ack_lost", answer.address, &[]);
    let report = answer.stop();
    report.check("answered", rounds());
    report.check("failed", 0);
    report.check_nothing_left();
}
