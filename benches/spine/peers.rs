//! What people would otherwise use, on the same bytes in the same run.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use coditect_renderer::git::{CellRepository, path_of};

pub(crate) struct Import {
    pub(crate) milliseconds: f64,
    pub(crate) megabytes: f64,
}

/// `git fast-import` of every user's file, already rendered, as one commit: the best of three.
pub(crate) fn fast_import(repository: &Path, work: &Path) -> Import {
    let cell = CellRepository::open(repository).unwrap();
    let head = cell.head_commit().unwrap().unwrap();
    let stream = work.join("stream");
    let mut out = BufWriter::new(File::create(&stream).unwrap());
    write!(
        out,
        "commit refs/heads/main\ncommitter peer <peer@example.invalid> 0 +0000\ndata 4\npeer\n"
    )
    .unwrap();
    for (shard, user, blob) in cell.tree(head).unwrap().iter() {
        let bytes = cell.blob(blob).unwrap();
        write!(
            out,
            "M 100644 inline {}\ndata {}\n",
            path_of(shard, user),
            bytes.len()
        )
        .unwrap();
        out.write_all(&bytes).unwrap();
        out.write_all(b"\n").unwrap();
    }
    out.flush().unwrap();
    drop(out);

    let mut best = f64::INFINITY;
    let mut megabytes = 0.0;
    for run in 0..3 {
        let target = work.join(format!("peer-{run}.git"));
        let init = Command::new("git")
            .args(["init", "--quiet", "--bare"])
            .arg(&target)
            .status()
            .unwrap();
        assert!(init.success());
        let started = Instant::now();
        let status = Command::new("git")
            .arg("-C")
            .arg(&target)
            .args(["fast-import", "--quiet"])
            .stdin(File::open(&stream).unwrap())
            .status()
            .unwrap();
        assert!(status.success());
        best = best.min(started.elapsed().as_secs_f64() * 1e3);
        megabytes = packs(&target);
        std::fs::remove_dir_all(&target).unwrap();
    }
    Import {
        milliseconds: best,
        megabytes,
    }
}

fn packs(repository: &Path) -> f64 {
    let folder = std::fs::read_dir(repository.join("objects/pack")).unwrap();
    folder
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum::<u64>() as f64
        / 1e6
}

/// `kustomize build` of one folder for each of a sample of users, over a base that holds the manifests: what
/// one user costs, in milliseconds.
pub(crate) fn kustomize(repository: &Path, work: &Path, sample: usize) -> Result<f64, String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kustomize");
    let cell = CellRepository::open(repository).unwrap();
    let head = cell.head_commit().unwrap().unwrap();
    let users: Vec<_> = cell.tree(head).unwrap().iter().take(sample).collect();
    let (_, _, first) = users[0];
    let base = work.join("kustomize/base");
    std::fs::create_dir_all(&base).unwrap();
    std::fs::write(base.join("user.yaml"), cell.blob(first).unwrap()).unwrap();
    std::fs::write(base.join("kustomization.yaml"), "resources: [user.yaml]\n").unwrap();
    // Builds the program the first time; not part of the figure.
    let ready = Command::new(&program)
        .arg("version")
        .stdout(Stdio::null())
        .status()
        .map_err(|error| error.to_string())?;
    if !ready.success() {
        return Err("scripts/kustomize cannot be built".into());
    }
    let mut folders = Vec::new();
    for (_, user, _) in users {
        let folder = work.join(format!("kustomize/{user}"));
        std::fs::create_dir_all(&folder).unwrap();
        let overlay = format!(
            "resources: [../base]\nnamespace: user-{user}\nlabels: [{{pairs: {{user: \"{user}\"}}}}]\n"
        );
        std::fs::write(folder.join("kustomization.yaml"), overlay).unwrap();
        folders.push(folder);
    }
    let binary = Command::new(&program)
        .arg("--where")
        .output()
        .map_err(|error| error.to_string())?;
    let binary = String::from_utf8(binary.stdout).map_err(|error| error.to_string())?;
    let started = Instant::now();
    for folder in &folders {
        let built = Command::new(binary.trim())
            .arg("build")
            .arg(folder)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        if !built.status.success() || built.stdout.is_empty() {
            return Err(String::from_utf8_lossy(&built.stderr).into_owned());
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1e3 / folders.len() as f64)
}
