//! The control plane that stays: `up` leaves a process of this program behind that holds it, `down` ends that process.
//!
//! The servers end with the process that holds them, so its pid is all there is to remember. It is told from another
//! that got the same pid later by a word on its command line that no other process has.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, process, thread};

use controlplane::{
    Binaries, Context, ControlPlane, Controllers, Error, Etcd, Options, Result, SeedJob, cache,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The command of the process that stays.
pub const HOLD: &str = "hold";

/// Above the plane's own deadline.
const UP_DEADLINE: Duration = Duration::from_secs(120);
const DOWN_DEADLINE: Duration = Duration::from_secs(15);

/// What `up` remembers, in the cache folder.
struct Standing {
    folder: PathBuf,
}

/// The process that holds the plane.
struct Holder {
    pid: u64,
    word: String,
    kubeconfig: String,
    etcd: String,
}

/// What `up` is to start.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Whether it holds the sample Jobs.
    pub samples: bool,
    /// Whether kube-controller-manager runs, and how fast.
    pub controllers: Controllers,
}

impl Wanted {
    /// What flags of `up` ask for, which `hold` is given as they are; `None` if they are not understood.
    pub fn new(flags: &[&str]) -> Option<Self> {
        let mut wanted = Self {
            samples: true,
            controllers: Controllers::Fast,
        };
        for flag in flags {
            match *flag {
                "--empty" => wanted.samples = false,
                "--no-controllers" => wanted.controllers = Controllers::Off,
                "--default-pace" => wanted.controllers = Controllers::AtDefaultPace,
                _ => return None,
            }
        }
        Some(wanted)
    }

    fn of(flags: &[&str]) -> Result<Self> {
        let unknown = || Error::new(format!("not understood: {}", flags.join(" ")));
        Self::new(flags).ok_or_else(unknown)
    }
}

impl Standing {
    fn open() -> Result<(Self, File)> {
        let root = cache::root()?;
        fs::create_dir_all(&root).context(format_args!("cannot make {}", root.display()))?;
        let lock = cache::lock(
            &root.join("up.lock"),
            "another up or down is at work; waiting for it",
        )?;
        Ok((
            Self {
                folder: root.join("up"),
            },
            lock,
        ))
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state.json")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn holder(&self) -> Option<Holder> {
        let state: Value = serde_json::from_slice(&fs::read(self.state()).ok()?).ok()?;
        let text = |name: &str| state[name].as_str().map(str::to_owned);
        Some(Holder {
            pid: state["pid"].as_u64()?,
            word: text("word")?,
            kubeconfig: text("kubeconfig")?,
            // One that an older version of this program started does not tell.
            etcd: text("etcd").unwrap_or_default(),
        })
    }

    fn remove(&self) -> Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .context(format_args!("cannot remove {}", self.folder.display()))?;
        }
        Ok(())
    }
}

impl Holder {
    /// Whether the process with this pid is still the one that `up` started.
    fn is_alive(&self) -> Result<bool> {
        let ps = Command::new("ps")
            .args(["-ww", "-o", "args=", "-p", &self.pid.to_string()])
            .output();
        let ps = ps.context("cannot run ps, by which the process is recognised")?;
        Ok(String::from_utf8_lossy(&ps.stdout)
            .split_whitespace()
            .any(|word| word == self.word))
    }

    fn say_how_to_use(&self) {
        println!("export KUBECONFIG='{}'", self.kubeconfig);
        eprintln!(
            "run the line above (or eval \"$(cargo controlplane up)\"), then try: kubectl jobclean --all-namespaces"
        );
        eprintln!("take it down with: cargo controlplane down");
    }
}

/// Starts the plane that stays and tells how to use it.
pub fn up(flags: &[&str]) -> Result<ExitCode> {
    let wanted = Wanted::of(flags)?;
    let (standing, _lock) = Standing::open()?;
    if let Some(holder) = standing.holder()
        && holder.is_alive()?
    {
        eprintln!("one is up already");
        holder.say_how_to_use();
        return Ok(ExitCode::SUCCESS);
    }
    // A build shows its progress here rather than in the log of a background process.
    let binaries = Binaries::ensure()?;
    standing.remove()?;
    fs::create_dir_all(&standing.folder)
        .context(format_args!("cannot make {}", standing.folder.display()))?;
    eprintln!("starting the control plane");
    let mut held = spawn_hold(&standing, flags)?;
    let deadline = Instant::now() + UP_DEADLINE;
    let holder = loop {
        if let Some(holder) = standing.holder() {
            break holder;
        }
        let ended = held
            .try_wait()
            .context("cannot wait for the control plane")?
            .is_some();
        if ended || Instant::now() > deadline {
            // This child is ours and not waited for, so it is still the same process.
            let _ = held.kill();
            let _ = held.wait();
            let log = fs::read_to_string(standing.log()).unwrap_or_default();
            return Err(Error::new(format!(
                "the control plane did not come up:\n{}",
                log.trim_end()
            )));
        }
        thread::sleep(Duration::from_millis(100));
    };
    if wanted.samples {
        eprintln!(
            "it is up and holds sample Jobs; kubectl is in {}",
            binaries.folder().display()
        );
    } else {
        eprintln!(
            "it is up and empty; kubectl is in {}",
            binaries.folder().display()
        );
    }
    holder.say_how_to_use();
    Ok(ExitCode::SUCCESS)
}

/// `nohup`, a process group and a log of its own: the terminal may go, it stays.
fn spawn_hold(standing: &Standing, flags: &[&str]) -> Result<process::Child> {
    use std::os::unix::process::CommandExt as _;
    let program = env::current_exe().context("cannot find this program")?;
    let log = || {
        File::options()
            .create(true)
            .append(true)
            .open(standing.log())
            .context("cannot write a log")
    };
    let word = format!(
        "jobclean-{}-{}",
        process::id(),
        Timestamp::now().as_nanosecond()
    );
    let mut command = Command::new("nohup");
    command
        .arg(program)
        .arg(HOLD)
        .arg(&standing.folder)
        .arg(word)
        .args(flags);
    command
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log()?)
        .stderr(log()?);
    command
        .spawn()
        .context("cannot start the process that holds the control plane")
}

/// Holds a plane until this process is ended.
pub fn hold(args: &[&str]) -> Result<ExitCode> {
    let [folder, word, flags @ ..] = args else {
        return Err(Error::new("`hold` is for `up` to call"));
    };
    let wanted = Wanted::of(flags)?;
    let standing = Standing {
        folder: PathBuf::from(folder),
    };
    let options = Options {
        context: "jobclean-play".into(),
        controllers: wanted.controllers,
        parent: Some(standing.folder.clone()),
        ..Options::default()
    };
    let plane = ControlPlane::start(options)?;
    plane.serve_gitops_kinds()?;
    if wanted.samples {
        let now = Timestamp::now();
        plane.seed_samples(now)?;
        plane.seed_sample_applications(now)?;
    }
    let state = json!({
        "pid": process::id(),
        "word": word,
        "kubeconfig": plane.kubeconfig(),
        "etcd": plane.etcd_url(),
    });
    write_whole(&standing.state(), &state.to_string())?;
    loop {
        thread::park();
    }
}

/// Under its name only when complete, since `up` waits for that name.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let cannot = format!("cannot write {}", path.display());
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text).context(&cannot)?;
    fs::rename(&unfinished, path).context(&cannot)
}

/// Writes Jobs into the plane that stays, with a Pod for each that has finished if they are wanted.
pub fn seed(jobs: impl Iterator<Item = SeedJob>, with_pods: bool) -> Result<ExitCode> {
    let (standing, _lock) = Standing::open()?;
    let holder = match standing.holder() {
        Some(holder) if holder.is_alive()? => holder,
        _ => {
            return Err(Error::new(
                "none is up; start one with: cargo controlplane up --empty",
            ));
        }
    };
    let jobs: Vec<SeedJob> = jobs.collect();
    let etcd = Etcd::at(&holder.etcd)?;
    etcd.seed(&jobs)?;
    if with_pods {
        etcd.seed_pods(&jobs)?;
    }
    eprintln!("{} Jobs written", jobs.len());
    Ok(ExitCode::SUCCESS)
}

/// Ends the plane that stays and removes what it held.
pub fn down() -> Result<ExitCode> {
    let (standing, _lock) = Standing::open()?;
    let Some(holder) = standing.holder() else {
        standing.remove()?;
        eprintln!("none is up");
        return Ok(ExitCode::SUCCESS);
    };
    if holder.is_alive()? {
        let pid = holder.pid.to_string();
        Command::new("kill")
            .arg(&pid)
            .status()
            .context("cannot run kill")?;
        let deadline = Instant::now() + DOWN_DEADLINE;
        // Its own folder goes when its servers are gone.
        while holder.is_alive()? || Path::new(&holder.kubeconfig).exists() {
            if Instant::now() > deadline {
                return Err(Error::new(format!(
                    "process {pid} was told to end and has not"
                )));
            }
            thread::sleep(Duration::from_millis(100));
        }
        eprintln!("taken down");
    } else {
        eprintln!("the one that was up has ended; removing what it left");
    }
    standing.remove()?;
    Ok(ExitCode::SUCCESS)
}
