//! What stdout carries: the plan or the report, in the form asked for. Everything here writes to a writer it is given.

pub mod document;
mod escape;
pub mod explain;
pub(crate) mod grid;
pub mod json;
pub mod log;
pub mod metrics;
pub mod name;
pub mod saved;
#[cfg(feature = "schema")]
pub mod schema;
pub mod summary;
pub mod table;
pub mod tsv;
pub mod words;
pub mod yaml;

use crate::plan::{
    Plan, PlannedGroup,
    report::{Report, Row, rows},
};

/// How to write for the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The columns of the terminal, or `None` if it is not one and lines may be as long as they like.
    pub width: Option<u16>,
    /// Whether to tell verdicts apart by colour as well.
    pub colour: Colour,
    /// Whether tables have a header.
    pub headers: Headers,
    /// Which Jobs have a row.
    pub rows: Rows,
}

/// Whether to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    On,
    Off,
}

/// Whether tables have a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    Show,
    Hide,
}

/// Which Jobs are shown. Totals are of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    All,
    /// Those that are to be purged, and the groups that have such.
    Purges,
}

/// What is shown: a plan, with outcomes once it has been carried out.
#[derive(Debug, Clone, Copy)]
pub enum View<'a> {
    /// A plan alone.
    Plan(&'a Plan),
    /// A plan and what became of it.
    Report(&'a Report),
}

impl<'a> View<'a> {
    /// The plan.
    pub fn plan(self) -> &'a Plan {
        match self {
            View::Plan(plan) => plan,
            View::Report(report) => &report.plan,
        }
    }

    /// Every group with its Jobs that are shown, and the outcome of each that was to be purged.
    pub fn groups(self, shown: Rows) -> impl Iterator<Item = (&'a PlannedGroup, Vec<Row<'a>>)> {
        let groups = match self {
            View::Plan(plan) => rows(plan, None),
            View::Report(report) => rows(&report.plan, Some(report)),
        };
        groups.filter_map(move |(group, mut rows)| {
            if shown == Rows::Purges {
                rows.retain(|row| row.planned.verdict.is_purge());
            }
            (!rows.is_empty()).then_some((group, rows))
        })
    }
}

/// The version of the document's form.
pub const API_VERSION: &str = "jobclean/v1";
