//! Parse, run, exit code.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, error::ErrorKind, parser::ValueSource};
use kubectl_jobclean::{
    cli::{Cli, Command},
    error::{Error, Exit},
    run, signals,
    ui::{TerminalModes, Ui, Verbosity},
};

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // Its default from the environment is no contradiction.
    let label_given = matches.value_source("labels") == Some(ValueSource::CommandLine);
    if let Some(contradiction) = cli.contradiction(label_given) {
        Cli::command()
            .error(ErrorKind::ArgumentConflict, contradiction)
            .exit();
    }
    let ui = Ui::new(match (cli.output.quiet, cli.output.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, 0) => Verbosity::Normal,
        (_, 1) => Verbosity::Verbose,
        _ => Verbosity::Debug,
    });
    let result = match (&cli.command, &cli.which.filename) {
        (Some(Command::Version), _) => run::print_version(),
        (None, Some(path)) => run::run_file(&cli, path, &ui),
        (None, None) => clean(&cli, &ui),
    };
    let exit = result.unwrap_or_else(|error| {
        ui.finish();
        ui.error(&error);
        error.exit
    });
    ExitCode::from(exit.code())
}

fn clean(cli: &Cli, ui: &Ui) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::new(Exit::Failure, format!("cannot start: {error}")))?;
    let modes = TerminalModes::save();
    let result = runtime.block_on(async {
        let stop = signals::listen(modes.clone());
        run::run_cluster(cli, ui, stop).await
    });
    modes.restore();
    // A thread may still wait for a key that nobody will press.
    runtime.shutdown_background();
    result
}
