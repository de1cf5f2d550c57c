//! The grammar of the oracle traces (their `FORMAT.md`, section 1): programs of steps, and what was
//! observed after each.

use std::collections::BTreeSet;
use std::fmt;

/// A program: actors that perform steps.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) actors: usize,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Its line in the file.
    pub(crate) line: usize,
    /// What is done, as it is written.
    pub(crate) text: String,
    pub(crate) order: Order,
    /// Everything that was observed, as it is written.
    pub(crate) outcome: String,
}

impl Step {
    /// What the step itself answered.
    pub(crate) fn first(&self) -> &str {
        self.outcome.split(" | ").next().unwrap_or_default()
    }

    /// The actors that finished because of the step, and their answers.
    pub(crate) fn finished(&self) -> impl Iterator<Item = (usize, &str)> {
        self.outcome.split(" | ").skip(1).filter_map(finished)
    }
}

fn finished(part: &str) -> Option<(usize, &str)> {
    let (actor, answer) = part.strip_prefix('a')?.split_once(' ')?;
    Some((actor.parse().ok()?, answer))
}

#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Time goes on by so many milliseconds.
    Advance(u64),
    /// An actor's thread is terminated.
    Kill(usize),
    /// An actor performs an operation.
    Perform(usize, Op),
}

/// A handle in an operation: a slot, or the null handle.
pub(crate) type Name = Option<usize>;

/// A time-out in milliseconds, or none.
pub(crate) type Limit = Option<u64>;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Event {
        slot: usize,
        auto: bool,
        set: bool,
    },
    Semaphore {
        slot: usize,
        initial: i64,
        max: i64,
    },
    Mutex {
        slot: usize,
        owned: bool,
    },
    Duplicate {
        slot: usize,
        of: Name,
    },
    Close(Name),
    Set(Name),
    Reset(Name),
    Pulse(Name),
    Release(Name, i64),
    Unlock(Name),
    Query(Name),
    Wait(Limit, Wait),
    Batch(Vec<Op>),
    Exit,
    Nothing,
    /// An operation on something that the crate does not have.
    Lacking(Lack),
}

#[derive(Debug, Clone)]
pub(crate) enum Wait {
    One(Name),
    Any(Vec<Name>),
    All(Vec<Name>),
    Signal { signal: Name, wait: Name },
}

/// What the crate does not have, or not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    Timers,
    Apcs,
    Names,
    Threads,
    UserMode,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timers => "timers",
            Self::Apcs => "APCs",
            Self::Names => "names",
            Self::Threads => "thread handles",
            Self::UserMode => "user-mode locks",
        })
    }
}

impl Op {
    /// Adds what the operation needs and the crate lacks.
    fn lacks(&self, lacks: &mut BTreeSet<Lack>) {
        match self {
            Self::Lacking(lack) => drop(lacks.insert(*lack)),
            Self::Batch(ops) => ops.iter().for_each(|op| op.lacks(lacks)),
            _ => {}
        }
    }

    fn has_deadline(&self) -> bool {
        matches!(self, Self::Wait(Some(1..), _))
    }
}

impl Program {
    /// What it needs and the crate lacks; if anything, no line of it is replayed.
    pub(crate) fn lacks(&self) -> BTreeSet<Lack> {
        let mut lacks = BTreeSet::new();
        for step in &self.steps {
            if let Order::Perform(_, op) = &step.order {
                op.lacks(&mut lacks);
            }
        }
        lacks
    }

    /// Whether a wait of it may end by its deadline.
    pub(crate) fn has_deadlines(&self) -> bool {
        self.steps.iter().any(|step| matches!(&step.order, Order::Perform(_, op) if op.has_deadline()))
    }
}

// ===== lines =====

/// Reads a file of programs.
///
/// # Errors
///
/// The first line that the grammar does not know, and why.
pub(crate) fn programs(text: &str) -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    let mut open: Option<Program> = None;
    for (line, written) in (1..).zip(text.lines()) {
        let read = match &mut open {
            None => between(written).map(|program| open = program),
            Some(_) if written == "end" => {
                programs.extend(open.take());
                Ok(())
            }
            Some(program) => inside(program, line, written),
        };
        read.map_err(|why| format!("line {line}: {why}: {written}"))?;
    }
    match open {
        Some(program) => Err(format!("program {} has no end", program.name)),
        None => Ok(programs),
    }
}

/// Reads a line outside every program.
fn between(line: &str) -> Result<Option<Program>, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let name = line.strip_prefix("prog ").ok_or("not the beginning of a program")?;
    Ok(Some(Program { name: name.to_owned(), actors: 0, steps: Vec::new() }))
}

/// Reads a line of a program.
fn inside(program: &mut Program, line: usize, written: &str) -> Result<(), String> {
    if program.actors == 0 {
        if let Some(count) = written.strip_prefix("actors ") {
            program.actors = number(count)?;
        } else if !written.starts_with("tag ") {
            return Err("neither tags nor the number of actors".into());
        }
        return Ok(());
    }
    let (text, outcome) = written.split_once(" => ").ok_or("a step without an outcome")?;
    let outcome = outcome.split("  ##wine").next().unwrap_or_default();
    let step =
        Step { line, text: text.to_owned(), order: order(text, program.actors)?, outcome: outcome.into() };
    let others: Vec<_> = outcome.split(" | ").skip(1).map(finished).collect();
    if others.iter().any(|other| other.is_none_or(|(actor, _)| actor >= program.actors)) {
        return Err("an outcome of nobody".into());
    }
    if !others.is_sorted_by(|one, next| one.map(|it| it.0) < next.map(|it| it.0)) {
        return Err("outcomes out of order".into());
    }
    program.steps.push(step);
    Ok(())
}

fn order(text: &str, actors: usize) -> Result<Order, String> {
    let (who, what) = text.split_once(' ').ok_or("nothing to do")?;
    let existing = |actor| if actor < actors { Ok(actor) } else { Err("no such actor") };
    if who == "h" {
        return match what.split_once(' ') {
            Some(("advance", time)) => Ok(Order::Advance(number(time)?)),
            Some(("kill", actor)) => Ok(Order::Kill(existing(number(actor)?)?)),
            _ => Err("no operation of the harness".into()),
        };
    }
    let actor = number(who.strip_prefix('a').ok_or("neither an actor nor the harness")?)?;
    Ok(Order::Perform(existing(actor)?, operation(what)?))
}

// ===== operations =====

fn operation(text: &str) -> Result<Op, String> {
    if let Some(batch) = text.strip_prefix("batch ") {
        return Ok(Op::Batch(batch.split(" ; ").map(operation).collect::<Result<_, _>>()?));
    }
    let words: Vec<_> = text.split(' ').collect();
    if let Some(lack) = lack(&words) {
        return Ok(Op::Lacking(lack));
    }
    let words = match words.as_slice() {
        // Without a name, whichever way that is said.
        [words @ .., "null"] if matches!(words[0], "event" | "sem" | "mutex") => words,
        words => words,
    };
    Ok(match *words {
        ["event", handle, kind, set] => {
            Op::Event { slot: slot(handle)?, auto: one_of(kind, ["M", "A"])?, set: one_of(set, ["0", "1"])? }
        }
        ["sem", handle, initial, max] => {
            Op::Semaphore { slot: slot(handle)?, initial: number(initial)?, max: number(max)? }
        }
        ["mutex", handle, owned] => Op::Mutex { slot: slot(handle)?, owned: one_of(owned, ["0", "1"])? },
        ["dup", handle, of] => Op::Duplicate { slot: slot(handle)?, of: name(of)? },
        ["close", handle] => Op::Close(name(handle)?),
        ["set", handle] => Op::Set(name(handle)?),
        ["reset", handle] => Op::Reset(name(handle)?),
        ["pulse", handle] => Op::Pulse(name(handle)?),
        ["release", handle, count] => Op::Release(name(handle)?, number(count)?),
        ["unlock", handle] => Op::Unlock(name(handle)?),
        ["query", handle] => Op::Query(name(handle)?),
        ["wait", time, handle] => Op::Wait(limit(time)?, Wait::One(name(handle)?)),
        ["any", time, ref handles @ ..] => Op::Wait(limit(time)?, Wait::Any(names(handles)?)),
        ["all", time, ref handles @ ..] => Op::Wait(limit(time)?, Wait::All(names(handles)?)),
        ["saw", time, signal, wait] => {
            Op::Wait(limit(time)?, Wait::Signal { signal: name(signal)?, wait: name(wait)? })
        }
        ["exit"] => Op::Exit,
        ["nop"] => Op::Nothing,
        _ => return Err("an unknown operation".into()),
    })
}

/// What an operation needs that the crate lacks.
fn lack(words: &[&str]) -> Option<Lack> {
    const WORDS: [(Lack, &str); 5] = [
        (Lack::Timers, "timer settimer cancel"),
        (Lack::Apcs, "waitx anyx allx sawx sleep sleepx apc apcnull apcbad testalert"),
        (Lack::Names, "open"),
        (Lack::Threads, "thread"),
        (
            Lack::UserMode,
            "cs enter tryenter leave spin srw srwx srws trysrwx trysrws unsrwx unsrws cv cvsleep cvsrwx cvsrws \
             wakeone wakeall barrier arrive once onceexec oncebegin oncecomplete",
        ),
    ];
    if let ["event" | "sem", _, _, _, name] | ["mutex", _, _, name] = words {
        return (*name != "null").then_some(Lack::Names);
    }
    let (lack, _) = WORDS.iter().find(|(_, of)| of.split(' ').any(|word| word == words[0]))?;
    Some(*lack)
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{word}` is not a number"))
}

fn one_of(word: &str, [no, yes]: [&str; 2]) -> Result<bool, String> {
    match word {
        _ if word == no => Ok(false),
        _ if word == yes => Ok(true),
        _ => Err(format!("`{word}` is neither {no} nor {yes}")),
    }
}

fn limit(word: &str) -> Result<Limit, String> {
    if word == "inf" { Ok(None) } else { number(word).map(Some) }
}

fn slot(word: &str) -> Result<usize, String> {
    let slot = number(word.strip_prefix('h').ok_or_else(|| format!("`{word}` is not a slot"))?)?;
    if slot < 128 { Ok(slot) } else { Err(format!("there is no slot {slot}")) }
}

fn name(word: &str) -> Result<Name, String> {
    if word == "null" { Ok(None) } else { slot(word).map(Some) }
}

/// A list of handles, in which `h0..h9` is short for all from `h0` to `h9`.
fn names(words: &[&str]) -> Result<Vec<Name>, String> {
    let mut names = Vec::new();
    for word in words {
        match word.split_once("..") {
            Some((from, to)) => names.extend((slot(from)?..=slot(to)?).map(Some)),
            None => names.push(name(word)?),
        }
    }
    Ok(names)
}
