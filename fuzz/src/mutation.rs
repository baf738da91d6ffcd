//! What the tests make of seeds, on the stable compiler: their share of what the fuzzer does with coverage to guide it.

use std::{fs, path::Path};

use proptest::{collection::vec, prelude::*, sample::Index};

/// The seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let seeds: Vec<_> = fs::read_dir(folder.join(target))
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "{target} has no seeds");
    seeds
}

#[derive(Clone, Debug)]
enum Mutation {
    Flip(Index, u8),
    Write(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
    /// The rest comes from another seed.
    Splice(Index, Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let place = any::<Index>;
    prop_oneof![
        (place(), 0_u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Mutation::Write(at, byte)),
        (place(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (place(), 1_usize..9).prop_map(|(at, many)| Mutation::Remove(at, many)),
        place().prop_map(Mutation::Cut),
        (place(), place(), place()).prop_map(|(at, seed, from)| Mutation::Splice(at, seed, from)),
    ]
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let place = |at: &Index, length: usize| at.index(length + 1);
        let length = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes
                .iter_mut()
                .skip(place(at, length))
                .take(1)
                .for_each(|byte| *byte ^= 1 << bit),
            Self::Write(at, written) => bytes
                .iter_mut()
                .skip(place(at, length))
                .take(1)
                .for_each(|byte| *byte = *written),
            Self::Insert(at, inserted) => {
                let at = place(at, length);
                drop(bytes.splice(at..at, inserted.iter().copied()));
            }
            Self::Remove(at, many) => {
                let at = place(at, length);
                drop(bytes.drain(at..(at + many).min(length)));
            }
            Self::Cut(at) => bytes.truncate(place(at, length)),
            Self::Splice(at, seed, from) => {
                let other = seed.get(seeds);
                bytes.truncate(place(at, length));
                bytes.extend_from_slice(&other[place(from, other.len())..]);
            }
        }
    }
}

/// A seed with a few mutations, or noise.
fn hostile(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds(target);
    let mutated = (any::<Index>(), vec(mutation(), 0..5)).prop_map(move |(seed, mutations)| {
        let mut bytes = seed.get(&seeds).clone();
        for mutation in mutations {
            mutation.apply(&mut bytes, &seeds);
        }
        bytes
    });
    prop_oneof![9 => mutated, 1 => vec(any::<u8>(), 0..200)]
}

/// Feeds a target with its seeds and so many mutations of them.
pub(crate) fn feed(target: &str, cases: u32, body: fn(&[u8])) {
    for seed in seeds(target) {
        body(&seed);
    }
    let config = ProptestConfig {
        cases,
        // What fails is put into the corpus.
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let fed = proptest::test_runner::TestRunner::new(config).run(&hostile(target), |bytes| {
        body(&bytes);
        Ok(())
    });
    if let Err(error) = fed {
        panic!("{error}");
    }
}
