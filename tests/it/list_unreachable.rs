//! Servers that do not answer, or not like an API server.

use serde_json::json;

use crate::support::stub::{self, Stub};
use crate::support::{Run, run, together, tool};

fn ask(url: &str, args: &[&str]) -> Run {
    let mut command = tool();
    command.args(["-s", url, "-n", "stub", "--yes"]).args(args);
    run(command)
}

#[test]
fn a_refused_connection_names_the_server() {
    let url = stub::closed();
    let run = ask(&url, &[]).fails_clearly(&[&url, "refused"]);
    run.complains(&["check that the cluster is up"]);
    // It has never answered, so that it is not tried again.
    let run = ask(&url, &["-v"]).exits(1);
    assert!(!run.err.contains("waiting"), "{}", run.story());
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    ask("https://nowhere.invalid:6443", &[]).fails_clearly(&["nowhere.invalid"]);
}

#[test]
fn an_invalid_address_is_named() {
    together(
        &["ftp://127.0.0.1", "https://", "http://127.0.0.1:99999"],
        |url| {
            let run = ask(url, &[]);
            assert!(matches!(run.code, Some(1 | 2)), "{}", run.story());
            assert!(run.err.contains(url), "{}", run.story());
            assert!(!run.err.contains("panicked"), "{}", run.story());
        },
    );
}

#[test]
fn a_silent_server_is_given_up() {
    let stub = Stub::silent();
    let run = ask(&stub.url, &["--request-timeout=1s"]).fails_clearly(&[&stub.url]);
    assert!(
        run.err.contains("1 s") || run.err.contains("time"),
        "{}",
        run.story()
    );
    let asked = stub.asked().len();
    assert!((1..=10).contains(&asked), "asked {asked} times");
}

/// As in kubectl, a bare number is one of seconds, and 0 is no limit.
#[test]
fn a_timeout_may_be_a_bare_number() {
    let stub = Stub::new(|_| stub::list(&[]));
    for timeout in ["5", "0", "2m"] {
        ask(&stub.url, &["--request-timeout", timeout]).exits(0);
    }
}

#[test]
fn what_is_no_api_server_is_said_to_be_none() {
    let pods = json!({"kind": "PodList", "apiVersion": "v1", "items": []});
    let page = json!("<html>a login page</html>");
    together(&[page, pods], |body| {
        let body = body.clone();
        let stub = Stub::new(move |_| ("200 OK", "", body.clone()));
        ask(&stub.url, &[]).exits(1);
    });
    let absent = Stub::new(|_| stub::status("404 Not Found", "", "NotFound", "page not found"));
    ask(&absent.url, &[]).fails_clearly(&["not found"]);
}

#[test]
fn a_servers_fault_is_told_in_its_words() {
    let stub = Stub::new(|_| {
        stub::status(
            "500 Internal Server Error",
            "",
            "InternalError",
            "etcd is on fire",
        )
    });
    ask(&stub.url, &[]).fails_clearly(&["etcd is on fire"]);
    assert!(stub.asked_by("DELETE").is_empty());
}

#[test]
fn words_of_a_server_reach_stderr_without_control_characters() {
    let stub = Stub::new(|_| {
        stub::status(
            "403 Forbidden",
            "",
            "Forbidden",
            "no\u{1b}[31m\u{202e}\u{7}\rerror: fake",
        )
    });
    let run = ask(&stub.url, &[]).exits(1);
    assert!(
        !run.err.contains(['\u{1b}', '\u{202e}', '\u{7}', '\r']),
        "{:?}",
        run.err
    );
}

#[test]
fn warnings_of_the_server_are_passed_on() {
    let stub = Stub::new(|_| {
        let (line, _, body) = stub::list(&[]);
        (line, "Warning: 299 - \"batch/v1 is \\\"old\\\"\"\r\n", body)
    });
    let run = ask(&stub.url, &[]).exits(0);
    let about: Vec<&str> = run
        .err
        .lines()
        .filter(|line| line.contains("batch/v1 is"))
        .collect();
    assert_eq!(about.len(), 1, "{}", run.story());
    assert!(
        about[0].to_lowercase().contains("warning"),
        "{}",
        run.story()
    );
    assert!(!run.out.contains("batch/v1 is"), "{}", run.story());
}

/// A list of several pages may expire on the way: then all of it is read again.
#[test]
fn an_expired_list_starts_over() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let expired = AtomicUsize::new(0);
    let stub = Stub::new(move |asked| {
        let second = asked.target.contains("continue=");
        if second && expired.fetch_add(1, Ordering::SeqCst) == 0 {
            return stub::status("410 Gone", "", "Expired", "the continue token is too old");
        }
        let (name, day) = if second { ("sync-2", 2) } else { ("sync-1", 1) };
        let (line, headers, mut body) = stub::list(&[stub::job(name, name, "7", day)]);
        if !second {
            body["metadata"]["continue"] = "more".into();
        }
        (line, headers, body)
    });
    let run = ask(
        &stub.url,
        &[
            "-L",
            crate::support::LABEL,
            "--dry-run=client",
            "-o",
            "json",
        ],
    )
    .exits(0);
    assert_eq!(
        crate::support::verdicts(&run.json()),
        ["sync-2 SKIP newest", "sync-1 PURGE superseded"]
    );
    let continues: Vec<bool> = stub
        .asked()
        .iter()
        .filter(|asked| asked.target.contains("/jobs"))
        .map(|asked| asked.target.contains("continue="))
        .collect();
    assert_eq!(continues, [false, true, false, true]);
}

#[test]
fn a_list_that_never_ends_well_deletes_nothing() {
    let stub = Stub::new(|asked| {
        if asked.target.contains("continue=") {
            return stub::status("410 Gone", "", "Expired", "the continue token is too old");
        }
        let (line, headers, mut body) = stub::list(&[
            stub::job("sync-1", "a", "7", 1),
            stub::job("sync-2", "b", "7", 2),
        ]);
        body["metadata"]["continue"] = "more".into();
        (line, headers, body)
    });
    ask(&stub.url, &["-L", crate::support::LABEL]).exits(1);
    assert!(stub.asked_by("DELETE").is_empty());
}
