//! A protobuf list from the server, as far as judged Jobs: whole, and in pieces.
#![no_main]

use kubectl_jobclean::{
    intake::{Identity, Intake},
    wire::{self, DecodeError, ListReader},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = wire::decode_status(data);
    let _ = wire::decode_kind(data);
    let mut intake = Intake::new(&["a".parse().unwrap()], Identity::Required);
    let mut names = Vec::new();
    let mut reader = ListReader::default();
    let (mut taken, mut come) = (0, 0);
    let in_pieces = data
        .chunks(7)
        .try_for_each(|piece| {
            come += piece.len();
            reader.feed::<DecodeError>(piece, &mut |job| {
                taken = come;
                names.push(format!("{job:?}"));
                if let Ok(Some(job)) = intake.take(job) {
                    assert!(!job.uid.is_empty() && !job.resource_version.is_empty() && !job.name.is_empty());
                }
                Ok(())
            })
        })
        .and_then(|()| reader.finish());
    assert!(taken <= data.len());
    // What is read in pieces is what is read as a whole.
    if let Ok(meta) = in_pieces {
        let whole = wire::decode_protobuf(data).expect("it was whole in pieces");
        let all: Vec<String> = whole.items.iter().map(|job| format!("{job:?}")).collect();
        assert_eq!((meta, names), (whole.metadata, all));
    }
});
