//! Client and verifier against each other, and both against garbage.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drongo::auth::{
    Account, Algorithm, Attempt, Client, GiveUp, Keyring, Policy, Presented, Protected, Qop,
    Refusal, Secret, ServerProof, Side, Verified, Verifier, digest,
};
use drongo::limits::Limits;
use drongo::message::{HeaderList, Incoming, Method, Request, Response, parse};
use drongo::seed::{Ids, Seed};
use drongo::time::Time;
use proptest::prelude::*;

/// What one run draws.
#[derive(Clone, Debug)]
struct Plan {
    side: Side,
    algorithms: Vec<Algorithm>,
    qops: Vec<Qop>,
    realm: String,
    username: String,
    password: String,
    opaque: Option<String>,
    userhash: bool,
    stores_ha1: bool,
    seed: u8,
    requests: Vec<(&'static str, String, u16)>,
}

impl Plan {
    fn verifier(&self, ids: &Ids) -> Verifier {
        let mut policy = Policy::new(self.side, &self.realm);
        policy.algorithms.clone_from(&self.algorithms);
        policy.qops.clone_from(&self.qops);
        policy.opaque = self.opaque.as_ref().map(|text| text.as_bytes().into());
        policy.userhash = self.userhash;
        Verifier::new(policy, &mut ids.nonces(0)).unwrap()
    }

    fn client(&self, ids: &Ids) -> Client {
        let secret = Secret::password(&self.password);
        let account = Account::new(&self.realm, &self.username, secret).unwrap();
        Client::new(
            Arc::new(Keyring::new().with(account)),
            &mut ids.credentials(0),
        )
    }

    /// What the server has stored.
    fn secret(&self) -> Secret {
        if !self.stores_ha1 {
            return Secret::password(&self.password);
        }
        let ha1 = |algorithm| {
            let (name, realm) = (self.username.as_bytes(), self.realm.as_bytes());
            digest::ha1(algorithm, name, realm, self.password.as_bytes())
        };
        let md5 = Secret::ha1(Algorithm::Md5, ha1(Algorithm::Md5).as_str()).unwrap();
        [Algorithm::Sha256, Algorithm::Sha512_256]
            .into_iter()
            .fold(md5, |secret, algorithm| {
                secret.with_ha1(algorithm, ha1(algorithm).as_str()).unwrap()
            })
    }

    fn check(
        &self,
        verifier: &mut Verifier,
        now: Time,
        request: &Request,
    ) -> Result<Verified, Refusal> {
        match verifier.read(request) {
            Presented::Claim(claim) => {
                let hashed = claim.is_hashed();
                assert_eq!(hashed, self.userhash);
                let claim = claim.resolved(self.username.as_bytes());
                let claim = claim.expect("the name or its hash");
                verifier.verify(now, &claim, Some(&self.secret()))
            }
            Presented::Refused(refusal) => Err(refusal),
            Presented::Exempt => panic!("neither ACK nor CANCEL is sent"),
        }
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let algorithms = Just(Algorithm::ALL.to_vec())
        .prop_shuffle()
        .prop_flat_map(|all| (1..=all.len()).prop_map(move |n| all[..n].to_vec()));
    let qops = prop_oneof![
        Just(vec![Qop::Auth]),
        Just(vec![Qop::AuthInt]),
        Just(vec![Qop::Auth, Qop::AuthInt]),
    ];
    let request = (
        prop_oneof![Just("INVITE"), Just("BYE"), Just("REGISTER"), Just("X-NEW")],
        "[ -~\r\n]{0,40}",
        0..400_u16,
    );
    let texts = ("[ -~äø]{1,12}", "[ -~äø]{0,12}", "[ -~äø]{0,12}");
    let flags = (any::<bool>(), any::<bool>(), any::<u8>());
    (
        prop_oneof![Just(Side::Server), Just(Side::Proxy)],
        algorithms,
        qops,
        texts,
        proptest::option::of("[ -~]{0,12}"),
        flags,
        proptest::collection::vec(request, 1..6),
    )
        .prop_map(
            |(side, algorithms, qops, texts, opaque, flags, requests)| Plan {
                side,
                algorithms,
                qops,
                realm: texts.0,
                username: texts.1,
                password: texts.2,
                opaque,
                userhash: flags.0,
                stores_ha1: flags.1,
                seed: flags.2,
                requests,
            },
        )
}

const URI: &str = "sip:alice@biloxi.com;transport=tcp";

fn request(method: &str, lines: &HeaderList, body: &str) -> Request {
    let mut text = format!("{method} {URI} SIP/2.0\r\n{}", essentials(method)).into_bytes();
    text.extend_from_slice(lines.as_bytes());
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(body.as_bytes());
    match parse(Bytes::from(text), &Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(status: u16, lines: &[u8], body: &str) -> Option<Response> {
    let mut text = format!("SIP/2.0 {status} \r\n{}", essentials("INVITE")).into_bytes();
    text.extend_from_slice(lines);
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(body.as_bytes());
    match parse(Bytes::from(text), &Limits::DEFAULT) {
        Ok(Incoming::Response(response)) => Some(response),
        Ok(Incoming::Request(_)) | Err(_) => None,
    }
}

fn essentials(method: &str) -> String {
    format!(
        "Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:bob@biloxi.com>;tag=1\r\n\
         To: <sip:alice@biloxi.com>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n"
    )
}

proptest! {
    /// Whatever the server asks for and however its texts look, the client lets it verify; the
    /// server proves itself, and no request is challenged more than once.
    #[test]
    fn client_answers_what_the_verifier_asks(plan in plans()) {
        // 7616-3.4.5-01, 7616-3.4-05, 7616-3.5-01
        let ids = Ids::new(Seed::from_bytes([plan.seed; 32]));
        let (mut client, mut verifier) = (plan.client(&ids), plan.verifier(&ids));
        let mut now = Time::from_secs(5);
        for (index, (method, body, wait)) in plan.requests.iter().enumerate() {
            now = (now + Duration::from_secs(u64::from(*wait))).unwrap();
            let protected = Protected {
                method: Method::parse(method.as_bytes()).unwrap(),
                uri: URI.as_bytes(),
                body: body.as_bytes(),
            };
            let mut attempt = Attempt::new();
            let lines = client.authorize(&mut attempt, &protected);
            let asked = request(method, lines, body);
            let verified = match plan.check(&mut verifier, now, &asked) {
                Ok(verified) => verified,
                Err(refusal) => {
                    let expected = if index == 0 { Refusal::Missing } else { Refusal::Stale };
                    prop_assert_eq!(refusal, expected);
                    let (status, lines) = verifier.refuse(now, refusal);
                    let refused = response(status.as_u16(), lines.as_bytes(), "").unwrap();
                    let lines = client.retry(&mut attempt, &refused, &protected).unwrap();
                    prop_assert_eq!(lines.iter().count(), 1);
                    let again = request(method, lines, body);
                    let verified = plan.check(&mut verifier, now, &again);
                    prop_assert_eq!(plan.check(&mut verifier, now, &again), Err(Refusal::Replayed));
                    verified.unwrap()
                }
            };
            // The topmost algorithm that both know.
            prop_assert_eq!(verified.claim().algorithm(), plan.algorithms[0]);
            prop_assert_eq!(verified.claim().username(), plan.username.as_bytes());
            let lines = verifier.info(now, &verified, b"answer");
            let ok = response(200, lines.as_bytes(), "answer").unwrap();
            prop_assert_eq!(client.confirmed(&attempt, &ok), ServerProof::Proven);
            let forged = response(200, lines.as_bytes(), "another").unwrap();
            let proof = client.confirmed(&attempt, &forged);
            let protects_body = verified.claim().qop() == Some(Qop::AuthInt);
            prop_assert_eq!(proof == ServerProof::Wrong, protects_body);
        }
    }

    /// A wrong password ends after one answer, whatever is asked for.
    #[test]
    fn wrong_password_ends_the_attempt(plan in plans(), other in "[a-z]{1,8}") {
        // 3261-22.1-13
        prop_assume!(plan.password != other);
        let ids = Ids::new(Seed::from_bytes([plan.seed; 32]));
        let mut verifier = plan.verifier(&ids);
        let mut client = Plan { password: other, ..plan.clone() }.client(&ids);
        let protected = Protected { method: Method::Invite, uri: URI.as_bytes(), body: b"" };
        let mut attempt = Attempt::new();
        let mut refusals = Vec::new();
        let mut lines = client.authorize(&mut attempt, &protected).clone();
        let reason = loop {
            let asked = request("INVITE", &lines, "");
            let refusal = plan.check(&mut verifier, Time::ZERO, &asked).unwrap_err();
            refusals.push(refusal);
            let (status, challenge) = verifier.refuse(Time::ZERO, refusal);
            let refused = response(status.as_u16(), challenge.as_bytes(), "").unwrap();
            match client.retry(&mut attempt, &refused, &protected) {
                Ok(more) => lines = more.clone(),
                Err(reason) => break reason,
            }
        };
        prop_assert_eq!(refusals, [Refusal::Missing, Refusal::Wrong]);
        prop_assert!(matches!(reason, GiveUp::Refused { .. }), "{}", reason);
    }

    /// Nothing that stands in these headers makes either side panic.
    #[test]
    fn garbage_is_refused_and_nothing_else(rows in proptest::collection::vec(rows(), 1..6)) {
        let plan_ids = Ids::new(Seed::from_bytes([3; 32]));
        let bob = Account::anywhere("bob", Secret::password("zanzibar")).unwrap();
        let keyring = Arc::new(Keyring::new().with(bob));
        let mut client = Client::new(keyring, &mut plan_ids.credentials(0));
        let mut policy = Policy::new(Side::Server, "r");
        policy.algorithms = Algorithm::ALL.to_vec();
        let mut verifier = Verifier::new(policy, &mut plan_ids.nonces(0)).unwrap();
        let lines: Vec<u8> = rows.concat();
        let protected = Protected { method: Method::Invite, uri: URI.as_bytes(), body: b"" };
        let mut attempt = Attempt::new();
        for status in [401, 407, 200] {
            let Some(response) = response(status, &lines, "") else { continue };
            let result = client.retry(&mut attempt, &response, &protected).cloned();
            if let Ok(lines) = result {
                // What it answers can be read.
                let asked = request("INVITE", &lines, "");
                for row in asked.authorization().chain(asked.proxy_authorization()) {
                    prop_assert!(row.is_ok_and(|row| row.response().is_some()));
                }
            }
            prop_assert!(client.confirmed(&attempt, &response) != ServerProof::Proven);
        }
        let mut text = format!("INVITE {URI} SIP/2.0\r\n{}", essentials("INVITE")).into_bytes();
        text.extend_from_slice(&lines);
        text.extend_from_slice(b"\r\n");
        if let Ok(Incoming::Request(request)) = parse(Bytes::from(text), &Limits::DEFAULT)
            && let Presented::Claim(claim) = verifier.read(&request)
        {
            let secret = Secret::password("zanzibar");
            let refused = verifier.verify(Time::ZERO, &claim, Some(&secret));
            prop_assert_eq!(refused, Err(Refusal::Wrong));
        }
    }
}

/// A header line of this family that is right, nearly right, or anything.
fn rows() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("WWW-Authenticate"),
        Just("Proxy-Authenticate"),
        Just("Authorization"),
        Just("Proxy-Authorization"),
        Just("Authentication-Info"),
        Just("Proxy-Authentication-Info"),
    ];
    let param = prop_oneof![
        Just("realm"),
        Just("nonce"),
        Just("opaque"),
        Just("algorithm"),
        Just("qop"),
        Just("uri"),
        Just("stale"),
        Just("userhash"),
        Just("username"),
        Just("username*"),
        Just("response"),
        Just("cnonce"),
        Just("nc"),
        Just("nextnonce"),
        Just("rspauth"),
        Just("domain"),
    ];
    let digits = "[0-9a-f]{32}|[0-9a-f]{64}";
    let value = prop_oneof![
        Just("r".to_owned()),
        Just("\"r\"".to_owned()),
        Just("true".to_owned()),
        Just("auth".to_owned()),
        Just("\"auth,auth-int\"".to_owned()),
        Just("auth-int".to_owned()),
        Just("MD5-sess".to_owned()),
        Just("SHA-256".to_owned()),
        Just(format!("\"{URI}\"")),
        Just("00000001".to_owned()),
        Just("UTF-8''a%20b".to_owned()),
        digits.prop_map(|digits| format!("\"{digits}\"")),
        "\"[ -~\u{0}\u{e4}]{0,8}\"",
        "[!-~]{0,8}",
        "\"a\r\n b\\\\\\\\\"",
    ];
    let pairs = proptest::collection::vec((param, value), 0..10).prop_map(|pairs| {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join(", ").into_bytes()
    });
    let content = prop_oneof![
        4 => pairs.clone().prop_map(|pairs| [b"Digest ", &pairs[..]].concat()),
        1 => pairs,
        1 => proptest::collection::vec(any::<u8>(), 0..60),
    ];
    (name, content).prop_map(|(name, content)| [name.as_bytes(), b": ", &content, b"\r\n"].concat())
}
