//! A list of metadata alone from the server, in either encoding. The first byte chooses which.
#![no_main]

use kubectl_jobclean::wire::metadata;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let content_type = match choice % 2 {
        0 => "application/vnd.kubernetes.protobuf",
        _ => "application/json",
    };
    let Ok(list) = metadata::decode(content_type, body) else { return };
    for item in list.items {
        let meta = item.metadata.expect("what has none cannot be told from others");
        assert!(!meta.uid.is_empty() && !meta.name.is_empty());
    }
});
