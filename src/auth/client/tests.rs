//! The client: §22.1 to §22.4 of RFC 3261, 2.4 of RFC 8760.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests themselves"
)]

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::testing::{bob, ids, param, request, response, rows};
use super::super::{Account, Algorithm, Keyring, Realm, Secret, digest};
use super::*;

const INVITE: Protected<'_> = Protected {
    method: Method::Invite,
    uri: b"sip:alice@biloxi.com;transport=tcp",
    body: b"v=0\r\n",
};

const ASK: &str = "Digest realm=\"biloxi.com\", qop=\"auth\", algorithm=MD5";

fn ask(rest: &str) -> String {
    format!("{ASK}, {rest}")
}

/// The lines sent after a 401 with these challenges.
fn answer(client: &mut Client, challenges: &[&str]) -> Result<Vec<(String, String)>, GiveUp> {
    let mut attempt = Attempt::new();
    assert!(client.authorize(&mut attempt, &INVITE).is_empty());
    retry(client, &mut attempt, challenges)
}

fn retry(
    client: &mut Client,
    attempt: &mut Attempt,
    challenges: &[&str],
) -> Result<Vec<(String, String)>, GiveUp> {
    let lines: Vec<_> = challenges
        .iter()
        .map(|value| ("WWW-Authenticate", *value))
        .collect();
    client
        .retry(attempt, &response(401, &lines), &INVITE)
        .map(rows)
}

fn preemptive(client: &mut Client, attempt: &mut Attempt) -> String {
    rows(client.authorize(attempt, &INVITE))[0].1.clone()
}

fn get(value: &str, name: &str) -> String {
    param(value, name).unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn biloxi() -> Realm {
    Realm::new("biloxi.com")
}

#[test]
fn challenge_with_qop_is_answered_with_qop_count_and_cnonce() {
    // 3261-22.4-03, 3261-22.4-10, 7616-3.4-01, 7616-3.4-03, 7616-3.4-04, 7616-3.4.1-01
    // 8760-2.6-04, 8760-2.6-06, 3261-22.2-02
    let lines = answer(&mut bob(), &[&ask("nonce=\"84f1\", opaque=\"5ccc\"")]).unwrap();
    let [(name, value)] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(name, "Authorization");
    assert_eq!(get(value, "username"), "bob");
    assert_eq!(get(value, "uri"), "sip:alice@biloxi.com;transport=tcp");
    assert_eq!(get(value, "opaque"), "5ccc");
    assert_eq!(get(value, "algorithm"), "MD5");
    assert_eq!(
        (get(value, "qop"), get(value, "nc")),
        ("auth".into(), "00000001".into())
    );
    let ha1 = digest::ha1(Algorithm::Md5, b"bob", b"biloxi.com", b"zanzibar");
    let ha2 = digest::ha2(Algorithm::Md5, Some(Qop::Auth), &INVITE);
    let cnonce = get(value, "cnonce");
    let count = digest::Count {
        qop: Qop::Auth,
        nc: 1,
        cnonce: cnonce.as_bytes(),
    };
    let expected = digest::response(Algorithm::Md5, &ha1, b"84f1", Some(count), &ha2);
    assert_eq!(get(value, "response"), expected.to_string());
}

#[test]
fn credentials_have_quotes_where_the_grammar_has_them() {
    // 3261-22.4-02, 8760-2.6-02, 7616-3.4-10, 7616-3.4-11
    let lines = answer(&mut bob(), &[&ask("nonce=\"84f1\", opaque=\"\"")]).unwrap();
    let value = &lines[0].1;
    for name in [
        "username", "realm", "nonce", "uri", "response", "cnonce", "opaque",
    ] {
        assert!(value.contains(&format!("{name}=\"")), "{name}: {value}");
    }
    for bare in ["algorithm=MD5", "qop=auth,", "nc=00000001"] {
        assert!(value.contains(bare), "{bare}: {value}");
    }
}

#[test]
fn opaque_and_nonce_go_back_as_they_came() {
    // 7616-3.3-06, 7616-3.3-07
    for (nonce, opaque) in [
        ("a\\b\\\"c=", ""),
        ("dGhl/bm9u+Y2U=:", "x\\\\y"),
        (" ", "a,b"),
    ] {
        let text = ask(&format!("nonce=\"{nonce}\", opaque=\"{opaque}\""));
        let value = answer(&mut bob(), &[&text]).unwrap()[0].1.clone();
        assert!(value.contains(&format!("nonce=\"{nonce}\"")), "{value}");
        assert!(value.contains(&format!("opaque=\"{opaque}\"")), "{value}");
    }
    let without = answer(&mut bob(), &[&ask("nonce=\"a\"")]).unwrap()[0]
        .1
        .clone();
    assert_eq!(param(&without, "opaque"), None);
}

#[test]
fn challenge_without_qop_is_answered_in_the_old_form() {
    // 3261-22.4-07, 3261-22.4-11, 7616-3.4-02, 7616-3.3-01, 7616-3.4.1-02, 8760-2.6-05
    let value = answer(&mut bob(), &["Digest realm=\"biloxi.com\", nonce=\"84f1\""]).unwrap()[0]
        .1
        .clone();
    for absent in ["qop", "nc", "cnonce", "algorithm", "opaque", "userhash"] {
        assert_eq!(param(&value, absent), None, "{absent}");
    }
    let ha1 = digest::ha1(Algorithm::Md5, b"bob", b"biloxi.com", b"zanzibar");
    let ha2 = digest::ha2(Algorithm::Md5, None, &INVITE);
    let expected = digest::response(Algorithm::Md5, &ha1, b"84f1", None, &ha2);
    assert_eq!(get(&value, "response"), expected.to_string());
}

#[test]
fn auth_is_preferred_and_auth_int_taken_if_alone() {
    // 7616-3.3-04, 7616-3.3-05
    let qop_of = |offered: &str| {
        let text = format!("Digest realm=\"biloxi.com\", nonce=\"1\", qop=\"{offered}\"");
        answer(&mut bob(), &[&text]).map(|lines| get(&lines[0].1, "qop"))
    };
    assert_eq!(qop_of("auth-int,auth").as_deref(), Ok("auth"));
    assert_eq!(qop_of("Auth-Int, token").as_deref(), Ok("auth-int"));
    assert_eq!(qop_of("new,auth").as_deref(), Ok("auth"));
    assert_eq!(qop_of("new"), Err(GiveUp::NotUnderstood));
    assert_eq!(qop_of(""), Err(GiveUp::NotUnderstood));
}

#[test]
fn topmost_challenge_that_is_known_is_answered_once() {
    // 7616-3.3-02, 8760-2.4-01, 8760-2.4-02, 8760-2.4-03, 8760-2.7-03, 3261-22.3-11, 7616-3.3-03
    let algorithm_of = |names: &[&str]| {
        let texts: Vec<_> = names
            .iter()
            .map(|name| {
                format!("Digest realm=\"biloxi.com\", nonce=\"1\", qop=\"auth\", algorithm={name}")
            })
            .collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        answer(&mut bob(), &texts).map(|lines| {
            assert_eq!(lines.len(), 1);
            (
                get(&lines[0].1, "algorithm"),
                get(&lines[0].1, "response").len(),
            )
        })
    };
    let ok = |name: &str, digits| Ok((name.to_string(), digits));
    assert_eq!(algorithm_of(&["SHA-256", "MD5"]), ok("SHA-256", 64));
    assert_eq!(algorithm_of(&["MD5", "SHA-256"]), ok("MD5", 32));
    assert_eq!(
        algorithm_of(&["SHA3-512", "sha-512-256", "MD5"]),
        ok("SHA-512-256", 64)
    );
    assert_eq!(algorithm_of(&["AKAv1-MD5", "MD5-sess"]), ok("MD5-sess", 32));
    assert_eq!(algorithm_of(&["SHA3-512"]), Err(GiveUp::NotUnderstood));
}

#[test]
fn stored_ha1_answers_only_what_it_was_made_for() {
    // 7616-3.6-02
    let ha1 = digest::ha1(Algorithm::Md5, b"bob", b"biloxi.com", b"zanzibar");
    let secret = Secret::ha1(Algorithm::Md5, ha1.as_str()).unwrap();
    let keyring = Keyring::new().with(Account::new("biloxi.com", "bob", secret).unwrap());
    let mut client = Client::new(Arc::new(keyring), &mut ids().credentials(1));
    let mut fresh = client.clone();
    let sha = ask("nonce=\"1\"").replace("MD5", "SHA-256");
    let lines = answer(&mut client, &[&sha, &ask("nonce=\"1\"")]).unwrap();
    assert_eq!(get(&lines[0].1, "algorithm"), "MD5");
    assert_eq!(
        answer(&mut fresh, &[&sha]).map(|lines| lines.len()),
        Err(GiveUp::NoAccount { realm: biloxi() })
    );
    let by_password = answer(&mut bob(), &[&ask("nonce=\"1\"")]).unwrap();
    assert_eq!(
        get(&by_password[0].1, "response"),
        get(&lines[0].1, "response")
    );
}

#[test]
fn basic_and_bearer_are_passed_over() {
    // 3261-22-03, 8760-2.6-01, 8898-2.1.1-01
    let digest = ask("nonce=\"1\"");
    let bearer = "Bearer realm=\"biloxi.com\", authz_server=\"https://a.example\"";
    let lines = answer(&mut bob(), &["Basic realm=\"biloxi.com\"", bearer, &digest]).unwrap();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].1.starts_with("Digest "));
    let loaded = ask("nonce=\"1\"").replace("Digest", "Basic");
    for text in [
        &loaded,
        "Basic realm=\"biloxi.com\"",
        bearer,
        "Digest realm",
        "Digest nonce=\"1\"",
    ] {
        assert_eq!(
            answer(&mut bob(), &[text]),
            Err(GiveUp::NotUnderstood),
            "{text}"
        );
    }
}

#[test]
fn session_without_qop_is_not_answered() {
    // 3261-22.4-08
    let text = "Digest realm=\"biloxi.com\", nonce=\"1\", algorithm=MD5-sess";
    assert_eq!(answer(&mut bob(), &[text]), Err(GiveUp::NotUnderstood));
}

#[test]
fn challenge_decides_the_header_whatever_the_status() {
    // 3261-22.3-02, 3261-22.3-08, 3261-22.3-09
    for status in [401, 407] {
        let mut client = bob();
        let mut attempt = Attempt::new();
        let proxy = ask("nonce=\"2\"").replace("biloxi.com", "proxy.example");
        let response = response(
            status,
            &[
                ("Proxy-Authenticate", &proxy),
                ("WWW-Authenticate", &ask("nonce=\"1\"")),
            ],
        );
        let lines = rows(client.retry(&mut attempt, &response, &INVITE).unwrap());
        let told: Vec<_> = lines
            .iter()
            .map(|(name, value)| (name.as_str(), get(value, "realm"), get(value, "nonce")))
            .collect();
        let expected = [
            ("Authorization", "biloxi.com".to_string(), "1".to_string()),
            (
                "Proxy-Authorization",
                "proxy.example".to_string(),
                "2".to_string(),
            ),
        ];
        assert_eq!(told, expected);
    }
}

#[test]
fn second_realm_adds_its_credentials_to_the_first() {
    // 3261-22.1-14, 3261-22.3-12, 3261-22.1-03
    let mut client = bob();
    let mut attempt = Attempt::new();
    let proxy = ask("nonce=\"2\"").replace("biloxi.com", "proxy.example");
    let first = response(407, &[("Proxy-Authenticate", &proxy)]);
    client.retry(&mut attempt, &first, &INVITE).unwrap();
    let lines = retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]).unwrap();
    assert_eq!((lines.len(), attempt.rounds()), (2, 2));
    assert_eq!(get(&lines[0].1, "nc"), "00000002");
    assert_eq!(get(&lines[1].1, "nc"), "00000001");
    // Another URI at another host is in the same protection space.
    let bye = Protected {
        method: Method::Bye,
        uri: b"sip:alice@192.0.2.9",
        body: b"",
    };
    let mut next = Attempt::new();
    assert_eq!(rows(client.authorize(&mut next, &bye)).len(), 2);
}

#[test]
fn realms_compare_with_case_and_without_quotes() {
    // 7616-3.3-16
    let upper = ask("nonce=\"1\"").replace("biloxi.com", "Biloxi.com");
    let realm = Realm::new("Biloxi.com");
    assert_eq!(
        answer(&mut bob(), &[&upper]),
        Err(GiveUp::NoAccount { realm })
    );
    let escaped = ask("nonce=\"1\"").replace("biloxi.com", "bilox\\i.com");
    let value = answer(&mut bob(), &[&escaped]).unwrap()[0].1.clone();
    assert!(value.contains("realm=\"bilox\\i.com\""), "{value}");
    let plain = answer(&mut bob(), &[&ask("nonce=\"1\"")]).unwrap()[0]
        .1
        .clone();
    // 7616-3.4.5-01
    assert_eq!(get(&value, "response"), get(&plain, "response"));
}

#[test]
fn realm_without_account_is_said() {
    // 3261-22.1-15, 8760-2.4-05
    let other = ask("nonce=\"1\"").replace("biloxi.com", "chicago.com");
    let realm = Realm::new("chicago.com");
    assert_eq!(
        answer(&mut bob(), &[&other]),
        Err(GiveUp::NoAccount { realm })
    );
    // 8760-2.4-04
    let lines = answer(&mut bob(), &[&other, &ask("nonce=\"1\"")]).unwrap();
    assert_eq!(
        (lines.len(), get(&lines[0].1, "realm")),
        (1, "biloxi.com".into())
    );
}

#[test]
fn unknown_realm_is_tried_as_anonymous_if_wanted() {
    // 3261-22.2-04
    let keyring = Arc::new(Keyring::new().with(Account::anonymous()));
    let mut client = Client::new(keyring, &mut ids().credentials(1));
    let value = answer(&mut client, &[&ask("nonce=\"1\"")]).unwrap()[0]
        .1
        .clone();
    assert_eq!(get(&value, "username"), "anonymous");
}

#[test]
fn wrong_password_is_refused_once() {
    // 3261-22.1-11, 3261-22.1-13, 7616-3.3-10
    for second in [
        "nonce=\"1\"",
        "nonce=\"2\"",
        "nonce=\"2\", stale=false",
        "nonce=\"1\", stale=true",
    ] {
        let mut client = bob();
        let mut attempt = Attempt::new();
        client.authorize(&mut attempt, &INVITE);
        retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]).unwrap();
        let again = retry(&mut client, &mut attempt, &[&ask(second)]);
        assert_eq!(again, Err(GiveUp::Refused { realm: biloxi() }), "{second}");
        // Nor is it sent unasked with the next request.
        assert!(client.authorize(&mut Attempt::new(), &INVITE).is_empty());
    }
}

#[test]
fn refused_credentials_stay_out_of_the_attempt_while_others_go_on() {
    // 3261-22.1-11, 8760-2.4-04
    let mut client = bob();
    let mut attempt = Attempt::new();
    client.authorize(&mut attempt, &INVITE);
    retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]).unwrap();
    let proxy = |nonce: &str| ask(nonce).replace("biloxi.com", "proxy.example");
    let both = [&*ask("nonce=\"2\""), &*proxy("nonce=\"1\"")];
    let lines = retry(&mut client, &mut attempt, &both).unwrap();
    assert_eq!(
        (lines.len(), get(&lines[0].1, "realm")),
        (1, "proxy.example".into())
    );
    // Not even with the nonce that another request has got since.
    answer_challenged(&mut client, &ask("nonce=\"3\""));
    let stale = proxy("nonce=\"2\", stale=true");
    let lines = retry(&mut client, &mut attempt, &[&stale]).unwrap();
    assert_eq!(
        (lines.len(), get(&lines[0].1, "realm")),
        (1, "proxy.example".into())
    );
}

#[test]
fn stale_nonce_is_one_retry_with_the_new_one() {
    // 3261-22.1-12, 7616-3.3-08, 7616-3.4-07
    let mut client = bob();
    let mut attempt = Attempt::new();
    client.authorize(&mut attempt, &INVITE);
    retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]).unwrap();
    let stale = ask("nonce=\"2\", stale=TRUE");
    let lines = retry(&mut client, &mut attempt, &[&stale]).unwrap();
    assert_eq!(
        (get(&lines[0].1, "nonce"), get(&lines[0].1, "nc")),
        ("2".into(), "00000001".into())
    );
    let third = ask("nonce=\"3\", stale=true");
    let realm = biloxi();
    assert_eq!(
        retry(&mut client, &mut attempt, &[&third]),
        Err(GiveUp::AlwaysStale { realm })
    );
}

#[test]
fn credentials_sent_unasked_may_be_refused_once_for_a_new_nonce() {
    // 7616-3.6-03
    for stale in ["", ", stale=true"] {
        let mut client = bob();
        answer(&mut client, &[&ask("nonce=\"1\"")]).unwrap();
        let mut attempt = Attempt::new();
        assert_eq!(get(&preemptive(&mut client, &mut attempt), "nonce"), "1");
        let text = ask(&format!("nonce=\"2\"{stale}"));
        let lines = retry(&mut client, &mut attempt, &[&text]).unwrap();
        assert_eq!(get(&lines[0].1, "nonce"), "2");
        let realm = biloxi();
        let again = retry(&mut client, &mut attempt, &[&ask("nonce=\"3\"")]);
        assert_eq!(again, Err(GiveUp::Refused { realm }));
    }
    let mut client = bob();
    answer(&mut client, &[&ask("nonce=\"1\"")]).unwrap();
    let mut attempt = Attempt::new();
    preemptive(&mut client, &mut attempt);
    let same = retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]);
    assert_eq!(same, Err(GiveUp::Refused { realm: biloxi() }));
}

#[test]
fn count_rises_with_each_request_of_a_nonce() {
    // 7616-3.4-05, 7616-3.4-07, 3261-22.3-04
    let mut client = bob();
    answer(&mut client, &[&ask("nonce=\"1\"")]).unwrap();
    let mut cnonces = Vec::new();
    for nc in 2..=17_u32 {
        let value = preemptive(&mut client, &mut Attempt::new());
        assert_eq!(get(&value, "nc"), format!("{nc:08x}"));
        cnonces.push(get(&value, "cnonce"));
    }
    cnonces.sort();
    cnonces.dedup();
    assert_eq!(cnonces.len(), 16);
    // The same nonce again from another request's challenge goes on.
    let lines = answer_challenged(&mut client, &ask("nonce=\"1\""));
    assert_eq!(get(&lines, "nc"), "00000012");
    let lines = answer_challenged(&mut client, &ask("nonce=\"x\""));
    assert_eq!(get(&lines, "nc"), "00000001");
}

/// The answer to a challenge of a request that went out without credentials.
fn answer_challenged(client: &mut Client, challenge: &str) -> String {
    retry(client, &mut Attempt::new(), &[challenge]).unwrap()[0]
        .1
        .clone()
}

#[test]
fn ack_and_cancel_repeat_the_lines_of_the_invite() {
    // 3261-22.1-08, 7616-3.4.3-04
    let mut client = bob();
    let mut attempt = Attempt::new();
    let lines = retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]).unwrap();
    let before = client.clone();
    for method in [Method::Ack, Method::Cancel] {
        let again = Protected { method, ..INVITE };
        assert_eq!(rows(client.authorize(&mut attempt, &again)), lines);
    }
    assert_eq!(rows(attempt.lines()), lines);
    assert_eq!(client, before);
    let next = preemptive(&mut client, &mut Attempt::new());
    assert_eq!(get(&next, "nc"), "00000002");
}

#[test]
fn session_keeps_its_first_cnonce() {
    // 7616-3.4.2-02
    let text = ask("nonce=\"1\"").replace("MD5", "SHA-256-sess");
    let mut client = bob();
    let first = answer(&mut client, &[&text]).unwrap()[0].1.clone();
    let second = preemptive(&mut client, &mut Attempt::new());
    let cnonce = get(&first, "cnonce");
    assert_eq!(get(&second, "cnonce"), cnonce);
    assert_eq!(get(&second, "nc"), "00000002");
    let sha = Algorithm::Sha256Sess;
    let ha1 = digest::ha1(sha, b"bob", b"biloxi.com", b"zanzibar");
    let ha1 = digest::session_ha1(sha, &ha1, b"1", cnonce.as_bytes());
    let ha2 = digest::ha2(sha, Some(Qop::Auth), &INVITE);
    for (value, nc) in [(first, 1), (second, 2)] {
        let cnonce = cnonce.as_bytes();
        let count = digest::Count {
            qop: Qop::Auth,
            nc,
            cnonce,
        };
        let expected = digest::response(sha, &ha1, b"1", Some(count), &ha2);
        assert_eq!(get(&value, "response"), expected.to_string());
    }
}

#[test]
fn user_name_is_hashed_only_on_the_wire() {
    // 7616-3.4.4-01, 7616-3.4.4-02, 7616-3.3-15
    let hashed = answer(&mut bob(), &[&ask("nonce=\"1\", userhash=true")]).unwrap()[0]
        .1
        .clone();
    assert_eq!(get(&hashed, "username"), "d3486d41d4666541c4f024aee188d517");
    assert!(hashed.contains("userhash=true"));
    let plain = answer(&mut bob(), &[&ask("nonce=\"1\"")]).unwrap()[0]
        .1
        .clone();
    assert_eq!(get(&plain, "response"), get(&hashed, "response"));
    assert_eq!(
        (get(&plain, "username"), param(&plain, "userhash")),
        ("bob".into(), None)
    );
}

#[test]
fn same_seed_gives_the_same_cnonces_and_nobody_elses() {
    // 7616-5.12-01
    let cnonce = |client: &mut Client| {
        get(
            &answer(client, &[&ask("nonce=\"1\"")]).unwrap()[0].1,
            "cnonce",
        )
    };
    let other = |base| {
        let keyring = bob().keyring;
        Client::new(keyring, &mut ids().credentials(base))
    };
    let first = cnonce(&mut bob());
    assert_eq!(first.len(), 32);
    assert_eq!(first, cnonce(&mut other(1)));
    assert_ne!(first, cnonce(&mut other(2)));
}

#[test]
fn secrets_and_keys_do_not_show() {
    let mut client = bob();
    let mut attempt = Attempt::new();
    retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]).unwrap();
    let shown = format!("{client:?} {attempt:?}");
    let ha1 = digest::ha1(Algorithm::Md5, b"bob", b"biloxi.com", b"zanzibar");
    assert!(
        !shown.contains("zanzibar") && !shown.contains(ha1.as_str()),
        "{shown}"
    );
    let key = format!("{:?}", client.key.0);
    assert!(!shown.contains(&key));
}

#[test]
fn other_responses_and_empty_ones_hold_no_challenge() {
    let mut client = bob();
    let asking = [("WWW-Authenticate", &*ask("nonce=\"1\""))];
    for (status, lines) in [(403, &asking[..]), (200, &asking), (401, &[]), (407, &[])] {
        let response = response(status, lines);
        let result = client
            .retry(&mut Attempt::new(), &response, &INVITE)
            .cloned();
        assert_eq!(result, Err(GiveUp::NoChallenge), "{status}");
    }
}

#[test]
fn realms_without_end_end() {
    let keyring = Keyring::new().with(Account::anonymous());
    let mut client = Client::new(Arc::new(keyring), &mut ids().credentials(1));
    let mut attempt = Attempt::new();
    let mut rounds = 0;
    let reason = loop {
        let text = format!("Digest realm=\"{rounds}\", nonce=\"1\", qop=\"auth\"");
        match retry(&mut client, &mut attempt, &[&text]) {
            Ok(lines) => assert!(lines.len() <= Limits::DEFAULT.auth_realms),
            Err(reason) => break reason,
        }
        rounds += 1;
        assert!(rounds < 100);
    };
    assert_eq!(
        (reason, rounds),
        (GiveUp::TooManyRounds, Limits::DEFAULT.auth_rounds)
    );
    let many: Vec<_> = (0..100)
        .map(|n| format!("Digest realm=\"{n}\", nonce=\"1\""))
        .collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let lines = answer_all(&many);
    assert_eq!(lines, Limits::DEFAULT.auth_realms);
}

fn answer_all(challenges: &[&str]) -> usize {
    let keyring = Keyring::new().with(Account::anonymous());
    let mut client = Client::new(Arc::new(keyring), &mut ids().credentials(1));
    answer(&mut client, challenges).unwrap().len()
}

/// What a server says in Authentication-Info of credentials, with the right proof or another.
fn info(value: &str, uri: &[u8], body: &[u8], qop: Qop) -> String {
    let ha1 = digest::ha1(Algorithm::Md5, b"bob", b"biloxi.com", b"zanzibar");
    let ha2 = digest::response_ha2(Algorithm::Md5, Some(qop), uri, body);
    let (cnonce, nonce) = (get(value, "cnonce"), get(value, "nonce"));
    let count = digest::Count {
        qop,
        nc: 1,
        cnonce: cnonce.as_bytes(),
    };
    let proof = digest::response(Algorithm::Md5, &ha1, nonce.as_bytes(), Some(count), &ha2);
    format!("qop={qop}, rspauth=\"{proof}\", cnonce=\"{cnonce}\", nc=00000001")
}

#[test]
fn proof_of_the_server_is_checked() {
    // 3261-22.4-13, 7616-3.5-02, 7616-3.5-03, 7616-3.5-05, 7616-3.5-06, 7616-3.8-01
    for name in ["Authentication-Info", "Proxy-Authentication-Info"] {
        let mut client = bob();
        let mut attempt = Attempt::new();
        let (status, header) = match name {
            "Authentication-Info" => (401, "WWW-Authenticate"),
            _ => (407, "Proxy-Authenticate"),
        };
        let asking = response(status, &[(header, &ask("nonce=\"1\""))]);
        let value = rows(client.retry(&mut attempt, &asking, &INVITE).unwrap())[0]
            .1
            .clone();
        let mut told = |text: &str| client.confirmed(&attempt, &response(200, &[(name, text)]));
        let right = info(&value, INVITE.uri, b"", Qop::Auth);
        assert_eq!(told(&right), ServerProof::Proven);
        assert_eq!(
            told(&info(&value, INVITE.uri, b"", Qop::AuthInt)),
            ServerProof::Proven
        );
        assert_eq!(told("nextnonce=\"1\""), ServerProof::Absent);
        for wrong in [
            info(&value, b"sip:other@biloxi.com", b"", Qop::Auth),
            info(&value, INVITE.uri, b"another body", Qop::AuthInt),
            right.replace("nc=00000001", "nc=00000002"),
            right.replace("nc=00000001", "nc=1"),
            right.replace("cnonce=\"", "cnonce=\"0"),
            right.replace("rspauth=\"", "rspauth=\"0"),
        ] {
            assert_eq!(told(&wrong), ServerProof::Wrong, "{wrong}");
        }
    }
}

#[test]
fn next_nonce_is_used_next_from_one() {
    // 7616-3.5-01
    let mut client = bob();
    let mut attempt = Attempt::new();
    retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]).unwrap();
    let next = response(200, &[("Authentication-Info", "nextnonce=\"2\"")]);
    // A 2xx that comes again does not begin the count again.
    for nc in ["00000001", "00000002"] {
        assert_eq!(client.confirmed(&attempt, &next), ServerProof::Absent);
        let value = preemptive(&mut client, &mut Attempt::new());
        assert_eq!(
            (get(&value, "nonce"), get(&value, "nc")),
            ("2".into(), nc.into())
        );
    }
    let forged = "nextnonce=\"3\", rspauth=\"00\", qop=auth";
    let forged = response(200, &[("Authentication-Info", forged)]);
    assert_eq!(client.confirmed(&attempt, &forged), ServerProof::Wrong);
    assert_eq!(
        get(&preemptive(&mut client, &mut Attempt::new()), "nonce"),
        "2"
    );
}

#[test]
fn other_accounts_count_from_the_next_challenge_on() {
    let mut client = bob();
    let asking = ask("nonce=\"1\"").replace("biloxi.com", "chicago.com");
    let mut attempt = Attempt::new();
    assert!(retry(&mut client, &mut attempt, &[&asking]).is_err());
    let account = Account::new("chicago.com", "carol", Secret::password("x")).unwrap();
    client.set_keyring(Arc::new(Keyring::new().with(account)));
    let lines = retry(&mut client, &mut attempt, &[&asking]).unwrap();
    assert_eq!(get(&lines[0].1, "username"), "carol");
    assert!(Account::new("a", "carol\r\nX: y", Secret::password("x")).is_err());
}

#[test]
fn lines_are_read_back_from_a_request() {
    let mut client = bob();
    let mut attempt = Attempt::new();
    retry(&mut client, &mut attempt, &[&ask("nonce=\"1\"")]).unwrap();
    let request = request("INVITE", "sip:alice@biloxi.com", attempt.lines(), "");
    let credentials: Vec<_> = request.authorization().collect();
    assert!(matches!(credentials[..], [Ok(one)] if one.nc() == Some(1)));
}

#[test]
fn charset_of_a_challenge_may_be_said_in_any_case_or_not_at_all() {
    // 7616-3.3-14
    for charset in [
        "",
        ", charset=UTF-8",
        ", charset=utf-8",
        ", charset=\"Utf-8\"",
    ] {
        let mut client = bob();
        let asked = ask(&format!("nonce=\"n\"{charset}"));
        let lines = answer(&mut client, &[&asked]).unwrap();
        assert_eq!(lines.len(), 1, "{charset}");
    }
}
