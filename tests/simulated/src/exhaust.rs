//! Every run that a [`Scope`] allows, each held against every promise, and against more than that.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use fastrand::Rng;
use kube::Client;
use kubectl_jobclean::{
    plan::{
        group::MixedGroups,
        report::{Outcome, Report},
    },
    purge::{Cascade, Event},
};
use tokio::time::sleep;

use crate::{
    actors::name,
    faults::Fault,
    invariants::{Broken, Promise, check},
    job::{APPS, Job, NAMESPACES, Rules},
    run::{ON_THE_WAY, Said, in_paused_time, in_time},
    script::{Choices, Scope, Script},
    server::Server,
    setup::{GitOps, Setup, Shows},
    world::{Counts, Phase, Shared, World},
};

/// The runs of one plan.
#[derive(Debug, Clone, Copy)]
pub struct Runs {
    pub purges: usize,
    pub concurrency: usize,
    pub cascade: Cascade,
    pub is_dry: bool,
    /// Whether Jobs that run are judged as others are.
    pub includes_active: bool,
    /// Whether others may do something between the plan and the list that follows it.
    pub acts_before: bool,
    pub scope: Scope,
}

/// How many runs there were, and how many Jobs had each outcome.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub runs: u64,
    pub outcomes: Counts,
}

impl Runs {
    /// The same runs in another scope.
    pub fn within(self, scope: Scope) -> Runs {
        Runs { scope, ..self }
    }

    fn setup(&self) -> Setup {
        Setup {
            rules: Rules {
                keep: 1,
                keep_succeeded: 0,
                keep_failed: 0,
                keep_within: None,
                includes_active: self.includes_active,
                includes_owned: false,
                heeds_gitops: false,
                selects: true,
            },
            namespaces: 1,
            names: self.purges + 2,
            jobs: self.purges + 2,
            is_wide: false,
            concurrency: self.concurrency,
            page_size: 500,
            cascade: self.cascade,
            is_dry: self.is_dry,
            wait: None,
            fault_rate: 0.0,
            outage: None,
            act_rate: 0.0,
            actions: 0,
            collects: false,
            stop: None,
            forbidden: None,
            denied: None,
            gitops: GitOps::Absent,
            skew: 0,
            tells_time: true,
            mixed: MixedGroups::Merge,
            shows: Shows::All,
            knows_exact: true,
            empty_namespaces: 0,
        }
    }

    /// Do all of them.
    ///
    /// # Panics
    /// If one does not hold what was promised.
    pub fn all(&self) -> Tally {
        let (mut tally, mut choices) = (Tally::default(), Choices::default());
        loop {
            let number = tally.runs;
            let run = || self.one(choices.clone(), number, &mut tally.outcomes);
            let (walked, held) = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                println!("run {number} of {self:#?} panicked");
                resume_unwind(panic)
            });
            if let Err((broken, story)) = held {
                panic!("{broken}\nin run {number} of {self:#?}\n{story}");
            }
            tally.runs += 1;
            choices = walked;
            if !choices.advance() {
                return tally;
            }
        }
    }

    /// The one with these choices.
    fn one(
        &self,
        choices: Choices,
        number: u64,
        outcomes: &mut Counts,
    ) -> (Choices, Result<(), (Broken, String)>) {
        let base = jiff::Timestamp::now().as_second();
        in_paused_time(0, async {
            // Whether an answer is in JSON or in protobuf, and in how many pieces it comes, changes from run to run.
            let mut world = World::empty(Rng::with_seed(number), self.setup(), base);
            let mut script = Script::new(self.scope, choices);
            let mut stays: Vec<Arc<Job>> = Vec::new();
            // Half an hour old, and each an hour older than the one before.
            let apps = (0..=self.purges).map(|_| APPS[1]).chain([APPS[2]]);
            for (at, (app, age)) in apps.zip((1800..).step_by(3600)).enumerate() {
                let job = world.plain_job(name(at).into(), app, age);
                let job = world.store.put(job);
                if (1..=self.purges).contains(&at) {
                    script.purges.push((job.key(), job.uid.to_string()));
                } else {
                    stays.push(job);
                }
            }
            world.script = Some(script);
            let world = Shared::new(world);
            let said = self.tell(&world).await;
            let mut world = world.lock();
            let held = said.and_then(|said| {
                check(&world, &said, base)?;
                strictly(&world, &said, &stays)?;
                for outcome in said.report.iter().flat_map(|report| &report.outcomes) {
                    *outcomes.entry(outcome.as_str()).or_default() += 1;
                }
                Ok(())
            });
            let held = held.map_err(|broken| (broken, world.story()));
            let script = world.script.take().expect("it was put there");
            (script.choices, held)
        })
    }

    async fn tell(&self, world: &Shared) -> Result<Said, Broken> {
        let (setup, stop) = {
            let world = world.lock();
            (world.setup, world.stop_receiver())
        };
        let cleaner = setup.cleaner(Client::new(Server(world.clone()), NAMESPACES[0]), stop);
        let mut said = Said::default();
        let failed = |error| Broken::new(Promise::DoesItsWork, format!("{error}"));
        let plan = in_time("planning", cleaner.plan()).await?;
        let plan = plan.map_err(failed)?;
        said.plan = Some(plan.clone());
        {
            let mut world = world.lock();
            world.phase = Phase::Purging;
            if self.acts_before {
                world.act_before();
            }
        }
        let settled = &mut said.settled;
        let on_event = |event: Event<'_>| {
            if let Event::Settled { job, outcome } = event {
                settled.push((job.uid().to_string(), outcome.clone()));
            }
        };
        let report: Report = in_time("purging", cleaner.purge(plan, on_event))
            .await?
            .map_err(failed)?;
        said.reported = world.lock().now();
        said.report = Some(report);
        said.ended = said.reported;
        sleep(ON_THE_WAY).await;
        Ok(said)
    }
}

/// What holds where every cause is known.
fn strictly(world: &World, said: &Said, stays: &[Arc<Job>]) -> Result<(), Broken> {
    let must = |holds: bool, promise, words: &dyn Fn() -> String| match holds {
        true => Ok(()),
        false => Err(Broken::new(promise, words())),
    };
    for job in stays {
        let now = world.store.get(&job.key());
        must(now == Some(job), Promise::OnlyPlanned, &|| {
            format!("{job:?} was to stay, and is now {now:?}")
        })?;
    }
    // What was on its way to the server when the stop came has left already.
    let under_way = world.setup.concurrency - 1;
    if let Some(before) = world.sent_before_stop {
        let after = world.deletes().filter(|(at, ..)| *at >= before).count();
        must(after <= under_way, Promise::Stops, &|| {
            format!("{after} deletes left after the stop")
        })?;
    }
    let (Some(script), Some(report)) = (&world.script, &said.report) else {
        return Ok(());
    };
    let planned: Vec<String> = report
        .plan
        .purges()
        .map(|job| job.uid().to_string())
        .collect();
    must(
        planned.len() == script.purges.len(),
        Promise::OneOutcome,
        &|| {
            format!(
                "{} of {} Jobs are in the plan",
                planned.len(),
                script.purges.len()
            )
        },
    )?;
    let told: HashMap<&str, &Outcome> = said
        .settled
        .iter()
        .map(|(uid, outcome)| (&**uid, outcome))
        .collect();
    for (uid, outcome) in planned.iter().zip(&report.outcomes) {
        let (key, _) = script
            .purges
            .iter()
            .find(|(_, planned)| planned == uid)
            .expect("it is in the plan");
        let is_told = told.contains_key(&**uid);
        let was_stopped = world.stopped.is_some_and(|at| at <= said.reported);
        must(is_told || was_stopped, Promise::OneOutcome, &|| {
            format!("{outcome:?} of {} was told by no event", key.1)
        })?;
        let touched = script.touched.contains(key);
        let faults = script.faults(world, key);
        let has_cause = match outcome {
            Outcome::NotAttempted => was_stopped,
            Outcome::Changed(_) => touched,
            // Others may be why it was refused, and after a stop nothing tells.
            Outcome::Failed(_) => !faults.is_empty() || (touched && was_stopped),
            // What is done to a Job is done before a request about it: it has not gone since the last one.
            Outcome::Terminating => {
                let fate = world.store.fate(uid);
                fate.is_some_and(|fate| fate.gone.is_none()) || faults.contains(&Fault::Stale)
            }
            _ => true,
        };
        must(has_cause, Promise::TrueOutcome, &|| {
            format!("nothing happened that makes {outcome:?} of {} true", key.1)
        })?;
    }
    Ok(())
}
