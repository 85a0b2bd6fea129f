//! A plan from a file.

use std::sync::Arc;

use super::{
    end::AtEnd,
    show::{self, Printer},
};
use crate::{
    cli::{FromFile, Options},
    decode::file,
    error::{Error, Exit, io_words},
    gitops::{Claims, Mode},
    job::{namespaces::Holders, query::Scope},
    output::View,
    plan::{Plan, Snapshot, Source, Warning, retention::Policy},
    time,
    ui::{Ui, Verbosity},
};

/// Plan from a file, and print the plan. No cluster is contacted, so nothing can be deleted.
///
/// # Errors
/// If the file gives no plan, or the plan cannot be written.
pub fn plan_file(wanted: &FromFile, options: &Options, ui: &Ui) -> Result<Exit, Error> {
    let mut at_end = AtEnd::begin(options);
    let ended = story(wanted, options, ui, &mut at_end);
    at_end.end(ended, ui)
}

fn story(
    wanted: &FromFile,
    options: &Options,
    ui: &Ui,
    at_end: &mut AtEnd<'_>,
) -> Result<Exit, Error> {
    let printer = Printer::new(options);
    let (mut plan, place) = plan(wanted)?;
    at_end.plan(&plan);
    if wanted.asks_for_server {
        ui.warning("no cluster is contacted with --filename: the plan is not tried on a server");
    }
    show::warnings(&plan, &place, ui);
    if plan.groups.is_empty() {
        let hint = "hint: -L names a label to group by, --group-by family groups by names alone";
        ui.note(Verbosity::Normal, hint);
    }
    printer.refuse_bare_names(&plan)?;
    let listed = plan.summary().jobs;
    let held = show::check_limit(&mut plan, options.max_purge, listed);
    printer.print_only(&[View::Plan(&plan)], ui)?;
    held.map(|()| Exit::Success)
}

/// The plan that a file gives, and where its Jobs were looked for.
///
/// # Errors
/// If the file gives none.
pub(super) fn plan(wanted: &FromFile) -> Result<(Plan, String), Error> {
    let in_file = if wanted.path == "-" {
        "standard input"
    } else {
        &wanted.path
    };
    let contents = file::read(&wanted.path, &wanted.query).map_err(|error| {
        let cause = match &error {
            file::FileError::Read(cause) => io_words(cause),
            other => other.to_string(),
        };
        Error::failure(format!("cannot plan from {in_file}: {cause}"))
            .hint("give what `kubectl get jobs -o json` prints, as JSON or YAML")
    })?;
    let place = match &wanted.query.scope {
        Scope::AllNamespaces => format!("in {in_file}"),
        Scope::Namespace(namespace) => format!("in namespace {namespace} in {in_file}"),
    };
    let place = show::narrowed(place, &wanted.query);
    let snapshot = Snapshot {
        source: Source::File {
            path: wanted.path.clone(),
        },
        grouping: wanted.query.grouping.clone(),
        resource_version: contents.resource_version,
        taken_at: time::now(),
        jobs: contents.jobs,
        ungrouped: contents.ungrouped,
    };
    let Policy {
        gitops,
        asks_namespaces,
        ..
    } = wanted.policy;
    let (mut claims, mut ignored) = (contents.claims, contents.ignored);
    if gitops == Mode::Ignore {
        claims = Claims {
            holders: claims.holders,
            ..Claims::default()
        };
    }
    if asks_namespaces {
        ignored.remove(file::NAMESPACE);
        // Its items do not say what they are, and are not read; they may keep Jobs.
        if ignored.contains_key("NamespaceList") {
            let message = format!("cannot plan from {in_file}: it holds a NamespaceList");
            return Err(Error::failure(message)
                .hint("give Namespaces as `kubectl get namespaces -o json` prints them"));
        }
    } else {
        claims.holders = Holders::default();
    }
    let mut plan = Plan::new(snapshot, &wanted.policy);
    if asks_namespaces || gitops != Mode::Ignore {
        plan = plan.claimed(Arc::new(claims), &wanted.policy);
    }
    if !ignored.is_empty() {
        plan.warnings.push(Warning::Ignored {
            what: file::listed(&ignored),
        });
    }
    Ok((plan, place))
}
