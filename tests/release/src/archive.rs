//! The archive of a platform.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use ring::digest::{SHA256, digest};

use crate::platform::Platform;
use crate::project::Project;

/// The documents that go with the binary, from the top of the project.
const DOCUMENTS: [&str; 3] = ["CHANGELOG.md", "LICENSE", "README.md"];
const MAN_PAGE: &str = "kubectl-jobclean.1";
/// 1980-01-01, the first day that every kind of archive can write down.
const LONG_AGO: u64 = 315_532_800;

/// A file of an archive.
struct Entry {
    name: String,
    mode: u32,
    bytes: Vec<u8>,
}

/// What goes into the archive of a platform: the `binary`, the licence, the documents and the man page.
pub fn pack(project: &Project, platform: Platform, binary: &Path) -> Result<Vec<u8>> {
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    let mut entries = vec![
        Entry {
            name: platform.binary().to_owned(),
            mode: 0o755,
            bytes: read(binary)?,
        },
        Entry {
            name: MAN_PAGE.to_owned(),
            mode: 0o644,
            bytes: man_page()?,
        },
    ];
    for name in DOCUMENTS {
        entries.push(Entry {
            name: name.to_owned(),
            mode: 0o644,
            bytes: read(&project.root.join(name))?,
        });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    tar_gz(&entries)
}

/// Nothing in it says who made it, when and on what machine.
fn tar_gz(entries: &[Entry]) -> Result<Vec<u8>> {
    let gzip = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.set_path(&entry.name)?;
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(entry.mode);
        header.set_mtime(mtime()?);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        tar.append(&header, entry.bytes.as_slice())?;
    }
    let mut gzip = tar.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?)
}

/// `SOURCE_DATE_EPOCH` if that is set, as reproducible-builds.org asks for.
fn mtime() -> Result<u64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => seconds
            .parse()
            .with_context(|| format!("SOURCE_DATE_EPOCH is {seconds:?}, not a number of seconds")),
        Err(_) => Ok(LONG_AGO),
    }
}

/// The man page, from what `--help` says.
pub fn man_page() -> Result<Vec<u8>> {
    let mut page = Vec::new();
    manpage::write(&mut page)?;
    Ok(page)
}

/// The SHA-256 of some bytes, in hex.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut hex = String::new();
    for byte in digest(&SHA256, bytes).as_ref() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Writes an archive and, beside it, its checksum as `sha256sum --check` reads it.
pub fn write(folder: &Path, name: &str, archive: &[u8]) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let path = folder.join(name);
    fs::write(&path, archive).with_context(|| path.display().to_string())?;
    let sum = format!("{}  {name}\n", sha256(archive));
    fs::write(folder.join(format!("{name}.sha256")), sum)?;
    Ok(path)
}
