//! A plan in a file, and the cluster that it is for.

use std::{io, path::Path, time::Duration};

use super::Session;
use crate::{
    cli::Cli,
    cluster::Cluster,
    error::{Error, io_words},
    output::extras::Identity,
    plan::{Plan, Source},
    saved::SavedPlan,
    ui::{Ui, Verbosity},
};

impl Session<'_> {
    /// Write a plan into a file, with what tells this cluster from another.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn save(&self, plan: Plan, path: &Path) -> Result<(), Error> {
        let saved = SavedPlan {
            plan,
            query: self.query.clone(),
            policy: self.policy.clone(),
            identity: identity(&self.cluster, self.ui).await?,
        };
        saved
            .save(path)
            .map_err(|error| cannot_save(path, &error))?;
        self.ui.note(
            Verbosity::Normal,
            &format!(
                "saved; kubectl jobclean --plan {} carries it out",
                path.display()
            ),
        );
        Ok(())
    }
}

/// Find out before anything is listed whether a plan can be saved under this path.
///
/// # Errors
/// If it cannot.
pub fn check_target(path: &Path) -> Result<(), Error> {
    let target = SavedPlan::target(path);
    target.map(drop).map_err(|error| cannot_save(path, &error))
}

fn cannot_save(path: &Path, error: &io::Error) -> Error {
    let message = format!(
        "cannot save the plan as {}: {}",
        path.display(),
        io_words(error)
    );
    Error::failure(message).hint("name a file in a folder that you may write to")
}

/// Read a saved plan, and make sure that this is the cluster that it was made for.
pub(super) async fn load(
    path: &Path,
    cli: &Cli,
    cluster: &Cluster,
    ui: &Ui,
) -> Result<SavedPlan, Error> {
    let saved = SavedPlan::load(path, cli.action.chunk_size).map_err(|error| {
        Error::failure(format!("cannot carry out {}: {error}", path.display()))
            .hint("save the plan anew with --save-plan")
    })?;
    let Source::Cluster { context, server } = &saved.plan.source else {
        return Err(Error::failure("a plan from a file cannot be carried out"));
    };
    let here = identity(cluster, ui).await?;
    let other = if *server != cluster.server {
        Some("the server's address is another")
    } else if saved.identity.ca_sha256 != here.ca_sha256 {
        Some("its certificate authority is another")
    } else if matches!((&saved.identity.uid, &here.uid), (Some(a), Some(b)) if a != b) {
        Some("it is another cluster behind the same address")
    } else {
        None
    };
    if let Some(why) = other {
        let name = |context: &str, server: &str| match context {
            "" => server.to_owned(),
            context => format!("{context} ({server})"),
        };
        return Err(Error::failure(format!(
            "cannot carry out {}: it was made for {}, and this is {}: {why}",
            path.display(),
            name(context, server),
            name(&cluster.context, &cluster.server),
        ))
        .hint("name the context that it was made for with --context"));
    }
    cluster.has_shown(&saved.plan.resource_version);
    Ok(saved)
}

async fn identity(cluster: &Cluster, ui: &Ui) -> Result<Identity, Error> {
    let mut on_wait = |delay: Duration, why: &str| {
        let seconds = delay.as_secs_f32();
        ui.note(
            Verbosity::Verbose,
            &format!("waiting {seconds:.1} s before asking again which cluster this is: {why}"),
        );
    };
    Ok(Identity {
        ca_sha256: cluster.ca_sha256.clone(),
        uid: cluster.uid(&mut on_wait).await?,
    })
}
