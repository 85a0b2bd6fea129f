//! The Jobs of the demo: a small cluster in which every reason to keep a Job, and to purge one, occurs.

use jiff::{SignedDuration, Timestamp};

use crate::error::Result;
use crate::seed::{Owner, SeedJob, State};
use crate::server::ControlPlane;

/// The label by which IBM's MAS charts name a Job's cleanup group.
pub const MAS_GROUP: &str = "mas.ibm.com/job-cleanup-group";

/// The label by which Argo CD names the application that a Job belongs to.
pub const ARGOCD_INSTANCE: &str = "argocd.argoproj.io/instance";

/// The annotation by which Argo CD 3 does that.
const ARGOCD_TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";

/// Namespace and name of the CronJob that owns some of the samples.
pub const SAMPLE_CRON_JOB: (&str, &str) = (INST2_CORE, "nightly-backup");

const INST1_CORE: &str = "mas-inst1-core";
const INST1_MANAGE: &str = "mas-inst1-manage";
const INST2_CORE: &str = "mas-inst2-core";
const ARGOCD_APPS: &str = "argocd-apps";
const STOREFRONT: &str = "storefront";

/// The sample applications of Argo CD: their names, where their Jobs are, and which Jobs their git has and has no more.
/// That of `storefront` was rolled back.
pub(crate) const SAMPLE_APPLICATIONS: [(&str, &str, &[&str], &[&str]); 3] = [
    (
        "shop",
        ARGOCD_APPS,
        &[
            "create-user-4f2a91c",
            "load-0-4f2a91c",
            "load-1-4f2a91c",
            "load-2-4f2a91c",
            "load-3-4f2a91c",
        ],
        &[
            "create-user-0d9e8f7",
            "load-0-0d9e8f7",
            "load-1-0d9e8f7",
            "load-2-0d9e8f7",
            "load-3-0d9e8f7",
        ],
    ),
    (
        "gateway",
        ARGOCD_APPS,
        &["smoke-test-c81d5f"],
        &["smoke-test-7a90e3"],
    ),
    (
        "storefront",
        STOREFRONT,
        &["migrate-b52e7d1"],
        &["migrate-e0947ac", "migrate-3d8f16b"],
    ),
];

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// The sample Jobs, in times relative to `now`. `cron_job_uid` is the uid of [`SAMPLE_CRON_JOB`], which has to exist
/// where the garbage collector runs.
pub fn samples(now: Timestamp, cron_job_uid: &str) -> Vec<SeedJob> {
    let made = Maker { now };
    let mut jobs = Vec::new();
    jobs.extend(made.superseded_by_success_and_failure());
    jobs.extend(made.ties());
    jobs.extend(made.recent_and_running());
    jobs.extend(made.suspended());
    jobs.extend(made.terminating());
    jobs.extend(made.protected());
    jobs.extend(made.owned(cron_job_uid));
    jobs.extend(made.argocd());
    jobs.extend(made.rolled_back());
    jobs
}

struct Maker {
    now: Timestamp,
}

impl Maker {
    fn job(&self, namespace: &str, name: &str, seconds_ago: i64) -> SeedJob {
        SeedJob::new(
            namespace,
            name,
            self.now - SignedDuration::from_secs(seconds_ago),
        )
    }

    /// A Job in the MAS group that its name, less the hash at its end, says.
    fn mas(&self, namespace: &str, name: &str, seconds_ago: i64) -> SeedJob {
        let group = name.rsplit_once('-').map_or(name, |(family, _)| family);
        self.job(namespace, name, seconds_ago)
            .label(MAS_GROUP, group)
    }

    fn superseded_by_success_and_failure(&self) -> [SeedJob; 7] {
        [
            self.mas(INST1_CORE, "create-user-9f31c2", DAY),
            self.mas(INST1_CORE, "create-user-7be04a", 4 * DAY),
            self.mas(INST1_CORE, "create-user-52d9e8", 6 * DAY)
                .state(State::Failed),
            self.mas(INST1_CORE, "create-user-3c1f77", 9 * DAY),
            self.mas(INST1_CORE, "create-user-1a2b3c", 12 * DAY)
                .state(State::Failed)
                .duration(340),
            self.mas(INST1_CORE, "create-user-0e8d41", 20 * DAY),
            self.mas(INST1_CORE, "create-user-04c6b5", 31 * DAY),
        ]
    }

    /// Two of one second at the edge of what is kept: the name decides.
    fn ties(&self) -> [SeedJob; 4] {
        [
            self.mas(INST1_CORE, "db2-init-61e0fa", 3 * DAY),
            self.mas(INST1_CORE, "db2-init-aa10f3", 5 * DAY),
            self.mas(INST1_CORE, "db2-init-bb20c4", 5 * DAY),
            self.mas(INST1_CORE, "db2-init-0d71b9", 8 * DAY)
                .duration(905),
        ]
    }

    fn recent_and_running(&self) -> [SeedJob; 5] {
        [
            self.mas(INST1_MANAGE, "postsync-configure-e5a812", 12 * MINUTE)
                .state(State::Running),
            self.mas(INST1_MANAGE, "postsync-configure-c40d93", 18 * MINUTE)
                .state(State::Failed),
            self.mas(INST1_MANAGE, "postsync-configure-b7f265", 25 * MINUTE),
            self.mas(INST1_MANAGE, "postsync-configure-8806ae", 2 * DAY),
            self.mas(INST1_MANAGE, "postsync-configure-31dc47", 3 * DAY),
        ]
    }

    fn suspended(&self) -> [SeedJob; 4] {
        [
            self.mas(INST2_CORE, "create-user-d2a9f4", 2 * DAY),
            self.mas(INST2_CORE, "create-user-95b03e", 3 * DAY),
            self.mas(INST2_CORE, "create-user-48e7c1", 7 * DAY)
                .state(State::Suspended),
            self.mas(INST2_CORE, "create-user-2f60d8", 8 * DAY),
        ]
    }

    fn terminating(&self) -> [SeedJob; 4] {
        let deleted = self.now - SignedDuration::from_secs(40 * MINUTE);
        [
            self.mas(INST2_CORE, "db2-init-f19e62", DAY),
            self.mas(INST2_CORE, "db2-init-7c35a0", 2 * DAY),
            self.mas(INST2_CORE, "db2-init-5be8d7", 6 * DAY)
                .deleted(deleted)
                .finalizer("example.com/hold"),
            self.mas(INST2_CORE, "db2-init-10f4c9", 9 * DAY)
                .state(State::Failed),
        ]
    }

    fn protected(&self) -> [SeedJob; 4] {
        let options = "argocd.argoproj.io/sync-options";
        [
            self.mas(INST1_MANAGE, "import-licence-ee41b0", DAY),
            self.mas(INST1_MANAGE, "import-licence-a6d259", 5 * DAY),
            self.mas(INST1_MANAGE, "import-licence-83c7f1", 10 * DAY)
                .annotation("jobclean/keep", "true"),
            self.mas(INST1_MANAGE, "import-licence-2d90e6", 15 * DAY)
                .annotation(options, "Validate=false,Delete=false"),
        ]
    }

    /// A CronJob keeps its own history; its Jobs end in the minute that they were due.
    fn owned(&self, cron_job_uid: &str) -> Vec<SeedJob> {
        let (namespace, owner) = SAMPLE_CRON_JOB;
        (1..=3)
            .map(|days| {
                let due = (self.now.as_second() - days * DAY) / MINUTE;
                let name = format!("{owner}-{due}");
                self.mas(namespace, &name, self.now.as_second() - due * MINUTE)
                    .owner(Owner::cron_job(owner, cron_job_uid))
            })
            .collect()
    }

    /// A Job that Argo CD 3 has marked as it does by default.
    fn tracked(&self, application: &str, name: &str, seconds_ago: i64) -> SeedJob {
        self.tracked_in(ARGOCD_APPS, application, name, seconds_ago)
    }

    fn tracked_in(
        &self,
        namespace: &str,
        application: &str,
        name: &str,
        seconds_ago: i64,
    ) -> SeedJob {
        let id = format!("{application}:batch/Job:{namespace}/{name}");
        self.job(namespace, name, seconds_ago)
            .annotation(ARGOCD_TRACKING_ID, id)
    }

    /// Three releases of an application whose git went back to the second.
    fn rolled_back(&self) -> [SeedJob; 3] {
        let job = |name, days: i64| self.tracked_in(STOREFRONT, "storefront", name, days * DAY);
        [
            job("migrate-e0947ac", 1),
            job("migrate-b52e7d1", 6),
            job("migrate-3d8f16b", 20),
        ]
    }

    /// A hook that Argo CD has named after a revision, a phase and the second in which its sync began.
    fn hook(&self, prefix: &str, revision: &str, phase: &str, seconds_ago: i64) -> SeedJob {
        let began = self.now.as_second() - seconds_ago;
        let name = format!("{prefix}-{revision}-{phase}-{began}");
        self.tracked("shop", &name, seconds_ago)
    }

    /// An application of Argo CD 3 with hooks of two phases, a Job of the chart, and four Jobs of each release that share
    /// one work; an application that is marked by a label; and a Job that nothing marks.
    fn argocd(&self) -> Vec<SeedJob> {
        let instance = |job: SeedJob| job.label(ARGOCD_INSTANCE, "gateway");
        let mut jobs = vec![
            self.hook("db-migrate", "4f2a91c", "presync", DAY),
            self.hook("db-migrate", "0d9e8f7", "presync", 5 * DAY),
            self.hook("db-migrate", "1a2b3c4", "presync", 12 * DAY),
            self.hook("smoke-test", "4f2a91c", "postsync", DAY - 2 * MINUTE),
            self.hook("smoke-test", "0d9e8f7", "postsync", 5 * DAY - 2 * MINUTE)
                .state(State::Failed),
            self.tracked("shop", "create-user-4f2a91c", DAY - MINUTE),
            self.tracked("shop", "create-user-0d9e8f7", 5 * DAY - MINUTE),
            instance(self.job(ARGOCD_APPS, "smoke-test-c81d5f", DAY)),
            instance(self.job(ARGOCD_APPS, "smoke-test-7a90e3", 2 * DAY)),
            self.job(ARGOCD_APPS, "one-off-report", 40 * DAY),
        ];
        for part in 0..4 {
            jobs.push(self.tracked(
                "shop",
                &format!("load-{part}-4f2a91c"),
                DAY - 3 * MINUTE - part,
            ));
            jobs.push(self.tracked(
                "shop",
                &format!("load-{part}-0d9e8f7"),
                5 * DAY - 3 * MINUTE - part,
            ));
        }
        jobs
    }
}

impl ControlPlane {
    /// Makes the CronJob, then writes the sample Jobs as of `now`, and returns them.
    pub fn seed_samples(&self, now: Timestamp) -> Result<Vec<SeedJob>> {
        let (namespace, name) = SAMPLE_CRON_JOB;
        self.seed_namespace(namespace)?;
        let jobs = samples(now, &self.cron_job(namespace, name)?);
        self.seed(&jobs)?;
        Ok(jobs)
    }
}
