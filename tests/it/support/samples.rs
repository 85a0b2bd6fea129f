//! Jobs in a namespace.

use controlplane::State;

use super::Space;

/// Two groups: one purges two of three, the other nothing.
pub fn alpha_and_beta() -> Space {
    let space = Space::new();
    space.seed(&[
        space.job("alpha", "sync-1", 50),
        space.job("alpha", "sync-2", 40).state(State::Failed),
        space.job("alpha", "sync-3", 30),
        space.job("beta", "load-1", 20).state(State::Suspended),
    ]);
    space
}
