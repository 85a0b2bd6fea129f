//! A plan in a file, and the cluster that it is for.

use std::{io, path::Path, time::Duration};

use super::{
    show,
    whole_file::{self, Readers},
};
use crate::{
    cluster::Cluster,
    error::{Error, io_words},
    output::saved::{Identity, SavedPlan},
    plan::Source,
    ui::Ui,
};

/// Write a plan into a file, whole or not at all.
///
/// # Errors
/// If it cannot be written.
pub(super) fn save(saved: &SavedPlan, path: &Path) -> Result<(), Error> {
    whole_file::write(path, Readers::Own, |out| saved.write(out))
        .map_err(|error| cannot_save(path, &error))
}

/// Find out before anything is listed whether a plan can be saved under this path.
///
/// # Errors
/// If it cannot.
pub fn check_target(path: &Path) -> Result<(), Error> {
    whole_file::target(path)
        .map(drop)
        .map_err(|error| cannot_save(path, &error))
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
    chunk_size: u32,
    cluster: &Cluster,
    ui: &Ui,
) -> Result<SavedPlan, Error> {
    let saved = SavedPlan::load(path, chunk_size).map_err(|error| {
        Error::failure(format!("cannot carry out {}: {error}", path.display()))
            .hint("save the plan again with --save-plan")
    })?;
    let Source::Cluster { context, server } = &saved.plan.source else {
        return Err(Error::failure("a plan from a file cannot be carried out"));
    };
    let here = identity(cluster, ui).await?;
    let other = if *server != cluster.connection.server {
        Some("the server address differs")
    } else if saved.identity.ca_sha256 != here.ca_sha256 {
        Some("the certificate authority differs")
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
            name(&cluster.connection.context, &cluster.connection.server),
        ))
        .hint("name the context that it was made for with --context"));
    }
    cluster.has_shown(&saved.plan.resource_version);
    Ok(saved)
}

pub(super) async fn identity(cluster: &Cluster, ui: &Ui) -> Result<Identity, Error> {
    let mut on_wait = |delay: Duration, why: &str| {
        show::waiting(delay, "asking again which cluster this is", why, ui);
    };
    Ok(Identity {
        ca_sha256: cluster.connection.ca_sha256.clone(),
        uid: cluster.uid(&mut on_wait).await?,
    })
}
