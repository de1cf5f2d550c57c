//! Timers, calls, packets, operations and names, each from its beginning to its end; and what tokio has in
//! their place.

use batons::{
    Alertable, ApcQueue, AutoResetEvent, CompletionPort, Due, ManualClock, Namespace, Operation,
    WaitableTimer,
};
use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

const TICK: Duration = Duration::from_millis(1);

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn ready<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it is there"),
    }
}

/// A timer and the clock that it goes by.
pub(crate) fn timer() -> (ManualClock, WaitableTimer) {
    let clock = ManualClock::new();
    let timer = WaitableTimer::auto_on(&clock.clock());
    (clock, timer)
}

/// Sets it, waits, lets it expire, and goes on.
pub(crate) fn timer_waiting(pair: (ManualClock, WaitableTimer), times: u64) -> (ManualClock, WaitableTimer) {
    let (clock, auto) = pair;
    for _ in 0..times {
        auto.set(Due::after(TICK), None);
        let mut wait = pin!(auto.wait());
        assert!(poll(wait.as_mut()).is_pending(), "it is not due");
        clock.advance(TICK);
        assert!(poll(wait.as_mut()).is_ready(), "it was due");
    }
    (clock, auto)
}

/// Queues a call, and makes it in an alertable wait.
pub(crate) fn calls(queue: ApcQueue, times: u64) -> ApcQueue {
    let handle = queue.handle();
    for _ in 0..times {
        handle.queue(|| {}).expect("the queue is there");
        assert_eq!(ready(queue.alertable(pending::<()>())), Alertable::Alerted);
    }
    queue
}

/// Posts a packet and takes it.
pub(crate) fn packets(port: CompletionPort<u64>, times: u64) -> CompletionPort<u64> {
    for number in 0..times {
        port.post(number).expect("it is open");
        assert_eq!(*ready(port.next()).expect("it is open"), number);
    }
    port
}

/// The two ends of a channel.
pub(crate) type Ends = (mpsc::UnboundedSender<u64>, mpsc::UnboundedReceiver<u64>);

pub(crate) fn messages((sender, mut receiver): Ends, times: u64) -> Ends {
    for number in 0..times {
        sender.send(number).expect("it is open");
        assert_eq!(ready(receiver.recv()), Some(number));
    }
    (sender, receiver)
}

/// Makes an operation, does its work, and takes the result.
pub(crate) fn operations(times: u64) {
    for number in 0..times {
        let (operation, task) = Operation::new(async move { number });
        ready(task);
        assert_eq!(ready(operation.result()).expect("it was not cancelled"), number);
    }
}

pub(crate) fn oneshots(times: u64) {
    for number in 0..times {
        let (sender, receiver) = oneshot::channel();
        ready(async move { sender.send(number) }).expect("somebody receives");
        assert_eq!(ready(receiver), Ok(number));
    }
}

/// Makes an object of that name, opens it, and lets both go.
pub(crate) fn names(space: Namespace, times: u64) -> Namespace {
    for _ in 0..times {
        let made = space.create("ready", || AutoResetEvent::new(false)).expect("a name");
        drop(space.open::<AutoResetEvent>("ready").expect("it was made"));
        drop(made);
    }
    space
}
