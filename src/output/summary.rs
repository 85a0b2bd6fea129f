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
/// Only where it is known of some.
const SIZE: usize = 5;
const PURGE: usize = 4;

/// Write the plan or report, with at most this number of groups if there is a limit.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, style: Style, most: Option<usize>) -> io::Result<()> {
    let plan = view.plan();
    let is_shown = |group: &&PlannedGroup| style.rows == Rows::All || group.purge_count() > 0;
    let mut shown: Vec<&PlannedGroup> = plan.groups.iter().filter(is_shown).collect();
    shown.sort_by_key(|group| Reverse(group.purge_count()));
    let left_out = shown.split_off(most.unwrap_or(usize::MAX).min(shown.len()));
    let is_told = |column: &usize| match *column {
        SIZE => shown.iter().any(|group| group.purge_bytes().is_some()),
        HELD => shown.iter().any(|group| group.ways_out().is_some()),
        _ => true,
    };
    let told: Vec<usize> = (0..COLUMNS.len()).filter(is_told).collect();
    let columns: Vec<_> = told.iter().map(|column| COLUMNS[*column]).collect();
    let row = |group: &PlannedGroup| {
        let mut texts = texts(plan, group);
        told.iter()
            .map(|column| Cow::Owned(std::mem::take(&mut texts[*column])))
            .collect::<Vec<_>>()
    };
    let mut grid = Grid::new(&columns, 0, style);
    for group in &shown {
        grid.measure(row(group));
    }
    grid.fit();
    if !shown.is_empty() {
        grid.write_headers(out)?;
    }
    let rows = shown.iter().map(|group| {
        let red = (group.purge_count() > 0).then_some(Color::DarkRed);
        let colour = |column: &usize| red.filter(|_| *column == PURGE);
        row(group)
            .into_iter()
            .zip(told.iter().map(colour))
            .collect()
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
                    .duration_since(planned.job.created().timestamp()),
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
