//! What a run is like: drawn from its seed.

use std::{num::NonZeroUsize, time::Duration};

use fastrand::Rng;
use kube::Client;
use kubectl_jobclean::{
    Cleaner,
    error::Stop,
    gitops::Mode,
    job::grouping::Grouping,
    plan::{
        group::MixedGroups,
        retention::Policy,
        rules::{Retention, Treatment},
    },
    purge::Cascade,
};
use tokio::sync::watch;

use crate::job::{EMPTY_NAMESPACES, LABEL, NAMESPACES, Rules, SELECTED};

/// How a run is set up.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub rules: Rules,
    /// How many namespaces have Jobs, how many names there are in each, and how many Jobs there are.
    pub namespaces: usize,
    pub names: usize,
    pub jobs: usize,
    /// Whether every namespace is listed, or the first alone.
    pub is_wide: bool,
    pub concurrency: usize,
    pub page_size: u32,
    pub cascade: Cascade,
    pub is_dry: bool,
    /// How long it waits for the Jobs to be gone, if it waits.
    pub wait: Option<Duration>,
    /// Of ten requests, how many have a fault, as a fraction.
    pub fault_rate: f64,
    pub outage: Option<(Duration, Duration)>,
    pub act_rate: f64,
    pub actions: u32,
    /// Whether finalizers are ever finished.
    pub collects: bool,
    pub stop: Option<StopAt>,
    /// The namespace in which deletes are forbidden.
    pub forbidden: Option<&'static str>,
    /// The application whose Jobs an admission webhook does not let go.
    pub denied: Option<&'static str>,
    pub gitops: GitOps,
    /// How many seconds the server's clock is ahead.
    pub skew: i64,
    pub tells_time: bool,
    pub mixed: MixedGroups,
    pub shows: Shows,
    /// Whether the server knows how to list at a version.
    pub knows_exact: bool,
    /// How many namespaces have no Jobs.
    pub empty_namespaces: usize,
}

/// What the list of Namespaces shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    All,
    /// It is forbidden.
    Nothing,
    /// Something in between takes this one out.
    AllBut(&'static str),
}

/// When the tool is asked to stop.
#[derive(Debug, Clone, Copy)]
pub enum StopAt {
    /// When this many deletes have left.
    Delete(usize),
    /// So long after the purge began.
    Time(Duration),
}

/// What comes of asking what GitOps tools want.
#[derive(Debug, Clone, Copy)]
pub enum GitOps {
    Absent,
    Nothing,
    Forbidden,
    Broken,
}

impl Setup {
    pub fn draw(rng: &mut Rng) -> Setup {
        // By itself: a seed that was drawn before this stands for the same run.
        let mut rng_of_namespaces = Rng::with_seed(!rng.get_seed());
        let is_calm = rng.u8(..8) == 0;
        // Enough Jobs for the same refusal to come again and again.
        let is_large = rng.u8(..128) == 0;
        let seconds = |rng: &mut Rng, most: u64| Duration::from_millis(rng.u64(..most * 1_000));
        let outage_from = seconds(rng, 60);
        let small = |rng: &mut Rng| if rng.bool() { 0 } else { rng.usize(..3) };
        let sizes = [
            (1, 16, rng.usize(1..13)),
            (2, 12, rng.usize(1..13)),
            (3, 8, rng.usize(1..13)),
        ];
        let (namespaces, names, jobs) = match is_large {
            true => (rng.usize(1..3), 80, rng.usize(50..110)),
            false => *rng.choice(&sizes).expect("there are sizes"),
        };
        let cascades = [
            Cascade::Foreground,
            Cascade::Background,
            Cascade::Orphan,
            Cascade::Auto,
        ];
        let answers = [
            GitOps::Absent,
            GitOps::Absent,
            GitOps::Nothing,
            GitOps::Forbidden,
            GitOps::Broken,
        ];
        let mixed = [MixedGroups::Hold, MixedGroups::Split, MixedGroups::Merge];
        let stop = match rng.u8(..8) {
            0 => Some(StopAt::Delete(rng.usize(1..6))),
            1 => Some(StopAt::Time(seconds(rng, 5))),
            2 => Some(StopAt::Time(seconds(rng, 300))),
            _ => None,
        };
        let sometimes = |rng: &mut Rng, one_in: u8| rng.u8(..one_in) == 0;
        Setup {
            rules: Rules {
                keep: if rng.u8(..4) > 0 { 1 } else { rng.usize(1..4) },
                keep_succeeded: small(rng),
                keep_failed: small(rng),
                keep_within: sometimes(rng, 4).then(|| rng.i64(0..5) * 3600),
                includes_active: sometimes(rng, 4),
                includes_owned: sometimes(rng, 4),
                heeds_gitops: rng.bool(),
                selects: sometimes(rng, 3),
            },
            namespaces,
            names,
            jobs,
            is_wide: rng.bool(),
            concurrency: rng.usize(1..13),
            page_size: *rng.choice(&[0, 1, 2, 3, 5, 500]).expect("there are sizes"),
            cascade: *rng.choice(&cascades).expect("there are cascades"),
            is_dry: sometimes(rng, 8),
            wait: sometimes(rng, 3).then(|| seconds(rng, 300)),
            fault_rate: match is_calm {
                true => 0.0,
                false => rng.f64() * rng.f64() * 0.8,
            },
            outage: (!is_calm && sometimes(rng, 12))
                .then(|| (outage_from, outage_from + seconds(rng, 900))),
            act_rate: if is_calm || sometimes(rng, 4) {
                0.0
            } else {
                rng.f64() * 0.4
            },
            actions: if is_calm { 0 } else { rng.u32(..40) },
            collects: rng.u8(..4) > 0,
            stop: stop.filter(|_| !is_calm),
            forbidden: sometimes(rng, 12).then_some(NAMESPACES[0]),
            denied: sometimes(rng, 12).then_some("shop"),
            gitops: *rng.choice(&answers).expect("there are answers"),
            skew: if rng.bool() { 0 } else { rng.i64(-3..3) * 3600 },
            tells_time: rng.bool(),
            mixed: *rng.choice(&mixed).expect("there are ways"),
            shows: match rng_of_namespaces.u8(..16) {
                0 => Shows::Nothing,
                number @ 1..4 => Shows::AllBut(NAMESPACES[usize::from(number) - 1]),
                _ => Shows::All,
            },
            knows_exact: rng_of_namespaces.u8(..16) > 0,
            empty_namespaces: match rng_of_namespaces.bool() {
                true => 0,
                false => rng_of_namespaces.usize(..=EMPTY_NAMESPACES.len()),
            },
        }
    }

    /// Whether nothing goes wrong and nothing changes.
    pub fn is_calm(&self) -> bool {
        self.fault_rate == 0.0
            && self.outage.is_none()
            && self.actions == 0
            && self.stop.is_none()
            && self.forbidden.is_none()
            && self.denied.is_none()
    }

    /// The tool, as this run uses it.
    pub fn cleaner(&self, client: Client, stop: watch::Receiver<Option<Stop>>) -> Cleaner {
        let rules = &self.rules;
        let cleaner = Cleaner::new(client)
            .grouping(Grouping::labels(vec![LABEL.parse().expect("a label")]))
            .page_size(self.page_size)
            .cascade(self.cascade)
            .concurrency(NonZeroUsize::new(self.concurrency).expect("not zero"))
            .stop(stop)
            .policy(Policy {
                defaults: Retention {
                    keep: NonZeroUsize::new(rules.keep).expect("not zero"),
                    keep_succeeded: rules.keep_succeeded,
                    keep_failed: rules.keep_failed,
                    keep_within: rules
                        .keep_within
                        .map(|within| Duration::from_secs(within.cast_unsigned())),
                    active: Treatment::included(rules.includes_active),
                    owned: Treatment::included(rules.includes_owned),
                    ..Retention::default()
                },
                mixed_groups: Some(self.mixed),
                gitops: if rules.heeds_gitops {
                    Mode::Auto
                } else {
                    Mode::Ignore
                },
                ..Policy::default()
            });
        let cleaner = if rules.selects {
            let selector = format!("{}={}", SELECTED.0, SELECTED.1);
            cleaner.selector(selector.parse().expect("a selector"))
        } else {
            cleaner
        };
        let cleaner = if self.is_wide {
            cleaner.all_namespaces()
        } else {
            cleaner.namespace(NAMESPACES[0])
        };
        if self.is_dry {
            cleaner.dry_run()
        } else {
            cleaner
        }
    }
}
