//! Keeps credentials in addresses out of logs and health.

/// `text` without the user and password of `url`, wherever they occur in it.
pub(super) fn redact(text: &str, url: &str) -> String {
    let Some(user_info) = user_info(url) else {
        return text.to_owned();
    };
    let mut text = text.replace(user_info, "***");
    // Git itself shows addresses without the password; a server may quote it alone.
    for part in user_info.split(':').filter(|part| part.len() > 3) {
        text = text.replace(part, "***");
    }
    text
}

/// An address without its user and password, for people to read.
#[must_use]
pub fn redacted(url: &str) -> String {
    redact(url, url)
}

/// What stands before the `@` of an address with a scheme (RFC 3986 section 3.2.1).
fn user_info(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority
        .rsplit_once('@')
        .map(|(user_info, _)| user_info)
        .filter(|user_info| !user_info.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_vanish_from_what_is_said() {
        let url = "https://robot:s3cret-t0ken@git.example/cell.git";
        let said = "fatal: unable to access 'https://robot:s3cret-t0ken@git.example/cell.git/': 403\nremote: token s3cret-t0ken expired";
        let shown = redact(said, url);
        assert!(
            !shown.contains("s3cret") && shown.contains("git.example") && shown.contains("expired"),
            "{shown}"
        );
    }

    #[test]
    fn addresses_without_credentials_stay_as_they_are() {
        for url in [
            "/srv/mirror.git",
            "git@git.example:cell.git",
            "https://git.example/a@b.git",
            "file:///srv/mirror.git",
        ] {
            assert_eq!(
                redact(&format!("cannot reach {url}"), url),
                format!("cannot reach {url}")
            );
        }
    }
}
