//! Taking back a re-INVITE (9.1, RFC 6141 5.5).

use super::script::{Script, nothing, outgoing, sdp};
use crate::call::Command;
use crate::error::Misuse;
use crate::machine::Machine;
use crate::message::Outgoing;
use crate::transaction::Failure;

fn cancel(outgoing: Outgoing) -> Command {
    Command::CancelReinvite(outgoing)
}

fn cancelled() -> Script {
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    s.command(cancel(nothing())).unwrap();
    assert_eq!(s.take(), ["INVITE 2", "CANCEL 2"]);
    s
}

#[test]
fn updating_cancel_leaves_the_session_and_another_may_follow() {
    let mut s = cancelled();
    // Once.
    s.command(cancel(nothing())).unwrap();
    assert_eq!(s.take(), [""; 0]);
    s.respond_with("INVITE 2", 487, Some("a"), &[], None);
    assert_eq!(s.take(), ["update refused 487"]);
    assert_eq!(s.call.state(), "Confirmed");
    // 6141-5.5-51, 6141-5.5-01
    s.command(Command::Reinvite(sdp("offer 2"))).unwrap();
    assert_eq!(s.take(), ["INVITE 3"]);
}

#[test]
fn updating_cancel_that_crosses_the_2xx_is_late() {
    let mut s = cancelled();
    s.respond("INVITE 2", 200, "a");
    assert_eq!(s.take(), ["ACK 2", "updated 200"]);
}

#[test]
fn updating_cancelled_is_not_sent_again() {
    let mut s = cancelled();
    s.respond("INVITE 2", 491, "a");
    assert_eq!(s.take(), ["update refused 491"]);
    assert_eq!(s.call.deadline(), None);
    // The other side is gone.
    let mut s = cancelled();
    s.fail("INVITE 2", Failure::CancelTimeout);
    assert_eq!(s.take()[0], "request failed CancelTimeout");
    assert!(matches!(s.call.state(), "Confirmed" | "Leaving"));
}

#[test]
fn retrying_cancel_forgets_the_reinvite() {
    let mut s = Script::confirmed_as_caller();
    s.command(Command::Reinvite(sdp("offer"))).unwrap();
    s.respond("INVITE 2", 491, "a");
    s.skip();
    s.command(cancel(nothing())).unwrap();
    assert_eq!(s.take(), [""; 0]);
    assert_eq!(s.call.deadline(), None);
}

#[test]
fn cancel_of_a_reinvite_elsewhere_is_harmless_or_a_misuse() {
    let mut s = Script::confirmed_as_caller();
    assert_eq!(s.command(cancel(nothing())), Ok(()));
    let reserved = outgoing(&[("Route", "<sip:p.example.org;lr>")]);
    let misuse = s.command(cancel(reserved));
    assert!(matches!(misuse, Err(Misuse::ReservedHeader { .. })));
    let asks = outgoing(&[("Require", "100rel")]);
    assert!(s.command(cancel(asks)).is_err());
    assert_eq!(s.take(), [""; 0]);
    for mut s in [Script::place(), Script::incoming()] {
        let misuse = s.command(cancel(nothing()));
        assert!(matches!(misuse, Err(Misuse::WrongState { .. })));
    }
}
