//! One Job read again, with the right to list alone: for a conflict, and for its manifest before it goes.

use std::fmt::Display;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Cluster,
    delete::{Attempt, Trouble},
    list::{ACCEPT, Query, decode, escape, get, jobs_path},
    request::Answer,
};
use crate::{
    approval::Reread,
    intake::{Identity, Intake},
    job::Job,
    outcome::Outcome,
    wire::{self, OBJECT_MAX, metadata::Kind},
};

/// A list whose items are kept as they are.
#[derive(Deserialize)]
struct WholeList {
    #[serde(default)]
    items: Option<Vec<Map<String, Value>>>,
}

impl Cluster {
    /// What a Job is now.
    ///
    /// # Errors
    /// What the try came to, if that cannot be found out.
    pub async fn reread(&self, job: &Job, query: &Query) -> Result<Reread, Attempt> {
        let (reread, _) = self.list_one(job, query, ACCEPT).await?;
        Ok(reread)
    }

    /// What a Job is now, and its whole manifest if it is there.
    ///
    /// # Errors
    /// What the try came to, if that cannot be found out.
    pub async fn reread_whole(&self, job: &Job, query: &Query) -> Result<(Reread, Value), Attempt> {
        let (reread, answer) = self.list_one(job, query, "application/json").await?;
        let list: WholeList = serde_json::from_slice(&answer.body).map_err(unreadable)?;
        let manifest = list.items.unwrap_or_default().into_iter().next();
        Ok((reread, manifest.map_or(Value::Null, Value::Object)))
    }

    /// List what has the Job's name: it alone, or nothing.
    async fn list_one(
        &self,
        job: &Job,
        query: &Query,
        accept: &str,
    ) -> Result<(Reread, Answer), Attempt> {
        let mut snapshot = self.newest.pages(Kind::Jobs);
        let uri = format!(
            "{}?fieldSelector={}",
            jobs_path(Some(&job.namespace)),
            escape(&format!("metadata.name={}", job.name))
        );
        let answer = self.call_up_to(get(uri, accept)?, OBJECT_MAX).await?;
        if answer.status != StatusCode::OK {
            return Err(if answer.is_transient() {
                Attempt::again(&answer)
            } else {
                let why = format!("it cannot be read again: {}", answer.words());
                Attempt::Settled(Outcome::Failed(why))
            });
        }
        let list = decode(&answer).map_err(unreadable)?;
        let next = snapshot.next(list.metadata);
        if next.map_err(|broken| unreadable(broken.words()))?.is_some() {
            return Err(unreadable("it goes on after one Job"));
        }
        let reread = reread(job, list.items, query)?;
        Ok((reread, answer))
    }
}

/// The one Job that may be in a list by its name.
fn reread(job: &Job, items: Vec<wire::Job<'_>>, query: &Query) -> Result<Reread, Attempt> {
    let mut items = items.into_iter();
    let found = match (items.next(), items.next()) {
        (None, _) => return Ok(Reread::Absent),
        (Some(found), None) => found,
        (Some(_), Some(_)) => return Err(unreadable("it holds more than one Job")),
    };
    let meta = found.metadata.as_ref();
    let place = meta.map(|meta| (meta.namespace.as_deref(), meta.name.as_deref()));
    if place != Some((Some(&*job.namespace), Some(&*job.name))) {
        return Err(unreadable("it holds a Job that was not asked for"));
    }
    let labels = meta.map(|meta| &meta.labels);
    let selected = query
        .selector
        .matches(|key| labels.and_then(|labels| labels.get(key)));
    let uid = meta.and_then(|meta| meta.uid.as_deref());
    let not_selected = Reread::NotSelected {
        is_other: uid != Some(&*job.uid.to_string()),
        is_terminating: meta.is_some_and(|meta| meta.deletion_timestamp.is_some()),
    };
    match Intake::new(&query.labels, Identity::Required).take(found) {
        Ok(Some(job)) if selected => Ok(Reread::Found(job)),
        Ok(_) => Ok(not_selected),
        Err(error) => Err(unreadable(error)),
    }
}

fn unreadable(why: impl Display) -> Attempt {
    Attempt::Again {
        trouble: Trouble::NoAnswer,
        retry_after: None,
        why: format!("the answer cannot be read: {why}"),
    }
}
