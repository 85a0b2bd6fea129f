//! What git still wants stays, on a real API server: reading, rights, refusals, faults on the way, and what changes while
//! the question stands. The rules themselves are tried in `tests/pure/gitops_cases.rs`.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::support::account::message;
use crate::support::control_plane::job_in;
use crate::support::gitops::{
    MIDDLE, NEWEST, OLDEST, SUPERSEDED, Shop, application, gitops_plane, kustomization, middle_is,
};
use crate::support::kubeconfig::{Files, arg, config};
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::{
    ApiClient, LABEL, Run, Terminal, jobs_of, outcomes, plane, printed_document, run, together,
    tool, until, verdicts,
};

const APPLICATIONS: &str = "/apis/argoproj.io/v1alpha1/applications";

fn is_about_applications(request: &Request) -> bool {
    request.target.starts_with(APPLICATIONS)
}

/// What becomes of a request.
type Fault = fn(&Request, &ApiClient) -> Reply;

/// Plans by way of a proxy that does this to requests about Applications.
fn plan_by_proxy(
    shop: &Shop,
    args: &[&str],
    rule: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Run) {
    let proxy = Proxy::new(ApiClient::admin(shop.plane), move |request, up| {
        if is_about_applications(request) {
            rule(request, up)
        } else {
            up.pass(request)
        }
    });
    let args = [&["--dry-run=client", "-o", "json"][..], args].concat();
    let run = run(proxy.tool(&shop.name, &args));
    (proxy, run)
}

#[test]
fn after_a_rollback_the_older_job_stays() {
    let shop = Shop::marked();
    shop.argocd_has(&[
        shop.left_git(NEWEST),
        shop.in_git(MIDDLE),
        shop.left_git(OLDEST),
    ]);
    assert_eq!(shop.plan(&[]), middle_is("wanted"));
    assert_eq!(shop.plan(&["--gitops=require"]), middle_is("wanted"));
    assert_eq!(shop.plan(&["--gitops=ignore"]), SUPERSEDED);
    let wide = run(shop.tool(&["--dry-run=client", "-o", "wide"]));
    let by = format!("Application {0}/{0}: wanted, in git", shop.name);
    wide.exits(0)
        .shows(&["1 Job stays since git still wants it (wanted)", &by]);
    let explained = run({
        let mut command = tool();
        command.args([
            "explain",
            MIDDLE,
            "--kubeconfig",
            arg(shop.plane.kubeconfig()),
        ]);
        command.args(["-n", &shop.name, "-L", LABEL]);
        command
    });
    explained
        .exits(0)
        .shows(&["wanted", "in git", &by[..by.find(':').unwrap()]]);
    let report = run(shop.tool(&["--yes", "--cascade=background", "-o", "json"]));
    let report = report.exits(0).json();
    assert_eq!(outcomes(&report), [format!("{OLDEST} deleted")]);
    assert_eq!(report["gitops"]["argocd"], "read");
    assert_eq!(report["gitops"]["wanted"], 1);
    let left: Vec<String> = shop.client.settled_jobs(&shop.name).into_keys().collect();
    assert_eq!(left, [MIDDLE, NEWEST]);
}

/// Neither a mark nor an uid is needed: git names what it has.
#[test]
fn what_git_has_is_matched_by_name() {
    let shop = Shop::plain();
    shop.argocd_has(&[shop.in_git(MIDDLE)]);
    assert_eq!(shop.plan(&[]), middle_is("wanted"));
    let flux = Shop::plain();
    flux.apply(&kustomization(&flux.name, &[OLDEST]));
    let mut lines = SUPERSEDED.map(str::to_owned);
    lines[2] = format!("{OLDEST} SKIP wanted");
    assert_eq!(flux.plan(&[]), lines);
    let mut elsewhere = kustomization(&flux.name, &[OLDEST]);
    elsewhere["spec"]["kubeConfig"] = json!({"secretRef": {"name": "other"}});
    flux.apply(&elsewhere);
    assert_eq!(flux.plan(&[]), SUPERSEDED);
}

#[test]
fn nothing_is_asked_that_makes_no_difference() {
    let asked = |shop: &Shop, args: &[&str]| {
        let proxy = Proxy::new(ApiClient::admin(shop.plane), |request, up| up.pass(request));
        run(proxy.tool(&shop.name, args)).exits(0);
        let mut seen = proxy.seen_of(Kind::GitOps);
        seen.retain(|seen| !seen.request.continues());
        seen.len()
    };
    let shop = Shop::marked();
    for args in [
        &["--dry-run=client", "--keep=3"][..],
        &["--yes", "--gitops=ignore", "--dry-run"],
    ] {
        assert_eq!(asked(&shop, args), 0, "{args:?}");
    }
    assert_eq!(asked(&shop, &["--dry-run=client"]), 2);
}

/// Far more Applications than one answer holds, and the one that matters is on the last page.
#[test]
fn applications_are_read_to_the_last_page() {
    let shop = Shop::marked();
    for number in 0..120 {
        shop.apply(&application(&format!("a-{number:03}"), &[]));
    }
    let mut last = application("z", &[shop.in_git(MIDDLE)]);
    last["metadata"]["name"] = "z-last".into();
    shop.apply(&last);
    // Only here, so that the number of pages is known.
    let here = ["--gitops-namespace", &shop.name];
    let by_namespace = |shop: &Shop, rule: Fault| {
        let proxy = Proxy::new(ApiClient::admin(shop.plane), move |request, up| {
            if request.target.contains("/applications") {
                rule(request, up)
            } else {
                up.pass(request)
            }
        });
        let args = [&["--dry-run=client", "-o", "json"][..], &here].concat();
        let run = run(proxy.tool(&shop.name, &args));
        let asked = proxy.seen().into_iter();
        let asked = asked.filter(|seen| seen.request.target.contains("/applications"));
        (asked.count(), run.exits(0).json())
    };
    let (asked, document) = by_namespace(&shop, |request, up| up.pass(request));
    assert_eq!(asked, 3);
    assert_eq!(document["gitops"]["applications"], 121);
    assert_eq!(verdicts(&document), middle_is("wanted"));
    // A token that has expired begins a new list, and one that stays so is a list that broke off.
    let (_, document) = by_namespace(&shop, |request, up| match request.continues() {
        true if request.again == 1 => Reply::refusal(410, "Expired", "the token is too old"),
        _ => up.pass(request),
    });
    assert_eq!(verdicts(&document), middle_is("wanted"));
    let (_, document) = by_namespace(&shop, |request, up| match request.continues() {
        true => Reply::refusal(410, "Expired", "the token is too old"),
        false => up.pass(request),
    });
    assert_eq!(document["gitops"]["argocd"], "broken");
    // The marks name an Application that was not read.
    let all = verdicts(&document);
    assert_eq!(
        all[1..],
        [
            format!("{MIDDLE} SKIP unsettled"),
            format!("{OLDEST} SKIP unsettled")
        ]
    );
}

#[test]
fn a_reading_that_breaks_off_keeps_the_marked_jobs() {
    let faults: [(&str, Fault, &str); 9] = [
        (
            "500",
            |_, _| Reply::refusal(500, "InternalError", "no"),
            "no",
        ),
        (
            "401",
            |_, _| Reply::refusal(401, "Unauthorized", "who"),
            "who",
        ),
        (
            "no JSON",
            |_, _| Reply::new(200, Vec::new(), b"{".to_vec()),
            "cannot be read",
        ),
        (
            "a web page",
            |_, _| Reply::new(200, Vec::new(), b"<html>".to_vec()),
            "not a Kubernetes API server",
        ),
        (
            "a web page that says 404",
            |_, _| Reply::new(404, Vec::new(), b"<!DOCTYPE html>".to_vec()),
            "not a Kubernetes API server",
        ),
        (
            "a list of something else",
            |_, up| up.get("/apis/batch/v1/namespaces/default/jobs"),
            "cannot be read",
        ),
        (
            "cut",
            |request, up| {
                let reply = up.pass(request);
                let half = reply.body.len() / 2;
                reply.cut(half)
            },
            "",
        ),
        (
            "silence",
            |request, up| up.pass(request).stalls(10),
            "no answer",
        ),
        (
            "an odd Application",
            |request, up| {
                up.pass(request)
                    .alter(|list| list["items"][0]["status"] = json!({"sync": "secret-4711"}))
            },
            "not as its tool writes it",
        ),
    ];
    together(&faults, |&(what, rule, words)| {
        let (marked, plain) = (Shop::marked(), Shop::plain());
        // So that there is one.
        marked.argocd_has(&[]);
        let (_, run) = plan_by_proxy(&marked, &["--request-timeout=1s"], rule);
        let run = run.exits(0).complains(&["could not be read", words]);
        assert!(!run.err.contains("secret-4711"), "{}", run.story());
        let document = run.json();
        let unsettled: Vec<String> = [MIDDLE, OLDEST]
            .map(|job| format!("{job} SKIP unsettled"))
            .into();
        assert_eq!(verdicts(&document)[1..], unsettled, "{what}");
        assert_eq!(document["gitops"]["argocd"], "broken", "{what}");
        assert_eq!(jobs_of(&document)[1]["claims"][0]["by"], "Argo CD");
        let (_, run) = plan_by_proxy(&plain, &["--request-timeout=1s"], rule);
        assert_eq!(verdicts(&run.exits(0).json()), SUPERSEDED, "{what}");
    });
}

/// Argo CD 2 marks with this label, and others do as well. There is an Argo CD, as a list that breaks off tells.
#[test]
fn a_common_label_is_a_mark_where_reading_breaks_off() {
    let shop = Shop::plain();
    for job in [MIDDLE, OLDEST] {
        let label = json!({"metadata": {"labels": {"app.kubernetes.io/instance": "web"}}});
        shop.client.patch_job(&shop.name, job, &label);
    }
    assert_eq!(shop.plan(&["--gitops=require"]), SUPERSEDED);
    let rule = |_: &Request, _: &ApiClient| Reply::refusal(401, "Unauthorized", "who");
    let (_, run) = plan_by_proxy(&shop, &[], rule);
    let unsettled = [MIDDLE, OLDEST].map(|job| format!("{job} SKIP unsettled"));
    assert_eq!(verdicts(&run.exits(0).json())[1..], unsettled);
}

/// One that cannot be read takes nothing from the others.
#[test]
fn what_can_be_read_counts_beside_what_cannot() {
    let shop = Shop::plain();
    shop.argocd_has(&[shop.in_git(MIDDLE)]);
    let odd_shop = Shop::plain();
    odd_shop.argocd_has(&[]);
    let odd_path = format!("/namespaces/{}/applications", odd_shop.name);
    let proxy = Proxy::new(ApiClient::admin(shop.plane), move |request, up| {
        let reply = up.pass(request);
        if request.target.contains(&odd_path) {
            return reply.alter(|list| list["items"][0]["status"] = json!({"sync": []}));
        }
        reply
    });
    for names in [[&odd_shop.name, &shop.name], [&shop.name, &odd_shop.name]] {
        let namespaces = names.map(|name| format!("--gitops-namespace={name}"));
        let mut command = proxy.tool(&shop.name, &["--dry-run=client", "-o", "json"]);
        command.args(namespaces);
        let document = run(command).exits(0).json();
        assert_eq!(document["gitops"]["argocd"], "broken");
        assert_eq!(verdicts(&document), middle_is("wanted"));
    }
    // The same of a namespace that may not be read.
    let user = format!("half-{}", shop.name);
    let rules = [JOBS, ("argoproj.io", "applications", &["list"][..])];
    allow(&shop, &user, &rules, Some(&shop.name));
    let namespaces = [&odd_shop.name, &shop.name].map(|name| format!("--gitops-namespace={name}"));
    let document = plan_as(&shop, &user, &[&namespaces[0], &namespaces[1]]).json();
    assert_eq!(document["gitops"]["argocd"], "forbidden");
    assert_eq!(verdicts(&document), middle_is("wanted"));
}

/// Lets a user do these on resources of a group in a namespace, or everywhere.
fn allow(shop: &Shop, user: &str, rules: &[(&str, &str, &[&str])], namespace: Option<&str>) {
    let (kind, name) = (
        if namespace.is_some() {
            "Role"
        } else {
            "ClusterRole"
        },
        format!("{user}-{}", rules[0].1),
    );
    let rules: Vec<_> = rules
        .iter()
        .map(|(group, resource, verbs)| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs}))
        .collect();
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = namespace.into();
    }
    let api = "rbac.authorization.k8s.io";
    let role = json!({"apiVersion": format!("{api}/v1"), "kind": kind, "metadata": metadata, "rules": rules});
    let binding = json!({
        "apiVersion": format!("{api}/v1"), "kind": format!("{kind}Binding"), "metadata": metadata,
        "roleRef": {"apiGroup": api, "kind": kind, "name": name},
        "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
    });
    shop.plane
        .kubectl_apply(&format!("{role}\n---\n{binding}\n"))
        .unwrap();
}

/// What the tool plans as this user, once the rights are in force.
fn plan_as(shop: &Shop, user: &str, args: &[&str]) -> Run {
    let kubeconfig = shop.plane.kubeconfig_for(user, &[]).unwrap();
    until("RBAC lets the user list Jobs", || {
        let mut can = shop
            .plane
            .kubectl_command(["auth", "can-i", "list", "jobs.batch"]);
        can.args(["-n", &shop.name, "--kubeconfig"])
            .arg(&kubeconfig);
        can.output().unwrap().status.success()
    });
    let mut command = tool();
    command
        .args([
            "--kubeconfig",
            arg(&kubeconfig),
            "-n",
            &shop.name,
            "-L",
            LABEL,
        ])
        .args(["--dry-run=client", "-o", "json"])
        .args(args);
    run(command).exits(0)
}

const JOBS: (&str, &str, &[&str]) = ("batch", "jobs", &["list", "delete"]);

/// The account that `deploy/` had before, on a server that has the kinds and on one that has not.
#[test]
fn rights_on_jobs_alone_are_enough() {
    for (shop, answer, words) in [
        (Shop::marked(), "forbidden", "you may not list Applications"),
        (Shop::on(plane(), true), "absent", "are not on this cluster"),
    ] {
        let user = format!("jobs-only-{}", shop.name);
        allow(&shop, &user, &[JOBS], Some(&shop.name));
        let run = plan_as(&shop, &user, &[]);
        let marked = format!(
            "2 of the 2 Jobs to purge are marked by Argo CD ({})",
            shop.name
        );
        let run = run.complains(&[
            "warning: ",
            &marked,
            words,
            "made and run again",
            "hint: ",
            "--argocd-context",
        ]);
        let document = run.json();
        assert_eq!(verdicts(&document), SUPERSEDED);
        assert_eq!(document["gitops"]["argocd"], answer);
        assert_eq!(document["gitops"]["unanswered"], 2);
        let required = plan_as(&shop, &user, &["--gitops=require"]).json();
        let unsettled = [MIDDLE, OLDEST].map(|job| format!("{job} SKIP unsettled"));
        assert_eq!(verdicts(&required)[1..], unsettled);
        let ignored = plan_as(&shop, &user, &["--gitops=ignore"]);
        assert!(!ignored.err.contains("Argo CD"), "{}", ignored.story());
    }
    // What carries no certain mark is not worth a word.
    let shop = Shop::on(plane(), false);
    let run = run(shop.tool(&["--dry-run=client"])).exits(0);
    assert!(!run.err.contains("warning"), "{}", run.story());
}

#[test]
fn rights_in_one_namespace_are_enough_if_it_is_named() {
    let shop = Shop::marked();
    shop.argocd_has(&[shop.in_git(MIDDLE)]);
    let user = format!("tenant-{}", shop.name);
    let rules = [
        JOBS,
        ("argoproj.io", "applications", &["list"][..]),
        ("kustomize.toolkit.fluxcd.io", "kustomizations", &["list"]),
    ];
    allow(&shop, &user, &rules, Some(&shop.name));
    let everywhere = plan_as(&shop, &user, &[]).json();
    assert_eq!(everywhere["gitops"]["argocd"], "forbidden");
    let here = plan_as(&shop, &user, &["--gitops-namespace", &shop.name]).json();
    assert_eq!(verdicts(&here), middle_is("wanted"));
    assert_eq!(here["gitops"]["argocd"], "read");
}

#[test]
fn what_git_wants_again_while_the_question_stands_stays() {
    let shop = Shop::marked();
    shop.argocd_has(&[
        shop.in_git(NEWEST),
        shop.left_git(MIDDLE),
        shop.left_git(OLDEST),
    ]);
    let rolled_back = || {
        shop.argocd_has(&[
            shop.left_git(NEWEST),
            shop.in_git(MIDDLE),
            shop.left_git(OLDEST),
        ])
    };
    let files = Files::new();
    let plan = files.path("plan.json");
    let mut save = shop.tool(&["--save-plan"]);
    save.arg(&plan);
    run(save).exits(0);
    let mut terminal = Terminal::start(&shop.tool(&["--cascade=background", "-o", "json"]), 160);
    terminal.wait_for("Purge 2 Jobs in 1 group");
    rolled_back();
    terminal.enter("y");
    let report = printed_document(&terminal.finish().exits(0));
    let expected = [format!("{MIDDLE} changed"), format!("{OLDEST} deleted")];
    assert_eq!(outcomes(&report), expected);
    assert_eq!(message(&report, MIDDLE), "it would be kept now: wanted");
    // A plan of an older version says nothing of tools, and a saved one is held against what they say now.
    let saved = std::fs::read_to_string(&plan).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&saved).unwrap();
    let policy = document["saved"]["policy"].as_object_mut().unwrap();
    assert_eq!(policy.remove("gitops"), Some("auto".into()));
    document.as_object_mut().unwrap().remove("gitops");
    std::fs::write(&plan, document.to_string()).unwrap();
    let mut command = tool();
    command.args([
        "--kubeconfig",
        arg(shop.plane.kubeconfig()),
        "--plan",
        arg(&plan),
        "--yes",
        "-o",
        "json",
    ]);
    let report = run(command).exits(0).json();
    assert_eq!(
        outcomes(&report),
        [format!("{MIDDLE} changed"), format!("{OLDEST} gone")]
    );
    assert_eq!(message(&report, MIDDLE), "it would be kept now: wanted");
}

/// The reading after the question breaks off: what is marked stays.
#[test]
fn a_second_reading_that_breaks_off_deletes_nothing_that_is_marked() {
    let shop = Shop::marked();
    shop.argocd_has(&[shop.left_git(MIDDLE), shop.left_git(OLDEST)]);
    let proxy = Proxy::new(ApiClient::admin(shop.plane), |request, up| {
        if is_about_applications(request) && request.again > 1 {
            return Reply::refusal(500, "InternalError", "no");
        }
        up.pass(request)
    });
    let mut terminal = Terminal::start(&proxy.tool(&shop.name, &["-o", "json"]), 160);
    terminal.wait_for("Purge 2 Jobs in 1 group");
    terminal.enter("y");
    let report = printed_document(&terminal.finish().exits(0));
    assert_eq!(
        outcomes(&report),
        [MIDDLE, OLDEST].map(|job| format!("{job} changed"))
    );
    assert_eq!(message(&report, OLDEST), "it would be kept now: unsettled");
    assert_eq!(proxy.count(Kind::Delete), 0);
}

/// Argo CD runs on a hub, and the Jobs are on another cluster.
#[test]
fn applications_are_read_on_the_cluster_of_argo_cd() {
    let files = Files::new();
    for (destination, is_marked, expected) in [
        (plane().server_url(), false, middle_is("wanted")),
        (
            format!("{}/", plane().server_url()),
            false,
            middle_is("wanted"),
        ),
        (
            "https://private.example.com:6443".to_owned(),
            true,
            middle_is("wanted"),
        ),
        (
            "https://private.example.com:6443".to_owned(),
            false,
            SUPERSEDED.map(str::to_owned),
        ),
        // The hub itself.
        (
            "https://kubernetes.default.svc".to_owned(),
            true,
            SUPERSEDED.map(str::to_owned),
        ),
    ] {
        let (target, hub) = (Shop::on(plane(), is_marked), gitops_plane());
        let on_hub = Shop {
            plane: hub,
            name: hub.namespace("hub").unwrap(),
            client: ApiClient::admin(hub),
        };
        let mut app = application(&target.name, &[target.in_git(MIDDLE)]);
        for place in ["/spec/destination", "/status/sync/comparedTo/destination"] {
            app.pointer_mut(place).unwrap()["server"] = destination.as_str().into();
        }
        on_hub.apply(&app);
        let kubeconfig = two_clusters(&files);
        let mut command = tool();
        command
            .args([
                "--kubeconfig",
                arg(&kubeconfig),
                "--context",
                "target",
                "-n",
                &target.name,
                "-L",
                LABEL,
            ])
            .args([
                "--argocd-context",
                "hub",
                "--gitops-namespace",
                &on_hub.name,
            ])
            .args(["--dry-run=client", "-o", "json"]);
        let document = run(command).exits(0).json();
        assert_eq!(verdicts(&document), expected, "{destination} {is_marked}");
        assert_eq!(document["gitops"]["flux"], "absent");
    }
    // A saved plan reads there too, by the name that the context has here.
    let (target, hub) = (Shop::on(plane(), true), gitops_plane());
    let on_hub = Shop {
        plane: hub,
        name: hub.namespace("hub").unwrap(),
        client: ApiClient::admin(hub),
    };
    let mut app = application(
        &target.name,
        &[target.left_git(MIDDLE), target.left_git(OLDEST)],
    );
    for place in ["/spec/destination", "/status/sync/comparedTo/destination"] {
        app.pointer_mut(place).unwrap()["server"] = plane().server_url().into();
    }
    on_hub.apply(&app);
    let saved = files.path("hub-plan.json");
    let mut command = tool();
    command
        .args([
            "--kubeconfig",
            arg(&two_clusters(&files)),
            "-n",
            &target.name,
            "-L",
            LABEL,
        ])
        .args(["--argocd-context", "hub", "--save-plan", arg(&saved)]);
    run(command).exits(0);
    app["status"]["resources"] = json!([target.in_git(MIDDLE), target.left_git(OLDEST)]);
    on_hub.apply(&app);
    let there = std::fs::read_to_string(&saved).unwrap();
    assert!(there.contains("\"argocdContext\": \"hub\""), "{there}");
    std::fs::write(&saved, there.replace("\"hub\"", "\"another-name\"")).unwrap();
    let carry_out = |more: &[&str]| {
        let mut command = tool();
        command
            .args([
                "--kubeconfig",
                arg(&two_clusters(&files)),
                "--plan",
                arg(&saved),
            ])
            .args(["--dry-run", "-o", "json"])
            .args(more);
        run(command)
    };
    carry_out(&[]).exits(1).complains(&["another-name"]);
    let report = carry_out(&["--argocd-context=hub"]).exits(0).json();
    let expected = [
        format!("{MIDDLE} changed"),
        format!("{OLDEST} would-delete"),
    ];
    assert_eq!(outcomes(&report), expected);
    // A pipeline may name the same cluster twice.
    let both = Shop::plain();
    both.argocd_has(&[both.in_git(MIDDLE)]);
    let mut command = tool();
    command
        .args(["--kubeconfig", arg(&two_clusters(&files))])
        .args(["--context", "hub", "--argocd-context", "hub"])
        .args([
            "-n",
            &both.name,
            "-L",
            LABEL,
            "--dry-run=client",
            "-o",
            "json",
        ]);
    assert_eq!(verdicts(&run(command).exits(0).json()), middle_is("wanted"));
    // No Applications there, or nothing at all: what is marked stays.
    let target = Shop::on(plane(), true);
    let unsettled = [MIDDLE, OLDEST].map(|job| format!("{job} SKIP unsettled"));
    for (hub, words) in [("target", "there are no Applications"), ("down", "")] {
        let mut command = tool();
        command
            .args(["--kubeconfig", arg(&two_clusters(&files))])
            .args(["--context", "target", "--argocd-context", hub])
            .args([
                "-n",
                &target.name,
                "-L",
                LABEL,
                "--dry-run=client",
                "-o",
                "json",
            ]);
        let run = run(command)
            .exits(0)
            .complains(&["could not be read", words]);
        assert_eq!(verdicts(&run.json())[1..], unsettled, "{hub}");
    }
    let mut command = tool();
    command.args([
        "--kubeconfig",
        arg(&two_clusters(&files)),
        "--argocd-context",
        "nowhere",
    ]);
    run(command).exits(1).complains(&["nowhere"]);
    for args in [
        ["--gitops=ignore", "--argocd-context=hub"],
        ["--gitops=ignore", "--gitops-namespace=a"],
    ] {
        let mut command = tool();
        command.args(args);
        run(command).exits(2).complains(&["--gitops=ignore"]);
    }
}

/// A kubeconfig with the contexts `target` and `hub`.
fn two_clusters(files: &Files) -> PathBuf {
    let planes = [("target", plane()), ("hub", gitops_plane())];
    let clusters = planes.map(|(name, plane)| {
        let ca = BASE64.encode(plane.ca_pem());
        (
            name,
            json!({"server": plane.server_url(), "certificate-authority-data": ca}),
        )
    });
    let users = planes.map(|(name, plane)| {
        let (certificate, key) = plane
            .client_certificate("hubs-admin", &["system:masters"])
            .unwrap();
        let [certificate, key] = [certificate, key].map(|pem| BASE64.encode(pem));
        (
            name,
            json!({"client-certificate-data": certificate, "client-key-data": key}),
        )
    });
    let contexts = planes.map(|(name, _)| (name, json!({"cluster": name, "user": name})));
    let down = json!({"server": "https://127.0.0.1:1"});
    // Its login fails as well.
    let nobody = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "/no/such/plugin", "interactiveMode": "Never",
    }});
    let mut contexts = contexts.to_vec();
    contexts.push(("down", json!({"cluster": "down", "user": "down"})));
    let config = config(
        &[
            ("target", &clusters[0].1),
            ("hub", &clusters[1].1),
            ("down", &down),
        ],
        &[
            ("target", &users[0].1),
            ("hub", &users[1].1),
            ("down", &nobody),
        ],
        &contexts,
        Some("target"),
    );
    files.write("two-clusters", &config.to_string())
}

#[test]
fn all_jobs_of_one_family_that_git_has_stay() {
    let plane = gitops_plane();
    let shop = Shop::plain();
    let name = plane.namespace("load").unwrap();
    let jobs: Vec<String> = (0..5).map(|part| format!("load-{part}0000")).collect();
    let seeds = jobs.iter().zip(1..);
    let seeds: Vec<_> = seeds
        .map(|(job, age)| job_in(&name, LABEL, "g", job, age))
        .collect();
    plane.seed(&seeds).unwrap();
    let shop = Shop { name, ..shop };
    let listed: Vec<_> = jobs.iter().map(|job| shop.in_git(job)).collect();
    shop.argocd_has(&listed);
    let planned = shop.plan(&[]);
    // It would have purged four, and so asks; then the newest one is wanted as well.
    assert_eq!(planned[0], "load-00000 SKIP newest,wanted");
    assert!(
        planned[1..]
            .iter()
            .all(|line| line.ends_with(" SKIP wanted")),
        "{planned:?}"
    );
    let report = run(shop.tool(&["--yes", "-o", "json"])).exits(0).json();
    assert_eq!(outcomes(&report), [""; 0]);
}

#[test]
fn a_job_that_was_made_again_is_still_the_one_that_git_has() {
    let shop = Shop::plain();
    shop.argocd_has(&[shop.in_git(MIDDLE)]);
    let uid = |shop: &Shop| shop.client.jobs(&shop.name)[MIDDLE].clone();
    let before = uid(&shop);
    assert!(shop.client.delete_job(&shop.name, MIDDLE));
    shop.plane
        .seed(&[job_in(&shop.name, LABEL, "g", MIDDLE, 2)])
        .unwrap();
    assert_ne!(uid(&shop), before);
    assert_eq!(shop.plan(&[]), middle_is("wanted"));
}

#[test]
fn marks_on_the_job_itself_need_no_tool() {
    for (marks, reason) in [
        (
            json!({"argocd.argoproj.io/sync-options": "Prune=confirm"}),
            "protected",
        ),
        (json!({"helm.sh/resource-policy": "keep"}), "protected"),
        (
            json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"}),
            "protected",
        ),
        (json!({"meta.helm.sh/release-name": "shop"}), "wanted"),
    ] {
        // Neither kind is there.
        let shop = Shop::on(plane(), false);
        let patch = json!({"metadata": {"annotations": marks}});
        shop.client.patch_job(&shop.name, MIDDLE, &patch);
        assert_eq!(shop.plan(&[]), middle_is(reason), "{marks}");
    }
    let shop = Shop::on(plane(), false);
    let hook = json!({"meta.helm.sh/release-name": "shop", "helm.sh/hook": "pre-upgrade"});
    shop.client.patch_job(
        &shop.name,
        MIDDLE,
        &json!({"metadata": {"annotations": hook}}),
    );
    assert_eq!(shop.plan(&[]), SUPERSEDED);
}
