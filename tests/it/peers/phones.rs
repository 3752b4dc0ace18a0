//! Two phones with a command line, headless and without audio devices, call `answer` and are
//! called by `call`: hold and resume from either side, and either side hangs up.
//!
//! What they do, tried: linphonec 5.1.65 takes its sound from files after `soundcard use files`,
//! stays on loopback by `bind_address`, needs the folder of its database, and has 100rel and
//! session timers in its configuration only, where it also learns not to hang up after 30 s
//! without media. twinkle-console 1.10.2 reads a profile below `$HOME/.twinkle`, is content with
//! ALSA's null device, has 100rel but neither UPDATE nor session timers, and listens on all
//! addresses. Both read commands from a pipe and say what happens line by line.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN, Report};
use super::sipp::is_bound;
use super::{LINPHONE, Peer, Process, TWINKLE, free_port, scratch, wanted};

/// How long a phone may take for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A make of phone: what it is told, and what it says.
struct Make {
    peer: Peer,
    configure: fn(&Path, u16),
    arguments: &'static [&'static str],
    prepare: &'static [&'static str],
    hold: &'static str,
    resume: &'static str,
    hang_up: &'static str,
    /// The file it writes when it has answered a PRACK, and what two things a line says then.
    pracked: Option<(&'static str, [&'static str; 2])>,
    /// It is called.
    rings: &'static str,
    /// The call is up, whoever called.
    called: &'static str,
    was_called: &'static str,
    held: &'static str,
    resumed: &'static str,
    /// The call is over: it hung up, or the other side did.
    ended: &'static str,
    was_ended: &'static str,
}

const LINPHONEC: Make = Make {
    peer: LINPHONE,
    configure: configure_linphonec,
    arguments: &["-c", "linphonerc", "-d", "5", "-l", "log"],
    prepare: &["soundcard use files"],
    hold: "pause",
    resume: "resume",
    hang_up: "terminate",
    // It says 501 to a PRACK that comes after its 200, and by RFC 5057 that ends the call.
    pracked: Some(("log", ["[server] [PRACK]", "to [COMPLETED]"])),
    rings: "Receiving new incoming call",
    called: "Media streams established",
    was_called: "Media streams established",
    held: "is now paused",
    resumed: "Media streams established",
    ended: "ended (",
    was_ended: "ended (",
};

const TWINKLE_CONSOLE: Make = Make {
    peer: TWINKLE,
    configure: configure_twinkle,
    arguments: &["bob.cfg"],
    prepare: &[],
    hold: "hold",
    resume: "retrieve",
    hang_up: "bye",
    pracked: None,
    rings: "incoming call",
    called: "far end answered call",
    was_called: "call established",
    held: "re-INVITE successful",
    resumed: "re-INVITE successful",
    ended: "call ended",
    was_ended: "far end ended call",
};

/// A phone that waits for a call or a command.
struct Phone {
    process: Process,
    make: &'static Make,
    folder: PathBuf,
    address: SocketAddr,
    /// How many of its lines were awaited.
    heard: usize,
}

impl Phone {
    fn start(make: &'static Make, test: &str) -> Self {
        let (folder, port) = (scratch(test), free_port());
        (make.configure)(&folder, port);
        let mut command = Command::new(make.peer.program);
        command
            .args(make.arguments)
            .current_dir(&folder)
            .env("HOME", &folder);
        let mut process = Process::start_with_keyboard(make.peer.program, &mut command);
        process.wait_until("bound to its port", PATIENCE, || is_bound(port));
        for line in make.prepare {
            process.say(line);
        }
        Self {
            process,
            make,
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            heard: 0,
        }
    }

    fn say(&mut self, line: &str) {
        self.process.say(line);
    }

    fn hear(&mut self, text: &str) {
        self.heard = self.process.wait_for_text(text, self.heard, PATIENCE);
    }

    fn call(&mut self, to: SocketAddr) {
        self.say(&format!("call sip:bob@{to}"));
        self.hear(self.make.called);
    }

    fn answer(&mut self) {
        self.hear(self.make.rings);
        self.say("answer");
        self.hear(self.make.was_called);
    }

    /// Once it has answered the PRACK for its 180.
    fn answer_after_prack(&mut self) {
        if let Some((log, [what, state])) = self.make.pracked {
            let path = self.folder.join(log);
            self.process.wait_until("done with PRACK", PATIENCE, || {
                let log = fs::read_to_string(&path).unwrap_or_default();
                log.lines()
                    .any(|line| line.contains(what) && line.contains(state))
            });
        }
        self.answer();
    }

    fn hold_and_resume(&mut self) {
        self.say(self.make.hold);
        self.hear(self.make.held);
        self.say(self.make.resume);
        self.hear(self.make.resumed);
    }

    fn hang_up(&mut self) {
        self.say(self.make.hang_up);
        self.hear(self.make.ended);
    }

    fn quit(mut self) {
        self.say("quit");
        let status = self.process.wait(PATIENCE);
        let said = self.process.transcript();
        assert!(status.success(), "{status}\n{said}");
    }
}

fn check(report: &Report) {
    report.check("calls", 1);
    report.check("answered", 1);
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
}

/// 100rel is a must, so that the phone has to show that it has it.
const RELIABLE: [&str; 2] = ["--reliable", "required"];
const EARLY: [&str; 3] = ["--early-media", "--ring", "1"];
/// What the example does with a call.
const ACTIVE: [&str; 4] = ["--hold-after", "1", "--resume-after", "2.5"];

fn calls_holds_resumes_and_hangs_up(make: &'static Make) {
    let answer = [&RELIABLE[..], &EARLY, &["--stop-after", "1"]].concat();
    let mut answer = Answer::start(&answer);
    let mut phone = Phone::start(make, &format!("{}_calls", make.peer.program));
    phone.call(answer.address);
    phone.hold_and_resume();
    phone.hang_up();
    let report = answer.end(DRAIN);
    phone.quit();
    check(&report);
    report.check_said(" PRACK", 2);
    report.check_said(" re-INVITE", 2);
    report.check_said("hung up, Remote", 1);
}

fn calls_and_is_held_resumed_and_hung_up(make: &'static Make) {
    let end = ["--hang-up-after", "4", "--stop-after", "1"];
    let mut answer = Answer::start(&[&RELIABLE[..], &EARLY, &ACTIVE, &end].concat());
    let mut phone = Phone::start(make, &format!("{}_calls_too", make.peer.program));
    phone.call(answer.address);
    phone.hear(make.was_ended);
    let report = answer.end(DRAIN);
    phone.quit();
    check(&report);
    report.check_said(" updated: 200", 2);
    report.check_said("hung up, Local", 1);
}

fn is_called_holds_resumes_and_hangs_up(make: &'static Make) {
    let mut phone = Phone::start(make, &format!("{}_is_called", make.peer.program));
    let mut call = Call::start(phone.address, &["--hold", "60", "--reliable", "supported"]);
    phone.answer();
    phone.hold_and_resume();
    phone.hang_up();
    let (status, report) = call.end(DRAIN);
    phone.quit();
    check(&report);
    report.check_said(" re-INVITE", 2);
    report.check_said("hung up, Remote", 1);
    assert!(status.success(), "call: {status}");
}

fn is_called_and_is_held_resumed_and_hung_up(make: &'static Make) {
    let mut phone = Phone::start(make, &format!("{}_is_called_too", make.peer.program));
    let arguments = [&["--hold", "4"][..], &RELIABLE, &ACTIVE].concat();
    let mut call = Call::start(phone.address, &arguments);
    phone.answer_after_prack();
    phone.hear(make.was_ended);
    let (status, report) = call.end(DRAIN);
    phone.quit();
    check(&report);
    report.check_said(" updated: 200", 2);
    report.check_said("hung up, Local", 1);
    assert!(status.success(), "call: {status}");
}

/// Side by side, as each takes half a minute to drain.
fn calls_and_is_called(make: &'static Make) {
    thread::scope(|scope| {
        for play in [
            calls_holds_resumes_and_hangs_up,
            calls_and_is_held_resumed_and_hung_up,
            is_called_holds_resumes_and_hangs_up,
            is_called_and_is_held_resumed_and_hung_up,
        ] {
            scope.spawn(move || play(make));
        }
    });
}

#[test]
fn linphonec_calls_and_is_called() {
    if wanted("linphonec_calls_and_is_called", &[LINPHONE]) {
        calls_and_is_called(&LINPHONEC);
    }
}

#[test]
fn twinkle_calls_and_is_called() {
    if wanted("twinkle_calls_and_is_called", &[TWINKLE]) {
        calls_and_is_called(&TWINKLE_CONSOLE);
    }
}

#[test]
fn linphonec_refreshes_the_session() {
    if wanted("linphonec_refreshes_the_session", &[LINPHONE]) {
        thread::scope(|scope| {
            scope.spawn(calls_and_refreshes);
            scope.spawn(is_called_and_the_session_is_refreshed);
        });
    }
}

/// Whoever it is that refreshes: after half the session one has.
fn is_called_and_the_session_is_refreshed() {
    let mut phone = Phone::start(&LINPHONEC, "linphonec_is_refreshed");
    let mut call = Call::start(phone.address, &["--hold", "50", "--session-expires", "90"]);
    phone.answer();
    call.wait_to_say_times(" refreshed", 1, Duration::from_secs(45) + PATIENCE);
    let (status, report) = call.end(Duration::from_secs(20) + DRAIN);
    phone.quit();
    check(&report);
    report.check_said("hung up, Local", 1);
    assert!(status.success(), "call: {status}");
}

fn calls_and_refreshes() {
    let mut answer = Answer::start(&["--session-expires", "90", "--stop-after", "1"]);
    let mut phone = Phone::start(&LINPHONEC, "linphonec_refreshes");
    phone.call(answer.address);
    // It is due after half the session.
    answer.wait_to_say(" refreshed", Duration::from_secs(45) + PATIENCE);
    phone.hang_up();
    let report = answer.end(DRAIN);
    phone.quit();
    check(&report);
    report.check_said("hung up, Remote", 1);
}

fn configure_linphonec(folder: &Path, port: u16) {
    let media = free_port();
    let config = format!(
        "[sip]\n\
         sip_port={port}\n\
         sip_tcp_port=0\n\
         sip_tls_port=0\n\
         bind_address=127.0.0.1\n\
         use_ipv6=0\n\
         contact=sip:bob@127.0.0.1:{port}\n\
         100rel_support_level=1\n\
         session_expires_enabled=1\n\
         session_expires_value=90\n\
         session_expires_min_value=90\n\
         [rtp]\n\
         audio_rtp_port={media}\n\
         nortp_timeout=300\n\
         [misc]\n\
         log_collection=0\n"
    );
    fs::write(folder.join("linphonerc"), config).unwrap();
    fs::create_dir_all(folder.join(".local/share/linphone")).unwrap();
}

fn configure_twinkle(folder: &Path, port: u16) {
    let media = free_port();
    let own = folder.join(".twinkle");
    fs::create_dir(&own).unwrap();
    let profile = "user_name=bob\n\
                   user_domain=127.0.0.1\n\
                   register_at_startup=no\n\
                   ext_100rel=supported\n\
                   hold_variant=rfc3264\n\
                   codecs=g711a,g711u\n\
                   sip_transport=udp\n";
    fs::write(own.join("bob.cfg"), profile).unwrap();
    let system = format!(
        "dev_ringtone=alsa:null\n\
         dev_speaker=alsa:null\n\
         dev_mic=alsa:null\n\
         validate_audio_dev=no\n\
         play_ringtone=no\n\
         play_ringback=no\n\
         log_show_debug=no\n\
         log_show_memory=no\n\
         log_show_stun=no\n\
         sip_port={port}\n\
         rtp_port={media}\n"
    );
    fs::write(own.join("twinkle.sys"), system).unwrap();
}
