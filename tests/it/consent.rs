//! Nothing is deleted that nobody agreed to, and not after the agreement was taken back.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::http::{self, Stub};
use crate::support::proxy::{Kind, Proxy};
use crate::support::running::{Gate, Running};
use crate::support::{LABEL, Space, Terminal, Upstream, plane, tool, until};

/// What a pipe holds before who writes into it has to wait.
const PIPE: usize = 65_536;

/// The plan is longer than the pipe, so it is still being printed when the signal comes.
#[test]
fn a_signal_while_the_plan_is_printed_deletes_nothing() {
    let mut jobs: Vec<_> = (0..3000)
        .map(|number| {
            http::job(
                &format!("sync-{number:04}"),
                &format!("uid-{number}"),
                "7",
                1,
            )
        })
        .collect();
    jobs.push(http::job("sync-9999", "uid-9999", "7", 2));
    let stub = Stub::new(move |asked| match asked.method.as_str() {
        "GET" => http::list(&jobs),
        _ => http::status("200 OK", "", "", ""),
    });
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut command = tool();
        command
            .args(["-s", &stub.url, "-n", "stub", "-L", LABEL, "--yes"])
            .stdout(writer);
        let running = Running::start_into(command);
        let mut first = [0];
        reader.read_exact(&mut first).unwrap();
        running.signal(signal);
        // Nothing shows that it has taken note of it: it cannot say so before it has printed.
        thread::sleep(Duration::from_millis(300));
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        running.finish().exits(code);
        assert!(rest.len() > PIPE, "only {} bytes", rest.len());
        assert_eq!(stub.asked_by("DELETE").len(), 0, "after {signal:?}");
    }
}

/// Whether the list or the question of rights takes long, the user types ahead.
#[test]
fn what_was_typed_before_the_question_is_no_answer() {
    for slow in [Kind::List, Kind::Other] {
        let (space, gate) = (Space::three(), Gate::new());
        let turnstile = gate.turnstile();
        let proxy = Proxy::new(Upstream::admin(plane()), move |request, up| {
            if request.kind == slow {
                turnstile.pass();
            }
            up.pass(request)
        });
        let mut terminal = Terminal::start(&proxy.tool(&space.name, &["-q"]), 120);
        until("it waits for the server", || proxy.count(slow) == 1);
        terminal.send("y~");
        // The terminal shows what it has taken in; there is no spinner to write over it.
        terminal.wait_for("y~");
        gate.open();
        terminal.wait_for("Purge 2 Jobs in 1 group");
        terminal.send("\r");
        terminal.finish().exits(4);
        assert_eq!(proxy.count(Kind::Delete), 0, "{slow:?}");
        space.holds(&["sync-1", "sync-2", "sync-3"]);
    }
}

#[test]
fn any_other_character_is_a_no() {
    let space = Space::three();
    let all: BTreeSet<String> = space.names();
    for keys in ["d", "j", "1", " ", "ü"] {
        let mut terminal = Terminal::start(&space.tool(&[]), 120);
        terminal.wait_for("Purge 2 Jobs in 1 group");
        terminal.send(keys);
        terminal.finish().exits(4);
        assert_eq!(space.names(), all, "{keys:?}");
    }
}
