//! What each request is answered.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    process::Command,
};

use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::{COMMENT_LIMIT, Comment, Pull, Reply, State};

const REPOSITORY: &str = "/repos/acme/policy";

impl State {
    pub(super) fn answer(&mut self, head: &Parts, body: &[u8]) -> Reply {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        // GitHub refuses whoever does not say who they are.
        if header("user-agent").is_none() {
            return Reply::refusal(403, "Request forbidden by administrative rules", None);
        }
        assert_eq!(header("accept"), Some("application/vnd.github+json"));
        assert_eq!(header("x-github-api-version"), Some("2022-11-28"));
        let token = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.tokens.iter().any(|known| known == token)) {
            let said = format!("Bad credentials: {}", token.unwrap_or_default());
            return Reply::refusal(401, &said, None);
        }
        self.follow_branches();
        let path = head.uri.path();
        let query = Query(head.uri.query().unwrap_or_default());
        let Some(path) = path.strip_prefix("/api/v3") else {
            return Reply::refusal(404, "Not Found", None);
        };
        if path == "/user" {
            return match self.app {
                true => Reply::refusal(403, "Resource not accessible by integration", None),
                false => Reply::json(
                    200,
                    &json!({ "id": 1, "type": "User", "login": "coditect" }),
                ),
            };
        }
        let Some(path) = path.strip_prefix(REPOSITORY) else {
            return Reply::refusal(404, "Not Found", None);
        };
        let words: Vec<&str> = path.split('/').skip(1).collect();
        let body = || serde_json::from_slice::<Value>(body).unwrap();
        let number = |text: &str| text.parse::<u64>().unwrap();
        match (head.method.as_str(), words.as_slice()) {
            ("GET", ["pulls"]) => self.list(&query, header("if-none-match")),
            ("POST", ["pulls"]) => self.open(&body()),
            ("PATCH", ["pulls", at]) => self.change(number(at), &body()),
            ("GET", ["issues", at, "comments"]) => self.comments(number(at), &query),
            ("POST", ["issues", at, "comments"]) => self.say(number(at), &body()),
            ("PATCH", ["issues", "comments", id]) => self.edit(number(id), &body()),
            ("DELETE", ["issues", "comments", id]) => match self.comments.remove(&number(id)) {
                Some(_) => Reply {
                    status: 204,
                    headers: Vec::new(),
                    body: String::new(),
                },
                None => Reply::refusal(404, "Not Found", None),
            },
            _ => Reply::refusal(404, "Not Found", None),
        }
    }

    /// A branch that went closes its pull request; one that arrived in the base merges it.
    fn follow_branches(&mut self) {
        let repository = self.repository.clone();
        for pull in &mut self.pulls {
            if !pull.open || pull.from != Some(1) {
                continue;
            }
            match tip(&repository, &pull.head) {
                Some(at) => pull.at = at,
                None => pull.open = false,
            }
            let base = tip(&repository, &pull.base).unwrap();
            if git(
                &repository,
                &["merge-base", "--is-ancestor", &pull.at, &base],
            )
            .is_some()
            {
                (pull.open, pull.merged) = (false, Some(base));
            }
        }
    }

    fn list(&self, query: &Query<'_>, known: Option<&str>) -> Reply {
        let mut found: Vec<&Pull> = self.pulls.iter().rev().collect();
        match query.get("state").unwrap_or("open") {
            "open" => found.retain(|pull| pull.open),
            "all" => {}
            state => panic!("{state}"),
        }
        if let Some(head) = query.get("head") {
            let (owner, branch) = head.split_once(':').unwrap();
            assert_eq!(owner, "acme");
            found.retain(|pull| pull.from == Some(1) && pull.head == branch);
        }
        let all = found.into_iter().map(shown).collect();
        paged(query, all, known)
    }

    fn open(&mut self, body: &Value) -> Reply {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        let (head, base) = (text("head"), text("base"));
        let field = |field| json!({ "resource": "PullRequest", "field": field, "code": "invalid" });
        let invalid = |reason| Reply::refusal(422, "Validation Failed", Some(reason));
        let (Some(at), Some(onto)) = (tip(&self.repository, &head), tip(&self.repository, &base))
        else {
            return invalid(field("head"));
        };
        if git(
            &self.repository,
            &["merge-base", "--is-ancestor", &at, &onto],
        )
        .is_some()
        {
            return invalid(json!({ "message": format!("No commits between {base} and {head}") }));
        }
        let same = |pull: &&Pull| pull.open && pull.from == Some(1) && pull.head == head;
        if self.pulls.iter().any(|pull| same(&pull)) {
            let message = format!("A pull request already exists for acme:{head}.");
            return invalid(json!({ "message": message }));
        }
        assert!(text("title").len() <= 256 && !text("title").contains('\n'));
        assert!(text("body").len() <= COMMENT_LIMIT);
        let pull = Pull {
            number: self.number(),
            head,
            from: Some(1),
            base,
            title: text("title"),
            text: text("body"),
            open: true,
            merged: None,
            at,
        };
        let reply = Reply::json(201, &shown(&pull));
        self.pulls.push(pull);
        reply
    }

    fn change(&mut self, number: u64, body: &Value) -> Reply {
        let Some(pull) = self.pulls.iter_mut().find(|pull| pull.number == number) else {
            return Reply::refusal(404, "Not Found", None);
        };
        assert_eq!(body, &json!({ "state": "closed" }));
        pull.open = false;
        Reply::json(200, &shown(pull))
    }

    fn comments(&self, number: u64, query: &Query<'_>) -> Reply {
        let of_pull = self.comments.iter().filter(|(_, it)| it.pull == number);
        let all = of_pull.map(|(id, comment)| self.told(*id, comment));
        paged(query, all.collect(), None)
    }

    fn say(&mut self, pull: u64, body: &Value) -> Reply {
        let text = body["body"].as_str().unwrap().to_owned();
        if text.chars().count() > COMMENT_LIMIT {
            return Reply::refusal(422, "Validation Failed", None);
        }
        if !self.pulls.iter().any(|known| known.number == pull) {
            return Reply::refusal(404, "Not Found", None);
        }
        let comment = Comment {
            pull,
            by: 1,
            text,
            edits: 0,
        };
        let id = self.number();
        let reply = Reply::json(201, &self.told(id, &comment));
        self.comments.insert(id, comment);
        reply
    }

    fn edit(&mut self, id: u64, body: &Value) -> Reply {
        let Some(mut comment) = self.comments.remove(&id) else {
            return Reply::refusal(404, "Not Found", None);
        };
        assert_eq!(comment.by, 1, "somebody else's comment");
        let text = body["body"].as_str().unwrap();
        assert!(text.chars().count() <= COMMENT_LIMIT);
        text.clone_into(&mut comment.text);
        comment.edits += 1;
        let reply = Reply::json(200, &self.told(id, &comment));
        self.comments.insert(id, comment);
        reply
    }

    fn told(&self, id: u64, comment: &Comment) -> Value {
        let kind = if self.app && comment.by == 1 {
            "Bot"
        } else {
            "User"
        };
        json!({ "id": id, "body": comment.text, "user": { "id": comment.by, "type": kind } })
    }

    pub(crate) const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

struct Query<'a>(&'a str);

impl Query<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

fn paged(query: &Query<'_>, all: Vec<Value>, known: Option<&str>) -> Reply {
    let number = |name, without| {
        query
            .get(name)
            .map_or(without, |text| text.parse().unwrap())
    };
    let (each, page): (usize, usize) = (number("per_page", 30), number("page", 1));
    assert!(each <= 100, "GitHub gives no more");
    let more = all.len() > page * each;
    let items: Vec<Value> = all.into_iter().skip((page - 1) * each).take(each).collect();
    let mut reply = Reply::json(200, &json!(items));
    let mut hasher = DefaultHasher::new();
    (&reply.body, more).hash(&mut hasher);
    let etag = format!("W/\"{:x}\"", hasher.finish());
    if known == Some(etag.as_str()) {
        (reply.status, reply.body) = (304, String::new());
    } else if more {
        let next = format!(
            "<http://github.example/?page={}>; rel=\"next\", <http://github.example/?page=9>; rel=\"last\"",
            page + 1
        );
        reply.headers.push(("link", next));
    }
    reply.headers.push(("etag", etag));
    reply
}

fn shown(pull: &Pull) -> Value {
    json!({
        "number": pull.number,
        "html_url": format!("https://github.example/acme/policy/pull/{}", pull.number),
        "state": if pull.open { "open" } else { "closed" },
        "merged_at": pull.merged.as_ref().map(|_| "2026-01-01T00:00:00Z"),
        // Of an open one it is a commit that only tries the merge.
        "merge_commit_sha": pull.merged.clone().unwrap_or_else(|| "0".repeat(40)),
        "head": { "ref": pull.head, "repo": pull.from.map(|id| json!({ "id": id })) },
        "base": { "ref": pull.base, "repo": { "id": 1 } },
        "title": pull.title,
        "body": pull.text,
    })
}

pub(crate) fn tip(repository: &Path, branch: &str) -> Option<String> {
    let name = format!("refs/heads/{branch}");
    git(repository, &["rev-parse", "--verify", "--quiet", &name])
}

/// What git says; none if it fails.
fn git(repository: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(arguments);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| said.trim().to_owned())
}
