//! Passwords: what one may be, and hashing them a few at a time.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use argon2::{
    Algorithm, Argon2, Block, Params, PasswordHash, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use coditect_core::{Email, Error, Result};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::config::Hashing;

/// Shortest password in characters. NIST SP 800-63B asks for 15 where it is the only factor and 8 beside a
/// second one; without composition rules 12 is the usual middle.
const SHORTEST: usize = 12;
/// Longest password in characters: room for any phrase (NIST asks for at least 64).
const LONGEST: usize = 128;
/// Longest in bytes: four for each character.
const LONGEST_BYTES: usize = 4 * LONGEST;

/// How many guesses a password must outlast: fewer are made at a password even where guessing is slowed down. Above it lie
/// all of the tens of thousands of passwords that were found in breaches, and what is made of them by a number, a doubling
/// or 1337 spelling (Wheeler, zxcvbn: Low-Budget Password Strength Estimation, USENIX Security 2016).
const GUESSES: u64 = 1_000_000;
/// Longest password in characters at which is looked for that: longer ones are on no list, and looking takes a time that
/// grows with the length (a tenth of a second for 24 characters made to take long).
const LONGEST_COMMON: usize = 24;

/// A password somebody sent. Wiped from memory when dropped, never printed.
pub(crate) struct Password(Zeroizing<String>);

impl Password {
    /// A password to be set: 12 to 128 characters that are not the e-mail address.
    pub(crate) fn chosen(field: &str, text: &str, email: Option<&Email>) -> Result<Self> {
        let password = Self::presented(field, text)?;
        let count = password.0.chars().count();
        if count < SHORTEST {
            return Err(Error::invalid(
                field,
                format!("is {count} characters long; at least {SHORTEST} are needed"),
            ));
        }
        if email.is_some_and(|email| password.0.trim().eq_ignore_ascii_case(email.as_str())) {
            return Err(Error::invalid(field, "is the e-mail address"));
        }
        Ok(password)
    }

    /// Whether it is among the first that are guessed.
    fn is_common(&self) -> bool {
        self.0.chars().count() <= LONGEST_COMMON
            && zxcvbn::zxcvbn(&self.0, &["coditect"]).guesses() < GUESSES
    }

    /// A password to be compared: bounded, because hashing takes time by its length, and in one normal form
    /// (NFKC, NIST SP 800-63B), because keyboards differ in how they spell the same letter.
    pub(crate) fn presented(field: &str, text: &str) -> Result<Self> {
        let too_long = || Error::invalid(field, format!("is longer than {LONGEST} characters"));
        if text.len() > LONGEST_BYTES {
            return Err(too_long());
        }
        let normal = Zeroizing::new(text.nfkc().collect::<String>());
        if normal.chars().count() > LONGEST {
            return Err(too_long());
        }
        Ok(Self(normal))
    }
}

/// Hashes passwords, so many at a time and no more.
pub(crate) struct Passwords {
    params: Params,
    memory: Arc<Memory>,
    workers: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    /// What a password is compared with if there is no account: it takes the same time.
    nobody: String,
}

impl Passwords {
    pub(crate) fn new(hashing: &Hashing) -> Result<Self> {
        let params = Params::new(hashing.memory_kib, hashing.passes, 1, None).map_err(|error| {
            Error::invalid(
                "hashing",
                format!("has parameters that Argon2 refuses: {error}"),
            )
        })?;
        let memory = Arc::new(Memory::default());
        let nobody = memory.hash(&params, &rand::random::<[u8; 32]>(), &rand::random())?;
        Ok(Self {
            params,
            memory,
            workers: Arc::new(Semaphore::new(hashing.workers.max(1))),
            waiting: AtomicUsize::new(0),
            queue: hashing.queue,
            nobody,
        })
    }

    /// The hash of a chosen password in PHC string format.
    ///
    /// # Errors
    /// `Invalid` naming `field` if the password is among the first that are guessed.
    pub(crate) async fn hash(
        &self,
        field: &'static str,
        password: Password,
        salt: [u8; 16],
    ) -> Result<String> {
        let (memory, params) = (Arc::clone(&self.memory), self.params.clone());
        self.run(move || {
            if password.is_common() {
                let message = "is among the first that are guessed; take several words that do not belong together";
                return Err(Error::invalid(field, message));
            }
            memory.hash(&params, password.0.as_bytes(), &salt)
        })
        .await
    }

    /// True if the password has this hash. Takes as long if there is none.
    pub(crate) async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let memory = Arc::clone(&self.memory);
        self.run(move || Ok(memory.verify(&hash, password.0.as_bytes())? && known))
            .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let waiting = Waiting::enter(&self.waiting, self.queue)?;
        let permit = Arc::clone(&self.workers)
            .acquire_owned()
            .await
            .map_err(|_| Error::unavailable("the server is stopping"))?;
        drop(waiting);
        let started = std::time::Instant::now();
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            // Held until the hash is done, even if the caller has gone.
            drop(permit);
            done
        });
        let done = done
            .await
            .map_err(|error| Error::internal("hashing a password failed").because(error))?;
        metrics::histogram!("coditect_api_password_hash_seconds")
            .record(started.elapsed().as_secs_f64());
        done
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize, most: usize) -> Result<Self> {
        let place = Self(count);
        let before = count.fetch_add(1, Ordering::Relaxed);
        metrics::gauge!("coditect_api_password_queue_length").increment(1.0);
        if before >= most {
            return Err(Error::unavailable(
                "too many people are signing in right now; try again in a moment",
            ));
        }
        Ok(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!("coditect_api_password_queue_length").decrement(1.0);
    }
}

/// The memory that hashes were computed in, kept for the next ones: as many pieces as are computed at a time.
///
/// Taken from the allocator for each hash it would stay with whichever of its arenas the thread belonged to: 20 MiB
/// in each, hundreds in all. The next hash overwrites what it holds.
#[derive(Default)]
struct Memory(Mutex<Vec<Vec<Block>>>);

impl Memory {
    fn hash(&self, params: &Params, password: &[u8], salt: &[u8; 16]) -> Result<String> {
        let refused = |error| Error::internal("a password cannot be hashed").because(error);
        let (algorithm, version) = (Algorithm::Argon2id, Version::V0x13);
        let argon2 = Argon2::new(algorithm, version, params.clone());
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let output = self.compute(&argon2, password, salt, length)?;
        let hash = PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(params).map_err(refused)?,
            salt: Some(Salt::new(salt).map_err(|error| refused(error.into()))?),
            hash: Some(output),
        };
        Ok(hash.to_string())
    }

    fn verify(&self, hash: &str, password: &[u8]) -> Result<bool> {
        let unreadable = |error: &str| {
            Error::internal(format!("a stored password hash cannot be read: {error}"))
        };
        let hash = PasswordHash::new(hash).map_err(|error| unreadable(&error.to_string()))?;
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
            return Err(unreadable("it has no salt or no output"));
        };
        let because = |error: argon2::password_hash::Error| unreadable(&error.to_string());
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).map_err(because)?;
        let version = hash.version.map(Version::try_from).transpose();
        let version = version.map_err(|error| unreadable(&error.to_string()))?;
        let params = Params::try_from(&hash).map_err(because)?;
        let argon2 = Argon2::new(algorithm, version.unwrap_or_default(), params);
        let output = self.compute(&argon2, password, salt, expected.len())?;
        // `Output` compares in constant time.
        Ok(output == *expected)
    }

    fn compute(
        &self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        length: usize,
    ) -> Result<Output> {
        let refused = |why: String| Error::internal(format!("a password cannot be hashed: {why}"));
        let mut blocks = self.pieces().pop().unwrap_or_default();
        // Hashes from before the parameters were changed may need more.
        let needed = argon2.params().block_count();
        if blocks.len() < needed {
            blocks.resize(needed, Block::default());
        }
        let mut output = [0; Output::MAX_LENGTH];
        let done = match output.get_mut(..length) {
            Some(output) => argon2
                .hash_password_into_with_memory(password, salt, output, &mut blocks)
                .map_err(|error| refused(error.to_string()))
                .and_then(|()| Output::new(output).map_err(|error| refused(error.to_string()))),
            None => Err(refused(format!("{length} bytes are too many"))),
        };
        self.pieces().push(blocks);
        done
    }

    fn pieces(&self) -> std::sync::MutexGuard<'_, Vec<Vec<Block>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher;

    use super::*;

    fn email() -> Email {
        "ada.lovelace@example.com".parse().unwrap()
    }

    fn cheap(workers: usize, queue: usize) -> Passwords {
        Passwords::new(&Hashing {
            memory_kib: 64,
            passes: 1,
            workers,
            queue,
        })
        .unwrap()
    }

    #[test]
    fn bounds_are_in_characters_and_name_the_field() {
        for text in [
            "correct horse battery",
            "пароль из слов",
            "{{ 7*7 }}: yes",
            "a\0b\nc\td e f g h",
            &"x".repeat(128),
            &"界".repeat(128),
        ] {
            assert!(
                Password::chosen("password", text, Some(&email())).is_ok(),
                "{text:?}"
            );
        }
        for text in [
            "",
            "short",
            "11 letters!",
            &"x".repeat(129),
            &"x".repeat(1 << 20),
            "Ada.Lovelace@Example.com",
        ] {
            let error = Password::chosen("new_password", text, Some(&email()))
                .map(|_| ())
                .unwrap_err();
            assert!(error.to_string().starts_with("new_password "), "{error}");
        }
    }

    #[tokio::test]
    async fn the_same_letters_are_the_same_password() {
        let passwords = cheap(1, 8);
        let composed = Password::chosen("password", "caf\u{e9} au lait!", Some(&email())).unwrap();
        let hash = passwords.hash("password", composed, [7; 16]).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        let decomposed = || Password::presented("password", "cafe\u{301} au lait!").unwrap();
        assert!(
            passwords
                .verify(decomposed(), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify(
                    Password::presented("password", "cafe au lait!").unwrap(),
                    Some(hash)
                )
                .await
                .unwrap()
        );
        assert!(!passwords.verify(decomposed(), None).await.unwrap());
    }

    #[tokio::test]
    async fn what_is_guessed_first_is_refused() {
        let passwords = cheap(1, 8);
        for text in [
            "password1234",
            "Password123!",
            "p@$$w0rdp@$$w0rd",
            "123456789012",
            "qwertyuiopas",
            "1qaz2wsx3edc",
            "letmeinletmein",
            "iloveyou1234",
            "aaaaaaaaaaaaaaaa",
            "abcdefghijkl",
            "coditectcoditect",
        ] {
            let password = Password::chosen("new_password", text, None).unwrap();
            let refused = passwords.hash("new_password", password, [7; 16]).await;
            let error = refused.unwrap_err().to_string();
            assert!(
                error.starts_with("new_password is among"),
                "{text}: {error}"
            );
        }
        for text in [
            "correct horse battery",
            "staple staple staple",
            "пароль из слов",
            "a long password",
            "hK4!vz9QwLm2",
        ] {
            let password = Password::chosen("password", text, None).unwrap();
            assert!(
                passwords.hash("password", password, [7; 16]).await.is_ok(),
                "{text}"
            );
        }
    }

    #[test]
    fn memory_that_was_used_before_gives_the_same_hashes_as_fresh_memory() {
        let memory = Memory::default();
        // Larger, smaller, larger again: as when the parameters are changed while old hashes are there.
        for (kib, passes) in [(64, 1), (16, 3), (128, 2), (64, 1)] {
            let params = Params::new(kib, passes, 1, None).unwrap();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
            let salt = [kib.to_le_bytes()[0]; 16];
            let fresh = argon2.hash_password_with_salt(b"a password", &salt);
            let hash = memory.hash(&params, b"a password", &salt).unwrap();
            assert_eq!(hash, fresh.unwrap().to_string());
            assert!(memory.verify(&hash, b"a password").unwrap());
            assert!(!memory.verify(&hash, b"another one").unwrap());
        }
        assert_eq!(memory.pieces().len(), 1, "one piece serves one at a time");
        assert!(memory.verify("$argon2id$v=19$m=64,t=1,p=1", b"").is_err());
    }

    #[tokio::test]
    async fn a_full_queue_is_refused_at_once_and_empties_again() {
        let passwords = cheap(1, 1);
        let held = Arc::clone(&passwords.workers)
            .acquire_owned()
            .await
            .unwrap();
        let password = || Password::presented("password", "correct horse").unwrap();
        let first = passwords.verify(password(), None);
        tokio::pin!(first);
        assert!(futures::poll!(&mut first).is_pending());
        assert_eq!(
            *passwords.verify(password(), None).await.unwrap_err().kind(),
            coditect_core::Kind::Unavailable
        );
        drop(held);
        assert!(!first.await.unwrap());
        assert!(!passwords.verify(password(), None).await.unwrap());
    }
}
