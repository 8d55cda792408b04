//! Accounts and passwords: made, logged in to, and hashed slowly, a few at a time, away from the
//! runtime's threads.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use chrono::Utc;
use packetboat_orm::{DbPool, Executor, ModelExt, Select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::models::{Account, Role, account};
use crate::refusals::{
    ACCOUNT_LOCKED, BAD_NAME, BAD_PASSWORD, BUSY, FORBIDDEN, Fault, LINK_USED, NAME_TAKEN,
    NOT_FOUND, Refusal, WRONG_PASSWORD,
};
use crate::secrets::{self, Secret};

/// Characters of a name at most: it stands in one line of a table.
pub const MAX_NAME_CHARS: usize = 64;

/// Bytes of a password.
pub const PASSWORD_BYTES: RangeInclusive<usize> = 8..=1_024;

/// Makes an account without a password. Gives the token by which the first one is set, once.
///
/// # Errors
///
/// `bad_name`, and `name_taken`.
pub async fn create(
    db: impl Executor,
    name: &str,
    display: &str,
    role: Role,
) -> Result<(Account, Secret), Fault> {
    check_name(name)?;
    check_name(display)?;
    let token = secrets::random::<16>();
    let mut made = Account {
        id: 0,
        name: name.to_owned(),
        display: display.to_owned(),
        role,
        password: None,
        invite: Some(secrets::digest(&token.0)),
        is_locked: false,
        created: Utc::now(),
    };
    match made.insert(db).await {
        Ok(()) => Ok((made, token)),
        Err(error) if error.is_unique("name") => Err(NAME_TAKEN.into()),
        Err(error) => Err(error.into()),
    }
}

/// The account of this name and password.
///
/// # Errors
///
/// `wrong_password`, in the same words and after the same time whether there is such an account or
/// not; `account_locked` with the right password; `busy`.
pub async fn log_in(
    db: &DbPool,
    passwords: &Passwords,
    name: &str,
    password: Secret,
) -> Result<Account, Fault> {
    let found = Account::select()
        .filter(account::name.eq(name))
        .optional(db)
        .await?;
    let hash = found.as_ref().and_then(|found| found.password.clone());
    let is_right = passwords
        .verify(password, hash.unwrap_or_else(|| passwords.nobody()))
        .await?;
    match found {
        Some(found) if is_right && !found.is_locked => Ok(found),
        Some(_) if is_right => Err(ACCOUNT_LOCKED.into()),
        _ => Err(WRONG_PASSWORD.into()),
    }
}

/// The account that waits for its first password under this token.
///
/// # Errors
///
/// `link_used`.
pub async fn invited(db: &DbPool, token: &str) -> Result<Account, Fault> {
    let waiting = Account::select().filter(account::invite.eq(Some(secrets::digest(token))));
    waiting.optional(db).await?.ok_or_else(|| LINK_USED.into())
}

/// Sets the first password of the account that waits under this token; of two at once, one does.
///
/// # Errors
///
/// `link_used`, `bad_password`, `busy`.
pub async fn claim(
    db: &DbPool,
    passwords: &Passwords,
    token: &str,
    password: Secret,
) -> Result<(), Fault> {
    invited(db, token).await?;
    let hash = passwords.hash(password).await?;
    let waiting = Account::select().filter(account::invite.eq(Some(secrets::digest(token))));
    let changes = [account::password.set(Some(hash)), account::invite.set(None)];
    match waiting.update(changes, db).await? {
        0 => Err(LINK_USED.into()),
        _ => Ok(()),
    }
}

/// Sets the password of an account, in place of the one that it has or of its first link. One that
/// is refused changes nothing.
///
/// # Errors
///
/// `bad_password`, `busy`.
pub async fn set_password(
    db: &DbPool,
    passwords: &Passwords,
    id: i64,
    password: Secret,
) -> Result<(), Fault> {
    let hash = passwords.hash(password).await?;
    let changes = [account::password.set(Some(hash)), account::invite.set(None)];
    let own = Account::select().filter(account::id.eq(id));
    own.update(changes, db).await?;
    Ok(())
}

/// Gives a new token for the first password of an account that has none yet; the one before opens
/// nothing any more.
///
/// # Errors
///
/// `forbidden`: a password is set, maybe in this moment.
pub async fn invite_first(db: impl Executor, id: i64) -> Result<Secret, Fault> {
    let waiting = account::id.eq(id) & account::password.is_null();
    invite(db, Account::select().filter(waiting))
        .await?
        .ok_or_else(|| FORBIDDEN.into())
}

/// Takes an account's password away, if it has one, and gives the token for a new one. Tokens that
/// were given before open nothing any more.
///
/// # Errors
///
/// `not_found`.
pub async fn invite_again(db: impl Executor, id: i64) -> Result<Secret, Fault> {
    let own = Account::select().filter(account::id.eq(id));
    invite(db, own).await?.ok_or_else(|| NOT_FOUND.into())
}

/// The token for a new password of the one account that is looked for, if there is one.
async fn invite(db: impl Executor, one: Select<Account>) -> Result<Option<Secret>, Fault> {
    let token = secrets::random::<16>();
    let changes = [
        account::password.set(None),
        account::invite.set(Some(secrets::digest(&token.0))),
    ];
    let found = one.update(changes, db).await?;
    Ok((found > 0).then_some(token))
}

/// Hashes and checks passwords with Argon2id.
///
/// One hash takes 19 MiB and about 19 ms, so as many run at once as there are processors, on the
/// blocking pool, a bounded number wait, and the rest are told to come again.
#[derive(Clone, Debug)]
pub struct Passwords {
    cost: Params,
    /// One permit per hash that runs or waits.
    room: Arc<Semaphore>,
    /// One permit per hash that runs.
    running: Arc<Semaphore>,
    memory: Memory,
    /// See [`nobody`](Self::nobody).
    nobody: Arc<str>,
}

/// The memory of hashes that have run, for those that will: as much as runs at once, and no more.
///
/// Given back to the allocator each time, it would stay there many times over: glibc takes the first
/// 19 MiB as a sign that such blocks are short-lived, and keeps what is freed in a heap for each
/// thread.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Vec<Vec<Block>>>>);

impl Memory {
    fn with<T>(&self, blocks: usize, run: impl FnOnce(&mut [Block]) -> T) -> T {
        // Locked to take one or put it back, and not while it is used.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = lock().pop().unwrap_or_default();
        if memory.len() < blocks {
            memory.resize(blocks, Block::new());
        }
        let result = run(&mut memory[..blocks]);
        lock().push(memory);
        result
    }
}

impl Passwords {
    /// Hashes at this cost, with room for so many that wait.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give.
    pub fn new(cost: Params, waiting: usize) -> Self {
        let parallel = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = Memory::default();
        let nobody = hash(&cost, &secrets::random::<32>().0, &memory);
        let nobody = nobody.expect("a password at a valid cost has a hash");
        Self {
            cost,
            room: Arc::new(Semaphore::new(parallel + waiting)),
            running: Arc::new(Semaphore::new(parallel)),
            memory,
            nobody: nobody.into(),
        }
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    ///
    /// `bad_password` when it is too short or too long, `busy` when too many wait.
    pub async fn hash(&self, password: Secret) -> Result<Secret, Fault> {
        if !PASSWORD_BYTES.contains(&password.0.len()) {
            return Err(BAD_PASSWORD.into());
        }
        let (cost, memory) = (self.cost.clone(), self.memory.clone());
        let hash = self
            .run(move || hash(&cost, &password.0, &memory))
            .await??;
        Ok(Secret(hash))
    }

    /// Whether this is the password of `hash`.
    ///
    /// # Errors
    ///
    /// `busy` when too many wait.
    pub async fn verify(&self, password: Secret, hash: Secret) -> Result<bool, Fault> {
        let memory = self.memory.clone();
        let verify = move || verify(&password.0, &hash.0, &memory);
        Ok(self.run(verify).await??)
    }

    /// The hash that no password opens, for the password of an unknown user to be checked against,
    /// so that time does not tell.
    pub fn nobody(&self) -> Secret {
        Secret(self.nobody.as_ref().to_owned())
    }

    /// Runs one hash on the blocking pool when its turn comes.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return Err(BUSY.into());
        };
        let turn = Arc::clone(&self.running).acquire_owned().await?;
        // The permits go along: a caller that goes away must not let another hash start early.
        let permits: [OwnedSemaphorePermit; 2] = [room, turn];
        let done = tokio::task::spawn_blocking(move || {
            let result = job();
            drop(permits);
            result
        });
        Ok(done.await?)
    }
}

/// What the hasher refuses.
pub type HashError = argon2::password_hash::Error;

fn hash(cost: &Params, password: &str, memory: &Memory) -> Result<String, HashError> {
    let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
    let argon2 = Argon2::new(algorithm, version, cost.clone());
    let (salt, mut output) = (Salt::generate(), [0; Params::DEFAULT_OUTPUT_LEN]);
    memory.with(cost.block_count(), |memory| {
        argon2.hash_password_into_with_memory(password.as_bytes(), &salt, &mut output, memory)
    })?;
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(cost)?,
        salt: Some(salt),
        hash: Some(Output::new(&output)?),
    };
    Ok(hash.to_string())
}

fn verify(password: &str, hash: &str, memory: &Memory) -> Result<bool, HashError> {
    let hash = PasswordHash::new(hash)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
        return Err(HashError::PasswordInvalid);
    };
    let cost = Params::try_from(&hash)?;
    let version = hash
        .version
        .map_or(Ok(Version::default()), Version::try_from)?;
    let argon2 = Argon2::new(
        Algorithm::new(hash.algorithm.as_str())?,
        version,
        cost.clone(),
    );
    let mut output = vec![0; expected.len()];
    memory.with(cost.block_count(), |memory| {
        argon2.hash_password_into_with_memory(password.as_bytes(), &salt, &mut output, memory)
    })?;
    // Compared in constant time.
    Ok(Output::new(&output)? == expected)
}

/// Refuses a name that cannot be shown, or that misleads.
///
/// # Errors
///
/// `bad_name`.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let fits = !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS;
    if fits && name.trim() == name && !name.chars().any(is_hidden) {
        Ok(())
    } else {
        Err(BAD_NAME)
    }
}

/// Whether a character moves the cursor, the reading direction, or nothing at all.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> Params {
        Params::new(Params::MIN_M_COST, 1, 1, None).expect("a valid cost")
    }

    fn secret(text: &str) -> Secret {
        Secret(text.to_owned())
    }

    #[tokio::test]
    async fn password_opens_its_own_hash_only() {
        let passwords = Passwords::new(cheap(), 1);
        let hash = passwords
            .hash(secret("password one"))
            .await
            .expect("hashes");
        assert!(hash.0.starts_with("$argon2id$"), "{}", hash.0);
        let verify = |password, hash| passwords.verify(secret(password), hash);
        assert!(
            verify("password one", hash.clone())
                .await
                .expect("verifies")
        );
        assert!(!verify("password two", hash).await.expect("verifies"));
        assert!(!verify("", passwords.nobody()).await.expect("verifies"));
        for bad in ["", "seven77", &"x".repeat(1_025)] {
            assert!(passwords.hash(secret(bad)).await.is_err());
        }
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_to_come_again() {
        let passwords = Passwords::new(cheap(), 0);
        let all = passwords.room.available_permits() as u32;
        let taken = passwords.room.acquire_many(all).await.expect("open");
        let refused = passwords
            .hash(secret("password one"))
            .await
            .expect_err("no room");
        assert!(matches!(refused, Fault::Refused(BUSY)), "{refused:?}");
        drop(taken);
        passwords
            .hash(secret("password one"))
            .await
            .expect("room again");
    }

    #[test]
    fn names_that_mislead_are_refused() {
        for name in [
            "",
            " ann",
            "ann ",
            "an\0n",
            "an\u{202e}n",
            "\u{1b}[2J",
            &"x".repeat(65),
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["ann", "<script>", "张三", "a b", &"雪".repeat(64)] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }
}
