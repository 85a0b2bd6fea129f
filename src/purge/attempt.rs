//! One Job on its way to its outcome: what is asked next, and what an answer leads to.

use std::{sync::Arc, time::Duration};

use super::{Orders, backup::BackupDir};
use crate::{
    cluster::{
        Cluster,
        delete::{Deleted, Effect},
        retry::{Backoff, CallError, Tries, Trouble, Unanswered},
    },
    error::io_words,
    job::{Job, query::Reread},
    plan::{
        recheck::{Approved, Rejudged},
        report::{Change, Outcome},
    },
};

/// After this many conflicts, each followed by a fresh read, the Job is left alone.
const MAX_CONFLICTS: u32 = 5;

/// What one try came to.
#[derive(Debug)]
pub(super) enum Attempt {
    /// This is what became of the Job.
    Settled(Outcome),
    /// The server says that it did not delete the Job; what the Job is now tells whether that settles anything.
    Refused(String),
    /// This is what it is now.
    Reread(Box<Reread>),
    /// Its manifest is safe on disk, in this version of it.
    BackedUp(Box<Job>),
    /// Nothing is settled; the same request may be sent again.
    Again(Unanswered),
    /// It was not sent, since the journal cannot be written; why.
    NotWritten(Arc<str>),
}

impl From<Deleted> for Attempt {
    fn from(deleted: Deleted) -> Attempt {
        Attempt::Settled(match deleted {
            Deleted::Gone => Outcome::Deleted,
            Deleted::Terminating => Outcome::Terminating,
            Deleted::WouldDelete => Outcome::WouldDelete,
            Deleted::NotFound => Outcome::Gone,
            Deleted::Refused(why) => return Attempt::Refused(why),
        })
    }
}

impl From<CallError> for Attempt {
    fn from(error: CallError) -> Attempt {
        match error {
            CallError::Refused(why) => Attempt::Settled(Outcome::Failed(why)),
            CallError::Unanswered(unanswered) => Attempt::Again(unanswered),
        }
    }
}

/// A Job on its way to its outcome.
pub(super) struct Pending {
    pub(super) job: Job,
    pub(super) step: Step,
    backoff: Backoff,
    /// What the last try without an answer came to. The delete may have taken effect all the same.
    pub(super) unanswered: Option<String>,
    /// Why the server did not delete it, while it is read again to see whether it has changed.
    refused: Option<String>,
    refusals: u32,
}

/// What is to be asked next about a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// What it is now, whole, to be written down.
    BackUp,
    /// To delete it.
    Delete,
    /// What it is now.
    Reread,
}

impl Orders {
    pub(super) fn first_step(&self) -> Step {
        match self.backup {
            Some(_) => Step::BackUp,
            None => Step::Delete,
        }
    }
}

/// What a try leads to.
pub(super) enum After {
    /// This is what became of the Job.
    Settled(Outcome),
    /// There is more to ask at once.
    Now,
    /// It is to be asked again after a while.
    Wait { delay: Duration, why: String },
    /// There is nothing more to ask of anyone, since the journal cannot be written; why.
    NotWritten(Arc<str>),
}

impl Pending {
    pub(super) fn new(job: &Job, step: Step) -> Pending {
        Pending {
            job: job.clone(),
            step,
            backoff: Backoff::new(Tries::for_delete()),
            unanswered: None,
            refused: None,
            refusals: 0,
        }
    }

    /// Ask what is to be asked next.
    pub(super) async fn attempt(
        &self,
        cluster: &Cluster,
        orders: &Orders,
        approved: &Approved,
    ) -> Attempt {
        match (self.step, &orders.backup) {
            (Step::Delete, _) | (Step::BackUp, None) => {
                if let Some(journal) = &orders.journal
                    && let Err(why) = journal.sent(&self.job).await
                {
                    return Attempt::NotWritten(why);
                }
                let deleted = cluster.delete(&self.job, orders.options).await;
                deleted.map_or_else(Attempt::from, Attempt::from)
            }
            (Step::Reread, _) => match cluster.reread(&self.job, &orders.query).await {
                Ok(reread) => Attempt::Reread(Box::new(reread)),
                Err(error) => error.into(),
            },
            (Step::BackUp, Some(dir)) => match cluster.reread_whole(&self.job, &orders.query).await
            {
                Err(error) => error.into(),
                Ok((reread, manifest)) => match approved.rejudge(&self.job, reread.clone()) {
                    Rejudged::Delete(job) => back_up(dir.clone(), job, manifest).await,
                    Rejudged::Settled(_) => Attempt::Reread(Box::new(reread)),
                },
            },
        }
    }

    /// What that leads to.
    pub(super) fn after(
        &mut self,
        attempt: Attempt,
        approved: &Approved,
        orders: &Orders,
    ) -> After {
        match attempt {
            Attempt::Settled(outcome) => {
                After::Settled(self.own(outcome, Outcome::Deleted, orders))
            }
            Attempt::NotWritten(why) => After::NotWritten(why),
            Attempt::BackedUp(job) => {
                self.job = *job;
                self.step = Step::Delete;
                After::Now
            }
            Attempt::Refused(why) => {
                self.refusals += 1;
                self.refused = Some(why);
                self.step = Step::Reread;
                if self.refusals > MAX_CONFLICTS {
                    After::Settled(Outcome::Changed(Change::Restless))
                } else {
                    After::Now
                }
            }
            Attempt::Reread(reread) => {
                let own = match &*reread {
                    Reread::Found(job) if job.uid == self.job.uid && job.is_terminating() => {
                        Outcome::Terminating
                    }
                    Reread::NotSelected {
                        is_other: false,
                        is_terminating: true,
                    } => Outcome::Terminating,
                    _ => Outcome::Deleted,
                };
                let refused = self.refused.take();
                match (approved.rejudge(&self.job, *reread), refused) {
                    // It is the version that was to be deleted, so something else speaks against that: an admission
                    // webhook for one. It would say the same again.
                    (Rejudged::Delete(job), Some(why))
                        if job.resource_version == self.job.resource_version =>
                    {
                        After::Settled(Outcome::Failed(why))
                    }
                    (Rejudged::Delete(job), _) => {
                        self.job = job;
                        self.step = orders.first_step();
                        After::Now
                    }
                    (Rejudged::Settled(outcome), _) => {
                        After::Settled(self.own(outcome, own, orders))
                    }
                }
            }
            Attempt::Again(Unanswered {
                trouble,
                retry_after,
                why,
            }) => {
                if trouble != Trouble::NotSent && self.step == Step::Delete {
                    self.unanswered = Some(why.clone());
                }
                match self.backoff.next_delay(retry_after) {
                    Some(delay) => After::Wait { delay, why },
                    None => After::Settled(Outcome::Failed(why)),
                }
            }
        }
    }

    /// If an earlier try had no answer, our delete most likely took effect.
    fn own(&self, outcome: Outcome, own: Outcome, orders: &Orders) -> Outcome {
        let may_be_ours = self.unanswered.is_some() && orders.options.effect == Effect::Delete;
        match outcome {
            Outcome::Gone | Outcome::Changed(Change::Replaced) if may_be_ours => own,
            outcome => outcome,
        }
    }
}

/// Write a manifest down, off the threads that wait for the network.
async fn back_up(dir: BackupDir, job: Job, manifest: serde_json::Value) -> Attempt {
    let written = tokio::task::spawn_blocking(move || {
        let written = dir.write(&job, manifest);
        (job, written)
    });
    match written.await {
        Ok((job, Ok(()))) => Attempt::BackedUp(Box::new(job)),
        Ok((_, Err(error))) => Attempt::Settled(Outcome::Failed(format!(
            "it was not deleted, since it could not be backed up: {}",
            io_words(&error)
        ))),
        Err(_) => Attempt::Settled(Outcome::Failed(
            "it was not deleted, since its backup broke off".to_owned(),
        )),
    }
}
