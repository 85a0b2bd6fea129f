//! Logins by `auth-provider: oidc` under kubectl and under this tool, side by side.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::kubeconfig::Files;
use crate::support::side_by_side::{SideBySide, service_account};
use crate::support::stub::Stub;
use crate::support::{Space, run};

/// A provider from before there were plugins. kubectl still knows this one.
#[test]
fn an_id_token_is_the_token() {
    let (files, space) = (Files::new(), Space::new());
    let cluster = files.cluster();
    let (token, account) = service_account(&space, "id");
    let provider = |config: Value| json!({"auth-provider": {"name": "oidc", "config": config}});
    let whole =
        json!({"idp-issuer-url": "https://issuer.invalid", "client-id": "me", "id-token": token});
    SideBySide::on(&files, &cluster, &provider(whole.clone()))
        .agree()
        .is(&account, &[]);
    let (other, other_account) = service_account(&space, "token");
    let mut with_token = provider(whole.clone());
    with_token["token"] = other.into();
    SideBySide::on(&files, &cluster, &with_token)
        .agree()
        .is(&other_account, &[]);
    for (field, value, word) in [
        ("idp-issuer-url", json!(""), "idp-issuer-url"),
        ("client-id", json!(""), "client-id"),
        ("id-token", json!(""), "refresh-token"),
        ("id-token", json!("no-jwt"), "JWT"),
        ("id-token", expired().into(), "expired"),
    ] {
        let mut config = whole.clone();
        config[field] = value;
        SideBySide::on(&files, &cluster, &provider(config)).refuse(&[word]);
    }
    for name in ["gcp", "azure", "openstack"] {
        let user = json!({"auth-provider": {"name": name, "config": {"cmd-path": "/bin/false"}}});
        SideBySide::on(&files, &cluster, &user).refuse(&[name, "not support"]);
    }
}

fn expired() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.none",
        part(json!({})),
        part(json!({"exp": 1_000_000_000}))
    )
}

/// kubectl renews an id-token that has expired and writes the new ones into the kubeconfig. The tool leaves that to it:
/// renewed and not written, a refresh token that is good for once would be lost, and the user logged out. It says so,
/// and what kubectl has written is good for it.
#[test]
fn an_id_token_is_renewed_by_kubectl() {
    let (files, space) = (Files::new(), Space::new());
    let (token, account) = service_account(&space, "renewed");
    static URL: OnceLock<String> = OnceLock::new();
    let issuer = Stub::new(move |asked| match asked.method.as_str() {
        "GET" => (
            "200 OK",
            "",
            json!({"token_endpoint": format!("{}/token", URL.get().unwrap())}),
        ),
        _ => (
            "200 OK",
            "",
            json!({
                "access_token": "a", "token_type": "bearer", "id_token": token, "refresh_token": "second",
            }),
        ),
    });
    URL.set(issuer.url.clone()).unwrap();
    let user = json!({"auth-provider": {"name": "oidc", "config": {
        "idp-issuer-url": issuer.url, "client-id": "me", "client-secret": "s",
        "id-token": expired(), "refresh-token": "first",
    }}});
    let pair = SideBySide::on(&files, &files.cluster(), &user);
    let refused = pair.tool_seen().run.fails_clearly(&["expired"]);
    assert!(
        refused.err.contains("kubectl auth whoami"),
        "{}",
        refused.story()
    );
    assert_eq!(
        issuer.asked().len(),
        0,
        "the refresh token is still there to be used"
    );
    run(pair.kubectl(&["auth", "whoami"]))
        .exits(0)
        .shows(&[&account]);
    assert!(issuer.asked_by("POST")[0].body.contains("first"));
    pair.agree().is(&account, &[]);
    assert_eq!(issuer.asked_by("POST").len(), 1);
}
