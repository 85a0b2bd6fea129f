//! What plans, warnings and reports say to people, shared by the forms of output.

use std::{borrow::Borrow, collections::BTreeSet, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    gitops::{Answer, Claim, Claims, Mode, Says, Tool},
    job::{
        Deletion, Job,
        grouping::{Grouping, Key},
    },
    plan::{
        self, Plan, PlannedGroup, Silence, Source, Summary, Warning,
        group::{GroupKey, MixedGroups},
        report::{Held, Outcome, Report},
        retention::{KeepReason, Policy, WaysOut},
        rules::Treatment,
    },
    text::{count, harmless},
    time,
};

/// More Jobs than this of which the same is said are counted, not named.
const NAMES_SHOWN: usize = 3;

/// More Pods than this of one Job are counted, not named.
const PODS_SHOWN: usize = 5;

/// `KEY=VALUE` of everything that makes a group, joined by commas; empty where families alone do. Not made harmless.
pub fn group_values(grouping: &Grouping, key: &GroupKey) -> String {
    let keys: Vec<&str> = match grouping {
        Grouping::Application => vec!["application"],
        Grouping::Keys(keys) => keys.iter().map(Key::as_str).collect(),
        Grouping::Family => Vec::new(),
    };
    let pairs = keys.into_iter().zip(key.values.iter());
    let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// What makes a group, and its family where groups were split by it; not made harmless.
pub fn group(grouping: &Grouping, group: &PlannedGroup) -> String {
    let values = group_values(grouping, &group.key);
    match &group.family {
        Some(family) if values.is_empty() => format!("family {family}"),
        Some(family) => format!("{values} (family {family})"),
        None => values,
    }
}

/// The totals of a plan, on one line.
pub fn totals(summary: &Summary) -> String {
    format!(
        "{}, {}: {} SKIP, {} PURGE",
        count(summary.groups, "group"),
        count(summary.jobs, "Job"),
        summary.skip,
        summary.purge
    )
}

/// What the Jobs to purge take in the API server's store, on one line.
pub fn store(purge_bytes: u64) -> String {
    let size = bytes(purge_bytes);
    format!("Jobs to purge take about {size} in the API server's store")
}

/// A number of bytes that is not known to the last one: `340 kB`, `4.5 MB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut number, mut unit) = (bytes as f64, 0);
    // What would be rounded to 1,000 is one of the next unit.
    while number >= 999.5 && unit + 1 < units.len() {
        number /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && number < 9.95);
    format!("{number:.decimals$} {}", units[unit])
}

/// How long a Job has been on its way out, and what holds it: a fragment, not made harmless.
pub fn terminating(deletion: &Deletion, now: Timestamp) -> String {
    let age = time::human(now.duration_since(deletion.since.timestamp()));
    let names = deletion.finalizers.iter().map(|name| &**name);
    let parts: Vec<&str> = [&*age].into_iter().chain(names).collect();
    parts.join(", ")
}

/// A cluster as a person knows it, harmless: its context and the address of its server.
pub fn place(context: &str, server: &str) -> String {
    let server = harmless(server);
    match context {
        "" => server.into_owned(),
        context => format!("{} ({server})", harmless(context)),
    }
}

/// The same of where the Jobs of a plan were read.
pub fn cluster(source: &Source) -> String {
    match source {
        Source::Cluster { context, server } => place(context, server),
        Source::File { path } => harmless(path).into_owned(),
    }
}

/// The context that leads to a cluster.
pub fn context(source: &Source) -> &str {
    match source {
        Source::Cluster { context, .. } => context,
        Source::File { path } => path,
    }
}

/// What was done, on one line; outcomes without Jobs are left out.
pub fn outcomes(report: &Report) -> String {
    let all = report.outcomes.len();
    let of = |is_meant: fn(&Outcome) -> bool| {
        let meant = report.outcomes.iter().filter(|outcome| is_meant(outcome));
        meant.count()
    };
    let (done, verb) = match of(|outcome| *outcome == Outcome::WouldDelete) {
        0 => (of(Outcome::is_purged), "purged"),
        tried => (tried, "would be purged"),
    };
    let jobs = if done == all {
        count(all, "Job")
    } else {
        format!("{done} of {}", count(all, "Job"))
    };
    let parts = report.counts().iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let end = if parts.is_empty() { "" } else { ": " };
    format!(
        "{jobs} {verb} in {}{end}{}",
        seconds(report.took),
        parts.join(", ")
    )
}

/// A plan's totals and what was done, on one line.
pub fn totals_and_outcomes(report: &Report) -> String {
    let totals = totals(&report.plan.summary());
    if report.outcomes.is_empty() {
        return totals;
    }
    format!("{totals}; {}", outcomes(report))
}

/// How long something took.
fn seconds(took: Duration) -> String {
    match SignedDuration::try_from(took) {
        Ok(took) if took >= SignedDuration::from_mins(1) => time::human(took),
        _ => format!("{:.1} s", took.as_secs_f32()),
    }
}

/// Names of Jobs, the first [`NAMES_SHOWN`] of them: not made harmless.
pub fn names(jobs: &[&Job]) -> String {
    let names = jobs.iter().take(NAMES_SHOWN);
    let names: Vec<String> = names
        .map(|job| format!("{}/{}", job.namespace(), job.name()))
        .collect();
    match jobs.len().saturating_sub(NAMES_SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// Finalizers by their names: not made harmless.
fn finalizers<T: Borrow<str>>(names: &[T]) -> String {
    match names {
        [one] => format!("finalizer {}", one.borrow()),
        names => format!("finalizers {}", names.join(", ")),
    }
}

/// What holds a Job that is still there: a fragment, not made harmless.
pub fn held(held: &Held) -> String {
    let mut text = match held.finalizers.as_slice() {
        [] => "no finalizer holds it any more".to_owned(),
        names => format!("held by the {}", finalizers(names)),
    };
    let pods: Vec<String> = held
        .pods
        .iter()
        .take(PODS_SHOWN)
        .map(|pod| match pod.finalizers.as_slice() {
            [] => format!("Pod {}", pod.name),
            names => format!("Pod {} ({})", pod.name, finalizers(names)),
        })
        .collect();
    if !pods.is_empty() {
        text += &format!(", which waits for {}", pods.join(", "));
    }
    match held.pods.len().saturating_sub(PODS_SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// A span of time for people: `3 to 7 minutes`, `1 to 2.5 hours`.
pub fn span(shorter: Duration, longer: Duration) -> String {
    let minutes = |time: Duration| time.as_secs().div_ceil(60);
    let hours = |time: Duration| (time.as_secs_f64() / 360.0).round() / 10.0;
    match (minutes(shorter), minutes(longer)) {
        (from, to) if from == to => count(usize::try_from(to).unwrap_or(usize::MAX), "minute"),
        (from, to) if to < 120 => format!("{from} to {to} minutes"),
        _ => format!("{} to {} hours", hours(shorter), hours(longer)),
    }
}

/// What a Job has that belongs to a group, as a person would name it.
pub fn what_groups(grouping: &Grouping) -> String {
    match grouping {
        Grouping::Application => "the mark of an Argo CD application".to_owned(),
        Grouping::Family => "a name".to_owned(),
        Grouping::Keys(keys) => {
            let keys: Vec<String> = keys.iter().map(|key| format!("the {key}")).collect();
            keys.join(" and ")
        }
    }
}

/// What is held since it is in groups of several families, and on a second line what to do about it.
pub fn held_groups(plan: &Plan, held: &plan::Held) -> [String; 2] {
    let are = if held.jobs == 1 { "is" } else { "are" };
    let set = SetBy::of(plan).to("mixed-groups", "split");
    let (jobs, groups) = (count(held.jobs, "Job"), count(held.groups, "group"));
    let (split, merge) = (held.split, held.merge);
    [
        format!("{jobs} in {groups} {are} held (mixed-group):"),
        format!("  {set} would purge {split}, merge {merge}"),
    ]
}

/// How many Jobs stay since tools say so, and nothing else keeps them: a sentence for each kind of saying.
pub fn claimed(summary: &Summary) -> Vec<String> {
    let stay = |jobs: usize| {
        let stay = if jobs == 1 { "stays" } else { "stay" };
        format!("{} {stay}", count(jobs, "Job"))
    };
    let them = |jobs: usize| if jobs == 1 { "it" } else { "them" };
    let [wanted, unsettled] =
        [KeepReason::Wanted, KeepReason::Unsettled].map(|reason| summary.kept.of(reason).alone);
    let mut lines = Vec::new();
    if wanted > 0 {
        lines.push(format!(
            "{} since git still wants {} (wanted)",
            stay(wanted),
            them(wanted)
        ));
    }
    if unsettled > 0 {
        lines.push(format!(
            "{} until the tool that manages {} can tell what it wants (unsettled; -o wide shows why)",
            stay(unsettled),
            them(unsettled)
        ));
    }
    lines
}

/// How many Jobs stay for each reason, and what would change that; `None` if no Job stays. A Job may stay for several.
pub fn kept(plan: &Plan, summary: &Summary) -> Option<String> {
    let set = SetBy::of(plan);
    let reasons = KeepReason::ALL.into_iter().filter_map(|reason| {
        let jobs = summary.kept.of(reason).jobs;
        let change = match flag(reason) {
            None => String::new(),
            // It names the file.
            Some("policy") => " (--policy)".to_owned(),
            Some(flag) => format!(" ({})", set.name(flag)),
        };
        (jobs > 0).then(|| format!("{jobs} {}{change}", reason.as_str()))
    });
    let reasons: Vec<String> = reasons.collect();
    (!reasons.is_empty()).then(|| format!("kept: {}", reasons.join(", ")))
}

/// The flag that changes what a reason keeps; `None` if no flag does.
fn flag(reason: KeepReason) -> Option<&'static str> {
    Some(match reason {
        KeepReason::Newest => "keep",
        KeepReason::RecentSuccess => "keep-succeeded",
        KeepReason::RecentFailure => "keep-failed",
        KeepReason::Recent => "keep-within",
        KeepReason::RecentlySuperseded => "keep-superseded-within",
        KeepReason::RecentlyFinished => "keep-finished-within",
        KeepReason::Terminating | KeepReason::Protected => return None,
        KeepReason::Wanted | KeepReason::Unsettled => "gitops",
        KeepReason::Active => "include-active",
        KeepReason::Owned => "include-owned",
        KeepReason::MixedGroup => "mixed-groups",
        KeepReason::Held => "policy",
    })
}

/// What sets what stays, and what a flag is called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// Flags.
    Flags,
    /// A policy. Beside it a flag is an error where the policy says the same.
    Policy,
}

impl SetBy {
    /// What sets it for a plan.
    pub fn of(plan: &Plan) -> SetBy {
        match plan.rules {
            None => SetBy::Flags,
            Some(_) => SetBy::Policy,
        }
    }

    /// The name of a flag there: `--keep-within`, `keepWithin`.
    pub fn name(self, flag: &str) -> String {
        match self {
            SetBy::Flags => format!("--{flag}"),
            SetBy::Policy => {
                let mut words = flag.split('-');
                let mut field = words.next().unwrap_or_default().to_owned();
                for word in words {
                    let (first, rest) = word.split_at(1);
                    field += &first.to_ascii_uppercase();
                    field += rest;
                }
                field
            }
        }
    }

    /// A flag with a value there: `--gitops=ignore`, `gitops: ignore`.
    pub fn to(self, flag: &str, value: &str) -> String {
        let name = self.name(flag);
        match self {
            SetBy::Flags => format!("{name}={value}"),
            SetBy::Policy => format!("{name}: {value}"),
        }
    }
}

/// The Jobs that are on their way out already: a sentence; `None` if there are none.
pub fn already_terminating(plan: &Plan) -> Option<String> {
    let deletions = || plan.terminating().filter_map(|job| job.deletion());
    let since = deletions().map(|deletion| deletion.since).min()?;
    let names = deletions().flat_map(|deletion| &deletion.finalizers);
    let names: BTreeSet<&str> = names.map(|name| &**name).collect();
    let number = deletions().count();
    let (are, them) = if number == 1 {
        ("is", "it")
    } else {
        ("are", "them")
    };
    let held = match Vec::from_iter(names).as_slice() {
        [] => String::new(),
        names => format!(", held by the {}", finalizers(names)),
    };
    let age = time::human(plan.taken_at.duration_since(since.timestamp()));
    Some(format!(
        "{} {are} terminating already, for up to {age}{held}; --wait waits for {them} as well",
        count(number, "Job"),
    ))
}

/// What one tool says of a Job: `Application argocd/shop: wanted, in git`. Not made harmless.
pub fn claim(claim: &Claim<'_>) -> String {
    format!("{}: {}, {}", claim.by, says(claim.says), claim.says.why())
}

/// The reason that a claim adds.
pub fn says(says: Says) -> &'static str {
    match says {
        Says::Wanted(_) => "wanted",
        Says::Unsettled(_) => "unsettled",
    }
}

/// What came of asking for the objects of a tool: a word for documents.
pub fn answer(answer: &Answer) -> &'static str {
    match answer {
        Answer::NotAsked => "not-asked",
        Answer::Read => "read",
        Answer::Absent => "absent",
        Answer::Forbidden => "forbidden",
        Answer::Broken(_) => "broken",
    }
}

/// What came of asking tools what they want, on one line.
pub fn asked(claims: &Claims) -> String {
    let of = |what: &str, read: usize, found: &Answer| match found {
        Answer::Read => format!("{} read", count(read, what)),
        other => format!("{what}s {}", answer(other)),
    };
    format!(
        "{}, {}",
        of("Application", claims.argocd.len(), claims.argocd.answer()),
        of("Kustomization", claims.flux.len(), claims.flux.answer())
    )
}

/// What to do about Jobs that tools have marked and do not answer for; `None` if there are none of a plan's.
pub fn unanswered_hint(plan: &Plan) -> Option<String> {
    let mut silent = plan.warnings.iter().filter_map(|warning| match warning {
        Warning::Unanswered { tool, .. } => Some(*tool),
        _ => None,
    });
    let first = silent.next()?;
    let elsewhere = match (first, &plan.source) {
        (Tool::ArgoCd, Source::Cluster { .. }) => {
            "--argocd-context reads them where Argo CD runs; "
        }
        _ => "",
    };
    let set = SetBy::of(plan);
    Some(format!(
        "{elsewhere}{} keeps them; {} says no more",
        set.to("gitops", "require"),
        set.to("gitops", "ignore")
    ))
}

/// That the objects of a tool could not be read to the end.
pub fn unreadable((tool, why): (Tool, &str)) -> String {
    format!(
        "what {} still wants could not be read, so that the Jobs that it has marked stay: {why}",
        tool.as_str()
    )
}

/// How many Jobs belong to no group: a sentence.
pub fn ungrouped(ungrouped: usize) -> String {
    let belong = if ungrouped == 1 {
        "belongs to no group and stays"
    } else {
        "belong to no group and stay"
    };
    format!("{} {belong}", count(ungrouped, "Job"))
}

/// What each way out of a held group would purge: a fragment.
fn ways_out(set: SetBy, ways: &WaysOut, jobs: usize) -> String {
    let family = match &ways.family {
        Some(ending) => format!(
            ", {} {}",
            set.to("family", &format!("'{ending}'")),
            ways.merge
        ),
        None => String::new(),
    };
    format!(
        "nothing in it is purged; {} would purge {} of its {}, merge {}{family}",
        set.to("mixed-groups", "split"),
        ways.split,
        count(jobs, "Job"),
        ways.merge
    )
}

/// What a policy keeps, on one line.
pub fn policy(whole: &Policy, grouping: &Grouping) -> String {
    let policy = &whole.defaults;
    let mut kept = vec![format!("the newest {} of every group", policy.keep)];
    for (number, status) in [
        (policy.keep_succeeded, "Complete"),
        (policy.keep_failed, "Failed"),
    ] {
        if number > 0 {
            kept.push(format!("the newest {number} {status}"));
        }
    }
    for (within, what) in [
        (policy.keep_within, "created"),
        (policy.keep_superseded_within, "superseded"),
        (policy.keep_finished_within, "finished"),
    ] {
        if let Some(within) = within {
            let within = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
            kept.push(format!("what was {what} within {}", time::human(within)));
        }
    }
    if policy.active == Treatment::Keep {
        kept.push("Jobs that are not finished".to_owned());
    }
    if policy.owned == Treatment::Keep {
        kept.push("Jobs that have a controller".to_owned());
    }
    let mixed = match whole.mixed_groups(grouping) {
        MixedGroups::Hold => "purges nothing in mixed groups",
        MixedGroups::Split => "judges each family by itself",
        MixedGroups::Merge => "ignores families",
    };
    let gitops = match whole.gitops {
        Mode::Auto => "",
        Mode::Require => {
            ", and keeps Jobs that a GitOps tool has marked until that tool no longer wants them"
        }
        Mode::Ignore => ", and asks no GitOps tool",
    };
    let (where_else, rules) = match whole.rules.as_ref().map_or(0, |rules| rules.iter().len()) {
        0 => ("", String::new()),
        rules => (
            "where no rule matches, ",
            format!("; it has {}", count(rules, "rule")),
        ),
    };
    let kept = kept.join(", ");
    format!("{where_else}it keeps {kept}, and {mixed}{gitops}{rules}")
}

/// A warning in words: a lowercase fragment, not made harmless.
pub fn warning(plan: &Plan, warning: &Warning) -> String {
    let group = |key: &GroupKey| format!("{}/{}", key.namespace, group_values(&plan.grouping, key));
    match warning {
        Warning::NothingFound => match &plan.grouping {
            Grouping::Family => "there is no Job".to_owned(),
            grouping => format!("no Job has {}", what_groups(grouping)),
        },
        Warning::MixedGroup { key, jobs, mixed } => {
            let shown: Vec<&str> = mixed.families.iter().take(5).map(AsRef::as_ref).collect();
            let more = match mixed.families.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let done = match &mixed.ways_out {
                Some(ways) => ways_out(SetBy::of(plan), ways, jobs.get()),
                None => "they are judged as one".to_owned(),
            };
            format!(
                "group {} holds the families {}{more}: {done}",
                group(key),
                shown.join(", ")
            )
        }
        Warning::CreatedInFuture { count, example } => {
            let (jobs, verb) = if count.get() == 1 {
                ("Job", "was")
            } else {
                ("Jobs", "were")
            };
            format!(
                "{count} {jobs} {verb} created in the future by this machine's clock ({}): \
                 ages and --keep-within may be off",
                example
            )
        }
        Warning::Terminating {
            count: number,
            longest,
            finalizers: names,
            example,
        } => {
            let have = if number.get() == 1 { "has" } else { "have" };
            let held = match names.as_slice() {
                [] => "no finalizer holds them, so the garbage collector may be behind".to_owned(),
                names => format!("held by the {}", finalizers(names)),
            };
            format!(
                "{} {have} been terminating for up to {}, {held}; the first is Job {example}",
                count(number.get(), "Job"),
                time::human(*longest),
            )
        }
        Warning::ClocksDiffer { ahead } => format!(
            "this machine's clock is {} {} the server's: ages count from the earlier of the two",
            time::human(ahead.abs()),
            if ahead.is_positive() {
                "behind"
            } else {
                "ahead of"
            }
        ),
        Warning::MaybeCutOff { key } => format!(
            "group {} has a label value of 63 characters, the most there can be: it may be a longer name cut off, \
             and the group may hold what does not belong together",
            group(key)
        ),
        Warning::Unanswered {
            tool,
            count: number,
            purge,
            owners,
            why,
        } => {
            let is_one = number.get() == 1;
            let are = if is_one { "is" } else { "are" };
            let owners = match owners.as_slice() {
                [] => String::new(),
                [one] => format!(" ({one})"),
                [first, more @ ..] => format!(" ({first} and {} more)", more.len()),
            };
            let objects = match tool {
                Tool::ArgoCd => "Application",
                _ => "Kustomization",
            };
            let place = match &plan.source {
                Source::File { .. } => "in the file",
                _ if plan.claims.is_of_some_namespaces => "in the namespaces that were read",
                _ if *tool == Tool::ArgoCd && plan.claims.argocd.are_elsewhere() => {
                    "on the cluster of --argocd-context"
                }
                Source::Cluster { .. } => "on this cluster",
            };
            let but = match why {
                Silence::Absent if is_one => format!("but its {objects} is not {place}"),
                Silence::Absent => format!("but their {objects}s are not {place}"),
                Silence::Forbidden => format!("but you may not list {objects}s"),
                Silence::NotAsked => "which is not asked what it wants".to_owned(),
            };
            format!(
                "{number} of the {} to purge {are} marked by {}{owners}, {but}: if git still has one, it will be made and \
                 run again",
                count(*purge, "Job"),
                tool.as_str(),
            )
        }
        Warning::Unreadable { tool, why } => unreadable((*tool, why)),
        Warning::Stale { since } => format!(
            "Argo CD has compared no Application with git for {}: what it says of Jobs may be out of date",
            time::human(*since)
        ),
        Warning::Ignored { what } => format!("ignored in the file: {}", what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_a_field_in_a_policy() {
        let flag = "keep-superseded-within";
        assert_eq!(SetBy::Flags.name(flag), "--keep-superseded-within");
        assert_eq!(SetBy::Policy.name(flag), "keepSupersededWithin");
        assert_eq!(SetBy::Flags.to("gitops", "ignore"), "--gitops=ignore");
        assert_eq!(SetBy::Policy.to("gitops", "ignore"), "gitops: ignore");
    }

    #[test]
    fn numbers_of_bytes() {
        for (number, expected) in [
            (1, "1 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (340_400, "340 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (45_000_000, "45 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(number), expected);
        }
    }
}
