//! What breaks requests and answers between the tool and the server, see [`Mutation`].

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header, request, response};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::{BoxError, Service};

use crate::{
    asked::{Asked, Delete, List, Page},
    encode::{Form, Status, status},
    job::Job,
    mutations::Mutation,
    server::{Answering, Pieces, Server},
    world::{Phase, Shared},
};

/// A server that is reached through a mutation.
#[derive(Clone)]
pub struct Between {
    server: Server,
    mutation: Mutation,
    /// The first page of the list that the plan rests on.
    first_page: Arc<Mutex<Option<(response::Parts, Bytes)>>>,
}

type Answered = Result<Response<Pieces>, BoxError>;

impl Between {
    pub fn new(server: Server, mutation: Mutation) -> Between {
        Between {
            server,
            mutation,
            first_page: Arc::default(),
        }
    }

    fn world(&self) -> &Shared {
        &self.server.0
    }

    async fn send(&self, head: &request::Parts, body: &Bytes) -> Answered {
        let request = Request::from_parts(head.clone(), Body::from(body.to_vec()));
        self.server.clone().call(request).await
    }

    async fn answer(self, request: Request<Body>) -> Answered {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let accept = head
            .headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        match Asked::read(&head.method, &head.uri, accept.unwrap_or_default(), &body) {
            Asked::Delete(delete) => self.delete(head, body, delete).await,
            asked if asked.is_first_page() => self.list(head, body).await,
            Asked::Jobs(List {
                page: Page { at: Some(at), .. },
                ..
            }) => self.part(head, body, at).await,
            Asked::Namespaces(_) if self.mutation == Mutation::LosesNamespace => {
                let (parts, page) = read(self.send(&head, &body).await?).await?;
                let page = changed(page, |list| {
                    list["items"].as_array_mut().map(Vec::pop);
                });
                Ok(Response::from_parts(parts, Pieces::whole(page)))
            }
            _ => self.send(&head, &body).await,
        }
    }

    async fn list(self, head: request::Parts, body: Bytes) -> Answered {
        let phase = self.world().lock().phase;
        if self.mutation == Mutation::Early {
            self.also(|_| true).await;
        }
        let (mut parts, mut page) = read(self.send(&head, &body).await?).await?;
        let is_list = parts.status == StatusCode::OK;
        let mut change = |change: &dyn Fn(&mut Value)| page = changed(page.clone(), change);
        match (self.mutation, phase) {
            (Mutation::TakesOldLists, Phase::Purging) => change(&|list| {
                list["metadata"]["resourceVersion"] = "900000".into();
            }),
            (Mutation::LosesJobs, _) => change(&|list| {
                if let Some(items) = list["items"]
                    .as_array_mut()
                    .filter(|items| !items.is_empty())
                {
                    items.remove(0);
                }
            }),
            (Mutation::SeesNoChange, Phase::Planning) if is_list => {
                let first = (parts.clone(), page.clone());
                *self.first_page.lock().expect("no panic") = Some(first);
            }
            (Mutation::SeesNoChange, Phase::Purging) if is_list => {
                if let Some((first, body)) = &*self.first_page.lock().expect("no panic") {
                    (parts, page) = (first.clone(), body.clone());
                }
            }
            _ => {}
        }
        Ok(Response::from_parts(parts, Pieces::whole(page)))
    }

    /// The first page of a part of a list, at a version.
    async fn part(self, mut head: request::Parts, body: Bytes, at: u64) -> Answered {
        if self.mutation == Mutation::PartsOfNow {
            let now = self.world().lock().store.version();
            let (asked, instead) = (
                format!("resourceVersion={at}&"),
                format!("resourceVersion={now}&"),
            );
            head.uri = head.uri.to_string().replace(&asked, &instead).parse()?;
        }
        let (parts, page) = read(self.send(&head, &body).await?).await?;
        let is_list = parts.status == StatusCode::OK;
        let page = match self.mutation {
            Mutation::PartsOfNow if is_list => changed(page, |list| {
                list["metadata"]["resourceVersion"] = at.to_string().into();
            }),
            Mutation::LosesParts if is_list => changed(page, |list| {
                list["metadata"]["continue"] = Value::Null;
                list["items"] = json!([]);
            }),
            _ => page,
        };
        Ok(Response::from_parts(parts, Pieces::whole(page)))
    }

    async fn delete(self, mut head: request::Parts, body: Bytes, delete: Delete) -> Answered {
        match self.mutation {
            Mutation::Collection => {
                let (folder, _) = head.uri.path().rsplit_once('/').expect("a path");
                head.uri = folder.parse()?;
                self.send(&head, &body).await
            }
            Mutation::AfterStop => {
                sleep(Duration::from_secs(5)).await;
                self.send(&head, &body).await
            }
            Mutation::AtOnce => {
                let mut others = Vec::new();
                for _ in 0..12 {
                    others.push(self.send(&head, &body).await);
                }
                self.send(&head, &body).await
            }
            Mutation::Tireless => {
                for _ in 0..64 {
                    let _ = self.send(&head, &body).await.map(drop);
                }
                self.send(&head, &body).await
            }
            Mutation::Lazy => Ok(Response::builder()
                .status(500)
                .body(Pieces::whole(Bytes::new()))?),
            Mutation::AlsoNewest => {
                let namespace = delete.key.0;
                let rules = self.world().lock().rules;
                let jobs = self.world().lock().store.at(u64::MAX);
                self.also(|job| job.namespace == namespace && rules.is_newest(&jobs, &job.uid))
                    .await;
                self.send(&head, &body).await
            }
            Mutation::AlsoOther => {
                let app = self
                    .world()
                    .lock()
                    .store
                    .get(&delete.key)
                    .and_then(|job| job.app);
                self.also(|job| job.app != app).await;
                self.send(&head, &body).await
            }
            Mutation::Again
            | Mutation::Impatient
            | Mutation::Insists
            | Mutation::ForgetsRefusals => {
                let (parts, answer) = read(self.send(&head, &body).await?).await?;
                match (self.mutation, parts.status.as_u16()) {
                    (Mutation::Again, 200) => self.send(&head, &body).await,
                    (Mutation::Impatient, 429 | 503) => self.send(&head, &body).await,
                    (Mutation::Insists, 409) => {
                        let uid = delete.body.uid.unwrap_or_default();
                        self.also(|job| *job.uid == *uid).await;
                        Ok(Response::from_parts(parts, Pieces::whole(answer)))
                    }
                    (Mutation::ForgetsRefusals, 403) => {
                        let message =
                            format!("forbidden for the {}. time", self.world().lock().log.len());
                        let words = Status {
                            code: 403,
                            reason: "Forbidden",
                            message: &message,
                            ..Status::default()
                        };
                        let mut parts = parts;
                        let kind = HeaderValue::from_static("application/json");
                        parts.headers.insert(header::CONTENT_TYPE, kind);
                        Ok(Response::from_parts(
                            parts,
                            Pieces::whole(status(Form::Json, &words).into()),
                        ))
                    }
                    _ => Ok(Response::from_parts(parts, Pieces::whole(answer))),
                }
            }
            mutation => {
                let (uri, body) = self.changed(mutation, &head.uri, &body, &delete)?;
                head.uri = uri;
                self.send(&head, &body).await
            }
        }
    }

    /// The delete with other options.
    fn changed(
        &self,
        mutation: Mutation,
        uri: &Uri,
        body: &Bytes,
        delete: &Delete,
    ) -> Result<(Uri, Bytes), BoxError> {
        let mut options: Value = serde_json::from_slice(body)?;
        let now = self.world().lock().store.get(&delete.key).cloned();
        let is_same = now
            .as_ref()
            .is_some_and(|job| delete.body.uid.as_deref() == Some(&*job.uid));
        match (mutation, now) {
            (Mutation::NoVersion, _) => options["preconditions"]["resourceVersion"] = Value::Null,
            (Mutation::NoCascade, _) => options["propagationPolicy"] = Value::Null,
            (Mutation::NoDryRun, _) => options["dryRun"] = Value::Null,
            (Mutation::VersionOfNow, Some(job)) if is_same => {
                options["preconditions"]["resourceVersion"] = job.version.to_string().into();
            }
            (Mutation::WhateverHasTheName, Some(job)) => {
                options["preconditions"] =
                    json!({"uid": &*job.uid, "resourceVersion": job.version.to_string()});
            }
            (Mutation::BodyAlone, _) => {
                return Ok((uri.path().parse()?, body.clone()));
            }
            _ => {}
        }
        Ok((
            address(uri.path(), &options).parse()?,
            options.to_string().into(),
        ))
    }

    /// Delete the first of the Jobs that are there now and meant, as the tool would.
    async fn also(&self, is_meant: impl Fn(&Job) -> bool) {
        let (job, log) = {
            let world = self.world().lock();
            let job = world.store.jobs().find(|job| is_meant(job)).cloned();
            (job, world.setup.cascade)
        };
        let Some(job) = job else { return };
        let options = json!({
            "propagationPolicy": format!("{log:?}").replace("Auto", if job.is_finished() { "Background" } else { "Foreground" }),
            "preconditions": {"uid": &*job.uid, "resourceVersion": job.version.to_string()},
            "dryRun": self.world().lock().setup.is_dry.then_some(["All"]),
        });
        let path = format!(
            "/apis/batch/v1/namespaces/{}/jobs/{}",
            job.namespace, job.name
        );
        let request = Request::builder()
            .method(Method::DELETE)
            .uri(address(&path, &options));
        let request = request
            .body(Body::from(options.to_string().into_bytes()))
            .expect("a request");
        let _ = self.server.clone().call(request).await;
    }
}

/// The same options in the query.
fn address(path: &str, options: &Value) -> String {
    let parts = [
        ("propagationPolicy", &options["propagationPolicy"]),
        ("uid", &options["preconditions"]["uid"]),
        (
            "resourceVersion",
            &options["preconditions"]["resourceVersion"],
        ),
        ("dryRun", &options["dryRun"][0]),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    format!("{path}?{}", parts.collect::<Vec<_>>().join("&"))
}

/// A list in JSON with a change in it; others as they are.
fn changed(page: Bytes, change: impl FnOnce(&mut Value)) -> Bytes {
    match serde_json::from_slice::<Value>(&page) {
        Ok(mut list) => {
            change(&mut list);
            list.to_string().into()
        }
        Err(_) => page,
    }
}

async fn read(response: Response<Pieces>) -> Result<(response::Parts, Bytes), BoxError> {
    let (parts, body) = response.into_parts();
    Ok((parts, body.collect().await?.to_bytes()))
}

impl Service<Request<Body>> for Between {
    type Response = Response<Pieces>;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        Box::pin(self.clone().answer(request))
    }
}
