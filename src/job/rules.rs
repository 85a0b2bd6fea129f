//! Which Jobs the rules of a policy are for.

use std::num::NonZeroU8;

use super::{
    pattern::{ApplicationPattern, NamespacePattern},
    selector::Selector,
};

/// The place of a rule among those of its policy, the first is 1. Every Job has one, so it is small.
pub type RuleNumber = NonZeroU8;

/// Which Jobs a rule is for. All parts must hold; one that is left out holds for every Job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Match {
    /// Their namespace is one of these; left out if there are none.
    pub namespaces: Vec<NamespacePattern>,
    /// Their application is one of these, where Jobs are grouped by application; left out if there are none.
    pub applications: Vec<ApplicationPattern>,
    /// Their labels are these.
    pub selector: Selector,
}

/// A Job as far as rules look at it.
pub struct Matched<'a, L> {
    pub namespace: &'a str,
    /// The application that it is grouped by, if it is.
    pub application: Option<&'a str>,
    /// Looks up the value of a label.
    pub label: L,
}

impl Match {
    fn is_for<'a>(&self, job: &Matched<'a, impl Fn(&str) -> Option<&'a str>>) -> bool {
        let one_of = |patterns: &[ApplicationPattern], application: &str| {
            (patterns.iter()).any(|pattern| pattern.matches(application))
        };
        let is_there = self.namespaces.is_empty()
            || (self.namespaces.iter()).any(|pattern| pattern.matches(job.namespace));
        let is_of_application = self.applications.is_empty()
            || (job.application).is_some_and(|name| one_of(&self.applications, name));
        is_there && is_of_application && self.selector.matches(&job.label)
    }
}

/// The first rule that is for a Job.
pub fn first<'a>(
    rules: &[Match],
    job: &Matched<'a, impl Fn(&str) -> Option<&'a str>>,
) -> Option<RuleNumber> {
    let place = rules.iter().position(|rule| rule.is_for(job))?;
    number(place)
}

/// The number of the rule at a place.
pub fn number(place: usize) -> Option<RuleNumber> {
    RuleNumber::new(u8::try_from(place + 1).ok()?)
}

/// As many rules as can be told apart.
pub const MAX: usize = u8::MAX as usize;
