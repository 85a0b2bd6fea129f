//! What a user can say instead of cleaning.

use std::str::FromStr;

use clap::{Subcommand, ValueEnum, builder::PossibleValue};

use super::Flags;
use crate::job::label::{is_dns_label, is_dns_subdomain};

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
--policy the first role has the right to read Namespaces as well, unless the policy says that they are not read.

  kubectl jobclean rbac -A --serviceaccount ops:cleaner | kubectl apply -f -";

const EXPLAIN_HELP: &str = "\
Give it the flags of the run that you want to understand. It lists and judges as that run does, and changes nothing.

  kubectl jobclean explain -n maximo db-migrate-4f2a91c";

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
