//! A protobuf list from the server, as far as judged Jobs.
#![no_main]

use kubectl_jobclean::{
    intake::{Identity, Intake},
    wire,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let body = bytes::Bytes::copy_from_slice(data);
    let _ = wire::decode_status(&body);
    let Ok(list) = wire::decode_protobuf(&body) else { return };
    let mut intake = Intake::new(&["a".parse().unwrap()], Identity::Required);
    for job in list.items {
        if let Ok(Some(job)) = intake.take(job) {
            assert!(!job.uid.is_empty() && !job.resource_version.is_empty() && !job.name.is_empty());
        }
    }
});
