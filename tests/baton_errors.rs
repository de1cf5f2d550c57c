//! The errors of a baton: what they say, and what they turn into.

use batons::{AcquireError, AcquireTimeoutError, Baton, SkipError, TimedOut, TryAcquireError, blocking};
use std::{collections::HashSet, error::Error, time::Duration};

const REFUSALS: [AcquireError; 4] =
    [AcquireError::Duplicate, AcquireError::Passed, AcquireError::TooFar { limit: 41 }, AcquireError::Closed];

/// The only way to get one: the type cannot be made.
fn timed_out() -> TimedOut {
    blocking::wait_timeout(std::future::pending::<()>(), Duration::ZERO).expect_err("it never ends")
}

/// Every public error, as text.
fn messages() -> Vec<String> {
    let baton: [Box<dyn Error + Send + Sync>; 15] = [
        Box::new(REFUSALS[0]),
        Box::new(REFUSALS[1]),
        Box::new(REFUSALS[2]),
        Box::new(REFUSALS[3]),
        Box::new(TryAcquireError::WouldBlock),
        Box::new(TryAcquireError::from(REFUSALS[0])),
        Box::new(TryAcquireError::from(REFUSALS[2])),
        Box::new(AcquireTimeoutError::TimedOut),
        Box::new(AcquireTimeoutError::from(REFUSALS[1])),
        Box::new(AcquireTimeoutError::from(REFUSALS[2])),
        Box::new(SkipError::Requested),
        Box::new(SkipError::Passed),
        Box::new(SkipError::TooFar { limit: 41 }),
        Box::new(SkipError::Closed),
        Box::new(timed_out()),
    ];
    baton.iter().map(ToString::to_string).collect()
}

#[test]
fn a_message_is_one_plain_sentence_that_says_that_nothing_changed() {
    for message in messages() {
        assert!(
            message.contains("nothing was changed") || message.contains("nothing was skipped"),
            "{message}"
        );
        assert!(message.starts_with(char::is_lowercase), "{message}");
        assert!(!message.ends_with('.') && !message.contains('\n'), "{message}");
    }
}

#[test]
fn the_end_of_the_window_is_told() {
    let told = messages().iter().filter(|message| message.contains("41")).count();
    assert_eq!(told, 4);
}

#[test]
fn different_refusals_have_different_messages() {
    let texts: HashSet<_> = REFUSALS.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), REFUSALS.len());
}

#[test]
fn a_refusal_means_the_same_whoever_asked() {
    let as_try = [
        TryAcquireError::Duplicate,
        TryAcquireError::Passed,
        TryAcquireError::TooFar { limit: 41 },
        TryAcquireError::Closed,
    ];
    let as_timeout = [
        AcquireTimeoutError::Duplicate,
        AcquireTimeoutError::Passed,
        AcquireTimeoutError::TooFar { limit: 41 },
        AcquireTimeoutError::Closed,
    ];
    for (place, refusal) in REFUSALS.into_iter().enumerate() {
        assert_eq!(TryAcquireError::from(refusal), as_try[place]);
        assert_eq!(AcquireTimeoutError::from(refusal), as_timeout[place]);
        assert_eq!(as_try[place].to_string(), refusal.to_string());
        assert_eq!(as_timeout[place].to_string(), refusal.to_string());
    }
    let as_skip =
        [SkipError::Requested, SkipError::Passed, SkipError::TooFar { limit: 41 }, SkipError::Closed];
    assert_eq!(REFUSALS.map(SkipError::from), as_skip);
    assert_eq!(AcquireTimeoutError::from(timed_out()), AcquireTimeoutError::TimedOut);
    assert_eq!(AcquireTimeoutError::TimedOut.to_string(), timed_out().to_string());
}

#[test]
fn a_question_mark_turns_one_error_into_another() {
    fn by_hand(baton: &Baton) -> Result<u64, AcquireTimeoutError> {
        Ok(blocking::wait_timeout(baton.acquire(0), Duration::ZERO)??.seq())
    }

    let baton = Baton::new(0);
    assert_eq!(by_hand(&baton), Ok(0));
    assert_eq!(by_hand(&baton), Err(AcquireTimeoutError::Passed));
}
