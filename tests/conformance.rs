//! The conformance traces: programs that ran on a real Win32 implementation, with everything that could be
//! observed after every step, replayed on this crate.
//!
//! `data/scripted.trace` holds a program for each case of the table of semantics. A program that needs what
//! the crate lacks is left out as a whole, and counted.

use std::collections::BTreeMap;

#[path = "conformance/actor.rs"]
mod actor;
#[path = "conformance/apcs.rs"]
mod apcs;
#[path = "conformance/names.rs"]
mod names;
#[path = "conformance/op.rs"]
mod op;
#[path = "conformance/own.rs"]
mod own;
#[path = "conformance/parse.rs"]
mod parse;
#[path = "conformance/play.rs"]
mod play;
#[path = "conformance/random.rs"]
mod random;
#[path = "conformance/slots.rs"]
mod slots;
#[path = "conformance/time.rs"]
mod time;
#[path = "conformance/waits.rs"]
mod waits;
#[path = "conformance/world.rs"]
mod world;

use parse::{Program, programs};
use play::{Difference, Mode, play};

/// What is left out, why, and how many programs that is.
const SKIPPED: [(&str, &str, usize); 3] = [
    ("critical sections", "their waits are a thread's, and nobody can see whether it sleeps", 5),
    ("critical sections, other user-mode locks", "as below", 3),
    ("other user-mode locks", "left to std and tokio", 10),
];

fn scripted() -> Vec<Program> {
    programs(include_str!("data/scripted.trace")).expect("the file is written in the grammar")
}

/// The scripted programs that need nothing the crate lacks.
fn replayable() -> impl Iterator<Item = Program> {
    scripted().into_iter().filter(|program| program.lacks().is_empty())
}

// cases: TM-31, TM-32, TM-41, TM-48
#[test]
fn scripted_programs_agree() {
    let programs = scripted();
    let mut skipped = BTreeMap::<String, Vec<&str>>::new();
    let mut agreed = BTreeMap::<String, usize>::new();
    let mut differences = Vec::new();
    for program in &programs {
        let lacks = program.lacks().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if !lacks.is_empty() {
            skipped.entry(lacks).or_default().push(&program.name);
            continue;
        }
        for mode in Mode::ALL.into_iter().filter(|mode| mode.suits(program)) {
            match play(program, mode) {
                Ok(()) => *agreed.entry(format!("{mode:?}")).or_default() += 1,
                Err(difference) => differences.push(difference.to_string()),
            }
        }
    }
    println!("{} programs; agreed: {agreed:?}", programs.len());
    for (lacks, names) in &skipped {
        let why = SKIPPED.iter().find(|(lack, ..)| lack == lacks).map_or("no reason", |(_, why, _)| why);
        println!("{} skipped for {lacks} ({why}): {}", names.len(), names.join(" "));
    }
    let shown = differences.join("\n\n");
    assert!(differences.is_empty(), "{} differences:\n\n{shown}", differences.len());

    // Nothing is left out silently.
    let skipped: Vec<_> = skipped.iter().map(|(lacks, names)| (lacks.as_str(), names.len())).collect();
    assert_eq!(skipped, SKIPPED.map(|(lacks, _, count)| (lacks, count)));
    let agreed: Vec<_> = agreed.iter().map(|(mode, count)| (mode.as_str(), *count)).collect();
    let modes = [("Dropping", 283), ("Eager", 283), ("Lazy", 227), ("Paused", 49)];
    assert_eq!(agreed, &modes[..if cfg!(feature = "tokio") { 4 } else { 3 }]);
    assert_eq!(programs.len(), 301);
}

// ===== the replayer itself =====

/// The difference in a program with a wrong expectation.
#[track_caller]
fn differs(program: &Program, mode: Mode) -> Difference {
    match play(program, mode) {
        Err(difference) => difference,
        Ok(()) => panic!("{} agrees with a wrong expectation ({mode:?})", program.name),
    }
}

/// Plays every program once for each of its lines, with the outcome of that line as `wrong` makes it.
fn spoil(wrong: impl Fn(&str) -> Option<String>, check: impl Fn(&Program, usize, Mode)) {
    let mut spoilt = 0;
    for program in replayable() {
        for mode in Mode::ALL.into_iter().filter(|mode| mode.suits(&program)) {
            if play(&program, mode).is_err() {
                continue;
            }
            for index in 0..program.steps.len() {
                if let Some(outcome) = wrong(&program.steps[index].outcome) {
                    let mut program = program.clone();
                    program.steps[index].outcome = outcome;
                    check(&program, index, mode);
                    spoilt += 1;
                }
            }
        }
    }
    assert!(spoilt > 300, "only {spoilt} lines");
}

/// An answer that a step should have got is compared, on every line.
#[test]
fn a_wrong_answer_is_found_on_every_line() {
    let wrong = |outcome: &str| {
        let rest = outcome.split_once(" | ").map_or(String::new(), |(_, rest)| format!(" | {rest}"));
        Some(format!("wrong{rest}"))
    };
    spoil(wrong, |program, index, mode| {
        let (difference, step) = (differs(program, mode), &program.steps[index]);
        assert_eq!(difference.line, step.line, "{difference}");
        assert!(difference.expected.starts_with("wrong"), "{difference}");
        assert_ne!(difference.got, difference.expected);
    });
}

/// So is the answer of an actor that a step released, even if it is collected much later.
#[test]
fn a_wrong_release_is_found_on_every_line() {
    let wrong = |outcome: &str| {
        let (before, _) = outcome.rsplit_once(' ').filter(|(before, _)| before.contains(" | "))?;
        Some(format!("{before} wrong"))
    };
    spoil(wrong, |program, index, mode| {
        let (difference, step) = (differs(program, mode), &program.steps[index]);
        assert_eq!(difference.line, step.line, "{difference}");
        assert!(difference.expected.ends_with("wrong"), "{difference}");
    });
}

/// An actor that was released and should not have been.
#[test]
fn an_unexpected_release_is_found_on_every_line() {
    let wrong = |outcome: &str| Some(outcome.rsplit_once(" | ")?.0.to_owned());
    spoil(wrong, |program, index, mode| {
        let difference = differs(program, mode);
        // A lazy player meets it when it needs the actor, or at the end.
        assert!(difference.line >= program.steps[index].line, "{difference}");
        assert!(mode == Mode::Lazy || difference.line == program.steps[index].line, "{difference}");
    });
}

/// An actor that was not released and should have been.
#[test]
fn a_missing_release_is_found() {
    let text = "prog p\nactors 2\na0 event h0 A 0 => ok\na1 wait inf h0 => pending\n\
                a0 query h0 => E(A,0) | a1 ok\nend\n";
    let program = &programs(text).expect("it is a program")[0];
    for mode in Mode::ALL {
        assert_eq!(differs(program, mode).line, 5);
    }
    let shown = differs(program, Mode::Eager).to_string();
    let expected = "p, line 5 (Eager):\n    \
                    3: a0 event h0 A 0 => ok\n    \
                    4: a1 wait inf h0 => pending\n    \
                    5: a0 query h0 => E(A,0) | a1 ok\n    \
                    expected: E(A,0) | a1 ok\n    \
                    got:      E(A,0)";
    assert_eq!(shown, expected);
}

/// Nobody who is blocked or dead performs anything.
#[test]
fn operations_of_those_who_cannot_perform_them() {
    let text = "prog p\nactors 2\na0 event h0 A 0 => ok\na1 wait inf h0 => pending\na1 set h0 => busy\n\
                a0 query h0 => E(A,0)\nh kill 1 => ok\na1 set h0 => dead\na0 query h0 => E(A,0)\nend\n";
    let program = &programs(text).expect("it is a program")[0];
    for mode in Mode::ALL {
        assert!(play(program, mode).is_ok());
    }
}

/// Whatever the grammar does not know is an error at its line, never an operation left out.
#[test]
fn what_is_no_program_is_refused() {
    let program = |lines: &str| programs(&format!("# a comment\n\nprog p\ntag x\nactors 2\n{lines}\nend\n"));
    assert!(program("a0 nop => ok  ##wine fail(x)").is_ok());
    let wrong = [
        "a0 jump h0 => ok",
        "a0 set => ok",
        "a0 set h0 h1 => ok",
        "a0 set h128 => ok",
        "a0 set x0 => ok",
        "a0 event h0 B 0 => ok",
        "a0 event h0 A 2 => ok",
        "a0 wait soon h0 => ok",
        "a0 any 0 h0..x => ok",
        "a0 batch set h0 ; jump => {ok;ok}",
        "a2 nop => ok",
        "b0 nop => ok",
        "h kill 2 => ok",
        "h stop => ok",
        "a0 nop",
        "a0 nop => ok | a2 ok",
        "a0 nop => ok | a1 ok | a0 ok",
        "a0 nop => ok | nonsense",
    ];
    for line in wrong {
        let error = program(line).expect_err(line);
        assert!(error.starts_with("line 6: "), "{error}");
    }
    for text in ["prog p\nactors 1\n", "end\n", "prog p\na0 nop => ok\nend\n", "prog p\nactors many\nend\n"] {
        assert!(programs(text).is_err(), "{text}");
    }
}
