//! The way to the simulated server and back: a service behind the client, with a body that comes in pieces.

use std::{
    collections::VecDeque,
    future::{Future, pending},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::Frame;
use http_body_util::BodyExt;
use kube::client::Body;
use tokio::time::{Sleep, sleep};
use tower::{BoxError, Service};

use crate::{
    answers::{Answer, End},
    asked::Asked,
    faults::{Arrives, Fault},
    script::Way,
    world::Shared,
};

/// The future of an answer.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response<Pieces>, BoxError>> + Send>>;

/// The server, as a client reaches it.
#[derive(Clone)]
pub struct Server(pub Shared);

impl Service<Request<Body>> for Server {
    type Response = Response<Pieces>;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let world = self.0.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let accept = head.headers.get(header::ACCEPT);
            let accept = accept.and_then(|accept| accept.to_str().ok());
            let asked = Asked::read(&head.method, &head.uri, accept.unwrap_or_default(), &body);
            exchange(world, asked).await
        })
    }
}

/// That a request is in flight, until its answer was read or given up.
struct InFlight {
    world: Shared,
    number: usize,
    is_counted: bool,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.is_counted {
            self.world.lock().in_flight -= 1;
        }
    }
}

async fn exchange(world: Shared, asked: Asked) -> Result<Response<Pieces>, BoxError> {
    let (number, fault) = world.lock().leaves(&asked);
    let (way, stop) = {
        let mut world = world.lock();
        (world.scripted(number), world.asks_to_stop_in.take())
    };
    match stop {
        Some(Duration::ZERO) => world.lock().ask_to_stop(),
        Some(after) => {
            let world = world.clone();
            tokio::spawn(async move {
                sleep(after).await;
                world.lock().ask_to_stop();
            });
        }
        None => {}
    }
    let in_flight = InFlight {
        world: world.clone(),
        number,
        is_counted: asked.is_of_purge(),
    };
    let mut connection = world.lock().connection();
    let is_shared = matches!(asked, Asked::Delete(_));
    tokio::select! {
        biased;
        answer = answer(&world, number, asked, fault, way) => {
            answer.map(|answer| respond(answer, in_flight))
        }
        Ok(()) = connection.changed(), if is_shared => {
            world.lock().loses_answer(number);
            broken(io::ErrorKind::ConnectionReset)
        }
    }
}

fn broken<T>(kind: io::ErrorKind) -> Result<T, BoxError> {
    Err(io::Error::from(kind).into())
}

/// The answer to a request, when it has come back.
async fn answer(
    world: &Shared,
    number: usize,
    asked: Asked,
    fault: Option<Fault>,
    way: Option<Way>,
) -> Result<Answer, BoxError> {
    match fault {
        Some(Fault::Refused) => return broken(io::ErrorKind::ConnectionRefused),
        Some(Fault::Cut(Arrives::No)) => return broken(io::ErrorKind::ConnectionReset),
        Some(Fault::Hangs(Arrives::No)) => return pending().await,
        _ => {}
    }
    let answer = if fault.is_none_or(Fault::arrives) {
        let way_there = {
            let rng = &mut world.lock().rng;
            match way {
                Some(way) => way.way_there(),
                None => fault.map_or(Duration::ZERO, |fault| fault.way_there(rng)),
            }
        };
        let arriving = {
            let world = world.clone();
            async move {
                // Not at all where there is no way to go: a sleep ends in the next millisecond.
                if !way_there.is_zero() {
                    sleep(way_there).await;
                }
                world.lock().arrives(number, &asked, fault)
            }
        };
        // It arrives even if the client has gone by then.
        if way_there.is_zero() {
            arriving.await
        } else {
            tokio::spawn(arriving).await?
        }
    } else {
        world.lock().instead(number, &asked, fault)
    };
    match fault {
        Some(Fault::Cut(_)) => return broken(io::ErrorKind::ConnectionReset),
        Some(Fault::HungUp) => {
            world.lock().hang_up();
            return broken(io::ErrorKind::ConnectionReset);
        }
        Some(Fault::Hangs(_)) => return pending().await,
        _ => {}
    }
    let way_back = {
        let rng = &mut world.lock().rng;
        match way {
            Some(way) => way.way_back(),
            None => fault.map_or(Duration::ZERO, |fault| fault.way_back(rng)),
        }
    };
    if !way_back.is_zero() {
        sleep(way_back).await;
    }
    Ok(answer)
}

fn respond(answer: Answer, in_flight: InFlight) -> Response<Pieces> {
    let mut response = Response::builder().status(answer.status);
    if !answer.content_type.is_empty() {
        response = response.header(header::CONTENT_TYPE, answer.content_type);
    }
    if let Some(retry_after) = answer.retry_after {
        response = response.header(header::RETRY_AFTER, retry_after);
    }
    if let Some(date) = answer.date {
        let date = jiff::Timestamp::from_second(date).expect("in the calendar");
        response = response.header(
            header::DATE,
            date.strftime("%a, %d %b %Y %T GMT").to_string(),
        );
    }
    let pieces = Pieces {
        left: answer.pieces,
        end: answer.end,
        pause: answer.pause,
        asleep: None,
        in_flight: Some(in_flight),
    };
    response.body(pieces).expect("plain headers")
}

/// The body of an answer.
pub struct Pieces {
    left: VecDeque<Bytes>,
    end: End,
    /// Before each piece but the first.
    pause: Duration,
    asleep: Option<Pin<Box<Sleep>>>,
    in_flight: Option<InFlight>,
}

impl Pieces {
    /// A body that is there at once.
    pub fn whole(body: Bytes) -> Pieces {
        Pieces {
            left: VecDeque::from([body]),
            end: End::Whole,
            pause: Duration::ZERO,
            asleep: None,
            in_flight: None,
        }
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(asleep) = &mut self.asleep {
            if asleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.asleep = None;
        }
        if let Some(piece) = self.left.pop_front() {
            if !self.pause.is_zero() {
                self.asleep = Some(Box::pin(sleep(self.pause)));
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match self.end {
            End::Whole => {
                if let Some(in_flight) = self.in_flight.take() {
                    let mut world = in_flight.world.lock();
                    let now = world.now();
                    world.log[in_flight.number].delivered = Some(now);
                }
                Poll::Ready(None)
            }
            End::Broken => {
                self.in_flight = None;
                self.end = End::Whole;
                Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())))
            }
            // Not even the deadline of the client would wake it, but that sleeps by itself.
            End::Stalled => Poll::Pending,
        }
    }
}
