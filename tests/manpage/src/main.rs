//! Writes the man page to the file that is named, or to stdout.

use std::{env, fs::File, io, process::ExitCode};

fn main() -> ExitCode {
    let written = match env::args_os().nth(1) {
        None => manpage::write(&mut io::stdout().lock()),
        Some(path) => File::create(path).and_then(|mut file| manpage::write(&mut file)),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: cannot write the man page: {why}");
            ExitCode::FAILURE
        }
    }
}
