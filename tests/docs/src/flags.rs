//! Tables of flags, from the definition of the command line that `--help` is made of.

use clap::{Arg, ArgAction, Command, CommandFactory, builder::PossibleValue};
use controlplane::{Error, Result};
use kubectl_jobclean::cli::Cli;

use crate::marks;

/// The page with a table of each heading's flags, at the mark of that heading.
pub fn fill(page: &str) -> Result<String> {
    let mut command = Cli::command();
    command.build();
    let mut text = page.to_owned();
    for heading in headings(&command)? {
        let mut table = "| flag | meaning |\n|---|---|\n".to_owned();
        for arg in shown(&command).filter(|arg| arg.get_help_heading() == Some(heading)) {
            table.push_str(&format!("| {} | {} |\n", names(arg), meaning(arg)));
        }
        text = marks::fill(&text, &format!("flags: {heading}"), &table)?;
    }
    Ok(text)
}

/// The flags that `--help` shows, but for itself and the version.
fn shown(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
}

/// The headings in their order; a flag without one would be left out.
fn headings(command: &Command) -> Result<Vec<&str>> {
    let mut headings = Vec::new();
    for arg in shown(command) {
        let heading = arg
            .get_help_heading()
            .ok_or_else(|| Error::new(format!("--{} has no heading", arg.get_id())))?;
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    Ok(headings)
}

/// `-L, --label KEY`, each name as code.
fn names(arg: &Arg) -> String {
    let value = value(arg);
    let long = arg.get_long_and_visible_aliases().unwrap_or_default();
    let mut names: Vec<String> = long
        .iter()
        .map(|name| code(&format!("--{name}{value}")))
        .collect();
    if let Some(short) = arg.get_short() {
        names.insert(0, code(&format!("-{short}")));
    }
    names.join(", ")
}

/// What follows the name. That a switch also takes `=false` is not worth a place.
fn value(arg: &Arg) -> String {
    let name = arg.get_value_names().and_then(<[_]>::first);
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    match name {
        Some(name) if takes && name.as_str() != "BOOL" => {
            let is_optional = arg
                .get_num_args()
                .is_some_and(|args| args.min_values() == 0);
            match is_optional {
                true => format!("[={name}]"),
                false => format!(" {name}"),
            }
        }
        _ => String::new(),
    }
}

/// What `--help` says of it: its values, its variable, its default.
fn meaning(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    // A default that depends on something else is told in words.
    let (help, in_words) = match help
        .strip_suffix(']')
        .and_then(|help| help.split_once(" [default: "))
    {
        Some((help, words)) => (help.to_owned(), Some(words.to_owned())),
        None => (help.clone(), None),
    };
    let mut meaning = with_flags_as_code(&cell(&help));
    let default = default(arg);
    if let Some(variable) = arg.get_env() {
        meaning.push_str(&format!(
            ". Variable: {}",
            code(&format!("${}", variable.display()))
        ));
    }
    let values = arg.get_possible_values();
    if takes_value(arg) && !arg.is_hide_possible_values_set() && !values.is_empty() {
        for value in &values {
            meaning.push_str(&format!("<br>{}", possible(value, default.as_deref())));
        }
    } else if let Some(default) = default.map(|value| code(&value)).or(in_words) {
        meaning.push_str(&format!(". Default: {default}"));
    }
    meaning
}

/// The default, if it is worth telling.
fn default(arg: &Arg) -> Option<String> {
    let value = arg.get_default_values().first()?;
    let told = takes_value(arg) && !arg.is_hide_default_value_set();
    told.then(|| value.to_string_lossy().into_owned())
}

fn takes_value(arg: &Arg) -> bool {
    !value(arg).is_empty()
}

fn possible(value: &PossibleValue, default: Option<&str>) -> String {
    let name = code(value.get_name());
    let mark = if default == Some(value.get_name()) {
        " (default)"
    } else {
        ""
    };
    match value.get_help() {
        Some(help) => format!("{name}{mark}: {}", cell(&help.to_string())),
        None => format!("{name}{mark}"),
    }
}

/// Flags that the text names.
fn with_flags_as_code(text: &str) -> String {
    let words: Vec<String> = text
        .split(' ')
        .map(|word| match word.starts_with("--") {
            true => {
                let name = word.trim_end_matches([',', ';', ':', ')']);
                format!("`{name}`{}", &word[name.len()..])
            }
            false => word.to_owned(),
        })
        .collect();
    words.join(" ")
}

fn code(text: &str) -> String {
    format!("`{}`", cell(text))
}

/// A bar would end the cell, in code as well.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction, Command};

    use super::*;

    fn row(arg: Arg) -> (String, String) {
        let mut command = Command::new("x").arg(arg.id("flag"));
        command.build();
        let arg = command.get_arguments().next().unwrap();
        (names(arg), meaning(arg))
    }

    #[test]
    fn a_row_says_what_help_says() {
        let arg = Arg::new("a")
            .short('k')
            .long("keep")
            .visible_alias("hold")
            .value_name("N|P%");
        let arg = arg
            .default_value("1")
            .env("KEEP")
            .help("Keep N, unless --all, or so");
        let expected = (
            "`-k`, `--keep N\\|P%`, `--hold N\\|P%`".to_owned(),
            "Keep N, unless `--all`, or so. Variable: `$KEEP`. Default: `1`".to_owned(),
        );
        assert_eq!(row(arg), expected);
    }

    #[test]
    fn values_are_told_each_with_its_help() {
        let values = [
            PossibleValue::new("a").help("The first"),
            PossibleValue::new("b"),
        ];
        let arg = Arg::new("a").long("how").value_name("HOW").num_args(0..=1);
        let arg = arg.value_parser(values).default_value("b").help("Do it");
        let expected = (
            "`--how[=HOW]`".to_owned(),
            "Do it<br>`a`: The first<br>`b` (default)".to_owned(),
        );
        assert_eq!(row(arg), expected);
    }

    #[test]
    fn a_switch_has_no_value_and_a_default_in_words_stays_one() {
        let arg = Arg::new("a")
            .long("yes")
            .value_name("BOOL")
            .action(ArgAction::Set);
        let arg = arg
            .default_value("false")
            .num_args(0..=1)
            .help("Do it [default: that of x]");
        let expected = ("`--yes`".to_owned(), "Do it. Default: that of x".to_owned());
        assert_eq!(row(arg), expected);
    }

    #[test]
    fn a_flag_without_a_heading_is_not_lost() {
        let mut command = Command::new("x").arg(Arg::new("lost").long("lost"));
        command.build();
        assert!(headings(&command).is_err());
    }
}
