//! Offers and answers against RFC 3264; its section 10 gives the exchanges.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "tests count versions; an overflow would panic, which fails the test"
)]

use alloc::vec;
use core::net::Ipv4Addr;

use super::*;

const ALICE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const BOB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn pcmu() -> Codec {
    Codec::new(0, "PCMU/8000")
}

fn audio(port: u16, codecs: Vec<Codec>) -> Stream {
    Stream::new("audio", port, codecs)
}

fn bob(streams: Vec<Stream>) -> Session {
    Session::new(BOB, 7, streams)
}

fn with_audio() -> Session {
    bob(vec![audio(50_000, vec![pcmu()])])
}

/// An offer of one m= line and its attributes.
fn offer(lines: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{lines}")
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The m= lines and attributes.
fn media(bytes: &Bytes) -> String {
    let text = text(bytes).replace("\r\n", "\n");
    let lines = text.split_once("\nm=");
    lines.map_or(String::new(), |(_, lines)| format!("m={lines}"))
}

fn version(bytes: &Bytes) -> u64 {
    sdp_types::Session::parse(bytes)
        .unwrap()
        .origin
        .sess_version
}

/// Section 10.1, the first exchange.
const BASIC: &str = "v=0\r\n\
    o=alice 2890844526 2890844526 IN IP4 host.anywhere.com\r\n\
    s=\r\n\
    c=IN IP4 host.anywhere.com\r\n\
    t=0 0\r\n\
    m=audio 49170 RTP/AVP 0\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    m=video 51372 RTP/AVP 31\r\n\
    a=rtpmap:31 H261/90000\r\n\
    m=video 53000 RTP/AVP 32\r\n\
    a=rtpmap:32 MPV/90000\r\n";

// 3264-6-01, 3264-6-03, 3264-6-05, 3264-6-06, 3264-6.1-01, 3264-6.1-08, 6337-5.2.3-51,
// 6337-5.2.3-52
#[test]
fn section_10_1_basic_exchange() {
    let video = Stream::new("video", 53_000, vec![Codec::new(100, "mpv/90000")]);
    let mut bob = bob(vec![audio(49_920, vec![pcmu()]), video]);
    let answer = bob.answer(BASIC.as_bytes()).unwrap();
    assert_eq!(
        media(&answer),
        "m=audio 49920 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=sendrecv\n\
         m=video 0 RTP/AVP 31\n\
         m=video 53000 RTP/AVP 32\na=rtpmap:32 mpv/90000\na=sendrecv\n"
    );
    // Bob changes a port and adds a stream: it goes below, and the refused line stays.
    // 3264-8-01, 3264-8-04, 3264-8-05, 3264-8.1-01, 6337-5.2.5-51, 6337-5.2.5-52
    bob.streams[0].port = 65_422;
    let mut events = audio(51_434, vec![Codec::new(110, "telephone-events/8000")]);
    events.direction = Direction::RecvOnly;
    bob.streams.push(events);
    let offer = bob.offer();
    assert_eq!(
        media(&offer),
        "m=audio 65422 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=sendrecv\n\
         m=video 0 RTP/AVP 31\n\
         m=video 53000 RTP/AVP 32\na=rtpmap:32 mpv/90000\na=sendrecv\n\
         m=audio 51434 RTP/AVP 110\na=rtpmap:110 telephone-events/8000\na=recvonly\n"
    );
    assert_eq!(version(&offer), version(&answer) + 1);
}

// 3264-6.1-05, 3264-6.1-09, 3264-6.1-11
#[test]
fn section_10_2_one_of_n_codecs() {
    let codecs = vec![Codec::new(4, "G723/8000"), pcmu()];
    let mut bob = bob(vec![audio(54_344, codecs)]);
    let all = offer(
        "m=audio 62986 RTP/AVP 0 4 18\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:4 G723/8000\r\n\
         a=rtpmap:18 G729/8000\r\na=inactive\r\n",
    );
    let first = bob.answer(all.as_bytes()).unwrap();
    assert_eq!(
        media(&first),
        "m=audio 54344 RTP/AVP 0 4\na=rtpmap:0 PCMU/8000\na=rtpmap:4 G723/8000\na=inactive\n"
    );
    let one = offer("m=audio 62986 RTP/AVP 4\r\na=rtpmap:4 G723/8000\r\na=sendrecv\r\n");
    let second = bob.answer(one.as_bytes()).unwrap();
    assert_eq!(
        media(&second),
        "m=audio 54344 RTP/AVP 4\na=rtpmap:4 G723/8000\na=sendrecv\n"
    );
    assert_eq!(version(&second), version(&first) + 1);
}

// 3264-6.1-02, 3264-6.1-03, 3264-6.1-05, 3264-5.1-02, 6337-5.3-51, 3264-8.4-02
#[test]
fn direction_answers_the_one_offered() {
    for (offered, answered) in [
        ("a=sendrecv\r\n", "sendrecv"),
        ("a=sendonly\r\n", "recvonly"),
        ("a=recvonly\r\n", "sendonly"),
        ("a=inactive\r\n", "inactive"),
        ("", "sendrecv"),
    ] {
        let offer = offer(&format!("m=audio 1000 RTP/AVP 0\r\n{offered}"));
        let answer = with_audio().answer(offer.as_bytes()).unwrap();
        assert!(
            text(&answer).contains(&format!("a={answered}\r\n")),
            "{offered}"
        );
    }
    // For the whole session.
    let held = offer("").replace("t=0 0\r\n", "t=0 0\r\na=sendonly\r\n");
    let answer = with_audio().answer(format!("{held}m=audio 9 RTP/AVP 0\r\n").as_bytes());
    assert!(text(&answer.unwrap()).contains("a=recvonly\r\n"));
}

// 3264-8.4-03, 6337-5.4-51, 6337-5.4-01
#[test]
fn address_of_zeros_is_sent_nothing() {
    let held =
        offer("m=audio 1000 RTP/AVP 0\r\n").replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0");
    let mut bob = with_audio();
    let answer = bob.answer(held.as_bytes()).unwrap();
    assert!(text(&answer).contains("a=sendrecv\r\n"));
    let agreed = bob.agreed().next().unwrap();
    assert_eq!(
        (agreed.remote, agreed.direction),
        (None, Direction::RecvOnly)
    );
}

// 3264-6-07, 3264-5-05
#[test]
fn nothing_in_common_is_an_error_and_changes_nothing() {
    let mut bob = with_audio();
    let before = bob.clone();
    for line in [
        "m=audio 1000 RTP/AVP 8\r\n",
        "m=video 1000 RTP/AVP 0\r\n",
        "m=audio 1000 RTP/SAVP 0\r\n",
    ] {
        let refused = bob.answer(offer(line).as_bytes());
        assert_eq!(refused, Err(SdpError::NothingInCommon), "{line}");
        assert_eq!(bob, before);
    }
    assert_eq!(bob.answer(b"v=1"), Err(SdpError::Malformed));
    assert_eq!(media(&bob.answer(offer("").as_bytes()).unwrap()), "");
}

// 3264-8.2-01
#[test]
fn port_0_is_answered_with_port_0() {
    let lines = "m=audio 0 RTP/AVP 0\r\nm=audio 1000 RTP/AVP 0\r\n";
    let answer = with_audio().answer(offer(lines).as_bytes()).unwrap();
    assert!(media(&answer).starts_with("m=audio 0 RTP/AVP 0\nm=audio 50000 RTP/AVP 0\n"));
}

// 3264-8-02, 3264-8-01, 3264-8.4-01, 6337-5.3-53, 6337-5.2.5-53
#[test]
fn version_rises_by_one_with_each_change_and_only_then() {
    let mut alice = Session::new(ALICE, 5, vec![audio(40_000, vec![pcmu()])]);
    let first = alice.offer();
    assert_eq!((version(&first), alice.offer()), (5, first.clone()));
    alice.hold(true);
    let held = alice.offer();
    assert_eq!(version(&held), 6);
    assert!(text(&held).contains("a=sendonly\r\n"));
    assert_eq!(alice.offer(), held);
    alice.hold(false);
    let resumed = alice.offer();
    assert_eq!(version(&resumed), 7);
    assert_eq!(media(&resumed), media(&first));
    alice.hold(true);
    alice.streams[0].direction = Direction::RecvOnly;
    assert!(text(&alice.offer()).contains("a=inactive\r\n"));
}

// 6337-5.3-54
#[test]
fn side_that_holds_goes_on_holding_when_the_other_resumes() {
    let mut bob = with_audio();
    bob.hold(true);
    let answer = bob.answer(offer("m=audio 1000 RTP/AVP 0\r\na=sendrecv\r\n").as_bytes());
    assert!(text(&answer.unwrap()).contains("a=sendonly\r\n"));
}

// 3264-8.3-02, 6337-5.2.5-54
#[test]
fn payload_numbers_of_the_session_stay() {
    let opus = |payload| Codec::new(payload, "opus/48000/2");
    let mut alice = Session::new(ALICE, 5, vec![audio(40_000, vec![opus(96)])]);
    let mut bob = bob(vec![audio(50_000, vec![opus(111)])]);
    let answer = bob.answer(&alice.offer()).unwrap();
    alice.take_answer(&answer).unwrap();
    assert!(media(&bob.offer()).starts_with("m=audio 50000 RTP/AVP 96\n"));
    assert_eq!(bob.agreed().next().unwrap().codecs, [opus(96)]);
}

#[test]
fn answer_must_go_with_the_offer() {
    let mut alice = Session::new(ALICE, 5, vec![audio(40_000, vec![pcmu()])]);
    let fits = offer("m=audio 1000 RTP/AVP 0\r\n");
    assert_eq!(alice.take_answer(fits.as_bytes()), Err(SdpError::NoOffer));
    alice.offer();
    for wrong in [
        "",
        "m=video 1000 RTP/AVP 0\r\n",
        "m=audio 1 RTP/AVP 0\r\nm=audio 1 RTP/AVP 0\r\n",
    ] {
        let refused = alice.take_answer(offer(wrong).as_bytes());
        assert_eq!(refused, Err(SdpError::Mismatch), "{wrong}");
    }
    assert_eq!(alice.take_answer(fits.as_bytes()), Ok(()));
    assert_eq!(alice.agreed().count(), 1);
    alice.offer();
    let refused = offer("m=audio 0 RTP/AVP 0\r\n");
    assert_eq!(alice.take_answer(refused.as_bytes()), Ok(()));
    assert_eq!(alice.agreed().count(), 0);
}

#[test]
fn offer_that_is_withdrawn_leaves_what_was_agreed() {
    let mut alice = Session::new(ALICE, 1, vec![audio(40_000, vec![pcmu()])]);
    let video = Stream::new("video", 50_002, vec![Codec::new(31, "H261/90000")]);
    let mut bob = bob(vec![audio(50_000, vec![pcmu()]), video]);
    let answer = bob.answer(&alice.offer()).unwrap();
    alice.take_answer(&answer).unwrap();

    bob.hold(true);
    let refused = bob.offer();
    assert!(media(&refused).contains("m=video") && media(&refused).contains("a=sendonly"));
    bob.withdraw();
    assert_eq!(bob.agreed().next().unwrap().direction, Direction::SendRecv);
    assert_eq!(bob.take_answer(&answer), Err(SdpError::NoOffer));

    // One line, and no hold; and the version goes on.
    let answer = bob.answer(&alice.offer()).unwrap();
    assert!(!media(&answer).contains("m=video") && !media(&answer).contains("a=sendonly"));
    assert!(version(&answer) > version(&refused));
    alice.take_answer(&answer).unwrap();
    let before = bob.clone();
    bob.withdraw();
    assert_eq!(bob, before);
}

fn opus(payload: u8) -> Codec {
    Codec::new(payload, "opus/48000/2")
}

// 3264-5-01, 3264-5-02, 3264-5-03, 3264-5-04, 3264-5.1-04, 3264-6.1-10, 3261-13.2.1-12
#[test]
fn offer_is_a_description_as_the_rfc_wants_it() {
    let codecs = vec![opus(111), pcmu()];
    let mut alice = Session::new(ALICE, (1 << 62) - 1, vec![audio(40_000, codecs)]);
    assert_eq!(
        text(&alice.offer()),
        "v=0\r\n\
         o=- 4611686018427387903 4611686018427387903 IN IP4 192.0.2.1\r\n\
         s=-\r\n\
         c=IN IP4 192.0.2.1\r\n\
         t=0 0\r\n\
         m=audio 40000 RTP/AVP 111 0\r\n\
         a=rtpmap:111 opus/48000/2\r\n\
         a=rtpmap:0 PCMU/8000\r\n\
         a=sendrecv\r\n"
    );
}

// 3264-5.1-01
#[test]
fn stream_of_one_way_is_offered_so() {
    for (direction, line) in [
        (Direction::SendOnly, "a=sendonly\r\n"),
        (Direction::RecvOnly, "a=recvonly\r\n"),
        (Direction::Inactive, "a=inactive\r\n"),
    ] {
        let mut stream = audio(40_000, vec![pcmu()]);
        stream.direction = direction;
        assert!(text(&bob(vec![stream]).offer()).ends_with(line));
    }
}

// 3264-6-02, 3264-6-04, 3264-6.1-04, 3264-6.1-06
#[test]
fn answer_is_of_its_own_side() {
    let mut video = Stream::new("video", 50_002, vec![Codec::new(31, "H261/90000")]);
    video.direction = Direction::RecvOnly;
    let mut bob = bob(vec![audio(50_000, vec![opus(111), pcmu()]), video]);
    let lines = "m=audio 9 RTP/AVP 0 8\r\nm=audio 10 RTP/AVP 0\r\nm=video 11 RTP/AVP 31\r\n";
    let answer = bob.answer(offer(lines).as_bytes()).unwrap();
    assert!(text(&answer).contains("\r\no=- 7 7 IN IP4 192.0.2.2\r\n"));
    // One is refused, one is taken one way, and of the formats those that both have.
    assert_eq!(
        media(&answer),
        "m=audio 50000 RTP/AVP 0\na=rtpmap:0 PCMU/8000\na=sendrecv\n\
         m=audio 0 RTP/AVP 0\n\
         m=video 50002 RTP/AVP 31\na=rtpmap:31 H261/90000\na=recvonly\n"
    );
}

// 3264-5.1-06, 3264-6.1-12, 3264-7-01, 3264-7-02
#[test]
fn media_goes_with_what_was_agreed_on() {
    let mut alice = Session::new(ALICE, 5, vec![audio(40_000, vec![opus(96), pcmu()])]);
    alice.offer();
    let answer = offer("m=audio 9 RTP/AVP 0 111\r\na=rtpmap:111 opus/48000/2\r\n");
    alice.take_answer(answer.as_bytes()).unwrap();
    let agreed = alice.agreed().next().unwrap();
    // The first of the answer is preferred, and its numbers count.
    assert_eq!(agreed.codecs, [pcmu(), opus(111)]);
    let mut bob = bob(vec![audio(50_000, vec![opus(111)])]);
    let theirs = offer("m=audio 9 RTP/AVP 99\r\na=rtpmap:99 opus/48000/2\r\n");
    bob.answer(theirs.as_bytes()).unwrap();
    assert_eq!(bob.agreed().next().unwrap().codecs, [opus(99)]);
}

// 3261-14.1-01, 3261-14.1-02, 3261-14.2-08, 3261-14.2-09, 6337-5.1-51, 6337-5.2-03, 6337-5.2.5-55
// 6337-2.3-57
#[test]
fn later_offer_says_all_that_this_side_can_do() {
    let video = Stream::new("video", 50_002, vec![Codec::new(31, "H261/90000")]);
    let streams = vec![audio(50_000, vec![opus(96), pcmu()]), video];
    let mut bob = bob(streams);
    // 96 is taken by what the other side calls so.
    let lines = "m=audio 9 RTP/AVP 0 96\r\na=rtpmap:96 speex/8000\r\nm=video 9 RTP/AVP 31\r\n";
    let answer = bob.answer(offer(lines).as_bytes()).unwrap();
    assert!(media(&answer).starts_with("m=audio 50000 RTP/AVP 0\n"));
    bob.hold(true);
    let later = bob.offer();
    assert_eq!(
        media(&later),
        "m=audio 50000 RTP/AVP 0 97\na=rtpmap:0 PCMU/8000\na=rtpmap:97 opus/48000/2\na=sendonly\n\
         m=video 50002 RTP/AVP 31\na=rtpmap:31 H261/90000\na=sendonly\n"
    );
    assert_eq!(version(&later), version(&answer) + 1);
}

// 6337-5.2-04, 6337-5.2.5-56, 4028-7.4-11
#[test]
fn offer_with_nothing_new_is_the_last_one_to_the_letter() {
    let mut alice = Session::new(ALICE, 5, vec![audio(40_000, vec![pcmu(), opus(96)])]);
    let first = alice.offer();
    let answer = offer("m=audio 9 RTP/AVP 0\r\n");
    alice.take_answer(answer.as_bytes()).unwrap();
    assert_eq!(alice.offer(), first);
    let mut bob = with_audio();
    let answer = bob.answer(offer("m=audio 9 RTP/AVP 0\r\n").as_bytes());
    assert_eq!(Ok(bob.offer()), answer);
}

// 3261-14.2-04, 3311-5.2-05, 3264-8-03, 4028-7.4-12
#[test]
fn description_that_says_nothing_new_is_known_and_answered_as_before() {
    let mut bob = with_audio();
    let first = offer("m=audio 9 RTP/AVP 0\r\n");
    assert_eq!(bob.is_news(first.as_bytes()), Ok(true));
    let answer = bob.answer(first.as_bytes());
    assert_eq!(bob.is_news(first.as_bytes()), Ok(false));
    assert_eq!(bob.answer(first.as_bytes()), answer);
    let second = first.replace("o=- 1 1 ", "o=- 1 2 ");
    assert_eq!(bob.is_news(second.as_bytes()), Ok(true));
    assert_eq!(bob.is_news(b"v=1"), Err(SdpError::Malformed));
    // Of an answer too.
    bob.offer();
    bob.take_answer(second.as_bytes()).unwrap();
    assert_eq!(bob.is_news(second.as_bytes()), Ok(false));
}

// 6337-5.3-52, 6337-5.3-01, 6337-5.3-03, 6337-5.3-04
#[test]
fn sendonly_of_the_other_side_changes_nothing_that_this_side_wants() {
    let mut bob = with_audio();
    let line = "m=audio 9 RTP/AVP 0\r\na=sendonly\r\n";
    let answer = bob.answer(offer(line).as_bytes()).unwrap();
    assert!(text(&answer).ends_with("a=recvonly\r\n"));
    assert!(text(&bob.offer()).ends_with("a=sendrecv\r\n"));
}

// 6337-5.3-02
#[test]
fn both_hold_and_the_stream_is_inactive() {
    let mut alice = Session::new(ALICE, 5, vec![audio(40_000, vec![pcmu()])]);
    let mut bob = with_audio();
    alice.hold(true);
    bob.answer(&alice.offer()).unwrap();
    bob.hold(true);
    let offer = bob.offer();
    assert!(text(&offer).ends_with("a=sendonly\r\n"));
    let answer = alice.answer(&offer).unwrap();
    assert!(text(&answer).ends_with("a=inactive\r\n"));
}

// 6337-5.2-01, 6337-5.2-02, 6337-5.2.3-53, 3261-13.2.2.4-11
#[test]
fn declined_offer_is_answered_with_port_0_throughout() {
    let mut bob = with_audio();
    let theirs = offer("m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=video 9 RTP/AVP 31\r\n");
    let first = bob.answer(theirs.as_bytes()).unwrap();
    let declined = bob.decline(theirs.as_bytes()).unwrap();
    assert_eq!(
        media(&declined),
        "m=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 31\n"
    );
    assert_eq!(version(&declined), version(&first) + 1);
    assert_eq!(bob.agreed().count(), 0);
}

// 3264-9-01
#[test]
fn capabilities_have_one_line_for_each_kind_and_no_port() {
    let more = audio(50_004, vec![opus(111)]);
    let video = Stream::new("video", 50_002, vec![Codec::new(31, "H261/90000")]);
    let bob = bob(vec![audio(50_000, vec![pcmu()]), more, video]);
    let said = text(&bob.capabilities());
    assert!(said.contains("\r\nt=0 0\r\n"));
    assert_eq!(
        media(&bob.capabilities()),
        "m=audio 0 RTP/AVP 0\na=rtpmap:0 PCMU/8000\nm=video 0 RTP/AVP 31\na=rtpmap:31 H261/90000\n"
    );
}

// 3264-8.4-04
#[test]
fn hold_keeps_the_address() {
    let mut alice = Session::new(ALICE, 5, vec![audio(40_000, vec![pcmu()])]);
    alice.hold(true);
    let held = text(&alice.offer());
    assert!(held.contains("c=IN IP4 192.0.2.1\r\n") && held.contains("m=audio 40000 "));
}

#[test]
fn stream_that_is_offered_with_port_0_is_not_wanted() {
    let video = || Stream::new("video", 53_000, vec![Codec::new(31, "H261/90000")]);
    let mut bob = bob(vec![audio(50_000, vec![pcmu()]), video()]);
    let both = offer("m=audio 0 RTP/AVP 0\r\nm=video 1000 RTP/AVP 31\r\n");
    let answer = bob.answer(both.as_bytes()).unwrap();
    // 3264-5.1-03
    assert!(media(&answer).starts_with("m=audio 0 RTP/AVP 0\nm=video 53000 RTP/AVP 31\n"));
    let agreed: Vec<&str> = bob.agreed().map(|agreed| agreed.kind).collect();
    assert_eq!(agreed, ["video"]);
}

#[test]
fn offer_that_is_not_acceptable_is_refused_with_a_warning() {
    let other = offer("m=audio 1000 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n");
    let refused = with_audio().answer(other.as_bytes()).unwrap_err();
    let (status, outgoing) = refused.refusal("192.0.2.2:5060").unwrap();
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE_HERE);
    let warning = b"305 192.0.2.2:5060 \"no media format in common\"";
    let said: Vec<&[u8]> = outgoing.headers.iter().map(|(.., value)| value).collect();
    // 3261-13.3.1.3-02, 3261-13.3.1.3-03, 3261-14.2-06, 6337-2.3-01, 6337-2.3-51
    assert_eq!(said, [&warning[..]]);
    for agent in ["", "a b", "a\"", "a\r\nb: c"] {
        let malformed = Misuse::Malformed { what: "agent" };
        assert_eq!(refused.refusal(agent), Err(malformed));
    }
}
