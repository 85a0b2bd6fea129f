//! One Job read again, with the right to list alone: for a conflict, and for its manifest before it goes.

use std::fmt::Display;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Cluster,
    list::decode,
    retry::{CallError, Trouble, Unanswered},
    uri::{ACCEPT, by_name, get, jobs_path, page},
};
use crate::{
    connection::exchange::Answer,
    decode::{
        self, OBJECT_MAX,
        job::{Identity, Intake, is_selected},
        metadata::Kind,
    },
    job::{
        Job,
        query::{Query, Reread},
    },
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
    /// If that cannot be found out.
    pub async fn reread(&self, job: &Job, query: &Query) -> Result<Reread, CallError> {
        let (reread, _) = self.list_one(job, query, ACCEPT).await?;
        Ok(reread)
    }

    /// What a Job is now, and its whole manifest if it is there.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub async fn reread_whole(
        &self,
        job: &Job,
        query: &Query,
    ) -> Result<(Reread, Value), CallError> {
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
    ) -> Result<(Reread, Answer), CallError> {
        let mut snapshot = self.newest.pages(Kind::Jobs);
        let path = jobs_path(Some(job.namespace()));
        let uri = page(path, vec![by_name(job.name())], 0, None);
        let answer = self
            .connection
            .call_up_to(get(uri, accept)?, OBJECT_MAX)
            .await?;
        if answer.status != StatusCode::OK {
            if answer.is_transient() {
                return Err(Unanswered::from(&answer).into());
            }
            let why = format!("it cannot be read again: {}", answer.words());
            return Err(CallError::Refused(why));
        }
        let list = decode(&answer).map_err(unreadable)?;
        let next = snapshot.next(list.metadata);
        if next.map_err(|broken| unreadable(broken.words()))?.is_some() {
            return Err(unreadable("it continues after one Job"));
        }
        let reread = reread(job, list.items, query)?;
        Ok((reread, answer))
    }
}

/// The one Job that may be in a list by its name.
fn reread(job: &Job, items: Vec<decode::Job<'_>>, query: &Query) -> Result<Reread, CallError> {
    let mut items = items.into_iter();
    let found = match (items.next(), items.next()) {
        (None, _) => return Ok(Reread::Absent),
        (Some(found), None) => found,
        (Some(_), Some(_)) => return Err(unreadable("it holds more than one Job")),
    };
    let meta = found.metadata.as_ref();
    let place = meta.map(|meta| (meta.namespace.as_deref(), meta.name.as_deref()));
    if place != Some((Some(job.namespace()), Some(job.name()))) {
        return Err(unreadable("it holds a Job that was not asked for"));
    }
    let selected = is_selected(&found, query);
    // Without one, what has no group any more would pass for another Job.
    let Some(uid) = meta
        .and_then(|meta| meta.uid.as_deref())
        .filter(|uid| !uid.is_empty())
    else {
        return Err(unreadable("it holds a Job without a uid"));
    };
    let not_selected = Reread::NotSelected {
        is_other: *uid != *job.uid().to_string(),
        is_terminating: meta.is_some_and(|meta| meta.deletion_timestamp.is_some()),
    };
    match Intake::new(&query.grouping, &query.rules, Identity::Required).take(&found) {
        Ok(Some(job)) if selected => Ok(Reread::Found(job)),
        Ok(_) => Ok(not_selected),
        Err(error) => Err(unreadable(error)),
    }
}

fn unreadable(why: impl Display) -> CallError {
    let why = format!("the answer cannot be read: {why}");
    Unanswered::new(Trouble::NoAnswer, why).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{grouping::Grouping, query::Scope};

    /// The items of a list, with this as the first one's `metadata`.
    fn items(metadata: &str) -> Vec<decode::Job<'static>> {
        let list = format!(
            r#"{{"kind":"JobList","apiVersion":"batch/v1","metadata":{{}},"items":[{{"metadata":{metadata}}}]}}"#
        );
        decode::decode_json(list.leak().as_bytes()).unwrap().items
    }

    #[test]
    fn a_job_without_a_uid_is_not_taken_for_another_one() {
        let grouping = Grouping::labels(vec!["app".parse().unwrap()]);
        let query = Query::all(grouping, Scope::AllNamespaces, 500);
        let mut intake = Intake::new(&query.grouping, &query.rules, Identity::Required);
        let planned = items(
            r#"{"name":"a","namespace":"n","uid":"u","resourceVersion":"1","labels":{"app":"x"},
                "creationTimestamp":"2026-01-01T00:00:00Z"}"#,
        );
        let [planned] = planned.try_into().unwrap();
        let job = intake.take(&planned).unwrap().unwrap();
        let again = |metadata: &str| reread(&job, items(metadata), &query);
        for uid in ["", r#","uid":"""#] {
            let metadata = format!(r#"{{"name":"a","namespace":"n"{uid}}}"#);
            assert!(again(&metadata).is_err(), "{metadata}");
        }
        let relabelled = again(r#"{"name":"a","namespace":"n","uid":"u"}"#).unwrap();
        assert!(matches!(
            relabelled,
            Reread::NotSelected {
                is_other: false,
                ..
            }
        ));
    }
}
