//! What has to hold of a saved plan that makes sense.

use std::{collections::HashSet, sync::Arc};

use super::{LoadError, SavedPlan, nonsense};
use crate::{
    job::{
        Common, Deletion, Job, Own, State,
        field::FieldSelector,
        generated_after,
        grouping::{Grouping, Key},
        label::{LabelKey, is_dns_subdomain},
        pattern::NamespacePattern,
        query::{Query, Scope},
        rules::RuleNumber,
        selector::Selector,
    },
    output::{
        document::{self, Document, Group},
        escape::Text,
    },
    plan::{
        Mixed, Plan, PlannedGroup, PlannedJob, Source,
        group::{GroupKey, MixedGroups, distinct},
        group_warnings,
        retention::{KeepReason, KeepReasons, SUPERSEDED, Verdict},
        rules::Rules,
    },
    text::quoted,
};

/// The plan that a document holds.
pub(super) fn document(
    document: Document<Vec<Group>>,
    chunk_size: u32,
) -> Result<SavedPlan, LoadError> {
    let (Some(cluster), Some(extras)) = (document.cluster, document.saved) else {
        return Err(nonsense(
            "it is not a saved plan: it lacks its cluster or what only --save-plan writes",
        ));
    };
    if document.file.is_some() || document.held.is_some() || document.summary.outcomes.is_some() {
        return Err(nonsense(
            "it is not a saved plan: it is one from a file, or is held, or was carried out",
        ));
    }
    let grouping = grouping(document.group_by.as_ref(), &document.labels)?;
    let selector: Selector = extras
        .selector
        .parse()
        .map_err(|error| nonsense(format!("its selector: {error}")))?;
    let fields: FieldSelector = extras
        .field_selector
        .parse()
        .map_err(|error| nonsense(format!("its field selector: {error}")))?;
    let excluded = extras
        .exclude_namespaces
        .iter()
        .map(|pattern| pattern.parse());
    let excluded: Vec<NamespacePattern> = excluded
        .collect::<Result<_, _>>()
        .map_err(|error| nonsense(format!("the namespaces that it leaves out: {error}")))?;
    if cluster.server.0.is_empty() {
        return Err(nonsense("it names no server"));
    }
    let places = extras.places();
    let policy = extras.policy.policy().map_err(nonsense)?;
    let rules = policy.rules.as_ref();
    let mixed = policy.mixed_groups(&grouping);
    let mut groups: Vec<PlannedGroup> = document
        .groups
        .into_iter()
        .map(|found| group(found, &grouping, extras.namespace.as_deref(), rules))
        .collect::<Result<_, _>>()?;
    groups.retain(|group| !group.jobs.is_empty());
    let mut uids = HashSet::new();
    if !groups
        .iter()
        .flat_map(|group| &group.jobs)
        .all(|planned| uids.insert(planned.job.uid()))
    {
        return Err(nonsense("it lists a Job twice"));
    }
    if !groups.is_sorted_by(|a, b| (&a.key, &a.family) < (&b.key, &b.family)) {
        return Err(nonsense(
            "its groups are out of order, or one is there twice",
        ));
    }
    // To which family a Job belongs is found out anew before it is carried out: what the Jobs tell that were taken out of
    // the file is not known here.
    let is_split = mixed == MixedGroups::Split;
    let fits = |group: &PlannedGroup| match &group.family {
        Some(family) => {
            // What stands before the phase of a hook, or before what was taken off.
            let stem = family.split([' ', '*']).next().unwrap_or_default();
            let stem = stem.trim_end_matches('-');
            is_split && (group.jobs.iter()).all(|planned| planned.job.name().starts_with(stem))
        }
        None => !is_split,
    };
    if !groups.iter().all(fits) {
        return Err(nonsense("its groups do not match its mixed-groups setting"));
    }
    if !is_split {
        for group in &mut groups {
            let jobs = group.jobs.iter().map(|planned| &planned.job);
            let (families, _) = distinct(jobs, policy.family.as_ref());
            group.mixed = Mixed::new(families, None);
        }
    }
    let saved = SavedPlan {
        query: Query {
            grouping: grouping.clone(),
            selector,
            fields,
            excluded,
            rules: rules.map(Rules::matches).unwrap_or_default(),
            scope: match extras.namespace {
                None => Scope::AllNamespaces,
                Some(namespace) => Scope::Namespace(namespace),
            },
            chunk_size,
        },
        identity: extras.identity,
        plan: Plan {
            source: Source::Cluster {
                context: cluster.context.0.into_owned(),
                server: cluster.server.0.into_owned(),
            },
            warnings: group_warnings(&groups, &grouping),
            grouping,
            ungrouped: document.summary.ungrouped.unwrap_or_default(),
            resource_version: document.resource_version.0.into_owned(),
            taken_at: document.taken_at,
            exceeded: None,
            gitops: policy.gitops,
            // They are asked again before it is carried out.
            claims: Arc::default(),
            rules: policy.rules.clone(),
            groups,
        },
        places,
        policy,
    };
    let there = saved.plan.summary();
    // Jobs may have been taken out, and never put in.
    let counted = [
        (there.groups, document.summary.groups),
        (there.jobs, document.summary.jobs),
        (there.skip, document.summary.skip),
        (there.purge, document.summary.purge),
    ];
    let adds_up = document.summary.jobs == document.summary.skip + document.summary.purge;
    if adds_up && counted.into_iter().all(|(there, counted)| there <= counted) {
        Ok(saved)
    } else {
        Err(nonsense("its summary does not match its Jobs"))
    }
}

/// What makes the groups of a document: labels alone, if it does not say more.
fn grouping(group_by: Option<&Text>, labels: &[Text]) -> Result<Grouping, LoadError> {
    let named = labels.iter().map(|label| label.0.parse());
    let named: Vec<LabelKey> = named
        .collect::<Result<_, _>>()
        .map_err(|error| nonsense(format!("its labels: {error}")))?;
    let grouping = match group_by {
        None if named.is_empty() => return Err(nonsense("it names no label")),
        None => Grouping::labels(named.clone()),
        Some(text) => {
            (text.0.parse()).map_err(|error| nonsense(format!("its grouping: {error}")))?
        }
    };
    if grouping.label_keys().eq(&named) {
        Ok(grouping)
    } else {
        Err(nonsense("its labels are not those that it groups by"))
    }
}

/// What put the Jobs of a group into it.
fn values(group: &Group, grouping: &Grouping) -> Option<Vec<Arc<str>>> {
    let value = |key: &Key| {
        let map = match key {
            Key::Label(_) => &group.labels,
            Key::Annotation(_) => &group.annotations,
        };
        map.get(&Text::from(key.as_str()))
            .map(|value| (*value.0).into())
    };
    let (labels, annotations) = (group.labels.len(), group.annotations.len());
    let is_whole = labels + annotations == grouping.keys().len();
    let application = match (grouping, &group.application) {
        (Grouping::Application, Some(application)) => Some((*application.0).into()),
        (Grouping::Keys(_) | Grouping::Family, None) => None,
        _ => return None,
    };
    let values: Option<Vec<Arc<str>>> = grouping.keys().iter().map(value).collect();
    Some(application.into_iter().chain(values?).collect()).filter(|_| is_whole)
}

fn group(
    group: Group,
    grouping: &Grouping,
    namespace: Option<&str>,
    rules: Option<&Rules>,
) -> Result<PlannedGroup, LoadError> {
    let who = format!("its group in namespace {}", quoted(&group.namespace.0));
    if group.namespace.0.is_empty()
        || namespace.is_some_and(|namespace| namespace != group.namespace.0)
    {
        return Err(nonsense(format!("{who} is outside the scope of the plan")));
    }
    let values = values(&group, grouping)
        .ok_or_else(|| nonsense(format!("{who} does not have what the plan groups by")))?;
    let key = GroupKey {
        namespace: (*group.namespace.0).into(),
        values: values.into(),
    };
    // A reader may have taken Jobs out. What is left stands in its order.
    let ranks = group.jobs.iter().map(|job| job.rank);
    let are_ranked = ranks.clone().all(|rank| rank > 0) && ranks.is_sorted_by(|a, b| a < b);
    let of_all = group.rule;
    let jobs: Vec<PlannedJob> = group
        .jobs
        .into_iter()
        .map(|found| {
            let rule = rule(of_all.as_ref(), found.rule.as_ref(), rules)
                .ok_or_else(|| nonsense(format!("{who} names a rule that there is not")))?;
            job(found, &key, rule)
        })
        .collect::<Result<_, _>>()?;
    let in_order = jobs.is_sorted_by(|a, b| Job::newest_first(&a.job, &b.job).is_lt());
    // The newest of those that are not on their way out.
    let newest = jobs.iter().find(|planned| !planned.job.is_terminating());
    let keeps_newest = newest.is_some_and(
        |newest| matches!(newest.verdict, Verdict::Skip(why) if why.contains(KeepReason::Newest)),
    );
    let purges = jobs.iter().any(|planned| planned.verdict.is_purge());
    if !in_order || !are_ranked || (purges && !keeps_newest) {
        return Err(nonsense(format!(
            "{who} is out of order, or does not keep its newest"
        )));
    }
    Ok(PlannedGroup {
        key,
        family: group.family.map(|family| (*family.0).into()),
        mixed: None,
        jobs,
    })
}

/// The rule of a Job, as its group has it or it alone; `None` if there is no such rule.
fn rule(
    of_all: Option<&Text>,
    own: Option<&Text>,
    rules: Option<&Rules>,
) -> Option<Option<RuleNumber>> {
    match (rules, of_all, own) {
        (None, None, None) => Some(None),
        (Some(rules), Some(name), None) | (Some(rules), None, Some(name)) => rules.named(&name.0),
        _ => None,
    }
}

fn job(
    job: document::Job,
    key: &GroupKey,
    rule: Option<RuleNumber>,
) -> Result<PlannedJob, LoadError> {
    let wrong = |what: &str| nonsense(format!("its Job {}: {what}", quoted(&job.name.0)));
    let identified = ![&job.name, &job.uid, &job.resource_version]
        .iter()
        .any(|text| text.0.is_empty());
    if !identified {
        return Err(wrong("it lacks its name, uid or resourceVersion"));
    }
    if !is_dns_subdomain(&job.name.0) {
        return Err(wrong("it has an invalid name"));
    }
    if job.outcome.is_some() || job.message.is_some() || job.pods.is_some() {
        return Err(wrong("it has an outcome already"));
    }
    let finalizers = job.finalizers.as_deref().unwrap_or_default();
    let state = match &*job.status.0 {
        "Complete" => State::Complete,
        "Failed" => State::Failed,
        "Suspended" => State::Suspended,
        "FailureTarget" => State::FailureTarget,
        "SuccessCriteriaMet" => State::SuccessCriteriaMet,
        "Running" | "Terminating" => State::Running,
        _ => return Err(wrong("it has an unknown status")),
    };
    let reasons = job.reasons.iter().map(|word| {
        let known = KeepReason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == word.0);
        known.ok_or_else(|| wrong("its reasons do not go with its verdict"))
    });
    let verdict = match &*job.verdict.0 {
        "PURGE" if job.reasons == [Text::from(SUPERSEDED)] && job.status.0 != "Terminating" => {
            Verdict::Purge
        }
        "SKIP" => KeepReasons::new(reasons.collect::<Result<Vec<_>, _>>()?)
            .map(Verdict::Skip)
            .ok_or_else(|| wrong("it is kept for no reason"))?,
        _ => return Err(wrong("its reasons do not go with its verdict")),
    };
    let terminating = job.status.0 == "Terminating"
        || matches!(verdict, Verdict::Skip(why) if why.contains(KeepReason::Terminating));
    if !terminating && (job.deletion_timestamp.is_some() || !finalizers.is_empty()) {
        return Err(wrong("it says since when it is being deleted, and is not"));
    }
    let generated_after = match &job.generate_name {
        None => None,
        Some(generate_name) => Some(
            generated_after(&job.name.0, &generate_name.0)
                .ok_or_else(|| wrong("its name is not what its generateName becomes"))?,
        ),
    };
    let common = Common {
        generated_after,
        deletion: terminating.then(|| Deletion {
            // Plans of earlier versions do not say it.
            since: job.deletion_timestamp.unwrap_or(job.created).into(),
            finalizers: finalizers.iter().map(|name| (*name.0).into()).collect(),
        }),
        rule,
        ..Common::new(Arc::clone(&key.namespace), Arc::clone(&key.values), state)
    };
    let own = Own {
        name: (*job.name.0).into(),
        uid: (*job.uid.0).into(),
        resource_version: (*job.resource_version.0).into(),
        created: job.created.into(),
        started: None,
        finished: None,
        size: job.bytes,
    };
    Ok(PlannedJob {
        job: Job::new(Arc::new(common), own),
        verdict,
    })
}
