//! Random programs. Nobody has recorded what they do; but it must be the same in every mode, since no rule
//! leaves a choice to whoever polls.

use super::parse::programs;
use super::play::{Mode, play, record};
use proptest::prelude::*;
use proptest::sample::select;

/// Slots: two events, a semaphore, a mutex, two timers, a second handle of a timer, a thread.
const OBJECTS: &str = "a0 event h0 A 0 => *\na0 event h1 M 0 => *\na0 sem h2 1 3 => *\na0 mutex h3 0 => *\n\
                       a0 timer h4 A => *\na0 timer h5 M => *\na0 dup h6 h4 => *\na0 thread h7 3 => *\n";

/// What random programs are about.
#[derive(Debug, Clone, Copy)]
enum About {
    /// Everything that is decided at the signal, so that it does not matter when somebody is polled.
    Signals,
    /// Also deadlines and APCs.
    Everything,
}

fn handles(count: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    let all = ["h0", "h1", "h2", "h3", "h4", "h5", "h7"];
    proptest::sample::subsequence(all.to_vec(), count).prop_shuffle().prop_map(|handles| handles.join(" "))
}

/// The settings of a timer: `h4` or `h6`, which are one, and `h5`. The two are never due at one instant, for which of them comes first
/// then is no rule of the crate on a clock that others keep.
fn setting() -> impl Strategy<Value = String> {
    let now = vec!["0", "past", "never"];
    let periods = vec!["0", "60", "120"];
    let due = [now.clone(), vec!["20", "80", "140"]].concat();
    prop_oneof![
        4 => (select(vec!["h4", "h6"]), select(due), select(periods.clone()))
            .prop_map(|(timer, due, period)| format!("settimer {timer} {due} {period}")),
        1 => (select(vec!["30", "90", "150"]), select(periods))
            .prop_map(|(due, period)| format!("settimer h5 {due} {period}")),
        1 => select(now).prop_map(|due| format!("settimer h5 {due} 0")),
    ]
}

/// Operations that wait for nothing.
fn deed() -> impl Strategy<Value = String> {
    let event = select(vec!["h0", "h1"]);
    let timer = select(vec!["h4", "h5", "h6"]);
    prop_oneof![
        3 => (select(vec!["set", "reset", "pulse"]), event).prop_map(|(deed, event)| format!("{deed} {event}")),
        2 => (1..3u32).prop_map(|count| format!("release h2 {count}")),
        2 => Just("unlock h3".to_owned()),
        3 => setting(),
        1 => timer.prop_map(|timer| format!("cancel {timer}")),
        3 => (0..8usize).prop_map(|slot| format!("query h{slot}")),
    ]
}

/// Waits, with time-outs if those are asked for.
fn wait(about: About) -> impl Strategy<Value = String> {
    let (limits, alerts) = match about {
        About::Signals => (vec!["0", "inf"], vec![""]),
        About::Everything => (vec!["0", "inf", "40", "100"], vec!["", "x"]),
    };
    let signal = select(vec!["h0", "h1", "h2", "h3"]);
    let what = prop_oneof![
        handles(1..2).prop_map(|one| ("wait", one)),
        handles(1..5).prop_map(|some| ("any", some)),
        handles(1..4).prop_map(|some| ("all", some)),
        (signal, handles(1..2)).prop_map(|(signal, one)| ("saw", format!("{signal} {one}"))),
    ];
    (what, select(limits), select(alerts))
        .prop_map(|((word, handles), limit, alert)| format!("{word}{alert} {limit} {handles}"))
}

/// What has to do with APCs.
fn call() -> impl Strategy<Value = String> {
    let does = prop_oneof![
        2 => Just(String::new()),
        2 => deed().prop_map(|deed| format!(" do {deed}")),
        1 => select(vec![" do sleepx 0", " do wait 0 h0", " do wait inf h1", " do waitx 100 h5"]).prop_map(str::to_owned),
        1 => (0..4usize).prop_map(|actor| format!(" do apc {actor} 0")),
    ];
    prop_oneof![
        4 => (0..4usize, 1..100u32, does).prop_map(|(actor, tag, does)| format!("apc {actor} {tag}{does}")),
        3 => (setting(), 100..200u32).prop_map(|(setting, tag)| format!("{setting} apc {tag}")),
        1 => select(vec!["testalert", "sleepx 0", "sleepx inf", "sleepx 40", "sleep 40"]).prop_map(str::to_owned),
    ]
}

fn step(about: About) -> BoxedStrategy<String> {
    let actor = 0..4usize;
    let time = select(vec![60, 120]).prop_map(|time| format!("h advance {time}"));
    let end = (1..4usize, any::<bool>())
        .prop_map(|(actor, kill)| if kill { format!("h kill {actor}") } else { format!("a{actor} exit") });
    let (deeds, waits) = (12, 14);
    let signals = prop_oneof![
        deeds => (actor.clone(), deed()).prop_map(|(actor, deed)| format!("a{actor} {deed}")),
        waits => (actor.clone(), wait(about)).prop_map(|(actor, wait)| format!("a{actor} {wait}")),
        2 => (actor.clone(), deed(), deed(), deed())
            .prop_map(|(actor, a, b, c)| format!("a{actor} batch {a} ; {b} ; {c}")),
        4 => time,
        1 => end,
    ];
    match about {
        About::Signals => signals.boxed(),
        About::Everything => {
            let calls = (actor, call()).prop_map(|(actor, call)| format!("a{actor} {call}"));
            prop_oneof![3 => signals, 1 => calls].boxed()
        }
    }
}

fn steps(about: About) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(step(about), 1..60)
}

/// Performs a program in one mode and compares it with the others.
fn same(steps: &[String]) {
    let text = format!("prog random\nactors 4\n{OBJECTS}{} => *\nend\n", steps.join(" => *\n"));
    let program = programs(&text).expect("it is a program").remove(0);
    let program = record(program).unwrap_or_else(|difference| panic!("{difference}"));
    for mode in Mode::ALL.into_iter().filter(|mode| mode.suits(&program)) {
        if let Err(difference) = play(&program, mode) {
            panic!("{difference}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn signals_do_not_depend_on_polls(steps in steps(About::Signals)) {
        same(&steps);
    }

    #[test]
    fn everything_is_the_same_in_every_mode(steps in steps(About::Everything)) {
        same(&steps);
    }
}
