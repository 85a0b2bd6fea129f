//! The story: connect → list → plan → show → confirm → purge → report.

mod choose;
pub mod role;
pub mod saved_plan;
pub mod session;
pub mod show;
mod wait;

use std::path::Path;

use tokio::sync::watch;

use self::{
    role::{Grant, needs},
    session::{Decision, Session, unless_stopped},
};
use crate::{
    cli::{Cli, DryRun, Format, Patience, ServiceAccount, Shell, completion},
    cluster::delete::Effect,
    connection::target::default_namespace,
    decode::file,
    error::{Error, Exit, Stop, io_words},
    job::query::Scope,
    output::{View, saved::SavedPlan},
    plan::{Plan, Snapshot, Source, Warning},
    purge::backup::BackupDir,
    text::{count, harmless},
    time,
    ui::Ui,
};

/// Print the version, as `kubectl jobclean version` does.
///
/// # Errors
/// If it cannot be written.
pub fn print_version() -> Result<Exit, Error> {
    show::write_only(|out| writeln!(out, "kubectl-jobclean {}", env!("CARGO_PKG_VERSION")))?;
    Ok(Exit::Success)
}

/// Print the script that completes the command line in a shell.
///
/// # Errors
/// If it cannot be written.
pub fn print_completion(shell: Shell) -> Result<Exit, Error> {
    show::write_only(|out| out.write_all(completion::script(shell).as_bytes()))?;
    Ok(Exit::Success)
}

/// Print the least role that a run needs, and its binding to an account. No cluster is contacted.
///
/// # Errors
/// If the run needs no rights, or another account's, or it does not say where; or if it cannot be written.
pub fn print_role(run: &Cli, account: Option<&ServiceAccount>) -> Result<Exit, Error> {
    let needs = needs(run);
    if needs.is_empty() {
        let message = "this run needs no rights: it only shows what is in a file";
        return Err(Error::new(Exit::Usage, message).hint("leave --filename out"));
    }
    if let Some(user) = &run.connection.impersonate {
        let message = format!(
            "with --as the rights are those of another: {}",
            harmless(user)
        );
        return Err(Error::new(Exit::Usage, message)
            .hint("leave --as and its companions out, and bind the role to whom they name"));
    }
    let scope = match (&run.action.plan, run.which.scope()) {
        (Some(path), _) => {
            let plan = SavedPlan::load(path, run.action.chunk_size).map_err(|error| {
                let message = format!("cannot read the plan {}: {error}", path.display());
                Error::failure(message).hint("save the plan anew with --save-plan")
            })?;
            plan.query.scope
        }
        (None, Some(scope)) => scope,
        (None, None) => {
            let namespace = default_namespace(&run.connection).map_err(|error| {
                let message = format!("cannot tell the namespace: {error}");
                Error::failure(message).hint("name it with -n, or give -A for all")
            })?;
            Scope::Namespace(namespace)
        }
    };
    let grant = Grant { needs, scope };
    show::write_only(|out| grant.write(out, account))?;
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
        Error::failure(format!("cannot plan from {shown}: {cause}"))
            .hint("give what `kubectl get jobs -o json` prints, as JSON or YAML")
    })?;
    let mut plan = Plan::new(
        Snapshot {
            source: Source::File {
                path: path.to_owned(),
            },
            labels: cli.which.labels.clone(),
            resource_version: contents.resource_version,
            taken_at: time::now(),
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
    let mut place = format!("in {shown}");
    if let Some(namespace) = wanted.namespace {
        place = format!("in namespace {namespace} {place}");
    }
    if !selector.is_empty() {
        place += &format!(" matching {selector}");
    }
    show::warnings(&plan, &place, ui);
    show::where_else_to_look(&plan, wanted.namespace.is_some(), ui);
    refuse_bare_names(cli, &plan)?;
    let listed = plan.summary().jobs;
    let held = check_limit(cli, &mut plan, listed);
    show::print_only(cli, View::Plan(&plan), ui)?;
    held.map(|()| Exit::Success)
}

/// A name alone says nothing where there are several namespaces: what reads it would delete in the wrong one.
fn refuse_bare_names(cli: &Cli, plan: &Plan) -> Result<(), Error> {
    if cli.output.format != Format::Name || plan.namespaces() < 2 {
        return Ok(());
    }
    let message = format!(
        "-o name prints no namespaces, and the plan has {} of them",
        plan.namespaces()
    );
    Err(Error::new(Exit::Usage, message)
        .hint("-o tsv prints a row a Job with its namespace; -n plans for one namespace"))
}

/// Hold the plan if it does not keep to `--max-purge` of the Jobs listed.
fn check_limit(cli: &Cli, plan: &mut Plan, listed: usize) -> Result<(), Error> {
    let exceeded = (cli.action.max_purge).and_then(|limit| plan.limit(limit, listed));
    match exceeded {
        None => Ok(()),
        Some(exceeded) => Err(Error::new(
            Exit::Held,
            format!(
                "nothing was deleted: the plan would purge {} of {}, more than --max-purge {}",
                exceeded.purge,
                count(exceeded.listed, "Job"),
                exceeded.limit
            ),
        )
        .hint("look at the plan; if it is right, raise --max-purge")),
    }
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
    if cli.action.interactive && !ui.can_choose() {
        return Err(Error::new(
            Exit::Usage,
            "nothing was deleted: there is no terminal to choose groups on",
        )
        .hint("leave --interactive out and select with --namespace and --selector"));
    }
    if let Some(path) = &cli.action.save_plan {
        saved_plan::check_target(path)?;
    }
    let begun = unless_stopped(&stop, Session::begin(cli, ui, stop.clone())).await;
    let (session, plan) = match begun {
        Ok(begun) => begun?,
        Err(reason) => {
            ui.finish();
            return Ok(reason.into());
        }
    };
    let candidate = match session.prepare(plan).await? {
        Ok(candidate) => candidate,
        Err((exit, plan)) => return not_carried_out(cli, exit, &plan, ui),
    };
    let listed = candidate.shown.summary().jobs;
    let mut candidate = if cli.action.interactive {
        match session.choose(candidate).await {
            Ok(chosen) => chosen,
            Err((exit, plan)) => return not_carried_out(cli, exit, &plan, ui),
        }
    } else {
        candidate
    };
    refuse_bare_names(cli, &candidate.shown)?;
    if let Err(held) = check_limit(cli, &mut candidate.shown, listed) {
        show::print_only(cli, View::Plan(&candidate.shown), ui)?;
        return Err(held);
    }
    if let Some(path) = &cli.action.save_plan {
        show::print_only(cli, View::Plan(&candidate.shown), ui)?;
        return match unless_stopped(&stop, session.save(candidate.shown, path)).await {
            Ok(saved) => saved.map(|()| Exit::Success),
            Err(reason) => Ok(reason.into()),
        };
    }
    let backup = match (&cli.action.backup, cli.action.dry_run) {
        (Some(path), DryRun::None) => Some(backup_dir(path)?),
        _ => None,
    };
    let (approved, effect) = match cli.action.dry_run {
        DryRun::Client => {
            show::print_only(cli, View::Plan(&candidate.shown), ui)?;
            return Ok(Exit::Success);
        }
        // Each Job is shown once, with what the server said to its delete.
        DryRun::Server => match session.without_asking(candidate).await? {
            Decision::CarryOut(approved) => (approved, Effect::DryRun),
            Decision::Stop(exit, plan) => return not_carried_out(cli, exit, &plan, ui),
        },
        DryRun::None => {
            show::before_purge(cli, &candidate.shown, ui)?;
            match session.approve(candidate).await? {
                Decision::CarryOut(approved) => (approved, Effect::Delete),
                Decision::Stop(exit, plan) => return not_carried_out(cli, exit, &plan, ui),
            }
        }
    };
    let mut report = session.carry_out(*approved, effect, backup).await;
    if let (Patience::UntilGone(limit), Effect::Delete) = (cli.action.waiting.patience(), effect) {
        report = session.wait(report, limit).await;
    }
    let is_shown = show::report(cli, &report, effect, ui);
    Ok(match report.exit() {
        // What was done is not known to the program that reads it.
        Exit::Success if !is_shown => Exit::Incomplete,
        exit => exit,
    })
}

/// A program that reads a document gets one in any case.
fn not_carried_out(cli: &Cli, exit: Exit, plan: &Plan, ui: &Ui) -> Result<Exit, Error> {
    if cli.output.format.is_for_programs() {
        show::print_only(cli, View::Plan(plan), ui)?;
    }
    Ok(exit)
}

fn backup_dir(path: &Path) -> Result<BackupDir, Error> {
    BackupDir::create(path).map_err(|error| {
        Error::failure(format!(
            "cannot back up into {}: {}",
            path.display(),
            io_words(&error)
        ))
        .hint("name a folder that you may write to")
    })
}
