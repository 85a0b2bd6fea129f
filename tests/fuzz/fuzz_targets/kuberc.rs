#![no_main]

libfuzzer_sys::fuzz_target!(|data: &str| kubectl_jobclean_fuzz::kuberc(data));
