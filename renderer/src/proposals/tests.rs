//! Whatever people do to a branch and its page, and in whatever order, the change ends where they meant it to.

use coditect_core::{ApprovalReason, ChangeId, TenantId, UserId};
use coditect_registry::record::{ApprovalRequest, ApprovalState, ApprovalUser};
use git2::Oid;
use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::policy::Approval;

fn asked(number: u8) -> ApprovalUser {
    ApprovalUser {
        user: UserId::from_bytes([number; 16]),
        generation: 3,
        intent_hash: format!("{number:02}").repeat(32),
        reasons: vec![
            ApprovalReason::Plan {
                plan: "pro".parse().unwrap(),
            },
            ApprovalReason::Deletion,
        ],
    }
}

fn request(users: &[u8], state: ApprovalState) -> ApprovalRequest {
    ApprovalRequest {
        change: ChangeId::from_bytes([9; 16]),
        cell: "local".parse().unwrap(),
        tenant: TenantId::from_bytes([8; 16]),
        users: users.iter().map(|number| asked(*number)).collect(),
        state,
        opened_at: Timestamp::UNIX_EPOCH,
        changed_at: Timestamp::UNIX_EPOCH,
        revision: 1,
    }
}

fn read(text: &str) -> Approval {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn the_file_approves_what_is_asked_and_nothing_else() {
    let all = request(&[1, 2], ApprovalState::Waiting);
    let file = read(&file_of(&all));
    assert_eq!(
        file.reasons.len(),
        2,
        "each reason once: {:?}",
        file.reasons
    );
    assert_eq!(agreed(&file, &all), Agreed::All);
    let fewer = request(&[1], ApprovalState::Waiting);
    assert_eq!(agreed(&file, &fewer), Agreed::All);
    assert_eq!(agreed(&read(&file_of(&fewer)), &all), Agreed::NotAll);
    let mut newer = all.clone();
    newer.users[1].generation += 1;
    assert_eq!(agreed(&file, &newer), Agreed::NotAll);
    let mut other = all.clone();
    other.tenant = TenantId::from_bytes([7; 16]);
    assert_eq!(agreed(&file, &other), Agreed::NotAll);
    let mut elsewhere = all.clone();
    elsewhere.cell = "far".parse().unwrap();
    assert_eq!(agreed(&file, &elsewhere), Agreed::NotAll);
}

#[test]
fn the_message_names_the_change_for_machines() {
    let message = message_of(&request(&[1, 2], ApprovalState::Waiting));
    let change = ChangeId::from_bytes([9; 16]);
    assert!(
        message.starts_with("approvals: 2 users of tenant "),
        "{message}"
    );
    assert!(
        message.contains(&format!("\n\nCoditect-Change: {change}\n")),
        "{message}"
    );
}

/// What people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Merge,
    /// The file without one of the users.
    MergeLess,
    /// By hand, or by another branch.
    FileArrives,
    TakeBack,
    DeleteBranch,
    /// The branch is gone, and the page does not know yet.
    LoseBranch,
    Close,
    /// The branch is there again and, with it, the page.
    Reopen,
    /// The page says that it is merged before the repository does.
    Ahead,
    /// The users want something else.
    MoveOn,
}

const DEEDS: [Deed; 10] = [
    Deed::Merge,
    Deed::MergeLess,
    Deed::FileArrives,
    Deed::TakeBack,
    Deed::DeleteBranch,
    Deed::LoseBranch,
    Deed::Close,
    Deed::Reopen,
    Deed::Ahead,
    Deed::MoveOn,
];

#[derive(Debug)]
struct World {
    request: ApprovalRequest,
    branch: Option<Oid>,
    agreed: Option<Agreed>,
    page: Page,
    opened: u32,
}

impl World {
    fn new(pages: bool) -> Self {
        Self {
            request: request(&[1, 2], ApprovalState::Waiting),
            branch: None,
            agreed: None,
            page: if pages { Page::Missing } else { Page::Unknown },
            opened: 0,
        }
    }

    fn next(&self) -> Option<Step> {
        let found = Found {
            request: &self.request,
            branch: self.branch,
            main: Oid::ZERO_SHA1,
            agreed: self.agreed,
            page: self.page.clone(),
        };
        next_step(&found, Timestamp::UNIX_EPOCH)
    }

    fn carry_out(&mut self, step: Step) {
        match step {
            Step::PutBranch(on) => {
                assert_eq!(self.branch.replace(on), None, "the branch was there");
            }
            Step::OpenPage => {
                assert!(self.branch.is_some(), "a page of no branch");
                self.opened += 1;
                self.page = Page::There {
                    url: "https://git.example/1".into(),
                    fate: Fate::Open,
                };
            }
            Step::ClosePage => {
                assert_eq!(self.fate(), Some(Fate::Open));
                self.set(Fate::Closed);
            }
            Step::RemoveBranch(_) => assert!(self.branch.take().is_some()),
            Step::Note(state) => {
                assert!(!self.request.state.is_final(), "the registry refuses");
                if matches!(state, ApprovalState::Approved { .. }) {
                    assert_eq!(self.agreed, Some(Agreed::All), "nobody agreed");
                }
                self.request.state = state;
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..8 {
            match self.next() {
                Some(step) => self.carry_out(step),
                None => return,
            }
        }
        panic!("never settles: {self:?}");
    }

    fn fate(&self) -> Option<Fate> {
        match &self.page {
            Page::There { fate, .. } => Some(*fate),
            Page::Unknown | Page::Missing => None,
        }
    }

    fn set(&mut self, to: Fate) {
        if let Page::There { fate, .. } = &mut self.page {
            *fate = to;
        }
    }

    fn happens(&mut self, deed: Deed) {
        let open = self.branch.is_some() && matches!(self.fate(), None | Some(Fate::Open));
        match deed {
            Deed::Merge | Deed::MergeLess if open => {
                let less = deed == Deed::MergeLess;
                self.agreed = Some(if less { Agreed::NotAll } else { Agreed::All });
                self.set(Fate::Merged { seen: true });
            }
            Deed::Ahead if open => self.set(Fate::Merged { seen: false }),
            Deed::FileArrives => self.agreed = Some(Agreed::All),
            Deed::TakeBack => self.agreed = None,
            Deed::DeleteBranch => {
                self.branch = None;
                if self.fate() == Some(Fate::Open) {
                    self.set(Fate::Closed);
                }
            }
            Deed::LoseBranch => self.branch = None,
            Deed::Close if self.fate() == Some(Fate::Open) => self.set(Fate::Closed),
            Deed::Reopen if matches!(self.fate(), None | Some(Fate::Closed)) => {
                self.branch = Some(Oid::ZERO_SHA1);
                self.set(Fate::Open);
            }
            Deed::MoveOn if !self.request.state.is_final() => {
                self.request.state = ApprovalState::Overtaken;
            }
            _ => {}
        }
    }

    fn holds(&self) {
        let open = self.fate() == Some(Fate::Open);
        assert!(self.opened <= 1, "a second page");
        match &self.request.state {
            ApprovalState::Waiting => {
                assert_eq!(self.fate(), Some(Fate::Merged { seen: false }));
            }
            ApprovalState::Proposed { url, .. } => {
                assert_ne!(self.agreed, Some(Agreed::All));
                match self.fate() {
                    None => assert_eq!((url, self.branch.is_some()), (&None, true)),
                    Some(Fate::Open) => assert!(url.is_some() && self.branch.is_some()),
                    Some(fate) => assert_eq!(fate, Fate::Merged { seen: false }),
                }
            }
            ApprovalState::Rejected { .. } => {
                assert_ne!(self.agreed, Some(Agreed::All));
                let ahead = self.fate() == Some(Fate::Merged { seen: false });
                assert!(!open && (ahead || self.branch.is_none()));
            }
            ApprovalState::Approved { .. } | ApprovalState::Overtaken => {
                assert!(!open && self.branch.is_none(), "something stays behind");
            }
        }
    }
}

/// Each deed, and how many steps are carried out before the next one.
fn story() -> impl Strategy<Value = Vec<(Deed, usize)>> {
    vec((select(DEEDS.to_vec()), 0..4_usize), 0..12)
}

proptest! {
    #[test]
    fn whatever_people_do_the_change_comes_to_rest_where_they_left_it(pages: bool, story in story()) {
        let mut world = World::new(pages);
        for (deed, steps) in story {
            for _ in 0..steps {
                if let Some(step) = world.next() {
                    world.carry_out(step);
                }
            }
            world.happens(deed);
        }
        world.settle();
        world.holds();
    }
}

/// The state that a story ends in, each deed done when nothing was left to do.
fn ends(pages: bool, deeds: &[Deed]) -> &'static str {
    let mut world = World::new(pages);
    world.settle();
    for deed in deeds {
        world.happens(*deed);
        world.settle();
        world.holds();
    }
    world.request.state.word()
}

#[test]
fn what_people_do_means_what_they_think() {
    for pages in [false, true] {
        assert_eq!(ends(pages, &[]), "proposed");
        assert_eq!(ends(pages, &[Deed::Merge]), "approved");
        assert_eq!(ends(pages, &[Deed::MergeLess]), "rejected");
        assert_eq!(ends(pages, &[Deed::DeleteBranch]), "rejected");
        assert_eq!(ends(pages, &[Deed::LoseBranch]), "rejected");
        assert_eq!(ends(pages, &[Deed::MoveOn]), "overtaken");
        assert_eq!(ends(pages, &[Deed::FileArrives]), "approved");
        let again = [Deed::DeleteBranch, Deed::Reopen];
        assert_eq!(ends(pages, &again), "proposed");
        let after_all = [Deed::DeleteBranch, Deed::FileArrives];
        assert_eq!(ends(pages, &after_all), "approved");
        // What was approved stays approved: the intent may be published by now.
        let late = [Deed::Merge, Deed::TakeBack];
        assert_eq!(ends(pages, &late), "approved");
    }
    assert_eq!(ends(true, &[Deed::Close]), "rejected");
    // The page says so, but the file decides.
    assert_eq!(ends(true, &[Deed::Ahead]), "proposed");
    assert_eq!(ends(true, &[Deed::Ahead, Deed::FileArrives]), "approved");
}
