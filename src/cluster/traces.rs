//! What a Job leaves beside itself: its Pods, their logs, and the events of both.

use std::collections::HashSet;

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::{
    Cluster,
    retry::{CallError, Trouble, Unanswered},
    snapshot::Pages,
    uri::{escape, get, page},
};
use crate::{
    connection::{
        exchange::{Answer, BODY_MAX},
        failure::Failure,
    },
    decode::{self, ListMeta, null_is_default},
    job::Job,
};

/// Pods are large, and a page is held whole.
const PODS_A_PAGE: u32 = 100;
const EVENTS_A_PAGE: u32 = 500;
/// The most bytes of a page.
const PAGE_MAX: usize = 64 << 20;
/// The events of up to this many Pods are asked for by Pod. The server reads all events of the namespace for each
/// request, so those of more Pods are picked here.
const PODS_APART: usize = 8;
/// How many lines of the end of a log are read again to see whether it came whole.
const TAIL_LINES: u32 = 10;

/// An object as the server has it.
pub type Object = Map<String, Value>;

/// A list of objects, page by page.
pub struct Listing<'a> {
    cluster: &'a Cluster,
    kind: &'static str,
    path: String,
    parameters: Vec<String>,
    chunk_size: u32,
    pages: Pages,
    /// How to go on; the first page has no token.
    next: Option<Option<String>>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "null_is_default")]
    metadata: ListMeta,
    #[serde(deserialize_with = "null_is_default")]
    items: Vec<Object>,
}

impl Listing<'_> {
    /// The objects of the next page, `None` after the last.
    ///
    /// # Errors
    /// If it cannot be read, or is no longer of the same snapshot: the list has to be begun anew.
    pub async fn next(&mut self) -> Result<Option<Vec<Object>>, CallError> {
        let Some(token) = self.next.take() else {
            return Ok(None);
        };
        let uri = page(
            self.path.clone(),
            self.parameters.clone(),
            self.chunk_size,
            token.as_deref(),
        );
        let request = get(uri, "application/json")?;
        let connection = &self.cluster.connection;
        let answer = connection.call_up_to(request, PAGE_MAX).await?;
        match answer.status {
            StatusCode::OK => {}
            _ if answer.is_transient() => return Err(Unanswered::from(&answer).into()),
            StatusCode::GONE => {
                return Err(Unanswered::new(Trouble::NoAnswer, answer.words()).into());
            }
            _ => {
                let why = format!("its {}s cannot be listed: {}", self.kind, answer.words());
                return Err(CallError::Refused(why));
            }
        }
        let unreadable = |why: &str| {
            let why = format!("the list of its {}s cannot be read: {why}", self.kind);
            CallError::from(Unanswered::new(Trouble::NoAnswer, why))
        };
        let list: Page =
            serde_json::from_slice(&answer.body).map_err(|why| unreadable(&why.to_string()))?;
        let next = self.pages.next(list.metadata);
        self.next = next.map_err(|why| unreadable(why.words()))?.map(Some);
        // Items of a list do not say what they are.
        let stand_alone = |mut object: Object| {
            object.insert("apiVersion".to_owned(), "v1".into());
            object.insert("kind".to_owned(), self.kind.into());
            object
        };
        Ok(Some(list.items.into_iter().map(stand_alone).collect()))
    }
}

/// A Pod as far as its logs and events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub name: String,
    pub uid: String,
    /// The node that it is or was on.
    pub node: Option<String>,
    /// Init containers first.
    pub containers: Vec<Container>,
}

/// A container of a Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub name: String,
    pub has_restarted: bool,
    pub is_running: bool,
}

/// The Pods among these that a Job owns, each with its object.
pub fn owned(objects: Vec<Object>, job: &Job) -> Vec<(Pod, Object)> {
    let uid = job.uid().to_string();
    let is_owned = |object: &Object| {
        let owners = object["metadata"]["ownerReferences"].as_array();
        owners.is_some_and(|owners| owners.iter().any(|owner| owner["uid"] == *uid))
    };
    let objects = objects
        .into_iter()
        .filter(|object| object.contains_key("metadata") && is_owned(object));
    objects
        .filter_map(|object| Some((pod(&object)?, object)))
        .collect()
}

fn pod(object: &Object) -> Option<Pod> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let none = Value::Null;
    let spec = object.get("spec").unwrap_or(&none);
    let status = object.get("status").unwrap_or(&none);
    let mut containers = Vec::new();
    for (named, told) in [
        ("initContainers", "initContainerStatuses"),
        ("containers", "containerStatuses"),
        ("ephemeralContainers", "ephemeralContainerStatuses"),
    ] {
        let statuses = status[told].as_array();
        for container in spec[named].as_array().into_iter().flatten() {
            let mut statuses = statuses.into_iter().flatten();
            let status = statuses.find(|status| status["name"] == container["name"]);
            let status = status.unwrap_or(&none);
            // What has no name has no log to ask for.
            let Some(name) = text(&container["name"]) else {
                continue;
            };
            containers.push(Container {
                name,
                has_restarted: status["restartCount"]
                    .as_u64()
                    .is_some_and(|times| times > 0),
                is_running: status["state"]["running"].is_object(),
            });
        }
    }
    Some(Pod {
        name: text(&object["metadata"]["name"])?,
        uid: text(&object["metadata"]["uid"])?,
        node: text(&spec["nodeName"]),
        containers,
    })
}

/// A label selector of an object as the query of a list; `None` if it is not one.
pub fn selector(selector: &Value) -> Option<String> {
    let none = Map::new();
    let labels = match &selector["matchLabels"] {
        Value::Null => &none,
        labels => labels.as_object()?,
    };
    let mut parts = Vec::new();
    for (key, value) in labels {
        parts.push(format!("{key}={}", value.as_str()?));
    }
    for expression in selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let key = expression["key"].as_str()?;
        let values = || -> Option<String> {
            let values = expression["values"].as_array()?.iter();
            Some(
                values
                    .map(Value::as_str)
                    .collect::<Option<Vec<_>>>()?
                    .join(","),
            )
        };
        parts.push(match expression["operator"].as_str()? {
            "In" => format!("{key} in ({})", values()?),
            "NotIn" => format!("{key} notin ({})", values()?),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        });
    }
    (!parts.is_empty()).then(|| parts.join(","))
}

/// A log that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    pub namespace: &'a str,
    pub pod: &'a str,
    pub container: &'a str,
    /// That it is that of the container that ran before.
    pub is_previous: bool,
}

/// What came of asking for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAnswer<T> {
    /// This.
    Log(T),
    /// There is none, and never will be.
    Never(String),
    /// The node does not give it now.
    NotNow(String),
}

impl Cluster {
    /// The objects that a Job's selector selects: its Pods are among them.
    pub fn pods(&self, job: &Job, selector: &str) -> Listing<'_> {
        let query = vec![format!("labelSelector={}", escape(selector))];
        self.listing("Pod", job, query, PODS_A_PAGE)
    }

    /// Lists among which the events of a Job and of its Pods are.
    pub fn events(&self, job: &Job, pods: &[Pod]) -> Vec<Listing<'_>> {
        let fields = |field: &str, value: &str| {
            let query = format!("fieldSelector={}", escape(&format!("{field}={value}")));
            self.listing("Event", job, vec![query], EVENTS_A_PAGE)
        };
        let of = |uid: &str| fields("involvedObject.uid", uid);
        let mut lists = vec![of(&job.uid().to_string())];
        if pods.len() > PODS_APART {
            lists.push(fields("involvedObject.kind", "Pod"));
        } else {
            lists.extend(pods.iter().map(|pod| of(&pod.uid)));
        }
        lists
    }

    fn listing(
        &self,
        kind: &'static str,
        job: &Job,
        parameters: Vec<String>,
        chunk_size: u32,
    ) -> Listing<'_> {
        let (namespace, kinds) = (escape(job.namespace()), kind.to_ascii_lowercase());
        Listing {
            cluster: self,
            kind,
            path: format!("/api/v1/namespaces/{namespace}/{kinds}s"),
            parameters,
            chunk_size,
            pages: Pages::default(),
            next: Some(None),
        }
    }

    /// Read at most this many bytes of a log, and hand them on as they come.
    ///
    /// That it came to its end does not say that it is whole: an API server passes over that the node has cut it off
    /// (`StreamObject` in k8s.io/apiserver does not look at the error). [`Cluster::log_tail`] tells.
    ///
    /// # Errors
    /// If the API server refuses, or does not answer.
    pub async fn log(
        &self,
        log: &Log<'_>,
        most: u64,
        pieces: &mpsc::Sender<Bytes>,
    ) -> Result<LogAnswer<()>, CallError> {
        let request = get(address(log, &format!("limitBytes={most}")), "*/*")?;
        let answer = self.connection.call_through(request, pieces).await;
        Ok(match log_answer(answer)? {
            LogAnswer::Log(_) => LogAnswer::Log(()),
            LogAnswer::Never(why) => LogAnswer::Never(why),
            LogAnswer::NotNow(why) => LogAnswer::NotNow(why),
        })
    }

    /// The last lines of a log.
    ///
    /// # Errors
    /// If the API server refuses, or does not answer.
    pub async fn log_tail(&self, log: &Log<'_>) -> Result<LogAnswer<Bytes>, CallError> {
        let request = get(address(log, &format!("tailLines={TAIL_LINES}")), "*/*")?;
        log_answer(self.connection.call_up_to(request, BODY_MAX).await)
    }
}

fn address(log: &Log<'_>, how: &str) -> String {
    let previous = if log.is_previous {
        "&previous=true"
    } else {
        ""
    };
    format!(
        "/api/v1/namespaces/{}/pods/{}/log?container={}{previous}&{how}",
        escape(log.namespace),
        escape(log.pod),
        escape(log.container),
    )
}

/// What an answer to the question for a log comes to. Where there is none, the API server says so; whatever else goes
/// wrong on a node, it calls an error of its own.
fn log_answer(answer: Result<Answer, Failure>) -> Result<LogAnswer<Bytes>, CallError> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure @ (Failure::Timeout(_) | Failure::TooLong(_))) => {
            return Ok(LogAnswer::NotNow(failure.words()));
        }
        Err(failure) => return Err(failure.into()),
    };
    let is_status = decode::decode_status(&answer.body).is_some();
    Ok(match answer.status {
        // A log may look like a page; its type is told by the API server.
        StatusCode::OK if !answer.content_type().starts_with("text/html") => {
            LogAnswer::Log(answer.body)
        }
        StatusCode::NO_CONTENT => {
            LogAnswer::Never("its Pod was never assigned to a node".to_owned())
        }
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED
            if is_status =>
        {
            LogAnswer::Never(answer.words())
        }
        _ if answer.is_pushback() => return Err(Unanswered::from(&answer).into()),
        _ if answer.is_transient() => LogAnswer::NotNow(answer.words()),
        StatusCode::OK
        | StatusCode::NOT_FOUND
        | StatusCode::BAD_REQUEST
        | StatusCode::METHOD_NOT_ALLOWED => {
            return Err(Unanswered::new(Trouble::NoAnswer, answer.words()).into());
        }
        _ => {
            let why = format!("its logs cannot be read: {}", answer.words());
            return Err(CallError::Refused(why));
        }
    })
}

/// Those of these events that are about one of these objects.
pub fn about(events: Vec<Object>, uids: &HashSet<String>) -> Vec<Object> {
    let is_about = |event: &Object| {
        let object = event.get("involvedObject");
        object.is_some_and(|object| object["uid"].as_str().is_some_and(|uid| uids.contains(uid)))
    };
    events.into_iter().filter(is_about).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_without_a_name_does_not_hide_the_others() {
        let object = json!({
            "metadata": {"name": "sync-1-a", "uid": "u"},
            "spec": {"initContainers": [{"image": "none"}], "containers": [{"name": "run"}]},
        });
        let pod = pod(object.as_object().unwrap()).unwrap();
        let names: Vec<&str> = pod
            .containers
            .iter()
            .map(|container| &*container.name)
            .collect();
        assert_eq!(names, ["run"]);
    }
}
