//! SIPp with scenarios of this project's own, in `tests/peers`: reliable provisional responses,
//! UPDATE, glare and session timers, from both sides. Those of a test run side by side, as after
//! each an example drains for half a minute.
//!
//! Where a scenario checks no time and no order that a loss would change, it is played once more
//! with a twentieth of what SIPp sends and receives lost. SIPp resends only the last of what it
//! said, so when it has gone on, a request that lost its response meets silence, and the call may
//! end early; but all end, and nothing is left behind.

use std::thread;
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN};
use super::scenarios::{calls, is_called, path};
use super::sipp::{Statistics, Uas, sipp};
use super::{Process, SIPP, free_port, rounds, scratch, wanted};

/// A scenario: who SIPp is in it goes by the name.
struct Scenario {
    name: &'static str,
    /// How the example is started.
    arguments: &'static [&'static str],
    /// Whether it goes with losses too.
    lossy: bool,
    /// Whether the scenario loses messages by itself.
    loses: bool,
}

const fn exact(name: &'static str, arguments: &'static [&'static str]) -> Scenario {
    Scenario {
        name,
        arguments,
        lossy: false,
        loses: false,
    }
}

const fn robust(name: &'static str, arguments: &'static [&'static str]) -> Scenario {
    Scenario {
        name,
        arguments,
        lossy: true,
        loses: false,
    }
}

const fn losing(name: &'static str, arguments: &'static [&'static str]) -> Scenario {
    Scenario {
        name,
        arguments,
        lossy: true,
        loses: true,
    }
}

impl Scenario {
    fn sipp_calls(&self) -> bool {
        self.name.starts_with("uac_")
    }

    /// What is lost and sent again may come twice where the scenario itself loses messages.
    fn tolerance(&self) -> &'static [&'static str] {
        match self.loses {
            true => &["-default_behaviors", "all,-abortunexp"],
            false => &[],
        }
    }

    /// Every message comes as the scenario says.
    fn play(&self) {
        if !self.sipp_calls() {
            let report = is_called(self.name, self.tolerance(), self.arguments);
            return report.check("answered", rounds());
        }
        let answer = Answer::start(self.arguments);
        calls(self.name, answer.address, self.tolerance());
        let report = answer.stop();
        report.check("calls", rounds());
        report.check("answered", rounds());
        report.check("failed", 0);
        report.check("bye_timeout", 0);
        report.check_nothing_left();
    }

    /// Much is lost, and no call hangs.
    fn play_with_losses(&self) {
        // A final response that is none of the scenario's is not taken for its end either.
        const LOSSES: [&str; 6] = [
            "-lost",
            "5",
            "-default_behaviors",
            "all,-abortunexp",
            "-recv_timeout",
            "40000",
        ];
        let (name, path) = (format!("{}_with_losses", self.name), path(self.name));
        let count = rounds().to_string();
        // An INVITE, what comes in between and a BYE may each go unanswered for 64*T1.
        let limit = Duration::from_secs(rounds() / 10) + DRAIN * 4;
        let few = rounds() / 4;
        if self.sipp_calls() {
            let answer = Answer::start(self.arguments);
            let folder = scratch(&name);
            let mut command = sipp(&folder, free_port(), limit);
            let to = answer.address.to_string();
            command
                .args(["-sf", &path, &to, "-m", &count, "-r", "20", "-l", &count])
                .args(LOSSES);
            let mut process = Process::start("sipp uac", &mut command);
            let status = process.wait(limit + Duration::from_secs(10));
            let said = process.transcript();
            assert!(matches!(status.code(), Some(0 | 1)), "{status}\n{said}");
            Statistics::read(&folder).check_at_most("FailedCall(C)", few);
            let report = answer.stop();
            report.check_at_most("calls", rounds());
            report.check_at_most("failed", few);
            report.check_at_most("bye_timeout", few);
            return report.check_nothing_left();
        }
        let uas = Uas::start(&name, &[&["-sf", path.as_str()][..], &LOSSES].concat());
        let own = ["--calls", &count, "--rate", "20", "--hold", "0.5"];
        let mut call = Call::start(uas.address, &[&own[..], self.arguments].concat());
        let (_, report) = call.end(limit);
        report.check("calls", rounds());
        report.check_at_most("failed", few);
        report.check_at_most("bye_timeout", few);
        report.check_nothing_left();
    }
}

/// Plays them all at once.
fn play(scenarios: &[Scenario]) {
    thread::scope(|scope| {
        for scenario in scenarios {
            scope.spawn(|| scenario.play());
            if scenario.lossy {
                scope.spawn(|| scenario.play_with_losses());
            }
        }
    });
}

#[test]
fn reliable_responses_come_in_order_whatever_is_lost() {
    if !wanted("reliable_responses_come_in_order_whatever_is_lost", &[SIPP]) {
        return;
    }
    // PAINS 25
    // The 180 is overtaken by a 200 that comes before the 183 is acknowledged, so it rings long.
    let early = &["--reliable", "supported", "--early-media", "--ring", "20"];
    let reliable = &["--reliable", "supported"];
    play(&[
        losing("uac_reliable", early),
        losing("uas_reliable", reliable),
        exact("uas_reliable_gap", reliable),
    ]);
}

#[test]
fn early_dialog_is_updated_by_either_side() {
    if wanted("early_dialog_is_updated_by_either_side", &[SIPP]) {
        let early = &["--reliable", "supported", "--early-media", "--ring", "2"];
        play(&[
            robust("uac_early_update", early),
            robust("uas_early_update", &["--reliable", "supported"]),
        ]);
    }
}

#[test]
fn glare_is_resolved_in_the_band_of_each_side() {
    if wanted("glare_is_resolved_in_the_band_of_each_side", &[SIPP]) {
        // PAINS 28, 30, 99
        play(&[
            exact("uac_glare_update", &["--update-after", "0.2"]),
            exact(
                "uas_glare_update",
                &["--update-after", "0.2", "--hold", "6"],
            ),
            exact("uac_glare_reinvite", &["--hold-after", "0.2"]),
            exact(
                "uas_glare_reinvite",
                &["--hold-after", "0.2", "--hold", "6"],
            ),
        ]);
    }
}

#[test]
fn session_is_negotiated_refreshed_and_expires() {
    if !wanted("session_is_negotiated_refreshed_and_expires", &[SIPP]) {
        return;
    }
    // PAINS 102
    let timer = &["--session-expires", "90"];
    let refreshed = &["--session-expires", "90", "--hold", "48"];
    let expires = &["--session-expires", "90", "--hold", "70"];
    play(&[
        robust("uac_interval_too_small", timer),
        robust("uas_interval_too_small", timer),
        robust("uac_refreshes", timer),
        exact("uac_refreshed", timer),
        exact("uas_refreshed_by_update", refreshed),
        exact("uas_refreshed_by_reinvite", refreshed),
        exact("uac_never_refreshes", timer),
        exact("uas_never_refreshes", expires),
    ]);
}
