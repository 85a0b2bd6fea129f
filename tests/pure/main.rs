//! What needs no server and no Go: laws and tables of what decides, what is read and what is printed. It takes seconds.

mod architecture;
mod decode;
mod decode_file;
mod decode_file_repeats;
mod decode_laws;
mod decode_metadata;
mod every_small_group;
mod family_laws;
mod family_schemes;
mod fuzz_seeds;
mod gitops_cases;
mod golden;
mod laws;
mod output_laws;
mod policy;
mod policy_laws;
mod readme;
mod recheck_laws;
mod support;
