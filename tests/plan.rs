//! `coditect plan`, as CI runs it on a proposed policy: repositories, and nothing else.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use coditect_core::{
    Epoch, Fence, Shard, Standing, TenantId, UserId, UserIntent, Version, WorkspaceId,
    WorkspaceIntent,
};
use coditect_renderer::{
    git::{CellRepository, Checkpoint, Message, Occasion, PolicyRepository, ShardTree},
    inputs::Inputs,
};
use jiff::Timestamp;
use serde_json::Value;

/// A policy repository, and a cell's repository that was rendered with its first commit.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for part in ["tenants", "templates"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(part);
            copy(&from, &world.policy().join(part));
        }
        let repository = PolicyRepository::open_or_init(world.policy()).unwrap();
        let inputs = Inputs::load_and_commit(&repository, &world.policy(), "as it stands").unwrap();
        render(&inputs, &world.cells().join("local.git"));
        world
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy")
    }

    fn cells(&self) -> PathBuf {
        self.folder.path().join("cells")
    }

    fn edit(&self, file: &str, before: &str, after: &str) {
        let path = self.policy().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(before), "{file} has no {before:?}");
        fs::write(path, text.replace(before, after)).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.policy())
            .args(["-c", "user.name=p", "-c", "user.email=p@example.com"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn plan(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coditect"));
        command.arg("plan").args(arguments);
        for (option, folder) in [
            ("--policy", self.policy()),
            ("--cells-folder", self.cells()),
        ] {
            if !arguments.contains(&option) {
                command.arg(option).arg(folder);
            }
        }
        command.output().unwrap()
    }

    fn planned(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let output = self.plan(&[arguments, &["--output", "json"]].concat());
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output.status.code(), report)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn intent(number: u8) -> UserIntent {
    let user = UserId::from_bytes([number + 1; 16]);
    UserIntent {
        user,
        tenant: TenantId::from_bytes([number + 100; 16]),
        cell: "local".parse().unwrap(),
        shard: Shard::of(user),
        generation: 1,
        plan: ["free", "starter"][usize::from(number % 2)]
            .parse()
            .unwrap(),
        ring: None,
        standing: Standing::Active,
        workspaces: vec![WorkspaceIntent {
            id: WorkspaceId::from_bytes([number + 200; 16]),
            slug: format!("brave-heron-{number}").parse().unwrap(),
            storage_gib: 10,
            storage_class: "standard-rwo".parse().unwrap(),
            standing: Standing::Active,
        }],
    }
}

/// Writes a cell's repository of ten users.
fn render(inputs: &Inputs, path: &Path) {
    let repository = CellRepository::open_or_create(path).unwrap();
    let mut batch = repository.begin(None, &ShardTree::empty());
    for intent in (0..10).map(intent) {
        let rendered = inputs.renderer.render(&intent).unwrap();
        batch
            .put(intent.shard, intent.user, &rendered.bytes)
            .unwrap();
    }
    let checkpoint = Checkpoint {
        epoch: Epoch::from_bytes([1; 16]),
        version: Version(1),
        fence: Fence(1),
        policy: inputs.commit,
        templates: inputs.templates(),
        engine: "1".to_owned(),
    };
    let message = Message::new(Occasion::FullReconcile);
    let prepared = batch.finish(checkpoint, &message, Timestamp::UNIX_EPOCH);
    prepared.unwrap().unwrap().publish().unwrap();
}

#[test]
fn a_proposal_is_compared_with_what_each_cell_was_rendered_with() {
    let world = World::new();
    let stands = world.git(&["rev-parse", "HEAD"]);
    let (status, report) = world.planned(&[]);
    assert_eq!(
        (status, report["users"]["touched"].as_u64()),
        (Some(0), Some(0))
    );
    assert_eq!(report["cells"][0]["base_commit"], stands.as_str());
    assert_eq!(report["cells"][0]["drifted"], 0);

    // Merged meanwhile and not rendered yet: still part of what the cell has before it.
    world.edit("tenants/plans/free.yaml", "pids: 256", "pids: 512");
    world.git(&["commit", "--all", "--message", "more processes"]);
    world.edit(
        "tenants/plans/starter.yaml",
        "cpuMillis: 2000",
        "cpuMillis: 2500",
    );
    let (status, report) = world.planned(&[]);
    assert_eq!(
        (status, report["users"]["touched"].as_u64()),
        (Some(0), Some(10))
    );
    assert_eq!(report["cells"][0]["base_commit"], stands.as_str());
    assert_eq!(report["workspaces"]["restart_at_next_start"], 10);

    // What the proposal itself does; a clone of one commit does as well as the renderer's own repository.
    let clone = world.folder.path().join("clone");
    let from = format!("file://{}", world.cells().join("local.git").display());
    let cloned = Command::new("git")
        .args(["clone", "--quiet", "--depth", "1", from.as_str()])
        .arg(&clone)
        .status();
    assert!(cloned.unwrap().success());
    let cell = format!("local={}", clone.display());
    let (status, report) = world.planned(&["--base", "HEAD", "--cell", &cell]);
    assert_eq!(
        (status, report["users"]["touched"].as_u64()),
        (Some(0), Some(5))
    );
    assert_eq!(report["groups"].as_array().unwrap().len(), 1);
    assert_eq!(report["groups"][0]["plans"]["starter"], 5);
    assert_eq!(
        report["cells"][0]["drifted"], 5,
        "those whose plan was merged meanwhile"
    );

    // The same between two commits, and between two folders.
    world.git(&["commit", "--all", "--message", "more cores"]);
    let (_, commits) = world.planned(&["--commit", "HEAD", "--base", "HEAD~1"]);
    let other = world.folder.path().join("other");
    copy(&world.policy().join("tenants"), &other.join("tenants"));
    copy(&world.policy().join("templates"), &other.join("templates"));
    world.git(&["checkout", "--quiet", "HEAD~1"]);
    let (_, folders) = world.planned(&[
        "--policy",
        other.to_str().unwrap(),
        "--base",
        world.policy().to_str().unwrap(),
    ]);
    assert_eq!(commits["groups"], report["groups"]);
    assert_eq!(folders["groups"], report["groups"]);
}

#[test]
fn without_what_was_rendered_the_merge_base_stands() {
    let world = World::new();
    // The cell was rendered with a commit that this policy repository never had.
    fs::remove_dir_all(world.policy().join(".git")).unwrap();
    world.git(&["init", "--quiet", "--initial-branch", "main"]);
    world.edit("tenants/plans/free.yaml", "pids: 256", "pids: 512");
    world.git(&["add", "--all"]);
    world.git(&["commit", "--quiet", "--message", "another life"]);
    let left = world.git(&["rev-parse", "HEAD"]);
    world.git(&["checkout", "--quiet", "-b", "proposal"]);
    world.edit(
        "tenants/plans/starter.yaml",
        "cpuMillis: 2000",
        "cpuMillis: 2500",
    );
    world.git(&["commit", "--quiet", "--all", "--message", "more cores"]);
    let (status, report) = world.planned(&[]);
    assert_eq!(
        (status, report["users"]["touched"].as_u64()),
        (Some(0), Some(5))
    );
    assert_eq!(report["cells"][0]["base_commit"], left.as_str());
    assert!(
        report["cells"][0]["base"]
            .as_str()
            .unwrap()
            .contains("left the main branch")
    );
    assert_eq!(report["cells"][0]["drifted"], 5);
}

#[test]
fn two_releases_are_compared() {
    let world = World::new();
    let templates = world.policy().join("templates");
    copy(&templates.join("v1"), &templates.join("v2"));
    let service = "templates/v2/workspace-30-service.yaml.j2";
    world.edit(
        service,
        "  ports:\n",
        "  sessionAffinity: ClientIP\n  ports:\n",
    );
    let (status, report) = world.planned(&["--release", "v2", "--base-release", "v1"]);
    assert_eq!(
        (status, report["users"]["touched"].as_u64()),
        (Some(0), Some(10))
    );
    assert_eq!(report["objects"]["Service"]["changed"], 10);
    let refused = world.plan(&["--release", "v3"]);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        said.contains("there is no template release `v3`; known are `v1`, `v2`"),
        "{said}"
    );
}

#[test]
fn what_would_be_refused_has_its_exit_status_and_stands_in_every_form() {
    let world = World::new();
    let volume = "templates/v1/workspace-10-volume.yaml.j2";
    world.edit(volume, "storage: {{ workspace.storage }}", "storage: 1Gi");
    let file = world.folder.path().join("comment.md");
    let output = world.plan(&["--markdown", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    let (told, comment) = (
        String::from_utf8(output.stdout).unwrap(),
        fs::read_to_string(file).unwrap(),
    );
    for form in [told, comment] {
        assert!(form.contains("cannot shrink from 10Gi to 1Gi"), "{form}");
        assert!(
            form.contains("the cluster would refuse 10 objects"),
            "{form}"
        );
        assert!(!form.contains('\u{1b}'));
    }
    world.edit(volume, "storage: 1Gi", "storge: 1Gi");
    assert_eq!(
        world.plan(&[]).status.code(),
        Some(3),
        "a claim without a size"
    );
    world.edit(volume, "storageClassName", "storageClasName");
    let output = world.plan(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains(volume));
}

#[test]
fn what_is_missing_is_said_with_its_remedy() {
    let world = World::new();
    for (arguments, said) in [
        (
            &["--base", "nowhere"][..],
            "which is neither a folder nor a commit of",
        ),
        (&["--cells-folder", "/nowhere"], "--cells-folder"),
        (&["--cell", "local"], "CELL=DIR"),
        (&["--policy", "/nowhere"], "/nowhere holds no policy"),
    ] {
        let output = world.plan(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{stderr}");
    }
    // A cell of the policy that nobody named is not left out in silence.
    let local = world.policy().join("tenants/cells/local.yaml");
    fs::copy(local, world.policy().join("tenants/cells/far.yaml")).unwrap();
    let output = world.plan(&[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("cell far of the policy is left out")
    );
    // A mistake is named as from the folder that was given.
    world.edit("tenants/plans/free.yaml", "pids: 256", "pids: many");
    let output = world.plan(&[]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("\ntenants/plans/free.yaml:14:11: "),
        "{stderr}"
    );
}

/// What a commit holds comes out again, byte by byte, whatever the policy is by now.
#[test]
fn a_commit_is_rendered_again() {
    let world = World::new();
    world.edit("tenants/plans/free.yaml", "pids: 256", "pids: 512");
    world.git(&["commit", "--all", "--message", "more processes"]);
    let cell = world.cells().join("local.git");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(&cell)
            .args(arguments)
            .output();
        output.unwrap().stdout
    };
    let head = String::from_utf8(git(&["rev-parse", "main"])).unwrap();
    let out = world.folder.path().join("out");
    let output = Command::new(env!("CARGO_BIN_EXE_coditect"))
        .args([
            "render",
            "--at",
            head.trim(),
            "--output",
            "json",
            "--repository",
        ])
        .arg(&cell)
        .arg("--policy")
        .arg(world.policy())
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let rendered: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rendered["exact"], 10);
    assert_eq!(
        rendered["policy"],
        world.git(&["rev-parse", "HEAD~1"]).as_str()
    );
    let files =
        String::from_utf8(git(&["ls-tree", "-r", "--name-only", "main", "shards"])).unwrap();
    let files: Vec<&str> = files
        .lines()
        .filter(|file| file.ends_with(".yaml"))
        .collect();
    assert_eq!(files.len(), 10);
    for file in files {
        let bytes = fs::read(out.join(file)).unwrap();
        assert!(bytes == git(&["show", &format!("main:{file}")]), "{file}");
    }
}

/// What the documents tell people to copy names options that there are.
#[test]
fn the_examples_name_options_that_there_are() {
    let help = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coditect"));
        let output = command.args(arguments).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let known = [help(&["plan"]), help(&["policy", "check"])].concat();
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut seen = 0;
    for file in [
        "examples/github-plan.yaml",
        "examples/cloudbuild-plan.yaml",
        "operations.md",
    ] {
        let text = fs::read_to_string(docs.join(file)).unwrap();
        if file.ends_with(".yaml") {
            serde_saphyr::from_str::<Value>(&text).unwrap();
        }
        let commands = [
            "coditect plan",
            "COMMAND plan",
            "args: [plan",
            "coditect policy check",
        ];
        // The mark at a comment's beginning is no command.
        let text = text.replace("<!-- coditect plan -->", "");
        let told = |line: &&str| commands.iter().any(|command| line.contains(command));
        for line in text.lines().filter(told) {
            for option in line
                .split_whitespace()
                .filter(|word| word.starts_with("--"))
            {
                let option = option.split(['=', ',']).next().unwrap_or_default();
                assert!(known.contains(option), "{file}: {option}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 5, "{seen} options");
}
