//! How many deletes may be in flight at a time.

/// How many deletes may be in flight: halved when the server pushes back, grown by one for each window of successes.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    size: usize,
    successes: usize,
    /// Answers still to come from the crowd that was pushed back; they are one push, not many.
    settling: usize,
}

impl Window {
    pub(super) fn new(limit: usize) -> Window {
        Window {
            limit,
            size: limit,
            successes: 0,
            settling: 0,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn grow(&mut self) {
        self.settling = self.settling.saturating_sub(1);
        self.successes += 1;
        if self.successes >= self.size {
            self.successes = 0;
            self.size = (self.size + 1).min(self.limit);
        }
    }

    pub(super) fn shrink(&mut self) {
        if self.settling > 0 {
            self.settling -= 1;
            return;
        }
        self.settling = self.size - 1;
        self.successes = 0;
        self.size = (self.size / 2).max(1);
    }
}
