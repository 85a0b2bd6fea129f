//! The archive of the machine that the tests run on.

use std::fs;
use std::path::Path;
use std::process::Command;

use release::platform::Platform;
use release::project::Project;

use crate::support::{archive, archive_of, entries, entry, project, succeeds};

#[test]
fn holds_the_binary_its_licence_and_its_documents_and_nothing_of_this_machine() {
    let binary = Platform::here().unwrap().binary();
    let mut seen = Vec::new();
    for entry in entries(archive()) {
        let mode = if entry.name == binary { 0o755 } else { 0o644 };
        assert_eq!(entry.mode, mode, "{}", entry.name);
        assert_eq!(entry.owner, (0, 0), "{}", entry.name);
        assert_eq!(entry.mtime, 315_532_800, "{}", entry.name);
        seen.push(entry.name);
    }
    assert_eq!(
        seen,
        [
            "CHANGELOG.md",
            "LICENSE",
            "README.md",
            binary,
            "kubectl-jobclean.1"
        ]
    );
    assert_eq!(
        entry("LICENSE"),
        fs::read(project().root.join("LICENSE")).unwrap()
    );
    let page = String::from_utf8(entry("kubectl-jobclean.1")).unwrap();
    let mut expected = Vec::new();
    manpage::write(&mut expected).unwrap();
    assert_eq!(page, String::from_utf8(expected).unwrap());
    assert!(page.contains("mixed\\-groups"), "{page}");
}

/// The second time from a copy of the sources in another folder. What the sources do not change, the compiled
/// dependencies, is shared: the release workflow builds those twice as well.
#[test]
fn is_the_same_bytes_from_another_folder() {
    let first = archive();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("a copy");
    copy_sources(&project().root, &copy);
    let copy = Project {
        target: project().target.clone(),
        ..Project::at(&copy).unwrap()
    };
    assert!(
        copy.root
            .starts_with(elsewhere.path().canonicalize().unwrap())
    );
    let second = archive_of(&copy);
    for (one, two) in entries(first).iter().zip(&entries(&second)) {
        assert_eq!(one.name, two.name);
        assert!(one.bytes == two.bytes, "{} differs", one.name);
    }
    assert!(first == second, "the archives differ outside their files");
}

fn copy_sources(from: &Path, to: &Path) {
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .current_dir(from);
    for name in succeeds(&mut git).split_terminator('\0') {
        let (from, to) = (from.join(name), to.join(name));
        // One that is deleted but not yet committed so is still listed.
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
    }
}

#[test]
fn the_binary_names_no_folder_of_this_machine() {
    let binary = entry(Platform::here().unwrap().binary());
    let contains = |words: &str| binary.windows(words.len()).any(|at| at == words.as_bytes());
    // The check would see a path.
    assert!(contains("src/main.rs"), "no path of a source file at all");
    let home = std::env::var("HOME").unwrap();
    for folder in [&project().root, &project().target] {
        let folder = folder.to_str().unwrap();
        assert!(!contains(folder), "{folder}");
    }
    for words in [
        format!("{home}/"),
        "/.cargo/".into(),
        "index.crates.io".into(),
    ] {
        assert!(!contains(&words), "{words}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_binary_is_static() {
    use object::elf::{FileHeader64, PT_INTERP};
    use object::read::elf::{FileHeader, ProgramHeader};

    let binary = entry("kubectl-jobclean");
    let header = FileHeader64::<object::Endianness>::parse(&*binary).unwrap();
    let endian = header.endian().unwrap();
    let segments = header.program_headers(endian, &*binary).unwrap();
    assert!(!segments.is_empty());
    for segment in segments {
        // No dynamic linker, and none of the libraries that it would have to find.
        assert_ne!(segment.p_type(endian), PT_INTERP);
        if let Some(entries) = segment.dynamic(endian, &*binary).unwrap() {
            for entry in entries {
                assert_ne!(entry.d_tag.get(endian), object::elf::DT_NEEDED);
            }
        }
    }
}
