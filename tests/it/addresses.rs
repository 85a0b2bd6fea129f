//! A password in a server's address is a secret like any other, even where the address is none.

use serde_json::json;

use crate::canary::hides;
use crate::support::kubeconfig::{Files, arg};
use crate::support::{LABEL, run, tool};

#[test]
fn a_password_in_a_servers_address() {
    for (address, secrets) in [
        ("admin:canarysecret@host:6443", ["canary", "canarysecret"]),
        (
            "https://admin:canary/secret@127.0.0.1:1",
            ["canary", "/secret"],
        ),
        (
            "https://admin:canarysecret@127.0.0.1:1",
            ["canary", "canarysecret"],
        ),
    ] {
        let files = Files::new();
        let config = files.simple("config", &json!({"server": address}), &json!({}));
        let mut command = tool();
        command
            .args(["--kubeconfig", arg(&config), "-n", "default", "-L", LABEL])
            .args(["--dry-run=client", "-vvv", "--request-timeout=1s"]);
        let run = run(command).exits(1).complains(&["error: "]);
        for secret in secrets {
            hides(secret, &run);
        }
    }
}
