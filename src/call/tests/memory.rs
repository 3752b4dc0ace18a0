//! What a call weighs. A number that grows must be changed here, with a reason.

use core::mem::size_of;

use super::script::{Script, nothing, sdp};
use crate::call::{Call, Command, State};
use crate::dialog::Dialog;

#[test]
fn a_call_and_a_dialog_weigh_what_they_must() {
    assert_eq!(size_of::<Dialog>(), 88);
    // Its first deadline is kept: it is asked for three times an input. One word names the INVITEs
    // that it has refused, until their ACKs have come (14.1).
    assert_eq!(size_of::<Call>(), 456);
}

/// The bytes that a confirmed call holds outside itself; every part that could hold some is
/// looked at.
fn heap(call: &Call) -> usize {
    let core = &call.core;
    assert!(!core.legs.spilled() && !core.invites.spilled());
    assert_eq!(core.pending.capacity(), 0);
    assert!(core.legs.iter().all(|leg| leg.heap_bytes() == 0));
    let State::Confirmed(session) = &call.state else {
        panic!("{}", call.state());
    };
    assert!(session.is_idle());
    let dialogs = core.legs.iter().map(|leg| leg.dialog.heap_bytes());
    let user = core.user.spilled().then(|| core.user.capacity());
    dialogs.sum::<usize>() + user.unwrap_or_default()
}

/// PAINS 69, 115: an idle call, whatever it has been through, is small again.
#[test]
fn an_idle_call_holds_little() {
    let mut forked = Script::place();
    for tag in ["b", "c", "d"] {
        forked.respond("INVITE 1", 180, tag);
    }
    forked.respond("INVITE 1", 200, "a");
    forked.respond("INVITE 1", 200, "b");
    forked.gone("INVITE 1");
    forked.respond("BYE 2", 200, "b");

    let mut busy = Script::confirmed_as_callee();
    busy.command(Command::Request {
        method: "INFO".into(),
        outgoing: nothing(),
    })
    .unwrap();
    busy.respond("INFO 1", 200, "x");
    busy.command(Command::Reinvite(nothing())).unwrap();
    busy.respond("INVITE 2", 200, "x");
    busy.gone("INVITE 2");
    busy.request("INVITE", 101, "them");
    busy.command(Command::Answer(sdp("offer"))).unwrap();
    busy.ack(101, "them");
    busy.request("INFO", 102, "them");
    busy.run_to(super::script::secs(100));

    for call in [forked.call, busy.call] {
        let heap = heap(&call);
        assert!(heap + size_of::<Call>() < 700, "{heap}");
    }
}
