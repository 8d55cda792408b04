//! Demo.
/// Options.
#[derive(clap::Args, Debug)]
pub struct DemoOptions {}
/// Run.
pub async fn run(_: &DemoOptions) -> std::process::ExitCode { std::process::ExitCode::SUCCESS }
