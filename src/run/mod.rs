//! The story of a run, and what it says on the way.

mod clusters;
mod end;
mod explain;
mod file;
mod log;
mod restore;
mod role;
mod saved_plan;
mod session;
pub mod show;
pub mod stdout;
mod whole_file;

use tokio::sync::watch;

pub use self::{
    explain::{explain, explain_in_file},
    file::plan_file,
    restore::restore,
    role::print_role,
};

use self::{end::AtEnd, session::Session, show::Printer};
use crate::{
    cli::{OnCluster, Options, Shell, complete},
    error::{Error, Exit, Stop},
    output::View,
    plan::{Plan, max_purge::MaxPurge},
    purge::stop::unless_stopped,
    ui::Ui,
};

/// Clean a cluster. `stop` becomes something when the run is asked to stop.
///
/// # Errors
/// If anything goes wrong before the first delete.
pub async fn clean(
    wanted: &OnCluster,
    options: &Options,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
) -> Result<Exit, Error> {
    let printer = Printer::new(options);
    let mut at_end = AtEnd::begin(options);
    let max_purge = options.max_purge;
    let ended = match &wanted.several {
        None => story(wanted, max_purge, printer, ui, stop, &mut at_end).await,
        Some(several) => clusters::story(wanted, several, max_purge, printer, ui, stop).await,
    };
    let ended = ended.or_else(|ended| ended.settle(printer, ui));
    at_end.end(ended, ui)
}

async fn story(
    wanted: &OnCluster,
    max_purge: Option<MaxPurge>,
    printer: Printer,
    ui: &Ui,
    stop: watch::Receiver<Option<Stop>>,
    at_end: &mut AtEnd<'_>,
) -> Result<Exit, Ended> {
    let connecting = Session::connect(wanted, &wanted.connection, printer, ui, stop.clone());
    let mut session = unless_stopped(&stop, connecting).await??;
    let plan = session.plan().await?;
    at_end.plan(plan.shown());
    let plan = session.choose(plan).await?;
    let plan = session.check(plan, max_purge)?;
    let (plan, orders) = session.show(plan).await?;
    let approved = session.approve(plan).await?;
    let report = session.purge(approved, &orders).await;
    let report = session.wait(report, &orders).await;
    at_end.report(&report);
    Ok(session.report(&report, &orders).await)
}

/// A run that ends before its report: since it failed, since it was asked to, or since the plan was all that was wanted.
struct Ended {
    exit: Exit,
    error: Option<Error>,
    /// The plan that is not carried out and has not been printed.
    plan: Option<Box<Plan>>,
}

impl Ended {
    /// It ends with a plan that is not carried out.
    fn with_plan(exit: Exit, plan: Plan) -> Ended {
        Ended {
            exit,
            error: None,
            plan: Some(Box::new(plan)),
        }
    }

    /// Print what is left to print. A program that reads a document gets one in any case.
    fn settle(self, printer: Printer, ui: &Ui) -> Result<Exit, Error> {
        ui.finish();
        if let Some(plan) = &self.plan
            && (printer.is_for_programs() || printer.log().is_some())
        {
            printer.print_only(&[View::Plan(plan)], ui)?;
        }
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.exit),
        }
    }
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Ended {
        Ended {
            exit,
            error: None,
            plan: None,
        }
    }
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Ended {
        Exit::from(stop).into()
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended {
            exit: error.exit,
            error: Some(error),
            plan: None,
        }
    }
}

/// Print the version, as `kubectl jobclean version` does.
///
/// # Errors
/// If it cannot be written.
pub fn print_version() -> Result<Exit, Error> {
    stdout::write_only(|out| writeln!(out, "kubectl-jobclean {}", env!("CARGO_PKG_VERSION")))?;
    Ok(Exit::Success)
}

/// Print the script that completes the command line in a shell.
///
/// # Errors
/// If it cannot be written.
pub fn print_completion(shell: Shell) -> Result<Exit, Error> {
    stdout::write_only(|out| out.write_all(complete::script(shell).as_bytes()))?;
    Ok(Exit::Success)
}
