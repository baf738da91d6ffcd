//! A file that somebody else has damaged: torn, cut, written over. It is opened with all that was acknowledged,
//! or refused by name; never with less, and never with a crash.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use coditect_core::Version;
use coditect_registry::store::{
    Isolation::Snapshot, Key, Store, StoreError, Value, embedded::EmbeddedStore,
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::access::{everything, pages};

/// What lies on disk, and what was acknowledged of it.
struct Image {
    /// The names and bytes of the files.
    files: Vec<(PathBuf, Vec<u8>)>,
    content: Vec<(Key, Value)>,
    version: Version,
}

/// As a process left it that closed it, and as one left it that was killed.
static IMAGES: LazyLock<[Image; 2]> = LazyLock::new(|| {
    // Of its own thread, because tests have runtimes already.
    std::thread::spawn(|| runtime().block_on(images()))
        .join()
        .unwrap()
});

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn content(store: &dyn Store) -> Result<(Vec<(Key, Value)>, Version), StoreError> {
    let mut transaction = store.begin().await?;
    let content = pages(&mut *transaction, &everything(), 1_000, false, Snapshot).await?;
    Ok((content, transaction.read_version().await?))
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into(), fs::read(entry.path()).unwrap()))
        .collect()
}

async fn images() -> [Image; 2] {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path().join("registry")).unwrap();
    for n in 0..60_u16 {
        let mut transaction = store.begin().await.unwrap();
        for part in 0..10_u16 {
            transaction.set(
                &[n.to_be_bytes(), part.to_be_bytes()].concat(),
                &vec![n.to_be_bytes()[1]; usize::from(n * part)],
            );
        }
        transaction.add(b"total", 1);
        transaction.commit().await.unwrap();
    }
    let image = |files, (content, version)| Image {
        files,
        content,
        version,
    };
    // Nothing is being written: the bytes are those that a kill would leave.
    let killed = image(files(folder.path()), content(&*store).await.unwrap());
    let log = killed
        .files
        .iter()
        .find(|(name, _)| name == Path::new("registry.log.0"));
    let (_, log) = log.expect("a store that was killed has a log");
    assert!(log.iter().any(|byte| *byte != 0), "nothing is in the log");
    let last = content(&*store).await.unwrap();
    drop(store);
    [image(files(folder.path()), last), killed]
}

#[derive(Clone, Debug)]
enum Damage {
    Cut(Index),
    Zero(Index, usize),
    Flip(Index, u8),
    Write(Index, Vec<u8>),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>, header: bool) {
        // The header is small, and all the rest depends on it.
        let length = if header { 320 } else { bytes.len() }.min(bytes.len());
        let place = |at: &Index| if length == 0 { 0 } else { at.index(length) };
        match self {
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Zero(at, many) => bytes
                .iter_mut()
                .skip(place(at))
                .take(*many)
                .for_each(|byte| *byte = 0),
            Self::Flip(at, bit) => bytes
                .iter_mut()
                .skip(place(at))
                .take(1)
                .for_each(|byte| *byte ^= 1 << (bit % 8)),
            Self::Write(at, written) => {
                for (byte, written) in bytes.iter_mut().skip(place(at)).zip(written) {
                    *byte = *written;
                }
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<Index>().prop_map(Damage::Cut),
        (any::<Index>(), 1_usize..10_000).prop_map(|(at, many)| Damage::Zero(at, many)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (any::<Index>(), vec(any::<u8>(), 1..600)).prop_map(|(at, bytes)| Damage::Write(at, bytes)),
    ]
}

/// Opens the image with damage to the file of that name, if it has one.
fn survives(
    image: &Image,
    damaged: &str,
    damages: &[Damage],
    header: bool,
) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("registry");
    for (name, bytes) in &image.files {
        let mut bytes = bytes.clone();
        if name == Path::new(damaged) {
            for damage in damages {
                damage.apply(&mut bytes, header);
            }
        }
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let opened = catch_unwind(AssertUnwindSafe(|| EmbeddedStore::open(&place)));
    let Ok(opened) = opened else {
        return Err(TestCaseError::fail("opening it panicked"));
    };
    match opened {
        Ok(store) => {
            let store: Arc<dyn Store> = store;
            let (found, version) = runtime().block_on(content(&*store)).unwrap();
            prop_assert_eq!(
                version,
                image.version,
                "opened with less than was acknowledged"
            );
            prop_assert!(
                found == image.content,
                "opened with other than was acknowledged"
            );
        }
        Err(refused) => {
            let text = refused.to_string();
            prop_assert!(
                text.contains(place.to_str().unwrap()),
                "which file: {}",
                text
            );
            prop_assert!(
                ["backup", "older database library"]
                    .iter()
                    .any(|what| text.contains(what)),
                "what to do: {}",
                text
            );
        }
    }
    Ok(())
}

#[test]
fn an_image_without_damage_is_opened() {
    for image in &*IMAGES {
        survives(image, "registry", &[], false).unwrap();
        assert!(image.content.len() > 500);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_whole_or_refused(
        killed: bool,
        header in prop::bool::weighted(0.3),
        damages in vec(damage(), 1..3),
    ) {
        survives(&IMAGES[usize::from(killed)], "registry", &damages, header)?;
    }

    #[test]
    fn a_damaged_log_is_whole_or_refused(
        header in prop::bool::weighted(0.1),
        damages in vec(damage(), 1..3),
    ) {
        survives(&IMAGES[1], "registry.log.0", &damages, header)?;
    }
}
