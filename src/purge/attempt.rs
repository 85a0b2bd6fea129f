//! One Job on its way to its outcome: what is asked next, and what an answer leads to.

use std::{mem, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{
    Orders, Over,
    gather::{Gatherer, NotSaved, Reads, off_thread},
    stop::unless_stopped,
};
use crate::{
    backup::{BackupDir, Draft, Missing},
    cluster::{
        Cluster,
        delete::{Deleted, Effect},
        retry::{Backoff, CallError, Tries, Trouble, Unanswered},
        traces::selector,
    },
    error::{Stop, io_words},
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
    /// Its manifest is written, in this version of it, and more is to be read.
    Begun(Box<Begun>),
    /// Its backup is safe on disk, of this version of it; what could not be had.
    BackedUp(Box<Job>, Vec<Missing>),
    /// The run was asked to stop, or is over for it, before its backup was whole or its delete left.
    Stopped,
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

impl Attempt {
    /// What its backup lacks.
    pub(super) fn missing(&self) -> &[Missing] {
        match self {
            Attempt::BackedUp(_, missing) => missing,
            _ => &[],
        }
    }

    fn not_saved(why: NotSaved) -> Attempt {
        let why = match why {
            NotSaved::Unwritten(error) => io_words(&error),
            NotSaved::Unread(CallError::Refused(why)) => why,
            NotSaved::Unread(CallError::Unanswered(unanswered)) => {
                return Attempt::Again(unanswered);
            }
        };
        Attempt::Settled(Outcome::Failed(format!(
            "it was not deleted, since it could not be backed up: {why}"
        )))
    }
}

/// A backup of which the manifest is written.
#[derive(Debug)]
pub(super) struct Begun {
    job: Job,
    draft: Draft,
    /// What selects the Job's Pods.
    selector: String,
}

/// A Job on its way to its outcome.
pub(super) struct Pending {
    pub(super) job: Job,
    pub(super) step: Step,
    begun: Option<Box<Begun>>,
    backoff: Backoff,
    /// Whether gathering has failed, at which the time of `backoff` began anew.
    has_failed_to_gather: bool,
    /// What the last delete came to that has left and settled nothing.
    pub(super) unsettled: Option<String>,
    /// Whether a delete had no answer. It may have taken effect all the same.
    is_in_doubt: bool,
    /// Why the server did not delete it, while it is read again to see whether it has changed.
    refused: Option<String>,
    refusals: u32,
}

/// What is to be asked next about a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// What it is now, whole, to be written down.
    BackUp,
    /// What it leaves beside itself, to be written down.
    Gather,
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
    /// The run has been asked to stop, or is over for it.
    Stopped,
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
            begun: None,
            backoff: Backoff::new(Tries::for_delete()),
            has_failed_to_gather: false,
            unsettled: None,
            is_in_doubt: false,
            refused: None,
            refusals: 0,
        }
    }

    /// Ask what is to be asked next.
    pub(super) async fn attempt(
        &mut self,
        cluster: &Cluster,
        orders: &Orders,
        approved: &Approved,
        reads: &Reads,
        stop: &watch::Receiver<Option<Stop>>,
        over: &watch::Receiver<Over>,
    ) -> Attempt {
        match (self.step, &orders.backup, self.begun.take()) {
            (Step::Gather, Some(dir), Some(begun)) => {
                let Begun {
                    job,
                    draft,
                    selector,
                } = *begun;
                let gatherer = Gatherer {
                    cluster,
                    reads,
                    job: &job,
                    parts: dir.parts,
                };
                let mut over = over.clone();
                tokio::select! {
                    biased;
                    Ok(_) = over.wait_for(|over| over.is_for(job.namespace())) => Attempt::Stopped,
                    gathered = gatherer.gather(draft, &selector) => match gathered {
                        Ok(missing) => Attempt::BackedUp(Box::new(job), missing),
                        Err(why) => Attempt::not_saved(why),
                    },
                }
            }
            (Step::BackUp | Step::Gather, Some(dir), _) => {
                match cluster.reread_whole(&self.job, &orders.query).await {
                    Err(error) => error.into(),
                    Ok((reread, whole)) => match approved.rejudge(&self.job, reread.clone()) {
                        Rejudged::Delete(job) => back_up(dir.clone(), job, whole).await,
                        Rejudged::Settled(_) => Attempt::Reread(Box::new(reread)),
                    },
                }
            }
            (Step::Reread, ..) => match cluster.reread(&self.job, &orders.query).await {
                Ok(reread) => Attempt::Reread(Box::new(reread)),
                Err(error) => error.into(),
            },
            (Step::Delete, ..) | (_, None, _) => {
                if stop.borrow().is_some() {
                    return Attempt::Stopped;
                }
                if let Some(journal) = &orders.journal {
                    match unless_stopped(stop, journal.sent(&self.job)).await {
                        // It may have been asked while that was on its way to the disk.
                        Ok(Ok(())) if stop.borrow().is_none() => {}
                        Ok(Err(why)) => return Attempt::NotWritten(why),
                        Ok(Ok(())) | Err(_) => return Attempt::Stopped,
                    }
                }
                let deleted = cluster.delete(&self.job, orders.options).await;
                deleted.map_or_else(Attempt::from, Attempt::from)
            }
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
            Attempt::Begun(begun) => {
                self.job = begun.job.clone();
                self.begun = Some(begun);
                self.step = Step::Gather;
                After::Now
            }
            Attempt::BackedUp(job, _) => {
                self.job = *job;
                if self.step == Step::Gather {
                    // Reading logs takes its time, which is not the delete's.
                    self.backoff = Backoff::new(Tries::for_delete());
                    self.has_failed_to_gather = false;
                }
                self.step = Step::Delete;
                After::Now
            }
            Attempt::Stopped => After::Stopped,
            Attempt::Refused(why) => {
                self.refusals += 1;
                self.unsettled = Some(why.clone());
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
                    Reread::Found(job) if job.uid() == self.job.uid() && job.is_terminating() => {
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
                        if job.resource_version() == self.job.resource_version() =>
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
                    self.unsettled = Some(why.clone());
                    self.is_in_doubt = true;
                }
                if self.step == Step::Gather {
                    // What there was of it is gone.
                    self.step = Step::BackUp;
                    // The time to try again in begins at the first failure, however long the logs took until then.
                    if !mem::replace(&mut self.has_failed_to_gather, true) {
                        self.backoff = Backoff::new(Tries::for_delete());
                    }
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
        let may_be_ours = self.is_in_doubt && orders.options.effect == Effect::Delete;
        match outcome {
            Outcome::Gone | Outcome::Changed(Change::Replaced) if may_be_ours => own,
            outcome => outcome,
        }
    }
}

/// Write a manifest down, and with it the backup as far as it needs no more of the server.
async fn back_up(dir: BackupDir, job: Job, whole: serde_json::Value) -> Attempt {
    let needs_more = dir.parts.needs_more(job.state());
    let selector = selector(&whole["spec"]["selector"]);
    let written = off_thread(move || {
        let draft = dir.begin(&job, whole)?;
        if needs_more {
            return Ok((job, Ok(draft)));
        }
        draft.finish().map(|missing| (job, Err(missing)))
    });
    match (written.await, selector) {
        (Ok((job, Err(missing))), _) => Attempt::BackedUp(Box::new(job), missing),
        (Ok((job, Ok(draft))), Some(selector)) => Attempt::Begun(Box::new(Begun {
            job,
            draft,
            selector,
        })),
        (Ok(_), None) => {
            let why = "it has no selector that tells its Pods".to_owned();
            Attempt::not_saved(CallError::Refused(why).into())
        }
        (Err(error), _) => Attempt::not_saved(error.into()),
    }
}
