//! A Retry-After header: whatever it says, no wait is longer than it may be.
#![no_main]

use kubectl_jobclean::{
    cluster::request::parse_retry_after,
    retry::{Backoff, Tries},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let mut backoff = Backoff::new(Tries::for_list());
    if let Some(delay) = backoff.next_delay(parse_retry_after(data)) {
        assert!(delay <= std::time::Duration::from_secs(33));
    }
});
