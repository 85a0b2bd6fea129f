//! What a plan costs the server, counted: no request more than it takes, and few at a time.

use crate::support::proxy::{Kind, Proxy, Seen};
use crate::support::{ApiClient, Space, plane, run, verdicts};

/// Whatever a plan asks for besides its pages.
const OTHERS: usize = 2;

/// How many pages may be on their way or held at once.
const AT_ONCE: usize = 4;

const PLAN: [&str; 3] = ["--dry-run=client", "-o", "json"];

fn with_jobs(count: i64) -> Space {
    let names: Vec<String> = (0..count).map(|number| format!("sync-{number}")).collect();
    let jobs: Vec<(&str, i64)> = names.iter().map(String::as_str).zip(1..).collect();
    Space::with(&jobs)
}

#[test]
fn a_plan_asks_once_for_each_page_and_for_little_else() {
    let space = with_jobs(25);
    for (size, pages) in [
        ("--chunk-size=2", 13),
        ("--chunk-size=5", 5),
        ("--chunk-size=0", 1),
    ] {
        let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
        let run = run(proxy.tool(&space.name, &[&PLAN[..], &[size]].concat()));
        assert_eq!(verdicts(&run.exits(0).json()).len(), 25);
        assert_eq!(proxy.count(Kind::List), pages, "{size}");
        let all = proxy.seen().len();
        assert!(all <= pages + OTHERS, "{all} requests for {pages} pages");
    }
}

/// Every page but the first stalls when it is asked for first, after its token has come: what is asked for until one of
/// them has been given up is what is asked for ahead.
#[test]
fn a_plan_asks_ahead_but_not_without_end() {
    let space = with_jobs(24);
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| {
        let page = up.pass(request);
        let stalls = request.continues() && request.again == 1;
        let most = page.body.len() * 3 / 4;
        if stalls { page.stalls(most) } else { page }
    });
    let args = [&PLAN[..], &["--chunk-size=4", "--request-timeout=4s"]].concat();
    let run = run(proxy.tool(&space.name, &args));
    assert_eq!(verdicts(&run.exits(0).json()).len(), 24);

    let mut lists = proxy.seen_of(Kind::List);
    lists.retain(|seen| seen.request.continues());
    let first_try = |seen: &&Seen| seen.request.again == 1;
    assert_eq!(lists.iter().filter(first_try).count(), 5);
    let ahead = lists.iter().take_while(first_try).count();
    assert!(ahead > 1, "it does not ask ahead");
    assert!(ahead <= AT_ONCE, "{ahead} pages at once");
}

/// A purge is its list, one request for each delete, and little else.
#[test]
fn a_purge_asks_once_for_each_delete() {
    let space = with_jobs(12);
    let proxy = Proxy::new(ApiClient::admin(plane()), |request, up| up.pass(request));
    let run = run(proxy.tool(
        &space.name,
        &["--yes", "--cascade=background", "--chunk-size=4"],
    ));
    run.exits(0);
    assert_eq!(proxy.count(Kind::Delete), 11);
    assert_eq!(proxy.count(Kind::List), 3);
    let others = proxy.seen().len() - 11 - 3;
    assert!(others <= OTHERS, "{others} other requests");
    space.holds(&["sync-0"]);
}
