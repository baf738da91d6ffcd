//! A fleet as the renderer writes it: a policy of so many cells, and a repository for each.

use std::path::Path;

use coditect_core::{
    Epoch, Fence, Shard, Standing, TenantId, UserId, UserIntent, Version, WorkspaceId,
    WorkspaceIntent,
};
use coditect_renderer::{
    git::{CellRepository, Checkpoint, Message, Occasion},
    inputs::Inputs,
};
use jiff::Timestamp;

/// The repository's own sample policy with so many cells, as it stands and as it is proposed; the cells' names.
pub(crate) fn plant(folder: &Path, cells: usize) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = vec!["local".to_owned()];
    names.extend((1..cells).map(|number| format!("cell-{number}")));
    for side in ["policy", "proposed"] {
        for part in ["tenants", "templates"] {
            copy(&root.join(part), &folder.join(side).join(part));
        }
        let tenants = folder.join(side).join("tenants");
        let sample = std::fs::read_to_string(tenants.join("cells/local.yaml")).unwrap();
        for name in &names {
            std::fs::write(tenants.join(format!("cells/{name}.yaml")), &sample).unwrap();
        }
    }
    let plan = folder.join("proposed/tenants/plans/starter.yaml");
    let text = std::fs::read_to_string(&plan).unwrap();
    assert!(text.contains("cpuMillis: 2000"));
    std::fs::write(plan, text.replace("cpuMillis: 2000", "cpuMillis: 2500")).unwrap();
    names
}

/// Renders so many users into the cells' repositories, as one side has it (`policy` or `proposed`).
pub(crate) fn render(folder: &Path, side: &str, names: &[String], users: usize) {
    let inputs = Inputs::load(&folder.join(side)).unwrap();
    for (index, name) in names.iter().enumerate() {
        let repository =
            CellRepository::open_or_create(folder.join(format!("cells/{name}.git"))).unwrap();
        let head = repository.head_commit().unwrap();
        let tree = head
            .map(|head| repository.tree(head).unwrap())
            .unwrap_or_default();
        let mut batch = repository.begin(head, &tree);
        for number in (index..users).step_by(names.len()) {
            let intent = intent(name, number);
            let rendered = inputs.renderer.render(&intent).unwrap();
            batch
                .put(intent.shard, intent.user, &rendered.bytes)
                .unwrap();
        }
        let checkpoint = checkpoint(&inputs, 1);
        let message = Message::new(Occasion::FullReconcile);
        let prepared = batch.finish(checkpoint, &message, Timestamp::UNIX_EPOCH);
        prepared.unwrap().unwrap().publish().unwrap();
    }
}

/// What a commit says of where it stands.
pub(crate) fn checkpoint(inputs: &Inputs, version: u64) -> Checkpoint {
    Checkpoint {
        epoch: Epoch::from_bytes([1; 16]),
        version: Version(version),
        fence: Fence(1),
        policy: None,
        templates: inputs.templates(),
        engine: "1".to_owned(),
    }
}

/// Every plan has a third of the users; every seventh who may has a second workspace.
pub(crate) fn intent(cell: &str, number: usize) -> UserIntent {
    let id = |kind: u8| {
        // Spread as random ids are: the shard is a hash of them, the file's place in its folder their order.
        let spread = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut bytes = [kind; 16];
        bytes[..8].copy_from_slice(&spread.to_be_bytes());
        bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
        bytes[15] ^= kind;
        bytes
    };
    let user = UserId::from_bytes(id(0));
    let (plan, storage_gib) = [("free", 1), ("starter", 10), ("pro", 100)][number % 3];
    let workspaces = if plan != "free" && number.is_multiple_of(7) {
        2
    } else {
        1
    };
    let mut intent = UserIntent {
        user,
        tenant: TenantId::from_bytes(id(1)),
        cell: cell.parse().unwrap(),
        shard: Shard::of(user),
        generation: 1,
        plan: plan.parse().unwrap(),
        ring: None,
        standing: Standing::Active,
        workspaces: Vec::new(),
    };
    for index in 0..workspaces {
        intent.put_workspace(WorkspaceIntent {
            id: WorkspaceId::from_bytes(id(2 + index)),
            slug: format!("brave-heron-{number}-{index}").parse().unwrap(),
            storage_gib,
            storage_class: "standard-rwo".parse().unwrap(),
            standing: Standing::Active,
        });
    }
    intent
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
