//! A saved plan: what is believed makes sense.
#![no_main]

use kubectl_jobclean::saved::SavedPlan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(saved) = SavedPlan::parse(data, 500) else { return };
    for group in &saved.plan.groups {
        assert!(group.purge_count() < group.jobs.len());
    }
});
