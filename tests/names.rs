//! Names: one object for all who name it, for as long as one of them has a handle.

mod common;

use batons::{
    AutoResetEvent, Baton, CompletionPort, Created, ManualResetEvent, Mutex, NameError, Nameable, Named,
    Namespace, Owner, Semaphore, WaitableTimer,
};
use common::{counted, must_end, panic_of, poll_with};
use std::{
    fmt::Debug,
    mem,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Wake, Waker},
    thread,
};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok};

fn set() -> AutoResetEvent {
    AutoResetEvent::new(true)
}

fn unset() -> AutoResetEvent {
    AutoResetEvent::new(false)
}

#[track_caller]
fn refused<T: Debug>(result: Result<T, NameError>) -> NameError {
    result.expect_err("it was not refused")
}

fn wrong(found: &'static str, wanted: &'static str) -> NameError {
    NameError::WrongType { found, wanted }
}

// ===== create and open =====

// cases: NA-01, NA-02, EV-26
#[test]
fn the_first_makes_the_object_and_the_others_get_it() {
    let space = Namespace::new();
    let first = space.create("x", set).unwrap();
    let second = space.create("x", unset).unwrap();
    let opened = space.clone().open::<AutoResetEvent>("x").unwrap();
    assert_eq!((first.existed(), second.existed()), (false, true));
    assert!(opened.try_wait() && !second.try_wait() && !first.try_wait());
    second.set();
    assert!(first.is_set());
}

// cases: NA-02, NA-15, SE-29, SE-30, NA-23
#[test]
fn what_a_later_creator_asks_for_is_ignored() {
    let space = Namespace::new();
    let first = space.create("slots", || Semaphore::new(1, 2)).unwrap();
    let second = space.create("slots", || Semaphore::new(5, 9)).unwrap();
    assert_eq!((second.existed(), second.available(), second.max()), (true, 1, 2));
    // Not even looked at; Win32 refuses impossible counts also if the name exists.
    assert!(space.create("slots", || Semaphore::new(9, 5)).unwrap().existed());
    // Who wants that makes the object first.
    let refused = panic_of(AssertUnwindSafe(|| {
        let made = Semaphore::new(9, 5);
        space.create("slots", || made)
    }));
    assert!(refused.is_some());
    assert_eq!((first.available(), first.max()), (1, 2));
}

// cases: MX-32
#[test]
fn a_mutex_that_exists_is_not_owned_by_who_asked_for_it_to_be() {
    let space = Namespace::new();
    let (one, two) = (Owner::new(), Owner::new());
    let owned_by = |owner: &Owner| {
        let mutex = Mutex::new();
        mutex.try_lock(owner).unwrap().unwrap().forget();
        mutex
    };
    let first = space.create("m", || owned_by(&one)).unwrap();
    let second = space.create("m", || owned_by(&two)).unwrap();
    assert!(second.existed() && second.is_owned_by(&one) && !second.is_owned_by(&two));
    assert!(first.try_lock(&two).is_none());
}

// cases: NA-21
#[test]
fn of_two_who_create_at_once_one_made_it_and_alone_owns_it() {
    must_end(|| {
        let (space, barrier) = (Namespace::new(), Barrier::new(2));
        for round in 0..2_000 {
            let create = || {
                let owner = Owner::new();
                barrier.wait();
                let mutex = space
                    .create("m", || {
                        let mutex = Mutex::new();
                        mutex.try_lock(&owner).unwrap().unwrap().forget();
                        mutex
                    })
                    .unwrap();
                (mutex, owner)
            };
            let made = thread::scope(|scope| {
                let other = scope.spawn(create);
                [create(), other.join().unwrap()]
            });
            let told = made.each_ref().map(|(mutex, owner)| (!mutex.existed(), mutex.is_owned_by(owner)));
            assert!(told == [(true, true), (false, false)] || told == [(false, false), (true, true)]);
            assert_eq!(made[0].0.is_owned_by(&made[1].1), made[1].0.is_owned_by(&made[1].1), "round {round}");
        }
    });
}

// cases: NA-06
#[test]
fn an_absent_name_is_not_found() {
    assert_eq!(refused(Namespace::new().open::<Mutex>("x")), NameError::NotFound);
}

// ===== one space for all types =====

/// What asking for the other types was answered, by type.
type Others = Vec<(&'static str, NameError)>;
type Check<'a> = &'a mut dyn FnMut(&str, Others);

fn each_type(space: &Namespace, check: Check<'_>) {
    fn make<T: Nameable>(space: &Namespace, make: fn() -> T, check: Check<'_>) {
        let first = space.create("x", make).expect("the name is free");
        assert!(!first.existed());
        let mut others = Vec::new();
        other(space, set, &mut others);
        other(space, || Baton::new(0), &mut others);
        other(space, || ManualResetEvent::new(false), &mut others);
        other(space, Mutex::new, &mut others);
        other(space, || Semaphore::new(1, 1), &mut others);
        other(space, WaitableTimer::auto, &mut others);
        other(space, || CompletionPort::<u8>::new(1), &mut others);
        check(T::KIND, others);
    }

    fn other<T: Nameable>(space: &Namespace, make: fn() -> T, others: &mut Others) {
        match (space.create("x", make).map(|made| made.existed()), space.open::<T>("x").map(drop)) {
            (Ok(true), Ok(())) => {}
            (Err(one), Err(two)) if one == two => others.push((T::KIND, one)),
            mixed => panic!("create and open do not agree: {mixed:?}"),
        }
    }

    make(space, set, check);
    make(space, || Baton::new(0), check);
    make(space, || ManualResetEvent::new(false), check);
    make(space, Mutex::new, check);
    make(space, || Semaphore::new(1, 1), check);
    make(space, WaitableTimer::auto, check);
    make(space, || CompletionPort::<u8>::new(1), check);
}

// cases: NA-03, NA-04, NA-05, NA-13
#[test]
fn a_name_belongs_to_one_type_until_it_is_gone() {
    let space = Namespace::new();
    let mut seen = Vec::new();
    each_type(&space, &mut |found, others| {
        seen.push(found.to_owned());
        assert_eq!(others.len(), 6);
        for (wanted, refusal) in others {
            assert!(
                matches!(refusal, NameError::WrongType { found: f, wanted: w } if (f, w) == (found, wanted))
            );
        }
    });
    assert_eq!(
        seen,
        [
            "AutoResetEvent",
            "Baton",
            "ManualResetEvent",
            "Mutex",
            "Semaphore",
            "WaitableTimer",
            "CompletionPort"
        ]
    );
    assert_eq!(format!("{space:?}"), "Namespace { names: 0, .. }");
}

// cases: NA-20
#[test]
fn a_create_that_fails_leaves_the_name_as_it_was() {
    let space = Namespace::new();
    let told = panic_of(AssertUnwindSafe(|| space.create("x", || Semaphore::new(2, 1))));
    assert!(told.is_some());
    assert_eq!(refused(space.open::<Semaphore>("x")), NameError::NotFound);
    let event = space.create("x", set).unwrap();
    assert_eq!(refused(space.create("x", Mutex::new)), wrong("AutoResetEvent", "Mutex"));
    drop(event);
    assert!(!space.create("x", Mutex::new).unwrap().existed());
}

// ===== names =====

// cases: NA-07, NA-08, NA-09
#[test]
fn without_a_name_each_object_is_its_own_and_cannot_be_opened() {
    let space = Namespace::new();
    let (one, two) = (space.create("", set).unwrap(), space.create("", set).unwrap());
    assert!(!one.existed() && !two.existed() && one.try_wait() && two.try_wait());
    assert_eq!(Named::name(&one), None);
    assert_eq!(refused(space.open::<AutoResetEvent>("")), NameError::Empty);
    for prefix in ["Local\\", "Global\\"] {
        assert_eq!(refused(space.create(prefix, set)), NameError::Empty);
        assert_eq!(refused(space.open::<AutoResetEvent>(prefix)), NameError::Empty);
    }
}

// cases: NA-10
#[test]
fn names_are_case_sensitive() {
    let space = Namespace::new();
    let one = space.create("Test Event", unset).unwrap();
    assert_eq!(refused(space.open::<AutoResetEvent>("TEST EVENT")), NameError::NotFound);
    let two = space.create("TEST EVENT", set).unwrap();
    assert!(!two.existed() && !one.is_set());
}

// cases: NA-17
#[test]
fn a_backslash_or_a_nul_within_a_name_is_refused() {
    let space = Namespace::new();
    for name in ["a\\b", "\\", "a\\", "Local\\a\\b", "Global\\Local\\a", "local\\a", "GLOBAL\\a"] {
        assert_eq!(refused(space.create(name, set)), NameError::Backslash, "{name}");
        assert_eq!(refused(space.open::<AutoResetEvent>(name)), NameError::Backslash, "{name}");
    }
    for name in ["\0", "a\0b", "Global\\a\0"] {
        assert_eq!(refused(space.create(name, set)), NameError::Nul, "{name:?}");
    }
    assert!(space.create("a/b: ü, 綱", set).is_ok());
}

// cases: NA-18
#[test]
fn local_is_the_same_as_no_prefix_and_global_is_another_space() {
    let space = Namespace::new();
    let plain = space.create("x", unset).unwrap();
    let local = space.create("Local\\x", set).unwrap();
    let global = space.create("Global\\x", set).unwrap();
    assert_eq!((plain.existed(), local.existed(), global.existed()), (false, true, false));
    assert_eq!([&plain, &local, &global].map(|made| Named::name(made)), [Some("x"); 3]);
    drop((plain, local));
    assert_eq!(refused(space.open::<AutoResetEvent>("x")), NameError::NotFound);
    assert!(space.open::<AutoResetEvent>("Global\\x").unwrap().is_set());
}

// cases: NA-19
#[test]
fn names_may_be_long() {
    let space = Namespace::new();
    for length in [1, 260, 1_032, 32_767] {
        let name = "n".repeat(length);
        let _made = space.create(&name, set).unwrap();
        assert!(space.open::<AutoResetEvent>(format!("Local\\{name}")).is_ok());
    }
    let long = "n".repeat(32_768);
    assert_eq!(refused(space.create(&long, set)), NameError::TooLong { max: 32_767 });
    assert_eq!(refused(space.open::<AutoResetEvent>(&long)), NameError::TooLong { max: 32_767 });
}

#[test]
fn the_global_name_space_is_one() {
    let made = Namespace::global().create("names.rs/one", set).unwrap();
    assert!(Namespace::global().open::<AutoResetEvent>("names.rs/one").unwrap().try_wait());
    assert_eq!(refused(Namespace::default().open::<AutoResetEvent>("names.rs/one")), NameError::NotFound);
    assert!(!made.is_set());
}

// ===== how long a name lives =====

// cases: NA-11, NA-12, NA-14, NA-24
#[test]
fn a_name_lives_as_long_as_its_last_handle() {
    let space = Namespace::new();
    let first = space.create("x", set).unwrap().into_handle();
    let second = first.clone();
    assert!(second.reset() && !first.is_set());
    drop(first);
    drop(space.open::<AutoResetEvent>("x").unwrap());
    second.set();
    drop(second);
    assert_eq!(refused(space.open::<AutoResetEvent>("x")), NameError::NotFound);
    let anew = space.create("x", unset).unwrap();
    assert!(!anew.existed() && !anew.is_set());
}

// cases: NA-27, NA-30
#[test]
fn a_waiter_keeps_the_object_and_not_the_name() {
    let space = Namespace::new();
    let named = space.create("x", unset).unwrap().into_handle();
    let object = AutoResetEvent::clone(&named);
    let mut wait = counted(object.wait());
    assert_pending!(wait.poll());
    drop(named);
    assert_eq!(refused(space.open::<AutoResetEvent>("x")), NameError::NotFound);
    let anew = space.create("x", unset).unwrap();
    assert!(!anew.set() && anew.is_set());
    assert_pending!(wait.poll());
    object.set();
    assert_ready!(wait.poll());
}

// cases: NA-29
#[test]
fn a_guard_keeps_the_mutex_and_not_its_name() {
    let (space, me, other) = (Namespace::new(), Owner::new(), Owner::new());
    let named = space.create("m", Mutex::new).unwrap().into_handle();
    let object = Mutex::clone(&named);
    let guard = assert_ready_ok!(counted(object.lock_owned(&me)).poll());
    let mut next = counted(object.lock(&other));
    assert_pending!(next.poll());
    drop(named);
    let anew = space.create("m", Mutex::new).unwrap();
    assert!(!anew.existed() && !anew.is_locked());
    drop(guard);
    drop(assert_ready_ok!(next.poll()));
}

#[test]
fn a_handle_may_outlive_the_name_space() {
    let space = Namespace::new();
    let named = space.create("x", set).unwrap();
    drop(space);
    assert!(named.try_wait());
    assert_eq!(Named::name(&named), Some("x"));
}

// ===== races =====

// cases: NA-22
#[test]
fn an_open_that_races_with_the_last_close_finds_the_object_or_nothing() {
    must_end(|| {
        let (space, barrier) = (Namespace::new(), Barrier::new(2));
        let found = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let named = space.create("x", set).unwrap();
                    assert!(!named.existed(), "the other one keeps nothing");
                    barrier.wait();
                    drop(named);
                    barrier.wait();
                }
            });
            for _ in 0..10_000 {
                barrier.wait();
                match space.open::<AutoResetEvent>("x") {
                    Ok(named) => {
                        assert!(named.try_wait(), "it is the live object");
                        let again = space.create("x", unset).unwrap();
                        assert!(again.existed() && !again.set() && named.try_wait());
                        found.fetch_add(1, SeqCst);
                    }
                    Err(refusal) => assert_eq!(refusal, NameError::NotFound),
                }
                barrier.wait();
            }
        });
        assert_eq!(format!("{space:?}"), "Namespace { names: 0, .. }");
    });
}

// cases: NA-22
#[test]
fn closing_and_creating_at_once_leaves_no_name_without_its_object() {
    must_end(|| {
        let space = Namespace::new();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..10_000 {
                        let made = space.create("x", || Semaphore::new(9, 9)).unwrap();
                        // While it is held its name is its own.
                        let opened = space.open::<Semaphore>("x").unwrap();
                        let permit = opened.try_acquire().expect("there are enough");
                        assert!(made.available() < 9);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(format!("{space:?}"), "Namespace { names: 0, .. }");
    });
}

// cases: NA-31
#[test]
fn an_open_as_another_type_may_be_the_last_to_see_the_object() {
    must_end(|| {
        let space = Namespace::new();
        thread::scope(|scope| {
            let closer = scope.spawn(|| {
                for _ in 0..100_000 {
                    // The refused open may hold the object for a moment.
                    drop(space.create("x", set).unwrap());
                }
            });
            while !closer.is_finished() {
                let refusal = refused(space.open::<Mutex>("x"));
                assert!([NameError::NotFound, wrong("AutoResetEvent", "Mutex")].contains(&refusal));
            }
        });
    });
}

// ===== foreign code =====

// cases: NA-31
#[test]
fn the_last_handle_drops_its_object_under_no_lock() {
    struct Opening(Namespace, Arc<AtomicUsize>);

    impl Wake for Opening {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Opening {
        fn drop(&mut self) {
            assert_eq!(refused(self.0.open::<AutoResetEvent>("x")), NameError::NotFound);
            assert!(!self.0.create("x", set).unwrap().existed());
            self.1.fetch_add(1, SeqCst);
        }
    }

    must_end(|| {
        let (space, dropped) = (Namespace::new(), Arc::new(AtomicUsize::new(0)));
        let named = space.create("x", unset).unwrap();
        let waker = Waker::from(Arc::new(Opening(space.clone(), Arc::clone(&dropped))));
        let mut leaked = named.wait();
        assert!(poll_with(&mut leaked, &waker).is_pending());
        // The waker stays in the line, and ends with the object.
        mem::forget(leaked);
        drop(waker);
        assert_eq!(dropped.load(SeqCst), 0);
        drop(named);
        assert_eq!(dropped.load(SeqCst), 1);
    });
}

// cases: NA-31
#[test]
fn an_object_is_made_under_no_lock_and_dropped_if_another_was_faster() {
    must_end(|| {
        let space = Namespace::new();
        let mut inner = None;
        let outer = space
            .create("x", || {
                inner = Some(space.create("x", set).unwrap());
                unset()
            })
            .unwrap();
        assert!(outer.existed() && outer.try_wait());
        assert_eq!(inner.as_ref().map(|made| (made.existed(), made.is_set())), Some((false, false)));
        drop(outer);
        drop(inner);
        // Another type was faster.
        let mut inner = None;
        let outer = space.create("x", || {
            inner = Some(space.create("x", Mutex::new).unwrap());
            unset()
        });
        assert_eq!(refused(outer), wrong("Mutex", "AutoResetEvent"));
        assert!(space.open::<Mutex>("x").is_ok());
    });
}

#[test]
fn a_refusal_says_what_was_refused() {
    let told = [
        (NameError::NotFound, "no object has the name; nothing was opened"),
        (
            wrong("Mutex", "Semaphore"),
            "the name belongs to a Mutex, not to a Semaphore; nothing was made or opened",
        ),
        (NameError::TooLong { max: 7 }, "the name is longer than 7 bytes; nothing was made or opened"),
    ];
    for (refusal, words) in told {
        assert_eq!(refusal.to_string(), words);
    }
    let made: Created<Mutex> = Namespace::new().create("m", Mutex::new).unwrap();
    assert!(format!("{made:?}").starts_with("Created { handle: Named { name: Some(\"m\"), object: Mutex"));
}
