//! What the tests share; some of it with those that need a server, which use more of it.

pub mod jobs;
pub mod lists;
pub mod render;

#[path = "../../it/support/document.rs"]
#[allow(dead_code, reason = "tests that need a server use the rest")]
pub mod document;
#[path = "../../it/support/files.rs"]
pub mod files;
#[path = "../../it/support/job_file.rs"]
pub mod job_file;
#[path = "../../it/support/proto.rs"]
pub mod proto;
#[path = "../../it/support/tool.rs"]
#[allow(dead_code, reason = "tests that need a server use the rest")]
pub mod tool;
