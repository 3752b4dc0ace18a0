//! `call` against `answer` that wants to know who calls.

use super::examples::{Answer, Call, DRAIN, Report};
use super::wanted;

const GUARDED: [&str; 5] = ["--require-auth", "--user", "bob", "--password", "zanzibar"];
const CALLS: u64 = 5;

/// Places calls with each of the credentials to an `answer` that offers the algorithms, all pairs
/// side by side, and gives back what both ends of each say.
fn calls(pairs: &[(&[&str], &[&str])]) -> Vec<(Report, Report)> {
    let start = |(digest, credentials): &(&[&str], &[&str])| {
        let digest = digest.iter().flat_map(|name| ["--digest", name]);
        let arguments: Vec<&str> = GUARDED.into_iter().chain(digest).collect();
        let answer = Answer::start(&arguments);
        let count = CALLS.to_string();
        let own = ["--calls", &count, "--hold", "0.2"];
        let call = Call::start(answer.address, &[&own[..], credentials].concat());
        (call, answer)
    };
    let started: Vec<(Call, Answer)> = pairs.iter().map(start).collect();
    let ended = started.into_iter().map(|(mut call, answer)| {
        let (_, caller) = call.end(DRAIN);
        (caller, answer.stop())
    });
    ended.collect()
}

#[test]
fn call_with_the_password_is_taken_whatever_the_algorithm() {
    if !wanted(
        "call_with_the_password_is_taken_whatever_the_algorithm",
        &[],
    ) {
        return;
    }
    let known = &["--user", "bob", "--password", "zanzibar"][..];
    let digests = [
        &["md5"][..],
        &["sha-256"],
        &["sha-512-256"],
        &["sha-512-256", "sha-256", "md5"],
        &[],
    ];
    for (caller, callee) in calls(&digests.map(|digest| (digest, known))) {
        for report in [&caller, &callee] {
            report.check("calls", CALLS);
            report.check("answered", CALLS);
            report.check("failed", 0);
            report.check("bye_timeout", 0);
            report.check_nothing_left();
        }
    }
}

#[test]
fn call_without_the_password_is_refused() {
    if !wanted("call_without_the_password_is_refused", &[]) {
        return;
    }
    let wrong = [
        &[][..],
        &["--user", "bob", "--password", "guess"],
        &["--user", "eve", "--password", "zanzibar"],
    ];
    for (caller, callee) in calls(&wrong.map(|credentials| (&["sha-256"][..], credentials))) {
        // PAINS 53
        caller.check("rejected", CALLS);
        caller.check("answered", 0);
        callee.check("answered", 0);
        callee.check("calls", 0);
        caller.check_nothing_left();
        callee.check_nothing_left();
    }
}
