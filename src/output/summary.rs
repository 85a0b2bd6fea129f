//! `-o summary`: one row a group, then the totals.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width};

use super::{Colour, Headers, Style, View, age, table, words};
use crate::text::harmless;

/// Write the plan or report.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, style: Style) -> io::Result<()> {
    let plan = view.plan();
    let mut rows = Table::new();
    rows.load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    match style.colour {
        Colour::On => rows.enforce_styling(),
        Colour::Off => rows.force_no_tty(),
    };
    if style.headers == Headers::Show && !plan.groups.is_empty() {
        rows.set_header([
            "NAMESPACE",
            "GROUP",
            "JOBS",
            "SKIP",
            "PURGE",
            "NEWEST",
            "OLDEST",
        ]);
    }
    for group in &plan.groups {
        let mut labels = harmless(&words::group_labels(&plan.labels, &group.key)).into_owned();
        if let Some(family) = &group.family {
            labels += &format!(" (family {})", harmless(family));
        }
        let purge = group.purge_count();
        let mut purge_cell = Cell::new(purge);
        if purge > 0 && style.colour == Colour::On {
            purge_cell = purge_cell.fg(Color::Red);
        }
        let age = |job: Option<&crate::plan::PlannedJob>| {
            Cell::new(job.map_or_else(String::new, |planned| {
                age::human(
                    plan.taken_at
                        .duration_since(planned.job.created.timestamp()),
                )
            }))
        };
        rows.add_row(vec![
            Cell::new(harmless(&group.key.namespace)),
            Cell::new(labels),
            Cell::new(group.jobs.len()),
            Cell::new(group.jobs.len() - purge),
            purge_cell,
            age(group.jobs.first()),
            age(group.jobs.last()),
        ]);
    }
    fit(&mut rows, style.width);
    if rows.row_count() > 0 {
        for line in rows.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
    }
    table::write_totals(out, view)
}

/// Counts to the right; only the group's name may be broken to fit the terminal.
fn fit(rows: &mut Table, width: Option<u16>) {
    const GROUP: usize = 1;
    const GAP: u16 = 2;
    let widths = rows.column_max_content_widths();
    let line: u16 = widths.iter().fold(0, |sum, width| {
        sum.saturating_add(width.saturating_add(GAP))
    });
    for index in 0..widths.len() {
        if let Some(column) = rows.column_mut(index) {
            column.set_padding((0, GAP));
            if index > GROUP {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    if let (Some(terminal), Some(column)) = (width, rows.column_mut(GROUP))
        && line > terminal
    {
        let group = widths[GROUP].saturating_sub(line - terminal).max(10);
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(
            group.saturating_add(GAP),
        )));
    }
}
