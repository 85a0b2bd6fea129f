//! `cargo docs`: makes what of the documentation comes from the code and from real runs. With `--check` it changes
//! nothing, and fails if something is stale.
//!
//! | what | from |
//! |---|---|
//! | `src/output/jobclean-v1.schema.json` | the types of the document |
//! | `src/cli/policy/jobclean-policy-v1.schema.json` | the types of a policy |
//! | tables of flags in `docs/flags.md` | the command line's definition |
//! | pictures in `tests/docs/pictures`, and the texts of two in `README.md` and `docs/gitops.md` | the plugin in a terminal, on a real API server |

mod flags;
mod marks;
mod pictures;
mod svg;

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

use controlplane::{Context, Error, Result, checkout as root};

const USAGE: &str = "usage: cargo docs [--check]";

/// A file and what it has to hold.
struct Made {
    path: PathBuf,
    text: String,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ended = match args[..] {
        [] => make().and_then(write),
        ["--check"] => make().and_then(check),
        _ => Err(Error::new(USAGE)),
    };
    ended.map_or_else(
        |why| {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn make() -> Result<Vec<Made>> {
    let taken = pictures::take()?;
    let mut made = vec![
        Made {
            path: root().join("README.md"),
            text: marks::fill(&published("README.md")?, "screen", &taken.text)?,
        },
        Made {
            path: root().join("docs/gitops.md"),
            text: marks::fill(&published("docs/gitops.md")?, "rollback", &taken.rollback)?,
        },
        Made {
            path: root().join("docs/flags.md"),
            text: flags::fill(&published("docs/flags.md")?)?,
        },
    ];
    made.extend(schemas().map(|(path, text)| Made {
        path: root().join(path),
        text,
    }));
    let folder = root().join("tests/docs/pictures");
    made.extend(taken.files.into_iter().map(|(name, text)| Made {
        path: folder.join(name),
        text,
    }));
    Ok(made)
}

/// A file as it is now.
fn published(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).context(format!("cannot read {path}"))
}

/// The schemas, and where each is published.
fn schemas() -> [(&'static str, String); 2] {
    use kubectl_jobclean::{cli::policy, output::document};
    [
        ("src/output/jobclean-v1.schema.json", document::schema()),
        (
            "src/cli/policy/jobclean-policy-v1.schema.json",
            policy::schema(),
        ),
    ]
    .map(|(path, schema)| (path, format!("{schema:#}\n")))
}

impl Made {
    fn is_stale(&self) -> bool {
        fs::read_to_string(&self.path).map_or(true, |there| there != self.text)
    }

    fn name(&self) -> String {
        let path = self.path.strip_prefix(root()).unwrap_or(&self.path);
        path.display().to_string()
    }
}

fn write(made: Vec<Made>) -> Result<()> {
    for file in made.iter().filter(|file| file.is_stale()) {
        let cannot = format!("cannot write {}", file.name());
        if let Some(folder) = file.path.parent() {
            fs::create_dir_all(folder).context(&cannot)?;
        }
        fs::write(&file.path, &file.text).context(&cannot)?;
        println!("made {}", file.name());
    }
    Ok(())
}

fn check(made: Vec<Made>) -> Result<()> {
    let stale: Vec<&Made> = made.iter().filter(|file| file.is_stale()).collect();
    if stale.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = stale.iter().map(|file| first_difference(file)).collect();
    Err(Error::new(format!(
        "stale; make them anew with `cargo docs`:\n{}",
        shown.join("\n")
    )))
}

/// The file's name, and the first line that is not as it should be.
fn first_difference(file: &Made) -> String {
    let Ok(there) = fs::read_to_string(&file.path) else {
        return format!("{}: it is not there", file.name());
    };
    let (mut old, mut new) = (there.lines(), file.text.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (old.next(), new.next()) {
            (Some(old), Some(new)) if old == new => {}
            (old, new) => {
                let [old, new] = [old, new].map(Option::unwrap_or_default);
                return format!("{}:{number}\n  - {old}\n  + {new}", file.name());
            }
        }
    }
}

/// What needs no cluster; the pictures are for `--check`.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schemas_are_what_the_types_make() {
        for (path, schema) in schemas() {
            assert!(
                published(path).unwrap() == schema,
                "{path} is stale; make it anew with `cargo docs`"
            );
        }
    }

    #[test]
    fn the_tables_of_flags_are_what_the_command_line_says() {
        let page = published("docs/flags.md").unwrap();
        assert!(
            flags::fill(&page).unwrap() == page,
            "stale; make them anew with `cargo docs`"
        );
    }

    #[test]
    fn the_first_line_that_differs_is_shown() {
        let file = |text: &str| Made {
            path: root().join("LICENSE"),
            text: text.to_owned(),
        };
        let license = published("LICENSE").unwrap();
        assert!(!file(&license).is_stale());
        let changed = file(&license.replacen("Apache License", "Licence", 1));
        assert!(changed.is_stale());
        let shown = first_difference(&changed);
        assert!(
            shown.starts_with("LICENSE:") && shown.ends_with("Licence"),
            "{shown}"
        );
    }
}
