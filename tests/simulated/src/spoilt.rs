//! Answers that something between the tool and the server has spoilt, or given itself.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;

use crate::{
    answers::{Answer, End},
    asked::Asked,
    encode::{self, Form, Status},
    faults::{Arrives, Fault},
    job::{Job, NAMESPACES},
    world::World,
};

pub(crate) const PAGE: &[u8] = b"<!DOCTYPE html><html><body>Please log in.</body></html>";

impl World {
    /// The answer as it comes with this fault.
    pub(crate) fn spoil(&mut self, asked: &Asked, answer: Answer, fault: Option<Fault>) -> Answer {
        match fault {
            Some(Fault::Busy(_)) => self.busy(),
            Some(Fault::Page(_)) => Answer {
                status: *self
                    .rng
                    .choice(&[200, 302, 403, 404, 502, 503])
                    .expect("there are some"),
                content_type: "text/html; charset=utf-8",
                ..Answer::new(200, Form::Json, PAGE.to_vec())
            },
            Some(Fault::Wrong(arrives)) => self.wrong(asked, arrives),
            Some(Fault::CutBody) => self.cut(answer, End::Broken),
            Some(Fault::EndsEarly) => self.cut(answer, End::Whole),
            Some(Fault::Stalls) => self.cut(answer, End::Stalled),
            Some(Fault::Damaged) => {
                let pieces = answer
                    .pieces
                    .iter()
                    .map(|piece| piece.iter().rev().copied().collect());
                Answer {
                    pieces: pieces.collect(),
                    ..answer
                }
            }
            Some(Fault::Slow) => {
                let pause = Duration::from_millis(self.rng.u64(..3_000));
                Answer {
                    pause,
                    ..self.in_pieces(answer)
                }
            }
            _ if self.rng.u8(..4) == 0 => self.in_pieces(answer),
            _ => answer,
        }
    }

    fn busy(&mut self) -> Answer {
        let status = *self
            .rng
            .choice(&[429, 429, 500, 502, 503, 503, 504])
            .expect("there are some");
        let mut answer = match self.rng.bool() {
            true => Answer::refusal(self.form(), status, "Trouble", "the server is busy"),
            false => Answer {
                content_type: "text/plain",
                ..Answer::new(status, Form::Json, b"upstream connect error\n".to_vec())
            },
        };
        answer.retry_after = match self.rng.u8(..8) {
            0 => Some("0".to_owned()),
            1 => Some("never".to_owned()),
            2..5 => Some(self.rng.u64(1..60).to_string()),
            _ => None,
        };
        answer
    }

    /// An answer that is none to this request.
    fn wrong(&mut self, asked: &Asked, arrives: Arrives) -> Answer {
        let form = self.form();
        let of_namespace = |namespace: &str| {
            let message = format!("namespaces \"{namespace}\" not found");
            Answer::refusal(form, 404, "NotFound", &message)
        };
        let other = Job {
            uid: "0dd0dd0d-0000-4000-8000-000000000000".into(),
            ..self.draw_job(NAMESPACES[0], 0, 60)
        };
        match (asked, self.rng.u8(..4)) {
            (Asked::Delete(delete), 0) => of_namespace(delete.key.0),
            (Asked::Delete(delete), 1) => {
                let about = Some((&*delete.key.1, &*other.uid));
                let status = Status { code: 200, about, ..Status::default() };
                Answer::new(200, form, encode::status(form, &status))
            }
            // The Job without a deletionTimestamp, as if it was only shown. That is what a dry run is answered.
            (Asked::Delete(delete), 2) => match self.store.get(&delete.key) {
                Some(job) if arrives == Arrives::No && job.deleted.is_none() && !self.setup.is_dry => {
                    Answer::new(200, form, encode::terminating(form, job))
                }
                _ => Answer::new(200, form, encode::terminating(form, &other)),
            },
            (Asked::Delete(_), _) => {
                let conflict = Status { code: 409, reason: "Conflict", message: "no", ..Status::default() };
                Answer::new(200, form, encode::status(form, &conflict))
            }
            (_, 0) => Answer::new(200, Form::Json, br#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"99999"},"items":[]}"#.to_vec()),
            (_, 1) => Answer::new(200, Form::Json, b"{}".to_vec()),
            (_, _) => Answer::new(200, form, encode::terminating(form, &other)),
        }
    }

    fn cut(&mut self, answer: Answer, end: End) -> Answer {
        let body: Vec<u8> = answer.pieces.iter().flatten().copied().collect();
        // Less than the whole. A list that is cut before its end is never a list.
        let at = self.rng.usize(..body.len().max(1));
        let body = Bytes::from(body).slice(..at);
        let cut = Answer {
            pieces: VecDeque::from([body]),
            end,
            ..answer
        };
        self.in_pieces(cut)
    }

    fn in_pieces(&mut self, answer: Answer) -> Answer {
        let body: Vec<u8> = answer.pieces.iter().flatten().copied().collect();
        let size = self.rng.usize(1..200).max(body.len() / 8 + 1);
        let pieces = body.chunks(size).map(Bytes::copy_from_slice).collect();
        Answer { pieces, ..answer }
    }
}
