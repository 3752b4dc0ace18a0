//! Messages for the tests of this module.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Account, Client, Keyring, Secret};
use crate::limits::Limits;
use crate::message::{
    Body, Builder, Credentials, HeaderList, Incoming, Request, Response, StatusCode, parse,
};
use crate::seed::{Ids, Seed};

pub(super) fn ids() -> Ids {
    Ids::new(Seed::from_bytes([7; 32]))
}

/// A client of bob at biloxi.com, and of bob at proxy.example with another password.
pub(super) fn bob() -> Client {
    let keyring = Keyring::new()
        .with(Account::new("biloxi.com", "bob", Secret::password("zanzibar")).unwrap())
        .with(Account::new("proxy.example", "bob", Secret::password("kenia")).unwrap());
    Client::new(Arc::new(keyring), &mut ids().credentials(1))
}

pub(super) fn response(status: u16, lines: &[(&str, &str)]) -> Response {
    let mut builder = Builder::response(StatusCode::new(status).unwrap(), None)
        .header("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .header("From", "<sip:bob@biloxi.com>;tag=1")
        .header("To", "<sip:alice@biloxi.com>;tag=2")
        .header("Call-ID", "the-call")
        .header("CSeq", "1 INVITE");
    for (name, value) in lines {
        builder = builder.header(name, value);
    }
    Response::try_from(builder.build_message().unwrap()).unwrap()
}

pub(super) fn request(method: &str, uri: &str, lines: &HeaderList, body: &str) -> Request {
    let mut builder = Builder::request(method, uri)
        .header("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .header("From", "<sip:bob@biloxi.com>;tag=1")
        .header("To", "<sip:alice@biloxi.com>")
        .header("Call-ID", "the-call")
        .header("CSeq", alloc::format!("1 {method}"));
    for (name, _, value) in lines.iter() {
        builder = builder.header(&name.to_string(), value);
    }
    if !body.is_empty() {
        builder = builder.body(Body::sdp(body.to_string()));
    }
    match parse(builder.build().unwrap(), &Limits::DEFAULT) {
        Ok(Incoming::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// Name and value of each line.
pub(super) fn rows(lines: &HeaderList) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    lines
        .iter()
        .map(|(_, name, value)| (text(name), text(value)))
        .collect()
}

/// A parameter of credentials, as it says.
pub(super) fn param(value: &str, name: &str) -> Option<String> {
    let credentials = Credentials::parse(value.as_bytes()).unwrap();
    let value = credentials.params().get(name)?;
    Some(String::from_utf8(value.to_vec()).unwrap())
}
