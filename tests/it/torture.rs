//! The torture messages of RFC 4475 and RFC 5118 (`vectors/torture`): what the example `inspect`
//! says of each, and what the typed values of the odd ones are.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use drongo::limits::Limits;
use drongo::message::{
    ContactValue, Host, Incoming, Message, Method, Name, NameAddr, ParseErrorKind, Request,
    Response, StatusCode, ValueErrorKind, parse, percent_decode,
};
use drongo::message::{Date, Uri, Warning};

/// One row of `expected.toml`, or one requirement of `core-parsing.toml`.
type Row = toml::Table;

#[test]
fn inspect_says_of_each_message_what_is_expected() {
    // 4475-3.1.1.6-01, 4475-3.1.1.8-01, 4475-3.1.2.8-01, 4475-3.1.2.9-01, 4475-3.1.2.10-01,
    // 4475-3.1.2.11-01, 4475-3.1.2.12-01, 4475-3.1.2.13-01, 4475-3.1.2.14-01, 4475-3.1.2.15-01,
    // 4475-3.2.1-01, 4475-3.3.1-01, 4475-3.3.2-01, 4475-3.3.3-01, 4475-3.3.4-01, 4475-3.3.5-01,
    // 4475-3.3.6-01, 4475-3.3.9-01, 4475-3.3.10-01, 4475-3.3.11-01, 4475-3.3.15-01,
    // 4475-A.1-01, 5118-4.2-01, 5118-4.6-01, 5118-4.8-01, 5118-4.10-01, 5118-4.10-02
    let rows = expected();
    let files: Vec<&str> = rows.iter().map(|row| text(row, "file")).collect();
    let said = inspect(&files);
    assert_eq!(said.len(), rows.len(), "one line a file");
    for (row, said) in rows.iter().zip(&said) {
        let file = text(row, "file");
        assert_eq!(said["file"], file);
        let accepted = text(row, "handling") == "accept";
        assert_eq!(said["ok"], accepted, "{file}: {said}");
        let same = |of_row: &str, of_said: &str| {
            let expected = row.get(of_row).map(json).unwrap_or(serde_json::Value::Null);
            assert_eq!(said[of_said], expected, "{file}: {of_said}");
        };
        if accepted {
            for name in ["method", "headers", "body", "warnings"] {
                same(name, name);
            }
            same("code", "status");
            read_as_expected(row);
        } else {
            for name in ["error", "offset", "status"] {
                same(name, name);
            }
        }
    }
}

#[test]
fn expectations_are_those_of_the_requirements() {
    let rows: BTreeMap<String, Row> = expected()
        .into_iter()
        .map(|row| (text(&row, "id").to_owned(), row))
        .collect();
    let mut seen = 0;
    for requirement in requirements() {
        let Some(message) = requirement.get("message").and_then(toml::Value::as_str) else {
            continue;
        };
        seen += 1;
        let row = &rows[text(&requirement, "id")];
        assert_eq!(row["valid"], requirement["valid"], "{message}");
        let archive = text(row, "file").replace("rfc5118/", "rfc5118/archive/");
        let octets = fs::read(folder().join(archive)).unwrap().len();
        assert_eq!(json(&requirement["octets"]), octets, "{message}");
        let status = row.get("status").and_then(toml::Value::as_integer);
        let accepted = text(row, "handling") == "accept";
        let warned = |start: &str| {
            let warnings = row.get("warnings").and_then(toml::Value::as_array);
            let mut warnings = warnings
                .into_iter()
                .flatten()
                .filter_map(toml::Value::as_str);
            warnings.any(|warning| warning.starts_with(start))
        };
        let good = match text(&requirement, "expect") {
            // A response that cannot be matched helps nobody: From, To and Call-ID are missing.
            "400" if message == "insuf" => !accepted && status.is_none(),
            // "400 is acceptable".
            "501" if message == "mismatch02" => status == Some(400),
            "400" if accepted => warned("400"),
            "400" => status == Some(400),
            "505" => status == Some(505),
            "501" => accepted && warned("501"),
            "416" => accepted && warned("416"),
            "420" => accepted && warned("420"),
            "415" => accepted && warned("415"),
            "406-or-400" => accepted && warned("406"),
            "401-or-ignore" => accepted && warned("401"),
            "discard" => (accepted && warned("an endpoint discards")) || status.is_none(),
            "accept-ignoring-date" => accepted && warned("malformed Date"),
            "accept" | "200" => accepted,
            "400-or-lenient" | "400-or-2543" | "accept-or-400" => accepted || status == Some(400),
            "400-or-discard" => !accepted,
            other => panic!("{message}: what is {other}?"),
        };
        assert!(good, "{message}: {}", text(&requirement, "expect"));
    }
    assert_eq!((seen, rows.len()), (62, 62));
}

#[test]
fn messages_of_rfc_5118_differ_from_the_archive_as_the_readme_says() {
    let folder = folder().join("rfc5118");
    for row in expected() {
        let Some(name) = text(&row, "file").strip_prefix("rfc5118/") else {
            continue;
        };
        let archive = fs::read_to_string(folder.join("archive").join(name)).unwrap();
        let used = fs::read_to_string(folder.join(name)).unwrap();
        let mut mended = archive.replace('\n', "\r\n");
        if !mended.contains("\r\n\r\n") {
            mended.push_str("\r\n");
        }
        let body = mended.split_once("\r\n\r\n").unwrap().1.len();
        for wrong in ["236", "268", "181"] {
            let (wrong, right) = (format!("th: {wrong}\r\n"), format!("th: {body}\r\n"));
            mended = mended.replace(&wrong, &right);
        }
        assert_eq!(used, mended, "{name}");
    }
}

#[test]
fn wsinv_is_read_through_all_its_folds() {
    // 4475-3.1.1.1-01
    let request = request("rfc4475/wsinv");
    assert_eq!(
        (request.cseq().number, request.max_forwards()),
        (9, Some(Ok(68)))
    );
    let vias: Vec<_> = request.vias().map(Result::unwrap).collect();
    let hops: Vec<_> = vias
        .iter()
        .map(|via| (via.transport(), via.host().to_string(), via.branch()))
        .collect();
    assert_eq!(
        hops,
        [
            ("UDP", "192.0.2.2".into(), Some("390skdjuw")),
            ("TCP", "spindle.example.com".into(), Some("z9hG4bK9ikj8")),
            ("UDP", "192.168.255.111".into(), Some("z9hG4bK30239")),
        ]
    );
    assert_eq!(vias[0].transaction_branch(), None);
    assert_eq!(request.to_tag(), Some("1918181833n"));
    assert_eq!(request.from_tag(), Some("98asjd8"));
    assert_eq!(
        &*request.from().display_name().unwrap(),
        b"J Rosenberg \\\""
    );
    assert_eq!(request.subject().as_deref(), Some(&b""[..]));
    let contact = contacts(&request)[0];
    assert_eq!(&*contact.display_name().unwrap(), b"Quoted string \"\"");
    assert_eq!(contact.q(), Ok(Some(330)));
    assert_eq!(
        contact.params().get("newparam").unwrap().value,
        Some(&b"newvalue"[..])
    );
    assert_eq!(contact.params().get("secondparam").unwrap().value, None);
    let uri = request.uri();
    let unknown = uri.as_sip().unwrap().params().get("unknownparam").unwrap();
    assert_eq!(unknown.value, None);
    let odd: Vec<_> = request.all_named("UnknownHeaderWithUnusualValue").collect();
    assert_eq!(odd, [b";;,,;;,;"]);
    let folded: Vec<_> = request.all_named("NewFangledHeader").collect();
    assert_eq!(folded, [b"newfangled value\r\n continued newfangled value"]);
    assert_eq!(request.body_slice().len(), 150);
}

#[test]
fn intmeth_keeps_every_character() {
    // 4475-3.1.1.2-01
    let request = request("rfc4475/intmeth");
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(request.method(), Method::Other(method));
    let uri = request.uri();
    let uri = uri.as_sip().unwrap();
    assert_eq!(
        uri.user(),
        Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..])
    );
    let password = b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)";
    assert_eq!(uri.password(), Some(&password[..]));
    assert_eq!(uri.host(), Host::Name("example.com"));
    let to = request.to().display_name().unwrap().into_owned();
    assert_eq!(to, b"BEL:\x07 NUL:\x00 DEL:\x7f");
    assert_eq!(
        request.call_id(),
        "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"
    );
    let from = request.from();
    assert_eq!(from.display().unwrap().split(|b| *b == b' ').count(), 3);
    assert_eq!(from.tag(), Some("_token~1'+`*%!-."));
    let param = from.params().get("fromParam''~+*_!.-%").unwrap();
    let value = String::from_utf8(param.unquoted().unwrap().into_owned()).unwrap();
    assert_eq!(
        value,
        "\u{440}\u{430}\u{431}\u{43e}\u{442}\u{430}\u{44e}\u{449}\u{438}\u{439}"
    );
}

#[test]
fn escapes_are_undone_once_and_only_where_they_are_escapes() {
    // 4475-3.1.1.3-01, 4475-3.1.1.5-01
    let esc01 = request("rfc4475/esc01");
    let user = |uri: Uri<'_>| {
        let user = uri.as_sip().unwrap().user().unwrap().to_vec();
        String::from_utf8(percent_decode(&user).into_owned()).unwrap()
    };
    assert_eq!(user(esc01.uri()), "sips:user@example.com");
    assert_eq!(
        esc01.uri().as_sip().unwrap().host(),
        Host::Name("example.net")
    );
    let plain = Uri::parse(b"sip:user@example.com").unwrap();
    assert!(esc01.to().uri().equivalent(&plain));
    assert_eq!(user(esc01.from().uri()), "I have spaces");
    let contact = contacts(&esc01)[0];
    let uri = contact.uri();
    let uri = uri.as_sip().unwrap();
    assert!(uri.lr());
    let value = uri.params().get("name").unwrap().value.unwrap();
    assert_eq!(&*percent_decode(value), b"value%41");

    let esc02 = request("rfc4475/esc02");
    assert_eq!(esc02.method(), Method::Other("RE%47IST%45R"));
    assert_eq!(&*esc02.to().display_name().unwrap(), b"%Z%45");
    assert_eq!(contacts(&esc02).len(), 2);
    assert_eq!(esc02.all_named("C%6Fntact").count(), 1);
}

#[test]
fn escaped_nulls_do_not_end_a_name() {
    // 4475-3.1.1.4-01
    let request = request("rfc4475/escnull");
    let to = request.to().uri();
    let user = to.as_sip().unwrap().user().unwrap();
    assert_eq!(&*percent_decode(user), b"null-\0-null");
    let contacts = contacts(&request);
    assert_eq!(contacts.len(), 2);
    assert_eq!(contacts[0].uri().as_bytes(), b"sip:%00@host5.example.com");
    assert_eq!(
        contacts[1].uri().as_bytes(),
        b"sip:%00%00@host5.example.com"
    );
    assert!(!contacts[0].uri().equivalent(&contacts[1].uri()));
}

#[test]
fn longreq_has_no_value_too_long() {
    // 4475-3.1.1.7-01
    let request = request("rfc4475/longreq");
    let hosts: Vec<_> = request
        .vias()
        .map(|via| via.unwrap().host().to_string())
        .collect();
    let expected = (1..=33).rev().map(|n| format!("sip{n}.example.com"));
    let expected: Vec<_> = expected.chain(["host.example.com".to_owned()]).collect();
    assert_eq!(hosts, expected);
    assert_eq!((request.branch(), request.body_slice().len()), (None, 150));
}

#[test]
fn what_follows_the_body_of_a_datagram_is_not_read() {
    let request = request("rfc4475/dblreq");
    assert_eq!(
        (request.method(), request.body_slice().len()),
        (Method::Register, 0)
    );
    assert_eq!(request.bytes().len() + 450, 750);
}

#[test]
fn a_semicolon_in_a_user_belongs_to_it() {
    // 4475-3.1.1.9-01
    let request = request("rfc4475/semiuri");
    let uri = request.uri();
    let uri = uri.as_sip().unwrap();
    assert!(uri.params().is_empty());
    assert_eq!(
        &*percent_decode(uri.user().unwrap()),
        b"user;par=u@example.net"
    );
    assert_eq!(uri.host(), Host::Name("example.com"));
}

#[test]
fn vias_of_any_transport_are_read() {
    // 4475-3.1.1.10-01
    let request = request("rfc4475/transports");
    let transports: Vec<_> = request.vias().map(|via| via.unwrap().transport()).collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn a_binary_part_survives() {
    // 4475-3.1.1.11-01, 3261-7.4.1-05, 5621-3.2-01
    let request = request("rfc4475/mpart01");
    let body = request.body_slice();
    assert_eq!(body.len(), 553);
    let multipart = request.root_part().multipart().unwrap().unwrap();
    let parts: Vec<_> = multipart.parts().map(Result::unwrap).collect();
    let kinds: Vec<_> = parts
        .iter()
        .map(|part| part.content_type().unwrap().to_string())
        .collect();
    assert_eq!(kinds, ["text/plain", "application/octet-stream"]);
    assert_eq!(parts[0].content(), b"Hello");
    let binary = parts[1].content();
    assert!(binary.contains(&0) && binary.starts_with(b"0\x82\x01R\x06\t*\x86H"));
    // A signature of 342 octets, as its outermost length says.
    assert_eq!(binary.len(), 4 + 0x152);
    let bare = |b: u8| binary.contains(&b);
    assert!(bare(b'\r') || bare(b'\n'));
    assert_eq!(
        parts[1].first("content-transfer-encoding"),
        Some(&b"binary"[..])
    );
    assert_eq!(request.all_named("Content-Transfer-Encoding").count(), 1);
    assert_eq!(request.first(Name::Identity).unwrap().len(), 172);
}

#[test]
fn a_reason_phrase_may_be_any_text_or_none() {
    // 4475-3.1.1.12-01, 4475-3.1.1.13-01, 3261-7.2-07, 3261-7-05
    let unreason = response("rfc4475/unreason");
    assert_eq!(unreason.status(), StatusCode::OK);
    let phrase = core::str::from_utf8(unreason.reason()).unwrap();
    assert!(phrase.starts_with("= 2**3 * 5**2 "));
    assert!(phrase.ends_with("\u{43f}\u{440}\u{43e}\u{441}\u{442}\u{43e}\u{435}"));
    assert_eq!(
        (unreason.to_tag(), unreason.body_slice().len()),
        (Some("2229"), 154)
    );
    let noreason = response("rfc4475/noreason");
    assert_eq!(
        (noreason.status(), noreason.reason()),
        (StatusCode::TRYING, &b""[..])
    );
}

#[test]
fn numbers_out_of_range_are_told_apart() {
    // 4475-3.1.2.3-01, 4475-3.1.2.4-01, 4475-3.1.2.5-01
    let ncl = bytes("rfc4475/ncl");
    for length in ["-999", "five", "1e3", "18446744073709551616"] {
        let text = String::from_utf8(ncl.clone())
            .unwrap()
            .replace("-999", length);
        let error = parse(text.into(), &Limits::DEFAULT).unwrap_err();
        assert_eq!(error.kind, ParseErrorKind::ContentLength, "{length}");
        assert_eq!(error.status, Some(StatusCode::BAD_REQUEST));
        assert!(error.reply.is_some());
    }
    let scalar = Message::parse(bytes("rfc4475/scalar02").into()).unwrap();
    let overflow = |error: drongo::message::ValueError| error.kind == ValueErrorKind::Overflow;
    let cseq = drongo::message::CSeq::parse(scalar.first(Name::CSeq).unwrap());
    assert!(cseq.is_err_and(overflow));
    assert!(scalar.max_forwards().unwrap().is_err_and(overflow));
    assert!(scalar.expires().unwrap().is_err_and(overflow));
    let contact = contacts(&scalar)[0];
    assert!(contact.expires().is_err_and(overflow));
    let large = Message::parse(bytes("rfc4475/scalarlg").into()).unwrap();
    assert_eq!(large.retry_after().unwrap().unwrap().seconds(), u32::MAX);
    let warning = Warning::parse(large.first(Name::Warning).unwrap());
    assert_eq!(warning.unwrap_err().kind, ValueErrorKind::Number);
    let error = parse(bytes("rfc4475/scalarlg").into(), &Limits::DEFAULT).unwrap_err();
    assert_eq!((error.status, error.reply), (None, None));
}

#[test]
fn an_open_quote_is_not_closed_for_the_sender() {
    // 4475-3.1.2.6-01
    let error = parse(bytes("rfc4475/quotbal").into(), &Limits::DEFAULT).unwrap_err();
    let kind = ParseErrorKind::Value {
        name: Name::To,
        kind: ValueErrorKind::Quote,
    };
    assert_eq!(
        (error.kind, error.status),
        (kind, Some(StatusCode::BAD_REQUEST))
    );
}

#[test]
fn a_malformed_date_is_told_and_nothing_else() {
    let request = request("rfc4475/baddate");
    let text = request.first(Name::Date).unwrap().to_vec();
    assert!(request.date().unwrap().is_err());
    for zone in ["EST", "UT", "UTC", "UCT"] {
        let text = String::from_utf8(text.clone())
            .unwrap()
            .replace("EST", zone);
        assert!(Date::parse(text.as_bytes()).is_err(), "{zone}");
    }
    let gmt = String::from_utf8(text).unwrap().replace("EST", "GMT");
    assert!(Date::parse(gmt.as_bytes()).is_ok());
}

#[test]
fn a_parameter_belongs_to_the_uri_only_inside_the_brackets() {
    // 4475-3.3.12-01, 4475-3.3.13-01, 4475-3.3.14-01
    let outside = request("rfc4475/cparam01");
    let contact = contacts(&outside)[0];
    assert_eq!(
        contact.uri().as_bytes(),
        b"sip:+19725552222@gw1.example.net"
    );
    assert!(contact.params().contains("unknownparam"));
    let inside = request("rfc4475/cparam02");
    let contact = contacts(&inside)[0];
    assert_eq!(
        contact.uri().as_bytes(),
        b"sip:+19725552222@gw1.example.net;unknownparam"
    );
    assert!(contact.params().is_empty());
    let headers = request("rfc4475/regescrt");
    let contact = contacts(&headers)[0];
    let uri = b"sip:user@example.com?Route=%3Csip:sip.example.com%3E";
    assert_eq!(contact.uri().as_bytes(), uri);
    let raw: Vec<_> = headers
        .headers()
        .map(|header| header.raw_name.to_vec())
        .collect();
    assert!(raw.contains(&b"M".to_vec()) && raw.contains(&b"L".to_vec()));
}

#[test]
fn an_unknown_scheme_of_credentials_is_kept() {
    // 4475-3.3.7-01
    let request = request("rfc4475/regaut01");
    let credentials = request.authorization().next().unwrap().unwrap();
    assert_eq!(credentials.scheme(), "NoOneKnowsThisScheme");
    assert_eq!(credentials.params().as_bytes(), b"opaque-data=here");
}

#[test]
fn a_request_of_rfc_2543_is_read() {
    // 4475-3.4.1-01
    let request = request("rfc4475/inv2543");
    assert_eq!((request.branch(), request.from_tag()), (None, None));
    assert_eq!(request.first(Name::ContentLength), None);
    assert_eq!(request.first(Name::MaxForwards), None);
    assert_eq!(request.body_slice().len(), 105);
}

#[test]
fn addresses_of_ipv6_stand_in_brackets() {
    // 5118-4.1-01, 5118-4.7-01, 5118-4.9-01
    let ip = |text: &'static str| Host::parse(text.as_bytes()).unwrap();
    let good = request("rfc5118/ipv6-good");
    let uri = good.uri();
    let uri = uri.as_sip().unwrap();
    assert_eq!((uri.host(), uri.port()), (ip("[2001:db8::10]"), None));
    assert_eq!(good.top_via().host(), ip("[2001:db8::9:1]"));
    let many = request("rfc5118/mult-ip-in-header");
    let vias: Vec<_> = many.vias().map(Result::unwrap).collect();
    assert_eq!(
        (vias[0].host(), vias[0].port()),
        (ip("[2001:db8::9:1]"), Some(6050))
    );
    assert!(vias.iter().any(|via| via.host().ip().unwrap().is_ipv4()));
    let mixed = vias
        .iter()
        .find(|via| via.received().is_some_and(|ip| ip.is_ipv4()));
    assert!(mixed.unwrap().host().ip().unwrap().is_ipv6());
    let mapped = request("rfc5118/ipv4-mapped-ipv6");
    assert_eq!(mapped.top_via().host(), ip("[::ffff:192.0.2.10]"));
    assert_eq!(mapped.top_via().port(), Some(19_823));
    let contact = contacts(&mapped)[0];
    let uri = contact.uri();
    let uri = uri.as_sip().unwrap();
    assert_eq!((uri.host(), uri.port()), (ip("[::ffff:192.0.2.2]"), None));
}

/// What a message that is accepted says, by the library and not by the example.
fn read_as_expected(row: &Row) {
    let file = text(row, "file");
    let message = Message::parse(fs::read(folder().join(file)).unwrap().into()).unwrap();
    let number = |name: &str| row.get(name).and_then(toml::Value::as_integer);
    let count = |n: usize| i64::try_from(n).ok();
    assert_eq!(count(message.vias().count()), number("vias"), "{file}");
    assert_eq!(
        count(message.contacts().count()),
        number("contacts"),
        "{file}"
    );
    assert!(message.vias().all(|via| via.is_ok()), "{file}");
    assert!(message.contacts().all(|contact| contact.is_ok()), "{file}");
    let uri = message
        .uri_bytes()
        .map(|uri| core::str::from_utf8(uri).unwrap());
    assert_eq!(uri, row.get("uri").and_then(toml::Value::as_str), "{file}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/torture")
}

fn table(path: &Path, key: &str) -> Vec<Row> {
    let file: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let rows = file[key].as_array().unwrap();
    rows.iter()
        .map(|row| row.as_table().unwrap().clone())
        .collect()
}

fn expected() -> Vec<Row> {
    table(&folder().join("expected.toml"), "message")
}

fn requirements() -> Vec<Row> {
    table(
        &folder().join("../conformance/core-parsing.toml"),
        "requirement",
    )
}

fn text<'r>(row: &'r Row, key: &str) -> &'r str {
    row[key].as_str().unwrap()
}

fn json(value: &toml::Value) -> serde_json::Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Boolean(truth) => (*truth).into(),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
            panic!("{value:?}")
        }
    }
}

#[test]
fn inspect_reads_standard_input_and_marks_the_fault() {
    let marked = inspect_with(&["--pretty", "-"], &bytes("rfc4475/quotbal"));
    assert_eq!(marked.0, Some(1));
    let lines: Vec<_> = marked.1.lines().collect();
    let fault = "malformed To: malformed quoted string";
    assert_eq!(
        lines[0],
        format!("-: refused: {fault} at byte 41; answer: 400")
    );
    assert_eq!(lines[2], "  | To: \"Mr. J. User <sip:j.user@example.com>");
    assert_eq!(lines[3], format!("  |     ^ {fault}"));
    let plain = inspect_with(&[], &bytes("rfc4475/noreason"));
    assert_eq!(
        plain.1,
        "{\"file\":\"-\",\"ok\":true,\"kind\":\"response\",\"method\":\"INVITE\",\"status\":100,\
         \"headers\":7,\"body\":0,\"warnings\":[]}\n"
    );
    assert_eq!(plain.0, Some(0));
}

#[test]
fn inspect_tells_wrong_usage_from_wrong_messages() {
    assert_eq!(
        inspect_with(&["--unheard-of"], b""),
        (Some(2), String::new())
    );
    let help = inspect_with(&["--help"], b"");
    assert!(help.0 == Some(0) && help.1.contains("--pretty"));
    let (code, line) = inspect_with(&["no/such/file", "rfc4475/ncl.dat"], b"");
    let lines: Vec<serde_json::Value> = line
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((code, lines.len()), (Some(2), 2));
    assert_eq!(lines[0]["ok"], false);
    assert_eq!(lines[1]["status"], 400);
}

/// Exit code and standard output of the example.
fn inspect_with(arguments: &[&str], input: &[u8]) -> (Option<i32>, String) {
    let mut child = Command::new(inspect_path())
        .args(arguments)
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("cargo build --example inspect");
    // It may have said what it has to say without reading.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

/// Where cargo puts the example.
fn inspect_path() -> PathBuf {
    let own = env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    profile.join("examples/inspect")
}

/// The example's lines for these files. It must be built: `cargo test` does, with `--test it` it
/// needs `cargo build --example inspect` before.
fn inspect(files: &[&str]) -> Vec<serde_json::Value> {
    let output = Command::new(inspect_path())
        .args(files)
        .current_dir(folder())
        .output()
        .expect("cargo build --example inspect");
    assert_eq!(output.status.code(), Some(1), "some are refused");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.dat"))).unwrap()
}

fn request(name: &str) -> Request {
    match parse(bytes(name).into(), &Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match parse(bytes(name).into(), &Limits::DEFAULT) {
        Ok(Incoming::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}

fn contacts(message: &Message) -> Vec<NameAddr<'_>> {
    let addresses = message.contacts().map(|contact| match contact.unwrap() {
        ContactValue::Addr(address) => address,
        ContactValue::Star => panic!("a star"),
    });
    addresses.collect()
}
