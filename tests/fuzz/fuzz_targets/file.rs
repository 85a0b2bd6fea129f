//! A file of Jobs, planned and written in every form.
#![no_main]

use kubectl_jobclean::{
    file::{self, Wanted},
    output::{Colour, Headers, Style, View, json, name, summary, table, yaml},
    plan::{Plan, Snapshot, Source},
    retention::Policy,
    selector::{LabelKey, Selector},
    text::is_unsafe,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let labels: Vec<LabelKey> = vec!["a".parse().unwrap()];
    let wanted = Wanted {
        labels: &labels,
        selector: &Selector::default(),
        namespace: None,
    };
    let Ok(contents) = file::parse(data, &wanted) else { return };
    let count = contents.jobs.len();
    let snapshot = Snapshot {
        source: Source::File { path: "-".to_owned() },
        labels,
        resource_version: contents.resource_version,
        taken_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        jobs: contents.jobs,
    };
    let plan = Plan::new(snapshot, &Policy::default());
    assert_eq!(plan.summary().jobs, count);
    let style = Style {
        width: Some(80),
        colour: Colour::Off,
        headers: Headers::Show,
    };
    let mut out = Vec::new();
    table::write(&mut out, View::Plan(&plan), table::Columns::Wide, style).unwrap();
    summary::write(&mut out, View::Plan(&plan), style).unwrap();
    name::write(&mut out, View::Plan(&plan)).unwrap();
    json::write(&mut out, View::Plan(&plan)).unwrap();
    yaml::write(&mut out, View::Plan(&plan)).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains(|c| c != '\n' && is_unsafe(c)), "{text:?}");
});
