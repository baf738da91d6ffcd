//! Whether it is the person who asks, not somebody at their open browser.

use coditect_core::{Error, Kind, Result};
use jiff::SignedDuration;

use super::auth::Secret;
use crate::{
    caller::{SignedIn, count_password_check},
    password::Password,
    problem::Answer,
    state::ApiState,
};

/// How long after signing in a person is taken to be there.
const FRESH: SignedDuration = SignedDuration::from_mins(10);

/// Asks for the account's password.
///
/// # Errors
/// `Invalid` naming `field` if it is another.
pub(super) async fn confirm(
    state: &ApiState,
    caller: &SignedIn,
    field: &'static str,
    password: Password,
) -> Answer<()> {
    count_password_check(state, caller.account)?;
    let credential = state
        .registry
        .view()
        .await?
        .credential(caller.account)
        .await?;
    let hash = credential.map(|credential| credential.password_hash);
    let has_one = hash.is_some();
    if state.passwords.verify(password, hash).await? {
        return Ok(());
    }
    let message = match has_one {
        true => "is not this account's password",
        false => {
            "cannot be right: this account has no password; set one by POST /api/v5/auth/forgot-password"
        }
    };
    Err(Error::invalid(field, message).into())
}

/// Asks for the account's password; of an account without one, which is entered by another's sign-in alone, for a sign-in
/// of the last minutes.
///
/// # Errors
/// `Invalid` naming `password` if it is missing or another; `Forbidden` if the sign-in is too old.
pub(super) async fn is_person(
    state: &ApiState,
    caller: &SignedIn,
    password: Option<&Secret>,
) -> Answer<()> {
    let mut view = state.registry.view().await?;
    if view.credential(caller.account).await?.is_some() {
        let given = password.map_or("", |password| password.0.as_str());
        let given = Password::presented("password", given)?;
        return confirm(state, caller, "password", given).await;
    }
    if signed_in_lately(state, caller).await? {
        return Ok(());
    }
    let message = "sign out and in again first: this asks for a sign-in of the last ten minutes";
    Err(Error::new(Kind::Forbidden, message).into())
}

/// Asks for the account's password or a sign-in of the last minutes.
///
/// # Errors
/// `Invalid` naming `password`.
pub(super) async fn is_person_lately(
    state: &ApiState,
    caller: &SignedIn,
    password: Option<Secret>,
) -> Answer<()> {
    if let Some(password) = password {
        let password = Password::presented("password", &password.0)?;
        return confirm(state, caller, "password", password).await;
    }
    if signed_in_lately(state, caller).await? {
        return Ok(());
    }
    let message =
        "is needed, because you signed in more than ten minutes ago; send it, or sign in anew";
    Err(Error::invalid("password", message).into())
}

async fn signed_in_lately(state: &ApiState, caller: &SignedIn) -> Result<bool> {
    let (login, now) = (caller.login()?, state.now());
    let mut view = state.registry.view().await?;
    let began = view.login(caller.account, login, now).await?;
    Ok(began.is_some_and(|login| now.duration_since(login.created_at) < FRESH))
}
