//! What is damaged is named by its line, and nothing of it is applied.

use coditect_core::Kind;
use coditect_registry::{Registry, store::Store};
use std::sync::Arc;

use crate::support::{content, export, import, memory, people};

async fn an_export() -> Vec<u8> {
    let store = memory();
    people(&store, 3).await;
    export(&store).await.0
}

/// The message with which these lines are refused; nothing was written then.
async fn refused(lines: &[u8]) -> String {
    let store: Arc<dyn Store> = memory();
    let error = import(&store, lines).await.unwrap_err();
    assert!(matches!(error.kind(), Kind::Invalid { .. }), "{error:?}");
    assert!(content(&store).await.is_empty());
    Registry::open(store).await.unwrap();
    error.to_string()
}

#[tokio::test]
async fn a_changed_byte_is_named_by_its_line() {
    let whole = an_export().await;
    let mut line = 1;
    let ends = whole.iter().filter(|byte| **byte == b'\n').count();
    for at in 0..whole.len() {
        // A few bytes of every line, and every byte of the last.
        if whole[at] != b'\n' && (line == ends || at % 37 == 0) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x01;
            let message = refused(&damaged).await;
            assert!(
                message.starts_with(&format!("line {line} ")),
                "byte {at} of line {line}: {message}"
            );
        }
        line += usize::from(whole[at] == b'\n');
    }
}

#[tokio::test]
async fn a_file_that_was_cut_is_never_whole() {
    let whole = an_export().await;
    for at in (0..whole.len()).step_by(53).chain([whole.len() - 1]) {
        let message = refused(&whole[..at]).await;
        assert!(message.contains("cut") || at == 0, "cut at {at}: {message}");
    }
}

#[tokio::test]
async fn lines_left_out_doubled_moved_or_added_are_named() {
    let whole = String::from_utf8(an_export().await).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let joined = |lines: &[&str]| format!("{}\n", lines.join("\n")).into_bytes();

    let mut without = lines.clone();
    without.remove(3);
    let last = without.len();
    let message = refused(&joined(&without)).await;
    assert!(
        message.starts_with(&format!("line {last} ")) && message.contains("missing"),
        "{message}"
    );

    let mut doubled = lines.clone();
    doubled.insert(4, lines[3]);
    assert_eq!(
        refused(&joined(&doubled)).await,
        "line 5 stands twice or out of order"
    );

    let mut moved = lines.clone();
    moved.swap(3, 4);
    assert_eq!(
        refused(&joined(&moved)).await,
        "line 5 stands twice or out of order"
    );

    let mut added = lines.clone();
    added.push("{}");
    assert_eq!(
        refused(&joined(&added)).await,
        format!("line {} stands behind the export's last line", added.len())
    );
}

/// A line with another content and the checksum that goes with it.
fn with_checksum(content: &str) -> String {
    format!(
        "{content},\"crc\":\"{:08x}\"}}",
        crc32fast::hash(content.as_bytes())
    )
}

#[tokio::test]
async fn foreign_lines_are_named_with_what_is_foreign() {
    let whole = String::from_utf8(an_export().await).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    for (content, says) in [
        (
            "{\"kind\":\"weather/{w}\",\"key\":[\"x\"],\"number\":1",
            "does not know, weather/{w}",
        ),
        (
            "{\"kind\":\"lease/{cell}\",\"key\":[\"local\"],\"v\":1,\"value\":{}",
            "which no export holds",
        ),
        (
            "{\"kind\":\"user/{u}\",\"key\":[\"no-id\"],\"v\":1,\"value\":{}",
            "a key that is none of user/{u}",
        ),
        (
            "{\"kind\":\"user/{u}\",\"key\":[],\"v\":1,\"value\":{}",
            "a key that is none of user/{u}",
        ),
        (
            "{\"kind\":\"user/{u}\",\"key\":[1.5],\"v\":1,\"value\":{}",
            "a key that is none of user/{u}",
        ),
        (
            "{\"kind\":\"cell/{cell}/load\",\"key\":[\"local\"]",
            "no value",
        ),
        (
            "{\"kind\":\"cell/{cell}/load\",\"key\":[\"local\"],\"number\":1,\"v\":1,\"value\":2",
            "more than one",
        ),
        (
            "{\"kind\":\"cell/{cell}/load\",\"key\":[\"local\"],\"bytes\":\"%\"",
            "not base64",
        ),
        (
            "{\"kind\":\"cell/{cell}/load\",\"key\":[\"local\"],\"number\":1,\"more\":2",
            "no record",
        ),
    ] {
        let mut foreign: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        foreign[2] = with_checksum(content);
        let message = refused(format!("{}\n", foreign.join("\n")).as_bytes()).await;
        assert!(
            message.starts_with("line 3 ") && message.contains(says),
            "{content}: {message}"
        );
    }
    for (text, says) in [
        (String::new(), "does not begin an export"),
        (
            "name: value\n".to_owned(),
            "line 1 does not begin an export",
        ),
        (
            "{\"coditect\":\"registry\",\"format\":2,\"schema\":1}\n".to_owned(),
            "a newer coditect wrote this",
        ),
        (
            format!("{}\n{}\n", lines[0], "x".repeat(2 << 20)),
            "line 2 is longer than",
        ),
    ] {
        let message = refused(text.as_bytes()).await;
        assert!(message.contains(says), "{message}");
    }
}
