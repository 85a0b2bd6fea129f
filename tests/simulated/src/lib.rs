//! Purges against a simulated API server, under simulated time: every fault that a network, a proxy, a busy server and other
//! people can make, a hundred thousand times over.
//!
//! The tests in `tests/it` have a real API server and a proxy that makes faults. They show that the tool and Kubernetes
//! understand each other, and take seconds for each run. These here take milliseconds, so that rare mixtures come up.
//! What the simulated server does is written from how the real one behaves, and not from the tool.
//!
//! | module | what it holds |
//! |---|---|
//! | [`run`] | one run from its seed |
//! | [`setup`] | what a run is like: policy, sizes, how much goes wrong |
//! | [`world`], [`store`], [`job`] | the cluster and the log of all requests |
//! | [`actors`] | what others do meanwhile |
//! | [`faults`] | what goes wrong with a request |
//! | [`server`], [`asked`], [`answers`], [`spoilt`], [`encode`] | requests and answers |
//! | [`invariants`] | what must hold after every run |
//! | [`mutations`], [`between`] | broken variants, each of which must be caught |
//! | [`script`], [`exhaust`] | runs that are not drawn: every way that a purge can go |
//! | [`many`] | many runs on all cores |

pub mod actors;
pub mod answers;
pub mod asked;
pub mod between;
pub mod encode;
pub mod exhaust;
pub mod faults;
pub mod invariants;
pub mod job;
pub mod many;
pub mod mutations;
pub mod run;
pub mod script;
pub mod server;
pub mod setup;
pub mod spoilt;
pub mod store;
pub mod world;
