//! The reader of the common form agrees with the full one: on whatever it reads, both say the same.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "a test counts what it has seen"
)]

use alloc::string::String;

use proptest::collection::vec;
use proptest::prelude::*;

use super::name_addr::plain_tag;
use super::simple::check_call_id;
use super::via::PlainVia;
use super::*;

/// Values of the common form, with their delimiters in wrong places now and then.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let host = prop_oneof![
        4 => "[a-zA-Z0-9._-]{0,24}",
        2 => "[a-z][a-z0-9]{0,8}\\.[a-z]{1,8}(\\.com)?",
        2 => "[0-9]{1,4}(\\.[0-9]{1,4}){2,4}",
        1 => "\\[[0-9a-f:.]{0,20}\\]?",
        1 => "\\[2001:db8::[0-9a-f]{1,4}\\]",
    ];
    let port = prop_oneof![3 => Just(String::new()), 2 => ":[0-9]{0,11}"];
    let name = prop::sample::select(vec![
        "branch",
        "tag",
        "rport",
        "Tag",
        "lr",
        "ttl",
        "maddr",
        "transport",
        "x",
        "y",
        "TRANSPORT",
        "user",
        "a-much-longer-name",
        "",
        "p%41",
        "\u{e9}",
    ]);
    let content = prop_oneof![
        4 => "[a-z0-9]{0,12}",
        1 => "\"[ -~\u{e9}]{0,8}\"?",
        1 => "[!-~\u{e9}]{0,6}",
        1 => Just("udp".into()),
        1 => "[0-9]{1,6}",
    ];
    let equals = prop::sample::select(vec!["=", "=", "=", "", " ="]);
    let param = (name, equals, content).prop_map(|(name, equals, content)| match equals {
        "" => format!(";{name}"),
        equals => format!(";{name}{equals}{content}"),
    });
    let params = move || vec(param.clone(), 0..4).prop_map(|params| params.concat());
    let scheme = prop::sample::select(vec!["sip:", "sips:", "SIP:", "sip\u{1a}", "tel:+1", "x:"]);
    let user = prop_oneof![2 => Just(String::new()), 4 => "[a-z0-9+.]{1,10}@", 1 => "[!-~]{0,9}@"];
    let uri = (scheme, user, host.clone(), port.clone(), params()).prop_map(
        |(scheme, user, host, port, params)| [scheme, &user, &host, &port, &params].concat(),
    );
    let display = prop_oneof![
        2 => Just(String::new()),
        2 => "[a-zA-Z. ]{1,10}",
        2 => "\"[ -~\u{e9}\u{0}\r\n]{0,10}\" ?",
        1 => "[ -~]{0,6}",
    ];
    let address = (
        display,
        uri.clone(),
        prop::sample::select(vec![">", ">", "", "> "]),
        params(),
    )
        .prop_map(|(display, uri, close, params)| format!("{display}<{uri}{close}{params}"));
    let transport = prop::sample::select(vec![
        "UDP ", "TCP ", "TLS ", "WS ", "WSS ", "SCTP ", "udp ", "X ",
    ]);
    let filled = prop_oneof![
        2 => Just(String::new()),
        1 => ";branch=[a-z0-9]{1,9};rport(=[0-9]{0,6})?(;received=[0-9a-z.:,\"]{0,5})?",
    ];
    let via = (transport, host, port, filled, params()).prop_map(
        |(transport, host, port, filled, params)| {
            format!("SIP/2.0/{transport}{host}{port}{filled}{params}")
        },
    );
    let cseq = "[0-9]{0,12} ?(INVITE|ACK|x|[ -~]{0,6})";
    let whole =
        prop_oneof![3 => uri, 3 => address, 3 => via, 1 => cseq].prop_map(String::into_bytes);
    let flip = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (whole, flip).prop_map(|(mut bytes, flip)| {
        if let Some((at, byte)) = flip
            && !bytes.is_empty()
        {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// All of a SIP URI: its own equality is that of its bytes.
fn parts(uri: &SipUri<'_>) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        uri.as_bytes(),
        uri.is_secure(),
        uri.user(),
        uri.password(),
        uri.host(),
        uri.port(),
        uri.params(),
        uri.headers(),
    )
}

/// Values that the plain readers have read.
#[derive(Default, Debug)]
struct Seen {
    uris: u32,
    vias: u32,
    addresses: u32,
    sequences: u32,
}

fn compare(bytes: &[u8], seen: &mut Seen) {
    if let Some(uri) = SipUri::plain(bytes) {
        let full = SipUri::parse_any(bytes).map(|full| parts(&full));
        assert_eq!(full, Ok(parts(&uri)));
        seen.uris += 1;
    }
    let len = bytes.len();
    assert_eq!(SipUri::is_plain(bytes, len), SipUri::plain(bytes).is_some());
    assert_eq!(Uri::check(bytes, len), Uri::parse(bytes).map(|_| ()));
    compare_in_message(bytes);
    if let Some(via) = Via::plain(bytes, len) {
        assert_eq!(Via::parse_any(bytes), Ok(via));
        let branch = PlainVia::scan(bytes, len).and_then(|via| via.branch);
        assert_eq!(branch, via.branch().map(str::as_bytes));
        seen.vias += 1;
    }
    assert_eq!(
        Via::branch_of(bytes),
        Via::parse_any(bytes).map(|via| via.branch().map(str::as_bytes))
    );
    if let Some(address) = NameAddr::plain(bytes, len) {
        assert_eq!(NameAddr::parse_any(bytes), Ok(address));
        if let Some(tag) = plain_tag(bytes, len) {
            assert_eq!(tag, address.tag().map(str::as_bytes));
        }
        seen.addresses += 1;
    }
    assert_eq!(
        NameAddr::tag_of(bytes),
        NameAddr::parse_any(bytes).map(|address| address.tag().map(str::as_bytes))
    );
    if let Some((number, method)) = cseq::plain(bytes) {
        assert_eq!(CSeq::parse_any(bytes), Ok(CSeq { number, method }));
        seen.sequences += 1;
    }
}

/// What stands behind a value changes nothing.
fn compare_in_message(bytes: &[u8]) {
    let len = bytes.len();
    for behind in [&b"\r\n\r\n"[..], b" \r\nt: <sip:a@b>;tag=1\r\n\r\n\">;,@"] {
        let text = [bytes, behind].concat();
        assert_eq!(Uri::check(&text, len), Uri::check(bytes, len));
        assert_eq!(Via::plain(&text, len), Via::plain(bytes, len));
        let branch = |text, len| PlainVia::scan(text, len).map(|via| via.branch);
        assert_eq!(branch(&text, len), branch(bytes, len));
        assert_eq!(NameAddr::plain(&text, len), NameAddr::plain(bytes, len));
        let tag = NameAddr::tag_of_front(&text, len);
        assert_eq!(tag, NameAddr::tag_of(bytes));
        assert_eq!(check_call_id(&text, len), check_call_id(bytes, len));
    }
}

#[test]
fn what_is_read_as_plain_is_read_alike() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(6000)
    });
    let seen = core::cell::RefCell::new(Seen::default());
    runner
        .run(&value(), |bytes| {
            compare(&bytes, &mut seen.borrow_mut());
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    let enough = seen.uris > 40 && seen.vias > 80 && seen.addresses > 15 && seen.sequences > 40;
    assert!(enough, "{seen:?}");
}

#[test]
fn the_common_forms_are_plain() {
    for uri in [
        "sip:a@b.example",
        "sips:a@192.0.2.1:5061;lr",
        "sip:a@192.0.2.1;transport=tls",
        "sip:[2001:db8::1]:5060",
        "sip:+15551230042@edge.example.net;user=phone",
    ] {
        assert!(SipUri::is_plain(uri.as_bytes(), uri.len()), "{uri}");
    }
    for address in [
        "<sip:a@b>",
        "\"A, B\" <sip:a@b>;tag=1;q=0.5",
        "Bob <sip:a@b>;+sip.instance=\"<urn:uuid:1>\"",
    ] {
        let plain = NameAddr::plain(address.as_bytes(), address.len());
        assert!(plain.is_some(), "{address}");
    }
    for transport in ["UDP", "TCP", "TLS", "WS", "WSS", "SCTP"] {
        let via = format!("SIP/2.0/{transport} a.b;branch=z9hG4bK1");
        let plain = Via::plain(via.as_bytes(), via.len());
        assert_eq!(plain.map(|via| via.transport()), Some(transport));
    }
    for via in [
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport=5060;received=192.0.2.1",
        "SIP/2.0/WSS a.b;received=192.0.2.1;rport=1",
    ] {
        assert!(Via::plain(via.as_bytes(), via.len()).is_some(), "{via}");
    }
}
