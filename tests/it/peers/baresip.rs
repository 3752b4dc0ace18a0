//! baresip, headless and without an audio device, calls `answer` and is called by `call`: hold and
//! resume from either side, and either side hangs up.
//!
//! baresip 1.0.0 takes samples from a WAV file, and hangs up by itself when the file ends ("audio
//! error (0,end of file)"): a hang-up that comes a while after the answer, however slow the machine.
//! It needs `net_interface` to keep it on loopback, in its SDP too, exits 0 on SIGINT, and takes
//! keys by datagrams to its console (`x` holds, `X` resumes, `b` hangs up). It has neither reliable
//! provisional responses nor session timers. With a certificate it listens for TLS on the port behind
//! its own, and an account with `transport=tls` calls over it. It sends ACK and BYE of a `sip:` call
//! where the Contact says, so that one without `transport=tls` would have them by UDP.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN, Report};
use super::sipp::is_bound;
use super::{BARESIP, Process, free_pair_of_ports, scratch, wanted};

/// How long it may take for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any call here.
const LONG: Duration = Duration::from_secs(60);

/// What the examples do with a call.
const ACTIVE: [&str; 4] = ["--hold-after", "1", "--resume-after", "2.5"];

struct Phone {
    process: Process,
    address: SocketAddr,
    console: SocketAddr,
}

/// Over what it calls and is called.
#[derive(Clone, Copy)]
enum Over {
    Udp,
    #[cfg(feature = "tls")]
    Tls,
}

impl Phone {
    /// One with that much to say; it calls if it is told whom, and answers by itself.
    fn start(test: &str, tone: Duration, to: Option<SocketAddr>) -> Self {
        Self::start_over(Over::Udp, &scratch(test), tone, to)
    }

    fn start_over(over: Over, folder: &Path, tone: Duration, to: Option<SocketAddr>) -> Self {
        let (port, console) = (free_pair_of_ports(), free_pair_of_ports());
        configure(folder, over, (port, console), tone);
        let mut command = Command::new("baresip");
        command.args(["-4", "-t", "120"]);
        if let Some(to) = to {
            command.args(["-e", &format!("/dial sip:bob@{to}")]);
        }
        command.arg("-f").arg(folder);
        let mut process = Process::start("baresip", &mut command);
        for port in [port, console] {
            process.wait_until("bound to its port", PATIENCE, || is_bound(port));
        }
        let here = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            process,
            address: match over {
                Over::Udp => here(port),
                #[cfg(feature = "tls")]
                Over::Tls => here(port + 1),
            },
            console: here(console),
        }
    }

    fn press(&self, key: &str) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(key.as_bytes(), self.console).unwrap();
    }

    fn quit(mut self) {
        self.process.signal("INT");
        let status = self.process.wait(Duration::from_secs(10));
        let said = self.process.transcript();
        assert!(status.success(), "{status}\n{said}");
        assert!(said.contains("Call established: "), "{said}");
    }
}

fn check(report: &Report) {
    report.check("calls", 1);
    report.check("answered", 1);
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
}

fn calls_and_hangs_up() {
    let mut answer = Answer::start(&["--stop-after", "1"]);
    let short = Duration::from_secs(2);
    let phone = Phone::start("baresip_calls", short, Some(answer.address));
    let report = answer.end(Duration::from_secs(20) + DRAIN);
    phone.quit();
    check(&report);
    report.check_said("hung up, Remote", 1);
}

/// The phone has called.
fn holds_resumes_and_hangs_up(mut answer: Answer, phone: Phone) {
    for (key, acknowledged) in [("x", 1), ("X", 2), ("b", 3)] {
        answer.wait_to_say_times(" acknowledged", acknowledged, PATIENCE);
        phone.press(key);
    }
    let report = answer.end(DRAIN);
    phone.quit();
    check(&report);
    report.check_said(" re-INVITE", 2);
    report.check_said("hung up, Remote", 1);
}

/// The phone has called.
fn is_held_resumed_and_hung_up(mut answer: Answer, phone: Phone) {
    let report = answer.end(Duration::from_secs(20) + DRAIN);
    phone.quit();
    check(&report);
    report.check_said(" updated: 200", 2);
    report.check_said("hung up, Local", 1);
}

fn is_called_holds_resumes_and_hangs_up(phone: Phone, mut call: Call) {
    call.wait_to_say_times(" answered", 1, PATIENCE);
    phone.press("x");
    call.wait_to_say_times(" acknowledged", 1, PATIENCE);
    phone.press("X");
    call.wait_to_say_times(" acknowledged", 2, PATIENCE);
    phone.press("b");
    let (status, report) = call.end(DRAIN);
    phone.quit();
    check(&report);
    report.check_said(" re-INVITE", 2);
    report.check_said("hung up, Remote", 1);
    assert!(status.success(), "call: {status}");
}

fn is_called_and_is_held_resumed_and_hung_up(phone: Phone, mut call: Call) {
    let (status, report) = call.end(Duration::from_secs(20) + DRAIN);
    phone.quit();
    check(&report);
    report.check_said(" updated: 200", 2);
    report.check_said("hung up, Local", 1);
    assert!(status.success(), "call: {status}");
}

/// What `answer` is told of a call that it ends, and `call` of one that it ends.
const ENDS: [&str; 4] = ["--hang-up-after", "4", "--stop-after", "1"];
const HOLDS: [&str; 2] = ["--hold", "4"];

/// Both sides of a way that calls go: side by side, as each takes half a minute to drain.
fn play(
    name: &str,
    answer: impl Fn(&[&str]) -> Answer + Sync,
    call: impl Fn(SocketAddr, &[&str]) -> Call + Sync,
    phone: impl Fn(&str, Option<SocketAddr>) -> Phone + Sync,
) {
    let (answer, call, phone) = (&answer, &call, &phone);
    let called = move |of: &str, told: &[&str]| {
        let answer = answer(told);
        let phone = phone(&format!("{name}_{of}"), Some(answer.address));
        (answer, phone)
    };
    let calling = move |of: &str, told: &[&str]| {
        let phone = phone(&format!("{name}_{of}"), None);
        let call = call(phone.address, told);
        (phone, call)
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            let (answer, phone) = called("holds", &["--stop-after", "1"]);
            holds_resumes_and_hangs_up(answer, phone);
        });
        scope.spawn(move || {
            let (answer, phone) = called("is_held", &[&ACTIVE[..], &ENDS].concat());
            is_held_resumed_and_hung_up(answer, phone);
        });
        scope.spawn(move || {
            let (phone, call) = calling("is_called", &["--hold", "60"]);
            is_called_holds_resumes_and_hangs_up(phone, call);
        });
        scope.spawn(move || {
            let (phone, call) = calling("is_called_too", &[&HOLDS[..], &ACTIVE].concat());
            is_called_and_is_held_resumed_and_hung_up(phone, call);
        });
    });
}

#[test]
fn baresip_calls_and_is_called() {
    if wanted("baresip_calls_and_is_called", &[BARESIP]) {
        let phone = |name: &str, to| Phone::start(name, LONG, to);
        thread::scope(|scope| {
            scope.spawn(calls_and_hangs_up);
            scope.spawn(|| play("baresip", Answer::start, Call::start, phone));
        });
    }
}

#[cfg(feature = "tls")]
mod over_tls {
    //! The same over TLS, where each side has a certificate that the other one believes. `answer`
    //! and `call` listen for nothing else, so whatever reaches them came over TLS.

    use super::*;

    /// A folder with a certificate for this machine: alone for those who are to believe it, with
    /// its key for who has it.
    struct Credentials(std::path::PathBuf);

    impl Credentials {
        fn new(test: &str) -> Self {
            let folder = scratch(test);
            let own = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
            let (cert, key) = (own.cert.pem(), own.signing_key.serialize_pem());
            fs::write(folder.join("own.pem"), format!("{key}{cert}")).unwrap();
            fs::write(folder.join("cert.pem"), cert).unwrap();
            fs::write(folder.join("key.pem"), key).unwrap();
            Self(folder)
        }

        /// What an example is told: who it is, and whom to believe.
        fn arguments(&self) -> Vec<String> {
            let path = |name: &str| self.0.join(name).to_str().unwrap().to_owned();
            let (cert, key) = (path("cert.pem"), path("key.pem"));
            let words = [
                "--transport-tls",
                "--cert",
                &cert,
                "--key",
                &key,
                "--ca",
                &cert,
            ];
            words.map(str::to_owned).to_vec()
        }

        fn answer(&self, arguments: &[&str]) -> Answer {
            let own = self.arguments();
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            Answer::start_on("tls", &[&own, arguments].concat())
        }

        fn call(&self, to: SocketAddr, arguments: &[&str]) -> Call {
            let own = self.arguments();
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            let listen = ["--listen", "tls:127.0.0.1:0"];
            let to = format!("sip:bob@{to};transport=tls");
            Call::start_to(&to, &[&listen, own.as_slice(), arguments].concat())
        }

        /// A phone finds them in its own folder.
        fn phone(&self, name: &str, to: Option<SocketAddr>) -> Phone {
            let folder = scratch(name);
            for file in ["own.pem", "cert.pem"] {
                fs::copy(self.0.join(file), folder.join(file)).unwrap();
            }
            Phone::start_over(Over::Tls, &folder, LONG, to)
        }
    }

    #[test]
    fn baresip_calls_and_is_called_over_tls() {
        if wanted("baresip_calls_and_is_called_over_tls", &[BARESIP]) {
            let credentials = Credentials::new("baresip_tls_certificate");
            play(
                "baresip_tls",
                |told| credentials.answer(told),
                |to, told| credentials.call(to, told),
                |name, to| credentials.phone(name, to),
            );
        }
    }
}

fn configure(folder: &Path, over: Over, (port, console): (u16, u16), tone: Duration) {
    let place = folder.display();
    let (transport, secure) = match over {
        Over::Udp => ("", String::new()),
        #[cfg(feature = "tls")]
        Over::Tls => (
            ";transport=tls",
            format!("sip_certificate {place}/own.pem\nsip_cafile {place}/own.pem\n"),
        ),
    };
    let config = format!(
        "module_path /usr/lib/baresip/modules\n\
         sip_listen 127.0.0.1:{port}\n\
         {secure}\
         cons_listen 127.0.0.1:{console}\n\
         net_interface 127.0.0.1\n\
         audio_player aufile,{place}/heard.wav\n\
         audio_source aufile,{place}/tone.wav\n\
         module g711.so\n\
         module aufile.so\n\
         module_tmp account.so\n\
         module_app menu.so\n\
         module cons.so\n"
    );
    fs::write(folder.join("config"), config).unwrap();
    fs::write(
        folder.join("accounts"),
        format!("<sip:bob@127.0.0.1{transport}>;regint=0;answermode=auto\n"),
    )
    .unwrap();
    fs::write(folder.join("contacts"), "").unwrap();
    fs::write(folder.join("tone.wav"), silence(tone)).unwrap();
}

/// A WAV file of zeros: 8,000 samples a second, 16 bits, one channel.
fn silence(length: Duration) -> Vec<u8> {
    let bytes = u32::try_from(length.as_millis() * 16).unwrap();
    let mut wav = b"RIFF".to_vec();
    wav.extend((bytes + 36).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8_000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(bytes.to_le_bytes());
    wav.resize(wav.len() + usize::try_from(bytes).unwrap(), 0);
    wav
}
