//! What must hold in every world.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::ledger::{CallLog, Ledger, SideLog};
use super::{Call, Deed, Scenario, Trouble, TroubleKind};
use crate::message::{CSeq, Message, Name, NameAddr, Via, parse_rseq};
use crate::sim::{Entry, Node, World};

/// All that does not hold.
pub(super) fn check(
    world: &World,
    nodes: &[Node],
    scenario: &Scenario,
    ledger: &Ledger,
    came_to_rest: bool,
) -> Vec<String> {
    let mut wrong: Vec<String> = world.record().broken().map(ToString::to_string).collect();
    wrong.extend(ledger.misuses.iter().cloned());
    if !came_to_rest {
        wrong.push("it does not come to rest".to_string());
    }
    for (at, node) in nodes.iter().enumerate() {
        if world
            .look(*node)
            .is_some_and(|endpoint| !endpoint.is_idle())
        {
            wrong.push(format!("n{at} has something left in its tables"));
        }
    }
    for call in &ledger.calls {
        check_call(call, &mut wrong);
    }
    if !scenario.calls.iter().any(forgets) {
        check_sequences(world, &mut wrong);
    }
    check_reliable(world, &mut wrong);
    check_acknowledgements(world, scenario, &mut wrong);
    wrong
}

/// What an endpoint may hold at rest beyond what a new one holds: each arena keeps its last page
/// of 64 places. That was 100 KiB in 3,000 worlds, and nothing else was left.
const KEPT: usize = 128 * 1_024;

/// The memory of each endpoint, as that which its end gives back. It is compared with that of
/// another life that has done nothing.
pub(super) fn check_heap(world: &mut World, nodes: &[Node], heap: fn() -> usize) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        let mut end = || {
            let before = heap();
            world.crash(*node);
            let held = before.saturating_sub(heap());
            world.restart(*node);
            held
        };
        let (used, fresh) = (end(), end());
        if used > fresh.saturating_add(KEPT) {
            wrong.push(format!(
                "n{at} holds {used} bytes at rest, and {fresh} when new"
            ));
        }
    }
    wrong
}

fn check_call(call: &CallLog, wrong: &mut Vec<String>) {
    let number = call.plan.number;
    let mut check_side = |name: &str, side: &SideLog| {
        let ends = side.ends.len();
        // What is forgotten may end unheard.
        if side.call.is_some() && ends != 1 && !(side.abandoned && ends == 0) {
            wrong.push(format!(
                "call {number}: {name} ends {ends} times: {:?}",
                side.ends
            ));
        }
        for late in &side.late {
            wrong.push(format!("call {number}: {name} hears {late} after the end"));
        }
    };
    check_side("caller", &call.caller);
    for callee in &call.callees {
        check_side("callee", callee);
    }
    let accepted = call.callees.iter().any(|callee| callee.accepted);
    if call.caller.stands && !accepted {
        wrong.push(format!("call {number}: answered, but nobody answered it"));
    }
    // Who gave up, or lost the dialog to a PRACK that was never answered, hangs up a 2xx that
    // crossed the CANCEL without a word to its user (15, 12.2.1.2).
    let is_for_itself = |end: &String| end.contains("Cancel") || end.contains("DialogLost");
    let is_gone = call.caller.abandoned || call.caller.crashed;
    let gave_up = is_gone || call.caller.ends.iter().any(is_for_itself);
    if call.callees.iter().any(|callee| callee.stands) && !call.caller.stands && !gave_up {
        wrong.push(format!(
            "call {number}: acknowledged, but its caller does not know"
        ));
    }
}

/// With a forgotten call goes its transaction: a copy of its INVITE makes a call with the same
/// tags, which counts from one again.
fn forgets(call: &Call) -> bool {
    call.acts.iter().any(|act| act.deed == Deed::Abandon)
}

/// One side of a dialog: a node, a Call-ID and a From tag.
type Sender = (usize, Vec<u8>, String);

/// Numbers of one side of a dialog go up with each new request. Each fork counts for itself (3261
/// 12.1.2), and what makes dialogs as if it were another.
fn check_sequences(world: &World, wrong: &mut Vec<String>) {
    let mut last: BTreeMap<(Sender, Option<String>), u32> = BTreeMap::new();
    let mut seen: BTreeSet<(usize, Vec<u8>)> = BTreeSet::new();
    for sent in world.record().sent() {
        let Ok(message) = Message::parse(sent.bytes.clone()) else {
            continue;
        };
        let method = message.method_bytes();
        if matches!(method, None | Some(b"ACK" | b"CANCEL")) {
            continue;
        }
        let (Some(call), Some(tag), Some(cseq), Some(branch)) = (
            message.first(Name::CallId),
            tag(&message, Name::From),
            cseq(&message),
            branch(&message),
        ) else {
            wrong.push("a request without Call-ID, tag, CSeq or branch".to_string());
            continue;
        };
        if !seen.insert((sent.from.0, branch)) {
            continue;
        }
        let key = (sent.from.0, call.to_vec(), tag);
        let key = (key, self::tag(&message, Name::To));
        if let Some(number) = last.insert(key, cseq).filter(|number| cseq <= *number) {
            wrong.push(format!("CSeq {cseq} comes after {number}"));
        }
    }
}

/// Reliable provisional responses of one dialog are numbered without gaps (RFC 3262 3).
fn check_reliable(world: &World, wrong: &mut Vec<String>) {
    let mut last: BTreeMap<Sender, u32> = BTreeMap::new();
    for sent in world.record().sent() {
        let Ok(message) = Message::parse(sent.bytes.clone()) else {
            continue;
        };
        let rseq = message.first(Name::RSeq).and_then(|v| parse_rseq(v).ok());
        let (Some(rseq), Some(call), Some(tag)) =
            (rseq, message.first(Name::CallId), tag(&message, Name::To))
        else {
            continue;
        };
        let key = (sent.from.0, call.to_vec(), tag);
        match last.insert(key, rseq) {
            Some(before) if rseq != before && rseq != before.wrapping_add(1) => {
                wrong.push(format!("RSeq {rseq} comes after {before}"));
            }
            Some(_) | None => {}
        }
    }
}

/// Every final response to an INVITE that reaches a caller is acknowledged in that instant, or it
/// belongs to nothing any more.
fn check_acknowledgements(world: &World, scenario: &Scenario, wrong: &mut Vec<String>) {
    let entries = world.record().entries();
    let offerless = scenario.calls.iter().any(|call| !call.with_offer);
    // Who forgot a call refuses the copies of a request that it had accepted: the transaction on
    // the other side takes the second answer for nothing, as it should (6026 7.2).
    let crash = |t: &Trouble| matches!(t.kind, TroubleKind::Crash(_));
    let forgetful = scenario.calls.iter().any(forgets) || scenario.troubles.iter().any(crash);
    for (at, entry) in entries.iter().enumerate() {
        let Entry::Arrived {
            at: time,
            node,
            sent,
        } = entry
        else {
            continue;
        };
        let Some(Entry::Sent(datagram)) = entries.get(*sent) else {
            continue;
        };
        let Ok(message) = Message::parse(datagram.bytes.clone()) else {
            continue;
        };
        let is_final = message.status_code().is_some_and(|s| s.is_final());
        let to_invite = message
            .first(Name::CSeq)
            .is_some_and(|cseq| cseq.ends_with(b"INVITE"));
        // The ACK that owes an answer waits for the user.
        let is_success = message.status_code().is_some_and(|s| s.is_success());
        let is_waiting = forgetful || (offerless && is_success);
        if !is_final || !to_invite || is_waiting {
            continue;
        }
        let same_turn = entries
            .iter()
            .skip(at.saturating_add(1))
            .take_while(|entry| !matches!(entry, Entry::Arrived { .. }));
        let answered = same_turn.into_iter().any(|entry| match entry {
            Entry::Sent(sent) => {
                sent.from == *node && sent.at == *time && acks(&sent.bytes, &message)
            }
            Entry::Note { node: at, text, .. } => at == node && text.starts_with("drops"),
            Entry::Arrived { .. } | Entry::Broken { .. } => false,
        });
        if !answered {
            let status = message.status_code().map(|status| status.as_u16());
            wrong.push(format!(
                "n{}: {status:?} to INVITE is not acknowledged",
                node.0
            ));
        }
    }
}

fn acks(bytes: &bytes::Bytes, response: &Message) -> bool {
    let Ok(message) = Message::parse(bytes.clone()) else {
        return false;
    };
    message.method_bytes() == Some(b"ACK")
        && message.first(Name::CallId) == response.first(Name::CallId)
        && cseq(&message) == cseq(response)
        && tag(&message, Name::To) == tag(response, Name::To)
}

fn cseq(message: &Message) -> Option<u32> {
    let cseq = CSeq::parse(message.first(Name::CSeq)?).ok()?;
    Some(cseq.number)
}

fn tag(message: &Message, name: Name) -> Option<String> {
    let value = NameAddr::parse(message.first(name)?).ok()?;
    value.tag().map(Into::into)
}

fn branch(message: &Message) -> Option<Vec<u8>> {
    let via = Via::parse(message.first(Name::Via)?).ok()?;
    via.branch().map(|branch| branch.as_bytes().to_vec())
}
