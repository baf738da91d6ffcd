//! What the commands ask a person.

use std::io::{self, BufRead, IsTerminal, Write};

use coditect_core::{Error, Result};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// Asks for what everybody may see; from a pipe, reads a line without asking.
///
/// # Errors
/// `Invalid` if nothing is answered.
pub(crate) fn visible(question: &str) -> Result<String> {
    ask(question, false)
}

/// As [`visible`], of what nobody may see: it is not shown while it is typed.
///
/// # Errors
/// As [`visible`].
pub(crate) fn secret(question: &str) -> Result<String> {
    ask(question, true)
}

fn ask(question: &str, hidden: bool) -> Result<String> {
    let input = io::stdin();
    let mut line = String::new();
    let read = if input.is_terminal() {
        let mut out = io::stderr();
        // A person who cannot be asked can still answer.
        let _ = write!(out, "{question}: ").and_then(|()| out.flush());
        let shown = hidden.then(Hidden::begin).flatten();
        let read = input.lock().read_line(&mut line);
        if shown.is_some() {
            drop(shown);
            let _ = writeln!(out);
        }
        read
    } else {
        input.lock().read_line(&mut line)
    };
    let missing = || Error::invalid(question.to_lowercase(), "is needed");
    read.map_err(|error| missing().because(error))?;
    let line = line.trim_end_matches(['\r', '\n']).to_owned();
    if line.is_empty() {
        return Err(missing());
    }
    Ok(line)
}

/// While it lives, the terminal shows nothing of what is typed.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    fn begin() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing is left to be done if the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
