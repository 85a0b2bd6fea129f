//! What makes the pages of a list one snapshot, and one that is not older than what was seen before.
//!
//! A list without a resourceVersion is a consistent read, so its version only ever rises. A list that is older comes from
//! something that answers in the API server's place, a cache for one, or from a cluster that was set back to a backup.
//! Versions are numbers that may be compared: see the `ComparableResourceVersion` of Kubernetes 1.35. Jobs and Pods are
//! kept apart, since an API server may keep them in different stores.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::decode::{ListMeta, metadata::Kind};

/// How often a list is begun before it is given up.
pub(crate) const MAX_STARTS: usize = 4;

/// The newest versions that lists have shown, shared by all requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Newest {
    jobs: Arc<AtomicU64>,
    pods: Arc<AtomicU64>,
    namespaces: Arc<AtomicU64>,
}

/// The pages of one list, held against each other as they come. By default the list is not held against others.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// The newest version that lists of its kind have shown, if it is held against others.
    newest: Option<Arc<AtomicU64>>,
    /// The newest version when the list was asked for: it must be as new. Others may come while it is on its way.
    mark: u64,
    resource_version: Option<String>,
    tokens: HashSet<String>,
}

/// How pages are no snapshot, as a fragment about the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// They were one, but the server has let go of it.
    Gone(&'static str),
    /// They are not what a server sends.
    Wrong(&'static str),
}

impl Break {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Break::Gone(why) | Break::Wrong(why) => why,
        }
    }
}

impl Newest {
    fn of(&self, kind: Kind) -> &Arc<AtomicU64> {
        match kind {
            Kind::Jobs => &self.jobs,
            Kind::Pods => &self.pods,
            Kind::Namespaces => &self.namespaces,
        }
    }

    /// Get ready for a list that is about to be asked for.
    pub(crate) fn pages(&self, kind: Kind) -> Pages {
        let newest = self.of(kind);
        Pages {
            mark: newest.load(Ordering::Relaxed),
            newest: Some(Arc::clone(newest)),
            ..Pages::default()
        }
    }

    /// Take note of a version that was seen elsewhere, in a saved plan for one.
    pub(crate) fn note(&self, kind: Kind, version: &str) {
        note(self.of(kind), version);
    }
}

fn note(newest: &AtomicU64, version: &str) {
    // No server is known whose versions are not numbers. They cannot be compared then.
    if let Ok(version) = version.parse() {
        newest.fetch_max(version, Ordering::Relaxed);
    }
}

impl Pages {
    /// Get ready for a list that is asked for as it was at a version.
    pub(crate) fn at_version(version: &str) -> Pages {
        Pages {
            resource_version: Some(version.to_owned()),
            ..Pages::default()
        }
    }

    /// Take the metadata of the next page; the token of the one after it, `None` after the last.
    ///
    /// # Errors
    /// If the pages are not one snapshot.
    pub(crate) fn next(&mut self, meta: ListMeta) -> Result<Option<String>, Break> {
        let version = meta.resource_version.unwrap_or_default();
        match &self.resource_version {
            None if version.is_empty() => return Err(Break::Wrong("it has no resourceVersion")),
            None => {
                if version
                    .parse()
                    .is_ok_and(|version: u64| version < self.mark)
                {
                    return Err(Break::Wrong("it is older than what was seen before"));
                }
                if let Some(newest) = &self.newest {
                    note(newest, &version);
                }
                self.resource_version = Some(version);
            }
            Some(first) if *first == version => {}
            Some(_) => return Err(Break::Gone("its pages are of different versions")),
        }
        match meta.continue_token.filter(|token| !token.is_empty()) {
            None if meta.remaining_item_count.unwrap_or_default() > 0 => {
                Err(Break::Wrong("it ends although more objects remain"))
            }
            None => Ok(None),
            Some(token) if self.tokens.insert(token.clone()) => Ok(Some(token)),
            Some(_) => Err(Break::Wrong("its pages never end")),
        }
    }

    /// The version that all of them show.
    pub(crate) fn resource_version(&self) -> &str {
        self.resource_version.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(version: &str, token: &str, remaining: i64) -> ListMeta {
        ListMeta {
            resource_version: Some(version.to_owned()),
            continue_token: Some(token.to_owned()),
            remaining_item_count: Some(remaining),
        }
    }

    #[test]
    fn pages_of_one_version_follow_each_other() {
        let newest = Newest::default();
        let mut pages = newest.pages(Kind::Jobs);
        assert_eq!(pages.next(page("7", "a", 2)), Ok(Some("a".to_owned())));
        assert_eq!(pages.next(page("7", "b", 1)), Ok(Some("b".to_owned())));
        assert_eq!(pages.next(page("7", "", 0)), Ok(None));
        assert_eq!(pages.resource_version(), "7");
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        let pages = || Newest::default().pages(Kind::Jobs);
        assert!(matches!(
            pages().next(ListMeta::default()),
            Err(Break::Wrong(_))
        ));
        assert!(matches!(
            pages().next(page("7", "", 1)),
            Err(Break::Wrong(_))
        ));
        let mut versions = pages();
        assert!(versions.next(page("7", "a", 1)).is_ok());
        assert!(matches!(
            versions.next(page("8", "", 0)),
            Err(Break::Gone(_))
        ));
        let mut tokens = pages();
        assert!(tokens.next(page("7", "a", 1)).is_ok());
        assert!(tokens.next(page("7", "b", 1)).is_ok());
        assert!(matches!(
            tokens.next(page("7", "a", 1)),
            Err(Break::Wrong(_))
        ));
    }

    #[test]
    fn a_list_that_is_asked_for_at_a_version_shows_it() {
        assert_eq!(Pages::at_version("7").next(page("7", "", 0)), Ok(None));
        for version in ["6", "8", ""] {
            let broken = Pages::at_version("7").next(page(version, "", 0));
            assert!(matches!(broken, Err(Break::Gone(_))), "{version}");
        }
    }

    #[test]
    fn a_list_is_as_new_as_what_was_seen_before_it_was_asked_for() {
        let newest = Newest::default();
        let (mut first, mut second) = (newest.pages(Kind::Jobs), newest.pages(Kind::Jobs));
        assert!(first.next(page("9", "", 0)).is_ok());
        // It was asked for before the other one came.
        assert!(second.next(page("8", "", 0)).is_ok());
        let is_new = |version| newest.pages(Kind::Jobs).next(page(version, "", 0)).is_ok();
        assert!(!is_new("8"));
        assert!(is_new("9") && is_new("10") && is_new("abc"));
        newest.note(Kind::Jobs, "20");
        assert!(!is_new("19"));
        // Pods may be kept in another store.
        assert!(newest.pages(Kind::Pods).next(page("3", "", 0)).is_ok());
    }
}
