//! The story: connect → list → plan → show → confirm → purge → report.

use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    cli::{Cli, DryRun},
    cluster::{
        Cluster,
        delete::{DeleteOptions, Effect},
        list::{Query, Scope},
    },
    error::{Error, Exit, io_words},
    file,
    output::{View, words},
    plan::{Plan, Snapshot, Source, Warning},
    purge::{self, Report, Stop},
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
            taken_at: now(),
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
    show::warnings(&plan, &format!("in {shown}"), ui);
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
    let plan = {
        let mut stop = stop.clone();
        tokio::select! {
            plan = connect_and_plan(cli, ui) => plan,
            reason = stopped(&mut stop) => {
                ui.finish();
                return Ok(exit_of(reason));
            }
        }
    };
    let (cluster, plan) = plan?;
    let purge_count = plan.summary().purge;
    let effect = match cli.action.dry_run {
        DryRun::Client => None,
        DryRun::Server => Some(Effect::DryRun),
        DryRun::None => Some(Effect::Delete),
    };
    let effect = effect.filter(|_| purge_count > 0);
    match effect {
        None => {
            show::print(cli, View::Plan(&plan))?;
            return Ok(Exit::Success);
        }
        // A dry run on the server shows each Job once, with what the server said to it.
        Some(Effect::DryRun) => {}
        Some(Effect::Delete) => {
            show::before_purge(cli, &plan, ui)?;
            match confirm(cli, &cluster, &plan, ui, stop.clone()).await? {
                Answer::Yes => {}
                Answer::No => {
                    ui.note(Verbosity::Normal, "Nothing was deleted.");
                    return Ok(Exit::Declined);
                }
                Answer::Interrupted => return Ok(Exit::Interrupted),
            }
        }
    }
    let options = DeleteOptions {
        cascade: cli.action.cascade,
        effect: effect.unwrap_or(Effect::DryRun),
    };
    let report = carry_out(cli, &cluster, plan, options, ui, stop).await;
    for warning in cluster.warnings.take() {
        ui.warning(&warning);
    }
    show::report(cli, &report, options.effect, ui)?;
    Ok(report.exit())
}

async fn connect_and_plan(cli: &Cli, ui: &Ui) -> Result<(Cluster, Plan), Error> {
    let cluster = Cluster::connect(&cli.connection).await?;
    if cli.connection.insecure_skip_tls_verify {
        ui.warning("the server's certificate is not checked (--insecure-skip-tls-verify)");
    }
    let namespace = cli
        .which
        .namespace
        .as_deref()
        .unwrap_or(&cluster.default_namespace);
    let scope = match cli.which.all_namespaces {
        true => Scope::AllNamespaces,
        false => Scope::Namespace(namespace.to_owned()),
    };
    let query = Query {
        labels: cli.which.labels.clone(),
        selector: cli.which.selector.clone().unwrap_or_default(),
        scope,
        chunk_size: cli.action.chunk_size,
    };
    let place = match &query.scope {
        Scope::AllNamespaces => "in any namespace".to_owned(),
        Scope::Namespace(namespace) => format!("in namespace {namespace}"),
    };
    ui.note(
        Verbosity::Verbose,
        &format!(
            "listing Jobs {place} at {} with the label {}",
            cluster.server,
            words::label_list(&query.labels)
        ),
    );
    ui.start_spinner("{spinner} {pos} Jobs read ({elapsed})");
    let listed = cluster
        .list(&query, &mut |event| show::list_event(&event, ui))
        .await;
    ui.finish();
    let snapshot = listed?;
    for warning in cluster.warnings.take() {
        ui.warning(&warning);
    }
    ui.note(
        Verbosity::Verbose,
        &format!(
            "{} read at resourceVersion {}",
            words::count(snapshot.jobs.len(), "Job"),
            snapshot.resource_version
        ),
    );
    let plan = Plan::new(snapshot, &cli.kept.policy());
    show::warnings(&plan, &place, ui);
    if plan.groups.is_empty() && query.scope != Scope::AllNamespaces {
        ui.note(
            Verbosity::Normal,
            "hint: -A looks in every namespace, -L names another label",
        );
    } else if plan.groups.is_empty() {
        ui.note(Verbosity::Normal, "hint: -L names another label");
    }
    Ok((cluster, plan))
}

async fn confirm(
    cli: &Cli,
    cluster: &Cluster,
    plan: &Plan,
    ui: &Ui,
    mut stop: watch::Receiver<Option<Stop>>,
) -> Result<Answer, Error> {
    if cli.action.yes {
        return Ok(Answer::Yes);
    }
    if !Ui::can_ask() {
        return Err(Error::new(
            Exit::Usage,
            "nothing was deleted: there is no terminal to ask the question on",
        )
        .hint("add --yes to delete without asking, or --dry-run to change nothing"));
    }
    let summary = plan.summary();
    let place = match cluster.context.as_str() {
        "" => harmless(&cluster.server).into_owned(),
        context => format!("{} ({})", harmless(context), harmless(&cluster.server)),
    };
    let question = format!(
        "Purge {} in {} from {place}?",
        words::count(summary.purge, "Job"),
        words::count(summary.groups_to_purge, "group"),
    );
    tokio::select! {
        answer = ui.confirm(&question) => Ok(answer),
        reason = stopped(&mut stop) => Err(Error::new(exit_of(reason), "interrupted at the question: nothing was deleted")),
    }
}

async fn carry_out(
    cli: &Cli,
    cluster: &Cluster,
    plan: Plan,
    options: DeleteOptions,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
) -> Report {
    let verb = match options.effect {
        Effect::Delete => "purged",
        Effect::DryRun => "tried",
    };
    ui.start_bar(
        plan.summary().purge,
        &format!("{{bar:30}} {{pos}}/{{len}} {verb}, {{per_sec}}, {{eta}} left"),
    );
    let concurrency = usize::from(cli.action.concurrency);
    let mut on_event = |event: purge::Event| show::purge_event(&event, ui);
    let report = purge::purge(plan, cluster, options, concurrency, stop, &mut on_event).await;
    ui.finish();
    report
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

/// This moment in whole seconds, as the server stamps Jobs.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
