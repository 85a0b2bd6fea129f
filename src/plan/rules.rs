//! The rules of a policy: what is kept of groups that are not like others.

use std::{borrow::Cow, sync::Arc};

use super::retention::Retention;
use crate::job::rules::{Match, RuleNumber, number};

/// What the defaults are called where a rule is named.
pub const DEFAULTS: &str = "defaults";

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, if it has one.
    pub name: Option<Box<str>>,
    /// Which Jobs it is for, unless a rule before it is.
    pub matches: Match,
    /// What is kept of their groups.
    pub ruling: Ruling,
}

/// What is kept of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// All of it.
    Hold,
    /// This.
    Keep(Retention),
}

/// The rules of a policy, in order: the first that is for a Job is that Job's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules(Arc<[Rule]>);

impl Rules {
    /// These.
    pub fn new(rules: Vec<Rule>) -> Rules {
        Rules(rules.into())
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.0.iter()
    }

    /// The rule of this number.
    pub fn get(&self, number: RuleNumber) -> Option<&Rule> {
        self.0.get(usize::from(number.get()) - 1)
    }

    /// Which Jobs each of them is for.
    pub fn matches(&self) -> Arc<[Match]> {
        self.iter().map(|rule| rule.matches.clone()).collect()
    }

    /// What a rule is called, or that it is the defaults.
    pub fn name(&self, rule: Option<RuleNumber>) -> Cow<'_, str> {
        match rule.map(|number| (number, self.get(number))) {
            None => DEFAULTS.into(),
            Some((
                _,
                Some(Rule {
                    name: Some(name), ..
                }),
            )) => (&**name).into(),
            Some((number, _)) => format!("rule {number}").into(),
        }
    }

    /// The rule that is called this; `None` if there is none.
    pub fn named(&self, name: &str) -> Option<Option<RuleNumber>> {
        let numbers = (0..self.0.len()).filter_map(number).map(Some);
        let mut all = std::iter::once(None).chain(numbers);
        all.find(|rule| self.name(*rule) == name)
    }
}
