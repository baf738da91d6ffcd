//! Signing in with a provider: to it, back from it, and in.

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coditect_core::{
    AccountId, Error, Kind, LoginId, ProviderName, RequestId, Result, TermsVersion,
};
use coditect_registry::operation::{EnterByIdentity, Entered, LinkIdentity, OpenLogin};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::{derived, placement},
    login::{SignedInBody, challenged, hand_out},
    second_factor,
};
use crate::{
    address::CameFrom,
    challenge::Shown,
    config::{SignUp, origin},
    cookie::check_origin,
    extract::{self, JsonBody, PathId},
    identity::{Flow, Proven, Provider, Purpose},
    problem::{
        ADDRESS_TAKEN, Answer, FLOW_ENDED, MALFORMED_REQUEST, NO_ACCOUNT, PROVIDER_OFF,
        PROVIDER_REFUSED, Problem,
    },
    state::ApiState,
    token::RefreshToken,
};

/// The page of the web app to which every sign-in with a provider leads. What came of it stands behind `#`, which no
/// server and no log ever sees: `code`, `connected` or `problem`.
const PAGE: &str = "/identity";

/// The sign-ins of others that are switched on.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInProviders)]
pub(super) struct ProvidersBody {
    items: Vec<ProviderBody>,
}

/// A provider with which people can sign in.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInProvider)]
struct ProviderBody {
    #[schema(value_type = String, example = "google")]
    provider: ProviderName,
    /// What people call it.
    #[schema(example = "Google")]
    title: &'static str,
    /// Where a browser is led to sign in with it.
    #[schema(example = "/api/v5/auth/google")]
    start_url: String,
}

/// With whose sign-ins people can come in.
#[utoipa::path(get, path = "/api/v5/auth/providers", tag = "auth", responses((status = 200, description = "Those that are switched on", body = ProvidersBody)))]
pub(super) async fn providers(State(state): State<ApiState>) -> Json<ProvidersBody> {
    let items = state.providers.all().map(|provider| ProviderBody {
        provider: provider.name.clone(),
        title: provider.title,
        start_url: format!("/api/v5/auth/{}", provider.name),
    });
    Json(ProvidersBody {
        items: items.collect(),
    })
}

/// Leads a browser to a provider to sign in there.
///
/// A person whom nobody here knows signs up by it, if they agreed to terms; without `terms_version` it only signs in.
/// It ends at the web app's page `/identity`, with what came of it behind `#`.
#[utoipa::path(
    get, path = "/api/v5/auth/{provider}", tag = "auth",
    params(
        ("provider" = String, Path, description = "The provider", example = "google"),
        ("terms_version" = Option<String>, Query, description = "The version of the terms that the person agreed to: 1 to 32 visible ASCII characters", example = "2026-11-01"),
    ),
    responses(
        (status = 303, description = "On to the provider, or to the web app with a problem; a cookie binds what follows to the browser"),
        (status = 403, description = "Led here by a page of another origin"),
        (status = 404, description = "That provider is not switched on"),
        (status = 503, description = "The provider does not answer"),
    ),
)]
pub(super) async fn start(
    State(state): State<ApiState>,
    PathId(name): PathId<ProviderName>,
    headers: HeaderMap,
    query: extract::Query,
) -> Answer<Response> {
    let [terms] = query.take(["terms_version"])?;
    let begun = async {
        // Whose visitors would agree to terms that they never saw.
        check_page(&headers, &state)?;
        let terms = terms
            .map(|terms| terms.parse::<TermsVersion>())
            .transpose()?;
        let provider = switched_on(&state, &name)?;
        let flow = Flow::begin(name.clone(), Purpose::Enter { terms }, state.now());
        begin(&state, provider, &flow).await
    };
    match begun.await {
        Ok((url, cookie)) => Ok(see(&url, cookie)?),
        Err(problem) => failed(&state, &headers, problem),
    }
}

/// Where the browser goes, and what it takes along.
pub(super) async fn begin(
    state: &ApiState,
    provider: &Provider,
    flow: &Flow,
) -> Answer<(String, HeaderValue)> {
    let keys = &state.tokens.keys;
    let url = provider.authorize_url(flow, keys).await?;
    Ok((url, flow.cookie(keys)?))
}

pub(super) fn switched_on<'a>(state: &'a ApiState, name: &ProviderName) -> Answer<&'a Provider> {
    state.providers.get(name.as_str()).ok_or_else(|| {
        let detail = "This installation has no such sign-in; see /api/v5/auth/providers.";
        Problem::new(&PROVIDER_OFF, detail)
    })
}

/// Browsers name no origin when they navigate, but whose page led them.
fn check_page(headers: &HeaderMap, state: &ApiState) -> Result<()> {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let elsewhere =
        || origin("public_url", &state.config.public_url).ok() != Some(state.web_app.clone());
    match site {
        None | Some(b"same-origin" | b"none") => Ok(()),
        // A web app that has a host of its own.
        Some(b"same-site") if elsewhere() => Ok(()),
        Some(_) => Err(Error::new(
            Kind::Forbidden,
            "pages of this origin may not sign anybody in",
        )),
    }
}

/// What a provider sends back. It may say more, which is not looked at.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Returned {
    /// What the browser was given along.
    state: Option<String>,
    /// What is exchanged for the person's identity.
    code: Option<String>,
    /// Why there is no code (RFC 6749, section 4.1.2.1).
    error: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

/// Where a provider leads the browser back to.
///
/// On to the web app's page `/identity`: with `#code=…`, which `/api/v5/auth/identity/session` takes from this browser
/// within a minute, with `#connected=…` after linking, or with `#problem=…`. Who does not ask for a page is answered with
/// the problem itself.
#[utoipa::path(
    get, path = "/api/v5/auth/{provider}/callback", tag = "auth",
    params(("provider" = String, Path, description = "The provider", example = "google"), Returned),
    responses(
        (status = 303, description = "On to the web app"),
        (status = 403, description = "Not begun in this browser, or refused by the provider"),
        (status = 404, description = "That provider is not switched on"),
        (status = 409, description = "The address has an account already, or the identity another one"),
        (status = 503, description = "The provider does not answer"),
    ),
)]
pub(super) async fn callback(
    State(state): State<ApiState>,
    PathId(name): PathId<ProviderName>,
    headers: HeaderMap,
    returned: std::result::Result<Query<Returned>, axum::extract::rejection::QueryRejection>,
) -> Answer<Response> {
    let finished = async {
        let provider = switched_on(&state, &name)?;
        let Query(returned) =
            returned.map_err(|_| Problem::new(&MALFORMED_REQUEST, "The query cannot be read."))?;
        finish(&state, provider, &headers, returned).await
    };
    let outcome = finished.await;
    let counted = match &outcome {
        Ok(_) => "confirmed",
        Err(problem) => problem.of.slug,
    };
    // A name that is no provider's is nobody's to make labels of.
    if let Some(provider) = state.providers.get(name.as_str()) {
        metrics::counter!("coditect_api_provider_sign_ins_total", "provider" => provider.name.to_string(), "outcome" => counted)
            .increment(1);
    }
    match outcome {
        Ok(response) => Ok(response),
        Err(problem) => failed(&state, &headers, problem),
    }
}

async fn finish(
    state: &ApiState,
    provider: &Provider,
    headers: &HeaderMap,
    returned: Returned,
) -> Answer<Response> {
    let keys = &state.tokens.keys;
    let given = returned.state.unwrap_or_default();
    let flow = Flow::read(headers, keys, state.now())
        .filter(|flow| flow.provider == provider.name && flow.is_state(&given, keys))
        .ok_or_else(ended)?;
    if !provider.is_from(returned.iss.as_deref()).await? {
        let detail = "The answer names another provider than the one that was asked; begin again.";
        return Err(Problem::new(&PROVIDER_REFUSED, detail));
    }
    let code = match (returned.code, returned.error.as_deref()) {
        (Some(code), None) => code,
        (_, Some("access_denied")) => {
            let detail = format!("The sign-in at {} was cancelled.", provider.title);
            return Err(Problem::new(&PROVIDER_REFUSED, detail));
        }
        _ => {
            let detail = format!("{} gave no code; begin again.", provider.title);
            return Err(Problem::new(&PROVIDER_REFUSED, detail));
        }
    };
    let proven = provider.proven(code, &flow, keys).await?;
    match flow.purpose.clone() {
        Purpose::Enter { terms } => enter(state, &flow, proven, terms).await,
        Purpose::Link { account, login } => {
            let mut view = state.registry.view().await?;
            if view.login(account, login, state.now()).await?.is_none() {
                return Err(ended());
            }
            let operation = LinkIdentity {
                account,
                provider: flow.provider.clone(),
                subject: proven.subject,
                at: state.now(),
            };
            state
                .registry
                .apply(RequestId::random(), &operation)
                .await?;
            let to = page(state, "connected", provider.name.as_str());
            Ok(see(&to, Flow::clear()?)?)
        }
    }
}

fn ended() -> Problem {
    let detail = "This sign-in was not begun in this browser, or is over; begin again.";
    Problem::new(&FLOW_ENDED, detail)
}

async fn enter(
    state: &ApiState,
    flow: &Flow,
    proven: Proven,
    terms: Option<TermsVersion>,
) -> Answer<Response> {
    let now = state.now();
    let may_sign_up = state.config.sign_up == SignUp::Open && terms.is_some();
    let operation = EnterByIdentity {
        provider: flow.provider.clone(),
        subject: proven.subject,
        email: proven.email,
        display_name: proven.display_name,
        terms,
        placement: may_sign_up.then(|| placement(state)).transpose()?,
        at: now,
    };
    let entered = state
        .registry
        .apply(RequestId::random(), &operation)
        .await?;
    let account = match entered {
        Entered::Known(account) | Entered::Reclaimed(account) => account,
        Entered::Made(made) => {
            metrics::counter!("coditect_api_sign_ups_total").increment(1);
            made.account
        }
        Entered::AddressTaken => {
            let detail = "Your address has an account here that this sign-in is not connected to. Sign in to it as you \
                          always do, then connect it in the settings.";
            return Err(Problem::new(&ADDRESS_TAKEN, detail));
        }
        Entered::Unknown => {
            let detail = match state.config.sign_up {
                SignUp::Open => {
                    "Nobody here has this sign-in. To sign up with it, begin at the sign-up page."
                }
                SignUp::Closed => "Nobody here has this sign-in, and nobody can sign up right now.",
            };
            return Err(Problem::new(&NO_ACCOUNT, detail));
        }
    };
    let keys = &state.tokens.keys;
    let to = page(state, "code", &flow.code(account, keys, now));
    // The cookie stays: only this browser may use the code.
    Ok(see(&to, flow.cookie(keys)?)?)
}

/// The web app's page. Names and values are our own, and need no escaping.
fn page(state: &ApiState, name: &str, value: &str) -> String {
    format!("{}{PAGE}#{name}={value}", state.web_app)
}

fn see(url: &str, cookie: HeaderValue) -> Result<Response> {
    let location = HeaderValue::from_str(url)
        .map_err(|error| Error::internal("a header cannot be written").because(error))?;
    let headers = [(header::LOCATION, location), (header::SET_COOKIE, cookie)];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// A browser is led to the web app, which says what went wrong in its own way.
fn failed(state: &ApiState, headers: &HeaderMap, problem: Problem) -> Answer<Response> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|text| text.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/html")) {
        return Err(problem);
    }
    problem.log();
    Ok(see(
        &page(state, "problem", problem.of.slug),
        Flow::clear()?,
    )?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IdentityCode)]
pub(super) struct CodeBody {
    /// What stood behind `#` where the provider's answer led to.
    #[schema(max_length = 128)]
    code: String,
}

/// Signs in with the code that the way back from a provider ended with: once, in the same browser.
#[utoipa::path(
    post, path = "/api/v5/auth/identity/session", tag = "auth", request_body = CodeBody,
    responses(
        (status = 200, description = "Signed in; the refresh cookie is set", body = SignedInBody),
        (status = 403, description = "The code is not this browser's, was used or is too old; or a page of another origin; or a second factor is asked for: the problem's `challenge` goes with it to `/api/v5/auth/login/second-factor`", body = crate::problem::ProblemBody<'static>, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn session(
    State(state): State<ApiState>,
    headers: HeaderMap,
    from: CameFrom,
    JsonBody(body): JsonBody<CodeBody>,
) -> Answer<Response> {
    // A foreign page could otherwise sign its visitor in to an account of its own making.
    check_origin(&headers, &state)?;
    let (keys, now) = (&state.tokens.keys, state.now());
    let flow = Flow::read(&headers, keys, now).ok_or_else(ended)?;
    let account = flow.account(&body.code, keys, now).ok_or_else(ended)?;
    let request = RequestId::from_bytes(derived(flow.use_of(keys)));
    // The provider's word stands in the password's place, not in that of the factor that the person switched on here.
    if second_factor::is_on(&state, account).await? {
        let shown = Shown::Identity(flow.provider, request);
        return Err(challenged(&state, account, shown)?);
    }
    let mut response = sign_in_once(&state, account, request, from).await?;
    response
        .headers_mut()
        .append(header::SET_COOKIE, Flow::clear()?);
    metrics::counter!("coditect_api_logins_total", "outcome" => "signed_in").increment(1);
    Ok(response)
}

/// Opens the one login that comes of a provider's answer.
///
/// The request is named by the answer's code: whoever sends it again is given the answer to the first, and that was
/// another login.
pub(super) async fn sign_in_once(
    state: &ApiState,
    account: AccountId,
    request: RequestId,
    from: CameFrom,
) -> Answer<Response> {
    let (login, at) = (LoginId::random(), state.now());
    let operation = OpenLogin {
        account,
        login,
        credential_of: None,
        from: Some((from.address, from.agent)),
        at,
    };
    state.registry.apply(request, &operation).await?;
    let mut view = state.registry.view().await?;
    if view.login(account, login, at).await?.is_none() {
        return Err(ended());
    }
    let counter = 0;
    hand_out(
        state,
        RefreshToken {
            account,
            login,
            counter,
        },
    )
    .await
}
