//! Every digest that `vectors/conformance/auth.toml` states, computed here.

use std::fs;
use std::path::Path;

use drongo::auth::digest::{self, Count};
use drongo::auth::{Algorithm, Hex, Protected, Qop};
use drongo::message::{Credentials, Method};
use toml::{Table, Value};

#[test]
fn every_vector_comes_out() {
    // 3261-22.4-17, 3261-22.4-18, 3261-22.4-19, 3261-22.1-17, 3261-22.1-18
    // 7616-3.9.1-01, 7616-3.9.1-02, 7616-3.9.2-01, 7616-3.4.1-03, 7616-3.4.1-04, 7616-3.4.1-05
    // 7616-3.4.1-06, 7616-3.4.1-07, 7616-3.4.1-08, 7616-3.4.1-09, 7616-3.4.1-10
    // 7616-3.4.2-04, 7616-3.4.2-05, 7616-3.4.2-06, 7616-3.4.2-07, 7616-3.4.3-05, 7616-3.4.3-06
    // 7616-3.4.3-07, 7616-3.4.3-08, 7616-3.4.3-09, 7616-3.4.3-10, 7616-3.4.3-11
    // 7616-3.4.5-03, 7616-3.4.5-04, 7616-3.4.5-02, 7616-3.4.2-01, 7616-3.4.2-03, 7616-3.4.3-01
    // 8760-2.2-01
    let vectors: Vec<_> = requirements()
        .into_iter()
        .filter(|entry| entry.contains_key("response"))
        .collect();
    assert_eq!(vectors.len(), VECTORS, "a vector came or went");
    for entry in &vectors {
        let id = text(entry, "id");
        let (ha1, ha2, response) = computed(entry);
        assert_eq!(ha1.as_str(), text(entry, "ha1"), "{id}");
        assert_eq!(ha2.as_str(), text(entry, "ha2"), "{id}");
        assert_eq!(response.as_str(), text(entry, "response"), "{id}");
    }
}

/// How many there are: those cited above.
const VECTORS: usize = 29;

#[test]
fn proof_of_the_server_comes_out() {
    // 7616-3.5-07, 7616-3.5-08, 7616-3.5-02
    let vectors: Vec<_> = requirements()
        .into_iter()
        .filter(|entry| entry.contains_key("rspauth"))
        .collect();
    assert_eq!(vectors.len(), 2);
    for entry in &vectors {
        let algorithm = algorithm(entry);
        let ha1 = digest::ha1(algorithm, b"bob", b"biloxi.com", b"zanzibar");
        let uri = b"sip:bob@biloxi.com";
        let ha2 = digest::response_ha2(algorithm, Some(Qop::Auth), uri, b"");
        let count = Count {
            qop: Qop::Auth,
            nc: 1,
            cnonce: b"0a4f113b",
        };
        let nonce = b"dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let proof = digest::response(algorithm, &ha1, nonce, Some(count), &ha2);
        assert_eq!(ha2.as_str(), text(entry, "ha2"));
        assert_eq!(proof.as_str(), text(entry, "rspauth"));
    }
}

#[test]
fn hashed_user_names_come_out() {
    // 7616-3.4.4-03, 7616-3.4.4-04, 7616-3.9.2-02
    let bob = |algorithm| digest::user_hash(algorithm, b"bob", b"biloxi.com");
    assert_eq!(
        bob(Algorithm::Md5).as_str(),
        "d3486d41d4666541c4f024aee188d517"
    );
    assert_eq!(
        bob(Algorithm::Sha256).as_str(),
        "aafc60b9fa3e13876262208200cd6aebf77f59d79e854061f632f35f6cb30e0c"
    );
    let name = "J\u{e4}s\u{f8}n Doe".as_bytes();
    assert_eq!(
        digest::user_hash(Algorithm::Sha512_256, name, b"api@example.org").as_str(),
        "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    );
}

#[test]
fn empty_body_is_hashed_as_the_empty_string() {
    // 3261-22.4-06
    let method = Method::Invite;
    for (algorithm, empty) in [
        (Algorithm::Md5, "d41d8cd98f00b204e9800998ecf8427e"),
        (
            Algorithm::Sha256,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            Algorithm::Sha512_256,
            "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a",
        ),
    ] {
        let request = Protected {
            method,
            uri: b"sip:a",
            body: b"",
        };
        let ha2 = digest::ha2(algorithm, Some(Qop::AuthInt), &request);
        // H(A2) of `auth` over a URI that ends in what auth-int adds is the same hash.
        let uri = format!("sip:a:{empty}");
        let request = Protected {
            method,
            uri: uri.as_bytes(),
            body: b"",
        };
        assert_eq!(ha2, digest::ha2(algorithm, Some(Qop::Auth), &request));
    }
}

/// The response to a challenge of Bob at this URI, as MD5 without qop or with `auth`.
fn bobs(realm: &str, nonce: &str, uri: &str, cnonce: Option<&str>, method: &str) -> String {
    let ha1 = digest::ha1(Algorithm::Md5, b"bob", realm.as_bytes(), b"zanzibar");
    let method = Method::parse(method.as_bytes()).unwrap();
    let protected = Protected {
        method,
        uri: uri.as_bytes(),
        body: b"",
    };
    let count = cnonce.map(|cnonce| Count {
        qop: Qop::Auth,
        nc: 1,
        cnonce: cnonce.as_bytes(),
    });
    let ha2 = digest::ha2(Algorithm::Md5, count.map(|count| count.qop), &protected);
    let nonce = nonce.as_bytes();
    let response = digest::response(Algorithm::Md5, &ha1, nonce, count, &ha2);
    response.as_str().to_owned()
}

#[test]
fn what_the_rfcs_print_wrongly_does_not_come_out() {
    // RFC 3261 22.2 prints the example of RFC 2617 under the name of Bob.
    let printed = "6629fae49393a05397450978507c4ef1";
    let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
    for method in ["INVITE", "REGISTER", "GET"] {
        let cnonce = Some("0a4f113b");
        let response = bobs("biloxi.com", nonce, "sip:bob@biloxi.com", cnonce, method);
        // 3261-22.4-15
        assert_ne!(response, printed);
    }
    let mufasa = digest::ha1(
        Algorithm::Md5,
        b"Mufasa",
        b"testrealm@host.com",
        b"Circle Of Life",
    );
    let index = Protected {
        method: Method::Other("GET"),
        uri: b"/dir/index.html",
        body: b"",
    };
    let count = Count {
        qop: Qop::Auth,
        nc: 1,
        cnonce: b"0a4f113b",
    };
    let ha2 = digest::ha2(Algorithm::Md5, Some(Qop::Auth), &index);
    let response = digest::response(Algorithm::Md5, &mufasa, nonce.as_bytes(), Some(count), &ha2);
    assert_eq!(response.as_str(), printed);

    // RFC 3665 2.1 F3: a digit is missing, and a comma.
    let printed = "dfe56131d1958046689d83306477ecc";
    let nonce = "ea9c8e88df84f1cec4341ae6cbe5a359";
    let uri = "sips:ss2.biloxi.example.com";
    let response = bobs("atlanta.example.com", nonce, uri, None, "REGISTER");
    // 3261-22.4-16
    assert_eq!(printed.len(), 31);
    assert_ne!(response, printed);
    let row = format!(
        "Digest username=\"bob\", realm=\"atlanta.example.com\" nonce=\"{nonce}\", opaque=\"\", \
         uri=\"{uri}\", response=\"{printed}\""
    );
    let row = Credentials::parse(row.as_bytes());
    assert!(row.is_err() || row.is_ok_and(|row| row.nonce().is_none()));
}

#[test]
fn digest_of_any_length_can_be_read() {
    for response in ["", "0a", &"0123456789abcdef".repeat(8)] {
        let row = format!("Digest username=\"bob\", response=\"{response}\"");
        let row = Credentials::parse(row.as_bytes()).unwrap();
        // 8760-2.7-01
        assert_eq!(row.response().as_deref(), Some(response.as_bytes()));
    }
    for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256] {
        let hash = digest::ha1(algorithm, b"bob", b"biloxi.com", b"zanzibar");
        let is_lower = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        assert!(hash.as_str().bytes().all(is_lower));
    }
}

fn computed(entry: &Table) -> (Hex, Hex, Hex) {
    let algorithm = algorithm(entry);
    let get = |key| entry.get(key).and_then(Value::as_str);
    let bytes = |key| text(entry, key).as_bytes();
    let plain = digest::ha1(
        algorithm,
        bytes("username"),
        bytes("realm"),
        bytes("password"),
    );
    let qop = get("qop").map(|name| Qop::parse(name.as_bytes()).unwrap());
    let ha1 = if algorithm.is_session() {
        let nonce = get("sess_nonce").unwrap_or(text(entry, "nonce"));
        let cnonce = get("sess_cnonce").unwrap_or(text(entry, "cnonce"));
        digest::session_ha1(algorithm, &plain, nonce.as_bytes(), cnonce.as_bytes())
    } else {
        plain
    };
    let protected = Protected {
        method: Method::parse(bytes("method")).unwrap(),
        uri: bytes("uri"),
        body: get("body").unwrap_or_default().as_bytes(),
    };
    let ha2 = digest::ha2(algorithm, qop, &protected);
    let count = qop.map(|qop| Count {
        qop,
        nc: u32::from_str_radix(text(entry, "nc"), 16).unwrap(),
        cnonce: bytes("cnonce"),
    });
    let response = digest::response(algorithm, &ha1, bytes("nonce"), count, &ha2);
    (ha1, ha2, response)
}

fn algorithm(entry: &Table) -> Algorithm {
    Algorithm::parse(text(entry, "algorithm").as_bytes()).unwrap()
}

fn text<'a>(entry: &'a Table, key: &str) -> &'a str {
    let value = entry.get(key).and_then(Value::as_str);
    value.unwrap_or_else(|| panic!("no {key}: {entry:?}"))
}

fn requirements() -> Vec<Table> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/conformance/auth.toml");
    let table: Table = fs::read_to_string(path).unwrap().parse().unwrap();
    let all = table.get("requirement").and_then(Value::as_array).unwrap();
    all.iter()
        .map(|entry| entry.as_table().unwrap().clone())
        .collect()
}
