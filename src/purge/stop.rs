//! Work that ends when the run is asked to stop.

use tokio::sync::watch;

use crate::error::Stop;

/// Do something, unless the run is asked to stop meanwhile.
pub async fn unless_stopped<T>(
    stop: &watch::Receiver<Option<Stop>>,
    work: impl Future<Output = T>,
) -> Result<T, Stop> {
    let mut stop = stop.clone();
    tokio::select! {
        done = work => Ok(done),
        reason = stopped(&mut stop) => Err(reason),
    }
}

/// Wait until the run is asked to stop.
pub async fn stopped(stop: &mut watch::Receiver<Option<Stop>>) -> Stop {
    match stop.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        // The sender is gone, so nothing will ask any more.
        _ => std::future::pending().await,
    }
}
