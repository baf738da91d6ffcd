//! Which fields of a value differ from another's, by their paths.

use serde_json::Value;

/// The paths of what differs, in order; items of a list are named by their `name` where they have one.
pub(super) fn changed(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk("", before, after, &mut found);
    found.sort();
    found.dedup();
    found
}

fn walk(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|key| !old.contains_key(*key));
            for key in old.keys().chain(added) {
                let path = match path {
                    "" => key.clone(),
                    _ if key.contains(['.', '/']) => format!("{path}[{key}]"),
                    _ => format!("{path}.{key}"),
                };
                walk(&path, &before[key.as_str()], &after[key.as_str()], found);
            }
        }
        (Value::Array(old), Value::Array(new)) if named(old) && named(new) => {
            let name = |item: &Value| item["name"].as_str().unwrap_or_default().to_owned();
            let find = |list: &[Value], wanted: &str| {
                let found = list.iter().find(|item| name(item) == wanted);
                found.cloned().unwrap_or_default()
            };
            let mut names: Vec<String> = old.iter().chain(new).map(name).collect();
            names.sort();
            names.dedup();
            let mut moved = true;
            for name in names {
                let (was, is) = (find(old, &name), find(new, &name));
                moved &= was == is;
                walk(&format!("{path}[{name}]"), &was, &is, found);
            }
            if moved {
                found.push(path.to_owned());
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// Whether every item has a name of its own.
fn named(list: &[Value]) -> bool {
    let mut names: Vec<&str> = list
        .iter()
        .filter_map(|item| item["name"].as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    !list.is_empty() && names.len() == list.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_named() {
        let pod = |image: &str, cpu: &str| {
            json!({
                "metadata": {"annotations": {"coditect.ai/pids-limit": "1"}},
                "spec": {"containers": [
                    {"name": "theia", "image": image, "resources": {"limits": {"cpu": cpu}}},
                    {"name": "other"},
                ]},
            })
        };
        assert!(changed(&pod("a", "1"), &pod("a", "1")).is_empty());
        assert_eq!(
            changed(&pod("a", "1"), &pod("b", "2")),
            [
                "spec.containers[theia].image",
                "spec.containers[theia].resources.limits.cpu"
            ]
        );
        let mut other = pod("a", "1");
        other["spec"]["containers"]
            .as_array_mut()
            .unwrap()
            .reverse();
        other["metadata"]["annotations"] = json!({"x/y": "z"});
        assert_eq!(
            changed(&pod("a", "1"), &other),
            [
                "metadata.annotations[coditect.ai/pids-limit]",
                "metadata.annotations[x/y]",
                "spec.containers"
            ]
        );
        assert_eq!(
            changed(&json!({"a": [1]}), &json!({"a": [2], "b": null})),
            ["a"]
        );
    }
}
