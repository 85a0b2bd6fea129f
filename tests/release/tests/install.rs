//! `cargo install --path .`, into an empty home.

use release::project::cargo;

use crate::support::{kubectl, project, succeeds};

/// With the profile that the tests have built already; what is tested is that cargo finds all that it needs.
#[test]
fn cargo_installs_it_and_kubectl_runs_it() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("cargo");
    let mut install = cargo(&project().root);
    install
        .args([
            "install", "--quiet", "--locked", "--debug", "--path", ".", "--root",
        ])
        .arg(&root);
    succeeds(&mut install);
    let version =
        succeeds(kubectl(home.path(), &[&root.join("bin")]).args(["jobclean", "version"]));
    assert!(version.contains(&project().version), "{version}");
}
