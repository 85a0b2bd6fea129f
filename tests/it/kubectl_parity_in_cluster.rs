//! In a Pod: kubectl and this tool side by side with a service account where the kubelet mounts it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::kubeconfig::{Files, config};
use crate::support::listener::Listener;
use crate::support::side_by_side::{SideBySide, service_account};
use crate::support::stub;
use crate::support::{Space, plane, run};

const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How a folder of a test comes to be where the kubelet would mount it. Neither program can be told another place.
enum Mount {
    /// In a mount namespace that ends with the program; with these words before it.
    Namespace(Vec<OsString>),
    /// Really, on a machine that has none; with what is to be removed afterwards.
    Real(PathBuf),
}

impl Mount {
    /// By the first way that this machine allows.
    fn find() -> Self {
        for how in [&["--mount"][..], &["--map-root-user", "--mount"]] {
            let mut probe = Command::new("unshare");
            probe
                .args(how)
                .args(["mount", "-t", "tmpfs", "none", "/var/run"]);
            probe.stdin(Stdio::null()).stderr(Stdio::null());
            if probe.status().is_ok_and(|status| status.success()) {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let mut folders = std::env::split_paths(&path);
                let unshare = folders.find_map(|folder| {
                    let unshare = folder.join("unshare");
                    unshare.is_file().then_some(unshare)
                });
                let mut words = vec![unshare.unwrap().into_os_string()];
                words.extend(how.iter().map(OsString::from));
                return Self::Namespace(words);
            }
        }
        let folder = Path::new(FOLDER);
        assert!(
            !folder.exists(),
            "{FOLDER} is taken: this needs unshare with mount, or a machine that is no Pod"
        );
        let missing = folder.ancestors().take_while(|path| !path.exists()).last();
        let missing = missing.unwrap().to_owned();
        fs::create_dir_all(folder).unwrap_or_else(|why| {
            panic!("this needs unshare with mount, or the right to make {FOLDER}: {why}")
        });
        Self::Real(missing)
    }

    /// The pair with the files of this folder there.
    fn apply<'a>(&self, pair: SideBySide<'a>, files: &Path) -> SideBySide<'a> {
        match self {
            Self::Namespace(words) => {
                let script = format!(
                    "PATH=/usr/sbin:/usr/bin:/sbin:/bin; \
                     mount -t tmpfs none /var/run && mkdir -p {FOLDER} && \
                     cp '{}'/* {FOLDER} && exec \"$@\"",
                    files.display()
                );
                let further = ["/bin/sh", "-c", &script, "in-a-pod"].map(OsString::from);
                pair.under(words.iter().cloned().chain(further))
            }
            Self::Real(_) => {
                for old in fs::read_dir(FOLDER).unwrap() {
                    fs::remove_file(old.unwrap().path()).unwrap();
                }
                for new in fs::read_dir(files).unwrap() {
                    let new = new.unwrap();
                    fs::copy(new.path(), Path::new(FOLDER).join(new.file_name())).unwrap();
                }
                pair
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Self::Real(path) = self {
            fs::remove_dir_all(path).unwrap();
        }
    }
}

/// One after the other, since they may share the folder.
#[test]
fn a_pod_has_an_account_and_a_namespace() {
    let (files, space) = (Files::new(), Space::new());
    let mount = Mount::find();
    let (token, account) = service_account(&space, "pod");
    let door = Listener::plain(&plane().server_url());
    let (host, port) = door.address.split_once(':').unwrap();
    fs::create_dir(files.path("pod")).unwrap();
    files.write("pod/token", &token);
    files.write("pod/ca.crt", plane().ca_pem());
    files.write("pod/namespace", &format!("{}\n", space.name));
    let pod = || {
        mount.apply(
            SideBySide::new(&files).door("pod", &door),
            &files.path("pod"),
        )
    };
    let told = || {
        pod()
            .env("KUBERNETES_SERVICE_HOST", host)
            .env("KUBERNETES_SERVICE_PORT", port)
    };

    let seen = told().agree();
    seen.is(&account, &["pod"]);
    assert_eq!(seen.known().namespace, space.name.as_str());
    let seen = told().args(&["--namespace=by-flag"]).agree();
    assert_eq!(seen.known().namespace, "by-flag");
    // A Pod may be told its namespace.
    let seen = told().env("POD_NAMESPACE", "told").agree();
    assert_eq!(seen.known().namespace, "told");
    let seen = told().env("POD_NAMESPACE", "").agree();
    assert_eq!(seen.known().namespace, space.name.as_str());

    // A kubeconfig goes first; where its context names no namespace, the Pod's applies.
    let (cluster, ada) = (files.cluster(), files.user("ada", &[]));
    let whole = files.simple("whole", &cluster, &ada);
    let seen = told().env("KUBECONFIG", &whole).agree();
    seen.is("ada", &[]);
    assert_eq!(seen.known().namespace, space.name.as_str());
    let context = json!({"cluster": "only", "user": "only", "namespace": "default"});
    let named = config(
        &[("only", &cluster)],
        &[("only", &ada)],
        &[("only", context)],
        Some("only"),
    );
    let named = files.write("named", &named.to_string());
    assert_eq!(
        told().env("KUBECONFIG", named).agree().known().namespace,
        "default"
    );
    // Outside of Pods it does not.
    let seen = pod().env("KUBECONFIG", &whole).agree();
    assert_eq!(seen.known().namespace, "default");

    // A server that is named is not the Pod's, and is not given its token.
    let stub = stub::Stub::new(|_| stub::list(&[]));
    run(told().args(&["-s", &stub.url]).tool(&["--dry-run=client"])).exits(0);
    let asked = stub.asked().remove(0);
    assert!(!asked.headers.contains("authorization"), "{asked:?}");
    assert!(
        asked
            .target
            .contains(&format!("/namespaces/{}/", space.name)),
        "{asked:?}"
    );

    // Told whom to play, kubectl does not take itself for a Pod and asks localhost:8080. This tool is the service account
    // and plays whom it is told.
    let playing = told().args(&["--as=nobody"]);
    let kubectl = playing.kubectl_seen();
    assert!(
        kubectl.run.err.contains("localhost:8080"),
        "{}",
        kubectl.run.story()
    );
    let tool = playing.tool_seen();
    tool.run.exits(1).complains(&[&account, "impersonate"]);

    // A file that KUBECONFIG names and that is missing must not make this the service account's business.
    let lost = told().env("KUBECONFIG", files.path("missing"));
    assert_eq!(lost.kubectl_seen().user(), account);
    lost.tool_seen().run.fails_clearly(&["missing"]);

    fs::remove_file(files.path("pod/namespace")).unwrap();
    assert_eq!(told().agree().known().namespace, "default");
    // Neither without a token, nor without being told the server's address, is it a Pod.
    pod().tool_seen().run.fails_clearly(&["not a Pod"]);
    fs::remove_file(files.path("pod/token")).unwrap();
    told().tool_seen().run.fails_clearly(&["not a Pod"]);
}
