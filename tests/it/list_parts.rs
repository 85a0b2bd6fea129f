//! A long list of every namespace, which is read in parts, a namespace each: the plan is the one that pages give, whatever
//! goes wrong on the way.
//!
//! These tests look at every namespace, so they have a control plane on which no other test makes Jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use controlplane::{ControlPlane, SeedJob};
use serde_json::{Value, json};

use crate::support::api_client::header;
use crate::support::control_plane::hours_ago;
use crate::support::document::text;
use crate::support::own_control_plane::{Etcd, clear, empty_control_plane, own_control_plane};
use crate::support::proxy::{Proxy, Reply, Request, Seen};
use crate::support::running::Gate;
use crate::support::{ApiClient, LABEL, Run, jobs_of, outcomes, run, together, tool, until};

/// Groups by a label, which the server selects. It does not count what remains of such a list.
const BY_LABEL: [&str; 2] = ["-L", LABEL];

/// Groups by an annotation, which the server cannot select: it gives every Job, and counts them.
const BY_ANNOTATION: [&str; 2] = ["--group-by", "annotation:test.example/group"];

const BOTH: [[&str; 2]; 2] = [BY_LABEL, BY_ANNOTATION];

const STARTS_OVER: &str = "starting the list over";

/// What becomes of a request.
type Fault = fn(&Request, &ApiClient) -> Reply;

/// What a request of the tool is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    /// A page of the Jobs of every namespace.
    Page,
    /// A page of the Jobs of this namespace.
    Part(String),
    /// A page of the Namespaces.
    Namespaces,
    Other,
}

fn asked(request: &Request) -> Asked {
    let path = request.target.split('?').next().unwrap();
    // A hint about the labels and annotations that there are takes this page, when the list is over.
    let is_for_a_hint = parameter(request, "limit").as_deref() == Some("500");
    let namespace = path
        .strip_prefix("/apis/batch/v1/namespaces/")
        .and_then(|rest| rest.strip_suffix("/jobs"));
    match (request.method.as_str(), path, namespace) {
        ("GET", "/api/v1/namespaces", _) => Asked::Namespaces,
        _ if is_for_a_hint => Asked::Other,
        ("GET", _, Some(namespace)) => Asked::Part(namespace.to_owned()),
        ("GET", "/apis/batch/v1/jobs", _) => Asked::Page,
        _ => Asked::Other,
    }
}

fn is_of_metadata(request: &Request) -> bool {
    let accept = header(&request.headers, "accept");
    accept.is_some_and(|accept| accept.contains("PartialObjectMetadataList"))
}

fn is_part(request: &Request, namespace: &str) -> bool {
    asked(request) == Asked::Part(namespace.to_owned())
}

/// A parameter of a request's query.
fn parameter(request: &Request, name: &str) -> Option<String> {
    let query = request.target.split(['?', '&']).skip(1);
    let mut pairs = query.filter_map(|part| part.split_once('='));
    let (_, value) = pairs.find(|(known, _)| *known == name)?;
    let value = percent_encoding::percent_decode_str(value);
    Some(value.decode_utf8().unwrap().into_owned())
}

/// What came of the requests that these are for, in their order.
fn seen_of(proxy: &Proxy, is: impl Fn(&Asked) -> bool) -> Vec<Seen> {
    let mut seen = proxy.seen();
    seen.retain(|seen| is(&asked(&seen.request)));
    seen
}

fn pages(proxy: &Proxy) -> Vec<Seen> {
    seen_of(proxy, |asked| *asked == Asked::Page)
}

fn parts(proxy: &Proxy) -> Vec<Seen> {
    seen_of(proxy, |asked| matches!(asked, Asked::Part(_)))
}

fn namespaces(proxy: &Proxy) -> Vec<Seen> {
    seen_of(proxy, |asked| *asked == Asked::Namespaces)
}

/// Which namespaces were asked for their Jobs.
fn namespaces_of(parts: &[Seen]) -> BTreeSet<String> {
    let name = |seen: &Seen| match asked(&seen.request) {
        Asked::Part(name) => name,
        other => panic!("{other:?}"),
    };
    parts.iter().map(name).collect()
}

/// A complete Job, in a group by its label and by its annotation.
fn job(namespace: &str, group: &str, name: &str, age: i64) -> SeedJob {
    bare(namespace, name, age)
        .label(LABEL, group)
        .annotation(LABEL, group)
}

/// A Job without a group.
fn bare(namespace: &str, name: &str, age: i64) -> SeedJob {
    SeedJob::new(namespace, name, hours_ago(age))
}

/// A group of Jobs. The newest is the last one of the list: who loses the end of it takes an old Job for the newest.
fn group(namespace: &str, group: &str, count: i64) -> Vec<SeedJob> {
    let name = |number| format!("{group}-{number:02}");
    let numbers = 0..count;
    numbers
        .map(|number| job(namespace, group, &name(number), 100 - number))
        .collect()
}

/// Six namespaces with 21 Jobs in groups and 5 without, beside the four namespaces that every cluster has.
fn seed(plane: &ControlPlane) {
    let mut jobs = [
        group("part-a", "g", 5),
        group("part-b", "g", 4),
        group("part-b", "h", 3),
        group("part-c", "g", 6),
        group("part-d", "g", 2),
        group("part-f", "g", 1),
    ]
    .concat();
    for (namespace, name) in [
        ("part-d", "bare-1"),
        ("part-d", "h-1"),
        ("part-d", "z-1"),
        ("part-e", "bare-1"),
        ("part-e", "bare-2"),
    ] {
        jobs.push(bare(namespace, name, 5));
    }
    plane.seed(&jobs).unwrap();
}

fn passing(plane: &ControlPlane) -> Proxy {
    Proxy::new(ApiClient::admin(plane), |request, up| up.pass(request))
}

/// Runs the tool in every namespace. What git wants is another matter.
fn everywhere(proxy: &Proxy, args: &[&[&str]]) -> Run {
    let mut command = tool();
    command.args(["-s", &proxy.url, "-A", "--gitops=ignore", "-o", "json"]);
    command.args(args.concat());
    run(command)
}

fn dry(proxy: &Proxy, args: &[&[&str]]) -> Run {
    everywhere(proxy, &[&["--dry-run=client"], &args.concat()[..]])
}

/// The plan without what differs between two runs on the same Jobs.
#[track_caller]
fn plan_of(run: &Run) -> Value {
    let mut plan = run.json();
    let fields = plan.as_object_mut().unwrap();
    for field in ["takenAt", "resourceVersion", "cluster"] {
        assert!(fields.remove(field).is_some(), "{field}: {}", run.story());
    }
    plan
}

/// The plan of a list that comes whole.
#[track_caller]
fn whole(plane: &ControlPlane, args: &[&str]) -> Value {
    let run = dry(&passing(plane), &[&["--chunk-size=0"], args]).exits(0);
    plan_of(&run)
}

/// Runs the tool with pages of two Jobs on the way through a proxy with this rule.
fn dry_through(
    plane: &ControlPlane,
    args: &[&str],
    rule: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static,
) -> (Proxy, Run) {
    let proxy = Proxy::new(ApiClient::admin(plane), rule);
    let fixed = ["--chunk-size=2", "--request-timeout=2s", "-v"];
    let run = dry(&proxy, &[&fixed, args]);
    (proxy, run)
}

/// Fails unless the plan is this, from a list that went on in parts to its end.
#[track_caller]
fn is_in_parts(proxy: &Proxy, run: Run, expected: &Value) {
    let run = run.exits(0);
    assert_eq!(plan_of(&run), *expected, "{}", run.story());
    assert_eq!(pages(proxy).len(), 1, "{}", run.story());
    assert!(parts(proxy).len() > 1, "{}", run.story());
    assert!(!run.err.contains(STARTS_OVER), "{}", run.story());
}

/// Fails unless the plan is this, from a list that went on page by page and asked for no part.
#[track_caller]
fn is_in_pages(proxy: &Proxy, run: Run, expected: &Value) {
    let run = run.exits(0);
    assert_eq!(plan_of(&run), *expected, "{}", run.story());
    let (pages, parts) = (pages(proxy), parts(proxy));
    assert!(pages.len() > 1 && parts.is_empty(), "{}", run.story());
    let anew = |seen: &&Seen| !seen.request.continues();
    assert_eq!(pages.iter().filter(anew).count(), 1, "{}", run.story());
    assert!(!run.err.contains(STARTS_OVER), "{}", run.story());
}

/// Fails unless the plan is this, from a list that went on in parts and then started over page by page.
#[track_caller]
fn starts_over(proxy: &Proxy, run: Run, expected: &Value) {
    let run = run.exits(0).complains(&[STARTS_OVER]);
    assert_eq!(plan_of(&run), *expected, "{}", run.story());
    let (pages, parts) = (pages(proxy), parts(proxy));
    assert!(!parts.is_empty(), "{}", run.story());
    let anew = |seen: &&Seen| !seen.request.continues();
    assert_eq!(pages.iter().filter(anew).count(), 2, "{}", run.story());
    assert!(pages.len() > 3, "{}", run.story());
    // It does not ask for the Namespaces again, to go on in parts once more.
    let anew = namespaces(proxy).iter().filter(anew).count();
    assert_eq!(anew, 1, "{}", run.story());
}

/// Fails unless it ended without a plan.
#[track_caller]
fn is_nothing(run: Run) {
    let run = run.exits(1).complains(&["error: "]);
    assert_eq!(run.out, "", "a plan from part of a list\n{}", run.story());
}

/// A user who may list and delete Jobs in every namespace, and list `more`.
fn user_who_lists(plane: &ControlPlane, user: &str, more: &[&str]) -> ApiClient {
    // A rule has to name something.
    let resources = [&["none"], more].concat();
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": user},
        "rules": [
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "delete"]},
            {"apiGroups": [""], "resources": resources, "verbs": ["list"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    plane
        .kubectl_apply(&format!("{role}\n---\n{binding}\n"))
        .unwrap();
    let client = ApiClient::new(plane, user, &[]);
    let may = |path: &str| client.get(path).status == 200;
    until("RBAC lets the user list", || {
        may("/apis/batch/v1/jobs?limit=1") && (more.is_empty() || may("/api/v1/namespaces?limit=1"))
    });
    client
}

fn as_user(client: ApiClient) -> Proxy {
    Proxy::new(client, |request, up| up.pass(request))
}

#[test]
fn a_plan_is_the_same_in_parts_and_in_pages() {
    let plane = empty_control_plane();
    seed(&plane);
    let with = as_user(user_who_lists(&plane, "with-namespaces", &["namespaces"]));
    let without = as_user(user_who_lists(&plane, "without-namespaces", &[]));
    for how in BOTH {
        for excluded in [
            &[][..],
            &["--exclude-namespace=part-c"],
            &["--exclude-namespace=part-a*,part-d*"],
            &["--exclude-namespace=kube-*,part-f"],
            &["--keep=2"],
        ] {
            let args = [&how[..], excluded].concat();
            let expected = whole(&plane, &args);
            let groups = expected["groups"].as_array().unwrap();
            assert!(groups.len() >= 4, "{args:?}: {expected:#}");
            for size in ["--chunk-size=1", "--chunk-size=2", "--chunk-size=3"] {
                let story = format!("{args:?} {size}");
                let before = (pages(&with).len(), parts(&with).len());
                let run = dry(&with, &[&args, &[size]]).exits(0);
                assert_eq!(plan_of(&run), expected, "{story}");
                // By labels it goes by the groups on the first page, of which there may be none.
                if how == BY_ANNOTATION || excluded != ["--exclude-namespace=part-a*,part-d*"] {
                    assert_eq!(pages(&with).len(), before.0 + 1, "{story}");
                    assert!(parts(&with).len() >= before.1 + 5, "{story}");
                }
                let run = dry(&without, &[&args, &[size]]).exits(0);
                assert_eq!(plan_of(&run), expected, "{story}");
            }
        }
    }
    assert_eq!(parts(&without).len(), 0);
}

/// The right to list Namespaces is not needed, and nothing is said of it.
#[test]
fn without_a_right_to_namespaces_it_goes_on_as_before() {
    let plane = empty_control_plane();
    seed(&plane);
    let client = user_who_lists(&plane, "jobs-alone", &[]);
    let proxy = as_user(client);
    // 26 Jobs in pages of 5.
    let run = dry(&proxy, &[&BY_ANNOTATION, &["--chunk-size=5", "-v"]]);
    is_in_pages(&proxy, run, &whole(&plane, &BY_ANNOTATION));
    assert_eq!(pages(&proxy).len(), 6);
    let asked = namespaces(&proxy);
    assert_eq!(asked.len(), 1, "asked for once");
    assert_eq!(asked[0].status, 403, "and really refused");

    let quiet = dry(&proxy, &[&BY_ANNOTATION, &["--chunk-size=5"]]).exits(0);
    let admin = dry(&passing(&plane), &[&BY_ANNOTATION, &["--chunk-size=0"]]);
    assert_eq!(quiet.err, admin.exits(0).err, "nothing is said of it");
}

#[test]
fn each_part_is_asked_for_at_the_version_of_the_first_page() {
    let plane = empty_control_plane();
    seed(&plane);
    for (how, selects) in [(BY_LABEL, true), (BY_ANNOTATION, false)] {
        let at_once = Arc::new(Mutex::new((Vec::new(), BTreeSet::new())));
        let notes = Arc::clone(&at_once);
        let slow = move |request: &Request, up: &ApiClient| {
            let Asked::Part(name) = asked(request) else {
                return up.pass(request);
            };
            {
                let (now, seen): &mut (Vec<String>, BTreeSet<usize>) = &mut notes.lock().unwrap();
                now.push(name.clone());
                seen.insert(now.iter().collect::<BTreeSet<_>>().len());
            }
            let reply = up.pass(request);
            // Slow enough that all that may come at once is there at once.
            thread::sleep(Duration::from_millis(150));
            let now = &mut notes.lock().unwrap().0;
            let place = now.iter().position(|other| *other == name);
            now.remove(place.unwrap());
            reply
        };
        let args = [&how[..], &["--exclude-namespace=part-c*,kube-public"]].concat();
        let (proxy, run) = dry_through(&plane, &args, slow);
        is_in_parts(&proxy, run, &whole(&plane, &args));

        let first = &pages(&proxy)[0].request;
        assert_eq!(parameter(first, "limit").as_deref(), Some("2"));
        assert_eq!(parameter(first, "resourceVersion"), None);
        assert_eq!(parameter(first, "resourceVersionMatch"), None);
        let selector = parameter(first, "labelSelector");
        assert_eq!(selector.is_some(), selects);

        let asked_for = namespaces(&proxy);
        assert_eq!(asked_for.len(), 1, "names are small");
        for seen in &asked_for {
            assert!(is_of_metadata(&seen.request), "{:?}", seen.request);
            let size = parameter(&seen.request, "limit");
            assert_eq!(size.as_deref(), Some("500"));
            assert_eq!(parameter(&seen.request, "labelSelector"), None);
        }

        let parts = parts(&proxy);
        let expected = [
            "default",
            "kube-node-lease",
            "kube-system",
            "part-a",
            "part-b",
            "part-d",
            "part-e",
            "part-f",
        ];
        assert_eq!(namespaces_of(&parts), expected.map(str::to_owned).into());
        let (anew, on): (Vec<_>, Vec<_>) = parts.iter().partition(|seen| !seen.request.continues());
        assert_eq!(anew.len(), expected.len(), "once each");
        let pages_of = |name| {
            on.iter()
                .filter(|seen| is_part(&seen.request, name))
                .count()
                + 1
        };
        // 5 and 7 Jobs in pages of 2.
        assert_eq!((pages_of("part-a"), pages_of("part-b")), (3, 4));
        let mut versions = BTreeSet::new();
        for seen in &anew {
            let of = |name| parameter(&seen.request, name);
            versions.insert(of("resourceVersion").expect("a version"));
            assert_eq!(of("resourceVersionMatch").as_deref(), Some("Exact"));
        }
        assert_eq!(versions.len(), 1, "{versions:?}");
        for seen in &parts {
            let of = |name| parameter(&seen.request, name);
            assert_eq!(of("limit").as_deref(), Some("2"));
            assert_eq!(of("labelSelector"), selector);
        }
        let most = at_once.lock().unwrap().1.last().copied();
        assert_eq!(most, Some(4), "namespaces at once");
    }
}

/// The version is the one that the plan names, and the one of the first page.
#[test]
fn the_version_of_the_parts_is_that_of_the_plan() {
    let plane = empty_control_plane();
    seed(&plane);
    let (proxy, run) = dry_through(&plane, &BY_LABEL, |request, up| {
        if asked(request) == Asked::Namespaces {
            // Newer versions are there by then.
            up.create_job("part-e", &format!("new-{}", request.nth), "g");
        }
        up.pass(request)
    });
    let version = text(&run.exits(0).json(), "resourceVersion").to_owned();
    let parts = parts(&proxy);
    let anew = parts.iter().filter(|seen| !seen.request.continues());
    let versions = anew.map(|seen| parameter(&seen.request, "resourceVersion"));
    let versions: Vec<_> = versions.collect();
    assert_eq!(versions, vec![Some(version); 10]);
}

/// Where there is no more to come, or one namespace, or no pages, nothing more is asked for.
#[test]
fn a_list_that_needs_no_parts_asks_for_no_namespaces() {
    let plane = empty_control_plane();
    seed(&plane);
    let lists_of = |args: &[&str]| {
        let proxy = passing(&plane);
        let run = dry(&proxy, &[&BY_ANNOTATION, args]).exits(0);
        assert!(!jobs_of(&run.json()).is_empty());
        assert_eq!(namespaces(&proxy).len(), 0, "{args:?}");
        assert_eq!(parts(&proxy).len(), 0, "{args:?}");
        pages(&proxy).len()
    };
    assert_eq!(lists_of(&["--chunk-size=0"]), 1);
    assert_eq!(lists_of(&["--chunk-size=26"]), 1);
    assert_eq!(lists_of(&["--chunk-size=400"]), 1);

    let proxy = passing(&plane);
    let mut command = tool();
    command.args(["-s", &proxy.url, "-n", "part-b", "--gitops=ignore"]);
    command.args(BY_ANNOTATION);
    command.args(["--dry-run=client", "--chunk-size=2"]);
    run(command).exits(0);
    let lists = parts(&proxy);
    assert_eq!(lists.len(), 4);
    assert!(
        lists
            .iter()
            .all(|seen| parameter(&seen.request, "resourceVersion").is_none())
    );
    assert_eq!(namespaces(&proxy).len() + pages(&proxy).len(), 0);
}

/// Eight namespaces for each full page that is left are worth it, nine are not.
#[test]
fn small_parts_are_not_worth_their_requests() {
    let plane = empty_control_plane();
    // With the cluster's own these are eight.
    let own = ["part-a", "part-b", "part-c", "part-d"];
    for namespace in own {
        plane.seed(&group(namespace, "g", 2)).unwrap();
    }
    let split = |how: [&str; 2], size: &str| {
        let expected = whole(&plane, &how);
        let proxy = passing(&plane);
        let run = dry(&proxy, &[&how, &[size]]);
        let in_parts = !parts(&proxy).is_empty();
        match in_parts {
            true => is_in_parts(&proxy, run, &expected),
            false => is_in_pages(&proxy, run, &expected),
        }
        in_parts
    };
    // Eight Jobs: as many are left as a page has, or fewer.
    assert!(split(BY_ANNOTATION, "--chunk-size=4"));
    assert!(!split(BY_ANNOTATION, "--chunk-size=5"));
    // By labels it goes by how far the first page came.
    assert!(split(BY_LABEL, "--chunk-size=7"), "up to part-d");
    plane.seed(&group("part-e", "g", 4)).unwrap();
    assert!(split(BY_ANNOTATION, "--chunk-size=4"), "two are left");
    assert!(!split(BY_ANNOTATION, "--chunk-size=5"), "one and two Jobs");
    assert!(!split(BY_ANNOTATION, "--chunk-size=6"), "one is left");
    assert!(!split(BY_LABEL, "--chunk-size=11"), "up to part-e");
}

/// What happens after the first page is not part of the plan, whether the cache or etcd answers.
#[test]
fn a_plan_in_parts_is_the_snapshot_of_its_first_page() {
    let cached = empty_control_plane();
    is_a_snapshot(&cached);
    drop(cached);
    let bare = own_control_plane();
    clear(&bare);
    is_a_snapshot(&bare);
}

fn is_a_snapshot(plane: &ControlPlane) {
    for how in BOTH {
        clear(plane);
        seed(plane);
        let expected = whole(plane, &how);
        let etcd = controlplane::Etcd::at(&plane.etcd_url()).unwrap();
        let (proxy, run) = dry_through(plane, &how, move |request, up| {
            if asked(request) == Asked::Namespaces && !request.continues() {
                // Each would change the verdicts, and is in a part that the first page did not reach.
                etcd.seed(&[
                    job("part-b", "g", "g-99", 1),
                    job("part-e", "g", "g-99", 1),
                    job("part-g", "g", "g-99", 1),
                ])
                .unwrap();
                assert!(up.delete_job("part-c", "g-05"));
                assert!(up.delete_job("part-f", "g-00"));
                let patch = json!({"metadata": {"annotations": {"jobclean/keep": "true"}}});
                up.patch_job("part-a", "g-03", &patch);
            }
            up.pass(request)
        });
        is_in_parts(&proxy, run, &expected);
        assert_ne!(whole(plane, &how), expected, "it has really changed");
    }
}

/// The list of the Namespaces is a help. Without it the list goes on page by page.
#[test]
fn namespaces_that_do_not_come_are_done_without() {
    let plane = empty_control_plane();
    seed(&plane);
    let faults: [(&str, Fault); 9] = [
        ("refused", forbidden),
        ("unavailable", unavailable),
        ("too many requests", too_many),
        ("reset", reset),
        ("cut", cut),
        ("ends early", ends_early),
        ("garbled", garbled),
        ("a web page", web_page),
        ("something else", no_list),
    ];
    for how in BOTH {
        let expected = whole(&plane, &how);
        for (name, fault) in faults {
            // The first page of them, or the second.
            for page in [1, 2] {
                let (proxy, run) = dry_through(&plane, &how, move |request, up| {
                    if asked(request) != Asked::Namespaces {
                        return up.pass(request);
                    }
                    // There are too few of them for a second page otherwise.
                    let request = &Request {
                        target: request.target.replace("limit=500", "limit=2"),
                        ..request.clone()
                    };
                    if request.continues() == (page == 2) {
                        fault(request, up)
                    } else {
                        up.pass(request)
                    }
                });
                let story = format!("{how:?}: {name} {page}\n{}", run.story());
                assert!(!run.err.contains("error: "), "{story}");
                assert!(!run.err.contains("warning: "), "{story}");
                assert_eq!(namespaces(&proxy).len(), page, "asked for once: {story}");
                is_in_pages(&proxy, run, &expected);
            }
        }
    }
}

/// The list waits some seconds for the Namespaces, and for none of them as long as a request may take.
#[test]
fn namespaces_that_never_come_are_not_waited_for_long() {
    let plane = empty_control_plane();
    seed(&plane);
    let expected = whole(&plane, &BY_ANNOTATION);
    for stalls in [true, false] {
        let (gate, begun) = (Gate::new(), Instant::now());
        let turnstile = gate.turnstile();
        let proxy = Proxy::new(ApiClient::admin(&plane), move |request, up| {
            let is_it = asked(request) == Asked::Namespaces;
            match is_it {
                // A head and half a body, and nothing more.
                true if stalls => self::stalls(request, up),
                true => {
                    turnstile.pass();
                    Reply::reset()
                }
                false => up.pass(request),
            }
        });
        let run = dry(&proxy, &[&BY_ANNOTATION, &["--chunk-size=2"]]);
        let took = begun.elapsed();
        assert!(!run.err.contains("warning: "), "{}", run.story());
        assert_eq!(namespaces(&proxy).len(), 1, "asked for once");
        is_in_pages(&proxy, run, &expected);
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}

/// The Namespaces without this one.
fn without(namespace: &'static str) -> impl Fn(&Request, &ApiClient) -> Reply {
    move |request, up| {
        if asked(request) != Asked::Namespaces {
            return up.pass(request);
        }
        let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        up.pass(&request.with_header("accept", accept))
            .alter(|page| {
                let items = page["items"].as_array_mut().unwrap();
                items.retain(|item| item["metadata"]["name"] != namespace);
            })
    }
}

#[test]
fn a_namespace_that_is_not_among_them_is_not_lost() {
    let plane = empty_control_plane();
    seed(&plane);
    for how in BOTH {
        let expected = whole(&plane, &how);
        // That it is altered does no harm by itself.
        let (proxy, run) = dry_through(&plane, &how, without("none-such"));
        is_in_parts(&proxy, run, &expected);
        // The first page has Jobs of it.
        let (proxy, run) = dry_through(&plane, &how, without("part-a"));
        is_in_pages(&proxy, run, &expected);
    }
    // It is missed by the count: the first page did not reach it.
    let expected = whole(&plane, &BY_ANNOTATION);
    for namespace in ["part-c", "part-e", "part-f"] {
        let (proxy, run) = dry_through(&plane, &BY_ANNOTATION, without(namespace));
        starts_over(&proxy, run, &expected);
    }
    // One without Jobs is no loss.
    let (proxy, run) = dry_through(&plane, &BY_ANNOTATION, without("kube-public"));
    is_in_parts(&proxy, run, &expected);
}

fn forbidden(_: &Request, _: &ApiClient) -> Reply {
    Reply::refusal(403, "Forbidden", "not today")
}

fn unavailable(_: &Request, _: &ApiClient) -> Reply {
    Reply::refusal(503, "ServiceUnavailable", "not now")
}

fn too_many(_: &Request, _: &ApiClient) -> Reply {
    Reply::refusal(429, "TooManyRequests", "not now").header("retry-after", 1)
}

fn bad_request(_: &Request, _: &ApiClient) -> Reply {
    Reply::refusal(400, "BadRequest", "no such parameter")
}

fn expired(_: &Request, _: &ApiClient) -> Reply {
    Reply::refusal(410, "Expired", "the version is too old")
}

fn reset(request: &Request, up: &ApiClient) -> Reply {
    drop(up.pass(request));
    Reply::reset()
}

fn cut(request: &Request, up: &ApiClient) -> Reply {
    let page = up.pass(request);
    let half = page.body.len() / 2;
    page.cut(half)
}

fn ends_early(request: &Request, up: &ApiClient) -> Reply {
    let page = up.pass(request);
    let most = page.body.len() - 1;
    page.ends_at(most)
}

fn stalls(request: &Request, up: &ApiClient) -> Reply {
    let page = up.pass(request);
    let half = page.body.len() / 2;
    page.stalls(half)
}

fn garbled(request: &Request, up: &ApiClient) -> Reply {
    up.pass(request).garbled()
}

fn web_page(_: &Request, _: &ApiClient) -> Reply {
    Reply::web_page(200)
}

fn no_list(_: &Request, _: &ApiClient) -> Reply {
    let kind = ("content-type".to_owned(), "application/json".to_owned());
    Reply::new(200, vec![kind], br#"{"kind":"Status"}"#.to_vec())
}

fn json_page(request: &Request, up: &ApiClient) -> Reply {
    up.pass(&request.with_header("accept", "application/json"))
}

fn other_version(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["metadata"]["resourceVersion"] = "7".into())
}

fn no_version(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["metadata"]["resourceVersion"] = "".into())
}

fn twice(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| {
        let items = page["items"].as_array_mut().unwrap();
        items.push(items[0].clone());
    })
}

/// With a Job of another namespace, which comes in that one's part, too.
fn of_another(request: &Request, up: &ApiClient) -> Reply {
    let (_, other) = up.ask("GET", "/apis/batch/v1/namespaces/part-b/jobs/h-02", None);
    json_page(request, up).alter(|page| page["items"].as_array_mut().unwrap().push(other))
}

fn one_less(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| {
        page["items"].as_array_mut().unwrap().pop().unwrap();
    })
}

fn one_more(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| {
        let items = page["items"].as_array_mut().unwrap();
        let mut other = items[0].clone();
        other["metadata"]["uid"] = "7d3c1a52-0000-4000-8000-000000000001".into();
        other["metadata"]["name"] = "g-77".into();
        items.push(other);
    })
}

fn ends_too_soon(request: &Request, up: &ApiClient) -> Reply {
    json_page(request, up).alter(|page| page["metadata"]["continue"] = "".into())
}

/// Passes all but a page of a part: the first one of `part-c` or the one after it.
fn part_with(
    page: usize,
    fault: Fault,
    times: usize,
) -> impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static {
    move |request, up| {
        let is_it = is_part(request, "part-c") && request.continues() == (page == 2);
        // A token is another one each time, so that it is counted by itself.
        let is_early = request.again <= times;
        if is_it && is_early {
            fault(request, up)
        } else {
            up.pass(request)
        }
    }
}

#[test]
fn a_part_that_is_not_given_starts_the_list_over() {
    let plane = empty_control_plane();
    seed(&plane);
    let faults: [(Fault, usize); 10] = [
        (bad_request, 1),
        (forbidden, 1),
        (expired, 1),
        (other_version, 1),
        (no_version, 1),
        (twice, 1),
        (forbidden, 2),
        (expired, 2),
        (other_version, 2),
        (twice, 2),
    ];
    for how in BOTH {
        let expected = whole(&plane, &how);
        for (place, (fault, page)) in faults.into_iter().enumerate() {
            let rule = part_with(page, fault, usize::MAX);
            let (proxy, run) = dry_through(&plane, &how, rule);
            assert!(run.code == Some(0), "{how:?} {place}\n{}", run.story());
            starts_over(&proxy, run, &expected);
        }
        let (proxy, run) = dry_through(&plane, &how, part_with(1, of_another, usize::MAX));
        starts_over(&proxy, run, &expected);
    }
}

/// The server does not count what labels select, but what was on the first page is known.
#[test]
fn a_part_that_lacks_a_job_of_the_first_page_starts_the_list_over() {
    let plane = empty_control_plane();
    seed(&plane);
    let expected = whole(&plane, &BY_LABEL);
    let (proxy, run) = dry_through(&plane, &BY_LABEL, |request, up| {
        if is_part(request, "part-a") && !request.continues() {
            one_less(request, up)
        } else {
            up.pass(request)
        }
    });
    starts_over(&proxy, run, &expected);
}

/// Only the count tells these from a good list.
#[test]
fn parts_that_do_not_add_up_start_the_list_over() {
    let plane = empty_control_plane();
    seed(&plane);
    let expected = whole(&plane, &BY_ANNOTATION);
    let faults: [Fault; 3] = [one_less, one_more, ends_too_soon];
    for fault in faults {
        let rule = part_with(1, fault, usize::MAX);
        let (proxy, run) = dry_through(&plane, &BY_ANNOTATION, rule);
        starts_over(&proxy, run, &expected);
    }
}

/// A server or something before it that does not know the parameters gives the newest version.
#[test]
fn a_server_that_passes_over_the_version_starts_the_list_over() {
    let plane = empty_control_plane();
    for how in BOTH {
        clear(&plane);
        seed(&plane);
        let is_new = AtomicBool::new(true);
        let (proxy, run) = dry_through(&plane, &how, move |request, up| {
            if asked(request) == Asked::Namespaces && is_new.swap(false, Ordering::SeqCst) {
                assert!(up.delete_job("part-c", "g-05"));
            }
            let mut request = request.clone();
            let kept = request
                .target
                .split('&')
                .map(|part| part.replace("jobs?resourceVersion", "jobs?dropped"));
            let kept = kept.filter(|part| !part.starts_with("resourceVersion"));
            request.target = kept.collect::<Vec<_>>().join("&");
            up.pass(&request)
        });
        // By then it is gone for good.
        let expected = whole(&plane, &how);
        starts_over(&proxy, run, &expected);
    }
}

#[test]
fn a_part_that_breaks_once_is_asked_for_again() {
    let plane = empty_control_plane();
    seed(&plane);
    let faults: [Fault; 7] = [
        unavailable,
        too_many,
        reset,
        cut,
        ends_early,
        garbled,
        web_page,
    ];
    for how in BOTH {
        let expected = whole(&plane, &how);
        let cases = faults.map(|fault| [(fault, 1), (fault, 2)]);
        together(cases.as_flattened(), |(fault, page)| {
            let (proxy, run) = dry_through(&plane, &how, part_with(*page, *fault, 1));
            let again = parts(&proxy).iter().any(|seen| seen.request.again == 2);
            assert!(again, "{how:?} {page}\n{}", run.story());
            is_in_parts(&proxy, run, &expected);
        });
    }
    let expected = whole(&plane, &BY_LABEL);
    let (proxy, run) = dry_through(&plane, &BY_LABEL, part_with(1, stalls, 1));
    is_in_parts(&proxy, run, &expected);
}

#[test]
fn a_part_that_stays_broken_starts_the_list_over() {
    let plane = empty_control_plane();
    seed(&plane);
    let expected = whole(&plane, &BY_LABEL);
    let faults: [Fault; 4] = [unavailable, cut, garbled, web_page];
    let cases = faults.map(|fault| [(fault, 1), (fault, 2)]);
    together(cases.as_flattened(), |(fault, page)| {
        let rule = part_with(*page, *fault, usize::MAX);
        let (proxy, run) = dry_through(&plane, &BY_LABEL, rule);
        assert!(proxy.seen().len() < 100, "{}", run.story());
        starts_over(&proxy, run, &expected);
    });
}

/// The list starts over, and its pages do not come either.
#[test]
fn a_list_that_starts_over_and_breaks_means_no_plan() {
    let plane = empty_control_plane();
    seed(&plane);
    let (proxy, run) = dry_through(&plane, &BY_LABEL, |request, up| match asked(request) {
        Asked::Part(_) => expired(request, up),
        Asked::Page if request.continues() => unavailable(request, up),
        _ => up.pass(request),
    });
    assert!(!parts(&proxy).is_empty());
    is_nothing(run.complains(&[STARTS_OVER]));
}

/// etcd forgets the version of the first page. Without a cache of Jobs the server has to say so; with one it may still
/// have that version.
#[test]
fn a_version_that_expires_starts_the_list_over() {
    let plane = own_control_plane();
    clear(&plane);
    seed(&plane);
    let (proxy, run) = compacted(&plane);
    // What was made before the list started over is in the plan.
    let expected = whole(&plane, &BY_ANNOTATION);
    let first = &parts(&proxy)[0];
    assert_eq!(first.status, 410, "the server has really forgotten it");
    starts_over(&proxy, run, &expected);
}

#[test]
fn a_version_that_only_the_cache_still_has_is_served() {
    let plane = empty_control_plane();
    seed(&plane);
    let expected = whole(&plane, &BY_ANNOTATION);
    let (proxy, run) = compacted(&plane);
    is_in_parts(&proxy, run, &expected);
}

fn compacted(plane: &ControlPlane) -> (Proxy, Run) {
    let (etcd, store) = (
        Etcd::of(plane),
        controlplane::Etcd::at(&plane.etcd_url()).unwrap(),
    );
    dry_through(plane, &BY_ANNOTATION, move |request, up| {
        if asked(request) == Asked::Namespaces && !request.continues() {
            store.seed(&[job("part-b", "g", "g-99", 1)]).unwrap();
            etcd.compact();
        }
        up.pass(request)
    })
}

/// A namespace that is left out may fill more pages than a list may have that are empty.
#[test]
fn pages_of_an_excluded_namespace_are_not_empty_ones() {
    let plane = empty_control_plane();
    let jobs = [
        group("part-a", "g", 3),
        group("part-b", "g", 30),
        group("part-c", "g", 3),
    ];
    plane.seed(&jobs.concat()).unwrap();
    let refused = || {
        Proxy::new(ApiClient::admin(&plane), |request, up| {
            match asked(request) {
                Asked::Namespaces => forbidden(request, up),
                _ => up.pass(request),
            }
        })
    };
    for how in BOTH {
        for excluded in ["--exclude-namespace=part-b", "--exclude-namespace=*-b*"] {
            let args = [&how[..], &[excluded]].concat();
            let expected = whole(&plane, &args);
            assert_eq!(jobs_of(&expected).len(), 6);
            for size in ["--chunk-size=1", "--chunk-size=2", "--chunk-size=3"] {
                let proxy = refused();
                let run = dry(&proxy, &[&args, &[size]]);
                assert!(run.code == Some(0), "{args:?} {size}\n{}", run.story());
                is_in_pages(&proxy, run, &expected);
                let run = dry(&passing(&plane), &[&args, &[size]]).exits(0);
                assert_eq!(plan_of(&run), expected, "{args:?} {size}");
            }
        }
    }
}

/// A purge deletes what it showed, and a Job that came after its list is not among it.
#[test]
fn a_purge_over_parts_deletes_what_it_showed() {
    let plane = empty_control_plane();
    for (how, user) in [(BY_LABEL, "purger-1"), (BY_ANNOTATION, "purger-2")] {
        clear(&plane);
        seed(&plane);
        let all = |plane: &ControlPlane| {
            let admin = ApiClient::admin(plane);
            let of = |name: &str| (name.to_owned(), admin.jobs(name));
            let names = ["part-a", "part-b", "part-c", "part-d", "part-e", "part-f"];
            names.map(of).into_iter().collect::<BTreeMap<_, _>>()
        };
        let exclude = "--exclude-namespace=part-c";
        let plan = whole(&plane, &[&how[..], &[exclude]].concat());
        let mut expected = all(&plane);
        let mut planned = 0;
        for group in plan["groups"].as_array().unwrap() {
            let left = expected.get_mut(text(group, "namespace")).unwrap();
            for job in group["jobs"].as_array().unwrap() {
                if job["verdict"] == "PURGE" {
                    left.remove(text(job, "name")).unwrap();
                    planned += 1;
                }
            }
        }
        assert_eq!(planned, 4 + 3 + 2 + 1);

        let store = controlplane::Etcd::at(&plane.etcd_url()).unwrap();
        let client = user_who_lists(&plane, user, &["namespaces"]);
        let late = job("part-d", "g", "g-99", 1);
        expected
            .get_mut("part-d")
            .unwrap()
            .insert("g-99".to_owned(), late.get_uid().to_owned());
        let proxy = Proxy::new(client, move |request, up| {
            if asked(request) == Asked::Namespaces && !request.continues() {
                store.seed(std::slice::from_ref(&late)).unwrap();
            }
            up.pass(request)
        });
        let args = ["--yes", "--cascade=background", "--chunk-size=2", exclude];
        let run = everywhere(&proxy, &[&how, &args]).exits(0);
        assert!(!parts(&proxy).is_empty());
        let outcomes = outcomes(&run.json());
        assert_eq!(outcomes.len(), planned);
        let done = outcomes.iter().all(|line| line.ends_with(" deleted"));
        assert!(done, "{outcomes:?}");
        assert_eq!(all(&plane), expected);
    }
}
