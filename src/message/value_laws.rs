//! Laws that every value keeps, whatever the bytes: no parser panics, and what was read survives
//! writing and reading again.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Bytes that look like values more often than random ones do.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"sip:"[..],
        b"sips:",
        b"tel:+1",
        b"urn:",
        b"SIP/2.0/UDP ",
        b"SIP / 2.0 / TCP ",
        b"alice",
        b"@",
        b"atlanta.com",
        b"[2001:db8::1]",
        b"192.0.2.1",
        b":",
        b"5060",
        b";",
        b"=",
        b"tag",
        b"branch=z9hG4bK",
        b"rport",
        b"received=",
        b"<",
        b">",
        b"\"",
        b"\\",
        b",",
        b" ",
        b"\r\n ",
        b"%41",
        b"%",
        b"?",
        b"&",
        b"*",
        b"(",
        b")",
        b"INVITE",
        b"4294967295",
        b"0",
        b"/",
        b"q=0.5",
        b"\xc3\xa9",
        b"\xff",
        b"\0",
        b"\t",
        b"application",
        b"lr",
        b"maddr=",
        b"\r",
        b"\n",
    ]);
    let likely = vec(pieces, 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => likely, 1 => vec(any::<u8>(), 0..40)]
}

/// Bytes that look like the values of extensions more often than random ones do.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"Digest "[..],
        b"Bearer ",
        b"realm=",
        b"nonce=",
        b"qop=",
        b"nc=00000001",
        b"algorithm=",
        b"stale=TRUE",
        b"\"auth,auth-int\"",
        b"a\\b",
        b"presence.winfo",
        b"active",
        b"expires=",
        b"1800",
        b"refresher=uac",
        b"a@b",
        b";to-tag=1",
        b";from-tag=2",
        b";local-tag=1",
        b";remote-tag=2",
        b"early-only",
        b"true",
        b"emergency",
        b"id",
        b"critical",
        b"eyJ.x.y",
        b";info=<https://a.example/b>",
        b"<sip:a@b>",
        b";index=1.1",
        b"SIP",
        b"cause=200",
        b"text=\"a b\"",
        b"307 isi.edu \"x\"",
        b"Sat, 13 Nov 2010 23:29:00 GMT",
        b"*",
        b";",
        b"=",
        b",",
        b" ",
        b"\r\n ",
        b"\"",
        b"\\",
        b"\xc3\xa9",
        b"(a (b))",
        b"/",
        b"\r",
        b"\0",
    ]);
    let likely = vec(pieces, 0..12).prop_map(|pieces| pieces.concat());
    prop_oneof![6 => likely, 1 => value()]
}

/// Global numbers with parameters of any bytes.
fn tel_uri() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        &b"x"[..],
        b"=",
        b";",
        b"%41",
        b"[",
        b"]",
        b":",
        b"&",
        b"{",
        b"|",
        b"`",
        b"\xff",
        b"$",
        b"Y",
    ]);
    vec(pieces, 0..10).prop_map(|pieces| [&b"tel:+1;a="[..], &pieces.concat()].concat())
}

/// Reads, writes and reads again: the second writing equals the first, and has no line break.
macro_rules! round_trip {
    ($type:ident, $bytes:expr) => {
        if let Ok(value) = $type::parse($bytes) {
            let mut first = Vec::new();
            value.write_to(&mut first);
            prop_assert!(!first.contains(&b'\r') && !first.contains(&b'\n'));
            let again = $type::parse(&first);
            prop_assert!(again.is_ok(), "{}: {again:?}", first.escape_ascii());
            let mut second = Vec::new();
            again.unwrap().write_to(&mut second);
            prop_assert_eq!(first, second);
        }
    };
}

macro_rules! round_trip_text {
    ($type:ident, $bytes:expr) => {
        if let Ok(value) = $type::parse($bytes) {
            let text = value.to_string();
            prop_assert_eq!($type::parse(text.as_bytes()), Ok(value));
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn what_is_read_survives_writing_and_reading(bytes in value()) {
        round_trip!(Uri, &bytes);
        round_trip!(NameAddr, &bytes);
        round_trip!(ContactValue, &bytes);
        round_trip!(Via, &bytes);
        round_trip!(Params, &bytes);
        round_trip!(ContentType, &bytes);
        round_trip!(RetryAfter, &bytes);
        round_trip_text!(CSeq, &bytes);
        round_trip_text!(RAck, &bytes);
        round_trip_text!(Timestamp, &bytes);
        round_trip_text!(Method, &bytes);
        if let Ok(host) = Host::parse(&bytes) {
            let text = host.to_string();
            prop_assert_eq!(Host::parse(text.as_bytes()), Ok(host));
        }
    }

    #[test]
    fn what_extensions_say_survives_writing_and_reading(bytes in header_value()) {
        round_trip!(AnswerMode, &bytes);
        round_trip!(AuthInfo, &bytes);
        round_trip!(Challenge, &bytes);
        round_trip!(Coding, &bytes);
        round_trip!(Credentials, &bytes);
        round_trip!(Disposition, &bytes);
        round_trip!(Diversion, &bytes);
        round_trip!(Event, &bytes);
        round_trip!(FeatureSet, &bytes);
        round_trip!(HistoryEntry, &bytes);
        round_trip!(Identity, &bytes);
        round_trip!(InfoPackage, &bytes);
        round_trip!(Join, &bytes);
        round_trip!(LanguageRange, &bytes);
        round_trip!(MinSe, &bytes);
        round_trip!(Privacy, &bytes);
        round_trip!(Reason, &bytes);
        round_trip!(Reference, &bytes);
        round_trip!(ReferSub, &bytes);
        round_trip!(ReferredBy, &bytes);
        round_trip!(Replaces, &bytes);
        round_trip!(SecurityMechanism, &bytes);
        round_trip!(SessionExpires, &bytes);
        round_trip!(SubscriptionState, &bytes);
        round_trip!(TargetDialog, &bytes);
        round_trip!(Warning, &bytes);
        round_trip_text!(Priority, &bytes);
        if let Ok(date) = Date::parse(&bytes) {
            prop_assert_eq!(Date::parse(date.to_string().as_bytes()), Ok(date));
        }
        for word in Products::new(&bytes).flatten() {
            let (Product::Comment(text) | Product::Product { name: text, .. }) = word;
            prop_assert!(!text.is_empty());
        }
    }

    #[test]
    fn any_time_survives_as_a_date(
        weekday in 0_u8..7, year in 0_u16..=9999, month in 1_u8..=12, day in 1_u8..=28,
        hour in 0_u8..24, minute in 0_u8..60, second in 0_u8..=60,
    ) {
        let date = Date { weekday, year, month, day, hour, minute, second };
        prop_assert_eq!(Date::parse(date.to_string().as_bytes()), Ok(date));
        let next = Date { day: day + 1, ..date };
        if Date::parse(next.to_string().as_bytes()).is_ok() {
            prop_assert_eq!(next.unix_seconds() - date.unix_seconds(), 86_400);
        }
    }

    #[test]
    fn a_via_keeps_what_decides(
        host in "[a-z]{1,8}\\.[a-z]{2,3}",
        port in prop::option::of(any::<u16>()),
        branch in "z9hG4bK[A-Za-z0-9.!%*_+`'~-]{1,20}",
        spaces in "[ \t]{0,2}",
    ) {
        let colon = port.map(|p| format!("{spaces}:{spaces}{p}")).unwrap_or_default();
        let text = format!("SIP{spaces}/2.0/{spaces}UDP {host}{colon}{spaces};{spaces}branch={branch}");
        let via = Via::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(via.host(), Host::Name(&host));
        prop_assert_eq!(via.port(), port);
        prop_assert_eq!(via.branch(), Some(branch.as_str()));
        prop_assert!(Via::parse(via.to_string().as_bytes()).unwrap().equivalent(&via));
    }

    #[test]
    fn any_display_name_survives_in_quotes(name in "\\PC{0,20}", tag in "[a-z0-9]{1,8}") {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        let text = format!("\"{quoted}\" <sip:a@b>;tag={tag}");
        let addr = NameAddr::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&*addr.display_name().unwrap(), name.as_bytes());
        prop_assert_eq!(addr.tag(), Some(tag.as_str()));
        prop_assert_eq!(addr.to_string(), text);
    }

    #[test]
    fn any_telephone_number_becomes_a_sip_uri(bytes in tel_uri()) {
        if let Ok(tel) = TelUri::parse(&bytes) {
            let sip = tel.to_sip(Host::Name("a.example"));
            prop_assert!(sip.as_uri().as_sip().is_some(), "{sip}");
        }
    }

    #[test]
    fn splitting_loses_only_commas_and_white_space(bytes in value()) {
        for elements in [split_commas(&bytes), split_call_ids(&bytes)] {
            let mut joined = elements.collect::<Vec<_>>().join(&b","[..]);
            let mut whole = bytes.clone();
            for text in [&mut joined, &mut whole] {
                text.retain(|b| !matches!(b, b',' | b' ' | b'\t' | b'\r' | b'\n'));
            }
            prop_assert_eq!(joined, whole);
        }
        for token in Tokens::new(&bytes).flatten() {
            prop_assert!(Method::parse(token.as_bytes()).is_ok());
        }
    }

    #[test]
    fn equivalence_is_symmetric_and_escaping_undone(a in value(), b in value()) {
        if let (Ok(a), Ok(b)) = (Uri::parse(&a), Uri::parse(&b)) {
            prop_assert!(a.equivalent(&a));
            prop_assert_eq!(a.equivalent(&b), b.equivalent(&a));
        }
        for escaped in [escape_user(&a), escape_password(&a), escape_param(&a), escape_header(&a)] {
            prop_assert_eq!(&*percent_decode(escaped.as_bytes()), &*a);
        }
        prop_assert!(unquote(&a).len() <= a.len());
        if let Ok(n) = parse_content_length(&a) {
            prop_assert_eq!(parse_content_length(n.to_string().as_bytes()), Ok(n));
        }
    }
}
