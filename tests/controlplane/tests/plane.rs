//! What those who use this crate rely on: who a client is, what is seeded, and that nothing outlives its owner.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use controlplane::{
    ControlPlane, Controllers, Options, Result, SeedJob, State, TOKEN_USER, samples,
};
use serde_json::Value;

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// user and groups, as the server sees the holder of a kubeconfig.
fn who_am_i(plane: &ControlPlane, kubeconfig: &Path) -> Result<(String, Vec<String>)> {
    let path = kubeconfig.display().to_string();
    let said = plane.kubectl_run(["auth", "whoami", "--output", "json", "--kubeconfig", &path])?;
    let said: Value = serde_json::from_str(&said).unwrap();
    let info = &said["status"]["userInfo"];
    let groups = info["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group.as_str().unwrap().to_owned());
    Ok((
        info["username"].as_str().unwrap().to_owned(),
        groups.collect(),
    ))
}

#[test]
fn clients_namespaces_and_faults() -> Result<()> {
    let flags = vec!["--max-requests-inflight=50".to_owned()];
    let plane = ControlPlane::start(Options {
        controllers: Controllers::Off,
        apiserver_flags: flags,
        ..Options::default()
    })?;

    let (user, groups) = who_am_i(&plane, &plane.kubeconfig_for("ada", &["team-a", "team-b"])?)?;
    assert_eq!(user, "ada");
    assert_eq!(groups, ["team-a", "team-b", "system:authenticated"]);
    assert!(
        plane
            .kubeconfig_for("ada", &["one", "two", "three"])
            .is_err()
    );
    let (user, groups) = who_am_i(&plane, &plane.kubeconfig_with_token()?)?;
    assert_eq!((user.as_str(), groups[0].as_str()), TOKEN_USER);

    // Usable at once, by the API as well as by etcd.
    let namespace = plane.namespace("team")?;
    plane.kubectl_run([
        "create",
        "job",
        "made",
        "--image=none",
        "--namespace",
        &namespace,
    ])?;
    assert_ne!(plane.namespace("team")?, namespace);

    let created = "2026-01-01T00:00:00Z".parse().unwrap();
    let jobs: Vec<_> = (0..250)
        .map(|number| SeedJob::new(&namespace, format!("seeded-{number}"), created))
        .collect();
    plane.seed(&jobs)?;
    let list = plane.get_json(&format!("/apis/batch/v1/namespaces/{namespace}/jobs"))?;
    assert_eq!(list["items"].as_array().unwrap().len(), 251);

    plane.kill_apiserver();
    assert!(plane.get_raw("/readyz").is_err());
    plane.restart_apiserver()?;
    assert_eq!(
        plane.get_json(&format!("/api/v1/namespaces/{namespace}"))?["status"]["phase"],
        "Active"
    );
    Ok(())
}

#[test]
fn controllers_leave_what_is_finished_alone() -> Result<()> {
    let plane = ControlPlane::start(Options::default())?;
    let folder = plane.folder().to_owned();
    let samples = plane.seed_samples(jiff::Timestamp::now())?;
    plane.seed(&[
        SeedJob::new("other", "fails", jiff::Timestamp::now()).state(State::FailureTarget)
    ])?;
    let field = |path: &str, of: &str| {
        plane
            .get_json(path)
            .map(|value| value.pointer(of).cloned())
            .unwrap()
    };
    // These two show that the Job controller is at work.
    until("a Pod is made for the running Job", || {
        let pods = plane
            .get_json("/api/v1/namespaces/mas-inst1-manage/pods")
            .unwrap();
        pods["items"].as_array().unwrap().len() == 1
    });
    until("the failing Job is Failed", || {
        field(
            "/apis/batch/v1/namespaces/other/jobs/fails",
            "/status/conditions/1/type",
        ) == Some("Failed".into())
    });
    for job in &samples {
        let path = format!(
            "/apis/batch/v1/namespaces/{}/jobs/{}",
            job.get_namespace(),
            job.get_name()
        );
        let (now, seeded) = (plane.get_json(&path)?, job.manifest());
        assert_eq!(now["metadata"]["uid"], seeded["metadata"]["uid"], "{path}");
        if now["metadata"]["name"]
            .as_str()
            .unwrap()
            .starts_with("postsync-configure-e5")
        {
            continue;
        }
        assert_eq!(
            now["status"]["conditions"], seeded["status"]["conditions"],
            "{path}"
        );
    }
    // And this that the garbage collector is.
    let gone = [
        "delete",
        "job",
        "create-user-9f31c2",
        "--namespace=mas-inst1-core",
        "--cascade=foreground",
    ];
    plane.kubectl_run(gone)?;
    drop(plane);
    assert!(!folder.exists());
    Ok(())
}

#[test]
fn samples_have_names_of_their_own() {
    let samples = samples(jiff::Timestamp::now(), "uid");
    let mut uids: Vec<_> = samples.iter().map(SeedJob::get_uid).collect();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), samples.len());
}

/// The one promise that no destructor can keep.
#[test]
fn servers_end_with_a_killed_owner() {
    let parent = tempfile::tempdir().unwrap();
    let mut owner = Command::new(env!("CARGO_BIN_EXE_controlplane"));
    owner
        .arg("hold")
        .arg(parent.path())
        .arg("a-word")
        .stdin(Stdio::null());
    let mut owner = owner.spawn().unwrap();
    let state = parent.path().join("state.json");
    until("the plane is up", || state.exists());
    let state: Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    let kubeconfig = state["kubeconfig"].as_str().unwrap();
    let config: Value = serde_json::from_slice(&fs::read(kubeconfig).unwrap()).unwrap();
    let server = config
        .pointer("/clusters/0/cluster/server")
        .unwrap()
        .as_str()
        .unwrap();
    let address = server.trim_start_matches("https://");
    assert!(TcpStream::connect(address).is_ok());

    owner.kill().unwrap();
    owner.wait().unwrap();
    let killed = Instant::now();
    until("kube-apiserver is gone", || {
        TcpStream::connect(address).is_err()
    });
    until("the folder is gone", || {
        !Path::new(kubeconfig).ancestors().nth(2).unwrap().exists()
    });
    assert!(killed.elapsed() < Duration::from_secs(5));
}
