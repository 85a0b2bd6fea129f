//! One Job created again.

use http::{Request, StatusCode, header};
use kube::client::Body;
use serde_json::Value;

use super::{
    Cluster,
    retry::{CallError, Trouble, Unanswered},
    uri::{build, jobs_path},
};
use crate::cluster::delete::Effect;

/// What the server answered to the creation of a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there, or would be if it were no dry run.
    Created,
    /// The same, but it is not suspended, though it was to be: something in the cluster has changed it.
    NotSuspended,
    /// A Job of its name is there already, and stays as it is.
    Exists,
}

impl Cluster {
    /// Try once to create a Job that is suspended. One that is there is never changed.
    ///
    /// # Errors
    /// If the server refuses, or gives no answer that settles anything.
    pub async fn create(
        &self,
        namespace: &str,
        job: &Value,
        effect: Effect,
    ) -> Result<Created, CallError> {
        let mut uri = format!(
            "{}?fieldManager=kubectl-jobclean",
            jobs_path(Some(namespace))
        );
        if effect == Effect::DryRun {
            uri += "&dryRun=All";
        }
        let request = Request::post(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json");
        let body = serde_json::to_vec(job).expect("JSON is plain data");
        let request = build(request, Body::from(body))?;
        let answer = self.connection.call(request).await?;
        let created = || {
            let created: Value = serde_json::from_slice(&answer.body).ok()?;
            let is_job =
                created["kind"] == "Job" && created["metadata"]["name"] == job["metadata"]["name"];
            is_job.then(|| {
                if created["spec"]["suspend"] == true {
                    Created::Created
                } else {
                    Created::NotSuspended
                }
            })
        };
        if matches!(answer.status, StatusCode::CREATED | StatusCode::OK)
            && let Some(created) = created()
        {
            return Ok(created);
        }
        match answer.status {
            status if status.is_success() => {
                let why = "the answer is not what an API server answers to this";
                Err(Unanswered::new(Trouble::NoAnswer, why).into())
            }
            StatusCode::CONFLICT if answer.reason() == "AlreadyExists" => Ok(Created::Exists),
            _ if answer.is_transient() => Err(Unanswered::from(&answer).into()),
            _ => Err(CallError::Refused(answer.words())),
        }
    }
}
