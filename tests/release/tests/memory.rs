//! What the static binary has in C, see `src/memory.c`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{entry, project, succeeds};

/// How musl's `memcpy` and `memcmp` begin.
const OF_MUSL: [(&str, &[u8]); 2] = [
    (
        "memcpy",
        b"\x48\x89\xf8\x48\x83\xfa\x08\x72\x14\xf7\xc7\x07\0\0\0\x74\x0c\xa4\x48\xff\xca",
    ),
    (
        "memcmp",
        b"\x31\xc0\x48\x39\xd0\x74\x1a\x0f\xb6\x0c\x07\x48\x83\xc0\x01\x44\x0f\xb6\x44\x06\xff",
    ),
];

/// They copy and compare what they should, and touch nothing else.
#[test]
fn copies_and_compares_as_the_plainest_functions_do() {
    let folder = tempfile::tempdir().unwrap();
    let object = folder.path().join("memory.o");
    let mut compile = Command::new("musl-gcc");
    compile
        .args(["-c", "-O2", "-fPIC", "-Wall", "-Wextra", "-Werror"])
        // As in build.rs.
        .args(["-ffreestanding", "-fno-tree-loop-distribute-patterns", "-o"])
        .arg(&object)
        .arg(project().root.join("src/memory.c"));
    succeeds(&mut compile);
    let check = folder.path().join("check");
    let mut link = Command::new("musl-gcc");
    link.args([
        "-static",
        "-O1",
        "-fno-builtin",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
    ])
    .arg(&check)
    .arg(project().root.join("tests/release/tests/memory_check.c"))
    .arg(&object);
    succeeds(&mut link);
    assert_eq!(
        succeeds(&mut Command::new(&check)),
        "all as they should be\n"
    );
}

/// The linker takes the first function of a name that it finds. If that were musl's again, a plan would take an eighth more
/// CPU, and no other test would see it.
#[test]
fn are_in_the_binary_instead_of_those_of_musl() {
    let print = [
        "--print",
        "target-libdir",
        "--target",
        "x86_64-unknown-linux-musl",
    ];
    let folder = succeeds(Command::new("rustc").args(print));
    let musl = fs::read(Path::new(folder.trim()).join("self-contained/libc.a")).unwrap();
    let binary = entry("kubectl-jobclean");
    let holds = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).any(|at| at == wanted);
    for (name, begin) in OF_MUSL {
        assert!(holds(&musl, begin), "musl has another {name} now");
        assert!(!holds(&binary, begin), "{name}");
    }
}
