//! The OpenAPI document, made from the code.

use axum::http::Method;
use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Response,
    ResponseBuilder, Responses,
    path::{Operation, ParameterIn},
    security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
    tag::TagBuilder,
};

use crate::{cookie::REFRESH_COOKIE, examples, problem::ProblemBody, route, scope};

/// The OpenAPI 3.1 document of the API.
#[must_use]
pub fn openapi() -> OpenApi {
    let base = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Coditect API")
                .description(Some(
                    "Sign up, sign in, and run browser workspaces whose every object is committed to Git.\n\nErrors are problem documents \
                     (RFC 9457) with stable types; see `/problems`. Times are RFC 3339 in UTC.",
                ))
                .version("5")
                .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
                .build(),
        )
        .tags(Some([
            tag("auth", "Sign up, sign in, stay signed in, sign out"),
            tag("me", "The signed-in person"),
            tag("tenants", "Where the person belongs, who else does, who is invited"),
            tag("workspaces", "The person's workspaces"),
            tag("sessions", "What the person has open, shared by browser tabs"),
            tag("sidecar", "What workspaces' gateways call"),
            tag("plans", "What is sold, and what the tenant has"),
            tag("admin", "What administrators of the installation see and do"),
            tag("operations", "Health, metrics and keys"),
        ]))
        .build();
    let groups = route::Groups::new();
    let mut document = base;
    let open = [
        groups.credentials.into_openapi(),
        groups.public.into_openapi(),
        groups.operations.into_openapi(),
    ];
    let guarded = [
        (groups.signed_in.into_openapi(), ACCESS),
        (groups.administrators.into_openapi(), ACCESS),
        (groups.pods.into_openapi(), POD),
        (groups.gateways.into_openapi(), GATEWAY),
    ];
    for group in open {
        document.merge(complete(group, None));
    }
    for (group, guard) in guarded {
        document.merge(complete(group, Some(guard)));
    }
    let components = document.components.get_or_insert_default();
    for guard in [ACCESS, KEY, POD, GATEWAY] {
        components.add_security_scheme(
            guard.scheme,
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format(guard.format)
                    .description(Some(guard.description))
                    .build(),
            ),
        );
    }
    components.add_security_scheme(
        "refresh_cookie",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(REFRESH_COOKIE))),
    );
    let mut schemas = Vec::new();
    <ProblemBody<'_> as utoipa::ToSchema>::schemas(&mut schemas);
    schemas.push((
        "Problem".to_owned(),
        <ProblemBody<'_> as utoipa::PartialSchema>::schema(),
    ));
    components.schemas.extend(schemas);
    examples::add(&mut document);
    document
}

fn tag(name: &str, description: &str) -> utoipa::openapi::Tag {
    TagBuilder::new()
        .name(name)
        .description(Some(description))
        .build()
}

/// What must come with a request.
#[derive(Clone, Copy)]
struct Guard {
    scheme: &'static str,
    format: &'static str,
    description: &'static str,
    refusal: &'static str,
}

const ACCESS: Guard = Guard {
    scheme: "access_token",
    format: "JWT",
    description: "What signing in and refreshing give.",
    refusal: "No access token, or one that is not valid any more",
};
const KEY: Guard = Guard {
    scheme: "api_key",
    format: "coditect_…",
    description: "An API key of the person, for programs: `POST /api/v5/me/api-keys` makes one. It opens the operations that name one of its scopes here.",
    refusal: ACCESS.refusal,
};
const POD: Guard = Guard {
    scheme: "pod_token",
    format: "JWT",
    description: "What the cell's cluster projects into a workspace's pod, for the audience `coditect-api`.",
    refusal: "No token of a cell's cluster, or one that is not valid any more",
};
const GATEWAY: Guard = Guard {
    scheme: "gateway_credential",
    format: "JWT",
    description: "What `/api/v5/sidecar/credential` gives.",
    refusal: "No credential, or one that is not valid any more",
};

/// Adds what every operation of a group has in common: what it needs, and its failures.
fn complete(mut document: OpenApi, guard: Option<Guard>) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            // Handlers are named within their module; ids must be unique in the whole document.
            let tag = operation.tags.as_ref().and_then(|tags| tags.first());
            operation.operation_id = operation.operation_id.take().map(|id| match tag {
                Some(tag) => format!("{tag}_{id}"),
                None => id,
            });
            if let Some(guard) = guard {
                let mut security = vec![SecurityRequirement::new(guard.scheme, [""; 0])];
                if guard.scheme == ACCESS.scheme
                    && let Some(scope) = scope::asked(&method, path)
                {
                    security.push(SecurityRequirement::new(KEY.scheme, [scope.name()]));
                }
                operation.security = Some(security);
                respond(&mut operation.responses, "401", guard.refusal);
            }
            expect_failures(operation);
            describe_failures(&mut operation.responses);
            respond(&mut operation.responses, "default", "Any other failure");
        }
    }
    document
}

/// The failures that follow from what an operation takes: each is a problem of the catalogue at `/problems`.
fn expect_failures(operation: &mut Operation) {
    let takes_body = operation.request_body.is_some();
    let parameters = operation.parameters.iter().flatten();
    let (mut in_path, mut elsewhere) = (false, false);
    for parameter in parameters {
        match parameter {
            RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Path => in_path = true,
            _ => elsewhere = true,
        }
    }
    let responses = &mut operation.responses;
    if takes_body {
        respond(responses, "400", "The body is not JSON (`malformed-json`)");
        respond(
            responses,
            "408",
            "The body took too long (`request-timeout`)",
        );
        respond(
            responses,
            "413",
            "The body is too large (`payload-too-large`)",
        );
        respond(
            responses,
            "415",
            "The body has another type than JSON (`unsupported-media-type`)",
        );
    }
    if takes_body || elsewhere {
        respond(
            responses,
            "422",
            "A field is not acceptable; `errors` names each (`invalid-input`)",
        );
    }
    if in_path {
        respond(
            responses,
            "404",
            "There is no such thing, or it is somebody else's (`not-found`)",
        );
    }
    if !operation
        .tags
        .iter()
        .flatten()
        .any(|tag| tag == "operations")
    {
        respond(
            responses,
            "429",
            "Too many requests; `Retry-After` says when to come back (`too-many-requests`)",
        );
    }
    respond(
        responses,
        "431",
        "The headers are too large (`headers-too-large`)",
    );
    respond(
        responses,
        "500",
        "A failure of ours, recorded under the request id (`internal`)",
    );
    respond(
        responses,
        "503",
        "Not now; `Retry-After` says when to come back (`unavailable`)",
    );
}

pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::PATCH, &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// A failure that a handler names is a problem document like every other.
fn describe_failures(responses: &mut Responses) {
    for (status, response) in &mut responses.responses {
        if status.starts_with(['4', '5'])
            && let RefOr::T(response) = response
            && response.content.is_empty()
        {
            let problem = RefOr::Ref(Ref::from_schema_name("Problem"));
            let content = RefOr::T(Content::new(Some(problem)));
            response
                .content
                .insert("application/problem+json".to_owned(), content);
        }
    }
}

fn respond(responses: &mut Responses, status: &str, description: &str) {
    let problem = RefOr::Ref(Ref::from_schema_name("Problem"));
    let response: Response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", Content::new(Some(problem)))
        .build();
    responses
        .responses
        .entry(status.to_owned())
        .or_insert(RefOr::T(response));
}
