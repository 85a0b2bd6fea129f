//! Pages that follow each other, held against each other as they come.

use std::sync::Arc;

use super::{
    page::{Incoming, Page, Pages, Trouble},
    snapshot,
    uri::Begin,
};

/// This many pages in a row may be empty.
const MAX_EMPTY_PAGES: u32 = 8;

/// A list, or the part of it in one namespace, page after page.
pub(crate) struct Chain {
    pages: Pages,
    snapshot: snapshot::Pages,
    incoming: Incoming,
    empty_pages: u32,
}

/// What comes next of a chain.
pub(crate) struct Link {
    pub(crate) page: Page,
    /// The version that it shows.
    pub(crate) version: Arc<str>,
    /// How many Jobs are on the pages after it, where the server says it.
    pub(crate) remaining: Option<usize>,
    /// What comes after it, if anything does.
    pub(crate) rest: Option<Chain>,
}

impl Chain {
    /// From the page that was asked for as the first.
    pub(crate) fn new(pages: Pages, snapshot: snapshot::Pages, incoming: Incoming) -> Chain {
        Chain {
            pages,
            snapshot,
            incoming,
            empty_pages: 0,
        }
    }

    /// The Jobs of one namespace at a version that the list of all has shown.
    pub(crate) fn of_namespace(pages: &Pages, namespace: String, version: &Arc<str>) -> Chain {
        let pages = pages.of_namespace(namespace);
        let incoming = pages.ask(Begin::AtVersion(Arc::clone(version)));
        Chain::new(pages, snapshot::Pages::at_version(version), incoming)
    }

    /// Wait for the next page.
    ///
    /// # Errors
    /// If it cannot be had, or does not go with those before it.
    pub(crate) async fn next(mut self) -> Result<Link, Trouble> {
        let mut page = self.incoming.arrive().await?;
        let remaining = page.meta.remaining_item_count;
        let token = self.snapshot.next(std::mem::take(&mut page.meta))?;
        let version = self.snapshot.resource_version().into();
        let empty_pages = if page.count == 0 {
            self.empty_pages + 1
        } else {
            0
        };
        if token.is_some() && empty_pages > MAX_EMPTY_PAGES {
            return Err(Trouble::Wrong("its pages never end".to_owned()));
        }
        let rest = token.map(|token| Chain {
            incoming: self.pages.after(&mut page, token),
            pages: self.pages,
            snapshot: self.snapshot,
            empty_pages,
        });
        Ok(Link {
            page,
            version,
            remaining: remaining.and_then(|count| count.try_into().ok()),
            rest,
        })
    }
}
