//! `-o tsv`: one row a Job that says all of it, for `cut`, `awk` and spreadsheets.

use std::io::{self, Write};

use super::{Headers, Rows, View, words};
use crate::{
    plan::{
        PlannedGroup,
        report::{Outcome, Row},
    },
    text::harmless,
};

const HEADERS: [&str; 8] = [
    "NAMESPACE",
    "NAME",
    "UID",
    "GROUP",
    "VERDICT",
    "REASONS",
    "STATUS",
    "CREATED",
];
/// The first column, where there are several clusters.
const CLUSTER: &str = "CLUSTER";
/// The last column, once there is something to say in it.
const OUTCOME: &str = "OUTCOME";

/// Write a row for each Job, with its outcome if the plan was carried out.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, headers: Headers, rows: Rows) -> io::Result<()> {
    write_of(out, view, None, headers, rows)
}

/// The same for one of several clusters, whose name stands first.
///
/// # Errors
/// If the writer fails.
pub fn write_of(
    out: &mut dyn Write,
    view: View,
    cluster: Option<&str>,
    headers: Headers,
    rows: Rows,
) -> io::Result<()> {
    let is_report = matches!(view, View::Report(_));
    if headers == Headers::Show {
        if cluster.is_some() {
            write!(out, "{CLUSTER}\t")?;
        }
        write!(out, "{}", HEADERS.join("\t"))?;
        if is_report {
            write!(out, "\t{OUTCOME}")?;
        }
        writeln!(out)?;
    }
    for (group, rows) in view.groups(rows) {
        let name = words::group(&view.plan().grouping, group);
        for row in rows {
            if let Some(cluster) = cluster {
                write!(out, "{}\t", harmless(cluster))?;
            }
            write!(out, "{}", cells(group, &name, row).join("\t"))?;
            if is_report {
                write!(out, "\t{}", row.outcome.map_or("", Outcome::as_str))?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// Harmless texts hold neither a tab nor the end of a line.
fn cells(group: &PlannedGroup, name: &str, row: Row<'_>) -> [String; HEADERS.len()] {
    let job = &row.planned.job;
    [
        harmless(&group.key.namespace).into_owned(),
        harmless(job.name()).into_owned(),
        harmless(&job.uid().to_string()).into_owned(),
        harmless(name).into_owned(),
        row.planned.verdict.as_str().to_owned(),
        row.planned.verdict.reasons().join(","),
        job.status().to_owned(),
        job.created().to_string(),
    ]
}
