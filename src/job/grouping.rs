//! What makes Jobs one group, beside their namespace.

use std::{collections::BTreeMap, error::Error, fmt, str::FromStr, sync::Arc};

use super::label::{LabelKey, LabelKeyError};

/// The annotation by which Argo CD 3 marks what belongs to an application.
pub const TRACKING_ID: &str = "argocd.argoproj.io/tracking-id";

/// The label by which Argo CD marks it where it is configured so.
pub const INSTANCE: &str = "argocd.argoproj.io/instance";

/// What makes Jobs one group, beside their namespace. A Job that lacks any of it belongs to no group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Grouping {
    /// The Argo CD application that they belong to.
    #[default]
    Application,
    /// The values of these labels and annotations together; never empty.
    Keys(Vec<Key>),
    /// Their family alone.
    Family,
}

/// A label or an annotation whose value groups Jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    Label(LabelKey),
    /// The keys of annotations are written like those of labels.
    Annotation(LabelKey),
}

impl Key {
    /// The key without the word that says where it is.
    pub fn as_str(&self) -> &str {
        match self {
            Key::Label(key) | Key::Annotation(key) => key.as_str(),
        }
    }
}

/// As a person would name it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Label(key) => write!(f, "label {key}"),
            Key::Annotation(key) => write!(f, "annotation {key}"),
        }
    }
}

impl Grouping {
    /// By the values of these labels together.
    pub fn labels(keys: Vec<LabelKey>) -> Grouping {
        Grouping::Keys(keys.into_iter().map(Key::Label).collect())
    }

    /// The labels that a Job of a group has.
    pub fn label_keys(&self) -> impl Iterator<Item = &LabelKey> {
        self.keys().iter().filter_map(|key| match key {
            Key::Label(key) => Some(key),
            Key::Annotation(_) => None,
        })
    }

    /// Whether labels alone make the groups.
    pub fn is_by_labels(&self) -> bool {
        self.label_keys().count() == self.keys().len() && !self.keys().is_empty()
    }

    /// The labels and annotations, if it groups by such.
    pub fn keys(&self) -> &[Key] {
        match self {
            Grouping::Keys(keys) => keys,
            Grouping::Application | Grouping::Family => &[],
        }
    }
}

/// The values that make a group, by what they are values of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values<'a> {
    /// By the key of their label.
    pub labels: BTreeMap<&'a str, &'a str>,
    /// By the key of their annotation.
    pub annotations: BTreeMap<&'a str, &'a str>,
    /// The Argo CD application, where groups are made by it.
    pub application: Option<&'a str>,
}

impl Grouping {
    /// Part the values of a group, which are in the order of the keys.
    pub fn part<'a>(&'a self, values: &'a [Arc<str>]) -> Values<'a> {
        let (mut labels, mut annotations) = (BTreeMap::new(), BTreeMap::new());
        for (key, value) in self.keys().iter().zip(values) {
            match key {
                Key::Label(key) => labels.insert(key.as_str(), &**value),
                Key::Annotation(key) => annotations.insert(key.as_str(), &**value),
            };
        }
        Values {
            labels,
            annotations,
            application: match self {
                Grouping::Application => values.first().map(|value| &**value),
                Grouping::Keys(_) | Grouping::Family => None,
            },
        }
    }
}

impl fmt::Display for Grouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grouping::Application => f.write_str("application"),
            Grouping::Family => f.write_str("family"),
            Grouping::Keys(keys) => {
                for (index, key) in keys.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    match key {
                        Key::Label(key) => write!(f, "{comma}label:{key}")?,
                        Key::Annotation(key) => write!(f, "{comma}annotation:{key}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl FromStr for Grouping {
    type Err = GroupingError;

    fn from_str(text: &str) -> Result<Grouping, GroupingError> {
        match text {
            "application" => return Ok(Grouping::Application),
            "family" => return Ok(Grouping::Family),
            _ => {}
        }
        let mut keys: Vec<Key> = Vec::new();
        for part in text.split(',') {
            let key = match (part.split_once(':'), keys.last()) {
                (Some(("label", key)), _) => Key::Label(key.parse()?),
                (Some(("annotation", key)), _) => Key::Annotation(key.parse()?),
                // After a comma the word before may be left out.
                (None, Some(Key::Label(_))) => Key::Label(part.parse()?),
                (None, Some(Key::Annotation(_))) => Key::Annotation(part.parse()?),
                _ => return Err(GroupingError::Unknown),
            };
            if keys.contains(&key) {
                return Err(GroupingError::Twice(key.as_str().to_owned()));
            }
            keys.push(key);
        }
        Ok(Grouping::Keys(keys))
    }
}

/// What is wrong with the words for a grouping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupingError {
    /// It is not one of those that there are.
    Unknown,
    /// This key stands there twice.
    Twice(String),
    Key(LabelKeyError),
}

impl fmt::Display for GroupingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupingError::Unknown => {
                f.write_str("it is application, family, label:KEY or annotation:KEY, with a comma between several keys")
            }
            GroupingError::Twice(key) => write!(f, "it names {key} twice"),
            GroupingError::Key(error) => write!(f, "{error}"),
        }
    }
}

impl Error for GroupingError {}

impl From<LabelKeyError> for GroupingError {
    fn from(error: LabelKeyError) -> GroupingError {
        GroupingError::Key(error)
    }
}

/// The application in a tracking-id, `APP:GROUP/KIND:NAMESPACE/NAME`, if it is that of this very Job: a copy of a Job keeps
/// the mark of the original.
///
/// Argo CD gives a hook with a `generateName` its name after its mark, so the name in it is empty then.
pub fn tracked_application<'a>(
    tracking_id: &'a str,
    namespace: &str,
    name: &str,
    generate_name: Option<&str>,
) -> Option<&'a str> {
    let mut parts = tracking_id.splitn(3, ':');
    let application = parts.next().filter(|application| !application.is_empty())?;
    let is_job = parts.next()? == "batch/Job";
    let (tracked_in, tracked) = parts.next()?.split_once('/')?;
    let is_generated =
        || generate_name.is_some_and(|base| !base.is_empty() && name.starts_with(base));
    let is_this = tracked == name || tracked.is_empty() && is_generated();
    (is_job && tracked_in == namespace && is_this).then_some(application)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grouping_is_written_as_it_is_read() {
        for (text, written) in [
            ("application", "application"),
            ("family", "family"),
            ("label:app", "label:app"),
            ("label:a,b", "label:a,label:b"),
            (
                "annotation:example.com/a,b,label:c",
                "annotation:example.com/a,annotation:b,label:c",
            ),
        ] {
            let grouping: Grouping = text.parse().expect(text);
            assert_eq!(grouping.to_string(), written);
            assert_eq!(written.parse(), Ok(grouping));
        }
        for (text, why) in [
            ("", GroupingError::Unknown),
            ("app", GroupingError::Unknown),
            ("labels:app", GroupingError::Unknown),
            ("application,label:a", GroupingError::Unknown),
            ("label:", LabelKeyError::Empty.into()),
            ("label:a,", LabelKeyError::Empty.into()),
            ("annotation:a b", LabelKeyError::Name.into()),
            ("label:a,a", GroupingError::Twice("a".to_owned())),
        ] {
            assert_eq!(text.parse::<Grouping>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_mark_counts_on_the_job_that_it_names() {
        for (id, generate_name, application) in [
            ("shop:batch/Job:prod/a-1", None, Some("shop")),
            ("team-a_shop:batch/Job:prod/a-1", None, Some("team-a_shop")),
            ("shop:batch/Job:prod/", Some("a-"), Some("shop")),
            ("shop:batch/Job:prod/", Some("b-"), None),
            ("shop:batch/Job:prod/", None, None),
            ("shop:batch/Job:prod/a-2", None, None),
            ("shop:batch/Job:test/a-1", None, None),
            ("shop:batch/CronJob:prod/a-1", None, None),
            (":batch/Job:prod/a-1", None, None),
            ("shop", None, None),
            ("", None, None),
        ] {
            assert_eq!(
                tracked_application(id, "prod", "a-1", generate_name),
                application,
                "{id}"
            );
        }
    }
}
