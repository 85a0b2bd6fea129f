//! The control plane from the command line: `cargo demo`, `cargo controlplane up` and `down`.

mod demo;
mod standing;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
A real Kubernetes control plane on loopback, for trying out kubectl jobclean.

usage: cargo demo
           start one with sample Jobs, show what kubectl jobclean does to them, take it down
       cargo controlplane up [--empty]
           start one that stays, with the sample Jobs unless --empty, and print how to use it
       cargo controlplane down
           take that one down and remove all it held
";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ended = match args[..] {
        ["demo"] => demo::run(),
        ["up"] => standing::up(true),
        ["up", "--empty"] => standing::up(false),
        ["down"] => standing::down(),
        // What `up` leaves running; no part of the usage.
        [standing::HOLD, ref rest @ ..] => standing::hold(rest),
        ["help" | "-h" | "--help"] => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            let why = match args[..] {
                [] => "a command is missing".to_owned(),
                _ => format!("not understood: {}", args.join(" ")),
            };
            eprint!("error: {why}\n\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    };
    ended.unwrap_or_else(|why| {
        eprintln!("error: {why}");
        ExitCode::FAILURE
    })
}
