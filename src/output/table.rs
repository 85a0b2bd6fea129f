//! `-o table` and `-o wide`: one row a Job, under a line that names its group, then the totals.
//!
//! comfy-table lays out a whole table before its first row. So the widths are found once over all Jobs, and the table
//! is made and written group by group.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, Width};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Colour, Headers, Style, View, words};
use crate::{
    job::ids::Stamp,
    plan::{
        Plan, PlannedGroup,
        report::{Outcome, Row},
        retention::{KeepReason, Verdict},
    },
    text::{count, harmless},
    time,
};

/// Which columns there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// What an operator looks at.
    Normal,
    /// Everything.
    Wide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Namespace,
    Verdict,
    Outcome,
    Job,
    Status,
    Age,
    Created,
    Duration,
    Rank,
    Uid,
    Owner,
    Reason,
    Claims,
}

impl Column {
    fn header(self) -> &'static str {
        match self {
            Column::Namespace => "NAMESPACE",
            Column::Verdict => "VERDICT",
            Column::Outcome => "OUTCOME",
            Column::Job => "JOB",
            Column::Status => "STATUS",
            Column::Age => "AGE",
            Column::Created => "CREATED",
            Column::Duration => "DURATION",
            Column::Rank => "RANK",
            Column::Uid => "UID",
            Column::Owner => "OWNER",
            Column::Reason => "REASON",
            Column::Claims => "GITOPS",
        }
    }

    /// Whether it may be broken over several lines where the terminal is narrow.
    fn is_flexible(self) -> bool {
        matches!(
            self,
            Column::Job | Column::Uid | Column::Owner | Column::Reason | Column::Claims
        )
    }

    fn text<'a>(self, row: &Row<'a>, plan: &Plan) -> Cow<'a, str> {
        let job = &row.planned.job;
        let now = plan.taken_at;
        match self {
            Column::Namespace => harmless(&job.namespace),
            Column::Verdict => row.planned.verdict.as_str().into(),
            Column::Outcome => row.outcome.map_or("", Outcome::as_str).into(),
            Column::Job => harmless(&job.name),
            Column::Status => job.status().into(),
            Column::Age => time::human(now.duration_since(job.created.timestamp())).into(),
            Column::Created => job.created.to_string().into(),
            Column::Duration => job.started.map_or(Cow::Borrowed(""), |started| {
                let until = job.finished.map_or(now, Stamp::timestamp);
                time::human(until.duration_since(started.timestamp())).into()
            }),
            Column::Rank => row.rank.to_string().into(),
            Column::Uid => harmless(&job.uid.to_string()).into_owned().into(),
            Column::Owner => job
                .controller
                .as_ref()
                .map(|owner| format!("{}/{}", harmless(&owner.kind), harmless(&owner.name)))
                .unwrap_or_default()
                .into(),
            Column::Reason => match (row.planned.verdict, &job.deletion) {
                (Verdict::Purge, _) => format!("superseded ({} of {})", row.rank, row.of).into(),
                (verdict, None) => verdict.reasons().join(", ").into(),
                (verdict, Some(deletion)) => {
                    let terminating = words::terminating(deletion, now);
                    let reasons = verdict.reasons().into_iter().map(|reason| {
                        if reason == KeepReason::Terminating.as_str() {
                            format!("{reason} ({})", harmless(&terminating))
                        } else {
                            reason.to_owned()
                        }
                    });
                    reasons.collect::<Vec<_>>().join(", ").into()
                }
            },
            Column::Claims => {
                let claims = plan.claims_on(row.planned);
                let claims: Vec<String> = claims.iter().map(words::claim).collect();
                harmless(&claims.join("; ")).into_owned().into()
            }
        }
    }
}

/// Two spaces in front, so that the lines that name groups stand out, and two between columns.
const GAP: u16 = 2;
/// Names and reasons are not made narrower than this to fit a terminal, unless nothing else helps.
const NARROW: u16 = 12;
/// The last that they give before other columns have to give as well.
const NARROWER: u16 = 6;
/// Rows per table: the layout of a row takes far more memory than its text.
const ROWS: usize = 256;
/// No column is ever made narrower than this.
const NARROWEST: u16 = 3;

struct Layout<'a> {
    columns: Vec<(Column, u16)>,
    colour: Colour,
    plan: &'a Plan,
}

/// Write the plan or report.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, columns: Columns, style: Style) -> io::Result<()> {
    let plan = view.plan();
    let layout = Layout::fit(view, columns, style);
    if style.headers == Headers::Show && !plan.groups.is_empty() {
        let header = layout
            .columns
            .iter()
            .map(|(column, _)| Cell::new(column.header()))
            .collect();
        write_lines(out, layout.table([header]))?;
    }
    for (group, rows) in view.groups(style.rows) {
        if style.headers == Headers::Show {
            write_group_line(out, view, group, style)?;
        }
        for rows in rows.chunks(ROWS) {
            write_lines(out, layout.table(rows.iter().map(|row| layout.cells(row))))?;
        }
    }
    write_totals(out, view, style)
}

/// The totals stand last, so that a long plan still ends with what matters. Without headers there are rows alone.
pub fn write_totals(out: &mut dyn Write, view: View, style: Style) -> io::Result<()> {
    if style.headers == Headers::Hide {
        return Ok(());
    }
    if !view.plan().groups.is_empty() {
        writeln!(out)?;
    }
    let summary = view.plan().summary();
    if summary.ungrouped > 0 {
        writeln!(out, "{}", words::ungrouped(summary.ungrouped))?;
    }
    if summary.held.jobs > 0 {
        writeln!(out, "{}", words::held_groups(&summary.held))?;
    }
    for line in words::claimed(&summary) {
        writeln!(out, "{line}")?;
    }
    if summary.terminating > 0 {
        let jobs = count(summary.terminating, "Job");
        let are = if summary.terminating == 1 {
            "is"
        } else {
            "are"
        };
        writeln!(out, "{jobs} {are} terminating already")?;
    }
    if let Some(bytes) = summary.purge_bytes {
        writeln!(out, "{}", words::store(bytes))?;
    }
    writeln!(out, "{}", words::totals(&summary))?;
    match view {
        View::Plan(_) => Ok(()),
        View::Report(report) => {
            writeln!(out, "{}", words::outcomes(report.counts(), summary.purge))
        }
    }
}

fn write_group_line(
    out: &mut dyn Write,
    view: View,
    group: &PlannedGroup,
    style: Style,
) -> io::Result<()> {
    let values = words::group_values(&view.plan().grouping, &group.key);
    let family = group
        .family
        .as_ref()
        .map(|family| format!("family {family}"));
    let parts = [Some(group.key.namespace.to_string()), Some(values), family];
    let parts = parts.iter().flatten().filter(|part| !part.is_empty());
    let purge = group.purge_count();
    let name = parts
        .map(|part| harmless(part))
        .collect::<Vec<_>>()
        .join("  ");
    let counts = format!("{} SKIP, {purge} PURGE", group.jobs.len() - purge);
    let width = style.width.map_or(usize::MAX, usize::from);
    let lines = broken(&name, width);
    for (index, line) in lines.iter().enumerate() {
        match style.colour {
            Colour::On => write!(out, "\u{1b}[1m{line}\u{1b}[0m")?,
            Colour::Off => write!(out, "{line}")?,
        }
        if index + 1 < lines.len() {
            writeln!(out)?;
        }
    }
    let fits = lines.last().map_or(0, |line| line.width()) + 2 + counts.width() <= width;
    writeln!(out, "{}{counts}", if fits { "  " } else { "\n    " })
}

/// Break a line into pieces that fit, those after the first set in by four.
fn broken(line: &str, width: usize) -> Vec<String> {
    const SET_IN: usize = 4;
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut used = 0;
    for c in line.chars() {
        let needed = c.width().unwrap_or(0);
        if used + needed > width.max(SET_IN + 2) {
            lines.push(std::mem::replace(&mut current, " ".repeat(SET_IN)));
            used = SET_IN;
        }
        current.push(c);
        used += needed;
    }
    lines.push(current);
    lines
}

fn write_lines(out: &mut dyn Write, table: Table) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

impl<'a> Layout<'a> {
    fn fit(view: View<'a>, columns: Columns, style: Style) -> Layout<'a> {
        use Column::{
            Age, Claims, Created, Duration, Job, Namespace, Outcome, Owner, Rank, Reason, Status,
            Uid, Verdict,
        };
        let plan = view.plan();
        let has_claims = plan.has_claims();
        let chosen = match columns {
            Columns::Normal => vec![Verdict, Outcome, Job, Status, Age, Reason],
            Columns::Wide => vec![
                Verdict, Outcome, Namespace, Job, Status, Age, Created, Duration, Rank, Uid, Owner,
                Reason, Claims,
            ],
        };
        let mut columns: Vec<(Column, u16)> = chosen
            .into_iter()
            .filter(|column| *column != Outcome || matches!(view, View::Report(_)))
            .filter(|column| *column != Claims || has_claims)
            .map(|column| (column, column.header().len() as u16))
            .collect();
        for (_, rows) in view.groups(style.rows) {
            for row in &rows {
                for (column, width) in &mut columns {
                    let needed = column.text(row, plan).width();
                    *width = (*width).max(u16::try_from(needed).unwrap_or(u16::MAX));
                }
            }
        }
        if let Some(width) = style.width {
            narrow(&mut columns, width);
        }
        Layout {
            columns,
            colour: style.colour,
            plan,
        }
    }

    fn table(&self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Table {
        let mut table = Table::new();
        table
            .load_style(comfy_table::presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        match self.colour {
            Colour::On => table.enforce_styling(),
            Colour::Off => table.force_no_tty(),
        };
        table.add_rows(rows);
        for (index, (_, width)) in self.columns.iter().enumerate() {
            if let Some(column) = table.column_mut(index) {
                column
                    .set_padding((GAP, 0))
                    .set_constraint(ColumnConstraint::Absolute(Width::Fixed(
                        width.saturating_add(GAP),
                    )));
            }
        }
        table
    }

    fn cells(&self, row: &Row) -> Vec<Cell> {
        self.columns
            .iter()
            .map(|(column, _)| {
                let cell = Cell::new(column.text(row, self.plan));
                match (self.colour, column, row.planned.verdict, row.outcome) {
                    (Colour::Off, ..) => cell,
                    (_, Column::Verdict, Verdict::Skip(_), _) => cell.fg(Color::DarkGreen),
                    (_, Column::Verdict, Verdict::Purge, _) => cell.fg(Color::DarkRed),
                    (_, Column::Outcome, _, Some(outcome)) if outcome.is_failure() => {
                        cell.fg(Color::DarkYellow)
                    }
                    _ => cell,
                }
            })
            .collect()
    }
}

/// Take from the widest columns until the line fits: first from those that may well be broken, then from any.
fn narrow(columns: &mut [(Column, u16)], terminal: u16) {
    for (any, narrowest) in [(false, NARROW), (false, NARROWER), (true, NARROWEST)] {
        loop {
            let line: u32 = columns
                .iter()
                .map(|(_, width)| u32::from(width.saturating_add(GAP)))
                .sum();
            let Some(excess) = line
                .checked_sub(u32::from(terminal))
                .filter(|excess| *excess > 0)
            else {
                return;
            };
            let widest = columns
                .iter_mut()
                .filter(|(column, width)| (any || column.is_flexible()) && *width > narrowest)
                .max_by_key(|(_, width)| *width);
            let Some((_, width)) = widest else { break };
            // A little at a time, so that several wide columns share the loss.
            let step = (*width / 8).max(1).min(*width - narrowest);
            *width -= step.min(u16::try_from(excess).unwrap_or(u16::MAX));
        }
    }
}
