//! `cargo binstall` looks where the release's archives are.

use release::platform::PLATFORMS;
use serde_json::Value;

use crate::support::{archive, entries, project};

/// Fills a template of cargo-binstall in.
fn fill(template: &str, binary_ext: &str) -> String {
    let project = project();
    let filled = template
        .replace("{ repo }", &project.repository)
        .replace("{ version }", &project.version)
        .replace("{ name }", "kubectl-jobclean")
        .replace("{ bin }", "kubectl-jobclean")
        .replace("{ binary-ext }", binary_ext);
    assert!(!filled.contains('{'), "{filled}");
    filled
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value:#}"))
}

#[test]
fn finds_the_archive_of_every_platform() {
    let binstall = &project().metadata["binstall"];
    let overrides = binstall["overrides"].as_object().unwrap();
    let mut known = Vec::new();
    for platform in PLATFORMS {
        // A machine with glibc runs the static binary, too, and is asked for first.
        let gnu = platform.target.replace("-musl", "-gnu");
        for target in [platform.target, &gnu] {
            let url = fill(text(&overrides[target], "pkg-url"), "");
            let archive = platform.archive(&project().tag());
            assert_eq!(
                url,
                format!("{}/{archive}", project().downloads()),
                "{target}"
            );
            known.push(target.to_owned());
        }
        let ext = if platform.os == "windows" { ".exe" } else { "" };
        assert_eq!(fill(text(binstall, "bin-dir"), ext), platform.binary());
    }
    for target in overrides.keys() {
        assert!(
            known.contains(target),
            "{target} is no platform of a release"
        );
    }
    assert_eq!(text(binstall, "pkg-fmt"), "tgz");
}

#[test]
fn finds_the_binary_in_the_archive() {
    let template = text(&project().metadata["binstall"], "bin-dir");
    let path = fill(template, std::env::consts::EXE_SUFFIX);
    assert!(
        entries(archive()).iter().any(|entry| entry.name == path),
        "{path}"
    );
}
