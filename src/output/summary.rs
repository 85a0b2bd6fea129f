//! `-o summary`: one row a group, the most purges first, then the totals.

use std::{
    cmp::Reverse,
    io::{self, Write},
};

use comfy_table::{Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width};
use unicode_width::UnicodeWidthStr;

use super::{Colour, Headers, Rows, Style, View, table, words};
use crate::{
    plan::{Plan, PlannedGroup, PlannedJob},
    text::harmless,
    time,
};

const HEADERS: [&str; 9] = [
    "NAMESPACE",
    "GROUP",
    "JOBS",
    "SKIP",
    "PURGE",
    "SIZE",
    "NEWEST",
    "OLDEST",
    "HELD",
];
/// What each way out would purge; only where groups are held.
const HELD: usize = 8;
const GROUP: usize = 1;
const PURGE: usize = 4;
const GAP: u16 = 2;
/// Rows per table: the layout of a row takes far more memory than its text.
const ROWS: usize = 256;

/// Write the plan or report.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, style: Style) -> io::Result<()> {
    let plan = view.plan();
    let widths = widths(plan, style);
    if style.headers == Headers::Show && !plan.groups.is_empty() {
        write_table(out, [HEADERS.map(Cell::new).into()], &widths, style)?;
    }
    let is_shown = |group: &&PlannedGroup| style.rows == Rows::All || group.purge_count() > 0;
    let mut shown: Vec<&PlannedGroup> = plan.groups.iter().filter(is_shown).collect();
    shown.sort_by_key(|group| Reverse(group.purge_count()));
    for groups in shown.chunks(ROWS) {
        let rows = groups.iter().map(|group| {
            let mut row: Vec<Cell> = texts(plan, group).map(Cell::new).into();
            if group.purge_count() > 0 && style.colour == Colour::On {
                row[PURGE] = row[PURGE].clone().fg(Color::DarkRed);
            }
            row
        });
        write_table(out, rows, &widths, style)?;
    }
    table::write_totals(out, view, style)
}

/// What a group's row shows.
fn texts(plan: &Plan, group: &PlannedGroup) -> [String; HEADERS.len()] {
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

/// The columns' widths. Only the group's name may be broken to fit the terminal.
fn widths(plan: &Plan, style: Style) -> Vec<u16> {
    let is_held = |group: &PlannedGroup| group.ways_out().is_some();
    let columns = if plan.groups.iter().any(is_held) {
        HEADERS.len()
    } else {
        HELD
    };
    let header = |header: &&str| match style.headers {
        Headers::Show => header.len() as u16,
        Headers::Hide => 0,
    };
    let mut widths: Vec<u16> = HEADERS[..columns].iter().map(header).collect();
    for group in &plan.groups {
        for (width, text) in widths.iter_mut().zip(texts(plan, group)) {
            *width = (*width).max(u16::try_from(text.width()).unwrap_or(u16::MAX));
        }
    }
    let line = widths.iter().fold(0_u16, |sum, width| {
        sum.saturating_add(width.saturating_add(GAP))
    });
    if let Some(terminal) = style.width
        && line > terminal
    {
        widths[GROUP] = widths[GROUP].saturating_sub(line - terminal).max(8);
    }
    widths
}

fn write_table(
    out: &mut dyn Write,
    rows: impl IntoIterator<Item = Vec<Cell>>,
    widths: &[u16],
    style: Style,
) -> io::Result<()> {
    let mut table = Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    match style.colour {
        Colour::On => table.enforce_styling(),
        Colour::Off => table.force_no_tty(),
    };
    table.add_rows(rows.into_iter().map(|mut row| {
        row.truncate(widths.len());
        row
    }));
    for (index, width) in widths.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column
                .set_padding((0, GAP))
                .set_constraint(ColumnConstraint::Absolute(Width::Fixed(
                    width.saturating_add(GAP),
                )));
            // Counts, sizes and ages.
            if index > GROUP && index < HELD {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
