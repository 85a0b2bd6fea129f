//! The story: connect → list → plan → show → confirm → purge → report.

use tokio::sync::watch;

use crate::{
    approval::Approved,
    cli::{Cli, DryRun},
    clock,
    cluster::{
        Cluster,
        delete::{DeleteOptions, Effect},
        list::{self, Query, Scope},
    },
    error::{Error, Exit, io_words},
    file,
    output::{View, words},
    plan::{Plan, Snapshot, Source, Warning},
    purge::{self, Orders, Report, Stop},
    show,
    text::harmless,
    ui::{Answer, Ui, Verbosity},
};

/// Print the version, as `kubectl jobclean version` does.
///
/// # Errors
/// If it cannot be written.
pub fn print_version() -> Result<Exit, Error> {
    show::write_out(|out| writeln!(out, "kubectl-jobclean {}", env!("CARGO_PKG_VERSION")))?;
    Ok(Exit::Success)
}

/// Plan from a file, and print the plan. No cluster is contacted, so nothing can be deleted.
///
/// # Errors
/// If the file gives no plan, or the plan cannot be written.
pub fn run_file(cli: &Cli, path: &str, ui: &Ui) -> Result<Exit, Error> {
    let selector = cli.which.selector.clone().unwrap_or_default();
    let wanted = file::Wanted {
        labels: &cli.which.labels,
        selector: &selector,
        namespace: match cli.which.all_namespaces {
            true => None,
            false => cli.which.namespace.as_deref(),
        },
    };
    let shown = if path == "-" { "standard input" } else { path };
    let contents = file::read(path, &wanted).map_err(|error| {
        let cause = match &error {
            file::FileError::Read(cause) => io_words(cause),
            other => other.to_string(),
        };
        Error::new(Exit::Failure, format!("cannot plan from {shown}: {cause}"))
            .hint("give what `kubectl get jobs -o json` prints, as JSON or YAML")
    })?;
    let mut plan = Plan::new(
        Snapshot {
            source: Source::File {
                path: path.to_owned(),
            },
            labels: cli.which.labels.clone(),
            resource_version: contents.resource_version,
            taken_at: clock::now(),
            jobs: contents.jobs,
        },
        &cli.kept.policy(),
    );
    if !contents.ignored.is_empty() {
        plan.warnings.push(Warning::Ignored {
            what: contents.ignored,
        });
    }
    if cli.action.dry_run == DryRun::Server {
        ui.warning("no cluster is contacted with --filename: the plan is not tried on a server");
    }
    let place = match selector.is_empty() {
        true => format!("in {shown}"),
        false => format!("in {shown} matching {selector}"),
    };
    show::warnings(&plan, &place, ui);
    show::print(cli, View::Plan(&plan))?;
    Ok(Exit::Success)
}

/// Clean a cluster. `stop` becomes something when the run is asked to stop.
///
/// # Errors
/// If anything goes wrong before the first delete.
pub async fn run_cluster(
    cli: &Cli,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
) -> Result<Exit, Error> {
    let begun = unless_stopped(&stop, Session::begin(cli, ui, stop.clone())).await;
    let (session, plan) = match begun {
        Ok(begun) => begun?,
        Err(reason) => {
            ui.finish();
            return Ok(exit_of(reason));
        }
    };
    let (approved, effect) = match cli.action.dry_run {
        DryRun::Client => {
            show::print(cli, View::Plan(&plan))?;
            return Ok(Exit::Success);
        }
        // Each Job is shown once, with what the server said to its delete.
        DryRun::Server => (
            Approved::as_planned(plan, cli.kept.policy()),
            Effect::DryRun,
        ),
        DryRun::None => {
            show::before_purge(cli, &plan, ui)?;
            match session.approve(plan).await? {
                Ok(approved) => (approved, Effect::Delete),
                Err(exit) => return Ok(exit),
            }
        }
    };
    let report = session.carry_out(approved, effect).await;
    show::report(cli, &report, effect, ui);
    Ok(report.exit())
}

/// One run against one cluster.
struct Session<'a> {
    cli: &'a Cli,
    ui: &'a Ui,
    stop: watch::Receiver<Option<Stop>>,
    cluster: Cluster,
    query: Query,
}

impl<'a> Session<'a> {
    /// Connect, list and plan.
    async fn begin(
        cli: &'a Cli,
        ui: &'a Ui,
        stop: watch::Receiver<Option<Stop>>,
    ) -> Result<(Session<'a>, Plan), Error> {
        let cluster = Cluster::connect(&cli.connection).await?;
        if cli.connection.insecure_skip_tls_verify {
            ui.warning("the server's certificate is not checked (--insecure-skip-tls-verify)");
        }
        let query = Query {
            labels: cli.which.labels.clone(),
            selector: cli.which.selector.clone().unwrap_or_default(),
            scope: match (cli.which.all_namespaces, &cli.which.namespace) {
                (true, _) => Scope::AllNamespaces,
                (false, Some(namespace)) => Scope::Namespace(namespace.clone()),
                (false, None) => Scope::Namespace(cluster.default_namespace.clone()),
            },
            chunk_size: cli.action.chunk_size,
        };
        let session = Session {
            cli,
            ui,
            stop,
            cluster,
            query,
        };
        let plan = session.plan().await?;
        show::warnings(&plan, &session.place(), ui);
        if plan.groups.is_empty() {
            let hint = match session.query.scope {
                Scope::AllNamespaces => "hint: -L names another label",
                Scope::Namespace(_) => "hint: -A looks in every namespace, -L names another label",
            };
            ui.note(Verbosity::Normal, hint);
        }
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
        let labels = words::label_list(&self.query.labels);
        let (server, place) = (&self.cluster.server, self.place());
        self.ui.note(
            Verbosity::Verbose,
            &format!("listing Jobs {place} at {server} with the label {labels}"),
        );
        self.ui
            .start_spinner("{spinner} {pos} Jobs read ({elapsed})");
        let mut on_event = |event: list::Event| show::list_event(&event, self.ui);
        let listed = self.cluster.list(&self.query, &mut on_event).await;
        self.ui.finish();
        self.show_server_warnings();
        let snapshot = listed?;
        self.ui.note(
            Verbosity::Verbose,
            &format!(
                "{} read at resourceVersion {}",
                words::count(snapshot.jobs.len(), "Job"),
                snapshot.resource_version
            ),
        );
        Ok(Plan::new(snapshot, &self.cli.kept.policy()))
    }

    /// Ask, and hold what was approved against what is there by then; `Err` if it was not approved.
    async fn approve(&self, plan: Plan) -> Result<Result<Approved, Exit>, Error> {
        let policy = self.cli.kept.policy();
        if self.cli.action.yes || plan.summary().purge == 0 {
            return Ok(Ok(Approved::as_planned(plan, policy)));
        }
        if !Ui::can_ask() {
            return Err(Error::new(
                Exit::Usage,
                "nothing was deleted: there is no terminal to ask the question on",
            )
            .hint("add --yes to delete without asking, or --dry-run to change nothing"));
        }
        match unless_stopped(&self.stop, self.ui.confirm(&self.question(&plan))).await {
            Ok(Answer::Yes) => {}
            Ok(Answer::No) => {
                self.ui.note(Verbosity::Normal, "Nothing was deleted.");
                return Ok(Err(Exit::Declined));
            }
            Ok(Answer::Interrupted) => return Ok(Err(Exit::Interrupted)),
            Err(reason) => return Ok(Err(exit_of(reason))),
        }
        // The question may have stood for an hour.
        let fresh = match unless_stopped(&self.stop, self.plan()).await {
            Ok(fresh) => fresh?,
            Err(reason) => return Ok(Err(exit_of(reason))),
        };
        Ok(Ok(Approved::rechecked(plan, fresh, policy)))
    }

    fn question(&self, plan: &Plan) -> String {
        let summary = plan.summary();
        let server = harmless(&self.cluster.server);
        let place = match self.cluster.context.as_str() {
            "" => server.into_owned(),
            context => format!("{} ({server})", harmless(context)),
        };
        format!(
            "Purge {} in {} from {place}?",
            words::count(summary.purge, "Job"),
            words::count(summary.groups_to_purge, "group"),
        )
    }

    async fn carry_out(&self, approved: Approved, effect: Effect) -> Report {
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

    fn show_server_warnings(&self) {
        for warning in self.cluster.warnings.take() {
            self.ui.warning(&warning);
        }
    }
}

/// Do something, unless the run is asked to stop meanwhile.
async fn unless_stopped<T>(
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
async fn stopped(stop: &mut watch::Receiver<Option<Stop>>) -> Stop {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        // Nobody is left who could ask.
        _ => std::future::pending().await,
    }
}

fn exit_of(stop: Stop) -> Exit {
    match stop {
        Stop::Interrupt => Exit::Interrupted,
        Stop::Terminate => Exit::Terminated,
    }
}
