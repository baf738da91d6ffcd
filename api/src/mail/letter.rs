//! What letters say. Each is written here and nowhere else.
//!
//! Nothing stands in a letter that a stranger chose: whoever signs somebody else's address up must not be able to write
//! to them in our name.

use coditect_core::Email;

/// A letter to one person. A `code` is shown once by whoever follows the link; it stands behind the `#` of the link's
/// address, which browsers keep to themselves, so that no server and no log ever sees it.
#[derive(Clone, Debug)]
pub(crate) enum Letter {
    /// To an address that somebody signed up with: proves it is theirs.
    ProveAddress { code: String },
    /// To an address that somebody signed up with, and that has an account.
    HasAccount,
    /// To an address that an account is to move to: proves it is theirs.
    ProveNewAddress { code: String },
    /// To an address that an account is to move to, and that has one of its own.
    NewAddressTaken,
    /// To the address that an account had until now.
    AddressChanged,
    /// To somebody who forgot the password.
    ResetPassword { code: String },
    /// The password was replaced, by who knew it or by a letter.
    PasswordChanged,
    /// A second factor is asked for from now on.
    SecondFactorOn,
    /// No second factor is asked for any more.
    SecondFactorOff,
    /// Somebody signed in with a recovery code; `left` are left.
    RecoveryCodeUsed { left: usize },
    /// To somebody who is invited into a tenant.
    Invitation {
        /// Who invites: an address that was proved, not a name that somebody chose.
        from: Email,
        code: String,
    },
}

/// One piece of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Paragraph {
    Words(String),
    /// An address to go to.
    Link(String),
}

/// A letter as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) subject: &'static str,
    pub(crate) paragraphs: Vec<Paragraph>,
}

impl Letter {
    /// What it is for: addresses have a limit for each purpose, so that nobody can use up what another letter needs.
    pub(crate) const fn purpose(&self) -> Purpose {
        match self {
            Self::ProveAddress { .. } | Self::HasAccount => Purpose::SignUp,
            Self::ProveNewAddress { .. } | Self::NewAddressTaken => Purpose::NewAddress,
            Self::ResetPassword { .. } => Purpose::Reset,
            Self::Invitation { .. } => Purpose::Invitation,
            Self::AddressChanged
            | Self::PasswordChanged
            | Self::SecondFactorOn
            | Self::SecondFactorOff
            | Self::RecoveryCodeUsed { .. } => Purpose::Notice,
        }
    }

    /// The letter's text; `app` is the web app's origin.
    pub(crate) fn write(&self, app: &str) -> Written {
        let words = |text: &str| Paragraph::Words(text.to_owned());
        let link = |path: &str| Paragraph::Link(format!("{app}{path}"));
        let with_code =
            |path: &str, code: &str| Paragraph::Link(format!("{app}{path}#code={code}"));
        let not_you = || {
            words(
                "If that was not you, set a new password at once: it ends every sign-in but yours.",
            )
        };
        let (subject, mut paragraphs) = match self {
            Self::ProveAddress { code } => (
                "Confirm your address",
                vec![
                    words(
                        "Somebody signed up at Coditect with this address. If that was you, confirm it here:",
                    ),
                    with_code("/verify", code),
                    words(
                        "The link is good for 24 hours. If it was not you, do nothing: nothing exists until the address \
                         is confirmed, and the sign-up is forgotten.",
                    ),
                ],
            ),
            Self::HasAccount => (
                "You have an account already",
                vec![
                    words(
                        "Somebody signed up at Coditect with this address, which has an account. Sign in here:",
                    ),
                    link("/login"),
                    words("If you forgot the password:"),
                    link("/forgot"),
                    words("If it was not you, do nothing: nothing was changed."),
                ],
            ),
            Self::ProveNewAddress { code } => (
                "Confirm your new address",
                vec![
                    words(
                        "An account at Coditect is to move to this address. If you asked for that, confirm it here:",
                    ),
                    with_code("/verify", code),
                    words(
                        "The link is good for one hour. If it was not you, do nothing: the account stays where it is.",
                    ),
                ],
            ),
            Self::NewAddressTaken => (
                "This address has an account already",
                vec![
                    words(
                        "An account at Coditect was to move to this address, which has one of its own. Nothing was changed.",
                    ),
                    words(
                        "To use this address for the other account, delete the one that has it first:",
                    ),
                    link("/login"),
                ],
            ),
            Self::AddressChanged => (
                "Your address was changed",
                vec![
                    words(
                        "Your account at Coditect now has another e-mail address. Letters go there, and one signs in with it.",
                    ),
                    words(
                        "If that was not you, somebody else has your password: write to whoever runs this installation at once.",
                    ),
                ],
            ),
            Self::ResetPassword { code } => (
                "Set a new password",
                vec![
                    words(
                        "Somebody asked for a new password for your account at Coditect. If that was you, set it here:",
                    ),
                    with_code("/forgot", code),
                    words(
                        "The link is good for one hour and works once. If it was not you, do nothing: the password stays.",
                    ),
                ],
            ),
            Self::PasswordChanged => (
                "Your password was changed",
                vec![
                    words(
                        "The password of your account at Coditect was changed, and every other sign-in was ended.",
                    ),
                    not_you(),
                    link("/forgot"),
                ],
            ),
            Self::SecondFactorOn => (
                "A second factor was switched on",
                vec![
                    words(
                        "From now on, signing in to your account at Coditect asks for a code beside the password.",
                    ),
                    not_you(),
                    link("/forgot"),
                ],
            ),
            Self::SecondFactorOff => (
                "The second factor was switched off",
                vec![
                    words(
                        "Signing in to your account at Coditect asks for the password alone from now on.",
                    ),
                    not_you(),
                    link("/forgot"),
                ],
            ),
            Self::RecoveryCodeUsed { left } => (
                "A recovery code was used",
                vec![
                    words(&format!(
                        "Somebody signed in to your account at Coditect with a recovery code. Codes left: {left}."
                    )),
                    not_you(),
                    link("/forgot"),
                ],
            ),
            Self::Invitation { from, code } => (
                "You are invited",
                vec![
                    words(&format!(
                        "{from} invites you to work together at Coditect. See the invitation here:"
                    )),
                    with_code("/invitation", code),
                    words("If you do not know who that is, do nothing: the invitation expires."),
                ],
            ),
        };
        paragraphs.push(words(&format!("Coditect, {app}")));
        Written {
            subject,
            paragraphs,
        }
    }
}

/// What letters are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Purpose {
    SignUp,
    NewAddress,
    Reset,
    Invitation,
    /// Tells what a signed-in person did.
    Notice,
}

impl Purpose {
    /// For metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::NewAddress => "new_address",
            Self::Reset => "reset",
            Self::Invitation => "invitation",
            Self::Notice => "notice",
        }
    }
}

impl Written {
    /// As plain text.
    pub(crate) fn text(&self) -> String {
        let pieces = self.paragraphs.iter().map(|paragraph| match paragraph {
            Paragraph::Words(text) | Paragraph::Link(text) => text.as_str(),
        });
        let mut text = pieces.collect::<Vec<_>>().join("\n\n");
        text.push('\n');
        text
    }

    /// The paragraphs as HTML, without a page around them.
    pub(crate) fn paragraphs_as_html(&self) -> String {
        let piece = |paragraph: &Paragraph| match paragraph {
            Paragraph::Words(text) => format!("<p>{}</p>", escape(text)),
            Paragraph::Link(address) => {
                let address = escape(address);
                format!("<p><a href=\"{address}\">{address}</a></p>")
            }
        };
        self.paragraphs.iter().map(piece).collect()
    }

    /// As an HTML document.
    pub(crate) fn html(&self) -> String {
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head><body>{}</body></html>",
            escape(self.subject),
            self.paragraphs_as_html()
        )
    }
}

/// Text as HTML's characters (HTML, section 13.3).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_behind_the_number_sign_alone() {
        let code = || "s3cret".to_owned();
        let from = "ada@example.com".parse().unwrap();
        for letter in [
            Letter::ProveAddress { code: code() },
            Letter::ProveNewAddress { code: code() },
            Letter::ResetPassword { code: code() },
            Letter::Invitation { from, code: code() },
        ] {
            let text = letter.write("https://app.example").text();
            let (before, after) = text.split_once("#code=s3cret\n").unwrap();
            assert!(before.contains("https://app.example/"), "{text}");
            assert!(
                !before.contains("s3cret") && !after.contains("s3cret"),
                "{text}"
            );
            assert!(!before.contains('?'), "{text}");
        }
    }

    #[test]
    fn markup_is_text_in_html() {
        let written = Written {
            subject: "<b>",
            paragraphs: vec![
                Paragraph::Words("a & <script>".to_owned()),
                Paragraph::Link("https://a.example/\"onclick='x".to_owned()),
            ],
        };
        let html = written.html();
        assert!(
            !html.contains("<script>") && !html.contains("<b>"),
            "{html}"
        );
        assert!(html.contains("&quot;onclick=&#39;x\">"), "{html}");
        assert_eq!(
            written.text(),
            "a & <script>\n\nhttps://a.example/\"onclick='x\n"
        );
    }
}
