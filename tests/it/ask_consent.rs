//! The tool deletes only what the user agreed to, and nothing once the user has taken that back.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::Kind;
use crate::support::running::{Gate, Running};
use crate::support::stub::{self, Stub};
use crate::support::tool::shell;
use crate::support::{ApiClient, LABEL, Space, Terminal, plane, tool, until};

/// What a pipe holds before who writes into it has to wait.
const PIPE: usize = 65_536;

/// The plan is longer than the pipe, so it is still being printed when the signal comes.
#[test]
fn a_signal_while_the_plan_is_printed_deletes_nothing() {
    let mut jobs: Vec<_> = (0..3000)
        .map(|number| {
            stub::job(
                &format!("sync-{number:04}"),
                &format!("uid-{number}"),
                "7",
                1,
            )
        })
        .collect();
    jobs.push(stub::job("sync-9999", "uid-9999", "7", 2));
    let stub = Stub::new(move |asked| match asked.method.as_str() {
        "GET" => stub::list(&jobs),
        _ => stub::status("200 OK", "", "", ""),
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
        let space = Space::three();
        let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
            request.kind == slow
        });
        let mut terminal = Terminal::start(&proxy.tool(&space.name, &["-q"]), 120);
        until("it waits for the server", || proxy.count(slow) == 1);
        terminal.type_keys("y~");
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

/// A pager that stdout goes into reads the same terminal, and a plan in a file has not been seen.
#[test]
fn a_question_needs_the_terminal_for_itself() {
    let space = Space::three();
    let all: BTreeSet<String> = space.names();
    let files = Files::new();
    let plan = files.path("plan.txt");
    for (script, stream) in [
        ("\"$@\" | cat; :", "standard output"),
        ("\"$@\" > 'PLAN'", "standard output"),
        ("\"$@\" 2> 'PLAN'", "standard error"),
        ("\"$@\" < /dev/null", "standard input"),
        ("echo y | \"$@\"", "standard input"),
    ] {
        let script = script.replace("PLAN", arg(&plan));
        let script =
            format!("{script}; echo \"code $?\"; cat 'PLAN' 2>/dev/null; echo the end; read -r _")
                .replace("PLAN", arg(&plan));
        for more in [&[][..], &["-o", "json"], &["-i"]] {
            let _ = fs::remove_file(&plan);
            let mut command = shell(&script, &space.tool(more));
            command.env("PATH", std::env::var_os("PATH").unwrap());
            let mut terminal = Terminal::start(&command, 200);
            terminal.wait_for("the end");
            // Nothing else waits for it.
            terminal.enter("y");
            let left = terminal.finish();
            let text = &left.raw;
            assert!(text.contains("nothing was deleted: "), "{script}\n{text}");
            assert!(text.contains(stream) || more == ["-i"], "{script}\n{text}");
            assert!(!text.contains("Purge 2 Jobs"), "{script}\n{text}");
            let piped = script.contains("| cat");
            assert!(piped || text.contains("code 2"), "{script}\n{text}");
            assert!(
                more == ["-i"] || text.contains("sync-2"),
                "{script}\n{text}"
            );
            assert_eq!(space.names(), all, "{script}");
        }
    }
}
