//! The project's chores. No dependencies, so that it builds before anything else is installed.

mod demo;
mod needs;
mod session;

use std::process::{Command, ExitCode};

/// A chore's failure, as the sentence to show.
type Result<T = ()> = std::result::Result<T, String>;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo [--full | --columns N]  install what is missing, build, and run the main job: C = Aᵀ·B from HDF5 to HDF5
  test [ARG…]                  install what is missing and run all tests; ARG… go to `cargo test`
  bench [NAME]                 run the benchmarks, or the one of that name
  setup                        only install what building and testing need";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let done = match command {
        "demo" => demo::demo(rest),
        "test" => test(rest),
        "bench" => bench(rest),
        "setup" => needs::install(needs::TEST),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => {
            eprintln!("there is no chore `{other}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Unit tests, integration tests (which run the examples), documentation tests.
fn test(args: &[String]) -> Result {
    needs::install(needs::TEST)?;
    let mut cargo = cargo();
    cargo.args(["test", "--workspace"]).args(args);
    if let Some(python) = needs::python() {
        cargo.env("DSK_PYTHON", python);
    }
    run(&mut cargo)
}

fn bench(args: &[String]) -> Result {
    needs::install(needs::BUILD)?;
    let mut cargo = cargo();
    cargo.arg("bench");
    if let Some(name) = args.first() {
        cargo.args(["--bench", name, "--"]).args(&args[1..]);
    } else {
        cargo.arg("--benches");
    }
    if let Some(python) = needs::python() {
        cargo.env("DSK_PYTHON", python);
    }
    run(&mut cargo)
}

/// The cargo that runs this.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command with its output on ours; an error when it fails.
fn run(command: &mut Command) -> Result {
    let status = command.status().map_err(|e| format!("`{}` did not start: {e}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(command))) }
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let name = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(name).chain(command.get_args()).map(|word| word.to_string_lossy());
    words.collect::<Vec<_>>().join(" ")
}
