//! `cargo release`: what a release consists of.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use release::platform::Platform;
use release::project::Project;
use release::{archive, build, krew};

/// Make what a release consists of
#[derive(Parser)]
#[command(bin_name = "cargo release")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the archive of a platform, and its checksum
    Archive {
        /// The platform [default: this machine's]
        #[arg(long, value_name = "OS_ARCH")]
        platform: Option<Platform>,
        /// The folder to put it into
        #[arg(long, value_name = "FOLDER", default_value = "target/dist")]
        out: PathBuf,
        /// Fail unless the tag is that of the version in Cargo.toml
        #[arg(long)]
        tag: Option<String>,
    },
    /// Print krew's manifest of a release; without archives, write what is in krew-manifest
    Krew {
        /// The folder that holds the archives of all platforms
        #[arg(long, value_name = "FOLDER")]
        archives: Option<PathBuf>,
    },
}

fn main() -> Result<()> {
    let project = Project::here()?;
    match Cli::parse().command {
        Command::Archive { platform, out, tag } => {
            if let Some(tag) = tag.filter(|tag| *tag != project.tag()) {
                let version = &project.version;
                bail!("the tag is {tag}, but the version in Cargo.toml is {version}");
            }
            let platform = match platform {
                Some(platform) => platform,
                None => Platform::here()?,
            };
            let binary = build::binary(&project, platform)?;
            let packed = archive::pack(&project, platform, &binary)?;
            let name = platform.archive(&project.tag());
            let path = archive::write(&out, &name, &packed)?;
            println!("{}", path.display());
        }
        Command::Krew {
            archives: Some(folder),
        } => print!("{}", krew::of_release(&project, &folder)?),
        Command::Krew { archives: None } => {
            let folder = project.root.join("krew-manifest");
            for (name, text) in [
                ("jobclean.yaml", krew::before_release(&project)?),
                ("krew-release-bot.yaml", krew::template(&project)),
            ] {
                let path = folder.join(name);
                fs::write(&path, text).with_context(|| path.display().to_string())?;
            }
        }
    }
    Ok(())
}
