//! A password in a server's address is a secret like any other, even in an invalid address.

use serde_json::json;

use crate::support::canary::hides;
use crate::support::control_plane::tool_as;
use crate::support::kubeconfig::Files;
use crate::support::{LABEL, run, together};

#[test]
fn a_password_in_a_servers_address() {
    let addresses = [
        ("admin:canarysecret@host:6443", ["canary", "canarysecret"]),
        (
            "https://admin:canary/secret@127.0.0.1:1",
            ["canary", "/secret"],
        ),
        (
            "https://admin:canarysecret@127.0.0.1:1",
            ["canary", "canarysecret"],
        ),
    ];
    together(&addresses, |(address, secrets)| {
        let files = Files::new();
        let config = files.simple("config", &json!({"server": address}), &json!({}));
        let mut command = tool_as(&config);
        command.args(["-n", "default", "-L", LABEL]).args([
            "--dry-run=client",
            "-vvv",
            "--request-timeout=1s",
        ]);
        let run = run(command).exits(1).complains(&["error: "]);
        for secret in secrets {
            hides(secret, &run);
        }
    });
}
