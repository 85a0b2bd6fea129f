//! The real kubectl and the tool side by side: the same files, flags and environment, and who and where each turns out
//! to be.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::audit;
use super::kubeconfig::Files;
use super::listener::Listener;
use super::tool::{PROGRAM, Run};
use super::{Space, plane, run};

/// What both are started with.
#[derive(Clone)]
pub struct SideBySide<'a> {
    home: PathBuf,
    folder: PathBuf,
    env: Vec<(&'a str, OsString)>,
    args: Vec<String>,
    doors: Vec<(&'a str, &'a Listener)>,
    /// Further words before each of the programs.
    under: Vec<OsString>,
}

/// Who one of them was to the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    /// A user that the server knows, allowed to do it or not.
    Known(Box<Known>),
    /// A user that the server does not know.
    Stranger,
    /// It did not come to that: no server was asked, or none answered.
    Unasked,
}

/// A user, as kube-apiserver logged it.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The user behind the credentials.
    pub user: Value,
    /// Whom this user plays.
    pub played: Value,
    /// The namespace that was asked about.
    pub namespace: Value,
}

/// What became of one of them.
#[derive(Debug)]
pub struct Seen {
    /// Who it was.
    pub who: Who,
    /// What it asked for at each door: the door's name alone, or with the target.
    pub doors: Vec<String>,
    /// The program's own words.
    pub run: Run,
}

impl Seen {
    /// Who it was, or a failure.
    #[track_caller]
    pub fn known(&self) -> &Known {
        match &self.who {
            Who::Known(known) => known,
            other => panic!("{other:?}\n{}", self.run.story()),
        }
    }

    /// The name of the user behind the credentials.
    #[track_caller]
    pub fn user(&self) -> &str {
        self.known().user["username"].as_str().unwrap()
    }

    /// Fails unless it is this user by these doors.
    #[track_caller]
    pub fn is(&self, user: &str, doors: &[&str]) {
        assert_eq!(self.user(), user, "{}", self.run.story());
        assert_eq!(self.doors, doors, "{}", self.run.story());
    }
}

impl<'a> SideBySide<'a> {
    /// Both with an empty home.
    pub fn new(files: &Files) -> Self {
        let home = files.path("home");
        fs::create_dir_all(&home).unwrap();
        Self {
            folder: home.clone(),
            home,
            env: Vec::new(),
            args: Vec::new(),
            doors: Vec::new(),
            under: Vec::new(),
        }
    }

    /// Both on a kubeconfig of one context.
    pub fn on(files: &Files, cluster: &Value, user: &Value) -> Self {
        let path = files.simple("config", cluster, user);
        Self::new(files).env("KUBECONFIG", path)
    }

    /// With a variable in the environment.
    pub fn env(mut self, name: &'a str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// With more flags.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Watching a door.
    pub fn door(mut self, name: &'a str, door: &'a Listener) -> Self {
        self.doors.push((name, door));
        self
    }

    /// Started in this folder.
    pub fn within(mut self, folder: PathBuf) -> Self {
        self.folder = folder;
        self
    }

    /// Started by this program.
    pub fn under(mut self, words: impl IntoIterator<Item = OsString>) -> Self {
        self.under = words.into_iter().collect();
        self
    }

    fn command(&self, program: PathBuf) -> Command {
        let mut words = self.under.clone();
        words.push(program.into());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("HOME", &self.home)
            .env("KUBERC", "off")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
        command
    }

    /// kubectl with these arguments and the pair's own.
    pub fn kubectl(&self, args: &[&str]) -> Command {
        let mut command = self.command(plane().kubectl());
        command.args(args).args(&self.args);
        command
    }

    /// The tool with these arguments and the pair's own.
    pub fn tool(&self, args: &[&str]) -> Command {
        let mut command = self.command(PROGRAM.into());
        command.args(args).args(&self.args);
        command
    }

    /// What becomes of kubectl.
    #[track_caller]
    pub fn kubectl_seen(&self) -> Seen {
        let mark = mark();
        self.seen(
            self.kubectl(&["get", "jobs", "-o", "name", "-l", &mark]),
            &mark,
        )
    }

    /// What becomes of the tool.
    #[track_caller]
    pub fn tool_seen(&self) -> Seen {
        let mark = mark();
        self.seen(self.tool(&["--dry-run=client", "-L", &mark]), &mark)
    }

    /// Fails unless both are the same to the server, by the same doors; returns the tool's part.
    #[track_caller]
    pub fn agree(&self) -> Seen {
        let (kubectl, tool) = (self.kubectl_seen(), self.tool_seen());
        let story = || format!("{}\n\n{}", kubectl.run.story(), tool.run.story());
        assert_eq!(kubectl.who, tool.who, "kubectl, tool:\n{}", story());
        assert_eq!(kubectl.doors, tool.doors, "kubectl, tool:\n{}", story());
        tool
    }

    /// Fails unless the server knows neither user, and the tool says why, with these words; returns its part.
    #[track_caller]
    pub fn refuse(&self, words: &[&str]) -> Seen {
        let seen = self.agree();
        assert!(
            !matches!(seen.who, Who::Known(_)),
            "{:?}\n{}",
            seen.who,
            seen.run.story()
        );
        for word in words {
            assert!(
                seen.run.err.contains(word),
                "{word:?}\n{}",
                seen.run.story()
            );
        }
        seen
    }

    #[track_caller]
    fn seen(&self, command: Command, mark: &str) -> Seen {
        for (_, door) in &self.doors {
            door.take();
        }
        let run = run(command);
        let said = run.err.to_lowercase();
        let who = if run.code == Some(0) || said.contains("forbidden") {
            let event = audit::wait_for_mark(mark);
            Who::Known(Box::new(Known {
                user: event["user"].clone(),
                played: event["impersonatedUser"].clone(),
                namespace: event["objectRef"]["namespace"].clone(),
            }))
        } else if said.contains("unauthorized") {
            Who::Stranger
        } else {
            Who::Unasked
        };
        let mut doors = Vec::new();
        for (name, door) in &self.doors {
            for asked in door.take() {
                doors.push(format!("{name} {asked}").trim_end().to_owned());
            }
        }
        Seen { who, doors, run }
    }
}

/// A label key that nothing has, by which a request is found again.
fn mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("mark-{}-{next}-end", process::id())
}

/// A token of a service account of this name, whose user the server knows as `system:serviceaccount:NS:NAME`.
pub fn service_account(space: &Space, name: &str) -> (String, String) {
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": space.name},
    });
    plane().kubectl_apply(&account.to_string()).unwrap();
    let token = plane().kubectl_run(["create", "token", name, "--namespace", &space.name]);
    let user = format!("system:serviceaccount:{}:{name}", space.name);
    (token.unwrap().trim().to_owned(), user)
}
