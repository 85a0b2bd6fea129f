//! What a run shows on its way: what happens while listing and deleting, the plan, its warnings, the report.

use std::io::{self, BufWriter, Write};

use crate::{
    cli::{Cli, Format},
    cluster::{delete::Effect, list},
    error::{Error, Exit, io_words},
    outcome::Outcome,
    output::{Headers, View, json, name, summary, table, words, yaml},
    plan::{Plan, Warning},
    purge::{self, EndedEarly, Report},
    ui::{Ui, Verbosity},
};

/// More warnings than this of one plan are counted, not shown; a document has them all.
const WARNINGS_SHOWN: usize = 10;

/// What happens while listing.
pub fn list_event(event: &list::Event, ui: &Ui) {
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
pub fn warnings(plan: &Plan, place: &str, ui: &Ui) {
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

/// If a plan has no Job, say where else to look; `in_one_namespace` tells that only one was looked into.
pub fn where_else_to_look(plan: &Plan, in_one_namespace: bool, ui: &Ui) {
    if plan.groups.is_empty() {
        let hint = match in_one_namespace {
            true => "hint: -A looks in every namespace, -L names another label",
            false => "hint: -L names another label",
        };
        ui.note(Verbosity::Normal, hint);
    }
}

/// A purge is preceded by the whole plan: on stdout in the forms for people, else on stderr if somebody will be asked. If
/// nobody can be, the document of the plan is all that a program will get.
///
/// # Errors
/// If it cannot be written: what nobody could see is not carried out.
pub fn before_purge(cli: &Cli, plan: &Plan, ui: &Ui) -> Result<(), Error> {
    let is_document = matches!(cli.output.format, Format::Json | Format::Yaml);
    let asks = !cli.action.yes && plan.summary().purge > 0;
    if !is_document || (asks && !Ui::can_ask()) {
        print(cli, View::Plan(plan))?;
    }
    if asks && Ui::can_ask() && (is_document || cli.output.format == Format::Name) {
        let mut text = Vec::new();
        let style = ui.stderr_style(headers(cli));
        table::write(&mut text, View::Plan(plan), table::Columns::Normal, style)
            .map_err(|error| write_error(&error))?;
        ui.text(&String::from_utf8_lossy(&text));
    }
    Ok(())
}

/// What happens during a purge.
pub fn purge_event(event: &purge::Event, ui: &Ui) {
    match event {
        purge::Event::Settled { job, outcome } => {
            ui.step();
            let who = format!("{}/{}", job.namespace, job.name);
            match outcome {
                Outcome::Failed(message) => {
                    ui.failure(&format!("cannot delete Job {who}: {message}"))
                }
                Outcome::Changed(change) => ui.warning(&format!(
                    "Job {who} is left alone, since it has changed: {}",
                    change.words()
                )),

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
                words::count(*in_flight, "delete")
            ),
        ),
    }
}

/// What became of the plan. If stdout cannot be written the outcomes are told on stderr, and what was done decides how
/// the process ends.
pub fn report(cli: &Cli, report: &Report, effect: Effect, ui: &Ui) {
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
        // The plan has been shown already; what is new are the outcomes, if there are any.
        (Format::Table | Format::Wide | Format::Summary | Format::Name, Effect::Delete)
            if report.outcomes.is_empty() =>
        {
            Ok(())
        }
        (Format::Table | Format::Wide | Format::Summary, Effect::Delete) => {
            write_out(|out| writeln!(out, "{counts}"))
        }
        (Format::Name, Effect::Delete) => {
            ui.note(Verbosity::Normal, &counts);
            Ok(())
        }
        _ => print(cli, View::Report(report)),
    };
    if let Err(error) = written {
        ui.failure(&format!("{}; {counts}", error.message));
    }
}

/// Write a plan or report to stdout in the form asked for.
///
/// # Errors
/// If it cannot be written.
pub fn print(cli: &Cli, view: View) -> Result<(), Error> {
    let style = Ui::stdout_style(headers(cli));
    write_out(|out| match cli.output.format {
        Format::Table => table::write(out, view, table::Columns::Normal, style),
        Format::Wide => table::write(out, view, table::Columns::Wide, style),
        Format::Summary => summary::write(out, view, style),
        Format::Json => json::write(out, view),
        Format::Yaml => yaml::write(out, view),
        Format::Name => name::write(out, view),
    })
}

/// Write something to stdout as a whole.
///
/// # Errors
/// If it cannot be written.
pub fn write_out(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
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
