//! Servers that fail, and the next ones (RFC 3263 4.3).

use drongo::call::Invitation;
use drongo::locate::{Question, Records, Srv};
use drongo::sim::{Link, Node, Peer};
use insta::assert_snapshot;

use super::support::{BOB, Flow, address, hang_up, request, script, sdp, within};

const FIRST: &str = "192.0.2.21:5060";

/// `example.com` has two servers: the first, and Bob.
struct Farm {
    flow: Flow,
    first: Node,
}

impl Farm {
    fn new(first: impl Peer + 'static) -> Self {
        Self::with_bob(first, script(&[(0, 180, "b"), (1000, 200, "b")]))
    }

    fn with_bob(first: impl Peer + 'static, bob: impl Peer + 'static) -> Self {
        let mut flow = Flow::with_peer(bob);
        let first = flow.world.peer("first", address(FIRST), first);
        let srv = |priority, target: &str| Srv {
            priority,
            weight: 0,
            port: 5060,
            target: target.into(),
        };
        let records = Records::Srv(vec![srv(2, "s2.example.com"), srv(1, "s1.example.com")]);
        let name = "_sip._udp.example.com".into();
        flow.world.dns(Question::Srv { name }, records);
        flow.world.host("s1.example.com", &[address(FIRST).ip()]);
        flow.world.host("s2.example.com", &[address(BOB).ip()]);
        Self { flow, first }
    }

    fn place(&mut self) {
        let invitation = Invitation::new("sip:bob@example.com", "sip:alice@example.com")
            .unwrap()
            .with(sdp());
        self.flow.place_with(invitation);
    }

    /// What Alice sent with this method, each once: to whom, and its branch.
    fn sent(&self, method: &str) -> Vec<(Node, String)> {
        let mut all = Vec::new();
        for sent in self.flow.world.record().sent() {
            let Some(request) = request(&sent.bytes) else {
                continue;
            };
            let branch = request.top_via().branch().unwrap().to_string();
            let one = (sent.to.unwrap(), branch);
            if request.method().as_str() == method && !all.contains(&one) {
                all.push(one);
            }
        }
        all
    }

    fn end(self) -> String {
        self.flow.end()
    }
}

#[test]
fn server_that_says_503_is_acknowledged_and_the_next_one_is_called() {
    // 3263-4.3-51, 3263-4.3-01, PAINS 51
    let mut farm = Farm::new(script(&[(10, 503, "f")]));
    farm.place();
    let alice = farm.flow.alice;
    farm.flow.at(5_000, alice, hang_up);
    farm.flow.world.run_until(drongo::time::Time::from_secs(10));
    let invites = farm.sent("INVITE");
    assert_eq!(invites.len(), 2);
    let [(first, old), (second, new)] = &invites[..] else {
        panic!("{invites:?}");
    };
    assert_eq!((*first, *second), (farm.first, farm.flow.bob));
    // 3263-4.3-53, 3263-4.3-02
    assert_ne!(old, new);
    // 3263-4-53: the ACK for the 503 goes where the INVITE went, and nowhere else.
    assert!(farm.sent("ACK").contains(&(farm.first, old.clone())));
    assert!(!farm.sent("ACK").contains(&(farm.flow.bob, old.clone())));
    assert_snapshot!(farm.end());
}

#[test]
fn next_server_gets_the_same_request_but_for_its_branch() {
    // 3263-4.3-54, 3263-4.3-02, 3263-4-52
    let mut farm = Farm::new(script(&[(10, 503, "f")]));
    farm.place();
    let alice = farm.flow.alice;
    farm.flow.at(5_000, alice, hang_up);
    farm.flow.world.run_until(drongo::time::Time::from_secs(1));
    let texts: Vec<String> = farm
        .flow
        .world
        .record()
        .sent()
        .filter(|sent| sent.bytes.starts_with(b"INVITE"))
        .map(|sent| String::from_utf8_lossy(&sent.bytes).into_owned())
        .collect();
    let invites = farm.sent("INVITE");
    assert!(texts[0].starts_with("INVITE sip:bob@example.com SIP/2.0\r\n"));
    assert_eq!(texts[0].replace(&invites[0].1, &invites[1].1), texts[1]);
    farm.end();
}

#[test]
fn server_that_cannot_be_reached_is_passed_over() {
    // 3263-4.3-51, 3261-17.1.4-01
    let mut farm = Farm::new(());
    let (alice, first) = (farm.flow.alice, farm.first);
    farm.flow
        .world
        .link(alice, first, Link::default().refusing());
    farm.place();
    farm.flow.at(5_000, alice, hang_up);
    assert_snapshot!(farm.end());
}

#[test]
fn silent_server_is_passed_over_after_timer_b() {
    // 3263-4.3-51, 3263-4.3-01
    let mut farm = Farm::new(());
    farm.place();
    let alice = farm.flow.alice;
    farm.flow.at(40_000, alice, hang_up);
    assert_snapshot!(farm.end());
}

#[test]
fn server_that_refuses_otherwise_ends_the_search() {
    // 3263-4.3-55
    for responses in [&[(10, 500, "f")][..], &[(10, 404, "f")], &[(10, 603, "f")]] {
        let mut farm = Farm::new(script(responses));
        farm.place();
        farm.flow.world.run_until(drongo::time::Time::from_secs(1));
        assert_eq!(farm.sent("INVITE").len(), 1);
        farm.end();
    }
}

#[test]
fn last_server_that_says_503_ends_the_call_once() {
    let mut farm = Farm::with_bob(script(&[(10, 503, "f")]), script(&[(10, 503, "b")]));
    farm.place();
    assert_snapshot!(farm.end());
}

#[test]
fn call_that_rang_at_a_server_that_says_503_goes_to_the_next() {
    // 3263-4.3-51: a 503 is a failure at any time.
    let mut farm = Farm::new(script(&[(10, 180, "f"), (500, 503, "f")]));
    farm.place();
    let alice = farm.flow.alice;
    farm.flow.at(5_000, alice, hang_up);
    assert_snapshot!(farm.end());
}

#[test]
fn early_dialog_of_a_server_that_says_503_is_over() {
    let mut farm = Farm::new(script(&[(10, 180, "f"), (500, 503, "f")]));
    farm.place();
    let alice = farm.flow.alice;
    farm.flow
        .world
        .run_until(drongo::time::Time::from_millis(700));
    // 3261-13.2.2.3-02: as after any non-2xx.
    let update = within(&farm.flow.invite(), "f", "UPDATE", 1, "u");
    farm.flow.send(700, &update);
    farm.flow
        .world
        .run_until(drongo::time::Time::from_millis(800));
    let answer = farm.flow.last_of_alice();
    assert!(answer.starts_with("SIP/2.0 481 "), "{answer}");
    farm.flow.at(5_000, alice, hang_up);
    farm.end();
}

#[test]
fn cancel_goes_to_the_server_that_rings_alone() {
    // 3263-4-53
    let mut farm = Farm::with_bob(
        script(&[(10, 503, "f")]),
        script(&[(0, 180, "b"), (1_000, 487, "b")]),
    );
    farm.place();
    let alice = farm.flow.alice;
    farm.flow.at(900, alice, hang_up);
    farm.flow.world.run_until(drongo::time::Time::from_secs(5));
    let cancels = farm.sent("CANCEL");
    assert_eq!(cancels, farm.sent("INVITE")[1..]);
    assert_snapshot!(farm.end());
}

#[test]
fn call_that_is_taken_back_goes_to_no_other_server() {
    let mut farm = Farm::new(());
    farm.place();
    let alice = farm.flow.alice;
    farm.flow.at(2_000, alice, hang_up);
    farm.flow
        .world
        .run_until(drongo::time::Time::from_secs(100));
    assert_eq!(farm.sent("INVITE").len(), 1);
    farm.end();
}

#[test]
fn call_that_is_taken_back_while_the_next_server_is_looked_up_is_over() {
    let mut farm = Farm::new(script(&[(10, 503, "f")]));
    farm.place();
    let alice = farm.flow.alice;
    // Nobody knows the address of the second.
    let name = "s2.example.com".into();
    let hidden = Question::Addresses { name };
    farm.flow.world.forget(&hidden);
    farm.flow.at(2_000, alice, hang_up);
    assert_snapshot!(farm.end());
}

#[test]
fn bye_goes_to_the_next_address_if_the_first_fails() {
    // 3263-4.3-53, for a request within a dialog: the remote target is a name.
    let mut answer = script(&[(0, 200, "b")]);
    let named = move |now, from, bytes: &bytes::Bytes, out: &mut Vec<drongo::sim::Letter>| {
        answer(now, from, bytes, out);
        for letter in out {
            let text = String::from_utf8_lossy(&letter.bytes);
            letter.bytes = text.replace("b@192.0.2.4", "b@b.example.com:5060").into();
        }
    };
    let mut farm = Farm::with_bob((), named);
    let (alice, first) = (farm.flow.alice, farm.first);
    farm.flow
        .world
        .link(alice, first, Link::default().refusing());
    let both = [address(BOB).ip(), address(FIRST).ip()];
    farm.flow.world.host("b.example.com", &both);
    farm.flow.place();
    farm.flow.world.run_until(drongo::time::Time::from_secs(1));
    let turned = [address(FIRST).ip(), address(BOB).ip()];
    farm.flow.world.host("b.example.com", &turned);
    farm.flow.at(2_000, alice, hang_up);
    assert_snapshot!(farm.end());
}
