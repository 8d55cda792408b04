//! How far a file has come: size, speed, time left, and the countdown before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::client::lang::Lang;

/// A bar on standard error, where that is a terminal. Cheap to clone; all clones are one bar.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
    lang: Lang,
    /// Set by the first byte, which may come on another thread just before the countdown's end.
    begun: Arc<AtomicBool>,
}

impl Progress {
    /// A bar for `bytes` bytes. Programs that read JSON get none.
    pub fn new(bytes: u64, lang: Lang, quiet: bool) -> Self {
        let target = if quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self {
            bar: ProgressBar::with_draw_target(Some(bytes), target),
            lang,
            begun: Arc::default(),
        }
    }

    /// Shows how long it is until the first byte.
    pub fn wait(&self, left: Duration) {
        if self.begun.load(Ordering::Relaxed) {
            return;
        }
        self.bar.set_style(style("{msg}"));
        let seconds = left.as_secs_f64().ceil();
        self.bar
            .set_message(format!("{} {seconds} s", self.lang.waiting()));
    }

    /// Shows the bar, under a title.
    pub fn begin(&self, title: &str) {
        self.begun.store(true, Ordering::Relaxed);
        // No figure is shown before there is one: the clock starts now, not with the wait.
        self.bar.reset();
        self.bar.set_style(style(
            "{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        ));
        self.bar.set_message(title.to_owned());
    }

    /// So many bytes are through in all.
    pub fn set(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Takes the bar off the screen.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the two templates above are valid")
        .progress_chars("=> ")
}
