//! What a policy may say, and what it comes to.

use std::{path::Path, sync::LazyLock};

use jsonschema::Validator;
use kubectl_jobclean::{
    cli::policy::{Flagged, PolicyFile, Said},
    job::grouping::Grouping,
    plan::retention::Policy,
};
use serde_json::Value;

use crate::support::{
    document::{reasons_of, text},
    files::{Files, arg},
    job_file::{self, job},
    tool::{LABEL, Run, run, tool},
};

const HEAD: &str = "apiVersion: jobclean/v1\nkind: Policy\n";

/// The schema as it is published.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let published = include_str!("../../src/cli/policy/jobclean-policy-v1.schema.json");
    let schema: Value = serde_json::from_str(published).expect("the published schema is JSON");
    jsonschema::draft202012::new(&schema).expect("a schema")
});

fn parse(text: &str) -> Result<PolicyFile, String> {
    PolicyFile::parse(Path::new("p.yaml"), text)
}

/// What a text comes to, with flags that say this.
fn policy(text: &str, said: &Said, grouping: &Grouping) -> Result<Policy, String> {
    let flagged = Flagged {
        said,
        mixed_groups: None,
        family: None,
        gitops: None,
    };
    parse(text)?.policy(&flagged, grouping)
}

/// Whether the published schema takes a text.
fn follows_the_schema(text: &str) -> bool {
    let value: Value = serde_saphyr::from_str(text).expect("YAML");
    SCHEMA.is_valid(&value)
}

/// The example of the documentation, with all that a policy may say.
fn example() -> &'static str {
    let page = include_str!("../../docs/policy.md");
    let (_, example) = page.split_once("```yaml\n").expect("an example");
    example.split_once("```").expect("its end").0
}

#[test]
fn the_example_of_the_documentation_is_one() {
    parse(example()).expect("a policy");
    assert!(follows_the_schema(example()));
    let json: Value = serde_saphyr::from_str(example()).expect("YAML");
    let written = format!("{json:#}").replace("  ", "\t");
    let as_yaml = policy(example(), &Said::default(), &Grouping::Application);
    let as_json = policy(&written, &Said::default(), &Grouping::Application);
    assert_eq!(as_yaml, as_json, "JSON is read as well");
    let names = [
        "keep",
        "Succeeded",
        "Failed",
        "Within",
        "Superseded",
        "Finished",
        "Active",
        "Owned",
        "mixedGroups",
        "family",
        "gitops",
        "name",
        "hold",
        "namespaceAnnotations",
        "namespaces",
        "selector",
        "applications",
    ];
    for name in names {
        assert!(example().contains(name), "{name}");
    }
}

/// Each error says where it is and what to do. What the schema can say, it says as well.
#[test]
fn every_mistake_is_an_error_that_says_where() {
    let rule = |text: &str| format!("{HEAD}rules:\n- {}\n", text.replace('\n', "\n  "));
    let defaults = |text: &str| format!("{HEAD}defaults:\n  {text}\n");
    let of_schema = [
        (
            String::from("kind: Policy\ndefaults: {keep: 2}"),
            "its apiVersion is missing: write apiVersion: jobclean/v1",
        ),
        (
            String::from("apiVersion: jobclean/v2\nkind: Policy\ndefaults: {keep: 2}"),
            "its apiVersion is \"jobclean/v2\": write",
        ),
        (
            String::from("apiVersion: jobclean/v1\nkind: Plan\nspec: {}"),
            "its kind is \"Plan\": write kind: Policy",
        ),
        (
            String::from("apiVersion: jobclean/v1\nkind: 5"),
            "its kind is 5: write kind: Policy",
        ),
        (String::from("[]"), "its apiVersion is missing"),
        (
            HEAD.to_owned(),
            "it says nothing: give it defaults or rules",
        ),
        (
            format!("{HEAD}rule: []"),
            "it has no field \"rule\": there are apiVersion, kind, defaults, rules, namespaceAnnotations",
        ),
        (
            format!("{HEAD}rules: []"),
            "rules is empty: give it a list of rules, or leave it out",
        ),
        (
            format!("{HEAD}rules: 5"),
            "rules takes a list of rules, and not 5",
        ),
        (
            format!("{HEAD}rules: [5]"),
            "rule 1 takes fields, and not 5",
        ),
        (format!("{HEAD}defaults: {{}}"), "defaults is empty"),
        (format!("{HEAD}defaults:"), "defaults is empty"),
        (
            defaults("keep: 0"),
            "keep of defaults takes a whole number, at least 1, and not 0",
        ),
        (defaults("keep: -1"), "keep of defaults takes"),
        (defaults("keep: two"), "and not \"two\""),
        (defaults("keep: '2'"), "and not \"2\""),
        (defaults("keep:"), "keep of defaults is empty"),
        (
            defaults("keepFailed: 1.5"),
            "keepFailed of defaults takes a whole number, and not 1.5",
        ),
        (
            defaults("keepWithin: 5"),
            "keepWithin of defaults takes a time such as 90s, 45m, 12h, 7d or 1d12h, and not 5",
        ),
        (defaults("keepWithin: 1w"), "and not \"1w\""),
        (
            defaults("keepWithin: ' '"),
            "keepWithin of defaults is empty",
        ),
        (
            defaults("includeActive: 'yes'"),
            "includeActive of defaults takes true or false, and not \"yes\"",
        ),
        (
            defaults("mixedGroups: keep"),
            "mixedGroups of defaults takes hold, split or merge, and not \"keep\"",
        ),
        (
            defaults("gitops: no-thing"),
            "gitops of defaults takes auto, require or ignore",
        ),
        (defaults("family: ''"), "family of defaults is empty"),
        (
            defaults("keep-failed: 1"),
            "defaults has no field \"keep-failed\": there are keep, keepSucceeded",
        ),
        (defaults("hold: true"), "defaults has no field \"hold\""),
        (
            defaults("\"a\\eb\": 1"),
            "defaults has no field \"a\\u{1b}b\"",
        ),
        (
            rule("keep: 1"),
            "rule 1 has no match: what is kept of every group is written into defaults",
        ),
        (rule("match: {}"), "match of rule 1 is empty"),
        (rule("match:"), "match of rule 1 is empty"),
        (
            rule("match: {namespaces: []}"),
            "namespaces of match of rule 1 is empty",
        ),
        (
            rule("match: {namespaces: ['']}"),
            "namespaces of match of rule 1: \"\": it is empty",
        ),
        (
            rule("match: {namespaces: prod}"),
            "namespaces of match of rule 1 takes a list such as [\"prod-*\"], and not \"prod\"",
        ),
        (
            rule("match: {selector: ''}"),
            "selector of match of rule 1 is empty",
        ),
        (
            rule("match: {namespace: [a]}"),
            "match of rule 1 has no field \"namespace\": there are namespaces, selector",
        ),
        (
            rule("name: ci\nmatch: {selector: a}\nkeeps: 1"),
            "rule ci has no field \"keeps\"",
        ),
        (
            rule("name: ci\nmatch: {selector: a}\nhold: 1"),
            "hold of rule ci takes true or false",
        ),
        (
            rule("name: Prod A\nmatch: {selector: a}"),
            "rule Prod A: its name takes lower-case letters",
        ),
        (
            rule("name: defaults\nmatch: {selector: a}"),
            "and is not defaults",
        ),
        (
            rule("name: 5\nmatch: {selector: a}"),
            "name of rule 1 takes a name in quotes, and not 5",
        ),
        (
            rule("name: ''\nmatch: {selector: a}"),
            "name of rule 1 is empty",
        ),
        (
            rule("match: {selector: a}\nhold: true\nkeep: 2"),
            "rule 1: hold keeps every Job of the group, so that keep means nothing",
        ),
        (
            rule("match: {selector: a}\ngitops: ignore"),
            "gitops of rule 1 counts for the whole run: write it into defaults",
        ),
        (
            rule("match: {selector: a}\nfamily: x"),
            "family of rule 1 says what the groups are, before any rule: write it into defaults",
        ),
        (
            rule("match: {selector: a}\nmixedGroups: hold"),
            "mixedGroups of rule 1 says what the groups are",
        ),
    ];
    let beyond = [
        (String::new(), "it is empty"),
        (
            format!("{HEAD}---\n{HEAD}"),
            "it holds 2 documents: write one policy a file",
        ),
        (defaults("family: '('"), "family of defaults: "),
        (
            defaults("keep: 1\n  keep: 2"),
            "it is not valid YAML: keep stands there twice at line",
        ),
        (String::from("a: [b"), "it is not valid YAML: "),
        (
            rule("match: {namespaces: ['a b']}"),
            "\"a b\": a namespace has lower-case letters",
        ),
        (
            rule("match: {namespaces: ['a[']}"),
            "\"a[\": write * once in a row, and close each [ with a ]",
        ),
        (
            rule("match: {applications: ['a/b']}"),
            "applications of match of rule 1: \"a/b\": an application has",
        ),
        (
            rule("match: {selector: 'a b'}"),
            "selector of match of rule 1: expected",
        ),
        (
            format!(
                "{HEAD}rules:\n- {{name: a, match: {{selector: a}}}}\n- {{name: a, match: {{selector: b}}}}"
            ),
            "two rules have the name a",
        ),
    ];
    for (text, error) in of_schema.iter().chain(&beyond) {
        let found = parse(text).expect_err(text);
        assert!(found.contains(error), "{text}\n{found}");
        for word in [
            "invalid type",
            "expected one of",
            "expected a string",
            "unknown field",
        ] {
            assert!(!found.contains(word), "{text}\n{found}");
        }
    }
    for (text, _) in &of_schema {
        assert!(!follows_the_schema(text), "{text}");
    }
    for text in [
        rule("match: {selector: a}"),
        rule("match: {selector: a}\nhold: true"),
        rule("match: {selector: a}\nhold: false\nkeep: 2"),
        defaults("keep: 1"),
    ] {
        assert!(parse(&text).is_ok() && follows_the_schema(&text), "{text}");
    }
}

#[test]
fn a_rule_starts_from_the_defaults_and_those_from_the_flags() {
    let text = format!(
        "{HEAD}defaults: {{keep: 2, keepWithin: 7d}}\nrules:\n- {{match: {{namespaces: [ci-*]}}, keep: 1, includeActive: true}}"
    );
    let said = Said {
        keep_failed: Some(3),
        ..Said::default()
    };
    let policy = policy(&text, &said, &Grouping::Application).expect("a policy");
    let kept = |number: Option<u8>| {
        let ruling = policy.ruling(number.and_then(std::num::NonZeroU8::new));
        format!("{ruling:?}")
    };
    let defaults = "Keep(Retention { keep: 2, keep_succeeded: 0, keep_failed: 3, keep_within: Some(604800s), \
                    keep_superseded_within: None, keep_finished_within: None, active: Keep, owned: Keep })";
    assert_eq!(kept(None), defaults);
    let rule = defaults
        .replace("keep: 2", "keep: 1")
        .replace("active: Keep", "active: Judge");
    assert_eq!(kept(Some(1)), rule);
    // What is not known may be to keep everything.
    assert_eq!(kept(Some(2)), "Hold");
}

/// A file with a Job of each namespace and team, the newest first.
fn jobs(files: &Files) -> std::path::PathBuf {
    let mut jobs = Vec::new();
    for namespace in ["prod-a", "ci-a", "other"] {
        for number in 1..=3 {
            let mut job = job(&format!("sync-{number}"), number);
            job["metadata"]["namespace"] = namespace.into();
            job["metadata"]["uid"] = format!("{namespace}{number}").into();
            let team = if number == 1 { "old" } else { "new" };
            job["metadata"]["labels"]["team"] = team.into();
            jobs.push(job.to_string());
        }
    }
    files.write("jobs", &jobs.join("\n"))
}

fn with_policy(files: &Files, text: &str, args: &[&str]) -> Run {
    let (jobs, policy) = (jobs(files), files.write("policy", &format!("{HEAD}{text}")));
    let args = [&["--policy", arg(&policy)], args].concat();
    job_file::from_file(&jobs, &args)
}

/// `NAMESPACE/NAME REASONS` of every Job, with its rule.
fn verdicts(files: &Files, rules: &str) -> Vec<String> {
    let document = with_policy(files, rules, &["-o", "json"]).exits(0).json();
    let mut verdicts = Vec::new();
    for group in document["groups"].as_array().expect("groups") {
        for job in group["jobs"].as_array().expect("jobs") {
            let rule = if group["rule"].is_null() { job } else { group };
            verdicts.push(format!(
                "{}/{} {} ({})",
                text(group, "namespace"),
                text(job, "name"),
                reasons_of(job).join(","),
                text(rule, "rule")
            ));
        }
    }
    verdicts
}

#[test]
fn each_kind_of_rule_judges_a_file() {
    let files = Files::new();
    let of = |rules: &str| verdicts(&files, rules);
    // The one with a name, the one without, and the defaults.
    let text = "defaults: {keep: 2}\nrules:\n- {name: prod, match: {namespaces: [prod-*]}, hold: true}\n- {match: {namespaces: [ci-*]}, keep: 1}";
    assert_eq!(
        of(text),
        [
            "ci-a/sync-3 newest (rule 2)",
            "ci-a/sync-2 superseded (rule 2)",
            "ci-a/sync-1 superseded (rule 2)",
            "other/sync-3 newest (defaults)",
            "other/sync-2 newest (defaults)",
            "other/sync-1 superseded (defaults)",
            "prod-a/sync-3 held,newest (prod)",
            "prod-a/sync-2 held (prod)",
            "prod-a/sync-1 held (prod)",
        ]
    );
    // The first that matches counts, and all of its parts must hold.
    let text = "rules:\n- {match: {namespaces: [ci-*], selector: team=other}, hold: true}\n- {match: {namespaces: ['*']}, keep: 3}\n- {match: {namespaces: [ci-*]}, hold: true}";
    assert!(
        of(text)
            .iter()
            .all(|verdict| verdict.ends_with(" newest (rule 2)")),
        "{:?}",
        of(text)
    );
    // A selector is for some Jobs of a group. What either keeps is kept.
    let text = "rules:\n- {name: old, match: {namespaces: [ci-*], selector: team=old}, keep: 2}";
    assert_eq!(
        of(text)[..3],
        [
            "ci-a/sync-3 newest (defaults)",
            "ci-a/sync-2 newest (defaults)",
            "ci-a/sync-1 superseded (old)",
        ]
    );
    let text = "rules:\n- {name: old, match: {selector: team=old}, hold: true}";
    assert_eq!(
        of(text)[..3],
        [
            "ci-a/sync-3 held,newest (defaults)",
            "ci-a/sync-2 held (defaults)",
            "ci-a/sync-1 held (old)",
        ]
    );
    let finished = "rules:\n- {match: {namespaces: [ci-*]}, keepFinishedWithin: 36500d}\n- {match: {namespaces: [other]}, keepSupersededWithin: 36500d}";
    let verdicts = of(finished);
    assert_eq!(verdicts[2], "ci-a/sync-1 recently-finished (rule 1)");
    assert_eq!(verdicts[5], "other/sync-1 recently-superseded (rule 2)");
    assert_eq!(verdicts[8], "prod-a/sync-1 superseded (defaults)");
}

#[test]
fn namespaces_in_a_file_keep_their_jobs() {
    let namespace = |name: &str, marks: &str| {
        format!(
            "{{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{{\"name\":\"{name}\",{marks}}},\"spec\":{{\"finalizers\":[\"kubernetes\"]}},\"status\":{{\"phase\":\"Active\"}}}}"
        )
    };
    let files = Files::new();
    let jobs = std::fs::read_to_string(jobs(&files)).expect("the Jobs");
    let policy = |text: &str| files.write("policy", &format!("{HEAD}{text}"));
    let keeps = |value: &str| format!("\"annotations\":{{\"jobclean/keep\":\"{value}\"}}");
    let label = "\"labels\":{\"jobclean/keep\":\"true\"}".to_owned();
    for (marks, holds) in [
        (keeps("true"), true),
        (keeps(""), true),
        (keeps("False"), true),
        (keeps("no"), true),
        (label, true),
        (keeps("false"), false),
        ("\"annotations\":{}".to_owned(), false),
    ] {
        let ci = namespace("ci-a", &marks);
        let list = format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{ci}]}}");
        for namespaces in [ci.clone(), list] {
            let file = files.write("all", &format!("{jobs}\n{namespaces}\n"));
            let run = |text: &str| {
                let policy = policy(text);
                job_file::from_file(&file, &["--policy", arg(&policy), "-o", "tsv"]).exits(0)
            };
            let asked = run("defaults: {gitops: ignore}");
            assert!(!asked.err.contains("ignored"), "{}", asked.story());
            let held = asked.out.lines().filter(|line| line.contains("held"));
            let held: Vec<&str> = held.filter(|line| line.starts_with("ci-a\t")).collect();
            assert_eq!(
                held.len(),
                if holds { 3 } else { 0 },
                "{marks}\n{}",
                asked.out
            );
            assert_eq!(asked.out.matches("held").count(), held.len());
            let not_asked = run("namespaceAnnotations: false");
            assert!(!not_asked.out.contains("held"), "{}", not_asked.story());
            assert!(
                not_asked.err.contains("ignored in the file: 1 Namespace"),
                "{}",
                not_asked.story()
            );
        }
    }
    let file = files.write(
        "all",
        &format!("{jobs}\n{}\n", namespace("ci-a", &keeps("true"))),
    );
    let policy = policy("defaults: {keep: 1}");
    let raw = "{\"apiVersion\":\"v1\",\"kind\":\"NamespaceList\",\"items\":[{\"metadata\":{\"name\":\"ci-a\"}}]}";
    let list = files.write("raw", &format!("{jobs}\n{raw}\n"));
    job_file::from_file(&list, &["--policy", arg(&policy)])
        .exits(1)
        .complains(&["it holds a NamespaceList", "kubectl get namespaces"]);
    job_file::from_file(&list, &[]).exits(0);
    let mut command = tool();
    command.args(["explain", "sync-1", "-n", "ci-a", "-L", LABEL]);
    command.args(["-f", arg(&file), "--policy", arg(&policy)]);
    run(command).exits(0).shows(&[
        "SKIP (held)",
        "held: its Namespace has the annotation or label jobclean/keep",
    ]);
}

#[test]
fn explain_names_the_rule_and_what_it_keeps() {
    let files = Files::new();
    let policy = files.write(
        "policy",
        &format!("{HEAD}defaults: {{keepFailed: 1}}\nrules:\n- {{name: old, match: {{selector: team=old}}, keep: 2}}"),
    );
    let jobs = jobs(&files);
    let explain = |name: &str| {
        let mut command = tool();
        command.args(["explain", name, "-n", "ci-a", "-L", LABEL]);
        command.args(["-f", arg(&jobs), "--policy", arg(&policy)]);
        run(command).exits(0)
    };
    explain("sync-2").shows(&[
        "Rule    defaults; Jobs of its group have others",
        "under defaults:\n    nothing\n",
        "under old:\n    newest: it is one of the newest 2 of its group; a smaller keep changes",
    ]);
    explain("sync-1").shows(&[
        "Rule    old",
        "PURGE (superseded)",
        "under defaults:\n    newest: keep: 3 or more",
        "under old:\n    newest: keep: 3 or more",
        "keepWithin: ",
    ]);
}

#[test]
fn a_flag_beside_what_the_policy_sets_is_a_usage_error() {
    let files = Files::new();
    let text = "defaults: {keep: 2, family: '-x', gitops: require, mixedGroups: split}\n\
                rules:\n- {match: {selector: a}, hold: true}\n- {name: ci, match: {selector: b}, keepWithin: 1d, includeOwned: false}";
    for (flag, words) in [
        ("--keep=2", "--keep and keep in defaults of the policy"),
        (
            "--older-than=1h",
            "--keep-within and keepWithin in rule ci of the policy",
        ),
        (
            "--include-owned",
            "--include-owned and includeOwned in rule ci",
        ),
        (
            "--include-owned=false",
            "--include-owned and includeOwned in rule ci",
        ),
        ("--family=-y", "--family and family in defaults"),
        ("--gitops=auto", "--gitops and gitops in defaults"),
        (
            "--mixed-groups=hold",
            "--mixed-groups and mixedGroups in defaults",
        ),
        ("--plan=x", "--policy"),
    ] {
        let run = with_policy(&files, text, &[flag]).exits(2);
        assert!(run.err.contains(words), "{}", run.story());
        assert_eq!(run.out, "", "{}", run.story());
    }
    with_policy(&files, text, &["--keep-failed=1"]).exits(0);
    let applications = "rules:\n- {name: shop, match: {applications: [shop-*]}, keep: 2}";
    let refused = with_policy(&files, applications, &[]).exits(2);
    assert!(
        refused.err.contains("rule shop of the policy")
            && refused.err.contains("Jobs are grouped by label:"),
        "{}",
        refused.story()
    );
    let text = "defaults: {mixedGroups: merge}";
    let jobs = jobs(&files);
    let policy = files.write("merge", &format!("{HEAD}{text}"));
    let mut command = tool();
    command.args([
        "-f",
        arg(&jobs),
        "--group-by=family",
        "--policy",
        arg(&policy),
    ]);
    run(command).exits(2).complains(&["mixedGroups"]);
}

#[test]
fn a_file_that_is_no_policy_ends_the_run() {
    let files = Files::new();
    let run = with_policy(&files, "defaults: {keep: two}", &[]).exits(1);
    let path = files.path("policy");
    let error = format!(
        "error: cannot use the policy {}: keep of defaults takes a whole number, at least 1, and not \"two\"",
        path.display()
    );
    assert!(run.err.starts_with(&error), "{}", run.story());
    let missing = files.path("missing");
    job_file::from_file(&jobs(&files), &["--policy", arg(&missing)])
        .exits(1)
        .complains(&["cannot use the policy", "no such file"]);
}
