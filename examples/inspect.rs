//! Says of SIP messages in files whether they can be read, and what is wrong with them.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "a tool for people: it counts lines and columns of what it has in memory"
)]

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use drongo::limits::Limits;
use drongo::message::{ContentType, Incoming, Message, Method, Name, StatusCode, Uri, parse};

const HELP: &str = "\
inspect: reads SIP messages and says what is wrong with them

Usage: inspect [OPTIONS] [FILE...]

Each FILE holds one message, as one datagram would; `-` or no FILE is standard input. For each, one
line of JSON on stdout:

  {\"file\":F,\"ok\":true,\"kind\":\"request\"|\"response\",\"method\":M,\"status\":N|null,
   \"headers\":N,\"body\":N,\"warnings\":[...]}
  {\"file\":F,\"ok\":false,\"error\":E,\"offset\":N,\"status\":N|null}

`status` is the code of a response, or the one to answer a broken request with; null where there is
nothing to answer, or no answer is owed. `offset` counts bytes from the start line. A warning that
begins with a number says what an endpoint that knows the methods of SIP, SDP, and no extension that
must be understood, would answer.

Options:
  --pretty   show the message with its faults marked, instead of JSON
  --help     this text

Exit code: 0 if all messages were read, 1 if one was not, 2 if a file could not be opened or the
command line was wrong.";

fn main() -> ExitCode {
    let (files, pretty) = match options() {
        Ok(Some(options)) => options,
        Ok(None) => return finish(print(HELP), ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("inspect: {error}; try --help");
            return ExitCode::from(2);
        }
    };
    let mut code = 0;
    for file in &files {
        let bytes = match read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                eprintln!("inspect: {file}: {error}");
                code = 2;
                let verdict = Verdict::refused(format!("cannot be opened: {error}"), 0, None);
                if !pretty && let Err(error) = print(&verdict.json(file)) {
                    return finish(Err(error), ExitCode::from(code));
                }
                continue;
            }
        };
        let verdict = Verdict::of(&bytes);
        if verdict.refused.is_some() {
            code = code.max(1);
        }
        let text = if pretty {
            verdict.pretty(file, &bytes)
        } else {
            verdict.json(file)
        };
        if let Err(error) = print(&text) {
            return finish(Err(error), ExitCode::from(code));
        }
    }
    ExitCode::from(code)
}

/// The files and whether to show them; `None` for the help text.
fn options() -> Result<Option<(Vec<String>, bool)>, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut files, mut pretty) = (Vec::new(), false);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("pretty") => pretty = true,
            Value(file) => files.push(file.string()?),
            Short(_) | Long(_) => return Err(argument.unexpected()),
        }
    }
    if files.is_empty() {
        files.push("-".to_owned());
    }
    Ok(Some((files, pretty)))
}

fn read(file: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == "-" {
        if io::stdin().is_terminal() {
            eprintln!("inspect: reads one message from standard input; Ctrl-D ends it");
        }
        io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file)
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// A reader that has closed the pipe has seen enough.
fn finish(printed: io::Result<()>, code: ExitCode) -> ExitCode {
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("inspect: {error}");
            ExitCode::from(2)
        }
        Ok(()) | Err(_) => code,
    }
}

/// What is to be said of one message.
struct Verdict {
    /// The message, if it could be indexed at all.
    message: Option<Message>,
    /// Why it is refused, where, and with which response.
    refused: Option<(String, usize, Option<u16>)>,
    /// What is wrong and can be lived with, and where that can be said.
    warnings: Vec<(String, Option<usize>)>,
}

impl Verdict {
    fn of(bytes: &[u8]) -> Self {
        let checked = parse(bytes.to_vec().into(), &Limits::DEFAULT);
        let message = match checked {
            Ok(Incoming::Request(request)) => Message::from(request),
            Ok(Incoming::Response(response)) => Message::from(response),
            Err(error) => {
                let status = error.status.map(StatusCode::as_u16);
                return Self::refused(error.kind.to_string(), error.offset, status);
            }
        };
        let mut faults = message.faults();
        faults.sort_by_key(|fault| fault.offset);
        let refusal = faults.iter().find(|fault| fault.status.is_some());
        let refused = refusal.map(|fault| {
            let status = fault.status.map(StatusCode::as_u16);
            (fault.kind.to_string(), fault.offset, status)
        });
        let others = faults.iter().filter(|fault| Some(*fault) != refusal);
        let mut warnings: Vec<_> = others
            .map(|fault| (fault.kind.to_string(), Some(fault.offset)))
            .collect();
        let skipped = bytes.iter().take_while(|b| b"\r\n".contains(b)).count();
        let rest = bytes.len() - skipped - message.bytes().len();
        if rest > 0 {
            warnings.push((format!("{rest} bytes behind the body are left out"), None));
        }
        warnings.extend(advice(&message).into_iter().map(|text| (text, None)));
        Self {
            message: Some(message),
            refused,
            warnings,
        }
    }

    const fn refused(error: String, offset: usize, status: Option<u16>) -> Self {
        Self {
            message: None,
            refused: Some((error, offset, status)),
            warnings: Vec::new(),
        }
    }

    fn json(&self, file: &str) -> String {
        let file = quoted(file);
        if let Some((error, offset, status)) = &self.refused {
            let (error, status) = (quoted(error), or_null(*status));
            return format!(
                "{{\"file\":{file},\"ok\":false,\"error\":{error},\"offset\":{offset},\
                 \"status\":{status}}}"
            );
        }
        let Some(message) = &self.message else {
            return String::new();
        };
        let kind = if message.is_request() {
            "request"
        } else {
            "response"
        };
        let warnings: Vec<_> = self.warnings.iter().map(|(text, _)| quoted(text)).collect();
        format!(
            "{{\"file\":{file},\"ok\":true,\"kind\":\"{kind}\",\"method\":{},\"status\":{},\
             \"headers\":{},\"body\":{},\"warnings\":[{}]}}",
            quoted(&method(message)),
            or_null(message.status_code().map(StatusCode::as_u16)),
            message.headers().len(),
            message.body_slice().len(),
            warnings.join(",")
        )
    }

    fn pretty(&self, file: &str, bytes: &[u8]) -> String {
        let mut text = match (&self.refused, &self.message) {
            (Some((error, offset, status)), _) => {
                let answer = status.map_or("nothing".to_owned(), |status| status.to_string());
                format!("{file}: refused: {error} at byte {offset}; answer: {answer}\n")
            }
            (None, Some(message)) => format!(
                "{file}: {} {}, {} headers, {} bytes of body\n",
                message
                    .status_code()
                    .map_or("request".to_owned(), |code| format!("response {code} to")),
                method(message),
                message.headers().len(),
                message.body_slice().len()
            ),
            (None, None) => String::new(),
        };
        let refusal = self.refused.iter().map(|(error, at, _)| (error, Some(*at)));
        let others = self.warnings.iter().map(|(text, at)| (text, *at));
        let marks: Vec<_> = refusal.chain(others).collect();
        let skipped = bytes.iter().take_while(|b| b"\r\n".contains(b)).count();
        let bytes = bytes.get(skipped..).unwrap_or_default();
        let mut at = 0;
        for line in bytes.split_inclusive(|&b| b == b'\n') {
            let shown = line.strip_suffix(b"\r\n").unwrap_or(line);
            let _ = writeln!(text, "  | {}", escaped(shown));
            let end = at + line.len();
            for (what, place) in &marks {
                let Some(place) = place.filter(|place| (at..end).contains(place)) else {
                    continue;
                };
                let column = escaped(line.get(..place - at).unwrap_or(line))
                    .chars()
                    .count();
                let _ = writeln!(text, "  | {}^ {what}", " ".repeat(column));
            }
            at = end;
        }
        for (what, place) in &marks {
            if place.is_none_or(|place| place >= bytes.len()) {
                let _ = writeln!(text, "  * {what}");
            }
        }
        text
    }
}

/// What an endpoint without extensions would answer, and what a proxy would.
fn advice(message: &Message) -> Vec<String> {
    let mut said = Vec::new();
    if message.status_code().is_some() {
        if message.vias().count() > 1 {
            said.push("an endpoint discards it: it has more than one Via".to_owned());
        }
        return said;
    }
    let method = Method::parse(message.method_bytes().unwrap_or_default());
    if let Ok(Method::Other(name)) = method {
        said.push(format!("501: no method {name} is known"));
    }
    if let Ok(Uri::Other(uri)) = Uri::parse(message.uri_bytes().unwrap_or_default()) {
        said.push(format!("416: no scheme {} is known", uri.scheme()));
    }
    let required: Vec<_> = message.require().flatten().collect();
    if !required.is_empty() && method != Ok(Method::Ack) && method != Ok(Method::Cancel) {
        said.push(format!("420: Unsupported: {}", required.join(", ")));
    }
    let asked: Vec<_> = message.proxy_require().flatten().collect();
    if !asked.is_empty() {
        said.push(format!(
            "from a proxy, 420: Unsupported: {}",
            asked.join(", ")
        ));
    }
    if method == Ok(Method::Register) {
        register_advice(message, &mut said);
    }
    if method == Ok(Method::Invite) {
        invite_advice(message, &mut said);
    }
    if message.max_forwards() == Some(Ok(0)) {
        said.push("from a proxy, 483: Max-Forwards is 0".to_owned());
    }
    said
}

fn register_advice(message: &Message, said: &mut Vec<String>) {
    let to = message
        .first(Name::To)
        .map(drongo::message::NameAddr::parse);
    if let Some(Ok(to)) = to
        && to.uri().as_sip().is_none()
    {
        said.push("400: the address of record is no SIP URI".to_owned());
    }
    for credentials in message.authorization().flatten() {
        if !credentials.is_digest() {
            let scheme = credentials.scheme();
            said.push(format!("401, or ignored: no scheme {scheme} is known"));
        }
    }
}

fn invite_advice(message: &Message, said: &mut Vec<String>) {
    if !message.accepts(&ContentType::SDP) {
        said.push("406: Accept has no application/sdp".to_owned());
    }
    let part = message.root_part();
    if part.content().is_empty() {
        return;
    }
    let is_sdp = |part: &drongo::message::Part<'_>| {
        part.content_type()
            .is_ok_and(|kind| kind == ContentType::SDP || kind.is("text", "plain"))
    };
    match part.is_unsupported(&Limits::DEFAULT, is_sdp) {
        Ok(true) => said.push("415: the body is of no type that is known".to_owned()),
        Ok(false) => {}
        Err(error) => said.push(format!("400: {error}")),
    }
}

fn method(message: &Message) -> String {
    let of_response = message.first(Name::CSeq).map(|value| {
        let word = value.rsplit(|b| b.is_ascii_whitespace()).next();
        word.unwrap_or_default()
    });
    let method = message.method_bytes().or(of_response).unwrap_or_default();
    String::from_utf8_lossy(method).into_owned()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn or_null(status: Option<u16>) -> String {
    status.map_or("null".to_owned(), |status| status.to_string())
}

/// Text as it is, and the rest as escapes.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        let _ = write!(text, "{}", chunk.invalid().escape_ascii());
    }
    text
}
