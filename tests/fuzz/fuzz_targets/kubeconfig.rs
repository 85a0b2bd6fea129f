#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kubectl_jobclean_fuzz::kubeconfig(data));
