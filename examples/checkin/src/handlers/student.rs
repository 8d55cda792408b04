//! Signing in by message.

use packetboat_dispatch::{Identity, Rejection, State};

use crate::app::App;
use crate::guards::{Member, Student};
use crate::messages::{CheckIn, CheckedIn};
use crate::refusals::DEVICE_MISSING;
use crate::signing::{self, SignedIn};

/// Signs the caller in.
pub(super) async fn check_in(
    State(app): State<App>,
    Identity(Student(member)): Identity<Student>,
    message: CheckIn,
) -> Result<CheckedIn, Rejection> {
    let Member {
        account, device, ..
    } = member;
    let device = device
        .or(message.device)
        .filter(|device| (16..=64).contains(&device.len()));
    let device = device.ok_or(DEVICE_MISSING)?;
    let signed_in = signing::sign_in(&app, &account, message.class, &message.code, &device).await?;
    let SignedIn { standing, is_known } = signed_in;
    Ok(CheckedIn {
        standing,
        already: is_known,
    })
}
