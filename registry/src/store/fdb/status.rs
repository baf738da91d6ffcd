//! What a cluster says of itself, in one sentence.
//!
//! The client library answers for the key `\xff\xff/status/json`, also when no cluster can be reached: it asks the
//! coordinators, and the cluster controller if there is one (<https://apple.github.io/foundationdb/mr-status.html>).

use serde::Deserialize;

/// The key of the status.
#[cfg_attr(not(feature = "fdb"), allow(dead_code, reason = "read by the client"))]
pub(super) const KEY: &[u8] = b"\xff\xff/status/json";

/// Longest sentence: more than one line helps nobody who looks at a health page.
const LONGEST: usize = 400;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    client: ClientPart,
    cluster: ClusterPart,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ClientPart {
    cluster_file: Option<ClusterFile>,
    coordinators: Option<Coordinators>,
    database_status: Option<DatabaseStatus>,
    messages: Vec<Message>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ClusterFile {
    up_to_date: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Coordinators {
    quorum_reachable: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DatabaseStatus {
    available: Option<bool>,
    healthy: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ClusterPart {
    database_available: Option<bool>,
    data: Option<Data>,
    messages: Vec<Message>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data {
    state: Option<DataState>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct DataState {
    name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Message {
    name: String,
    description: Option<String>,
}

/// The sentence. It names no address: health pages are read by many.
pub(super) fn sentence(json: &[u8]) -> String {
    let Ok(status) = serde_json::from_slice::<Status>(json) else {
        return "the client's status cannot be read".to_owned();
    };
    let mut parts = Vec::new();
    let available = status
        .cluster
        .database_available
        .or_else(|| status.client.database_status.as_ref()?.available);
    parts.push(match available {
        Some(true) => "the database is available".to_owned(),
        Some(false) => "the database is not available".to_owned(),
        None => "whether the database answers is not known".to_owned(),
    });
    let coordinators = status.client.coordinators.unwrap_or_default();
    if coordinators.quorum_reachable == Some(false) {
        parts.push("no quorum of its coordinators can be reached".to_owned());
    }
    if status.client.cluster_file.unwrap_or_default().up_to_date == Some(false) {
        parts.push("the cluster file is not up to date and cannot be written".to_owned());
    }
    if let Some(name) = status
        .cluster
        .data
        .unwrap_or_default()
        .state
        .unwrap_or_default()
        .name
    {
        parts.push(format!("its data is {}", name.replace('_', " ")));
    } else if status.client.database_status.unwrap_or_default().healthy == Some(false) {
        parts.push("it is not healthy".to_owned());
    }
    let messages = status
        .client
        .messages
        .into_iter()
        .chain(status.cluster.messages);
    parts.extend(messages.filter_map(|message| {
        let words = message
            .description
            .unwrap_or_else(|| message.name.replace('_', " "));
        (!words.is_empty()).then_some(words)
    }));
    let mut sentence = parts.join("; ");
    if sentence.len() > LONGEST {
        let end = sentence.floor_char_boundary(LONGEST);
        sentence.truncate(end);
        sentence.push('…');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(status: &serde_json::Value) -> String {
        sentence(status.to_string().as_bytes())
    }

    #[test]
    fn a_healthy_cluster_is_said_to_be() {
        let status = json!({
            "client": {"coordinators": {"quorum_reachable": true}, "cluster_file": {"path": "/etc/foundationdb/fdb.cluster", "up_to_date": true},
                       "database_status": {"available": true, "healthy": true}, "messages": [], "timestamp": 1},
            "cluster": {"database_available": true, "data": {"state": {"healthy": true, "name": "healthy"}}, "messages": []}
        });
        assert_eq!(
            of(&status),
            "the database is available; its data is healthy"
        );
    }

    #[test]
    fn a_cluster_out_of_reach_says_what_is_missing() {
        let status = json!({
            "client": {"coordinators": {"quorum_reachable": false, "coordinators": [{"address": "10.0.0.1:4500", "reachable": false}]},
                       "cluster_file": {"up_to_date": false},
                       "database_status": {"available": false, "healthy": false},
                       "messages": [{"name": "quorum_not_reachable", "description": "Unable to reach a quorum of coordinators."}]}
        });
        let sentence = of(&status);
        for words in [
            "not available",
            "no quorum",
            "cluster file",
            "Unable to reach",
        ] {
            assert!(sentence.contains(words), "{words}: {sentence}");
        }
        assert!(!sentence.contains("10.0.0.1"), "{sentence}");
    }

    #[test]
    fn messages_without_a_description_go_by_their_names() {
        let status = json!({"cluster": {"database_available": true, "data": {"state": {"name": "missing_data"}}, "messages": [{"name": "low_space"}, {}]}});
        assert_eq!(
            of(&status),
            "the database is available; its data is missing data; low space"
        );
    }

    #[test]
    fn a_talkative_cluster_is_cut_short() {
        let status = json!({"cluster": {"messages": [{"description": "é".repeat(1_000)}]}});
        let sentence = of(&status);
        assert!(sentence.len() <= LONGEST + '…'.len_utf8() && sentence.ends_with('…'));
    }

    proptest! {
        #[test]
        fn whatever_comes_there_is_a_sentence(json: Vec<u8>) {
            prop_assert!(!sentence(&json).is_empty());
        }
    }
}
