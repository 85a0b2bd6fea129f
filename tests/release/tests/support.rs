//! What the tests share: the archive of this machine, the tools that go.mod pins, one control plane.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use controlplane::{ControlPlane, Options, SeedJob};
use flate2::read::GzDecoder;
use jiff::{SignedDuration, Timestamp};
use release::archive::pack;
use release::build;
use release::platform::Platform;
use release::project::Project;
use serde_json::{Value, json};

/// The project as it lies here.
pub fn project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| Project::here().unwrap())
}

/// A file of the project.
pub fn read(path: &str) -> String {
    let path = project().root.join(path);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// This machine's archive, built once.
pub fn archive() -> &'static [u8] {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    ARCHIVE.get_or_init(|| archive_of(project()))
}

/// This machine's archive of a project.
pub fn archive_of(project: &Project) -> Vec<u8> {
    let platform = Platform::here().unwrap();
    let binary = build::binary(project, platform).unwrap_or_else(|why| panic!("{why:#}"));
    pack(project, platform, &binary).unwrap()
}

/// An archive's entries: name, mode, owner, time and bytes.
pub struct Entry {
    pub name: String,
    pub mode: u32,
    pub owner: (u64, u64),
    pub mtime: u64,
    pub bytes: Vec<u8>,
}

/// What is in an archive.
pub fn entries(archive: &[u8]) -> Vec<Entry> {
    let mut tar = tar::Archive::new(GzDecoder::new(archive));
    let mut entries = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let header = entry.header();
        entries.push(Entry {
            name: entry.path().unwrap().to_str().unwrap().to_owned(),
            mode: header.mode().unwrap(),
            owner: (header.uid().unwrap(), header.gid().unwrap()),
            mtime: header.mtime().unwrap(),
            bytes,
        });
    }
    entries
}

/// The bytes of a file in this machine's archive.
pub fn entry(name: &str) -> Vec<u8> {
    let mut entries = entries(archive()).into_iter();
    let found = entries.find(|entry| entry.name == name);
    found.unwrap_or_else(|| panic!("no {name}")).bytes
}

/// The folder of krew, validate-krew-manifest, actionlint and helm, built from what go.mod pins.
pub fn tools() -> &'static Path {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tools");
        let mut go = Command::new("go");
        go.args(["build", "-o"])
            .arg(folder.join(""))
            .arg("tool")
            .current_dir(project().root.join("tests/release/tools"))
            .env("CGO_ENABLED", "0")
            .env("GOWORK", "off");
        for name in ["GOOS", "GOARCH", "GOFLAGS"] {
            go.env_remove(name);
        }
        succeeds(&mut go);
        folder
    })
}

/// The one control plane.
pub fn plane() -> &'static ControlPlane {
    static PLANE: OnceLock<ControlPlane> = OnceLock::new();
    PLANE.get_or_init(|| {
        ControlPlane::start(Options::default())
            .unwrap_or_else(|why| panic!("the control plane does not start: {why}"))
    })
}

/// A namespace with three Jobs of one group under a label; the newest is `sync-3`.
pub fn namespace_with_jobs(label: &str) -> String {
    let namespace = plane().namespace("release").unwrap();
    let jobs: Vec<_> = (1..=3)
        .map(|number| {
            let created = Timestamp::from_second(Timestamp::now().as_second()).unwrap()
                - SignedDuration::from_hours(4 - number);
            SeedJob::new(&namespace, format!("sync-{number}"), created).label(label, "sync")
        })
        .collect();
    plane().seed(&jobs).unwrap();
    namespace
}

/// The names of a namespace's Jobs.
pub fn jobs(namespace: &str) -> Vec<String> {
    let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs");
    let list = plane().get_json(&path).unwrap();
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|job| job["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Fails unless the namespace takes a Pod of this spec, and takes only restricted ones. There is no Pod afterwards.
pub fn is_admitted_as_restricted(namespace: &str, spec: &Value) {
    let create = |spec: &Value| {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"generateName": "jobclean-", "namespace": namespace},
            "spec": spec,
        });
        let mut create = plane().kubectl_command(["create", "--dry-run=server", "--filename"]);
        let output = run(create.arg(file_of(&pod.to_string()).path()));
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.success(), said)
    };
    assert_eq!(create(spec), (true, String::new()));
    let mut more = spec.clone();
    more["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
    let (taken, said) = create(&more);
    assert!(!taken && said.contains("violates PodSecurity"), "{said}");
}

/// A file for a command to read.
pub fn file_of(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

/// A token of a service account.
pub fn token(account: &str, namespace: &str) -> String {
    let mut create =
        plane().kubectl_command(["create", "token", account, "--namespace", namespace]);
    succeeds(&mut create).trim().to_owned()
}

/// kubectl for a user with this home folder and these folders on the PATH.
pub fn kubectl(home: &Path, path: &[&Path]) -> Command {
    let mut command = Command::new(plane().kubectl());
    let folders = path.iter().map(PathBuf::from);
    let kubectl = [plane().binaries().folder().to_owned()];
    command
        .env_clear()
        .env("HOME", home)
        .env(
            "PATH",
            std::env::join_paths(folders.chain(kubectl)).unwrap(),
        )
        .env("KUBERC", "off")
        .current_dir(home);
    command
}

/// This process's PATH with these folders before it.
pub fn path_after(folders: &[&Path]) -> OsString {
    let inherited = std::env::var_os("PATH").unwrap();
    let first = folders.iter().map(PathBuf::from);
    std::env::join_paths(first.chain(std::env::split_paths(&inherited))).unwrap()
}

/// Runs it without stdin.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|why| panic!("cannot run {command:?}: {why}"))
}

/// Runs it, fails unless it succeeds, and returns its stdout.
#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The same, and it says nothing on stderr: servers warn there.
#[track_caller]
pub fn succeeds_quietly(command: &mut Command) -> String {
    let output = run(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.is_empty(),
        "{command:?}: {}\n{said}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}
