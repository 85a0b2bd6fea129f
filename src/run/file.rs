//! A plan from a file.

use super::show::{self, Printer};
use crate::{
    cli::{FromFile, Options},
    decode::file,
    error::{Error, Exit, io_words},
    output::View,
    plan::{Plan, Snapshot, Source, Warning},
    time,
    ui::Ui,
};

/// Plan from a file, and print the plan. No cluster is contacted, so nothing can be deleted.
///
/// # Errors
/// If the file gives no plan, or the plan cannot be written.
pub fn plan_file(wanted: &FromFile, options: &Options, ui: &Ui) -> Result<Exit, Error> {
    let printer = Printer::new(options);
    let in_file = if wanted.path == "-" {
        "standard input"
    } else {
        &wanted.path
    };
    let jobs = file::Wanted {
        labels: &wanted.labels,
        selector: &wanted.selector,
        namespace: wanted.namespace.as_deref(),
    };
    let contents = file::read(&wanted.path, &jobs).map_err(|error| {
        let cause = match &error {
            file::FileError::Read(cause) => io_words(cause),
            other => other.to_string(),
        };
        Error::failure(format!("cannot plan from {in_file}: {cause}"))
            .hint("give what `kubectl get jobs -o json` prints, as JSON or YAML")
    })?;
    let mut place = format!("in {in_file}");
    if let Some(namespace) = &wanted.namespace {
        place = format!("in namespace {namespace} {place}");
    }
    if !wanted.selector.is_empty() {
        place += &format!(" matching {}", wanted.selector);
    }
    let snapshot = Snapshot {
        source: Source::File {
            path: wanted.path.clone(),
        },
        labels: wanted.labels.clone(),
        resource_version: contents.resource_version,
        taken_at: time::now(),
        jobs: contents.jobs,
    };
    let mut plan = Plan::new(snapshot, &wanted.policy);
    if !contents.ignored.is_empty() {
        plan.warnings.push(Warning::Ignored {
            what: contents.ignored,
        });
    }
    if wanted.asks_for_server {
        ui.warning("no cluster is contacted with --filename: the plan is not tried on a server");
    }
    show::warnings(&plan, &place, ui);
    show::where_else_to_look(&plan, wanted.namespace.is_some(), ui);
    printer.refuse_bare_names(&plan)?;
    let listed = plan.summary().jobs;
    let held = show::check_limit(&mut plan, options.max_purge, listed);
    printer.print_only(View::Plan(&plan), ui)?;
    held.map(|()| Exit::Success)
}
