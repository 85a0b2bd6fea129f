//! The family of a name: a part of it from its beginning, and its own family.
#![no_main]

use kubectl_jobclean::job::family;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &str| {
    let stem = family(name);
    assert!(name.starts_with(stem) && stem.is_empty() == name.is_empty());
    if stem != name {
        assert_eq!(family(stem), stem);
    }
    if !name.is_empty() && stem != name {
        assert_eq!(family(&format!("{name}-1a2b3c")), stem);
    }
});
