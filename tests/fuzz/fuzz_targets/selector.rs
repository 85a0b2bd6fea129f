//! A label selector and a label key: what is accepted reads the same again.
#![no_main]

use kubectl_jobclean::selector::{LabelKey, Selector};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    if let Ok(key) = data.parse::<LabelKey>() {
        assert!(key.as_str().parse::<Selector>().is_ok());
    }
    let Ok(selector) = data.parse::<Selector>() else { return };
    assert_eq!(selector.to_string().parse(), Ok(selector.clone()));
    let _ = selector.matches(|key| (key == "a").then_some("1"));
});
