//! Lists of Namespaces: for their names, which the tool can do without, and for which of them keep all of their Jobs.
//! Unlike what tools say, that must be known: a refusal ends the run.

use std::time::Duration;

use http::StatusCode;

use super::{
    Cluster,
    retry::{Backoff, Retry, Tries},
    snapshot::MAX_STARTS,
    uri::{escape, get, page},
};
use crate::{
    connection::exchange::{Answer, LIST_MAX},
    decode::{
        ObjectMeta, TypeMeta,
        job::keep_marks,
        metadata::{self, ACCEPT, Kind, Object},
    },
    error::Error,
    job::{
        namespaces::Holders,
        query::{Query, Scope},
    },
};

/// Why a page is of no use.
enum Trouble {
    /// Its snapshot is gone, or it is not what was asked for.
    StartOver(String),
    Fatal(Error),
}

/// Says how long it waits before it asks again, and why.
type OnWait<'a> = &'a mut dyn FnMut(Duration, &str);

const NAMESPACES: &str = "/api/v1/namespaces";
const JSON: &str = "application/json";

impl Cluster {
    /// The namespaces of a query that keep all of their Jobs.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn holders(&self, query: &Query, on_wait: OnWait<'_>) -> Result<Holders, Error> {
        let mut starts = 1;
        loop {
            let mut holders = Holders::default();
            let read = match &query.scope {
                Scope::AllNamespaces => {
                    self.list_holders(query.chunk_size, on_wait, &mut holders)
                        .await
                }
                Scope::Namespace(name) => self.get_holder(name, on_wait, &mut holders).await,
            };
            match read {
                Ok(()) => return Ok(holders),
                Err(Trouble::StartOver(_)) if starts < MAX_STARTS => starts += 1,
                Err(Trouble::StartOver(why)) => return Err(self.cannot_read(&why)),
                Err(Trouble::Fatal(error)) => return Err(error),
            }
        }
    }

    async fn list_holders(
        &self,
        chunk_size: u32,
        on_wait: OnWait<'_>,
        holders: &mut Holders,
    ) -> Result<(), Trouble> {
        let mut on_namespace = |meta: &ObjectMeta<'_>| add(holders, meta);
        self.each_namespace(chunk_size, Tries::for_list(), on_wait, &mut on_namespace)
            .await
    }

    /// The names of all namespaces, if they may be listed and come at once; with a chunk size of 0 in one answer.
    pub async fn namespace_names(&self, chunk_size: u32) -> Option<Vec<String>> {
        let mut names = Vec::new();
        let mut on_namespace = |meta: &ObjectMeta<'_>| {
            names.extend(meta.name.as_deref().map(str::to_owned));
        };
        self.each_namespace(chunk_size, Tries::once(), &mut |_, _| {}, &mut on_namespace)
            .await
            .ok()?;
        Some(names)
    }

    async fn each_namespace(
        &self,
        chunk_size: u32,
        tries: Tries,
        on_wait: OnWait<'_>,
        on_namespace: &mut dyn FnMut(&ObjectMeta<'_>),
    ) -> Result<(), Trouble> {
        let mut pages = self.newest.pages(Kind::Namespaces);
        let mut token: Option<String> = None;
        loop {
            let uri = page(
                NAMESPACES.to_owned(),
                Vec::new(),
                chunk_size,
                token.as_deref(),
            );
            let answer = self.answer(&uri, ACCEPT, tries, on_wait).await?;
            let list = metadata::decode(Kind::Namespaces, answer.content_type(), &answer.body)
                .map_err(|why| Trouble::StartOver(format!("the answer cannot be read: {why}")))?;
            for meta in list
                .items
                .iter()
                .filter_map(|object| object.metadata.as_ref())
            {
                on_namespace(meta);
            }
            token = pages.next(list.metadata).map_err(|broken| {
                Trouble::StartOver(format!("the list cannot be believed: {}", broken.words()))
            })?;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// One namespace alone takes the right to get it, which a Role can give.
    async fn get_holder(
        &self,
        name: &str,
        on_wait: OnWait<'_>,
        holders: &mut Holders,
    ) -> Result<(), Trouble> {
        let uri = format!("{NAMESPACES}/{}", escape(name));
        let tries = Tries::for_list();
        let answer = self.answer(&uri, JSON, tries, on_wait).await?;
        let is_namespace = serde_json::from_slice(&answer.body)
            .is_ok_and(|meta: TypeMeta| meta.kind.as_deref() == Some("Namespace"));
        let object: Option<Object<'_>> = serde_json::from_slice(&answer.body).ok();
        let meta = object.and_then(|object| object.metadata);
        let is_this = |meta: &ObjectMeta<'_>| meta.name.as_deref() == Some(name);
        match meta.filter(|meta| is_namespace && is_this(meta)) {
            Some(meta) => {
                add(holders, &meta);
                Ok(())
            }
            None => Err(Trouble::StartOver("the answer cannot be read".to_owned())),
        }
    }

    /// An answer, asked for again while that may help.
    async fn answer(
        &self,
        uri: &str,
        accept: &str,
        tries: Tries,
        on_wait: OnWait<'_>,
    ) -> Result<Answer, Trouble> {
        let mut backoff = Backoff::new(tries);
        loop {
            match self.try_answer(uri, accept).await {
                Ok(answer) => return Ok(answer),
                Err(tried) => backoff.wait(tried, &mut *on_wait).await?,
            }
        }
    }

    async fn try_answer(&self, uri: &str, accept: &str) -> Result<Answer, Retry<Trouble>> {
        let server = &self.connection.server;
        let request = get(uri.to_owned(), accept);
        let answer = async { self.connection.call_up_to(request?, LIST_MAX).await }.await;
        let answer = answer
            .map_err(|why| Retry::after(why, |why| Trouble::Fatal(why.into_error(server))))?;
        match answer.status {
            _ if answer.is_foreign() => {
                Err(Retry::Fatal(Trouble::Fatal(self.is_no_api_server(&answer))))
            }
            StatusCode::OK => Ok(answer),
            StatusCode::GONE => Err(Retry::Fatal(Trouble::StartOver(answer.words()))),
            _ if answer.is_transient() => Err(Retry::Again {
                last: Trouble::Fatal(self.cannot_read(&answer.words())),
                why: answer.words(),
                retry_after: answer.retry_after(),
            }),
            _ => Err(Retry::Fatal(Trouble::Fatal(
                self.cannot_read(&answer.words()),
            ))),
        }
    }

    fn cannot_read(&self, why: &str) -> Error {
        Error::failure(format!(
            "cannot read the Namespaces, which may keep their Jobs: {why}"
        ))
        .hint(
            "you need the verb get on namespaces, or list for every one; with namespaceAnnotations: false in the policy \
             they are not needed",
        )
    }
}

fn add(holders: &mut Holders, meta: &ObjectMeta<'_>) {
    holders.add(meta.name.as_deref().unwrap_or_default(), keep_marks(meta));
}
