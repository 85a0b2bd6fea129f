//! Cleaning from a program that has a client.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{Event, Orders, purge, wait};
use crate::{
    cluster::{
        Cluster,
        delete::{Cascade, DeleteOptions, Effect},
        gitops::{Hub, Sources},
        list::Reading,
    },
    error::{Error, Stop},
    gitops::{Claims, Mode},
    job::{
        Job,
        grouping::Grouping,
        label::LabelKey,
        query::{Query, Scope, Sink},
        selector::Selector,
    },
    plan::{
        Plan, Snapshot, Source,
        recheck::{Approved, Recheck},
        report::Report,
        retention::Policy,
        rules::Rules,
    },
};

/// Plans and purges with a [`kube::Client`] that is there already.
///
/// It groups Jobs by their Argo CD application in the default namespace of the client, keeps the newest
/// of each group, and deletes with foreground propagation, unless it is told otherwise.
///
/// ```no_run
/// # async fn clean(client: kube::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use kubectl_jobclean::Cleaner;
///
/// let cleaner = Cleaner::new(client).label("app.kubernetes.io/instance".parse()?);
/// let plan = cleaner.plan().await?;
/// for job in plan.purges() {
///     println!("{}/{}", job.namespace(), job.name());
/// }
/// let report = cleaner.purge(plan, |_event| {}).await?;
/// println!("{:?}", report.counts());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Cleaner {
    pub(crate) cluster: Cluster,
    pub(crate) query: Query,
    pub(crate) policy: Policy,
    pub(crate) sources: Sources,
    pub(crate) deletes: DeleteOptions,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) stop: watch::Receiver<Option<Stop>>,
}

/// What is asked, beside the Jobs, what it wants to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// GitOps tools.
    Tools,
    Namespaces,
}

/// Hears what is asked now, or how long it waits before it asks again, and why.
type OnAsking<'a> = &'a mut dyn FnMut(Asked, Option<(Duration, &str)>);

impl Cleaner {
    /// With the client of the caller.
    pub fn new(client: kube::Client) -> Cleaner {
        Cleaner::of(Cluster::from_client(client))
    }

    /// On a cluster, with the defaults.
    pub(crate) fn of(cluster: Cluster) -> Cleaner {
        Cleaner {
            query: Query::all(
                Grouping::Application,
                Scope::Namespace(cluster.connection.default_namespace.clone()),
                500,
            ),
            cluster,
            policy: Policy::default(),
            sources: Sources::default(),
            deletes: DeleteOptions {
                cascade: Cascade::Foreground,
                effect: Effect::Delete,
            },
            concurrency: NonZeroUsize::new(32).expect("32 is not zero"),
            // Without a sender it never becomes anything.
            stop: watch::channel(None).1,
        }
    }

    /// Group Jobs by the value of this label.
    pub fn label(self, key: LabelKey) -> Cleaner {
        self.labels(vec![key])
    }

    /// Group Jobs by the values of these labels together. Only Jobs that carry all of them are looked at.
    pub fn labels(self, keys: Vec<LabelKey>) -> Cleaner {
        self.grouping(Grouping::labels(keys))
    }

    /// Group Jobs like this.
    pub fn grouping(mut self, grouping: Grouping) -> Cleaner {
        self.query.grouping = grouping;
        self
    }

    /// Look only at Jobs that match this selector.
    pub fn selector(mut self, selector: Selector) -> Cleaner {
        self.query.selector = selector;
        self
    }

    /// Look in this namespace.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Cleaner {
        self.query.scope = Scope::Namespace(namespace.into());
        self
    }

    /// Look in every namespace.
    pub fn all_namespaces(mut self) -> Cleaner {
        self.query.scope = Scope::AllNamespaces;
        self
    }

    /// What to keep.
    pub fn policy(mut self, policy: Policy) -> Cleaner {
        self.query.rules = policy
            .rules
            .as_ref()
            .map(Rules::matches)
            .unwrap_or_default();
        self.policy = policy;
        self
    }

    /// Read Argo CD's Applications with this client, if Argo CD runs on another cluster.
    pub fn argocd(mut self, client: kube::Client) -> Cleaner {
        let hub = Cluster::from_client(client);
        self.sources.argocd = Some(Hub::Reached(Box::new(hub)));
        self
    }

    /// Read the objects of GitOps tools in these namespaces alone.
    pub fn gitops_namespaces(mut self, namespaces: Vec<String>) -> Cleaner {
        self.sources.namespaces = namespaces;
        self
    }

    /// List this many Jobs a page; 0 asks for all at once.
    pub fn page_size(mut self, jobs: u32) -> Cleaner {
        self.query.chunk_size = jobs;
        self
    }

    /// What becomes of the Pods.
    pub fn cascade(mut self, cascade: Cascade) -> Cleaner {
        self.deletes.cascade = cascade;
        self
    }

    /// Send every delete with `dryRun=All`, so that nothing is deleted.
    pub fn dry_run(mut self) -> Cleaner {
        self.deletes.effect = Effect::DryRun;
        self
    }

    /// Have at most this many deletes in flight.
    pub fn concurrency(mut self, deletes: NonZeroUsize) -> Cleaner {
        self.concurrency = deletes;
        self
    }

    /// Start no new delete once this becomes something; what is in flight finishes.
    pub fn stop(mut self, stop: watch::Receiver<Option<Stop>>) -> Cleaner {
        self.stop = stop;
        self
    }

    /// List the Jobs and judge each of them. Nothing is changed.
    ///
    /// # Errors
    /// If any page of the list cannot be read: part of a list would make an old Job look like the newest.
    pub async fn plan(&self) -> Result<Plan, Error> {
        let mut jobs = Vec::new();
        let reading = self.read(&mut jobs).await?;
        let plan = self.judge(jobs, reading);
        Ok(match self.claims(&plan, &mut |_, _| {}).await? {
            None => plan,
            Some(claims) => plan.claimed(claims, &self.policy),
        })
    }

    /// What GitOps tools and namespaces say, unless that makes no difference to a plan: they only ever keep Jobs.
    ///
    /// # Errors
    /// If a namespace that is to be asked cannot be.
    pub(crate) async fn claims(
        &self,
        plan: &Plan,
        on_asking: OnAsking<'_>,
    ) -> Result<Option<Arc<Claims>>, Error> {
        let (gitops, asks_namespaces) = (self.policy.gitops, self.policy.asks_namespaces);
        let asks_none = gitops == Mode::Ignore && !asks_namespaces;
        if asks_none || plan.purges().next().is_none() {
            return Ok(None);
        }
        let mut claims = match gitops {
            Mode::Ignore => Claims::default(),
            Mode::Auto | Mode::Require => {
                on_asking(Asked::Tools, None);
                let on_wait = &mut |delay, why: &str| {
                    on_asking(Asked::Tools, Some((delay, why)));
                };
                self.cluster.claims(&self.sources, on_wait).await
            }
        };
        if asks_namespaces {
            on_asking(Asked::Namespaces, None);
            let on_wait = &mut |delay, why: &str| {
                on_asking(Asked::Namespaces, Some((delay, why)));
            };
            claims.holders = self.cluster.holders(&self.query, on_wait).await?;
        }
        Ok(Some(Arc::new(claims)))
    }

    /// The plan for Jobs that were listed.
    pub(crate) fn judge(&self, jobs: Vec<Job>, reading: Reading) -> Plan {
        let connection = &self.cluster.connection;
        let snapshot = Snapshot {
            source: Source::Cluster {
                context: connection.context.clone(),
                server: connection.server.clone(),
            },
            grouping: self.query.grouping.clone(),
            resource_version: reading.resource_version,
            taken_at: reading.taken_at,
            jobs,
            ungrouped: reading.ungrouped,
        };
        let mut plan = Plan::new(snapshot, &self.policy);
        plan.warn_of_clocks(reading.clock_ahead);
        plan
    }

    /// Delete what a plan of this cleaner purges, as far as it still holds: the Jobs are listed again, and a Job that has
    /// changed, or that the policy would keep by now, is left alone.
    ///
    /// If the future is dropped, no request is sent any more, and what was in flight may have taken effect.
    ///
    /// # Errors
    /// If the Jobs cannot be listed again; nothing was deleted then. What goes wrong with a single delete is in the
    /// report.
    pub async fn purge(
        &self,
        plan: Plan,
        mut on_event: impl FnMut(Event<'_>),
    ) -> Result<Report, Error> {
        let approved = self.recheck(plan).await?;
        let orders = Orders {
            options: self.deletes,
            concurrency: self.concurrency.get(),
            backup: None,
            journal: None,
            query: self.query.clone(),
        };
        let stop = self.stop.clone();
        Ok(purge(approved, &self.cluster, &orders, stop, &mut on_event).await)
    }

    /// Wait until the Jobs of a report are gone, at most this long if there is a limit. The report then says what is left.
    pub async fn wait(
        &self,
        report: Report,
        limit: Option<Duration>,
        mut on_event: impl FnMut(wait::Event<'_>),
    ) -> Report {
        let stop = self.stop.clone();
        let chunk_size = self.query.chunk_size;
        wait::wait(
            report,
            &self.cluster,
            chunk_size,
            limit,
            stop,
            &mut on_event,
        )
        .await
    }

    async fn recheck(&self, plan: Plan) -> Result<Approved, Error> {
        let mut recheck = Recheck::new(plan);
        let reading = self.read(&mut recheck).await?;
        let claims = self.claims(recheck.plan(), &mut |_, _| {}).await?;
        Ok(recheck.approve(
            reading.taken_at,
            self.policy.clone(),
            claims.unwrap_or_default(),
        ))
    }

    async fn read(&self, into: &mut dyn Sink) -> Result<Reading, Error> {
        self.cluster.list(&self.query, into, &mut |_| {}).await
    }
}
