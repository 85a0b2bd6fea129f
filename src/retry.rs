//! How often and how long to try again.

use std::time::{Duration, Instant};

/// The limits of trying again.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    /// The most requests, the first included.
    pub count: u32,
    /// No wait may end later than this after the first request.
    pub total: Duration,
}

impl Tries {
    /// For a page of a list, while a person waits for it.
    pub fn for_list() -> Tries {
        Tries {
            count: 6,
            total: Duration::from_secs(60),
        }
    }

    /// For one delete: others go on meanwhile, and an API server may take a minute to come back.
    pub fn for_delete() -> Tries {
        Tries {
            count: 16,
            total: Duration::from_secs(120),
        }
    }
}

/// The longest that a server's Retry-After is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
const FIRST_DELAY: Duration = Duration::from_millis(200);
const MAX_DELAY: Duration = Duration::from_secs(8);

/// The delays between tries: exponential with jitter, or what the server asks for.
#[derive(Debug)]
pub struct Backoff {
    tries: Tries,
    made: u32,
    started: Instant,
}

impl Backoff {
    /// For a request that is about to be sent for the first time.
    pub fn new(tries: Tries) -> Backoff {
        Backoff {
            tries,
            made: 1,
            started: Instant::now(),
        }
    }

    /// How long to wait before the next try, or `None` if it is time to give up.
    pub fn next_delay(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        let doubled = FIRST_DELAY * 2u32.saturating_pow(self.made.min(8) - 1);
        // Jitter upwards when the server named a time, so that nobody comes early.
        let delay = match retry_after {
            Some(asked) => asked
                .min(MAX_RETRY_AFTER)
                .mul_f64(1.0 + 0.1 * fastrand::f64()),
            None => doubled.min(MAX_DELAY).mul_f64(0.5 + 0.5 * fastrand::f64()),
        };
        let in_time = self.started.elapsed() + delay <= self.tries.total;
        (self.made < self.tries.count && in_time).then(|| {
            self.made += 1;
            delay
        })
    }
}
