//! The store of the simulated server: every version of every Job, and who deleted what.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use crate::job::{Job, Key};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The tool, with the request of this number.
    Tool(usize),
    Other,
}

/// What became of an object.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    /// When its deletion began, and who began it.
    pub began: (Duration, By),
    /// When it was gone.
    pub gone: Option<Duration>,
}

/// Whether a namespace is there from a version on.
type IsThere = bool;

/// The Jobs, with all their versions.
#[derive(Debug, Default)]
pub struct Store {
    jobs: BTreeMap<Key, Arc<Job>>,
    version: u64,
    /// Tokens of lists older than this are expired.
    pub compacted: u64,
    history: Vec<(u64, Key, Option<Arc<Job>>)>,
    /// Which namespaces were deleted in which version, and made again.
    namespaces: Vec<(u64, &'static str, IsThere)>,
    fates: HashMap<Arc<str>, Fate>,
    uids: u64,
}

impl Store {
    pub fn version(&self) -> u64 {
        self.version
    }

    /// An identity that no object had before.
    pub fn new_uid(&mut self) -> Arc<str> {
        self.uids += 1;
        format!("5ca1ab1e-0000-4000-8000-{:012x}", self.uids).into()
    }

    pub fn get(&self, key: &Key) -> Option<&Arc<Job>> {
        self.jobs.get(key)
    }

    /// Those that are there, by namespace and name.
    pub fn jobs(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.jobs.values()
    }

    /// Write a Job in a new version.
    pub fn put(&mut self, job: Job) -> Arc<Job> {
        self.version += 1;
        let job = Arc::new(Job {
            version: self.version,
            ..job
        });
        let before = self.jobs.get(&job.key());
        assert!(
            before.is_none_or(|before| before.uid == job.uid),
            "another Job has its name"
        );
        if !self.has_namespace(job.namespace, self.version) {
            self.namespaces.push((self.version, job.namespace, true));
        }
        let written = (self.version, job.key(), Some(Arc::clone(&job)));
        self.history.push(written);
        self.jobs.insert(job.key(), Arc::clone(&job));
        job
    }

    /// Change a Job that is there.
    pub fn change(&mut self, key: &Key, change: impl FnOnce(&mut Job)) -> Option<Arc<Job>> {
        let mut job = (**self.jobs.get(key)?).clone();
        change(&mut job);
        Some(self.put(job))
    }

    /// Something else in the cluster was written.
    pub fn tick(&mut self) {
        self.version += 1;
    }

    /// Take a Job away.
    pub fn remove(&mut self, key: &Key, by: By, now: Duration) {
        if let Some(job) = self.jobs.remove(key) {
            self.version += 1;
            self.history.push((self.version, key.clone(), None));
            let fate = self.fates.entry(Arc::clone(&job.uid)).or_insert(Fate {
                began: (now, by),
                gone: None,
            });
            fate.gone = Some(now);
        }
    }

    /// Take a namespace away, with its Jobs.
    pub fn remove_namespace(&mut self, namespace: &'static str, now: Duration) {
        let jobs = self.jobs().filter(|job| job.namespace == namespace);
        for key in jobs.map(|job| job.key()).collect::<Vec<Key>>() {
            self.remove(&key, By::Other, now);
        }
        self.version += 1;
        self.namespaces.push((self.version, namespace, false));
    }

    /// Whether a namespace was there at a version.
    pub fn has_namespace(&self, namespace: &str, version: u64) -> bool {
        let mut changes = self.namespaces.iter().rev();
        changes
            .find(|(at, name, _)| *at <= version && *name == namespace)
            .is_none_or(|(.., is_there)| *is_there)
    }

    /// Delete a Job as far as its finalizers let it go.
    pub fn delete(
        &mut self,
        key: &Key,
        finalizer: Option<&'static str>,
        by: By,
        (now, stamp): (Duration, i64),
    ) -> Option<Arc<Job>> {
        let job = Arc::clone(self.jobs.get(key)?);
        let adds = finalizer.filter(|name| !job.finalizers.contains(name));
        if job.finalizers.is_empty() && adds.is_none() {
            self.remove(key, by, now);
            return None;
        }
        self.fates.entry(Arc::clone(&job.uid)).or_insert(Fate {
            began: (now, by),
            gone: None,
        });
        if job.deleted.is_some() && adds.is_none() {
            return Some(job);
        }
        self.change(key, |job| {
            job.deleted.get_or_insert(stamp);
            job.finalizers.extend(adds);
        })
    }

    /// What was there at a version, by namespace and name.
    pub fn at(&self, version: u64) -> Vec<Arc<Job>> {
        if version >= self.version {
            return self.jobs.values().cloned().collect();
        }
        let mut jobs: BTreeMap<&Key, &Arc<Job>> = BTreeMap::new();
        for (_, key, job) in self.history.iter().take_while(|(at, ..)| *at <= version) {
            match job {
                Some(job) => jobs.insert(key, job),
                None => jobs.remove(key),
            };
        }
        jobs.into_values().cloned().collect()
    }

    /// A version of an object, if it ever had it.
    pub fn version_of(&self, uid: &str, version: u64) -> Option<&Arc<Job>> {
        let mut all = self.history.iter().filter(|(at, ..)| *at == version);
        all.find_map(|(_, _, job)| job.as_ref().filter(|job| *job.uid == *uid))
    }

    /// Every version of an object.
    pub fn versions_of(&self, uid: &str) -> impl Iterator<Item = &Arc<Job>> {
        let jobs = self.history.iter().filter_map(|(.., job)| job.as_ref());
        jobs.filter(move |job| *job.uid == *uid)
    }

    /// What became of an object, if its deletion began.
    pub fn fate(&self, uid: &str) -> Option<Fate> {
        self.fates.get(uid).copied()
    }

    /// Whether an object other than this ever had its name.
    pub fn had_other(&self, key: &Key, uid: &str) -> bool {
        let others = self.history.iter().filter(|(_, at, _)| at == key);
        others
            .filter_map(|(_, _, job)| job.as_ref())
            .any(|job| *job.uid != *uid)
    }
}
