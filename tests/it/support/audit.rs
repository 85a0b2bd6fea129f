//! What kube-apiserver says that it was asked, and by whom.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::{plane, until};

/// The requests about a namespace or by a user, whichever `word` names, that the tool did not hide from the server.
pub fn requests(word: &str) -> Vec<Value> {
    let log = fs::read(plane().log("kube-apiserver")).unwrap();
    String::from_utf8_lossy(&log)
        .lines()
        .filter(|line| line.starts_with(r#"{"kind":"Event""#) && line.contains(word))
        // A line that is only half there yet is read next time.
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// All of them, when no more can come: the server writes them in order, so a last one is sent and waited for.
#[track_caller]
pub fn settled(word: &str) -> Vec<Value> {
    static MARKS: AtomicUsize = AtomicUsize::new(0);
    let mark = format!("audit-mark-{}", MARKS.fetch_add(1, Ordering::Relaxed));
    let target = format!("/api/v1/namespaces?fieldSelector=metadata.name%3D{mark}");
    plane().get_raw(&target).unwrap();
    // With what ends the address: mark 1 is not mark 10.
    wait_for_mark(&format!("{mark}\""));
    requests(word)
}

/// Those of one verb, not by kubectl, when no more can come.
#[track_caller]
pub fn all(word: &str, verb: &str) -> Vec<Value> {
    let mut events = settled(word);
    events.retain(|event| is_of(event, verb));
    events
}

/// The same, when `count` of them are there at least.
#[track_caller]
pub fn wait_for(word: &str, verb: &str, count: usize) -> Vec<Value> {
    until(
        &format!("the server has seen {count} times {verb} for {word}"),
        || {
            let events = requests(word).into_iter();
            events.filter(|event| is_of(event, verb)).count() >= count
        },
    );
    all(word, verb)
}

fn is_of(event: &Value, verb: &str) -> bool {
    let agent = event["userAgent"].as_str().unwrap_or_default();
    event["verb"] == verb && !agent.starts_with("kubectl/")
}

/// The first list whose address holds this mark, by whatever program; waits until it is there.
#[track_caller]
pub fn wait_for_mark(mark: &str) -> Value {
    let found = || {
        let mut events = requests(mark).into_iter();
        events.find(|event| event["verb"] == "list")
    };
    until(&format!("the server has seen {mark}"), || found().is_some());
    found().unwrap()
}
