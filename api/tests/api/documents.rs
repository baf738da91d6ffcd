//! The OpenAPI document, the pages and the problem types.

use std::{collections::BTreeSet, path::PathBuf};

use coditect_api::openapi;
use serde_json::{Value, json};

use crate::harness::App;

/// The document in the repository is the code's: whoever changes one sees the difference. Written anew by
/// `UPDATE_OPENAPI=1 cargo test -p coditect-api`.
#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "the switch that rewrites a snapshot is for whoever runs the tests"
)]
fn the_openapi_document_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var("UPDATE_OPENAPI").is_ok() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "api/openapi.json is not what the code says; run UPDATE_OPENAPI=1 cargo test -p coditect-api"
    );
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document: Value = serde_json::from_str(&openapi().to_json().unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        assert!(
            document
                .pointer(reference.trim_start_matches('#'))
                .is_some(),
            "{reference}"
        );
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"].is_string() && operation["tags"].is_array(),
                "{method} {path}"
            );
            assert!(
                operation["responses"]["default"].is_object(),
                "{method} {path}"
            );
            ids.insert(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    let count: usize = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len())
        .sum();
    assert_eq!(ids.len(), count, "operation ids are unique");
}

#[test]
fn every_example_of_a_body_is_what_its_schema_asks() {
    let document: Value = serde_json::from_str(&openapi().to_json().unwrap()).unwrap();
    let components = &document["components"];
    let mut seen = 0;
    let mut check = |place: &str, content: &Value| {
        for (kind, of) in content.as_object().into_iter().flatten() {
            let Some(example) = of.get("example") else {
                continue;
            };
            let schema = json!({ "allOf": [of["schema"]], "components": components });
            let validator = jsonschema::options()
                .with_draft(jsonschema::Draft::Draft202012)
                .should_validate_formats(true)
                .build(&schema)
                .unwrap();
            let wrong: Vec<_> = validator
                .iter_errors(example)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{place} {kind}: {wrong:?}: {example}");
            seen += 1;
        }
    };
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            check(&place, &operation["requestBody"]["content"]);
            for (status, answer) in operation["responses"].as_object().unwrap() {
                check(&format!("{place} {status}"), &answer["content"]);
            }
        }
    }
    assert!(seen > 60, "{seen}");
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                references.insert(reference.clone());
            }
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn every_problem_type_is_explained_where_it_points() {
    let app = App::start().await;
    let types = app.get("/problems").await.expect(200).json();
    let types = types.as_array().unwrap();
    assert!(types.len() >= 18);
    for of in types {
        let uri = of["type"].as_str().unwrap();
        assert_eq!(&app.get(uri).await.expect(200).json(), of);
        let page = app
            .send(app.request("GET", uri).header("accept", "text/html,*/*"))
            .await
            .expect(200);
        assert!(page.text.contains(of["title"].as_str().unwrap()), "{uri}");
    }
    let page = app
        .send(
            app.request("GET", "/problems")
                .header("accept", "text/html"),
        )
        .await
        .expect(200);
    assert!(page.text.contains("href=\"/problems/limit-reached\""));
}

#[tokio::test]
async fn pages_load_only_what_is_served_here() {
    let app = App::start().await;
    for path in ["/", "/docs", "/problems"] {
        let page = app
            .send(app.request("GET", path).header("accept", "text/html"))
            .await
            .expect(200);
        assert!(page.header("content-type").starts_with("text/html"));
        let policy = page.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'")
                && policy.contains("frame-ancestors 'none'")
                && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(
            !page.text.contains("<script>")
                && !page.text.contains("style=")
                && !page.text.contains(" onclick"),
            "{path}"
        );
        for attribute in ["src=\"", "href=\""] {
            for link in page
                .text
                .split(attribute)
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap())
            {
                let answer = app
                    .send(app.request("GET", link).header("accept", "*/*"))
                    .await;
                assert_eq!(answer.status, 200, "{path} links to {link}");
            }
        }
    }
    assert_eq!(
        app.get("/openapi.json").await.expect(200).json()["info"]["title"],
        "Coditect API"
    );
}
