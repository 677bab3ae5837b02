//! The `dsk` command: subcommands, nothing else.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use dsk::tools::{self, Options};
use std::path::PathBuf;
use std::process::ExitCode;

/// A small Lisp whose programs are task graphs.
///
/// Without a program: an interactive session where standard input is a terminal, else the program that is there.
#[derive(Parser)]
#[command(name = "dsk", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Evaluates EXPR and prints its computed value; all that follows are arguments of the program.
    #[arg(short, value_name = "EXPR", allow_hyphen_values = true)]
    expr: Option<String>,
    /// A program, `-` for standard input; then its arguments, which it finds in `args`.
    #[arg(value_name = "FILE", trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a program: what `dsk FILE` does, for files named as subcommands are.
    Run {
        /// The program (`-` for standard input) and its arguments.
        #[arg(value_name = "FILE", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<String>,
    },
    /// Evaluates forms as they come, and answers each with one line of JSON.
    Eval {
        /// The only form of answers there is so far.
        #[arg(long, required = true)]
        json: bool,
        /// Where the forms come from; `-` is standard input.
        #[arg(default_value = "-")]
        file: String,
    },
    /// Says what is wrong with programs, and runs nothing but their macros: syntax, names, calls, shapes where they are known.
    Check {
        /// Programs; `-` is standard input.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<String>,
    },
    /// Lays programs out the one way: indentation, spaces, blank lines. Line breaks, comments and literals stay as they are.
    Fmt {
        /// Programs, which are replaced; `-` is standard input, laid out on standard output.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<String>,
        /// Replaces nothing, but prints which files would be, and fails if there is one.
        #[arg(long)]
        check: bool,
    },
    /// Shows the reference: of one name, or the list of all.
    Doc {
        name: Option<String>,
        /// All of the reference, as Markdown.
        #[arg(long, conflicts_with = "name")]
        markdown: bool,
    },
    /// Shows what is in a file of arrays (HDF5, netCDF, Zarr, `.npy`): datasets, shapes, chunks, attributes.
    Info {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    tools::choose_signals();
    let Cli { command, expr, program, options } = Cli::parse();
    match command {
        Some(Command::Run { program }) => tools::run::program(&options, known(program)),
        Some(Command::Eval { json: _, file }) => tools::eval::converse(&options, &file),
        Some(Command::Check { files }) => tools::check::files(&files),
        Some(Command::Fmt { files, check }) => tools::fmt::files(&files, check),
        Some(Command::Doc { name, markdown }) => tools::doc::show(&options, name.as_deref(), markdown),
        Some(Command::Info { files }) => tools::info::show(&files),
        None => match expr {
            Some(expr) => tools::run::expression(&options, &expr, program),
            None if program.is_empty() => tools::repl::start(&options),
            None => tools::run::program(&options, known(program)),
        },
    }
}

/// Whatever follows the program is the program's own; but where the program's name should be, a flag is a mistake.
fn known(program: Vec<String>) -> Vec<String> {
    match program.first() {
        Some(flag) if flag.len() > 1 && flag.starts_with('-') => {
            Cli::command().error(ErrorKind::UnknownArgument, format!("there is no flag '{flag}'")).exit()
        }
        _ => program,
    }
}
