//! Deposits from rayon, by each of its ways in and with few threads: no job waits for one that has no thread, so nothing
//! can deadlock, whatever the order in which the jobs run.
#![allow(clippy::unwrap_used, reason = "a test ends with it")]

mod common;

use batons::lane::{Lane, Ticket};
use common::must_end;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

const ITEMS: u64 = 500;
const WINDOW: u32 = 16;

type TestLane = Lane<Vec<u64>, u64>;
type TestTicket = Ticket<Vec<u64>, u64>;

/// Runs `jobs` in pools of one, two and four threads; all that they deposit must be committed, in order.
fn in_pools(window: u32, jobs: impl Fn(&ThreadPool, &TestLane) + Send + Sync + 'static) {
    must_end(move || {
        for threads in [1, 2, 4] {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let lane = Lane::builder().window(window).committer(Vec::new(), |all, run| {
                all.extend(run);
                Ok(())
            });
            jobs(&pool, &lane);
            lane.blocking_drain().unwrap();
            assert!(lane.with_value(|all| all.iter().copied().eq(0..ITEMS)));
        }
    });
}

fn deposit(ticket: TestTicket) {
    let n = ticket.seq();
    ticket.deposit(n).unwrap();
}

#[test]
fn par_iter() {
    in_pools(u32::try_from(ITEMS).unwrap(), |pool, lane| {
        // Numbers are named by the jobs, which run in any order; that never waits.
        pool.install(|| (0..ITEMS).into_par_iter().for_each(|n| deposit(lane.ticket_at(n).unwrap())));
    });
}

#[test]
fn par_bridge_of_tickets() {
    // One thread takes from the iterator at a time, and what is taken before is in somebody's hands.
    in_pools(u32::try_from(ITEMS).unwrap(), |pool, lane| {
        let tickets = (0..ITEMS).map(|_| lane.try_ticket().unwrap());
        pool.install(|| tickets.par_bridge().for_each(deposit));
    });
}

#[test]
fn scope_whose_last_job_runs_first() {
    in_pools(u32::try_from(ITEMS).unwrap(), |pool, lane| {
        let tickets: Vec<_> = (0..ITEMS).map(|_| lane.try_ticket().unwrap()).collect();
        // Spawned from within: with one thread, a job that waited for its turn would wait for ever.
        pool.scope(|scope| tickets.into_iter().for_each(|ticket| scope.spawn(|_| deposit(ticket))));
    });
}

#[test]
fn jobs_from_outside_within_a_window() {
    in_pools(WINDOW, |pool, lane| {
        // The caller, which is none of the pool, waits for room.
        pool.in_place_scope_fifo(|scope| {
            for _ in 0..ITEMS {
                let ticket = lane.blocking_ticket().unwrap();
                scope.spawn_fifo(|_| deposit(ticket));
            }
        });
    });
}
