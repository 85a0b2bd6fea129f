//! What a user can say instead of cleaning.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Subcommand, ValueEnum, ValueHint, builder::PossibleValue};

use super::{DryRun, Flags, Voice, as_in_go, namespace};
use crate::{
    connection::flags::{ConnectionFlags, non_empty_path},
    job::label::{is_dns_label, is_dns_subdomain},
};

const COMPLETION_HELP: &str = "\
Load it into the shell that you use, for the program called by its own name:

  bash        source <(kubectl-jobclean completion bash)
  zsh         source <(kubectl-jobclean completion zsh)
  fish        kubectl-jobclean completion fish | source
  powershell  kubectl-jobclean completion powershell | Out-String | Invoke-Expression

kubectl has a completion of its own (kubectl completion SHELL). For `kubectl jobclean` it looks on the PATH for a \
program called kubectl_complete-jobclean. This program is one, if it is called so; a link beside it is enough:

  ln -s kubectl-jobclean \"$(dirname \"$(command -v kubectl-jobclean)\")/kubectl_complete-jobclean\"

On Windows copy kubectl-jobclean.exe to kubectl_complete-jobclean.exe.";

const RBAC_HELP: &str = "\
Put `rbac` before the flags of a run to see what that run needs: a Role for one namespace, a ClusterRole for all of \
them, called jobclean, or jobclean-plan if nothing is deleted (--dry-run=client, --save-plan). With --serviceaccount a \
binding of that role follows, called jobclean:NS:NAME or jobclean-plan:NS:NAME. With --gitops=auto or --gitops=require \
written out, a role jobclean-gitops to read Applications and Kustomizations follows. A run can do without it. With \
 --policy the first role has the right to read Namespaces as well, unless the policy says that they are not read. With \
 --backup-with a role jobclean-backup follows, to read the Pods, events and logs that are saved.

  kubectl jobclean rbac -A --serviceaccount ops:cleaner | kubectl apply -f -";

const EXPLAIN_HELP: &str = "\
Give it the flags of the run that you want to understand. It lists and judges as that run does, and changes nothing.

  kubectl jobclean explain -n maximo db-migrate-4f2a91c";

const RESTORE_HELP: &str = "\
DIR is what --backup wrote to. The Jobs are created suspended and without owners, so that none of them runs; a Job that is \
there already stays as it is. They count as old as they were. If there are several backups of a Job, the newest is \
taken. NAME is a Job's name or that of its folder in DIR, NAMESPACE/NAME one in this namespace alone. You need the verb \
create on jobs.batch.

  kubectl jobclean restore ./jobs -n maximo db-migrate-4f2a91c

To let a restored Job run, resume it:

  kubectl patch job db-migrate-4f2a91c -n maximo -p '{\"spec\":{\"suspend\":false}}'

Exit codes: as of a purge; 3 if some Jobs were not created.";

/// What to do instead of cleaning.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the version
    Version,
    /// Print a script that completes this command line in a shell
    #[command(after_help = COMPLETION_HELP)]
    Completion {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Say why a Job is kept or purged: its group, its family, its rank, and each rule with the flag that would change it
    #[command(after_help = EXPLAIN_HELP)]
    Explain {
        /// The Job's name
        #[arg(value_parser = job_name)]
        name: String,
        /// The run that it is explained for.
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Print the least Role or ClusterRole for the flags given, and a binding of it
    #[command(after_help = RBAC_HELP)]
    Rbac {
        /// Bind the role to this service account as well
        #[arg(long, value_name = "NS:NAME")]
        serviceaccount: Option<ServiceAccount>,
        /// The run that needs the role.
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Create Jobs again from a backup, suspended, and never over one that is there
    #[command(after_help = RESTORE_HELP, mut_args = as_in_go)]
    Restore(Box<RestoreFlags>),
}

/// What is restored, and how.
#[derive(Debug, Args)]
pub struct RestoreFlags {
    /// The folder of backups
    #[arg(value_name = "DIR", value_parser = non_empty_path(), value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Restore these alone: NAME or NAMESPACE/NAME of a Job, or of its folder in DIR
    #[arg(value_name = "NAME", value_parser = backup_name)]
    pub names: Vec<String>,
    /// Restore in this namespace alone [default: every one in DIR]
    #[arg(short, long, value_name = "NS", value_parser = namespace)]
    pub namespace: Option<String>,
    /// Create without asking
    #[arg(short, long, value_name = "BOOL")]
    pub yes: bool,
    /// Create nothing: server (the default of the bare flag) tries everything on the server, client only shows what is in DIR
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
    /// How much is said.
    #[command(flatten)]
    pub voice: Voice,
    /// Where.
    #[command(flatten)]
    pub connection: ConnectionFlags,
}

/// A shell that a script can be printed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// GNU Bash.
    Bash,
    /// The Z shell.
    Zsh,
    /// The friendly interactive shell.
    Fish,
    /// PowerShell.
    PowerShell,
}

impl ValueEnum for Shell {
    fn value_variants<'a>() -> &'a [Self] {
        &[Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
            Shell::PowerShell => "powershell",
        }))
    }
}

fn job_name(text: &str) -> Result<String, &'static str> {
    if is_dns_subdomain(text) {
        Ok(text.to_owned())
    } else {
        Err("a Job's name has lower-case letters, digits, '-' and '.'")
    }
}

fn backup_name(text: &str) -> Result<String, &'static str> {
    let name = match text.split_once('/') {
        None => text,
        Some((namespace, name)) if is_dns_label(namespace) => name,
        Some(_) => return Err("write it as NAME or NAMESPACE/NAME"),
    };
    if name.trim().is_empty() || name.contains('/') {
        return Err("write it as NAME or NAMESPACE/NAME");
    }
    Ok(text.to_owned())
}

/// A service account by namespace and name, as kubectl's `--serviceaccount` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl FromStr for ServiceAccount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ServiceAccount, Self::Err> {
        let (namespace, name) = text.split_once(':').ok_or("write it as NS:NAME")?;
        if !is_dns_label(namespace) || !is_dns_subdomain(name) {
            return Err(
                "write it as NS:NAME, each of lower-case letters, digits and '-'; NAME may have '.' in it",
            );
        }
        Ok(ServiceAccount {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        })
    }
}
