//! Rules of RFC 3261 7, 18.3, 20 and 25 that no single type of the message floor owns: what is
//! accepted as a whole, and what is written.

use drongo::limits::Limits;
use drongo::message::{
    Body, Builder, ContactValue, Edit, HeaderList, Incoming, Message, Method, Name, NameAddr,
    ParseError, ParseErrorKind, Reply, Request, RequestWriter, StatusCode, Uri, escape_header,
    escape_param, escape_user, parse, percent_decode,
};

const LINES: [&str; 6] = [
    "Via: SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776",
    "Max-Forwards: 70",
    "To: Bob <sip:bob@example.com>",
    "From: Alice <sip:alice@example.com>;tag=1928",
    "Call-ID: a84b4c76",
    "CSeq: 314159 INVITE",
];

fn message(start: &str, lines: &[&str], body: &str) -> Result<Incoming, ParseError> {
    let text = format!("{start}\r\n{}\r\n\r\n{body}", lines.join("\r\n"));
    parse(text.into(), &Limits::DEFAULT)
}

fn invite(more: &str, body: &str) -> Request {
    let mut lines = LINES.to_vec();
    lines.extend(more.lines());
    match message("INVITE sip:bob@example.com SIP/2.0", &lines, body) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{more}: {other:?}"),
    }
}

/// A request, two responses and a message of the builder, as they are written.
fn written(body: Option<&Body>) -> Vec<Vec<u8>> {
    let headers = HeaderList::new().with("k", "timer").unwrap();
    let request = invite("", "");
    let reply = Reply::new(&request);
    let made = RequestWriter::new(Method::Message, b"sip:bob@example.com")
        .via(b"SIP/2.0/UDP h;branch=z9hG4bK1")
        .from(b"<sip:a@b>;tag=1")
        .to(b"<sip:c@d>")
        .call_id(b"1")
        .cseq(1)
        .headers(&headers)
        .body(body);
    let mut builder = Builder::response(StatusCode::OK, Some("Fine")).header("Subject", "x");
    if let Some(body) = body {
        builder = builder.body(body.clone());
    }
    vec![
        made.write().to_vec(),
        reply
            .write(StatusCode::OK, None, Some("t"), &headers, body)
            .to_vec(),
        reply
            .write(StatusCode::BUSY_HERE, Some("No"), Some("t"), &headers, body)
            .to_vec(),
        builder.build().unwrap().to_vec(),
    ]
}

#[test]
fn every_line_is_written_with_crlf() {
    // 3261-7-01, 3261-7.2-01
    for bytes in written(None) {
        let text = String::from_utf8(bytes).unwrap();
        let without = text.replace("\r\n", "");
        assert!(!without.contains(['\r', '\n']), "{text}");
        assert!(text.ends_with("\r\n\r\n"));
    }
    let replies = written(None);
    assert!(replies[1].starts_with(b"SIP/2.0 200 OK\r\n"));
    assert!(replies[2].starts_with(b"SIP/2.0 486 No\r\n"));
}

#[test]
fn content_length_is_always_written_and_counts_the_octets_of_the_body() {
    // 3261-7.4.2-02, 3261-18.3-06, 3261-20.14-02, 3261-20.14-03, 3261-20.14-04, 3261-20.14-05,
    // 3261-20-28
    for (body, length) in [(None, 0), (Some("\u{e9}\r\n"), 4), (Some(""), 0)] {
        let body = body.map(|text| Body::new("text/plain", text).unwrap());
        for bytes in written(body.as_ref()) {
            let message = Message::parse(bytes.into()).unwrap();
            let rows: Vec<_> = message.all(Name::ContentLength).collect();
            assert_eq!(rows, [length.to_string().as_bytes()]);
            assert_eq!(message.body_slice().len(), length);
        }
    }
}

#[test]
fn a_body_is_written_with_its_type() {
    // 3261-20.15-01
    let body = Body::sdp("v=0\r\n");
    for bytes in written(Some(&body)) {
        let message = Message::parse(bytes.into()).unwrap();
        assert_eq!(
            message.first(Name::ContentType),
            Some(&b"application/sdp"[..])
        );
    }
}

#[test]
fn a_compact_name_means_the_same() {
    // 3261-7.3.3-04
    for bytes in written(None).into_iter().take(3) {
        let message = Message::parse(bytes.into()).unwrap();
        assert_eq!(message.supported().collect::<Vec<_>>(), [Ok("timer")]);
    }
}

#[test]
fn any_message_may_have_a_body() {
    // 3261-7.4-01
    for method in [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "REGISTER",
        "NEWMETHOD",
    ] {
        let cseq = format!("CSeq: 1 {method}");
        let mut lines = LINES;
        lines[5] = &cseq;
        let start = format!("{method} sip:a@b SIP/2.0");
        let Ok(Incoming::Request(request)) = message(&start, &lines, "body") else {
            panic!("{method}")
        };
        assert_eq!(request.body_slice(), b"body");
    }
    for code in [100, 180, 200, 302, 404, 503, 603] {
        let start = format!("SIP/2.0 {code} x");
        let Ok(Incoming::Response(response)) = message(&start, &LINES, "body") else {
            panic!("{code}")
        };
        assert_eq!(response.body_slice(), b"body");
    }
}

#[test]
fn a_type_without_a_body_is_legal() {
    // 3261-20.15-02
    let request = invite("Content-Type: application/sdp\nContent-Length: 0", "");
    assert!(
        request
            .content_type()
            .unwrap()
            .unwrap()
            .is("application", "sdp")
    );
    assert!(
        request
            .message()
            .faults()
            .iter()
            .all(|fault| fault.status.is_none())
    );
}

#[test]
fn a_body_is_bytes_and_never_chunked() {
    // 3261-7.4.1-05, 3261-7.4.2-01
    let chunked = "5\r\nhello\r\n0\r\n\r\n";
    let request = invite("Transfer-Encoding: chunked\nContent-Length: 15", chunked);
    assert_eq!(request.body_slice(), chunked.as_bytes());
    let mut bytes = b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 6\r\n\r\n".to_vec();
    bytes.extend_from_slice(b"\r\n\0\xff\r\r");
    let message = Message::parse(bytes.into()).unwrap();
    assert_eq!(message.body_slice(), b"\r\n\0\xff\r\r");
}

#[test]
fn the_order_of_different_headers_means_nothing() {
    // 3261-7.3.1-08
    let request = invite("Route: <sip:a;lr>\nRoute: <sip:b;lr>", "");
    let mut lines = vec!["Route: <sip:a;lr>"];
    lines.extend(LINES.iter().rev());
    lines.push("Route: <sip:b;lr>");
    let Ok(Incoming::Request(other)) = message("INVITE sip:bob@example.com SIP/2.0", &lines, "")
    else {
        panic!()
    };
    assert_eq!(request.top_via(), other.top_via());
    assert_eq!((request.from(), request.to()), (other.from(), other.to()));
    assert_eq!(
        (request.call_id(), request.cseq()),
        (other.call_id(), other.cseq())
    );
    assert!(request.routes().eq(other.routes()));
}

#[test]
fn a_second_single_header_makes_a_message_malformed() {
    // 3261-20.39-02, 3261-20.16-05
    for (index, name) in [
        (1, Name::MaxForwards),
        (2, Name::To),
        (3, Name::From),
        (4, Name::CallId),
        (5, Name::CSeq),
    ] {
        let mut lines = LINES.to_vec();
        lines.push(LINES[index]);
        let error = message("INVITE sip:a@b SIP/2.0", &lines, "").unwrap_err();
        assert_eq!(error.kind, ParseErrorKind::Duplicate(name));
        assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
    }
    let error = message("BYE sip:a@b SIP/2.0", &LINES, "").unwrap_err();
    assert_eq!(error.kind, ParseErrorKind::MethodMismatch);
    assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
}

#[test]
fn max_forwards_out_of_range_alone_does_not_refuse() {
    // 3261-20.22-02
    let mut lines = LINES;
    for value in ["Max-Forwards: 300", "Max-Forwards: many"] {
        lines[1] = value;
        let Ok(Incoming::Request(request)) = message("INVITE sip:a@b SIP/2.0", &lines, "") else {
            panic!("{value}")
        };
        assert!(request.max_forwards().unwrap().is_err());
    }
}

#[test]
fn white_space_folds_after_the_colon_and_not_before() {
    // 3261-25.1-04, 3261-25.1-05, 3261-25.1-06
    let subject = |line: &str| {
        let text = format!("OPTIONS sip:a@b SIP/2.0\r\n{line}\r\nAllow: A\r\n\r\n");
        let message = Message::parse(text.into()).map_err(|error| error.kind)?;
        assert_eq!(message.count(Name::Allow), 1, "{line:?}");
        Ok(message.subject().map(|subject| subject.into_owned()))
    };
    for line in [
        "Subject:x",
        "Subject \t: \t x",
        "Subject:\r\n x",
        "Subject:\r\n\tx \r\n  ",
    ] {
        assert_eq!(subject(line), Ok(Some(b"x".to_vec())), "{line:?}");
    }
    assert_eq!(subject("Subject: a\r\n \r\n b"), Ok(Some(b"a b".to_vec())));
    assert_eq!(subject("Subject\r\n : x"), Err(ParseErrorKind::HeaderName));
    let text = "OPTIONS sip:a@b SIP/2.0\r\nSubject: a\r\n\r\n b: c\r\n\r\n";
    let message = Message::parse(text.into()).unwrap();
    assert_eq!(
        (message.headers().len(), message.body_slice()),
        (1, &b" b: c\r\n\r\n"[..])
    );
}

#[test]
fn the_start_line_has_a_version_without_spaces_and_ends_the_uri_at_a_space() {
    // 3261-25.1-30, 3261-25.1-44
    for start in [
        "INVITE sip:a@b SIP /2.0",
        "INVITE sip:a@b SIP/2. 0",
        "INVITE sip:a@b SIP/ 2.0",
    ] {
        assert!(message(start, &LINES, "").is_err(), "{start}");
    }
    let kind = |start: &str| message(start, &LINES, "").unwrap_err().kind;
    assert_eq!(kind("INVITE sip:a@b SIP/10.0"), ParseErrorKind::Version);
    assert_eq!(kind("INVITE sip:a@b SIP/x"), ParseErrorKind::StartLine);
    let Ok(Incoming::Request(request)) = message("INVITE x.y:any,thing;at?all SIP/2.0", &LINES, "")
    else {
        panic!()
    };
    assert_eq!(request.uri().as_bytes(), b"x.y:any,thing;at?all");
}

#[test]
fn percent_escapes_exist_in_uris_only() {
    // 3261-25.1-03
    let request = invite("Subject: %41\nk: a%41\nContact: %41 <sip:%41@b>;x=%41", "");
    assert_eq!(request.subject().as_deref(), Some(&b"%41"[..]));
    assert_eq!(request.supported().next(), Some(Ok("a%41")));
    let Some(Ok(ContactValue::Addr(contact))) = request.contacts().next() else {
        panic!()
    };
    assert_eq!(&*contact.display_name().unwrap(), b"%41");
    assert_eq!(contact.params().get("x").unwrap().value, Some(&b"%41"[..]));
    assert!(contact.uri().equivalent(&Uri::parse(b"sip:A@b").unwrap()));
}

#[test]
fn addresses_are_written_in_angle_brackets() {
    // 3261-20-69, 8217-3-01, 8217-3-02, 8217-3-03, 8217-4-01, 3261-20.10-07
    for uri in [
        "sip:a,b@c",
        "sip:a@b;transport=tcp",
        "sip:a@b?x=y",
        "sip:a@b",
        "tel:+1;ext=2",
    ] {
        let written = NameAddr::from_uri(Uri::parse(uri.as_bytes()).unwrap()).to_string();
        assert_eq!(written, format!("<{uri}>"));
        for name in [
            "Refer-To",
            "Referred-By",
            "P-Asserted-Identity",
            "Reply-To",
            "From",
        ] {
            let text = format!("REFER sip:a@b SIP/2.0\r\n{name}: <{uri}>;x=1\r\n\r\n");
            let message = Message::parse(text.into()).unwrap();
            let value = message.all_named(name).next().unwrap();
            let address = NameAddr::parse(value).unwrap();
            assert_eq!(address.uri().as_bytes(), uri.as_bytes(), "{name}");
            assert_eq!(address.to_string(), format!("<{uri}>;x=1"));
        }
    }
    for bare in ["sip:a,b@c", "sip:a@b?x=y"] {
        assert!(NameAddr::parse(bare.as_bytes()).is_err(), "{bare}");
    }
    let bare = NameAddr::parse(b"sip:a@b;transport=tcp").unwrap();
    assert_eq!(bare.to_string(), "<sip:a@b>;transport=tcp");
}

#[test]
fn unknown_parameters_are_kept() {
    // 3261-20-68
    let value = "Bob <sip:bob@example.com>;tag=1;new-one;other=\"x;y\"";
    assert_eq!(
        NameAddr::parse(value.as_bytes()).unwrap().to_string(),
        value
    );
    let request = invite("Contact: <sip:a@b>;unheard=of", "");
    let mut edit = Edit::new(&request);
    edit.set_max_forwards(69);
    let forwarded = Message::parse(edit.write()).unwrap();
    assert_eq!(
        forwarded.first(Name::Contact),
        Some(&b"<sip:a@b>;unheard=of"[..])
    );
}

#[test]
fn escapes_of_a_forwarded_uri_stay_as_they_are() {
    // 3986-2.2-01, 3966-5.4-03
    for uri in ["sip:a%3bb%2c@h;x=%5B?y=%3a", "tel:+1-2;m-x=1;foo=%41"] {
        let start = format!("INVITE {uri} SIP/2.0");
        let Ok(Incoming::Request(request)) = message(&start, &LINES, "") else {
            panic!("{uri}")
        };
        let mut edit = Edit::new(&request);
        edit.set_max_forwards(69);
        let forwarded = Message::parse(edit.write()).unwrap();
        assert_eq!(forwarded.uri_bytes(), Some(uri.as_bytes()));
    }
}

#[test]
fn escaping_is_done_once_and_undone_once() {
    // 3986-2.1-01, 3986-2.3-01, 3986-2.4-01, 3986-2.4-02
    let equal = |a: &str, b: &str| {
        Uri::parse(a.as_bytes())
            .unwrap()
            .equivalent(&Uri::parse(b.as_bytes()).unwrap())
    };
    assert!(equal("sip:a%3bb@c", "sip:a%3Bb@c"));
    assert_eq!(escape_header(b";\xff"), "%3B%FF");
    let plain = "azAZ09-._~";
    assert_eq!(
        (
            &*escape_user(plain.as_bytes()),
            &*escape_param(plain.as_bytes())
        ),
        (plain, plain)
    );
    assert_eq!(escape_header(plain.as_bytes()), plain);
    assert_eq!(&*percent_decode(b"%2541"), b"%41");
    assert_eq!(
        (&*escape_user(b"%41"), &*escape_param(b"%41")),
        ("%2541", "%2541")
    );
    let uri = Uri::parse(b"sip:sips%3Auser%40example.com@example.net").unwrap();
    let sip = uri.as_sip().unwrap();
    assert_eq!(
        &*percent_decode(sip.user().unwrap()),
        b"sips:user@example.com"
    );
    assert_eq!(sip.host().to_string(), "example.net");
}

#[test]
fn a_uri_has_headers_behind_the_question_mark_and_no_fragment() {
    // 3261-19.1.1-14, 3261-19.1.2-11
    let uri = Uri::parse(b"sip:a@b?to=x%20y&Subject=&body=z").unwrap();
    let pairs: Vec<_> = uri.as_sip().unwrap().header_pairs().collect();
    let expected = [
        (&b"to"[..], &b"x%20y"[..]),
        (b"Subject", b""),
        (b"body", b"z"),
    ];
    assert_eq!(pairs, expected);
    for uri in ["sip:a@b#c", "sip:a@b;x#y", "sip:a@b?x=y#z"] {
        assert!(Uri::parse(uri.as_bytes()).is_err(), "{uri}");
    }
}

#[test]
fn telephone_numbers_have_any_length_and_no_spaces() {
    // 3966-5.1-04, 3966-5.1.1-01, 3966-5.4-01, 3966-5.4-02
    let long = format!("tel:+{}", "1234567890".repeat(40));
    for uri in ["tel:+1", "tel:+000", &long, "tel:+1(2)-3.4"] {
        assert!(Uri::parse(uri.as_bytes()).is_ok(), "{uri}");
    }
    for uri in ["tel:+1 2", "tel:+1%202", "tel: +12"] {
        assert!(Uri::parse(uri.as_bytes()).is_err(), "{uri}");
    }
    let tel = |uri: &'static str| match Uri::parse(uri.as_bytes()) {
        Ok(Uri::Tel(tel)) => tel,
        other => panic!("{other:?}"),
    };
    assert_eq!(tel("tel:+1;a=b;M-new=c").unknown_mandatory(), Some("M-new"));
    assert_eq!(tel("tel:+1;a=b;new-m-=c").unknown_mandatory(), None);
}

#[test]
fn the_context_of_a_local_number_is_a_prefix_or_a_domain() {
    // 3966-5.1.5-01
    let context = |uri: &'static str| match Uri::parse(uri.as_bytes()) {
        Ok(Uri::Tel(tel)) => Some((tel.number(), tel.context())),
        Ok(_) | Err(_) => None,
    };
    let global = context("tel:863-1234;phone-context=+1-914-555");
    assert_eq!(global, Some(("863-1234", Some("+1-914-555"))));
    let domain = context("tel:7042;phone-context=example.com");
    assert_eq!(domain, Some(("7042", Some("example.com"))));
    for wrong in ["", "=", "=+", "=+x", "=a/b", "=[::1]"] {
        let uri = format!("tel:7042;phone-context{wrong}");
        assert!(Uri::parse(uri.as_bytes()).is_err(), "{uri}");
    }
}
