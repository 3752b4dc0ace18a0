//! baresip, headless and without an audio device, calls `answer`.
//!
//! baresip 1.0.0 takes samples from a WAV file of two seconds, and hangs up by itself when the file
//! ends ("audio error (0,end of file)"): a hang-up that comes two seconds after the answer, however
//! slow the machine. It needs `net_interface` to keep it on loopback, in its SDP too, and exits 0
//! on SIGINT.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::examples::{Answer, DRAIN};
use super::{BARESIP, Process, free_port, scratch, wanted};

#[test]
fn baresip_calls_answer_and_hangs_up() {
    if !wanted("baresip_calls_answer_and_hangs_up", &[BARESIP]) {
        return;
    }
    let folder = scratch("baresip_calls_answer_and_hangs_up");
    configure(&folder);
    let mut answer = Answer::start(&["--stop-after", "1"]);
    let mut command = Command::new("baresip");
    command
        .args([
            "-4",
            "-t",
            "90",
            "-e",
            &format!("/dial sip:bob@{}", answer.address),
            "-f",
        ])
        .arg(&folder);
    let mut baresip = Process::start("baresip", &mut command);
    let report = answer.end(Duration::from_secs(20) + DRAIN);
    baresip.signal("INT");
    let status = baresip.wait(Duration::from_secs(10));
    let said = baresip.transcript();
    assert!(status.success(), "{status}\n{said}");
    assert!(said.contains("Call established: "), "{said}");
    assert!(said.contains(" terminated (duration: "), "{said}");
    report.check("calls", 1);
    report.check("answered", 1);
    report.check("failed", 0);
    report.check("bye_timeout", 0);
    report.check_nothing_left();
}

fn configure(folder: &Path) {
    let place = folder.display();
    let config = format!(
        "module_path /usr/lib/baresip/modules\n\
         sip_listen 127.0.0.1:{port}\n\
         net_interface 127.0.0.1\n\
         audio_player aufile,{place}/heard.wav\n\
         audio_source aufile,{place}/tone.wav\n\
         module g711.so\n\
         module aufile.so\n\
         module_tmp account.so\n\
         module_app menu.so\n",
        port = free_port(),
    );
    fs::write(folder.join("config"), config).unwrap();
    fs::write(folder.join("accounts"), "<sip:alice@127.0.0.1>;regint=0\n").unwrap();
    fs::write(folder.join("contacts"), "").unwrap();
    fs::write(folder.join("tone.wav"), silence(Duration::from_secs(2))).unwrap();
}

/// A WAV file of zeros: 8,000 samples a second, 16 bits, one channel.
fn silence(length: Duration) -> Vec<u8> {
    let bytes = u32::try_from(length.as_millis() * 16).unwrap();
    let mut wav = b"RIFF".to_vec();
    wav.extend((bytes + 36).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(8_000_u32.to_le_bytes());
    wav.extend(16_000_u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(bytes.to_le_bytes());
    wav.resize(wav.len() + usize::try_from(bytes).unwrap(), 0);
    wav
}
