//! The lines of strace, one call each.

use std::collections::HashMap;

/// A system call, as strace has written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// What stands between the brackets.
    pub args: String,
    /// What it gave; -1 for every error.
    pub result: i64,
    /// The line of its begin: what has ended before that has happened before it.
    pub begun: usize,
    /// The line of its end.
    pub ended: usize,
}

impl Call {
    /// The number that its first argument is, which for many is a descriptor.
    #[must_use]
    pub fn fd(&self) -> Option<i64> {
        number(&self.args)
    }

    /// The number that its last argument is: the offset of a `pwrite64`.
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        self.args
            .rsplit_once(", ")
            .and_then(|(_, last)| number(last))
    }

    /// The texts among its arguments, as they are escaped.
    #[must_use]
    pub fn texts(&self) -> Vec<&str> {
        let (mut texts, mut rest) = (Vec::new(), &*self.args);
        while let Some(at) = rest.find('"') {
            let text = &rest[at + 1..];
            let mut escaped = false;
            let end = text.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let Some(end) = end else { break };
            texts.push(&text[..end]);
            rest = &text[end + 1..];
        }
        texts
    }
}

fn number(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-');
    text[..end.unwrap_or(text.len())].parse().ok()
}

/// The calls of a trace of `strace -f`, in the order of their ends.
#[must_use]
pub fn calls(trace: &str) -> Vec<Call> {
    let (mut calls, mut unfinished) = (Vec::new(), HashMap::new());
    for (at, line) in trace.lines().enumerate() {
        let Some((pid, what)) = line.split_once(' ') else {
            continue;
        };
        let what = what.trim_start();
        if let Some(begin) = what.strip_suffix(" <unfinished ...>") {
            unfinished.insert(pid, (begin, at));
        } else if let Some(resumed) = what.strip_prefix("<... ") {
            // `<... fsync resumed>) = 0`
            if let (Some((begin, begun)), Some((_, end))) =
                (unfinished.remove(pid), resumed.split_once("resumed>"))
            {
                calls.extend(call(&format!("{begin}{end}"), begun, at));
            }
        } else {
            calls.extend(call(what, at, at));
        }
    }
    calls
}

/// `fsync(9</data/movies>) = 0`
fn call(text: &str, begun: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (args, result) = rest.rsplit_once(" = ")?;
    let args = args.trim_end().strip_suffix(')')?;
    Some(Call {
        name: name.to_owned(),
        args: args.to_owned(),
        result: number(result)?,
        begun,
        ended,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_are_interrupted_are_joined() {
        let trace = r#"7 openat(AT_FDCWD</tmp>, "/d/a\"b", O_RDWR|O_CREAT, 0600) = 9</d/a"b>
8 fsync(11</d/x> <unfinished ...>
7 pwrite64(9</d/a"b>, "x = 1)"..., 6, 40) = 6
8 <... fsync resumed>)              = 0
7 unlink("/d/gone") = -1 ENOENT (No such file or directory)
7 --- SIGTERM {si_signo=SIGTERM} ---
"#;
        let calls = calls(trace);
        let names: Vec<_> = calls.iter().map(|call| &*call.name).collect();
        assert_eq!(names, ["openat", "pwrite64", "fsync", "unlink"]);
        assert_eq!(calls[0].texts(), [r#"/d/a\"b"#]);
        assert_eq!((calls[1].fd(), calls[1].last()), (Some(9), Some(40)));
        assert_eq!(
            (calls[2].fd(), calls[2].begun, calls[2].result),
            (Some(11), 1, 0)
        );
        assert_eq!(calls[3].result, -1);
    }
}
