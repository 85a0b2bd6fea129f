//! The control plane: etcd, kube-apiserver and kube-controller-manager, started in that order on loopback.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use uuid::Uuid;

use crate::binaries::Binaries;
use crate::certs::{Authority, service_account_keys};
use crate::error::{Context, Error, Result};
use crate::etcd::Etcd;
use crate::launch::{ATTEMPTS, accepts, free_port, lost_its_port, start_etcd, wait_for};
use crate::process::{Folder, Server};

/// Generous, since tests may share two cores with a build; a start takes some six seconds.
const DEADLINE: Duration = Duration::from_secs(90);

/// The name and group of the user that [`ControlPlane::token`] stands for. It has no rights until a test gives some.
pub const TOKEN_USER: (&str, &str) = ("token-user", "jobclean-token");

/// Whether kube-controller-manager runs, and how many requests it may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controllers {
    /// It does not run.
    Off,
    /// A hundred times as many as by default: those are what a purge with `--cascade=foreground` would be waiting for.
    Fast,
    /// 20 a second for each controller, which is its default and what most clusters have.
    AtDefaultPace,
}

/// How to start a control plane.
pub struct Options {
    /// Whether the garbage collector and the controllers of namespaces and Jobs run, and how fast.
    pub controllers: Controllers,
    /// Further flags of kube-apiserver, such as `--max-requests-inflight=5`; the last of a kind wins.
    pub apiserver_flags: Vec<String>,
    /// The context's name in the admin kubeconfig.
    pub context: String,
    /// The folder in which the plane makes its own; the system's for temporary files if `None`.
    pub parent: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            controllers: Controllers::Fast,
            apiserver_flags: Vec::new(),
            context: "jobclean-test".into(),
            parent: None,
        }
    }
}

/// A running control plane. It ends when this is dropped or when this process ends, in whatever way.
pub struct ControlPlane {
    // Fields are dropped in this order: first the clients of each server, last the folder that all write to.
    controllers: Option<Server>,
    apiserver: Mutex<Option<Server>>,
    etcd_server: Mutex<Server>,
    pub(crate) etcd: Etcd,
    port: u16,
    authority: Authority,
    ca: String,
    token: String,
    context: String,
    kubeconfig: PathBuf,
    binaries: Binaries,
    apiserver_flags: Vec<String>,
    folder: Folder,
}

impl ControlPlane {
    /// Starts one and waits until it answers and has its `default` namespace.
    pub fn start(options: Options) -> Result<Self> {
        let binaries = Binaries::ensure()?;
        let folder = Folder::create(&options.parent.unwrap_or_else(env::temp_dir))?;
        for name in ["pki", "log", "home", "kubeconfig"] {
            let path = folder.path().join(name);
            fs::create_dir(&path).context(format_args!("cannot make {}", path.display()))?;
        }
        let deadline = Instant::now() + DEADLINE;
        let (etcd_server, etcd) = start_etcd(&binaries, folder.path(), deadline)?;
        let authority = Authority::new()?;
        let mut plane = Self {
            controllers: None,
            apiserver: Mutex::new(None),
            etcd_server: Mutex::new(etcd_server),
            etcd,
            port: 0,
            ca: authority.pem(),
            authority,
            token: Uuid::new_v4().to_string(),
            context: options.context,
            kubeconfig: PathBuf::new(),
            binaries,
            apiserver_flags: options.apiserver_flags,
            folder,
        };
        plane.write_pki()?;
        let mut attempt = 1;
        // Tries other ports if the one chosen is gone by the time that the server binds it.
        while let Err(why) = plane.start_kubernetes(options.controllers, deadline) {
            if attempt == ATTEMPTS || !lost_its_port(&why) {
                return Err(why);
            }
            attempt += 1;
        }
        Ok(plane)
    }

    fn write_pki(&self) -> Result<()> {
        let serving = self.authority.serving()?;
        let (private, public) = service_account_keys()?;
        let (user, group) = TOKEN_USER;
        self.write("pki/ca.crt", &self.ca)?;
        self.write("pki/serving.crt", &serving.certificate)?;
        self.write("pki/serving.key", &serving.key)?;
        self.write("pki/service-account.key", &private)?;
        self.write("pki/service-account.pub", &public)?;
        self.write(
            "pki/tokens.csv",
            &format!("{},{user},{user},\"{group}\"\n", self.token),
        )
        .map(drop)
    }

    /// Writes a file of this plane that only its user may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        let path = self.folder.path().join(name);
        let cannot = format!("cannot write {}", path.display());
        let options = fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path);
        options
            .context(&cannot)?
            .write_all(text.as_bytes())
            .context(&cannot)?;
        Ok(path)
    }

    fn start_kubernetes(&mut self, controllers: Controllers, deadline: Instant) -> Result<()> {
        self.port = free_port()?;
        self.kubeconfig = self.kubeconfig_for("jobclean-admin", &["system:masters"])?;
        self.start_apiserver(deadline)?;
        // It retries until kube-apiserver is ready, and loads while that gets there.
        self.controllers = match controllers {
            Controllers::Off => None,
            pace => Some(self.start_controllers(pace)?),
        };
        self.wait_until_ready(deadline)
    }

    fn start_apiserver(&self, deadline: Instant) -> Result<()> {
        let mut server = self.spawn_apiserver()?;
        wait_for(&mut server, deadline, || accepts(self.port))?;
        *unpoisoned(&self.apiserver) = Some(server);
        Ok(())
    }

    fn spawn_apiserver(&self) -> Result<Server> {
        let pki = |name: &str| {
            self.folder
                .path()
                .join("pki")
                .join(name)
                .display()
                .to_string()
        };
        let mut flags = vec![
            format!("--etcd-servers={}", self.etcd.url()),
            // Revisions stay, so that tests decide when a continue token expires.
            "--etcd-compaction-interval=0".into(),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.port),
            // Without these it looks for a route to the outside, which a sandbox may not have.
            "--advertise-address=127.0.0.1".into(),
            "--endpoint-reconciler-type=none".into(),
            "--service-cluster-ip-range=10.0.0.0/24".into(),
            "--authorization-mode=RBAC".into(),
            format!("--client-ca-file={}", pki("ca.crt")),
            format!("--token-auth-file={}", pki("tokens.csv")),
            format!("--tls-cert-file={}", pki("serving.crt")),
            format!("--tls-private-key-file={}", pki("serving.key")),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", pki("service-account.pub")),
            format!(
                "--service-account-signing-key-file={}",
                pki("service-account.key")
            ),
            // Pods must be possible in a namespace without service accounts, which no controller makes here.
            "--disable-admission-plugins=ServiceAccount".into(),
            "--max-requests-inflight=1000".into(),
            "--max-mutating-requests-inflight=1000".into(),
        ];
        flags.extend(self.apiserver_flags.iter().cloned());
        Server::start(
            "kube-apiserver",
            &self.binaries.kube_apiserver(),
            &flags,
            self.log("kube-apiserver"),
        )
    }

    fn start_controllers(&self, pace: Controllers) -> Result<Server> {
        let kubeconfig =
            self.kubeconfig_for("system:kube-controller-manager", &["system:masters"])?;
        let mut flags = vec![
            format!("--kubeconfig={}", kubeconfig.display()),
            "--controllers=garbage-collector-controller,namespace-controller,job-controller".into(),
            "--leader-elect=false".into(),
            // It serves nothing.
            "--secure-port=0".into(),
        ];
        if pace == Controllers::Fast {
            flags.extend(["--kube-api-qps=2000".into(), "--kube-api-burst=4000".into()]);
        }
        let name = "kube-controller-manager";
        Server::start(
            name,
            &self.binaries.kube_controller_manager(),
            &flags,
            self.log(name),
        )
    }

    fn wait_until_ready(&self, deadline: Instant) -> Result<()> {
        loop {
            // Readiness covers the RBAC bootstrap, not the namespaces.
            let ready = self
                .get_raw("/readyz")
                .and_then(|_| self.get_raw("/api/v1/namespaces/default"));
            let Err(why) = ready else { return Ok(()) };
            let mut apiserver = unpoisoned(&self.apiserver);
            let Some(server) = apiserver.as_mut() else {
                return Err(Error::new("kube-apiserver is not running"));
            };
            if server.has_ended() {
                return Err(Error::new(format!(
                    "kube-apiserver has ended; {}",
                    server.last_words()
                )));
            }
            if unpoisoned(&self.etcd_server).has_ended() {
                return Err(Error::new(format!(
                    "etcd has ended; {}",
                    unpoisoned(&self.etcd_server).last_words()
                )));
            }
            if Instant::now() > deadline {
                return Err(Error::new(format!(
                    "kube-apiserver is not ready: {why}; {}",
                    server.last_words()
                )));
            }
            drop(apiserver);
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Kills kube-apiserver as `kill -9` does and returns when it is gone.
    pub fn kill_apiserver(&self) {
        *unpoisoned(&self.apiserver) = None;
    }

    /// Starts kube-apiserver again on the same port (killing it first if it runs) and waits until it is ready.
    pub fn restart_apiserver(&self) -> Result<()> {
        self.kill_apiserver();
        let deadline = Instant::now() + DEADLINE;
        self.start_apiserver(deadline)?;
        self.wait_until_ready(deadline)
    }

    /// The admin's kubeconfig (group `system:masters`).
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// `https://127.0.0.1:PORT`.
    pub fn server_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The certificate authority that signed the server's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca
    }

    /// etcd's address, plain HTTP.
    pub fn etcd_url(&self) -> String {
        self.etcd.url()
    }

    /// The bearer token of [`TOKEN_USER`].
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The context's name in every kubeconfig of this plane.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The programs it runs.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The folder of this plane, removed with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The log of `etcd`, `kube-apiserver` or `kube-controller-manager`.
    pub fn log(&self, server: &str) -> PathBuf {
        self.folder
            .path()
            .join("log")
            .join(server)
            .with_added_extension("log")
    }

    /// A client certificate and its key, PEM, for `user` in at most two `groups`.
    pub fn client_certificate(&self, user: &str, groups: &[&str]) -> Result<(String, String)> {
        self.authority
            .client(user, groups)
            .map(|pair| (pair.certificate, pair.key))
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // All at once; the fields' own drops then wait for each.
        let mut apiserver = unpoisoned(&self.apiserver);
        let mut etcd = unpoisoned(&self.etcd_server);
        for server in self
            .controllers
            .as_mut()
            .into_iter()
            .chain(apiserver.as_mut())
            .chain([&mut *etcd])
        {
            server.release();
        }
    }
}

/// A panic of one test must not fail those that share the plane.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
