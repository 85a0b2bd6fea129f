//! What others do in the cluster meanwhile: people, controllers, GitOps tools, the garbage collector.

use crate::{
    job::{APPS, Job, Key, Mark, NAMESPACES, State},
    store::By,
    world::World,
};

/// How names begin and end: one family, whose endings are generated beyond doubt.
pub fn name(number: usize) -> String {
    format!("sync-{:06x}", 0xa1_b2c3 + number * 0x1_0421)
}

/// How many names there are. Few, so that names come again.
const NAMES: usize = 16;

impl World {
    /// A Job as a run may find it, created this many seconds ago.
    pub fn draw_job(&mut self, namespace: &'static str, number: usize, age: i64) -> Job {
        let rng = &mut self.rng;
        let state = match rng.u8(..16) {
            0 => State::Running,
            1 => State::Suspended,
            2 => State::FailureTarget,
            3..6 => State::Failed,
            _ => State::Complete,
        };
        let (app, is_selected) = (rng.choice(APPS), rng.u8(..12) > 0);
        let app = app.filter(|_| rng.u8(..16) > 0);
        let mark = rng.choice(Mark::ALL).filter(|_| rng.u8(..10) == 0);
        let has_controller = rng.u8(..16) == 0;
        let finalizers = if rng.u8(..8) == 0 {
            vec!["example.com/slow"]
        } else {
            Vec::new()
        };
        let created = self.server_time() - age;
        Job {
            namespace,
            name: name(number).into(),
            uid: self.store.new_uid(),
            version: 0,
            created,
            finished: created + 42,
            state,
            app,
            is_selected,
            mark,
            has_controller,
            finalizers,
            deleted: None,
            touched: 0,
        }
    }

    /// A Job that is there.
    fn any_key(&mut self) -> Option<Key> {
        let count = self.store.jobs().count();
        let at = self.rng.usize(..count.max(1));
        self.store.jobs().nth(at).map(|job| job.key())
    }

    /// Do something that a run must be ready for.
    pub fn act(&mut self) {
        if self.actions_left == 0 {
            return self.collect();
        }
        self.actions_left -= 1;
        let Some(key) = self.any_key() else {
            return;
        };
        let (action, choice) = (self.rng.u8(..24), self.rng.u8(..));
        let what = match action {
            0 | 1 => {
                let number = self.rng.usize(..NAMES);
                let namespace = *self.rng.choice(&NAMESPACES).expect("there are some");
                let job = self.draw_job(namespace, number, 0);
                if self.store.get(&job.key()).is_some() {
                    return;
                }
                self.store.put(job);
                "create"
            }
            2 | 3 => {
                let app = self.store.get(&key).and_then(|job| job.app);
                self.store.remove(&key, By::Other, self.now());
                let job = self.draw_job(key.0, 0, 0);
                self.store.put(Job {
                    name: key.1,
                    app,
                    ..job
                });
                "replace"
            }
            4 => self.changed(&key, "relabel", |job| {
                job.app = Some(APPS[usize::from(choice) % 3])
            }),
            5 => self.changed(&key, "take the label off", |job| job.app = None),
            6 => self.changed(&key, "select", |job| job.is_selected = !job.is_selected),
            7..10 => {
                let mark = Mark::ALL[usize::from(choice) % Mark::ALL.len()];
                self.changed(&key, "protect", |job| job.mark = Some(mark))
            }
            10 => self.changed(&key, "unprotect", |job| job.mark = None),
            11 | 12 => self.changed(&key, "restart", |job| job.state = State::Running),
            13 => self.changed(&key, "suspend", |job| job.state = State::Suspended),
            14 | 15 => {
                let state = if choice < 64 {
                    State::Failed
                } else {
                    State::Complete
                };
                self.changed(&key, "finish", |job| job.state = state)
            }
            16 => self.changed(&key, "adopt", |job| job.has_controller = true),
            17..20 => self.changed(&key, "touch", |job| job.touched += 1),
            20 | 21 => {
                let finalizer = (choice < 128).then_some("foregroundDeletion");
                let when = (self.now(), self.server_time());
                self.store.delete(&key, finalizer, By::Other, when);
                "delete"
            }
            22 => {
                self.store.compacted = self.store.version();
                "compact"
            }
            _ if choice < 64 => {
                self.store.remove_namespace(key.0, self.now());
                "delete a namespace"
            }
            _ => {
                self.store.tick();
                "write something else"
            }
        };
        self.count(what);
    }

    fn changed(
        &mut self,
        key: &Key,
        what: &'static str,
        change: impl FnOnce(&mut Job),
    ) -> &'static str {
        self.store.change(key, change);
        what
    }

    /// The garbage collector and others finish what Jobs wait for on their way out.
    pub fn collect(&mut self) {
        if !self.setup.collects {
            return;
        }
        let leaving: Vec<Key> = self
            .store
            .jobs()
            .filter(|job| job.deleted.is_some())
            .map(|job| job.key())
            .collect();
        for key in leaving {
            if self.rng.bool() {
                self.store.remove(&key, By::Other, self.now());
                self.count("finish finalizers");
            }
        }
    }
}
