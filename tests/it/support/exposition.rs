//! Metrics, as those who collect them read them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The metrics of a file, each by its name with its label, as `jobclean_jobs{verdict="SKIP"}`.
///
/// The reader is that of Prometheus' own programs. Beyond that one, OpenMetrics wants an end and units.
#[track_caller]
pub fn metrics(path: &Path) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    assert!(!text.contains("\n\n"), "{text}");
    let reader = controlplane::checkout().join("tests/it/support/exposition.go");
    let output = Command::new("go")
        .args(["run", "-trimpath"])
        .arg(reader)
        .current_dir(controlplane::checkout().join("tests/controlplane"))
        .env("CGO_ENABLED", "0")
        .stdin(File::open(path).unwrap())
        .output()
        .expect("Go is installed: the tests build the control plane with it");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{text}");
    let families: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = BTreeMap::new();
    for (name, family) in families.as_object().unwrap() {
        assert!(text.contains(&format!("# TYPE {name} gauge\n")), "{text}");
        assert!(family["help"].as_str().is_some(), "{family}");
        for unit in ["seconds", "bytes"] {
            let has_unit = text.contains(&format!("# UNIT {name} {unit}\n"));
            assert_eq!(has_unit, name.ends_with(&format!("_{unit}")), "{text}");
        }
        for metric in family["metric"].as_array().unwrap() {
            let labels = metric["label"].as_array().into_iter().flatten();
            let labels: Vec<String> = labels
                .map(|label| format!("{}={}", label["name"].as_str().unwrap(), label["value"]))
                .collect();
            let name = match labels.as_slice() {
                [] => name.clone(),
                [label] => format!("{name}{{{label}}}"),
                _ => panic!("several labels: {metric}"),
            };
            // 0 is left out.
            let value = metric["gauge"]["value"].as_f64().unwrap_or_default();
            assert!(found.insert(name, value).is_none(), "{text}");
        }
    }
    found
}
