//! As whom kubectl and this tool come to the server, side by side: certificates, tokens, and whom they play.
//!
//! Where the two differ on purpose, the test that shows it says why.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::support::kubeconfig::{Files, arg};
use crate::support::side_by_side::{SideBySide, Who, service_account};
use crate::support::stub::{self, Stub};
use crate::support::{Space, run};

#[test]
fn client_certificates_come_from_files_and_from_data() {
    let files = Files::new();
    let cluster = files.cluster();
    let (certificate, key) = files.certificate("ada", &["group-one", "group-two"]);
    let data = |path: &Path| BASE64.encode(fs::read(path).unwrap());
    for good in [
        json!({"client-certificate": certificate, "client-key": key}),
        json!({"client-certificate-data": data(&certificate), "client-key-data": data(&key)}),
        json!({"client-certificate-data": data(&certificate), "client-key": key}),
        json!({"client-certificate": certificate, "client-key-data": data(&key)}),
        json!({"client-certificate": certificate, "client-key": key, "token": "", "client-key-data": ""}),
    ] {
        println!("{good}");
        let seen = SideBySide::on(&files, &cluster, &good).agree();
        seen.is("ada", &[]);
        let groups = json!(["group-one", "group-two", "system:authenticated"]);
        assert_eq!(seen.known().user["groups"], groups);
    }
    let other = files.certificate("bob", &[]);
    for (bad, word) in [
        (
            json!({"client-certificate": certificate}),
            "without its client key",
        ),
        (
            json!({"client-certificate": certificate, "client-key": other.1}),
            "key",
        ),
        (
            json!({"client-certificate": files.path("absent"), "client-key": key}),
            "absent",
        ),
        (
            json!({
                "client-certificate": certificate, "client-key": key,
                "client-certificate-data": data(&certificate),
            }),
            "both as a file and as data",
        ),
        (
            json!({
                "client-certificate": certificate, "client-key": key, "client-key-data": data(&key),
            }),
            "both as a file and as data",
        ),
    ] {
        println!("{bad}");
        SideBySide::on(&files, &cluster, &bad).refuse(&[word]);
    }
    // Flags take the place of both forms.
    let given = [
        "--client-certificate",
        arg(&other.0),
        "--client-key",
        arg(&other.1),
    ];
    let user =
        json!({"client-certificate-data": data(&certificate), "client-key-data": data(&key)});
    SideBySide::on(&files, &cluster, &user)
        .args(&given)
        .agree()
        .is("bob", &[]);
}

#[test]
fn tokens_come_from_the_kubeconfig_a_file_or_a_flag() {
    let (files, space, cluster) = (Files::new(), Space::new(), Files::cluster);
    let cluster = cluster(&files);
    let (inline, inline_user) = service_account(&space, "inline");
    let (filed, filed_user) = service_account(&space, "filed");
    let file = files.write("token", &filed);
    let file_with_line = files.write("token-with-line", &format!("{filed}\n"));
    let empty = files.write("token-empty", "\n");
    let ada = files.user("ada", &[]);
    let mut with_certificate = json!({"token": inline});
    with_certificate
        .as_object_mut()
        .unwrap()
        .extend(ada.as_object().unwrap().clone());
    for (user, expected) in [
        (json!({"token": inline}), &*inline_user),
        (json!({"tokenFile": file}), &filed_user),
        (json!({"tokenFile": file_with_line}), &filed_user),
        (json!({"tokenFile": file, "token": inline}), &filed_user),
        (json!({"tokenFile": empty, "token": inline}), &inline_user),
        (
            json!({"tokenFile": files.path("absent"), "token": inline}),
            &inline_user,
        ),
        (
            json!({"tokenFile": "", "token": inline, "username": ""}),
            &inline_user,
        ),
        (json!({"token": "", "tokenFile": file}), &filed_user),
        (with_certificate, "ada"),
    ] {
        println!("{user}");
        SideBySide::on(&files, &cluster, &user)
            .agree()
            .is(expected, &[]);
    }
    for (user, word) in [
        (json!({"tokenFile": files.path("absent")}), "absent"),
        (json!({"tokenFile": empty}), "is empty"),
        (json!({"token": "wrong"}), "nauthorized"),
        (
            json!({"token": inline, "username": "ada", "password": "word"}),
            "both a token and a password",
        ),
        (
            json!({"tokenFile": file, "username": "ada", "password": "word"}),
            "both a token and a password",
        ),
    ] {
        println!("{user}");
        SideBySide::on(&files, &cluster, &user).refuse(&[word]);
    }
    let by_flag = format!("--token={inline}");
    SideBySide::on(&files, &cluster, &json!({"token": filed}))
        .args(&[&by_flag])
        .agree()
        .is(&inline_user, &[]);
    SideBySide::on(&files, &cluster, &json!({}))
        .args(&[&by_flag])
        .agree()
        .is(&inline_user, &[]);
    SideBySide::on(&files, &cluster, &ada)
        .args(&[&by_flag])
        .agree()
        .is("ada", &[]);
}

/// Where there are no credentials, kubectl asks for a name and a password, which no API server has taken since 2020. This
/// tool asks one question only, and it is another.
#[test]
fn without_credentials_the_tool_asks_for_no_password() {
    let files = Files::new();
    let pair = SideBySide::on(&files, &files.cluster(), &json!({}));
    let kubectl = pair.kubectl_seen();
    assert_eq!(kubectl.who, Who::Unasked, "{}", kubectl.run.story());
    kubectl.run.shows(&["Please enter Username"]);
    pair.tool_seen().is("system:anonymous", &[]);
}

/// kubectl goes on to use the file of the kubeconfig although its own code means to put it out of the way. Who names a
/// token on the command line of something that deletes means that one.
#[test]
fn a_token_by_flag_outranks_a_file() {
    let (files, space) = (Files::new(), Space::new());
    let (flag, flag_user) = service_account(&space, "by-flag");
    let (filed, filed_user) = service_account(&space, "filed");
    let user = json!({"tokenFile": files.write("token", &filed)});
    let pair = SideBySide::on(&files, &files.cluster(), &user).args(&["--token", &flag]);
    assert_eq!(pair.kubectl_seen().user(), filed_user);
    assert_eq!(pair.tool_seen().user(), flag_user);
}

#[test]
fn nothing_secret_goes_over_plain_http() {
    let files = Files::new();
    let server = Stub::new(|_| stub::list(&[]));
    let headers = || {
        let asked = server.asked();
        let telling =
            |line: &&str| line.starts_with("authorization") || line.starts_with("impersonate");
        let mut lines: Vec<String> = asked
            .last()
            .unwrap()
            .headers
            .lines()
            .filter(telling)
            .map(str::to_owned)
            .collect();
        lines.sort();
        (asked.len(), lines)
    };
    let plugin = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never", "command": "/no/such",
    });
    let bare = server.url.replace("http://", "");
    for (address, user) in [
        (&server.url, json!({"token": "secret"})),
        (
            &server.url,
            json!({"tokenFile": files.write("token", "secret"), "as": "ada", "as-groups": ["g"]}),
        ),
        (
            &server.url,
            json!({"username": "ada", "password": "secret"}),
        ),
        (&server.url, json!({"exec": plugin})),
        // A bare host and port is one of plain HTTP.
        (&bare, json!({"token": "secret"})),
    ] {
        let pair = SideBySide::on(&files, &json!({"server": address}), &user);
        run(pair.kubectl(&["get", "--raw", "/apis/batch/v1/namespaces/x/jobs"])).exits(0);
        let kubectl = headers();
        run(pair.tool(&["--dry-run=client", "-q"])).exits(0);
        let tool = headers();
        // It lists, and finds out whether there is such a namespace.
        assert_eq!(tool.0, kubectl.0 + 2);
        assert_eq!(tool.1, kubectl.1, "{user}");
        assert_eq!(tool.1.is_empty(), user.get("as").is_none(), "{user}");
    }
    let by_flag = SideBySide::new(&files).args(&["-s", &bare, "--token=secret"]);
    run(by_flag.kubectl(&["get", "--raw", "/"])).exits(0);
    assert_eq!(headers().1, [""; 0]);
    run(by_flag.tool(&["--dry-run=client"])).exits(0);
    assert_eq!(headers().1, [""; 0]);
}

#[test]
fn impersonation_is_as_in_kubectl() {
    let files = Files::new();
    let cluster = files.cluster();
    let admin = files.user("boss", &["system:masters"]);
    let playing = |more: Value| {
        let mut user = admin.clone();
        user.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        SideBySide::on(&files, &cluster, &user)
    };
    let played = |pair: &SideBySide<'_>| {
        let seen = pair.agree();
        assert_eq!(seen.user(), "boss");
        seen.known().played.clone()
    };
    assert_eq!(played(&playing(json!({}))), Value::Null);
    assert_eq!(
        played(&playing(json!({"as": "", "as-groups": []}))),
        Value::Null
    );
    let whole = json!({
        "as": "ada", "as-uid": "uid-1", "as-groups": ["g1", "g2"],
        "as-user-extra": {"scopes": ["a", "b"], "Example.com/Reason %": ["why not"]},
    });
    let seen = played(&playing(whole.clone()));
    assert_eq!(seen["username"], "ada");
    assert_eq!(seen["uid"], "uid-1");
    assert_eq!(seen["groups"], json!(["g1", "g2", "system:authenticated"]));
    let extra = json!({"scopes": ["a", "b"], "example.com/reason %": ["why not"]});
    assert_eq!(seen["extra"], extra);
    // Flags replace what they name, and leave the rest.
    for (flags, field, expected) in [
        (&["--as=bob"][..], "username", json!("bob")),
        (&["--as-uid=uid-2"], "uid", json!("uid-2")),
        (
            &["--as-group=g3", "--as-group=g4"],
            "groups",
            json!(["g3", "g4", "system:authenticated"]),
        ),
        (
            &["--as-user-extra=scopes=c", "--as-user-extra=more=d"],
            "extra",
            json!({"scopes": ["c"], "example.com/reason %": ["why not"], "more": ["d"]}),
        ),
    ] {
        let found = played(&playing(whole.clone()).args(flags));
        assert_eq!(found[field], expected, "{flags:?}");
    }
    let all = [
        "--as=ada",
        "--as-uid=u",
        "--as-group=g",
        "--as-user-extra=a=b=c",
        "--as-user-extra=a=d",
    ];
    let seen = played(&playing(json!({})).args(&all));
    assert_eq!(seen["extra"], json!({"a": ["b=c", "d"]}));
    // Without a user none of it means anything.
    for part in [
        json!({"as-uid": "u"}),
        json!({"as-groups": ["system:masters"]}),
        json!({"as-user-extra": {"a": ["b"]}}),
    ] {
        playing(part).refuse(&["--as"]);
    }
    playing(json!({})).args(&["--as-group=g"]).refuse(&["--as"]);
}

/// A plugin comes last: the tool does not run it if the user has other credentials.
#[test]
fn a_plugin_is_not_asked_where_there_are_credentials() {
    let (files, space) = (Files::new(), Space::new());
    let (token, account) = service_account(&space, "other");
    let exec = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
        "command": files.path("no-such-plugin"),
    });
    let with = |more: Value| {
        let mut user = json!({"exec": exec});
        user.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        SideBySide::on(&files, &files.cluster(), &user)
    };
    with(json!({"token": token})).agree().is(&account, &[]);
    with(json!({"tokenFile": files.write("token", &token)}))
        .agree()
        .is(&account, &[]);
    with(files.user("ada", &[])).agree().is("ada", &[]);
    with(json!({}))
        .args(&["--token", &token])
        .agree()
        .is(&account, &[]);
    let seen = with(json!({"username": "ada", "password": "word"})).agree();
    // The server has no password authentication, so that a user with a password is anonymous.
    seen.is("system:anonymous", &[]);
    with(json!({})).refuse(&["is not installed"]);
    with(json!({"auth-provider": {"name": "oidc", "config": {}}}))
        .refuse(&["both a credential plugin"]);
}
