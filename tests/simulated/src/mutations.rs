//! Broken variants of the tool: what stands between it and the server, or its report, is changed. Each breaks a promise,
//! and the checks must see that.

use kubectl_jobclean::plan::report::{Outcome, Report};

use crate::invariants::Promise;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Deletes carry no resourceVersion.
    NoVersion,
    /// They carry it in the body alone.
    BodyAlone,
    /// They carry the version that the Job has now, whatever it has become.
    VersionOfNow,
    /// They carry the uid and the version of what has the name now.
    WhateverHasTheName,
    /// What is refused with a conflict is deleted in the version that it has now.
    Insists,
    /// Each delete is followed by one of the newest Job of that namespace.
    AlsoNewest,
    /// Each delete is followed by one of a Job of another group.
    AlsoOther,
    /// Nothing says what becomes of the Pods.
    NoCascade,
    /// A dry run is none.
    NoDryRun,
    /// One delete takes all Jobs of the namespace.
    Collection,
    /// A delete leaves with the list, before there is a plan.
    Early,
    /// Deletes leave a while after the tool has sent them, which may be after the stop.
    AfterStop,
    /// Each delete is sent several times at once.
    AtOnce,
    /// What was answered is asked again.
    Again,
    /// A busy server is asked again at once.
    Impatient,
    /// A Job is tried for ever.
    Tireless,
    /// A list is taken for a newer one.
    TakesOldLists,
    /// What has changed since the plan is not seen when the Jobs are listed again.
    SeesNoChange,
    /// Refusals are never twice the same, so that they seem to be about something else each time.
    ForgetsRefusals,
    /// The first Job of a list is lost on the way.
    LosesJobs,
    /// The parts of a list show what is there now, and claim the version that was asked for.
    PartsOfNow,
    /// The parts of a list are empty, each of them.
    LosesParts,
    /// The last of the Namespaces is lost on the way.
    LosesNamespace,
    /// Deletes never end.
    Hangs,
    /// Nothing is deleted.
    Lazy,
    /// The report lacks an outcome.
    LosesOutcome,
    /// The report has the outcomes in another order.
    Shuffles,
    /// The report says that everything was deleted.
    Boasts,
    /// The report says that nothing was tried.
    Denies,
    /// The report does not say why Jobs were not tried.
    Silent,
}

impl Mutation {
    /// All of them, each with the promises whose checks must see it.
    pub const ALL: [(Mutation, &'static [Promise]); 30] = [
        (Mutation::NoVersion, &[Promise::Preconditions]),
        (Mutation::BodyAlone, &[Promise::Preconditions]),
        (Mutation::VersionOfNow, &[Promise::StillSuperseded]),
        (Mutation::WhateverHasTheName, &[Promise::OnlyPlanned]),
        (Mutation::Insists, &[Promise::StillSuperseded]),
        (Mutation::AlsoNewest, &[Promise::OnlyPlanned]),
        (Mutation::AlsoOther, &[Promise::OnlyPlanned]),
        (Mutation::NoCascade, &[Promise::Cascades]),
        (Mutation::NoDryRun, &[Promise::DryRun]),
        (Mutation::Collection, &[Promise::OnlyListAndDelete]),
        (Mutation::Early, &[Promise::NoPlanNoDelete]),
        (Mutation::AfterStop, &[Promise::Stops]),
        (Mutation::AtOnce, &[Promise::Concurrency]),
        (Mutation::Again, &[Promise::Settled]),
        (Mutation::Impatient, &[Promise::RetryAfter]),
        (Mutation::Tireless, &[Promise::BoundedTries]),
        (Mutation::TakesOldLists, &[Promise::NoOldList]),
        (
            Mutation::SeesNoChange,
            &[
                Promise::NewestStays,
                Promise::KeeperStays,
                Promise::StillSuperseded,
            ],
        ),
        (Mutation::ForgetsRefusals, &[Promise::GivesUp]),
        (Mutation::LosesJobs, &[Promise::OneSnapshot]),
        (Mutation::PartsOfNow, &[Promise::OneSnapshot]),
        (Mutation::LosesParts, &[Promise::OneSnapshot]),
        (Mutation::LosesNamespace, &[Promise::OneSnapshot]),
        (Mutation::Hangs, &[Promise::Ends]),
        (Mutation::Lazy, &[Promise::DoesItsWork]),
        (Mutation::LosesOutcome, &[Promise::OneOutcome]),
        (Mutation::Shuffles, &[Promise::TrueOutcome]),
        (Mutation::Boasts, &[Promise::TrueOutcome]),
        (Mutation::Denies, &[Promise::TrueOutcome]),
        (Mutation::Silent, &[Promise::TrueOutcome]),
    ];

    /// Break the report.
    pub fn spoil(self, report: &mut Report) {
        let outcomes = &mut report.outcomes;
        match self {
            Mutation::LosesOutcome => drop(outcomes.pop()),
            Mutation::Shuffles => outcomes.reverse(),
            Mutation::Boasts => outcomes.fill(Outcome::Deleted),
            Mutation::Denies => outcomes.fill(Outcome::NotAttempted),
            Mutation::Silent => report.ended_early = None,
            _ => {}
        }
    }
}
