//! What is done before the workspace stops.

use std::fs;

use serde_json::json;

use crate::{tabs::Tab, world::World};

impl World {
    /// What the IDE's container asks for before it ends.
    pub(crate) async fn prepare_to_stop(&self) -> serde_json::Value {
        let inside = self.sidecar.inside();
        let host = [("host", inside.to_string())];
        crate::world::send(inside, "POST", "/stop", &host, "")
            .await
            .json()
    }
}

#[tokio::test]
async fn tabs_save_and_what_they_saved_is_handed_over_before_the_end() {
    let world = World::new().await;
    let (mut tab, _) = Tab::welcomed(&world, "one").await;
    tab.say(json!({"type": "put", "key": "layout", "base": 0, "value": 1}))
        .await;
    tab.heard("kept").await;
    let file = world.folder.path().join("workspace/unsaved");
    let save = async {
        assert_eq!(tab.heard("stopping").await["seconds"], 10);
        fs::write(&file, "what was typed last").unwrap();
        tab.say(json!({"type": "saved"})).await;
        tab
    };
    let (prepared, _tab) = tokio::join!(world.prepare_to_stop(), save);
    assert_eq!(
        prepared,
        json!({"tabs": 1, "unsaved": 0, "handed_over": true, "waiting": 0})
    );
    // No waiting here: it was there before the answer.
    let batches = serde_json::to_string(&*world.api.state.batches.lock().unwrap()).unwrap();
    assert!(batches.contains("\"unsaved\""));
    assert_eq!(
        world.api.state.shared.lock().unwrap().values["layout"].value,
        "1"
    );
}

#[tokio::test]
async fn a_tab_that_goes_away_is_not_waited_for() {
    let world = World::new().await;
    let (mut tab, _) = Tab::welcomed(&world, "one").await;
    let go = async {
        tab.heard("stopping").await;
        drop(tab);
    };
    let (prepared, ()) = tokio::join!(world.prepare_to_stop(), go);
    assert_eq!(
        (&prepared["tabs"], &prepared["unsaved"]),
        (&json!(1), &json!(0))
    );
}
