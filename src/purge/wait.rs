//! Waiting for the purged Jobs to be gone.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

use super::{
    remaining::{Remaining, Successors, pause},
    stop::{stopped, unless_stopped},
};
use crate::{
    cluster::{
        Cluster,
        remaining::{Blind, Found, Kind, Look, Place},
    },
    error::Stop,
    plan::report::{End, EndedEarly, Report, Waited},
};

/// When the time is over, a last look at the Jobs and one at the Pods may each take this long.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// What happens while waiting.
#[derive(Debug)]
pub enum Event<'a> {
    /// It begins to wait for this many Jobs.
    Begun(usize),
    /// It has looked, and this many Jobs are left.
    Looked {
        /// How many are left.
        left: usize,
        /// How many there were at first.
        of: usize,
        /// Since when it waits.
        elapsed: Duration,
    },
    /// It waits before it asks the server again.
    Waiting {
        /// For this long.
        delay: Duration,
        /// Why, as a fragment.
        why: &'a str,
    },
    /// The Pods that the Jobs wait for cannot be listed; why, as a fragment.
    NoPods(&'a str),
}

/// Why it does not go on.
enum Ended {
    Gone,
    Late(Duration),
    Blind(Blind),
    Stopped(Stop),
}

/// What waiting needs.
struct Wait<'a> {
    cluster: &'a Cluster,
    chunk_size: u32,
    stop: watch::Receiver<Option<Stop>>,
}

/// Wait until the Jobs whose deletes were accepted are gone, at most this long if there is a limit, and see then whether any
/// of them was made again.
///
/// Nothing that goes wrong here makes a report false: a Job counts as deleted once it was not found where it was
/// looked for, and until then it is as terminating as the server said.
pub async fn wait(
    mut report: Report,
    cluster: &Cluster,
    chunk_size: u32,
    limit: Option<Duration>,
    stop: watch::Receiver<Option<Stop>>,
    on_event: &mut dyn FnMut(Event<'_>),
) -> Report {
    let mut remaining = Remaining::new(&report.plan, &report.outcomes);
    let is_hopeless = matches!(
        report.ended_early,
        Some(EndedEarly::Stopped(_) | EndedEarly::Unreachable(_))
    );
    if is_hopeless {
        return report;
    }
    let begun = Instant::now();
    let wait = Wait {
        cluster,
        chunk_size,
        stop,
    };
    if !remaining.is_empty() {
        on_event(Event::Begun(remaining.len()));
        let mut ended = wait.watch(&mut remaining, limit, on_event).await;
        if let Ended::Late(_) = ended
            && let Err(reason) = wait.look_at_pods(&mut remaining, on_event).await
        {
            ended = Ended::Stopped(reason);
        }
        let end = match ended {
            // The last of them may have gone with the last look.
            _ if remaining.is_empty() => End::AllGone,
            Ended::Gone => End::AllGone,
            Ended::Late(limit) => End::TimedOut(limit),
            Ended::Blind(why) => End::Blind(why),
            Ended::Stopped(reason) => {
                report.ended_early = Some(EndedEarly::Stopped(reason));
                End::Stopped
            }
        };
        let left = remaining.len();
        let held = remaining.settle(&mut report.outcomes);
        report.waited = Some(Waited { end, left, held });
    }
    if !matches!(
        &report.waited,
        Some(Waited {
            end: End::Stopped | End::Blind(_),
            ..
        })
    ) {
        wait.look_for_successors(&mut report, on_event).await;
    }
    report.took += begun.elapsed();
    report
}

impl Wait<'_> {
    /// Look again and again.
    async fn watch(
        &self,
        remaining: &mut Remaining,
        limit: Option<Duration>,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Ended {
        let begun = Instant::now();
        let all = remaining.len();
        let mut looks = 0;
        let late = async {
            match limit {
                Some(limit) => {
                    tokio::time::sleep(limit).await;
                    limit
                }
                None => std::future::pending().await,
            }
        };
        let mut late = std::pin::pin!(late);
        let mut stop: watch::Receiver<Option<Stop>> = self.stop.clone();
        let limit = loop {
            let started = Instant::now();
            tokio::select! {
                biased;
                reason = stopped(&mut stop) => return Ended::Stopped(reason),
                looked = self.look(remaining, on_event) => if let Err(why) = looked {
                    return Ended::Blind(why);
                },
                limit = &mut late => break limit,
            }
            if remaining.is_empty() {
                return Ended::Gone;
            }
            looks += 1;
            on_event(Event::Looked {
                left: remaining.len(),
                of: all,
                elapsed: begun.elapsed(),
            });
            tokio::select! {
                biased;
                reason = stopped(&mut stop) => return Ended::Stopped(reason),
                limit = &mut late => break limit,
                () = tokio::time::sleep(pause(looks, started.elapsed())) => {}
            }
        };
        // What holds them is known by the last look only, and some may have gone since.
        let last = tokio::time::timeout(LAST_LOOK, self.look(remaining, on_event));
        match unless_stopped(&self.stop, last).await {
            Err(reason) => Ended::Stopped(reason),
            // None of them has been seen after its delete.
            Ok(Ok(Err(why))) if looks == 0 => Ended::Blind(why),
            Ok(Err(_)) if looks == 0 => Ended::Blind("no answer came in time".to_owned()),
            Ok(_) => Ended::Late(limit),
        }
    }

    /// Look once.
    async fn look(
        &self,
        remaining: &mut Remaining,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Blind> {
        let found = self
            .found_at(Kind::Jobs, &remaining.places(), on_event)
            .await?;
        remaining.found(found);
        Ok(())
    }

    /// What is at these places.
    async fn found_at(
        &self,
        kind: Kind,
        places: &[Place],
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<Found>, Blind> {
        let mut on_wait = |delay: Duration, why: &str| on_event(Event::Waiting { delay, why });
        let mut look = Look {
            chunk_size: self.chunk_size,
            on_wait: &mut on_wait,
        };
        self.cluster.found_at(kind, places, &mut look).await
    }

    /// Find out whether something has made deleted Jobs again. That this cannot be seen changes nothing.
    async fn look_for_successors(&self, report: &mut Report, on_event: &mut dyn FnMut(Event<'_>)) {
        let successors = Successors::new(&report.plan, &report.outcomes);
        if successors.is_empty() {
            return;
        }
        let places = successors.places();
        let jobs = self.found_at(Kind::Jobs, &places, on_event);
        let jobs = tokio::time::timeout(LAST_LOOK, jobs);
        if let Ok(Ok(Ok(jobs))) = unless_stopped(&self.stop, jobs).await {
            successors.settle(jobs, &mut report.outcomes);
        }
    }

    /// Find the Pods that hold what is left, where they may be read. No run depends on that right.
    async fn look_at_pods(
        &self,
        remaining: &mut Remaining,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Stop> {
        let places = remaining.places_of_pods();
        let pods = self.found_at(Kind::Pods, &places, on_event);
        let pods = tokio::time::timeout(LAST_LOOK, pods);
        match unless_stopped(&self.stop, pods).await? {
            Ok(Ok(pods)) => remaining.found_pods(pods),
            Ok(Err(why)) => {
                on_event(Event::NoPods(&why));
            }
            Err(_) => {}
        }
        Ok(())
    }
}
