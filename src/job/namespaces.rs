//! Namespaces that keep all of their Jobs.

use std::collections::BTreeSet;

/// The namespaces that keep all of their Jobs, by their own mark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holders(BTreeSet<Box<str>>);

impl Holders {
    /// Take a namespace in, by the values of its marks. A near miss was meant to keep its Jobs.
    pub fn add<'a>(&mut self, name: &str, marks: impl IntoIterator<Item = &'a str>) {
        if marks.into_iter().any(|mark| mark != "false") {
            self.0.insert(name.into());
        }
    }

    /// Whether a namespace is one of them.
    pub fn hold(&self, namespace: &str) -> bool {
        self.0.contains(namespace)
    }
}
