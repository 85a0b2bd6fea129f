//! What is kept of a group, and the rules of a policy for groups that are not like others.

use std::{borrow::Cow, num::NonZeroUsize, sync::Arc, time::Duration};

use crate::job::rules::{Match, RuleNumber, number};

/// What the defaults are called where a rule is named.
pub const DEFAULTS: &str = "defaults";

/// What is kept of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The newest of the group that stay. At least one: no group is ever emptied.
    pub keep: NonZeroUsize,
    /// The newest Complete ones of the group that stay as well.
    pub keep_succeeded: usize,
    /// The newest Failed ones of the group that stay as well.
    pub keep_failed: usize,
    /// Anything created at most this long ago stays.
    pub keep_within: Option<Duration>,
    /// What was pushed out of the newest that stay at most this long ago stays.
    pub keep_superseded_within: Option<Duration>,
    /// What finished at most this long ago stays.
    pub keep_finished_within: Option<Duration>,
    /// What becomes of Jobs that are not finished.
    pub active: Treatment,
    /// What becomes of Jobs that have a controller.
    pub owned: Treatment,
}

impl Retention {
    /// What is kept always: the newest one.
    pub const LEAST: Retention = Retention {
        keep: NonZeroUsize::MIN,
        keep_succeeded: 0,
        keep_failed: 0,
        keep_within: None,
        keep_superseded_within: None,
        keep_finished_within: None,
        active: Treatment::Judge,
        owned: Treatment::Judge,
    };
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            active: Treatment::Keep,
            owned: Treatment::Keep,
            ..Retention::LEAST
        }
    }
}

/// What becomes of a class of Jobs that is kept by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// They stay.
    Keep,
    /// They are judged like any other.
    Judge,
}

impl Treatment {
    /// From a flag that asks to include the class.
    pub fn included(include: bool) -> Treatment {
        if include {
            Treatment::Judge
        } else {
            Treatment::Keep
        }
    }
}

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
    /// These, of which there may be [`MAX`](crate::job::rules::MAX).
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
