//! A secret that must not show.

use super::Run;

/// What must not show.
pub const CANARY: &str = "canary7Yx0secret";

/// Fails if this is anywhere in what a run printed.
#[track_caller]
pub fn hides(secret: &str, run: &Run) {
    for text in [&run.out, &run.err] {
        assert!(!text.contains(secret), "{secret} shows\n{}", run.story());
    }
}
