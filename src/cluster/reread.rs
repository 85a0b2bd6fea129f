//! One Job read again, with the right to list alone: for a conflict, and for its manifest before it goes.

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
    wire,
};

/// A list whose items are kept as they are.
#[derive(Deserialize)]
struct WholeList {
    kind: String,
    items: Option<Vec<Map<String, Value>>>,
}

impl Cluster {
    /// What a Job is now.
    ///
    /// # Errors
    /// What the try came to, if that cannot be found out.
    pub async fn reread(&self, job: &Job, query: &Query) -> Result<Reread, Attempt> {
        let answer = self.list_one(job, ACCEPT).await?;
        let list = decode(&answer).map_err(|error| unreadable(&error.to_string()))?;
        reread(list.items.into_iter().next(), query)
    }

    /// What a Job is now, and its whole manifest if it is there.
    ///
    /// # Errors
    /// What the try came to, if that cannot be found out.
    pub async fn reread_whole(&self, job: &Job, query: &Query) -> Result<(Reread, Value), Attempt> {
        let answer = self.list_one(job, "application/json").await?;
        let list: WholeList =
            serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error.to_string()))?;
        if list.kind != "JobList" {
            return Err(unreadable("it is no list of Jobs"));
        }
        let Some(manifest) = list.items.unwrap_or_default().into_iter().next() else {
            return Ok((Reread::Absent, Value::Null));
        };
        let manifest = Value::Object(manifest);
        let found =
            wire::Job::deserialize(&manifest).map_err(|error| unreadable(&error.to_string()))?;
        Ok((reread(Some(found), query)?, manifest))
    }

    async fn list_one(&self, job: &Job, accept: &str) -> Result<Answer, Attempt> {
        let uri = format!(
            "{}?fieldSelector={}",
            jobs_path(Some(&job.namespace)),
            escape(&format!("metadata.name={}", job.name))
        );
        match self.call(get(uri, accept)?).await {
            Ok(answer) if answer.status == StatusCode::OK => Ok(answer),
            Ok(answer) if answer.is_transient() => Err(Attempt::again(&answer)),
            Ok(answer) => Err(Attempt::Settled(Outcome::Failed(format!(
                "it cannot be read again: {}",
                answer.words()
            )))),
            Err(failure) => Err(failure.into()),
        }
    }
}

fn reread(found: Option<wire::Job<'_>>, query: &Query) -> Result<Reread, Attempt> {
    let Some(found) = found else {
        return Ok(Reread::Absent);
    };
    let labels = found.metadata.as_ref().map(|meta| &meta.labels);
    let selected = query
        .selector
        .matches(|key| labels.and_then(|labels| labels.get(key)));
    match Intake::new(&query.labels, Identity::Required).take(found) {
        Ok(Some(job)) if selected => Ok(Reread::Found(job)),
        Ok(_) => Ok(Reread::NotSelected),
        Err(error) => Err(unreadable(&error.to_string())),
    }
}

fn unreadable(why: &str) -> Attempt {
    Attempt::Again {
        trouble: Trouble::NoAnswer,
        retry_after: None,
        why: format!("the answer cannot be read: {why}"),
    }
}
