//! `--as` and its companions, by what the server saw.

use serde_json::{Value, json};

use crate::support::{Space, audit};

fn impersonated(space: &Space) -> Value {
    let seen = audit::wait_for(&space.name, "list", 1);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["user"]["username"], "jobclean-admin");
    seen[0]["impersonatedUser"].clone()
}

#[test]
fn a_user_without_rights_has_none() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    space
        .run(&["--yes", "--as", "ada"])
        .fails_clearly(&["forbidden", r#"User "ada" cannot list"#]);
    assert_eq!(impersonated(&space)["username"], "ada");
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn groups_add_up() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let flags = [
        "--as=ada",
        "--as-group=test-one",
        "--as-group=system:masters",
    ];
    space
        .run(&[&["--yes", "--cascade=background"][..], &flags].concat())
        .exits(0);
    space.holds(&["sync-2"]);
    let seen = impersonated(&space);
    assert_eq!(
        seen["groups"],
        json!(["test-one", "system:masters", "system:authenticated"])
    );
    let delete = audit::wait_for(&space.name, "delete", 1).remove(0);
    assert_eq!(delete["impersonatedUser"]["username"], "ada");
}

#[test]
fn only_the_group_with_rights_gets_in() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    let group = format!("cleaners-{}", space.name);
    space.allow("Group", &group, &["list", "delete"]);
    let run = |group: &str| {
        space.run(&[
            "--yes",
            "--cascade=background",
            "--as=ada",
            "--as-group",
            group,
        ])
    };
    run("others").exits(1);
    space.holds(&["sync-1", "sync-2"]);
    crate::support::until("RBAC lets the group in", || run(&group).code == Some(0));
    space.holds(&["sync-2"]);
}

#[test]
fn uid_and_extras_arrive() {
    let space = Space::new();
    space
        .run(&[
            "--dry-run=client",
            "-q",
            "--as=ada",
            "--as-group=system:masters",
            "--as-uid=1234",
            "--as-user-extra=scopes=one",
            "--as-user-extra=scopes=two",
            "--as-user-extra=test.example/Reason=a b=c",
        ])
        .exits(0);
    let seen = impersonated(&space);
    assert_eq!(seen["uid"], "1234");
    assert_eq!(seen["extra"]["scopes"], json!(["one", "two"]));
    assert_eq!(seen["extra"]["test.example/reason"], json!(["a b=c"]));
}

#[test]
fn companions_need_a_user() {
    let space = Space::with(&[("sync-1", 2), ("sync-2", 1)]);
    for flag in [
        "--as-group=system:masters",
        "--as-uid=1",
        "--as-user-extra=a=b",
    ] {
        let run = space.run(&["--yes", flag]);
        assert!(matches!(run.code, Some(1 | 2)), "{}", run.story());
        assert!(run.err.contains("--as"), "{}", run.story());
    }
    space
        .run(&["--yes", "--as=ada", "--as-user-extra=no-value"])
        .exits(2);
    space.holds(&["sync-1", "sync-2"]);
}

#[test]
fn service_accounts_can_be_meant() {
    let space = Space::new();
    let name = format!("system:serviceaccount:{}:cleaner", space.name);
    space.run(&["--dry-run=client", "--as", &name]).exits(1);
    assert_eq!(impersonated(&space)["username"], name.as_str());
}
