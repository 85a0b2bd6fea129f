//! Text of others: it never steers a terminal, and documents hold it unaltered.

use std::thread;

use serde_json::json;

use crate::support::hostile_text::{FORMATS, HOSTILE, document, is_harmless};
use crate::support::stub::{self, Stub};
use crate::support::{LABEL, Run, jobs_of, run, tool};

/// A server with three Jobs that answers every delete like this.
fn refusing(status: &'static str, reason: &'static str) -> Stub {
    Stub::new(move |asked| match asked.method.as_str() {
        "DELETE" => stub::status(status, "Retry-After: 0\r\n", reason, HOSTILE),
        _ => stub::list(&[
            stub::job("sync-1", "uid-1", "7", 1),
            stub::job("sync-2", "uid-2", "8", 2),
            stub::job("sync-3", "uid-3", "9", 3),
        ]),
    })
}

fn purge(stub: &Stub, format: &str) -> Run {
    let mut command = tool();
    command
        .args(["-s", &stub.url, "-n", "stub", "-L", LABEL, "--yes", "-vvv"])
        .args(["-o", format]);
    run(command)
}

/// What the server says of a delete: in tables harmless, in documents whole.
#[track_caller]
fn refused_deletes_are_harmless(status: &'static str, reason: &'static str, formats: &[&str]) {
    let stub = refusing(status, reason);
    thread::scope(|scope| {
        for format in formats {
            let stub = &stub;
            scope.spawn(move || {
                let run = purge(stub, format).exits(3);
                is_harmless(&run);
                if ["json", "yaml"].contains(format) {
                    let report = document(&run, format);
                    let failed = jobs_of(&report).into_iter();
                    let failed = failed.filter(|job| job["outcome"] == "failed");
                    for job in failed {
                        let message = job["message"].as_str().unwrap();
                        assert!(message.contains(HOSTILE), "{message:?}");
                    }
                }
            });
        }
    });
}

#[test]
fn a_servers_refusal_of_deletes() {
    refused_deletes_are_harmless("403 Forbidden", "Forbidden", &FORMATS);
    refused_deletes_are_harmless("422 Unprocessable Entity", "Invalid", &["table", "json"]);
    refused_deletes_are_harmless("400 Bad Request", HOSTILE, &["wide", "yaml"]);
}

#[test]
fn a_servers_failure_of_deletes() {
    let formats = ["table", "json", "yaml"];
    refused_deletes_are_harmless("500 Internal Server Error", "InternalError", &formats);
}

#[test]
fn a_servers_conflict() {
    let stub = refusing("409 Conflict", "Conflict");
    thread::scope(|scope| {
        for format in FORMATS {
            let stub = &stub;
            scope.spawn(move || is_harmless(&purge(stub, format)));
        }
    });
}

#[test]
fn a_servers_refusal_of_the_list() {
    for (status, reason) in [
        ("403 Forbidden", "Forbidden"),
        ("401 Unauthorized", "Unauthorized"),
        ("404 Not Found", "NotFound"),
        ("400 Bad Request", HOSTILE),
    ] {
        let stub = Stub::new(move |_| stub::status(status, "", reason, HOSTILE));
        let run = purge(&stub, "json").exits(1);
        is_harmless(&run);
        assert_eq!(run.out, "");
    }
    let page = Stub::new(|_| ("403 Forbidden", "", json!(HOSTILE)));
    is_harmless(&purge(&page, "table").exits(1));
    let strange = Stub::new(|_| {
        let (line, headers, mut body) = stub::list(&[]);
        body["kind"] = HOSTILE.into();
        body["apiVersion"] = HOSTILE.into();
        (line, headers, body)
    });
    is_harmless(&purge(&strange, "table"));
}

/// A real API server has no such Job, but a hostile server may send one.
#[test]
fn names_of_a_strange_server() {
    let mut bad = stub::job(HOSTILE, HOSTILE, HOSTILE, 1);
    bad["metadata"]["namespace"] = HOSTILE.into();
    bad["metadata"]["labels"][LABEL] = HOSTILE.into();
    let mut other = bad.clone();
    other["metadata"]["name"] = format!("{HOSTILE}-2").into();
    other["metadata"]["uid"] = "2".into();
    other["metadata"]["creationTimestamp"] = "2026-01-02T00:00:00Z".into();
    let stub = Stub::new(move |asked| match asked.method.as_str() {
        "DELETE" => stub::status("403 Forbidden", "", "Forbidden", "no"),
        _ => stub::list(&[bad.clone(), other.clone()]),
    });
    for format in FORMATS {
        let run = purge(&stub, format);
        is_harmless(&run);
        if run.code == Some(3) && ["json", "yaml"].contains(&format) {
            assert_eq!(document(&run, format)["groups"][0]["namespace"], HOSTILE);
        }
    }
}

fn lines_with<'a>(run: &'a Run, words: &str) -> Vec<&'a str> {
    let lines = run.err.lines();
    lines.filter(|line| line.contains(words)).collect()
}

/// What a purge says on stderr against a server that sends these headers with every answer.
#[track_caller]
fn warned(headers: &'static str, format: &str) -> Run {
    let stub = Stub::new(move |asked| {
        let (line, _, body) = match asked.method.as_str() {
            "DELETE" => stub::status("200 OK", "", "", ""),
            _ => stub::list(&[
                stub::job("sync-1", "uid-1", "7", 1),
                stub::job("sync-2", "uid-2", "8", 2),
                stub::job("sync-3", "uid-3", "9", 3),
            ]),
        };
        (line, headers, body)
    });
    let run = purge(&stub, format).exits(0);
    assert_eq!(stub.asked_by("DELETE").len(), 2);
    is_harmless(&run);
    run
}

#[track_caller]
fn says_once(run: &Run, words: &str) {
    let lines = lines_with(run, words);
    assert_eq!(lines.len(), 1, "{words}\n{}", run.story());
    assert!(lines[0].starts_with("warning"), "{}", run.story());
    assert!(!lines[0].contains("299"), "{}", run.story());
    assert!(!run.out.contains(words), "{}", run.story());
}

/// Each once, however often the server repeats it; as it was meant, quotes and all.
#[test]
fn warnings_come_once_each_and_whole() {
    let headers = "Warning: 299 - \"one, \\\"two\\\" \\\\ three\"\r\n\
        Warning: 299 - \"plain\"\r\nWarning: 299 agent \"another; kind\"\r\n";
    for format in ["table", "json"] {
        let run = warned(headers, format);
        for words in ["one, \"two\" \\ three", "plain", "another; kind"] {
            says_once(&run, words);
        }
    }
}

/// What comes between may put several into one header, and a date to each.
#[test]
fn warnings_in_one_header_are_several() {
    let headers =
        "Warning: 299 - \"plain\", 299 agent \"an, other\" \"Wed, 21 Oct 2026 07:28:00 GMT\"\r\n";
    let run = warned(headers, "table");
    assert!(!run.err.contains("Oct"), "{}", run.story());
    assert_eq!(lines_with(&run, "warning: plain"), ["warning: plain"]);
    says_once(&run, "an, other");
}

/// Not every cluster warns in English.
#[test]
fn warnings_in_any_language_come_and_are_harmless() {
    let headers = "Warning: 299 - \"veraltet: größer ✓ \u{202e}\u{9b}31m\"\r\n";
    says_once(&warned(headers, "table"), "veraltet: größer ✓ ");
}
