//! The grammar of the oracle traces (their `FORMAT.md`, section 1): programs of steps, and what was
//! observed after each.

use super::op::{Lack, Op, existing, number, operation};
use std::collections::BTreeSet;

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

impl Program {
    /// What it needs and the crate lacks; if anything, no line of it is replayed.
    pub(crate) fn lacks(&self) -> BTreeSet<Lack> {
        let mut lacks = BTreeSet::new();
        self.any(|op| {
            lacks.extend(if let Op::Lacking(lack) = op { Some(*lack) } else { None });
            false
        });
        lacks
    }

    /// Whether `is` is true of one of its operations.
    pub(crate) fn any(&self, mut is: impl FnMut(&Op) -> bool) -> bool {
        self.steps.iter().any(|step| matches!(&step.order, Order::Perform(_, op) if op.any(&mut is)))
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
    if who == "h" {
        return match what.split_once(' ') {
            Some(("advance", time)) => Ok(Order::Advance(number(time)?)),
            Some(("kill", actor)) => Ok(Order::Kill(existing(number(actor)?, actors)?)),
            _ => Err("no operation of the harness".into()),
        };
    }
    let actor = number(who.strip_prefix('a').ok_or("neither an actor nor the harness")?)?;
    Ok(Order::Perform(existing(actor, actors)?, operation(what, actors)?))
}
