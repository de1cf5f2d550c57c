//! Performs a program on the crate and compares what is observed with what was recorded, step by step.
//! Time is virtual, everything runs on one thread, and nothing is in flight when no waker has been called.

use super::actor::{Actor, Sleeper};
use super::op::Op;
use super::parse::{Order, Program, Step};
use super::time::{TICK, Time};
use super::world::{Begun, World};
use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::SeqCst},
};

/// How a program is performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Whoever is woken is polled at once. Deadlines are the crate's own last call.
    Eager,
    /// The same, but a deadline is a poll and a drop: what the timeout of a runtime does.
    Dropping,
    /// As eager, with timers on the paused clock of a tokio runtime instead of a manual one.
    Paused,
    /// Whoever is woken is polled only when the program needs it.
    Lazy,
}

impl Mode {
    pub(crate) const ALL: [Self; 4] = [Self::Eager, Self::Dropping, Self::Paused, Self::Lazy];

    /// Whether `program` can be performed like this: deadlines need everybody to be at rest, and an APC runs when its
    /// actor is polled.
    pub(crate) fn suits(self, program: &Program) -> bool {
        match self {
            Self::Eager | Self::Dropping => true,
            Self::Paused => cfg!(feature = "tokio") && program.any(Op::makes_timer),
            Self::Lazy => !program.any(|op| op.has_deadline() || op.is_about_calls()),
        }
    }
}

/// The first difference between what was recorded and what was observed.
#[derive(Debug)]
pub(crate) struct Difference {
    program: String,
    mode: Mode,
    pub(crate) line: usize,
    pub(crate) expected: String,
    pub(crate) got: String,
    /// The steps up to the one at which it showed.
    steps: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, mode, line, expected, got, steps } = self;
        writeln!(f, "{program}, line {line} ({mode:?}):")?;
        for step in steps {
            writeln!(f, "    {step}")?;
        }
        write!(f, "    expected: {expected}\n    got:      {got}")
    }
}

/// What stops a step.
enum Fault {
    /// Something else was observed than recorded.
    Got(String),
    /// Something else was collected than recorded on an earlier line.
    Late { line: usize, expected: String, got: String },
}

/// Performs a program.
///
/// # Errors
///
/// At the first difference.
pub(crate) fn play(program: &Program, mode: Mode) -> Result<(), Difference> {
    let time = Arc::new(Time::new(mode == Mode::Paused));
    let _inside = time.enter();
    let mut player = Player::new(program, mode, &time);
    for (index, step) in program.steps.iter().enumerate() {
        guarded(|| player.step(step)).map_err(|fault| difference(program, mode, index, fault))?;
    }
    guarded(|| player.end()).map_err(|fault| difference(program, mode, program.steps.len(), fault))
}

/// Performs a program whose outcomes are open, and notes them.
///
/// # Errors
///
/// At whatever cannot be the outcome of any program.
pub(crate) fn record(mut program: Program) -> Result<Program, Difference> {
    let time = Arc::new(Time::new(false));
    let mut player = Player::new(&program, Mode::Eager, &time);
    for index in 0..program.steps.len() {
        let observed = guarded(|| player.observe(&program.steps[index]));
        program.steps[index].outcome =
            observed.map_err(|fault| difference(&program, Mode::Eager, index, fault))?;
    }
    Ok(program)
}

/// A panic is a fault.
fn guarded<T>(performed: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(performed))
        .unwrap_or_else(|panic| Err(Fault::Got(format!("a panic: {}", message(&*panic)))))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied()).unwrap_or("of no known type")
}

/// A fault of the step at `index`, or of the end of the program.
fn difference(program: &Program, mode: Mode, index: usize, fault: Fault) -> Difference {
    let (line, expected, got) = match fault {
        Fault::Late { line, expected, got } => (line, expected, got),
        Fault::Got(got) => match program.steps.get(index) {
            Some(step) => (step.line, step.outcome.clone(), got),
            None => (program.steps.last().map_or(0, |step| step.line + 1), "the end".to_owned(), got),
        },
    };
    let shown = |step: &Step| format!("{}: {} => {}", step.line, step.text, step.outcome);
    let steps = program.steps.iter().take(index + 1).map(shown).collect();
    Difference { program: program.name.clone(), mode, line, expected, got, steps }
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits(after, &rest[at..]))
        }),
    }
}

// ===== the player =====

struct Player {
    mode: Mode,
    actors: Vec<Actor>,
    world: Arc<World>,
    /// Whether a wait that timed out may outlive its end: it keeps a timer running, and so the calls of that.
    keeps: bool,
}

/// Who finished in a step, and the answer.
type Finished = BTreeMap<usize, String>;

impl Player {
    fn new(program: &Program, mode: Mode, time: &Arc<Time>) -> Self {
        let actors = (0..program.actors).map(|_| Actor::default()).collect();
        let keeps = mode != Mode::Dropping && !program.any(Op::makes_timer);
        Self { mode, actors, world: World::new(program.actors, mode, time), keeps }
    }

    fn step(&mut self, step: &Step) -> Result<(), Fault> {
        if self.mode == Mode::Lazy { self.lazy_step(step) } else { self.eager_step(step) }
    }

    fn eager_step(&mut self, step: &Step) -> Result<(), Fault> {
        let got = self.observe(step)?;
        if fits(&step.outcome, &got) { Ok(()) } else { Err(Fault::Got(got)) }
    }

    /// Performs a step and lets all come to rest.
    fn observe(&mut self, step: &Step) -> Result<String, Fault> {
        let mut finished = Finished::new();
        let mut first = self.perform(&step.order, &mut finished)?;
        self.rest(&mut finished)?;
        self.look_again()?;
        if let Order::Perform(actor, _) = step.order {
            first = finished.remove(&actor).unwrap_or(first);
        }
        let others = finished.into_iter().map(|(actor, answer)| format!(" | a{actor} {answer}"));
        Ok(first + &others.collect::<String>())
    }

    fn lazy_step(&mut self, step: &Step) -> Result<(), Fault> {
        if let Order::Perform(actor, _) | Order::Kill(actor) = step.order {
            self.collect(actor)?;
        }
        let first = self.perform(&step.order, &mut Finished::new())?;
        if !fits(step.first(), &first) {
            return Err(Fault::Got(first));
        }
        for (actor, answer) in step.finished() {
            self.actors[actor].owes = Some((step.line, answer.to_owned()));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Fault> {
        (0..self.actors.len()).try_for_each(|actor| self.collect(actor))?;
        if self.mode == Mode::Lazy {
            if let Some(actor) = self.actors.iter().position(Actor::is_woken) {
                return Err(Fault::Got(format!("a{actor} was woken, and nothing was recorded")));
            }
        }
        self.look_again()
    }

    fn perform(&mut self, order: &Order, finished: &mut Finished) -> Result<String, Fault> {
        match order {
            Order::Perform(actor, op) => Ok(self.operate(*actor, op)),
            Order::Kill(actor) => Ok(self.die(*actor)),
            Order::Advance(time) => {
                assert_eq!(time % TICK, 0, "time goes on in steps of {TICK} ms");
                for _ in 0..time / TICK {
                    self.world.time.go_on();
                    self.rest(finished)?;
                    self.world.time.ring();
                    self.rest(finished)?;
                }
                Ok("ok".to_owned())
            }
        }
    }

    // ===== operations =====

    fn operate(&mut self, actor: usize, op: &Op) -> String {
        let answer = self.attempt(actor, op);
        // Those of a wait that goes on belong to its answer.
        if self.actors[actor].asleep.is_some() { answer } else { self.world.noted(actor, answer) }
    }

    fn attempt(&mut self, actor: usize, op: &Op) -> String {
        if self.world.is_dead(actor) {
            return "dead".to_owned();
        }
        if self.actors[actor].asleep.is_some() {
            return "busy".to_owned();
        }
        match op {
            Op::Batch(ops) => {
                let answers = ops.iter().map(|op| self.attempt(actor, op)).collect::<Vec<_>>();
                format!("{{{}}}", answers.join(";"))
            }
            Op::Exit => self.die(actor),
            op => match self.world.begin(actor, op) {
                Begun::Done(answer) => answer,
                Begun::Waits(waiting) => {
                    self.actors[actor].asleep = Some(Sleeper::new(waiting));
                    self.poll(actor).unwrap_or_else(|| "pending".to_owned())
                }
            },
        }
    }

    /// An actor's thread ends: first its wait, then what it has.
    fn die(&mut self, actor: usize) -> String {
        self.actors[actor].give_up();
        self.world.end(actor);
        "ok".to_owned()
    }

    fn poll(&mut self, actor: usize) -> Option<String> {
        self.actors[actor].poll(self.keeps)
    }

    /// Polls an actor that may have an answer, which is told with the APCs that ran.
    fn ask(&mut self, actor: usize) -> Option<String> {
        let answer = self.poll(actor)?;
        Some(self.world.noted(actor, answer))
    }

    // ===== rest =====

    /// Polls whoever was woken, until nobody is.
    fn rest(&mut self, finished: &mut Finished) -> Result<(), Fault> {
        if self.mode == Mode::Lazy {
            return Ok(());
        }
        while let Some(actor) = self.actors.iter().position(Actor::is_woken) {
            let counts = self.world.counts(actor);
            let begun = counts.begun.load(SeqCst);
            if let Some(answer) = self.ask(actor) {
                finished.insert(actor, answer);
            } else if counts.begun.load(SeqCst) == begun {
                return Err(Fault::Got(format!("a{actor} was woken for nothing")));
            }
        }
        Ok(())
    }

    /// Polls everybody who is asleep once more, with a new waker: nobody may have been forgotten, and nobody
    /// may lose anything by it.
    fn look_again(&mut self) -> Result<(), Fault> {
        for actor in 0..self.actors.len() {
            self.actors[actor].renew();
            if let Some(answer) = self.ask(actor) {
                return Err(Fault::Got(format!("a{actor} was not woken for `{answer}`")));
            }
        }
        Ok(())
    }

    /// Polls an actor whose answer was recorded earlier.
    fn collect(&mut self, actor: usize) -> Result<(), Fault> {
        let Some((line, expected)) = self.actors[actor].owes.take() else { return Ok(()) };
        let woken = self.actors[actor].is_woken();
        let got = match self.ask(actor) {
            Some(answer) if woken && fits(&expected, &answer) => return Ok(()),
            Some(answer) if woken => answer,
            Some(answer) => format!("{answer}, but it was not woken"),
            None => "nothing".to_owned(),
        };
        let (expected, got) = (format!("a{actor} {expected}"), format!("a{actor} {got}, when it was polled"));
        Err(Fault::Late { line, expected, got })
    }
}
