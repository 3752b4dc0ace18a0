//! What the tests of the four machines share: messages, timed scripts, tables.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Debug, Write as _};
use core::time::Duration;

use bytes::Bytes;

use super::Reliability;
use super::timers::Running;
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::{Message, Request, Response, StatusCode};
use crate::time::Time;

pub(super) const BOTH: [Reliability; 2] = [Reliability::Unreliable, Reliability::Reliable];

/// With all that an ACK must take over, and all that it must leave behind.
pub(super) const INVITE: &str = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n\
    Via: SIP/2.0/UDP pc33.atlanta.example.com:5066;branch=z9hG4bKnashds8;rport\r\n\
    Via: SIP/2.0/UDP inner.atlanta.example.com;branch=z9hG4bKinner\r\n\
    Route: <sip:p1.example.com;lr>\r\n\
    Route: <sip:p2.example.com;lr>\r\n\
    Max-Forwards: 68\r\n\
    To: Bob <sip:bob@biloxi.example.com>\r\n\
    From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
    Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
    CSeq: 314159 INVITE\r\n\
    Authorization: Digest username=\"alice\", nonce=\"1\"\r\n\
    Proxy-Authorization: Digest username=\"alice\", nonce=\"2\"\r\n\
    Require: 100rel\r\n\
    Proxy-Require: foo\r\n\
    Timestamp: 54\r\n\
    Contact: <sip:alice@pc33.atlanta.example.com>\r\n\
    Content-Type: application/sdp\r\n\
    Content-Length: 4\r\n\r\nv=0\n";

pub(crate) fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

pub(super) fn invite() -> Bytes {
    Bytes::from_static(INVITE.as_bytes())
}

pub(super) fn request(text: &str) -> Request {
    let message = Message::parse(text.to_string().into()).unwrap();
    Request::try_from(message).unwrap()
}

/// A response to [`INVITE`], with what else a peer may put into it.
pub(super) fn response(status: u16) -> Response {
    tagged(status, "a6c85cf", "INVITE")
}

/// A response with this To tag and method of CSeq.
pub(super) fn tagged(status: u16, to_tag: &str, method: &str) -> Response {
    let text = format!(
        "SIP/2.0 {status} As It Is\r\n\
        Via: SIP/2.0/UDP pc33.atlanta.example.com:5066;branch=z9hG4bKnashds8;rport=5066\r\n\
        Record-Route: <sip:other.example.com;lr>\r\n\
        To: Bob <sip:bob@biloxi.example.com>;tag={to_tag}\r\n\
        From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
        Call-ID: a84b4c76e66710@pc33.atlanta.example.com\r\n\
        CSeq: 314159 {method}\r\n\
        Contact: <sip:bob@192.0.2.4>\r\n\r\n"
    );
    Response::try_from(Message::parse(text.into()).unwrap()).unwrap()
}

pub(crate) fn status(code: u16) -> StatusCode {
    StatusCode::new(code).unwrap()
}

/// What a user writes; the transaction never looks inside.
pub(super) fn written(code: u16) -> Bytes {
    Bytes::from(format!("SIP/2.0 {code} Written\r\n\r\n"))
}

/// A machine whose every deadline is served at its instant.
#[derive(Clone)]
pub(crate) struct Timed<M: Machine> {
    pub(crate) machine: M,
    /// What the constructor pushed.
    pub(crate) first: Vec<M::Action>,
}

impl<M: Machine> Timed<M> {
    pub(crate) fn new(start: impl FnOnce(&mut Vec<M::Action>) -> M) -> Self {
        let mut first = Vec::new();
        let machine = start(&mut first);
        Self { machine, first }
    }

    /// Serves every deadline up to and at `end`: when, in milliseconds, and what.
    pub(crate) fn until(&mut self, end: u64) -> Vec<(u64, M::Action)> {
        let mut log = Vec::new();
        while let Some(at) = self.machine.deadline().filter(|at| *at <= ms(end)) {
            self.machine.on_deadline(at, &mut |action| {
                log.push((at.as_nanos() / 1_000_000, action));
            });
        }
        log
    }

    /// The instants at which something happens up to and at `end`.
    pub(crate) fn instants(&mut self, end: u64) -> Vec<u64> {
        let mut at: Vec<_> = self.until(end).into_iter().map(|(at, _)| at).collect();
        at.dedup();
        at
    }

    pub(crate) fn receive(&mut self, at: u64, event: M::Event) -> Vec<M::Action> {
        let mut out = Vec::new();
        self.machine.receive(ms(at), event, &mut out);
        out
    }

    pub(crate) fn command(
        &mut self,
        at: u64,
        command: M::Command,
    ) -> Result<Vec<M::Action>, Misuse> {
        let mut out = Vec::new();
        self.machine.command(ms(at), command, &mut out)?;
        Ok(out)
    }
}

/// One cell of a machine's figure.
pub(super) struct Cell {
    pub(super) state: String,
    pub(super) input: String,
    pub(super) actions: String,
    pub(super) next: String,
    pub(super) timers: String,
}

/// Actions as a reviewer reads them.
pub(super) fn actions<A: Debug>(actions: &[A]) -> String {
    let words: Vec<String> = actions.iter().map(action).collect();
    words.join(", ")
}

fn action(action: &impl Debug) -> String {
    let text = format!("{action:?}");
    if text.starts_with("Failed") {
        return text;
    }
    let Some((name, rest)) = text.split_once('(') else {
        return text;
    };
    let Some(bytes) = rest.strip_prefix("b\"") else {
        return name.into();
    };
    let bytes = bytes.strip_prefix("SIP/2.0 ").unwrap_or(bytes);
    let what = bytes.split(' ').next().unwrap_or_default();
    format!("{name} {what}")
}

/// Timers with the seconds that are left at `now`.
pub(super) fn timers<T: Debug>(running: Running<T>, now: Time) -> String {
    let all = [running.ends, running.repeats].into_iter().flatten();
    let words: Vec<String> = all
        .map(|(at, timer)| {
            let left: Duration = at.saturating_since(now);
            format!("{timer:?} {}", left.as_secs_f64())
        })
        .collect();
    words.join(", ")
}

/// The cells in columns.
pub(super) fn matrix(cells: &[Cell]) -> String {
    let head = Cell {
        state: "state".into(),
        input: "input".into(),
        actions: "actions".into(),
        next: "next state".into(),
        timers: "timers".into(),
    };
    let mut text = String::new();
    let mut last = "";
    for cell in core::iter::once(&head).chain(cells) {
        if cell.state != last && !last.is_empty() {
            text.push('\n');
        }
        last = &cell.state;
        let dash = |s: &str| {
            if s.is_empty() {
                "-".into()
            } else {
                s.to_string()
            }
        };
        let next = if cell.next == cell.state {
            String::new()
        } else {
            cell.next.clone()
        };
        let line = format!(
            "{:<20} | {:<18} | {:<40} | {:<20} | {}",
            cell.state,
            cell.input,
            dash(&cell.actions),
            dash(&next),
            dash(&cell.timers),
        );
        writeln!(text, "{}", line.trim_end()).unwrap();
    }
    text
}

/// The cells that do something, as a graph.
pub(super) fn dot(name: &str, cells: &[Cell]) -> String {
    let mut text = format!("digraph {name} {{\n");
    for cell in cells {
        if cell.actions.is_empty() && cell.next == cell.state {
            continue;
        }
        let Cell {
            state,
            input,
            actions,
            next,
            ..
        } = cell;
        writeln!(
            text,
            "    \"{state}\" -> \"{next}\" [label=\"{input}\\n{actions}\"]"
        )
        .unwrap();
    }
    text.push_str("}\n");
    text
}

/// Checks rows of state, input, actions and next state; one that does nothing changes nothing.
pub(super) fn assert_rows(cells: &[Cell], rows: &[(&str, &str, &str, &str)]) {
    let timers_in = |state: &str| {
        let own = cells
            .iter()
            .find(|c| c.state == state && c.next == state && c.actions.is_empty());
        own.map(|cell| cell.timers.clone())
    };
    for &(state, input, actions, next) in rows {
        let cell = cells.iter().find(|c| c.state == state && c.input == input);
        let cell = cell.unwrap_or_else(|| panic!("no cell for {state}, {input}"));
        assert_eq!(
            (&*cell.actions, &*cell.next),
            (actions, next),
            "{state}, {input}"
        );
        if actions.is_empty() && next == state {
            assert_eq!(
                Some(&cell.timers),
                timers_in(state).as_ref(),
                "{state}, {input}"
            );
        }
    }
}

/// Compares with the committed snapshots; `INSTA_UPDATE=always` rewrites them.
pub(super) fn assert_figure(name: &str, cells: &[Cell]) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::assert_snapshot!(format!("{name}_matrix"), matrix(cells));
        insta::assert_snapshot!(format!("{name}_dot"), dot(name, cells));
    });
}

/// In every one of these states the machine has not ended, and moves with its clock: what was due
/// at some time is due as much later by a clock that shows more.
pub(super) fn moves_with_its_clock<M: Machine + Clone>(states: &[Timed<M>]) {
    for (at, script) in states.iter().enumerate() {
        assert!(!script.machine.is_terminated(), "{at}");
        let due = script.machine.deadline();
        let mut moved = script.machine.clone();
        moved.rebase(ms(0), ms(1_000_000));
        let later = due.and_then(|due| due + Duration::from_secs(1_000));
        assert_eq!(moved.deadline(), later, "{at}");
    }
}
