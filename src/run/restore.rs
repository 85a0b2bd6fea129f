//! Jobs created again from a backup.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::sync::watch;

use super::{Ended, show, stdout::write_only};
use crate::{
    backup::shelf::{self, Backup, Wanted},
    cli::{DryRun, RestoreFlags},
    cluster::{
        Cluster,
        access::Right,
        create::{Created, FieldManager},
        delete::Effect,
        retry::{Backoff, CallError, Tries, Trouble},
    },
    connection::{Connection, flags::Unchecked},
    error::{Error, Exit, Stop, without_os_code},
    output::{
        Headers, Rows, Style,
        grid::{self, Holds},
    },
    purge::stop::unless_stopped,
    text::{count, harmless},
    ui::{Ui, Verbosity},
};

/// The columns of what would be created.
const COLUMNS: [(&str, Holds); 4] = [
    ("JOB", Holds::Name),
    ("STATUS", Holds::Word),
    ("CREATED", Holds::Word),
    ("BACKUP", Holds::Name),
];

/// How many Jobs are created at a time.
const AT_A_TIME: usize = 16;

/// What became of a Job that was to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Created,
    WouldCreate,
    /// One of its name is there.
    Exists,
    /// The same, but it is not known whether this run has created it, and why not.
    Unsure(String),
    Failed(String),
    /// It is there, or would be, but it is not suspended.
    NotSuspended,
    NotAttempted,
}

impl Outcome {
    const WORDS: [&str; 5] = [
        "created",
        "would-create",
        "exists",
        "failed",
        "not-attempted",
    ];

    fn word(&self) -> &'static str {
        Outcome::WORDS[match self {
            Outcome::Created => 0,
            Outcome::WouldCreate => 1,
            Outcome::Exists | Outcome::Unsure(_) => 2,
            Outcome::Failed(_) | Outcome::NotSuspended => 3,
            Outcome::NotAttempted => 4,
        }]
    }
}

/// Create the Jobs of a backup again, suspended. One that is there stays as it is.
///
/// # Errors
/// If anything goes wrong before the first Job is created.
pub async fn restore(
    flags: &RestoreFlags,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
) -> Result<Exit, Error> {
    let (cluster, backups) = match approved(flags, ui, &stop).await {
        Ok(approved) => approved,
        Err(ended) => return ended.error.map_or(Ok(ended.exit), Err),
    };
    let effect = match flags.dry_run {
        DryRun::Server => Effect::DryRun,
        DryRun::None | DryRun::Client => Effect::Delete,
    };
    create_all(&cluster, &backups, effect, ui, stop).await
}

/// Find the backups, show them, and ask.
///
/// # Errors
/// If none is to be restored.
async fn approved(
    flags: &RestoreFlags,
    ui: &Ui,
    stop: &watch::Receiver<Option<Stop>>,
) -> Result<(Cluster, Vec<Backup>), Ended> {
    let asks = flags.dry_run == DryRun::None && !flags.yes;
    let prepared = prepare(flags, asks, ui, stop.clone());
    let (cluster, backups, text) = unless_stopped(stop, prepared).await??;
    if asks {
        ask(&cluster, &backups, &text, ui, stop).await?;
    }
    Ok((cluster, backups))
}

/// Find the backups and show them, with what was shown; find out whether they may be created, if a question follows.
async fn prepare(
    flags: &RestoreFlags,
    asks: bool,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
) -> Result<(Cluster, Vec<Backup>, Vec<u8>), Ended> {
    let (dir, wanted) = (
        flags.dir.clone(),
        Wanted {
            namespace: flags.namespace.clone(),
            names: flags.names.clone(),
        },
    );
    let found = tokio::task::spawn_blocking(move || shelf::find(&dir, &wanted)).await;
    let (backups, skipped) =
        found.map_err(|_| Error::failure("cannot read the backups: reading them broke off"))??;
    for path in &skipped {
        ui.warning(&format!(
            "{} is passed over: it is no whole backup, or a link",
            path.display()
        ));
    }
    let text = table(&backups);
    write_only(|out| out.write_all(&text))?;
    if backups.is_empty() {
        ui.note(
            Verbosity::Normal,
            &format!("there is no backup to restore in {}", flags.dir.display()),
        );
        return Err(Exit::Success.into());
    }
    if flags.dry_run == DryRun::Client {
        return Err(Exit::Success.into());
    }
    if asks {
        show::refuse_unseen("created", "create")?;
    }
    let console = ui.console(stop);
    let connection = Connection::open(&flags.connection, console, Unchecked::Allowed).await?;
    let cluster = Cluster::new(connection);
    if cluster.connection.is_insecure {
        ui.warning("the server's certificate is not checked (insecure-skip-tls-verify)");
    }
    if asks {
        check_access(&cluster, &backups).await?;
    }
    Ok((cluster, backups, text))
}

/// What would be created, one row a Job.
fn table(backups: &[Backup]) -> Vec<u8> {
    let rows = backups.iter().map(|backup| {
        [
            format!("{}/{}", backup.namespace, backup.name),
            harmless(&backup.status).into_owned(),
            backup.created.to_string(),
            format!("{}/{}", backup.namespace, harmless(&backup.entry)),
        ]
    });
    // The name of a folder is what one restores by, so that it is never cut.
    let style = Style {
        width: None,
        ..Ui::stdout_style(Headers::Show, Rows::All)
    };
    let mut text = Vec::new();
    // Writing to a Vec cannot fail.
    let _ = grid::write_all(&mut text, &COLUMNS, &Vec::from_iter(rows), style);
    text
}

/// Find out before the question whether the server would allow it. Where it does not say, the requests themselves tell.
async fn check_access(cluster: &Cluster, backups: &[Backup]) -> Result<(), Error> {
    let namespaces: BTreeSet<&str> = backups.iter().map(|backup| &*backup.namespace).collect();
    for namespace in namespaces {
        let access = cluster.may(Right::CREATE_JOBS, Some(namespace)).await;
        if let Some(why) = access.denial() {
            let message = format!(
                "nothing was created: you may not create Jobs in namespace {namespace}{why}"
            );
            return Err(Error::failure(message).hint(format!(
                "you need {}; -n restores in one namespace alone",
                Right::CREATE_JOBS
            )));
        }
    }
    Ok(())
}

/// Ask whether to create them.
///
/// # Errors
/// If they are not to be.
async fn ask(
    cluster: &Cluster,
    backups: &[Backup],
    text: &[u8],
    ui: &Ui,
    stop: &watch::Receiver<Option<Stop>>,
) -> Result<(), Ended> {
    let namespaces: BTreeSet<&str> = backups.iter().map(|backup| &*backup.namespace).collect();
    let place = match namespaces.first() {
        Some(one) if namespaces.len() == 1 => format!("namespace {one}"),
        _ => count(namespaces.len(), "namespace"),
    };
    let question = format!(
        "Restore {} in {place} at {}?",
        count(backups.len(), "Job"),
        show::where_it_is(&cluster.connection)
    );
    let whole = || text.to_vec();
    if show::ask(&question, backups.len(), whole, ui, stop).await? {
        return Ok(());
    }
    ui.note(Verbosity::Normal, "Nothing was created.");
    Err(Exit::Declined.into())
}

/// Create them, and tell what became of each.
async fn create_all(
    cluster: &Cluster,
    backups: &[Backup],
    effect: Effect,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
) -> Result<Exit, Error> {
    let mut outcomes = vec![Outcome::NotAttempted; backups.len()];
    let mut next = backups.iter().enumerate();
    let manager = FieldManager::of_run();
    let mut in_flight = FuturesUnordered::new();
    ui.start_bar(backups.len(), "{bar:30} {pos}/{len} restored{rate}{left}");
    loop {
        while in_flight.len() < AT_A_TIME
            && stop.borrow().is_none()
            && let Some((place, backup)) = next.next()
        {
            let (stop, manager) = (&stop, &manager);
            in_flight.push(async move {
                let outcome = create(cluster, backup, effect, manager, ui, stop).await;
                (place, outcome)
            });
        }
        let Some((place, outcome)) = in_flight.next().await else {
            break;
        };
        ui.step();
        let Backup {
            namespace, name, ..
        } = &backups[place];
        match &outcome {
            Outcome::Failed(why) => {
                ui.failure(&format!("cannot create Job {namespace}/{name}: {why}"));
            }
            Outcome::Unsure(why) => ui.warning(&format!(
                "Job {namespace}/{name} is there, and it is not known whether this run has created it: an answer was \
                 lost, and {why}"
            )),
            Outcome::NotSuspended => {
                let was = match effect {
                    Effect::Delete => "was",
                    Effect::DryRun => "would be",
                };
                ui.failure(&format!(
                    "Job {namespace}/{name} {was} created, but not suspended: something in the cluster changes Jobs, for example an \
                     admission webhook"
                ));
            }
            _ => {}
        }
        outcomes[place] = outcome;
    }
    ui.finish();
    for warning in cluster.connection.warnings.take() {
        ui.warning(&warning);
    }
    let is_shown = report(backups, &outcomes, ui);
    let asked_to_stop = *stop.borrow();
    let is_incomplete = |outcome: &Outcome| matches!(outcome.word(), "failed" | "not-attempted");
    Ok(match asked_to_stop {
        Some(stop) => stop.into(),
        None if !is_shown || outcomes.iter().any(is_incomplete) => Exit::Incomplete,
        None => Exit::Success,
    })
}

/// Create one, and try again while that may help.
async fn create(
    cluster: &Cluster,
    backup: &Backup,
    effect: Effect,
    manager: &FieldManager,
    ui: &Ui,
    stop: &watch::Receiver<Option<Stop>>,
) -> Outcome {
    let job = match backup.job() {
        Ok(job) => job,
        Err(error) => return Outcome::Failed(without_os_code(&error.message)),
    };
    let mut backoff = Backoff::new(Tries::for_delete());
    // It may have been asked for since this was about to begin.
    if stop.borrow().is_some() {
        return Outcome::NotAttempted;
    }
    // Whether an earlier try may have taken effect, and whether there is a Job now that may be its.
    let (mut may_be_ours, mut is_there) = (false, false);
    loop {
        let (namespace, name) = (&*backup.namespace, &*backup.name);
        let tried = if is_there {
            cluster.created_by(namespace, name, manager).await
        } else {
            cluster.create(namespace, &job, effect, manager).await
        };
        let unanswered = match tried {
            Ok(Created::Created) if effect == Effect::DryRun => return Outcome::WouldCreate,
            Ok(Created::Created) => return Outcome::Created,
            Ok(Created::NotSuspended) => return Outcome::NotSuspended,
            Ok(Created::Exists) if may_be_ours && !is_there => {
                is_there = true;
                continue;
            }
            Ok(Created::Exists) => return Outcome::Exists,
            Err(CallError::Refused(why)) if is_there => return Outcome::Unsure(why),
            Err(CallError::Refused(why)) => return Outcome::Failed(why),
            Err(CallError::Unanswered(unanswered)) => unanswered,
        };
        may_be_ours |= unanswered.trouble != Trouble::NotSent && effect == Effect::Delete;
        let failed = if is_there {
            Outcome::Unsure(unanswered.why.clone())
        } else {
            Outcome::Failed(unanswered.why.clone())
        };
        let Some(delay) = backoff.next_delay(unanswered.retry_after) else {
            return failed;
        };
        waiting(delay, backup, &unanswered.why, ui);
        if unless_stopped(stop, tokio::time::sleep(delay))
            .await
            .is_err()
        {
            return failed;
        }
    }
}

fn waiting(delay: Duration, backup: &Backup, why: &str, ui: &Ui) {
    let again = format!("trying Job {}/{} again", backup.namespace, backup.name);
    show::waiting(delay, &again, why, ui);
}

/// Write the outcome of each Job and how many there are of each; whether that could be written.
fn report(backups: &[Backup], outcomes: &[Outcome], ui: &Ui) -> bool {
    let counts = Outcome::WORDS.iter().filter_map(|word| {
        let number = outcomes.iter().filter(|outcome| outcome.word() == *word);
        match number.count() {
            0 => None,
            number => Some(format!("{number} {word}")),
        }
    });
    let counts: Vec<String> = counts.collect();
    let counts = format!(
        "{} to restore: {}",
        count(backups.len(), "Job"),
        counts.join(", ")
    );
    let written = write_only(|out| {
        for (backup, outcome) in backups.iter().zip(outcomes) {
            let word = outcome.word();
            writeln!(out, "{}/{} {word}", backup.namespace, backup.name)?;
        }
        writeln!(out, "{counts}")
    });
    if let Err(error) = &written {
        ui.failure(&format!("{}; {counts}", error.message));
    }
    written.is_ok()
}
