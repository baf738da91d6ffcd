//! A certificate authority for one machine: two files that stay, and certificates that it gives in memory.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use coditect_core::{Error, Result};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime, pem::PemObject,
    },
    sign::CertifiedKey,
};

/// How long an authority lasts: whoever trusted it does not do so again each year, and one that was forgotten ends.
const LASTS: SignedDuration = SignedDuration::from_hours(5 * 365 * 24);
/// How long a certificate lasts. Far below what browsers bear (398 days): it is given anew with every start, and daily.
const LEAF_LASTS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The first line of the key's file says when the authority ends: who looks at a chain looks at its certificates alone.
const UNTIL: &str = "until ";
/// How far clocks may differ.
const SKEW: SignedDuration = SignedDuration::from_hours(1);

/// Signs certificates for the names of one installation, and could not for any other: whoever gets hold of its key
/// cannot pass for anybody else before those who trust it (RFC 5280 section 4.2.1.10).
pub(super) struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    /// Where the certificate is.
    pub(super) file: PathBuf,
    /// Whether nobody can have trusted it yet.
    pub(super) is_new: bool,
}

impl Authority {
    /// The authority that is kept in `folder`, if it can vouch for all of `names` (`name`, `*.name` or an address) as
    /// long as a certificate given `now` lasts; otherwise a new one in its place.
    ///
    /// # Errors
    /// `Unavailable` if its files can be neither read nor written.
    pub(super) fn open(folder: &Path, names: &[String], now: Timestamp) -> Result<Self> {
        let (file, key_file) = (folder.join("authority.pem"), folder.join("authority.key"));
        let (certificate, key) = (read(&file)?, read(&key_file)?);
        if let (Some(certificate), Some(key)) = (certificate, key) {
            match Self::kept(&certificate, &key, file.clone(), now)
                .and_then(|kept| kept.certify(names, now).map(|_| kept))
            {
                Ok(kept) => return Ok(kept),
                Err(error) => {
                    tracing::warn!(
                        reason = error.chain(),
                        "the certificate authority is replaced"
                    );
                }
            }
        }
        let (new, certificate) = Self::new(names, file, now)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| failed("made", folder, error))?;
        // The key first: a certificate without its key would be trusted for nothing.
        let until = now + LASTS;
        write(
            &key_file,
            &format!("{UNTIL}{until}\n{}", new.issuer.key().serialize_pem()),
        )?;
        write(&new.file, &certificate)?;
        Ok(new)
    }

    fn kept(certificate: &str, key: &str, file: PathBuf, now: Timestamp) -> Result<Self> {
        let (until, key) = key.split_once('\n').unwrap_or_default();
        let until: Option<Timestamp> = until
            .strip_prefix(UNTIL)
            .and_then(|until| until.parse().ok());
        if until.is_none_or(|until| until < now + LEAF_LASTS) {
            return Err(broken("it ends"));
        }
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|error| broken("its certificate is none").because(error))?;
        let key =
            KeyPair::from_pem(key).map_err(|error| broken("its key is none").because(error))?;
        Ok(Self {
            certificate,
            issuer: Issuer::new(subject(&key), key),
            file,
            is_new: false,
        })
    }

    /// One that vouches for these names alone, and its certificate as PEM.
    fn new(names: &[String], file: PathBuf, now: Timestamp) -> Result<(Self, String)> {
        let key = KeyPair::generate().map_err(unmade)?;
        let mut params = subject(&key);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        lasts(&mut params, now, LASTS);
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: names.iter().map(|name| subtree(name)).collect(),
            excluded_subtrees: Vec::new(),
        });
        let certificate = params.self_signed(&key).map_err(unmade)?;
        let new = Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            file,
            is_new: true,
        };
        Ok((new, certificate.pem()))
    }

    /// A certificate for these names, and its key, which no file ever holds.
    ///
    /// # Errors
    /// `Unavailable` if nobody who trusts this authority would take it, now or until it ends.
    pub(super) fn certify(&self, names: &[String], now: Timestamp) -> Result<CertifiedKey> {
        let key = KeyPair::generate().map_err(unmade)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(unmade)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "coditect dev");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        lasts(&mut params, now, LEAF_LASTS);
        let certificate = params.signed_by(&key, &self.issuer).map_err(unmade)?;
        let certificate = certificate.der().clone();
        for at in [now, now + LEAF_LASTS - SKEW] {
            for name in names {
                self.vouches(&certificate, name, at)?;
            }
        }
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = ring::sign::any_supported_type(&key)
            .map_err(|error| broken("a key cannot be used").because(error))?;
        Ok(CertifiedKey::new(vec![certificate], key))
    }

    /// Looks at a certificate as a browser does that trusts this authority alone.
    fn vouches(&self, certificate: &CertificateDer<'_>, name: &str, at: Timestamp) -> Result<()> {
        let refused = |error: rustls::Error| {
            broken(&format!("it does not vouch for {name} at {at}")).because(error)
        };
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(refused)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::new(ring::default_provider()),
        )
        .build()
        .map_err(|error| broken("its certificate cannot be used").because(error))?;
        let asked = name.replacen('*', "any", 1);
        let server = ServerName::try_from(asked)
            .map_err(|error| Error::invalid("tls", format!("{name} is no name")).because(error))?;
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        verifier
            .verify_server_cert(certificate, &[], &server, &[], at)
            .map_err(refused)?;
        Ok(())
    }
}

/// What an authority of this key is called. The key's own words are in it, so that of two with one name none is taken
/// for the other, and so that it is known again from the key alone.
fn subject(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let id: String = params
        .key_identifier(key)
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(
        DnType::CommonName,
        format!("coditect dev {id}, this machine only"),
    );
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// The names at and below this one.
fn subtree(name: &str) -> GeneralSubtree {
    match name.parse::<IpAddr>() {
        Ok(address) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
            address,
            if address.is_ipv4() { 32 } else { 128 },
        )),
        Err(_) => GeneralSubtree::DnsName(name.trim_start_matches("*.").to_owned()),
    }
}

/// From now on, for this long.
fn lasts(params: &mut CertificateParams, now: Timestamp, long: SignedDuration) {
    let seconds = |at: Timestamp| Duration::from_secs(at.as_second().try_into().unwrap_or(0));
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + seconds(now - SKEW);
    params.not_after = epoch + seconds(now + long);
}

fn unmade(error: rcgen::Error) -> Error {
    Error::internal("a certificate cannot be made").because(error)
}

fn broken(why: &str) -> Error {
    Error::unavailable(format!("the certificate authority: {why}"))
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("{} cannot be {what}", path.display())).because(error)
}

fn read(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, error)),
    }
}

/// Whole or not at all, and for its owner alone.
fn write(path: &Path, text: &str) -> Result<()> {
    let half = path.with_extension("half");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&half)
        .and_then(|mut open| open.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&half, path));
    written.map_err(|error| failed("written", path, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap()
    }

    #[test]
    fn an_authority_is_kept_for_as_long_as_it_can_vouch_for_what_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("tls");
        let all = names(&["app.test", "*.ws.test", "127.0.0.1", "::1"]);
        let open = |names: &[String], day| Authority::open(&folder, names, at(day)).unwrap();
        let first = open(&all, 0);
        assert!(first.is_new);
        for name in ["authority.pem", "authority.key"] {
            let mode = fs::metadata(folder.join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            2,
            "and nothing else"
        );
        let again = open(&all, 1_000);
        assert!(!again.is_new);
        assert_eq!(again.certificate, first.certificate);
        assert!(!open(&names(&["app.test"]), 0).is_new, "for some of them");
        // A certificate would outlive it.
        assert!(open(&all, 5 * 365 - 10).is_new);
        let (last, others) = (5 * 365 - 10, names(&["other.test"]));
        assert!(open(&others, last).is_new);
        assert!(!open(&others, last).is_new);
    }

    #[test]
    fn files_that_do_not_belong_together_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let all = names(&["app.test"]);
        let is_new = || Authority::open(folder.path(), &all, at(0)).unwrap().is_new;
        assert!(is_new());
        for name in ["authority.pem", "authority.key"] {
            let file = folder.path().join(name);
            let kept = fs::read(&file).unwrap();
            fs::write(&file, &kept[..kept.len() / 2]).unwrap();
            assert!(is_new(), "half of {name}");
            fs::write(&file, &kept).unwrap();
            assert!(is_new(), "another {name}");
            fs::remove_file(&file).unwrap();
            assert!(is_new(), "no {name}");
        }
        assert!(!is_new());
    }

    #[test]
    fn its_key_is_worth_nothing_for_other_names_later_or_before_other_authorities() {
        let folder = tempfile::tempdir().unwrap();
        let ours = names(&["app.test", "*.ws.test", "127.0.0.1"]);
        let authority = Authority::open(folder.path(), &ours, at(0)).unwrap();
        for name in ["bank.example", "test", "notapp.test", "127.0.0.2", "::1"] {
            assert!(authority.certify(&names(&[name]), at(0)).is_err(), "{name}");
        }
        let given = authority.certify(&ours, at(0)).unwrap();
        let [certificate] = &given.cert[..] else {
            panic!("one certificate");
        };
        let vouches = |name, day| authority.vouches(certificate, name, at(day)).is_ok();
        for name in ["app.test", "calm-lake-2abcd.ws.test", "127.0.0.1"] {
            assert!(vouches(name, 0) && vouches(name, 29), "{name}");
            assert!(!vouches(name, 31) && !vouches(name, -1), "{name}");
        }
        for name in ["ws.test", "a.b.ws.test", "localhost"] {
            assert!(!vouches(name, 0), "{name}");
        }
        let other = tempfile::tempdir().unwrap();
        let other = Authority::open(other.path(), &ours, at(0)).unwrap();
        assert!(other.vouches(certificate, "app.test", at(0)).is_err());
    }
}
