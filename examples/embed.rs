//! Clean a namespace from a program of your own, which has a client already.
//!
//! ```text
//! cargo run --example embed -- NAMESPACE LABEL
//! ```
//!
//! It plans, prints what the plan would purge, purges it, and waits until the Jobs are gone.

use std::{env, error::Error, time::Duration};

use kube::Client;
use kubectl_jobclean::{
    Cleaner,
    plan::{report::Report, retention::Policy, rules::Retention},
    purge::Event,
};

#[tokio::main(flavor = "current_thread")]
#[allow(dead_code, reason = "a test calls clean() by itself")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let [namespace, label] = words.as_slice() else {
        return Err("usage: embed NAMESPACE LABEL".into());
    };
    let report = clean(Client::try_default().await?, namespace, label).await?;
    for (outcome, jobs) in report.counts().iter() {
        println!("{outcome}: {jobs}");
    }
    Ok(())
}

/// Keep the two newest Jobs of each value of a label in a namespace, and delete the rest.
pub async fn clean(client: Client, namespace: &str, label: &str) -> Result<Report, Box<dyn Error>> {
    let cleaner = Cleaner::new(client)
        .namespace(namespace)
        .label(label.parse()?)
        .policy(Policy {
            defaults: Retention {
                keep: 2.try_into()?,
                ..Retention::default()
            },
            ..Policy::default()
        });
    // Nothing is changed yet. An error here means that there is no plan.
    let plan = cleaner.plan().await?;
    for job in plan.purges() {
        println!("would purge {}/{}", job.namespace(), job.name());
    }
    // The Jobs are listed again, and only what still holds is deleted.
    let report = cleaner
        .purge(plan, |event| {
            if let Event::Settled { job, outcome } = event {
                println!("{}/{}: {}", job.namespace(), job.name(), outcome.as_str());
            }
        })
        .await?;
    // The server has accepted the deletes. The Jobs go when their Pods are gone.
    let minute = Duration::from_secs(60);
    Ok(cleaner.wait(report, Some(minute), |_| {}).await)
}
