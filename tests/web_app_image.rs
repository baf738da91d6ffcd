//! The web app by nginx, as its image serves it: the same answers as the API's own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::{
    Client, Method, StatusCode,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING},
};

use support::{Process, World};

const TEMPLATE: &str = include_str!("../frontend/image/web-app.conf.template");
/// What a browser says when a person goes somewhere.
const NAVIGATION: &str = "text/html,application/xhtml+xml,*/*;q=0.8";
const PATIENCE: Duration = Duration::from_secs(10);
/// What both must say alike. `vary` is only said where there are two forms.
const HEADERS: [&str; 9] = [
    "content-type",
    "content-encoding",
    "cache-control",
    "content-security-policy",
    "cross-origin-opener-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
];

/// nginx, which ends with this.
struct Nginx {
    child: Child,
    url: String,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nginx {
    /// The template as the image fills it in, with a folder of the test's and an address of this machine.
    async fn start(folder: &Path, app: &Path, workspaces: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let server = TEMPLATE
            .replace("${CODITECT_WORKSPACES}", workspaces)
            .replace("listen 8080;", &format!("listen {address};"))
            .replace("root /app;", &format!("root {};", app.display()));
        assert!(!server.contains("${"), "everything is filled in");
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr crit;\nevents {{}}\nhttp {{ access_log off; \
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; \
             scgi_temp_path scgi;\n{server}\n}}"
        );
        let path = folder.join("nginx.conf");
        fs::write(&path, configuration).unwrap();
        let child = Command::new("nginx")
            .args([
                "-p".as_ref(),
                folder.as_os_str(),
                "-e".as_ref(),
                "stderr".as_ref(),
            ])
            .args(["-c".as_ref(), path.as_os_str()])
            .env("PATH", "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx, which `make tools` installs");
        let nginx = Self {
            child,
            url: format!("http://{address}"),
        };
        let deadline = Instant::now() + PATIENCE;
        while reqwest::get(format!("{}/healthz", nginx.url))
            .await
            .is_err()
        {
            assert!(Instant::now() < deadline, "nginx does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        nginx
    }
}

/// A built app of three files that are worth compressing or not, and one that is none of its own.
fn build(folder: &Path) {
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    fs::create_dir_all(folder.join("assets")).unwrap();
    fs::create_dir_all(folder.join(".vite")).unwrap();
    write(
        "index.html",
        &format!(
            "<!doctype html><title>App</title>{}",
            "<p>text</p>".repeat(100)
        ),
    );
    write("theme.js", &"let theme = 1;\n".repeat(100));
    write("icon.svg", &format!("<svg>{}</svg>", "<g/>".repeat(100)));
    write("assets/index-BqW2C8la.js", &"let a = 1;\n".repeat(100));
    write(
        "assets/index-BqW2C8la.css",
        &"a { color: red }\n".repeat(100),
    );
    write("assets/letters-Ab12.woff2", "not compressed");
    write(".vite/manifest.json", "{}");
}

/// Status, headers that matter, and the body if it is not compressed.
async fn answer(
    url: &str,
    method: Method,
    path: &str,
    accept: &str,
    encoding: &str,
) -> (StatusCode, Vec<String>, String) {
    let request = Client::new().request(method, format!("{url}{path}"));
    let request = request
        .header(ACCEPT, accept)
        .header(ACCEPT_ENCODING, encoding);
    let answer = request.send().await.unwrap();
    let shown = |name: &&str| {
        let value = answer.headers().get(*name);
        let value = value.map_or("", |value| value.to_str().unwrap());
        format!("{name}: {value}")
    };
    let headers = HEADERS.iter().map(shown).collect();
    let status = answer.status();
    let is_plain = !answer.headers().contains_key(CONTENT_ENCODING);
    let body = match is_plain {
        true => answer.text().await.unwrap(),
        false => String::new(),
    };
    (status, headers, body)
}

#[tokio::test]
async fn nginx_and_the_api_serve_the_same_app() {
    let world = World::new();
    let (app, folder) = (
        world.folder.path().join("app"),
        world.folder.path().join("nginx"),
    );
    fs::create_dir(&folder).unwrap();
    build(&app);
    let mut command = world.command("dev");
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--runtime",
        "none",
        "--no-rate-limits",
    ]);
    command.arg("--web-app-folder").arg(&app);
    let process = Process::start(command);
    let api = process.ready["url"].as_str().unwrap();
    let (_, headers, _) = answer(api, Method::GET, "/", NAVIGATION, "").await;
    let policy = headers
        .iter()
        .find_map(|header| header.split_once("frame-src "))
        .unwrap();
    let workspaces = policy.1.split_once(';').unwrap().0;
    let nginx = Nginx::start(&folder, &app, workspaces).await;
    let paths = [
        "/",
        "/dashboard",
        "/ide/1",
        "/wake/quiet-otter",
        "/settings/files",
        "/index.html",
        "/theme.js",
        "/icon.svg",
        "/assets/index-BqW2C8la.js",
        "/assets/index-BqW2C8la.css",
        "/assets/letters-Ab12.woff2",
    ];
    for (path, encoding) in paths
        .into_iter()
        .flat_map(|path| [(path, "identity"), (path, "gzip")])
    {
        let [ours, theirs] = [
            answer(api, Method::GET, path, NAVIGATION, encoding).await,
            answer(&nginx.url, Method::GET, path, NAVIGATION, encoding).await,
        ];
        assert_eq!(ours.0, StatusCode::OK, "{path}");
        assert_eq!(ours, theirs, "{path}");
    }
    // What is not there, what is not the app's, and who does not navigate: the API has words of its own for them.
    for (method, path, accept) in [
        (Method::GET, "/assets/none.js", NAVIGATION),
        (Method::GET, "/.vite/manifest.json", "application/json"),
        (Method::GET, "/api/v5/nothing", NAVIGATION),
        (Method::GET, "/.well-known/nothing", NAVIGATION),
        (Method::GET, "/dashboard", "application/json"),
        (Method::GET, "/dashboard", "*/*"),
    ] {
        for url in [api, &nginx.url] {
            let (status, headers, _) = answer(url, method.clone(), path, accept, "").await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{url}{path}");
            assert!(
                !headers.iter().any(|header| header.contains("immutable")),
                "{url}{path}"
            );
        }
    }
    for url in [api, &nginx.url] {
        let (status, _, _) = answer(url, Method::POST, "/dashboard", NAVIGATION, "").await;
        assert!(status.is_client_error(), "{url}: {status}");
    }
    process.stop();
}
