//! The server: §22.1 to §22.4 of RFC 3261, 2.3 of RFC 8760.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of the tests themselves"
)]

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::digest::Protected;
use super::super::testing::{ids, request, rows};
use super::*;
use crate::message::Challenge;

const URI: &str = "sip:alice@biloxi.com";
const START: Time = Time::from_secs(1_000);

fn policy() -> Policy {
    Policy::new(Side::Server, "biloxi.com")
}

fn verifier(policy: Policy) -> Verifier {
    Verifier::new(policy, &mut ids().nonces(0)).unwrap()
}

fn zanzibar() -> Secret {
    Secret::password("zanzibar")
}

/// Credentials made by hand, each part of which a test may change.
#[derive(Clone)]
struct Answer {
    username: &'static str,
    password: &'static str,
    algorithm: Algorithm,
    nonce: String,
    uri: &'static str,
    count: Option<(Qop, u32, &'static str)>,
    /// For `-sess`, if it is not that of this answer.
    first_cnonce: Option<&'static str>,
    body: &'static str,
}

impl Answer {
    fn to(challenge: &HeaderList) -> Self {
        let value = rows(challenge)[0].1.clone();
        let challenge = Challenge::parse(value.as_bytes()).unwrap();
        Self {
            username: "bob",
            password: "zanzibar",
            algorithm: Algorithm::Sha256,
            nonce: String::from_utf8(challenge.nonce().unwrap().to_vec()).unwrap(),
            uri: URI,
            count: Some((Qop::Auth, 1, "0a4f113b")),
            first_cnonce: None,
            body: "",
        }
    }

    fn nc(&self, nc: u32) -> Self {
        let count = self.count.map(|(qop, _, cnonce)| (qop, nc, cnonce));
        Self {
            count,
            ..self.clone()
        }
    }

    fn value(&self) -> String {
        let Self { algorithm, .. } = *self;
        let name = self.username.as_bytes();
        let mut ha1 = digest::ha1(algorithm, name, b"biloxi.com", self.password.as_bytes());
        if let (true, Some((_, _, cnonce))) = (algorithm.is_session(), self.count) {
            let cnonce = self.first_cnonce.unwrap_or(cnonce).as_bytes();
            ha1 = digest::session_ha1(algorithm, &ha1, self.nonce.as_bytes(), cnonce);
        }
        let protected = Protected {
            method: Method::Invite,
            uri: self.uri.as_bytes(),
            body: self.body.as_bytes(),
        };
        let ha2 = digest::ha2(algorithm, self.count.map(|(qop, ..)| qop), &protected);
        let count = self.count.map(|(qop, nc, cnonce)| digest::Count {
            qop,
            nc,
            cnonce: cnonce.as_bytes(),
        });
        let response = digest::response(algorithm, &ha1, self.nonce.as_bytes(), count, &ha2);
        let count = self.count.map_or(String::new(), |(qop, nc, cnonce)| {
            format!(", qop={qop}, nc={nc:08x}, cnonce=\"{cnonce}\"")
        });
        format!(
            "Digest username=\"{}\", realm=\"biloxi.com\", nonce=\"{}\", uri=\"{}\", \
             response=\"{response}\", algorithm={algorithm}{count}",
            self.username, self.nonce, self.uri
        )
    }

    fn invite(&self) -> Request {
        invite(&self.value(), self.body)
    }
}

fn invite(value: &str, body: &str) -> Request {
    let lines = HeaderList::new().with("Authorization", value).unwrap();
    request("INVITE", URI, &lines, body)
}

fn check(verifier: &mut Verifier, now: Time, request: &Request) -> Result<Verified, Refusal> {
    match verifier.read(request) {
        Presented::Exempt => panic!("exempt"),
        Presented::Claim(claim) => {
            let secret = zanzibar();
            let known = claim.username() == b"bob";
            verifier.verify(now, &claim, known.then_some(&secret))
        }
        Presented::Refused(refusal) => Err(refusal),
    }
}

fn outcome(verifier: &mut Verifier, answer: &Answer) -> Result<(), Refusal> {
    check(verifier, START, &answer.invite()).map(|_| ())
}

#[test]
fn challenges_differ_in_algorithm_and_stand_best_first() {
    // 3261-22.1-01, 3261-22.2-01, 3261-22-02, 3261-22.4-09, 8760-2.3-02, 8760-2.3-03
    // 7616-3.3-12, 7616-3.3-13
    let mut own = policy();
    own.qops = [Qop::Auth, Qop::AuthInt].to_vec();
    own.opaque = Some(b"5ccc".as_slice().into());
    own.domain = Some(b"sip:biloxi.com".as_slice().into());
    own.userhash = true;
    let mut verifier = verifier(own);
    let (status, lines) = verifier.refuse(START, Refusal::Stale);
    assert_eq!(status.as_u16(), 401);
    let nonce = String::from_utf8(Answer::to(&lines).nonce.into_bytes()).unwrap();
    let expected: Vec<_> = ["SHA-256", "MD5"]
        .iter()
        .map(|algorithm| {
            let value = format!(
                "Digest realm=\"biloxi.com\", domain=\"sip:biloxi.com\", nonce=\"{nonce}\", \
                 opaque=\"5ccc\", stale=true, algorithm={algorithm}, qop=\"auth,auth-int\", \
                 userhash=true"
            );
            ("WWW-Authenticate".to_string(), value)
        })
        .collect();
    assert_eq!(rows(&lines), expected);
}

#[test]
fn proxy_challenges_with_407_and_never_401() {
    // 3261-22.1-01, 3261-22.1-02, 3261-22.3-01
    let mut own = policy();
    own.side = Side::Proxy;
    own.domain = Some(b"sip:biloxi.com".as_slice().into());
    let mut verifier = verifier(own);
    for refusal in [
        Refusal::Missing,
        Refusal::NotOffered,
        Refusal::Wrong,
        Refusal::Stale,
        Refusal::Replayed,
    ] {
        let (status, lines) = verifier.refuse(START, refusal);
        assert_eq!(status.as_u16(), 407);
        for (name, value) in rows(&lines) {
            assert_eq!(name, "Proxy-Authenticate");
            assert!(!value.contains("domain"));
        }
    }
    let value = Answer::to(&verifier.challenge(START, false)).value();
    let lines = HeaderList::new().with("Authorization", &value).unwrap();
    let asked = request("INVITE", URI, &lines, "");
    assert_eq!(verifier.read(&asked), Presented::Refused(Refusal::Missing));
    let lines = HeaderList::new()
        .with("Proxy-Authorization", &value)
        .unwrap();
    let asked = request("INVITE", URI, &lines, "");
    assert!(check(&mut verifier, START, &asked).is_ok());
}

#[test]
fn only_the_right_password_is_accepted() {
    let mut verifier = verifier(policy());
    let good = Answer::to(&verifier.challenge(START, false));
    let wrong = Answer {
        password: "tanganyika",
        ..good.clone()
    };
    assert_eq!(outcome(&mut verifier, &wrong), Err(Refusal::Wrong));
    let nobody = Answer {
        username: "nobody",
        ..good.clone()
    };
    assert_eq!(outcome(&mut verifier, &nobody), Err(Refusal::Wrong));
    // What stands in for the password of nobody opens nothing.
    let guessed = Answer {
        password: "nobody",
        ..nobody
    };
    assert_eq!(outcome(&mut verifier, &guessed), Err(Refusal::Wrong));
    let verified = check(&mut verifier, START, &good.invite()).unwrap();
    assert_eq!(verified.claim().username(), b"bob");
    let (status, lines) = verifier.refuse(START, Refusal::Wrong);
    assert_eq!(status.as_u16(), 401);
    assert!(!rows(&lines)[0].1.contains("stale"));
}

#[test]
fn every_algorithm_that_was_offered_is_accepted_and_no_other() {
    // 8760-2.1-01, 8760-2.3-01, 8760-2.3-04, 8760-2.3-05
    let accepted = |offered: &[Algorithm], answered: Algorithm| {
        let mut own = policy();
        own.algorithms = offered.to_vec();
        let mut verifier = verifier(own);
        let answer = Answer::to(&verifier.challenge(START, false));
        let algorithm = answered;
        outcome(
            &mut verifier,
            &Answer {
                algorithm,
                ..answer
            },
        )
    };
    for algorithm in Algorithm::ALL {
        assert_eq!(accepted(&Algorithm::ALL, algorithm), Ok(()), "{algorithm}");
        let others: Vec<_> = Algorithm::ALL
            .into_iter()
            .filter(|other| *other != algorithm)
            .collect();
        assert_eq!(accepted(&others, algorithm), Err(Refusal::NotOffered));
    }
}

#[test]
fn missing_algorithm_means_md5() {
    // 7616-3.3-01
    let mut verifier = verifier(policy());
    let answer = Answer {
        algorithm: Algorithm::Md5,
        ..Answer::to(&verifier.challenge(START, false))
    };
    let value = answer.value().replace(", algorithm=MD5", "");
    assert!(check(&mut verifier, START, &invite(&value, "")).is_ok());
}

#[test]
fn stored_ha1_verifies_like_the_password() {
    // 7616-3.6-01, 7616-3.6-02
    let mut verifier = verifier(policy());
    let answer = Answer::to(&verifier.challenge(START, false));
    let Presented::Claim(claim) = verifier.read(&answer.invite()) else {
        panic!("no claim")
    };
    let stored = |algorithm| {
        let ha1 = digest::ha1(algorithm, b"bob", b"biloxi.com", b"zanzibar");
        Secret::ha1(algorithm, ha1.as_str()).unwrap()
    };
    let md5 = stored(Algorithm::Md5);
    let refused = verifier.verify(START, &claim, Some(&md5));
    assert_eq!(refused, Err(Refusal::Wrong));
    let sha = digest::ha1(Algorithm::Sha256, b"bob", b"biloxi.com", b"zanzibar");
    let both = md5.with_ha1(Algorithm::Sha256, sha.as_str()).unwrap();
    assert!(verifier.verify(START, &claim, Some(&both)).is_ok());
}

#[test]
fn ack_and_cancel_are_never_challenged() {
    // 3261-22.1-05, 3261-22.1-06, 3261-22.1-07, 3261-22.1-09, 3261-22.1-10
    let mut verifier = verifier(policy());
    let answer = Answer::to(&verifier.challenge(START, false));
    assert!(check(&mut verifier, START, &answer.invite()).is_ok());
    let with = HeaderList::new()
        .with("Authorization", answer.value())
        .unwrap();
    for method in ["ACK", "CANCEL"] {
        for lines in [&with, &HeaderList::new()] {
            let asked = request(method, URI, lines, "");
            assert_eq!(verifier.read(&asked), Presented::Exempt, "{method}");
        }
    }
    // Not even an INVITE in between is needed for the count to go on.
    assert_eq!(outcome(&mut verifier, &answer.nc(2)), Ok(()));
}

#[test]
fn basic_and_other_realms_are_no_credentials() {
    // 3261-22-01, 8760-2.6-01, 7616-3.3-16
    let mut verifier = verifier(policy());
    let good = Answer::to(&verifier.challenge(START, false)).value();
    for value in [
        "Basic Ym9iOnphbnppYmFy".to_string(),
        "Bearer dG9rZW4=".to_string(),
        good.replace("biloxi.com\", nonce", "Biloxi.com\", nonce"),
        // 8760-2.7-02
        "Digest username=\"bob\", realm=\"biloxi.com\", nonce=\"\", uri=\"sip:biloxi.com\", \
         response=\"\""
            .to_string(),
    ] {
        let refused = Presented::Refused(Refusal::Missing);
        assert_eq!(verifier.read(&invite(&value, "")), refused, "{value}");
    }
    let both = HeaderList::new()
        .with("Authorization", "Digest realm=\"other\", response=\"00\"")
        .and_then(|lines| lines.with("Authorization", "Basic Ym9i"))
        .and_then(|lines| lines.with("Authorization", &good))
        .unwrap();
    let asked = request("INVITE", URI, &both, "");
    assert!(check(&mut verifier, START, &asked).is_ok());
}

#[test]
fn malformed_credentials_get_400() {
    // 7616-3.4-12, 7616-3.4-13, 3261-22.4-14
    let mut verifier = verifier(policy());
    let good = Answer::to(&verifier.challenge(START, false)).value();
    let response = good
        .split("response=\"")
        .nth(1)
        .and_then(|rest| rest.get(..64));
    let response = response.unwrap().to_string();
    let changes = [
        ("realm=\"biloxi.com\", ", ""),
        ("username=\"bob\", ", ""),
        (
            "username=\"bob\", ",
            "username=\"bob\", username*=UTF-8''bob, ",
        ),
        ("username=\"bob\", ", "username*=UTF-8''%ff, "),
        ("uri=\"sip:alice@biloxi.com\", ", ""),
        ("uri=\"sip:alice@biloxi.com\"", "uri=\"\""),
        ("uri=\"sip:alice@biloxi.com\"", "uri=\"no uri\""),
        ("nc=00000001", "nc=1"),
        (", nc=00000001", ""),
        (", cnonce=\"0a4f113b\"", ""),
        (&response, "00"),
        (&response, response.get(1..).unwrap()),
        (&response, "zz"),
        ("response", "answer"),
        ("nonce=", "nonsense="),
        ("qop=auth", "qop=auth, qop=auth"),
        ("qop=auth", "qop"),
    ];
    for (from, to) in changes {
        assert!(good.contains(from), "{from}");
        let asked = invite(&good.replacen(from, to, 1), "");
        let refused = Presented::Refused(Refusal::Malformed);
        assert_eq!(verifier.read(&asked), refused, "{from} -> {to}");
    }
    let (status, lines) = verifier.refuse(START, Refusal::Malformed);
    assert!(status.as_u16() == 400 && lines.is_empty());
    assert!(check(&mut verifier, START, &invite(&good, "")).is_ok());
}

#[test]
fn name_in_extended_notation_is_read() {
    let mut verifier = verifier(policy());
    let good = Answer::to(&verifier.challenge(START, false)).value();
    let value = good.replace("username=\"bob\"", "username*=utf-8'en'b%6fb");
    let verified = check(&mut verifier, START, &invite(&value, "")).unwrap();
    assert_eq!(verified.claim().username(), b"bob");
}

#[test]
fn expired_nonce_is_stale_only_if_the_digest_is_right() {
    // 7616-3.3-09
    let mut verifier = verifier(policy());
    let good = Answer::to(&verifier.challenge(START, false));
    let wrong = Answer {
        password: "tanganyika",
        ..good.clone()
    };
    let late = START + Duration::from_secs(301);
    let late = late.unwrap();
    let last = START + Duration::from_secs(300);
    let mut check = |now, answer: &Answer| check(&mut verifier, now, &answer.invite()).err();
    assert_eq!(check(last.unwrap(), &good), None);
    assert_eq!(check(late, &good.nc(2)), Some(Refusal::Stale));
    assert_eq!(check(late, &wrong), Some(Refusal::Wrong));
    let foreign = |nonce: &str| Answer {
        nonce: nonce.to_string(),
        ..good.clone()
    };
    for nonce in [
        "",
        "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        &"0".repeat(64),
        &"+".repeat(64),
    ] {
        assert_eq!(
            check(START, &foreign(nonce)),
            Some(Refusal::Stale),
            "{nonce}"
        );
    }
    for at in 0..64 {
        let mut nonce = good.nonce.clone().into_bytes();
        nonce[at] = if nonce[at] == b'0' { b'1' } else { b'0' };
        let nonce = String::from_utf8(nonce).unwrap();
        assert_eq!(
            check(START, &foreign(&nonce)),
            Some(Refusal::Stale),
            "{nonce}"
        );
    }
}

#[test]
fn nonce_of_another_life_is_stale() {
    let mut other = Verifier::new(policy(), &mut ids().nonces(1)).unwrap();
    let answer = Answer::to(&other.challenge(START, false));
    assert_eq!(
        outcome(&mut verifier(policy()), &answer),
        Err(Refusal::Stale)
    );
    assert_eq!(outcome(&mut other, &answer), Ok(()));
}

#[test]
fn time_that_runs_backwards_makes_no_nonce_stale() {
    let mut verifier = verifier(policy());
    let answer = Answer::to(&verifier.challenge(START, false));
    assert!(check(&mut verifier, Time::ZERO, &answer.invite()).is_ok());
}

#[test]
fn count_that_does_not_rise_is_a_replay() {
    // 7616-3.4-08
    let mut verifier = verifier(policy());
    let answer = Answer::to(&verifier.challenge(START, false));
    let mut outcome = |nc| outcome(&mut verifier, &answer.nc(nc)).err();
    let replayed = Some(Refusal::Replayed);
    assert_eq!(outcome(0), replayed);
    assert_eq!(outcome(1), None);
    assert_eq!(outcome(1), replayed);
    assert_eq!(outcome(5), None);
    assert_eq!(outcome(4), replayed);
    assert_eq!(outcome(6), None);
    assert_eq!(outcome(u32::MAX), None);
    assert_eq!(outcome(u32::MAX), replayed);
    let (status, lines) = verifier.refuse(START, Refusal::Replayed);
    assert_eq!(status.as_u16(), 401);
    assert!(rows(&lines)[0].1.contains("stale=true"));
}

#[test]
fn count_is_noted_only_after_the_digest_was_right() {
    // 7616-3.4-09
    let mut verifier = verifier(policy());
    let answer = Answer::to(&verifier.challenge(START, false));
    let forged = Answer {
        password: "garbage",
        ..answer.nc(u32::MAX)
    };
    let before = verifier.clone();
    for _ in 0..3 {
        assert_eq!(outcome(&mut verifier, &forged), Err(Refusal::Wrong));
    }
    assert_eq!(verifier, before);
    assert_eq!(outcome(&mut verifier, &answer), Ok(()));
}

#[test]
fn memory_is_bounded_and_what_is_forgotten_is_stale() {
    let mut own = policy();
    own.max_nonces = 4;
    let mut verifier = verifier(own);
    let answers: Vec<_> = (0..10)
        .map(|_| Answer::to(&verifier.challenge(START, false)))
        .collect();
    assert_eq!(verifier.window.len(), 0);
    for answer in &answers {
        assert_eq!(outcome(&mut verifier, answer), Ok(()));
        assert!(verifier.window.len() <= 4);
    }
    for (index, answer) in answers.iter().enumerate() {
        let expected = if index < 6 {
            Refusal::Stale
        } else {
            Refusal::Replayed
        };
        assert_eq!(outcome(&mut verifier, answer), Err(expected), "{index}");
    }
    // What is too old to be used is not remembered.
    let later = START + Duration::from_secs(400);
    let later = later.unwrap();
    let fresh = Answer::to(&verifier.challenge(later, false));
    assert!(check(&mut verifier, later, &fresh.invite()).is_ok());
    assert_eq!(verifier.window.len(), 1);
}

#[test]
fn credentials_without_qop_serve_once_by_policy() {
    // 3261-22.4-12, 8760-2.6-05
    let old = |verifier: &mut Verifier| Answer {
        count: None,
        ..Answer::to(&verifier.challenge(START, false))
    };
    let mut lenient = verifier(policy());
    let answer = old(&mut lenient);
    assert_eq!(outcome(&mut lenient, &answer), Ok(()));
    assert_eq!(outcome(&mut lenient, &answer), Err(Refusal::Replayed));
    let mut own = policy();
    own.accepts_no_qop = false;
    let mut strict = verifier(own);
    let answer = old(&mut strict);
    assert_eq!(outcome(&mut strict, &answer), Err(Refusal::NotOffered));
}

#[test]
fn session_without_qop_is_malformed() {
    // 3261-22.4-08
    let mut own = policy();
    own.algorithms = [Algorithm::Md5Sess].to_vec();
    let mut verifier = verifier(own);
    let answer = Answer {
        algorithm: Algorithm::Md5Sess,
        count: None,
        ..Answer::to(&verifier.challenge(START, false))
    };
    assert_eq!(outcome(&mut verifier, &answer), Err(Refusal::Malformed));
}

#[test]
fn session_may_keep_the_first_cnonce_in_a1_or_take_each_new_one() {
    // 7616-3.4.2-02
    let mut own = policy();
    own.algorithms = [Algorithm::Sha256Sess].to_vec();
    let mut verifier = verifier(own);
    let first = Answer {
        algorithm: Algorithm::Sha256Sess,
        count: Some((Qop::Auth, 1, "first")),
        ..Answer::to(&verifier.challenge(START, false))
    };
    let later = |nc, first_cnonce| Answer {
        count: Some((Qop::Auth, nc, "another")),
        first_cnonce,
        ..first.clone()
    };
    assert_eq!(
        outcome(&mut verifier, &later(1, Some("first"))),
        Err(Refusal::Wrong)
    );
    assert_eq!(outcome(&mut verifier, &first), Ok(()));
    assert_eq!(outcome(&mut verifier, &later(2, Some("first"))), Ok(()));
    assert_eq!(outcome(&mut verifier, &later(3, None)), Ok(()));
    assert_eq!(
        outcome(&mut verifier, &later(4, Some("third"))),
        Err(Refusal::Wrong)
    );
}

#[test]
fn auth_int_protects_the_body_if_it_was_offered() {
    // 7616-3.4.3-02, 7616-3.4.3-03
    let mut own = policy();
    own.qops = [Qop::AuthInt].to_vec();
    let mut verifier = verifier(own);
    let answer = Answer {
        count: Some((Qop::AuthInt, 1, "c")),
        body: "--b\r\nv=0\r\n--b--\r\n",
        ..Answer::to(&verifier.challenge(START, false))
    };
    let changed = invite(&answer.value(), "--b\r\nv=1\r\n--b--\r\n");
    assert_eq!(check(&mut verifier, START, &changed), Err(Refusal::Wrong));
    assert_eq!(outcome(&mut verifier, &answer), Ok(()));
    let auth = Answer {
        count: Some((Qop::Auth, 2, "c")),
        ..answer
    };
    assert_eq!(outcome(&mut verifier, &auth), Err(Refusal::NotOffered));
}

#[test]
fn uri_of_the_credentials_counts_if_it_is_ours() {
    // 3261-22.4-04, 3261-22.4-05, 8760-2.6-03
    let mut own = policy();
    own.hosts = ["biloxi.com".into(), "192.0.2.4".into()].to_vec();
    let mut verifier = verifier(own);
    let answer = Answer::to(&verifier.challenge(START, false));
    for (nc, uri, expected) in [
        (1, "sip:%61lice@BILOXI.com", Ok(())),
        (2, "sip:bob@biloxi.com;transport=tcp", Ok(())),
        (3, "sip:192.0.2.4", Ok(())),
        (4, "sip:alice@chicago.com", Err(Refusal::WrongUri)),
        (5, "tel:+12125551212", Err(Refusal::WrongUri)),
    ] {
        let answer = Answer {
            uri,
            ..answer.nc(nc)
        };
        assert_eq!(outcome(&mut verifier, &answer), expected, "{uri}");
    }
    let tel = Answer {
        uri: "tel:+12125551212",
        ..answer.nc(6)
    };
    let lines = HeaderList::new()
        .with("Authorization", tel.value())
        .unwrap();
    let asked = request("INVITE", "tel:+1-212-555-1212", &lines, "");
    assert!(check(&mut verifier, START, &asked).is_ok());
    assert_eq!(verifier.refuse(START, Refusal::WrongUri).0.as_u16(), 403);
}

#[test]
fn opaque_must_come_back() {
    let mut own = policy();
    own.opaque = Some(b"a\"b".as_slice().into());
    let mut verifier = verifier(own);
    let lines = verifier.challenge(START, false);
    assert!(rows(&lines)[0].1.contains("opaque=\"a\\\"b\""));
    let value = Answer::to(&lines).value();
    for (opaque, expected) in [
        ("", Some(Refusal::NotOffered)),
        (", opaque=\"a\"", Some(Refusal::NotOffered)),
        (", opaque=\"a\\\"b\"", None),
    ] {
        let asked = invite(&format!("{value}{opaque}"), "");
        assert_eq!(
            check(&mut verifier, START, &asked).err(),
            expected,
            "{opaque}"
        );
    }
}

#[test]
fn hashed_name_is_resolved_by_the_caller() {
    // 7616-3.4.4-02, 7616-3.4.4-04
    let mut verifier = verifier(policy());
    let value = Answer::to(&verifier.challenge(START, false)).value();
    let hash = "aafc60b9fa3e13876262208200cd6aebf77f59d79e854061f632f35f6cb30e0c";
    let value = value.replace("\"bob\"", &format!("\"{hash}\"")) + ", userhash=true";
    let Presented::Claim(claim) = verifier.read(&invite(&value, "")) else {
        panic!("no claim")
    };
    assert!(claim.is_hashed());
    let unresolved = verifier.verify(START, &claim, Some(&zanzibar()));
    assert_eq!(unresolved, Err(Refusal::Wrong));
    assert_eq!(claim.clone().resolved(b"alice"), None);
    let claim = claim.resolved(b"bob").unwrap();
    assert!(verifier.verify(START, &claim, Some(&zanzibar())).is_ok());
}

#[test]
fn info_proves_the_server_and_gives_the_next_nonce_in_time() {
    // 3261-22.4-13, 7616-3.5-03, 7616-3.5-04
    let mut verifier = verifier(policy());
    let answer = Answer::to(&verifier.challenge(START, false));
    let verified = check(&mut verifier, START, &answer.invite()).unwrap();
    let lines = rows(&verifier.info(START, &verified, b""));
    let [(name, value)] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_eq!(name, "Authentication-Info");
    let ha1 = digest::ha1(Algorithm::Sha256, b"bob", b"biloxi.com", b"zanzibar");
    let ha2 = digest::response_ha2(Algorithm::Sha256, Some(Qop::Auth), URI.as_bytes(), b"");
    let count = digest::Count {
        qop: Qop::Auth,
        nc: 1,
        cnonce: b"0a4f113b",
    };
    let nonce = answer.nonce.as_bytes();
    let proof = digest::response(Algorithm::Sha256, &ha1, nonce, Some(count), &ha2);
    let rest = format!("qop=auth, rspauth=\"{proof}\", cnonce=\"0a4f113b\", nc=00000001");
    assert_eq!(*value, rest);
    let later = START + Duration::from_secs(151);
    let value = rows(&verifier.info(later.unwrap(), &verified, b""))[0]
        .1
        .clone();
    let next = value.strip_prefix("nextnonce=\"").and_then(|v| v.get(..64));
    let next = Answer {
        nonce: next.unwrap().to_string(),
        ..answer
    };
    assert!(check(&mut verifier, later.unwrap(), &next.invite()).is_ok());
    let shown = format!("{verified:?} {verifier:?}");
    assert!(!shown.contains(ha1.as_str()), "{shown}");
}

#[test]
fn info_says_nothing_to_a_client_without_qop() {
    let mut verifier = verifier(policy());
    let answer = Answer {
        count: None,
        ..Answer::to(&verifier.challenge(START, false))
    };
    let verified = check(&mut verifier, START, &answer.invite()).unwrap();
    assert!(verifier.info(START, &verified, b"").is_empty());
}

#[test]
fn nonces_are_never_the_same() {
    let mut verifier = verifier(policy());
    let mut nonces: Vec<_> = (0..100)
        .map(|_| Answer::to(&verifier.challenge(START, false)).nonce)
        .collect();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 100);
}

#[test]
fn policy_that_makes_no_sense_is_refused() {
    let refused = |change: fn(&mut Policy)| {
        let mut own = policy();
        change(&mut own);
        Verifier::new(own, &mut ids().nonces(0)).is_err()
    };
    assert!(refused(|p| p.realm = Realm::new("")));
    assert!(refused(|p| p.realm = Realm::new("a\r\nX: y")));
    assert!(refused(|p| p.algorithms.clear()));
    assert!(refused(|p| p.algorithms.push(Algorithm::Md5)));
    assert!(refused(|p| p.qops.clear()));
    assert!(refused(|p| p.opaque = Some(b"a\nb".as_slice().into())));
    assert!(refused(|p| p.max_nonces = 0));
    assert!(refused(|p| p.nonce_life = Duration::ZERO));
    assert!(!refused(|_| {}));
}
