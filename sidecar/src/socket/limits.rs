//! What a tab may send. A tab may be a hostile page's: whatever it sends ends with its own connection at most.

use std::time::Duration;

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::protocol::{Close, Said, Tells, VERSION};

/// Largest frame and message.
pub(crate) const LARGEST: usize = 256 * 1024;
/// Deepest nesting.
const DEEPEST: usize = 32;
/// Longest name of a tab or key.
const LONGEST_NAME: usize = 64;
/// Most messages at once, and how many more a second: a person's tab sends a few.
const AT_ONCE: f64 = 200.0;
const A_SECOND: f64 = 50.0;

/// Limits of the frames themselves. Buffers are small: most tabs say little.
pub(crate) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(2 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * LARGEST)
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
}

/// Reads a message.
pub(crate) fn read(text: &str) -> Result<Said, Close> {
    if depth(text.as_bytes()) > DEEPEST {
        return Err(Close::TooDeep);
    }
    let said: Said = serde_json::from_str(text).map_err(|_| Close::Malformed)?;
    let well = match &said {
        Said::Hello { version, .. } if *version != VERSION => return Err(Close::Version),
        Said::Hello { tab, .. } => is_name(tab, b"-_"),
        Said::Put { key, .. } => is_name(key, b"-_./"),
        _ => true,
    };
    if well {
        Ok(said)
    } else {
        Err(Close::Malformed)
    }
}

/// Writes a message.
pub(crate) fn write(tells: &Tells) -> String {
    // Maps with text keys and numbers: nothing that JSON cannot hold.
    serde_json::to_string(tells).unwrap_or_default()
}

fn is_name(text: &str, more: &[u8]) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
}

/// How deep brackets are nested, outside of strings. Counted before anything is built of them.
fn depth(text: &[u8]) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Counts messages.
#[derive(Debug)]
pub(crate) struct Pace {
    left: f64,
    since: Instant,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            left: AT_ONCE,
            since: Instant::now(),
        }
    }

    /// One more; false if that is too many.
    pub(crate) fn take(&mut self) -> bool {
        let passed: Duration = self.since.elapsed();
        self.since = Instant::now();
        self.left = (self.left + passed.as_secs_f64() * A_SECOND).min(AT_ONCE) - 1.0;
        self.left >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_of_this_protocol_has_a_code() {
        for (text, close) in [
            ("", Close::Malformed),
            ("null", Close::Malformed),
            ("{}", Close::Malformed),
            (r#"{"type":"nonsense"}"#, Close::Malformed),
            (r#"{"type":"input","more":1}"#, Close::Malformed),
            (r#"{"type":"hello","version":2,"tab":"a"}"#, Close::Version),
            (r#"{"type":"hello","version":1,"tab":""}"#, Close::Malformed),
            (
                r#"{"type":"hello","version":1,"tab":"<b>"}"#,
                Close::Malformed,
            ),
            (
                r#"{"type":"put","key":"a b","base":0,"value":1}"#,
                Close::Malformed,
            ),
            (
                r#"{"type":"put","key":"a","base":-1,"value":1}"#,
                Close::Malformed,
            ),
        ] {
            assert_eq!(read(text), Err(close), "{text}");
        }
        let nested = |depth: usize| {
            let (open, shut) = ("[".repeat(depth), "]".repeat(depth));
            format!(r#"{{"type":"put","key":"a","base":0,"value":{open}{shut}}}"#)
        };
        assert!(read(&nested(DEEPEST - 1)).is_ok());
        assert_eq!(read(&nested(DEEPEST)), Err(Close::TooDeep));
        assert_eq!(read(&"[".repeat(LARGEST)), Err(Close::TooDeep));
        let quoted = format!(
            r#"{{"type":"put","key":"a","base":0,"value":"\"{}"}}"#,
            "[".repeat(99)
        );
        assert!(read(&quoted).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(text in ".{0,400}") {
            let _ = read(&text);
        }

        /// Depth is never counted too low: what it lets through is no deeper for a parser.
        #[test]
        fn depth_is_what_a_parser_finds(value in json()) {
            prop_assert_eq!(depth(value.to_string().as_bytes()), nesting(&value));
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(serde_json::Value::from),
            "[\\[\\]{}\"\\\\a]{0,8}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(6, 60, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::hash_map("[\"\\\\{a]{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn nesting(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
            serde_json::Value::Object(map) => 1 + map.values().map(nesting).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_too_much_and_a_stream_is_not() {
        let mut pace = Pace::new();
        assert!((0..1_000).any(|_| !pace.take()));
        let mut pace = Pace::new();
        for _ in 0..10_000 {
            tokio::time::advance(Duration::from_millis(25)).await;
            assert!(pace.take());
        }
    }
}
