//! Streams cut into messages, and connections that live and die, as timed scripts.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::message::{Message, ParseError, ParseErrorKind, StatusCode};
use crate::seed::{Ids, Seed};
use crate::time::Time;

const HEAD: &str = "OPTIONS sip:a@example.com SIP/2.0\r\n\
    Via: SIP/2.0/TCP b.example.com;branch=z9hG4bK1\r\n\
    From: <sip:b@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\n\
    Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n";

fn message(body: &str) -> String {
    format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len())
}

type Frames = Vec<Result<Frame, ParseErrorKind>>;

fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Frames {
    let mut decoder = StreamDecoder::new();
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk);
        while let Some(frame) = decoder.next(&Limits::DEFAULT) {
            frames.push(frame.map_err(|error| error.kind));
        }
    }
    frames
}

fn whole(stream: &str) -> Frames {
    decode([stream.as_bytes()])
}

fn carried(text: &str) -> Result<Frame, ParseErrorKind> {
    Ok(Frame::Message(Bytes::copy_from_slice(text.as_bytes())))
}

fn refused(stream: &str) -> ParseError {
    let mut decoder = StreamDecoder::new();
    decoder.feed(stream.as_bytes());
    let error = decoder.next(&Limits::DEFAULT).unwrap().unwrap_err();
    assert!(decoder.is_lost());
    decoder.feed(message("").as_bytes());
    assert_eq!(decoder.next(&Limits::DEFAULT), None);
    assert_eq!(decoder.buffered(), 0);
    error
}

#[test]
fn messages_end_where_content_length_says() {
    // 3261-7.5-03, 3261-7.5-04
    let (one, two) = (message("SIP/2.0 200 OK\r\n\r\n"), message(""));
    let stream = format!("{one}{two}{one}OPTIONS");
    assert_eq!(
        whole(&stream),
        [carried(&one), carried(&two), carried(&one)]
    );
}

#[test]
fn compact_content_length_counts_as_the_parser_counts_it() {
    // 3261-18.3-10
    let text = format!("{HEAD}l : 3\r\nX-Content-Length: 9\r\n\r\nabcOPTIONS");
    let frames = whole(&text);
    let [Ok(Frame::Message(bytes))] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    assert!(bytes.ends_with(b"\r\n\r\nabc"));
    assert_eq!(&Message::parse(bytes.clone()).unwrap().body()[..], b"abc");
}

#[test]
fn line_breaks_are_pings_only_between_messages() {
    // 3261-7.5-02, 5626-3.5.1-01, 5626-3.5.1-02, 5626-4.4.1-03
    let inside = message("\r\n\r\n\r\n\r\n");
    let stream = format!("\r\n{inside}\r\n\r\n\r\n{inside}");
    let frames = [
        Ok(Frame::Pong),
        carried(&inside),
        Ok(Frame::Pong),
        Ok(Frame::Ping),
        Ok(Frame::Pong),
        carried(&inside),
    ];
    assert_eq!(whole(&stream), frames);
}

#[test]
fn half_line_breaks_between_messages_are_padding() {
    let text = message("");
    let stream = format!("\n\r{text}\n\n\r\r\n{text}");
    assert_eq!(
        whole(&stream),
        [carried(&text), Ok(Frame::Pong), carried(&text)]
    );
}

#[test]
fn length_that_nobody_can_know_ends_the_stream() {
    // 3261-18.3-07, 3261-18.3-08, 3261-18.3-09
    let cases = [
        (
            "",
            ParseErrorKind::Missing(crate::message::Name::ContentLength),
        ),
        ("Content-Length: -1\r\n", ParseErrorKind::ContentLength),
        ("Content-Length: ten\r\n", ParseErrorKind::ContentLength),
        ("Content-Length:\r\n", ParseErrorKind::ContentLength),
        (
            "Content-Length: 99999999999999999999999\r\n",
            ParseErrorKind::ContentLength,
        ),
        (
            "Content-Length: 1\r\nl: 2\r\n",
            ParseErrorKind::ContentLength,
        ),
        (
            "Content-Length: 1073741824\r\n",
            ParseErrorKind::MessageTooLarge,
        ),
        (
            "no colon\r\nContent-Length: 0\r\n",
            ParseErrorKind::HeaderName,
        ),
        ("A: b\nContent-Length: 0\r\n", ParseErrorKind::BareLineBreak),
    ];
    for (rows, kind) in cases {
        let error = refused(&format!("{HEAD}{rows}\r\n"));
        assert_eq!(error.kind, kind, "{rows:?}");
        let status = match kind == ParseErrorKind::MessageTooLarge {
            true => StatusCode::MESSAGE_TOO_LARGE,
            false => StatusCode::BAD_REQUEST,
        };
        assert_eq!(error.status, Some(status), "{rows:?}");
        assert!(error.reply.is_some());
    }
}

#[test]
fn head_without_carriage_returns_or_end_is_given_up() {
    let lines = message("").replace('\r', "");
    assert_eq!(refused(&lines).kind, ParseErrorKind::BareLineBreak);
    let mixed = format!("{HEAD}X: y\n\r\n");
    assert_eq!(refused(&mixed).kind, ParseErrorKind::BareLineBreak);
    let endless = "x".repeat(Limits::DEFAULT.message_bytes + 1);
    assert_eq!(refused(&endless).kind, ParseErrorKind::MessageTooLarge);
    let folded = format!("{HEAD}{}", "X: y\r\n".repeat(12_000));
    assert_eq!(refused(&folded).kind, ParseErrorKind::MessageTooLarge);
}

#[test]
fn fault_that_leaves_the_length_known_leaves_the_stream_readable() {
    // A wrong start line or header value is answered, and the connection goes on.
    let text = message("x").replace("SIP/2.0\r\nVia", "SIP/7.0\r\nVia");
    assert_eq!(
        whole(&format!("{text}{}", message(""))),
        [carried(&text), carried(&message(""))]
    );
    let error = Message::parse(text.into()).unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::Version);
}

#[test]
fn idle_decoder_holds_no_memory() {
    let mut decoder = StreamDecoder::new();
    decoder.feed(message("abc").as_bytes());
    assert!(decoder.next(&Limits::DEFAULT).is_some());
    assert_eq!(decoder, StreamDecoder::new());
}

/// Whole messages, line breaks, and what is wrong with one.
fn streams() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~\r\n]{0,40}".prop_map(|body| message(&body)),
        2 => "(\r\n){1,5}",
        1 => "[\r\n]{1,4}",
        1 => Just(format!("{HEAD}Content-Length: x\r\n\r\n")),
        1 => Just(format!("{HEAD}\r\n")),
        1 => "[ -~\r\n]{1,60}",
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_give_what_the_whole_gives(stream in streams(), cuts in proptest::collection::vec(0..600_usize, 0..12)) {
        // 3261-7.5-04, 3261-7.5-05
        let bytes = stream.as_bytes();
        let at_once = decode([bytes]);
        prop_assert_eq!(&decode(bytes.chunks(1)), &at_once);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        prop_assert_eq!(&decode(pieces), &at_once);
    }

    #[test]
    fn parser_finds_the_length_that_the_stream_found(stream in streams()) {
        // 3261-18.3-10
        for frame in whole(&stream) {
            if let Ok(Frame::Message(bytes)) = frame
                && let Ok(message) = Message::parse(bytes.clone())
            {
                prop_assert_eq!(message.bytes(), &bytes);
            }
        }
    }
}

/// A connection and its clock.
struct Script {
    now: Time,
    connection: Connection,
}

impl Script {
    fn new(role: Role) -> Self {
        let ids = Ids::new(Seed::from_bytes([3; 32]));
        let limits = Arc::new(Limits::DEFAULT);
        Self {
            now: Time::ZERO,
            connection: Connection::new(Time::ZERO, role, limits, ids, 1),
        }
    }

    fn websocket() -> Self {
        let mut script = Self::new(Role::Server);
        script.connection = script.connection.with_framing(Framing::WebSocket);
        script
    }

    /// One whose first ping is out; and that ping's instant.
    fn pinging() -> Self {
        let mut script = Self::new(Role::Client);
        script.keep_alive(Some(Duration::from_secs(120)));
        assert_eq!(script.fire(), [ping()]);
        script
    }

    fn read(&mut self, text: &str) -> Vec<Action> {
        let mut out = Vec::new();
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.connection
            .receive(self.now, Event::Received(bytes), &mut out);
        out
    }

    fn keep_alive(&mut self, at_most: Option<Duration>) {
        let mut out = Vec::new();
        let command = Command::KeepAlive(at_most);
        self.connection
            .command(self.now, command, &mut out)
            .unwrap();
        assert_eq!(out, []);
    }

    fn after(&mut self, seconds: u64) -> &mut Self {
        self.now = (self.now + Duration::from_secs(seconds)).unwrap();
        self
    }

    /// Goes to the next deadline.
    fn fire(&mut self) -> Vec<Action> {
        let mut out = Vec::new();
        self.now = self.connection.deadline().unwrap();
        self.connection.on_deadline(self.now, &mut out);
        out
    }

    fn elapsed(&self, since: Time) -> Duration {
        self.now.saturating_since(since)
    }
}

fn ping() -> Action {
    Action::Transmit(Bytes::from_static(b"\r\n\r\n"))
}

fn pong() -> Action {
    Action::Transmit(Bytes::from_static(b"\r\n"))
}

fn closed(reason: CloseReason) -> [Action; 2] {
    [Action::Close(reason), Action::Terminated]
}

#[test]
fn open_ping_is_answered_at_once_with_a_pong() {
    // 5626-5.4-01
    let mut script = Script::new(Role::Server);
    assert_eq!(script.read("\r\n\r\n"), [pong()]);
    assert_eq!(script.read("\r\n"), [Action::Padding]);
    assert_eq!(script.read("\r\n"), [pong()]);
    // Pings that came together are answered together, before what follows them.
    let text = message("");
    let out = script.read(&format!("\r\n\r\n\r\n\r\n{text}"));
    let pongs = Action::Transmit(Bytes::from_static(b"\r\n\r\n"));
    assert_eq!(out, [pongs, Action::Message(text.into())]);
}

#[test]
fn open_pings_go_at_80_to_100_percent_of_the_interval() {
    let mut script = Script::new(Role::Client);
    script.keep_alive(Some(Duration::from_secs(120)));
    let mut waits = Vec::new();
    for _ in 0..50 {
        let before = script.now;
        assert_eq!(script.fire(), [ping()]);
        waits.push(script.elapsed(before));
        assert_eq!(script.read("\r\n"), []);
    }
    let range = Duration::from_secs(96)..=Duration::from_secs(120);
    assert!(waits.iter().all(|wait| range.contains(wait)), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 40, "each is drawn anew");
}

#[test]
fn open_pong_in_time_keeps_the_connection() {
    // 5626-4.4.1-02
    let mut script = Script::pinging();
    assert_eq!(script.after(9).read("\r\n"), []);
    assert_eq!(script.fire(), [ping()]);
}

#[test]
fn open_no_pong_for_10_seconds_closes() {
    // 5626-4.4.1-02
    let mut script = Script::pinging();
    let sent = script.now;
    assert_eq!(script.fire(), closed(CloseReason::NoPong));
    assert_eq!(script.elapsed(sent), Duration::from_secs(10));
    assert!(script.connection.is_terminated());
    assert_eq!(script.connection.deadline(), None);
}

#[test]
fn open_pong_waits_for_the_message_that_is_coming_in() {
    // 5626-4.4.1-02: a pong cannot come inside a message.
    for (rest, lives) in [("c", false), ("c\r\n", true)] {
        let mut script = Script::pinging();
        let text = message("abc");
        let (begun, _) = text.split_at(text.len() - 1);
        assert_eq!(script.after(9).read(begun), []);
        assert_eq!(script.fire(), []);
        let mut expected = vec![Action::Message(text.clone().into())];
        if !lives {
            expected.extend(closed(CloseReason::NoPong));
        }
        assert_eq!(script.after(1).read(rest), expected);
    }
}

#[test]
fn open_keep_alive_off_stops_pings_and_their_wait() {
    let mut script = Script::pinging();
    script.keep_alive(None);
    assert_eq!(script.fire(), closed(CloseReason::Idle));
}

#[test]
fn open_message_that_stays_incomplete_closes() {
    let mut script = Script::new(Role::Server);
    let text = message("");
    for letter in text.chars().take(31) {
        // One byte a second does not help.
        assert_eq!(script.read(&letter.to_string()), []);
        script.after(1);
    }
    assert_eq!(script.fire(), closed(CloseReason::Incomplete));
    assert_eq!(script.elapsed(Time::ZERO), Duration::from_secs(32));
}

#[test]
fn open_each_message_has_its_own_time() {
    let mut script = Script::new(Role::Server);
    let text = message("");
    assert_eq!(script.read("OPT"), []);
    let (_, rest) = text.split_at(3);
    let out = script.after(31).read(&format!("{rest}OPT"));
    assert_eq!(out, [Action::Message(text.clone().into())]);
    let out = script.after(31).read(rest);
    assert_eq!(out, [Action::Message(text.into())]);
}

#[test]
fn open_without_use_closes_and_use_keeps_it() {
    let mut script = Script::new(Role::Server);
    let mut out = Vec::new();
    script.after(800);
    script.connection.receive(script.now, Event::Sent, &mut out);
    assert_eq!(script.after(800).read("\r\n"), [Action::Padding]);
    let used = script.now;
    assert_eq!(script.fire(), closed(CloseReason::Idle));
    assert_eq!(script.elapsed(used), Duration::from_secs(900));
}

#[test]
fn open_malformed_stream_is_answered_and_closed() {
    // 3261-18.3-07, 3261-18.3-08
    let mut script = Script::new(Role::Server);
    let text = message("");
    let out = script.read(&format!("{text}{HEAD}\r\n{text}"));
    let [Action::Message(_), Action::Malformed(error), close @ ..] = out.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
    assert_eq!(close, closed(CloseReason::Malformed));
    assert_eq!(script.read(&text), []);
}

#[test]
fn open_closed_by_either_side_terminates_once() {
    let mut script = Script::new(Role::Server);
    let mut out = Vec::new();
    script
        .connection
        .receive(Time::ZERO, Event::Closed, &mut out);
    script
        .connection
        .command(Time::ZERO, Command::Close, &mut out)
        .unwrap();
    assert_eq!(out, closed(CloseReason::Closed));
    let mut script = Script::new(Role::Client);
    let mut out = Vec::new();
    script
        .connection
        .command(Time::ZERO, Command::Close, &mut out)
        .unwrap();
    assert_eq!(out, closed(CloseReason::Asked));
    assert_eq!(script.connection.state().to_string(), "Terminated");
}

#[test]
fn open_websocket_messages_are_taken_as_they_come() {
    // 7118-5-52, 7118-5-53, 7118-5-55
    let mut script = Script::websocket();
    let text = message("");
    let without_length = "OPTIONS sip:a@example.com SIP/2.0\r\n\r\nbody";
    for whole in [&text, without_length, &format!("{text}{text}"), "x", ""] {
        assert_eq!(
            script.read(whole),
            [Action::Message(whole.to_owned().into())]
        );
    }
    // Nothing waits for more.
    assert_eq!(script.connection.next_timer().unwrap().1, Timer::Idle);
}

#[test]
fn open_websocket_line_breaks_keep_it_alive() {
    // 7118-6-52
    let mut script = Script::websocket();
    assert_eq!(script.read("\r\n\r\n"), [Action::Transmit(PONG.into())]);
    assert_eq!(script.read("\r\n"), [Action::Padding]);
    script.keep_alive(Some(Duration::from_secs(120)));
    assert_eq!(script.fire(), [ping()]);
    assert_eq!(script.read("\r\n"), []);
    assert_eq!(script.fire(), [ping()]);
    assert_eq!(script.fire(), closed(CloseReason::NoPong));
}
