//! What a run shows on its way: what happens while listing and deleting, the plan, its warnings, the report.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use tokio::sync::watch;

use super::{
    log,
    stdout::{write_error, write_only, write_out},
};
use crate::{
    cli::{Format, Options, Run},
    cluster::{
        delete::{Cascade, Effect},
        discover::{Carried, Sample},
        list,
    },
    connection::Connection,
    error::{Error, Exit, Stop},
    job::{
        Job,
        grouping::{Key, TRACKING_ID},
        label::{DERIVED_LABELS, LabelKey},
        mark::HELM_RELEASE,
        query::{Query, Scope},
    },
    output::{
        Colour, Headers, Rows, Style, View, json,
        log::{Line, LogFormat},
        name, summary, table, tsv, words, yaml,
    },
    plan::{
        Plan, Warning,
        max_purge::MaxPurge,
        recheck::Approved,
        report::{End, EndedEarly, Outcome, Report, Waited},
        retention::Policy,
    },
    purge::{self, cleaner::Asked, stop::unless_stopped, wait},
    text::count,
    time,
    ui::{Answer, Consent, Ui, Verbosity},
};

/// More warnings than this of one plan are counted, not shown; a document has them all.
const WARNINGS_SHOWN: usize = 10;

/// More labels and annotations than this are not proposed.
const CANDIDATES_SHOWN: usize = 8;

/// The annotation in which kubectl keeps a whole manifest.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// More Jobs than this that are still there are counted, not shown.
const HELD_SHOWN: usize = 10;

/// More Jobs than this that have fallen out of a saved plan are counted, not shown.
const FALLEN_SHOWN: usize = 10;

/// A plan that would fill more than this many screens of a terminal is shown as what it would purge.
const SCREENS: usize = 3;

/// The lines after the groups of such a plan: headers, totals, notes and the question.
const LINES_AFTER: usize = 12;

/// More reasons than this for the same outcome are not shown; a document has them all.
const MESSAGES_SHOWN: usize = 10;

/// More namespaces than this in which a run stopped are counted, not shown.
const STOPPED_SHOWN: usize = 10;

/// What happens while listing.
pub fn list_event(event: &list::Event, ui: &Ui) {
    match event {
        list::Event::Read(count) => ui.progress(*count),
        list::Event::Waiting { delay, why } => {
            waiting(*delay, "asking for the list again", why, ui);
        }
        list::Event::StartingOver { why } => {
            ui.progress(0);
            ui.note(
                Verbosity::Verbose,
                &format!("starting the list over: {why}"),
            );
        }
    }
}

/// What else is asked now what is to stay, or how long it waits before it asks again, and why.
pub(super) fn asking(asked: Asked, waits: Option<(Duration, &str)>, ui: &Ui) {
    let (now, again) = match asked {
        Asked::Tools => ("asking what git still wants", "asking again what git wants"),
        Asked::Namespaces => (
            "reading which namespaces keep their Jobs",
            "reading Namespaces again",
        ),
    };
    match waits {
        None => ui.start_spinner(&format!("{{spinner}} {now} ({{elapsed}})")),
        Some((delay, why)) => waiting(delay, again, why, ui),
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
    if let Some(hint) = words::unanswered_hint(plan) {
        ui.note(Verbosity::Normal, &format!("hint: {hint}"));
    }
    let more = plan.warnings.len().saturating_sub(WARNINGS_SHOWN);
    if more > 0 {
        ui.warning(&format!(
            "{more} more warnings are in the document that -o json prints"
        ));
    }
}

/// A place where Jobs are looked for, with what else is asked of them.
pub fn narrowed(mut place: String, query: &Query) -> String {
    let excluded: Vec<String> = query.excluded.iter().map(ToString::to_string).collect();
    if !excluded.is_empty() {
        place += &format!(" except {}", excluded.join(", "));
    }
    if !query.selector.is_empty() {
        place += &format!(" matching {}", query.selector);
    }
    if !query.fields.is_empty() {
        place += &format!(" with {}", query.fields);
    }
    place
}

/// Say where else to look, since Jobs belong to no group or there are none: what some Jobs there carry, as commands to
/// copy.
pub fn where_else_to_look(plan: &Plan, scope: &Scope, sample: Option<&Sample>, ui: &Ui) {
    let note = |text: &str| ui.note(Verbosity::Normal, text);
    let flag = match scope.namespace() {
        None => "-A".to_owned(),
        Some(namespace) => format!("-n {namespace}"),
    };
    let there = format!("in {scope}");
    let everywhere = match scope {
        Scope::Namespace(_) if plan.groups.is_empty() => "-A looks in every namespace, ",
        _ => "",
    };
    let Some(sample) = sample else {
        note(&format!("hint: {everywhere}-L names a label to group by"));
        return;
    };
    if sample.names.is_empty() {
        note(&match scope {
            Scope::Namespace(_) => {
                format!("hint: there is no Job {there}; -A looks in every namespace")
            }
            Scope::AllNamespaces => format!("there is no Job {there}"),
        });
        return;
    }
    let seen = match (sample.names.len(), sample.others) {
        (looked_at, 0) => format!("{} {there}", count(looked_at, "Job")),
        (looked_at, others) => format!(
            "the first {} {there} ({others} more were not looked at)",
            count(looked_at, "Job")
        ),
    };
    let candidates = candidates(sample);
    note(&if candidates.is_empty() {
        format!(
            "hint: {everywhere}-L names a label to group by; no label or annotation groups {seen}"
        )
    } else {
        format!("hint: {everywhere}-L names another label; labels and annotations of {seen}:")
    });
    for (key, carried) in candidates {
        let command = match key {
            Key::Label(key) => format!("-L {key}"),
            Key::Annotation(key) => format!("--group-by annotation:{key}"),
        };
        note(&format!(
            "  kubectl jobclean {flag} {command} --dry-run=client   # {}, {}",
            count(carried.jobs, "Job"),
            count(carried.values, "value")
        ));
    }
    note(&format!(
        "  kubectl jobclean {flag} --group-by family --dry-run=client   # every Job, by its name alone"
    ));
}

/// What Jobs may be grouped by, what most of them carry first. What is different for every Job makes no groups.
fn candidates(sample: &Sample) -> Vec<(Key, Carried)> {
    let key = |key: &str| key.parse::<LabelKey>().ok();
    let labels = sample
        .labels
        .iter()
        .filter_map(|(label, carried)| Some((Key::Label(key(label)?), *carried)));
    let annotations = sample
        .annotations
        .iter()
        .filter_map(|(annotation, carried)| Some((Key::Annotation(key(annotation)?), *carried)));
    let is_derived = |key: &Key| {
        let derived = DERIVED_LABELS.iter().map(|(label, _)| *label);
        derived
            // All that are in a release are wanted.
            .chain([LAST_APPLIED, TRACKING_ID, HELM_RELEASE])
            .any(|known| known == key.as_str())
    };
    let mut found: Vec<(Key, Carried)> = labels.chain(annotations).collect();
    found.retain(|(key, carried)| {
        !is_derived(key) && (carried.values < carried.jobs || carried.jobs == 1)
    });
    found.sort_by(|(a, one), (b, other)| {
        other
            .jobs
            .cmp(&one.jobs)
            .then_with(|| a.as_str().cmp(b.as_str()))
    });
    found.truncate(CANDIDATES_SHOWN);
    found
}

/// What a person should know of a saved plan beside the plan: how old it is, what it keeps, how it deletes, and what of it
/// has fallen out.
pub fn saved_plan(approved: &Approved, now: &Plan, policy: &Policy, cascade: Cascade, ui: &Ui) {
    let saved = approved.plan();
    let age = now.taken_at.duration_since(saved.taken_at);
    let note = |text: &str| ui.note(Verbosity::Normal, text);
    note(&format!(
        "the plan is {} old, of {}; {}; {}",
        time::human(age),
        saved.taken_at,
        words::policy(policy, &now.grouping),
        match cascade {
            Cascade::Auto =>
                "finished Jobs go at once, and the Pods of others before them (--cascade=auto)",
            Cascade::Background =>
                "the Jobs go at once, and their Pods later (--cascade=background)",
            Cascade::Foreground => "the Pods go first, and then their Jobs (--cascade=foreground)",
            Cascade::Orphan => "the Pods stay when their Jobs go (--cascade=orphan)",
        },
    ));
    let fallen = approved.fallen().count();
    if fallen == 0 {
        return;
    }
    note(&format!(
        "of the {} that it purges, {fallen} {} by now:",
        count(saved.summary().purge, "Job"),
        if fallen == 1 {
            "stays or is gone"
        } else {
            "stay or are gone"
        },
    ));
    for (job, why) in approved.fallen().take(FALLEN_SHOWN) {
        note(&format!("Job {}/{}: {why}", job.namespace(), job.name()));
    }
    if fallen > FALLEN_SHOWN {
        note(&format!("and {} more", fallen - FALLEN_SHOWN));
    }
}

/// Above this many Jobs, their number is to be typed: a yes is too easily given.
const TYPED_ABOVE: usize = 500;

/// Ask until the answer is a yes or a no. It is about this number of Jobs; `whole` is what is shown of them on request.
///
/// # Errors
/// If the run is asked to stop.
pub async fn ask(
    question: &str,
    jobs: usize,
    whole: impl Fn() -> Vec<u8>,
    ui: &Ui,
    stop: &watch::Receiver<Option<Stop>>,
) -> Result<bool, Stop> {
    let consent = Consent::to(jobs, TYPED_ABOVE);
    loop {
        match unless_stopped(stop, ui.confirm(question, consent)).await? {
            Answer::Yes => return Ok(true),
            Answer::No => return Ok(false),
            // To its end even if the run is asked to stop: Ctrl-C is for the pager, too.
            Answer::List => ui.page_or_text(whole()).await,
        }
    }
}

/// All of these plans, for a pager. It scrolls, so that names stay whole.
pub fn whole_plans(plans: &[&Plan], by_cluster: bool, ui: &Ui) -> Vec<u8> {
    let mut text = Vec::new();
    let style = Style {
        colour: Colour::Off,
        width: None,
        ..ui.stderr_style(Headers::Show, Rows::All)
    };
    let views: Vec<View> = plans.iter().map(|plan| View::Plan(plan)).collect();
    // Writing to a Vec cannot fail.
    let _ = each(&mut text, &views, by_cluster, style, |out, view| {
        table::write(out, view, table::Columns::Normal, style)
    });
    text
}

/// Write these views one after the other, with a line before each that names its cluster, where there are several.
fn each(
    out: &mut dyn Write,
    views: &[View],
    by_cluster: bool,
    style: Style,
    write: impl Fn(&mut dyn Write, View) -> io::Result<()>,
) -> io::Result<()> {
    for (index, view) in views.iter().enumerate() {
        if by_cluster && style.headers == Headers::Show {
            if index > 0 {
                writeln!(out)?;
            }
            writeln!(out, "CLUSTER {}", words::cluster(&view.plan().source))?;
        }
        write(out, *view)?;
    }
    Ok(())
}

/// A question is asked only where it is seen and can be answered. What was asked for is not done then: `done` and
/// `verb` are its words, `deleted` and `delete`.
///
/// # Errors
/// If that is not so.
pub fn refuse_unseen(done: &str, verb: &str) -> Result<(), Error> {
    Ui::can_ask().map_err(|not| {
        let message = format!(
            "nothing was {done}: the question needs a terminal, and {} is not one",
            not.stream()
        );
        Error::new(Exit::Usage, message).hint(format!(
            "add --yes to {verb} without asking, or --dry-run to change nothing"
        ))
    })
}

/// What moves while Jobs are deleted.
pub fn purge_template(effect: Effect) -> String {
    let verb = match effect {
        Effect::Delete => "purged",
        Effect::DryRun => "tried",
    };
    format!("{{bar:30}} {{pos}}/{{len}} {verb}{{rate}}{{left}}")
}

/// That what follows will take its time, where it will, and what to do about it.
fn slow_collector(jobs: usize, cascade: Cascade, ui: &Ui) {
    let Some((shorter, longer)) = collector_time(jobs) else {
        return;
    };
    ui.note(
        Verbosity::Normal,
        &format!(
            "note: with --cascade={} these {} stay Terminating until the garbage collector has taken their \
             Pods: some {} at its default pace; with --cascade=background the Jobs go at once and their Pods after them",
            if cascade == Cascade::Auto { "auto" } else { "foreground" },
            count(jobs, "Job"),
            words::span(shorter, longer),
        ),
    );
}

/// What happens while waiting for the Jobs to be gone.
pub fn wait_event(event: &wait::Event, ui: &Ui) {
    match event {
        wait::Event::Begun(of) => {
            let (jobs, verb) = (count(*of, "Job"), if *of == 1 { "is" } else { "are" });
            let text = format!("waiting until {jobs} {verb} gone");
            ui.note(Verbosity::Normal, &text);
            ui.start_bar(*of, "{bar:30} {msg} still terminating, {elapsed}");
            ui.progress_of(0, &jobs);
        }
        wait::Event::Looked { left, of, elapsed } => {
            let jobs = count(*left, "Job");
            ui.progress_of(of - left, &jobs);
            let seconds = elapsed.as_secs_f32();
            let text = format!("{jobs} still terminating after {seconds:.0} s");
            ui.note(Verbosity::Debug, &text);
        }
        wait::Event::Waiting { delay, why } => waiting(*delay, "looking again", why, ui),
        wait::Event::NoPods(why) => {
            ui.note(Verbosity::Verbose, &format!("cannot list Pods: {why}"));
        }
    }
}

/// A cluster as a person knows it.
pub fn where_it_is(connection: &Connection) -> String {
    words::place(&connection.context, &connection.server)
}

/// Say that the run waits before it does something again.
pub fn waiting(delay: Duration, before: &str, why: &str, ui: &Ui) {
    let seconds = delay.as_secs_f32();
    let text = format!("waiting {seconds:.1} s before {before}: {why}");
    ui.note(Verbosity::Verbose, &text);
}

/// What went otherwise than planned, each thing once with the Jobs that it is about.
fn surprises(report: &Report, ui: &Ui) {
    let changed = report.by_message(|outcome| matches!(outcome, Outcome::Changed(_)));
    let of_changed = |jobs: &[&Job]| match jobs {
        [_] => format!(
            "Job {} is left alone, since it has changed",
            words::names(jobs)
        ),
        _ => format!(
            "{} Jobs are left alone, since they have changed",
            jobs.len()
        ),
    };
    told(&changed, of_changed, |text| ui.warning(text));
    let failed = report.by_message(|outcome| matches!(outcome, Outcome::Failed(_)));
    let of_failed = |jobs: &[&Job]| match jobs {
        [_] => format!("cannot delete Job {}", words::names(jobs)),
        _ => format!("cannot delete {} Jobs", jobs.len()),
    };
    told(&failed, of_failed, |text| ui.failure(text));
    let again = report.by_message(|outcome| matches!(outcome, Outcome::Recreated(_)));
    let of_again = |jobs: &[&Job]| match jobs {
        [_] => format!("Job {} was deleted and is there again", words::names(jobs)),
        _ => format!("{} Jobs were deleted and are there again", jobs.len()),
    };
    told(&again, of_again, |text| ui.failure(text));
}

/// Say what there is to say of Jobs with one outcome: a line for each message.
fn told(
    by_message: &[(String, Vec<&Job>)],
    sentence: impl Fn(&[&Job]) -> String,
    say: impl Fn(&str),
) {
    for (message, jobs) in by_message.iter().take(MESSAGES_SHOWN) {
        let which = match jobs.as_slice() {
            [_] => String::new(),
            jobs => format!(" ({})", words::names(jobs)),
        };
        say(&format!("{}: {message}{which}", sentence(jobs)));
    }
    let rest = by_message.iter().skip(MESSAGES_SHOWN);
    let rest: Vec<&Job> = rest.flat_map(|(_, jobs)| jobs.iter().copied()).collect();
    if !rest.is_empty() {
        let why = "for other reasons; -v tells each as it happens";
        say(&format!("{} {why}", sentence(&rest)));
    }
}

/// How waiting ended, and what holds the Jobs that are still there.
fn waited(report: &Report, waited: &Waited, ui: &Ui) {
    let left = count(waited.left, "Job");
    let say = |text: &str| match waited.end {
        // The user has stopped it and knows.
        End::Stopped => ui.note(Verbosity::Normal, text),
        _ => ui.failure(text),
    };
    match &waited.end {
        End::AllGone => return,
        End::TimedOut(limit) => say(&format!(
            "{left} still terminating after {} s",
            limit.as_secs()
        )),
        End::Blind(why) => say(&format!(
            "{left} may still be terminating, and it cannot be seen whether they are: {why}"
        )),
        End::Stopped => say(&format!("{left} still terminating")),
    }
    for (job, held) in report.held().take(HELD_SHOWN) {
        say(&format!(
            "Job {}/{} is still terminating: {}",
            job.namespace(),
            job.name(),
            words::held(held)
        ));
    }
    let more = waited.held.len().saturating_sub(HELD_SHOWN);
    if more > 0 {
        say(&format!(
            "{more} more are still terminating; the document that -o json prints has all of them"
        ));
    }
}

/// What happens during a purge.
pub fn purge_event(event: &purge::Event, ui: &Ui) {
    match event {
        purge::Event::Settled { job, outcome } => {
            ui.step();
            let why = match outcome.message() {
                None => String::new(),
                Some(message) => format!(": {message}"),
            };
            // What failed is said of all Jobs at once when it is over.
            let at = match outcome {
                Outcome::Failed(_) | Outcome::Changed(_) => Verbosity::Verbose,
                _ => Verbosity::Debug,
            };
            let (name, outcome) = (words::names(&[*job]), outcome.as_str());
            ui.note(at, &format!("Job {name}: {outcome}{why}"));
        }
        purge::Event::NotSaved { job, path, why } => ui.note(
            Verbosity::Verbose,
            &format!("Job {}/{}: no {path}: {why}", job.namespace(), job.name()),
        ),
        purge::Event::Waiting { job, delay, why } => {
            let again = format!("trying Job {}/{} again", job.namespace(), job.name());
            waiting(*delay, &again, why, ui);
        }
        purge::Event::Stopping { in_flight } => ui.note(
            Verbosity::Normal,
            &format!(
                "stopping: {} in flight will finish; signal again to leave at once",
                count(*in_flight, "delete")
            ),
        ),
    }
}

/// How a plan or report is printed.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    format: Format,
    /// The form of the log that there is instead of plan and report.
    log: Option<LogFormat>,
    /// Whether a long plan may be shown as a summary on a terminal.
    may_shorten: bool,
    /// Whether what is shown says of which cluster it is, since there may be several.
    by_cluster: bool,
    headers: Headers,
    rows: Rows,
}

impl Printer {
    /// In the form that was asked for.
    pub fn new(options: &Options) -> Printer {
        Printer {
            format: options.format,
            log: options.log_format,
            may_shorten: options.may_shorten,
            by_cluster: matches!(&options.run, Run::OnCluster(wanted) if wanted.several.is_some()),
            headers: if options.no_headers {
                Headers::Hide
            } else {
                Headers::Show
            },
            rows: options.show,
        }
    }

    /// Whether a program reads it, which gets one text.
    pub fn is_for_programs(self) -> bool {
        self.format.is_for_programs()
    }

    /// The same for what is no run.
    pub fn without_log(self) -> Printer {
        Printer { log: None, ..self }
    }

    /// The form of the log, if there is one instead of plan and report.
    pub fn log(self) -> Option<LogFormat> {
        self.log
    }

    /// Log one line, if there is a log.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn log_line(self, line: Line<'_>) -> Result<(), Error> {
        let written = self.log.map_or(Ok(()), |format| log::line(format, line));
        written.map_err(|error| write_error(&error))
    }

    /// A name alone says nothing where there are several namespaces: what reads it would delete in the wrong one.
    ///
    /// # Errors
    /// If only names would be printed, of several namespaces.
    pub fn refuse_bare_names(self, plan: &Plan) -> Result<(), Error> {
        if self.format != Format::Name || plan.namespaces() < 2 {
            return Ok(());
        }
        let message = format!(
            "-o name prints no namespaces, and the plan has {} of them",
            plan.namespaces()
        );
        Err(Error::new(Exit::Usage, message)
            .hint("-o tsv prints a row a Job with its namespace; -n plans for one namespace"))
    }

    /// A purge is preceded by the plan: on stdout in the forms for people, else on stderr if a question follows. If no
    /// question can be asked, the program gets the document of the plan alone.
    ///
    /// # Errors
    /// If it cannot be written: a plan that was not seen is not carried out.
    pub fn before_purge(
        self,
        plans: &[&Plan],
        ask: bool,
        cascade: Cascade,
        ui: &Ui,
    ) -> Result<(), Error> {
        if let Some(format) = self.log {
            // What is purged is logged with its outcome.
            return plans
                .iter()
                .try_for_each(|plan| self.log_skips(format, plan, ui));
        }
        let views: Vec<View> = plans.iter().map(|plan| View::Plan(plan)).collect();
        let purges = || plans.iter().flat_map(|plan| plan.purges());
        let is_document = self.is_for_programs();
        let has_purges = purges().next().is_some();
        let asks = ask && has_purges;
        if !is_document && !has_purges || asks && Ui::can_ask().is_err() {
            // Nothing will be deleted.
            self.print_only(&views, ui)?;
        } else if !is_document {
            // Without a question there is no other chance to see all of it.
            let may_shorten = self.may_shorten && asks;
            Printer {
                may_shorten,
                ..self
            }
            .print(&views, ui)?;
        }
        if asks && Ui::can_ask().is_ok() && (is_document || self.format == Format::Name) {
            let mut text = Vec::new();
            let style = ui.stderr_style(self.headers, self.rows);
            each(&mut text, &views, self.by_cluster, style, |out, view| {
                table::write(out, view, table::Columns::Normal, style)
            })
            .map_err(|error| write_error(&error))?;
            ui.text(&String::from_utf8_lossy(&text));
        }
        let waits = |job: &&Job| match cascade {
            Cascade::Foreground => true,
            Cascade::Auto => !job.state().is_finished(),
            Cascade::Background | Cascade::Orphan => false,
        };
        slow_collector(purges().filter(waits).count(), cascade, ui);
        Ok(())
    }

    /// What went otherwise than planned.
    pub fn tell(self, report: &Report, ui: &Ui) {
        match &report.ended_early {
            Some(EndedEarly::Unreachable(why)) => {
                ui.failure(&format!("stopped early: the server does not answer: {why}"))
            }
            Some(EndedEarly::NotWritten(why)) => ui.failure(&format!("stopped early: {why}")),
            Some(EndedEarly::Stopped(_)) | None => {}
        }
        for (namespace, why) in report.stopped.iter().take(STOPPED_SHOWN) {
            ui.failure(&format!(
                "stopped early in namespace {namespace}: the same refusal again and again: {why}"
            ));
        }
        let more = report.stopped.len().saturating_sub(STOPPED_SHOWN);
        if more > 0 {
            ui.failure(&format!("stopped early in {more} more namespaces"));
        }
        if let Some(end) = &report.waited {
            waited(report, end, ui);
        }
        surprises(report, ui);
    }

    /// What became of the plans. If stdout cannot be written, which it says, the outcomes are told on stderr.
    pub fn report(self, reports: &[&Report], effect: Effect, ui: &Ui) -> bool {
        let views: Vec<View> = reports.iter().map(|report| View::Report(report)).collect();
        let done = |report: &&&Report| !report.outcomes.is_empty();
        let counts = reports.iter().filter(done).map(|report| {
            let outcomes = words::outcomes(report);
            if self.by_cluster {
                format!("{}: {outcomes}", words::cluster(&report.plan.source))
            } else {
                outcomes
            }
        });
        let counts: Vec<String> = counts.collect();
        let is_new = self.is_for_programs() || effect == Effect::DryRun;
        let written = match (self.format, effect) {
            _ if self.log.is_some() => self.print(&views, ui),
            // The plan has been shown already; what is new are the outcomes, if there are any.
            (Format::Table | Format::Wide | Format::Summary, Effect::Delete) => {
                let all = |out: &mut dyn Write| {
                    counts.iter().try_for_each(|line| writeln!(out, "{line}"))
                };
                write_out(all).map_err(|error| write_error(&error))
            }
            (Format::Name, Effect::Delete) => {
                counts
                    .iter()
                    .for_each(|line| ui.note(Verbosity::Normal, line));
                Ok(())
            }
            // There is nothing in it that would be lost.
            _ if counts.is_empty() => self.print_only(&views, ui),
            _ => self.print(&views, ui),
        };
        if let Err(error) = &written {
            ui.failure(&format!("{}; {}", error.message, counts.join("; ")));
            if is_new {
                ui.note(
                    Verbosity::Normal,
                    "hint: what became of each Job is lost; run the command with --dry-run=client to see what is left",
                );
            }
        }
        written.is_ok()
    }

    /// Write plans or reports to stdout in the form asked for.
    ///
    /// # Errors
    /// If they cannot be written.
    fn print(self, views: &[View], ui: &Ui) -> Result<(), Error> {
        if let Some(format) = self.log {
            let endings = views.iter().try_for_each(|view| log::ending(format, *view));
            return endings.map_err(|error| write_error(&error));
        }
        let shortened = self.shortened(views);
        write_out(|out| self.render(views, shortened, out)).map_err(|error| write_error(&error))?;
        self.say_the_rest(views, shortened.is_some(), ui);
        Ok(())
    }

    /// The same where showing it is all that the run is for.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn print_only(self, views: &[View], ui: &Ui) -> Result<(), Error> {
        if let Some(format) = self.log {
            for view in views {
                self.log_skips(format, view.plan(), ui)?;
            }
            return match views.iter().try_for_each(|view| log::ending(format, *view)) {
                // Its reader has seen enough.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(write_error(&error)),
                _ => Ok(()),
            };
        }
        let shortened = self.shortened(views);
        write_only(|out| self.render(views, shortened, out))?;
        self.say_the_rest(views, shortened.is_some(), ui);
        Ok(())
    }

    /// Log the Jobs that stay, for those who want to know of each.
    pub fn log_skips(self, format: LogFormat, plan: &Plan, ui: &Ui) -> Result<(), Error> {
        if !ui.tells(Verbosity::Verbose) {
            return Ok(());
        }
        log::skips(format, plan).map_err(|error| write_error(&error))
    }

    /// What there is to say of a form that does not show all: rows for programs have no totals among them, and a summary
    /// no Jobs.
    fn say_the_rest(self, views: &[View], is_shortened: bool, ui: &Ui) {
        if is_shortened {
            let jobs = views.iter().map(|view| view.plan().summary().jobs).sum();
            let text = format!("hint: -o table shows each of the {}", count(jobs, "Job"));
            ui.note(Verbosity::Normal, &text);
        }
        if self.format != Format::Tsv {
            return;
        }
        for view in views {
            let text = match view {
                View::Plan(plan) => words::totals(&plan.summary()),
                View::Report(report) => words::totals_and_outcomes(report),
            };
            ui.note(
                Verbosity::Normal,
                &if self.by_cluster {
                    format!("{}: {text}", words::cluster(&view.plan().source))
                } else {
                    text
                },
            );
        }
    }

    /// How many groups of each are shown instead of all Jobs, where these would fill more than [`SCREENS`] of a terminal.
    fn shortened(self, views: &[View]) -> Option<usize> {
        let height = Ui::stdout_height().filter(|_| self.may_shorten)?;
        let lines = views.iter().map(|view| {
            let summary = view.plan().summary();
            match self.rows {
                Rows::All => summary.groups + summary.jobs,
                Rows::Purges => summary.groups_to_purge + summary.purge,
            }
        });
        let each = height / views.len().max(1);
        // What comes after it is to be on the same screen.
        (lines.sum::<usize>() > SCREENS * height).then_some(each.saturating_sub(LINES_AFTER).max(1))
    }

    /// Write plans or reports in the form asked for, or this many groups of each.
    fn render(
        self,
        views: &[View],
        shortened: Option<usize>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let style = Ui::stdout_style(self.headers, self.rows);
        if let Some(groups) = shortened {
            let style = Style {
                rows: Rows::Purges,
                ..style
            };
            return each(out, views, self.by_cluster, style, |out, view| {
                summary::write(out, view, style, Some(groups))
            });
        }
        match self.format {
            Format::Json if self.by_cluster => json::write_all(out, views, self.rows),
            Format::Yaml if self.by_cluster => yaml::write_all(out, views, self.rows),
            Format::Tsv if self.by_cluster => {
                views.iter().enumerate().try_for_each(|(index, view)| {
                    let headers = if index == 0 {
                        style.headers
                    } else {
                        Headers::Hide
                    };
                    let context = words::context(&view.plan().source);
                    tsv::write_of(out, *view, Some(context), headers, style.rows)
                })
            }
            _ => each(out, views, self.by_cluster, style, |out, view| {
                match self.format {
                    Format::Table => table::write(out, view, table::Columns::Normal, style),
                    Format::Wide => table::write(out, view, table::Columns::Wide, style),
                    Format::Summary => summary::write(out, view, style, None),
                    Format::Json => json::write(out, view, self.rows),
                    Format::Yaml => yaml::write(out, view, self.rows),
                    Format::Tsv => tsv::write(out, view, style.headers, style.rows),
                    Format::Name => name::write(out, view),
                }
            }),
        }
    }
}

/// Where the backup is, and what to do with it.
pub fn backup_note(dir: &Path, report: &Report, ui: &Ui) {
    if report.outcomes.iter().any(Outcome::is_purged) {
        let dir = dir.display();
        let text = format!(
            "the backup is in {dir}; kubectl jobclean restore {dir} creates the Jobs in it again"
        );
        ui.note(Verbosity::Normal, &text);
    }
}

/// Hold the plan if it would purge more than it may of the Jobs listed.
///
/// # Errors
/// If it does.
pub fn check_limit(
    plan: &mut Plan,
    max_purge: Option<MaxPurge>,
    listed: usize,
) -> Result<(), Error> {
    match max_purge.and_then(|limit| plan.limit(limit, listed)) {
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

/// What the garbage collector asks of the server for a Job of a `foreground` delete: it reads the Job twice and takes
/// its finalizer away; with a Pod, it reads the Job once more, and reads the Pod and its owner and deletes the Pod.
const REQUESTS_WITHOUT_POD: u64 = 3;

const REQUESTS_WITH_POD: u64 = 7;

/// kube-controller-manager's `--kube-api-qps` is 20 by default, and its garbage collector takes twice that.
const REQUESTS_A_SECOND: u64 = 40;

/// Less than this is not worth a note.
const WORTH_A_WORD: Duration = Duration::from_secs(120);

/// How long the garbage collector may need for this many Jobs of a `foreground` delete at its default pace, without Pods
/// and with one each; `None` if that is not worth a word.
fn collector_time(jobs: usize) -> Option<(Duration, Duration)> {
    let at = |requests: u64| Duration::from_secs(jobs as u64 * requests / REQUESTS_A_SECOND);
    let longer = at(REQUESTS_WITH_POD);
    (longer >= WORTH_A_WORD).then(|| (at(REQUESTS_WITHOUT_POD), longer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_purge_keeps_the_collector_busy() {
        assert_eq!(collector_time(0), None);
        assert_eq!(collector_time(600), None);
        let hours = |time: Duration| time.as_secs() / 3600;
        let (shorter, longer) = collector_time(50_000).unwrap();
        assert_eq!((hours(shorter), hours(longer)), (1, 2));
    }
}
