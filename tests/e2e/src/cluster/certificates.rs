//! Who is who at the API server: a certificate authority, and a kubeconfig for each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use serde_json::{Value, json};

use crate::Result;

/// The authority that the API server trusts, in a folder with everything that it signed.
pub(super) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
    server: String,
}

impl Authority {
    /// Makes one for an API server at a port, with the server's own certificate (`server.crt`, `server.key`) and the
    /// key of ServiceAccounts' tokens (`accounts.pub`, `accounts.key`).
    pub(super) fn new(folder: &Path, port: u16) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params
            .distinguished_name
            .push(DnType::CommonName, "coditect-e2e");
        let authority = Self {
            folder: folder.to_owned(),
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
            server: format!("https://127.0.0.1:{port}"),
        };
        fs::write(authority.file("ca.crt"), authority.issuer.pem())?;

        let names = [
            "127.0.0.1",
            "10.96.0.1",
            "localhost",
            "kubernetes.default.svc",
        ];
        let names: Vec<String> = names.map(str::to_owned).into();
        let (certificate, key) = authority.sign(
            CertificateParams::new(names)?,
            "kube-apiserver",
            None,
            ExtendedKeyUsagePurpose::ServerAuth,
        )?;
        fs::write(authority.file("server.crt"), certificate)?;
        fs::write(authority.file("server.key"), key)?;
        let accounts = KeyPair::generate()?;
        fs::write(authority.file("accounts.key"), accounts.serialize_pem())?;
        fs::write(authority.file("accounts.pub"), accounts.public_key_pem())?;
        Ok(authority)
    }

    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The kubeconfig of a user with a client certificate.
    pub(super) fn user(&self, name: &str, group: Option<&str>) -> Result<PathBuf> {
        let (certificate, key) = self.sign(
            CertificateParams::default(),
            name,
            group,
            ExtendedKeyUsagePurpose::ClientAuth,
        )?;
        let stem = name.replace(':', "-");
        let (certificate_file, key_file) = (
            self.file(&format!("{stem}.crt")),
            self.file(&format!("{stem}.key")),
        );
        fs::write(&certificate_file, certificate)?;
        fs::write(&key_file, key)?;
        let identity = json!({
            "client-certificate": certificate_file,
            "client-key": key_file,
        });
        self.kubeconfig(&stem, &identity, "default")
    }

    /// The kubeconfig of whoever has a token.
    pub(super) fn bearer(&self, stem: &str, token: &str, namespace: &str) -> Result<PathBuf> {
        self.kubeconfig(stem, &json!({"token": token}), namespace)
    }

    /// JSON is YAML, and programs read it as such.
    fn kubeconfig(&self, stem: &str, identity: &Value, namespace: &str) -> Result<PathBuf> {
        let file = self.file(&format!("{stem}.kubeconfig"));
        let cluster = json!({
            "server": self.server,
            "certificate-authority": self.file("ca.crt"),
        });
        let context = json!({"cluster": "e2e", "user": stem, "namespace": namespace});
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "e2e", "cluster": cluster}],
            "users": [{"name": stem, "user": identity}],
            "contexts": [{"name": "e2e", "context": context}],
            "current-context": "e2e",
        });
        fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        Ok(file)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        name: &str,
        group: Option<&str>,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<(String, String)> {
        let subject = &mut params.distinguished_name;
        subject.push(DnType::CommonName, name);
        if let Some(group) = group {
            subject.push(DnType::OrganizationName, group);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}
