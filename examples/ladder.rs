//! Draws the calls in a capture.
//!
//! ```text
//! cargo run --features trace --example ladder -- FILE.pcap
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

use std::process::ExitCode;
use std::{fmt, fs};

use drongo::message::{Message, Name};
use drongo::trace::{Trace, capture};

const HELP: &str = "\
Draws the SIP in a capture (pcap or pcapng) as a ladder.

usage: ladder [options] FILE

  --format text|mermaid|svg|pcapng   how (text); pcapng writes the SIP alone
  --call CALL-ID                     one call only
  --list                             the calls in the file, one a line
  --name ADDRESS=NAME                call an address (192.0.2.1:5060) by a name; may be repeated
  --help                             this text
";

struct Wanted {
    file: String,
    format: Format,
    call: Option<String>,
    list: bool,
    names: Vec<(std::net::SocketAddr, String)>,
}

#[derive(Clone, Copy)]
enum Format {
    Text,
    Mermaid,
    Svg,
    Pcapng,
}

fn main() -> ExitCode {
    match arguments() {
        Ok(Some(wanted)) => match run(&wanted) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, 1),
        },
        Ok(None) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format_args!("{error}\n{HELP}"), 2),
    }
}

fn fail(error: &dyn fmt::Display, code: u8) -> ExitCode {
    eprintln!("ladder: {error}");
    ExitCode::from(code)
}

fn arguments() -> Result<Option<Wanted>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let (mut file, mut format, mut call) = (None, Format::Text, None);
    let (mut list, mut names) = (false, Vec::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("list") => list = true,
            Long("call") => call = Some(parser.value()?.string()?),
            Long("format") => {
                format = parser.value()?.parse_with(|text| match text {
                    "text" => Ok(Format::Text),
                    "mermaid" => Ok(Format::Mermaid),
                    "svg" => Ok(Format::Svg),
                    "pcapng" => Ok(Format::Pcapng),
                    other => Err(format!("no format {other}")),
                })?;
            }
            Long("name") => {
                let name = parser.value()?.parse_with(|text| {
                    let (address, name) = text.split_once('=').ok_or("no `=`")?;
                    let address = address.parse().map_err(|_| "no address with a port")?;
                    Ok::<_, &str>((address, name.to_owned()))
                })?;
                names.push(name);
            }
            Value(value) if file.is_none() => file = Some(value.string()?),
            Short(_) | Long(_) | Value(_) => return Err(argument.unexpected()),
        }
    }
    let file = file.ok_or("which FILE?")?;
    Ok(Some(Wanted {
        file,
        format,
        call,
        list,
        names,
    }))
}

fn run(wanted: &Wanted) -> Result<(), Box<dyn std::error::Error>> {
    let file = fs::read(&wanted.file).map_err(|error| format!("{}: {error}", wanted.file))?;
    let capture = capture::read(&file).map_err(|error| format!("{}: {error}", wanted.file))?;
    if wanted.list {
        for (call, messages) in calls(&capture.trace) {
            println!("{messages:>6} {call}");
        }
        return Ok(());
    }
    let mut trace = Trace::new();
    for (address, name) in &wanted.names {
        trace.lane(name, &[*address]);
    }
    let of_call = |bytes| wanted.call.is_none() || call_id(bytes) == wanted.call;
    for packet in capture.trace.packets() {
        if of_call(&packet.bytes) {
            trace.packet(packet.clone());
        }
    }
    if trace.packets().next().is_none() {
        return Err(format!("{}: no SIP of that kind in it", wanted.file).into());
    }
    match wanted.format {
        Format::Text => print!("{}", trace.ladder()),
        Format::Mermaid => print!("{}", trace.mermaid()),
        Format::Svg => print!("{}", trace.svg()),
        Format::Pcapng => {
            use std::io::Write as _;
            std::io::stdout().write_all(&trace.pcapng(capture.epoch))?;
        }
    }
    eprintln!("ladder: {} packets without SIP", capture.skipped);
    Ok(())
}

/// The calls in the order of their first messages, and how many messages each has.
fn calls(trace: &Trace) -> Vec<(String, usize)> {
    let mut calls: Vec<(String, usize)> = Vec::new();
    for call in trace.packets().filter_map(|packet| call_id(&packet.bytes)) {
        match calls.iter_mut().find(|(known, _)| *known == call) {
            Some((_, messages)) => *messages = messages.saturating_add(1),
            None => calls.push((call, 1)),
        }
    }
    calls
}

fn call_id(bytes: &bytes::Bytes) -> Option<String> {
    let message = Message::parse(bytes.clone()).ok()?;
    let call_id = message.first(Name::CallId)?;
    Some(String::from_utf8_lossy(call_id).into_owned())
}
