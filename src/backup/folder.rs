//! Files and folders for one user alone, safe on disk, under names that lead nowhere else.

use std::{fs, io, path::Path};

/// The most bytes of a file's name: 255 are usual, and what is not finished yet has a longer one.
const NAME_MAX: usize = 200;

/// A name for a file, or a part of it and a hash where it is longer than every file system takes.
///
/// # Errors
/// If it could lead out of the folder: names are the server's word.
pub(super) fn file_name(name: &str) -> io::Result<String> {
    let plain =
        !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0']);
    if !plain {
        let why = "its name is not a valid file name";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    if name.len() <= NAME_MAX {
        return Ok(name.to_owned());
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let hash: String = digest.as_ref()[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut begins = NAME_MAX / 2;
    while !name.is_char_boundary(begins) {
        begins -= 1;
    }
    Ok(format!("{}-{hash}", &name[..begins]))
}

/// Make sure of a folder. A link in its place would lead what is written elsewhere.
pub(super) fn own_folder(dir: &Path) -> io::Result<()> {
    match fs::symlink_metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => private_dir(dir)?,
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    if fs::symlink_metadata(dir)?.is_dir() {
        Ok(())
    } else {
        let why = "the folder of its namespace is a link or a file";
        Err(io::Error::new(io::ErrorKind::InvalidInput, why))
    }
}

/// A new file for this user alone.
pub(super) fn new_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::File::options();
    options.write(true).read(true).create_new(true);
    private(&mut options);
    options.open(path)
}

/// A file that is made for this user alone if it is not there, to append to.
pub(super) fn appended(path: &Path) -> io::Result<fs::File> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => {
            let why = "a link or a folder is in its place";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::File::options();
    options.append(true).read(true).create(true);
    private(&mut options);
    options.open(path)
}

fn private(options: &mut fs::OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

/// Make a folder for this user alone, and those above it that are not there. Each is safe once the one above it is.
pub(super) fn private_dir(path: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> = Vec::new();
    for folder in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        match fs::metadata(folder) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(folder),
            Err(error) => return Err(error),
        }
    }
    for folder in missing.into_iter().rev() {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(folder) {
            // Another delete was faster.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let above = folder.parent().filter(|path| !path.as_os_str().is_empty());
        sync_dir(above.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

/// A file is only safe once the folder that names it is.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(path)?.sync_all()?;
    }
    Ok(())
}
