//! How often and how long to try again.

use std::time::Duration;

use tokio::time::Instant;

use crate::connection::{exchange::Answer, failure::Failure};

/// The limits of trying again.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    /// The most requests that may have no useful answer, the first included. Those that the server asks to send again later
    /// do not count.
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

    /// For a request that may fail without harm.
    pub(super) fn once() -> Tries {
        Tries {
            count: 1,
            total: Duration::ZERO,
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
    /// How often there was no useful answer.
    failures: u32,
    /// How many delays there were.
    delays: u32,
    started: Instant,
}

impl Backoff {
    /// For a request that is about to be sent for the first time.
    pub fn new(tries: Tries) -> Backoff {
        Backoff {
            tries,
            failures: 0,
            delays: 0,
            started: Instant::now(),
        }
    }

    /// How long to wait before the next try, or `None` if it is time to give up. `asked` is how long the server asks to
    /// wait, if it answered that; such a try does not count, since the server is there.
    pub fn next_delay(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let doubled = (FIRST_DELAY * 2u32.saturating_pow(self.delays.min(7))).min(MAX_DELAY);
        let own = doubled.mul_f64(0.5 + 0.5 * fastrand::f64());
        let delay = match asked {
            // Not even a server that asks for no pause at all gets its requests without one.
            Some(Duration::ZERO) | None => own,
            // Jitter upwards, so that no request comes before its time.
            Some(asked) => asked
                .min(MAX_RETRY_AFTER)
                .mul_f64(1.0 + 0.1 * fastrand::f64()),
        };
        self.failures += u32::from(asked.is_none());
        self.delays = self.delays.saturating_add(1);
        let in_time = self.started.elapsed() + delay <= self.tries.total;
        (self.failures < self.tries.count && in_time).then_some(delay)
    }

    /// Wait before the next try, and say so first.
    ///
    /// # Errors
    /// If there is no next try.
    pub(super) async fn wait<E>(
        &mut self,
        tried: Retry<E>,
        on_wait: impl FnOnce(Duration, &str),
    ) -> Result<(), E> {
        match tried {
            Retry::Fatal(error) => Err(error),
            Retry::Again {
                why,
                retry_after,
                last,
            } => match self.next_delay(retry_after) {
                None => Err(last),
                Some(delay) => {
                    on_wait(delay, &why);
                    tokio::time::sleep(delay).await;
                    Ok(())
                }
            },
        }
    }
}

/// Why a try was of no use.
pub(super) enum Retry<E> {
    /// Trying again cannot help.
    Fatal(E),
    /// It may help.
    Again {
        /// What happened, as a fragment.
        why: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
        /// The error if this was the last try.
        last: E,
    },
}

impl<E> Retry<E> {
    /// After a failure that ends in this error unless another try helps.
    pub(super) fn after(failure: Failure, error: impl FnOnce(Failure) -> E) -> Retry<E> {
        match failure {
            Failure::Setup { .. } => Retry::Fatal(error(failure)),
            _ => Retry::Again {
                why: failure.words(),
                retry_after: None,
                last: error(failure),
            },
        }
    }
}

/// Why a request about one Job came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The server refused, or the request cannot be made; trying again cannot help.
    Refused(String),
    /// It is not known what came of it; the same request may be sent again.
    Unanswered(Unanswered),
}

/// A request without an answer that settles anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// What kind of trouble it was.
    pub trouble: Trouble,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// What happened, as a fragment.
    pub why: String,
}

/// Why a try settled nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The server cannot have done it: the request did not reach it, or it has not begun with it.
    NotSent,
    /// The server may have done it all the same.
    NoAnswer,
    /// The server asked to come again later. A proxy may have said so after the server has done it.
    PushedBack,
}

impl Unanswered {
    /// Without a wish of the server's for how long to wait.
    pub fn new(trouble: Trouble, why: impl Into<String>) -> Unanswered {
        Unanswered {
            trouble,
            retry_after: None,
            why: why.into(),
        }
    }
}

impl From<&Answer> for Unanswered {
    /// From an answer after which the same request may be sent again.
    fn from(answer: &Answer) -> Unanswered {
        let trouble = if answer.is_pushback() {
            Trouble::PushedBack
        } else {
            Trouble::NoAnswer
        };
        Unanswered {
            trouble,
            retry_after: answer.retry_after(),
            why: answer.words(),
        }
    }
}

impl From<Unanswered> for CallError {
    fn from(unanswered: Unanswered) -> CallError {
        CallError::Unanswered(unanswered)
    }
}

impl From<Failure> for CallError {
    fn from(failure: Failure) -> CallError {
        let trouble = match failure {
            Failure::Setup { .. } => return CallError::Refused(failure.words()),
            Failure::Unreachable(_) | Failure::Proxy { .. } | Failure::Unprocessed(_) => {
                Trouble::NotSent
            }
            Failure::Timeout(_) | Failure::Connection(_) | Failure::TooLong(_) => Trouble::NoAnswer,
        };
        Unanswered::new(trouble, failure.words()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    fn backoff(count: u32, total: u64) -> Backoff {
        Backoff::new(Tries {
            count,
            total: Duration::from_secs(total),
        })
    }

    #[test]
    fn tries_without_an_answer_are_counted() {
        let mut backoff = backoff(3, 3600);
        assert!(backoff.next_delay(None).is_some());
        assert!(backoff.next_delay(None).is_some());
        assert_eq!(backoff.next_delay(None), None);
    }

    #[test]
    fn a_server_that_asks_for_time_gets_all_there_is() {
        let mut backoff = backoff(3, 3600);
        for _ in 0..100 {
            let delay = backoff.next_delay(asked(1)).unwrap();
            assert!(delay >= Duration::from_secs(1), "{delay:?}");
        }
        assert!(backoff.next_delay(None).is_some());
        assert!(backoff.next_delay(None).is_some());
        assert_eq!(backoff.next_delay(None), None);
    }

    #[test]
    fn no_wait_ends_after_the_time_is_over() {
        assert_eq!(backoff(3, 10).next_delay(asked(11)), None);
        assert!(backoff(3, 40).next_delay(asked(3600)).is_some(), "capped");
    }

    #[test]
    fn zero_is_a_pause_too_and_grows() {
        let mut backoff = backoff(3, 3600);
        let delays: Vec<Duration> = (0..8)
            .filter_map(|_| backoff.next_delay(asked(0)))
            .collect();
        assert_eq!(delays.len(), 8);
        assert!(delays[0] >= FIRST_DELAY / 2, "{delays:?}");
        assert!(delays[7] >= MAX_DELAY / 2, "{delays:?}");
    }
}
