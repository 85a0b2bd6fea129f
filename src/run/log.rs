//! The log of a run, a line for each thing that happens, on stdout.

use std::{collections::HashMap, io};

use super::stdout::write_out;
use crate::{
    job::{Job, ids::Uid},
    output::{
        View,
        log::{Line, LogFormat},
        words,
    },
    plan::{
        Plan, PlannedGroup,
        report::{Outcome, OutcomeCounts, Report},
        retention::Verdict,
    },
    time,
};

/// Logs what becomes of a plan while it is carried out.
pub(super) struct Log {
    format: LogFormat,
    /// The groups in which something is purged.
    groups: Vec<OpenGroup>,
    /// The group of each Job that has no outcome yet.
    open: HashMap<Uid, usize>,
    /// Why it can no longer be written.
    broken: Option<io::Error>,
}

/// A group of which not all Jobs have an outcome.
struct OpenGroup {
    namespace: String,
    name: String,
    jobs: usize,
    purge: usize,
    left: usize,
    outcomes: OutcomeCounts,
}

impl Log {
    /// For a plan that is about to be carried out.
    pub(super) fn new(format: LogFormat, plan: &Plan) -> Log {
        let (mut groups, mut open) = (Vec::new(), HashMap::new());
        for group in plan.groups.iter().filter(|group| group.purge_count() > 0) {
            let purge = group.purge_count();
            let purges = group
                .jobs
                .iter()
                .filter(|planned| planned.verdict.is_purge());
            open.extend(purges.map(|planned| (planned.job.uid(), groups.len())));
            groups.push(OpenGroup {
                namespace: group.key.namespace.to_string(),
                name: words::group(&plan.grouping, group),
                jobs: group.jobs.len(),
                purge,
                left: purge,
                outcomes: OutcomeCounts::default(),
            });
        }
        Log {
            format,
            groups,
            open,
            broken: None,
        }
    }

    /// A Job has its outcome, and its group perhaps all of them.
    pub(super) fn settled(&mut self, job: &Job, outcome: &Outcome) {
        let Some(place) = self.open.remove(&job.uid()) else {
            return;
        };
        let group = &mut self.groups[place];
        group.outcomes.add(outcome);
        group.left -= 1;
        let of_job = Line::job(job, Verdict::Purge, Some(outcome));
        let of_group = (group.left == 0).then(|| {
            let name = (&*group.namespace, group.name.as_str().into());
            Line::group(name, group.jobs, group.purge, group.outcomes)
        });
        if self.broken.is_none() {
            self.broken = write(self.format, [of_job].into_iter().chain(of_group)).err();
        }
    }

    /// It is over: log the outcomes that came without an event.
    ///
    /// # Errors
    /// If a line could not be written.
    pub(super) fn finish(mut self, report: &Report) -> io::Result<()> {
        for (job, outcome) in report.plan.purges().zip(&report.outcomes) {
            self.settled(job, outcome);
        }
        self.broken.map_or(Ok(()), Err)
    }
}

/// Log one line.
///
/// # Errors
/// If it cannot be written.
pub(super) fn line(format: LogFormat, line: Line<'_>) -> io::Result<()> {
    write(format, [line])
}

/// Log the Jobs of a plan that stay.
///
/// # Errors
/// If they cannot be written.
pub(super) fn skips(format: LogFormat, plan: &Plan) -> io::Result<()> {
    let planned = plan.groups.iter().flat_map(|group| &group.jobs);
    let skips = planned.filter(|planned| !planned.verdict.is_purge());
    write(
        format,
        skips.map(|planned| Line::job(&planned.job, planned.verdict, None)),
    )
}

/// Log the end of a run: of a plan that is not carried out with what it would purge.
///
/// # Errors
/// If it cannot be written.
pub(super) fn ending(format: LogFormat, view: View<'_>) -> io::Result<()> {
    let plan = view.plan();
    let report = match view {
        View::Report(report) => Some(report),
        View::Plan(_) => {
            let groups = plan.groups.iter().filter(|group| group.purge_count() > 0);
            write(format, groups.flat_map(|group| judged(plan, group)))?;
            None
        }
    };
    line(format, Line::end(&plan.summary(), report))
}

/// A group that is not purged now, with the Jobs that would be.
fn judged<'a>(plan: &Plan, group: &'a PlannedGroup) -> impl Iterator<Item = Line<'a>> {
    let name = (
        &*group.key.namespace,
        words::group(&plan.grouping, group).into(),
    );
    let none = OutcomeCounts::default();
    let of_group = Line::group(name, group.jobs.len(), group.purge_count(), none);
    let purges = group
        .jobs
        .iter()
        .filter(|planned| planned.verdict.is_purge());
    purges
        .map(|planned| Line::job(&planned.job, planned.verdict, None))
        .chain([of_group])
}

fn write<'a>(format: LogFormat, lines: impl IntoIterator<Item = Line<'a>>) -> io::Result<()> {
    write_out(|out| (lines.into_iter()).try_for_each(|line| line.write(out, format, time::now())))
}
