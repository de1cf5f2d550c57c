//! What does it cost to hand a turn to the next of N waiting tasks, and does it grow with N?
//!
//! ```text
//! cargo bench --bench hand_over                               # tables and bars, some minutes
//! cargo bench --bench hand_over -- --quick                    # does it still work?
//! cargo bench --bench hand_over -- --plot doc/hand_over.svg   # the plot of the README
//! ```
//!
//! Nanoseconds per hand-over; in brackets how many times the floor. The clock starts when all tasks
//! stand in line and stops at the last turn (or, where tasks arrive again, when all of them are still
//! in line), so it sees the hand-over, the wake, the poll, and the new arrival if there is one.
//!
//! Cells without a figure: "slow" is what took more than 2 s for one race (20 s for a million tasks), or did
//! so among fewer tasks; "one thread" and "FIFO" are contenders that cannot do the task at all.

mod common;

use common::{
    Mode,
    floor::{Array, AtomicRing},
    harness::{Case, Effort, Series, interleave},
    herd::{EventHerd, NotifyHerd, WatchHerd},
    keyed::{Chain, EventRing, Fifo, MaitakeMap, MapOfOneshots, MapOfWakers, NotifyRing},
    plot::{Curve, Panel, draw},
    report::{Bars, count, figure, table},
    turns::{Arrival, Plan, Turns, Workers, repetition},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

// ===== contenders =====

struct Contender {
    name: &'static str,
    one_thread: bool,
    arrival_order: bool,
    repetition: fn(&Plan) -> [f64; 2],
}

impl Contender {
    fn new<T: Turns>() -> Self {
        let (one_thread, arrival_order) = (T::ONE_THREAD, T::ARRIVAL_ORDER);
        Self { name: T::NAME, one_thread, arrival_order, repetition: repetition::<T> }
    }
}

fn contenders() -> Vec<Contender> {
    vec![
        Contender::new::<Array>(),
        Contender::new::<AtomicRing>(),
        Contender::new::<batons::Baton>(),
        Contender::new::<MapOfWakers<HashMap<_, _>>>(),
        Contender::new::<MapOfWakers<BTreeMap<_, _>>>(),
        Contender::new::<NotifyRing>(),
        Contender::new::<EventRing>(),
        Contender::new::<Chain>(),
        Contender::new::<MapOfOneshots>(),
        Contender::new::<Fifo>(),
        Contender::new::<MaitakeMap>(),
        Contender::new::<NotifyHerd>(),
        Contender::new::<EventHerd>(),
        Contender::new::<WatchHerd>(),
    ]
}

const OURS: &str = <batons::Baton as Turns>::NAME;

fn floor(workers: Workers) -> &'static str {
    match workers {
        Workers::One => Array::NAME,
        Workers::Two => AtomicRing::NAME,
    }
}

// ===== measuring =====

/// Why a cell has no figure: it took too long, here or among fewer tasks.
const SLOW: &str = "- (slow)";

enum Cell {
    Measured([Series; 2]),
    Skipped(&'static str),
}

/// The cells of a table: one row for each contender, one column for each number of waiters.
struct Scenario {
    workers: Workers,
    arrival: Arrival,
    sizes: Vec<u64>,
    /// By size, then by contender.
    columns: Vec<Vec<Cell>>,
}

struct Bench {
    contenders: Vec<Contender>,
    effort: Effort,
    /// Hand-overs in a repetition, at least.
    turns: u64,
}

impl Bench {
    fn new(mode: Mode) -> Self {
        let full = Effort { repetitions: 51, time: Duration::from_millis(800) };
        let quick = Effort { repetitions: 3, time: Duration::from_millis(100) };
        let (effort, turns) = (mode.pick(full, quick), mode.pick(20_000, 1_000));
        Self { contenders: contenders(), effort, turns }
    }

    fn run(&self, workers: Workers, arrival: Arrival, sizes: &[u64]) -> Scenario {
        let mut scenario = Scenario { workers, arrival, sizes: Vec::new(), columns: Vec::new() };
        for &waiters in sizes {
            eprintln!("{}, {}, N = {}", workers.name(), arrival.name(), count(waiters));
            let plan = Plan::new(workers, arrival, waiters, self.turns);
            let column = self.column(&plan, &scenario);
            scenario.sizes.push(waiters);
            scenario.columns.push(column);
        }
        scenario
    }

    fn column(&self, plan: &Plan, past: &Scenario) -> Vec<Cell> {
        let excuses: Vec<_> = (0..self.contenders.len()).map(|row| self.excuse(row, plan, past)).collect();
        let racers = self.contenders.iter().zip(&excuses).filter(|(_, excuse)| excuse.is_none());
        let mut cases: Vec<_> =
            racers.map(|(racer, _)| Case::new(racer.name, || (racer.repetition)(plan))).collect();
        let mut measured = interleave(&mut cases, self.effort).into_iter();
        let cell = |excuse: Option<&'static str>| match excuse {
            Some(why) => Cell::Skipped(why),
            None => match measured.next().expect("every case was run") {
                [figures, _] if figures.gave_up() => Cell::Skipped(SLOW),
                figures => Cell::Measured(figures),
            },
        };
        excuses.into_iter().map(cell).collect()
    }

    /// Why a contender does not run, if it does not.
    fn excuse(&self, row: usize, plan: &Plan, past: &Scenario) -> Option<&'static str> {
        let contender = &self.contenders[row];
        let one_thread = plan.workers == Workers::One;
        if contender.one_thread && !one_thread {
            return Some("- (one thread)");
        }
        let in_order = matches!(plan.arrival, Arrival::Again | Arrival::InOrder);
        // Two workers do not keep the order in which tasks were spawned.
        if contender.arrival_order && !(in_order && one_thread) {
            return Some("- (FIFO)");
        }
        // Slow among few, slow among many.
        let before = past.columns.last().map(|column| &column[row]);
        matches!(before, Some(Cell::Skipped(SLOW))).then_some(SLOW)
    }
}

#[allow(clippy::cast_precision_loss, reason = "no size here has 52 bits")]
fn to_float(value: u64) -> f64 {
    value as f64
}

// ===== reporting =====

/// The results, with the contenders' names.
struct Report<'a> {
    contenders: &'a [Contender],
    scenarios: Vec<Scenario>,
}

impl Report<'_> {
    fn row(&self, name: &str) -> usize {
        self.contenders.iter().position(|racer| racer.name == name).expect("a contender")
    }

    /// The hand-over's figures of one contender in one cell.
    fn series(&self, workers: Workers, arrival: Arrival, waiters: u64, name: &str) -> Option<&Series> {
        let mut scenarios = self.scenarios.iter();
        let scenario = scenarios.find(|one| one.workers == workers && one.arrival == arrival)?;
        let column = scenario.sizes.iter().position(|&size| size == waiters)?;
        match &scenario.columns[column][self.row(name)] {
            Cell::Measured([hand_over, _]) => Some(hand_over),
            Cell::Skipped(_) => None,
        }
    }

    fn tables(&self) {
        for scenario in &self.scenarios {
            let floor = self.row(floor(scenario.workers));
            let title =
                format!("**{}, {}**: ns per hand-over", scenario.workers.name(), scenario.arrival.name());
            self.table(&title, scenario, |column, row| cell(&column[row], &column[floor], 0));
        }
        let ordered = |one: &&Scenario| one.workers == Workers::One && one.arrival != Arrival::Again;
        for scenario in self.scenarios.iter().filter(ordered) {
            let floor = self.row(floor(scenario.workers));
            let title =
                format!("**one thread, {}**: ns per arrival, spawning included", scenario.arrival.name());
            self.table(&title, scenario, |column, row| cell(&column[row], &column[floor], 1));
        }
    }

    fn table(&self, title: &str, scenario: &Scenario, cell: impl Fn(&[Cell], usize) -> String) {
        let sizes = scenario.sizes.iter().map(|&size| format!("N = {}", count(size)));
        let header: Vec<_> = [String::new()].into_iter().chain(sizes).collect();
        let rows: Vec<Vec<String>> = self
            .contenders
            .iter()
            .enumerate()
            .map(|(row, racer)| {
                let cells = scenario.columns.iter().map(|column| cell(column, row));
                [racer.name.to_string()].into_iter().chain(cells).collect()
            })
            .collect();
        table(title, &header, &rows);
    }

    fn bars(&self) {
        let mut bars = Bars::default();
        for (name, other, bar) in [
            ("the floor", Array::NAME, 1.4),
            ("ring of Notify", NotifyRing::NAME, 0.85),
            ("map of oneshots", MapOfOneshots::NAME, 0.7),
        ] {
            for arrival in Arrival::ALL {
                let series = |name| self.series(Workers::One, arrival, 10_000, name);
                let measured = series(OURS).zip(series(other)).map_or(f64::NAN, |(a, b)| a.ratio_to(b));
                let what = format!("batons / {name}, N = 10,000, {}", arrival.name());
                bars.at_most(what, measured, bar);
            }
        }
        for arrival in Arrival::ALL {
            let median = |waiters, name| {
                self.series(Workers::One, arrival, waiters, name).map_or(f64::NAN, Series::median)
            };
            let growth = |name| median(100_000, name) / median(100, name);
            let what = format!("growth from N = 100 to 100,000 / the floor's growth, {}", arrival.name());
            bars.at_most(what, growth(OURS) / growth(Array::NAME), 1.1);
        }
        bars.print();
    }

    fn plot(&self, path: &str) {
        let panels = self.scenarios.iter().map(|scenario| Panel {
            title: scenario.arrival.name().to_string(),
            curves: self
                .contenders
                .iter()
                .enumerate()
                .map(|(row, racer)| curve(scenario, row, racer))
                .collect(),
        });
        draw(path, &panels.collect::<Vec<_>>(), OURS).expect("the plot can be written");
        println!("\n{path} is written");
    }
}

fn cell(cell: &Cell, floor: &Cell, figure_of: usize) -> String {
    match (cell, floor) {
        (Cell::Skipped(why), _) => (*why).to_string(),
        (Cell::Measured(figures), Cell::Measured(floor)) => {
            let series = &figures[figure_of];
            format!("{} ({:.2})", figure(series.median()), series.ratio_to(&floor[figure_of]))
        }
        (Cell::Measured(figures), Cell::Skipped(_)) => figure(figures[figure_of].median()),
    }
}

fn curve(scenario: &Scenario, row: usize, racer: &Contender) -> Curve {
    let points =
        scenario.sizes.iter().zip(&scenario.columns).filter_map(|(&size, column)| match &column[row] {
            Cell::Measured([hand_over, _]) => Some((to_float(size), hand_over.median())),
            Cell::Skipped(_) => None,
        });
    Curve { name: racer.name, points: points.collect() }
}

// ===== main =====

fn main() {
    let mode = Mode::from_args();
    let mut bench = Bench::new(mode);
    if let Some(path) = common::option("--plot") {
        let shown = [Array::NAME, OURS, NotifyRing::NAME, MapOfOneshots::NAME, MaitakeMap::NAME];
        let herds = [NotifyHerd::NAME, EventHerd::NAME, WatchHerd::NAME];
        bench.contenders.retain(|racer| shown.contains(&racer.name) || herds.contains(&racer.name));
        let sizes: &[u64] = mode.pick(&[10, 100, 1_000, 10_000, 100_000, 1_000_000], &[10, 100, 1_000]);
        let scenarios =
            [Arrival::Again, Arrival::Shuffled].map(|arrival| bench.run(Workers::One, arrival, sizes));
        Report { contenders: &bench.contenders, scenarios: scenarios.into() }.plot(&path);
        return;
    }
    let mut scenarios = Vec::new();
    for workers in Workers::ALL {
        for arrival in Arrival::ALL {
            // Two tasks that wait once are over before the clock has ticked.
            let least = if arrival == Arrival::Again { 2 } else { 100 };
            let million = workers == Workers::One && matches!(arrival, Arrival::Again | Arrival::Shuffled);
            let most = if million { 1_000_000 } else { 100_000 };
            let sizes: &[u64] = mode.pick(&[2, 100, 10_000, 100_000, 1_000_000], &[2, 100, 500]);
            let sizes: Vec<_> = sizes.iter().copied().filter(|size| (least..=most).contains(size)).collect();
            scenarios.push(bench.run(workers, arrival, &sizes));
        }
    }
    let report = Report { contenders: &bench.contenders, scenarios };
    report.tables();
    report.bars();
}
