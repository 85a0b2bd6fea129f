//! What a run from a file does, and what it never does.

use serde_json::json;

use crate::support::job_file::{command, from_file, job, plan};
use crate::support::kubeconfig::{Files, arg};
use crate::support::stub::Stub;
use crate::support::{LABEL, Space, plane, run};

#[test]
fn no_cluster_is_contacted() {
    let files = Files::new();
    let file = files.write("jobs", &job("sync-1", 1).to_string());
    let stub = Stub::silent();
    let kubeconfig = files.simple("config", &json!({"server": stub.url}), &json!({}));
    let mut asking = command(arg(&file), &["-o", "json", "-s", &stub.url]);
    asking.env("KUBECONFIG", &kubeconfig);
    let document = run(asking).exits(0).json();
    assert_eq!(document["kind"], "Plan");
    assert_eq!(document.get("cluster"), None, "{document:#}");
    // A kubeconfig that cannot be read is no matter either.
    let mut broken = command(arg(&file), &[]);
    broken.env("KUBECONFIG", files.write("broken", "["));
    run(broken).exits(0);
    assert!(stub.asked().is_empty());
}

/// The file may well hold Jobs with the label, only not there.
#[test]
fn nothing_found_says_in_which_namespace() {
    let files = Files::new();
    let file = files.write("jobs", &job("sync-1", 1).to_string());
    assert_eq!(plan(&file, &["-n", "team"]), ["sync-1 SKIP newest"]);
    from_file(&file, &["-n", "elsewhere"])
        .exits(0)
        .complains(&["elsewhere", LABEL]);
}

/// No flag makes a file into a purge.
#[test]
fn a_file_is_never_a_purge() {
    let files = Files::new();
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let list = plane().get_raw(&space.path()).unwrap();
    let file = files.write("jobs", &list);
    space.run(&["-f", arg(&file), "--yes"]).exits(2);
    space.run(&["-f", arg(&file)]).exits(0).shows(&["sync-1"]);
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn a_file_of_strange_text_reaches_no_terminal_raw() {
    let files = Files::new();
    let mut strange = job("sync-1", 1);
    strange["metadata"]["name"] = "a\u{1b}[31mred\u{7}\u{202e}\u{85}\u{9b}b\nc\td".into();
    strange["metadata"]["labels"][LABEL] = "g\u{1b}]0;title\u{7}\u{2066}".into();
    strange["metadata"]["namespace"] = "n\rn\u{200f}".into();
    let mut other = strange.clone();
    other["metadata"]["name"] = "b\u{1b}[2J".into();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [strange, other]});
    let file = files.write("strange", &list.to_string());
    for output in ["table", "wide", "summary", "name", "json", "yaml"] {
        let run = from_file(&file, &["-o", output, "--mixed-groups=merge"]).exits(0);
        let raw = |text: &str| {
            text.chars().any(|char| {
                (char.is_control() && char != '\n')
                    || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            })
        };
        assert!(!raw(&run.out), "{output}: {:?}", run.out);
        assert!(!raw(&run.err), "{output}: {:?}", run.err);
        // A new line in a name must not make a row of its own.
        assert!(
            !run.out.lines().any(|line| line.starts_with('c')),
            "{output}: {:?}",
            run.out
        );
    }
}
