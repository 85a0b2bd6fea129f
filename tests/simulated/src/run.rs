//! One run: a plan, a while, a purge, perhaps a wait, and then what is on its way arrives.

use std::{
    future::{Future, pending},
    time::Duration,
};

use fastrand::Rng;
use kube::Client;
use kubectl_jobclean::{
    plan::{
        Plan,
        report::{Outcome, Report},
    },
    purge::Event,
};
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

use crate::{
    between::Between,
    invariants::{Broken, Promise, check, has_given_up_parts, has_missed_jobs, is_in_parts},
    mutations::Mutation,
    server::Server,
    setup::StopAt,
    world::{Counts, Phase, Shared, World},
};

/// However much goes wrong, neither planning nor purging takes longer.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// After this, nothing is on its way any more.
pub(crate) const ON_THE_WAY: Duration = Duration::from_secs(600);

/// What the tool said.
#[derive(Debug, Default)]
pub struct Said {
    pub plan: Option<Plan>,
    /// What was said of each Job that was settled: its uid and its outcome.
    pub settled: Vec<(String, Outcome)>,
    pub report: Option<Report>,
    /// When the report came, before and after the wait.
    pub reported: Duration,
    pub waited: Option<Report>,
    /// When the wait had ended.
    pub ended: Duration,
}

/// Run a seed, perhaps with something broken.
///
/// # Errors
/// If a promise is broken.
pub fn run(seed: u64, mutation: Option<Mutation>) -> Result<Counts, Broken> {
    run_and_look(seed, mutation, &|_| {})
}

/// The same, with a look at the world when it has ended.
///
/// # Errors
/// If a promise is broken.
pub fn run_and_look(
    seed: u64,
    mutation: Option<Mutation>,
    look: &dyn Fn(&World),
) -> Result<Counts, Broken> {
    let base = jiff::Timestamp::now().as_second();
    in_paused_time(seed, async {
        let world = Shared::new(World::new(Rng::with_seed(seed), base));
        let said = tell(&world, mutation).await;
        let mut world = world.lock();
        look(&world);
        let said = said?;
        check(&world, &said, base)?;
        count(&mut world, &said);
        Ok(std::mem::take(&mut world.counts))
    })
}

/// Work under a clock that only waiting moves. The delays between tries come from the seed.
pub(crate) fn in_paused_time<T>(seed: u64, work: impl Future<Output = T>) -> T {
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without threads");
    runtime.block_on(work)
}

/// What ends, however long it takes.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> Result<T, Broken> {
    let ended = timeout(LONGEST, work).await;
    ended.map_err(|_| Broken::new(Promise::Ends, format!("{what} does not end")))
}

async fn tell(world: &Shared, mutation: Option<Mutation>) -> Result<Said, Broken> {
    let (setup, stop) = {
        let world = world.lock();
        (world.setup, world.stop_receiver())
    };
    let server = Server(world.clone());
    let client = match mutation {
        None => Client::new(server, "alpha"),
        Some(mutation) => Client::new(Between::new(server, mutation), "alpha"),
    };
    let cleaner = setup.cleaner(client, stop);
    let others = tokio::spawn(live(world.clone()));
    let mut said = Said::default();
    let plan = in_time("planning", cleaner.plan()).await?;
    if let Ok(plan) = plan {
        said.plan = Some(plan.clone());
        let thinks = {
            let mut world = world.lock();
            world.phase = Phase::Purging;
            let acts = if setup.act_rate > 0.0 {
                world.rng.u32(..8)
            } else {
                0
            };
            (0..acts).for_each(|_| world.act());
            Duration::from_millis(world.rng.u64(..60_000))
        };
        sleep(thinks).await;
        if let Some(StopAt::Time(after)) = setup.stop {
            let world = world.clone();
            tokio::spawn(async move {
                sleep(after).await;
                world.lock().ask_to_stop();
            });
        }
        let settled = &mut said.settled;
        let on_event = |event: Event<'_>| {
            if let Event::Settled { job, outcome } = event {
                settled.push((job.uid().to_string(), outcome.clone()));
            }
        };
        let purging = async {
            if mutation == Some(Mutation::Hangs) {
                pending::<()>().await;
            }
            cleaner.purge(plan, on_event).await
        };
        let report = in_time("purging", purging).await?;
        said.reported = world.lock().now();
        if let Ok(mut report) = report {
            if let Some(mutation) = mutation {
                mutation.spoil(&mut report);
            }
            said.report = Some(report.clone());
            if let Some(limit) = setup.wait.filter(|_| !setup.is_dry) {
                world.lock().phase = Phase::Waiting;
                let waiting = cleaner.wait(report, Some(limit), |_| {});
                said.waited = Some(in_time("waiting", waiting).await?);
            }
        }
    }
    said.ended = world.lock().now();
    world.lock().is_over = true;
    others.abort();
    sleep(ON_THE_WAY).await;
    Ok(said)
}

/// The others go on, whether the tool asks anything or not.
async fn live(world: Shared) {
    loop {
        let pause = Duration::from_millis(world.lock().rng.u64(50..20_000));
        sleep(pause).await;
        let mut world = world.lock();
        if world.rng.bool() {
            world.collect();
        } else {
            world.meanwhile();
        }
    }
}

/// Count what came of it.
fn count(world: &mut World, said: &Said) {
    world.count(match (&said.plan, &said.report) {
        (None, _) => "no plan",
        (_, None) => "no purge",
        (_, Some(report)) if report.ended_early.is_some() => "ended early",
        _ => "purge",
    });
    let phases = [
        (Phase::Planning, said.plan.is_some()),
        (Phase::Purging, said.report.is_some()),
    ];
    for (phase, has_list) in phases {
        if has_list && is_in_parts(world, phase) {
            world.count(match phase {
                Phase::Planning => "plan from parts",
                _ => "listed again in parts",
            });
        }
        if has_list && has_given_up_parts(world, phase) {
            world.count("parts given up");
        }
        if has_list && has_missed_jobs(world, phase) {
            world.count("Jobs in a hidden namespace");
        }
    }
    let last = said.waited.as_ref().or(said.report.as_ref());
    if let Some(report) = last {
        for outcome in &report.outcomes {
            world.count(outcome.as_str());
        }
        if !report.stopped.is_empty() {
            world.count("a namespace given up");
        }
    }
    if said.waited.is_some() {
        world.count("wait");
    }
    world.counts.insert("requests", world.log.len() as u64);
}
