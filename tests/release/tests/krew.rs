//! The manifest, checked by krew's own tool for its index and installed by krew itself.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use release::archive::{pack, sha256, write};
use release::krew;
use release::platform::{PLATFORMS, Platform};
use serde_json::Value;

use crate::support::{
    archive, jobs, kubectl, namespace_with_jobs, path_after, plane, project, read, run, succeeds,
    tools,
};

const LABEL: &str = "release.example/krew";

/// A release: this machine's archive, and archives of the other platforms with the sources' documents around a file
/// that is no program.
fn release(folder: &Path) {
    let here = Platform::here().unwrap();
    let stand_in = folder.join("stand-in");
    fs::write(&stand_in, "not a program").unwrap();
    for platform in PLATFORMS {
        let packed = if platform == here {
            archive().to_owned()
        } else {
            pack(project(), platform, &stand_in).unwrap()
        };
        write(folder, &platform.archive(&project().tag()), &packed).unwrap();
    }
}

/// A folder that holds `kubectl-krew`.
fn krew_on_path(folder: &Path) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    fs::copy(tools().join("krew"), bin.join("kubectl-krew")).unwrap();
    bin
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|why| panic!("not YAML: {why}\n{text}"))
}

#[test]
fn what_is_committed_is_up_to_date() {
    let manifest = krew::before_release(project()).unwrap();
    let say = "run `cargo release krew` and commit what it writes";
    assert_eq!(read("krew-manifest/jobclean.yaml"), manifest, "{say}");
    let template = krew::template(project());
    assert_eq!(
        read("krew-manifest/krew-release-bot.yaml"),
        template,
        "{say}"
    );
}

/// What krew's index asks of a manifest beyond what its tool checks.
#[test]
fn the_manifest_keeps_the_rules_of_the_index() {
    let manifest = yaml(&read("krew-manifest/jobclean.yaml"));
    let spec = &manifest["spec"];
    assert_eq!(manifest["metadata"]["name"], "jobclean");
    assert_eq!(spec["version"], format!("v{}", project().version));
    assert_eq!(spec["homepage"], project().repository);
    let short = spec["shortDescription"].as_str().unwrap();
    assert!(short.chars().count() <= 50, "{short:?} is longer than 50");
    assert!(
        !short.ends_with('.') && !short.to_lowercase().contains("kubectl"),
        "{short:?}"
    );
    for key in ["description", "caveats"] {
        for line in spec[key].as_str().unwrap().lines() {
            assert!(line.len() <= 80, "{line:?}");
        }
    }
    let mut selectors = Vec::new();
    for platform in spec["platforms"].as_array().unwrap() {
        let labels = &platform["selector"]["matchLabels"];
        let windows = labels["os"] == "windows";
        assert_eq!(platform["bin"].as_str().unwrap().ends_with(".exe"), windows);
        let name = format!(
            "{}_{}",
            labels["os"].as_str().unwrap(),
            labels["arch"].as_str().unwrap()
        );
        let uri = platform["uri"].as_str().unwrap();
        assert!(
            uri.ends_with(&format!("_{name}.tar.gz")),
            "{uri} for {name}"
        );
        assert!(!selectors.contains(&name), "{name} twice");
        selectors.push(name);
    }
    assert_eq!(
        selectors,
        [
            "linux_amd64",
            "linux_arm64",
            "darwin_amd64",
            "darwin_arm64",
            "windows_amd64"
        ]
    );
}

#[test]
fn the_manifest_has_the_checksums_of_the_archives() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let manifest = yaml(&krew::of_release(project(), folder.path()).unwrap());
    for platform in manifest["spec"]["platforms"].as_array().unwrap() {
        let uri = platform["uri"].as_str().unwrap();
        let archive = folder.path().join(uri.rsplit_once('/').unwrap().1);
        let sum = sha256(&fs::read(archive).unwrap());
        assert_eq!(platform["sha256"], *sum, "{uri}");
    }
    // A checksum file is what sha256sum writes.
    let name = Platform::here().unwrap().archive(&project().tag());
    let sum = fs::read_to_string(folder.path().join(format!("{name}.sha256"))).unwrap();
    assert_eq!(sum, format!("{}  {name}\n", sha256(archive())));
    // One that is missing, or lacks the licence, is an error.
    fs::write(folder.path().join(&name), pack_without_licence()).unwrap();
    let why = krew::of_release(project(), folder.path())
        .unwrap_err()
        .to_string();
    assert!(why.contains("holds no"), "{why}");
    fs::remove_file(folder.path().join(&name)).unwrap();
    assert!(krew::of_release(project(), folder.path()).is_err());
}

fn pack_without_licence() -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    header.set_cksum();
    let binary = Platform::here().unwrap().binary();
    tar.append_data(&mut header, binary, std::io::empty())
        .unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

/// krew's own check, which also installs every platform's archive. It downloads them, from here.
#[test]
fn krews_own_check_accepts_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let downloads = serve(folder.path());
    let sum = |platform: Platform| {
        let path = folder.path().join(platform.archive(&project().tag()));
        Ok(sha256(&fs::read(path)?))
    };
    let path = folder.path().join("jobclean.yaml");
    let accepts = |manifest: &str| {
        fs::write(&path, manifest).unwrap();
        let mut check = Command::new(tools().join("validate-krew-manifest"));
        check
            .arg("-manifest")
            .arg(&path)
            .env(
                "PATH",
                path_after(&[&folder.path().join("bin"), plane().binaries().folder()]),
            )
            .env("HOME", folder.path());
        run(&mut check)
    };
    krew_on_path(folder.path());
    let manifest = krew::manifest(project(), &downloads, sum).unwrap();
    let output = accepts(&manifest);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("all 5 spec.platforms installed fine"),
        "{said}"
    );
    assert!(!said.contains("exceeds"), "{said}");

    // It would have said no.
    for (right, wrong) in [
        ("version: v", "version: "),
        ("arch: arm64", "arch: amd64"),
        ("bin: kubectl-jobclean.exe", "bin: kubectl-jobclean"),
        ("sha256: \"", "sha256: \"0"),
    ] {
        assert!(manifest.contains(right));
        let output = accepts(&manifest.replace(right, wrong));
        assert!(!output.status.success(), "accepted {wrong:?}");
    }
}

/// Serves the files of a folder on loopback until the tests end, and returns the address.
fn serve(folder: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let folder = folder.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let Some(request) = lines.next() else {
                continue;
            };
            // The rest of the head, to its empty line.
            lines
                .by_ref()
                .take_while(|line| !line.is_empty())
                .for_each(drop);
            let name = request
                .split(' ')
                .nth(1)
                .and_then(|path| path.rsplit('/').next());
            let file = name.and_then(|name| fs::read(folder.join(name)).ok());
            let (status, body) = match &file {
                Some(file) => ("200 OK", file.as_slice()),
                None => ("404 Not Found", [].as_slice()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            // A client that went away has found out by itself.
            let _ = (&stream).write_all(&[head.as_bytes(), body].concat());
        }
    });
    format!("http://{address}")
}

/// `kubectl krew install`, then the plugin as users call it, in an empty home. `kubectl krew uninstall` is left out: it
/// wants a clone of krew's index first.
#[test]
fn krew_installs_the_archive_and_kubectl_runs_it() {
    let home = tempfile::tempdir().unwrap();
    let release_folder = tempfile::tempdir().unwrap();
    release(release_folder.path());
    let manifest = home.path().join("jobclean.yaml");
    let text = krew::of_release(project(), release_folder.path()).unwrap();
    fs::write(&manifest, text).unwrap();
    let name = Platform::here().unwrap().archive(&project().tag());
    let archive = release_folder.path().join(name);
    let krew = krew_on_path(home.path());
    let bin = home.path().join(".krew").join("bin");
    let kubectl = || kubectl(home.path(), &[&bin, &krew]);

    let install = |manifest: &Path, archive: &Path| {
        let mut command = kubectl();
        command
            .args(["krew", "install", "--manifest"])
            .arg(manifest);
        command.arg("--archive").arg(archive);
        command
    };
    // With zeros for a checksum, as committed, it refuses.
    let committed = project().root.join("krew-manifest").join("jobclean.yaml");
    let refused = run(&mut install(&committed, &archive));
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("checksum"), "{said}");

    succeeds(&mut install(&manifest, &archive));
    let linked = bin.join("kubectl-jobclean");
    assert!(linked.symlink_metadata().unwrap().is_symlink());
    let version = succeeds(kubectl().args(["jobclean", "version"]));
    assert!(version.contains(&project().version), "{version}");

    let namespace = namespace_with_jobs(LABEL);
    let plan = succeeds(
        kubectl()
            .args([
                "jobclean",
                "-n",
                &namespace,
                "-L",
                LABEL,
                "-o",
                "name",
                "--dry-run=client",
            ])
            .env("KUBECONFIG", plane().kubeconfig()),
    );
    assert_eq!(plan, "job.batch/sync-2\njob.batch/sync-1\n");
    assert_eq!(jobs(&namespace), ["sync-1", "sync-2", "sync-3"]);
}

/// Filled in as krew-release-bot does, the template is the manifest.
#[test]
fn the_bots_template_becomes_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    release(folder.path());
    let tag = project().tag();
    let filled = read("krew-manifest/krew-release-bot.yaml").replace("{{ .TagName }}", &tag);
    let mut manifest = String::new();
    for line in filled.lines().filter(|line| !line.starts_with('#')) {
        let uri = line
            .trim()
            .strip_prefix("{{addURIAndSha \"")
            .and_then(|rest| rest.strip_suffix("\" .TagName }}"));
        match uri {
            Some(uri) => {
                let name = uri.rsplit_once('/').unwrap().1;
                let sum = sha256(&fs::read(folder.path().join(name)).unwrap());
                manifest.push_str(&format!("    uri: {uri}\n    sha256: '{sum}'\n"));
            }
            None => manifest.push_str(&format!("{line}\n")),
        }
    }
    let expected = krew::of_release(project(), folder.path()).unwrap();
    assert_eq!(yaml(&manifest), yaml(&expected));
}
