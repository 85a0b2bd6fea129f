//! What kube-apiserver says that it was asked, and by whom.

use std::fs;

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

/// Those of one verb, not by kubectl; waits until `count` are there and returns all.
#[track_caller]
pub fn wait_for(word: &str, verb: &str, count: usize) -> Vec<Value> {
    let found = || -> Vec<Value> {
        let mut events = requests(word);
        events.retain(|event| {
            let agent = event["userAgent"].as_str().unwrap_or_default();
            event["verb"] == verb && !agent.starts_with("kubectl/")
        });
        events
    };
    until(
        &format!("the server has seen {count} times {verb} for {word}"),
        || found().len() >= count,
    );
    found()
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
