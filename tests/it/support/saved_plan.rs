//! Plans in files, and Jobs to plan for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::document;
use super::kubeconfig::{Files, arg};
use super::{Run, Space, plane, run, tool};

/// A plan in a file.
pub struct Saved {
    /// Where it and what a test puts beside it is.
    pub files: Files,
    /// The file.
    pub path: PathBuf,
}

impl Saved {
    /// The admin's plan of this namespace.
    #[track_caller]
    pub fn of(space: &Space, args: &[&str]) -> Self {
        Self::by(space.tool(args))
    }

    /// The plan that the tool makes with these arguments.
    #[track_caller]
    pub fn by(mut tool: Command) -> Self {
        let files = Files::new();
        let path = files.path("plan.json");
        tool.arg("--save-plan").arg(&path);
        run(tool).exits(0);
        let saved = Self { files, path };
        document::valid(saved.document());
        saved
    }

    /// What is in the file.
    pub fn document(&self) -> Value {
        serde_json::from_slice(&fs::read(&self.path).unwrap()).unwrap()
    }

    /// Writes the document with a change.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut document = self.document();
        change(&mut document);
        fs::write(&self.path, document.to_string()).unwrap();
    }

    /// The tool that is to carry it out, as the admin.
    pub fn tool(&self, args: &[&str]) -> Command {
        self.tool_as(plane().kubeconfig(), args)
    }

    /// The same as the user of this kubeconfig.
    pub fn tool_as(&self, kubeconfig: &Path, args: &[&str]) -> Command {
        let mut command = tool();
        command
            .args(["--plan", arg(&self.path), "--kubeconfig", arg(kubeconfig)])
            .args(["--cascade=background"])
            .args(args);
        command
    }

    /// Runs that.
    pub fn run(&self, args: &[&str]) -> Run {
        run(self.tool(args))
    }
}

/// Two groups, `g` of `sync-1` to `sync-4` and `h` of `other-1`; the highest number is the newest.
pub fn space() -> Space {
    let space = Space::with(&[
        ("sync-1", 40),
        ("sync-2", 30),
        ("sync-3", 20),
        ("sync-4", 10),
    ]);
    space.seed(&[space.job("h", "other-1", 10)]);
    space
}

/// The Job of this place in the group `g`.
pub fn job(plan: &mut Value, place: usize) -> &mut Value {
    &mut plan["groups"][0]["jobs"][place]
}
