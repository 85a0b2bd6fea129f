//! What the simulated server answers, and what something in between answers instead.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    asked::{self, Asked, Delete, List},
    encode::{self, Form, Head, Namespace, Status},
    faults::Fault,
    job::{EMPTY_NAMESPACES, Job, NAMESPACES},
    setup::{GitOps, Shows},
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
    /// The namespaces that a page of them lacks.
    pub lacks: Vec<&'static str>,
}

/// A page of a list before it is written.
struct Page<T> {
    items: Vec<T>,
    version: u64,
    head: Head,
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
            lacks: Vec::new(),
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
            Asked::Namespaces(page) => self.namespaces(page, fault),
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
        let answer = match self.scripted(number) {
            Some(way) => self.as_scripted(way, asked, answer),
            None => self.spoil(asked, answer, fault),
        };
        self.given(number, &answer);
        self.meanwhile();
        answer
    }

    /// What something in between answers to a request that does not arrive.
    pub fn instead(&mut self, number: usize, asked: &Asked, fault: Option<Fault>) -> Answer {
        let nothing = Answer::new(502, Form::Json, Vec::new());
        let answer = match fault {
            _ if let Some(way) = self.scripted(number) => self.as_scripted(way, asked, nothing),
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
            lacks: answer.lacks.clone(),
            date: answer.date,
            retry_after: answer
                .retry_after
                .as_ref()
                .and_then(|seconds| seconds.parse().ok()),
        });
    }

    fn list(&mut self, list: &List, fault: Option<Fault>) -> Answer {
        let form = self.form();
        // With a selector the server does not say how many are left.
        let is_counted = list.labels.is_empty();
        let page = self.page(form, &list.page, fault, is_counted, |world, version| {
            let mut jobs = world.store.at(version);
            jobs.retain(|job| list.selects(job));
            jobs
        });
        let mut page = match page {
            Ok(page) => page,
            Err(refusal) => return *refusal,
        };
        match fault {
            Some(Fault::Stray) => page.items.extend(self.stray(list)),
            Some(Fault::NoUid) => {
                if let Some(job) = page.items.first_mut() {
                    Arc::make_mut(job).uid = "".into();
                }
            }
            _ => {}
        }
        let body = encode::list(form, !list.is_of_metadata, &page.head, &page.items);
        self.listed(form, page.version, body)
    }

    fn namespaces(&mut self, asked: &asked::Page, fault: Option<Fault>) -> Answer {
        let form = self.form();
        if self.setup.shows == Shows::Nothing {
            let message = "namespaces is forbidden: User \"u\" cannot list them";
            return Answer::refusal(form, 403, "Forbidden", message);
        }
        // Those that are not to be seen are taken out below: the places that tokens name stay the same.
        let page = self.page(form, asked, fault, true, |world, _| {
            let empty = &EMPTY_NAMESPACES[..world.setup.empty_namespaces];
            let mut names: Vec<&'static str> = [&NAMESPACES, empty].concat();
            names.sort_unstable();
            names
        });
        let page = match page {
            Ok(page) => page,
            Err(refusal) => return *refusal,
        };
        // What is old lacks what was made since.
        let hidden = match fault {
            Some(Fault::Hides | Fault::Stale) => self.rng.choice(NAMESPACES),
            _ => None,
        };
        let is_shown = |name: &&'static str| {
            hidden != Some(*name)
                && self.setup.shows != Shows::AllBut(name)
                && self.store.has_namespace(name, page.version)
        };
        let (names, lacks): (Vec<_>, Vec<_>) = page.items.iter().copied().partition(is_shown);
        let mut namespaces: Vec<Namespace> = names
            .into_iter()
            .map(|name| Namespace {
                name,
                uid: format!("0a4e5bac-{name}"),
            })
            .collect();
        if let (Some(Fault::NoUid), Some(namespace)) = (fault, namespaces.first_mut()) {
            namespace.uid.clear();
        }
        let body = encode::namespaces(form, &page.head, &namespaces);
        Answer {
            lacks,
            ..self.listed(form, page.version, body)
        }
    }

    fn listed(&self, form: Form, version: u64, body: Vec<u8>) -> Answer {
        Answer {
            version,
            date: self.setup.tells_time.then(|| self.server_time()),
            ..Answer::new(200, form, body)
        }
    }

    /// A page of what is there at a version, or why there is none.
    fn page<T: Clone>(
        &mut self,
        form: Form,
        asked: &asked::Page,
        fault: Option<Fault>,
        is_counted: bool,
        all_at: impl FnOnce(&World, u64) -> Vec<T>,
    ) -> Result<Page<T>, Box<Answer>> {
        let newest = self.store.version();
        let (mut version, mut from) = (asked.at.unwrap_or(newest), 0);
        if let Some(token) = &asked.token {
            let mut parts = token
                .split('.')
                .skip(1)
                .map(|part| part.parse().unwrap_or(0));
            version = parts.next().unwrap_or(0);
            from = usize::try_from(parts.next().unwrap_or(0)).unwrap_or(0);
        }
        let is_expired = version < self.store.compacted || fault == Some(Fault::Expired);
        if asked.token.is_some() && is_expired {
            let token = format!("new.{newest}.{from}");
            let status = Status {
                code: 410,
                reason: "Expired",
                message: "The provided continue parameter is too old to display a consistent list result.",
                token: &token,
                ..Status::default()
            };
            return Err(Answer::new(410, form, encode::status(form, &status)).into());
        }
        if let Some(at) = asked.at {
            let refusal = match fault {
                _ if fault == Some(Fault::NotExact) || !self.setup.knows_exact => {
                    Some((400, "BadRequest", "resourceVersionMatch: Forbidden"))
                }
                _ if is_expired => Some((
                    410,
                    "Expired",
                    "The resourceVersion for the provided list is too old.",
                )),
                _ if at > newest => Some((504, "Timeout", "Too large resource version")),
                _ => None,
            };
            if let Some((code, reason, message)) = refusal {
                return Err(Answer::refusal(form, code, reason, message).into());
            }
        }
        if self.script.is_some() && fault == Some(Fault::Stale) {
            // Before the last change.
            version = newest.saturating_sub(1).max(1);
        } else if let Some(Fault::Stale | Fault::OtherVersion) = fault {
            let back = if self.rng.bool() { 8 } else { newest };
            version = newest.saturating_sub(self.rng.u64(..=back)).max(1);
        }
        let mut items = all_at(self, version);
        let limit = if asked.limit == 0 {
            usize::MAX
        } else {
            asked.limit
        };
        let left = items.split_off(from.min(items.len()));
        let mut page: Vec<T> = left.iter().take(limit).cloned().collect();
        let mut next = from + page.len();
        if fault == Some(Fault::EmptyPage) {
            (page, next) = (Vec::new(), from);
        }
        let is_cut = fault == Some(Fault::Remaining);
        let is_last = is_cut || next >= from + left.len();
        let remaining = match is_last {
            _ if is_cut => Some(3),
            false if is_counted => Some((from + left.len() - next) as i64),
            _ => None,
        };
        let token = match &asked.token {
            Some(token) if fault == Some(Fault::SameToken) => token.clone(),
            _ if is_last && fault != Some(Fault::EmptyPage) => String::new(),
            _ => format!("t{}.{version}.{next}", self.log.len()),
        };
        if fault == Some(Fault::Repeated) {
            page.extend(items.first().or(left.first()).cloned());
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
        Ok(Page {
            items: page,
            version,
            head,
        })
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
