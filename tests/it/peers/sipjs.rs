//! SIP.js, the SIP library of browsers, under Node: it calls over a WebSocket (RFC 7118).

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::examples::Answer;
use super::{NODE, Process, wanted};

#[test]
fn sipjs_calls_answer_over_a_websocket() {
    let test = "sipjs_calls_answer_over_a_websocket";
    if !wanted(test, &[NODE]) {
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/sipjs");
    assert!(
        here.join("node_modules/sip.js").is_dir(),
        "{test}: missing: SIP.js (npm install --prefix tests/peers/sipjs)"
    );
    let mut answer = Answer::start_on("ws", &["--stop-after", "1"]);
    let mut command = Command::new("node");
    let port = answer.address.port().to_string();
    command.arg(here.join("call.mjs")).arg(port);
    let mut node = Process::start(test, &mut command);
    let status = node.wait(Duration::from_secs(60));
    assert_eq!(status.code(), Some(0), "{}", node.transcript());
    let report = answer.end(super::examples::DRAIN);
    report.check("calls", 1);
    report.check("answered", 1);
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
}
