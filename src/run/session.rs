//! The steps of a run against one cluster.

use std::{
    cell::Cell,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    Ended,
    log::Log,
    role, saved_plan,
    show::{self, Printer},
    stdout,
};
use crate::{
    backup::{BackupDir, Parts},
    cli::{Backup, Goal, OnCluster, Patience, PlanSource, Purge, Selection},
    cluster::{
        Cluster,
        access::{Access, Right},
        delete::{DeleteOptions, Effect},
        discover::Marked,
        gitops::{Hub, Sources},
        list::{self, Reading},
    },
    connection::{
        Connection,
        console::Console,
        flags::{ConnectionFlags, Unchecked},
        open::user_agent,
        target::check_names,
    },
    error::{Error, Exit, Stop, io_words},
    gitops::{Claims, Places},
    job::{
        grouping::Grouping,
        query::{Query, Scope, Sink},
    },
    output::{View, log::Line, saved::SavedPlan, words},
    plan::{
        Plan,
        max_purge::MaxPurge,
        recheck::{Approved, Recheck},
        report::{EndedEarly, Report},
        retention::Policy,
    },
    purge::{self, Orders, cleaner::Cleaner, journal::Journal, stop::unless_stopped, wait},
    text::{count, harmless},
    ui::{Picked, Ui, Verbosity, picker::Choice},
};

/// A plan that is about to be carried out.
pub(super) struct Candidate {
    /// What is shown and asked about.
    shown: Plan,
    /// How many Jobs were listed for it.
    listed: usize,
    /// Where it was saved, all of it, and what of it has fallen out by now.
    saved: Option<Saved>,
}

impl Candidate {
    /// What is shown and asked about.
    pub(super) fn shown(&self) -> &Plan {
        &self.shown
    }

    /// Hold it if it would purge more than it may.
    ///
    /// # Errors
    /// If it would.
    pub(super) fn limit(&mut self, max_purge: Option<MaxPurge>) -> Result<(), Error> {
        show::check_limit(&mut self.shown, max_purge, self.listed)
    }

    /// These groups of what is shown alone, named by their places, in order.
    fn only(self, groups: &[usize]) -> Candidate {
        let shown = self.shown.only(groups);
        let saved = self.saved.map(|saved| Saved {
            approved: saved.approved.only(&shown),
            read: saved.read,
        });
        Candidate {
            shown,
            listed: self.listed,
            saved,
        }
    }
}

/// A saved plan that was held against a list.
struct Saved {
    approved: Approved,
    /// When reading that list began.
    read: Instant,
}

/// A plan older than this is held against a new list before it is carried out: time for a list and a glance, or for the
/// reader of a pipe.
const MAX_AGE: Duration = Duration::from_secs(10);

/// One run against one cluster.
pub(super) struct Session<'a> {
    wanted: &'a OnCluster,
    printer: Printer,
    ui: &'a Ui,
    stop: watch::Receiver<Option<Stop>>,
    cleaner: Cleaner,
    /// Where GitOps tools are asked, as the user named it.
    places: Places,
    /// The plan that was saved, until it is held against the cluster.
    saved: Option<Plan>,
    /// When the plan was read, or its reading began.
    begun: Instant,
    /// Whether a line of the log could not be written.
    has_lost_lines: Cell<bool>,
}

impl<'a> Session<'a> {
    /// Connect, and read the saved plan if there is one.
    ///
    /// # Errors
    /// If there is no cluster to talk to, or the plan is not for it, or what the run is to do cannot be done here.
    pub(super) async fn connect(
        wanted: &'a OnCluster,
        flags: &ConnectionFlags,
        printer: Printer,
        ui: &'a Ui,
        stop: watch::Receiver<Option<Stop>>,
    ) -> Result<Session<'a>, Error> {
        if wanted.choose && !ui.can_choose() {
            let message = "nothing was deleted: there is no terminal to choose groups on";
            return Err(Error::new(Exit::Usage, message)
                .hint("leave --interactive out and select with --namespace and --selector"));
        }
        if let Goal::Save(path) = &wanted.goal {
            saved_plan::check_target(path)?;
        }
        let console = ui.console(stop.clone());
        let connection = Connection::open(flags, Arc::clone(&console), wanted.unchecked).await?;
        let cluster = Cluster::new(connection);
        if cluster.connection.is_insecure {
            ui.warning("the server's certificate is not checked (insecure-skip-tls-verify)");
        }
        let (query, policy, places, saved) = match &wanted.plan {
            PlanSource::Saved {
                path,
                argocd_context,
            } => {
                let saved = saved_plan::load(path, wanted.chunk_size, &cluster, ui).await?;
                let places = Places {
                    argocd_context: argocd_context.clone().or(saved.places.argocd_context),
                    ..saved.places
                };
                (saved.query, saved.policy, places, Some(saved.plan))
            }
            PlanSource::Listed(selection) => {
                let query = query(selection, &cluster)?;
                (
                    query,
                    selection.policy.clone(),
                    selection.places.clone(),
                    None,
                )
            }
        };
        printer.log_line(Line::start(
            (&cluster.connection.context, &cluster.connection.server),
            &user_agent(),
            &query.grouping,
            &policy,
        ))?;
        let sources = sources(&places, flags, console, ui).await?;
        Ok(Session {
            wanted,
            printer,
            ui,
            stop,
            cleaner: Cleaner {
                query,
                policy,
                sources,
                ..Cleaner::of(cluster)
            },
            places,
            saved,
            begun: Instant::now(),
            has_lost_lines: Cell::new(false),
        })
    }

    /// List and judge; hold a saved plan against what is there now.
    ///
    /// # Errors
    /// If the list fails, or the run is asked to stop: there is no plan then.
    pub(super) async fn plan(&mut self) -> Result<Candidate, Ended> {
        let (shown, saved) = match self.saved.take() {
            Some(plan) => {
                let read = Instant::now();
                let (approved, reading) = self.list_again(plan).await?;
                let mut shown = approved.as_of_now();
                shown.resource_version = reading.resource_version;
                shown.warn_of_clocks(reading.clock_ahead);
                show::warnings(&shown, &self.place(), self.ui);
                let cascade = self.wanted.deletes.cascade;
                show::saved_plan(&approved, &shown, &self.cleaner.policy, cascade, self.ui);
                (shown, Some(Saved { approved, read }))
            }
            None => {
                let plan = unless_stopped(&self.stop, self.list()).await??;
                show::warnings(&plan, &self.place(), self.ui);
                self.look_elsewhere(&plan).await?;
                (plan, None)
            }
        };
        Ok(Candidate {
            listed: shown.summary().jobs,
            shown,
            saved,
        })
    }

    /// Let the user pick the groups to purge, if that was asked for.
    ///
    /// # Errors
    /// If nothing was chosen, or the run is asked to stop.
    pub(super) async fn choose(&self, plan: Candidate) -> Result<Candidate, Ended> {
        if !self.wanted.choose || plan.shown.summary().purge == 0 {
            return Ok(plan);
        }
        let picked = self.ui.choose(Choice::new(&plan.shown));
        let exit = match unless_stopped(&self.stop, picked).await {
            Ok(Picked::Groups(groups)) if !groups.is_empty() => return Ok(plan.only(&groups)),
            Ok(Picked::Groups(_) | Picked::Nothing) => {
                let text = "Nothing was chosen, and nothing was deleted.";
                self.ui.note(Verbosity::Normal, text);
                Exit::Declined
            }
            Ok(Picked::Interrupted) => Exit::Interrupted,
            Err(reason) => {
                // The list stands where it was; what comes next begins a line of its own.
                self.ui.text("");
                reason.into()
            }
        };
        Err(Ended::with_plan(exit, plan.shown))
    }

    /// Hold a plan that would purge too many, or that cannot be printed in the form that was asked for.
    ///
    /// # Errors
    /// If it is such a one.
    pub(super) fn check(
        &self,
        mut plan: Candidate,
        max_purge: Option<MaxPurge>,
    ) -> Result<Candidate, Error> {
        self.printer.refuse_bare_names(&plan.shown)?;
        let held = plan.limit(max_purge);
        if held.is_err() {
            self.printer
                .print_only(&[View::Plan(&plan.shown)], self.ui)?;
        }
        held.map(|()| plan)
    }

    /// Show the plan, and say how it is to be carried out.
    ///
    /// # Errors
    /// If the run ends here, since the plan was all that was wanted, or if the plan cannot be shown.
    pub(super) async fn show(&self, plan: Candidate) -> Result<(Candidate, Orders), Ended> {
        let shown = &plan.shown;
        let (effect, backup, journal) = match &self.wanted.goal {
            Goal::Save(path) => {
                self.printer.print_only(&[View::Plan(shown)], self.ui)?;
                unless_stopped(&self.stop, self.save(plan.shown, path)).await??;
                return Err(Exit::Success.into());
            }
            Goal::Show => {
                self.printer.print_only(&[View::Plan(shown)], self.ui)?;
                return Err(Exit::Success.into());
            }
            // Each Job is shown once, with what the server said to its delete.
            Goal::TryOnServer => {
                if let Some(format) = self.printer.log() {
                    self.printer.log_skips(format, shown, self.ui)?;
                }
                (Effect::DryRun, None, None)
            }
            Goal::Purge(purge) => {
                let grouping = &self.cleaner.query.grouping;
                let backup = purge.backup.as_ref();
                let backup = backup
                    .map(|backup| backup_dir(backup, grouping))
                    .transpose()?;
                let journal = purge.journal.as_deref().map(open_journal).transpose()?;
                let cascade = self.wanted.deletes.cascade;
                self.printer
                    .before_purge(&[shown], purge.ask, cascade, self.ui)?;
                (Effect::Delete, backup, journal)
            }
        };
        let orders = self.orders(effect, backup, journal);
        Ok((plan, orders))
    }

    /// How a plan is to be carried out.
    pub(super) fn orders(
        &self,
        effect: Effect,
        backup: Option<BackupDir>,
        journal: Option<Journal>,
    ) -> Orders {
        Orders {
            options: DeleteOptions {
                cascade: self.wanted.deletes.cascade,
                effect,
            },
            concurrency: self.wanted.deletes.concurrency,
            backup,
            journal,
            query: self.cleaner.query.clone(),
        }
    }

    /// What it says goes through this.
    pub(super) fn ui(&self) -> &'a Ui {
        self.ui
    }

    /// The context of its cluster.
    pub(super) fn context(&self) -> &str {
        &self.cleaner.cluster.connection.context
    }

    /// The address of its server.
    pub(super) fn server(&self) -> &str {
        &self.cleaner.cluster.connection.server
    }

    /// Context and address, harmless.
    pub(super) fn where_it_is(&self) -> String {
        show::where_it_is(&self.cleaner.cluster.connection)
    }

    /// Whether the server has ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.cleaner.cluster.connection.has_answered()
    }

    /// What tells its cluster from every other, if it may be read.
    ///
    /// # Errors
    /// If the server does not say.
    pub(super) async fn uid(&self) -> Result<Option<String>, Error> {
        let mut on_wait = |delay, why: &str| {
            show::waiting(delay, "asking which cluster it is", why, self.ui);
        };
        self.cleaner.cluster.uid(&mut on_wait).await
    }

    /// Write a plan into a file, with what tells this cluster from another.
    ///
    /// # Errors
    /// If it cannot be written.
    async fn save(&self, plan: Plan, path: &Path) -> Result<(), Error> {
        let saved = SavedPlan {
            plan,
            query: self.cleaner.query.clone(),
            policy: self.cleaner.policy.clone(),
            places: self.places.clone(),
            identity: saved_plan::identity(&self.cleaner.cluster, self.ui).await?,
        };
        saved_plan::save(&saved, path)?;
        let path = path.display();
        let text = format!("saved; kubectl jobclean --plan {path} carries it out");
        self.ui.note(Verbosity::Normal, &text);
        Ok(())
    }

    /// If Jobs belong to no group, or there are none, find out what the Jobs there carry, and say how to group by it.
    ///
    /// # Errors
    /// If the namespace does not exist.
    async fn look_elsewhere(&self, plan: &Plan) -> Result<(), Ended> {
        let (query, cluster) = (&self.cleaner.query, &self.cleaner.cluster);
        if !plan.groups.is_empty() && plan.ungrouped == 0 {
            return Ok(());
        }
        if let Scope::Namespace(namespace) = &query.scope
            && plan.groups.is_empty()
            && plan.ungrouped == 0
            && unless_stopped(&self.stop, cluster.lacks_namespace(namespace)).await?
        {
            let message = format!(
                "there is no namespace {namespace} at {}",
                cluster.connection.server
            );
            return Err(Error::failure(message)
                .hint("-n names another namespace, -A looks in every one")
                .into());
        }
        if self.ui.is_quiet() {
            return Ok(());
        }
        let sample = unless_stopped(&self.stop, cluster.sample(query.scope.clone())).await?;
        show::where_else_to_look(plan, &query.scope, sample.as_ref(), self.ui);
        Ok(())
    }

    /// List and judge, and find what the Jobs of this name carry.
    ///
    /// # Errors
    /// If a list fails.
    pub(super) async fn plan_and(
        &mut self,
        name: &str,
    ) -> Result<(Plan, Policy, Vec<Marked>), Error> {
        let plan = self.list().await?;
        let marked = self
            .cleaner
            .cluster
            .named(name, &self.cleaner.query)
            .await?;
        Ok((plan, self.cleaner.policy.clone(), marked))
    }

    /// Which Jobs are listed.
    pub(super) fn query(&self) -> &Query {
        &self.cleaner.query
    }

    /// Where Jobs are looked for, as a person would say it.
    pub(super) fn place(&self) -> String {
        let query = &self.cleaner.query;
        show::narrowed(format!("in {}", query.scope), query)
    }

    /// List and judge.
    async fn list(&self) -> Result<Plan, Error> {
        let mut jobs = Vec::new();
        let reading = self.read(&mut jobs).await?;
        let plan = self.cleaner.judge(jobs, reading);
        Ok(match self.claims(&plan).await? {
            None => plan,
            Some(claims) => plan.claimed(claims, &self.cleaner.policy),
        })
    }

    /// Ask GitOps tools and namespaces what they want, unless that makes no difference to a plan. If deletes may come next,
    /// get ready for them meanwhile.
    ///
    /// # Errors
    /// If a namespace that is to be asked cannot be.
    async fn claims(&self, plan: &Plan) -> Result<Option<Arc<Claims>>, Error> {
        let deletes = matches!(self.wanted.goal, Goal::Purge(_) | Goal::TryOnServer);
        if deletes && plan.purges().next().is_some() {
            self.cleaner.cluster.connection.get_ready();
        }
        let mut on_asking = |asked, waits: Option<(_, &str)>| show::asking(asked, waits, self.ui);
        let claims = self.cleaner.claims(plan, &mut on_asking).await;
        self.ui.finish();
        self.show_server_warnings();
        let claims = claims?;
        if let Some(claims) = &claims {
            self.ui.note(Verbosity::Verbose, &words::asked(claims));
        }
        Ok(claims)
    }

    /// List, and show how far it is.
    async fn read(&self, into: &mut dyn Sink) -> Result<Reading, Error> {
        let (server, place) = (&self.cleaner.cluster.connection.server, self.place());
        self.ui.note(
            Verbosity::Verbose,
            &format!(
                "listing Jobs {place} at {server}, grouped by {}",
                self.cleaner.query.grouping
            ),
        );
        self.ui
            .start_spinner("{spinner} {pos} Jobs read ({elapsed})");
        let mut on_event = |event: list::Event| show::list_event(&event, self.ui);
        let listed = self
            .cleaner
            .cluster
            .list(&self.cleaner.query, into, &mut on_event)
            .await;
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

    /// Ask, unless that is not wanted, and hold what was approved against what is there by then.
    ///
    /// # Errors
    /// If the question cannot be asked or is declined, the deletes would be refused, or the new list fails.
    pub(super) async fn approve(&self, plan: Candidate) -> Result<Approved, Ended> {
        let shown = &plan.shown;
        let asks = matches!(&self.wanted.goal, Goal::Purge(purge) if purge.ask);
        let is_asked = asks && shown.summary().purge > 0;
        if let Goal::Purge(Purge {
            backup: Some(backup),
            ..
        }) = &self.wanted.goal
            && (is_asked && Ui::can_ask().is_ok() || !asks && shown.summary().purge > 0)
        {
            unless_stopped(&self.stop, self.check_backup(shown, backup.parts)).await??;
        }
        if is_asked {
            match self.ask_first(shown).await {
                Err(ended) if ended.error.is_none() => {
                    return Err(Ended::with_plan(ended.exit, plan.shown));
                }
                asked => asked?,
            }
        }
        self.settle(plan, is_asked).await
    }

    /// Hold a plan against what is there by now, unless it was listed a moment ago.
    ///
    /// # Errors
    /// If the new list fails, or the run is asked to stop.
    pub(super) async fn settle(&self, plan: Candidate, is_asked: bool) -> Result<Approved, Ended> {
        let Candidate { shown, saved, .. } = plan;
        // The question may have stood for an hour.
        match saved {
            Some(saved) if is_asked || saved.read.elapsed() > MAX_AGE => {
                let (plan, earlier) = saved.approved.into_parts();
                // What had fallen out of it before it was shown stays out.
                let (approved, _) = self.list_again(plan).await?;
                Ok(approved.narrowed(earlier))
            }
            Some(saved) => Ok(saved.approved),
            None if shown.summary().purge > 0 && (is_asked || self.begun.elapsed() > MAX_AGE) => {
                let (approved, _) = self.list_again(shown).await?;
                Ok(approved)
            }
            None => Ok(Approved::as_planned(shown, self.cleaner.policy.clone())),
        }
    }

    /// Ask whether to carry a plan out.
    ///
    /// # Errors
    /// If it is not to be.
    async fn ask_first(&self, plan: &Plan) -> Result<(), Ended> {
        show::refuse_unseen("deleted", "delete")?;
        unless_stopped(&self.stop, self.check_access(plan)).await??;
        let (question, purge) = (self.question(plan), plan.summary().purge);
        let whole = || show::whole_plans(&[plan], false, self.ui);
        if show::ask(&question, purge, whole, self.ui, &self.stop).await? {
            return Ok(());
        }
        self.ui.note(Verbosity::Normal, "Nothing was deleted.");
        Err(Exit::Declined.into())
    }

    /// Hold a plan against what is there now.
    ///
    /// # Errors
    /// If the list fails. If the run is asked to stop meanwhile, it ends with the plan.
    async fn list_again(&self, plan: Plan) -> Result<(Approved, Reading), Ended> {
        let mut recheck = Recheck::new(plan);
        let again = async {
            let reading = self.read(&mut recheck).await?;
            let claims = self.claims(recheck.plan()).await?;
            Ok::<_, Error>((reading, claims.unwrap_or_default()))
        };
        match unless_stopped(&self.stop, again).await {
            Ok(read) => {
                let (reading, claims) = read?;
                // Why Jobs stay that were to go.
                for warning in claims.unreadable() {
                    self.ui.warning(&words::unreadable(warning));
                }
                let policy = self.cleaner.policy.clone();
                Ok((recheck.approve(reading.taken_at, policy, claims), reading))
            }
            Err(reason) => Err(Ended::with_plan(reason.into(), recheck.into_plan())),
        }
    }

    /// Find out, before the question to the user, whether the server would allow the deletes.
    ///
    /// Where the server does not answer that, the deletes themselves will tell.
    pub(super) async fn check_access(&self, plan: &Plan) -> Result<(), Error> {
        match self.denied(Right::DELETE_JOBS, plan).await {
            None => Ok(()),
            Some(why) => Err(Error::failure(format!(
                "nothing was deleted: you may not delete Jobs {}{why}",
                self.place()
            ))
            .hint(format!(
                "you need {}; --dry-run=client only plans",
                Right::DELETE_JOBS
            ))),
        }
    }

    /// Find out, before the first delete, whether the server would give what is to be saved: a Job is not deleted without.
    async fn check_backup(&self, plan: &Plan, parts: Parts) -> Result<(), Error> {
        for (right, part) in role::needs_of(parts) {
            if let Some(why) = self.denied(right, plan).await {
                let (verb, what) = (right.verb, right.role_resource());
                let place = self.place();
                let message = format!(
                    "nothing was deleted: you may not {verb} {what} {place}, which --backup-with {part} needs{why}"
                );
                return Err(Error::failure(message).hint(format!(
                    "you need {right}; `kubectl jobclean rbac` with the same flags prints the role"
                )));
            }
        }
        Ok(())
    }

    /// Whether the server says that this may not be done in any of the namespaces that a plan purges in; its reason, to
    /// follow a sentence.
    async fn denied(&self, right: Right, plan: &Plan) -> Option<String> {
        let cluster = &self.cleaner.cluster;
        let scope = &self.cleaner.query.scope;
        let mut access = cluster.may(right, scope.namespace()).await;
        if let (Scope::AllNamespaces, Access::Denied(_)) = (scope, &access) {
            // Rights in the namespaces that matter are enough; one of them is enough to go on.
            let mut namespaces: Vec<&str> = plan.purges().map(|job| job.namespace()).collect();
            namespaces.dedup();
            for namespace in namespaces {
                access = cluster.may(right, Some(namespace)).await;
                if !matches!(access, Access::Denied(_)) {
                    break;
                }
            }
        }
        access.denial()
    }

    fn question(&self, plan: &Plan) -> String {
        let summary = plan.summary();
        let place = self.where_it_is();
        let mut namespaces: Vec<&str> = plan.purges().map(|job| job.namespace()).collect();
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
    pub(super) async fn purge(&self, approved: Approved, orders: &Orders) -> Report {
        let template = show::purge_template(orders.options.effect);
        self.ui.start_bar(approved.targets().len(), &template);
        let (stop, ui) = (self.stop.clone(), self.ui);
        let format = self.printer.log();
        let mut log = format.map(|format| Log::new(format, approved.plan()));
        let mut not_saved = 0;
        let mut on_event = |event: purge::Event| {
            not_saved += usize::from(matches!(event, purge::Event::NotSaved { .. }));
            if let (Some(log), purge::Event::Settled { job, outcome }) = (&mut log, &event) {
                log.settled(job, outcome);
            }
            show::purge_event(&event, ui);
        };
        let report =
            purge::purge(approved, &self.cleaner.cluster, orders, stop, &mut on_event).await;
        self.ui.finish();
        if let Some(Err(error)) = log.map(|log| log.finish(&report)) {
            self.ui.failure(&stdout::cannot_write(&error));
            self.has_lost_lines.set(true);
        }
        if not_saved > 0 {
            let logs = count(not_saved, "log");
            ui.warning(&format!(
                "{logs} could not be had, and the backup is without; index.jsonl in it says why"
            ));
        }
        self.show_server_warnings();
        report
    }

    /// Stay until the Jobs are gone, if that was asked for.
    pub(super) async fn wait(&self, report: Report, orders: &Orders) -> Report {
        let Goal::Purge(wanted) = &self.wanted.goal else {
            return report;
        };
        let Patience::UntilGone(limit) = wanted.patience else {
            return report;
        };
        let (stop, ui) = (self.stop.clone(), self.ui);
        let mut on_event = |event: wait::Event| show::wait_event(&event, ui);
        let chunk_size = self.cleaner.query.chunk_size;
        let journal = orders.journal.as_ref();
        let before = journal.map(|journal| (journal, report.outcomes.clone()));
        let report = wait::wait(
            report,
            &self.cleaner.cluster,
            chunk_size,
            limit,
            stop,
            &mut on_event,
        )
        .await;
        if let Some((journal, before)) = before {
            journal.waited(&before, &report);
        }
        self.ui.finish();
        self.show_server_warnings();
        report
    }

    /// Show what became of the plan, and tell what the process exits with.
    pub(super) async fn report(&self, report: &Report, orders: &Orders) -> Exit {
        self.printer.tell(report, self.ui);
        let effect = orders.options.effect;
        let is_shown = self.printer.report(&[report], effect, self.ui);
        if let Goal::Purge(Purge {
            backup: Some(backup),
            ..
        }) = &self.wanted.goal
        {
            show::backup_note(&backup.path, report, self.ui);
        }
        let exit = match report.exit() {
            // What was done is not known to the program that reads it.
            Exit::Success if !is_shown || self.has_lost_lines.get() => Exit::Incomplete,
            exit => exit,
        };
        let Some(journal) = &orders.journal else {
            return exit;
        };
        match (journal.end(report.counts(), exit).await, exit) {
            (Ok(()), exit) => exit,
            (Err(why), exit) => {
                // The reason to stop has been told.
                if !matches!(report.ended_early, Some(EndedEarly::NotWritten(_))) {
                    self.ui.failure(&why);
                }
                match exit {
                    Exit::Success => Exit::Incomplete,
                    exit => exit,
                }
            }
        }
    }

    fn show_server_warnings(&self) {
        let mut connections = vec![&self.cleaner.cluster.connection];
        if let Some(Hub::Reached(hub)) = &self.cleaner.sources.argocd {
            connections.push(&hub.connection);
        }
        for connection in connections {
            for warning in connection.warnings.take() {
                self.ui.warning(&warning);
            }
        }
    }
}

/// Where GitOps tools are asked.
///
/// # Errors
/// If the context that leads to Argo CD is of no use.
async fn sources(
    places: &Places,
    flags: &ConnectionFlags,
    console: Arc<dyn Console>,
    ui: &Ui,
) -> Result<Sources, Error> {
    let argocd = match &places.argocd_context {
        None => None,
        Some(context) => {
            let flags = flags.of_context(context);
            // That there is such a context is the user's business; that its cluster cannot be reached keeps Jobs.
            check_names(&flags)?;
            // What an unchecked server can do is to withhold a reason to keep a Job.
            let hub = Connection::open(&flags, console, Unchecked::Allowed).await;
            Some(match hub {
                Ok(hub) => Hub::Reached(Box::new(Cluster::new(hub))),
                Err(why) => Hub::Unreachable(why.to_string()),
            })
        }
    };
    if let Some(Hub::Reached(hub)) = &argocd
        && hub.connection.is_insecure
    {
        ui.warning(
            "the certificate of Argo CD's cluster is not checked (insecure-skip-tls-verify)",
        );
    }
    Ok(Sources {
        argocd,
        namespaces: places.namespaces.clone(),
    })
}

/// What the flags ask to be listed.
///
/// # Errors
/// If the namespace of the context is one of those that are left out.
fn query(selection: &Selection, cluster: &Cluster) -> Result<Query, Error> {
    let mut query = selection.query.clone();
    if selection.is_in_context {
        let namespace = &cluster.connection.default_namespace;
        if let Some(pattern) = query.excludes(namespace) {
            let message = format!(
                "--exclude-namespace {pattern} leaves out {namespace}, the namespace of the context"
            );
            return Err(Error::new(Exit::Usage, message)
                .hint("-n names another namespace, -A looks in every other one"));
        }
        query.scope = Scope::Namespace(namespace.clone());
    }
    Ok(query)
}

fn backup_dir(backup: &Backup, grouping: &Grouping) -> Result<BackupDir, Error> {
    let Backup { path, parts } = backup;
    BackupDir::create(path, *parts, grouping.clone()).map_err(|error| {
        let (path, why) = (path.display(), io_words(&error));
        Error::failure(format!("cannot back up into {path}: {why}"))
            .hint("name a folder that you may write to")
    })
}

fn open_journal(path: &Path) -> Result<Journal, Error> {
    Journal::open(path).map_err(|error| {
        let (path, why) = (path.display(), io_words(&error));
        Error::failure(format!("cannot write the journal {path}: {why}"))
            .hint("name a file that you may write to, for one run at a time")
    })
}
