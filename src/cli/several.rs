//! Several clusters in one run.

use std::str::FromStr;

use clap::Args;
use glob::Pattern;

use crate::connection::flags::CONNECTION_HEADING;

/// Which clusters, if there are several.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = CONNECTION_HEADING)]
pub struct Several {
    /// Clean the clusters of all contexts that match, with one question; repeat or separate by commas for several
    ///
    /// There is a plan for every cluster before anything is asked, and --max-purge counts for each.
    #[arg(long = "contexts", value_name = "GLOB", value_delimiter = ',', conflicts_with_all = [
        "context", "cluster", "user", "token", "server", "tls_server_name", "insecure_skip_tls_verify",
        "certificate_authority", "client_certificate", "client_key", "filename", "plan", "save_plan", "interactive",
        "backup", "journal", "metrics_file", "log_format",
    ])]
    pub contexts: Vec<ContextPattern>,
    /// Leave out a cluster that does not answer, and exit with 3 at the end, instead of cleaning none
    #[arg(long, value_name = "BOOL", requires = "contexts")]
    pub skip_unreachable: bool,
}

/// Names of contexts, as a shell matches them: `*`, `?` and `[…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextPattern(Pattern);

impl ContextPattern {
    /// Whether this context is one of them.
    pub fn matches(&self, context: &str) -> bool {
        self.0.matches(context)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ContextPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<ContextPattern, Self::Err> {
        if text.trim().is_empty() {
            return Err("it is empty");
        }
        let pattern = Pattern::new(text);
        pattern
            .map(ContextPattern)
            .map_err(|_| "write * once in a row, and close each [ with a ]")
    }
}
