//! The tool against a real control plane, a file a subject, written from the contract of its command line.
//!
//! Every test has a namespace of its own and deletes nothing outside it; those that look at every namespace use a label
//! key of their own. A control plane that does not start fails every test that needs one.
//!
//! What goes wrong with deletes is tried over each line that they may take, so its files are here twice.

#![allow(clippy::duplicate_mod)]

mod ask_consent;
mod backup;
mod backup_logs;
mod backup_with;
mod cli_completion;
mod cli_k9s;
mod cli_kubectl;
mod cli_usage;
mod clusters;
mod connection_addresses;
mod connection_certificates;
mod connection_impersonation;
mod connection_insecure;
mod connection_kubeconfigs;
mod connection_proxy_refusals;
mod connection_renewal_faults;
mod connection_target;
mod connection_users;
mod decode_field_numbers;
mod dry_run;
mod embed;
mod explain;
mod file_plan;
mod file_run;
mod gitops;
mod journal;
mod keep_chosen;
mod keep_families;
mod keep_max_purge;
mod keep_rules;
mod kubectl_parity_exec;
mod kubectl_parity_flags;
mod kubectl_parity_in_cluster;
mod kubectl_parity_kuberc;
mod kubectl_parity_oidc;
mod kubectl_parity_proxies;
mod kubectl_parity_renewal;
mod kubectl_parity_users;
mod list_clocks;
mod list_expired;
mod list_faults;
mod list_grouping;
mod list_limits;
mod list_parts;
mod list_requests;
mod list_retries;
mod list_scope;
mod list_unreachable;
mod log;
mod metrics;
mod output_bytes;
mod output_document;
mod output_hostile_files;
mod output_hostile_server;
mod output_not_text;
mod output_schema;
mod output_stdout;
mod output_tables;
mod output_tsv;
mod over_http1;
mod over_http2;
mod policy;
mod purge_blocked;
mod purge_deletes;
mod purge_http2;
mod purge_moments;
mod purge_report;
mod purge_stuck;
mod restore;
mod rights_denied;
mod rights_least_role;
mod rights_preflight;
mod saved_plan_forged;
mod saved_plan_invalid;
mod saved_plan_other_cluster;
mod saved_plan_run;
mod saved_plan_save;
mod secrets;
mod secrets_jobs;
mod support;
mod terminal;
mod terminal_choose;
mod wait;
mod wait_faults;
