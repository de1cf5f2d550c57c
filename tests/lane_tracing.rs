//! What a lane tells by feature `tracing`, at which level, and that it tells it under no lock.
#![cfg(feature = "tracing")]

mod common;

use batons::ManualClock;
use batons::lane::{Lane, OnFailure};
use common::must_end;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::subscriber::{set_global_default, with_default};
use tracing::{Event, Level, Metadata, Subscriber, span};

/// Writes events down, and calls a lane at each.
struct Notes {
    lines: Arc<Mutex<Vec<String>>>,
    lane: Lane<Vec<u64>, u64>,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        }
        .expect("a string takes everything");
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "batons::lane"
    }

    fn event(&self, event: &Event<'_>) {
        let _ = (self.lane.frontier(), self.lane.stall());
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What is told while `act` runs, on its thread.
fn told(lane: &Lane<Vec<u64>, u64>, act: impl FnOnce()) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    with_default(Notes { lines: Arc::clone(&lines), lane: lane.clone() }, act);
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *lines)
}

fn collecting(policy: OnFailure) -> Lane<Vec<u64>, u64> {
    Lane::builder().on_failure(policy).committer(Vec::new(), |all: &mut Vec<u64>, run| {
        all.extend(run);
        Ok(())
    })
}

#[test]
fn tickets_and_commits_are_traced() {
    let lane = collecting(OnFailure::Poison);
    let lines = told(&lane, || {
        let (mut first, second) = (lane.try_ticket().unwrap(), lane.try_ticket().unwrap());
        second.deposit(2).unwrap();
        first.try_turn().unwrap().push(1);
    });
    let level = Level::TRACE;
    let expected = [
        format!("{level} issued seq=0 count=1"),
        format!("{level} issued seq=1 count=1"),
        format!("{level} committed seq=0 count=1"),
        format!("{level} committed seq=1 count=1"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn losses_and_failures_are_warnings_and_skips_are_not() {
    let lane = collecting(OnFailure::Poison);
    let lines = told(&lane, || {
        lane.try_ticket().unwrap().skip();
        drop(lane.try_ticket().unwrap().on_failure(OnFailure::Skip));
        lane.try_ticket().unwrap().fail("disk full");
    });
    let expected = [
        "TRACE issued seq=0 count=1",
        "TRACE skipped seq=0",
        "TRACE issued seq=1 count=1",
        "WARN lost seq=1 policy=Skip",
        "TRACE issued seq=2 count=1",
        "WARN lost seq=2 policy=Poison",
        "WARN failed seq=2 failure=number 2 failed: disk full",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn stalls_are_warnings() {
    must_end(|| {
        let manual = ManualClock::new();
        let lane: Lane<Vec<u64>, u64> = Lane::builder().timed_by(&manual.clock()).build(Vec::new());
        let lines = Arc::new(Mutex::new(Vec::new()));
        // A watch has a thread of its own. The other tests of this file have subscribers of theirs.
        set_global_default(Notes { lines: Arc::clone(&lines), lane: lane.clone() }).expect("it is the first");
        let (tell, told) = std::sync::mpsc::channel();
        let _watch = lane.watch(Duration::from_secs(4), move |_| tell.send(()).expect("somebody listens"));
        let _ticket = lane.try_ticket().unwrap();
        while told.try_recv().is_err() {
            manual.advance(Duration::from_secs(1));
            std::thread::yield_now();
        }
        let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let stall = lines.iter().find(|line| line.starts_with("WARN stalled")).expect("it is told");
        assert!(stall.starts_with("WARN stalled seq=0 stall=stalled at 0: ticket alive for "), "{stall}");
    });
}
