//! What a server would send: pages of realistic Jobs, in protobuf and in JSON, written without the tool's own messages.

#[path = "../../tests/it/support/proto.rs"]
mod proto;

use std::io;

use bytes::Bytes;
use controlplane::{ARGOCD_INSTANCE, Fleet, SeedJob};
use jiff::Timestamp;
use kubectl_jobclean::{
    decode::{
        self, DecodeError, ListReader,
        job::{Identity, Intake},
    },
    job::{
        Job,
        grouping::Grouping,
        query::{Query, Scope},
    },
    output::{
        Colour, Headers, Rows, Style, View, json, name, summary,
        table::{self, Columns},
        yaml,
    },
    plan::{Plan, Snapshot, Source, retention::Policy},
};
use serde_json::{Value, json};

/// Jobs of one page, as the tool asks for them.
const PAGE: usize = 500;

/// As much of it as a record of TLS brings.
const PIECE: usize = 16 * 1024;

const VERSION: &str = "4711";
/// As long as those of kube-apiserver.
const TOKEN: &str = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NDcxMSwic3RhcnQiOiJ0ZWFtLTAwMC9zeW5jLTAwMDAwLTAwMDA1MDBcdTAwMDAifQ";

/// The pages of a list of `jobs` Jobs, each encoded in this way.
pub fn pages(jobs: usize, encode: fn(&[Value], &Value) -> Bytes) -> Vec<Bytes> {
    let fleet = Fleet::of(u32::try_from(jobs).expect("a number of Jobs"));
    let jobs: Vec<SeedJob> = fleet.jobs().collect();
    let last = jobs.len().div_ceil(PAGE) - 1;
    let page = |(number, jobs): (usize, &[SeedJob])| {
        let mut metadata = json!({"resourceVersion": VERSION});
        if number < last {
            metadata["continue"] = TOKEN.into();
            metadata["remainingItemCount"] = ((last - number) * PAGE).into();
        }
        let items: Vec<Value> = jobs.iter().map(item).collect();
        encode(&items, &metadata)
    };
    jobs.chunks(PAGE).enumerate().map(page).collect()
}

/// A Job as an item of a list: with a version, and without a kind.
fn item(job: &SeedJob) -> Value {
    let mut object = job.manifest();
    object["metadata"]["resourceVersion"] = VERSION.into();
    let members = object.as_object_mut().expect("an object");
    members.remove("apiVersion");
    members.remove("kind");
    object
}

/// As kube-apiserver writes protobuf.
pub fn protobuf(items: &[Value], metadata: &Value) -> Bytes {
    let list =
        json!({"apiVersion": "batch/v1", "kind": "JobList", "metadata": metadata, "items": items});
    let message = "k8s.io.api.batch.v1.JobList";
    proto::SCHEMA.body(message, &list).into()
}

/// As kube-apiserver writes JSON: the kind first, the items last.
pub fn json_text(items: &[Value], metadata: &Value) -> Bytes {
    let items = Value::from(items);
    format!("{{\"kind\":\"JobList\",\"apiVersion\":\"batch/v1\",\"metadata\":{metadata},\"items\":{items}}}\n").into()
}

/// By the label that the Jobs have.
pub fn grouping() -> Grouping {
    Grouping::labels(vec![ARGOCD_INSTANCE.parse().expect("a label key")])
}

/// Reads pages of protobuf as the tool does: decodes each while it comes, takes its Jobs in, and packs their names.
pub fn read(pages: &[Bytes]) -> Vec<Job> {
    let mut intake = Intake::new(&grouping(), &Default::default(), Identity::Required);
    let mut jobs = Vec::new();
    for page in pages {
        let before = jobs.len();
        let mut list = ListReader::default();
        let mut on_job = |job: decode::Job<'_>| -> Result<(), DecodeError> {
            jobs.extend(intake.take(&job).expect("a Job that can be judged"));
            Ok(())
        };
        for piece in page.chunks(PIECE) {
            list.feed(piece, &mut on_job).expect("a piece of a page");
        }
        list.finish().expect("a page");
        Job::pack_names(&mut jobs[before..]);
    }
    jobs
}

/// What was read, as one snapshot.
pub fn snapshot(jobs: Vec<Job>) -> Snapshot {
    Snapshot {
        source: Source::Cluster {
            context: "prod".to_owned(),
            server: "https://10.0.0.1:6443".to_owned(),
        },
        grouping: grouping(),
        ungrouped: 0,
        resource_version: VERSION.to_owned(),
        // 2026-01-01T00:00:00Z, after the newest of them.
        taken_at: Timestamp::from_second(1_767_225_600).expect("a time"),
        jobs,
    }
}

/// The plan of what was read, by the default policy.
pub fn plan(jobs: Vec<Job>) -> Plan {
    Plan::new(snapshot(jobs), &Policy::default())
}

/// Every form of output, by the name that `-o` gives it.
pub const FORMS: [&str; 6] = ["table", "wide", "summary", "json", "yaml", "name"];

/// Renders a plan as into a file: without colour, and lines as long as they like.
pub fn render(form: &str, plan: &Plan, out: &mut dyn io::Write) {
    let view = View::Plan(plan);
    let style = Style {
        width: None,
        colour: Colour::Off,
        headers: Headers::Show,
        rows: Rows::All,
    };
    let written = match form {
        "table" => table::write(out, view, Columns::Normal, style),
        "wide" => table::write(out, view, Columns::Wide, style),
        "summary" => summary::write(out, view, style, None),
        "json" => json::write(out, view, Rows::All),
        "yaml" => yaml::write(out, view, Rows::All),
        "name" => name::write(out, view),
        _ => panic!("there is no form {form}"),
    };
    written.expect("memory takes everything");
}

/// A list of Jobs as `kubectl get jobs -A -o json` prints it, though on one line.
pub fn file(jobs: usize) -> String {
    let fleet = Fleet::of(u32::try_from(jobs).expect("a number of Jobs"));
    let items: Vec<Value> = fleet
        .jobs()
        .map(|job| {
            let mut object = job.manifest();
            let metadata = object["metadata"].as_object_mut().expect("an object");
            metadata.remove("managedFields");
            metadata.insert("resourceVersion".to_owned(), VERSION.into());
            object
        })
        .collect();
    json!({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {}}).to_string()
}

/// What a plan is made of, from a file.
pub fn read_file(text: &str) -> Vec<Job> {
    let query = Query::all(grouping(), Scope::AllNamespaces, 500);
    let contents = decode::file::parse(text.as_bytes(), &query).expect("a list");
    contents.jobs
}
