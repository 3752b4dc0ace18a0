//! What SIPp and baresip do not ask of the examples: their command lines, and the replies that
//! `answer` owes to requests other than a call that is taken.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::examples::{Answer, Call, DRAIN, path};
use super::socket::{OFFER, Socket, header};
use super::{Process, wanted};

#[test]
fn examples_explain_themselves() {
    if !wanted("examples_explain_themselves", &[]) {
        return;
    }
    let limit = Duration::from_secs(10);
    for (example, option) in [("answer", "--listen"), ("call", "--to")] {
        let mut help = Process::start(example, Command::new(path(example)).arg("--help"));
        assert!(help.wait(limit).success(), "{}", help.transcript());
        assert!(
            help.stdout().iter().any(|line| line.contains(option)),
            "{}",
            help.transcript()
        );
        for wrong in [&["--no-such-option"][..], &[option], &[option, "nowhere"]] {
            let mut refused = Process::start(example, Command::new(path(example)).args(wrong));
            let status = refused.wait(limit);
            let said = refused.transcript();
            assert!(
                matches!(status.code(), Some(code) if code != 0 && code != 101),
                "{said}"
            );
            assert!(
                said.contains(wrong.last().unwrap()),
                "it names what is wrong: {said}"
            );
        }
    }
}

#[test]
fn answer_that_is_interrupted_twice_exits_at_once() {
    if !wanted("answer_that_is_interrupted_twice_exits_at_once", &[]) {
        return;
    }
    let mut answer = Answer::start(&[]);
    let caller = Caller::of(&answer);
    let ok = caller.exchange("INVITE", 1, "invite", &caller.to(), OFFER);
    assert!(ok.starts_with("SIP/2.0 200 "), "{ok}");
    caller.send("ACK", 1, "ack", &header(&ok, "To"), "");
    answer.interrupt();
    // It hangs up, and nobody answers: it would wait for 64*T1.
    caller.socket.receive(|m| m.starts_with("BYE "));
    answer.interrupt();
    answer.wait(Duration::from_secs(5));
}

#[test]
fn answer_on_the_wildcard_serves_both_families() {
    if !wanted("answer_on_the_wildcard_serves_both_families", &[]) {
        return;
    }
    if UdpSocket::bind("[::1]:0").is_err() {
        eprintln!("skipped: no IPv6 here");
        return;
    }
    let arguments = ["--listen", "udp:[::]:0", "--hang-up-after", "0.2"];
    let mut answer = Answer::start(&[&arguments[..], &["--stop-after", "2"]].concat());
    let port = answer.address.port();
    let mut calls = ["127.0.0.1", "::1"].map(|host| {
        let host: IpAddr = host.parse().unwrap();
        let from = format!("udp:{}", SocketAddr::new(host, 0));
        Call::start(
            SocketAddr::new(host, port),
            &["--listen", &from, "--hold", "30"],
        )
    });
    // The callee's BYE goes to a Contact of either family.
    let report = answer.end(DRAIN);
    report.check("answered", 2);
    report.check("bye_timeout", 0);
    for call in &mut calls {
        assert!(call.end(DRAIN).0.success());
    }
}

#[test]
fn answer_that_rejects_says_so() {
    if !wanted("answer_that_rejects_says_so", &[]) {
        return;
    }
    let answer = Answer::start(&["--reject", "486"]);
    let caller = Caller::of(&answer);
    let busy = caller.exchange("INVITE", 1, "invite", &caller.to(), OFFER);
    assert!(busy.starts_with("SIP/2.0 486 "), "{busy}");
    caller.send("ACK", 1, "invite", &header(&busy, "To"), "");
    let report = answer.stop();
    for (name, expected) in [
        ("calls", 1),
        ("rejected", 1),
        ("answered", 0),
        ("failed", 0),
    ] {
        report.check(name, expected);
    }
    report.check_nothing_left();
}

#[test]
fn answer_that_is_cancelled_while_it_rings_says_487() {
    if !wanted("answer_that_is_cancelled_while_it_rings_says_487", &[]) {
        return;
    }
    let answer = Answer::start(&["--ring", "60"]);
    let caller = Caller::of(&answer);
    caller.send("INVITE", 1, "invite", &caller.to(), OFFER);
    caller.socket.receive(|m| m.starts_with("SIP/2.0 180 "));
    caller.send("CANCEL", 1, "invite", &caller.to(), "");
    // 3261-9.2-07, 3261-9.2-11
    let mut finals = [
        caller.socket.receive(|m| is_final(m, "1 ")),
        caller.socket.receive(|m| is_final(m, "1 ")),
    ];
    finals.sort();
    let [ok, terminated] = finals;
    assert!(
        ok.starts_with("SIP/2.0 200 ") && header(&ok, "CSeq") == "1 CANCEL",
        "{ok}"
    );
    assert!(terminated.starts_with("SIP/2.0 487 "), "{terminated}");
    assert_eq!(header(&terminated, "CSeq"), "1 INVITE");
    caller.send("ACK", 1, "invite", &header(&terminated, "To"), "");
    let report = answer.stop();
    for (name, expected) in [
        ("calls", 1),
        ("cancelled", 1),
        ("answered", 0),
        ("failed", 0),
    ] {
        report.check(name, expected);
    }
    report.check_nothing_left();
}

#[test]
fn answer_that_hangs_up_sends_a_bye() {
    if !wanted("answer_that_hangs_up_sends_a_bye", &[]) {
        return;
    }
    let answer = Answer::start(&["--hang-up-after", "1"]);
    let caller = Caller::of(&answer);
    let ok = caller.exchange("INVITE", 1, "invite", &caller.to(), OFFER);
    caller.send("ACK", 1, "ack", &header(&ok, "To"), "");
    let bye = caller.socket.receive(|m| m.starts_with("BYE "));
    caller
        .socket
        .send(caller.there, &caller.socket.response("200 OK", &bye, ""));
    let report = answer.stop();
    for (name, expected) in [
        ("calls", 1),
        ("answered", 1),
        ("failed", 0),
        ("bye_timeout", 0),
    ] {
        report.check(name, expected);
    }
    report.check_nothing_left();
}

#[test]
fn answer_gives_requests_outside_a_call_what_they_are_owed() {
    if !wanted(
        "answer_gives_requests_outside_a_call_what_they_are_owed",
        &[],
    ) {
        return;
    }
    let answer = Answer::start(&[]);
    let caller = Caller::of(&answer);
    let options = caller.exchange("OPTIONS", 1, "options", &caller.to(), "");
    assert!(options.starts_with("SIP/2.0 200 "), "{options}");
    for name in ["Allow", "Accept", "Supported"] {
        header(&options, name);
    }
    // 3261-15.1.2-01, 3261-12.2.2-03
    let to = format!("{};tag=nobody", caller.to());
    let bye = caller.exchange("BYE", 2, "bye", &to, "");
    assert!(bye.starts_with("SIP/2.0 481 "), "{bye}");
    // 3261-8.2.1-01, 3261-8.2.1-02
    let publish = caller.exchange("PUBLISH", 3, "publish", &caller.to(), "");
    assert!(publish.starts_with("SIP/2.0 405 "), "{publish}");
    assert!(header(&publish, "Allow").contains("INVITE"), "{publish}");
    // 3261-9.2-05
    let cancel = caller.exchange("CANCEL", 4, "none", &caller.to(), "");
    assert!(cancel.starts_with("SIP/2.0 481 "), "{cancel}");
    let report = answer.stop();
    report.check("calls", 0);
    report.check_nothing_left();
}

/// The caller's side of one Call-ID.
struct Caller {
    socket: Socket,
    there: SocketAddr,
}

impl Caller {
    fn of(answer: &Answer) -> Self {
        Self {
            socket: Socket::bound(),
            there: answer.address,
        }
    }

    /// The To of a request outside a dialog.
    fn to(&self) -> String {
        format!("<sip:bob@{}>", self.there)
    }

    fn send(&self, method: &str, number: u32, branch: &str, to: &str, body: &str) {
        let id = "by-hand@127.0.0.1";
        let request = self
            .socket
            .request(method, self.there, id, number, branch, to, body);
        self.socket.send(self.there, &request);
    }

    /// Sends a request and gives back the final response to it.
    fn exchange(&self, method: &str, number: u32, branch: &str, to: &str, body: &str) -> String {
        self.send(method, number, branch, to, body);
        self.socket
            .receive(|m| is_final(m, &format!("{number} {method}")))
    }
}

/// Whether it is a final response with a CSeq that begins like this.
fn is_final(message: &str, sequence: &str) -> bool {
    message.starts_with("SIP/2.0 ")
        && !message.starts_with("SIP/2.0 1")
        && header(message, "CSeq").starts_with(sequence)
}
