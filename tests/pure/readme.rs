//! The tables of the README and of `docs/` say what the code says: every reason, every outcome, every exit code, the
//! family rule.

use std::{collections::BTreeMap, time::Duration};

use clap::ValueEnum as _;
use jiff::Timestamp;
use kubectl_jobclean::{
    error::Exit,
    job::{Job, family::of_name},
    output::metrics::{Ending, Known},
    plan::{
        Plan,
        group::MixedGroups,
        report::{Outcome, Report},
        retention::{KeepReason, Policy, SUPERSEDED},
    },
};

use crate::support::{
    jobs::{LABEL, snapshot},
    tool::{run, tool},
};

const README: &str = include_str!("../../README.md");

const DOCUMENT: &str = include_str!("../../docs/document.md");
const METRICS: &str = include_str!("../../docs/metrics.md");
const RULES: &str = include_str!("../../docs/rules.md");

/// The text under a heading of a page.
#[track_caller]
fn section(page: &'static str, heading: &str) -> &'static str {
    let start = format!("\n## {heading}\n");
    let (_, text) = page.split_once(&start).expect(heading);
    text.split_once("\n## ").map_or(text, |(text, _)| text)
}

/// The rows of the table with this header, each as its cells.
#[track_caller]
fn table(text: &'static str, header: &str) -> Vec<Vec<&'static str>> {
    let (_, rows) = text.split_once(&format!("| {header} |")).expect(header);
    let rows = rows.lines().skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect()
}

/// What stands in code in a cell.
fn codes(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The first word in code of every row.
fn words(rows: &[Vec<&'static str>]) -> Vec<&'static str> {
    rows.iter().map(|row| codes(row[0])[0]).collect()
}

#[test]
fn every_reason_is_explained_with_its_verdict() {
    let header = "reason | verdict | the Job … | change it with";
    let rows = table(section(README, "What is kept"), header);
    let kept = KeepReason::ALL.map(KeepReason::as_str);
    assert_eq!(words(&rows), [&kept[..], &[SUPERSEDED]].concat());
    for row in &rows {
        let verdict = if codes(row[0]) == [SUPERSEDED] {
            "PURGE"
        } else {
            "SKIP"
        };
        assert_eq!(row[1], verdict, "{row:?}");
    }
}

#[test]
fn every_outcome_is_explained() {
    let rows = table(section(DOCUMENT, "After a purge"), "outcome | meaning");
    assert_eq!(words(&rows), Outcome::WORDS);
}

#[test]
fn every_metric_is_explained_with_its_label() {
    let at = Timestamp::UNIX_EPOCH;
    let plan = Plan::new(snapshot(&[LABEL], at, Vec::new()), &Policy::default());
    let mut known = Known::default();
    known.report(&Report {
        plan,
        outcomes: Vec::new(),
        ended_early: None,
        stopped: BTreeMap::new(),
        waited: None,
        took: Duration::ZERO,
    });
    let mut text = Vec::new();
    let ending = Ending {
        at,
        took: Duration::ZERO,
        exit: Exit::Success,
    };
    known.write(&mut text, ending).unwrap();
    let text = String::from_utf8(text).unwrap();
    let families = text.split("# TYPE ").skip(1);
    let written: Vec<(&str, &str)> = families
        .map(|family| {
            let (name, rest) = family.split_once(' ').unwrap();
            let sample = rest
                .lines()
                .find(|line| !line.starts_with('#') && *line != "gauge");
            let label = sample.unwrap().split_once('{');
            let label = label.and_then(|(_, label)| label.split_once('='));
            (name, label.map_or("", |(label, _)| label))
        })
        .collect();
    let rows = table(METRICS, "metric | label | meaning");
    let told: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| {
            (
                codes(row[0])[0],
                codes(row[1]).first().copied().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(told, written);
}

#[test]
fn every_status_is_named() {
    let text = DOCUMENT.replace('\n', " ");
    for status in Job::STATUSES {
        assert!(text.contains(status), "{status}");
    }
}

#[test]
fn every_exit_code_is_explained_here_and_in_help() {
    let rows = table(section(README, "Exit codes"), "code | meaning");
    let told: Vec<u8> = rows
        .iter()
        .flat_map(|row| row[0].split(", "))
        .map(|code| code.parse().expect("a number"))
        .collect();
    assert_eq!(told, Exit::ALL.map(Exit::code));
    let help = help();
    let (_, codes) = help
        .split_once("Exit codes: ")
        .expect("exit codes in --help");
    for exit in Exit::ALL {
        let number = exit.code().to_string();
        let is_told = codes
            .split(|c: char| !c.is_ascii_digit())
            .any(|word| word == number);
        assert!(is_told, "{number} in {codes}");
    }
}

#[test]
fn the_family_rule_is_told_in_docs_and_in_help() {
    let rule = section(RULES, "Job families");
    let alphabet = "bcdfghjklmnpqrstvwxz2456789";
    assert_eq!(of_name(&format!("a-{}", &alphabet[..5])), "a-bcdfg");
    assert_eq!(of_name(&format!("a-{}", &alphabet[17..22])), "a");
    assert_eq!(of_name("a-rs256"), "a-rs256");
    for words in [
        alphabet,
        "digits",
        "six or more",
        "five characters",
        "1.2.3",
    ] {
        assert!(rule.contains(words), "{words:?} in {rule}");
    }
    for text in [rule, &help()] {
        for words in ["generateName", "hook", "--family", "explain"] {
            assert!(text.contains(words), "{words:?} in {text}");
        }
    }
    for row in table(rule, "names | families") {
        let mut families: Vec<_> = codes(row[0]).into_iter().map(of_name).collect();
        families.dedup();
        assert_eq!(families, codes(row[1]), "{row:?}");
    }
    let treatments = table(
        rule,
        "`--mixed-groups` | what becomes of a group with more than one family",
    );
    let known = MixedGroups::value_variants().iter();
    let known: Vec<_> = known.filter_map(|how| how.to_possible_value()).collect();
    let known: Vec<&str> = known.iter().map(|value| value.get_name()).collect();
    assert_eq!(words(&treatments), known);
}

/// As it is printed, on lines as long as they like.
fn help() -> String {
    let mut command = tool();
    command.arg("--help");
    let help = run(command).exits(0).out;
    help.split_whitespace().collect::<Vec<_>>().join(" ")
}
