//! How many deletes may be in flight at a time.

use super::attempt::Step;

/// How many deletes may be in flight: halved when the server pushes back, grown by one for each window of successes of the
/// step that was pushed back.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    size: usize,
    successes: usize,
    /// What the server pushed back last. That it answers other requests does not show that it has room for these.
    pushed: Option<Step>,
    /// Answers still to come from the crowd that was pushed back; they are one push, not many.
    settling: usize,
}

impl Window {
    pub(super) fn new(limit: usize) -> Window {
        Window {
            limit,
            size: limit,
            successes: 0,
            pushed: None,
            settling: 0,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn grow(&mut self, step: Step) {
        if self.pushed.is_some_and(|pushed| pushed != step) {
            return;
        }
        self.settling = self.settling.saturating_sub(1);
        self.successes += 1;
        if self.successes >= self.size {
            self.successes = 0;
            self.size = (self.size + 1).min(self.limit);
        }
    }

    pub(super) fn shrink(&mut self, step: Step) {
        self.pushed = Some(step);
        if self.settling > 0 {
            self.settling -= 1;
            return;
        }
        self.settling = self.size - 1;
        self.successes = 0;
        self.size = (self.size / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_pushed_back_makes_room_again() {
        let mut window = Window::new(8);
        for _ in 0..64 {
            window.shrink(Step::Delete);
            window.grow(Step::BackUp);
        }
        assert_eq!(window.size(), 1);
        for _ in 0..64 {
            window.grow(Step::BackUp);
        }
        assert_eq!(window.size(), 1);
        for _ in 0..64 {
            window.grow(Step::Delete);
        }
        assert_eq!(window.size(), 8);
    }
}
