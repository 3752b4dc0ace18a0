#![allow(
    clippy::arithmetic_side_effects,
    reason = "small numbers of a test's own"
)]

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use core::fmt::Write as _;

use super::*;
use crate::message::Uri;
use crate::seed::{Domain, Seed};
use crate::transport::Local;

const WAIT: u64 = 10;

fn reach(locals: &[(Transport, &str)]) -> Reach {
    let locals: Vec<Local> = locals
        .iter()
        .map(|(transport, bound)| Local::new(*transport, bound.parse().unwrap()))
        .collect();
    Reach::of(&locals)
}

fn all() -> Reach {
    let transports = [Transport::Udp, Transport::Tcp, Transport::Tls];
    reach(&transports.map(|transport| (transport, "192.0.2.1:5060")))
}

fn plain() -> Reach {
    reach(&[
        (Transport::Udp, "192.0.2.1:5060"),
        (Transport::Tcp, "192.0.2.1:5060"),
    ])
}

fn random(ordinal: u64) -> Stream {
    Seed::from_bytes([7; 32]).stream(Domain::Targets, ordinal)
}

/// A location, with what it said last.
#[derive(Clone)]
struct Bench {
    locate: Locate,
    said: Vec<Action>,
}

impl Bench {
    fn new(uri: &str, reach: Reach) -> Self {
        Self::with(uri, reach, random(0), &Limits::DEFAULT)
    }

    fn with(uri: &str, reach: Reach, random: Stream, limits: &Limits) -> Self {
        let uri = Uri::parse(uri.as_bytes()).unwrap();
        let hop = NextHop::of(&uri, false).unwrap();
        let mut said = Vec::new();
        let locate = Locate::new(Time::ZERO, &hop, reach, random, limits, &mut said);
        Self { locate, said }
    }

    /// Answers the question about this name.
    #[track_caller]
    fn answer(&mut self, name: &str, records: Records) -> &mut Self {
        let number = self.said.iter().find_map(|action| match action {
            Action::Ask { number, question } if question.name() == name => Some(*number),
            Action::Ask { .. } | Action::Try(_) | Action::Exhausted | Action::Terminated => None,
        });
        let number = number.unwrap_or_else(|| panic!("{name} not in {:?}", self.said));
        // What was asked together is answered one by one.
        self.said
            .retain(|action| !matches!(action, Action::Ask { number: n, .. } if *n == number));
        let event = Event::Answer { number, records };
        let mut said = Vec::new();
        self.locate.receive(Time::ZERO, event, &mut said);
        self.said.extend(said);
        self
    }

    fn next(&mut self) -> &mut Self {
        self.said.clear();
        let _ = self
            .locate
            .command(Time::ZERO, Command::Next, &mut self.said);
        self
    }

    fn said(&self) -> Vec<String> {
        self.said.iter().map(shown).collect()
    }

    /// All targets, with what `dns` knows: how the whole selection goes.
    fn run(uri: &str, reach: Reach, dns: &[(&str, Records)]) -> Vec<String> {
        Self::new(uri, reach).resolve(dns)
    }

    fn resolve(mut self, dns: &[(&str, Records)]) -> Vec<String> {
        let mut log = Vec::new();
        while let Some(action) = self.said.first().cloned() {
            log.push(shown(&action));
            match action {
                Action::Ask { question, .. } => {
                    let known = dns.iter().find(|(name, _)| *name == question.name());
                    let known = known.map_or(Records::None, |(_, records)| records.clone());
                    self.answer(question.name(), known);
                }
                Action::Try(_) => {
                    self.next();
                }
                Action::Exhausted | Action::Terminated => {
                    self.said.remove(0);
                }
            }
        }
        assert!(self.locate.is_terminated());
        log
    }
}

fn shown(action: &Action) -> String {
    match action {
        Action::Ask { question, .. } => match question {
            Question::Naptr { name } => format!("NAPTR {name}"),
            Question::Srv { name } => format!("SRV {name}"),
            Question::Addresses { name } => format!("A {name}"),
        },
        Action::Try(target) => format!("{} {}", target.transport, target.remote),
        Action::Exhausted => "Exhausted".to_string(),
        Action::Terminated => "Terminated".to_string(),
    }
}

fn naptr(records: &[(u16, u16, &str, &str)]) -> Records {
    let naptr = |&(order, preference, services, replacement): &(u16, u16, &str, &str)| Naptr {
        order,
        preference,
        flags: "s".into(),
        services: services.into(),
        regexp: "".into(),
        replacement: replacement.into(),
    };
    Records::Naptr(records.iter().map(naptr).collect())
}

fn srv(records: &[(u16, u16, u16, &str)]) -> Records {
    let srv = |&(priority, weight, port, target): &(u16, u16, u16, &str)| Srv {
        priority,
        weight,
        port,
        target: target.into(),
    };
    Records::Srv(records.iter().map(srv).collect())
}

fn a(addresses: &[&str]) -> Records {
    Records::Addresses(addresses.iter().map(|ip| ip.parse().unwrap()).collect())
}

/// The example of 3263 4.1.
fn example() -> Vec<(&'static str, Records)> {
    vec![
        (
            "example.com",
            naptr(&[
                (100, 50, "SIP+D2U", "_sip._udp.example.com."),
                (50, 50, "SIPS+D2T", "_sips._tcp.example.com."),
                (90, 50, "SIP+D2T", "_sip._tcp.example.com"),
            ]),
        ),
        (
            "_sip._tcp.example.com",
            srv(&[
                (1, 0, 5060, "server2.example.com."),
                (0, 0, 5070, "server1.example.com."),
            ]),
        ),
        ("server1.example.com", a(&["192.0.2.11"])),
        ("server2.example.com", a(&["192.0.2.12"])),
    ]
}

#[test]
fn numeric_target_is_tried_at_once_and_alone() {
    // 3263-4.1-52, 3263-4.2-51
    let end = ["Exhausted", "Terminated"];
    for (uri, target) in [
        ("sip:bob@192.0.2.4", "UDP 192.0.2.4:5060"),
        ("sips:bob@192.0.2.4", "TLS 192.0.2.4:5061"),
        ("sip:192.0.2.4:5070;transport=tcp", "TCP 192.0.2.4:5070"),
        ("sip:example.com;maddr=192.0.2.4", "UDP 192.0.2.4:5060"),
    ] {
        let expected = [&[target], &end[..]].concat();
        assert_eq!(Bench::run(uri, all(), &[]), expected, "{uri}");
        assert!(!Bench::new(uri, all()).locate.has_next());
    }
    assert_eq!(Bench::run("sip:[2001:db8::1]", all(), &[]), end);
}

#[test]
fn name_with_a_port_asks_for_addresses_alone() {
    // 3263-4.1-53, 3263-4.2-52, 3263-4.2-59
    let dns = [("example.com", a(&["192.0.2.2", "2001:db8::2", "192.0.2.1"]))];
    assert_eq!(
        Bench::run("sip:example.com:5070", all(), &dns),
        [
            "A example.com",
            "UDP 192.0.2.2:5070",
            "UDP 192.0.2.1:5070",
            "Exhausted",
            "Terminated"
        ]
    );
    let both = reach(&[
        (Transport::Tls, "192.0.2.1:5061"),
        (Transport::Tls, "[2001:db8::9]:5061"),
    ]);
    // 3263-4.2-58: of all families, in the order of the answer.
    let sips = Bench::run("sips:example.com:5071", both, &dns);
    let expected = ["TLS 192.0.2.2:5071", "TLS [2001:db8::2]:5071"];
    assert_eq!(sips[1..3], expected);
}

#[test]
fn naptr_chooses_the_transport_by_order_among_those_spoken() {
    // 3263-4.1-55, 3263-4.1-58, 3263-4.1-59, 3263-4.1-61, 3263-4.2-53
    assert_eq!(
        Bench::run("sip:user@example.com", plain(), &example()),
        [
            "NAPTR example.com",
            "SRV _sip._tcp.example.com",
            "A server1.example.com",
            "TCP 192.0.2.11:5070",
            "A server2.example.com",
            "TCP 192.0.2.12:5060",
            // 3263-4.1-65: what is left of the domain's services.
            "SRV _sip._udp.example.com",
            "Exhausted",
            "Terminated"
        ]
    );
}

#[test]
fn naptr_preference_decides_within_an_order() {
    // 3263-4.1-59, 3263-4.1-60
    let reach = reach(&[
        (Transport::Udp, "192.0.2.1:5060"),
        (Transport::Wss, "192.0.2.1:443"),
        (Transport::Ws, "192.0.2.1:80"),
    ]);
    let records = naptr(&[
        (10, 20, "sip+d2u", "u.example.com"),
        (10, 10, "SIPS+D2W", "w.example.com"),
        (10, 5, "SIP+D2S", "sctp.example.com"),
        (10, 15, "SIP+D2W", "v.example.com"),
    ]);
    let log = Bench::run("sip:example.com", reach, &[("example.com", records)]);
    let asked = [
        "SRV w.example.com",
        "SRV v.example.com",
        "SRV u.example.com",
    ];
    assert_eq!(log[1..4], asked);
}

#[test]
fn sip_uri_takes_tls_where_the_domain_prefers_it_and_it_is_spoken() {
    // 3263-4.1-57
    let log = Bench::run("sip:user@example.com", all(), &example());
    assert_eq!(log[1], "SRV _sips._tcp.example.com");
}

#[test]
fn sips_uri_goes_over_tls_or_nowhere() {
    // 3263-4.1-56, 3263-4.2-54
    let log = Bench::run("sips:user@example.com", all(), &example());
    assert_eq!(
        log,
        [
            "NAPTR example.com",
            "SRV _sips._tcp.example.com",
            // 3263-4.2-56: no SRV records, so the domain itself.
            "A example.com",
            "Exhausted",
            "Terminated"
        ]
    );
    let only_udp = ("example.com", naptr(&[(1, 1, "SIP+D2U", "u.example.com")]));
    let log = Bench::run("sips:example.com", all(), &[only_udp]);
    assert_eq!(log[1], "SRV _sips._tcp.example.com");
    // Nothing to send over.
    let log = Bench::run("sips:example.com", plain(), &example());
    assert_eq!(log, ["NAPTR example.com", "Exhausted", "Terminated"]);
}

#[test]
fn without_naptr_each_transport_spoken_is_asked_for_at_once() {
    // 3263-4.1-62
    let mut bench = Bench::new("sip:example.com", all());
    bench.answer("example.com", Records::None);
    let asked = ["SRV _sip._udp.example.com", "SRV _sip._tcp.example.com"];
    assert_eq!(bench.said(), asked);
    // What is asked for first is used first, whichever answers first.
    let tcp = srv(&[(0, 0, 5060, "t.example.com")]);
    bench.answer("_sip._tcp.example.com", tcp);
    assert_eq!(bench.said(), ["SRV _sip._udp.example.com"]);
    bench.answer("_sip._udp.example.com", Records::None);
    assert_eq!(bench.said(), ["A t.example.com"]);
}

#[test]
fn without_srv_the_domain_itself_is_used_at_the_default_port() {
    // 3263-4.1-63, 3263-4.2-56
    let dns = [("example.com", a(&["192.0.2.4"]))];
    let last = |uri: &str| {
        let log = Bench::run(uri, all(), &dns);
        log[log.len() - 3].clone()
    };
    assert_eq!(last("sip:example.com"), "UDP 192.0.2.4:5060");
    assert_eq!(last("sips:example.com"), "TLS 192.0.2.4:5061");
    assert_eq!(last("sip:example.com;transport=tcp"), "TCP 192.0.2.4:5060");
}

#[test]
fn transport_parameter_asks_for_its_srv_records() {
    // 3263-4.1-51, 3263-4.2-53, 3263-4.2-54
    let first = |uri: &str| Bench::run(uri, all(), &[])[0].clone();
    assert_eq!(
        first("sip:example.com;transport=tcp"),
        "SRV _sip._tcp.example.com"
    );
    assert_eq!(
        first("sips:example.com;transport=tcp"),
        "SRV _sips._tcp.example.com"
    );
    assert_eq!(
        first("sip:example.com;transport=tls"),
        "SRV _sips._tcp.example.com"
    );
}

#[test]
fn service_that_is_not_there_has_no_fallback() {
    // 3263-4.2-57
    for root in [".", ""] {
        let dns = [
            ("_sip._tcp.example.com", srv(&[(0, 0, 0, root)])),
            ("example.com", a(&["192.0.2.4"])),
        ];
        assert_eq!(
            Bench::run("sip:example.com;transport=tcp", all(), &dns),
            ["SRV _sip._tcp.example.com", "Exhausted", "Terminated"]
        );
    }
}

#[test]
fn addresses_of_two_servers_are_not_mixed() {
    // 3263-4.2-60
    let dns = [
        (
            "_sip._udp.example.com",
            srv(&[(2, 0, 5060, "b.example.com"), (1, 0, 5060, "a.example.com")]),
        ),
        ("a.example.com", a(&["192.0.2.11", "192.0.2.12"])),
        ("b.example.com", a(&["192.0.2.21", "192.0.2.12"])),
    ];
    let log = Bench::run("sip:example.com;transport=udp", all(), &dns);
    let tried: Vec<_> = log.iter().filter(|line| line.starts_with("UDP")).collect();
    // The address that both have is not tried twice.
    let expected = [
        "UDP 192.0.2.11:5060",
        "UDP 192.0.2.12:5060",
        "UDP 192.0.2.21:5060",
    ];
    assert_eq!(tried, expected);
}

#[test]
fn weights_decide_how_often_a_server_is_first() {
    // 3263-4.2-55
    let records = srv(&[
        (1, 10, 5060, "small.example.com"),
        (1, 30, 5060, "big.example.com"),
        (1, 0, 5060, "none.example.com"),
        (0, 0, 5060, "best.example.com"),
    ]);
    let dns = [("_sip._udp.example.com", records)];
    let (mut small, mut big, mut none) = (0, 0, 0);
    for ordinal in 0..1_000 {
        let uri = "sip:example.com;transport=udp";
        let bench = Bench::with(uri, all(), random(ordinal), &Limits::DEFAULT);
        let log = bench.resolve(&dns);
        assert_eq!(log[1], "A best.example.com");
        match log[2].as_str() {
            "A small.example.com" => small += 1,
            "A big.example.com" => big += 1,
            "A none.example.com" => none += 1,
            other => panic!("{other}"),
        }
        // Each once.
        assert_eq!(log.len(), 7, "{log:?}");
    }
    // 10 : 30, and of the 41 numbers in 0..=40 one is below the first weight.
    assert!((190..290).contains(&small), "{small}");
    assert!((680..780).contains(&big), "{big}");
    assert!((5..60).contains(&none), "{none}");
}

#[test]
fn order_of_the_answer_changes_nothing() {
    // 3263-4.4-51
    let records = [
        (1, 7, 5060, "a.example.com"),
        (1, 7, 5060, "b.example.com"),
        (1, 7, 5060, "c.example.com"),
    ];
    let mut turned = records;
    turned.reverse();
    let run = |records: &[(u16, u16, u16, &str)]| {
        let dns = [("_sip._udp.example.com", srv(records))];
        Bench::run("sip:example.com;transport=udp", all(), &dns)
    };
    assert_eq!(run(&records), run(&turned));
}

#[test]
fn too_many_records_and_targets_are_cut_to_the_best() {
    let names: Vec<String> = (0..200).map(|n| format!("s{n:03}.example.com")).collect();
    let mut records: Vec<_> = (0_u16..)
        .zip(&names)
        .map(|(priority, name)| (priority, 0, 5060, name.as_str()))
        .collect();
    records.reverse();
    let dns = [("_sip._udp.example.com", srv(&records))];
    let uri = "sip:example.com;transport=udp";
    let log = Bench::run(uri, all(), &dns);
    assert_eq!(log[1], "A s000.example.com");
    assert_eq!(log.len(), 1 + Limits::DEFAULT.dns_records + 2);
    let many: Vec<String> = (0..250).map(|n| format!("192.0.2.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let log = Bench::run("sip:example.com:5060", all(), &[("example.com", a(&many))]);
    assert_eq!(log.len(), 1 + Limits::DEFAULT.request_targets + 2);
    let mut none = Limits::DEFAULT;
    none.request_targets = 0;
    let bench = Bench::with("sip:192.0.2.4", all(), random(0), &none);
    assert_eq!(bench.said(), ["Exhausted", "Terminated"]);
}

#[test]
fn records_that_make_no_sense_are_left_out() {
    let long = "x".repeat(300);
    let mut records = vec![
        (1, 1, "SIP+D2U", ""),
        (1, 1, "SIP+D2U", "."),
        (1, 1, "SIP+D2U", long.as_str()),
        (1, 1, "E2U+sip", "e.example.com"),
    ];
    records.push((9, 1, "SIP+D2T", "t.example.com"));
    let Records::Naptr(mut list) = naptr(&records) else {
        panic!("not NAPTR");
    };
    let mut regexp = list[4].clone();
    (regexp.order, regexp.regexp) = (2, "!^.*$!sip:x!".into());
    let mut flag = list[4].clone();
    (flag.order, flag.flags) = (2, "u".into());
    list.extend([regexp, flag]);
    let servers = srv(&[(0, 0, 5060, "192.0.2.66"), (1, 0, 5060, long.as_str())]);
    let dns = [
        ("example.com", Records::Naptr(list)),
        ("t.example.com", servers),
    ];
    assert_eq!(
        Bench::run("sip:example.com", all(), &dns),
        [
            "NAPTR example.com",
            "SRV t.example.com",
            "Exhausted",
            "Terminated"
        ]
    );
    // Records of another kind are none.
    let dns = [("example.com", srv(&[(0, 0, 5060, "x.example.com")]))];
    let log = Bench::run("sip:example.com:5060", all(), &dns);
    assert_eq!(log, ["A example.com", "Exhausted", "Terminated"]);
}

#[test]
fn question_without_an_answer_is_given_up() {
    let mut bench = Bench::new("sip:example.com", plain());
    let mut log = bench.said();
    while let Some(at) = bench.locate.deadline() {
        let mut said = Vec::new();
        bench.locate.on_deadline(at, &mut said);
        log.push(format!("{}s", at.as_nanos() / 1_000_000_000));
        log.extend(said.iter().map(shown));
    }
    assert_eq!(
        log,
        [
            "NAPTR example.com",
            "10s",
            "SRV _sip._udp.example.com",
            "SRV _sip._tcp.example.com",
            "20s",
            "A example.com",
            "30s",
            "Exhausted",
            "Terminated"
        ]
    );
}

#[test]
fn late_answer_counts_for_nothing() {
    let mut bench = Bench::new("sip:example.com", plain());
    bench.answer("example.com", Records::None);
    let udp = srv(&[(0, 0, 5060, "u.example.com")]);
    bench.answer("_sip._udp.example.com", udp);
    bench.answer("u.example.com", a(&["192.0.2.4"]));
    let tcp = srv(&[(0, 0, 5060, "t.example.com")]);
    bench
        .said
        .retain(|action| matches!(action, Action::Ask { .. }));
    let before = bench.locate.clone();
    bench.answer("_sip._tcp.example.com", tcp);
    assert_eq!(bench.locate, before);
    // It is asked for again when it is needed.
    assert!(bench.locate.has_next());
    assert_eq!(bench.next().said(), ["SRV _sip._tcp.example.com"]);
}

/// Every state with every input.
#[test]
fn every_state_takes_every_input() {
    let mut found = Bench::new("sip:example.com:5060", plain());
    found.answer("example.com", a(&["192.0.2.4", "192.0.2.5"]));
    let mut last = Bench::new("sip:example.com;transport=tcp", plain());
    last.answer(
        "_sip._tcp.example.com",
        srv(&[(0, 0, 5060, "s.example.com")]),
    );
    let states = [
        Bench::new("sip:example.com", plain()),
        Bench::new("sip:example.com;transport=tcp", plain()),
        last,
        found,
        Bench::new("sip:[2001:db8::1]", plain()),
    ];
    let answers = [
        ("none", Records::None),
        ("NAPTR", naptr(&[(1, 1, "SIP+D2T", "t.example.com")])),
        ("SRV", srv(&[(0, 0, 5060, "s.example.com")])),
        ("addresses", a(&["192.0.2.4"])),
    ];
    let (state, input, actions) = ("state", "input", "actions");
    let mut table = format!("{state:10} | {input:10} | {actions:52} | next state\n\n");
    for bench in states {
        let number = bench.locate.asked.saturating_sub(1);
        let mut row = |input: &str, run: &dyn Fn(&mut Locate, &mut Vec<Action>) -> bool| {
            let (mut locate, mut out) = (bench.locate.clone(), Vec::new());
            let said: Vec<_> = match run(&mut locate, &mut out) {
                true => out.iter().map(shown).collect(),
                false => vec!["misuse".to_string()],
            };
            let (state, next) = (bench.locate.state(), locate.state());
            let next = if state == next { "-" } else { next };
            writeln!(
                table,
                "{state:10} | {input:10} | {:52} | {next}",
                said.join(", ")
            )
            .unwrap();
        };
        for (name, records) in &answers {
            row(name, &|locate, out| {
                let records = records.clone();
                locate.receive(Time::ZERO, Event::Answer { number, records }, out);
                true
            });
        }
        row("stale", &|locate, out| {
            let (records, number) = (Records::None, 99);
            locate.receive(Time::ZERO, Event::Answer { number, records }, out);
            true
        });
        row("timeout", &|locate, out| {
            locate.on_deadline(Time::from_secs(WAIT), out);
            true
        });
        row("next", &|locate, out| {
            locate.command(Time::ZERO, Command::Next, out).is_ok()
        });
        table.push('\n');
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("locate_matrix", table));
}
