//! Somebody chooses which groups of a plan to purge.

use super::session::{Candidate, Session, unless_stopped};
use crate::{
    error::Exit,
    plan::Plan,
    ui::{Picked, Verbosity, picker::Choice},
};

impl Session<'_> {
    /// What is left with the chosen groups alone, or how the process ends and the plan that was chosen from.
    ///
    /// # Errors
    /// If nothing was chosen.
    pub async fn choose(&self, candidate: Candidate) -> Result<Candidate, (Exit, Box<Plan>)> {
        if candidate.shown.summary().purge == 0 {
            return Ok(candidate);
        }
        let picked = self.ui.choose(Choice::new(&candidate.shown));
        let exit = match unless_stopped(&self.stop, picked).await {
            Ok(Picked::Groups(groups)) if !groups.is_empty() => return Ok(candidate.only(&groups)),
            Ok(Picked::Groups(_) | Picked::Nothing) => {
                let text = "Nothing was chosen, and nothing was deleted.";
                self.ui.note(Verbosity::Normal, text);
                Exit::Declined
            }
            Ok(Picked::Interrupted) => Exit::Interrupted,
            Err(reason) => {
                // The list stands where it was; what comes next begins a line of its own.
                self.ui.text("");
                reason.into()
            }
        };
        Err((exit, Box::new(candidate.shown)))
    }
}
