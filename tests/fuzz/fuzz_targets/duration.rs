//! A length of time as users write it.
#![no_main]

use kubectl_jobclean::{
    duration::{HumanDuration, RequestTimeout},
    limit::MaxPurge,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let _ = data.parse::<RequestTimeout>();
    let _ = data.parse::<MaxPurge>();
    if data.parse::<HumanDuration>().is_ok() {
        assert!(data.ends_with(['d', 'h', 'm', 's']) && data.starts_with(|c: char| c.is_ascii_digit()));
    }
});
