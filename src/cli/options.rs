//! What a run is to do, once its flags are known to make sense together.

use std::path::PathBuf;

use super::{
    DryRun, Flags, Format, Patience, Several,
    policy::{Flagged, PolicyFile},
};
use crate::{
    backup::Parts,
    cluster::delete::Cascade,
    connection::flags::{ConnectionFlags, NOT_UNSEEN, Unchecked},
    gitops::{self, Places},
    job::{
        field::FIELDS,
        grouping::Grouping,
        query::{Query, Scope},
    },
    output::{Rows, log::LogFormat},
    plan::{group::MixedGroups, max_purge::MaxPurge, retention::Policy, rules::Rules},
};

/// What a run is to do, and how it is shown.
#[derive(Debug)]
pub struct Options {
    /// What to do.
    pub run: Run,
    /// The most that the plan may purge.
    pub max_purge: Option<MaxPurge>,
    /// The form of the plan or report.
    pub format: Format,
    /// Whether a long plan may be shown as a summary on a terminal, since its form was not asked for.
    pub may_shorten: bool,
    /// Which Jobs are shown.
    pub show: Rows,
    /// Whether tables go without their headers.
    pub no_headers: bool,
    /// The form of the log, if there is one instead of plan and report.
    pub log_format: Option<LogFormat>,
    /// Where it is written for a monitoring system what the run came to.
    pub metrics_file: Option<PathBuf>,
}

/// What a run is to do.
#[derive(Debug)]
pub enum Run {
    /// Plan from a file, and contact no cluster.
    FromFile(Box<FromFile>),
    /// Plan for a cluster, and perhaps clean it.
    OnCluster(Box<OnCluster>),
}

/// A plan from a file.
#[derive(Debug)]
pub struct FromFile {
    /// The file; `-` is standard input.
    pub path: String,
    /// Which Jobs.
    pub query: Query,
    /// What to keep.
    pub policy: Policy,
    /// Whether the plan should have been tried on a server, which is not contacted.
    pub asks_for_server: bool,
}

/// A plan for a cluster.
#[derive(Debug)]
pub struct OnCluster {
    /// How to reach it.
    pub connection: ConnectionFlags,
    /// Which clusters, if there are several.
    pub several: Option<Several>,
    /// Whether its certificate may go unchecked.
    pub unchecked: Unchecked,
    /// Where the plan comes from.
    pub plan: PlanSource,
    /// The most Jobs in one answer; 0 asks for all at once.
    pub chunk_size: u32,
    /// Whether the user picks the groups.
    pub choose: bool,
    /// How deletes are sent, if there are any.
    pub deletes: Deletes,
    /// What becomes of the plan.
    pub goal: Goal,
}

/// Where a plan for a cluster comes from.
#[derive(Debug)]
pub enum PlanSource {
    /// The Jobs are listed.
    Listed(Box<Selection>),
    /// It was saved before.
    Saved {
        /// The file.
        path: PathBuf,
        /// What the context that leads to Argo CD is called here, if it has another name than where the plan was made.
        argocd_context: Option<String>,
    },
}

/// Which Jobs to list, and which of them to keep.
#[derive(Debug)]
pub struct Selection {
    /// Which Jobs. Where [`Selection::is_in_context`], the scope is still to be found out.
    pub query: Query,
    /// Whether to look in the namespace of the context.
    pub is_in_context: bool,
    /// What to keep.
    pub policy: Policy,
    /// Where GitOps tools are asked.
    pub places: Places,
    /// How far they are heeded, if that was said.
    pub gitops: Option<gitops::Mode>,
}

/// What becomes of a plan.
#[derive(Debug)]
pub enum Goal {
    /// It is written into a file.
    Save(PathBuf),
    /// It is shown.
    Show,
    /// Every delete is tried with `dryRun=All`.
    TryOnServer,
    /// It is carried out.
    Purge(Purge),
}

/// How deletes are sent.
#[derive(Debug, Clone, Copy)]
pub struct Deletes {
    /// What becomes of the Pods.
    pub cascade: Cascade,
    /// How many may be in flight.
    pub concurrency: usize,
}

/// How Jobs are backed up.
#[derive(Debug)]
pub struct Backup {
    /// The folder.
    pub path: PathBuf,
    /// What is saved beside manifests.
    pub parts: Parts,
}

/// How a plan is carried out.
#[derive(Debug)]
pub struct Purge {
    /// Whether to ask before.
    pub ask: bool,
    /// How each Job is backed up before its delete, if it is.
    pub backup: Option<Backup>,
    /// Where each delete is written down before it is sent, with what came of it.
    pub journal: Option<PathBuf>,
    /// Whether to stay until the Jobs are gone.
    pub patience: Patience,
}

impl Flags {
    /// What the flags come to, with the file that `--policy` names. Whether the label was given as a flag is not to be seen
    /// in its value.
    ///
    /// # Errors
    /// If flags contradict each other in a way that clap cannot see; a fragment for a usage error.
    pub fn options(self, label_given: bool, file: Option<&PolicyFile>) -> Result<Options, String> {
        let gitops = self.kept.gitops.or(file.and_then(PolicyFile::gitops));
        self.refuse_contradiction(label_given, gitops)?;
        let parts = Parts::new(&self.action.backup_with)
            .map_err(|contradiction| format!("--backup-with: {contradiction}"))?;
        let scope = self.which.scope();
        let grouping = match self.which.group_by {
            Some(grouping) => grouping,
            None if self.which.labels.is_empty() => Grouping::Application,
            None => Grouping::labels(self.which.labels),
        };
        let flagged = Flagged {
            said: &self.kept.said,
            mixed_groups: self.kept.mixed_groups,
            family: self.which.family.as_ref(),
            gitops: self.kept.gitops,
        };
        let policy = match file {
            None => flagged.policy(),
            Some(file) => file.policy(&flagged, &grouping)?,
        };
        let places = Places {
            argocd_context: self.kept.argocd_context,
            namespaces: self.kept.gitops_namespaces,
        };
        let is_in_context = scope.is_none() && self.which.filename.is_none();
        let query = Query {
            grouping,
            rules: policy
                .rules
                .as_ref()
                .map(Rules::matches)
                .unwrap_or_default(),
            selector: self.which.selector.unwrap_or_default(),
            fields: self.which.field_selector.unwrap_or_default(),
            scope: scope.unwrap_or(Scope::AllNamespaces),
            excluded: self.which.exclude_namespaces,
            chunk_size: self.action.chunk_size,
        };
        let action = self.action;
        let run = match self.which.filename {
            Some(path) => Run::FromFile(Box::new(FromFile {
                path,
                query,
                policy,
                asks_for_server: action.dry_run == DryRun::Server,
            })),
            None => Run::OnCluster(Box::new(OnCluster {
                connection: self.connection,
                several: Some(self.several).filter(|several| !several.contexts.is_empty()),
                unchecked: if action.yes && action.plan.is_none() {
                    Unchecked::Refused
                } else {
                    Unchecked::Allowed
                },
                plan: match action.plan {
                    Some(path) => PlanSource::Saved {
                        path,
                        argocd_context: places.argocd_context,
                    },
                    None => PlanSource::Listed(Box::new(Selection {
                        query,
                        is_in_context,
                        policy,
                        places,
                        gitops,
                    })),
                },
                chunk_size: action.chunk_size,
                choose: action.interactive,
                deletes: Deletes {
                    cascade: action.cascade,
                    concurrency: usize::from(action.concurrency),
                },
                goal: match (action.save_plan, action.dry_run) {
                    (Some(path), _) => Goal::Save(path),
                    (None, DryRun::Client) => Goal::Show,
                    (None, DryRun::Server) => Goal::TryOnServer,
                    (None, DryRun::None) => Goal::Purge(Purge {
                        ask: !action.yes,
                        backup: action.backup.map(|path| Backup { path, parts }),
                        journal: action.journal,
                        patience: action.waiting.patience(),
                    }),
                },
            })),
        };
        Ok(Options {
            run,
            max_purge: action.max_purge,
            format: self.output.format.unwrap_or(Format::Table),
            may_shorten: self.output.format.is_none(),
            show: self.output.show,
            no_headers: self.output.no_headers,
            log_format: self.output.log_format,
            metrics_file: self.output.metrics_file,
        })
    }

    fn refuse_contradiction(
        &self,
        label_given: bool,
        gitops: Option<gitops::Mode>,
    ) -> Result<(), String> {
        let (action, connection) = (&self.action, &self.connection);
        if action.plan.is_some() && label_given {
            return Err(
                "--plan and --label cannot be used together: the plan has its label".into(),
            );
        }
        if action.save_plan.is_some() && action.dry_run == DryRun::Server {
            return Err("--save-plan only plans: --dry-run=server goes with --plan".into());
        }
        if action.journal.is_some() && action.dry_run != DryRun::None {
            return Err(
                "--journal and --dry-run cannot be used together: a dry run deletes nothing".into(),
            );
        }
        let asks = !action.yes && action.dry_run == DryRun::None && action.save_plan.is_none();
        if self.output.log_format.is_some() && asks {
            return Err("--log-format is for runs that ask nothing: add --yes or --dry-run".into());
        }
        if self.output.format == Some(Format::Name) && !self.several.contexts.is_empty() {
            return Err("-o name prints no clusters: with --contexts, -o tsv prints a row a Job with its cluster".into());
        }
        // Choosing is a question, and these ask none.
        if action.interactive {
            let asks_nothing = [
                ("--yes", action.yes),
                ("--filename", self.which.filename.is_some()),
                ("--dry-run", action.dry_run != DryRun::None),
            ];
            if let Some((flag, _)) = asks_nothing.into_iter().find(|(_, given)| *given) {
                return Err(format!("--interactive and {flag} cannot be used together"));
            }
        }
        if let Some(contradiction) = action.waiting.contradiction() {
            return Err(contradiction);
        }
        let which = &self.which;
        if which.group_by.is_some() && label_given {
            return Err("--group-by and --label cannot be used together: --group-by label:KEY,KEY names labels".into());
        }
        if which.group_by == Some(Grouping::Family)
            && self
                .kept
                .mixed_groups
                .is_some_and(|mixed| mixed != MixedGroups::Split)
        {
            return Err("--group-by family makes each family a group, so no group is mixed: leave --mixed-groups out".into());
        }
        if let Some(Scope::Namespace(namespace)) = which.scope()
            && let Some(pattern) = which
                .exclude_namespaces
                .iter()
                .find(|pattern| pattern.matches(&namespace))
        {
            return Err(format!(
                "--namespace {namespace} and --exclude-namespace {pattern} leave no namespace"
            ));
        }
        if let (Some(_), Some(fields)) = (&which.filename, &which.field_selector)
            && let Some(field) = fields.unknown_field()
        {
            return Err(format!(
                "--field-selector: Jobs are selected by {}, not by {field}",
                FIELDS.join(", ")
            ));
        }
        let asks_tools = [
            ("--argocd-context", self.kept.argocd_context.is_some()),
            (
                "--gitops-namespace",
                !self.kept.gitops_namespaces.is_empty(),
            ),
        ];
        let asked = asks_tools.into_iter().find(|(_, given)| *given);
        if let (Some(gitops::Mode::Ignore), Some((flag, _))) = (gitops, asked) {
            let said = match self.kept.gitops {
                Some(_) => "--gitops=ignore",
                None => "gitops: ignore of the policy",
            };
            return Err(format!(
                "{said} asks no tool: {flag} cannot be used together with it"
            ));
        }
        let mut seen = Vec::new();
        for label in &self.which.labels {
            if seen.contains(&label) {
                return Err(format!("the label {label} is given twice"));
            }
            seen.push(label);
        }
        if connection.insecure_skip_tls_verify && connection.certificate_authority.is_some() {
            return Err(
                "--certificate-authority and --insecure-skip-tls-verify cannot be used together"
                    .into(),
            );
        }
        if connection.insecure_skip_tls_verify && action.yes && action.plan.is_none() {
            return Err(format!("--insecure-skip-tls-verify and {NOT_UNSEEN}"));
        }
        Ok(())
    }
}
