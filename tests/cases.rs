//! Every case of the conformance table has a test, or a reason why it has none.
//!
//! A test names its cases in a comment `// cases: B-45, BB-08` right above its attributes or in its body.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Kinds of cases, and how many there are of each: `B` is the baton, `BB` the faults of older batons.
const KINDS: [(&str, u32); 13] = [
    ("B", 72),
    ("BB", 40),
    ("EV", 42),
    ("PU", 22),
    ("SE", 36),
    ("MX", 45),
    ("WA", 48),
    ("WL", 36),
    ("SW", 24),
    ("OV", 34),
    ("AP", 37),
    ("NA", 31),
    ("TM", 70),
];

/// Cases without a test.
const EXCUSED: [(&str, &str); 69] = [
    ("B-34", "a failed allocation aborts the process; no growth can be refused"),
    ("B-36", "excluded by the types: only a guard can release"),
    ("B-37", "excluded by the types: only a guard can release"),
    ("B-59", "excluded by the types: a handle is always valid"),
    ("BB-12", "excluded by the types: only a guard can release"),
    ("BB-27", "excluded by the types: only a guard can release"),
    ("BB-30", "excluded by the types: only a guard can release"),
    ("WA-06", "no last error here: an answer is a value"),
    ("WA-07", "excluded by the types: a handle is always valid"),
    ("WA-08", "excluded by the types: a handle is no number"),
    ("WA-09", "no pseudo handles here"),
    ("WA-10", "excluded by the types: a list has no null in it"),
    ("WA-30", "there is one domain: one order of all locks"),
    ("WA-37", "threads and processes are no objects here; a manual event stands for their end"),
    ("WA-44", "no keyed events here; the nearest is the baton"),
    ("WA-45", "no keyed events here"),
    ("WA-46", "no keyed events here"),
    ("WA-47", "no waits on an address here"),
    ("WA-48", "no thread alerts here"),
    ("SW-01", "excluded by the types: a handle is always valid"),
    ("SW-12", "excluded by the types: only what can be signaled is accepted"),
    ("EV-27", "excluded by the types: there are two kinds"),
    ("EV-29", "excluded by the types: no other object can be set"),
    ("EV-30", "no priorities; with or without a waiter it is `set`"),
    ("PU-20", "advice: a pulse is no condition variable"),
    ("PU-21", "no registered callbacks: a task waits like any other"),
    ("PU-22", "a fault of emulations that cannot see waiters; ours stand in line"),
    ("SE-32", "excluded by the types: a handle is always valid"),
    ("MX-01", "excluded by the types: a mutex begins free, owner and depth go together"),
    ("MX-07", "excluded by the types: an owner is never nobody"),
    ("MX-21", "excluded by the types: an owner is never nobody"),
    ("MX-31", "no access rights: every handle may do everything"),
    ("MX-36", "excluded by the types: a handle is always valid"),
    ("OV-11", "an operation belongs to no thread: who has a handle cancels it"),
    ("OV-23", "nobody is bound to a port; a call runs where its own queue is waited for"),
    ("OV-24", "nothing but a wait of its own queue runs a call"),
    ("OV-25", "the wait for a port is `next`, which takes a packet"),
    ("OV-26", "the wait for a port is `next`, which takes a packet"),
    ("OV-28", "no file is bound to a port; each operation names its own"),
    ("OV-29", "no file is bound to a port; each operation names its own"),
    ("OV-30", "an operation that names no port posts nothing"),
    ("AP-17", "excluded by the types: a handle is always valid"),
    ("AP-23", "out of scope: a call runs only where its queue waits alertably"),
    ("AP-31", "excluded by the types: the alert of a queue is its own, and a list takes waits"),
    ("NA-16", "no access rights: every handle may do everything"),
    ("NA-25", "excluded by the types: a clone does not fail, and does not close"),
    ("NA-26", "no inheritance; within a process a clone is all"),
    ("NA-28", "excluded by the types: a handle is always valid"),
    ("TM-02", "excluded by the types: there are two kinds"),
    ("TM-14", "excluded by the types: a period is never negative"),
    ("TM-43", "nothing wakes a machine that sleeps; there is nothing to ask for"),
    ("TM-47", "excluded by the types: only what can be signaled is accepted"),
    ("TM-54", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-55", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-56", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-57", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-58", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-59", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-60", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-61", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-62", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-63", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-64", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-65", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-66", "no timer queues: a runtime's tasks and intervals are that"),
    ("TM-67", "no registered callbacks: a task waits like any other"),
    ("TM-68", "no registered callbacks: a task waits like any other"),
    ("TM-69", "no registered callbacks: a task waits like any other"),
    ("TM-70", "no registered callbacks: a task waits like any other"),
];

const MARK: &str = "// cases:";

// ===== the marks in a file =====

/// What the marks of the test files say.
#[derive(Debug, Default)]
struct Marks {
    /// Where each id stands at a test.
    covered: BTreeMap<String, Vec<String>>,
    /// Marks that stand at no test.
    stray: Vec<String>,
}

/// Where in a file the scan is.
#[derive(Debug, Default)]
struct Scan {
    /// Marks read that wait for their test.
    open: Vec<(String, String)>,
    /// Whether an attribute of a test came since the last item.
    is_test: bool,
    /// How the function that the scan is in ends, if that is a test.
    end: Option<String>,
}

impl Marks {
    fn read(&mut self, file: &str, text: &str) {
        let mut scan = Scan::default();
        for (index, line) in text.lines().enumerate() {
            self.line(&mut scan, &format!("{file}:{}", index + 1), line);
        }
        self.strays(&mut scan);
    }

    fn line(&mut self, scan: &mut Scan, place: &str, line: &str) {
        let words = line.trim_start();
        let ids = words.strip_prefix(MARK).into_iter().flat_map(|ids| ids.split(','));
        let marks = ids.map(|id| (id.trim().to_owned(), place.to_owned()));
        if scan.end.as_deref() == Some(line) {
            scan.end = None;
        } else if scan.end.is_some() {
            self.cover(marks);
        } else if words.starts_with("//") {
            scan.open.extend(marks);
        } else if words.starts_with("#[") {
            scan.is_test |= words.starts_with("#[test]") || words.starts_with("#[tokio::test");
        } else if scan.is_test && (words.starts_with("fn ") || words.starts_with("async fn ")) {
            self.cover(scan.open.drain(..));
            let indent = &line[..line.len() - words.len()];
            let one_line = line.ends_with('}');
            *scan = Scan { end: (!one_line).then(|| format!("{indent}}}")), ..Scan::default() };
        } else {
            self.strays(scan);
            scan.is_test = false;
        }
    }

    fn cover(&mut self, marks: impl Iterator<Item = (String, String)>) {
        for (id, place) in marks {
            self.covered.entry(id).or_default().push(place);
        }
    }

    fn strays(&mut self, scan: &mut Scan) {
        self.stray.extend(scan.open.drain(..).map(|(id, place)| format!("{place}: {id}")));
    }
}

/// Unit tests with cases: of what can only be seen from within.
const UNITS: [&str; 1] = ["src/timer/tests.rs"];

/// The marks of all files in `tests`, and of `UNITS`.
fn marks() -> Marks {
    let mut marks = Marks::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for entry in fs::read_dir(folder).expect("the folder of this test") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "rs") && file != "cases.rs" {
            marks.read(&file, &fs::read_to_string(&path).expect("text"));
        }
    }
    for unit in UNITS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(unit);
        marks.read(unit, &fs::read_to_string(path).expect("text"));
    }
    marks
}

fn known() -> BTreeSet<String> {
    let ids = |(kind, count)| (1..=count).map(move |number| format!("{kind}-{number:02}"));
    KINDS.into_iter().flat_map(ids).collect()
}

// ===== the table =====

#[test]
fn every_case_has_a_test_or_a_reason_why_not() {
    let marks = marks();
    let excused = |id: &String| EXCUSED.iter().any(|(excused, _)| excused == id);
    let missing: Vec<_> =
        known().into_iter().filter(|id| !marks.covered.contains_key(id) && !excused(id)).collect();
    assert!(missing.is_empty(), "neither tested nor excused: {missing:?}");
}

#[test]
fn every_excuse_is_needed() {
    let (marks, known) = (marks(), known());
    let mut seen = BTreeSet::new();
    for (id, reason) in EXCUSED {
        assert!(known.contains(id), "{id} is no case");
        assert!(!reason.is_empty(), "{id} has no reason");
        assert!(seen.insert(id), "{id} is excused twice");
        assert_eq!(marks.covered.get(id), None, "{id} is excused and tested");
    }
}

#[test]
fn every_mark_names_a_case_and_stands_at_a_test() {
    let (marks, known) = (marks(), known());
    assert!(marks.stray.is_empty(), "not at a test: {:#?}", marks.stray);
    let unknown: Vec<_> = marks.covered.iter().filter(|(id, _)| !known.contains(*id)).collect();
    assert!(unknown.is_empty(), "no such case: {unknown:#?}");
}

// ===== the scan itself =====

#[test]
fn a_mark_above_or_inside_a_test_counts_and_any_other_is_stray() {
    let text = "\
// cases: A-1, A-2
// more words
#[test]
fn above() {}

    #[tokio::test(start_paused = true)]
    // cases: A-3
    async fn between() {
        if true {
            // cases: A-4
        }
    }

// cases: S-1
fn helper() {
    // cases: S-2
    work();
}

// cases: S-3

#[test]
fn too_far_below() {}
// cases: S-4";
    let mut marks = Marks::default();
    marks.read("file", text);
    assert!(marks.covered.keys().eq(["A-1", "A-2", "A-3", "A-4"]), "{marks:?}");
    assert_eq!(marks.stray, ["file:14: S-1", "file:16: S-2", "file:20: S-3", "file:24: S-4"]);
}
