//! SIPp offers `answer` twice as many calls as it takes.

use std::time::Duration;

use super::examples::Answer;
use super::scenarios::path;
use super::sipp::{Statistics, alone, sipp};
use super::{Process, SIPP, free_port, is_full, scratch, wanted};

/// What `answer` takes in a second.
const LIMIT: u64 = 500;

/// How long it is offered too much.
fn seconds() -> u64 {
    match is_full() {
        true => 60,
        false => 5,
    }
}

/// Offers so many calls, so many a second.
fn offer(test: &str, answer: &Answer, arguments: &[&str], (calls, rate): (u64, u64)) -> Statistics {
    let folder = scratch(test);
    let limit = Duration::from_secs(calls / rate * 2 + 60);
    let mut command = sipp(&folder, free_port(), limit);
    command
        .args(arguments)
        .arg(answer.address.to_string())
        .args(["-m", &calls.to_string(), "-r", &rate.to_string()])
        .args(["-l", &calls.to_string()]);
    let mut process = Process::start("sipp uac", &mut command);
    let status = process.wait(limit + Duration::from_secs(10));
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "sipp: {status}\n{}",
        process.transcript()
    );
    let statistics = Statistics::read(&folder);
    statistics.check("SuccessfulCall(C)", calls);
    statistics.check("FailedCall(C)", 0);
    statistics
}

#[test]
fn answer_that_is_offered_twice_its_rate_takes_its_rate() {
    let test = "answer_that_is_offered_twice_its_rate_takes_its_rate";
    if !wanted(test, &[SIPP]) {
        return;
    }
    let answer = Answer::start(&["--max-rate", &LIMIT.to_string()]);
    let scenario = path("uac_overload");
    let _load = alone();
    let offered = 2 * LIMIT * seconds();
    // Each one that is refused has its 503 with Retry-After, or the scenario fails.
    offer(test, &answer, &["-sf", &scenario], (offered, 2 * LIMIT));
    let peak = answer.peak_memory();
    // The load falls, and everything is taken at once.
    let after = 5 * LIMIT * 4 / 5;
    offer(test, &answer, &["-sn", "uac"], (after, LIMIT * 4 / 5));
    let report = answer.stop();
    let taken = report.get("answered").saturating_sub(after);
    eprintln!("{taken} of {offered} calls were taken; {peak} KiB at most");
    assert!(taken >= LIMIT * seconds() * 9 / 10, "{taken}");
    // A burst of T1 comes on top, and SIPp's clock is not this one's.
    assert!(taken <= LIMIT * seconds() * 21 / 20 + LIMIT / 2, "{taken}");
    // What lingers of 500 calls a second for 32 s, and of those refused.
    assert!(peak < 512 * 1024, "{peak} KiB");
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
}
