//! Offer and answer against RFC 3264, 3261 13.2.1, 3262 5, 3311 5 and 6337.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "tests count; an overflow would panic, which fails the test"
)]

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::Message as M;
use super::Verdict as V;
use super::*;
use crate::seed::Seed;

const PHASES: [Phase; 11] = [
    Phase::Free,
    Phase::Offered,
    Phase::Previewed,
    Phase::Asked,
    Phase::OfferedBack,
    Phase::AnsweredEarly,
    Phase::Reoffered,
    Phase::Acknowledging,
    Phase::Settled,
    Phase::Accepted,
    Phase::OfferedLate,
];

const WITHIN: [M; 8] = [
    M::Unreliable,
    M::Reliable,
    M::Success,
    M::Failure,
    M::Ack,
    M::Prack,
    M::PrackSuccess,
    M::PrackFailure,
];

/// A message with a session description, from this side.
fn out(message: M) -> (bool, M, bool) {
    (true, message, true)
}

/// And without.
fn out0(message: M) -> (bool, M, bool) {
    (true, message, false)
}

/// A message with a session description, from the other side.
fn from(message: M) -> (bool, M, bool) {
    (false, message, true)
}

/// And without.
fn from0(message: M) -> (bool, M, bool) {
    (false, message, false)
}

/// A dialog after these messages. Those of this side are legal.
fn after(messages: &[(bool, M, bool)]) -> OfferAnswer {
    let mut state = OfferAnswer::new();
    say(&mut state, messages);
    state
}

fn say(state: &mut OfferAnswer, messages: &[(bool, M, bool)]) -> Vec<Verdict> {
    let one = |(ours, message, body): &(bool, M, bool)| match ours {
        true => {
            assert_eq!(
                state.may_send(*message, *body),
                Ok(()),
                "{message:?} {state:?}"
            );
            state.on_sent(*message, *body)
        }
        false => state.on_received(*message, *body),
    };
    messages.iter().map(one).collect()
}

/// A session stands, by an INVITE of this side.
fn established() -> OfferAnswer {
    after(&[out(M::Invite), from(M::Success), out0(M::Ack)])
}

fn then(mut state: OfferAnswer, messages: &[(bool, M, bool)]) -> OfferAnswer {
    say(&mut state, messages);
    state
}

/// What an UPDATE with an offer meets.
fn update_meets(mut state: OfferAnswer) -> Verdict {
    state.on_received(M::Update, true)
}

fn invite_meets(mut state: OfferAnswer) -> Verdict {
    state.on_received(M::Invite, false)
}

const PENDING: Verdict = V::Refuse(Refusal::Pending);
const OVERLAP: Verdict = V::Refuse(Refusal::Overlap);

// 6337-2.2-51
// 6337-2.2-08, 6337-2.2-09, 6337-2.2-10, 6337-2.2-11, 6337-2.2-12, 6337-2.2-13, 6337-2.2-14,
// 6337-2.2-15, 6337-2.2-16, 6337-2.2-17, 6337-2.2-18, 6337-2.2-19, 6337-2.2-20, 6337-2.2-21,
// 6337-2.2-22, 6337-2.2-23
#[test]
fn whole_table_is_as_reviewed() {
    let mut text = String::new();
    for phase in PHASES {
        for message in WITHIN {
            for body in [true, false] {
                let cell = exchange(phase, message, body);
                let next = match cell.next == phase {
                    true => String::new(),
                    false => format!(" > {}", cell.next.name()),
                };
                let legal = if cell.legal { "" } else { "! " };
                let body = if body { "+" } else { " " };
                let message = format!("{message:?}{body}");
                let verdict = cell.verdict;
                let name = phase.name();
                writeln!(text, "{name:13} {message:14} {legal:2}{verdict:?}{next}").unwrap();
            }
        }
        text.push('\n');
    }
    snapshot("offer_answer_exchange", &text);
}

// 6337-4.3-01
// 6337-4.3-02
// 6337-4.3-03
// 6337-4.3-04
// 6337-4.3-05
// 6337-4.3-07
// 6337-4.3-51, 6337-4.3-52, 6337-4.3-53, 6337-4.3-54, 6337-4.3-55, 6337-4.3-56, 6337-4.3-57,
// 6337-4.3-10
// 6337-4.3-11
// 6337-4.3-12
// 6337-4.3-58, 6337-4.3-08, 6337-4.3-59, 6337-4.3-09, 6337-4.3-60, 6337-4.3-61, 6337-4.3-62
#[test]
fn whole_table_of_new_requests_is_as_reviewed() {
    let mut text = String::new();
    for phase in PHASES {
        for ours in [true, false] {
            for (sent, received) in UPDATES {
                let state = OfferAnswer {
                    phase,
                    ours,
                    established: true,
                    sent,
                    received,
                    ..OfferAnswer::new()
                };
                let cell = |message, body| {
                    let may = state.may_send(message, body).is_ok();
                    let meets = match state.clone().on_received(message, body) {
                        V::Refuse(refusal) => refusal.status().as_u16(),
                        V::Nothing | V::Offer | V::Answer | V::Preview | V::Missing | V::Ignore => {
                            0
                        }
                    };
                    let may = if may { "may" } else { "-" };
                    let meets = if meets == 0 {
                        "ok".into()
                    } else {
                        format!("{meets}")
                    };
                    format!("{may:3} {meets:3}")
                };
                let side = if ours { "ours" } else { "theirs" };
                writeln!(
                    text,
                    "{:13} {side:6} {:11} | INVITE {} | UPDATE+ {} | UPDATE {}",
                    phase.name(),
                    format!("{sent:?}/{received:?}"),
                    cell(M::Invite, false),
                    cell(M::Update, true),
                    cell(M::Update, false),
                )
                .unwrap();
            }
        }
    }
    snapshot("offer_answer_gates", &text);
}

const UPDATES: [(Update, Update); 5] = [
    (Update::None, Update::None),
    (Update::Plain, Update::None),
    (Update::Offer, Update::None),
    (Update::None, Update::Plain),
    (Update::None, Update::Offer),
];

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

// 3261-13.2.1-05, 3261-13.2.1-11
// 6337-2.2-01, 6337-2.2-07
#[test]
fn pattern_1_invite_and_2xx() {
    let mut caller = OfferAnswer::new();
    let verdicts = say(
        &mut caller,
        &[out(M::Invite), from(M::Success), out0(M::Ack)],
    );
    assert_eq!(verdicts, [V::Offer, V::Answer, V::Nothing]);
    assert!(caller.is_established() && !caller.is_open());
    let mut callee = OfferAnswer::new();
    let verdicts = say(
        &mut callee,
        &[from(M::Invite), out(M::Success), from0(M::Ack)],
    );
    assert_eq!(verdicts, [V::Offer, V::Answer, V::Nothing]);
    assert!(callee.is_established() && !callee.owes_answer());
    // The answer is owed.
    let owing = after(&[from(M::Invite)]);
    assert!(owing.owes_answer());
    assert!(owing.may_send(M::Success, false).is_err());
}

// 3261-13.2.1-04, 3261-13.2.1-08, 3261-13.2.1-11, 6337-2.2-59, 6337-2.2-30
// 6337-2.2-02
#[test]
fn pattern_2_2xx_and_ack() {
    let mut caller = after(&[out0(M::Invite), from0(M::Unreliable)]);
    assert_eq!(caller.on_received(M::Success, true), V::Offer);
    assert!(caller.owes_answer());
    assert!(caller.may_send(M::Ack, false).is_err());
    assert_eq!(caller.on_sent(M::Ack, true), V::Answer);
    let callee = after(&[from0(M::Invite)]);
    assert!(callee.may_send(M::Success, false).is_err());
    let mut callee = then(callee, &[out(M::Success)]);
    assert!(callee.is_open() && !callee.owes_answer());
    assert_eq!(callee.on_received(M::Ack, true), V::Answer);
}

// 3262-5-01, 3262-5-08
// 6337-2.2-03
#[test]
fn pattern_3_invite_and_reliable_1xx() {
    let mut caller = after(&[out(M::Invite)]);
    assert_eq!(caller.on_received(M::Reliable, true), V::Answer);
    let done = [
        out0(M::Prack),
        from0(M::PrackSuccess),
        from0(M::Success),
        out0(M::Ack),
    ];
    assert_eq!(say(&mut caller, &done), [V::Nothing; 4]);
    assert_eq!(invite_meets(caller), V::Nothing);
}

// 3262-5-02, 3262-5-03, 6337-5.2.2-51
// 6337-2.2-04
#[test]
fn pattern_4_reliable_1xx_and_prack() {
    let callee = after(&[from0(M::Invite)]);
    assert!(callee.may_send(M::Reliable, false).is_err());
    // 6337-3.1.2-01
    assert!(callee.may_send(M::Unreliable, true).is_err());
    assert!(callee.may_send(M::Unreliable, false).is_ok());
    let mut callee = then(callee, &[out(M::Reliable)]);
    assert_eq!(callee.on_received(M::Prack, true), V::Answer);
    let mut caller = after(&[out0(M::Invite)]);
    assert_eq!(caller.on_received(M::Reliable, true), V::Offer);
    assert!(caller.may_send(M::Prack, false).is_err());
    assert_eq!(say(&mut caller, &[out(M::Prack)]), [V::Answer]);
    assert!(caller.is_established());
}

// 3262-5-04, 3262-5-05, 6337-2.2-53, 6337-2.2-56
// 6337-2.2-05, 6337-3.2-01
#[test]
fn pattern_5_prack_and_2xx() {
    let early = after(&[out(M::Invite), from(M::Reliable)]);
    let mut caller = then(early, &[out(M::Prack)]);
    assert!(caller.is_open());
    assert_eq!(caller.on_received(M::PrackSuccess, true), V::Answer);
    let mut callee = after(&[from(M::Invite), out(M::Reliable)]);
    assert_eq!(callee.on_received(M::Prack, true), V::Offer);
    assert!(callee.may_send(M::PrackSuccess, false).is_err());
    // Nor does the 2xx to the INVITE overtake that answer.
    assert!(callee.may_send(M::Success, false).is_err());
    say(&mut callee, &[out(M::PrackSuccess), out0(M::Success)]);
    // A PRACK for what carried no answer has no offer.
    let bare = after(&[out(M::Invite), from0(M::Reliable)]);
    assert!(bare.may_send(M::Prack, true).is_err());
    assert!(bare.may_send(M::Prack, false).is_ok());
}

// 3311-5.2-13, 6337-2.2-60, 6337-2.2-24, 6337-2.2-25, 6337-2.2-26, 3311-5.1-17
// 6337-2.2-06
#[test]
fn pattern_6_update_and_2xx() {
    let mut state = established();
    let verdicts = say(&mut state, &[out(M::Update), from(M::UpdateSuccess)]);
    assert_eq!(verdicts, [V::Offer, V::Answer]);
    let verdicts = say(&mut state, &[from(M::Update), out(M::UpdateSuccess)]);
    assert_eq!(verdicts, [V::Offer, V::Answer]);
    let verdicts = say(&mut state, &[from0(M::Update), out0(M::UpdateSuccess)]);
    assert_eq!(verdicts, [V::Nothing, V::Nothing]);
    let plain = then(state, &[from0(M::Update)]);
    assert!(plain.may_send(M::UpdateSuccess, true).is_err());
    // Without an offer it goes while an exchange is open.
    assert!(after(&[out(M::Invite)]).may_send(M::Update, false).is_ok());
}

#[test]
fn offer_in_an_update_is_open_until_it_is_answered() {
    for (offer, answer) in [
        (out(M::Update), from(M::UpdateSuccess)),
        (from(M::Update), out(M::UpdateSuccess)),
    ] {
        assert!(!established().is_open());
        assert!(then(established(), &[offer]).is_open());
        assert!(!then(established(), &[offer, answer]).is_open());
    }
    // One without an offer opens nothing.
    assert!(!then(established(), &[out0(M::Update)]).is_open());
    assert!(!then(established(), &[from0(M::Update)]).is_open());
}

// 6337-3.1.1-51, 6337-3.1.1-01, 6337-3.1.1-52, 3311-5.1-08
#[test]
fn preview_leaves_the_exchange_open() {
    let mut state = after(&[out(M::Invite)]);
    assert_eq!(state.on_received(M::Unreliable, true), V::Preview);
    assert!(state.is_open() && !state.is_established());
    assert!(state.may_send(M::Update, true).is_err());
    // 6337-3.1.1-54, 6337-3.1.1-03, 3261-13.2.1-06: the first one stands.
    assert_eq!(state.on_received(M::Unreliable, true), V::Ignore);
    assert_eq!(state.on_received(M::Success, true), V::Answer);
}

#[test]
fn preview_stands_for_an_answer_that_never_comes() {
    let mut state = after(&[out(M::Invite), from(M::Unreliable)]);
    assert_eq!(state.on_received(M::Success, false), V::Nothing);
    let mut unseen = after(&[out(M::Invite)]);
    assert_eq!(unseen.on_received(M::Success, false), V::Missing);
}

// 6337-3.1.1-02
// 6337-3.1.1-05
// 3261-13.2.1-06, 3261-13.2.1-10, 6337-2.2-55, 6337-3.1.1-53, 6337-3.1.1-56, 6337-3.1.2-52
#[test]
fn after_the_answer_responses_carry_nothing() {
    let done = [from(M::Reliable), out0(M::Prack), from0(M::PrackSuccess)];
    let caller = then(after(&[out(M::Invite)]), &done);
    let delayed = [from(M::Reliable), out(M::Prack), from0(M::PrackSuccess)];
    let other = then(after(&[out0(M::Invite)]), &delayed);
    for state in [caller, other] {
        for message in [M::Reliable, M::Unreliable, M::Success] {
            assert_eq!(state.clone().on_received(message, true), V::Ignore);
        }
    }
    let done = [out(M::Reliable), from0(M::Prack), out0(M::PrackSuccess)];
    let callee = then(after(&[from(M::Invite)]), &done);
    for message in [M::Reliable, M::Success] {
        assert!(callee.may_send(message, true).is_err());
        assert!(callee.may_send(message, false).is_ok());
    }
}

// 6337-3.1.1-57, 6337-3.1.1-06, 6337-3.1.1-59
#[test]
fn reliable_1xx_may_leave_the_answer_to_a_later_one() {
    let ring = [from0(M::Reliable), out0(M::Prack), from0(M::PrackSuccess)];
    let mut state = then(after(&[out(M::Invite)]), &ring);
    assert!(state.is_open());
    assert_eq!(state.on_received(M::Reliable, true), V::Answer);
}

// 3261-13.2.1-07, 6337-2.2-58, 6337-2.2-32, 3311-5.1-18
#[test]
fn forks_have_a_state_each() {
    let invited = after(&[out(M::Invite)]);
    let one = then(
        invited,
        &[from(M::Reliable), out0(M::Prack), from0(M::PrackSuccess)],
    );
    let other = then(invited, &[from0(M::Unreliable)]);
    assert!(one.may_send(M::Update, true).is_ok());
    assert!(other.may_send(M::Update, true).is_err());
}

// 3262-5-07, 3262-3-40
#[test]
fn callee_does_not_accept_over_an_unacknowledged_description() {
    for state in [
        after(&[from(M::Invite), out(M::Reliable)]),
        after(&[from0(M::Invite), out(M::Reliable)]),
    ] {
        assert!(state.may_send(M::Success, false).is_err());
        assert!(state.may_send(M::Success, true).is_err());
        assert!(state.may_send(M::Failure, false).is_ok());
    }
}

// 3311-5.1-07, 3311-5.1-09, 3311-5.1-10, 3311-5.1-11, 6337-3.2-53, 6337-4.1-60, 6337-4.3-14
#[test]
fn callers_update_waits() {
    let may = |state: OfferAnswer| state.may_send(M::Update, true).is_ok();
    let offered = after(&[out(M::Invite)]);
    assert!(!may(offered));
    let answered = then(offered, &[from(M::Reliable)]);
    assert!(!may(answered));
    let pracked = then(answered, &[out0(M::Prack)]);
    assert!(!may(pracked));
    assert!(may(then(pracked, &[from0(M::PrackSuccess)])));
    let asked = after(&[out0(M::Invite)]);
    assert!(!may(asked));
    let answering = then(asked, &[from(M::Reliable), out(M::Prack)]);
    assert!(!may(answering));
    let settled = then(answering, &[from0(M::PrackSuccess)]);
    assert!(may(settled));
    assert!(!may(then(answered, &[out(M::Prack)])));
    assert!(!may(then(settled, &[out(M::Update)])));
    let theirs = then(settled, &[from(M::Update)]);
    assert!(!may(theirs));
    assert!(may(then(theirs, &[out(M::UpdateSuccess)])));
}

// 3311-5.1-12, 3311-5.1-13, 3311-5.1-14, 3311-5.1-15, 6337-4.1-58, 6337-4.1-59
#[test]
fn callees_update_waits() {
    let may = |state: OfferAnswer| state.may_send(M::Update, true).is_ok();
    let offered = after(&[from(M::Invite)]);
    assert!(!may(offered));
    let answered = then(offered, &[out(M::Reliable)]);
    assert!(!may(answered));
    let pracked = then(answered, &[from0(M::Prack)]);
    assert!(!may(pracked));
    let settled = then(pracked, &[out0(M::PrackSuccess)]);
    assert!(may(settled));
    let reoffered = then(answered, &[from(M::Prack)]);
    assert!(!may(reoffered));
    assert!(!may(then(settled, &[out(M::Update)])));
    assert!(!may(after(&[from0(M::Invite), out(M::Reliable)])));
    let accepted = then(offered, &[out(M::Success)]);
    assert!(!may(accepted));
    assert!(may(then(accepted, &[from0(M::Ack)])));
}

// 3311-5.1-16, 3261-14.1-03, 3261-14.1-06, 3261-14.1-08, 6337-4.3-51, 6337-4.3-53
#[test]
fn reinvite_waits() {
    let may = |state: OfferAnswer| state.may_send(M::Invite, true).is_ok();
    assert!(may(established()));
    assert!(!may(then(established(), &[out(M::Invite)])));
    assert!(!may(then(established(), &[from(M::Invite)])));
    assert!(!may(then(
        established(),
        &[from(M::Invite), out(M::Success)]
    )));
    assert!(!may(then(established(), &[out(M::Update)])));
    assert!(!may(then(established(), &[from(M::Update)])));
    let refused = [out(M::Invite), from0(M::Failure)];
    assert!(may(then(established(), &refused)));
}

// 3261-14.2-01, 3261-14.2-03, 6337-4.3-55, 6337-4.3-56
// 3264-4-03
#[test]
fn crossing_and_overlapping_invites_are_refused() {
    assert_eq!(
        invite_meets(then(established(), &[out0(M::Invite)])),
        PENDING
    );
    assert_eq!(
        invite_meets(then(established(), &[from0(M::Invite)])),
        OVERLAP
    );
    assert_eq!(Refusal::Pending.status().as_u16(), 491);
    assert_eq!(Refusal::Overlap.status().as_u16(), 500);
    assert_eq!(Refusal::Overlap.retry_after(), Some(0..=10));
    // A refused request changes nothing.
    let mut state = then(established(), &[out(M::Invite)]);
    let before = state;
    state.on_received(M::Invite, true);
    state.on_received(M::Update, true);
    assert_eq!(state, before);
}

// 3311-5.2-01, 3311-5.2-02, 3311-5.2-03, 3311-5.2-04, 6337-4.3-57, 6337-4.3-58
#[test]
fn update_meets_what_is_open() {
    assert_eq!(
        update_meets(then(established(), &[out(M::Update)])),
        PENDING
    );
    assert_eq!(
        update_meets(then(established(), &[from(M::Update)])),
        OVERLAP
    );
    assert_eq!(
        update_meets(then(established(), &[from0(M::Update)])),
        OVERLAP
    );
    assert_eq!(
        update_meets(then(established(), &[out0(M::Update)])),
        V::Offer
    );
    assert_eq!(update_meets(after(&[out(M::Invite)])), PENDING);
    assert_eq!(update_meets(after(&[from(M::Invite)])), OVERLAP);
    let early = [from(M::Invite), out(M::Reliable), from(M::Prack)];
    assert_eq!(update_meets(after(&early)), OVERLAP);
    assert_eq!(Refusal::Pending.retry_after(), None);
}

// 6337-4.3-59, 6337-4.3-60, 6337-4.1-52
#[test]
fn invite_meets_an_update() {
    assert_eq!(
        invite_meets(then(established(), &[out(M::Update)])),
        PENDING
    );
    // Figure 4.
    assert_eq!(
        invite_meets(then(established(), &[from(M::Update)])),
        OVERLAP
    );
    assert_eq!(
        invite_meets(then(established(), &[from0(M::Update)])),
        V::Nothing
    );
}

// 6337-4.1-53, 6337-4.1-54, 6337-4.1-55, 6337-4.1-56, 6337-4.1-57, 6337-4.2-53, 6337-4.2-54,
// 6337-4.3-61, 6337-4.3-62, 6337-4.3-63, 6337-4.3-64, 6337-4.3-13
#[test]
fn figures_4_to_13_and_18_and_19_come_out_as_drawn() {
    let meets = |messages: &[_]| update_meets(then(established(), messages));
    // Figure 5, before and after the offer.
    assert_eq!(meets(&[from0(M::Invite)]), OVERLAP);
    assert_eq!(meets(&[from0(M::Invite), out(M::Success)]), OVERLAP);
    // Figures 6, 12, 13, 19.
    assert_eq!(meets(&[from0(M::Invite), out(M::Reliable)]), OVERLAP);
    // Figures 7 and 8.
    assert_eq!(meets(&[out(M::Invite)]), PENDING);
    // Figure 9: the UPDATE of the re-INVITE's UAS meets an open PRACK.
    let answered = [out(M::Invite), from(M::Reliable), out(M::Prack)];
    assert_eq!(meets(&answered), PENDING);
    let plain = [out(M::Invite), from(M::Reliable), out0(M::Prack)];
    assert_eq!(meets(&plain), PENDING);
    // Figure 18.
    assert_eq!(meets(&[out0(M::Invite), from(M::Reliable)]), PENDING);
    // An ACK that carries nothing is no part of it.
    assert_eq!(meets(&[from(M::Invite), out(M::Success)]), V::Offer);
    assert_eq!(meets(&[out0(M::Invite), from(M::Success)]), PENDING);
}

// 6337-4.2-52
#[test]
fn figure_11_the_update_is_refused_and_the_prack_answered() {
    let answered = [out(M::Invite), from(M::Reliable), out(M::Prack)];
    let mut caller = then(established(), &answered);
    assert_eq!(caller.on_received(M::Update, true), PENDING);
    assert_eq!(caller.on_received(M::PrackSuccess, true), V::Answer);
}

// 6337-4.1-51, 6337-4.1-01
#[test]
fn body_is_known_by_its_carrier() {
    // Figure 3: the answer to UPDATE comes behind the offer of a 2xx.
    let mut state = then(established(), &[out(M::Update)]);
    assert_eq!(state.on_received(M::Success, true), V::Ignore);
    assert_eq!(state.on_received(M::UpdateSuccess, true), V::Answer);
    // The 2xx to the INVITE overtakes that to the PRACK with an offer.
    let late = [
        out(M::Invite),
        from(M::Reliable),
        out(M::Prack),
        from0(M::Success),
        out0(M::Ack),
    ];
    let mut state = after(&late);
    assert!(state.is_open());
    assert_eq!(state.on_received(M::PrackSuccess, true), V::Answer);
    assert!(state.may_send(M::Invite, true).is_ok());
}

// 3264-4-01, 3264-4-02, 3261-13.2.1-09, 6337-4-51, 6337-4-52, 6337-2.2-57, 6337-2.2-31
#[test]
fn no_offer_goes_while_one_is_open() {
    for state in reachable() {
        if state.is_open() {
            for message in [M::Invite, M::Update, M::Prack, M::Reliable, M::Success] {
                let mut next = state;
                if state.may_send(message, true).is_ok() {
                    assert_ne!(
                        next.on_sent(message, true),
                        V::Offer,
                        "{message:?} {state:?}"
                    );
                }
            }
        }
        let ours = state.sent == Update::Offer;
        let theirs = state.received == Update::Offer;
        let invite = state.phase.offerer_is_inviter().is_some();
        let open = u8::from(ours) + u8::from(theirs) + u8::from(invite);
        // A peer that breaks the rules can open a second one, and only by a response.
        assert!(open <= 2, "{state:?}");
    }
}

/// Every state that legal messages of this side and any of the other lead to.
fn reachable() -> Vec<OfferAnswer> {
    let all: Vec<M> = [M::Invite, M::Update, M::UpdateSuccess, M::UpdateFailure]
        .into_iter()
        .chain(WITHIN)
        .collect();
    let mut seen = Vec::from([OfferAnswer::new()]);
    let mut at = 0;
    while let Some(&state) = seen.get(at) {
        at += 1;
        for &message in &all {
            for body in [true, false] {
                let mut received = state;
                received.on_received(message, body);
                let mut sent = state;
                if state.may_send(message, body).is_ok() {
                    sent.on_sent(message, body);
                }
                for next in [received, sent] {
                    if !seen.contains(&next) {
                        seen.push(next);
                    }
                }
            }
        }
    }
    assert!((50..1_500).contains(&seen.len()), "{}", seen.len());
    seen
}

// 3264-4-04, 3311-5.3-01, 3261-14.1-10, 6337-2.4-51, 6337-2.2-27
#[test]
fn refused_offer_leaves_everything_as_it_was() {
    for verdicts in [
        [out(M::Update), from0(M::UpdateFailure)],
        [out(M::Invite), from0(M::Failure)],
        [from(M::Update), out0(M::UpdateFailure)],
        [from(M::Invite), out0(M::Failure)],
    ] {
        let mut state = then(established(), &verdicts);
        state.changed = established().changed;
        assert_eq!(state, established());
    }
    let mut refused = then(established(), &[out(M::Update)]);
    assert_eq!(refused.on_received(M::UpdateFailure, true), V::Ignore);
    assert!(!refused.is_open());
}

// 6337-2.3-54, 6337-2.3-04
#[test]
fn prack_whose_offer_is_refused_is_due_again() {
    let offered = after(&[out(M::Invite), from(M::Reliable), out(M::Prack)]);
    let refused = then(offered, &[from0(M::PrackFailure)]);
    assert!(!refused.is_open() && refused.is_established());
    assert!(refused.may_send(M::Prack, false).is_ok());
}

#[test]
fn exchange_within_a_reinvite_is_remembered_until_the_next() {
    let early = [
        from(M::Invite),
        out(M::Reliable),
        from0(M::Prack),
        out0(M::PrackSuccess),
    ];
    let changed = then(established(), &early);
    assert!(changed.has_changed());
    let over = then(changed, &[out0(M::Failure)]);
    assert!(over.has_changed());
    assert!(!then(over, &[from(M::Invite)]).has_changed());
    assert!(!then(established(), &[from(M::Invite), out0(M::Failure)]).has_changed());
}

// 3261-14.1-12, 3261-14.1-13, 3311-5.3-04, 3311-5.3-05
#[test]
fn wait_after_491_is_in_the_band_of_its_side() {
    let ids = Ids::new(Seed::from_bytes([6; 32]));
    for (owner, least, most) in [(true, 2_100, 4_000), (false, 0, 2_000)] {
        let drawn: BTreeSet<u128> = (0..5_000)
            .map(|n| glare_wait(owner, &ids, 3, n).as_millis())
            .collect();
        assert!(drawn.iter().all(|ms| ms % 10 == 0));
        assert_eq!((drawn.first(), drawn.last()), (Some(&least), Some(&most)));
    }
}

/// Both ends of a dialog and what is between them, first in first out: all that legal messages can
/// lead to. Nobody ever sees a body without a meaning or misses one, and in the end both agree.
#[test]
fn two_ends_that_keep_the_rules_never_misunderstand_each_other() {
    let mut seen = BTreeSet::new();
    let mut next = VecDeque::from([Pair::default()]);
    let mut quiet = 0;
    while let Some(pair) = next.pop_front() {
        if !seen.insert(format!("{pair:?}")) {
            continue;
        }
        quiet += usize::from(pair.is_quiet());
        next.extend(pair.steps());
    }
    assert!(seen.len() > 2_000 && quiet > 10, "{} {quiet}", seen.len());
}

#[derive(Clone, Default, Debug)]
struct Pair {
    ends: [End; 2],
    /// What is on its way to each end.
    to: [VecDeque<(M, bool, u8)>; 2],
    /// How many INVITEs and UPDATEs have begun.
    spent: u8,
    /// How many reliable 1xx were sent.
    rung: u8,
}

/// What the transactions of an end owe.
#[derive(Clone, Default, Debug)]
struct End {
    state: OfferAnswer,
    /// The final response to an INVITE, the PRACK for a reliable 1xx, and so on.
    owes: Vec<M>,
    /// Which INVITE is, or was last, in progress.
    invite: u8,
    /// A reliable 1xx of this end has no PRACK yet.
    unacknowledged: bool,
}

impl Pair {
    fn is_quiet(&self) -> bool {
        let idle = self.to.iter().all(VecDeque::is_empty);
        let idle = idle && self.ends.iter().all(|end| end.owes.is_empty());
        if idle {
            let [a, b] = self.ends.each_ref().map(|end| end.state);
            assert!(!a.is_open() && !b.is_open(), "{self:?}");
            assert_eq!((a.phase, b.phase), (Phase::Free, Phase::Free), "{self:?}");
        }
        idle
    }

    fn steps(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for end in [0, 1] {
            if !self.to[end].is_empty() {
                let mut pair = self.clone();
                pair.deliver(end);
                all.push(pair);
            }
            for message in self.candidates(end) {
                for body in [true, false] {
                    // What a refusal carries is ignored.
                    let told = !(body && message == M::Failure);
                    if told && self.ends[end].state.may_send(message, body).is_ok() {
                        let mut pair = self.clone();
                        pair.send(end, message, body);
                        all.push(pair);
                    }
                }
            }
        }
        all
    }

    fn candidates(&self, end: usize) -> Vec<M> {
        let mut all = self.ends[end].owes.clone();
        if all.contains(&M::Success) {
            all.push(M::Failure);
            if !self.ends[end].unacknowledged && self.rung < 2 {
                all.push(M::Reliable);
            }
        }
        // A dialog whose first INVITE failed is gone.
        let begun = self.ends.iter().all(|end| end.state.established);
        if self.spent < 2 && (begun || (end == 0 && self.spent == 0)) {
            all.push(M::Invite);
        }
        if self.spent < 2 && begun {
            all.push(M::Update);
        }
        all
    }

    fn send(&mut self, end: usize, message: M, body: bool) {
        let sender = &mut self.ends[end];
        sender.state.on_sent(message, body);
        match message {
            M::Invite => {
                self.spent += 1;
                sender.invite = self.spent;
            }
            M::Update => self.spent += 1,
            M::Reliable => {
                self.rung += 1;
                sender.unacknowledged = true;
            }
            M::Failure => {
                sender.owes.retain(|owed| *owed != M::Success);
                sender.unacknowledged = false;
            }
            M::Unreliable
            | M::Success
            | M::Ack
            | M::Prack
            | M::PrackSuccess
            | M::PrackFailure
            | M::UpdateSuccess
            | M::UpdateFailure => {
                let at = sender.owes.iter().position(|owed| *owed == message);
                sender.owes.remove(at.unwrap());
            }
        }
        let invite = sender.invite;
        self.to[1 - end].push_back((message, body, invite));
    }

    fn deliver(&mut self, end: usize) {
        let (message, body, invite) = self.to[end].pop_front().unwrap();
        let receiver = &mut self.ends[end];
        let of_prack = matches!(message, M::Prack | M::PrackSuccess);
        if of_prack && (receiver.invite != invite || receiver.state.phase == Phase::Free) {
            // It crossed the failure of its INVITE, which ends it too.
            return;
        }
        let verdict = receiver.state.on_received(message, body);
        let refused = matches!(verdict, V::Refuse(_));
        assert!(
            !matches!(verdict, V::Ignore | V::Missing),
            "{message:?} {verdict:?} {self:?}"
        );
        match message {
            M::Invite if refused => self.to[1 - end].push_back((M::Failure, false, invite)),
            M::Update if refused => self.to[1 - end].push_back((M::UpdateFailure, false, invite)),
            M::Invite => {
                receiver.owes.push(M::Success);
                receiver.invite = invite;
            }
            M::Update => receiver.owes.push(M::UpdateSuccess),
            M::Reliable => receiver.owes.push(M::Prack),
            M::Success => receiver.owes.push(M::Ack),
            M::Prack => {
                receiver.owes.push(M::PrackSuccess);
                receiver.unacknowledged = false;
            }
            // What was in flight for the INVITE is over.
            M::Failure => receiver.owes.retain(|owed| *owed != M::Prack),
            M::Unreliable
            | M::Ack
            | M::PrackSuccess
            | M::PrackFailure
            | M::UpdateSuccess
            | M::UpdateFailure => {}
        }
    }
}
