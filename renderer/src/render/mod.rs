//! From an intent to the bytes of the user's file: pure, checked, and fast because users of one shape
//! differ in their names only.

mod cache;
mod context;
mod cut;
pub(crate) mod encode;
mod intent;
mod probe;
mod quantity;

use std::sync::Arc;

use coditect_core::{Error, ReleaseName, Result, RingName, UserIntent};
use git2::{ObjectType, Oid};
use sha2::{Digest, Sha256};

pub use self::intent::{intent_of, parse_intent, ring_of};
use self::{cache::Cache, cut::Sentinels};
pub(crate) use self::{context::Identity, cut::Cut};
use crate::{
    check,
    policy::Policy,
    release::{Release, Releases, template_error},
    resolve::{Resolved, Shape, resolve, resolve_shape},
};

/// A user's file as it should be.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Its path in the cell's repository.
    pub path: String,
    /// Its contents: every document of the user, in a fixed order.
    pub bytes: Vec<u8>,
    /// The template release that rendered it.
    pub release: ReleaseName,
    /// SHA-256, in hexadecimal digits, over all that the bytes depend on: the intent, what policy makes
    /// of it, templates and engine.
    pub input_hash: String,
}

impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            path,
            bytes,
            release,
            input_hash,
        } = self;
        write!(
            f,
            "Rendered({path}, {} bytes, release {release}, input {input_hash})",
            bytes.len()
        )
    }
}

/// Renders intents under one policy and one set of template releases. Cheap to share between threads.
pub struct Renderer {
    policy: Arc<Policy>,
    releases: Arc<Releases>,
    cache: Cache,
}

/// The first line of every file.
const HEADER: &str = "# Written by coditect from the registry and the policy. What is edited here is written over.\n";

impl Renderer {
    /// A renderer for this policy and these releases.
    #[must_use]
    pub fn new(policy: Arc<Policy>, releases: Arc<Releases>) -> Self {
        Self {
            policy,
            releases,
            cache: Cache::default(),
        }
    }

    /// The policy that it renders with.
    #[must_use]
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The template releases that it renders with.
    #[must_use]
    pub const fn releases(&self) -> &Arc<Releases> {
        &self.releases
    }

    /// What policy makes of an intent.
    ///
    /// # Errors
    /// As [`resolve`].
    pub fn resolve<'a>(&'a self, intent: &'a UserIntent) -> Result<Resolved<'a>> {
        resolve(intent, &self.policy, &self.releases)
    }

    /// The user's file. Users of a shape seen before cost a few copies of memory; the first of a shape
    /// is rendered from the templates and checked.
    ///
    /// # Errors
    /// As [`resolve`]; `Invalid` naming template and line, or object and field, if the release cannot
    /// render this shape.
    pub fn render(&self, intent: &UserIntent) -> Result<Rendered> {
        self.render_from(intent, None)
    }

    /// The user's file in the place of `stands`, which Git has: whoever came into a ring that runs an older release than
    /// theirs keeps what they have, as [`Policy::ring_after`] says. Rendered over itself it is the same again.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    pub fn render_over(&self, intent: &UserIntent, stands: &[u8]) -> Result<Rendered> {
        // Nobody can be taken a step back, and the file need not be read.
        let stood = match self.policy.has_one_release() {
            true => None,
            false => ring_of(stands),
        };
        self.render_from(intent, stood.as_ref())
    }

    /// As [`Renderer::render_over`], where `stands` is the Git id of the user's file, if there is one; it is read only if
    /// it may matter.
    ///
    /// # Errors
    /// As [`Renderer::render`], and what `read` says.
    pub(crate) fn render_over_blob(
        &self,
        intent: &UserIntent,
        stands: Option<Oid>,
        read: impl FnOnce(Oid) -> Result<Vec<u8>>,
    ) -> Result<Rendered> {
        // Whoever keeps another ring's release does not need their own ring's to render them.
        let rendered = self.render(intent);
        let Some(stands) = stands.filter(|_| !self.policy.has_one_release()) else {
            return rendered;
        };
        let unchanged = rendered.as_ref().is_ok_and(|rendered| {
            Oid::hash_object(ObjectType::Blob, &rendered.bytes).is_ok_and(|oid| oid == stands)
        });
        if unchanged {
            return rendered;
        }
        self.render_over(intent, &read(stands)?)
    }

    fn render_from(&self, intent: &UserIntent, stood: Option<&RingName>) -> Result<Rendered> {
        let (shape, release) = resolve_shape(intent, stood, &self.policy, &self.releases)?;
        let reviewed = self
            .policy
            .orgs()
            .contains_key(&intent.tenant)
            .then_some(intent.tenant);
        let cut = self
            .cache
            .get_or_make(&shape, reviewed, || cut(&shape, release))?;
        let identity = Identity::of(intent)?;
        Ok(Rendered {
            path: intent.path(),
            bytes: cut.splice(&identity),
            release: release.name().clone(),
            input_hash: input_hash(cut.digest(), &identity),
        })
    }

    /// The same as [`Renderer::render`] straight from the templates, checked, with nothing remembered:
    /// the reference that the fast way is compared with.
    ///
    /// # Errors
    /// As [`Renderer::render`].
    pub fn render_direct(&self, intent: &UserIntent) -> Result<Rendered> {
        let (shape, release) = resolve_shape(intent, None, &self.policy, &self.releases)?;
        let identity = Identity::of(intent)?;
        let file = expand(&shape, release, &identity)?;
        file.check(&intent.user.namespace())?;
        Ok(Rendered {
            path: intent.path(),
            bytes: file.text.into_bytes(),
            release: release.name().clone(),
            input_hash: input_hash(&shape.digest()?, &identity),
        })
    }
}

/// A rendered file and which template each part of it came from.
struct Expansion<'r> {
    text: String,
    /// A template and where its part ends.
    parts: Vec<(&'r str, usize)>,
}

/// The documents of a shape with these names in them.
fn expand<'r>(
    shape: &Shape<'_>,
    release: &'r Release,
    identity: &Identity,
) -> Result<Expansion<'r>> {
    let context = context::Context::new(shape, identity);
    let mut file = Expansion {
        text: String::from(HEADER),
        parts: Vec::new(),
    };
    let mut add = |template: &'r str, context: minijinja::Value| -> Result<()> {
        let engine = release.templates();
        let rendered = engine
            .get_template(template)
            .and_then(|found| found.render(context));
        file.text
            .push_str(&rendered.map_err(|error| template_error(&error, template))?);
        if !file.text.ends_with('\n') {
            file.text.push('\n');
        }
        file.parts.push((template, file.text.len()));
        Ok(())
    };
    for template in release.per_user() {
        add(template, context.for_user())?;
    }
    for index in 0..shape.workspaces.len() {
        for template in release.per_workspace() {
            add(template, context.for_workspace(index))?;
        }
    }
    Ok(file)
}

impl Expansion<'_> {
    /// Checks the file; an error names the template of the part that has it.
    fn check(&self, namespace: &str) -> Result<()> {
        let Err(error) = check::check(&self.text, namespace) else {
            return Ok(());
        };
        let mut from = 0;
        for (template, end) in &self.parts {
            if let Err(error) = check::objects(&self.text[from..*end], namespace) {
                return Err(Error::invalid(format!("{template}:"), error.to_string()));
            }
            from = *end;
        }
        Err(error)
    }
}

/// Renders a shape with stand-ins for the names, checks it, and cuts it at them. A second set of
/// stand-ins proves that the templates only print names and compute nothing from them.
pub(crate) fn cut(shape: &Shape<'_>, release: &Release) -> Result<Cut> {
    let first = Sentinels::first(shape.workspaces.len());
    let file = expand(shape, release, first.identity())?;
    file.check(&first.namespace())
        .map_err(|error| first.unnamed(&error))?;
    let cut = Cut::new(&file.text, &first, shape.digest()?);
    let second = Sentinels::second(shape.workspaces.len());
    if cut.splice(second.identity()) != expand(shape, release, second.identity())?.text.as_bytes() {
        let what = "computes with a user's or workspace's names; it may only print them";
        return Err(Error::invalid(
            format!("templates/{}", release.name()),
            what,
        ));
    }
    Ok(cut)
}

pub(crate) fn input_hash(shape: &[u8; 32], identity: &Identity) -> String {
    let digest = Sha256::new_with_prefix(shape)
        .chain_update(identity.intent.as_bytes())
        .finalize();
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    digest
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .map(char::from)
        .collect()
}
