//! Waiting for the purged Jobs to be gone.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::session::{Session, stopped, unless_stopped};
use crate::{
    cluster::remaining::{Blind, Look},
    error::Stop,
    plan::report::{End, EndedEarly, Report, Waited},
    purge::remaining::{Remaining, pause},
    text::count,
    ui::Verbosity,
};

/// When the time is over, one last look and a look at the Pods may each take so long.
const LAST_LOOK: Duration = Duration::from_secs(10);

/// Why it does not go on.
enum Ended {
    Gone,
    Late(Duration),
    Blind(Blind),
    Stopped(Stop),
}

impl Session<'_> {
    /// Wait until the Jobs whose deletes were accepted are gone, at most so long if there is a limit.
    ///
    /// Nothing that goes wrong here makes a report false: a Job counts as deleted once it was not found where it was
    /// looked for, and until then it is as terminating as the server said.
    pub async fn wait(&self, mut report: Report, limit: Option<Duration>) -> Report {
        let mut remaining = Remaining::new(&report.plan, &report.outcomes);
        let is_hopeless = matches!(
            report.ended_early,
            Some(EndedEarly::Stopped(_) | EndedEarly::Unreachable(_))
        );
        if remaining.is_empty() || is_hopeless {
            return report;
        }
        let all = remaining.len();
        self.ui.note(
            Verbosity::Normal,
            &format!("waiting until {} gone", are(all, "Job")),
        );
        self.ui
            .start_bar(all, "{bar:30} {msg} still terminating, {elapsed}");
        self.ui.progress_of(0, &count(all, "Job"));
        let mut ended = self.watch(&mut remaining, limit).await;
        if let Ended::Late(_) = ended
            && let Err(reason) = self.look_at_pods(&mut remaining).await
        {
            ended = Ended::Stopped(reason);
        }
        self.ui.finish();
        self.show_server_warnings();
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
        report
    }

    /// Look again and again.
    async fn watch(&self, remaining: &mut Remaining, limit: Option<Duration>) -> Ended {
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
                looked = self.look(remaining) => if let Err(why) = looked {
                    return Ended::Blind(why);
                },
                limit = &mut late => break limit,
            }
            if remaining.is_empty() {
                return Ended::Gone;
            }
            looks += 1;
            let left = count(remaining.len(), "Job");
            self.ui.progress_of(all - remaining.len(), &left);
            self.ui.note(
                Verbosity::Debug,
                &format!(
                    "{left} still terminating after {:.0} s",
                    begun.elapsed().as_secs_f32()
                ),
            );
            tokio::select! {
                biased;
                reason = stopped(&mut stop) => return Ended::Stopped(reason),
                limit = &mut late => break limit,
                () = tokio::time::sleep(pause(looks, started.elapsed())) => {}
            }
        };
        // What holds them is known by the last look only, and some may have gone since.
        let last = tokio::time::timeout(LAST_LOOK, self.look(remaining));
        match unless_stopped(&self.stop, last).await {
            Err(reason) => Ended::Stopped(reason),
            // Nobody has seen any of them after their deletes.
            Ok(Ok(Err(why))) if looks == 0 => Ended::Blind(why),
            Ok(Err(_)) if looks == 0 => Ended::Blind("no answer came in time".to_owned()),
            Ok(_) => Ended::Late(limit),
        }
    }

    /// Look once.
    async fn look(&self, remaining: &mut Remaining) -> Result<(), Blind> {
        let mut on_wait = |delay: Duration, why: &str| self.show_wait(delay, why);
        let mut look = Look {
            chunk_size: self.query.chunk_size,
            on_wait: &mut on_wait,
        };
        let found = self.cluster.jobs_at(&remaining.places(), &mut look).await?;
        remaining.found(found);
        Ok(())
    }

    /// Find the Pods that hold what is left, where they may be read; nobody needs to be able to.
    async fn look_at_pods(&self, remaining: &mut Remaining) -> Result<(), Stop> {
        let mut on_wait = |delay: Duration, why: &str| self.show_wait(delay, why);
        let mut look = Look {
            chunk_size: self.query.chunk_size,
            on_wait: &mut on_wait,
        };
        let places = remaining.places_of_pods();
        let pods = self.cluster.pods_at(&places, &mut look);
        let pods = tokio::time::timeout(LAST_LOOK, pods);
        match unless_stopped(&self.stop, pods).await? {
            Ok(Ok(pods)) => remaining.found_pods(pods),
            Ok(Err(why)) => {
                let text = format!("cannot list Pods: {why}");
                self.ui.note(Verbosity::Verbose, &text);
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn show_wait(&self, delay: Duration, why: &str) {
        self.ui.note(
            Verbosity::Verbose,
            &format!(
                "waiting {:.1} s before looking again: {why}",
                delay.as_secs_f32()
            ),
        );
    }
}

/// `1 Job is`, `2 Jobs are`.
fn are(number: usize, noun: &str) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", count(number, noun))
}
