//! Families: the Jobs of a group that stand for the same work, each newer one in place of the one before.
//!
//! A Job's family is its name without what was generated. A name alone does not always tell: the other Jobs of its group
//! do. A wrong split keeps too much and a wrong merge deletes, so what stays in doubt is split.

mod ending;

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    error::Error,
    fmt,
    ops::Range,
    str::FromStr,
};

use jiff::SignedDuration;
use regex_lite::Regex;

use self::ending::{Ending, Kind, argo_hook, is_plain_number, take_off, without_separator};
use super::{Job, ids::Stamp};

/// Jobs that were created within this time of each other, and differ in a plain number, stand for different work.
pub const SIBLINGS_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// How many Jobs of the same stem and form settle that an ending in doubt was generated.
const NEIGHBOURS: usize = 2;

/// The family of a Job in its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family<'a> {
    /// What Jobs of the family have in common. In the name of a hook, a space stands before the phase.
    pub name: Cow<'a, str>,
    /// How it was found.
    pub found: Found,
}

/// How a family was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It is the Job's `generateName`.
    GenerateName,
    /// Argo CD named the Job, a hook, after its phase and a revision.
    ArgoHook,
    /// An ending that the user described was taken off, perhaps with others.
    OwnEnding,
    /// Endings that are generated beyond doubt were taken off.
    Endings,
    /// Other Jobs show that an ending is generated.
    Neighbours,
    /// Other Jobs show that a number stands for different work.
    Siblings,
    /// It is the whole name.
    Name,
}

/// How a user describes an ending of names that is generated: a regular expression that is matched at the end.
#[derive(Debug, Clone)]
pub struct NameEnding {
    text: String,
    regex: Regex,
}

impl NameEnding {
    /// The name without the ending, if it has one and is more than that.
    fn strip<'a>(&self, name: &'a str) -> Option<&'a str> {
        let found = self.regex.find(name)?;
        let rest = name[..found.start()].trim_end_matches(['-', '.']);
        (!rest.is_empty() && rest.len() < name.len()).then_some(rest)
    }
}

impl FromStr for NameEnding {
    type Err = NameEndingError;

    fn from_str(text: &str) -> Result<NameEnding, NameEndingError> {
        if text.trim().is_empty() {
            return Err(NameEndingError::Empty);
        }
        // By itself first, so that a mistake is not found in what is put around it.
        Regex::new(text)
            .and_then(|_| Regex::new(&format!("(?:{text})$")))
            .map(|regex| NameEnding {
                text: text.to_owned(),
                regex,
            })
            .map_err(|error| NameEndingError::Syntax(error.to_string()))
    }
}

impl fmt::Display for NameEnding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for NameEnding {
    fn eq(&self, other: &NameEnding) -> bool {
        self.text == other.text
    }
}

impl Eq for NameEnding {}

/// What is wrong with the description of an ending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameEndingError {
    /// There is nothing.
    Empty,
    /// It is not a regular expression; why.
    Syntax(String),
}

impl fmt::Display for NameEndingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameEndingError::Empty => {
                f.write_str("it is empty; to describe no ending, leave it out")
            }
            NameEndingError::Syntax(why) => write!(f, "it is not a regular expression: {why}"),
        }
    }
}

impl Error for NameEndingError {}

/// The family of each Job of a group, in their order. The order of the Jobs does not matter.
pub fn families<'a>(
    jobs: impl IntoIterator<Item = &'a Job>,
    own: Option<&NameEnding>,
) -> Vec<Family<'a>> {
    let jobs = jobs.into_iter();
    let (expected, _) = jobs.size_hint();
    let mut names = Names {
        endings: Vec::with_capacity(expected),
        names: Vec::with_capacity(expected),
    };
    for job in jobs {
        names.read(job.name(), job.generate_name(), Some(job.created()), own);
    }
    names.families()
}

/// The family of a Job of this name that has no `generateName` and is alone in its group.
pub fn of_name(name: &str) -> Cow<'_, str> {
    let mut names = Names {
        endings: Vec::new(),
        names: Vec::new(),
    };
    names.read(name, None, None, None);
    names.families().remove(0).name
}

/// The names of a group, and what is known of them so far.
struct Names<'a> {
    /// Those of all names, so that many names take little memory.
    endings: Vec<Ending>,
    names: Vec<Name<'a>>,
}

struct Name<'a> {
    text: &'a str,
    /// The phase of a hook.
    phase: Option<&'a str>,
    /// How much of it is the stem.
    stem: usize,
    /// What was taken off, from the left to the right.
    endings: Range<usize>,
    /// When its Job was created, if there is one.
    created: Option<Stamp>,
    found: Found,
}

impl<'a> Name<'a> {
    fn stem(&self) -> &'a str {
        &self.text[..self.stem]
    }
}

/// A stem, and the place of an ending behind it.
type Slot<'a> = (&'a str, usize);

impl<'a> Names<'a> {
    fn read(
        &mut self,
        name: &'a str,
        generate_name: Option<&'a str>,
        created: Option<Stamp>,
        own: Option<&NameEnding>,
    ) {
        let first = self.endings.len();
        let (text, phase, stem, found) =
            if let Some((prefix, phase)) = argo_hook(name, generate_name) {
                (name, Some(phase), prefix.len(), Found::ArgoHook)
            } else if let Some(base) = generate_name
                .map(without_separator)
                .filter(|base| !base.is_empty())
            {
                // The server draws five characters. A number that is shorter was given by a client.
                let (start, end) = (base.len(), name.len());
                if is_plain_number(name[start..].trim_start_matches(['-', '.'])) {
                    let kind = Kind::Number;
                    self.endings.push(Ending { start, end, kind });
                }
                (name, None, start, Found::GenerateName)
            } else {
                let rest = own.and_then(|own| own.strip(name));
                let text = rest.unwrap_or(name);
                let stem = take_off(text, &mut self.endings);
                let found = match (rest, stem == text.len()) {
                    (Some(_), _) => Found::OwnEnding,
                    (None, true) => Found::Name,
                    (None, false) => Found::Endings,
                };
                (text, None, stem, found)
            };
        self.names.push(Name {
            text,
            phase,
            stem,
            endings: first..self.endings.len(),
            created,
            found,
        });
    }

    /// The family of each, now that all of them are there.
    fn families(mut self) -> Vec<Family<'a>> {
        self.settle_doubts();
        let siblings = self.siblings();
        let families = self.names.iter().map(|name| self.family(name, &siblings));
        families.collect()
    }

    fn family(&self, name: &Name<'a>, siblings: &HashSet<Slot<'a>>) -> Family<'a> {
        let (stem, found) = (name.stem(), name.found);
        if let Some(phase) = name.phase {
            let name = format!("{stem} {phase}").into();
            return Family { name, found };
        }
        let endings = &self.endings[name.endings.clone()];
        let is_sibling =
            |place: usize| endings[place].kind == Kind::Number && siblings.contains(&(stem, place));
        let Some(last) = (0..endings.len()).rev().find(|place| is_sibling(*place)) else {
            let name = stem.into();
            return Family { name, found };
        };
        let name = if (0..=last).all(is_sibling) {
            Cow::Borrowed(&name.text[..endings[last].end])
        } else {
            // An asterisk is in no name, so it stands for what was taken off between.
            let part = |place: usize| {
                if is_sibling(place) {
                    &name.text[endings[place].start..endings[place].end]
                } else {
                    "-*"
                }
            };
            Cow::Owned((0..=last).fold(stem.to_owned(), |name, place| name + part(place)))
        };
        Family {
            name,
            found: Found::Siblings,
        }
    }

    /// Take off what is in doubt where enough other names of the same stem, and with as many endings, have what is beyond
    /// doubt there, and leave it where not.
    fn settle_doubts(&mut self) {
        if self
            .endings
            .iter()
            .all(|ending| doubt(ending.kind).is_none())
        {
            return;
        }
        let mut known: HashMap<(Slot<'a>, usize, Form), usize> = HashMap::new();
        for name in &self.names {
            let endings = &self.endings[name.endings.clone()];
            for (place, ending) in endings.iter().enumerate() {
                let slot = (name.stem(), place);
                let mut count = |form| *known.entry((slot, endings.len(), form)).or_default() += 1;
                match ending.kind {
                    // It is drawn of letters and digits as well.
                    Kind::Hex(length) => {
                        count(Form::Hex(length));
                        count(Form::Random(length));
                    }
                    Kind::Random(length) => count(Form::Random(length)),
                    _ => {}
                }
            }
        }
        for name in &mut self.names {
            let endings = &self.endings[name.endings.clone()];
            let is_left = |(place, ending): (usize, &Ending)| {
                let form = doubt(ending.kind)?;
                let slot = (name.stem(), place);
                let neighbours = known.get(&(slot, endings.len(), form)).copied();
                (neighbours.unwrap_or_default() < NEIGHBOURS).then_some(place)
            };
            let left = endings.iter().enumerate().rev().find_map(is_left);
            if let Some(place) = left {
                name.stem = endings[place].end;
                name.endings.start += place + 1;
            }
            let taken_off = &self.endings[name.endings.clone()];
            if taken_off.iter().any(|ending| doubt(ending.kind).is_some()) {
                name.found = Found::Neighbours;
            } else if taken_off.is_empty() && name.found == Found::Endings {
                name.found = Found::Name;
            }
        }
    }

    /// The places whose number stands for different work: Jobs that were created together differ in it.
    ///
    /// A number within a stem counts too: what follows it may be generated, though not beyond doubt.
    fn siblings(&self) -> HashSet<Slot<'a>> {
        let mut numbered: Vec<(Slot<'a>, i64, &'a str)> = Vec::new();
        for name in &self.names {
            let Some(created) = name.created else {
                continue;
            };
            let created = created.timestamp().as_second();
            for (place, ending) in self.endings[name.endings.clone()].iter().enumerate() {
                if ending.kind == Kind::Number {
                    let number = &name.text[ending.start..ending.end];
                    numbered.push(((name.stem(), place), created, number));
                }
            }
            let stem = name.stem();
            for (start, _) in stem.match_indices('-') {
                let rest = &stem[start + 1..];
                let part = &rest[..rest.find('-').unwrap_or(rest.len())];
                if is_plain_number(part) {
                    let number = &stem[start..=start + part.len()];
                    numbered.push(((&stem[..start], 0), created, number));
                }
            }
        }
        numbered.sort_unstable();
        let pairs = numbered.windows(2).filter(|pair| {
            let ((slot, created, number), (next, later, other)) = (pair[0], pair[1]);
            slot == next && number != other && later - created <= SIBLINGS_WITHIN.as_secs()
        });
        pairs.map(|pair| pair[0].0).collect()
    }
}

/// What an ending in doubt looks like, so that others can settle it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    /// Hex of this length.
    Hex(usize),
    /// Letters and digits, this many.
    Random(usize),
}

/// What settles an ending that is in doubt.
fn doubt(kind: Kind) -> Option<Form> {
    match kind {
        Kind::MaybeHex(length) => Some(Form::Hex(length)),
        Kind::MaybeRandom(length) => Some(Form::Random(length)),
        Kind::Number | Kind::Hex(_) | Kind::Random(_) | Kind::Generated => None,
    }
}
