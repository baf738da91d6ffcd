//! The OpenAPI document, made from the code.

use utoipa::openapi::{
    Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Response,
    ResponseBuilder, Responses,
    path::Operation,
    security::{
        ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
    },
    tag::TagBuilder,
};

use crate::{cookie::REFRESH_COOKIE, problem::ProblemBody, route};

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
            tag("workspaces", "The person's workspaces"),
            tag("plans", "What is sold, and what the tenant has"),
            tag("operations", "Health, metrics and keys"),
        ]))
        .build();
    let groups = route::Groups::new();
    let mut document = base;
    let signed_in = groups.signed_in.into_openapi();
    let open = [
        groups.credentials.into_openapi(),
        groups.public.into_openapi(),
        groups.operations.into_openapi(),
    ];
    for (group, needs_token) in open
        .into_iter()
        .map(|group| (group, false))
        .chain([(signed_in, true)])
    {
        document.merge(complete(group, needs_token));
    }
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        "access_token",
        SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("JWT")
                .build(),
        ),
    );
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
    document
}

fn tag(name: &str, description: &str) -> utoipa::openapi::Tag {
    TagBuilder::new()
        .name(name)
        .description(Some(description))
        .build()
}

/// Adds what every operation of a group has in common: whether it needs an access token, and its failures.
fn complete(mut document: OpenApi, needs_token: bool) -> OpenApi {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            // Handlers are named within their module; ids must be unique in the whole document.
            let tag = operation.tags.as_ref().and_then(|tags| tags.first());
            operation.operation_id = operation.operation_id.take().map(|id| match tag {
                Some(tag) => format!("{tag}_{id}"),
                None => id,
            });
            if needs_token {
                operation.security = Some(vec![SecurityRequirement::new("access_token", [""; 0])]);
                respond(
                    &mut operation.responses,
                    "401",
                    "No access token, or one that is not valid any more",
                );
            }
            respond(&mut operation.responses, "default", "Any other failure");
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
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
