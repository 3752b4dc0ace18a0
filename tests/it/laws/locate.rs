//! The laws on the machine that finds targets.

use drongo::limits::Limits;
use drongo::locate::{Action, Command, Event, Locate, Naptr, Reach, Records, Srv};
use drongo::machine::Leaf;
use drongo::message::Uri;
use drongo::seed::{Domain, Seed};
use drongo::time::Time;
use drongo::transport::{Local, NextHop, Transport};
use proptest::prelude::*;

use super::{Subject, check_exhaustively, check_script, choices, chosen};

/// URIs that begin in every state.
const URIS: [&str; 4] = [
    "sip:example.com",
    "sip:example.com;transport=tcp",
    "sip:example.com:5060",
    "sip:192.0.2.4",
];

struct OfLocate {
    uri: &'static str,
    events: Vec<Event>,
}

impl OfLocate {
    fn new(uri: &'static str) -> Self {
        let naptr = Records::Naptr(vec![Naptr {
            order: 1,
            preference: 1,
            flags: "s".into(),
            services: "SIP+D2T".into(),
            regexp: "".into(),
            replacement: "t.example.com".into(),
        }]);
        let srv = |target: &str| Srv {
            priority: 1,
            weight: 5,
            port: 5070,
            target: target.into(),
        };
        let srv = Records::Srv(vec![srv("a.example.com"), srv("b.example.com")]);
        let ips = ["192.0.2.4", "192.0.2.5"];
        let addresses = Records::Addresses(ips.map(|ip| ip.parse().unwrap()).into());
        let mut events = Vec::new();
        for number in 0..4 {
            for records in [&Records::None, &naptr, &srv, &addresses] {
                let records = records.clone();
                events.push(Event::Answer { number, records });
            }
        }
        Self { uri, events }
    }
}

impl Subject for OfLocate {
    type Machine = Locate;

    fn fresh(&self, now: Time, out: &mut Vec<Action>) -> Locate {
        let uri = Uri::parse(self.uri.as_bytes()).unwrap();
        let hop = NextHop::of(&uri, false).unwrap();
        let bound = "192.0.2.1:5060".parse().unwrap();
        let locals = [Transport::Udp, Transport::Tcp].map(|t| Local::new(t, bound));
        let random = Seed::from_bytes([7; 32]).stream(Domain::Targets, 0);
        Locate::new(now, &hop, Reach::of(&locals), random, &Limits::DEFAULT, out)
    }

    fn events(&self) -> &[Event] {
        &self.events
    }

    fn commands(&self) -> &[Command] {
        &[Command::Next]
    }

    fn is_last(&self, action: &Action) -> bool {
        matches!(action, Action::Terminated)
    }

    fn is_repetition(&self, _: &Action) -> bool {
        false
    }

    fn phase(&self, machine: &Locate) -> &'static str {
        machine.state()
    }

    fn max_actions(&self, _: &Locate) -> usize {
        Locate::MAX_ACTIONS
    }

    /// Waits for one service after the other without leaving its phase.
    fn is_composite(&self) -> bool {
        true
    }
}

#[test]
fn locate_keeps_the_laws() {
    let mut most = 0;
    for (uri, phases) in URIS.into_iter().zip([5, 4, 3, 2]) {
        let depth = if phases == 5 { 4 } else { 5 };
        let tally = check_exhaustively(&OfLocate::new(uri), depth);
        let tally = tally.unwrap_or_else(|violation| panic!("{uri}: {violation}"));
        assert_eq!(tally.phases.len(), phases, "{uri}: {:?}", tally.phases);
        most = most.max(tally.most_actions);
    }
    assert_eq!(most, Locate::MAX_ACTIONS, "the bound is not tight");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn locate_keeps_the_laws_for_long(uri in 0..URIS.len(), choices in choices()) {
        let subject = OfLocate::new(URIS[uri]);
        let checked = check_script(&subject, &chosen(&subject, &choices));
        checked.map_err(|violation| TestCaseError::fail(violation.to_string()))?;
    }
}
