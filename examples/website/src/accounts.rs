//! Passwords: hashed slowly, away from the runtime's threads, a few at a time.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusals::Refusal;
use crate::secret;

/// Bytes of a password at least, as NIST SP 800-63B has it, and at most; people who type one never reach that.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=1_024;

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
/// Given back to the allocator each time, it would stay there many times over. glibc takes the first
/// 19 MiB as a sign that such blocks are short-lived, and from then on keeps what is freed, also of
/// the buffers of uploads, in a heap for each of a dozen threads: 475 MiB where 75 were in use.
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
        let nobody = hash(&cost, &secret::random_hex(), &memory);
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
    /// [`Refusal::BadText`] when it is too short or too long, [`Refusal::Full`] when too many wait.
    pub async fn hash(&self, password: String) -> Result<String, Refusal> {
        if !PASSWORD_BYTES.contains(&password.len()) {
            return Err(Refusal::BadText { field: "password" });
        }
        let (cost, memory) = (self.cost.clone(), self.memory.clone());
        let hash = self
            .run(move || hash(&cost, &password, &memory))
            .await?
            .map_err(Refusal::internal)?;
        Ok(hash)
    }

    /// Whether this is the password of `hash`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Full`] when too many wait.
    pub async fn verify(&self, password: String, hash: String) -> Result<bool, Refusal> {
        let memory = self.memory.clone();
        let verify = move || verify(&password, &hash, &memory);
        self.run(verify).await?.map_err(Refusal::internal)
    }

    /// The hash that no password opens, for the password of an unknown user to be checked against,
    /// so that time does not tell.
    pub fn nobody(&self) -> String {
        self.nobody.as_ref().to_owned()
    }

    /// Runs one hash on the blocking pool when its turn comes.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return Err(Refusal::Full);
        };
        let turn = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(Refusal::internal)?;
        // The permits go along: a caller that goes away must not let another hash start early.
        let permits: [OwnedSemaphorePermit; 2] = [room, turn];
        let done = tokio::task::spawn_blocking(move || {
            let result = job();
            drop(permits);
            result
        });
        done.await.map_err(Refusal::internal)
    }
}

type HashError = argon2::password_hash::Error;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> Params {
        Params::new(Params::MIN_M_COST, 1, 1, None).expect("a valid cost")
    }

    #[tokio::test]
    async fn a_password_opens_its_own_hash_only() {
        let passwords = Passwords::new(cheap(), 1);
        let hash = passwords
            .hash("password one".to_owned())
            .await
            .expect("hashes");
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let verify = |password: &str, hash| passwords.verify(password.to_owned(), hash);
        assert!(
            verify("password one", hash.clone())
                .await
                .expect("verifies")
        );
        assert!(!verify("password two", hash).await.expect("verifies"));
        assert!(!verify("", passwords.nobody()).await.expect("verifies"));
        assert!(passwords.hash("short".to_owned()).await.is_err());
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_to_come_again() {
        let passwords = Passwords::new(cheap(), 0);
        let all = passwords.room.available_permits() as u32;
        let taken = passwords.room.acquire_many(all).await.expect("open");
        let hash = || passwords.hash("password one".to_owned());
        assert!(matches!(hash().await, Err(Refusal::Full)));
        drop(taken);
        hash().await.expect("room again");
    }
}
