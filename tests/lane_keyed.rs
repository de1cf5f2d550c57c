//! `Keyed`: order for each key, several keys at once, and nothing kept of idle ones.

use batons::lane::{KeyTicket, Keyed};
use batons::{LaneError, ManualResetEvent, wait_any};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, task::spawn};

/// A thread that waits longer than this is taken for deadlocked.
const FOREVER: Duration = Duration::from_secs(300);

#[test]
fn a_key_has_its_turns_in_order_and_one_at_a_time() {
    let keyed: Keyed<str> = Keyed::new();
    let [mut a, mut b, mut c] = [0; 3].map(|_| keyed.ticket("k"));
    let mut third = spawn(c.turn());
    assert_pending!(third.poll());
    let mut second = spawn(b.turn());
    assert_pending!(second.poll());
    let first = a.try_turn().expect("it is the first");
    assert!(!second.is_woken() && !third.is_woken());
    drop(first);
    assert!(second.is_woken() && !third.is_woken());
    drop(assert_ready_ok!(second.poll()));
    assert!(third.is_woken());
    drop(assert_ready_ok!(third.poll()));
    drop((second, third));
    assert!(matches!(a.try_turn(), Err(LaneError::Passed)));
    assert!(matches!(assert_ready!(spawn(b.turn()).poll()), Err(LaneError::Passed)));
}

#[test]
fn keys_do_not_wait_for_each_other() {
    let keyed: Keyed<String> = Keyed::new();
    let mut tickets: Vec<_> = (0..1000).map(|n| keyed.ticket(n.to_string().as_str())).collect();
    let turns: Vec<_> = tickets.iter_mut().map(|ticket| ticket.try_turn().expect("its own key")).collect();
    assert_eq!((keyed.keys(), keyed.waiting()), (1000, 0));
    drop(turns);
    assert_eq!(keyed.keys(), 0);
}

#[test]
fn several_keys_are_had_together_or_not_at_all() {
    let keyed: Keyed<u32> = Keyed::new();
    let (mut a, mut b) = (keyed.ticket(&1), keyed.ticket(&2));
    let mut both = keyed.tickets(&[1, 2, 1]);
    let (mut c, mut d) = (keyed.ticket(&1), keyed.ticket(&2));
    let mut both_wait = spawn(both.turn());
    assert_pending!(both_wait.poll());
    drop(a.try_turn().expect("the first of 1"));
    assert!(!both_wait.is_woken());
    assert!(matches!(c.try_turn(), Err(LaneError::WouldBlock)), "it does not overtake who waits for 2");
    drop(b.try_turn().expect("the first of 2"));
    assert!(both_wait.is_woken());
    let turn = assert_ready_ok!(both_wait.poll());
    assert!(c.try_turn().is_err() && d.try_turn().is_err());
    drop(turn);
    assert!(c.try_turn().is_ok() && d.try_turn().is_ok());
}

#[test]
fn crossed_keys_do_not_deadlock() {
    let keyed: Keyed<str> = Keyed::new();
    let mut there = keyed.tickets(["a", "b"]);
    let mut back = keyed.tickets(["b", "a"]);
    assert!(matches!(back.try_turn(), Err(LaneError::WouldBlock)));
    drop(there.try_turn().expect("the first of both"));
    drop(back.try_turn().expect("the second of both"));
    assert_eq!(keyed.keys(), 0);
}

#[test]
fn no_key_at_all_is_a_turn_at_once() {
    let keyed: Keyed<str> = Keyed::new();
    let _busy = keyed.ticket("k");
    assert!(keyed.tickets::<str>([]).try_turn().is_ok());
}

#[test]
fn nothing_is_kept_of_idle_keys() {
    let keyed: Keyed<u64> = Keyed::new();
    for round in 0..100_u64 {
        let tickets: Vec<_> = (0..50).map(|n| keyed.tickets(&[round * 50 + n, n])).collect();
        assert!(keyed.keys() >= 50);
        drop(tickets);
        assert_eq!((keyed.keys(), keyed.waiting()), (0, 0));
    }
}

// ===== drops at each stage =====

#[test]
fn a_ticket_dropped_in_the_middle_leaves_the_order_of_the_others() {
    let keyed: Keyed<str> = Keyed::new();
    let [mut a, b, mut c] = [0; 3].map(|_| keyed.ticket("k"));
    let ready = b.ready();
    drop(b);
    assert!(ready.is_set(), "whoever waits for it is told that it is gone");
    assert!(c.try_turn().is_err());
    drop(a.try_turn().expect("the first"));
    assert!(c.try_turn().is_ok());
}

#[test]
fn a_ticket_dropped_before_its_turn_frees_all_its_keys() {
    let keyed: Keyed<str> = Keyed::new();
    let first = keyed.ticket("a");
    let both = keyed.tickets(["a", "b"]); // at the front of b, not of a
    let mut b = keyed.ticket("b");
    let mut waits = spawn(b.turn());
    assert_pending!(waits.poll());
    drop(both);
    assert!(waits.is_woken());
    assert!(assert_ready!(waits.poll()).is_ok());
    drop(first);
    drop(waits);
    assert_eq!(keyed.keys(), 0);
}

#[test]
fn a_granted_ticket_that_is_dropped_unseen_hands_on() {
    let keyed: Keyed<str> = Keyed::new();
    let (a, mut b, mut c) = (keyed.ticket("k"), keyed.ticket("k"), keyed.ticket("k"));
    let mut third = spawn(c.turn());
    assert_pending!(third.poll());
    {
        let mut second = spawn(b.turn());
        assert_pending!(second.poll());
        drop(a);
        assert!(second.is_woken()); // granted, and never polled again
    }
    assert!(!third.is_woken(), "the ticket is still there");
    drop(b);
    assert!(third.is_woken());
    assert!(assert_ready!(third.poll()).is_ok());
}

#[test]
fn a_dropped_wait_keeps_the_place() {
    let keyed: Keyed<str> = Keyed::new();
    let (a, mut b, mut c) = (keyed.ticket("k"), keyed.ticket("k"), keyed.ticket("k"));
    assert_pending!(spawn(b.turn()).poll());
    assert!(matches!(b.blocking_turn_timeout(Duration::ZERO), Err(LaneError::TimedOut)));
    drop(a);
    assert!(c.try_turn().is_err());
    assert!(b.try_turn().is_ok());
    assert!(c.try_turn().is_ok());
}

#[test]
fn an_owned_turn_has_its_ticket_with_it() {
    let keyed: Keyed<str> = Keyed::new();
    let (a, mut b) = (keyed.ticket("k"), keyed.ticket("k"));
    let turn = assert_ready_ok!(spawn(a.turn_owned()).poll());
    assert!(b.try_turn().is_err());
    let mut pass = spawn(turn.pass());
    assert_pending!(pass.poll()); // over, and others may run
    assert!(b.try_turn().is_ok());
    assert_ready!(pass.poll());
}

#[test]
fn an_owned_wait_that_is_dropped_gives_its_place_up() {
    let keyed: Keyed<str> = Keyed::new();
    let (a, b, mut c) = (keyed.ticket("k"), keyed.ticket("k"), keyed.ticket("k"));
    let mut waits = spawn(b.turn_owned());
    assert_pending!(waits.poll());
    drop(a);
    drop(waits);
    assert!(c.try_turn().is_ok());
}

#[test]
fn a_panic_in_a_turn_lets_the_next_go_on() {
    let keyed: Keyed<str> = Keyed::new();
    let (mut a, mut b) = (keyed.ticket("k"), keyed.tickets(["k", "l"]));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _turn = a.try_turn().expect("the first");
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert!(b.try_turn().is_ok());
    assert_eq!(keyed.keys(), 0);
}

#[test]
fn a_turn_takes_part_in_waits_on_several_objects() {
    let keyed: Keyed<str> = Keyed::new();
    let (a, mut b) = (keyed.ticket("k"), keyed.ticket("k"));
    let (ready, stop) = (b.ready(), ManualResetEvent::new(false));
    let mut either = spawn(wait_any((stop.wait(), ready.wait())));
    assert_pending!(either.poll());
    drop(a);
    assert!(either.is_woken());
    assert_ready_ok!(either.poll());
    assert!(b.try_turn().is_ok());
}

#[test]
fn a_handle_is_not_needed_for_a_ticket_to_go_on() {
    let keyed: Keyed<str> = Keyed::new();
    let (a, mut b) = (keyed.ticket("k"), keyed.clone().ticket("k"));
    drop(keyed);
    drop(a);
    assert!(b.blocking_turn().is_ok());
}

// ===== foreign code =====

/// A key whose hash uses the object it is a key of.
struct Nosy<'a>(&'a Keyed<Nosy<'a>>);

impl std::hash::Hash for Nosy<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_usize(self.0.keys());
    }
}

#[test]
fn no_code_of_the_key_runs_under_the_lock() {
    let keyed = Keyed::new();
    let nosy = Nosy(&keyed);
    let (mut a, mut b) = (keyed.ticket(&nosy), keyed.tickets([&nosy, &Nosy(&keyed)]));
    assert!(a.try_turn().is_ok() && b.try_turn().is_ok());
}

// ===== many threads =====

struct Key {
    held: AtomicBool,
    last: AtomicU64,
}

fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// One to four of sixteen keys.
fn choose(seed: &mut u64) -> Vec<usize> {
    (0..=random(seed) % 4).map(|_| usize::try_from(random(seed) % 16).expect("small")).collect()
}

fn use_keys(ticket: &mut KeyTicket, number: u64, chosen: &[usize], keys: &[Key], panics: bool) {
    let _turn = ticket.blocking_turn_timeout(FOREVER).expect("nobody waits in a ring");
    for &key in chosen {
        assert!(!keys[key].held.swap(true, SeqCst), "key {key} is held twice");
        let last = keys[key].last.swap(number, SeqCst);
        assert!(last < number, "{number} came after {last}");
    }
    thread::yield_now();
    for &key in chosen {
        keys[key].held.store(false, SeqCst);
    }
    if panics {
        resume_unwind(Box::new("on purpose")); // without a word on stderr
    }
}

/// A ticket with a number in the order of all, and its keys, each once.
fn take(keyed: &Keyed<usize>, issued: &Mutex<u64>, seed: &mut u64) -> (KeyTicket, u64, Vec<usize>) {
    let mut chosen = choose(seed);
    let (ticket, number) = {
        // In one step, so that the order of both is the same.
        let mut issued = issued.lock().expect("no panic under it");
        *issued += 1;
        (keyed.tickets(&chosen), *issued)
    };
    chosen.sort_unstable();
    chosen.dedup();
    (ticket, number, chosen)
}

#[test]
fn ten_thousand_random_tickets_on_threads_do_not_deadlock() {
    let keyed: Keyed<usize> = Keyed::new();
    let keys: Vec<_> = (0..16).map(|_| Key { held: false.into(), last: 0.into() }).collect();
    let issued = Mutex::new(0_u64);
    let work = &|mut seed: u64| {
        for _ in 0..320 {
            // Several at a time, some of which are given up while they wait.
            let mut tickets: Vec<_> = (0..4).map(|_| take(&keyed, &issued, &mut seed)).collect();
            tickets.retain(|_| random(&mut seed) % 8 > 0);
            for (mut ticket, number, chosen) in tickets {
                if random(&mut seed) % 8 > 0 {
                    use_keys(&mut ticket, number, &chosen, &keys, false);
                    continue;
                }
                let panics = AssertUnwindSafe(|| use_keys(&mut ticket, number, &chosen, &keys, true));
                let panic = catch_unwind(panics).expect_err("it was told to");
                let text = panic.downcast_ref::<&str>().copied();
                assert_eq!(text, Some("on purpose"));
            }
        }
    };
    thread::scope(|scope| {
        for thread in 1..=8_u64 {
            scope.spawn(move || work(thread.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        }
    });
    assert_eq!(*issued.lock().expect("no panic under it"), 10_240);
    assert_eq!((keyed.keys(), keyed.waiting()), (0, 0));
}
