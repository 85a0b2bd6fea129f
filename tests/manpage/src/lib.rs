//! The man page kubectl-jobclean(1), made from the definition of the command line, so that it cannot be out of date.
//!
//! A crate of its own: what makes it is no part of the plugin.

use std::io::{self, Write};

use clap::{Command, CommandFactory, builder::StyledStr};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};
use kubectl_jobclean::cli::Cli;

/// Write the page.
///
/// # Errors
/// If the writer fails.
pub fn write(out: &mut dyn Write) -> io::Result<()> {
    // Of the subcommand that clap adds, there is nothing to say.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let subcommands: Vec<Command> = command.get_subcommands().cloned().collect();
    let usage: Vec<String> = std::iter::once(format!("{} [OPTIONS]", name(&command)))
        .chain(subcommands.iter().map(usage_of))
        .collect();
    let after = command.get_after_long_help().cloned();
    // clap_mangen's own title loses the empty date, and a date would make every page another.
    let version = command.get_version().unwrap_or_default();
    writeln!(
        out,
        r#".TH KUBECTL-JOBCLEAN 1 "" "kubectl-jobclean {version}" "kubectl plugins""#
    )?;
    let page = Man::new(with_aliases(command).override_usage(usage.join("\n")));
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    section(out, "SUBCOMMANDS")?;
    for subcommand in &subcommands {
        write_subcommand(out, subcommand)?;
    }
    section(out, "NOTES")?;
    let mut notes = Roff::new();
    paragraphs(&mut notes, after.as_ref());
    notes.to_writer(out)
}

/// clap_mangen leaves aliases out.
fn with_aliases(command: Command) -> Command {
    command.mut_args(|arg| {
        let aliases = arg.get_visible_aliases().unwrap_or_default();
        let aliases: Vec<String> = aliases.iter().map(|alias| format!("--{alias}")).collect();
        match (aliases.as_slice(), arg.get_help()) {
            ([], _) | (_, None) => arg,
            (aliases, Some(help)) => {
                let help = format!("{help} [alias: {}]", aliases.join(", "));
                arg.help(help)
            }
        }
    })
}

fn name(command: &Command) -> &str {
    command.get_bin_name().unwrap_or_else(|| command.get_name())
}

fn usage_of(subcommand: &Command) -> String {
    let usage = subcommand.clone().render_usage().to_string();
    usage.trim_start_matches("Usage: ").to_owned()
}

fn section(out: &mut dyn Write, heading: &str) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    roff.to_writer(out)
}

/// What it does, and the flags and values that nothing else takes.
fn write_subcommand(out: &mut dyn Write, subcommand: &Command) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SS", [subcommand.get_name()]);
    roff.text([roman(
        subcommand
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default(),
    )]);
    let run = Cli::command();
    let is_known = |id: &str| id == "help" || run.get_arguments().any(|arg| arg.get_id() == id);
    for arg in subcommand.get_arguments() {
        if is_known(arg.get_id().as_str()) {
            continue;
        }
        roff.control("TP", []);
        roff.text([bold(arg.to_string())]);
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let values = arg.get_possible_values();
        let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
        roff.text([roman(match values.as_slice() {
            [] => help,
            values => format!("{help}: {}", values.join(", ")),
        })]);
    }
    paragraphs(&mut roff, subcommand.get_after_help());
    roff.to_writer(out)
}

/// Text whose indented lines are lines of their own, as commands are.
fn paragraphs(roff: &mut Roff, text: Option<&StyledStr>) {
    let Some(text) = text.map(ToString::to_string) else {
        return;
    };
    for paragraph in text.split("\n\n") {
        roff.control("PP", []);
        for line in paragraph.lines() {
            match line.strip_prefix("  ") {
                None => roff.text([roman(line)]),
                Some(command) => {
                    roff.control("nf", []);
                    roff.text([bold(command)]);
                    roff.control("fi", [])
                }
            };
        }
    }
}
