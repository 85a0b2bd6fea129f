//! The library in a program that has a client, against the real API server.

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use kubectl_jobclean::{Cleaner, plan::report::Outcome};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::support::{ApiClient, LABEL, Space, plane, until};

#[path = "../../examples/embed.rs"]
mod example;

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

async fn client() -> Client {
    let kubeconfig = Kubeconfig::read_from(plane().kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    Client::try_from(config.unwrap()).unwrap()
}

async fn cleaner(space: &Space) -> Cleaner {
    Cleaner::new(client().await)
        .namespace(&*space.name)
        .label(LABEL.parse().unwrap())
}

#[test]
fn the_example_keeps_the_two_newest() {
    let space = Space::with(&[("sync-1", 4), ("sync-2", 3), ("sync-3", 2), ("sync-4", 1)]);
    let report = runtime().block_on(async {
        let client = client().await;
        example::clean(client, &space.name, LABEL).await.unwrap()
    });
    assert_eq!(report.outcomes, [Outcome::Deleted, Outcome::Deleted]);
    space.holds(&["sync-3", "sync-4"]);
}

#[test]
fn what_has_changed_since_the_plan_is_left_alone() {
    let space = Space::three();
    let report = runtime().block_on(async {
        let cleaner = cleaner(&space).await.page_size(1);
        let plan = cleaner.plan().await.unwrap();
        let names: Vec<&str> = plan.purges().map(|job| job.name()).collect();
        assert_eq!(names, ["sync-2", "sync-1"]);
        let keep = json!({"metadata": {"annotations": {"jobclean/keep": "true"}}});
        ApiClient::admin(plane()).patch_job(&space.name, "sync-2", &keep);
        cleaner.purge(plan, |_| {}).await.unwrap()
    });
    assert!(matches!(
        report.outcomes[..],
        [Outcome::Changed(_), Outcome::Terminating]
    ));
    until("the Job is gone", || space.names().len() == 2);
    space.holds(&["sync-2", "sync-3"]);
}

#[test]
fn a_dry_run_deletes_nothing() {
    let space = Space::three();
    let report = runtime().block_on(async {
        let cleaner = cleaner(&space).await.dry_run();
        let plan = cleaner.plan().await.unwrap();
        cleaner.purge(plan, |_| {}).await.unwrap()
    });
    let would_delete = [Outcome::WouldDelete, Outcome::WouldDelete];
    assert_eq!(report.outcomes, would_delete);
    space.holds(&["sync-1", "sync-2", "sync-3"]);
}

#[test]
fn a_plan_that_cannot_be_made_is_an_error() {
    let error = runtime().block_on(async {
        let config = Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = Client::try_from(config).unwrap();
        Cleaner::new(client).plan().await.unwrap_err()
    });
    let said = "cannot talk to the API server: connection refused";
    assert_eq!(error.message, said);
}
