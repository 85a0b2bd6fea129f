//! Why one Job is kept or purged.

use tokio::sync::watch;

use super::{file, session::Session, show::Printer, stdout};
use crate::{
    cli::{FromFile, OnCluster, Options, PlanSource},
    cluster::discover::Marked,
    error::{Error, Exit, Stop},
    job::{
        grouping::{Grouping, INSTANCE, Key, TRACKING_ID},
        query::Query,
    },
    output::{explain, words},
    plan::{Plan, PlannedGroup, retention::Policy},
    purge::stop::unless_stopped,
    text::harmless,
    ui::Ui,
};

/// Explain a Job of a file. No cluster is contacted.
///
/// # Errors
/// If the file gives no plan, or the Job is not in it.
pub fn explain_in_file(name: &str, wanted: &FromFile) -> Result<Exit, Error> {
    let (plan, _) = file::plan(wanted)?;
    if write(&plan, name, &wanted.policy, &[])? {
        return Ok(Exit::Success);
    }
    let query = Query {
        grouping: Grouping::Family,
        ..wanted.query.clone()
    };
    let all = FromFile {
        path: wanted.path.clone(),
        query,
        policy: wanted.policy.clone(),
        asks_for_server: false,
    };
    // Standard input cannot be read twice.
    let is_there = wanted.path != "-" && find(&file::plan(&all)?.0, name).next().is_some();
    let message = if is_there {
        format!(
            "Job {name} belongs to no group: it lacks {}",
            words::what_groups(&wanted.query.grouping)
        )
    } else {
        format!("no Job {name} that was asked for and belongs to a group is in the file")
    };
    Err(Error::failure(message).hint("-o tsv lists the Jobs that were asked for"))
}

/// Explain a Job of a cluster, as the run with these flags judges it. Nothing is changed.
///
/// # Errors
/// If the Jobs cannot be listed, or there is no such Job.
pub async fn explain(
    name: &str,
    wanted: &OnCluster,
    options: &Options,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
) -> Result<Exit, Error> {
    let PlanSource::Listed(_) = &wanted.plan else {
        return Err(Error::new(
            Exit::Usage,
            "a saved plan says itself why each Job is kept or purged",
        ));
    };
    if wanted.several.is_some() {
        let message = "explain looks at the Jobs of one cluster";
        return Err(Error::new(Exit::Usage, message).hint("name it with --context"));
    }
    let told = async {
        let flags = &wanted.connection;
        let printer = Printer::new(options).without_log();
        let mut session = Session::connect(wanted, flags, printer, ui, stop.clone()).await?;
        let (plan, policy, marked) = session.plan_and(name).await?;
        Ok::<_, Error>((
            plan,
            policy,
            marked,
            session.query().clone(),
            session.place(),
        ))
    };
    let (plan, policy, marked, query, place) = match unless_stopped(&stop, told).await {
        Ok(told) => told?,
        Err(stop) => return Ok(stop.into()),
    };
    if write(&plan, name, &policy, &marked)? {
        return Ok(Exit::Success);
    }
    if marked.is_empty() {
        let message = format!("there is no Job {} in {}", harmless(name), query.scope);
        return Err(Error::failure(message).hint("-n names its namespace, -A looks in every one"));
    }
    stdout::write_only(|out| {
        for job in &marked {
            let why = no_group(job, &query, &place);
            let who = format!("Job {}/{}", job.namespace, job.name);
            writeln!(
                out,
                "{}: SKIP, since it belongs to no group",
                harmless(&who)
            )?;
            writeln!(out, "  {}", harmless(&why))?;
        }
        Ok(())
    })?;
    Ok(Exit::Success)
}

/// The Jobs of this name in a plan.
fn find<'a>(plan: &'a Plan, name: &'a str) -> impl Iterator<Item = (&'a PlannedGroup, usize)> {
    plan.groups.iter().flat_map(move |group| {
        let places = group.jobs.iter().enumerate();
        let named = places.filter(move |(_, planned)| *planned.job.name() == *name);
        named.map(move |(place, _)| (group, place))
    })
}

/// Write what there is to say of the Jobs of this name in a plan; whether there are any.
fn write(plan: &Plan, name: &str, policy: &Policy, marked: &[Marked]) -> Result<bool, Error> {
    let mut is_found = false;
    stdout::write_only(|out| {
        for (group, place) in find(plan, name) {
            is_found = true;
            let job = &group.jobs[place].job;
            let marked = marked
                .iter()
                .find(|marked| marked.namespace == *job.namespace());
            let mark = marked.and_then(|marked| mark(marked, &plan.grouping));
            explain::write(out, plan, (group, place), policy, mark.as_deref())?;
        }
        Ok(())
    })?;
    Ok(is_found)
}

/// Where the group of a Job was found on it.
fn mark(marked: &Marked, grouping: &Grouping) -> Option<String> {
    match grouping {
        Grouping::Family => None,
        Grouping::Application if marked.tracked_application().is_some() => {
            Some(format!("annotation {TRACKING_ID}"))
        }
        Grouping::Application => Some(format!("label {INSTANCE}")),
        Grouping::Keys(keys) => {
            let words = keys.iter().map(Key::to_string);
            Some(words.collect::<Vec<_>>().join(" and "))
        }
    }
}

/// Why a Job belongs to no group: a sentence without its end.
fn no_group(job: &Marked, query: &Query, place: &str) -> String {
    if let Some(pattern) = query.excludes(&job.namespace) {
        return format!("--exclude-namespace {pattern} leaves its namespace out");
    }
    let label = |key: &str| job.labels.get(key).map(String::as_str);
    if !query.selector.matches(label) {
        return format!("--selector {} does not select it", query.selector);
    }
    match (&query.grouping, job.annotations.get(TRACKING_ID)) {
        (Grouping::Application, Some(tracking_id)) => format!(
            "its annotation {TRACKING_ID} is {tracking_id}, which names another object, and it lacks the label {INSTANCE}"
        ),
        (Grouping::Application, None) => format!(
            "it lacks the annotation {TRACKING_ID} and the label {INSTANCE}; -L or --group-by names what else groups it"
        ),
        (grouping, _) => {
            let lacks = |key: &&Key| match key {
                Key::Label(key) => !job.labels.contains_key(key.as_str()),
                Key::Annotation(key) => !job.annotations.contains_key(key.as_str()),
            };
            match grouping.keys().iter().find(lacks) {
                Some(key) => format!("it lacks the {key}"),
                None => format!("it was not among the Jobs {place}"),
            }
        }
    }
}
