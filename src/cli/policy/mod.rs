//! `--policy`: what is kept, as a file says it for many groups at once. The file has the flags' names; a typo in it is
//! an error, as it is on the command line.

#[cfg(feature = "schema")]
mod schema;

use std::{fs, num::NonZeroUsize, path::Path, path::PathBuf};

use clap::Args;
use serde_json::{Map, Value};

use super::at_least_one;
use crate::{
    error::{Error, io_words},
    gitops,
    job::{
        family::NameEnding,
        grouping::Grouping,
        label::is_dns_label,
        rules::{self, Match},
    },
    plan::{
        group::MixedGroups,
        retention::Policy,
        rules::{DEFAULTS, Retention, Rule, Rules, Ruling, Treatment},
    },
    text::{decode, harmless, quoted, yaml},
    time::HumanDuration,
};

/// The version of the files that are understood.
const API_VERSION: &str = "jobclean/v1";
const KIND: &str = "Policy";

/// What is said of what a group keeps, by flags or in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", serde(rename_all = "camelCase"))]
pub struct Said {
    /// Keep the N newest of every group [default: 1]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub keep: Option<NonZeroUsize>,
    /// Keep the N newest Complete ones of every group as well
    #[arg(long, value_name = "N")]
    pub keep_succeeded: Option<usize>,
    /// Keep the N newest Failed ones of every group as well
    #[arg(long, value_name = "N")]
    pub keep_failed: Option<usize>,
    /// Keep what was created within this time: 90s, 45m, 12h, 7d, 1d12h
    #[arg(long, value_name = "DURATION", visible_alias = "older-than")]
    #[cfg_attr(
        feature = "schema",
        serde(default),
        schemars(schema_with = "schema::duration")
    )]
    pub keep_within: Option<HumanDuration>,
    /// Keep what was pushed out of the N newest within this time
    #[arg(long, value_name = "DURATION")]
    #[cfg_attr(
        feature = "schema",
        serde(default),
        schemars(schema_with = "schema::duration")
    )]
    pub keep_superseded_within: Option<HumanDuration>,
    /// Keep what finished within this time
    #[arg(long, value_name = "DURATION")]
    #[cfg_attr(
        feature = "schema",
        serde(default),
        schemars(schema_with = "schema::duration")
    )]
    pub keep_finished_within: Option<HumanDuration>,
    /// Judge Jobs that are not finished like any other, instead of keeping them
    #[arg(long, value_name = "BOOL")]
    pub include_active: Option<bool>,
    /// Judge Jobs that have a controller (a CronJob's) like any other, instead of keeping them
    #[arg(long, value_name = "BOOL")]
    pub include_owned: Option<bool>,
}

impl Said {
    fn read(fields: &mut Fields) -> Result<Said, String> {
        let keep = |value: &Value| NonZeroUsize::new(count(value)?);
        Ok(Said {
            keep: fields.take("keep", keep)?,
            keep_succeeded: fields.take("keepSucceeded", count)?,
            keep_failed: fields.take("keepFailed", count)?,
            keep_within: fields.take("keepWithin", duration)?,
            keep_superseded_within: fields.take("keepSupersededWithin", duration)?,
            keep_finished_within: fields.take("keepFinishedWithin", duration)?,
            include_active: fields.take("includeActive", Value::as_bool)?,
            include_owned: fields.take("includeOwned", Value::as_bool)?,
        })
    }

    /// The fields, in their order, and whether each is said.
    fn fields(&self) -> [(&'static str, bool); 8] {
        [
            ("keep", self.keep.is_some()),
            ("keepSucceeded", self.keep_succeeded.is_some()),
            ("keepFailed", self.keep_failed.is_some()),
            ("keepWithin", self.keep_within.is_some()),
            (
                "keepSupersededWithin",
                self.keep_superseded_within.is_some(),
            ),
            ("keepFinishedWithin", self.keep_finished_within.is_some()),
            ("includeActive", self.include_active.is_some()),
            ("includeOwned", self.include_owned.is_some()),
        ]
    }

    /// What is kept where it says nothing else than this.
    pub fn over(&self, base: Retention) -> Retention {
        let time = |said: Option<HumanDuration>, base| said.map(|time| time.0).or(base);
        let treated = |said: Option<bool>, base| said.map_or(base, Treatment::included);
        Retention {
            keep: self.keep.unwrap_or(base.keep),
            keep_succeeded: self.keep_succeeded.unwrap_or(base.keep_succeeded),
            keep_failed: self.keep_failed.unwrap_or(base.keep_failed),
            keep_within: time(self.keep_within, base.keep_within),
            keep_superseded_within: time(self.keep_superseded_within, base.keep_superseded_within),
            keep_finished_within: time(self.keep_finished_within, base.keep_finished_within),
            active: treated(self.include_active, base.active),
            owned: treated(self.include_owned, base.owned),
        }
    }
}

/// A field, and what it takes.
type Field = (&'static str, &'static str);

const WHOLE: [Field; 5] = [
    ("apiVersion", API_VERSION),
    ("kind", KIND),
    (DEFAULTS, "fields such as keep: 2"),
    ("rules", "a list of rules"),
    ("namespaceAnnotations", SWITCH),
];
const DURATION: &str = "a time such as 90s, 45m, 12h, 7d or 1d12h";
const COUNT: &str = "a whole number";
const SWITCH: &str = "true or false";
const RETENTION: [Field; 8] = [
    ("keep", "a whole number, at least 1"),
    ("keepSucceeded", COUNT),
    ("keepFailed", COUNT),
    ("keepWithin", DURATION),
    ("keepSupersededWithin", DURATION),
    ("keepFinishedWithin", DURATION),
    ("includeActive", SWITCH),
    ("includeOwned", SWITCH),
];
const RUN: [Field; 3] = [
    ("mixedGroups", "hold, split or merge"),
    ("family", "a regular expression in quotes"),
    ("gitops", "auto, require or ignore"),
];
const RULE: [Field; 3] = [
    ("name", "a name in quotes"),
    (
        "match",
        "at least one of namespaces, selector and applications",
    ),
    ("hold", SWITCH),
];
const MATCH: [Field; 3] = [
    ("namespaces", "a list such as [\"prod-*\"]"),
    ("selector", "a label selector such as \"team=a\""),
    ("applications", "a list such as [\"shop-*\"]"),
];

/// A policy as a file has it.
#[derive(Debug)]
pub struct PolicyFile {
    path: PathBuf,
    defaults: Defaults,
    rules: Vec<SaidRule>,
    asks_namespaces: bool,
}

#[derive(Debug, Default)]
struct Defaults {
    said: Said,
    mixed_groups: Option<MixedGroups>,
    family: Option<NameEnding>,
    gitops: Option<gitops::Mode>,
}

/// A rule, before it starts from the defaults.
#[derive(Debug)]
struct SaidRule {
    name: Option<String>,
    matches: Match,
    ruling: SaidRuling,
}

#[derive(Debug)]
enum SaidRuling {
    Hold,
    Keep(Said),
}

impl PolicyFile {
    /// Read one.
    ///
    /// # Errors
    /// If it cannot be read, or anything in it makes no sense.
    pub fn load(path: &Path) -> Result<PolicyFile, Error> {
        let text = fs::read(path)
            .and_then(|bytes| decode(&bytes))
            .map_err(|error| io_words(&error));
        text.and_then(|text| PolicyFile::parse(path, &text))
            .map_err(|why| {
                Error::failure(format!("cannot use the policy {}: {why}", path.display()))
            })
    }

    /// Read the text of one.
    ///
    /// # Errors
    /// If anything in it makes no sense: where and why, as a fragment.
    pub fn parse(path: &Path, text: &str) -> Result<PolicyFile, String> {
        let mut documents: Vec<Value> =
            serde_saphyr::from_multiple_with_options(text, yaml::limits())
                .map_err(|error| format!("it is not valid YAML: {}", yaml::words(&error)))?;
        documents.retain(|document| !document.is_null());
        let document = match documents.len() {
            0 => return Err("it is empty".to_owned()),
            1 => documents.remove(0),
            several => {
                return Err(format!(
                    "it holds {several} documents: write one policy a file"
                ));
            }
        };
        for (field, known) in [("apiVersion", API_VERSION), ("kind", KIND)] {
            let found = document.get(field);
            if found.and_then(Value::as_str) != Some(known) {
                let found = found.map_or("missing".to_owned(), shown);
                return Err(format!("its {field} is {found}: write {field}: {known}"));
            }
        }
        let mut fields = Fields::new("", document, &[&WHOLE])?;
        let defaults = fields.take("defaults", any)?;
        let rules = fields.take("rules", |value| value.as_array().cloned())?;
        let asks_namespaces = fields.take("namespaceAnnotations", Value::as_bool)?;
        if defaults.is_none() && rules.is_none() && asks_namespaces.is_none() {
            return Err("it says nothing: give it defaults or rules".to_owned());
        }
        let rules = rules.unwrap_or_default();
        if rules.len() > rules::MAX {
            return Err(format!("it has more than {} rules", rules::MAX));
        }
        let rules = rules.into_iter().enumerate();
        let rules: Vec<SaidRule> = rules
            .map(|(place, rule)| SaidRule::parse(place + 1, rule))
            .collect::<Result<_, _>>()?;
        let mut names: Vec<&str> = rules
            .iter()
            .filter_map(|rule| rule.name.as_deref())
            .collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two rules have the name {}", twice[0]));
        }
        Ok(PolicyFile {
            path: path.to_owned(),
            defaults: defaults.map_or(Ok(Defaults::default()), Defaults::parse)?,
            rules,
            asks_namespaces: asks_namespaces.unwrap_or(true),
        })
    }

    /// The policy, with flags as further defaults.
    ///
    /// # Errors
    /// If a flag sets what the policy sets, or the policy does not go with what makes the groups; a fragment for a usage error.
    pub fn policy(&self, flags: &Flagged<'_>, grouping: &Grouping) -> Result<Policy, String> {
        self.refuse_twice(flags)?;
        self.refuse_grouping(grouping)?;
        let Defaults {
            said,
            mixed_groups,
            family,
            gitops,
        } = &self.defaults;
        let defaults = said.over(flags.said.over(Retention::default()));
        let rules = self.rules.iter().map(|rule| Rule {
            name: rule.name.as_deref().map(Into::into),
            matches: rule.matches.clone(),
            ruling: match &rule.ruling {
                SaidRuling::Hold => Ruling::Hold,
                SaidRuling::Keep(said) => Ruling::Keep(said.over(defaults)),
            },
        });
        Ok(Policy {
            defaults,
            mixed_groups: flags.mixed_groups.or(*mixed_groups),
            family: flags.family.or(family.as_ref()).cloned(),
            gitops: flags.gitops.or(*gitops).unwrap_or_default(),
            rules: Some(Rules::new(rules.collect())),
            asks_namespaces: self.asks_namespaces,
        })
    }

    /// How far GitOps tools are heeded, if it says that.
    pub fn gitops(&self) -> Option<gitops::Mode> {
        self.defaults.gitops
    }

    fn refuse_twice(&self, flags: &Flagged<'_>) -> Result<(), String> {
        let defaults = &self.defaults;
        let of_run = [
            (
                "mixedGroups",
                flags.mixed_groups.is_some(),
                defaults.mixed_groups.is_some(),
            ),
            ("family", flags.family.is_some(), defaults.family.is_some()),
            ("gitops", flags.gitops.is_some(), defaults.gitops.is_some()),
        ];
        let of_run = of_run.into_iter().map(|(field, by_flag, by_file)| {
            (field, by_flag, by_file.then(|| DEFAULTS.to_owned()))
        });
        let of_groups =
            (flags.said.fields().into_iter().enumerate()).map(|(at, (field, by_flag))| {
                let says = |said: &Said| said.fields()[at].1;
                let rules = self.rules.iter().enumerate();
                let mut rules = rules.filter(|(_, rule)| match &rule.ruling {
                    SaidRuling::Hold => false,
                    SaidRuling::Keep(said) => says(said),
                });
                let by_file = if says(&defaults.said) {
                    Some(DEFAULTS.to_owned())
                } else {
                    rules.next().map(|(place, rule)| rule.place(place + 1))
                };
                (field, by_flag, by_file)
            });
        for (field, by_flag, by_file) in of_groups.chain(of_run) {
            if let (true, Some(place)) = (by_flag, by_file) {
                return Err(format!(
                    "--{} and {field} in {place} of the policy {} set the same thing: leave one of them out",
                    flag(field),
                    self.path.display()
                ));
            }
        }
        Ok(())
    }

    fn refuse_grouping(&self, grouping: &Grouping) -> Result<(), String> {
        let of_applications =
            (self.rules.iter().enumerate()).find(|(_, rule)| !rule.matches.applications.is_empty());
        if let (Some((place, rule)), Grouping::Keys(_) | Grouping::Family) =
            (of_applications, grouping)
        {
            return Err(format!(
                "{} of the policy {} matches applications, but Jobs are grouped by {grouping}: group by application, or \
                 match namespaces or a selector",
                rule.place(place + 1),
                self.path.display(),
            ));
        }
        match self.defaults.mixed_groups {
            Some(MixedGroups::Hold | MixedGroups::Merge) if *grouping == Grouping::Family => {
                Err(format!(
                    "--group-by family makes each family a group, so that mixedGroups of the policy {} means nothing: \
                     leave one of them out",
                    self.path.display()
                ))
            }
            _ => Ok(()),
        }
    }
}

/// What the command line says of what is kept.
#[derive(Debug)]
pub struct Flagged<'a> {
    pub said: &'a Said,
    pub mixed_groups: Option<MixedGroups>,
    pub family: Option<&'a NameEnding>,
    pub gitops: Option<gitops::Mode>,
}

impl Flagged<'_> {
    /// What they come to by themselves.
    pub fn policy(&self) -> Policy {
        Policy {
            defaults: self.said.over(Retention::default()),
            mixed_groups: self.mixed_groups,
            family: self.family.cloned(),
            gitops: self.gitops.unwrap_or_default(),
            rules: None,
            asks_namespaces: false,
        }
    }
}

impl Defaults {
    fn parse(value: Value) -> Result<Defaults, String> {
        let mut fields = Fields::new(DEFAULTS, value, &[&RETENTION, &RUN])?;
        let family = fields.take("family", text)?;
        let family = family.map(|ending| ending.parse()).transpose();
        Ok(Defaults {
            said: Said::read(&mut fields)?,
            mixed_groups: fields.take("mixedGroups", |value| match value.as_str()? {
                "hold" => Some(MixedGroups::Hold),
                "split" => Some(MixedGroups::Split),
                "merge" => Some(MixedGroups::Merge),
                _ => None,
            })?,
            family: family.map_err(|error| format!("{}: {error}", at(DEFAULTS, "family")))?,
            gitops: fields.take("gitops", |value| {
                use gitops::Mode;
                let modes = [Mode::Auto, Mode::Require, Mode::Ignore];
                let said = value.as_str()?;
                modes.into_iter().find(|mode| mode.as_str() == said)
            })?,
        })
    }
}

impl SaidRule {
    fn parse(number: usize, value: Value) -> Result<SaidRule, String> {
        let named = value.get("name").and_then(Value::as_str);
        let place = place(named, number);
        for (field, _) in RUN {
            if value.get(field).is_some() {
                let why = match field {
                    "gitops" => "counts for the whole run",
                    _ => "says what the groups are, before any rule",
                };
                let field = at(&place, field);
                return Err(format!("{field} {why}: write it into {DEFAULTS}"));
            }
        }
        let mut fields = Fields::new(&place, value, &[&RULE, &RETENTION])?;
        let name = fields.take("name", text)?;
        if let Some(name) = &name
            && (!is_dns_label(name) || name == DEFAULTS)
        {
            return Err(format!(
                "{place}: its name takes lower-case letters, digits and '-', at most 63, and is not {DEFAULTS}"
            ));
        }
        let said = Said::read(&mut fields)?;
        let hold = fields.take("hold", Value::as_bool)?;
        let matches = fields.take("match", any)?.ok_or_else(|| {
            format!("{place} has no match: what is kept of every group is written into {DEFAULTS}")
        })?;
        let matches = parse_match(&place, matches)?;
        let ruling = match hold {
            Some(true) => {
                if let Some((field, _)) = said.fields().into_iter().find(|(_, said)| *said) {
                    return Err(format!(
                        "{place}: hold keeps every Job of the group, so that {field} means nothing: leave one of them out"
                    ));
                }
                SaidRuling::Hold
            }
            Some(false) | None => SaidRuling::Keep(said),
        };
        Ok(SaidRule {
            name,
            matches,
            ruling,
        })
    }

    fn place(&self, number: usize) -> String {
        place(self.name.as_deref(), number)
    }
}

fn parse_match(place: &str, value: Value) -> Result<Match, String> {
    let place = format!("match of {place}");
    let mut fields = Fields::new(&place, value, &[&MATCH])?;
    let selector = fields.take("selector", text)?.unwrap_or_default();
    Ok(Match {
        namespaces: patterns(&place, "namespaces", fields.take("namespaces", texts)?)?,
        applications: patterns(&place, "applications", fields.take("applications", texts)?)?,
        selector: (selector.parse())
            .map_err(|error| format!("{}: {error}", at(&place, "selector")))?,
    })
}

fn patterns<T: std::str::FromStr<Err = &'static str>>(
    place: &str,
    field: &str,
    texts: Option<Vec<String>>,
) -> Result<Vec<T>, String> {
    let patterns = texts.unwrap_or_default().into_iter().map(|text| {
        text.parse()
            .map_err(|why| format!("{}: {}: {why}", at(place, field), quoted(&text)))
    });
    patterns.collect()
}

/// How a rule is named to who wrote it.
fn place(name: Option<&str>, number: usize) -> String {
    match name {
        Some(name) if !name.trim().is_empty() => format!("rule {}", harmless(name)),
        _ => format!("rule {number}"),
    }
}

/// A field, and what it is a field of.
fn at(place: &str, field: &str) -> String {
    match place {
        "" => field.to_owned(),
        place => format!("{field} of {place}"),
    }
}

/// The flag with the name of a field.
fn flag(field: &str) -> String {
    let mut flag = String::new();
    for c in field.chars() {
        if c.is_ascii_uppercase() {
            flag.push('-');
        }
        flag.push(c.to_ascii_lowercase());
    }
    flag
}

/// The fields of one object in the file. All may be left out.
struct Fields {
    /// What they are fields of.
    place: String,
    fields: Map<String, Value>,
    known: Vec<Field>,
}

impl Fields {
    /// Those of a value.
    ///
    /// # Errors
    /// If it has none, or one that is not known or holds nothing.
    fn new(place: &str, value: Value, known: &[&[Field]]) -> Result<Fields, String> {
        let whole = if place.is_empty() { "it" } else { place };
        let Value::Object(fields) = value else {
            return Err(format!("{whole} takes fields, and not {}", shown(&value)));
        };
        if fields.is_empty() {
            return Err(format!("{whole} is empty"));
        }
        let known = known.concat();
        for (field, value) in &fields {
            let Some((_, takes)) = known.iter().find(|(name, _)| name == field) else {
                let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                let (field, names) = (quoted(field), names.join(", "));
                return Err(format!("{whole} has no field {field}: there are {names}"));
            };
            if is_empty(value) {
                let field = at(place, field);
                return Err(format!(
                    "{field} is empty: give it {takes}, or leave it out"
                ));
            }
        }
        Ok(Fields {
            place: place.to_owned(),
            fields,
            known,
        })
    }

    /// One of them, if it is there.
    ///
    /// # Errors
    /// If it is not what it takes.
    fn take<T>(&mut self, field: &str, read: fn(&Value) -> Option<T>) -> Result<Option<T>, String> {
        let Some(value) = self.fields.remove(field) else {
            return Ok(None);
        };
        match read(&value) {
            Some(read) => Ok(Some(read)),
            None => Err(self.is_not_taken(field, &value)),
        }
    }

    fn is_not_taken(&self, field: &str, value: &Value) -> String {
        let takes = self.known.iter().find(|(name, _)| *name == field);
        let (field, takes) = (
            at(&self.place, field),
            takes.map_or("another", |(_, takes)| takes),
        );
        format!("{field} takes {takes}, and not {}", shown(value))
    }
}

/// What is read as an object of its own.
fn any(value: &Value) -> Option<Value> {
    Some(value.clone())
}

fn count(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

fn duration(value: &Value) -> Option<HumanDuration> {
    value.as_str()?.parse().ok()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(text).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value as it stands in a file, cut off where it is long.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 40;
    let text = value.to_string();
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    harmless(&shown).into_owned()
}

/// The schema of the file, with its keys in alphabetical order.
#[cfg(feature = "schema")]
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_deserialize();
    let mut schema = settings
        .with_transform(crate::text::schema::never_null)
        .into_generator()
        .into_root_schema_for::<schema::PolicyForm>()
        .to_value();
    schema["title"] = format!("{API_VERSION} {KIND}").into();
    schema.sort_all_objects();
    schema
}
