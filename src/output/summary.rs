//! `-o summary`: one row a group, the most purges first, then the totals.

use std::{
    borrow::Cow,
    cmp::Reverse,
    io::{self, Write},
};

use comfy_table::Color;

use super::{
    Rows, Style, View,
    grid::{Grid, Holds},
    table, words,
};
use crate::{
    plan::{Plan, PlannedGroup, PlannedJob},
    text::{count, harmless},
    time,
};

const COLUMNS: [(&str, Holds); 9] = [
    ("NAMESPACE", Holds::Name),
    ("GROUP", Holds::Name),
    ("JOBS", Holds::Number),
    ("SKIP", Holds::Number),
    ("PURGE", Holds::Number),
    ("SIZE", Holds::Number),
    ("NEWEST", Holds::Number),
    ("OLDEST", Holds::Number),
    ("HELD", Holds::Words),
];
/// What each way out would purge; only where groups are held.
const HELD: usize = 8;
const PURGE: usize = 4;

/// Write the plan or report, with at most so many groups if there is a limit.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, style: Style, most: Option<usize>) -> io::Result<()> {
    let plan = view.plan();
    let is_shown = |group: &&PlannedGroup| style.rows == Rows::All || group.purge_count() > 0;
    let mut shown: Vec<&PlannedGroup> = plan.groups.iter().filter(is_shown).collect();
    shown.sort_by_key(|group| Reverse(group.purge_count()));
    let left_out = shown.split_off(most.unwrap_or(usize::MAX).min(shown.len()));
    let is_held = shown.iter().any(|group| group.ways_out().is_some());
    let columns = &COLUMNS[..if is_held { COLUMNS.len() } else { HELD }];
    let mut grid = Grid::new(columns, 0, style);
    for group in &shown {
        grid.measure(texts(plan, group).map(Cow::Owned));
    }
    grid.fit();
    if !shown.is_empty() {
        grid.write_headers(out)?;
    }
    let rows = shown.iter().map(|group| {
        let mut row: Vec<_> = texts(plan, group)
            .map(|text| (Cow::Owned(text), None))
            .into();
        row[PURGE].1 = (group.purge_count() > 0).then_some(Color::DarkRed);
        row
    });
    grid.write(out, rows)?;
    if !left_out.is_empty() {
        let purge: usize = left_out.iter().map(|group| group.purge_count()).sum();
        let groups = count(left_out.len(), "more group");
        writeln!(out, "and {groups} with {} to purge", count(purge, "Job"))?;
    }
    table::write_totals(out, view, style)
}

/// What a group's row shows.
fn texts(plan: &Plan, group: &PlannedGroup) -> [String; COLUMNS.len()] {
    let purge = group.purge_count();
    let age = |job: Option<&PlannedJob>| {
        job.map_or_else(String::new, |planned| {
            time::human(
                plan.taken_at
                    .duration_since(planned.job.created.timestamp()),
            )
        })
    };
    [
        harmless(&group.key.namespace).into_owned(),
        harmless(&words::group(&plan.grouping, group)).into_owned(),
        group.jobs.len().to_string(),
        (group.jobs.len() - purge).to_string(),
        purge.to_string(),
        // One word, as a cell of kubectl's.
        group
            .purge_bytes()
            .map_or_else(String::new, |bytes| words::bytes(bytes).replace(' ', "")),
        age(group.jobs.first()),
        age(group.jobs.last()),
        group.ways_out().map_or_else(String::new, |ways| {
            format!("split {}, merge {}", ways.split, ways.merge)
        }),
    ]
}
