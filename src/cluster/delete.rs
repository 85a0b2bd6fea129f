//! One DELETE: exactly the Job that was planned, or nothing.

use http::{Request, StatusCode, header};
use kube::{
    api::{DeleteParams, Preconditions, PropagationPolicy},
    client::Body,
};

use super::{
    Cluster,
    retry::{CallError, Trouble, Unanswered},
    uri::{build, escape, jobs_path},
};
use crate::{
    connection::{exchange::Answer, failure::Failure},
    decode::{self, Reply},
    job::Job,
};

/// How deletes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What becomes of the Pods.
    pub cascade: Cascade,
    /// Whether anything is really deleted.
    pub effect: Effect,
}

/// What becomes of a Job's Pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cascade {
    /// [`Cascade::Background`] for a Job that is finished, whose Pods do nothing more, and [`Cascade::Foreground`] for any
    /// other.
    Auto,
    /// The Job goes at once, its Pods later.
    Background,
    /// The Pods go first, then the Job.
    Foreground,
    /// The Pods stay.
    Orphan,
}

/// Whether a delete takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Delete,
    /// The server goes through all of it with `dryRun=All` and keeps the Job.
    DryRun,
}

/// What the server did about one DELETE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// The Job is gone.
    Gone,
    /// The delete was accepted; finalizers still run.
    Terminating,
    /// A dry run: it would have deleted the Job.
    WouldDelete,
    /// There was no such Job.
    NotFound,
    /// It did not delete the Job, but that may have a reason that settles nothing: the Job has changed, or the answer is
    /// about something else. What the Job is now tells. Its words.
    Refused(String),
}

/// The answer to a DELETE is a Status if the Job is gone, and the Job if it waits for finalizers. Of that one its metadata
/// is more than enough.
const ACCEPT: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";

impl Cluster {
    /// Try once to delete the Job that was planned.
    ///
    /// The preconditions make a second try safe after a connection broke: it can only ever hit this very object.
    ///
    /// # Errors
    /// If the server refuses for good, or gives no answer that settles anything.
    pub async fn delete(&self, job: &Job, options: DeleteOptions) -> Result<Deleted, CallError> {
        let answer = self.connection.call_shared(request(job, options)?).await?;
        settle(job, &answer, options.effect)
    }
}

/// What an answer to the delete of this Job comes to. Nothing is believed of an answer that may be about something else.
fn settle(job: &Job, answer: &Answer, effect: Effect) -> Result<Deleted, CallError> {
    match answer.status {
        status if status.is_success() => accepted(job, answer, effect),
        StatusCode::NOT_FOUND if is_about(job, answer) => Ok(Deleted::NotFound),
        StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(Deleted::Refused(answer.words())),
        _ if answer.is_transient() => Err(Unanswered::from(answer).into()),
        _ => Err(CallError::Refused(answer.words())),
    }
}

/// What a successful answer comes to: a Status that says so, or the Job itself where it waits for finalizers.
fn accepted(job: &Job, answer: &Answer, effect: Effect) -> Result<Deleted, CallError> {
    let is_this = |uid: &str| *uid == job.uid().to_string();
    let outcome = match decode::decode_reply(&answer.body) {
        _ if answer.is_web_page() => None,
        Some(Reply::Status(status)) => {
            if status.status.as_deref() != Some("Success") {
                return Ok(Deleted::Refused(answer.words()));
            }
            let uid = status.details.and_then(|details| details.uid);
            let is_this = uid.is_none_or(|uid| uid.is_empty() || is_this(&uid));
            is_this.then_some(Deleted::Gone)
        }
        Some(Reply::Job {
            uid,
            is_terminating,
        }) => (is_this(&uid) && (is_terminating || effect == Effect::DryRun))
            .then_some(Deleted::Terminating),
        None => None,
    };
    match outcome {
        Some(_) if effect == Effect::DryRun => Ok(Deleted::WouldDelete),
        Some(outcome) => Ok(outcome),
        None => {
            let why = "the answer is not what an API server answers to this delete";
            Err(Unanswered::new(Trouble::NoAnswer, why).into())
        }
    }
}

/// Whether a 404 is about this Job, and not about its namespace, the API, or something between here and the server.
fn is_about(job: &Job, answer: &Answer) -> bool {
    let status = decode::decode_status(&answer.body).unwrap_or_default();
    let is_named = match status.details {
        Some(details) => {
            details.kind.as_deref() == Some("jobs") && details.name.as_deref() == Some(job.name())
        }
        None => {
            let message = status.message.unwrap_or_default();
            message.contains(&format!("jobs.batch \"{}\"", job.name()))
        }
    };
    is_named && status.reason.as_deref() == Some("NotFound")
}

fn request(job: &Job, options: DeleteOptions) -> Result<Request<Body>, Failure> {
    let (uid, resource_version) = (job.uid().to_string(), job.resource_version().to_string());
    let propagation_policy = match options.cascade {
        Cascade::Auto if job.state().is_finished() => PropagationPolicy::Background,
        Cascade::Background => PropagationPolicy::Background,
        Cascade::Foreground | Cascade::Auto => PropagationPolicy::Foreground,
        Cascade::Orphan => PropagationPolicy::Orphan,
    };
    // Everything is said twice, in the body and in the query. The API server reads the query where there is no body, and
    // there are proxies that drop the body of a DELETE: a dry run would then delete, and Pods would be orphaned.
    let mut uri = format!(
        "{}/{}?propagationPolicy={propagation_policy:?}&uid={}&resourceVersion={}",
        jobs_path(Some(job.namespace())),
        escape(job.name()),
        escape(&uid),
        escape(&resource_version),
    );
    if options.effect == Effect::DryRun {
        uri += "&dryRun=All";
    }
    let params = DeleteParams {
        dry_run: options.effect == Effect::DryRun,
        grace_period_seconds: None,
        // Always sent: batch/v1 orphans the Pods where it is absent.
        propagation_policy: Some(propagation_policy),
        preconditions: Some(Preconditions {
            uid: Some(uid),
            resource_version: Some(resource_version),
        }),
    };
    let body = serde_json::to_vec(&params).expect("delete options are plain data");
    let request = Request::delete(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, ACCEPT);
    build(request, Body::from(body))
}
