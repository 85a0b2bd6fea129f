//! The control plane from the command line: `cargo demo`, `cargo controlplane up` and `down`.

mod demo;
mod standing;

use std::env;
use std::io::{self, BufWriter, Write as _};
use std::process::ExitCode;

use controlplane::{Context, Fleet, Result, SeedJob};

const USAGE: &str = "\
A real Kubernetes control plane on loopback, for trying out kubectl jobclean.

usage: cargo demo
           start one with sample Jobs, show what kubectl jobclean does to them, take it down
       cargo controlplane up [--empty] [--no-controllers | --default-pace]
           start one that stays, with the sample Jobs unless --empty, and print how to use it; its controllers
           are fast unless told otherwise
       cargo controlplane seed --jobs N [--groups G] [--namespaces K] [--with-pods]
           write N Jobs into that one, as large as real ones; 20 a group and in 20 namespaces unless told
           otherwise, grouped by the label argocd.argoproj.io/instance; with a Pod for each that has finished
       cargo controlplane print --jobs N [--groups G] [--namespaces K]
           print the same Jobs as kubectl get jobs -A -o json would, though on one line, and need no control plane
       cargo controlplane down
           take that one down and remove all it held
";

const WITH_PODS: &str = "--with-pods";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ended = match args[..] {
        ["demo"] => demo::run(),
        ["up", ref flags @ ..] if standing::Wanted::new(flags).is_some() => standing::up(flags),
        ["seed", ref flags @ .., WITH_PODS] if fleet_of(flags).is_some() => {
            standing::seed(fleet_of(flags).into_iter().flat_map(Fleet::jobs), true)
        }
        ["seed", ref flags @ ..] if fleet_of(flags).is_some() => {
            standing::seed(fleet_of(flags).into_iter().flat_map(Fleet::jobs), false)
        }
        ["print", ref flags @ ..] if fleet_of(flags).is_some() => {
            print_list(fleet_of(flags).into_iter().flat_map(Fleet::jobs))
        }
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

/// The Jobs that the flags ask for; `None` if they are not understood.
fn fleet_of(flags: &[&str]) -> Option<Fleet> {
    let (pairs, rest) = flags.as_chunks::<2>();
    let mut numbers = [None; 3];
    for [flag, value] in pairs {
        let names = ["--jobs", "--groups", "--namespaces"];
        let place = names.iter().position(|name| name == flag)?;
        let number: u32 = value.parse().ok()?;
        numbers[place] = (number > 0).then_some(number);
        numbers[place]?;
    }
    let [jobs, groups, namespaces] = numbers;
    let fleet = Fleet::of(jobs.filter(|_| rest.is_empty())?);
    Some(Fleet {
        groups: groups.unwrap_or(fleet.groups),
        namespaces: namespaces.unwrap_or(fleet.namespaces),
        ..fleet
    })
}

/// As kubectl prints a list: without managedFields, and a List whose items say themselves what they are.
fn print_list(jobs: impl Iterator<Item = SeedJob>) -> Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut write = |text: &str| {
        out.write_all(text.as_bytes())
            .context("cannot write the list")
    };
    write("{\"apiVersion\":\"v1\",\"items\":[")?;
    for (number, job) in jobs.enumerate() {
        let mut object = job.manifest();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            metadata.insert("resourceVersion".into(), (number + 1).to_string().into());
        }
        write(if number == 0 { "" } else { "," })?;
        write(&object.to_string())?;
    }
    write("],\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"\"}}\n")?;
    out.flush().context("cannot write the list")?;
    Ok(ExitCode::SUCCESS)
}
