//! What Argo CD, Flux and Helm still want stays: the cases of the design that a file can show, and traps beside them.
//!
//! But for the last few tests, a case is a group of two Jobs, of which the newer has no mark; it is about the older.

use serde_json::{Value, json};

use crate::support::document::{jobs_of, text};
use crate::support::files::Files;
use crate::support::job_file::{from_file, job, plan};

/// The Job that a case is about.
const OLD: &str = "shop-migrate-1111aaaa";
/// The newest of its group.
const NEW: &str = "shop-migrate-2222bbbb";

const WANTED: &str = "SKIP wanted";
const UNSETTLED: &str = "SKIP unsettled";
const PURGED: &str = "PURGE superseded";

const TRACKING: &str = "argocd.argoproj.io/tracking-id";
const HOOK: &str = "argocd.argoproj.io/hook";
const STRONG: &str = "argocd.argoproj.io/instance";
const WEAK: &str = "app.kubernetes.io/instance";

/// The plan of the two Jobs.
fn lines(old: &str) -> [String; 2] {
    [format!("{NEW} SKIP newest"), format!("{OLD} {old}")]
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}).to_string()
}

/// The file of a case.
fn file_of(old: Value, beside: Vec<Value>) -> String {
    list(&[vec![old, job(NEW, 2)], beside].concat())
}

/// Checks what becomes of the older Job with this beside it: nothing that is kept goes with `require`, and everything
/// goes with `ignore`.
#[track_caller]
fn check<'a>(expected: &str, cases: impl IntoIterator<Item = (&'a str, Value, Vec<Value>)>) {
    let files = Files::new();
    for (what, old, beside) in cases {
        let file = files.write("jobs", &file_of(old, beside));
        assert_eq!(plan(&file, &[]), lines(expected), "{what}");
        let ignored = plan(&file, &["--gitops=ignore"]);
        assert_eq!(ignored, lines(PURGED), "{what}, ignored");
        if expected.starts_with("SKIP") {
            let required = plan(&file, &["--gitops=require"]);
            assert_eq!(required, lines(expected), "{what}, required");
        }
    }
}

/// With one document beside this Job.
#[track_caller]
fn check_of<'a>(old: &Value, expected: &str, cases: impl IntoIterator<Item = (&'a str, Value)>) {
    let cases = cases.into_iter();
    check(
        expected,
        cases.map(|(what, beside)| (what, old.clone(), vec![beside])),
    );
}

/// Puts fields into an object, and objects into its objects.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, more) in more {
                merge(into.entry(key).or_insert(Value::Null), more);
            }
        }
        (into, more) => *into = more,
    }
}

fn with(mut value: Value, more: Value) -> Value {
    merge(&mut value, more);
    value
}

/// Without the field at the end of this path.
fn without(mut value: Value, path: &[&str]) -> Value {
    let (field, parents) = path.split_last().unwrap();
    let parent = parents
        .iter()
        .fold(&mut value, |value, key| &mut value[*key]);
    parent.as_object_mut().unwrap().remove(*field).unwrap();
    value
}

/// A Job with an annotation.
fn noted(job: Value, key: &str, value: &str) -> Value {
    with(job, json!({"metadata": {"annotations": {key: value}}}))
}

/// A Job with a label more.
fn labelled(job: Value, key: &str, value: &str) -> Value {
    with(job, json!({"metadata": {"labels": {key: value}}}))
}

fn plain() -> Value {
    job(OLD, 1)
}

/// The older Job with this tracking-id.
fn with_id(id: &str) -> Value {
    noted(plain(), TRACKING, id)
}

/// The older Job, marked for this application.
fn tracked(application: &str) -> Value {
    with_id(&format!("{application}:batch/Job:team/{OLD}"))
}

/// The older Job as a hook.
fn hook(id: &str) -> Value {
    noted(with_id(id), HOOK, "PreSync")
}

/// What an Application lists.
fn entry(name: &str, more: Value) -> Value {
    with(
        json!({"group": "batch", "version": "v1", "kind": "Job", "namespace": "team", "name": name}),
        more,
    )
}

fn in_git(name: &str) -> Value {
    entry(name, json!({"status": "Synced"}))
}

fn left_git(name: &str) -> Value {
    entry(
        name,
        json!({"status": "OutOfSync", "requiresPruning": true}),
    )
}

/// What a broken Application says of every Job.
fn unknown(name: &str) -> Value {
    entry(name, json!({"status": "Unknown", "requiresPruning": true}))
}

fn source() -> Value {
    json!({"repoURL": "https://git.example.com/shop.git", "path": "deploy", "targetRevision": "main"})
}

fn here() -> Value {
    json!({"server": "https://kubernetes.default.svc", "namespace": "team"})
}

/// The Application `shop`, in order but for what the case is about.
fn application(spec: Value, resources: &[Value]) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd", "generation": 4711},
        "spec": spec,
        "status": {
            "controllerNamespace": "argocd",
            "reconciledAt": "2026-01-20T00:00:00Z",
            "sync": {"status": "OutOfSync", "comparedTo": spec},
            "operationState": {"phase": "Succeeded", "operation": {"sync": {"revision": "5d0c1f3"}}},
            "resources": resources,
        },
    })
}

/// It, for this cluster.
fn shop(resources: &[Value]) -> Value {
    shop_at(here(), resources)
}

/// It, for this destination.
fn shop_at(destination: Value, resources: &[Value]) -> Value {
    let spec = json!({"source": source(), "destination": destination});
    application(spec, resources)
}

/// An Application under another name.
fn named(application: Value, namespace: &str, name: &str) -> Value {
    let metadata = json!({"name": name, "namespace": namespace});
    with(application, json!({"metadata": metadata}))
}

/// An Application with this condition.
fn troubled(application: Value, condition: &str) -> Value {
    with(
        application,
        json!({"status": {"conditions": [{"type": condition, "message": "why"}]}}),
    )
}

/// An Application whose repository cannot be read.
fn broken(application: Value) -> Value {
    with(
        troubled(application, "ComparisonError"),
        json!({"status": {"sync": {"status": "Unknown"}}}),
    )
}

/// An Application that is in the middle of a sync.
fn syncing(application: Value) -> Value {
    with(
        application,
        json!({"operation": {"sync": {}}, "status": {"operationState": {"phase": "Running"}}}),
    )
}

fn legacy(resources: &[Value]) -> Value {
    named(shop(resources), "argocd", "legacy")
}

fn elsewhere() -> Value {
    json!({"server": "https://eu.example.com:6443", "namespace": "team"})
}

/// `shop`, which says that git has the Job no more.
fn left() -> Value {
    shop(&[left_git(OLD)])
}

/// An Application with the annotation to skip it.
fn skipping(value: &str, resources: &[Value]) -> Value {
    noted(shop(resources), "argocd.argoproj.io/skip-reconcile", value)
}

/// An Application that was last compared then.
fn compared_at(time: &str, resources: &[Value]) -> Value {
    with(shop(resources), json!({"status": {"reconciledAt": time}}))
}

/// What stands for the older Job in an inventory.
fn inventory_id() -> String {
    format!("team_{OLD}_batch_Job")
}

/// The Kustomization `billing`, in order but for what the case is about.
fn kustomization(ids: &[&str]) -> Value {
    let entries: Vec<Value> = ids.iter().map(|id| json!({"id": id, "v": "v1"})).collect();
    json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "billing", "namespace": "flux-system", "generation": 3},
        "spec": {"interval": "10m", "prune": false, "sourceRef": {"kind": "GitRepository", "name": "fleet"}},
        "status": {
            "observedGeneration": 3,
            "lastAppliedRevision": "main@sha1:5d0c1f3",
            "lastAttemptedRevision": "main@sha1:5d0c1f3",
            "conditions": [{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded"}],
            "inventory": {"entries": entries},
        },
    })
}

/// The older Job, marked for it.
fn of_billing() -> Value {
    let named = labelled(plain(), "kustomize.toolkit.fluxcd.io/name", "billing");
    labelled(
        named,
        "kustomize.toolkit.fluxcd.io/namespace",
        "flux-system",
    )
}

#[test]
fn what_git_has_is_wanted() {
    let differs = json!({"status": "OutOfSync"});
    let full = json!({
        "status": "Synced", "hook": false, "requiresPruning": false, "syncWave": -1,
        "health": {"status": "Healthy"}, "requiresDeletionConfirmation": true,
    });
    let has = || shop(&[in_git(OLD)]);
    let both = shop(&[in_git(OLD), left_git(NEW)]);
    let not_permitted = shop(&[entry(OLD, json!({"status": "Unknown"}))]);
    let cases = [
        ("1: older than one that git has not", both),
        ("4: it differs from git", shop(&[entry(OLD, differs)])),
        ("every field written out", shop(&[entry(OLD, full)])),
        ("not to be trusted", skipping("true", &[in_git(OLD)])),
        ("nothing can be compared", broken(has())),
        ("a sync runs", syncing(has())),
        ("not permitted in its project", not_permitted),
    ];
    check_of(&tracked("shop"), WANTED, cases);
    let remade =
        json!({"metadata": {"uid": "another", "creationTimestamp": "2026-01-01T23:00:00Z"}});
    let before = compared_at("2026-01-01T12:00:00Z", &[in_git(OLD)]);
    check_of(
        &with(plain(), remade),
        WANTED,
        [("52: made again under its name since", before)],
    );
    let cases = [
        ("14: no mark", plain(), vec![has()]),
        ("27: one", plain(), vec![has(), legacy(&[left_git(OLD)])]),
        ("27: two", plain(), vec![left(), legacy(&[in_git(OLD)])]),
        ("another's", tracked("legacy"), vec![has(), legacy(&[])]),
    ];
    check(WANTED, cases);
}

#[test]
fn what_git_has_not_goes() {
    let both = shop(&[left_git(NEW), left_git(OLD)]);
    let failed = json!({"status": {"operationState": {"phase": "Failed"}}});
    let pending = json!({"status": "Pending"});
    let cases = [
        ("2: it has left git", left()),
        ("3: so has the newest, and nothing takes its place", both),
        ("18: the sync failed", troubled(left(), "SyncError")),
        ("shared", troubled(left(), "SharedResourceWarning")),
        ("orphaned", troubled(left(), "OrphanedResourceWarning")),
        ("the last operation failed", with(left(), failed)),
        ("not listed, compared since", shop(&[])),
        ("no status of Argo CD's", shop(&[entry(OLD, pending)])),
    ];
    check_of(&tracked("shop"), PURGED, cases);
    let no_status = || entry(OLD, json!({}));
    let copied = with_id("shop:batch/Job:team/another");
    let generated = with_id("shop:batch/Job:team/");
    let target = without(entry(OLD, json!({"status": "OutOfSync"})), &["name"]);
    let cases = [
        ("24: a copied id", copied, vec![shop(&[no_status()])]),
        ("25: made", generated, vec![shop(&[target, no_status()])]),
        (
            "neither marked nor listed",
            plain(),
            vec![broken(shop(&[]))],
        ),
    ];
    check(PURGED, cases);
}

#[test]
fn hooks_go_unless_git_may_want_them() {
    let itself = || hook(&format!("shop:batch/Job:team/{OLD}"));
    let nameless = || hook("shop:batch/Job:team/");
    let copied = hook("shop:batch/Job:team/another");
    let untracked = || noted(plain(), HOOK, "Sync");
    let by_label = |key| labelled(untracked(), key, "shop");
    let kept = |more: Value| shop(&[entry(OLD, with(json!({"hook": true}), more))]);
    let pruned = || kept(json!({"requiresPruning": true}));
    let bare = || kept(json!({}));
    let unread = broken(kept(json!({"requiresPruning": true, "status": "Unknown"})));
    let far = shop_at(elsewhere(), &[entry(OLD, json!({"hook": true}))]);
    let cases = [
        ("5: with a name", itself(), vec![pruned()]),
        ("5: tracked by label", by_label(WEAK), vec![pruned()]),
        ("6: from generateName", nameless(), vec![bare()]),
        ("with a copied id", copied, vec![bare()]),
        ("another cluster's", untracked(), vec![syncing(far)]),
        ("git cannot be read", itself(), vec![unread]),
    ];
    check(PURGED, cases);
    let cases = [
        ("10: in a sync", itself(), vec![syncing(pruned())]),
        ("10: generated", nameless(), vec![syncing(bare())]),
    ];
    check(UNSETTLED, cases);
}

#[test]
fn an_application_that_cannot_say_now_is_waited_for() {
    let sync = |sync: Value| with(left(), json!({"status": {"sync": sync}}));
    let operation = |state: Value| with(left(), json!({"status": {"operationState": state}}));
    let local =
        |manifests: Value| operation(json!({"operation": {"sync": {"manifests": manifests}}}));
    let refresh = |how: &str| noted(left(), "argocd.argoproj.io/refresh", how);
    let revision = json!({"comparedTo": {"source": {"targetRevision": "v1"}}});
    let two =
        json!({"status": {"conditions": [{"type": "SyncError"}, {"type": "ComparisonError"}]}});
    let asked = json!({"operation": {"sync": {}}});
    let no_status = || without(shop(&[]), &["status"]);
    let never = without(shop(&[]), &["status", "reconciledAt"]);
    let before = "2025-12-31T23:59:59Z";
    let cases = [
        ("7: nothing can be compared", broken(shop(&[unknown(OLD)]))),
        ("7: and it is not listed", broken(shop(&[]))),
        (
            "it only looks compared",
            troubled(left(), "ComparisonError"),
        ),
        ("one of two conditions", with(left(), two)),
        ("unknown", sync(json!({"status": "Unknown"}))),
        ("empty", sync(json!({"status": ""}))),
        ("9: a sync runs", syncing(left())),
        ("9: by its phase", operation(json!({"phase": "Running"}))),
        ("9: it ends", operation(json!({"phase": "Terminating"}))),
        ("9: it is asked for", with(left(), asked)),
        ("15: another revision was compared", sync(revision)),
        ("16: a refresh is asked for", refresh("normal")),
        ("16: a hard one", refresh("hard")),
        ("19: too large", troubled(left(), "UnknownError")),
        ("the spec is wrong", troubled(left(), "InvalidSpecError")),
        ("20: newer than the comparison", compared_at(before, &[])),
        (
            "20: of its second",
            compared_at("2026-01-01T00:00:00Z", &[]),
        ),
        ("21: no status", no_status()),
        ("never compared", never),
        ("somebody's own manifests", local(json!(["kind: List"]))),
    ];
    check_of(&tracked("shop"), UNSETTLED, cases);
    let broken_legacy = || broken(legacy(&[]));
    let one_of_two = vec![left(), broken(legacy(&[unknown(OLD)]))];
    let [strong, weak] = [STRONG, WEAK].map(|key| labelled(plain(), key, "shop"));
    let cases = [
        ("7: no mark", plain(), vec![broken(shop(&[unknown(OLD)]))]),
        (
            "21: with another",
            tracked("shop"),
            vec![no_status(), legacy(&[])],
        ),
        ("one of two that list it", plain(), one_of_two),
        ("the strong label", strong, vec![broken(shop(&[]))]),
        ("the weak label", weak, vec![broken(shop(&[]))]),
    ];
    check(UNSETTLED, cases);
    let other = labelled(plain(), WEAK, "shopping");
    let cases = [
        (
            "newer, but without a mark",
            plain(),
            vec![compared_at(before, &[])],
        ),
        ("no manifests", tracked("shop"), vec![local(json!([]))]),
        ("another", tracked("shop"), vec![shop(&[]), broken_legacy()]),
        ("the weak label of another", other, vec![broken(shop(&[]))]),
    ];
    check(PURGED, cases);
}

#[test]
fn reconciling_is_skipped_where_go_reads_true() {
    let skips =
        |words: [&'static str; 6]| words.map(|word| (word, skipping(word, &[left_git(OLD)])));
    // Case 17.
    let cases = skips(["true", "1", "t", "T", "TRUE", "True"]);
    check_of(&tracked("shop"), UNSETTLED, cases);
    let cases = skips(["false", "0", "", "tRUE", "yes", " true"]);
    check_of(&tracked("shop"), PURGED, cases);
}

/// `shop`, of which this was compared.
fn compared(spec: Value, compared_to: Value) -> Value {
    let mut application = application(spec, &[left_git(OLD)]);
    application["status"]["sync"]["comparedTo"] = compared_to;
    application
}

#[test]
fn empty_fields_of_a_source_are_no_difference() {
    let check = |expected, one: Value, other: Value| {
        let [one, other] = [one, other].map(|more| with(source(), more));
        let spec = |source: &Value| json!({"source": source, "destination": here()});
        let specs = |it: &Value| json!({"sources": [source(), it], "destination": here()});
        let cases = [
            ("more", compared(spec(&one), spec(&other))),
            ("less", compared(spec(&other), spec(&one))),
            ("of several", compared(specs(&one), specs(&other))),
        ];
        let differ = format!("{one} {other}");
        let cases = cases.map(|(what, beside)| (format!("{what}: {differ}"), beside));
        let cases = cases.iter().map(|(what, beside)| (&**what, beside.clone()));
        check_of(&tracked("shop"), expected, cases);
    };
    for nothing in [
        json!({"helm": null}),
        json!({"chart": ""}),
        json!({"helm": {}}),
        json!({"directory": {"jsonnet": {}}}),
        json!({"helm": {"valueFiles": []}}),
        json!({"helm": {"skipCrds": false}}),
        json!({"helm": {"valuesObject": {"a": null}}}),
    ] {
        check(PURGED, nothing, json!({}));
    }
    let parameter = |more: Value| {
        let parameter = with(json!({"name": "image.tag"}), more);
        json!({"helm": {"parameters": [parameter]}})
    };
    check(
        PURGED,
        parameter(json!({"value": ""})),
        parameter(json!({})),
    );
    let [v1, v2] = ["v1", "v2"].map(|value| parameter(json!({"value": value})));
    check(UNSETTLED, v1.clone(), v2);
    check(UNSETTLED, v1, json!({}));
    for of in [
        |it: &str| json!({"helm": {"values": it}}),
        |it: &str| json!({"kustomize": {"images": [it]}}),
        |it: &str| json!({"plugin": {"env": [{"name": "TAG", "value": it}]}}),
        |it: &str| json!({"chart": it}),
        |it: &str| json!({"path": it}),
        |it: &str| json!({"repoURL": it}),
        |it: &str| json!({"targetRevision": it}),
    ] {
        check(UNSETTLED, of("one"), of("other"));
    }
}

#[test]
fn what_was_compared_is_the_source_that_counts() {
    let [one, two, three] =
        ["one", "two", "three"].map(|path| with(source(), json!({"path": path})));
    let nothing = json!({"repoURL": ""});
    let single = json!({"source": one});
    let several = json!({"sources": [one, two]});
    let check = |expected, what: &str, spec: &Value, compared_to: &Value| {
        let [spec, compared_to] =
            [spec, compared_to].map(|of| with(of.clone(), json!({"destination": here()})));
        check_of(
            &tracked("shop"),
            expected,
            [(what, compared(spec, compared_to))],
        );
    };
    for (what, spec, compared_to) in [
        (
            "none of several",
            json!({"sources": [], "source": one}),
            single.clone(),
        ),
        (
            "null",
            json!({"sources": null, "source": one}),
            single.clone(),
        ),
        ("several", several.clone(), several.clone()),
        (
            "and an empty one",
            several.clone(),
            with(several.clone(), json!({"source": nothing})),
        ),
        (
            "several go first",
            with(several.clone(), json!({"source": three})),
            several.clone(),
        ),
        (
            "ignored",
            json!({"source": one, "ignoreDifferences": [{"kind": "Job"}]}),
            single.clone(),
        ),
        (
            "a policy",
            json!({"source": one, "syncPolicy": {"automated": {}}}),
            single.clone(),
        ),
    ] {
        check(PURGED, what, &spec, &compared_to);
    }
    for (what, spec, compared_to) in [
        ("another", several.clone(), json!({"sources": [one, three]})),
        ("one more", several.clone(), json!({"sources": [one]})),
        ("one less", json!({"sources": [one]}), several.clone()),
        ("another order", several, json!({"sources": [two, one]})),
        (
            "a single one before",
            json!({"sources": [one]}),
            single.clone(),
        ),
        (
            "several before",
            single.clone(),
            json!({"sources": [one], "source": nothing}),
        ),
        ("none", single, json!({})),
    ] {
        check(UNSETTLED, what, &spec, &compared_to);
    }
    let never = compared(json!({"source": one, "destination": here()}), Value::Null);
    check_of(&tracked("shop"), UNSETTLED, [("nothing", never)]);
    let hydrated = |repository: &Value, branch: &str| {
        let source = json!({"repoURL": repository, "targetRevision": branch, "path": "out"});
        json!({"source": source})
    };
    let hydrator = |more: Value| {
        let sync = with(json!({"targetBranch": "env/prod", "path": "out"}), more);
        json!({"sourceHydrator": {"drySource": source(), "syncSource": sync}})
    };
    let dry = &source()["repoURL"];
    let other = json!("https://git.example.com/hydrated.git");
    let plain = hydrator(json!({}));
    let first = with(plain.clone(), json!({"sources": [two], "source": one}));
    check(PURGED, "hydrated", &plain, &hydrated(dry, "env/prod"));
    check(PURGED, "it goes first", &first, &hydrated(dry, "env/prod"));
    check(UNSETTLED, "hydrated since", &first, &json!({"source": one}));
    check(
        UNSETTLED,
        "another branch",
        &plain,
        &hydrated(dry, "env/new"),
    );
    let elsewhere = hydrator(json!({"repoURL": other}));
    check(
        PURGED,
        "elsewhere",
        &elsewhere,
        &hydrated(&other, "env/prod"),
    );
    check(UNSETTLED, "moved", &elsewhere, &hydrated(dry, "env/prod"));
}

#[test]
fn what_was_compared_is_the_destination() {
    let server = "https://kubernetes.default.svc";
    let name = "in-cluster";
    let check = |expected, spec: Value, compared_to: Value| {
        let what = format!("{spec} {compared_to}");
        let [spec, compared_to] = [spec, compared_to].map(|more| {
            let destination = with(json!({"namespace": "team"}), more);
            json!({"source": source(), "destination": destination})
        });
        check_of(
            &tracked("shop"),
            expected,
            [(&*what, compared(spec, compared_to))],
        );
    };
    let by_server = || json!({"server": server});
    let by_name = || json!({"name": name});
    let by_both = || json!({"server": server, "name": name});
    check(PURGED, by_server(), json!({"server": format!("{server}/")}));
    check(PURGED, by_server(), by_both());
    check(PURGED, by_name(), by_both());
    check(PURGED, by_server(), json!({"server": server, "name": ""}));
    check(
        UNSETTLED,
        by_server(),
        json!({"server": "https://eu.example.com"}),
    );
    check(
        UNSETTLED,
        by_server(),
        json!({"server": server, "namespace": "other"}),
    );
    check(UNSETTLED, by_name(), json!({"name": "eu"}));
    check(UNSETTLED, by_name(), by_server());
}

#[test]
fn an_application_speaks_for_its_own_cluster() {
    let by_label = |key, application| labelled(plain(), key, application);
    let has = |destination: Value| shop_at(destination, &[in_git(OLD)]);
    let home = || has(json!({"name": "home", "namespace": "team"}));
    let far = |resources: &[Value]| shop_at(elsewhere(), resources);
    let slash = json!({"server": "https://kubernetes.default.svc/"});
    let far_legacy = named(far(&[]), "argocd", "legacy");
    let cases = [
        ("11: another", plain(), vec![has(elsewhere())]),
        (
            "11: a broken one",
            plain(),
            vec![broken(far(&[unknown(OLD)]))],
        ),
        ("30: a name", plain(), vec![home()]),
        ("30: another mark", by_label(WEAK, "legacy"), vec![home()]),
        (
            "it has left git",
            tracked("shop"),
            vec![far(&[left_git(OLD)])],
        ),
    ];
    check(PURGED, cases);
    let cases = [
        ("29: a name", tracked("shop"), vec![home()]),
        (
            "29: the strong label",
            by_label(STRONG, "shop"),
            vec![home()],
        ),
        ("29: the weak label", by_label(WEAK, "shop"), vec![home()]),
        ("a server", tracked("shop"), vec![has(elsewhere())]),
        (
            "here, by name",
            plain(),
            vec![has(json!({"name": "in-cluster"}))],
        ),
        ("here, with a slash", plain(), vec![has(slash)]),
        (
            "here, though marked",
            tracked("legacy"),
            vec![has(here()), far_legacy],
        ),
    ];
    check(WANTED, cases);
    let cases = [("not listed, and broken", broken(far(&[])))];
    check_of(&tracked("shop"), UNSETTLED, cases);
}

#[test]
fn a_mark_names_the_namespace_unless_it_is_the_controllers() {
    let legacy = |resources: &[Value]| named(shop(resources), "team-a", "legacy");
    let [bare, whole] = ["legacy", "team-a_legacy"].map(tracked);
    let told = || broken(legacy(&[]));
    let untold = || without(told(), &["status", "controllerNamespace"]);
    let own = || with(told(), json!({"status": {"controllerNamespace": "team-a"}}));
    let far = |name| named(shop_at(elsewhere(), &[in_git(OLD)]), "team-a", name);
    let listed = broken(legacy(&[unknown(OLD)]));
    let by_label = labelled(plain(), STRONG, "team-a_legacy");
    check_of(&by_label, UNSETTLED, [("23: by the label", told())]);
    let cases = [
        ("23: listed", listed),
        ("23: not listed", told()),
        ("23: the controller's is not known", untold()),
    ];
    check_of(&whole, UNSETTLED, cases);
    check_of(&whole, PURGED, [("the controller's own", own())]);
    check_of(&whole, WANTED, [("of another cluster", far("legacy"))]);
    let cases = [
        ("the controller's is not known", untold()),
        ("the controller's own", own()),
    ];
    check_of(&bare, UNSETTLED, cases);
    let cases = [
        ("not the controller's", told()),
        ("nor of another cluster", far("legacy")),
    ];
    check_of(&bare, PURGED, cases);
    // Two of one name.
    let [bare, whole] = ["shop", "team-a_shop"].map(tracked);
    let own = || shop(&[]);
    let other = || named(shop(&[]), "team-a", "shop");
    let far_own = shop_at(elsewhere(), &[]);
    let cases = [
        (
            "the other is broken",
            bare.clone(),
            vec![own(), broken(other())],
        ),
        (
            "the own is broken",
            whole.clone(),
            vec![broken(own()), other()],
        ),
        ("the other has it", bare.clone(), vec![far_own, far("shop")]),
    ];
    check(PURGED, cases);
    let cases = [
        ("the own is broken", bare, vec![broken(own()), other()]),
        ("the other is broken", whole, vec![own(), broken(other())]),
    ];
    check(UNSETTLED, cases);
}

#[test]
fn what_an_application_lists_is_matched_whole() {
    let like = |more: Value| with(in_git(OLD), more);
    let less = |field| without(in_git(OLD), &[field]);
    let cases = [
        ("a CronJob", like(json!({"kind": "CronJob"}))),
        ("Volcano's", like(json!({"group": "batch.volcano.sh"}))),
        ("no group", less("group")),
        ("another namespace", like(json!({"namespace": "other"}))),
        ("no name", less("name")),
        ("null for a name", like(json!({"name": null}))),
        ("a longer name", like(json!({"name": format!("{OLD}-1")}))),
        ("nothing", json!({})),
    ];
    let shops = cases.map(|(what, entry)| (what, shop(&[entry])));
    check_of(&plain(), PURGED, shops);
    let nulls = json!({"hook": null, "requiresPruning": null});
    let cases = [
        ("no version", shop(&[less("version")])),
        ("null for what is false", shop(&[like(nulls)])),
    ];
    check_of(&plain(), WANTED, cases);
}

#[test]
fn null_is_nothing() {
    let with_null = |mut document: Value, path: &[&str]| {
        let field = path
            .iter()
            .fold(&mut document, |value, key| &mut value[*key]);
        *field = Value::Null;
        (path.join("."), document)
    };
    let check = |old: Value, expected, document: Value, paths: &[&[&str]]| {
        let cases: Vec<_> = paths
            .iter()
            .map(|path| with_null(document.clone(), path))
            .collect();
        let cases = cases
            .iter()
            .map(|(path, document)| (&**path, document.clone()));
        check_of(&old, expected, cases);
    };
    let harmless: [&[&str]; 11] = [
        &["metadata", "annotations"],
        &["operation"],
        &["spec", "sourceHydrator"],
        &["spec", "sources"],
        &["status", "conditions"],
        &["status", "controllerNamespace"],
        &["status", "operationState"],
        &["status", "operationState", "operation"],
        &["status", "operationState", "operation", "sync"],
        &["status", "operationState", "operation", "sync", "manifests"],
        &["status", "resources"],
    ];
    check(tracked("shop"), PURGED, left(), &harmless);
    let needed: [&[&str]; 5] = [
        &["status"],
        &["status", "reconciledAt"],
        &["status", "sync"],
        &["status", "sync", "status"],
        &["status", "sync", "comparedTo"],
    ];
    check(tracked("shop"), UNSETTLED, left(), &needed);
    let unlisted = without(left(), &["status", "resources"]);
    check_of(&tracked("shop"), PURGED, [("no resources", unlisted)]);
    let harmless: [&[&str]; 3] = [
        &["spec", "kubeConfig"],
        &["status", "inventory"],
        &["status", "inventory", "entries"],
    ];
    check(of_billing(), PURGED, kustomization(&[]), &harmless);
    let has = kustomization(&[&inventory_id()]);
    check(
        plain(),
        WANTED,
        has,
        &[&["spec", "kubeConfig"], &["status", "conditions"]],
    );
    let needed: [&[&str]; 2] = [&["status"], &["status", "conditions"]];
    check(of_billing(), UNSETTLED, kustomization(&[]), &needed);
}

#[test]
fn what_flux_applies_is_wanted() {
    let id = inventory_id();
    let has = || kustomization(&[&id]);
    let left = |more: Value| with(kustomization(&["team_other_batch_Job"]), more);
    let conditions = |document: Value, conditions: &[(&str, &str)]| {
        let condition = |&(of, status): &(_, _)| json!({"type": of, "status": status});
        let conditions: Vec<Value> = conditions.iter().map(condition).collect();
        with(document, json!({"status": {"conditions": conditions}}))
    };
    let left_with = |of: &[(&str, &str)]| conditions(left(json!({})), of);
    let not_ready = [("Ready", "False")];
    let at_work = |is| left_with(&[("Reconciling", is), ("Ready", "True")]);
    let far = with(
        has(),
        json!({"spec": {"kubeConfig": {"secretRef": {"name": "eu"}}}}),
    );
    let tried = json!({"status": {"lastAttemptedRevision": "main@sha1:77ce21c"}});
    let newer = json!({"metadata": {"generation": 4}});
    let no_status = without(kustomization(&[]), &["status"]);
    let others = [
        format!("other_{OLD}_batch_Job"),
        format!("team_{OLD}_batch_CronJob"),
        format!("team_{OLD}_batch.volcano.sh_Job"),
        format!("team_{OLD}__Job"),
        format!("team_{OLD}_batch_job"),
        format!("team_{OLD}_job_v1"),
        format!("_{OLD}_batch_Job"),
    ];
    let others = kustomization(&others.each_ref().map(String::as_str));
    let cases = [
        ("41: in the inventory", has()),
        (
            "46: suspended",
            with(has(), json!({"spec": {"suspend": true}})),
        ),
        ("not ready", conditions(has(), &not_ready)),
    ];
    check_of(&of_billing(), WANTED, cases);
    let cases = [
        ("42: it has left it", left(json!({}))),
        ("43: on another cluster", far.clone()),
        ("no longer at work", at_work("False")),
        ("others alone", others),
    ];
    check_of(&of_billing(), PURGED, cases);
    let cases = [
        ("44: another revision was tried", left(tried)),
        ("45: at work", at_work("True")),
        ("the spec is newer", left(newer)),
        ("not ready", left_with(&not_ready)),
        ("not known to be", left_with(&[("Ready", "Unknown")])),
        ("never", left_with(&[])),
        ("no status", no_status),
    ];
    check_of(&of_billing(), UNSETTLED, cases);
    check_of(&plain(), WANTED, [("41: no mark", has())]);
    let cases = [
        ("43: no mark", far),
        ("not ready, but there is no mark", left_with(&not_ready)),
    ];
    check_of(&plain(), PURGED, cases);
    let other = named(has(), "tenants", "billing");
    let cases = [("another's", of_billing(), vec![other, kustomization(&[])])];
    check(WANTED, cases);
}

#[test]
fn what_helm_installed_is_wanted() {
    const RELEASE: &str = "meta.helm.sh/release-name";
    const HELM_HOOK: &str = "helm.sh/hook";
    let installed = || noted(plain(), RELEASE, "shop");
    let hook = |of: Value, kind| noted(of, HELM_HOOK, kind);
    let cases = [
        ("48: of a release", installed(), vec![]),
        (
            "48: nobody else's",
            installed(),
            vec![left(), kustomization(&[])],
        ),
    ];
    check(WANTED, cases);
    let cases = [
        (
            "49: a hook with it",
            hook(installed(), "pre-upgrade"),
            vec![],
        ),
        ("49: a hook of no kind", hook(installed(), ""), vec![]),
        ("a hook", hook(plain(), "pre-upgrade"), vec![]),
        ("a label", labelled(plain(), RELEASE, "shop"), vec![]),
    ];
    check(PURGED, cases);
}

#[test]
fn the_words_of_other_tools_protect() {
    const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
    const OPTIONS: &str = "argocd.argoproj.io/sync-options";
    const POLICY: &str = "helm.sh/resource-policy";
    let protected = [
        noted(plain(), OPTIONS, "Prune=confirm"),
        noted(plain(), OPTIONS, "Delete=confirm"),
        noted(plain(), OPTIONS, "Validate=false , Prune=confirm "),
        noted(plain(), OPTIONS, "Prune=false"),
        noted(plain(), POLICY, "keep"),
        noted(plain(), POLICY, " Keep "),
        noted(plain(), PRUNE, "disabled"),
        noted(plain(), PRUNE, "Disabled"),
        // Near misses were meant to keep it.
        noted(plain(), OPTIONS, "prune=confirm"),
        noted(plain(), OPTIONS, "Prune = confirm"),
        noted(plain(), PRUNE, " disabled"),
        labelled(plain(), PRUNE, "disabled"),
    ];
    let not_protected = [
        noted(plain(), OPTIONS, "Prune=true"),
        noted(plain(), POLICY, "delete"),
        noted(plain(), PRUNE, "enabled"),
    ];
    let files = Files::new();
    let check = |old: Value, expected| {
        let what = old["metadata"].to_string();
        let file = files.write("jobs", &file_of(old, vec![]));
        for args in [&[][..], &["--gitops=ignore"]] {
            assert_eq!(plan(&file, args), lines(expected), "{what} {args:?}");
        }
    };
    // Case 57.
    for old in protected {
        check(old, "SKIP protected");
    }
    for old in not_protected {
        check(old, PURGED);
    }
}

#[test]
fn a_mark_that_nobody_answers_for_is_counted() {
    let argo = ["marked by Argo CD", "gone"];
    let gone = || tracked("gone");
    let by_label = labelled(plain(), STRONG, "gone");
    let other_gone = named(shop(&[]), "team-a", "gone");
    let other_billing = named(kustomization(&[]), "tenants", "billing");
    let files = Files::new();
    for (what, old, beside, words) in [
        ("12, 13: not here", gone(), vec![shop(&[])], &argo[..]),
        ("22: broken ones", gone(), vec![broken(shop(&[]))], &argo),
        ("39: nothing here", gone(), vec![], &argo),
        ("39: Flux alone", gone(), vec![kustomization(&[])], &argo),
        ("the strong label", by_label, vec![], &argo),
        ("another namespace's", gone(), vec![other_gone], &argo),
        ("47: it is gone", of_billing(), vec![], &["Flux"]),
        (
            "47: another's",
            of_billing(),
            vec![other_billing],
            &["Flux"],
        ),
    ] {
        let file = files.write("jobs", &file_of(old, beside));
        assert_eq!(plan(&file, &[]), lines(PURGED), "{what}");
        let run = from_file(&file, &["-o", "json"]).exits(0).complains(words);
        let document = run.json();
        assert_eq!(document["gitops"]["unanswered"], 1, "{what}");
        let warnings = document["warnings"].as_array().unwrap();
        let tells = |warning: &&Value| {
            let warning = warning.as_str().unwrap();
            words.iter().all(|word| warning.contains(word))
        };
        assert_eq!(warnings.iter().filter(tells).count(), 1, "{what}");
        let required = plan(&file, &["--gitops", "require"]);
        assert_eq!(required, lines(UNSETTLED), "{what}, required");
        // Case 40.
        let ignored = from_file(&file, &["--gitops=ignore", "-o", "json"]).exits(0);
        assert!(!ignored.err.contains("marked by"), "{what}, ignored");
        assert_eq!(plan(&file, &["--gitops=ignore"]), lines(PURGED), "{what}");
    }
}

#[test]
fn what_is_no_mark_is_not_counted() {
    let ids = [
        "",
        "gone",
        "gone:batch/Job",
        "gone:batch/Job:team",
        "gone:batch/Job:team/",
        "gone:Job:team/shop-migrate-1111aaaa",
        "gone:apps/Job:team/shop-migrate-1111aaaa",
        "gone:batch/CronJob:team/shop-migrate-1111aaaa",
        "gone:batch/Job:other/shop-migrate-1111aaaa",
        "gone:batch/Job:team/shop-migrate-2222bbbb",
        "gone:batch/Job:team/shop-migrate-1111aaaa/1",
        "gone:batch/v1/Job:team/shop-migrate-1111aaaa",
    ];
    let weak = || labelled(plain(), WEAK, "gone");
    let half = labelled(plain(), "kustomize.toolkit.fluxcd.io/name", "billing");
    let mut cases: Vec<(&str, Value, Vec<Value>)> = vec![
        ("36: the weak label", weak(), vec![]),
        ("36: and others are here", weak(), vec![shop(&[])]),
        ("one of Flux's two labels", half, vec![]),
        (
            "it is here and has it not",
            tracked("shop"),
            vec![shop(&[])],
        ),
        ("it has left git", tracked("shop"), vec![left()]),
        ("it has left Flux", of_billing(), vec![kustomization(&[])]),
    ];
    cases.extend(ids.map(|id| (id, with_id(id), vec![])));
    let files = Files::new();
    for (what, old, beside) in cases {
        let file = files.write("jobs", &file_of(old, beside));
        for args in [&[][..], &["--gitops=require"]] {
            assert_eq!(plan(&file, args), lines(PURGED), "{what} {args:?}");
            let run = from_file(&file, &[args, &["-o", "json"]].concat()).exits(0);
            assert_eq!(run.json()["gitops"]["unanswered"], 0, "{what} {args:?}");
            assert!(!run.err.contains("marked by"), "{what}\n{}", run.story());
        }
    }
}

#[test]
fn other_kinds_of_these_names_are_not_read() {
    let of = |version: &str, object: Value| with(object, json!({"apiVersion": version}));
    let sig_apps = of("app.k8s.io/v1beta1", shop(&[in_git(OLD)]));
    let file = of(
        "kustomize.config.k8s.io/v1beta1",
        kustomization(&[&inventory_id()]),
    );
    let cases = [
        ("an Application of SIG Apps", sig_apps),
        ("a kustomization.yaml", file),
    ];
    check_of(&plain(), PURGED, cases);
}

#[test]
fn jobs_of_one_family_that_git_has_all_stay() {
    let names: Vec<String> = (0..5).map(|number| format!("load-{number}")).collect();
    let jobs = names.iter().zip(1..).map(|(name, day)| job(name, day));
    let entries: Vec<Value> = names.iter().map(|name| in_git(name)).collect();
    let items: Vec<Value> = jobs.chain([shop(&entries)]).collect();
    let files = Files::new();
    let file = files.write("jobs", &list(&items));
    // Case 51.
    let wanted = [
        "load-4 SKIP newest,wanted",
        "load-3 SKIP wanted",
        "load-2 SKIP wanted",
        "load-1 SKIP wanted",
        "load-0 SKIP wanted",
    ];
    assert_eq!(plan(&file, &[]), wanted);
    let ignored = plan(&file, &["--gitops=ignore"]);
    assert_eq!(ignored[0], "load-4 SKIP newest");
    assert!(ignored[1..].iter().all(|line| line.ends_with(PURGED)));
}

#[test]
fn every_form_of_the_file_is_read() {
    let application = || shop(&[in_git(OLD)]);
    let [old, new] = [plain(), job(NEW, 2)];
    let items = [old.clone(), application(), kustomization(&[]), new.clone()];
    let lists: Vec<String> = items
        .iter()
        .map(|item| list(std::slice::from_ref(item)))
        .collect();
    let yaml: Vec<String> = items
        .iter()
        .map(|item| serde_saphyr::to_string(item).unwrap())
        .collect();
    let files = Files::new();
    for text in [
        list(&items),
        list(&[application(), kustomization(&[]), old.clone(), new.clone()]),
        list(&[old, new, kustomization(&[]), application()]),
        Value::from(items.to_vec()).to_string(),
        items.map(|item| format!("{item}\n")).concat(),
        lists.join("\n"),
        yaml.join("---\n"),
    ] {
        let file = files.write("jobs", &text);
        for args in [
            &[][..],
            &["--gitops=auto"],
            &["--gitops=require"],
            // Of Jobs alone.
            &["-n", "team"],
            &["-l", "env=prod"],
            &["-n", "team", "-l", "env"],
        ] {
            assert_eq!(plan(&file, args), lines(WANTED), "{args:?}\n{text}");
        }
        let run = from_file(&file, &[]).exits(0);
        assert!(!run.err.contains("left out"), "{}", run.story());
    }
    let file = files.write("nothing", &list(&[application(), kustomization(&[])]));
    assert_eq!(plan(&file, &[]), [""; 0]);
}

#[test]
fn no_other_mode_is_known() {
    let files = Files::new();
    let file = files.write("jobs", &file_of(plain(), vec![]));
    for mode in ["--gitops=maybe", "--gitops=", "--gitops=Auto"] {
        from_file(&file, &[mode]).exits(2);
    }
}

/// Who claims the Job of this name, and what it says.
fn claims(document: &Value, name: &str) -> Vec<String> {
    let jobs = jobs_of(document);
    let job = jobs.iter().find(|job| text(job, "name") == name).unwrap();
    let claims = job.get("claims").and_then(Value::as_array);
    claims
        .into_iter()
        .flatten()
        .map(|claim| format!("{} {}", text(claim, "by"), text(claim, "says")))
        .collect()
}

#[test]
fn the_document_says_who_wants_what() {
    const NEWER: &str = "shop-migrate-3333cccc";
    const NEWEST: &str = "shop-migrate-4444dddd";
    let items = [
        tracked("shop"),
        job(NEW, 2),
        noted(
            job(NEWER, 3),
            TRACKING,
            &format!("gone:batch/Job:team/{NEWER}"),
        ),
        job(NEWEST, 4),
        shop(&[in_git(OLD)]),
        broken(named(shop(&[unknown(NEW)]), "team-a", "legacy")),
        named(shop_at(elsewhere(), &[]), "argocd", "far"),
    ];
    let files = Files::new();
    let file = files.write("jobs", &list(&items));
    let document = |args: &[&str]| {
        let run = from_file(&file, &[args, &["-o", "json"]].concat()).exits(0);
        run.json()
    };
    let auto = document(&[]);
    let gitops = &auto["gitops"];
    assert_eq!(gitops["mode"], "auto");
    assert_eq!(gitops["argocd"], "read");
    assert_eq!(gitops["applications"], 3);
    assert_eq!(gitops["flux"], "absent");
    assert_eq!(gitops["unanswered"], 1);
    assert_eq!(claims(&auto, OLD), ["Application argocd/shop wanted"]);
    assert_eq!(claims(&auto, NEW), ["Application team-a/legacy unsettled"]);
    assert_eq!(claims(&auto, NEWER), [""; 0]);
    assert_eq!(claims(&auto, NEWEST), [""; 0]);
    assert_eq!(document(&["--gitops=require"])["gitops"]["mode"], "require");
    let ignored = document(&["--gitops=ignore"]);
    for name in [OLD, NEW, NEWER, NEWEST] {
        assert_eq!(claims(&ignored, name), [""; 0], "{name}");
    }
}

#[test]
fn the_document_says_what_flux_wants() {
    let files = Files::new();
    let id = inventory_id();
    let file = files.write("jobs", &file_of(plain(), vec![kustomization(&[&id])]));
    let document = from_file(&file, &["-o", "json"]).exits(0).json();
    let gitops = &document["gitops"];
    assert_eq!(gitops["flux"], "read");
    assert_eq!(gitops["argocd"], "absent");
    assert_eq!(gitops["unanswered"], 0);
    let expected = ["Kustomization flux-system/billing wanted"];
    assert_eq!(claims(&document, OLD), expected);
    assert_eq!(claims(&document, NEW), [""; 0]);
}
