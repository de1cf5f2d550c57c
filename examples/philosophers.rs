//! Five philosophers at a round table with five forks, each of whom needs two to eat.
//!
//! `cargo run --example philosophers` lets each of them eat 1000 times and prints
//!
//! ```text
//! philosopher 0 had 1000 meals
//! philosopher 1 had 1000 meals
//! philosopher 2 had 1000 meals
//! philosopher 3 had 1000 meals
//! philosopher 4 had 1000 meals
//! no deadlock, nobody starved, and neighbours never ate together
//! ```
//!
//! A philosopher who took one fork and waited for the other would sooner or later sit in a ring of five
//! who do the same. `wait_all` takes both in one step or none, so there is no such ring, and no rule about
//! who takes which fork first. Exit code 101, a panic: neighbours ate together.

use batons::{Mutex, Owner, WaitError, wait_all};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tokio::task::{JoinSet, yield_now};

const SEATS: usize = 5;
const MEALS: usize = 1000;

/// Fork `n` lies between the seats `n` and `n + 1`.
#[derive(Default)]
struct Table {
    forks: [Mutex; SEATS],
    eats: [AtomicBool; SEATS],
}

impl Table {
    /// Eats all meals of a seat and returns their number.
    async fn dine(self: Arc<Self>, seat: usize) -> Result<(usize, usize), WaitError> {
        let me = Owner::new();
        let before = (seat + SEATS - 1) % SEATS;
        let (left, right) = (&self.forks[before], &self.forks[seat]);
        let mut meals = 0;
        while meals < MEALS {
            let forks = wait_all([left.lock(&me), right.lock(&me)]).await?;
            self.eat(seat, before).await;
            meals += 1;
            drop(forks);
        }
        Ok((seat, meals))
    }

    /// Gives the neighbours an opportunity to eat at the same time, which they must not.
    async fn eat(&self, seat: usize, before: usize) {
        self.eats[seat].store(true, SeqCst);
        yield_now().await;
        for neighbour in [before, (seat + 1) % SEATS] {
            assert!(!self.eats[neighbour].load(SeqCst), "{seat} and {neighbour} ate together");
        }
        self.eats[seat].store(false, SeqCst);
    }
}

#[tokio::main]
async fn main() -> Result<(), WaitError> {
    let table = Arc::<Table>::default();
    let diners: JoinSet<_> = (0..SEATS).map(|seat| Arc::clone(&table).dine(seat)).collect();
    let mut fed = diners.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    fed.sort_unstable();
    for (seat, meals) in &fed {
        println!("philosopher {seat} had {meals} meals");
    }
    assert!(fed.iter().all(|&(_, meals)| meals == MEALS), "somebody starved");
    println!("no deadlock, nobody starved, and neighbours never ate together");
    Ok(())
}
