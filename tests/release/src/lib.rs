//! Makes what a release consists of.
//!
//! | module | what it does |
//! |---|---|
//! | [`project`] | what `cargo metadata` knows of the plugin: version, home, folders |
//! | [`platform`] | the platforms of a release, and what their archives are called |
//! | [`build`] | the binary of a platform, free of this machine's paths |
//! | [`archive`] | binary, licence and documents in an archive that is the same bytes every time |
//! | [`krew`] | the manifest for krew's index, and the template of it for krew-release-bot |

pub mod archive;
pub mod build;
pub mod krew;
pub mod platform;
pub mod project;
