//! The tables of RFC 3261 19.1.1 and 20, cell by cell against `vectors/conformance`.

use std::fs;
use std::path::Path;

use drongo::message::{Method, Name, Presence, StatusCode, UriPart, UriPlace};

const METHODS: [&str; 8] = [
    "ACK", "BYE", "CANCEL", "INVITE", "OPTIONS", "REGISTER", "PRACK", "UPDATE",
];

#[test]
fn headers_belong_where_the_tables_say() {
    // 3261-20-01, 3261-20-02, 3261-20-03, 3261-20-04, 3261-20-05, 3261-20-06, 3261-20-07,
    // 3261-20-08, 3261-20-09, 3261-20-10, 3261-20-11, 3261-20-12, 3261-20-13, 3261-20-14,
    // 3261-20-15, 3261-20-16, 3261-20-17, 3261-20-18, 3261-20-19, 3261-20-20, 3261-20-21,
    // 3261-20-22, 3261-20-23, 3261-20-24, 3261-20-25, 3261-20-26, 3261-20-27, 3261-20-28,
    // 3261-20-29, 3261-20-30, 3261-20-31, 3261-20-32, 3261-20-33, 3261-20-34, 3261-20-35,
    // 3261-20-36, 3261-20-37, 3261-20-38, 3261-20-39, 3261-20-40, 3261-20-41, 3261-20-42,
    // 3261-20-43, 3261-20-44, 3261-20-45, 3261-20-46, 3261-20-47, 3261-20-48, 3261-20-49,
    // 3261-20-50, 3261-20-51, 3261-20-52, 3261-20-53, 3261-20-54, 3261-20-55, 3261-20-56,
    // 3261-20-57, 3261-20-58, 3261-20-59, 3261-20-60, 3261-20-61, 3261-20-62, 3261-20-63,
    // 3261-20-64, 3261-20-65, 3261-20.4-02
    let mut rows = 0;
    for row in with_matrix("3261-20-") {
        rows += 1;
        let (id, text) = (row["id"].as_str().unwrap(), row["text"].as_str().unwrap());
        let (name, rest) = text.split_once(" in ").unwrap();
        let place = rest.split_once(':').unwrap().0;
        let codes = codes(place);
        assert!(!codes.is_empty(), "{id}: {place}");
        let name = Name::parse(name.as_bytes());
        for method in METHODS {
            let mark = row["matrix"].get(method).and_then(toml::Value::as_str);
            let expected = presence(mark.unwrap_or("-"));
            let method = Method::parse(method.as_bytes()).unwrap();
            for code in &codes {
                let status = (*code != 0).then(|| StatusCode::new(*code).unwrap());
                let is = Presence::of(name, method, status);
                assert_eq!(is, Some(expected), "{id}: {name} {method} {code}");
            }
        }
    }
    assert_eq!(rows, 65);
}

#[test]
fn parts_of_a_uri_belong_where_the_table_says() {
    // 3261-19.1.1-19, 3261-19.1.1-20, 3261-19.1.1-21, 3261-19.1.1-22, 3261-19.1.1-23,
    // 3261-19.1.1-24, 3261-19.1.1-25, 3261-19.1.1-26, 3261-19.1.1-27, 3261-19.1.1-28,
    // 3261-19.1.1-29, 3261-19.1.1-30
    let parts = [
        UriPart::User,
        UriPart::Password,
        UriPart::Host,
        UriPart::Port,
        UriPart::UserParam,
        UriPart::Method,
        UriPart::Maddr,
        UriPart::Ttl,
        UriPart::Transport,
        UriPart::Lr,
        UriPart::OtherParam,
        UriPart::Headers,
    ];
    let places = [
        ("request_uri", UriPlace::RequestUri),
        ("to", UriPlace::To),
        ("from", UriPlace::From),
        ("reg_redir_contact", UriPlace::Binding),
        ("dialog_contact_rr_route", UriPlace::Route),
        ("external", UriPlace::External),
    ];
    let rows = with_matrix("3261-19.1.1-");
    assert_eq!(rows.len(), parts.len());
    for (row, part) in rows.iter().zip(parts) {
        for (key, place) in places {
            let mark = row["matrix"][key].as_str().unwrap();
            let belongs = part.belongs_in(place);
            assert_eq!(
                belongs,
                mark != "-",
                "{}: {part} {place:?}",
                row["text"].as_str().unwrap()
            );
        }
    }
}

/// The requirements with a matrix whose ids begin so.
fn with_matrix(start: &str) -> Vec<toml::Table> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/conformance/core-parsing.toml");
    let file: toml::Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let rows = file["requirement"].as_array().unwrap().iter();
    let rows = rows.map(|row| row.as_table().unwrap().clone());
    rows.filter(|row| row["id"].as_str().unwrap().starts_with(start) && row.contains_key("matrix"))
        .collect()
}

fn presence(mark: &str) -> Presence {
    match mark {
        "m" => Presence::Mandatory,
        "m*" => Presence::Expected,
        "t" => Presence::Framing,
        "o" => Presence::Optional,
        "c" => Presence::Conditional,
        "*" => Presence::WithBody,
        "-" => Presence::Never,
        other => panic!("{other}"),
    }
}

/// Status codes that stand for the messages of a row; 0 for a request.
fn codes(place: &str) -> Vec<u16> {
    match place {
        "requests" => vec![0],
        "requests and responses"
        | "requests and copied to responses"
        | "requests and copied to responses (tag may be added)" => {
            vec![0, 100, 183, 200, 302, 404, 500, 603]
        }
        // What other rows of the same header do not say.
        "responses" => vec![180, 302, 404, 503, 603],
        "responses (copied from the request)" => vec![100, 180, 200, 302, 404, 503, 603],
        "1xx responses" => vec![100, 180, 199],
        "2xx responses" => vec![200, 202, 299],
        "3xx responses" => vec![300, 302, 380],
        // RFC 7462 4: any provisional response but 100.
        "180 responses" => vec![101, 180, 183, 199],
        "300-699 responses" => vec![300, 404, 503, 699],
        "2xx,18x responses" => vec![180, 183, 189, 200, 202],
        list => {
            let list = list.strip_suffix(" responses").unwrap();
            list.split(',').map(|code| code.parse().unwrap()).collect()
        }
    }
}
