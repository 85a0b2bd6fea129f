//! The story: connect → list → plan → show → confirm → purge → report.

use std::io::{self, BufWriter, Write};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    cli::{Cli, DryRun, Format},
    cluster::{
        Cluster,
        connect::io_words,
        delete::{DeleteOptions, Effect},
        list::{self, Query, Scope},
    },
    error::{Error, Exit},
    file,
    outcome::Outcome,
    output::{Headers, View, document, name, summary, table, words},
    plan::{Plan, Snapshot, Source, Warning},
    purge::{self, EndedEarly, Report, Stop},
    text::harmless,
    ui::{Answer, Ui, Verbosity},
};

/// More warnings than this of one plan are counted, not shown; a document has them all.
const WARNINGS_SHOWN: usize = 10;

/// Print the version, as `kubectl jobclean version` does.
///
/// # Errors
/// If it cannot be written.
pub fn print_version() -> Result<Exit, Error> {
    write_out(|out| writeln!(out, "kubectl-jobclean {}", env!("CARGO_PKG_VERSION")))?;
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
    show_warnings(&plan, &format!("in {shown}"), ui);
    print(cli, View::Plan(&plan))?;
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
            print(cli, View::Plan(&plan))?;
            return Ok(Exit::Success);
        }
        // A dry run on the server shows each Job once, with what the server said to it.
        Some(Effect::DryRun) => {}
        Some(Effect::Delete) => {
            show_before_purge(cli, &plan, ui)?;
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
    show_report(cli, &report, options.effect, ui)?;
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
        .list(&query, &mut |event| show_list_event(&event, ui))
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
    show_warnings(&plan, &place, ui);
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

fn show_list_event(event: &list::Event, ui: &Ui) {
    match event {
        list::Event::Read(count) => ui.progress(*count),
        list::Event::Waiting { delay, why } => ui.note(
            Verbosity::Verbose,
            &format!(
                "waiting {:.1} s before asking for the list again: {why}",
                delay.as_secs_f32()
            ),
        ),
        list::Event::StartingOver { why } => {
            ui.progress(0);
            ui.note(
                Verbosity::Verbose,
                &format!("starting the list over: {why}"),
            );
        }
    }
}

/// Show the warnings of a plan; `place` says where Jobs were looked for.
fn show_warnings(plan: &Plan, place: &str, ui: &Ui) {
    for warning in plan.warnings.iter().take(WARNINGS_SHOWN) {
        let text = words::warning(plan, warning);
        match warning {
            Warning::NothingFound => ui.warning(&format!("{text} {place}")),
            _ => ui.warning(&text),
        }
    }
    let more = plan.warnings.len().saturating_sub(WARNINGS_SHOWN);
    if more > 0 {
        ui.warning(&format!(
            "{more} more warnings are in the document that -o json prints"
        ));
    }
}

/// A purge is preceded by the whole plan: on stdout in the forms for people, else on stderr if somebody will be asked.
fn show_before_purge(cli: &Cli, plan: &Plan, ui: &Ui) -> Result<(), Error> {
    match cli.output.format {
        Format::Table | Format::Wide | Format::Summary | Format::Name => {
            print(cli, View::Plan(plan))?
        }
        Format::Json | Format::Yaml => {}
    }
    let for_program = matches!(
        cli.output.format,
        Format::Json | Format::Yaml | Format::Name
    );
    if for_program && !cli.action.yes {
        let mut text = Vec::new();
        let style = ui.stderr_style(headers(cli));
        table::write(&mut text, View::Plan(plan), table::Columns::Normal, style)
            .map_err(|e| write_error(&e))?;
        ui.text(&String::from_utf8_lossy(&text));
    }
    Ok(())
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
        &format!("{{bar:30}} {{pos}}/{{len}} {verb}, {{per_sec:0}}, {{eta}} left"),
    );
    let concurrency = usize::from(cli.action.concurrency);
    let report = purge::purge(
        plan,
        cluster,
        options,
        concurrency,
        stop,
        &mut |event| match event {
            purge::Event::Settled { job, outcome } => {
                ui.step();
                let who = format!("{}/{}", job.namespace, job.name);
                match outcome {
                    Outcome::Failed(message) => {
                        ui.failure(&format!("cannot delete Job {who}: {message}"))
                    }
                    Outcome::Changed => {
                        ui.warning(&format!("Job {who} has changed since the plan: left alone"))
                    }
                    other => ui.note(Verbosity::Debug, &format!("Job {who}: {}", other.as_str())),
                }
            }
            purge::Event::Waiting { job, delay, why } => ui.note(
                Verbosity::Verbose,
                &format!(
                    "waiting {:.1} s before trying Job {}/{} again: {why}",
                    delay.as_secs_f32(),
                    job.namespace,
                    job.name
                ),
            ),
            purge::Event::Stopping { in_flight } => ui.note(
                Verbosity::Normal,
                &format!(
                    "stopping: {} in flight will finish; once more to leave at once",
                    words::count(in_flight, "delete")
                ),
            ),
        },
    )
    .await;
    ui.finish();
    report
}

fn show_report(cli: &Cli, report: &Report, effect: Effect, ui: &Ui) -> Result<(), Error> {
    match &report.ended_early {
        Some(EndedEarly::SameRefusal(why)) => ui.failure(&format!(
            "stopped early: the same refusal again and again: {why}"
        )),
        Some(EndedEarly::Unreachable(why)) => {
            ui.failure(&format!("stopped early: the server does not answer: {why}"))
        }
        Some(EndedEarly::Stopped(_)) | None => {}
    }
    let counts = words::outcomes(report.counts(), report.outcomes.len());
    let written = match (cli.output.format, effect) {
        // The plan has been shown already; what is new are the outcomes.
        (Format::Table | Format::Wide | Format::Summary, Effect::Delete) => {
            write_out(|out| writeln!(out, "{counts}"))
        }
        (Format::Name, Effect::Delete) => {
            ui.note(Verbosity::Normal, &counts);
            Ok(())
        }
        _ => print(cli, View::Report(report)),
    };
    // Whatever happens to stdout, the outcomes are told.
    written.inspect_err(|_| ui.failure(&format!("the report could not be written; {counts}")))
}

fn print(cli: &Cli, view: View) -> Result<(), Error> {
    let style = Ui::stdout_style(headers(cli));
    write_out(|out| match cli.output.format {
        Format::Table => table::write(out, view, table::Columns::Normal, style),
        Format::Wide => table::write(out, view, table::Columns::Wide, style),
        Format::Summary => summary::write(out, view, style),
        Format::Json => document::write_json(out, view),
        Format::Yaml => document::write_yaml(out, view),
        Format::Name => name::write(out, view),
    })
}

fn write_out(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
    let mut out = BufWriter::new(io::stdout().lock());
    write(&mut out)
        .and_then(|()| out.flush())
        .map_err(|error| write_error(&error))
}

fn write_error(error: &io::Error) -> Error {
    Error::new(
        Exit::Failure,
        format!("cannot write the plan or report: {}", io_words(error)),
    )
}

fn headers(cli: &Cli) -> Headers {
    match cli.output.no_headers {
        true => Headers::Hide,
        false => Headers::Show,
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

/// This moment in whole seconds, as the server stamps Jobs.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
