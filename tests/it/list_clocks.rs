//! The clocks of this machine and of the server differ: ages count from the earlier one, and a person is told.

use controlplane::SeedJob;
use jiff::{SignedDuration, Timestamp};

use crate::support::proxy::{Kind, Proxy};
use crate::support::{ApiClient, LABEL, Space, plane, run, verdicts};

/// Plans by way of a server whose clock is this far ahead.
fn plan(space: &Space, ahead: SignedDuration, args: &[&str]) -> (Vec<String>, String) {
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        let mut reply = up.pass(request);
        if request.kind == Kind::List {
            let date = Timestamp::now() + ahead;
            let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            reply.headers.retain(|(name, _)| name != "date");
            reply.headers.push(("date".to_owned(), date));
        }
        reply
    });
    let args = [&["--dry-run=client", "-o", "json"][..], args].concat();
    let run = run(proxy.tool(&space.name, &args)).exits(0);
    (verdicts(&run.json()), run.err)
}

fn space() -> Space {
    let space = Space::new();
    let job = |name: &str, minutes| {
        let created = Timestamp::now() - SignedDuration::from_mins(minutes);
        SeedJob::new(&space.name, name, created).label(LABEL, "g")
    };
    space.seed(&[job("sync-1", 20), job("sync-2", 8)]);
    space
}

#[test]
fn a_job_is_never_taken_for_older_than_it_is() {
    let space = space();
    let minutes = SignedDuration::from_mins;
    for (ahead, within, kept) in [
        (0, "15m", false),
        // By this machine's clock it is 20 minutes old, by the server's 10.
        (-10, "15m", true),
        (-10, "5m", false),
        // By the server's clock it would be 30 minutes old.
        (10, "25m", true),
        (10, "15m", false),
    ] {
        let (verdicts, _) = plan(&space, minutes(ahead), &["--keep-within", within]);
        let expected = if kept {
            "sync-1 SKIP recent"
        } else {
            "sync-1 PURGE superseded"
        };
        assert_eq!(verdicts[1], expected, "{ahead} minutes, {within}");
    }
}

#[test]
fn clocks_more_than_a_minute_apart_are_told() {
    let space = space();
    for (seconds, words) in [
        (600, "this machine's clock is 10m behind the server's"),
        (-600, "this machine's clock is 10m ahead of the server's"),
        (-30, ""),
        (30, ""),
        (0, ""),
    ] {
        let (_, said) = plan(&space, SignedDuration::from_secs(seconds), &[]);
        // The proxy's answer takes its time, too.
        let words = words.replace("10m", "");
        let mut parts = words.split("  ");
        assert!(parts.all(|part| said.contains(part)), "{seconds}: {said}");
        assert_eq!(
            said.contains("clock is"),
            !words.is_empty(),
            "{seconds}: {said}"
        );
    }
}
