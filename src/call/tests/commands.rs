//! Every command in every state: carried out, harmless, or a misuse that changes nothing.

use alloc::string::String;
use alloc::vec::Vec;

use super::script::{Script, nothing, outgoing, sdp};
use crate::call::{Command, ServerId};
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::{Body, StatusCode};

const VERBS: [&str; 8] = [
    "progress",
    "answer",
    "reject",
    "acknowledge",
    "hang up",
    "update",
    "request",
    "respond",
];

fn commands(outgoing: &crate::message::Outgoing) -> [Command; 8] {
    let outgoing = || outgoing.clone();
    [
        Command::Progress {
            status: StatusCode::RINGING,
            outgoing: outgoing(),
        },
        // 13.3.1.4: without a session description it would be a misuse in every state.
        Command::Answer(outgoing().with_body(Body::sdp("answer"))),
        Command::Reject {
            status: StatusCode::BUSY_HERE,
            outgoing: outgoing(),
        },
        Command::Acknowledge(outgoing()),
        Command::HangUp(outgoing()),
        Command::Reinvite(outgoing()),
        Command::Request {
            method: "INFO".into(),
            outgoing: outgoing(),
        },
        Command::Respond {
            server: ServerId(2),
            status: StatusCode::OK,
            outgoing: outgoing(),
        },
    ]
}

fn states() -> Vec<(&'static str, Script)> {
    let inviting = Script::place();
    let mut cancelled = Script::place();
    cancelled.hang_up();
    let incoming = Script::incoming();
    let mut unacked = Script::incoming();
    unacked.command(Command::Answer(sdp("answer"))).unwrap();
    let idle = Script::confirmed_as_caller();
    let mut owed = Script::confirmed_as_caller();
    owed.command(Command::Reinvite(nothing())).unwrap();
    let mut updating = Script::confirmed_as_caller();
    updating.command(Command::Reinvite(sdp("offer"))).unwrap();
    owed.respond_with("INVITE 2", 200, Some("a"), &[], Some("offer"));
    let mut reoffered = Script::confirmed_as_caller();
    reoffered.request("INVITE", 5, "a");
    let mut asked = Script::confirmed_as_caller();
    asked.request("INFO", 5, "a");
    let mut leaving = Script::confirmed_as_caller();
    leaving.hang_up();
    let mut lingering = Script::placed_and_answered();
    lingering.request("BYE", 5, "a");
    let mut terminated = Script::incoming();
    terminated.hang_up();
    Vec::from([
        ("inviting", inviting),
        ("cancelled", cancelled),
        ("incoming", incoming),
        ("unacked", unacked),
        ("idle", idle),
        ("answer owed", owed),
        ("updating", updating),
        ("reoffered", reoffered),
        ("asked", asked),
        ("leaving", leaving),
        ("lingering", lingering),
        ("terminated", terminated),
    ])
}

/// One row a state, one word a verb, in the order of `VERBS`.
const TABLE: [(&str, &str); 12] = [
    (
        "inviting",
        "misuse misuse misuse misuse done misuse misuse nothing",
    ),
    (
        "cancelled",
        "misuse misuse misuse misuse nothing misuse misuse nothing",
    ),
    (
        "incoming",
        "done done done misuse done misuse misuse nothing",
    ),
    (
        "unacked",
        "misuse misuse misuse misuse waits misuse done nothing",
    ),
    ("idle", "misuse misuse misuse misuse done done done nothing"),
    (
        "answer owed",
        "misuse misuse misuse done done misuse misuse nothing",
    ),
    (
        "updating",
        "misuse misuse misuse misuse done misuse done nothing",
    ),
    (
        "reoffered",
        "done done done misuse done misuse done nothing",
    ),
    ("asked", "misuse misuse misuse misuse done done done done"),
    (
        "leaving",
        "misuse misuse misuse misuse nothing misuse misuse nothing",
    ),
    (
        "lingering",
        "nothing nothing nothing nothing nothing nothing nothing nothing",
    ),
    (
        "terminated",
        "nothing nothing nothing nothing nothing nothing nothing nothing",
    ),
];

#[test]
fn every_state_every_command_does_what_the_table_says() {
    for ((name, script), (row, expected)) in states().into_iter().zip(TABLE) {
        assert_eq!(name, row);
        let mut got = Vec::new();
        for (at, verb) in VERBS.iter().enumerate() {
            // Each from a fresh copy: the states are built again.
            let (_, mut script) = states()
                .into_iter()
                .find(|(other, _)| *other == name)
                .unwrap();
            script.skip();
            let before = script.call.clone();
            let command = commands(&nothing())[at].clone();
            let result = script.command(command);
            got.push(match (result, script.take().is_empty()) {
                (Err(Misuse::WrongState { .. }), true) => "misuse",
                (Ok(()), false) => "done",
                (Ok(()), true) if script.call == before => "nothing",
                (Ok(()), true) => "waits",
                (other, _) => panic!("{name}, {verb}: {other:?}"),
            });
        }
        assert_eq!(got.join(" "), expected, "{name}: {VERBS:?}");
        drop(script);
    }
}

#[test]
fn every_live_state_refuses_headers_of_the_core() {
    let reserved = outgoing(&[("Via", "SIP/2.0/UDP evil.example.org")]);
    for (name, _) in states() {
        if matches!(name, "lingering" | "terminated") {
            continue;
        }
        for (verb, command) in VERBS.iter().zip(commands(&reserved)) {
            let (_, mut script) = states()
                .into_iter()
                .find(|(other, _)| *other == name)
                .unwrap();
            script.skip();
            let result = script.command(command);
            let refused = matches!(
                result,
                Err(Misuse::ReservedHeader { name: "Via" } | Misuse::WrongState { .. })
            );
            assert!(refused, "{name}, {verb}: {result:?}");
            let none: [String; 0] = [];
            assert_eq!(script.take(), none, "{name}, {verb}");
        }
    }
}

#[test]
fn confirmed_request_of_a_method_with_a_verb_of_its_own_is_a_misuse() {
    let mut s = Script::confirmed_as_caller();
    for method in [
        "INVITE",
        "ACK",
        "CANCEL",
        "BYE",
        "",
        "IN FO",
        "INFO\r\nX: y",
    ] {
        let result = s.command(Command::Request {
            method: method.into(),
            outgoing: nothing(),
        });
        assert_eq!(
            result,
            Err(Misuse::Malformed { what: "method" }),
            "{method}"
        );
    }
    // Methods are compared with case (7.1): this is another one.
    let result = s.command(Command::Request {
        method: "bye".into(),
        outgoing: nothing(),
    });
    assert_eq!(result, Ok(()));
}

#[test]
fn every_state_every_command_of_what_is_due_fires_first() {
    let mut s = Script::incoming();
    s.now = crate::time::Time::from_secs(180);
    // L3: too late, the core has said 480 by now.
    assert_eq!(s.command(Command::Answer(sdp("answer"))), Ok(()));
    assert_eq!(
        s.take(),
        ["480 INVITE 100", "ended: unanswered", "terminated"]
    );
    assert!(s.call.is_terminated());
}
