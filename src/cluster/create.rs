//! One Job created again.

use std::hash::{BuildHasher, RandomState};

use http::{Request, StatusCode, header};
use kube::client::Body;
use serde_json::Value;

use super::{
    Cluster,
    retry::{CallError, Trouble, Unanswered},
    uri::{build, by_name, get, jobs_path, page},
};
use crate::{cluster::delete::Effect, decode::OBJECT_MAX};

const JSON: &str = "application/json";

/// Tells what this run creates from what stood there before. The server keeps it with the fields of an object that it
/// set.
#[derive(Debug, Clone)]
pub struct FieldManager(String);

impl FieldManager {
    /// A new one, for a run.
    pub fn of_run() -> FieldManager {
        let run = RandomState::new().hash_one(());
        FieldManager(format!("kubectl-jobclean-{run:016x}"))
    }
}

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
        manager: &FieldManager,
    ) -> Result<Created, CallError> {
        let mut uri = format!("{}?fieldManager={}", jobs_path(Some(namespace)), manager.0);
        if effect == Effect::DryRun {
            uri += "&dryRun=All";
        }
        let request = Request::post(uri)
            .header(header::CONTENT_TYPE, JSON)
            .header(header::ACCEPT, JSON);
        let body = serde_json::to_vec(job).expect("JSON is plain data");
        let request = build(request, Body::from(body))?;
        let answer = self.connection.call(request).await?;
        let created = || {
            let created: Value = serde_json::from_slice(&answer.body).ok()?;
            let is_job =
                created["kind"] == "Job" && created["metadata"]["name"] == job["metadata"]["name"];
            is_job.then(|| as_created(&created))
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

    /// Whether a Job that is there was created by this run. This takes the right to list.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub async fn created_by(
        &self,
        namespace: &str,
        name: &str,
        manager: &FieldManager,
    ) -> Result<Created, CallError> {
        let uri = page(jobs_path(Some(namespace)), vec![by_name(name)], 0, None);
        let request = get(uri, JSON)?;
        let answer = self.connection.call_up_to(request, OBJECT_MAX).await?;
        if answer.status != StatusCode::OK {
            return Err(if answer.is_transient() {
                Unanswered::from(&answer).into()
            } else {
                CallError::Refused(format!("it cannot be read: {}", answer.words()))
            });
        }
        let list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some(items) = list["items"].as_array() else {
            let why = "the answer is not what an API server answers to this";
            return Err(Unanswered::new(Trouble::NoAnswer, why).into());
        };
        let is_it = |job: &&Value| {
            job["metadata"]["name"] == name && job["metadata"]["namespace"] == namespace
        };
        let Some(job) = items.iter().find(is_it) else {
            return Err(CallError::Refused("it is gone again".to_owned()));
        };
        let managers = job["metadata"]["managedFields"].as_array();
        let is_ours = |entry: &Value| entry["manager"] == manager.0.as_str();
        Ok(match managers {
            Some(managers) if managers.iter().any(is_ours) => as_created(job),
            _ => Created::Exists,
        })
    }
}

fn as_created(job: &Value) -> Created {
    if job["spec"]["suspend"] == true {
        Created::Created
    } else {
        Created::NotSuspended
    }
}
