//! Cases that the scripted programs do not have.

use super::parse::programs;
use super::play::{Mode, play};

/// Plays a program of three actors in every mode that suits it.
#[track_caller]
fn plays(steps: &str) {
    let text = format!("prog p\nactors 3\n{steps}\nend\n");
    let program = &programs(&text).expect("it is a program")[0];
    for mode in Mode::ALL.into_iter().filter(|mode| mode.suits(program)) {
        if let Err(difference) = play(program, mode) {
            panic!("{difference}");
        }
    }
}

// ===== mutexes =====

/// Waits of an owner for whose mutex others stand in line.
/// "Mutex waits by the owner always succeed."
#[track_caller]
fn beside_a_waiter(steps: &str) {
    plays(&format!(
        "a0 mutex h0 1 => ok\na0 event h1 A 1 => ok\na1 wait inf h0 => pending\n\
         {steps}\na0 unlock h0 => ok(1) | a1 ok\na0 wait 0 h0 => timeout"
    ));
}

#[test]
fn an_owner_passes_those_in_line() {
    beside_a_waiter(
        "a0 wait 0 h0 => ok\na0 any inf h1 h0 => ok(0)\na0 any inf h1 h0 => ok(1)\na0 set h1 => ok(0)\n\
         a0 all inf h0 h1 => ok\na2 wait 0 h0 => timeout\na0 query h0 => X(4,1,0)\n\
         a0 unlock h0 => ok(4)\na0 unlock h0 => ok(3)\na0 unlock h0 => ok(2)",
    );
}

#[test]
fn an_owner_that_signals_something_else_passes_those_in_line() {
    beside_a_waiter("a0 saw inf h1 h0 => ok\na0 query h0 => X(2,1,0)\na0 unlock h0 => ok(2)");
}

#[test]
fn an_owner_that_unlocks_one_level_passes_those_in_line() {
    beside_a_waiter(
        "a0 wait 0 h0 => ok\na0 saw inf h0 h0 => ok\na0 query h0 => X(2,1,0)\na0 unlock h0 => ok(2)",
    );
}

// ===== APCs that wait =====

/// Once an APC has begun no deadline ends the wait in which it runs. Its own waits have deadlines of their own.
#[test]
fn a_deadline_that_comes_during_an_apc() {
    plays(
        "a0 event h0 A 0 => ok\na1 waitx 40 h0 => pending\na0 apc 1 7 do wait 160 h0 => ok\n\
         h advance 60 => ok\nh advance 60 => ok\nh advance 60 => ok | a1 apc[7{timeout}]\n\
         a1 waitx 100 h0 => pending\na0 apc 1 8 do wait 160 h0 => ok\nh advance 120 => ok\n\
         a0 set h0 => ok(0) | a1 apc[8{ok}]\na1 waitx 40 h0 => pending\nh advance 60 => ok | a1 timeout",
    );
}

/// An APC may wait alertably; those that run inside it are through before it is.
#[test]
fn an_apc_that_waits_alertably() {
    plays(
        "a0 event h0 A 0 => ok\na1 sleepx inf => pending\na0 apc 1 1 do waitx 100 h0 => ok\n\
         a0 apc 1 2 do wait inf h0 => ok\nh advance 120 => ok\na0 apc 1 3 => ok\n\
         a0 set h0 => ok(0) | a1 apc[2{ok},3,1{apc}]\na1 testalert => ok",
    );
}

/// With it dies what it had: also an APC in the middle of a wait, and those behind it.
#[test]
fn the_death_of_an_actor_in_an_apc() {
    plays(
        "a1 mutex h0 1 => ok\na0 event h1 A 0 => ok\na0 thread h2 1 => ok\na1 sleepx inf => pending\n\
         a0 apc 1 1 do waitx inf h1 => ok\na0 apc 1 2 do wait inf h1 => ok\na0 apc 1 3 do set h1 => ok\n\
         a2 any inf h2 h0 => pending\nh kill 1 => ok | a2 abandoned(1)\na0 set h1 => ok(0)\n\
         a0 query h1 => E(A,1)\na0 wait 0 h2 => ok\na0 apc 1 4 => fail(gen_failure)",
    );
}

/// A batch tells its APCs behind the answers.
#[test]
fn apcs_in_a_batch() {
    plays(
        "a0 event h0 A 0 => ok\n\
         a0 batch apc 0 1 do set h0 ; apc 0 2 ; waitx 0 h0 ; testalert ; wait 0 h0 => \
         {ok;ok;apc;ok;ok}[1{ok(0)},2]",
    );
}

// ===== timers =====

/// The routine of a timer ends the waits it can end, and the last handle takes it away.
#[test]
fn the_routine_of_a_timer() {
    plays(
        "a0 timer h0 A => ok\na0 event h1 A 0 => ok\na1 settimer h0 20 60 apc 1 do set h1 => ok(0)\n\
         a2 wait inf h1 => pending\na1 allx inf h0 h1 => pending\nh advance 60 => ok | a1 apc[1{ok(0)}] | a2 ok\n\
         a1 sleepx 100 => pending\nh advance 60 => ok | a1 apc[1{ok(0)}]\na0 dup h2 h0 => ok\na0 close h0 => ok\n\
         h advance 60 => ok\na0 close h2 => ok\na1 sleepx 40 => pending\nh advance 120 => ok | a1 ok",
    );
}

/// A routine is its setter's, whoever sets the timer anew, and goes with the setter.
#[test]
fn the_setter_of_a_timer() {
    plays(
        "a0 timer h0 M => ok\na1 settimer h0 0 60 apc 1 => ok(0)\na0 settimer h0 20 60 apc 2 => ok(1)\n\
         a1 sleepx 0 => ok\nh advance 60 => ok\na1 settimer h0 20 60 apc 3 => ok(1)\na0 sleepx 0 => ok\n\
         a2 wait inf h0 => pending\nh kill 1 => ok\nh advance 120 => ok\na0 query h0 => T(0)\n\
         a0 settimer h0 20 0 => ok(0)\nh advance 60 => ok | a2 ok",
    );
}

/// Two that are due one after the other within one advance.
#[test]
fn timers_in_the_order_of_their_due_times() {
    plays(
        "a0 timer h0 A => ok\na0 timer h1 M => ok\na0 thread h2 1 => ok\na0 settimer h0 80 60 => ok(0)\n\
         a0 settimer h1 20 0 => ok(0)\na1 any inf h0 h1 => pending\na2 all inf h0 h1 h2 => pending\n\
         h advance 120 => ok | a1 ok(1)\na0 query h0 => T(1)\na1 exit => ok | a2 ok\na0 query h0 => T(0)\n\
         h advance 60 => ok\na0 cancel h0 => ok(1)\na0 cancel h0 => ok(1)",
    );
}

/// However late an expiry is noticed, the next one is a period after its due time; and after the call if that was a
/// date in the past.
#[test]
fn the_phase_of_periods() {
    plays(
        "a0 timer h0 A => ok\na0 settimer h0 20 60 => ok(0)\nh advance 60 => ok\na0 query h0 => T(1)\n\
         a0 wait 0 h0 => ok\na0 wait inf h0 => pending\nh advance 20 => ok | a0 ok\nh advance 40 => ok\n\
         a0 wait 0 h0 => timeout\na0 settimer h0 past 60 => ok(0)\na0 wait 0 h0 => ok\nh advance 40 => ok\n\
         a0 wait 0 h0 => timeout\na0 wait inf h0 => pending\nh advance 20 => ok | a0 ok",
    );
}

// ===== names =====

/// A name is that of its handles: one who waits keeps the object and not the name, and so does a timer that runs.
#[test]
fn a_name_goes_with_its_last_handle() {
    plays(
        "a0 timer h0 A Foo => ok\na0 settimer h0 20 0 => ok(0)\na1 wait inf h0 => pending\na0 dup h1 h0 => ok\n\
         a0 close h0 => ok\na0 open timer h2 Local\\Foo => ok\na0 close h1 => ok\n\
         a0 sem h3 0 1 Foo => fail(invalid_handle)\na0 close h2 => ok\na0 sem h3 0 1 Foo => ok\n\
         h advance 60 => ok | a1 ok",
    );
}

/// What a name refuses.
#[test]
fn refused_names() {
    plays(
        "a0 event h0 A 0 a\\b => fail(path_not_found)\na0 sem h0 0 1 Local\\ => fail(invalid_name)\n\
         a0 mutex h0 0 rep:q:40000 => fail(filename_too_long)\na0 sem h0 1 2 Foo => ok\n\
         a0 sem h1 5 2 Foo => fail(invalid_parameter)\na0 event h2 A 0 local\\Foo => fail(path_not_found)",
    );
}
