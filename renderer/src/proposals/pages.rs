//! What is said on the pages of a host.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};

use coditect_core::{ChangeId, Kind, Result};
use coditect_registry::{
    Registry,
    record::{ApprovalRequest, ApprovalState},
};
use tokio::sync::watch;

use super::{
    file::{branch_of, reasons, subject_of},
    host::{HostFate, HostPage, NewPage, PolicyHost},
    question::Question,
};
use crate::{inputs::Inputs, reconcile::blocking};

/// The pages of a host, and what was said on them.
pub struct Pages {
    host: Arc<dyn PolicyHost>,
    inputs: watch::Receiver<Arc<Inputs>>,
    /// What the comment of each page was last made of. Lost, it costs a look at the page's comments.
    said: Mutex<BTreeMap<ChangeId, (u64, [u8; 32])>>,
}

impl Pages {
    /// The pages of `host`; what approvals would change is rendered with the newest `inputs`.
    #[must_use]
    pub fn new(host: Arc<dyn PolicyHost>, inputs: watch::Receiver<Arc<Inputs>>) -> Self {
        Self {
            host,
            inputs,
            said: Mutex::default(),
        }
    }

    /// The pages of these changes, by branch. Of a change that is decided only a page that is still open matters.
    pub(super) async fn look(
        &self,
        into: &str,
        requests: &[ApprovalRequest],
    ) -> Result<BTreeMap<String, HostPage>> {
        let known: BTreeSet<ChangeId> = requests.iter().map(|request| request.change).collect();
        self.said(|said| said.retain(|change, _| known.contains(change)));
        let undecided = requests.iter().filter(|request| !request.state.is_final());
        let branches = undecided.map(|request| branch_of(request.change)).collect();
        self.host.look(into, &branches).await
    }

    /// Opens the page of a change, or finds it.
    pub(super) async fn open(&self, into: &str, request: &ApprovalRequest) -> Result<()> {
        let page = NewPage {
            branch: &branch_of(request.change),
            into,
            title: &subject_of(request),
            text: &text_of(request),
        };
        self.host.open(&page).await.map(drop)
    }

    /// Says why on the page of a change, and closes it.
    pub(super) async fn close(&self, page: &HostPage, request: &ApprovalRequest) -> Result<()> {
        let why = match &request.state {
            ApprovalState::Approved { commit } => {
                format!("Approved by commit {commit} of the policy: nothing is left to decide here.")
            }
            ApprovalState::Overtaken => {
                "Overtaken: nobody wants this any more, and it would let nothing pass. Whoever wants something else is asked about anew.".to_owned()
            }
            ApprovalState::Waiting
            | ApprovalState::Proposed { .. }
            | ApprovalState::Rejected { .. } => {
                "Declined: the branch is gone, or what was merged approves less than was asked. Restore the branch and open this again to go back on that.".to_owned()
            }
        };
        let mark = format!("<!-- coditect approval {}: closed -->", request.change);
        let text = format!("{mark}\n{why}\n");
        match self.host.comment(page.number, &mark, &text).await {
            // People may have locked the discussion; the page is closed all the same.
            Err(error) if *error.kind() != Kind::Forbidden => return Err(error),
            _ => {}
        }
        self.host.close(page.number).await
    }

    /// Keeps the comment of an open page what an approval would change now. True if that was not so before, as far as
    /// this process knows.
    pub(super) async fn explain(
        &self,
        registry: &Registry,
        page: &HostPage,
        request: &ApprovalRequest,
    ) -> Result<bool> {
        if page.fate != HostFate::Open || request.state.is_final() {
            return Ok(false);
        }
        let inputs = Arc::clone(&self.inputs.borrow());
        let question = Question::read(registry, request, &inputs).await?;
        let made_of = (page.number, question.digest(&inputs));
        let change = request.change;
        if self.said(|said| said.get(&change) == Some(&made_of)) {
            return Ok(false);
        }
        let mark = format!("<!-- coditect approval {change} -->");
        let (asked, first) = (request.clone(), mark.clone());
        let text = blocking(move || question.comment(&asked, &inputs, &first)).await?;
        self.host.comment(page.number, &mark, &text).await?;
        self.said(|said| said.insert(change, made_of));
        Ok(true)
    }

    fn said<T>(&self, look: impl FnOnce(&mut BTreeMap<ChangeId, (u64, [u8; 32])>) -> T) -> T {
        look(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a page says of itself. Ids only.
fn text_of(request: &ApprovalRequest) -> String {
    let mut text = String::from("This waits for approval");
    for (index, reason) in reasons(request).iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{} {reason}",
            if index == 0 { " because" } else { ";" }
        );
    }
    let _ = write!(
        text,
        ".\n\nMerged, it approves exactly what the file names, and nothing else. Closed, or with its branch deleted, it declines; what stands stays, and the same is not asked again. A comment says what it would change in manifests, and is kept up to date.\n\nTenant `{}`, cell `{}`, change `{}`.\n",
        request.tenant, request.cell, request.change
    );
    text
}
