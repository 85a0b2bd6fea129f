//! What stdout carries: the plan or the report, in the form asked for. Everything here writes to a writer it is given.

pub mod document;
mod escape;
pub mod json;
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
    Plan, PlannedGroup, PlannedJob,
    report::{Held, Outcome, Report},
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
}

/// Whether to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Yes.
    On,
    /// No.
    Off,
}

/// Whether tables have a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headers {
    /// Yes.
    Show,
    /// No.
    Hide,
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

    /// Every group with its Jobs, and the outcome of each that was to be purged.
    pub fn groups(self) -> impl Iterator<Item = (&'a PlannedGroup, Vec<Row<'a>>)> {
        let mut outcomes = match self {
            View::Plan(_) => [].iter(),
            View::Report(report) => report.outcomes.iter(),
        };
        let held = match self {
            View::Plan(_) => None,
            View::Report(report) => report.waited.as_ref().map(|waited| &waited.held),
        };
        let mut places = 0..;
        // In the order of `remaining::waited_for`.
        let mut terminating = self.plan().summary().purge..;
        self.plan().groups.iter().map(move |group| {
            let rows = group
                .jobs
                .iter()
                .enumerate()
                .map(|(index, planned)| {
                    let is_purge = planned.verdict.is_purge();
                    let place = if is_purge {
                        places.next()
                    } else if planned.job.is_terminating() {
                        terminating.next()
                    } else {
                        None
                    };
                    Row {
                        planned,
                        rank: index + 1,
                        of: group.jobs.len(),
                        outcome: is_purge.then(|| outcomes.next()).flatten(),
                        held: place.and_then(|place| held?.get(&place)),
                    }
                })
                .collect();
            (group, rows)
        })
    }
}

/// A Job as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The Job and its verdict.
    pub planned: &'a PlannedJob,
    /// Its place in the group, the newest is 1.
    pub rank: usize,
    /// How many Jobs the group has.
    pub of: usize,
    /// What became of it, if it was to be purged and that was carried out.
    pub outcome: Option<&'a Outcome>,
    /// What holds it, if it was waited for and is still there.
    pub held: Option<&'a Held>,
}

/// The version of the document's form.
pub const API_VERSION: &str = "jobclean/v1";
