//! Every way that a purge can go, one after the other: what is answered to each request about a Job, what others do to
//! it before, and when the run is asked to stop.
//!
//! A run that is not drawn has a [`Script`]. Where a run that is drawn would ask its seed, the script chooses, and
//! [`Choices`] goes through all that can be chosen.

use std::{collections::HashMap, fmt, time::Duration};

use crate::{
    answers::{Answer, End},
    asked::Asked,
    encode::{self, Form, Status},
    faults::{
        Arrives::{self, No, Yes},
        Fault,
    },
    job::{APPS, Job, Key, State},
    setup::StopAt,
    spoilt::PAGE,
    store::By,
    world::World,
};

/// A path through a tree of choices, whose shape shows as it is walked.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// What was chosen, and of how many.
    path: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    /// One of so many: what the path says, and the first where it says nothing yet.
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.path.len() {
            self.path.push((0, of));
        }
        let (chosen, before) = self.path[self.at];
        assert_eq!(of, before, "the same path has led elsewhere");
        self.at += 1;
        chosen
    }

    /// Go on to the next path, if there is one.
    pub fn advance(&mut self) -> bool {
        assert_eq!(self.at, self.path.len(), "the same path has ended before");
        self.at = 0;
        while let Some((chosen, of)) = self.path.pop() {
            if chosen + 1 < of {
                self.path.push((chosen + 1, of));
                return true;
            }
        }
        false
    }
}

/// What may be chosen.
#[derive(Clone, Copy)]
pub struct Scope {
    /// How many requests about each Job are chosen for. What comes after them is answered as it is.
    pub requests: usize,
    pub deletes: &'static [Way],
    pub reads: &'static [Way],
    /// How often others may do something.
    pub acts: usize,
    /// Whether the run may be asked to stop.
    pub stops: bool,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scope {
            requests,
            deletes,
            reads,
            acts,
            stops,
        } = self;
        let (deletes, reads) = (deletes.len(), reads.len());
        write!(
            f,
            "{requests} requests, {deletes} ways of deletes, {reads} of reads, {acts} acts, stops: {stops}"
        )
    }
}

/// What is chosen for a run.
#[derive(Debug)]
pub struct Script {
    pub scope: Scope,
    pub choices: Choices,
    /// The Jobs that are to be purged, by their uids.
    pub purges: Vec<(Key, String)>,
    /// Those to which others did something.
    pub touched: Vec<Key>,
    /// The ways of requests, by their numbers.
    ways: HashMap<usize, Way>,
    asked: HashMap<Key, usize>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub fault: Option<Fault>,
    says: Says,
    /// In milliseconds.
    there: u64,
    back: u64,
}

/// What the answer says.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// What the server says.
    Truth,
    /// A Status that is not the server's, with this Retry-After.
    Status(u16, &'static str, Option<&'static str>),
    /// A web page.
    Page(u16),
    /// That there is no such namespace.
    NoNamespace,
    /// That another Job is deleted.
    Other,
    /// The Job, as if it was only shown.
    Shown,
    /// A Status of failure, as an answer of success.
    Failure,
    /// A list of something else.
    OtherKind,
    /// The first half of what the server says.
    Half(End),
    /// What the server says, backwards.
    Garbled,
}

impl Way {
    const TRUTH: Way = Way {
        fault: None,
        says: Says::Truth,
        there: 0,
        back: 0,
    };

    const fn fault(fault: Fault) -> Way {
        Way {
            fault: Some(fault),
            ..Way::TRUTH
        }
    }

    const fn says(fault: Fault, says: Says) -> Way {
        Way {
            says,
            ..Way::fault(fault)
        }
    }

    const fn busy(arrives: Arrives, code: u16, retry_after: Option<&'static str>) -> Way {
        let says = Says::Status(code, "Trouble", retry_after);
        Way::says(Fault::Busy(arrives), says)
    }

    const fn denied(code: u16, reason: &'static str) -> Way {
        Way::says(Fault::Denied, Says::Status(code, reason, None))
    }

    /// The same words, though the request took effect.
    const fn done_yet(code: u16, reason: &'static str) -> Way {
        Way::says(Fault::Wrong(Yes), Says::Status(code, reason, None))
    }

    const fn late(milliseconds: u64) -> Way {
        Way {
            there: milliseconds,
            ..Way::fault(Fault::Late)
        }
    }

    pub fn way_there(self) -> Duration {
        Duration::from_millis(self.there)
    }

    pub fn way_back(self) -> Duration {
        Duration::from_millis(self.back)
    }
}

/// All that can become of a delete. A 404 that names the Job, or a success that names its uid, is the server's word
/// alone: the tool has to believe it.
pub const DELETES: &[Way] = &[
    Way::TRUTH,
    Way::fault(Fault::Refused),
    Way::fault(Fault::Cut(No)),
    Way::fault(Fault::Cut(Yes)),
    Way::fault(Fault::Hangs(No)),
    Way::fault(Fault::Hangs(Yes)),
    Way::fault(Fault::HungUp),
    Way::says(Fault::CutBody, Says::Half(End::Broken)),
    Way::says(Fault::EndsEarly, Says::Half(End::Whole)),
    Way::says(Fault::Stalls, Says::Half(End::Stalled)),
    Way::says(Fault::Damaged, Says::Garbled),
    Way::fault(Fault::Twice),
    Way::fault(Fault::DropsBody),
    Way {
        back: 2_000,
        ..Way::fault(Fault::Slow)
    },
    // The client has given up, and has not asked again, or has.
    Way::late(60_050),
    Way::late(63_000),
    Way::busy(No, 429, Some("1")),
    Way::busy(Yes, 429, Some("1")),
    Way::busy(No, 429, None),
    Way::busy(Yes, 429, None),
    Way::busy(No, 500, None),
    Way::busy(Yes, 500, None),
    Way::busy(No, 502, None),
    Way::busy(Yes, 502, None),
    Way::busy(No, 503, None),
    Way::busy(Yes, 503, None),
    Way::busy(No, 504, None),
    Way::busy(Yes, 504, None),
    Way::says(Fault::Page(No), Says::Page(200)),
    Way::says(Fault::Page(Yes), Says::Page(200)),
    Way::says(Fault::Page(No), Says::Page(302)),
    Way::says(Fault::Page(Yes), Says::Page(302)),
    Way::says(Fault::Page(No), Says::Page(403)),
    Way::says(Fault::Page(Yes), Says::Page(403)),
    Way::says(Fault::Page(No), Says::Page(404)),
    Way::says(Fault::Page(Yes), Says::Page(404)),
    Way::says(Fault::Page(No), Says::Page(503)),
    Way::says(Fault::Page(Yes), Says::Page(503)),
    Way::says(Fault::Wrong(No), Says::NoNamespace),
    Way::says(Fault::Wrong(Yes), Says::NoNamespace),
    Way::says(Fault::Wrong(No), Says::Other),
    Way::says(Fault::Wrong(Yes), Says::Other),
    Way::says(Fault::Wrong(No), Says::Shown),
    Way::says(Fault::Wrong(Yes), Says::Shown),
    Way::says(Fault::Wrong(No), Says::Failure),
    Way::says(Fault::Wrong(Yes), Says::Failure),
    Way::denied(400, "BadRequest"),
    Way::done_yet(400, "BadRequest"),
    Way::denied(401, "Unauthorized"),
    Way::done_yet(401, "Unauthorized"),
    Way::denied(403, "Forbidden"),
    Way::done_yet(403, "Forbidden"),
    Way::denied(409, "Conflict"),
    Way::done_yet(409, "Conflict"),
    Way::denied(422, "Invalid"),
    Way::done_yet(422, "Invalid"),
];

/// All that can become of reading a Job again.
pub const READS: &[Way] = &[
    Way::TRUTH,
    Way::fault(Fault::Refused),
    Way::fault(Fault::Cut(No)),
    Way::fault(Fault::Hangs(No)),
    Way::says(Fault::CutBody, Says::Half(End::Broken)),
    Way::says(Fault::EndsEarly, Says::Half(End::Whole)),
    Way::says(Fault::Stalls, Says::Half(End::Stalled)),
    Way::says(Fault::Damaged, Says::Garbled),
    Way::fault(Fault::Stale),
    Way::fault(Fault::Stray),
    Way::fault(Fault::NoUid),
    Way::fault(Fault::NoVersion),
    Way {
        back: 2_000,
        ..Way::fault(Fault::Slow)
    },
    Way::busy(No, 429, Some("1")),
    Way::busy(No, 429, None),
    Way::busy(No, 500, None),
    Way::busy(No, 502, None),
    Way::busy(No, 503, None),
    Way::busy(No, 504, None),
    Way::says(Fault::Page(No), Says::Page(200)),
    Way::says(Fault::Page(No), Says::Page(403)),
    Way::says(Fault::Page(No), Says::Page(404)),
    Way::says(Fault::Wrong(No), Says::NoNamespace),
    Way::says(Fault::Wrong(No), Says::Other),
    Way::says(Fault::Wrong(No), Says::Failure),
    Way::says(Fault::Wrong(No), Says::OtherKind),
    Way::denied(400, "BadRequest"),
    Way::denied(401, "Unauthorized"),
    Way::denied(403, "Forbidden"),
];

/// One of each kind of [`DELETES`]: whether it took effect, and what the tool does next.
pub const KINDS_OF_DELETES: &[Way] = &[
    Way::TRUTH,
    Way::fault(Fault::Refused),
    Way::fault(Fault::Cut(No)),
    Way::fault(Fault::Cut(Yes)),
    Way::fault(Fault::Twice),
    Way::late(63_000),
    Way::busy(No, 429, Some("1")),
    Way::busy(Yes, 503, None),
    Way::says(Fault::Page(Yes), Says::Page(404)),
    Way::denied(403, "Forbidden"),
    Way::denied(409, "Conflict"),
];

/// One of each kind of [`READS`].
pub const KINDS_OF_READS: &[Way] = &[
    Way::TRUTH,
    Way::fault(Fault::Cut(No)),
    Way::fault(Fault::Stale),
    Way::fault(Fault::NoUid),
    Way::busy(No, 429, Some("1")),
    Way::denied(403, "Forbidden"),
];

/// What others may do to a Job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Nothing,
    Delete,
    DeleteSlowly,
    Finish,
    Replace,
    Create,
    Touch,
    Run,
    Unselect,
    Unlabel,
    Relabel,
}

impl Act {
    /// What can be done to what has this name now.
    fn possible(now: Option<&Job>, planned: &str) -> &'static [Act] {
        match now {
            None => &[Act::Nothing, Act::Create],
            Some(job) if *job.uid != *planned => &[Act::Nothing, Act::Delete],
            Some(job) if job.deleted.is_some() => &[Act::Nothing, Act::Finish, Act::Replace],
            Some(_) => &[
                Act::Nothing,
                Act::Delete,
                Act::DeleteSlowly,
                Act::Replace,
                Act::Touch,
                Act::Run,
                Act::Unselect,
                Act::Unlabel,
                Act::Relabel,
            ],
        }
    }
}

impl Script {
    pub fn new(scope: Scope, choices: Choices) -> Script {
        Script {
            scope,
            choices,
            purges: Vec::new(),
            touched: Vec::new(),
            ways: HashMap::new(),
            asked: HashMap::new(),
        }
    }

    /// What went wrong with the requests about this Job.
    pub fn faults(&self, world: &World, key: &Key) -> Vec<Fault> {
        let is_about = |number: &usize| match &world.log[*number].asked {
            Asked::Delete(delete) => delete.key == *key,
            Asked::Jobs(list) => list.name.as_ref() == Some(&key.1),
            _ => false,
        };
        let ways = self.ways.iter().filter(|(number, _)| is_about(number));
        ways.filter_map(|(_, way)| way.fault).collect()
    }
}

impl World {
    /// A request leaves, and a script says what becomes of it.
    pub(crate) fn choose(&mut self, number: usize, asked: &Asked) -> Option<Way> {
        let mut script = self.script.take()?;
        let way = self.choose_by(&mut script, number, asked);
        self.script = Some(script);
        way
    }

    fn choose_by(&mut self, script: &mut Script, number: usize, asked: &Asked) -> Option<Way> {
        let scope = script.scope;
        let (key, ways) = match asked {
            Asked::Delete(delete) => (delete.key.clone(), scope.deletes),
            Asked::Jobs(list) => match (list.namespace, &list.name) {
                (Some(namespace), Some(name)) => ((namespace, name.clone()), scope.reads),
                _ => return None,
            },
            _ => return None,
        };
        let count = script.asked.entry(key.clone()).or_default();
        *count += 1;
        if *count > scope.requests {
            return None;
        }
        self.act_by(script, &key);
        let way = ways[script.choices.choose(ways.len())];
        if way.fault.is_some() {
            self.setup.fault_rate = 1.0;
        }
        script.ways.insert(number, way);
        if scope.stops && self.setup.stop.is_none() {
            let stop = match script.choices.choose(3) {
                1 => Duration::ZERO,
                // While it waits to ask again, if it does: it never waits for less than twice that.
                2 => Duration::from_millis(50),
                _ => return Some(way),
            };
            self.setup.stop = Some(StopAt::Time(stop));
            self.asks_to_stop_in = Some(stop);
        }
        Some(way)
    }

    /// Others may do something to a Job.
    fn act_by(&mut self, script: &mut Script, key: &Key) {
        let planned = script.purges.iter().find(|(planned, _)| planned == key);
        let Some((_, uid)) = planned else { return };
        if script.touched.len() == script.scope.acts {
            return;
        }
        let now = self.store.get(key).cloned();
        let possible = Act::possible(now.as_deref(), uid);
        let act = possible[script.choices.choose(possible.len())];
        if act == Act::Nothing {
            return;
        }
        self.setup.actions = 1;
        script.touched.push(key.clone());
        let when = (self.now(), self.server_time());
        match act {
            Act::Nothing => {}
            Act::Delete => drop(self.store.delete(key, None, By::Other, when)),
            Act::DeleteSlowly => {
                let slowly = Some("foregroundDeletion");
                self.store.delete(key, slowly, By::Other, when);
            }
            Act::Finish => self.store.remove(key, By::Other, when.0),
            Act::Replace | Act::Create => {
                self.store.remove(key, By::Other, when.0);
                let job = self.plain_job(key.1.clone(), APPS[1], 0);
                self.store.put(job);
            }
            Act::Touch => drop(self.store.change(key, |job| job.touched += 1)),
            Act::Run => drop(self.store.change(key, |job| job.state = State::Running)),
            Act::Unselect => drop(self.store.change(key, |job| job.is_selected = false)),
            Act::Unlabel => drop(self.store.change(key, |job| job.app = None)),
            Act::Relabel => drop(self.store.change(key, |job| job.app = Some(APPS[2]))),
        }
    }

    /// What others may do to the Jobs that are to be purged before they are listed again.
    pub(crate) fn act_before(&mut self) {
        if let Some(mut script) = self.script.take() {
            for (key, _) in script.purges.clone() {
                self.act_by(&mut script, &key);
            }
            self.script = Some(script);
        }
    }

    /// What a script says that is answered to a request, if it says anything.
    pub(crate) fn scripted(&self, number: usize) -> Option<Way> {
        self.script.as_ref()?.ways.get(&number).copied()
    }

    /// What a script makes of an answer.
    pub(crate) fn as_scripted(&mut self, way: Way, asked: &Asked, answer: Answer) -> Answer {
        let uid = "0dd0dd0d-0000-4000-8000-000000000000";
        let body = || -> Vec<u8> { answer.pieces.iter().flatten().copied().collect() };
        let (namespace, name) = match asked {
            Asked::Delete(delete) => (delete.key.0, &*delete.key.1),
            _ => ("", ""),
        };
        match way.says {
            Says::Truth => answer,
            Says::Status(code, reason, retry_after) => Answer {
                retry_after: retry_after.map(str::to_owned),
                ..Answer::refusal(Form::Json, code, reason, "it cannot be done")
            },
            Says::Page(code) => Answer {
                content_type: "text/html; charset=utf-8",
                ..Answer::new(code, Form::Json, PAGE.to_vec())
            },
            Says::NoNamespace => {
                let message = format!("namespaces \"{namespace}\" not found");
                Answer::refusal(Form::Json, 404, "NotFound", &message)
            }
            Says::Shown if !self.setup.is_dry => {
                let purges = self.script.iter().flat_map(|script| &script.purges);
                let planned = purges.into_iter().find(|(key, _)| *key.1 == *name);
                let uid = planned.map_or(uid, |(_, uid)| uid).into();
                let job = self.plain_job(name.into(), APPS[1], 0);
                let shown = Job { uid, ..job };
                Answer::new(200, Form::Json, encode::terminating(Form::Json, &shown))
            }
            // That is how a dry run is answered, so another Job it is.
            Says::Other | Says::Shown => {
                let status = Status {
                    code: 200,
                    about: Some((name, uid)),
                    ..Status::default()
                };
                Answer::new(200, Form::Json, encode::status(Form::Json, &status))
            }
            Says::Failure => Answer {
                status: 200,
                ..Answer::refusal(Form::Json, 409, "Conflict", "no")
            },
            Says::OtherKind => {
                let list = br#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"99999"},"items":[]}"#;
                Answer::new(200, Form::Json, list.to_vec())
            }
            Says::Half(end) => {
                let mut body = body();
                body.truncate(body.len() / 2);
                Answer {
                    pieces: [body.into()].into(),
                    end,
                    ..answer
                }
            }
            Says::Garbled => {
                let mut body = body();
                body.reverse();
                Answer {
                    pieces: [body.into()].into(),
                    ..answer
                }
            }
        }
    }
}
