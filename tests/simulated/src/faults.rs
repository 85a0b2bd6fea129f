//! What goes wrong on the way to the server, in it, and on the way back.

use std::time::Duration;

use fastrand::Rng;

use crate::asked::Asked;

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing listens.
    Refused,
    /// The connection is cut before the answer begins.
    Cut(Arrives),
    /// The connection that deletes share is lost after this one took effect, and with it the answers to all on it.
    HungUp,
    /// No answer comes until the client gives up.
    Hangs(Arrives),
    /// 429 or 5xx, with or without a Retry-After.
    Busy(Arrives),
    /// A web page of something in between.
    Page(Arrives),
    /// An answer about something else, or of another kind.
    Wrong(Arrives),
    /// The user may not do that now.
    Denied,
    /// The answer is cut off in the middle.
    CutBody,
    /// The answer ends in the middle as if that were its end.
    EndsEarly,
    /// The answer stops in the middle, and nothing more comes.
    Stalls,
    /// The answer is garbled.
    Damaged,
    /// The answer comes slowly, perhaps too late.
    Slow,
    /// The request takes its time, perhaps longer than the client waits.
    Late,
    /// Something in between sends the delete a second time, and gives the second answer.
    Twice,
    /// Something in between drops the body of the delete.
    DropsBody,
    /// The list shows an earlier version of the cluster.
    Stale,
    /// The page is of another version than the first.
    OtherVersion,
    /// The page holds what an earlier one has held.
    Repeated,
    /// The page names its own token as the next.
    SameToken,
    /// The page holds nothing and goes on.
    EmptyPage,
    /// The list does not say its version.
    NoVersion,
    /// The list holds what was not asked for.
    Stray,
    /// The list holds a Job without a uid.
    NoUid,
    /// The list ends and says that more remains.
    Remaining,
    /// The token is expired, or the version that is asked for.
    Expired,
    /// The server does not know how to list at a version.
    NotExact,
    /// The list of Namespaces lacks one.
    Hides,
}

/// Whether the request arrives at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arrives {
    Yes,
    No,
}

use Arrives::{No, Yes};
use Fault::{
    Busy, Cut, CutBody, Damaged, Denied, DropsBody, EmptyPage, EndsEarly, Expired, Hangs, Hides,
    HungUp, Late, NoUid, NoVersion, NotExact, OtherVersion, Page, Refused, Remaining, Repeated,
    SameToken, Slow, Stale, Stalls, Stray, Twice, Wrong,
};

/// What may go wrong with any request.
const ANY: [Fault; 17] = [
    Refused,
    Cut(No),
    Cut(Yes),
    Hangs(No),
    Hangs(Yes),
    Busy(No),
    Busy(Yes),
    Busy(No),
    Page(No),
    Page(Yes),
    CutBody,
    EndsEarly,
    Stalls,
    Damaged,
    Slow,
    Late,
    Wrong(Yes),
];
const OF_DELETES: [Fault; 7] = [Twice, DropsBody, Denied, Wrong(No), Cut(Yes), Late, HungUp];
const OF_FIRST_PAGES: [Fault; 7] = [Stale, Stale, Repeated, NoVersion, Stray, NoUid, Remaining];
const OF_LATER_PAGES: [Fault; 9] = [
    Expired,
    Expired,
    OtherVersion,
    OtherVersion,
    Repeated,
    SameToken,
    EmptyPage,
    Stray,
    Remaining,
];
const OF_PARTS: [Fault; 11] = [
    Expired,
    OtherVersion,
    OtherVersion,
    NotExact,
    Denied,
    Repeated,
    EmptyPage,
    NoVersion,
    Stray,
    NoUid,
    Remaining,
];
const OF_NAMESPACES: [Fault; 9] = [
    Hides, Hides, Hides, Stale, Denied, Repeated, NoVersion, NoUid, Remaining,
];
const OF_OUTAGES: [Fault; 5] = [Refused, Cut(No), Hangs(No), Busy(No), Page(No)];

impl Fault {
    /// Draw one for a request.
    pub fn draw(rng: &mut Rng, asked: &Asked) -> Fault {
        let own: &[Fault] = match asked {
            Asked::Delete(_) => &OF_DELETES,
            Asked::Jobs(list) if list.page.token.is_some() => &OF_LATER_PAGES,
            Asked::Jobs(list) if list.page.at.is_some() => &OF_PARTS,
            Asked::Namespaces(page) if page.token.is_some() => &OF_LATER_PAGES,
            Asked::Namespaces(_) => &OF_NAMESPACES,
            // What refuses a list for good ends a run at once, and little would be seen.
            Asked::Jobs(_) if rng.u8(..16) == 0 => &[Denied],
            Asked::Jobs(_) => &OF_FIRST_PAGES,
            _ => &ANY,
        };
        let faults = if rng.u8(..3) == 0 { own } else { &ANY };
        *rng.choice(faults).expect("there are faults")
    }

    /// Draw one for a request while the server is away.
    pub fn of_outage(rng: &mut Rng) -> Fault {
        *rng.choice(&OF_OUTAGES).expect("there are faults")
    }

    /// Whether the request arrives at the server.
    pub fn arrives(self) -> bool {
        !matches!(
            self,
            Refused | Cut(No) | Hangs(No) | Busy(No) | Page(No) | Wrong(No) | Denied
        )
    }

    /// Whether the answer is what the server says, and all of it, if any comes.
    pub fn leaves_answer(self) -> bool {
        matches!(self, Slow | Late | DropsBody | Stale | Denied)
    }

    /// How long the request takes to the server.
    pub fn way_there(self, rng: &mut Rng) -> Duration {
        match self {
            Late => Duration::from_millis(rng.u64(1_000..130_000)),
            _ => way(rng),
        }
    }

    /// How long the answer takes.
    pub fn way_back(self, rng: &mut Rng) -> Duration {
        match self {
            Slow => Duration::from_millis(rng.u64(1_000..70_000)),
            _ => way(rng),
        }
    }

    /// Its name, to be counted.
    pub fn name(self) -> &'static str {
        match self {
            Refused => "refused",
            Cut(No) => "cut before it arrives",
            Cut(Yes) => "cut after it took effect",
            HungUp => "lost with all on its connection",
            Hangs(No) => "hangs before it arrives",
            Hangs(Yes) => "hangs after it took effect",
            Busy(No) => "busy",
            Busy(Yes) => "busy after it took effect",
            Page(No) => "web page",
            Page(Yes) => "web page after it took effect",
            Wrong(No) => "wrong object",
            Wrong(Yes) => "wrong object after it took effect",
            Denied => "denied",
            CutBody => "cut in the answer",
            EndsEarly => "answer ends early",
            Stalls => "answer stalls",
            Damaged => "answer damaged",
            Slow => "slow answer",
            Late => "late request",
            Twice => "delivered twice",
            DropsBody => "body dropped",
            Stale => "stale list",
            OtherVersion => "page of another version",
            Repeated => "page repeated",
            SameToken => "token repeated",
            EmptyPage => "empty page",
            NoVersion => "list without version",
            Stray => "list with a stray",
            NoUid => "Job without uid",
            Remaining => "list ends early",
            Expired => "token expired",
            NotExact => "list at a version refused",
            Hides => "namespace hidden",
        }
    }

    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let lists = [
            &ANY[..],
            &OF_DELETES,
            &OF_FIRST_PAGES,
            &OF_LATER_PAGES,
            &OF_PARTS,
            &OF_NAMESPACES,
            &OF_OUTAGES,
        ];
        lists.into_iter().flatten().map(|fault| fault.name())
    }
}

fn way(rng: &mut Rng) -> Duration {
    match rng.u8(..3) {
        0 => Duration::from_millis(rng.u64(1..200)),
        _ => Duration::ZERO,
    }
}
