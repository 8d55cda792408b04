//! Questions on the terminal, and their answers by hand or by pipe.

use std::io::{self, BufRead, IsTerminal, Write};

use inquire::{InquireError, Password, PasswordDisplayMode};

/// Asks, and gives the answer without spaces around it; `None` at the end of the input.
///
/// It blocks. The client has nothing else to do meanwhile: nothing unsolicited comes on this wire.
///
/// # Errors
/// Those of the terminal.
pub fn ask(question: &str) -> io::Result<Option<String>> {
    let mut out = io::stdout();
    out.write_all(question.as_bytes())?;
    out.flush()?;
    let answer = answer()?.map(|line| line.trim().to_owned());
    if !io::stdin().is_terminal() {
        // Nobody typed the end of the line, so the transcript would lack it.
        println!();
    }
    Ok(answer)
}

/// Asks for a password, which is not shown; `None` at the end of the input, or when the user gives up.
///
/// # Errors
/// Those of the terminal.
pub fn ask_password(question: &str) -> io::Result<Option<String>> {
    if !io::stdin().is_terminal() {
        // A script knows what it is asked for, and its standard output is for the answer.
        return answer();
    }
    let prompt = Password::new(question.trim_end_matches([':', ' ']))
        .without_confirmation()
        .with_display_mode(PasswordDisplayMode::Hidden);
    match prompt.prompt_skippable() {
        // Ctrl-C, which the prompt takes for itself, gives up as Escape does.
        Err(InquireError::OperationInterrupted) => Ok(None),
        answer => answer.map_err(io::Error::other),
    }
}

/// Asks until the answer is yes or no; `None` at the end of the input.
///
/// # Errors
/// Those of the terminal.
pub fn ask_yes(question: &str) -> io::Result<Option<bool>> {
    loop {
        let Some(answer) = ask(question)? else {
            return Ok(None);
        };
        match answer.to_lowercase().as_str() {
            "y" | "yes" | "是" => return Ok(Some(true)),
            "n" | "no" | "否" => return Ok(Some(false)),
            _ => {}
        }
    }
}

/// The next line without its end. Spaces around it may be part of a password.
fn answer() -> io::Result<Option<String>> {
    io::stdin().lock().lines().next().transpose()
}
