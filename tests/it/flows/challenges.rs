//! Calls of which one side wants to know who the other is (RFC 3261 22; 7616; 8760).

use insta::assert_snapshot;

use drongo::auth::{Account, Algorithm, Keyring, Policy, Secret, Side, Verifier};
use drongo::endpoint::{Config, Event};
use drongo::message::{Outgoing, Request, StatusCode};
use drongo::sim::{Turn, User};

use super::support::{Flow, answers_at_once, hang_up, info, request, sdp, update};

fn with_account(password: &str) -> Config {
    let secret = Secret::password(password);
    let alice = Account::new("biloxi.example.com", "alice", secret).unwrap();
    let mut config = Config::default();
    config.keyring = Keyring::new().with(alice);
    config
}

/// Answers calls of alice, who knows her password, and asks for it in whatever `asks` says.
fn guarded(asks: fn(&Request) -> bool) -> impl User {
    let mut verifier: Option<Verifier> = None;
    move |turn: &mut Turn<'_>, event: Event| {
        let verifier = verifier.get_or_insert_with(|| {
            let mut policy = Policy::new(Side::Server, "biloxi.example.com");
            policy.algorithms = [Algorithm::Sha512_256, Algorithm::Md5].to_vec();
            turn.endpoint.verifier(0, policy).unwrap()
        });
        let secret = |name: &[u8]| (name == b"alice").then(|| Secret::password("zanzibar"));
        let now = turn.now;
        match event {
            Event::Incoming { call, request, .. } | Event::Reoffered { call, request }
                if asks(&request) =>
            {
                let verdict = verifier.check(now, &request, secret);
                turn.call(call, |call, now, out| match verdict {
                    Ok(Some(verified)) => {
                        let proof = verifier.info(now, &verified, b"v=0\r\n");
                        call.answer(now, sdp().with_headers(proof), out)
                    }
                    Ok(None) => call.answer(now, sdp(), out),
                    Err(refusal) => call.challenge(now, verifier, refusal, out),
                })
                .unwrap();
            }
            Event::Request {
                request, message, ..
            } => {
                let (status, headers) = match verifier.check(now, &message, secret) {
                    Ok(_) => (StatusCode::OK, Outgoing::default()),
                    Err(refusal) => {
                        let (status, lines) = verifier.refuse(now, refusal);
                        (status, Outgoing::default().with_headers(lines))
                    }
                };
                let mut request = turn.endpoint.request(request).unwrap();
                request.respond(now, status, headers, turn.out).unwrap();
            }
            event => answers_at_once(turn, event),
        }
    }
}

fn every(_: &Request) -> bool {
    true
}

fn only_reinvites(request: &Request) -> bool {
    request.to_tag().is_some()
}

/// All requests that Alice sent, with their Authorization.
fn shown(flow: &Flow) -> Vec<(Request, Vec<String>)> {
    let sent = flow.world.record().sent();
    let own = sent.filter(|sent| sent.from == flow.alice);
    own.filter_map(|sent| request(&sent.bytes))
        .map(|request| {
            let rows = request.all_named("Authorization");
            let rows = rows.map(|row| String::from_utf8_lossy(row).into_owned());
            let rows = rows.collect();
            (request, rows)
        })
        .collect()
}

#[test]
fn caller_with_the_password_is_let_in() {
    // 3261-22.2-02, 3261-22.1-08, 8760-2.4-02. PAINS 52, 54, 89
    let mut flow = Flow::with_config(with_account("zanzibar"), (), guarded(every));
    flow.place();
    flow.at(1000, flow.alice, hang_up);
    flow.world.run_until(drongo::time::Time::from_secs(2));
    let shown = shown(&flow);
    let words: Vec<String> = shown
        .iter()
        .map(|(request, rows)| format!("{} {}", request.cseq(), rows.len()))
        .collect();
    assert_eq!(
        words,
        ["1 INVITE 0", "1 ACK 0", "2 INVITE 1", "2 ACK 1", "3 BYE 1"]
    );
    let of = |at: usize| shown[at].1[0].clone();
    assert!(of(2).contains("algorithm=SHA-512-256"), "{}", of(2));
    assert_eq!(of(3), of(2));
    assert!(of(4).contains("nc=00000002"), "{}", of(4));
    assert_snapshot!(flow.end());
}

#[test]
fn lost_credentials_are_repeated_with_the_same_count() {
    // 7616-3.4-06: the ladder says `again` of the same bytes only.
    let mut flow = Flow::with_config(with_account("zanzibar"), (), guarded(every));
    flow.place();
    flow.world.run_until(drongo::time::Time::from_millis(15));
    flow.world.lose(flow.alice, "INVITE", 1);
    flow.world.lose(flow.bob, "200 INVITE", 1);
    flow.at(3000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn caller_with_another_password_is_not() {
    // PAINS 53
    let mut flow = Flow::with_config(with_account("guess"), (), guarded(every));
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn caller_without_an_account_is_not() {
    let mut flow = Flow::new(guarded(every));
    flow.place();
    assert_snapshot!(flow.end());
}

#[test]
fn reinvite_that_is_challenged_goes_again() {
    // 3261-22.3-09
    let mut flow = Flow::with_config(with_account("zanzibar"), (), guarded(only_reinvites));
    flow.place();
    flow.at(1000, flow.alice, update);
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn info_that_is_challenged_goes_again() {
    let mut flow = Flow::with_config(with_account("zanzibar"), (), guarded(only_reinvites));
    flow.place();
    flow.at(1000, flow.alice, info);
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}

#[test]
fn info_that_is_challenged_in_vain_leaves_the_call() {
    let mut flow = Flow::with_config(with_account("guess"), (), guarded(only_reinvites));
    flow.place();
    flow.at(1000, flow.alice, info);
    flow.at(2000, flow.alice, hang_up);
    assert_snapshot!(flow.end());
}
