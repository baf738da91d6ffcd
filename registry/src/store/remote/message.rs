//! What client and server say to each other.

use std::io;

use coditect_core::Version;

use super::super::{
    Key, KeyRange, Page, StoreError, Value,
    encoding::{Reader, Writer, decode_mutation, decode_range, encode_mutations, malformed},
    optimistic::CommitRequest,
};

/// What a client asks. Every question has a number of the client's choosing, and its answer the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// The newest version, held for the client under the question's number.
    Snapshot,
    Get {
        snapshot: u64,
        key: Key,
    },
    Range {
        snapshot: u64,
        range: KeyRange,
        limit: u32,
        reverse: bool,
    },
    /// The snapshot is no longer needed. No answer.
    Release {
        snapshot: u64,
    },
    Commit(CommitRequest),
    Changed {
        key: Key,
        seen: Option<Value>,
    },
    /// Nobody waits for the answer to that question any more. No answer.
    Forget {
        question: u64,
    },
}

/// What the server answers.
#[derive(Clone, Debug)]
pub(super) enum Response {
    Failed(StoreError),
    Version(Version),
    Value(Option<Value>),
    Page(Page),
    Changed,
}

impl Request {
    pub(super) fn encode(&self, question: u64) -> Vec<u8> {
        let mut frame = Writer::new();
        frame.number(question);
        match self {
            Self::Snapshot => frame.byte(0),
            Self::Get { snapshot, key } => frame.byte(1).number(*snapshot).bytes(key),
            Self::Range {
                snapshot,
                range,
                limit,
                reverse,
            } => {
                frame
                    .byte(2)
                    .number(*snapshot)
                    .bytes(&range.begin)
                    .bytes(&range.end);
                frame.number(u64::from(*limit)).byte(u8::from(*reverse))
            }
            Self::Release { snapshot } => frame.byte(3).number(*snapshot),
            Self::Commit(request) => {
                frame
                    .byte(4)
                    .number(request.read_version.0)
                    .count(request.reads.len());
                for read in &request.reads {
                    frame.bytes(&read.begin).bytes(&read.end);
                }
                encode_mutations(&mut frame, &request.mutations);
                &mut frame
            }
            Self::Changed { key, seen } => frame.byte(5).bytes(key).optional(seen.as_deref()),
            Self::Forget { question } => frame.byte(6).number(*question),
        };
        frame.finish()
    }

    pub(super) fn decode(frame: &[u8]) -> io::Result<(u64, Self)> {
        let mut frame = Reader::new(frame);
        let question = frame.number()?;
        let request = match frame.byte()? {
            0 => Self::Snapshot,
            1 => Self::Get {
                snapshot: frame.number()?,
                key: frame.bytes()?,
            },
            2 => Self::Range {
                snapshot: frame.number()?,
                range: decode_range(&mut frame)?,
                limit: u32::try_from(frame.number()?).map_err(|_| malformed())?,
                reverse: frame.flag()?,
            },
            3 => Self::Release {
                snapshot: frame.number()?,
            },
            4 => Self::Commit(CommitRequest {
                read_version: Version(frame.number()?),
                reads: frame.list(decode_range)?,
                mutations: frame.list(decode_mutation)?,
            }),
            5 => Self::Changed {
                key: frame.bytes()?,
                seen: frame.optional()?,
            },
            6 => Self::Forget {
                question: frame.number()?,
            },
            _ => return Err(malformed()),
        };
        frame.finish((question, request))
    }
}

impl Response {
    pub(super) fn encode(&self, question: u64) -> Vec<u8> {
        let mut frame = Writer::new();
        frame.number(question);
        match self {
            Self::Failed(error) => {
                let (kind, why) = match error {
                    StoreError::Conflict => (0, ""),
                    StoreError::UnknownResult => (1, ""),
                    StoreError::TooOld => (2, ""),
                    StoreError::TooLarge(why) => (3, why.as_str()),
                    StoreError::Unavailable(why) => (4, why.as_str()),
                    StoreError::NotOpened(why) => (5, why.as_str()),
                    StoreError::Corrupt(why) => (6, why.as_str()),
                };
                frame.byte(0).byte(kind).bytes(why.as_bytes())
            }
            Self::Version(version) => frame.byte(1).number(version.0),
            Self::Value(value) => frame.byte(2).optional(value.as_deref()),
            Self::Page(page) => {
                frame
                    .byte(3)
                    .byte(u8::from(page.more))
                    .count(page.entries.len());
                for (key, value) in &page.entries {
                    frame.bytes(key).bytes(value);
                }
                &mut frame
            }
            Self::Changed => frame.byte(4),
        };
        frame.finish()
    }

    pub(super) fn decode(frame: &[u8]) -> io::Result<(u64, Self)> {
        let mut frame = Reader::new(frame);
        let question = frame.number()?;
        let response = match frame.byte()? {
            0 => {
                let kind = frame.byte()?;
                let why = String::from_utf8(frame.bytes()?).map_err(|_| malformed())?;
                Self::Failed(match kind {
                    0 => StoreError::Conflict,
                    1 => StoreError::UnknownResult,
                    2 => StoreError::TooOld,
                    3 => StoreError::TooLarge(why),
                    4 => StoreError::Unavailable(why),
                    5 => StoreError::NotOpened(why),
                    6 => StoreError::Corrupt(why),
                    _ => return Err(malformed()),
                })
            }
            1 => Self::Version(Version(frame.number()?)),
            2 => Self::Value(frame.optional()?),
            3 => {
                let more = frame.flag()?;
                Self::Page(Page {
                    more,
                    entries: frame.list(|frame| Ok((frame.bytes()?, frame.bytes()?)))?,
                })
            }
            4 => Self::Changed,
            _ => return Err(malformed()),
        };
        frame.finish((question, response))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::{super::super::optimistic::Mutation, *};

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        vec(any::<u8>(), 0..20)
    }

    fn range() -> impl Strategy<Value = KeyRange> {
        (bytes(), bytes()).prop_map(|(begin, end)| KeyRange { begin, end })
    }

    fn mutation() -> impl Strategy<Value = Mutation> {
        prop_oneof![
            (bytes(), bytes()).prop_map(|(key, value)| Mutation::Set(key, value)),
            bytes().prop_map(Mutation::Clear),
            range().prop_map(Mutation::ClearRange),
            (bytes(), any::<i64>()).prop_map(|(key, delta)| Mutation::Add(key, delta)),
            (bytes(), bytes()).prop_map(|(prefix, value)| Mutation::Append(prefix, value)),
        ]
    }

    fn request() -> impl Strategy<Value = Request> {
        prop_oneof![
            Just(Request::Snapshot),
            (any::<u64>(), bytes()).prop_map(|(snapshot, key)| Request::Get { snapshot, key }),
            (any::<u64>(), range(), any::<u32>(), any::<bool>()).prop_map(
                |(snapshot, range, limit, reverse)| Request::Range {
                    snapshot,
                    range,
                    limit,
                    reverse
                }
            ),
            any::<u64>().prop_map(|snapshot| Request::Release { snapshot }),
            (any::<u64>(), vec(range(), 0..5), vec(mutation(), 0..5)).prop_map(
                |(version, reads, mutations)| {
                    Request::Commit(CommitRequest {
                        read_version: Version(version),
                        reads,
                        mutations,
                    })
                }
            ),
            (bytes(), option::of(bytes())).prop_map(|(key, seen)| Request::Changed { key, seen }),
            any::<u64>().prop_map(|question| Request::Forget { question }),
        ]
    }

    fn response() -> impl Strategy<Value = Response> {
        let error = prop_oneof![
            Just(StoreError::Conflict),
            Just(StoreError::UnknownResult),
            Just(StoreError::TooOld),
            ".*".prop_map(StoreError::TooLarge),
            ".*".prop_map(StoreError::Unavailable),
            ".*".prop_map(StoreError::NotOpened),
            ".*".prop_map(StoreError::Corrupt),
        ];
        let page = (vec((bytes(), bytes()), 0..5), any::<bool>())
            .prop_map(|(entries, more)| Page { entries, more });
        prop_oneof![
            error.prop_map(Response::Failed),
            any::<u64>().prop_map(|version| Response::Version(Version(version))),
            option::of(bytes()).prop_map(Response::Value),
            page.prop_map(Response::Page),
            Just(Response::Changed),
        ]
    }

    proptest! {
        #[test]
        fn requests_arrive_as_sent_and_never_in_part(question: u64, sent in request()) {
            let frame = sent.encode(question);
            prop_assert_eq!(&frame[..4], u32::try_from(frame.len() - 4).unwrap().to_be_bytes());
            let (asked, received) = Request::decode(&frame[4..]).unwrap();
            prop_assert_eq!((asked, received), (question, sent));
            for cut in 4..frame.len() {
                prop_assert!(Request::decode(&frame[4..cut]).is_err());
            }
        }

        #[test]
        fn responses_arrive_as_sent_and_never_in_part(question: u64, sent in response()) {
            let frame = sent.encode(question);
            let (asked, received) = Response::decode(&frame[4..]).unwrap();
            prop_assert_eq!((asked, format!("{received:?}")), (question, format!("{sent:?}")));
            for cut in 4..frame.len() {
                prop_assert!(Response::decode(&frame[4..cut]).is_err());
            }
        }

        #[test]
        fn noise_is_refused_and_not_a_crash(noise in vec(any::<u8>(), 0..200)) {
            let _ = Request::decode(&noise);
            let _ = Response::decode(&noise);
        }
    }
}
