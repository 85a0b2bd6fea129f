//! A real 410: etcd is compacted between two pages of a list.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::own_control_plane::{Etcd, namespace_of, own_control_plane};
use crate::support::proxy::{Kind, Proxy};
use crate::support::{ApiClient, outcomes, run, verdicts};

const ARGS: [&str; 6] = [
    "--yes",
    "--chunk-size=3",
    "--cascade=background",
    "-o",
    "json",
    "-v",
];

#[test]
fn a_list_that_expires_is_read_anew_with_all_that_is_there_by_then() {
    let plane = own_control_plane();
    let namespace = namespace_of(&plane, 10);
    let (etcd, expired, made_in) = (Etcd::of(&plane), AtomicBool::new(false), namespace.clone());
    let proxy = Proxy::new(ApiClient::admin(&plane), move |request, up| {
        if request.continues() && !expired.swap(true, Ordering::SeqCst) {
            up.create_job(&made_in, "job-999", "g");
            etcd.compact();
        }
        up.pass(request)
    });
    let run = run(proxy.tool(&namespace, &ARGS))
        .exits(0)
        .complains(&["starting the list over"]);
    let report = run.json();
    let mut expected = vec!["job-999 SKIP active,newest".to_owned()];
    expected.extend((0..10).map(|number| format!("job-{number:03} PURGE superseded")));
    assert_eq!(verdicts(&report), expected);
    assert_eq!(outcomes(&report).len(), 10);
    let lists = proxy.seen_of(Kind::List);
    assert_eq!(lists[1].status, 410, "the server has really forgotten it");
    assert!(!lists[2].request.continues(), "it begins anew");
    assert!(lists[2..].iter().all(|seen| seen.status == 200));
    let left = ApiClient::admin(&plane).jobs(&namespace);
    assert_eq!(left.into_keys().collect::<Vec<_>>(), ["job-999"]);
}

#[test]
fn a_list_that_expires_each_time_is_given_up() {
    let plane = own_control_plane();
    let namespace = namespace_of(&plane, 10);
    let etcd = Etcd::of(&plane);
    let proxy = Proxy::new(ApiClient::admin(&plane), move |request, up| {
        if request.continues() {
            etcd.compact();
        }
        up.pass(request)
    });
    let run = run(proxy.tool(&namespace, &ARGS)).exits(1);
    assert_eq!(run.out, "", "{}", run.story());
    let lists = proxy.seen_of(Kind::List);
    assert!(
        lists
            .iter()
            .filter(|seen| seen.request.continues())
            .all(|seen| seen.status == 410)
    );
    assert!((4..=20).contains(&lists.len()), "{}", lists.len());
    assert_eq!(proxy.count(Kind::Delete), 0);
    assert_eq!(ApiClient::admin(&plane).jobs(&namespace).len(), 10);
}
