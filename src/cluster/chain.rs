//! Pages that follow each other, held against each other as they come.

use std::sync::Arc;

use super::{
    page::{Ahead, Incoming, Page, PageSource, Trouble},
    snapshot,
    uri::Begin,
};

/// This many pages in a row may be empty.
const MAX_EMPTY_PAGES: u32 = 8;

/// A list, or the part of it in one namespace, page after page. It asks for nothing until its next page is wanted.
pub(crate) struct Chain {
    pages: PageSource,
    snapshot: snapshot::Pages,
    begin: Begin,
    /// A page that was asked for ahead of time.
    early: Option<Incoming>,
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
    /// The whole list, with a fresh read.
    pub(crate) fn whole(pages: &PageSource, snapshot: snapshot::Pages) -> Chain {
        Chain::new(pages.clone(), snapshot, Begin::Fresh)
    }

    fn new(pages: PageSource, snapshot: snapshot::Pages, begin: Begin) -> Chain {
        Chain {
            pages,
            snapshot,
            begin,
            early: None,
            empty_pages: 0,
        }
    }

    /// The Jobs of one namespace at a version that the list of all has shown.
    pub(crate) fn of_namespace(pages: &PageSource, namespace: String, version: &Arc<str>) -> Chain {
        Chain::new(
            pages.of_namespace(namespace),
            snapshot::Pages::at_version(version),
            Begin::AtVersion(Arc::clone(version)),
        )
    }

    /// Ask for the next page, and wait for it.
    ///
    /// # Errors
    /// If it cannot be had, or does not go with those before it.
    pub(crate) async fn next(mut self, ahead: Ahead) -> Result<Link, Trouble> {
        let incoming = match self.early.take() {
            // It was asked for by a token that stood before the items: the whole page may have named another.
            Some(early) if early.begin == self.begin => early,
            _ => self.pages.ask(self.begin, ahead),
        };
        let mut page = incoming.arrive().await?;
        let remaining = page.meta.remaining_item_count;
        let token = self.snapshot.next(std::mem::take(&mut page.meta))?;
        let version = self.snapshot.resource_version().into();
        let empty_pages = if page.contents.count == 0 {
            self.empty_pages + 1
        } else {
            0
        };
        if token.is_some() && empty_pages > MAX_EMPTY_PAGES {
            return Err(Trouble::Wrong("its pages never end".to_owned()));
        }
        let early = page.next.take();
        let rest = token.map(|token| Chain {
            begin: Begin::Token(token.into()),
            early,
            empty_pages,
            ..self
        });
        Ok(Link {
            page,
            version,
            remaining: remaining.and_then(|count| count.try_into().ok()),
            rest,
        })
    }
}
