//! The user agent of the tokio driver, on sockets of this machine: what becomes of calls that are
//! awaited, dropped, refused and forgotten.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use drongo::call::{EndReason, Invitation, Side};
use drongo::driver::tokio::{
    Arrival, Bounds, Call, CallError, CallEvent, Driver, IncomingCall, IncomingRequest, Listen,
    OutgoingCall, UserAgent,
};
use drongo::endpoint::{CallView, Config, Endpoint, Event};
use drongo::error::Misuse;
use drongo::message::{Body, HeaderList, Name, Outgoing, StatusCode};
use drongo::transport::Transport;
use futures_core::Stream as _;
use tokio::sync::mpsc;

use crate::driver::lost::{MUCH, ask_much, count_responses};
use crate::driver::suite::connect;

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(async { tokio::time::timeout(LIMIT, test).await })
        .expect("it takes too long")
}

pub(crate) fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";

fn sdp() -> Body {
    Body::sdp(SDP)
}

/// T1 so small that what lingers does not for long.
fn hasty() -> Config {
    let mut config = Config::default();
    config.timers.t1 = Duration::from_millis(40);
    config.timers.t2 = Duration::from_millis(320);
    config.timers.t4 = Duration::from_millis(400);
    config
}

async fn agent(config: Config, bounds: Bounds) -> UserAgent {
    let driver = Driver::udp(anywhere(), config).await.unwrap();
    UserAgent::new(driver, bounds)
}

async fn pair() -> (UserAgent, UserAgent) {
    let bounds = Bounds::default();
    (agent(hasty(), bounds).await, agent(hasty(), bounds).await)
}

fn invitation(to: &UserAgent) -> Invitation {
    let address = to.local_addr();
    let transport = match to.local_addr_of(Transport::Tcp) {
        Some(_) => ";transport=tcp",
        None => "",
    };
    let target = format!("sip:bob@{address}{transport}");
    Invitation::new(&target, "sip:alice@127.0.0.1")
        .unwrap()
        .with(sdp())
}

async fn next_call(agent: &UserAgent) -> IncomingCall {
    match agent.incoming().await {
        Some(Arrival::Call(call)) => call,
        other => panic!("{other:?}"),
    }
}

async fn next_request(agent: &UserAgent) -> IncomingRequest {
    match agent.incoming().await {
        Some(Arrival::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// A call that rings.
async fn ringing(alice: &UserAgent, bob: &UserAgent) -> (OutgoingCall, IncomingCall) {
    let mut outgoing = alice.invite(invitation(bob)).await.unwrap();
    let incoming = next_call(bob).await;
    incoming.ring().await.unwrap();
    loop {
        if let Some(CallEvent::Told(Event::Progress { response, .. })) = outgoing.next_event().await
            && response.status() == StatusCode::RINGING
        {
            return (outgoing, incoming);
        }
    }
}

/// A call that stands.
async fn talking(alice: &UserAgent, bob: &UserAgent) -> (Call, Call) {
    let outgoing = alice.invite(invitation(bob)).await.unwrap();
    let incoming = next_call(bob).await;
    let (callers, callees) = tokio::join!(outgoing.answered(), incoming.answer(sdp()));
    (callers.unwrap(), callees.unwrap())
}

fn status_of(error: CallError) -> u16 {
    match error {
        CallError::Ended(EndReason::Refused { response }) | CallError::Refused { response, .. } => {
            response.status().as_u16()
        }
        other => panic!("{other:?}"),
    }
}

fn is_hung_up_by(reason: &EndReason, side: Side) -> bool {
    matches!(reason, EndReason::HungUp { by, .. } if *by == side)
}

#[test]
fn call_rings_is_answered_and_hung_up() {
    run(async {
        let (alice, bob) = pair().await;
        let (outgoing, incoming) = ringing(&alice, &bob).await;
        assert_eq!(&incoming.offer()[..], SDP.as_bytes());
        let (call, other) = tokio::join!(outgoing.answered(), incoming.answer(sdp()));
        let (call, mut other) = (call.unwrap(), other.unwrap());
        assert_eq!(&call.response().unwrap().body()[..], SDP.as_bytes());
        assert!(other.ack().is_some() && !other.answer_missing());
        let reason = call.hang_up().await;
        assert!(is_hung_up_by(&reason, Side::Local), "{reason}");
        assert!(other.next_event().await.is_none());
        let reason = other.ended().await;
        assert!(is_hung_up_by(&reason, Side::Remote), "{reason}");
        // A verb that comes too late says why.
        let late = call.update(sdp()).await.unwrap_err();
        assert!(is_hung_up_by(late.end().unwrap(), Side::Local), "{late}");
    });
}

#[test]
fn arrivals_are_a_stream_that_ends_when_nothing_new_is_taken() {
    run(async {
        let (alice, bob) = pair().await;
        let outgoing = alice.invite(invitation(&bob)).await.unwrap();
        let mut arrivals = bob.arrivals();
        let first = poll_fn(|context| Pin::new(&mut arrivals).poll_next(context)).await;
        let Some(Arrival::Call(incoming)) = first else {
            panic!("{first:?}");
        };
        let busy = incoming.reject(StatusCode::BUSY_HERE, Outgoing::new());
        busy.await.unwrap();
        assert_eq!(status_of(outgoing.answered().await.unwrap_err()), 486);
        let (rest, drained) = tokio::join!(
            poll_fn(|context| Pin::new(&mut arrivals).poll_next(context)),
            bob.drain(),
        );
        assert!(rest.is_none(), "{rest:?}");
        drained.unwrap();
    });
}

#[test]
fn call_without_offer_gets_its_answer_in_the_ack() {
    run(async {
        let (alice, bob) = pair().await;
        let outgoing = alice.invite(invitation(&bob).with(Outgoing::new()));
        let outgoing = outgoing.await.unwrap();
        let incoming = next_call(&bob).await;
        assert!(incoming.offer().is_empty());
        let callee = tokio::spawn(incoming.answer(sdp()));
        let mut call = outgoing.answered().await.unwrap();
        assert!(call.answer_needed());
        call.acknowledge(sdp()).await.unwrap();
        assert!(!call.answer_needed());
        let other = callee.await.unwrap().unwrap();
        assert_eq!(&other.ack().unwrap().body()[..], SDP.as_bytes());
    });
}

#[test]
fn outgoing_call_that_is_dropped_is_cancelled() {
    run(async {
        let (alice, bob) = pair().await;
        let (outgoing, incoming) = ringing(&alice, &bob).await;
        drop(outgoing);
        let reason = incoming.closed().await;
        assert!(
            matches!(reason, EndReason::CancelledByCaller { .. }),
            "{reason}"
        );
        let late = incoming.answer(sdp()).await.unwrap_err();
        assert_eq!(late, CallError::Ended(reason));
    });
}

#[test]
fn answer_that_is_not_awaited_any_more_cancels_the_call() {
    run(async {
        let (alice, bob) = pair().await;
        let (outgoing, incoming) = ringing(&alice, &bob).await;
        tokio::select! {
            biased;
            answered = outgoing.answered() => panic!("{answered:?}"),
            () = std::future::ready(()) => {}
        }
        let reason = incoming.closed().await;
        assert!(
            matches!(reason, EndReason::CancelledByCaller { .. }),
            "{reason}"
        );
    });
}

#[test]
fn invite_that_is_not_awaited_any_more_leaves_no_call() {
    run(async {
        let (alice, bob) = pair().await;
        // The verb is on its way, and its caller gone before its turn.
        let mut invite = Box::pin(alice.invite(invitation(&bob)));
        poll_fn(|context| {
            assert!(invite.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(invite);
        let calls = alice.act(|endpoint, _, _| endpoint.calls()).await;
        assert_eq!(calls, Ok(0));
        // It was placed, and its caller gone before it was told.
        let mut invite = Box::pin(alice.invite(invitation(&bob)));
        poll_fn(|context| {
            assert!(invite.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        let calls = alice.act(|endpoint, _, _| endpoint.calls()).await;
        assert_eq!(calls, Ok(1));
        let incoming = next_call(&bob).await;
        drop(invite);
        let reason = incoming.closed().await;
        assert!(
            matches!(reason, EndReason::CancelledByCaller { .. }),
            "{reason}"
        );
    });
}

#[test]
fn incoming_call_that_is_dropped_is_refused() {
    run(async {
        let (alice, bob) = pair().await;
        let outgoing = alice.invite(invitation(&bob)).await.unwrap();
        drop(next_call(&bob).await);
        assert_eq!(status_of(outgoing.answered().await.unwrap_err()), 480);
    });
}

#[test]
fn incoming_call_is_rejected_as_the_application_says() {
    run(async {
        let (alice, bob) = pair().await;
        let outgoing = alice.invite(invitation(&bob)).await.unwrap();
        let incoming = next_call(&bob).await;
        let rejected = incoming.reject(StatusCode::BUSY_HERE, Outgoing::new());
        assert_eq!(rejected.await, Ok(()));
        let refused = outgoing.answered().await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the call is over: refused: 486 Busy Here"
        );
    });
}

#[test]
fn answer_that_lacks_the_session_refuses_the_call() {
    run(async {
        let (alice, bob) = pair().await;
        let outgoing = alice.invite(invitation(&bob)).await.unwrap();
        let answered = next_call(&bob).await.answer(Outgoing::new()).await;
        let Err(CallError::Misuse(Misuse::WrongState { .. })) = answered else {
            panic!("{answered:?}");
        };
        assert_eq!(status_of(outgoing.answered().await.unwrap_err()), 480);
    });
}

#[test]
fn call_that_is_dropped_is_hung_up_on_either_side() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, other) = talking(&alice, &bob).await;
        drop(call);
        assert!(is_hung_up_by(&other.ended().await, Side::Remote));
        let (call, other) = talking(&alice, &bob).await;
        drop(other);
        assert!(is_hung_up_by(&call.ended().await, Side::Remote));
    });
}

#[test]
fn reference_to_a_call_does_not_keep_it_up() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, other) = talking(&alice, &bob).await;
        let reference = (*call).clone();
        drop(call);
        assert!(is_hung_up_by(&other.ended().await, Side::Remote));
        assert!(is_hung_up_by(&reference.closed().await, Side::Local));
    });
}

#[test]
fn handler_that_panics_ends_its_own_call_and_no_other() {
    run(async {
        let (alice, bob) = pair().await;
        let address = bob.clone();
        let serving = tokio::spawn({
            let bob = bob.clone();
            async move {
                bob.serve(|arrival| async move {
                    let Arrival::Call(call) = arrival else { return };
                    let subject = call.request().message().first(Name::Subject);
                    match subject {
                        Some(b"before") => panic!("before the answer"),
                        Some(b"after") => {
                            let _call = call.answer(sdp()).await.unwrap();
                            panic!("after the answer");
                        }
                        _ => drop(call.answer(sdp()).await.unwrap().ended().await),
                    }
                })
                .await;
            }
        });
        let with = |subject: &str| {
            let headers = HeaderList::new();
            let headers = headers.with("Subject", subject).unwrap();
            invitation(&address).with(Outgoing::from(sdp()).with_headers(headers))
        };
        let untouched = alice.invite(with("neither")).await.unwrap();
        let untouched = untouched.answered().await.unwrap();
        let before = alice.invite(with("before")).await.unwrap();
        assert_eq!(status_of(before.answered().await.unwrap_err()), 500);
        let after = alice.invite(with("after")).await.unwrap();
        let reason = after.answered().await.unwrap().ended().await;
        let EndReason::HungUp { bye: Some(bye), .. } = reason else {
            panic!("{reason}");
        };
        let why = bye.message().first(Name::Reason);
        assert_eq!(why, Some(&b"SIP;cause=500"[..]));
        assert_eq!(untouched.end(), None);
        assert_eq!(
            untouched
                .request("INFO", Outgoing::new())
                .await
                .unwrap()
                .status(),
            StatusCode::SERVER_INTERNAL_ERROR,
            "its handler refuses what it is asked, so it lives",
        );
        assert!(is_hung_up_by(&untouched.hang_up().await, Side::Local));
        bob.drain().await.unwrap();
        serving.await.unwrap();
        assert_eq!(bob.counters().panics, 2);
    });
}

#[test]
fn panic_within_the_endpoint_is_that_of_who_asked_for_it() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, _other) = talking(&alice, &bob).await;
        let panicking = tokio::spawn({
            let alice = alice.clone();
            async move { alice.act(|_, _, _| panic!("mine")).await }
        });
        assert!(panicking.await.unwrap_err().is_panic());
        assert_eq!(alice.act(|endpoint, _, _| endpoint.calls()).await, Ok(1));
        assert_eq!(call.end(), None);
    });
}

#[test]
fn handler_of_a_call_that_has_ended_is_dropped_after_its_grace() {
    run(async {
        let alice = agent(hasty(), Bounds::default()).await;
        let mut bounds = Bounds::default();
        bounds.grace = Duration::ZERO;
        let bob = agent(hasty(), bounds).await;
        let (tell, mut told) = mpsc::unbounded_channel::<()>();
        let serving = tokio::spawn({
            let bob = bob.clone();
            async move {
                bob.serve(move |arrival| {
                    let tell = tell.clone();
                    async move {
                        let Arrival::Call(call) = arrival else { return };
                        let _call = call.answer(sdp()).await.unwrap();
                        std::future::pending::<()>().await;
                        drop(tell);
                    }
                })
                .await;
            }
        });
        let call = alice.invite(invitation(&bob)).await.unwrap();
        let call = call.answered().await.unwrap();
        call.hang_up().await;
        bob.drain().await.unwrap();
        serving.await.unwrap();
        assert!(
            told.recv().await.is_none(),
            "nothing of the handler is left"
        );
        assert_eq!(bob.counters().cut_off, 1);
    });
}

#[test]
fn work_that_is_done_during_a_call_ends_with_it() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, other) = talking(&alice, &bob).await;
        assert_eq!(call.during(async { 7 }).await, Ok(7));
        let (work, ()) = tokio::join!(call.during(std::future::pending::<()>()), async {
            drop(other);
        });
        assert!(is_hung_up_by(&work.unwrap_err(), Side::Remote));
    });
}

#[test]
fn events_of_one_call_wait_for_its_handler() {
    run(async {
        let (alice, bob) = pair().await;
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::clone(&running);
        let serving = tokio::spawn({
            let bob = bob.clone();
            async move {
                bob.serve(move |arrival| {
                    let running = Arc::clone(&running);
                    async move {
                        let Arrival::Call(call) = arrival else { return };
                        let mut call = call.answer(sdp()).await.unwrap();
                        let mut handled = 0;
                        while let Some(event) = call.next_event().await {
                            let CallEvent::Request(request) = event else {
                                continue;
                            };
                            handled += 1;
                            running.fetch_add(1, Ordering::SeqCst);
                            tokio::task::yield_now().await;
                            // One at a time: those that came meanwhile have not begun.
                            assert_eq!(running.load(Ordering::SeqCst), handled);
                            let ok = request.respond(StatusCode::OK, Outgoing::new());
                            ok.await.unwrap();
                        }
                    }
                })
                .await;
            }
        });
        let call = alice.invite(invitation(&bob)).await.unwrap();
        let call = call.answered().await.unwrap();
        let info = || call.request("INFO", Outgoing::new());
        let (a, b, c) = tokio::join!(info(), info(), info());
        for response in [a, b, c] {
            assert_eq!(response.unwrap().status(), StatusCode::OK);
        }
        call.hang_up().await;
        bob.drain().await.unwrap();
        serving.await.unwrap();
        assert_eq!((bob.counters().panics, most.load(Ordering::SeqCst)), (0, 3));
    });
}

#[test]
fn calls_that_find_no_room_are_refused_and_counted() {
    run(async {
        let alice = agent(hasty(), Bounds::default()).await;
        let mut bounds = Bounds::default();
        bounds.arrivals = 1;
        let bob = agent(hasty(), bounds).await;
        let first = alice.invite(invitation(&bob)).await.unwrap();
        let second = alice.invite(invitation(&bob)).await.unwrap();
        let refused = second.answered().await.unwrap_err();
        let wait = refused.end().and_then(EndReason::retry_after);
        assert_eq!(wait.map(|(_, wait)| wait), Some(Duration::from_secs(5)));
        assert_eq!(status_of(refused), 503);
        assert_eq!(bob.counters().arrivals_refused, 1);
        let incoming = next_call(&bob).await;
        let (call, other) = tokio::join!(first.answered(), incoming.answer(sdp()));
        assert!(call.is_ok() && other.is_ok());
    });
}

#[test]
fn call_that_was_cancelled_while_it_waited_is_not_handed_out() {
    run(async {
        let (alice, bob) = pair().await;
        let first = alice.invite(invitation(&bob)).await.unwrap();
        let cancelled = first.hang_up().await;
        assert!(
            matches!(cancelled, EndReason::Cancelled { .. }),
            "{cancelled}"
        );
        let _second = alice.invite(invitation(&bob)).await.unwrap();
        let incoming = next_call(&bob).await;
        assert_eq!(incoming.end(), None);
    });
}

#[test]
fn events_that_find_no_room_are_refused_and_counted() {
    run(async {
        let alice = agent(hasty(), Bounds::default()).await;
        let mut bounds = Bounds::default();
        bounds.events = 1;
        let bob = agent(hasty(), bounds).await;
        let (call, mut other) = talking(&alice, &bob).await;
        let info = || call.request("INFO", Outgoing::new());
        let mut first = Box::pin(info());
        // It waits in the mailbox, unread.
        tokio::select! {
            biased;
            response = &mut first => panic!("{response:?}"),
            second = info() => assert_eq!(second.unwrap().status(), StatusCode::SERVER_INTERNAL_ERROR),
        }
        assert_eq!((other.missed(), bob.counters().events_lost), (1, 1));
        let Some(CallEvent::Request(request)) = other.next_event().await else {
            panic!("the first waits");
        };
        let (response, answered) =
            tokio::join!(first, request.respond(StatusCode::OK, Outgoing::new()));
        assert_eq!(answered, Ok(()));
        assert_eq!(response.unwrap().status(), StatusCode::OK);
        // And the end is heard of, whatever is unread.
        call.hang_up().await;
        assert!(is_hung_up_by(&other.closed().await, Side::Remote));
    });
}

#[test]
fn reinvite_is_accepted_refused_or_ignored() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, mut other) = talking(&alice, &bob).await;
        let (changed, ()) = tokio::join!(call.reinvite(sdp()), async {
            let Some(CallEvent::Reoffered(reoffer)) = other.next_event().await else {
                panic!("a re-INVITE");
            };
            assert_eq!(&reoffer.request().body()[..], SDP.as_bytes());
            reoffer.answer(sdp()).await.unwrap();
        });
        let updated = changed.unwrap();
        assert_eq!(&updated.response.body()[..], SDP.as_bytes());
        assert!(!updated.answer_needed);
        let Some(CallEvent::Told(Event::Acknowledged { .. })) = other.next_event().await else {
            panic!("the ACK");
        };
        let (changed, ()) = tokio::join!(call.reinvite(sdp()), async {
            let Some(CallEvent::Reoffered(reoffer)) = other.next_event().await else {
                panic!("a re-INVITE");
            };
            let refused = reoffer.reject(StatusCode::DECLINE, Outgoing::new());
            refused.await.unwrap();
        });
        assert_eq!(status_of(changed.unwrap_err()), 603);
        let (changed, ()) = tokio::join!(call.reinvite(sdp()), async {
            drop(other.next_event().await);
        });
        assert_eq!(status_of(changed.unwrap_err()), 488);
        assert_eq!((call.end(), other.end()), (None, None));
    });
}

#[test]
fn reinvite_that_is_not_awaited_any_more_is_cancelled() {
    run(async {
        let (alice, bob) = pair().await;
        let (mut call, mut other) = talking(&alice, &bob).await;
        let reoffer = {
            let mut reinvite = Box::pin(call.reinvite(sdp()));
            tokio::select! {
                biased;
                changed = &mut reinvite => panic!("{changed:?}"),
                event = other.next_event() => event,
            }
        };
        let Some(CallEvent::Reoffered(reoffer)) = reoffer else {
            panic!("a re-INVITE");
        };
        let Some(CallEvent::Told(Event::ReofferCancelled { .. })) = other.next_event().await else {
            panic!("its CANCEL");
        };
        let late = reoffer.answer(sdp()).await.unwrap_err();
        assert!(matches!(late, CallError::Misuse(_)), "{late}");
        // Nobody waited for the 487, so it is an event.
        loop {
            if let Some(CallEvent::Told(Event::UpdateRefused { response, .. })) =
                call.next_event().await
            {
                assert_eq!(response.status(), StatusCode::REQUEST_TERMINATED);
                break;
            }
        }
        assert_eq!((call.end(), other.end()), (None, None));
    });
}

#[test]
fn answer_to_an_old_reinvite_does_not_touch_the_next_one() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, mut other) = talking(&alice, &bob).await;
        let old = {
            let mut reinvite = Box::pin(call.reinvite(sdp()));
            tokio::select! {
                biased;
                changed = &mut reinvite => panic!("{changed:?}"),
                event = other.next_event() => event,
            }
        };
        drop(other.next_event().await);
        let mut next = Box::pin(async {
            loop {
                // Until the cancelled one has its 487, there is no place for another.
                match call.reinvite(sdp()).await {
                    Err(CallError::Misuse(_)) => {}
                    outcome => return outcome,
                }
            }
        });
        let new = tokio::select! {
            biased;
            changed = &mut next => panic!("{changed:?}"),
            event = other.next_event() => event,
        };
        // Dropped, the old one refuses nothing.
        drop(old);
        let Some(CallEvent::Reoffered(new)) = new else {
            panic!("{new:?}");
        };
        let (changed, answered) = tokio::join!(next, new.answer(sdp()));
        assert!(
            changed.is_ok() && answered.is_ok(),
            "{changed:?} {answered:?}"
        );
    });
}

#[test]
fn update_is_accepted_or_refused() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, mut other) = talking(&alice, &bob).await;
        let (changed, second) = tokio::join!(call.update(sdp()), async {
            let Some(CallEvent::Offered(offer)) = other.next_event().await else {
                panic!("an UPDATE");
            };
            let second = call.update(Outgoing::new()).await;
            offer.respond(StatusCode::OK, sdp()).await.unwrap();
            second
        });
        assert_eq!(&changed.unwrap().response.body()[..], SDP.as_bytes());
        assert!(matches!(second, Err(CallError::Misuse(_))), "{second:?}");
        let (changed, ()) = tokio::join!(call.update(sdp()), async {
            drop(other.next_event().await);
        });
        assert_eq!(status_of(changed.unwrap_err()), 488);
        assert!(call.update(Outgoing::new()).await.is_ok());
    });
}

#[test]
fn callee_says_who_it_is_and_the_caller_hears_it() {
    run(async {
        let mut config = hasty();
        config.connected_identity = true;
        let (alice, bob) = (
            agent(config.clone(), Bounds::default()).await,
            agent(config, Bounds::default()).await,
        );
        let (outgoing, incoming) = ringing(&alice, &bob).await;
        incoming.identify("sip:carol@127.0.0.1").await.unwrap();
        let (call, other) = tokio::join!(outgoing.answered(), incoming.answer(sdp()));
        let (mut call, mut other) = (call.unwrap(), other.unwrap());
        loop {
            if let CallEvent::Told(Event::PeerIdentified { request, .. }) =
                call.next_event().await.unwrap()
            {
                assert_eq!(request.from().uri().to_string(), "sip:carol@127.0.0.1");
                break;
            }
        }
        loop {
            if let CallEvent::Told(Event::Identified { response, .. }) =
                other.next_event().await.unwrap()
            {
                assert_eq!(response.status(), StatusCode::OK);
                break;
            }
        }
        let malformed = other.identify("<sip:x@y>;tag=z").await;
        assert!(
            matches!(malformed, Err(CallError::Misuse(_))),
            "{malformed:?}"
        );
    });
}

#[test]
fn early_media_is_heard_before_the_answer() {
    run(async {
        let (alice, bob) = pair().await;
        let mut outgoing = alice.invite(invitation(&bob)).await.unwrap();
        let incoming = next_call(&bob).await;
        let early = incoming.progress(StatusCode::SESSION_PROGRESS, sdp());
        early.await.unwrap();
        loop {
            if let Some(CallEvent::Told(Event::Progress {
                response,
                early: Some(_),
                ..
            })) = outgoing.next_event().await
            {
                assert_eq!(&response.body()[..], SDP.as_bytes());
                break;
            }
        }
        let callee = tokio::spawn(incoming.answer(sdp()));
        assert!(outgoing.next_event().await.is_none(), "it is answered");
        let _call = outgoing.answered().await.unwrap();
        callee.await.unwrap().unwrap();
    });
}

#[test]
fn request_outside_of_any_dialog_is_answered() {
    run(async {
        let (alice, bob) = pair().await;
        let message = alice.ask("MESSAGE", invitation(&bob));
        let (response, ()) = tokio::join!(message, async {
            let request = next_request(&bob).await;
            assert_eq!(&request.request().body()[..], SDP.as_bytes());
            let ok = request.respond(StatusCode::ACCEPTED, Outgoing::new());
            ok.await.unwrap();
        });
        assert_eq!(response.unwrap().status(), StatusCode::ACCEPTED);
        let message = alice.ask("MESSAGE", invitation(&bob));
        let (response, ()) = tokio::join!(message, async { drop(next_request(&bob).await) });
        let status = response.unwrap().status();
        assert_eq!(status, StatusCode::SERVER_INTERNAL_ERROR);
        // The core answers this one.
        let options = alice.ask("OPTIONS", invitation(&bob)).await;
        assert_eq!(options.unwrap().status(), StatusCode::OK);
        let misuse = alice.ask("INVITE", invitation(&bob)).await;
        assert!(matches!(misuse, Err(CallError::Misuse(_))), "{misuse:?}");
    });
}

#[test]
fn request_that_nobody_answers_says_so() {
    run(async {
        let alice = agent(hasty(), Bounds::default()).await;
        let silent = tokio::net::UdpSocket::bind(anywhere()).await.unwrap();
        let target = format!("sip:bob@{}", silent.local_addr().unwrap());
        let nobody = Invitation::new(&target, "sip:alice@127.0.0.1").unwrap();
        let failed = alice.ask("OPTIONS", nobody).await.unwrap_err();
        assert!(
            matches!(failed, CallError::Ended(EndReason::Failed(_))),
            "{failed}"
        );
    });
}

#[test]
fn request_that_is_not_awaited_any_more_is_forgotten() {
    run(async {
        let alice = agent(hasty(), Bounds::default()).await;
        let silent = tokio::net::UdpSocket::bind(anywhere()).await.unwrap();
        let target = format!("sip:bob@{}", silent.local_addr().unwrap());
        let nobody = Invitation::new(&target, "sip:alice@127.0.0.1").unwrap();
        let mut buffer = [0; 2048];
        tokio::select! {
            biased;
            response = alice.ask("OPTIONS", nobody.clone()) => panic!("{response:?}"),
            received = silent.recv(&mut buffer) => assert!(received.is_ok()),
        }
        while alice.act(|endpoint, _, _| endpoint.calls()).await != Ok(0) {}
        // One that is awaited still is told.
        let mut asking = Box::pin(alice.ask("OPTIONS", nobody));
        tokio::select! {
            biased;
            response = &mut asking => panic!("{response:?}"),
            received = silent.recv(&mut buffer) => assert!(received.is_ok()),
        }
        let (asked, closed) = tokio::join!(asking, alice.close());
        let cancelled = asked.unwrap_err();
        assert!(
            matches!(cancelled.end(), Some(EndReason::Cancelled { .. })),
            "{cancelled}"
        );
        closed.unwrap();
    });
}

#[test]
fn call_that_is_abandoned_has_ended_for_its_owner() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, _other) = talking(&alice, &bob).await;
        let handle = call.handle();
        let abandon = move |endpoint: &mut Endpoint, _, _: &mut _| {
            endpoint.call(handle).map(CallView::abandon)
        };
        assert_eq!(alice.act(abandon).await, Ok(Ok(())));
        assert!(matches!(call.ended().await, EndReason::Failed(_)));
    });
}

#[test]
fn drain_takes_nothing_new_and_waits_for_what_stands() {
    run(async {
        let (alice, bob) = pair().await;
        let (call, other) = talking(&alice, &bob).await;
        let mut draining = Box::pin(bob.drain());
        tokio::select! {
            biased;
            drained = &mut draining => panic!("{drained:?}"),
            refused = async {
                let late = alice.invite(invitation(&bob)).await.unwrap();
                late.answered().await.unwrap_err()
            } => assert_eq!(status_of(refused), 503),
        }
        assert!(bob.incoming().await.is_none());
        assert_eq!((call.end(), other.end()), (None, None));
        assert!(is_hung_up_by(&call.hang_up().await, Side::Local));
        draining.await.unwrap();
        assert!(is_hung_up_by(other.end().unwrap(), Side::Remote));
        let late = bob.invite(invitation(&alice)).await.map(|_| ());
        assert_eq!(late, Err(CallError::Stopped));
        // Its address is free again.
        let again = Driver::udp(bob.local_addr(), hasty()).await;
        assert!(again.is_ok(), "{again:?}");
    });
}

#[test]
fn close_waits_until_all_is_written() {
    let (asking, reading) = run(async {
        let driver = Driver::tcp(anywhere(), Config::default()).await.unwrap();
        let bob = UserAgent::new(driver, Bounds::default());
        let peer = connect(bob.local_addr());
        let asking = ask_much(&peer);
        let received = async || {
            let look = |driver: &Driver| driver.endpoint().counters().received;
            bob.inspect(look).await.unwrap()
        };
        while received().await < MUCH as u64 {}
        let is_stuck = bob.inspect(Driver::has_unsent).await.unwrap();
        assert!(is_stuck, "the sockets held it all");
        let reading = count_responses(peer);
        bob.close().await.unwrap();
        (asking, reading)
    });
    // The runtime is gone with all that it had to do.
    asking.join().unwrap();
    assert_eq!(reading.join().unwrap(), MUCH);
}

#[test]
fn close_hangs_up_everything() {
    run(async {
        // On UDP, timer D would keep what was cancelled for 32 s.
        let tcp = async || {
            let driver = Driver::tcp(anywhere(), hasty()).await.unwrap();
            UserAgent::new(driver, Bounds::default())
        };
        let (alice, bob) = (tcp().await, tcp().await);
        let (_call, other) = talking(&alice, &bob).await;
        let (_outgoing, incoming) = ringing(&alice, &bob).await;
        alice.close().await.unwrap();
        assert!(is_hung_up_by(&other.ended().await, Side::Remote));
        let reason = incoming.closed().await;
        assert!(
            matches!(reason, EndReason::CancelledByCaller { .. }),
            "{reason}"
        );
    });
}

#[test]
fn agent_that_nobody_holds_ends_when_its_calls_have() {
    run(async {
        let (alice, bob) = pair().await;
        let address = alice.local_addr();
        let (call, other) = talking(&alice, &bob).await;
        let waiting = bob.invite(invitation(&alice)).await.unwrap();
        while alice.act(|endpoint, _, _| endpoint.calls()).await != Ok(2) {}
        let stopped = alice.stopped();
        drop(alice);
        // Nobody can take it any more.
        assert_eq!(status_of(waiting.answered().await.unwrap_err()), 480);
        // A call keeps it going.
        assert!(call.update(Outgoing::new()).await.is_ok());
        drop(call);
        assert!(is_hung_up_by(&other.ended().await, Side::Remote));
        stopped.await.unwrap();
        assert!(Driver::udp(address, hasty()).await.is_ok());
    });
}

#[test]
fn task_that_drives_is_stopped_and_nobody_waits_for_ever() {
    let (call, told) = {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (alice, bob) = pair().await;
            let (call, _other) = talking(&alice, &bob).await;
            let closed = call.closed();
            (call, closed)
        })
    };
    run(async move {
        assert!(matches!(told.await, EndReason::Failed(_)));
        assert!(matches!(call.hang_up().await, EndReason::Failed(_)));
        let late = call.request("INFO", Outgoing::new()).await.unwrap_err();
        assert_eq!(late, CallError::Stopped);
    });
}

#[test]
fn verbs_that_find_no_room_wait_for_their_turn() {
    run(async {
        let mut bounds = Bounds::default();
        bounds.verbs = 1;
        let alice = agent(hasty(), bounds).await;
        let look = || alice.act(|endpoint, _, _| endpoint.calls());
        let (a, b, c) = tokio::join!(look(), look(), look());
        assert_eq!([a, b, c], [Ok(0), Ok(0), Ok(0)]);
    });
}

#[test]
fn calls_that_are_dropped_at_any_time_leave_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap();
    let all = async {
        let tcp = async || {
            let driver = Driver::tcp(anywhere(), hasty()).await.unwrap();
            UserAgent::new(driver, Bounds::default())
        };
        let (alice, bob) = (tcp().await, tcp().await);
        let serving = tokio::spawn({
            let bob = bob.clone();
            async move { bob.serve(careless).await }
        });
        let mut callers = tokio::task::JoinSet::new();
        for number in 0..120 {
            let (alice, invitation) = (alice.clone(), invitation(&bob));
            callers.spawn(async move {
                let turns = |turns| async move {
                    for _ in 0..turns {
                        tokio::task::yield_now().await;
                    }
                };
                // Each gives up a little later than the one before.
                let calling = async {
                    let call = alice.invite(invitation).await.unwrap();
                    let call = call.answered().await?;
                    call.reinvite(sdp()).await?;
                    Ok::<_, CallError>(call.ended().await)
                };
                tokio::select! {
                    biased;
                    _ = calling => {}
                    () = turns(number) => {}
                }
            });
        }
        while let Some(done) = callers.join_next().await {
            done.unwrap();
        }
        // Either is done only when its tables are empty.
        alice.drain().await.unwrap();
        bob.drain().await.unwrap();
        serving.await.unwrap();
        assert_eq!(bob.counters().panics, 0);
    };
    runtime
        .block_on(async { tokio::time::timeout(LIMIT, all).await })
        .expect("it takes too long");
}

/// Rings, answers, and drops whatever comes, as far as the caller lets it.
async fn careless(arrival: Arrival) -> Result<(), CallError> {
    let Arrival::Call(call) = arrival else {
        return Ok(());
    };
    call.ring().await?;
    let mut call = call.answer(sdp()).await?;
    while call.next_event().await.is_some() {}
    Ok(())
}

#[test]
fn driver_can_be_looked_at() {
    run(async {
        let (alice, bob) = pair().await;
        let _talking = talking(&alice, &bob).await;
        let seen = alice
            .inspect(|driver| (driver.connections(), driver.endpoint().calls()))
            .await;
        assert_eq!(seen, Ok((0, 1)));
    });
}

#[test]
fn futures_can_go_to_other_threads() {
    fn is_send<T: Send>(_: T) {}
    run(async {
        let (alice, bob) = pair().await;
        is_send(alice.invite(invitation(&bob)));
        is_send(alice.ask("MESSAGE", invitation(&bob)));
        is_send(alice.incoming());
        is_send(alice.serve(careless));
        is_send(alice.drain());
        let (mut call, mut other) = talking(&alice, &bob).await;
        is_send(call.reinvite(sdp()));
        is_send(call.update(sdp()));
        is_send(call.request("INFO", sdp()));
        is_send(call.hang_up());
        is_send(call.during(async {}));
        is_send(call.acknowledge(sdp()));
        is_send(other.next_event());
        // None of them was awaited, so nothing has happened.
        assert_eq!((call.end(), other.end()), (None, None));
        is_send(other.ended());
    });
}

#[test]
fn places_that_cannot_be_bound_are_refused() {
    run(async {
        let bound = UserAgent::bind(&[], Config::default()).await;
        assert!(bound.is_err());
        let places = [Listen::Udp(anywhere()), Listen::Tcp(anywhere())];
        let bound = UserAgent::bind(&places, Config::default()).await.unwrap();
        let tcp = bound.local_addr_of(Transport::Tcp);
        assert!(tcp.is_some() && tcp != Some(bound.local_addr()));
    });
}
