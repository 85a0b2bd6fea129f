//! Parse, run, exit code.

#[cfg(any(target_env = "musl", all(test, target_os = "linux")))]
mod allocator;

use std::{env, ffi::OsString, io, process::ExitCode};

use clap::{ArgMatches, CommandFactory, FromArgMatches, error::ErrorKind, parser::ValueSource};
use kubectl_jobclean::{
    cli::{Cli, Command, Flags, Options, Run, Voice, complete, policy::PolicyFile, tips::with_tip},
    error::{Error, Exit, Stop},
    run::{self, stdout},
    ui::{TerminalModes, Ui, Verbosity, signals},
};
use tokio::sync::watch;

fn main() -> ExitCode {
    if let Some(words) = complete::asked(env::args_os()) {
        // An error would only disturb the line that is being typed.
        let answered = stdout::write_only(|out| complete::answer(words, out));
        let exit = answered.map_or(Exit::Failure, |()| Exit::Success);
        return ExitCode::from(exit.code());
    }
    let parsed = Cli::command()
        .try_get_matches()
        .and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (Cli { command, flags }, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return not_parsed(error),
    };
    let (voice, log_format) = match &command {
        Some(Command::Rbac { flags, .. } | Command::Explain { flags, .. }) => {
            (&flags.output.voice, None)
        }
        Some(Command::Restore(flags)) => (&flags.voice, None),
        Some(Command::Version | Command::Completion { .. }) | None => {
            (&flags.output.voice, flags.output.log_format)
        }
    };
    let verbosity = match voice.level() {
        _ if voice.quiet => Verbosity::Quiet,
        0 => Verbosity::Normal,
        Voice::EVERYTHING.. => Verbosity::Debug,
        _ => Verbosity::Verbose,
    };
    let ui = Ui::new(verbosity, log_format);
    let result = match command {
        Some(Command::Version) => run::print_version(),
        Some(Command::Completion { shell }) => run::print_completion(shell),
        Some(Command::Rbac {
            serviceaccount,
            flags,
        }) => {
            let options = options(*flags, matches.subcommand_matches("rbac"));
            options.and_then(|options| run::print_role(&options.run, serviceaccount.as_ref()))
        }
        Some(Command::Explain { name, flags }) => {
            let options = options(*flags, matches.subcommand_matches("explain"));
            options.and_then(|options| match &options.run {
                Run::FromFile(wanted) => run::explain_in_file(&name, wanted),
                Run::OnCluster(wanted) => on_cluster(&ui, async |stop| {
                    run::explain(&name, wanted, &options, &ui, stop).await
                }),
            })
        }
        Some(Command::Restore(wanted)) => {
            on_cluster(&ui, async |stop| run::restore(&wanted, &ui, stop).await)
        }
        None => options(flags, Some(&matches)).and_then(|options| clean(&options, &ui)),
    };
    let exit = result.unwrap_or_else(|error| {
        ui.finish();
        ui.error(&error);
        error.exit
    });
    ExitCode::from(exit.code())
}

/// What to leave with where there is no run: a mistake, or help that was asked for. Help that cannot be written is a
/// failure, unless its reader has seen enough.
fn not_parsed(error: clap::Error) -> ExitCode {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    let error = with_tip(error, &words);
    let written = error.print();
    let exit = match (error.use_stderr(), written) {
        (true, _) => Exit::Usage,
        (false, Err(why)) if why.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error: {}", stdout::cannot_write(&why));
            Exit::Failure
        }
        (false, _) => Exit::Success,
    };
    ExitCode::from(exit.code())
}

/// What the flags come to. Leave with a usage error if they contradict each other in a way that clap cannot see.
///
/// # Errors
/// If the file of a policy is of no use.
fn options(flags: Flags, matches: Option<&ArgMatches>) -> Result<Options, Error> {
    let source = matches.and_then(|matches| matches.value_source("labels"));
    // Its default from the environment is no contradiction.
    let label_given = source == Some(ValueSource::CommandLine);
    let policy = flags.kept.policy.as_deref().map(PolicyFile::load);
    let policy = policy.transpose()?;
    let options = flags.options(label_given, policy.as_ref());
    Ok(options.unwrap_or_else(|contradiction| {
        Cli::command()
            .error(ErrorKind::ArgumentConflict, contradiction)
            .exit()
    }))
}

fn clean(options: &Options, ui: &Ui) -> Result<Exit, Error> {
    match &options.run {
        Run::FromFile(wanted) => run::plan_file(wanted, options, ui),
        Run::OnCluster(wanted) => {
            on_cluster(ui, async |stop| run::clean(wanted, options, ui, stop).await)
        }
    }
}

/// Run what talks to a cluster, until it ends or is asked to stop.
fn on_cluster(
    ui: &Ui,
    run: impl AsyncFnOnce(watch::Receiver<Option<Stop>>) -> Result<Exit, Error>,
) -> Result<Exit, Error> {
    // One thread: what comes is read far faster than any server sends it, and handing it from thread to thread costs a
    // quarter of the work of a delete.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failure(format!("cannot start: {error}")))?;
    let modes = TerminalModes::save();
    let result = runtime.block_on(async {
        let stop = signals::listen(modes.clone());
        run(stop).await
    });
    modes.restore();
    ui.leave();
    // A thread may still wait for a key.
    runtime.shutdown_background();
    result
}
