//! The story of a run against several clusters: every plan before any question, and one question for all of them.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use tokio::sync::watch;

use super::{
    Ended,
    session::{Candidate, Session},
    show::{self, Printer},
};
use crate::{
    cli::{Goal, OnCluster, Several},
    cluster::delete::Effect,
    connection::{
        flags::ConnectionFlags,
        kubeconfig::{Entry, entry_names},
    },
    error::{Error, Exit, Stop},
    output::View,
    plan::{Plan, max_purge::MaxPurge, report::Report},
    purge::stop::unless_stopped,
    text::count,
    ui::{Ui, Verbosity},
};

/// Clean the clusters of these contexts.
///
/// # Errors
/// If the run ends before its reports, since it failed for one of them or was asked to end.
pub(super) async fn story(
    wanted: &OnCluster,
    several: &Several,
    max_purge: Option<MaxPurge>,
    printer: Printer,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
) -> Result<Exit, Ended> {
    let contexts = contexts(several, &wanted.connection)?;
    let uis: Vec<Ui> = contexts.iter().map(|name| ui.of_cluster(name)).collect();
    let mut sessions = Vec::new();
    // One after the other: each may ask the user to log in.
    for (context, ui) in contexts.iter().zip(&uis) {
        let flags = ConnectionFlags {
            context: Some(context.clone()),
            ..wanted.connection.clone()
        };
        let connecting = Session::connect(wanted, &flags, printer, ui, stop.clone());
        let connected = unless_stopped(&stop, connecting).await?;
        sessions.push(connected.map_err(|error| of_cluster(context, error))?);
    }
    refuse_same_server(contexts.iter().zip(&sessions))?;
    let mut clusters = plan(sessions, several, ui).await?;
    let is_partial = clusters.len() < contexts.len();
    refuse_same_cluster(&clusters).await?;
    let asks = matches!(&wanted.goal, Goal::Purge(purge) if purge.ask);
    check(&mut clusters, max_purge, printer, ui)?;
    let effect = match &wanted.goal {
        Goal::Show | Goal::Save(_) => {
            printer.print_only(&views(&clusters), ui)?;
            return Err(exit(Exit::Success, is_partial).into());
        }
        // Each Job is shown once, with what the server said to its delete.
        Goal::TryOnServer => Effect::DryRun,
        Goal::Purge(_) => {
            let cascade = wanted.deletes.cascade;
            let shown: Vec<&Plan> = clusters
                .iter()
                .map(|cluster| cluster.plan.shown())
                .collect();
            printer.before_purge(&shown, asks, cascade, ui)?;
            Effect::Delete
        }
    };
    let is_asked = asks && purges(&clusters) > 0;
    if is_asked && !ask(&clusters, ui, &stop).await? {
        ui.note(Verbosity::Normal, "Nothing was deleted.");
        if printer.is_for_programs() {
            printer.print_only(&views(&clusters), ui)?;
        }
        return Err(Exit::Declined.into());
    }
    let clusters = clusters.into_iter();
    let (sessions, plans): (Vec<_>, Vec<_>) = clusters
        .map(|cluster| (cluster.session, cluster.plan))
        .unzip();
    // None of them deletes before all of them may.
    let approved = join_all(
        (sessions.iter().zip(plans)).map(|(session, plan)| session.settle(plan, is_asked)),
    );
    let approved: Vec<_> = (sessions.iter().zip(approved.await))
        .map(|(session, approved)| approved.map_err(|ended| named(session.context(), ended)))
        .collect::<Result<_, Ended>>()?;
    let all: usize = approved
        .iter()
        .map(|approved| approved.targets().len())
        .sum();
    ui.start_bar(all, &show::purge_template(effect));
    let orders: Vec<_> = (sessions.iter())
        .map(|session| session.orders(effect, None, None))
        .collect();
    let carried_out = sessions.iter().zip(approved).zip(&orders);
    let reports = join_all(carried_out.map(|((session, approved), orders)| async move {
        let report = session.purge(approved, orders).await;
        session.wait(report, orders).await
    }));
    let reports = reports.await;
    ui.finish();
    for (report, ui_here) in reports.iter().zip(sessions.iter().map(Session::ui)) {
        printer.tell(report, ui_here);
    }
    let all: Vec<&Report> = reports.iter().collect();
    let is_shown = printer.report(&all, effect, ui);
    let worst = (reports.iter().map(Report::exit)).max_by_key(|exit| exit.code());
    Ok(match exit(worst.unwrap_or(Exit::Success), is_partial) {
        Exit::Success if !is_shown => Exit::Incomplete,
        exit => exit,
    })
}

/// A cluster with its plan.
struct Cluster<'a> {
    session: Session<'a>,
    plan: Candidate,
}

/// The contexts that match, in order.
///
/// # Errors
/// If one of the patterns matches none.
fn contexts(several: &Several, flags: &ConnectionFlags) -> Result<Vec<String>, Error> {
    let mut names = entry_names(flags, Entry::Context)?;
    names.sort_unstable();
    for pattern in &several.contexts {
        if !names.iter().any(|name| pattern.matches(name)) {
            let message = format!("--contexts {}: no context matches", pattern.as_str());
            return Err(Error::failure(message).hint(match names.as_slice() {
                [] => "there are none; KUBECONFIG or --kubeconfig names the file".to_owned(),
                names => format!("there are {}", names.join(", ")),
            }));
        }
    }
    names.retain(|name| several.contexts.iter().any(|pattern| pattern.matches(name)));
    Ok(names)
}

/// List and judge everywhere at once.
///
/// # Errors
/// If one of the plans fails, unless its cluster does not answer and may be left out.
async fn plan<'a>(
    mut sessions: Vec<Session<'a>>,
    several: &Several,
    ui: &Ui,
) -> Result<Vec<Cluster<'a>>, Ended> {
    let clusters = count(sessions.len(), "cluster");
    ui.start_spinner(&format!(
        "{{spinner}} planning for {clusters} ({{elapsed}})"
    ));
    let planned = join_all(sessions.iter_mut().map(Session::plan)).await;
    ui.finish();
    let mut found = Vec::new();
    for (session, planned) in sessions.into_iter().zip(planned) {
        match planned {
            Ok(plan) => found.push(Cluster { session, plan }),
            Err(Ended {
                error: Some(error), ..
            }) if several.skip_unreachable && !session.has_answered() => {
                session
                    .ui()
                    .failure(&format!("left out: {}", error.message));
            }
            Err(ended) => return Err(named(session.context(), ended)),
        }
    }
    if found.is_empty() {
        return Err(Error::failure("no cluster has answered").into());
    }
    Ok(found)
}

/// Hold all plans if one of them would purge too many.
///
/// # Errors
/// If one of them would.
fn check(
    clusters: &mut [Cluster<'_>],
    max_purge: Option<MaxPurge>,
    printer: Printer,
    ui: &Ui,
) -> Result<(), Error> {
    let held: Vec<Error> = (clusters.iter_mut())
        .filter_map(|Cluster { session, plan }| {
            let held = plan.limit(max_purge).err()?;
            Some(of_cluster(session.context(), held))
        })
        .collect();
    let Some(first) = held.into_iter().next() else {
        return Ok(());
    };
    printer.print_only(&views(clusters), ui)?;
    Err(first)
}

/// Ask once for all of them.
///
/// # Errors
/// If it cannot be asked, or one of the servers would refuse the deletes.
async fn ask(
    clusters: &[Cluster<'_>],
    ui: &Ui,
    stop: &watch::Receiver<Option<Stop>>,
) -> Result<bool, Ended> {
    show::refuse_unseen("deleted", "delete")?;
    for Cluster { session, plan } in clusters {
        if plan.shown().summary().purge > 0 {
            let allowed = unless_stopped(stop, session.check_access(plan.shown())).await?;
            allowed.map_err(|error| of_cluster(session.context(), error))?;
        }
    }
    let jobs = purges(clusters);
    let of_each = clusters.iter().map(|Cluster { session, plan }| {
        let purge = plan.shown().summary().purge;
        format!("{purge} from {}", session.where_it_is())
    });
    let question = format!(
        "Purge {} in {}: {}?",
        count(jobs, "Job"),
        count(clusters.len(), "cluster"),
        of_each.collect::<Vec<_>>().join(", ")
    );
    let plans: Vec<&Plan> = clusters
        .iter()
        .map(|cluster| cluster.plan.shown())
        .collect();
    let whole = || show::whole_plans(&plans, true, ui);
    Ok(show::ask(&question, jobs, whole, ui, stop).await?)
}

/// The same server twice would be asked to delete the same Jobs twice, and two plans would count them twice.
///
/// # Errors
/// If two contexts lead to one address.
fn refuse_same_server<'s>(
    sessions: impl Iterator<Item = (&'s String, &'s Session<'s>)>,
) -> Result<(), Error> {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (context, session) in sessions {
        let server = session.server().trim_end_matches('/');
        if let Some(other) = seen.insert(server, context) {
            return Err(same(other, context));
        }
    }
    Ok(())
}

/// The same cluster may have two addresses.
///
/// # Errors
/// If two of them are one cluster, or one of them does not say which it is.
async fn refuse_same_cluster(clusters: &[Cluster<'_>]) -> Result<(), Error> {
    let uids = join_all(clusters.iter().map(|cluster| cluster.session.uid())).await;
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (cluster, uid) in clusters.iter().zip(uids) {
        let context = cluster.session.context();
        // Where it may not be read, the address alone tells.
        if let Some(uid) = uid.map_err(|error| of_cluster(context, error))?
            && let Some(other) = seen.insert(uid, context)
        {
            return Err(same(other, context));
        }
    }
    Ok(())
}

fn same(one: &str, other: &str) -> Error {
    let message = format!("the contexts {one} and {other} lead to the same cluster");
    Error::new(Exit::Usage, message).hint("name one of them with --contexts")
}

fn views<'c>(clusters: &'c [Cluster<'_>]) -> Vec<View<'c>> {
    let plans = clusters.iter().map(|cluster| cluster.plan.shown());
    plans.map(View::Plan).collect()
}

fn purges(clusters: &[Cluster<'_>]) -> usize {
    let plans = clusters.iter().map(|cluster| cluster.plan.shown());
    plans.map(|plan| plan.summary().purge).sum()
}

/// That a cluster was left out shows in the exit code.
fn exit(exit: Exit, is_partial: bool) -> Exit {
    match exit {
        Exit::Success if is_partial => Exit::Incomplete,
        exit => exit,
    }
}

fn of_cluster(context: &str, error: Error) -> Error {
    Error {
        message: format!("{context}: {}", error.message),
        ..error
    }
}

/// It ended for this cluster, and so for all. Its plan alone would say too little.
fn named(context: &str, ended: Ended) -> Ended {
    Ended {
        exit: ended.exit,
        error: ended.error.map(|error| of_cluster(context, error)),
        plan: None,
    }
}
