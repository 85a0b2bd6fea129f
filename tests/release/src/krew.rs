//! What krew is told: the manifest for its index, and the template of it that krew-release-bot fills in.

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;

use crate::archive::sha256;
use crate::platform::{PLATFORMS, Platform};
use crate::project::Project;

/// What stands for a checksum until there is a release. No archive has it, so krew installs nothing by it.
const NO_SUM: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const HEAD: &str = "\
apiVersion: krew.googlecontainertools.github.com/v1alpha2
kind: Plugin
metadata:
  name: jobclean
spec:
  version: VERSION
  homepage: HOMEPAGE
  shortDescription: Keep the newest Job of each group, delete the rest
  description: |
    Groups Jobs by namespace and by their Argo CD application (or a label,
    an annotation, or the name, if you say so), keeps the newest Job of every
    group and deletes the Jobs that it has superseded. Running, suspended,
    owned and protected Jobs stay.

    It shows the plan, with a reason for every Job, and asks before it deletes
    anything. Try it first with:

      kubectl jobclean --dry-run
  caveats: |
    Needs the right to list Jobs, and to delete those that it purges.
  platforms:
";

/// The manifest of the release whose archives are in `folder`.
pub fn of_release(project: &Project, folder: &Path) -> Result<String> {
    let downloads = project.downloads();
    manifest(project, &downloads, |platform| {
        let path = folder.join(platform.archive(&project.tag()));
        let archive = fs::read(&path).with_context(|| path.display().to_string())?;
        for name in [platform.binary(), "LICENSE"] {
            if !holds(&archive, name)? {
                bail!("{} holds no {name}", path.display());
            }
        }
        Ok(sha256(&archive))
    })
}

/// The manifest as it is before there is a release.
pub fn before_release(project: &Project) -> Result<String> {
    let manifest = manifest(project, &project.downloads(), |_| Ok(NO_SUM.into()))?;
    Ok(format!(
        "# The manifest for krew's index. The checksums are those of a release; here they are still zeros, and\n\
         # `cargo release krew --archives FOLDER` fills them in from the release's archives.\n{manifest}"
    ))
}

/// The manifest of archives that are at `downloads` and have the checksums that `sum` says.
pub fn manifest(
    project: &Project,
    downloads: &str,
    sum: impl Fn(Platform) -> Result<String>,
) -> Result<String> {
    let tag = project.tag();
    let mut manifest = head(project, &tag);
    for platform in PLATFORMS {
        let uri = format!("{downloads}/{}", platform.archive(&tag));
        // In quotes, as YAML would take a sum of digits for a number.
        let source = format!("uri: {uri}\n    sha256: \"{}\"", sum(platform)?);
        add(&mut manifest, platform, &source);
    }
    Ok(manifest)
}

/// The template: krew-release-bot fetches the archives of a tag and puts their addresses and checksums in.
pub fn template(project: &Project) -> String {
    let mut template = String::from(
        "# The template that krew-release-bot makes a release's manifest of; the release workflow gives it this path as\n\
         # `krew_template_file`. `cargo release krew` writes this file.\n",
    );
    let tag = "{{ .TagName }}";
    template.push_str(&head(project, tag));
    for platform in PLATFORMS {
        let archive = platform.archive(tag);
        let uri = format!("{}/releases/download/{tag}/{archive}", project.repository);
        let source = format!("{{{{addURIAndSha \"{uri}\" .TagName }}}}");
        add(&mut template, platform, &source);
    }
    template
}

fn head(project: &Project, version: &str) -> String {
    HEAD.replace("VERSION", version)
        .replace("HOMEPAGE", &project.repository)
}

fn add(manifest: &mut String, platform: Platform, source: &str) {
    let Platform { os, arch, .. } = platform;
    let binary = platform.binary();
    let _ = write!(
        manifest,
        "  - selector:\n      matchLabels:\n        os: {os}\n        arch: {arch}\n    {source}\n    bin: {binary}\n"
    );
}

fn holds(archive: &[u8], name: &str) -> Result<bool> {
    let mut tar = Vec::new();
    GzDecoder::new(archive).read_to_end(&mut tar)?;
    for entry in tar::Archive::new(tar.as_slice()).entries()? {
        if entry?.path()?.as_ref() == Path::new(name) {
            return Ok(true);
        }
    }
    Ok(false)
}
