//! All that a run is made of: the store, what goes wrong when, and a log of every request.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use kubectl_jobclean::error::Stop;
use tokio::{sync::watch, time::Instant};

use crate::{
    asked::Asked,
    faults::Fault,
    job::{Job, NAMESPACES, Rules, State},
    script::Script,
    setup::{Setup, StopAt},
    store::Store,
};

/// How often each thing happened.
pub type Counts = BTreeMap<&'static str, u64>;

/// What the tool is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Planning,
    Purging,
    Waiting,
}

/// A request.
#[derive(Debug)]
pub struct Sent {
    pub at: Duration,
    pub phase: Phase,
    pub asked: Asked,
    pub fault: Option<Fault>,
    pub arrived: Option<Duration>,
    /// The Job that it deleted, as it was, and whether it was there still.
    pub deleted: Option<Arc<Job>>,
    pub answer: Option<Given>,
    /// When the whole answer was read.
    pub delivered: Option<Duration>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub struct Given {
    pub status: u16,
    /// The version of a list.
    pub version: u64,
    /// The namespaces that a page of them lacks.
    pub lacks: Vec<&'static str>,
    /// The time that the server told.
    pub date: Option<i64>,
    /// Seconds.
    pub retry_after: Option<u64>,
}

/// The world of a run.
pub struct World {
    pub rng: Rng,
    pub setup: Setup,
    pub rules: Rules,
    pub store: Store,
    pub log: Vec<Sent>,
    pub phase: Phase,
    pub actions_left: u32,
    pub counts: Counts,
    pub stopped: Option<Duration>,
    /// How many requests had left when it was asked to stop.
    pub sent_before_stop: Option<usize>,
    /// What is chosen instead of drawn.
    pub script: Option<Script>,
    /// When to ask it to stop, which is still to be begun.
    pub asks_to_stop_in: Option<Duration>,
    /// When no more is to happen by itself.
    pub is_over: bool,
    /// How many requests about single Jobs are in flight, and were at most.
    pub in_flight: usize,
    pub most_in_flight: usize,
    stop: watch::Sender<Option<Stop>>,
    /// Which connection deletes share.
    connection: watch::Sender<u64>,
    begun: Instant,
    /// This machine's clock at the beginning, in seconds.
    base: i64,
}

/// It, shared between the tool, the server and the others.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    pub fn new(world: World) -> Shared {
        Shared(Arc::new(Mutex::new(world)))
    }

    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    pub fn new(mut rng: Rng, base: i64) -> World {
        let setup = Setup::draw(&mut rng);
        let mut world = World::empty(rng, setup, base);
        world.fill();
        world
    }

    /// One without any Jobs.
    pub fn empty(rng: Rng, setup: Setup, base: i64) -> World {
        World {
            rng,
            setup,
            rules: setup.rules,
            store: Store::default(),
            log: Vec::new(),
            phase: Phase::Planning,
            actions_left: setup.actions,
            counts: Counts::new(),
            stopped: None,
            sent_before_stop: None,
            script: None,
            asks_to_stop_in: None,
            is_over: false,
            in_flight: 0,
            most_in_flight: 0,
            stop: watch::Sender::new(None),
            connection: watch::Sender::new(0),
            begun: Instant::now(),
            base,
        }
    }

    /// A Job about which there is nothing special, created this many seconds ago.
    pub fn plain_job(&mut self, name: Arc<str>, app: &'static str, age: i64) -> Job {
        let created = self.server_time() - age;
        Job {
            namespace: NAMESPACES[0],
            name,
            uid: self.store.new_uid(),
            version: 0,
            created,
            finished: created + 42,
            state: State::Complete,
            app: Some(app),
            is_selected: true,
            mark: None,
            has_controller: false,
            finalizers: Vec::new(),
            deleted: None,
            touched: 0,
        }
    }

    /// Put the first Jobs in.
    fn fill(&mut self) {
        let mut places: Vec<(&'static str, usize)> = (0..self.setup.namespaces)
            .flat_map(|at| (0..self.setup.names).map(move |number| (at, number)))
            .map(|(at, number)| (crate::job::NAMESPACES[at], number))
            .collect();
        self.rng.shuffle(&mut places);
        for (namespace, number) in places.into_iter().take(self.setup.jobs) {
            // In the middle of an hour, so that no limit in whole hours is near. Ties are normal.
            let hours = self.rng.i64(0..8);
            let mut job = self.draw_job(namespace, number, hours * 3600 + 1800);
            if self.rng.u8(..16) == 0 {
                job.finalizers = vec!["foregroundDeletion"];
                job.deleted = Some(job.finished);
            }
            self.store.put(job);
            if self.rng.u8(..4) == 0 {
                self.store.tick();
            }
        }
    }

    pub fn stop_receiver(&self) -> watch::Receiver<Option<Stop>> {
        self.stop.subscribe()
    }

    /// The connection that deletes share; it changes when that is lost.
    pub fn connection(&self) -> watch::Receiver<u64> {
        self.connection.subscribe()
    }

    /// That connection is lost.
    pub fn hang_up(&mut self) {
        self.connection.send_modify(|connection| *connection += 1);
    }

    /// The answer to this request is lost with the connection.
    pub fn loses_answer(&mut self, number: usize) {
        let fault = &mut self.log[number].fault;
        if fault.is_none_or(Fault::leaves_answer) {
            *fault = Some(Fault::HungUp);
        }
    }

    /// Since the beginning.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The server's clock in seconds.
    pub fn server_time(&self) -> i64 {
        self.base + self.setup.skew + self.now().as_secs().cast_signed()
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Ask the tool to stop.
    pub fn ask_to_stop(&mut self) {
        if self.stopped.is_none() {
            self.stopped = Some(self.now());
            self.sent_before_stop = Some(self.log.len());
            self.stop.send_replace(Some(Stop::Terminate));
            self.count("stop");
        }
    }

    /// Others may do something now.
    pub fn meanwhile(&mut self) {
        while self.rng.f64() < self.setup.act_rate {
            self.act();
        }
    }

    /// A request leaves the tool: its number, and what will go wrong with it.
    pub fn leaves(&mut self, asked: &Asked) -> (usize, Option<Fault>) {
        self.meanwhile();
        let now = self.now();
        let is_away = self
            .setup
            .outage
            .is_some_and(|(from, to)| (from..to).contains(&now));
        let fault = if self.script.is_some() {
            let way = self.choose(self.log.len(), asked);
            way.and_then(|way| way.fault)
        } else if is_away {
            Some(Fault::of_outage(&mut self.rng))
        } else {
            (self.rng.f64() < self.setup.fault_rate).then(|| Fault::draw(&mut self.rng, asked))
        };
        if let Some(fault) = fault {
            self.count(fault.name());
        }
        self.log.push(Sent {
            at: now,
            phase: self.phase,
            asked: asked.clone(),
            fault,
            arrived: None,
            deleted: None,
            answer: None,
            delivered: None,
        });
        if asked.is_of_purge() {
            self.in_flight += 1;
            self.most_in_flight = self.most_in_flight.max(self.in_flight);
        }
        if let (Asked::Delete(_), Some(StopAt::Delete(left))) = (asked, &mut self.setup.stop) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.ask_to_stop();
            }
        }
        (self.log.len() - 1, fault)
    }

    /// How many deletes have left.
    pub fn deletes(&self) -> impl Iterator<Item = (usize, &Sent, &crate::asked::Delete)> {
        let all = self.log.iter().enumerate();
        all.filter_map(|(number, sent)| match &sent.asked {
            Asked::Delete(delete) => Some((number, sent, delete)),
            _ => None,
        })
    }

    /// The setup and every request, for a person who wants to know what happened.
    pub fn story(&self) -> String {
        let mut story = format!("{:#?}\nstopped at {:?}\n", self.setup, self.stopped);
        for Sent {
            at,
            phase,
            asked,
            fault,
            arrived,
            deleted,
            answer,
            delivered,
        } in &self.log
        {
            story += &format!(
                "{at:?} {phase:?} {asked:?}\n    fault {fault:?}, arrived {arrived:?}, answer {answer:?}, read {delivered:?}\n"
            );
            if let Some(job) = deleted {
                story += &format!("    deleted {job:?}\n");
            }
        }
        story
    }
}
