//! What is left of a purge while it is waited for: which Jobs, where to look for them, how often, and what holds them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use crate::{
    cluster::remaining::{Found, Place},
    job::ids::Uid,
    plan::{
        Plan,
        report::{Held, Outcome, Pod, waited_for},
    },
};

/// The finalizer of a Job that waits for its Pods, as `foreground` sets it.
const WAITS_FOR_PODS: &str = "foregroundDeletion";

/// Up to this many Jobs are looked up by name, one by one.
const BY_NAME: usize = 8;
/// Up to this many namespaces are listed one by one; beyond that, one list covers all.
const BY_NAMESPACE: usize = 8;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Looking takes at most one in this many parts of the time, however long a list takes.
const SHARE: u32 = 5;
/// After a slow list, wait no longer than this before the next one.
const LONGEST_PAUSE_AFTER_SLOW: Duration = Duration::from_secs(30);

/// The Jobs whose deletes were accepted and that have not been seen gone.
#[derive(Debug, Clone)]
pub struct Remaining(BTreeMap<usize, Left>);

#[derive(Debug, Clone)]
struct Left {
    namespace: Arc<str>,
    name: Box<str>,
    uid: Uid,
    /// None until it has been looked at.
    held: Option<Held>,
}

impl Remaining {
    /// Those of a plan that may still be there: what is `terminating`, what was on its way out before the run, and what
    /// something else deletes, which is `gone` for the run and may wait for its finalizers all the same.
    pub fn new(plan: &Plan, outcomes: &[Outcome]) -> Remaining {
        let may_be_there = |index: usize| match outcomes.get(index) {
            Some(outcome) => matches!(outcome, Outcome::Terminating | Outcome::Gone),
            None => true,
        };
        let jobs = waited_for(plan).enumerate();
        let left = jobs.filter(|(index, _)| may_be_there(*index));
        Remaining(
            left.map(|(index, job)| {
                let left = Left {
                    namespace: Arc::clone(&job.common().namespace),
                    name: job.name().into(),
                    uid: job.uid(),
                    held: None,
                };
                (index, left)
            })
            .collect(),
        )
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where to look for them, so that the server has the least to list.
    ///
    /// Never by labels: a Job that lost its labels meanwhile would pass for gone.
    pub fn places(&self) -> Vec<Place> {
        if self.len() > BY_NAME {
            return in_namespaces(self.0.values().map(|left| &left.namespace));
        }
        let jobs = self.0.values();
        jobs.map(|left| Place::Job(Arc::clone(&left.namespace), left.name.clone()))
            .collect()
    }

    /// Take note of what was found at all the [`Remaining::places`]; what was not found is gone.
    pub fn found(&mut self, jobs: Vec<Found>) {
        let mut jobs: HashMap<Uid, Vec<String>> = jobs
            .into_iter()
            .map(|job| (job.uid, job.finalizers))
            .collect();
        self.0.retain(|_, left| match jobs.remove(&left.uid) {
            None => false,
            Some(finalizers) => {
                left.held = Some(Held {
                    finalizers,
                    pods: Vec::new(),
                });
                true
            }
        });
    }

    /// Where Pods may be that hold them.
    pub fn places_of_pods(&self) -> Vec<Place> {
        let waiting = self.0.values().filter(|left| left.waits_for_pods());
        in_namespaces(waiting.map(|left| &left.namespace))
    }

    /// Take note of the Pods that were found; those of other owners do not matter.
    pub fn found_pods(&mut self, pods: Vec<Found>) {
        let mut by_owner: HashMap<Uid, Vec<Pod>> = HashMap::new();
        for found in pods {
            let pod = Pod {
                name: found.name,
                finalizers: found.finalizers,
            };
            for owner in found.owners {
                by_owner.entry(owner).or_default().push(pod.clone());
            }
        }
        for left in self.0.values_mut().filter(|left| left.waits_for_pods()) {
            if let (Some(held), Some(pods)) = (&mut left.held, by_owner.remove(&left.uid)) {
                held.pods = pods;
            }
        }
    }

    /// Waiting has ended: what is not left any more is `deleted`, and what was seen is not `gone`.
    pub fn settle(self, outcomes: &mut [Outcome]) -> BTreeMap<usize, Held> {
        for (index, outcome) in outcomes.iter_mut().enumerate() {
            let left = self.0.get(&index);
            match outcome {
                Outcome::Terminating if left.is_none() => *outcome = Outcome::Deleted,
                Outcome::Gone if left.is_some_and(|left| left.held.is_some()) => {
                    *outcome = Outcome::Terminating;
                }
                _ => {}
            }
        }
        let left = self.0.into_iter();
        left.filter_map(|(index, left)| Some((index, left.held?)))
            .collect()
    }
}

impl Left {
    fn waits_for_pods(&self) -> bool {
        let finalizers = self.held.iter().flat_map(|held| &held.finalizers);
        finalizers.into_iter().any(|name| name == WAITS_FOR_PODS)
    }
}

/// The names of the Jobs that this run has deleted, to see whether something makes them again.
#[derive(Debug, Clone)]
pub struct Successors(HashMap<(Arc<str>, Box<str>), (usize, Uid)>);

impl Successors {
    /// Those of a plan that are gone.
    pub fn new(plan: &Plan, outcomes: &[Outcome]) -> Successors {
        let purges = plan.purges().zip(outcomes).enumerate();
        let gone = purges.filter(|(_, (_, outcome))| **outcome == Outcome::Deleted);
        let names = gone.map(|(index, (job, _))| {
            let name = (Arc::clone(&job.common().namespace), job.name().into());
            (name, (index, job.uid()))
        });
        Successors(names.collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where to look for them.
    pub fn places(&self) -> Vec<Place> {
        let names = self.0.keys();
        if self.0.len() > BY_NAME {
            return in_namespaces(names.map(|(namespace, _)| namespace));
        }
        names
            .map(|(namespace, name)| Place::Job(Arc::clone(namespace), name.clone()))
            .collect()
    }

    /// Take note of those that were found at all the [`Successors::places`].
    pub fn settle(self, jobs: Vec<Found>, outcomes: &mut [Outcome]) {
        for job in jobs {
            let name = (job.namespace.into(), job.name.into());
            if let Some((index, uid)) = self.0.get(&name)
                && *uid != job.uid
            {
                let maker = job.marks.and_then(|marks| marks.maker());
                outcomes[*index] = Outcome::Recreated(maker);
            }
        }
    }
}

/// The namespaces that hold Jobs, or all if they are many.
fn in_namespaces<'a>(namespaces: impl Iterator<Item = &'a Arc<str>>) -> Vec<Place> {
    let namespaces: BTreeSet<&Arc<str>> = namespaces.collect();
    if namespaces.len() > BY_NAMESPACE {
        return vec![Place::AllNamespaces];
    }
    let namespaces = namespaces.into_iter();
    namespaces.cloned().map(Place::Namespace).collect()
}

/// How long to wait before looking for the `next`th time, from 1, given how long the last time took.
pub fn pause(next: u32, took: Duration) -> Duration {
    let usual = FIRST_PAUSE
        .mul_f64(1.5f64.powi(next.clamp(1, 30).cast_signed() - 1))
        .min(LONGEST_PAUSE);
    usual.max((took * (SHARE - 1)).min(LONGEST_PAUSE_AFTER_SLOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remaining(jobs: &[(&str, &str)]) -> Remaining {
        let jobs = jobs.iter().enumerate().map(|(index, (namespace, name))| {
            let left = Left {
                namespace: (*namespace).into(),
                name: (*name).into(),
                uid: Uid::from(format!("uid-{index}")),
                held: None,
            };
            (index, left)
        });
        Remaining(jobs.collect())
    }

    fn found(index: usize, finalizers: &[&str]) -> Found {
        Found {
            namespace: "ns".to_owned(),
            name: format!("job-{index}"),
            owners: Vec::new(),
            marks: None,
            uid: Uid::from(format!("uid-{index}")),
            finalizers: finalizers.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn few_are_looked_for_by_name_and_many_where_they_are() {
        let few = remaining(&[("a", "x"), ("b", "x")]);
        let job = |namespace: &str| Place::Job(namespace.into(), "x".into());
        assert_eq!(few.places(), [job("a"), job("b")]);
        let names: Vec<String> = (0..9).map(|number| format!("x-{number}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| ("a", &**name)).collect();
        assert_eq!(remaining(&many).places(), [Place::Namespace("a".into())]);
        let wide: Vec<(&str, &str)> = names.iter().map(|name| (&**name, "x")).collect();
        assert_eq!(remaining(&wide).places(), [Place::AllNamespaces]);
    }

    #[test]
    fn what_was_not_found_is_deleted_and_what_was_is_not() {
        let mut outcomes = vec![
            Outcome::Terminating,
            Outcome::Gone,
            Outcome::Terminating,
            Outcome::NotAttempted,
        ];
        let mut remaining = Remaining(BTreeMap::from([
            (0, remaining(&[("a", "x")]).0[&0].clone()),
            (2, remaining(&[("a", "x"), ("a", "y")]).0[&1].clone()),
        ]));
        remaining.found(vec![found(1, &["f"]), found(7, &["g"])]);
        let held = remaining.settle(&mut outcomes);
        assert_eq!(
            outcomes,
            [
                Outcome::Deleted,
                Outcome::Gone,
                Outcome::Terminating,
                Outcome::NotAttempted
            ]
        );
        let finalizers: Vec<_> = held
            .iter()
            .map(|(at, held)| (*at, &*held.finalizers))
            .collect();
        assert_eq!(finalizers, [(2, &["f".to_owned()][..])]);
    }

    #[test]
    fn only_jobs_that_wait_for_pods_are_held_by_them() {
        let mut remaining = remaining(&[("a", "x"), ("b", "y"), ("c", "z")]);
        assert_eq!(remaining.places_of_pods(), []);
        remaining.found(vec![
            found(0, &[WAITS_FOR_PODS]),
            found(1, &["f"]),
            found(2, &[]),
        ]);
        assert_eq!(remaining.places_of_pods(), [Place::Namespace("a".into())]);
        let pod = |owner: usize| Found {
            uid: Uid::from(format!("pod-uid-{owner}")),
            namespace: "ns".to_owned(),
            owners: vec![Uid::from(format!("uid-{owner}"))],
            name: format!("pod-{owner}"),
            finalizers: Vec::new(),
            marks: None,
        };
        remaining.found_pods(vec![pod(0), pod(1), pod(9)]);
        let held = remaining.settle(&mut []);
        let pods: Vec<usize> = held.values().map(|held| held.pods.len()).collect();
        assert_eq!(pods, [1, 0, 0]);
        assert_eq!(held[&0].pods[0].name, "pod-0");
    }

    #[test]
    fn pauses_grow_and_give_a_slow_server_time() {
        let quick = Duration::from_millis(1);
        assert_eq!(pause(1, quick), FIRST_PAUSE);
        assert!(pause(2, quick) > FIRST_PAUSE);
        assert_eq!(pause(1_000_000, quick), LONGEST_PAUSE);
        assert_eq!(pause(1, Duration::from_secs(3)), Duration::from_secs(12));
        assert_eq!(pause(1, Duration::from_secs(100)), LONGEST_PAUSE_AFTER_SLOW);
    }
}
