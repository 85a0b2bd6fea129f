//! A long list in parts: namespace by namespace over several connections, all at the version that its first page has
//! shown. So a plan still is one snapshot.
//!
//! It also saves the server work. For each page, kube-apiserver walks over all objects that are left in that list, so one
//! list of everything costs the square of the number of Jobs.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;

use super::{Cluster, chain::Link};
use crate::job::query::{Query, Scope, Sink};

/// The most namespaces for each page that is left: more of them cost the server more than they save.
const NAMESPACES_A_PAGE: usize = 8;

/// Where the server does not count, no more pages than this are taken to be left.
const MOST_GUESSED: usize = 100;

/// The fewest names on a page of Namespaces, which are small.
const NAMES_A_PAGE: u32 = 500;

/// The longest that a list waits for the names of the namespaces. It can do without.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to read instead of a long list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The namespaces in which there may be Jobs of the list.
    pub(crate) namespaces: Vec<String>,
    /// How many Jobs they hold together, where that is known.
    pub(crate) count: Option<usize>,
}

/// What the first page of a list tells of its parts.
struct First<'a> {
    /// How many Jobs it holds.
    count: usize,
    /// How many are left, where the server says it.
    remaining: Option<usize>,
    /// The namespaces of those that belong to a group.
    namespaces: BTreeSet<&'a str>,
    /// The namespaces in which there were Jobs before.
    known: BTreeSet<&'a str>,
    /// The namespace in which it ends.
    last: Option<&'a str>,
}

impl Query {
    /// Whether its list can be read in parts.
    pub(crate) fn has_parts(&self) -> bool {
        self.scope == Scope::AllNamespaces && self.chunk_size > 0
    }
}

impl Cluster {
    /// What to read instead of a list that is longer than its first page, if that can be done and pays.
    ///
    /// Namespaces are asked for now that the version of the list is known. One that has gone since has lost its Jobs first.
    pub(crate) async fn parts(
        &self,
        query: &Query,
        first: &Link,
        sink: &dyn Sink,
    ) -> Option<Parts> {
        let contents = &first.page.contents;
        if first.remaining.is_some_and(|left| left < contents.count) {
            // No number of namespaces is small enough.
            return None;
        }
        let names = self.namespace_names(query.chunk_size.max(NAMES_A_PAGE));
        let names = timeout(PATIENCE, names).await.ok()??;
        let jobs = contents.jobs.iter();
        let first = First {
            count: contents.count,
            remaining: first.remaining,
            namespaces: jobs.map(|job| job.namespace()).collect(),
            known: sink.namespaces(),
            last: contents.last_namespace.as_deref(),
        };
        parts(names, query, &first)
    }
}

fn parts(mut names: Vec<String>, query: &Query, first: &First<'_>) -> Option<Parts> {
    names.sort_unstable();
    let is_listed = |name: &&str| names.binary_search_by(|known| known.as_str().cmp(name));
    // Something may show fewer Namespaces than there are. Jobs in the others would pass for gone.
    let mut seen = first.namespaces.union(&first.known);
    if !seen.all(|name| is_listed(name).is_ok()) {
        return None;
    }
    let pages = match first.remaining {
        Some(remaining) => remaining / first.count.max(1),
        // Without that, the namespaces that come after those of the first page are taken to be like them.
        None => {
            let covered = is_listed(&first.last?).ok()? + 1;
            (names.len() / covered).min(MOST_GUESSED)
        }
    };
    names.retain(|name| query.excludes(name).is_none());
    if names.len() > pages.saturating_mul(NAMESPACES_A_PAGE) {
        return None;
    }
    let count = first.remaining.map(|remaining| first.count + remaining);
    Some(Parts {
        namespaces: names,
        // What is left out is not in the parts either.
        count: count.filter(|_| query.excluded.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::grouping::Grouping;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("n-{number:04}")).collect()
    }

    fn first<'a>(
        remaining: Option<usize>,
        namespaces: impl IntoIterator<Item = &'a str>,
    ) -> First<'a> {
        let namespaces: BTreeSet<&str> = namespaces.into_iter().collect();
        First {
            count: 500,
            remaining,
            last: namespaces.last().copied(),
            namespaces,
            known: BTreeSet::new(),
        }
    }

    fn query() -> Query {
        Query::all(Grouping::Application, Scope::AllNamespaces, 500)
    }

    #[test]
    fn a_list_is_split_where_the_parts_are_large() {
        let split = |count, remaining| {
            parts(names(count), &query(), &first(remaining, ["n-0000"])).is_some()
        };
        assert!(split(8, Some(500)));
        assert!(!split(9, Some(500)));
        assert!(!split(1, Some(499)), "one more page");
        assert!(split(800, Some(50_000)));
        assert!(!split(5_000, Some(50_000)));
        // The first page is one of one namespace. The others need not be like it.
        assert!(split(800, None));
        assert!(!split(801, None));
    }

    #[test]
    fn where_the_server_does_not_count_the_first_page_stands_for_the_others() {
        let split = |last: usize| {
            let last = format!("n-{last:04}");
            parts(names(400), &query(), &first(None, ["n-0000", &last])).is_some()
        };
        assert!(split(7));
        assert!(!split(8));
        assert_eq!(parts(names(9), &query(), &first(None, [])), None);
        // It may end among Jobs that belong to no group.
        let ends_later = First {
            last: Some("n-0008"),
            ..first(None, ["n-0000"])
        };
        assert_eq!(parts(names(400), &query(), &ends_later), None);
    }

    #[test]
    fn what_does_not_show_all_namespaces_is_not_believed() {
        let all = Parts {
            namespaces: names(3),
            count: Some(9_500),
        };
        let of = |seen: &'static str| parts(names(3), &query(), &first(Some(9_000), [seen]));
        assert_eq!(of("n-0002").as_ref(), Some(&all));
        assert_eq!(of("n-0003"), None);
        let of = |known: &'static str| {
            let known = BTreeSet::from([known]);
            let first = first(Some(9_000), ["n-0000"]);
            parts(names(3), &query(), &First { known, ..first })
        };
        assert_eq!(of("n-0002"), Some(all));
        assert_eq!(of("n-0003"), None);
    }

    #[test]
    fn excluded_namespaces_are_not_read() {
        let query = Query {
            excluded: vec!["*-0001".parse().unwrap()],
            ..query()
        };
        let parts = parts(names(3), &query, &first(Some(9_000), ["n-0000"]));
        let left = Parts {
            namespaces: ["n-0000", "n-0002"].map(str::to_owned).into(),
            // The server has counted the others as well.
            count: None,
        };
        assert_eq!(parts, Some(left));
    }
}
