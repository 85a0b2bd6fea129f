//! One DELETE: exactly the Job that was planned, or nothing.

use std::time::Duration;

use http::{Request, StatusCode, header};
use kube::{
    api::{DeleteParams, Preconditions, PropagationPolicy},
    client::Body,
};

use super::{
    Cluster,
    list::{build, escape, jobs_path},
    request::{Answer, Failure},
};
use crate::{approval::Reread, job::Job, outcome::Outcome, wire};

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
    /// It does.
    Delete,
    /// The server goes through all of it with `dryRun=All` and keeps the Job.
    DryRun,
}

/// What one try came to.
#[derive(Debug)]
pub enum Attempt {
    /// This is what became of the Job.
    Settled(Outcome),
    /// It is not, or no longer, the version that was planned.
    Conflict,
    /// This is what it is now.
    Reread(Box<Reread>),
    /// Its manifest is safe on disk, in this version of it.
    BackedUp(Box<Job>),
    /// Nobody knows yet; the same request may be sent again.
    Again {
        /// What kind of trouble it was.
        trouble: Trouble,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// What happened, as a fragment.
        why: String,
    },
}

impl Attempt {
    /// From an answer after which the same request may be sent again.
    pub(super) fn again(answer: &Answer) -> Attempt {
        Attempt::Again {
            trouble: match answer.is_pushback() {
                true => Trouble::PushedBack,
                false => Trouble::NoAnswer,
            },
            retry_after: answer.retry_after(),
            why: answer.words(),
        }
    }
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Attempt {
        let trouble = match failure {
            Failure::Setup { .. } => return Attempt::Settled(Outcome::Failed(failure.words())),
            Failure::Unreachable(_) | Failure::Proxy { .. } => Trouble::NotSent,
            Failure::Timeout(_) | Failure::Connection(_) => Trouble::NoAnswer,
        };
        Attempt::Again {
            trouble,
            retry_after: None,
            why: failure.words(),
        }
    }
}

/// Why a try settled nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The request cannot have reached the server.
    NotSent,
    /// The server may have done it all the same.
    NoAnswer,
    /// The server asked to come again later, and has done nothing.
    PushedBack,
}

/// The answer to a DELETE is a Status if the Job is gone, and the Job if it waits for finalizers. Of that one its metadata
/// is more than enough.
const ACCEPT: &str = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";

impl Cluster {
    /// Try once to delete the Job that was planned.
    ///
    /// The preconditions make a second try safe after a connection broke: it can only ever hit this very object.
    pub async fn delete(&self, job: &Job, options: DeleteOptions) -> Attempt {
        let answer = match request(job, options) {
            Ok(request) => self.call(request).await,
            Err(failure) => Err(failure),
        };
        match answer {
            Ok(answer) => settle(&answer, options.effect),
            Err(failure) => failure.into(),
        }
    }
}

fn settle(answer: &Answer, effect: Effect) -> Attempt {
    let outcome = match answer.status {
        status if status.is_success() => {
            match (effect, wire::decode_kind(&answer.body).as_deref()) {
                (Effect::DryRun, _) => Outcome::WouldDelete,
                (Effect::Delete, Some("Status")) => Outcome::Deleted,
                // Accepted, but by its answer not gone yet.
                (Effect::Delete, Some(_)) => Outcome::Terminating,
                (Effect::Delete, None) => {
                    return Attempt::Again {
                        trouble: Trouble::NoAnswer,
                        retry_after: None,
                        why: "the answer cannot be read".to_owned(),
                    };
                }
            }
        }
        StatusCode::NOT_FOUND if answer.reason() == "NotFound" => Outcome::Gone,
        StatusCode::CONFLICT => return Attempt::Conflict,
        _ if answer.is_transient() => {
            return Attempt::again(answer);
        }
        _ => Outcome::Failed(answer.words()),
    };
    Attempt::Settled(outcome)
}

fn request(job: &Job, options: DeleteOptions) -> Result<Request<Body>, Failure> {
    let params = DeleteParams {
        dry_run: options.effect == Effect::DryRun,
        grace_period_seconds: None,
        // Always sent: batch/v1 orphans the Pods where it is absent.
        propagation_policy: Some(match options.cascade {
            Cascade::Background => PropagationPolicy::Background,
            Cascade::Foreground => PropagationPolicy::Foreground,
            Cascade::Orphan => PropagationPolicy::Orphan,
        }),
        preconditions: Some(Preconditions {
            uid: Some(job.uid.to_string()),
            resource_version: Some(job.resource_version.to_string()),
        }),
    };
    let body = serde_json::to_vec(&params).expect("delete options are plain data");
    let uri = format!("{}/{}", jobs_path(Some(&job.namespace)), escape(&job.name));
    let request = Request::delete(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, ACCEPT);
    build(request, Body::from(body))
}
