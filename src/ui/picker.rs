//! Which groups of a plan to purge, picked from a list with the keyboard.
//!
//! None is picked to begin with: an Enter too many then purges nothing, and what goes was named by hand.

use unicode_width::UnicodeWidthStr;

use crate::{
    plan::{Plan, PlannedGroup},
    text::harmless,
};

/// A list of groups that have something to purge, a filter, and what has been picked.
#[derive(Debug, Clone)]
pub struct Choice {
    entries: Vec<Entry>,
    filter: String,
    /// The entries that the filter lets through.
    shown: Vec<usize>,
    /// Which of those shown the keys act on.
    at: usize,
    /// Whether the filter is being typed, so that a space belongs to it.
    is_typing: bool,
}

#[derive(Debug, Clone)]
struct Entry {
    /// Its place in the plan.
    group: usize,
    /// What is shown of it, in columns and harmless.
    text: String,
    /// What the filter is held against, in lower case.
    sought: String,
    purge: usize,
    picked: bool,
}

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To the entry before, from the first to the last.
    Up,
    /// To the entry after, from the last to the first.
    Down,
    /// Up by this many entries, at most to the first.
    Back(usize),
    /// Down by this many entries, at most to the last.
    Forward(usize),
    /// To the first entry.
    First,
    /// To the last entry.
    Last,
    /// Pick this entry, or drop it; while the filter is being typed, one more character of it.
    Space,
    /// Pick all that are shown, or drop them if all are picked.
    ToggleShown,
    /// One more character of the filter.
    Type(char),
    /// Take the filter's last character away.
    Erase,
    /// Take the filter away.
    EraseAll,
}

/// One line of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it says.
    pub text: &'a str,
    /// Whether it is picked.
    pub is_picked: bool,
    /// Whether the keys act on it.
    pub is_current: bool,
}

impl Choice {
    /// From the groups of a plan that have something to purge.
    pub fn new(plan: &Plan) -> Choice {
        let groups = plan.groups.iter().enumerate();
        let groups: Vec<(usize, &PlannedGroup, usize)> = groups
            .map(|(index, group)| (index, group, group.purge_count()))
            .filter(|(_, _, purge)| *purge > 0)
            .collect();
        let rows: Vec<[String; 3]> = groups
            .iter()
            .map(|(_, group, purge)| {
                [
                    harmless(&group.key.namespace).into_owned(),
                    harmless(&name(group)).into_owned(),
                    format!("{purge} of {}", group.jobs.len()),
                ]
            })
            .collect();
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].width());
            widths.max().unwrap_or_default()
        };
        let (namespaces, names) = (width(0), width(1));
        let entries: Vec<Entry> = groups
            .iter()
            .zip(&rows)
            .map(
                |((index, group, purge), [namespace, shown, counts])| Entry {
                    group: *index,
                    text: format!(
                        "{}  {}  {counts}",
                        padded(namespace, namespaces),
                        padded(shown, names)
                    ),
                    sought: format!("{} {}", group.key.namespace, name(group)).to_lowercase(),
                    purge: *purge,
                    picked: false,
                },
            )
            .collect();
        Choice {
            shown: (0..entries.len()).collect(),
            entries,
            filter: String::new(),
            at: 0,
            is_typing: false,
        }
    }

    /// Do what a key asks for.
    pub fn take(&mut self, step: Step) {
        let last = self.shown.len().saturating_sub(1);
        let step = match step {
            Step::Space if self.is_typing => Step::Type(' '),
            step => step,
        };
        self.is_typing = match step {
            Step::Type(_) => true,
            Step::Erase => self.filter.chars().count() > 1,
            _ => false,
        };
        match step {
            Step::Up => self.at = self.at.checked_sub(1).unwrap_or(last),
            Step::Down => self.at = if self.at >= last { 0 } else { self.at + 1 },
            Step::Back(lines) => self.at = self.at.saturating_sub(lines),
            Step::Forward(lines) => self.at = self.at.saturating_add(lines).min(last),
            Step::First => self.at = 0,
            Step::Last => self.at = last,
            Step::Space => {
                if let Some(entry) = self.shown.get(self.at) {
                    self.entries[*entry].picked ^= true;
                }
            }
            Step::ToggleShown => {
                let all = self.shown.iter().all(|entry| self.entries[*entry].picked);
                for entry in &self.shown {
                    self.entries[*entry].picked = !all;
                }
            }
            Step::Type(c) => {
                self.filter.push(c);
                self.sift();
            }
            Step::Erase => {
                self.filter.pop();
                self.sift();
            }
            Step::EraseAll => {
                self.filter.clear();
                self.sift();
            }
        }
    }

    /// Show what the filter lets through, and stay where it was if that is still shown.
    fn sift(&mut self) {
        let current = self.shown.get(self.at).copied();
        let wanted = self.filter.to_lowercase();
        let entries = self.entries.iter().enumerate();
        self.shown = entries
            .filter(|(_, entry)| entry.sought.contains(&wanted))
            .map(|(index, _)| index)
            .collect();
        let same = self.shown.iter().position(|entry| Some(*entry) == current);
        self.at = same.unwrap_or_default();
    }

    /// The page with the current entry, `height` lines long.
    pub fn page(&self, height: usize) -> impl Iterator<Item = Line<'_>> {
        let height = height.max(1);
        let first = self.at / height * height;
        let page = self.shown.iter().enumerate().skip(first).take(height);
        page.map(|(place, entry)| Line {
            text: &self.entries[*entry].text,
            is_picked: self.entries[*entry].picked,
            is_current: place == self.at,
        })
    }

    /// What has been typed to filter by.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// How many entries there are, and how many of them are shown on some page.
    pub fn counts(&self) -> (usize, usize) {
        (self.entries.len(), self.shown.len())
    }

    /// How many groups are picked, shown or not, and how many Jobs would be purged in them.
    pub fn picked_counts(&self) -> (usize, usize) {
        let picked = self.entries.iter().filter(|entry| entry.picked);
        picked.fold((0, 0), |(groups, jobs), entry| {
            (groups + 1, jobs + entry.purge)
        })
    }

    /// The places of the picked groups in the plan, in its order.
    pub fn picked(&self) -> Vec<usize> {
        let picked = self.entries.iter().filter(|entry| entry.picked);
        picked.map(|entry| entry.group).collect()
    }
}

/// A group's label values, and its family if it was split by it; not made harmless.
fn name(group: &PlannedGroup) -> String {
    let values: Vec<&str> = group
        .key
        .values
        .iter()
        .map(|value| if value.is_empty() { "\"\"" } else { value })
        .collect();
    let values = values.join(",");
    match &group.family {
        None => values,
        Some(family) => format!("{values} (family {family})"),
    }
}

/// With spaces up to a width of columns.
fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {

    use jiff::Timestamp;

    use super::*;
    use crate::{
        job::Job,
        plan::{Snapshot, Source, retention::Policy, rules::Retention},
    };

    /// Groups with these numbers of Jobs.
    fn plan(groups: &[(&str, &str, usize)]) -> Plan {
        let jobs = groups.iter().flat_map(|(namespace, value, count)| {
            (0..*count).map(move |number| {
                let uid = format!("{namespace}-{value}-{number}");
                Job::complete(namespace, &format!("sync-{number}"), &uid, value)
            })
        });
        let snapshot = Snapshot {
            source: Source::File {
                path: "-".to_owned(),
            },
            grouping: "label:a".parse().unwrap(),
            ungrouped: 0,
            resource_version: String::new(),
            taken_at: Timestamp::UNIX_EPOCH,
            jobs: jobs.collect(),
        };
        let policy = Policy {
            defaults: Retention::LEAST,
            mixed_groups: Some(crate::plan::group::MixedGroups::Merge),
            ..Policy::default()
        };
        Plan::new(snapshot, &policy)
    }

    fn three() -> Choice {
        Choice::new(&plan(&[
            ("a", "Ledger", 3),
            ("a", "none", 1),
            ("b", "", 2),
            ("bb", "über\u{202e}", 4),
        ]))
    }

    fn texts(choice: &Choice, height: usize) -> Vec<String> {
        let mark = |line: Line| {
            let current = if line.is_current { ">" } else { " " };
            let picked = if line.is_picked { "x" } else { " " };
            format!("{current}{picked} {}", line.text)
        };
        choice.page(height).map(mark).collect()
    }

    fn with(steps: &[Step]) -> Choice {
        let mut choice = three();
        steps.iter().for_each(|step| choice.take(*step));
        choice
    }

    #[test]
    fn groups_with_nothing_to_purge_are_not_there_and_none_is_picked() {
        assert_eq!(
            texts(&three(), 9),
            [
                ">  a   Ledger        2 of 3",
                "   b   \"\"            1 of 2",
                "   bb  über\\u{202e}  3 of 4",
            ]
        );
        assert_eq!(three().picked(), [0; 0]);
        assert_eq!(three().picked_counts(), (0, 0));
    }

    #[test]
    fn what_is_picked_are_places_in_the_plan() {
        let choice = with(&[Step::Down, Step::Space, Step::Down, Step::Space]);
        assert_eq!(choice.picked(), [2, 3]);
        assert_eq!(choice.picked_counts(), (2, 4));
        assert_eq!(with(&[Step::Space, Step::Space]).picked(), [0; 0]);
    }

    #[test]
    fn the_ends_meet_for_one_step_and_stop_many() {
        let at = |steps: &[Step]| with(steps).at;
        assert_eq!(at(&[Step::Up]), 2);
        assert_eq!(at(&[Step::Up, Step::Down]), 0);
        assert_eq!(at(&[Step::Back(5)]), 0);
        assert_eq!(at(&[Step::Forward(usize::MAX), Step::Forward(1)]), 2);
        assert_eq!(at(&[Step::Last, Step::First]), 0);
    }

    #[test]
    fn the_filter_knows_no_case_and_hides_without_dropping() {
        let mut choice = with(&[Step::Space, Step::Type('Ü'), Step::Type('b')]);
        assert_eq!(texts(&choice, 9), [">  bb  über\\u{202e}  3 of 4"]);
        assert_eq!(choice.counts(), (3, 1));
        choice.take(Step::ToggleShown);
        assert_eq!(choice.picked(), [0, 3]);
        choice.take(Step::EraseAll);
        // It stays where it was.
        assert_eq!(choice.at, 2);
        // The namespace is sought as well.
        let ledger = with(&"a l".chars().map(Step::Type).collect::<Vec<_>>());
        assert_eq!(ledger.counts(), (3, 1));
    }

    #[test]
    fn a_space_belongs_to_the_filter_until_it_is_left() {
        let mut choice = with(&[Step::Type('a'), Step::Space]);
        assert_eq!(choice.filter(), "a ");
        assert_eq!(choice.picked(), [0; 0]);
        choice.take(Step::Erase);
        choice.take(Step::Space);
        assert_eq!(choice.filter(), "a ");
        for leave in [Step::Up, Step::EraseAll, Step::ToggleShown] {
            let mut choice = with(&[Step::Type('a'), leave]);
            let before = choice.picked().len();
            choice.take(Step::Space);
            assert_ne!(choice.picked().len(), before, "{leave:?}");
        }
        // Nothing is left of the filter.
        let choice = with(&[Step::Type('a'), Step::Erase, Step::Space]);
        assert_eq!((choice.filter(), choice.picked().len()), ("", 1));
    }

    #[test]
    fn a_filter_that_lets_nothing_through_leaves_nothing_to_pick() {
        let nothing = Step::Type('#');
        for step in [
            Step::Up,
            Step::Down,
            Step::Last,
            Step::Up,
            Step::Space,
            Step::ToggleShown,
            Step::Forward(1),
            Step::Back(1),
        ] {
            // An arrow key leaves the filter, so that a space is not one more character of it.
            let choice = with(&[nothing, Step::Up, step, Step::EraseAll]);
            assert_eq!(choice.picked(), [0; 0], "{step:?}");
            assert_eq!(choice.counts(), (3, 3));
        }
    }

    #[test]
    fn all_that_are_shown_are_picked_or_dropped() {
        assert_eq!(with(&[Step::ToggleShown]).picked(), [0, 2, 3]);
        assert_eq!(with(&[Step::Space, Step::ToggleShown]).picked(), [0, 2, 3]);
        let none = with(&[Step::ToggleShown, Step::ToggleShown]);
        assert_eq!(none.picked(), [0; 0]);
    }

    #[test]
    fn a_page_holds_what_the_keys_act_on() {
        let choice = with(&[Step::Last]);
        assert_eq!(texts(&choice, 2), [">  bb  über\\u{202e}  3 of 4"]);
        assert_eq!(choice.page(0).count(), 1);
    }

    #[test]
    fn a_plan_of_some_groups_is_as_if_no_other_were_there() {
        let whole = plan(&[("a", "x", 3), ("a", "y", 1), ("b", "z", 2)]);
        let only = whole.clone().only(&[0, 2]);
        assert_eq!(only, plan(&[("a", "x", 3), ("b", "z", 2)]));
        assert_eq!(whole.clone().only(&[0, 1, 2]), whole);
    }
}
