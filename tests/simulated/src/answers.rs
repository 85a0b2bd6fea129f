//! What the simulated server answers, and what something in between answers instead.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    asked::{Asked, Delete, List},
    encode::{self, Form, Head, Status},
    faults::Fault,
    job::Job,
    setup::GitOps,
    store::By,
    world::{Given, World},
};
use bytes::Bytes;

/// An answer on its way.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub pieces: VecDeque<Bytes>,
    pub end: End,
    pub pause: Duration,
    pub retry_after: Option<String>,
    pub date: Option<i64>,
    /// The version of a list.
    pub version: u64,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Whole,
    Broken,
    Stalled,
}

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

impl Answer {
    pub(crate) fn new(status: u16, form: Form, body: Vec<u8>) -> Answer {
        let content_type = match form {
            Form::Json => JSON,
            Form::Protobuf => PROTOBUF,
        };
        Answer {
            status,
            content_type,
            pieces: VecDeque::from([body.into()]),
            end: End::Whole,
            pause: Duration::ZERO,
            retry_after: None,
            date: None,
            version: 0,
        }
    }

    pub(crate) fn refusal(form: Form, code: u16, reason: &str, message: &str) -> Answer {
        let status = Status {
            code,
            reason,
            message,
            ..Status::default()
        };
        Answer::new(code, form, encode::status(form, &status))
    }
}

impl World {
    pub(crate) fn form(&mut self) -> Form {
        if self.rng.bool() {
            Form::Json
        } else {
            Form::Protobuf
        }
    }

    /// A request has arrived; the answer to it, as it will come.
    pub fn arrives(&mut self, number: usize, asked: &Asked, fault: Option<Fault>) -> Answer {
        self.meanwhile();
        self.log[number].arrived = Some(self.now());
        let answer = match asked {
            Asked::Jobs(list) => self.list(list, fault),
            Asked::Delete(delete) => {
                let first = self.delete(number, delete, fault);
                match fault {
                    Some(Fault::Twice) => self.delete(number, delete, None),
                    _ => first,
                }
            }
            Asked::Pods => match self.rng.bool() {
                true => Answer::refusal(Form::Json, 403, "Forbidden", "pods is forbidden"),
                false => Answer::new(
                    200,
                    Form::Json,
                    br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[]}"#.to_vec(),
                ),
            },
            Asked::GitOps => self.gitops(),
            Asked::Other(what) => Answer::refusal(Form::Json, 404, "NotFound", what),
        };
        let answer = self.spoil(asked, answer, fault);
        self.given(number, &answer);
        self.meanwhile();
        answer
    }

    /// What something in between answers to a request that does not arrive.
    pub fn instead(&mut self, number: usize, asked: &Asked, fault: Option<Fault>) -> Answer {
        let nothing = Answer::new(502, Form::Json, Vec::new());
        let answer = match fault {
            Some(Fault::Denied) => {
                let (code, reason) = if self.rng.u8(..4) == 0 {
                    (401, "Unauthorized")
                } else {
                    (403, "Forbidden")
                };
                Answer::refusal(
                    Form::Json,
                    code,
                    reason,
                    "jobs.batch is forbidden: User \"u\" cannot do that",
                )
            }
            _ => self.spoil(asked, nothing, fault),
        };
        self.given(number, &answer);
        answer
    }

    fn given(&mut self, number: usize, answer: &Answer) {
        self.log[number].answer = Some(Given {
            status: answer.status,
            version: answer.version,
            date: answer.date,
            retry_after: answer
                .retry_after
                .as_ref()
                .and_then(|seconds| seconds.parse().ok()),
        });
    }

    fn list(&mut self, list: &List, fault: Option<Fault>) -> Answer {
        let form = self.form();
        let (mut version, mut from) = (self.store.version(), 0);
        if let Some(token) = &list.token {
            let mut parts = token
                .split('.')
                .skip(1)
                .map(|part| part.parse().unwrap_or(0));
            version = parts.next().unwrap_or(0);
            from = usize::try_from(parts.next().unwrap_or(0)).unwrap_or(0);
            if version < self.store.compacted || fault == Some(Fault::Expired) {
                let token = format!("new.{}.{from}", self.store.version());
                let status = Status {
                    code: 410,
                    reason: "Expired",
                    message: "The provided continue parameter is too old to display a consistent list result.",
                    token: &token,
                    ..Status::default()
                };
                return Answer::new(410, form, encode::status(form, &status));
            }
        }
        if let Some(Fault::Stale | Fault::OtherVersion) = fault {
            let back = if self.rng.bool() {
                8
            } else {
                self.store.version()
            };
            version = self
                .store
                .version()
                .saturating_sub(self.rng.u64(..=back))
                .max(1);
        }
        let mut jobs = self.store.at(version);
        jobs.retain(|job| list.selects(job));
        let limit = if list.limit == 0 {
            usize::MAX
        } else {
            list.limit
        };
        let left = jobs.split_off(from.min(jobs.len()));
        let mut page: Vec<Arc<Job>> = left.iter().take(limit).cloned().collect();
        let mut next = from + page.len();
        if fault == Some(Fault::EmptyPage) {
            (page, next) = (Vec::new(), from);
        }
        let is_last = next >= from + left.len();
        let remaining = match is_last {
            // With a selector the server does not say it.
            false if list.labels.is_empty() => Some((from + left.len() - next) as i64),
            true if fault == Some(Fault::Remaining) => Some(3),
            _ => None,
        };
        let token = match &list.token {
            Some(token) if fault == Some(Fault::SameToken) => token.clone(),
            _ if is_last && fault != Some(Fault::EmptyPage) => String::new(),
            _ => format!("t{}.{version}.{next}", self.log.len()),
        };
        match fault {
            Some(Fault::Repeated) => page.extend(jobs.first().or(left.first()).cloned()),
            Some(Fault::Stray) => page.extend(self.stray(list)),
            Some(Fault::NoUid) => {
                if let Some(job) = page.first_mut() {
                    Arc::make_mut(job).uid = "".into();
                }
            }
            _ => {}
        }
        let head = Head {
            version: if fault == Some(Fault::NoVersion) {
                String::new()
            } else {
                version.to_string()
            },
            token,
            remaining,
        };
        let body = encode::list(form, !list.is_of_metadata, &head, &page);
        Answer {
            version,
            date: self.setup.tells_time.then(|| self.server_time()),
            ..Answer::new(200, form, body)
        }
    }

    /// A Job that this list does not ask for, if there is one.
    fn stray(&self, list: &List) -> Option<Arc<Job>> {
        self.store.jobs().find(|job| !list.selects(job)).cloned()
    }

    fn delete(&mut self, number: usize, delete: &Delete, fault: Option<Fault>) -> Answer {
        let form = self.form();
        let options = match fault {
            Some(Fault::DropsBody) => &delete.query,
            _ => &delete.body,
        };
        let (namespace, name) = &delete.key;
        let refuse = |code, reason, message: &str| {
            let status = Status {
                code,
                reason,
                message,
                about: Some((name, "")),
                ..Status::default()
            };
            Answer::new(code, form, encode::status(form, &status))
        };
        if self.setup.forbidden == Some(namespace) {
            return refuse(
                403,
                "Forbidden",
                &format!("jobs.batch \"{name}\" is forbidden: User \"u\" cannot delete it"),
            );
        }
        let Some(job) = self.store.get(&delete.key).cloned() else {
            return refuse(404, "NotFound", &format!("jobs.batch \"{name}\" not found"));
        };
        if self.setup.denied.is_some() && self.setup.denied == job.app {
            return refuse(
                400,
                "BadRequest",
                &format!("admission webhook \"stay\" denied the request: {name} stays"),
            );
        }
        let is_other = options.uid.as_deref().is_some_and(|uid| *uid != *job.uid);
        if is_other
            || options
                .version
                .is_some_and(|version| version != job.version)
        {
            return refuse(
                409,
                "Conflict",
                &format!(
                    "Operation cannot be fulfilled on jobs.batch \"{name}\": the precondition does not match"
                ),
            );
        }
        // Where nothing is said, batch/v1 orphans.
        let finalizer = match options.cascade.as_deref() {
            Some("Background") => None,
            Some("Foreground") => Some("foregroundDeletion"),
            _ => Some("orphan"),
        };
        let left = if options.is_dry {
            (finalizer.is_some() || !job.finalizers.is_empty()).then(|| Arc::clone(&job))
        } else {
            self.log[number].deleted = Some(Arc::clone(&job));
            let when = (self.now(), self.server_time());
            self.store
                .delete(&delete.key, finalizer, By::Tool(number), when)
        };
        match left {
            Some(job) => Answer::new(200, form, encode::terminating(form, &job)),
            None => {
                let status = Status {
                    code: 200,
                    about: Some((name, &job.uid)),
                    ..Status::default()
                };
                Answer::new(200, form, encode::status(form, &status))
            }
        }
    }

    fn gitops(&self) -> Answer {
        match self.setup.gitops {
            GitOps::Absent => Answer {
                content_type: "text/plain; charset=utf-8",
                ..Answer::new(404, Form::Json, b"404 page not found\n".to_vec())
            },
            // Of both kinds, whichever is asked for: the other is not believed.
            GitOps::Nothing => Answer::new(
                200,
                Form::Json,
                br#"{"kind":"ApplicationList","apiVersion":"argoproj.io/v1alpha1","metadata":{"resourceVersion":"9"},"items":[]}"#.to_vec(),
            ),
            GitOps::Forbidden => Answer::refusal(Form::Json, 403, "Forbidden", "applications is forbidden"),
            GitOps::Broken => Answer::refusal(Form::Json, 400, "BadRequest", "no"),
        }
    }
}
