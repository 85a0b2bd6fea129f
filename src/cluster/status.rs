//! What the API server says of itself in an answer.

use crate::{connection::exchange::Answer, decode};

impl Answer {
    /// Why the server refused, for programs: `NotFound`, `Conflict`, …; empty where something else answered.
    pub fn reason(&self) -> String {
        let status = decode::decode_status(&self.body);
        status.and_then(|status| status.reason).unwrap_or_default()
    }

    /// The server's own words if it sent some, else the status line.
    pub fn words(&self) -> String {
        decode::decode_status(&self.body)
            .and_then(|status| status.message)
            .filter(|message| !message.is_empty())
            .unwrap_or_else(|| match self.text() {
                _ if self.is_web_page() => {
                    format!("the server answered {} with a web page", self.status)
                }
                Some(text) => format!("the server answered {}: {text}", self.status),
                None => format!("the server answered {}", self.status),
            })
    }
}
