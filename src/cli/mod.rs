//! What a user can say. Values check themselves, so that a typo is a usage error before anything happens.

pub mod complete;
mod options;
pub mod policy;
mod several;
mod subcommands;
pub mod tips;
mod wait;

use std::{fmt::Display, num::NonZeroUsize, path::PathBuf, str::FromStr};

use clap::{
    Arg, ArgAction, Args, Parser, ValueEnum, ValueHint,
    builder::{PossibleValue, TypedValueParser},
};
use clap_complete::engine::ArgValueCandidates;

pub use self::{
    options::{
        Backup, Deletes, FromFile, Goal, OnCluster, Options, PlanSource, Purge, Run, Selection,
    },
    several::{ContextPattern, Several},
    subcommands::{Command, RestoreFlags, ServiceAccount, Shell},
    wait::{Patience, Waiting},
};

use self::policy::Said;

use crate::{
    backup::Part,
    cluster::delete::Cascade,
    connection::flags::{ConnectionFlags, go_bool, non_empty, non_empty_path},
    gitops,
    job::{
        family::NameEnding,
        field::FieldSelector,
        grouping::Grouping,
        label::{LabelKey, is_dns_label},
        pattern::NamespacePattern,
        query::Scope,
        selector::Selector,
    },
    output::{Rows, log::LogFormat},
    plan::{group::MixedGroups, max_purge::MaxPurge},
};

const AFTER_HELP: &str = "\
Job families (--mixed-groups): a family is the Job's name without its generated endings: its generateName; or the \
prefix and the phase of a hook that Argo CD named; or what is left when numbers, dates, hashes, UUIDs, versions and \
what Kubernetes, Helm or a CI drew at random are taken off. A number of at most four digits stays where Jobs that \
differ in it were created within a minute of each other, since they stand for different work. --family describes an \
ending that is not known. In doubt Jobs are of different families. `kubectl jobclean explain NAME` shows the family.

GitOps (--gitops): a Job stays that git or a Helm release still has, since it would be made and run again (wanted), \
and one whose tool cannot tell now whether it still wants it (unsettled). Applications and Kustomizations are read only if the plan would \
purge something.

Always kept: Jobs that are terminating, and Jobs that are protected (the annotation or label jobclean/keep is \"true\", \
argocd.argoproj.io/sync-options holds Delete= or Prune= with false or confirm, helm.sh/resource-policy is keep, or \
kustomize.toolkit.fluxcd.io/prune is disabled).

Exit codes: 0 done, nothing to do, or dry run without failures; 1 an error before any delete; 2 usage; 3 some deletes \
failed or were not tried, or Jobs were still there when --wait ended or were made again; 4 declined at the question or nothing chosen; 5 held by --max-purge; 130 interrupted (SIGINT), 143 (SIGTERM)

Examples:
  # Show what a run would purge in every namespace, one row a group. Nothing is changed.
  kubectl jobclean -A -o summary --dry-run=client

  # Purge in one namespace. Group by the label that Argo CD 2 sets.
  kubectl jobclean -n maximo -L app.kubernetes.io/instance

  # Say why one Job is kept or purged.
  kubectl jobclean explain -n maximo db-migrate-4f2a91c

  # Save a plan to review it, and carry out exactly that plan later.
  kubectl jobclean -n maximo --save-plan plan.json
  kubectl jobclean --plan plan.json

  # Purge without a question, with a backup, unless more than a third of the Jobs would go.
  kubectl jobclean -n maximo --yes --backup ./jobs --max-purge 33%";

/// Keep the newest Job of every cleanup group and delete the rest
///
/// Lists Jobs, groups them by their Argo CD application or by a label, keeps the newest of each group, shows a plan with
/// a reason for every Job, asks, and deletes exactly the rest.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-jobclean",
    bin_name = "kubectl jobclean",
    version,
    after_long_help = AFTER_HELP,
    args_conflicts_with_subcommands = true,
    max_term_width = 120
)]
pub struct Cli {
    /// What to do instead of cleaning.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The run.
    #[command(flatten)]
    pub flags: Flags,
}

/// The flags of a run.
#[derive(Debug, Args)]
#[command(mut_args = as_in_go)]
pub struct Flags {
    /// Which Jobs.
    #[command(flatten)]
    pub which: Which,
    /// What is kept.
    #[command(flatten)]
    pub kept: Kept,
    /// What happens then.
    #[command(flatten)]
    pub action: Action,
    /// What is shown.
    #[command(flatten)]
    pub output: Output,
    /// Where.
    #[command(flatten)]
    pub connection: ConnectionFlags,
    /// Where, if that is in several places.
    #[command(flatten)]
    pub several: Several,
}

/// Which Jobs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub struct Which {
    /// Group Jobs by the value of this label, as --group-by label:KEY does; repeat for a composite group
    #[arg(
        short = 'L',
        long = "label",
        value_name = "KEY",
        env = "JOBCLEAN_LABEL",
        hide_env_values = true
    )]
    pub labels: Vec<LabelKey>,
    /// Group Jobs by their Argo CD application, by labels or annotations (comma for several), or by family alone
    /// [default: application]
    ///
    /// The application stands in the annotation argocd.argoproj.io/tracking-id, if that names this very Job, else in the
    /// label argocd.argoproj.io/instance. A Job that has none of what is named belongs to no group, and stays.
    #[arg(long, value_name = "application|label:KEY|annotation:KEY|family")]
    pub group_by: Option<Grouping>,
    /// Take an ending of names that matches this regular expression for generated, before the known ones
    #[arg(long, value_name = "REGEX")]
    pub family: Option<NameEnding>,
    /// Look in this namespace [default: that of the context]
    #[arg(short, long, value_name = "NS", value_parser = namespace)]
    pub namespace: Option<String>,
    /// Look in every namespace; wins over --namespace
    #[arg(short = 'A', long, value_name = "BOOL")]
    pub all_namespaces: bool,
    /// Look only at Jobs that match this label selector as well
    #[arg(short = 'l', long, value_name = "SELECTOR", value_parser = selector)]
    pub selector: Option<Selector>,
    /// Look only at Jobs that match this field selector as well
    #[arg(long, value_name = "SELECTOR", value_parser = field_selector)]
    pub field_selector: Option<FieldSelector>,
    /// Leave out the namespaces that match; repeat or separate by commas for several
    #[arg(long = "exclude-namespace", value_name = "GLOB", value_delimiter = ',')]
    pub exclude_namespaces: Vec<NamespacePattern>,
    /// Plan from a file of Jobs (JSON or YAML; - is stdin) without contacting a cluster
    #[arg(short, long, value_name = "FILE", value_parser = non_empty, conflicts_with = "yes",
          value_hint = ValueHint::FilePath)]
    pub filename: Option<String>,
}

/// What is kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Retention")]
pub struct Kept {
    /// What is kept of a group.
    #[command(flatten)]
    pub said: Said,
    /// What to do with a group that holds Jobs of different families [default: split where groups are applications, else
    /// hold]
    #[arg(long, value_name = "HOW")]
    pub mixed_groups: Option<MixedGroups>,
    /// Whether to keep Jobs that Argo CD, Flux or Helm still want [default: auto]
    ///
    /// A Job that git or a release still has is made and run again when it is deleted.
    #[arg(long, value_name = "HOW")]
    pub gitops: Option<gitops::Mode>,
    /// Keep what this file of rules says; the flags for what it sets are refused
    #[arg(long, value_name = "FILE", value_parser = policy_file(), value_hint = ValueHint::FilePath)]
    pub policy: Option<PathBuf>,
    /// Read Argo CD's Applications with this context of the kubeconfig, where Argo CD runs on another cluster
    #[arg(long, value_name = "NAME", value_parser = non_empty, conflicts_with = "filename")]
    pub argocd_context: Option<String>,
    /// Read Applications and Kustomizations in this namespace only; repeat for several
    #[arg(long = "gitops-namespace", value_name = "NS", value_parser = namespace, conflicts_with = "filename")]
    pub gitops_namespaces: Vec<String>,
}

/// What happens after the plan is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Deletion")]
pub struct Action {
    /// Delete without asking
    #[arg(short, long, value_name = "BOOL")]
    pub yes: bool,
    /// Choose which groups to purge from a list before the question
    #[arg(short, long, value_name = "BOOL")]
    pub interactive: bool,
    /// Change nothing: server (the default of the bare flag) tries every delete on the server, client only plans
    #[arg(
        long,
        value_name = "HOW",
        num_args = 0..=1,
        require_equals = true,
        default_value = "none",
        default_missing_value = "server",
        hide_default_value = true
    )]
    pub dry_run: DryRun,
    /// What becomes of the Jobs' Pods
    #[arg(long, value_name = "HOW", default_value = "foreground")]
    pub cascade: Cascade,
    /// Delete nothing if the plan would purge more than N Jobs, or P% of the Jobs listed
    #[arg(long, value_name = "N|P%")]
    pub max_purge: Option<MaxPurge>,
    /// Write the plan into this file and stop, so that --plan carries it out later
    #[arg(long, value_name = "FILE", value_parser = regular_file("-o json prints the plan"),
          conflicts_with_all = ["yes", "filename", "plan", "backup", "journal"])]
    pub save_plan: Option<PathBuf>,
    /// Carry out the plan in this file, on the cluster that it was made for, and nothing else
    #[arg(long, value_name = "FILE", value_parser = non_empty_path(), conflicts_with_all = [
        "namespace", "all_namespaces", "group_by", "family", "selector", "field_selector", "exclude_namespaces",
        "filename", "keep", "keep_succeeded", "keep_failed", "keep_within", "keep_superseded_within",
        "keep_finished_within", "include_active", "include_owned", "mixed_groups", "gitops", "gitops_namespaces",
        "policy",
    ])]
    pub plan: Option<PathBuf>,
    /// Write each Job's manifest into this folder before its delete; without a backup it is not deleted
    #[arg(long, value_name = "DIR", value_parser = non_empty_path(), conflicts_with = "filename",
          value_hint = ValueHint::DirPath)]
    pub backup: Option<PathBuf>,
    /// Save this beside each manifest as well; repeat or separate by commas for several
    #[arg(long, value_name = "WHAT", value_delimiter = ',', requires = "backup")]
    pub backup_with: Vec<Part>,
    /// Append a JSON line to this file before each delete is sent, and one with its outcome
    #[arg(long, value_name = "FILE", value_parser = regular_file("-o json prints the report"),
          conflicts_with = "filename", value_hint = ValueHint::FilePath)]
    pub journal: Option<PathBuf>,
    /// Whether to wait for them to be gone.
    #[command(flatten)]
    pub waiting: Waiting,
    /// Have at most N deletes in flight, 1 to 256
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// List N Jobs a page; 0 asks for all at once
    #[arg(long, value_name = "N", default_value_t = 500, visible_alias = "limit")]
    pub chunk_size: u32,
}

/// What is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Print the plan or report in this form [default: table; on a terminal a summary of a plan of more than three screens]
    #[arg(short = 'o', long = "output", value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Leave out groups in which nothing is purged, and the Jobs that stay; totals are of all
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "all",
        hide_default_value = true
    )]
    pub show: Rows,
    /// Print the rows of tables alone, without headers, lines that name groups, and totals
    #[arg(long, value_name = "BOOL")]
    pub no_headers: bool,
    /// Log a line for each thing that happens instead of showing the plan and the report, for runs that ask nothing
    #[arg(long, value_name = "FORMAT", conflicts_with_all = ["format", "no_headers", "show", "interactive", "filename"])]
    pub log_format: Option<LogFormat>,
    /// When the run ends, write what it came to into this file, as OpenMetrics text for a monitoring system
    #[arg(long, value_name = "FILE", value_parser = regular_file("name a file, such as jobclean.prom"),
          value_hint = ValueHint::FilePath)]
    pub metrics_file: Option<PathBuf>,
    /// How much is said.
    #[command(flatten)]
    pub voice: Voice,
}

/// How much is said on stderr.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Voice {
    /// Say more on stderr; repeat for still more. -v=LEVEL and --v=LEVEL as in kubectl: 1 to 5 is once, 6 and above twice
    #[arg(short, long, alias = "v", value_name = "LEVEL", num_args = 0..=1, require_equals = true,
          default_missing_value = "3", action = ArgAction::Append)]
    pub verbose: Vec<u32>,
    /// Say less on stderr: no progress, no warnings
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// Whether a run changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// Change the cluster
    None,
    /// Only plan
    Client,
    /// Try every request with dryRun=All
    Server,
}

/// The form of the plan or report on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One row a Job, grouped
    Table,
    /// The same with more columns
    Wide,
    /// One row a group
    Summary,
    /// One document
    Json,
    /// One document
    Yaml,
    /// One row a Job that says all of it, separated by tabs
    Tsv,
    /// job.batch/NAME of every Job to purge, in one namespace
    Name,
}

impl Voice {
    /// How much to say. Levels add up, and a bare `-v` is half of [`Voice::EVERYTHING`].
    pub fn level(&self) -> u32 {
        self.verbose.iter().copied().fold(0, u32::saturating_add)
    }

    /// The least level at which every step is told.
    pub const EVERYTHING: u32 = 6;
}

impl Format {
    /// Whether it is for programs, which get one text: the plan, or the report once there is one.
    pub fn is_for_programs(self) -> bool {
        matches!(self, Format::Json | Format::Yaml | Format::Tsv)
    }
}

impl ValueEnum for MixedGroups {
    fn value_variants<'a>() -> &'a [Self] {
        &[MixedGroups::Hold, MixedGroups::Split, MixedGroups::Merge]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            MixedGroups::Hold => PossibleValue::new("hold").help("Purge nothing in it"),
            MixedGroups::Split => {
                PossibleValue::new("split").help("Make each family its own group")
            }
            MixedGroups::Merge => PossibleValue::new("merge").help("Ignore families"),
        })
    }
}

impl ValueEnum for Rows {
    fn value_variants<'a>() -> &'a [Self] {
        &[Rows::All, Rows::Purges]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Rows::All => PossibleValue::new("all").help("Every Job"),
            Rows::Purges => PossibleValue::new("purge").help("What is to be purged"),
        })
    }
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[LogFormat::Text, LogFormat::Json]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            LogFormat::Text => PossibleValue::new("text").help("Lines for people"),
            LogFormat::Json => {
                PossibleValue::new("json").help("JSON objects, on stderr as on stdout")
            }
        })
    }
}

impl ValueEnum for gitops::Mode {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            gitops::Mode::Auto,
            gitops::Mode::Require,
            gitops::Mode::Ignore,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            gitops::Mode::Auto => "Keep what a tool still wants, or may still want",
            gitops::Mode::Require => {
                "Purge what a tool has marked only if it says that it no longer wants it"
            }
            gitops::Mode::Ignore => "Ask no tool",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

impl ValueEnum for Cascade {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Cascade::Auto,
            Cascade::Background,
            Cascade::Foreground,
            Cascade::Orphan,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Cascade::Auto => PossibleValue::new("auto")
                .help("background for finished Jobs, foreground for others"),
            Cascade::Background => {
                PossibleValue::new("background").help("The Job goes at once, its Pods later")
            }
            Cascade::Foreground => {
                PossibleValue::new("foreground").help("The Pods go first, then the Job")
            }
            Cascade::Orphan => PossibleValue::new("orphan").help("The Pods stay"),
        })
    }
}

impl ValueEnum for Part {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Part::Status,
            Part::Pods,
            Part::Events,
            Part::Logs,
            Part::LogsFailed,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Part::Status => PossibleValue::new("status").help("The Job as the server has it"),
            Part::Pods => PossibleValue::new("pods").help("Its Pods"),
            Part::Events => {
                PossibleValue::new("events").help("The events of the Job and of its Pods")
            }
            Part::Logs => PossibleValue::new("logs")
                .help("The logs of its Pods, of each container at most 10 MiB"),
            Part::LogsFailed => {
                PossibleValue::new("logs-failed").help("The same, of Failed Jobs alone")
            }
        })
    }
}

impl Which {
    /// Where to look, if it is said; else it is the namespace of the context.
    pub fn scope(&self) -> Option<Scope> {
        match (self.all_namespaces, &self.namespace) {
            (true, _) => Some(Scope::AllNamespaces),
            (false, Some(namespace)) => Some(Scope::Namespace(namespace.clone())),
            (false, None) => None,
        }
    }
}

/// Lets a flag that takes a BOOL stand alone for `true`. It is `false` by default, unless it is an `Option`.
fn as_in_go(flag: Arg) -> Arg {
    if flag.get_value_names().is_none_or(|names| names != ["BOOL"]) {
        return flag;
    }
    let default = matches!(flag.get_action(), ArgAction::SetTrue).then_some("false");
    flag.action(ArgAction::Set)
        .value_parser(go_bool)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value(default)
        .hide_default_value(true)
        .add(ArgValueCandidates::new(|| {
            ["true".into(), "false".into()].into()
        }))
}

/// A file that is written: `-` would make one of this name. What prints it instead is said then.
fn regular_file(instead: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    non_empty_path().try_map(move |path| {
        if path.as_os_str() == "-" {
            Err(format!("it is not a file; {instead}"))
        } else {
            Ok(path)
        }
    })
}

fn policy_file() -> impl TypedValueParser<Value = PathBuf> {
    non_empty_path().try_map(|path| {
        if path.as_os_str() == "-" {
            Err("it is not a file")
        } else {
            Ok(path)
        }
    })
}

/// An empty one would select everything: it is a variable that is not set.
fn selector(text: &str) -> Result<Selector, String> {
    not_empty(text, Selector::is_empty)
}

fn field_selector(text: &str) -> Result<FieldSelector, String> {
    not_empty(text, FieldSelector::is_empty)
}

fn not_empty<T: FromStr<Err: Display>>(text: &str, is_empty: fn(&T) -> bool) -> Result<T, String> {
    let selector = text.parse().map_err(|error| format!("{error}"))?;
    if is_empty(&selector) {
        return Err("it is empty; to select every Job, leave it out".to_owned());
    }
    Ok(selector)
}

fn at_least_one(text: &str) -> Result<NonZeroUsize, &'static str> {
    let number: usize = text.parse().map_err(|_| "it is not a number")?;
    NonZeroUsize::new(number).ok_or("a group always keeps at least 1")
}

fn namespace(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("it is empty"),
        _ if is_dns_label(text) => Ok(text.to_owned()),
        _ => Err("a namespace has lower-case letters, digits and '-', at most 63"),
    }
}
