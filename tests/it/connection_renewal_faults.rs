//! Credentials that the server stops taking in the middle of a purge, and plugins that take their time or fail then.

use rustix::process::Signal;
use serde_json::json;

use crate::support::account::{account, count};
use crate::support::api_client::header;
use crate::support::kubeconfig::{Files, arg};
use crate::support::plugin::{Plugin, V1, credential, token};
use crate::support::proxy::{Kind, Proxy, Reply, Request};
use crate::support::running::{Gate, Running};
use crate::support::side_by_side::SideBySide;
use crate::support::{ApiClient, LABEL, Space, Terminal, plane, run, until};

/// A server that takes no delete with another token than `second`; this becomes of those.
fn server(delete: impl Fn(&Request, &ApiClient) -> Reply + Send + Sync + 'static) -> Proxy {
    Proxy::new(ApiClient::admin(plane()), move |request, up| {
        let is_known = header(&request.headers, "authorization") == Some("Bearer second");
        let mut own = request.clone();
        own.headers.retain(|(name, _)| name != "authorization");
        match request.kind {
            Kind::Delete if is_known => delete(&own, up),
            Kind::Delete => Reply::refusal(401, "Unauthorized", "Unauthorized"),
            _ => up.pass(&own),
        }
    })
}

/// A plugin that prints the token `first`, and then does this.
fn then(files: &Files, script: &str) -> Plugin {
    let first = files.write("first", &token("first").to_string());
    let script = format!(
        "case $call in 1) cat '{}';; *) {script};; esac",
        arg(&first)
    );
    Plugin::new(files, &script)
}

/// What prints the token `second`.
fn print_second(files: &Files) -> String {
    let second = files.write("second", &token("second").to_string());
    format!("cat '{}'", arg(&second))
}

fn args(space: &Space) -> [&str; 7] {
    [
        "-n",
        &space.name,
        "-L",
        LABEL,
        "--yes",
        "--cascade=background",
        "--request-timeout=3s",
    ]
}

/// A delete that the server has refused, and that waits for a login, has not taken effect: if another client
/// deletes the Job meanwhile, the tool does not claim it.
#[test]
fn what_another_client_deletes_during_a_login_is_not_claimed() {
    let (files, space) = (Files::new(), Space::seven());
    let namespace = space.name.clone();
    let proxy = server(move |request, up| {
        up.delete_job(&namespace, &request.name());
        up.pass(request)
    });
    // To log in takes longer than a request may.
    let plugin = then(&files, &format!("sleep 5; {}", print_second(&files)));
    let pair = SideBySide::on(&files, &proxy.cluster(), &plugin.exec(json!({})));
    let report = run(pair.tool(&[&args(&space)[..], &["-o", "json"]].concat()));
    let report = report.exits(0).json();
    assert_eq!(count(&report, "gone"), 6, "{report:#}");
    assert_eq!(proxy.count(Kind::Delete), 12, "each is sent again, once");
    assert_eq!(plugin.take().len(), 2);
    space.holds(&["sync-7"]);
}

/// Who cannot log in is asked once, however many requests would need it.
#[test]
fn a_login_that_fails_is_not_tried_for_each_request() {
    let (files, space) = (Files::new(), Space::seven());
    let proxy = server(|request, up| up.pass(request));
    let plugin = then(&files, "sleep 2; exit 1");
    let pair = SideBySide::on(&files, &proxy.cluster(), &plugin.exec(json!({})));
    let report = run(pair.tool(&[&args(&space)[..], &["-o", "json"]].concat()));
    let report = report.exits(3).json();
    assert_eq!(count(&report, "failed"), 6, "{report:#}");
    assert_eq!(plugin.take().len(), 2);
    account(&report, &proxy.upstream().jobs(&space.name));
}

/// The tool does not ask a user to log in who has asked it to stop.
#[test]
fn no_login_is_asked_for_once_the_run_is_to_stop() {
    let (files, space) = (Files::new(), Space::seven());
    let gate = Gate::new();
    let turnstile = gate.turnstile();
    let proxy = Proxy::new(ApiClient::admin(plane()), move |request, up| {
        let mut own = request.clone();
        own.headers.retain(|(name, _)| name != "authorization");
        if request.kind != Kind::Delete {
            return up.pass(&own);
        }
        turnstile.pass();
        Reply::refusal(401, "Unauthorized", "Unauthorized")
    });
    let plugin = then(&files, &print_second(&files));
    let pair = SideBySide::on(&files, &proxy.cluster(), &plugin.exec(json!({})));
    let args = [&args(&space)[..], &["--request-timeout=0"]].concat();
    let args: Vec<&str> = args
        .into_iter()
        .filter(|arg| *arg != "--request-timeout=3s")
        .collect();
    let running = Running::start(pair.tool(&args));
    until("all are on their way", || proxy.count(Kind::Delete) == 6);
    running.signal(Signal::INT);
    until("it has understood", || running.said().contains("stopping"));
    gate.open();
    running.finish().exits(130);
    assert_eq!(plugin.take().len(), 1);
}

/// Nothing is drawn over what a plugin asks.
#[test]
fn who_is_asked_to_log_in_on_the_way_has_the_terminal_alone() {
    let (files, space) = (Files::new(), Space::seven());
    let proxy = server(|request, up| up.pass(request));
    let ask = "printf 'Password: ' >&2; sleep 1; printf '(go on) ' >&2; read word";
    let plugin = then(&files, &format!("{ask}; {}", print_second(&files)));
    let user = plugin.exec(json!({"interactiveMode": "IfAvailable"}));
    let pair = SideBySide::on(&files, &proxy.cluster(), &user);
    let mut terminal = Terminal::start(&pair.tool(&args(&space)), 160);
    terminal.wait_for("(go on)");
    let text = terminal.text();
    assert!(
        text.lines()
            .any(|line| line.starts_with("Password: (go on)")),
        "{text}"
    );
    terminal.send("sesame\r");
    terminal.finish().exits(0);
    space.holds(&["sync-7"]);
}

/// The server was not asked, so it is not blamed, and the kubeconfig's hint is passed on.
#[test]
fn a_plugin_that_is_gone_on_the_way_is_told_like_one_that_was_never_there() {
    let (files, space) = (Files::new(), Space::seven());
    let proxy = server(|request, up| up.pass(request));
    let past = json!({"token": "first", "expirationTimestamp": "2020-01-01T00:00:00Z"});
    let printed = files.write("printed", &credential(V1, past).to_string());
    let plugin = Plugin::new(&files, &format!("cat '{}'; rm \"$0\"", arg(&printed)));
    let user = plugin.exec(json!({"installHint": "Get it with corp-get."}));
    let pair = SideBySide::on(&files, &proxy.cluster(), &user);
    let args = [&args(&space)[..], &["--chunk-size=2"]].concat();
    let run = run(pair.tool(&args)).fails_clearly(&[arg(&plugin.path), "is not installed"]);
    run.complains(&["hint: Get it with corp-get."]);
}

/// Whether a program still runs; one that has ended may be left for its parent to bury.
fn is_running(pid: &str) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// A plugin does not outlive the run that wanted its credentials.
#[test]
fn a_plugin_ends_with_the_tool() {
    let files = Files::new();
    let pid = files.path("pid");
    let plugin = Plugin::new(&files, &format!("echo $$ >'{}'; exec sleep 600", arg(&pid)));
    let pair = SideBySide::on(&files, &files.cluster(), &plugin.exec(json!({})));
    let started = || {
        until("the plugin runs", || {
            std::fs::read_to_string(&pid)
                .is_ok_and(|pid| pid.ends_with('\n') && is_running(pid.trim()))
        });
        std::fs::read_to_string(&pid).unwrap().trim().to_owned()
    };
    let running = Running::start(pair.tool(&["--dry-run=client"]));
    let first = started();
    running.signal(Signal::TERM);
    running.finish().exits(143);
    until("it has ended", || !is_running(&first));
    std::fs::remove_file(&pid).unwrap();
    let running = Running::start(pair.tool(&["__complete", "--namespace", ""]));
    let second = started();
    running.finish().exits(0);
    until("it has ended", || !is_running(&second));
}
