//! `-o table` and `-o wide`: one row a Job, under a line that names its group, then the totals.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use comfy_table::Color;
use unicode_width::UnicodeWidthStr;

use super::{
    Colour, Headers, Style, View,
    grid::{Grid, Holds},
    words,
};
use crate::{
    job::ids::Stamp,
    plan::{
        Plan, PlannedGroup,
        report::{Outcome, Row},
        retention::{KeepReason, Verdict},
    },
    text::{cut_in_middle, harmless},
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
    Rule,
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
            Column::Rule => "RULE",
            Column::Reason => "REASON",
            Column::Claims => "GITOPS",
        }
    }

    fn holds(self) -> Holds {
        match self {
            Column::Namespace | Column::Job | Column::Uid | Column::Owner => Holds::Name,
            Column::Rule | Column::Reason | Column::Claims => Holds::Words,
            _ => Holds::Word,
        }
    }

    fn colour(self, row: &Row) -> Option<Color> {
        match (self, row.planned.verdict, row.outcome) {
            (Column::Verdict, Verdict::Skip(_), _) => Some(Color::DarkGreen),
            (Column::Verdict, Verdict::Purge, _) => Some(Color::DarkRed),
            (Column::Outcome, _, Some(outcome)) if outcome.is_failure() => Some(Color::DarkYellow),
            _ => None,
        }
    }

    fn text<'a>(self, row: &Row<'a>, plan: &Plan) -> Cow<'a, str> {
        let job = &row.planned.job;
        let now = plan.taken_at;
        match self {
            Column::Namespace => harmless(job.namespace()),
            Column::Verdict => row.planned.verdict.as_str().into(),
            Column::Outcome => row.outcome.map_or("", Outcome::as_str).into(),
            Column::Job => harmless(job.name()),
            Column::Status => job.status().into(),
            Column::Age => time::human(now.duration_since(job.created().timestamp())).into(),
            Column::Created => job.created().to_string().into(),
            Column::Duration => job.started().map_or(Cow::Borrowed(""), |started| {
                let until = job.finished().map_or(now, Stamp::timestamp);
                time::human(until.duration_since(started.timestamp())).into()
            }),
            Column::Rank => row.rank.to_string().into(),
            Column::Uid => harmless(&job.uid().to_string()).into_owned().into(),
            Column::Owner => job
                .controller()
                .map(|owner| format!("{}/{}", harmless(&owner.kind), harmless(&owner.name)))
                .unwrap_or_default()
                .into(),
            Column::Rule => {
                let rule = plan.rule_of(job).unwrap_or_default();
                harmless(&rule).into_owned().into()
            }
            Column::Reason => match (row.planned.verdict, job.deletion()) {
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

/// Rows stand a little to the right, so that the lines that name groups stand out.
const INDENT: u16 = 2;

/// Write the plan or report.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write, view: View, columns: Columns, style: Style) -> io::Result<()> {
    let plan = view.plan();
    let columns = chosen(view, columns);
    let held: Vec<_> = (columns.iter())
        .map(|column| (column.header(), column.holds()))
        .collect();
    let mut grid = Grid::new(&held, INDENT, style);
    let mut is_empty = true;
    for (_, rows) in view.groups(style.rows) {
        is_empty = false;
        for row in &rows {
            grid.measure(columns.iter().map(|column| column.text(row, plan)));
        }
    }
    grid.fit();
    if !is_empty {
        grid.write_headers(out)?;
    }
    for (group, rows) in view.groups(style.rows) {
        if style.headers == Headers::Show {
            write_group_line(out, view, group, style)?;
        }
        let cells = rows.iter().map(|row| {
            let cell = |column: &Column| (column.text(row, plan), column.colour(row));
            columns.iter().map(cell).collect()
        });
        grid.write(out, cells)?;
    }
    write_totals(out, view, style)
}

/// The columns that there is something to say in.
fn chosen(view: View, columns: Columns) -> Vec<Column> {
    use Column::{
        Age, Claims, Created, Duration, Job, Namespace, Outcome, Owner, Rank, Reason, Rule, Status,
        Uid, Verdict,
    };
    let mut chosen = match columns {
        Columns::Normal => vec![Verdict, Outcome, Job, Status, Age, Reason],
        Columns::Wide => vec![
            Verdict, Outcome, Namespace, Job, Status, Age, Created, Duration, Rank, Uid, Owner,
            Rule, Reason, Claims,
        ],
    };
    let has_claims = view.plan().has_claims();
    let has_rules = view.plan().rules.is_some();
    chosen.retain(|column| match column {
        Outcome => matches!(view, View::Report(_)),
        Claims => has_claims,
        Rule => has_rules,
        _ => true,
    });
    chosen
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
    let mut lines = Vec::new();
    if summary.ungrouped > 0 {
        lines.push(words::ungrouped(summary.ungrouped));
    }
    if summary.held.jobs > 0 {
        lines.extend(words::held_groups(view.plan(), &summary.held));
    }
    lines.extend(words::claimed(&summary));
    lines.extend(words::already_terminating(view.plan()));
    lines.extend(words::kept(view.plan(), &summary));
    if summary.purge == 0 {
        lines.push("Nothing to purge.".to_owned());
    }
    for line in lines {
        write_wrapped(out, &harmless(&line), style)?;
    }
    if let Some(bytes) = summary.purge_bytes {
        writeln!(out, "{}", words::store(bytes))?;
    }
    writeln!(out, "{}", words::totals(&summary))?;
    match view {
        View::Report(report) if report.outcomes.is_empty() => Ok(()),
        View::Plan(_) => Ok(()),
        View::Report(report) => write_wrapped(out, &words::outcomes(report), style),
    }
}

/// Write a line, on a terminal with breaks between its words where it is too long.
fn write_wrapped(out: &mut dyn Write, line: &str, style: Style) -> io::Result<()> {
    const SET_IN: usize = 2;
    let Some(width) = style.width.map(usize::from) else {
        return writeln!(out, "{line}");
    };
    let begin = line.len() - line.trim_start().len();
    write!(out, "{}", &line[..begin])?;
    let mut used = begin;
    for word in line.split_whitespace() {
        let word = cut_in_middle(word, width.saturating_sub(SET_IN).max(1));
        if used > begin && used + 1 + word.width() > width {
            write!(out, "\n{:SET_IN$}", "")?;
            used = SET_IN;
        } else if used > begin {
            write!(out, " ")?;
            used += 1;
        }
        write!(out, "{word}")?;
        used += word.width();
    }
    writeln!(out)
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
    let name = match style.width {
        None => name.into(),
        Some(width) => cut_in_middle(&name, usize::from(width).saturating_sub(counts.width() + 2)),
    };
    match style.colour {
        Colour::On => writeln!(out, "\u{1b}[1m{name}\u{1b}[0m  {counts}"),
        Colour::Off => writeln!(out, "{name}  {counts}"),
    }
}
