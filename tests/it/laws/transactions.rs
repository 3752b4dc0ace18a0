//! The laws on the four transaction machines.

use std::time::Duration;

use bytes::Bytes;
use drongo::machine::Leaf;
use drongo::message::{Message, Reply, Request, Response, StatusCode};
use drongo::time::Time;
use drongo::transaction::{
    InviteClient, InviteServer, NonInviteClient, NonInviteServer, Reliability, Timers,
    invite_client, invite_server, non_invite_client, non_invite_server,
};
use proptest::prelude::*;

use super::{Subject, check_exhaustively, check_script, choices, chosen, must_keep_the_laws};

/// A transport and its timers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct On {
    reliability: Reliability,
    timers: Timers,
}

/// The default, the ties (T1 = T2), the extremes.
fn all() -> Vec<On> {
    let timers = |t1, t2, t4, trying| {
        let mut timers = Timers::DEFAULT;
        timers.t1 = t1;
        timers.t2 = t2;
        timers.t4 = t4;
        timers.trying = trying;
        timers
    };
    let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
    let all = [
        Timers::DEFAULT,
        timers(second, second, second * 64, second),
        timers(second * 9, second, zero, zero),
        timers(zero, zero, zero, second),
        timers(Duration::MAX, Duration::MAX, Duration::MAX, Duration::MAX),
    ];
    let with = |reliability| {
        all.map(|timers| On {
            reliability,
            timers,
        })
    };
    [with(Reliability::Unreliable), with(Reliability::Reliable)].concat()
}

pub(crate) fn request(method: &str) -> Bytes {
    Bytes::from(format!(
        "{method} sip:bob@biloxi.example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example.com;branch=z9hG4bKnashds8\r\n\
         Max-Forwards: 70\r\n\
         To: Bob <sip:bob@biloxi.example.com>\r\n\
         From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
         CSeq: 314159 {method}\r\n\r\n"
    ))
}

pub(crate) fn parsed(method: &str) -> Request {
    Request::try_from(Message::parse(request(method)).unwrap()).unwrap()
}

pub(crate) fn response(bytes: Bytes) -> Response {
    Response::try_from(Message::parse(bytes).unwrap()).unwrap()
}

pub(crate) fn written(method: &str, status: u16) -> Bytes {
    let reply = Reply::new(&parsed(method));
    let status = StatusCode::new(status).unwrap();
    reply.write(status, None, Some("a6c85cf"), &Default::default(), None)
}

fn responses(method: &str, statuses: &[u16]) -> Vec<Response> {
    statuses
        .iter()
        .map(|s| response(written(method, *s)))
        .collect()
}

macro_rules! subject {
    ($name:ident, $machine:ty, $module:ident, |$on:ident, $now:ident, $out:ident| $fresh:expr,
     $events:expr, $commands:expr) => {
        struct $name {
            on: On,
            events: Vec<$module::Event>,
            commands: Vec<$module::Command>,
        }

        impl $name {
            fn new(on: On) -> Self {
                let (events, commands) = ($events, $commands);
                Self {
                    on,
                    events,
                    commands,
                }
            }
        }

        impl Subject for $name {
            type Machine = $machine;

            fn fresh(&self, $now: Time, $out: &mut Vec<$module::Action>) -> $machine {
                let $on = self.on;
                $fresh
            }

            fn events(&self) -> &[$module::Event] {
                &self.events
            }

            fn commands(&self) -> &[$module::Command] {
                &self.commands
            }

            fn is_last(&self, action: &$module::Action) -> bool {
                matches!(action, $module::Action::Terminated)
            }

            fn is_repetition(&self, action: &$module::Action) -> bool {
                matches!(action, $module::Action::Transmit(_))
            }

            fn phase(&self, machine: &$machine) -> &'static str {
                machine.state()
            }

            fn max_actions(&self, _: &$machine) -> usize {
                <$machine>::MAX_ACTIONS
            }
        }
    };
}

subject!(
    OfInviteClient,
    InviteClient,
    invite_client,
    |on, now, out| InviteClient::new(now, on.timers, on.reliability, request("INVITE"), out),
    {
        use invite_client::Event;
        let responses = responses("INVITE", &[180, 200, 486]);
        responses
            .into_iter()
            .map(|response| Event::Response(response.into()))
            .chain([Event::TransportError])
            .collect()
    },
    vec![invite_client::Command::Cancel]
);

subject!(
    OfNonInviteClient,
    NonInviteClient,
    non_invite_client,
    |on, now, out| NonInviteClient::new(now, on.timers, on.reliability, request("OPTIONS"), out),
    {
        use non_invite_client::Event;
        let responses = responses("OPTIONS", &[100, 404]);
        responses
            .into_iter()
            .map(|response| Event::Response(response.into()))
            .chain([Event::TransportError])
            .collect()
    },
    vec![]
);

subject!(
    OfInviteServer,
    InviteServer,
    invite_server,
    |on, now, out| {
        let reply = Reply::new(&parsed("INVITE"));
        InviteServer::new(now, on.timers, on.reliability, reply, out)
    },
    {
        use invite_server::Event;
        vec![
            Event::Invite,
            Event::Ack(parsed("ACK").into()),
            Event::TransportError,
        ]
    },
    [180, 200, 486]
        .map(|code| invite_server::Command::Respond {
            status: StatusCode::new(code).unwrap(),
            bytes: written("INVITE", code),
        })
        .into()
);

subject!(
    OfNonInviteServer,
    NonInviteServer,
    non_invite_server,
    |on, now, _out| {
        let reply = Reply::new(&parsed("OPTIONS"));
        NonInviteServer::new(now, on.timers, on.reliability, reply)
    },
    {
        use non_invite_server::Event;
        vec![Event::Request, Event::TransportError]
    },
    [100, 180, 404, 408]
        .map(|code| non_invite_server::Command::Respond {
            status: StatusCode::new(code).unwrap(),
            bytes: written("OPTIONS", code),
        })
        .into()
);

/// A script of the fuzzer.
pub(super) fn script(which: u8, on: u8, choices: &[(u8, i32)]) {
    let all = all();
    let on = all[usize::from(on) % all.len()];
    match which {
        0 => must_keep_the_laws(&OfInviteClient::new(on), choices),
        1 => must_keep_the_laws(&OfInviteServer::new(on), choices),
        2 => must_keep_the_laws(&OfNonInviteClient::new(on), choices),
        _ => must_keep_the_laws(&OfNonInviteServer::new(on), choices),
    }
}

/// All scripts of some length over every transport; all states must be met, and the bound on the
/// actions must be met exactly.
fn exhaustively<S: Subject>(with: impl Fn(On) -> S, phases: usize, max: usize) {
    let mut most = 0;
    for on in all() {
        let depth = if on.timers == Timers::DEFAULT { 5 } else { 4 };
        let tally = check_exhaustively(&with(on), depth).unwrap_or_else(|v| panic!("{on:?}: {v}"));
        most = most.max(tally.most_actions);
        if on.timers == Timers::DEFAULT && on.reliability == Reliability::Unreliable {
            assert_eq!(tally.phases.len(), phases, "{:?}", tally.phases);
            assert!(tally.situations > 100, "{}", tally.situations);
        }
    }
    assert_eq!(most, max, "the bound is not tight");
}

#[test]
fn invite_client_keeps_the_laws() {
    exhaustively(OfInviteClient::new, 5, InviteClient::MAX_ACTIONS);
}

#[test]
fn non_invite_client_keeps_the_laws() {
    exhaustively(OfNonInviteClient::new, 4, NonInviteClient::MAX_ACTIONS);
}

#[test]
fn invite_server_keeps_the_laws() {
    exhaustively(OfInviteServer::new, 5, InviteServer::MAX_ACTIONS);
}

#[test]
fn non_invite_server_keeps_the_laws() {
    exhaustively(OfNonInviteServer::new, 4, NonInviteServer::MAX_ACTIONS);
}

macro_rules! long_scripts_keep_the_laws {
    ($($test:ident: $subject:ident,)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $test(on in 0..all().len(), choices in choices()) {
                    let subject = $subject::new(all()[on]);
                    let checked = check_script(&subject, &chosen(&subject, &choices));
                    checked.map_err(|violation| TestCaseError::fail(violation.to_string()))?;
                }
            )*
        }
    };
}

long_scripts_keep_the_laws! {
    invite_client_keeps_the_laws_for_long: OfInviteClient,
    non_invite_client_keeps_the_laws_for_long: OfNonInviteClient,
    invite_server_keeps_the_laws_for_long: OfInviteServer,
    non_invite_server_keeps_the_laws_for_long: OfNonInviteServer,
}
