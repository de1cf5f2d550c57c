//! The layers of the crate, enforced: what each file of `src/` may name. The table is the law; a new
//! file needs a row. The checker is itself checked, on snippets that break each rule.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[path = "layering/names.rs"]
mod names;

use names::{code, paths, words};

// ===== the table =====

/// What the files of one row may name.
struct Row {
    /// Paths below `src/`; one that ends in `/` stands for a directory.
    files: &'static [&'static str],
    /// Modules of this crate, beside the file's own family.
    modules: &'static [&'static str],
    /// Other crates, beside std.
    crates: &'static [&'static str],
    /// Words that must not be part of any name in the code.
    never: &'static [&'static str],
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Code,
    /// Declarations of modules and re-exports, no logic.
    Names,
}

/// What only the engine, `sync` and the parker may hold.
const MACHINERY: &[&str] =
    &["Mutex", "RwLock", "Condvar", "Lock", "Atomic", "Waker", "Deque", "Map", "thread", "unsafe"];
/// The objects, which the engine does not know.
const NOUNS: &[&str] = &[
    "baton",
    "event",
    "semaphore",
    "mutex",
    "timer",
    "operation",
    "port",
    "apc",
    "namespace",
    "ticket",
    "permit",
    "owner",
    "lane",
];
const OBJECTS: &[&str] = &["baton", "event", "semaphore", "mutex", "timer", "operation"];
const BELOW_OBJECTS: &[&str] = &["dispatch", "sync", "error"];
const THROUGH_OBJECTS: &[&str] =
    &["baton", "event", "semaphore", "mutex", "timer", "operation", "dispatch", "sync", "error", "clock"];
/// Its alertable waits have blocking forms.
const THROUGH_OBJECTS_AND_BLOCKING: &[&str] = &[
    "baton",
    "event",
    "semaphore",
    "mutex",
    "timer",
    "operation",
    "dispatch",
    "sync",
    "error",
    "clock",
    "blocking",
];

/// What the names of the crate are re-exported from.
const EVERYTHING: &[&str] = &[
    "baton",
    "event",
    "semaphore",
    "mutex",
    "timer",
    "operation",
    "multi_wait",
    "blocking",
    "apc",
    "names",
    "error",
    "clock",
    "lane",
];
/// The blocking forms are those of the objects and of the waits on several.
const BLOCKING: &[&str] = &[
    "baton",
    "event",
    "semaphore",
    "mutex",
    "timer",
    "operation",
    "multi_wait",
    "dispatch",
    "sync",
    "error",
    "clock",
];

const TABLE: &[Row] = &[
    Row { files: &["sync.rs"], modules: &[], crates: &["loom"], never: &["tokio"], kind: Kind::Code },
    Row {
        // It keeps the payload of a panic, which cannot be shared without a lock.
        files: &["error/operation.rs"],
        modules: &["sync"],
        crates: &[],
        never: &["Mutex", "RwLock", "Condvar", "Atomic", "Waker", "Deque", "Map", "thread", "unsafe"],
        kind: Kind::Code,
    },
    Row { files: &["error.rs", "error/"], modules: &[], crates: &[], never: MACHINERY, kind: Kind::Code },
    Row {
        files: &["clock.rs", "clock/"],
        modules: &["sync"],
        crates: &["tokio", "futures_timer", "rustix"],
        never: &["unsafe"],
        kind: Kind::Code,
    },
    Row { files: &["dispatch/"], modules: &["sync"], crates: &[], never: NOUNS, kind: Kind::Code },
    Row {
        files: &["baton.rs", "baton/", "event.rs", "event/", "semaphore.rs", "semaphore/"],
        modules: BELOW_OBJECTS,
        crates: &["futures"],
        never: MACHINERY,
        kind: Kind::Code,
    },
    Row {
        // Results and packets are values, which no word can hold.
        files: &["operation/store.rs"],
        modules: &["sync"],
        crates: &[],
        never: &["Mutex", "RwLock", "Condvar", "Atomic", "Waker", "Map", "thread", "unsafe"],
        kind: Kind::Code,
    },
    Row {
        // Polls the work of a thread once, with a waker that does nothing.
        files: &["operation/spawn.rs"],
        modules: BELOW_OBJECTS,
        crates: &["tokio"],
        never: &["Mutex", "RwLock", "Condvar", "Lock", "Atomic", "Deque", "Map", "thread", "unsafe"],
        kind: Kind::Code,
    },
    Row {
        // A stand-in for a call, and what it notes.
        files: &["operation/tests.rs"],
        modules: BELOW_OBJECTS,
        crates: &[],
        never: &["Mutex", "RwLock", "Condvar", "Atomic", "Deque", "Map", "thread", "unsafe"],
        kind: Kind::Code,
    },
    Row {
        files: &["operation.rs", "operation/"],
        modules: BELOW_OBJECTS,
        crates: &["futures", "pin_project_lite"],
        never: MACHINERY,
        kind: Kind::Code,
    },
    Row {
        files: &["timer.rs", "timer/wait.rs"],
        modules: &["dispatch", "sync", "error", "clock"],
        crates: &["futures"],
        never: MACHINERY,
        kind: Kind::Code,
    },
    Row {
        // What a timer has beside its header: a lock around its setting, and the waker by which it is rung.
        files: &["timer/"],
        modules: &["dispatch", "sync", "error", "clock"],
        crates: &["futures"],
        never: &["Mutex", "RwLock", "Condvar", "Atomic", "Deque", "Map", "thread", "unsafe"],
        kind: Kind::Code,
    },
    Row {
        // Its object is called what the others must not hold.
        files: &["mutex.rs", "mutex/"],
        modules: BELOW_OBJECTS,
        crates: &["futures"],
        never: &["RwLock", "Condvar", "Atomic", "Waker", "Deque", "Map", "thread", "unsafe"],
        kind: Kind::Code,
    },
    Row {
        files: &["blocking.rs", "blocking/"],
        modules: BLOCKING,
        crates: &["tokio"],
        never: &["unsafe"],
        kind: Kind::Code,
    },
    Row {
        files: &["multi_wait.rs", "multi_wait/"],
        modules: THROUGH_OBJECTS,
        crates: &["futures", "event_listener"],
        never: &["unsafe"],
        kind: Kind::Code,
    },
    Row {
        // A lock around its list; who waits is the business of an event, so no waker of its own is kept.
        files: &["apc.rs", "apc/"],
        modules: THROUGH_OBJECTS_AND_BLOCKING,
        crates: &["futures", "pin_project_lite"],
        never: &["RwLock", "Condvar", "Atomic", "Deque", "unsafe"],
        kind: Kind::Code,
    },
    Row {
        files: &["names.rs", "names/"],
        modules: THROUGH_OBJECTS,
        crates: &[],
        never: &["RwLock", "Condvar", "Atomic", "Waker", "Deque", "thread", "unsafe"],
        kind: Kind::Code,
    },
    Row {
        // Workers are tasks; and the names of the futures, as the rest of lanes.
        files: &["lane/pipeline.rs", "lane/pipeline/", "lane/spawn.rs", "lane/stream.rs"],
        modules: &["futures"],
        crates: &["futures", "tokio"],
        never: &["unsafe"],
        kind: Kind::Code,
    },
    Row {
        // As users do: the names at the root, and those of the futures.
        files: &["lane/", "lane.rs"],
        modules: &["futures"],
        crates: &["futures", "tracing"],
        never: &[],
        kind: Kind::Code,
    },
    Row { files: &["lib.rs", "futures.rs"], modules: EVERYTHING, crates: &[], never: &[], kind: Kind::Names },
];

const CRATES: &[&str] =
    &["tokio", "loom", "futures", "event_listener", "pin_project_lite", "futures_timer", "rustix", "tracing"];
const LONGEST: usize = 500;

// ===== the checker =====

/// Everything in `text` that `file` may not say, one line each.
fn complaints(file: &str, text: &str) -> Vec<String> {
    let covers = |name: &str| if name.ends_with('/') { file.starts_with(name) } else { file == name };
    let Some(row) = TABLE.iter().find(|row| row.files.iter().any(|name| covers(name))) else {
        return vec![format!("{file}: not in the table of layers")];
    };
    let mut found = Vec::new();
    if text.lines().count() > LONGEST {
        found.push(format!("longer than {LONGEST} lines"));
    }
    if file == "lib.rs" && !text.contains("#![forbid(unsafe_code)]") {
        found.push("does not forbid unsafe code".to_owned());
    }
    let code = code(text);
    for path in paths(&code) {
        check_path(file, row, &path, &mut found);
    }
    for word in words(&code) {
        for never in row.never.iter().filter(|never| names::has(&word, never)) {
            found.push(format!("`{word}` has `{never}` in it"));
        }
        if word == "loom" && file != "sync.rs" {
            found.push("names loom".to_owned());
        }
    }
    if row.kind == Kind::Names {
        found.extend(names::logic(&code));
    }
    found.into_iter().map(|what| format!("{file}: {what}")).collect()
}

fn check_path(file: &str, row: &Row, path: &[String], found: &mut Vec<String>) {
    let told = path.join("::");
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let family = file.split(['/', '.']).next().unwrap_or_default();
    match names[..] {
        ["crate", module, ..] => allow_module(row, family, module, &told, found),
        ["super", ..] => {
            // From the file's own module up, once for each `super`.
            let mut place: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
            if place.last() == Some(&"mod") {
                place.pop();
            }
            let ups = names.iter().take_while(|name| **name == "super").count();
            place.truncate(place.len().saturating_sub(ups));
            if let Some(module) = place.first().or(names.get(ups)) {
                allow_module(row, family, module, &told, found);
            }
        }
        [name, ..] if CRATES.contains(&name) => {
            if !row.crates.contains(&name) && row.kind == Kind::Code {
                found.push(format!("`{told}`: not its crate"));
            }
            if name == "tokio" && names.contains(&"time") && family != "clock" {
                found.push(format!("`{told}`: only the clock names tokio's time"));
            }
        }
        _ => {}
    }
}

fn allow_module(row: &Row, family: &str, module: &str, told: &str, found: &mut Vec<String>) {
    let in_lane = family == "lane";
    // Lanes use what users use: the types at the root, and `blocking`.
    let public = in_lane && (module.starts_with(char::is_uppercase) || module == "blocking");
    if module != family && !public && !row.modules.contains(&module) {
        found.push(format!("`{told}`: not its layer"));
    }
}

// ===== the crate =====

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("the sources are there") {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_file_names_only_what_its_layer_may_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let files = sources(&root);
    for path in &files {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        found.extend(complaints(&file, &fs::read_to_string(path).unwrap()));
    }
    assert!(files.len() > 10, "the walk finds the sources");
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_objects_of_the_table_are_in_its_layers() {
    for object in OBJECTS {
        assert!(THROUGH_OBJECTS.contains(object));
        let file = format!("{object}.rs");
        assert!(TABLE.iter().any(|row| row.files.contains(&file.as_str())), "{file} has a row");
    }
}

// ===== the checker, checked =====

/// (file, what it says, part of the complaint)
const BAD: &[(&str, &str, &str)] = &[
    ("helpers.rs", "", "not in the table"),
    ("baton/new/deep.rs", "use std::sync::Mutex;", "`Mutex` has"),
    ("baton.rs", "use crate::event::AutoResetEvent;", "not its layer"),
    ("baton.rs", "use crate::{dispatch::Header, semaphore::{Permit, Semaphore}};", "semaphore::Permit"),
    ("baton.rs", "fn f() { crate::blocking::wait(g()) }", "not its layer"),
    ("baton/ticket.rs", "use super::super::event::Event;", "not its layer"),
    ("baton.rs", "use super::event::Event;", "not its layer"),
    ("baton.rs", "use crate::sync::AtomicU64;", "`AtomicU64` has `Atomic`"),
    ("baton.rs", "use crate::sync::Lock;", "`Lock` has"),
    ("baton.rs", "static Q: std::collections::VecDeque<u8> = new();", "`VecDeque` has"),
    ("baton.rs", "let m: HashMap<u64, u64>;", "`HashMap` has"),
    ("baton.rs", "use std::task::{Context, Poll, Waker};", "`Waker` has"),
    ("baton.rs", "std::thread::park();", "`thread` has"),
    ("baton.rs", "tokio::spawn(f);", "not its crate"),
    ("operation/port.rs", "use crate::sync::Lock;", "`Lock` has"),
    ("operation/task.rs", "tokio::spawn(f);", "not its crate"),
    ("operation/spawn.rs", "tokio::time::sleep(d);", "only the clock"),
    ("operation/store.rs", "use crate::dispatch::Wait;", "not its layer"),
    ("event.rs", "use crate::baton::Baton;", "not its layer"),
    ("error.rs", "use crate::dispatch::Verdict;", "not its layer"),
    ("sync.rs", "use crate::error::TimedOut;", "not its layer"),
    ("sync.rs", "use tokio::sync::Mutex;", "not its crate"),
    ("dispatch/line.rs", "use crate::error::AcquireError;", "not its layer"),
    ("dispatch/line.rs", "use super::super::baton::Turn;", "not its layer"),
    ("dispatch/mod.rs", "use super::baton::Turn;", "not its layer"),
    ("dispatch/line.rs", "struct SemaphoreQueue;", "has `semaphore`"),
    ("dispatch/line.rs", "fn wake_baton(next_event: u64) {}", "has `event`"),
    ("dispatch/waiter.rs", "use loom::sync::Mutex;", "names loom"),
    ("dispatch/waiter.rs", "use tokio::sync::Notify;", "not its crate"),
    ("blocking.rs", "tokio::time::sleep(d);", "only the clock"),
    ("blocking.rs", "use tokio::{runtime::Handle, time::Instant};", "only the clock"),
    ("blocking.rs", "use crate::names::Namespace;", "not its layer"),
    ("blocking.rs", "#[cfg(x)] use loom::thread;", "names loom"),
    ("apc/calls.rs", "use std::sync::atomic::AtomicBool;", "`AtomicBool` has `Atomic`"),
    ("apc.rs", "tokio::time::sleep(d);", "not its crate"),
    ("names.rs", "use crate::apc::ApcQueue;", "not its layer"),
    ("names/handle.rs", "use crate::blocking::wait;", "not its layer"),
    ("error/names.rs", "use crate::names::Namespace;", "not its layer"),
    ("clock/alarm.rs", "use crate::dispatch::Header;", "not its layer"),
    ("timer.rs", "use crate::sync::Lock;", "`Lock` has"),
    ("timer/core.rs", "use futures_timer::Delay;", "not its crate"),
    ("timer/core.rs", "use crate::event::Flag;", "not its layer"),
    ("timer/core.rs", "use crate::sync::AtomicU64;", "`AtomicU64` has `Atomic`"),
    ("lane/mod.rs", "use crate::dispatch::Header;", "not its layer"),
    ("lib.rs", "mod baton;", "does not forbid"),
    ("lib.rs", "#![forbid(unsafe_code)]\npub fn f() {}", "logic"),
    ("futures.rs", "pub use crate::baton::Acquire; pub struct Named;", "logic"),
];

const GOOD: &[(&str, &str)] = &[
    ("baton.rs", "//! Not a `Mutex`: crate::event\nuse crate::{dispatch::{Header, Wait}, error::SkipError};"),
    ("baton.rs", "/* use crate::event; /* Waker */ Mutex */ const S: &str = \"tokio::time \\\" Mutex\";"),
    ("baton.rs", "const R: &str = r#\"a \"Waker\" loom\"#; const C: char = '\"'; use super::sync::Arc;"),
    ("baton/ticket.rs", "use super::Acquire; use std::fmt; fn f<'a>(x: &'a u8) {}"),
    (
        "dispatch/line.rs",
        "use super::{Policy, header::Header}; // a semaphore's\nuse crate::sync::AtomicU64;",
    ),
    ("dispatch/line.rs", "fn prevented(reported: u64, important: u64) {}"),
    ("blocking.rs", "use crate::baton::Baton; use tokio::runtime::Handle; use std::time::Instant;"),
    ("apc/wait.rs", "use crate::{blocking, event::WaitEvent, dispatch::last_call}; use pin_project_lite::x;"),
    ("names.rs", "use crate::{error::NameError, sync::Lock}; let map: std::collections::HashMap<u8, u8>;"),
    ("sync.rs", "#[cfg(batons_loom)] mod imp { pub(crate) use loom::sync::Mutex; }"),
    ("clock.rs", "use tokio::time::Instant;"),
    ("clock/alarm.rs", "use futures_timer::Delay; use tokio::time::Sleep;"),
    ("timer/core.rs", "use crate::{clock::Alarm, sync::Lock}; use std::task::Waker;"),
    ("lane/mod.rs", "use crate::{Baton, Ticket, blocking};"),
    ("lib.rs", "#![forbid(unsafe_code)]\n#[doc = \"x\"]\n#[cfg(doctest)]\nstruct Readme;\nmod b;"),
    ("lib.rs", "#![forbid(unsafe_code)]\n#[cfg(a)] mod b;\npub mod c; pub use b::{d, e as f};"),
];

#[test]
fn the_checker_complains_about_what_is_wrong() {
    for (file, text, expected) in BAD {
        let found = complaints(file, text);
        assert!(found.iter().any(|what| what.contains(expected)), "{file}: {text:?} gave {found:?}");
    }
    let long = "\n".repeat(LONGEST + 1);
    assert!(complaints("sync.rs", &long)[0].contains("longer"));
}

#[test]
fn the_checker_is_content_with_what_is_right() {
    for (file, text) in GOOD {
        assert_eq!(complaints(file, text), Vec::<String>::new(), "{text:?}");
    }
}
