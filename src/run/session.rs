//! One run against one cluster: the steps that [`crate::run`] tells the story with.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use tokio::sync::watch;

use super::{saved_plan, show};
use crate::{
    cli::Cli,
    cluster::{
        Cluster,
        access::Access,
        delete::{DeleteOptions, Effect},
        list::{self, Reading},
    },
    connection::{Connection, flags::Unchecked},
    error::{Error, Exit, Stop},
    job::query::{Query, Scope, Sink},
    output::{saved::SavedPlan, words},
    plan::{
        CLOCKS_MAY_DIFFER, Plan, Snapshot, Source, Warning,
        recheck::{Approved, Recheck},
        report::Report,
        retention::Policy,
    },
    purge::{self, Orders, backup::BackupDir},
    text::{count, harmless},
    ui::{Answer, Consent, Ui, Verbosity},
};

/// What becomes of a plan.
pub enum Decision {
    /// It is carried out, as far as it still holds.
    CarryOut(Box<Approved>),
    /// It is not, and the process ends so.
    Stop(Exit, Box<Plan>),
}

/// A plan that is about to be carried out.
pub struct Candidate {
    /// What is shown and asked about.
    pub shown: Plan,
    /// Where it was saved, all of it, and what of it has fallen out by now.
    saved: Option<Saved>,
}

impl Candidate {
    /// These groups of what is shown alone, named by their places, in order.
    pub(super) fn only(self, groups: &[usize]) -> Candidate {
        let shown = self.shown.only(groups);
        let saved = self.saved.map(|saved| Saved {
            approved: Box::new(saved.approved.only(&shown)),
            read: saved.read,
        });
        Candidate { shown, saved }
    }
}

/// A saved plan that was held against a list.
struct Saved {
    approved: Box<Approved>,
    /// When reading that list began.
    read: Instant,
}

/// A plan older than this is held against a new list before it is carried out: time for a list and a glance, or for the
/// reader of a pipe.
const MAX_AGE: Duration = Duration::from_secs(10);

/// Above this many Jobs, their number is to be typed: a yes is too easily given.
const TYPED_ABOVE: usize = 500;

/// One run against one cluster.
pub struct Session<'a> {
    pub(super) cli: &'a Cli,
    pub(super) ui: &'a Ui,
    pub(super) stop: watch::Receiver<Option<Stop>>,
    pub(super) cluster: Cluster,
    pub(super) query: Query,
    pub(super) policy: Policy,
    /// When the plan was read, or its reading began.
    begun: Instant,
}

impl<'a> Session<'a> {
    /// Connect, list and plan.
    ///
    /// # Errors
    /// If any of it fails: there is no plan then.
    pub async fn begin(
        cli: &'a Cli,
        ui: &'a Ui,
        stop: watch::Receiver<Option<Stop>>,
    ) -> Result<(Session<'a>, Plan), Error> {
        let unchecked = if cli.action.yes && cli.action.plan.is_none() {
            Unchecked::Refused
        } else {
            Unchecked::Allowed
        };
        let console = ui.console(stop.clone());
        let cluster = Cluster::new(Connection::open(&cli.connection, console, unchecked).await?);
        if cluster.connection.is_insecure {
            ui.warning("the server's certificate is not checked (insecure-skip-tls-verify)");
        }
        let saved = match &cli.action.plan {
            None => None,
            Some(path) => Some(saved_plan::load(path, cli, &cluster, ui).await?),
        };
        let session = Session {
            query: match &saved {
                Some(saved) => saved.query.clone(),
                None => query(cli, &cluster),
            },
            policy: match &saved {
                Some(saved) => saved.policy.clone(),
                None => cli.kept.policy(),
            },
            cli,
            ui,
            stop,
            cluster,
            begun: Instant::now(),
        };
        let plan = match saved {
            // It is shown when it was held against what is there now.
            Some(saved) => saved.plan,
            None => {
                let plan = session.plan().await?;
                show::warnings(&plan, &session.place(), ui);
                let in_one = matches!(session.query.scope, Scope::Namespace(_));
                show::where_else_to_look(&plan, in_one, ui);
                plan
            }
        };
        Ok((session, plan))
    }

    /// Where Jobs are looked for, as a person would say it.
    fn place(&self) -> String {
        let place = match &self.query.scope {
            Scope::AllNamespaces => "in any namespace".to_owned(),
            Scope::Namespace(namespace) => format!("in namespace {namespace}"),
        };
        match self.query.selector.is_empty() {
            true => place,
            false => format!("{place} matching {}", self.query.selector),
        }
    }

    /// List and judge.
    async fn plan(&self) -> Result<Plan, Error> {
        let mut jobs = Vec::new();
        let reading = self.read(&mut jobs).await?;
        let snapshot = Snapshot {
            source: Source::Cluster {
                context: self.cluster.connection.context.clone(),
                server: self.cluster.connection.server.clone(),
            },
            labels: self.query.labels.clone(),
            resource_version: reading.resource_version,
            taken_at: reading.taken_at,
            jobs,
        };
        let mut plan = Plan::new(snapshot, &self.policy);
        warn_of_clocks(&mut plan, reading.clock_ahead);
        Ok(plan)
    }

    /// List, and show how far it is.
    async fn read(&self, into: &mut dyn Sink) -> Result<Reading, Error> {
        let labels = words::label_list(&self.query.labels);
        let (server, place) = (&self.cluster.connection.server, self.place());
        self.ui.note(
            Verbosity::Verbose,
            &format!("listing Jobs {place} at {server} with the label {labels}"),
        );
        self.ui
            .start_spinner("{spinner} {pos} Jobs read ({elapsed})");
        let mut on_event = |event: list::Event| show::list_event(&event, self.ui);
        let listed = self.cluster.list(&self.query, into, &mut on_event).await;
        self.ui.finish();
        self.show_server_warnings();
        let reading = listed?;
        self.ui.note(
            Verbosity::Verbose,
            &format!(
                "{} read at resourceVersion {}",
                count(reading.count, "Job"),
                reading.resource_version
            ),
        );
        Ok(reading)
    }

    /// Hold a saved plan against what is there now, before it is asked about. Any other plan is of this moment.
    ///
    /// Where the run is asked to stop meanwhile, that is how the process ends, and the plan.
    ///
    /// # Errors
    /// If the new list fails.
    pub async fn prepare(&self, plan: Plan) -> Result<Result<Candidate, (Exit, Box<Plan>)>, Error> {
        if self.cli.action.plan.is_none() {
            return Ok(Ok(Candidate {
                shown: plan,
                saved: None,
            }));
        }
        let read = Instant::now();
        let (approved, reading) = match self.list_again(plan).await? {
            Ok(listed) => listed,
            Err(stopped) => return Ok(Err(stopped)),
        };
        let mut shown = approved.as_of_now();
        shown.resource_version = reading.resource_version;
        warn_of_clocks(&mut shown, reading.clock_ahead);
        show::warnings(&shown, &self.place(), self.ui);
        let cascade = self.cli.action.cascade;
        show::saved_plan(&approved, &shown, &self.policy, cascade, self.ui);
        Ok(Ok(Candidate {
            shown,
            saved: Some(Saved {
                approved: Box::new(approved),
                read,
            }),
        }))
    }

    /// Write a plan into a file, with what tells this cluster from another.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn save(&self, plan: Plan, path: &Path) -> Result<(), Error> {
        let saved = SavedPlan {
            plan,
            query: self.query.clone(),
            policy: self.policy.clone(),
            identity: saved_plan::identity(&self.cluster, self.ui).await?,
        };
        saved_plan::save(&saved, path)?;
        let path = path.display();
        let text = format!("saved; kubectl jobclean --plan {path} carries it out");
        self.ui.note(Verbosity::Normal, &text);
        Ok(())
    }

    /// Ask, and hold what was approved against what is there by then.
    ///
    /// # Errors
    /// If the question cannot be asked, the deletes would be refused, or the new list fails.
    pub async fn approve(&self, candidate: Candidate) -> Result<Decision, Error> {
        let Candidate { shown: plan, saved } = candidate;
        let ask = !self.cli.action.yes && plan.summary().purge > 0;
        if ask && let Err(not) = Ui::can_ask() {
            return Err(Error::new(
                Exit::Usage,
                format!(
                    "nothing was deleted: the question needs a terminal, and {} is not one",
                    not.stream()
                ),
            )
            .hint("add --yes to delete without asking, or --dry-run to change nothing"));
        }
        if ask {
            match unless_stopped(&self.stop, self.check_access(&plan)).await {
                Ok(allowed) => allowed?,
                Err(reason) => return Ok(Decision::Stop(reason.into(), Box::new(plan))),
            }
            match self.ask(&plan).await {
                Ok(true) => {}
                Ok(false) => {
                    self.ui.note(Verbosity::Normal, "Nothing was deleted.");
                    return Ok(Decision::Stop(Exit::Declined, Box::new(plan)));
                }
                Err(reason) => return Ok(Decision::Stop(reason.into(), Box::new(plan))),
            }
        }
        // The question may have stood for an hour.
        match saved {
            Some(saved) => self.recheck_saved(saved, ask).await,
            None => self.recheck(plan, ask).await,
        }
    }

    /// Go on without a question.
    ///
    /// # Errors
    /// If the new list fails.
    pub async fn without_asking(&self, candidate: Candidate) -> Result<Decision, Error> {
        match candidate.saved {
            Some(saved) => self.recheck_saved(saved, false).await,
            None => self.recheck(candidate.shown, false).await,
        }
    }

    /// Hold a plan against what is there now, if it is not of this very moment.
    ///
    /// # Errors
    /// If the new list fails.
    async fn recheck(&self, plan: Plan, was_asked: bool) -> Result<Decision, Error> {
        let is_old = was_asked || self.begun.elapsed() > MAX_AGE;
        if plan.summary().purge == 0 || !is_old {
            let approved = Approved::as_planned(plan, self.policy.clone());
            return Ok(Decision::CarryOut(Box::new(approved)));
        }
        Ok(match self.list_again(plan).await? {
            Ok((approved, _)) => Decision::CarryOut(Box::new(approved)),
            Err((exit, plan)) => Decision::Stop(exit, plan),
        })
    }

    /// The same for a saved plan. What had fallen out of it before it was shown stays out.
    async fn recheck_saved(&self, saved: Saved, was_asked: bool) -> Result<Decision, Error> {
        let is_old = was_asked || saved.read.elapsed() > MAX_AGE;
        if !is_old {
            return Ok(Decision::CarryOut(saved.approved));
        }
        let (plan, earlier) = saved.approved.into_parts();
        Ok(match self.list_again(plan).await? {
            Ok((approved, _)) => Decision::CarryOut(Box::new(approved.narrowed(earlier))),
            Err((exit, plan)) => Decision::Stop(exit, plan),
        })
    }

    /// Hold a plan against what is there now.
    ///
    /// Where the run is asked to stop meanwhile, that is how the process ends, and the plan.
    async fn list_again(
        &self,
        plan: Plan,
    ) -> Result<Result<(Approved, Reading), (Exit, Box<Plan>)>, Error> {
        let mut recheck = Recheck::new(plan);
        match unless_stopped(&self.stop, self.read(&mut recheck)).await {
            Ok(reading) => {
                let reading = reading?;
                let approved = recheck.approve(reading.taken_at, self.policy.clone());
                Ok(Ok((approved, reading)))
            }
            Err(reason) => {
                // What is printed next is not to be mixed with the spinner.
                self.ui.finish();
                Ok(Err((reason.into(), Box::new(recheck.into_plan()))))
            }
        }
    }

    /// Find out before anybody is asked whether the deletes would be allowed.
    ///
    /// Where the server does not answer that, the deletes themselves will tell.
    async fn check_access(&self, plan: &Plan) -> Result<(), Error> {
        let mut denied = match &self.query.scope {
            Scope::Namespace(namespace) => self.cluster.may_delete(Some(namespace)).await,
            Scope::AllNamespaces => self.cluster.may_delete(None).await,
        };
        if let (Scope::AllNamespaces, Access::Denied(_)) = (&self.query.scope, &denied) {
            // Rights in the namespaces that matter are enough; one of them is enough to go on.
            let mut namespaces: Vec<&str> =
                plan.purges().map(|job| job.namespace.as_ref()).collect();
            namespaces.dedup();
            for namespace in namespaces {
                denied = self.cluster.may_delete(Some(namespace)).await;
                if !matches!(denied, Access::Denied(_)) {
                    break;
                }
            }
        }
        match denied {
            Access::Allowed | Access::Unknown => Ok(()),
            Access::Denied(reason) => {
                let why = match reason.as_str() {
                    "" => String::new(),
                    reason => format!(": {reason}"),
                };
                Err(Error::failure(format!(
                    "nothing was deleted: you may not delete Jobs {}{why}",
                    self.place()
                ))
                .hint("you need the verb delete on jobs.batch; --dry-run=client only plans"))
            }
        }
    }

    /// Ask until the answer is a yes or a no.
    async fn ask(&self, plan: &Plan) -> Result<bool, Stop> {
        let jobs = plan.summary().purge;
        let consent = if jobs > TYPED_ABOVE {
            Consent::Number(jobs)
        } else {
            Consent::Yes
        };
        let question = self.question(plan);
        loop {
            let answer = self.ui.confirm(&question, consent);
            match unless_stopped(&self.stop, answer).await? {
                Answer::Yes => return Ok(true),
                Answer::No => return Ok(false),
                // To its end even if the run is asked to stop: Ctrl-C is for the pager, too.
                Answer::List => show::whole_plan(plan, self.ui).await,
            }
        }
    }

    fn question(&self, plan: &Plan) -> String {
        let summary = plan.summary();
        let server = harmless(&self.cluster.connection.server);
        let place = match self.cluster.connection.context.as_str() {
            "" => server.into_owned(),
            context => format!("{} ({server})", harmless(context)),
        };
        let mut namespaces: Vec<&str> = plan.purges().map(|job| job.namespace.as_ref()).collect();
        namespaces.dedup();
        let namespaces = match namespaces.as_slice() {
            [one] => format!("namespace {}", harmless(one)),
            all => count(all.len(), "namespace"),
        };
        format!(
            "Purge {} in {} of {namespaces} from {place}?",
            count(summary.purge, "Job"),
            count(summary.groups_to_purge, "group"),
        )
    }

    /// Delete what was approved, or try to.
    pub async fn carry_out(
        &self,
        approved: Approved,
        effect: Effect,
        backup: Option<BackupDir>,
    ) -> Report {
        let verb = match effect {
            Effect::Delete => "purged",
            Effect::DryRun => "tried",
        };
        self.ui.start_bar(
            approved.targets().len(),
            &format!("{{bar:30}} {{pos}}/{{len}} {verb}, {{per_sec}}, {{eta}} left"),
        );
        let orders = Orders {
            options: DeleteOptions {
                cascade: self.cli.action.cascade,
                effect,
            },
            concurrency: usize::from(self.cli.action.concurrency),
            backup,
            query: self.query.clone(),
        };
        let mut on_event = |event: purge::Event| show::purge_event(&event, self.ui);
        let report = purge::purge(
            approved,
            &self.cluster,
            &orders,
            self.stop.clone(),
            &mut on_event,
        )
        .await;
        self.ui.finish();
        self.show_server_warnings();
        report
    }

    pub(super) fn show_server_warnings(&self) {
        for warning in self.cluster.connection.warnings.take() {
            self.ui.warning(&warning);
        }
    }
}

/// Say first if this machine's clock and the server's differ.
fn warn_of_clocks(plan: &mut Plan, ahead: SignedDuration) {
    if ahead.abs() > CLOCKS_MAY_DIFFER {
        plan.warnings.insert(0, Warning::ClocksDiffer { ahead });
    }
}

/// What the flags ask to be listed.
fn query(cli: &Cli, cluster: &Cluster) -> Query {
    Query {
        labels: cli.which.labels.clone(),
        selector: cli.which.selector.clone().unwrap_or_default(),
        scope: cli
            .which
            .scope()
            .unwrap_or_else(|| Scope::Namespace(cluster.connection.default_namespace.clone())),
        chunk_size: cli.action.chunk_size,
    }
}

/// Do something, unless the run is asked to stop meanwhile.
pub async fn unless_stopped<T>(
    stop: &watch::Receiver<Option<Stop>>,
    work: impl Future<Output = T>,
) -> Result<T, Stop> {
    let mut stop = stop.clone();
    tokio::select! {
        done = work => Ok(done),
        reason = stopped(&mut stop) => Err(reason),
    }
}

/// Wait until the run is asked to stop.
pub(super) async fn stopped(stop: &mut watch::Receiver<Option<Stop>>) -> Stop {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        // Nobody is left who could ask.
        _ => std::future::pending().await,
    }
}
