//! Compiles what the static binary has in C: musl's functions that copy and compare memory are slow, see src/memory.c.

fn main() {
    println!("cargo::rerun-if-changed=src/memory.c");
    #[cfg(feature = "cli")]
    compile();
}

/// Only into the program: which functions another program has is for that program to say.
#[cfg(feature = "cli")]
fn compile() {
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    // On arm64, musl itself has fast ones.
    if target("ENV") == "musl" && target("ARCH") == "x86_64" {
        cc::Build::new()
            .file("src/memory.c")
            .opt_level(2)
            // Else the compiler may see that a loop copies memory, and put a call of the function into itself.
            .flag("-ffreestanding")
            .flag_if_supported("-fno-tree-loop-distribute-patterns")
            .compile("memory");
    }
}
