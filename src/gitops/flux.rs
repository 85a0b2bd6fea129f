//! What Flux's Kustomizations say of Jobs.
//!
//! Read in the sources of kustomize-controller 1.9.4: every reconcile applies all that is in git, and the inventory is what
//! the last good one applied (`internal/controller/kustomization_controller.go`).

use std::collections::HashMap;

use super::{Answer, By, Claim, Says, Tool, Unsettled, Wanted};
use crate::job::{Job, mark};

/// A Kustomization, as far as Jobs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kustomization {
    pub namespace: Box<str>,
    pub name: Box<str>,
    /// Whether it applies to another cluster.
    pub is_elsewhere: bool,
    /// Why its inventory is not to be trusted.
    pub unsettled: Option<Unsettled>,
    /// The ids of the Jobs in its inventory.
    pub jobs: Vec<Box<str>>,
}

/// How ids in an inventory end that are of Jobs: `NAMESPACE_NAME_GROUP_KIND`.
pub const JOB_ID: &str = "_batch_Job";

/// All Kustomizations that were read and apply to the cluster that they are on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kustomizations {
    answer: Answer,
    /// How many were read in all.
    read: usize,
    all: Vec<Kustomization>,
    /// Their places, by the id of a Job in their inventory.
    listed: HashMap<Box<str>, Vec<usize>>,
    /// Their places, by namespace and then by name.
    named: HashMap<Box<str>, HashMap<Box<str>, usize>>,
}

impl Kustomizations {
    /// Take one in.
    pub fn add(&mut self, mut kustomization: Kustomization) {
        self.read += 1;
        if kustomization.is_elsewhere {
            return;
        }
        let place = self.all.len();
        for id in std::mem::take(&mut kustomization.jobs) {
            self.listed.entry(id).or_default().push(place);
        }
        let of_namespace = self.named.entry(kustomization.namespace.clone());
        of_namespace
            .or_default()
            .insert(kustomization.name.clone(), place);
        self.all.push(kustomization);
    }

    /// What came of asking for them.
    pub fn answered(&mut self, answer: Answer) {
        self.answer = answer;
    }

    /// What came of asking for them.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// How many were read.
    pub fn len(&self) -> usize {
        self.read
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.read == 0
    }

    fn of_mark(&self, mark: &mark::Kustomization) -> Option<&Kustomization> {
        let place = self.named.get(&*mark.namespace)?.get(&*mark.name)?;
        Some(&self.all[*place])
    }

    pub(super) fn visit<'a>(&'a self, job: &'a Job, visit: &mut dyn FnMut(Claim<'a>)) {
        let mark = job.marks().and_then(|marks| marks.flux.as_ref());
        let mut of_job: &[usize] = &[];
        if !self.listed.is_empty() {
            let id = format!("{}_{}{JOB_ID}", job.namespace(), job.name());
            of_job = self.listed.get(&*id).map_or(&[], Vec::as_slice);
        }
        for place in of_job {
            visit(Claim {
                by: By::Kustomization(&self.all[*place]),
                says: Says::Wanted(Wanted::InInventory),
            });
        }
        let Some(mark) = mark else { return };
        let marked = self.of_mark(mark);
        if let Some(kustomization) = marked
            && let Some(why) = kustomization.unsettled
            && !of_job
                .iter()
                .any(|place| self.all[*place] == *kustomization)
        {
            visit(Claim {
                by: By::Kustomization(kustomization),
                says: Says::Unsettled(why),
            });
        }
        if matches!(self.answer, Answer::Broken(_)) {
            visit(Claim {
                by: By::Tool(Tool::Flux),
                says: Says::Unsettled(Unsettled::Unreadable),
            });
        }
    }

    /// Whether a Job is marked, and the Kustomization does not answer for it.
    pub(super) fn is_silent_on(&self, job: &Job) -> bool {
        let mark = job.marks().and_then(|marks| marks.flux.as_ref());
        let is_heard = !matches!(self.answer, Answer::NotAsked | Answer::Broken(_));
        is_heard && mark.is_some_and(|mark| self.of_mark(mark).is_none())
    }
}
