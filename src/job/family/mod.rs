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
    str::FromStr,
};

use jiff::SignedDuration;
use regex_lite::Regex;

use self::ending::{Ending, Kind, Parsed, argo_hook, is_plain_number, parse, without_separator};
use super::Job;

/// Jobs that were created within this time of each other, and differ in a plain number, stand for different work.
pub const SIBLINGS_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// So many Jobs of the same stem and form settle that an ending in doubt was generated.
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
        if text.is_empty() {
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
pub fn families<'a>(jobs: &'a [Job], own: Option<&NameEnding>) -> Vec<Family<'a>> {
    let mut read: Vec<Name<'a>> = jobs
        .iter()
        .map(|job| Name::read(&job.name, job.generate_name(), own))
        .collect();
    settle_doubts(&mut read);
    let siblings = siblings(jobs, &read);
    read.into_iter()
        .map(|name| name.family(&siblings))
        .collect()
}

/// The family of a Job of this name that has no `generateName` and is alone in its group.
pub fn of_name(name: &str) -> Cow<'_, str> {
    let mut names = [Name::read(name, None, None)];
    settle_doubts(&mut names);
    let [name] = names;
    name.family(&HashSet::new()).name
}

/// A name that has been read, and what is known of it so far.
struct Name<'a> {
    text: &'a str,
    /// The phase of a hook.
    phase: Option<&'a str>,
    parsed: Parsed,
    found: Found,
}

impl<'a> Name<'a> {
    fn read(name: &'a str, generate_name: Option<&'a str>, own: Option<&NameEnding>) -> Name<'a> {
        let whole = |stem: usize| Parsed {
            stem,
            endings: Vec::new(),
        };
        if let Some((prefix, phase)) = argo_hook(name, generate_name) {
            return Name {
                text: name,
                phase: Some(phase),
                parsed: whole(prefix.len()),
                found: Found::ArgoHook,
            };
        }
        if let Some(base) = generate_name
            .map(without_separator)
            .filter(|base| !base.is_empty())
        {
            // The server draws five characters. A number that is shorter was given by a client.
            let number = name[base.len()..].trim_start_matches(['-', '.']);
            let ending = Ending {
                start: base.len(),
                end: name.len(),
                kind: Kind::Number,
            };
            let endings = if is_plain_number(number) {
                vec![ending]
            } else {
                Vec::new()
            };
            let parsed = Parsed {
                stem: base.len(),
                endings,
            };
            return Name {
                text: name,
                phase: None,
                parsed,
                found: Found::GenerateName,
            };
        }
        let (text, is_own) = match own.and_then(|own| own.strip(name)) {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        let parsed = parse(text);
        let found = match parsed.endings.len() {
            _ if is_own => Found::OwnEnding,
            0 => Found::Name,
            _ => Found::Endings,
        };
        Name {
            text,
            phase: None,
            parsed,
            found,
        }
    }

    fn stem(&self) -> &'a str {
        &self.text[..self.parsed.stem]
    }

    fn family(self, siblings: &HashSet<(&'a str, usize)>) -> Family<'a> {
        if let Some(phase) = self.phase {
            return Family {
                name: format!("{} {phase}", self.stem()).into(),
                found: self.found,
            };
        }
        let endings = &self.parsed.endings;
        let is_sibling = |place: &usize| {
            endings[*place].kind == Kind::Number && siblings.contains(&(self.stem(), *place))
        };
        let Some(last) = (0..endings.len()).rev().find(is_sibling) else {
            return Family {
                name: self.stem().into(),
                found: self.found,
            };
        };
        let name = if (0..=last).all(|place| is_sibling(&place)) {
            Cow::Borrowed(&self.text[..endings[last].end])
        } else {
            // An asterisk is in no name, so it stands for what was taken off between.
            let part = |place: usize| match is_sibling(&place) {
                true => &self.text[endings[place].start..endings[place].end],
                false => "-*",
            };
            Cow::Owned((0..=last).fold(self.stem().to_owned(), |name, place| name + part(place)))
        };
        Family {
            name,
            found: Found::Siblings,
        }
    }
}

/// Take off what is in doubt where enough other Jobs of the same stem have what is beyond doubt there, and leave it where
/// not.
fn settle_doubts(names: &mut [Name<'_>]) {
    let doubt = |kind: Kind| match kind {
        Kind::MaybeHex(length) => Some(Kind::Hex(length)),
        Kind::MaybeRandom(length) => Some(Kind::Random(length)),
        _ => None,
    };
    if !names
        .iter()
        .flat_map(|name| &name.parsed.endings)
        .any(|ending| doubt(ending.kind).is_some())
    {
        return;
    }
    let mut known: HashMap<(&str, usize, usize, bool), usize> = HashMap::new();
    for name in names.iter() {
        for (place, ending) in name.parsed.endings.iter().enumerate() {
            // Hex is drawn of letters and digits as well.
            let forms: &[(usize, bool)] = match ending.kind {
                Kind::Hex(length) => &[(length, true), (length, false)],
                Kind::Random(length) => &[(length, false)],
                _ => &[],
            };
            for (length, is_hex) in forms {
                *known
                    .entry((name.stem(), place, *length, *is_hex))
                    .or_default() += 1;
            }
        }
    }
    for name in names.iter_mut() {
        let is_left = |(place, ending): (usize, &Ending)| {
            let (length, is_hex) = match doubt(ending.kind)? {
                Kind::Hex(length) => (length, true),
                Kind::Random(length) => (length, false),
                _ => return None,
            };
            let neighbours = known.get(&(name.stem(), place, length, is_hex));
            (neighbours.copied().unwrap_or_default() < NEIGHBOURS).then_some(place)
        };
        let left = name
            .parsed
            .endings
            .iter()
            .enumerate()
            .filter_map(is_left)
            .last();
        let settled = left.map_or(0, |place| place + 1);
        if let Some(place) = left {
            name.parsed.stem = name.parsed.endings[place].end;
        }
        name.parsed.endings.drain(..settled);
        if name
            .parsed
            .endings
            .iter()
            .any(|ending| doubt(ending.kind).is_some())
        {
            name.found = Found::Neighbours;
        } else if name.parsed.endings.is_empty() && name.found == Found::Endings {
            name.found = Found::Name;
        }
    }
}

/// The stems, and the places of endings after them, whose number stands for different work: Jobs that were created
/// together differ in it.
fn siblings<'a>(jobs: &[Job], names: &[Name<'a>]) -> HashSet<(&'a str, usize)> {
    let mut numbered: Vec<(&'a str, usize, i64, &'a str)> = Vec::new();
    for (job, name) in jobs.iter().zip(names) {
        for (place, ending) in name.parsed.endings.iter().enumerate() {
            if ending.kind == Kind::Number {
                let created = job.created.timestamp().as_second();
                numbered.push((
                    name.stem(),
                    place,
                    created,
                    &name.text[ending.start..ending.end],
                ));
            }
        }
    }
    numbered.sort_unstable();
    let differ = |pair: &&[(&str, usize, i64, &str)]| {
        let ((stem, place, created, number), (next_stem, next_place, later, other)) =
            (pair[0], pair[1]);
        (stem, place) == (next_stem, next_place)
            && number != other
            && later - created <= SIBLINGS_WITHIN.as_secs()
    };
    numbered
        .windows(2)
        .filter(differ)
        .map(|pair| (pair[0].0, pair[0].1))
        .collect()
}
