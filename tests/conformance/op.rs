//! The operations of actors (`FORMAT.md`, section 5), and how they are written.

use std::fmt;

/// A handle in an operation: a slot, or the null handle.
pub(crate) type Name = Option<usize>;

/// A time-out in milliseconds, or none.
pub(crate) type Limit = Option<u64>;

/// What an object is called, if anything; the empty name is one.
pub(crate) type Label = Option<String>;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A new object, or the one that has the name.
    Create(usize, New, Label),
    Open(usize, Kind, Label),
    Duplicate {
        slot: usize,
        of: Name,
    },
    /// The handle of an actor's thread.
    Thread(usize, usize),
    Close(Name),
    Set(Name),
    Reset(Name),
    Pulse(Name),
    Release(Name, i64),
    Unlock(Name),
    SetTimer {
        timer: Name,
        due: When,
        period: i64,
        call: Option<Call>,
    },
    Cancel(Name),
    Query(Name),
    Wait {
        limit: Limit,
        alertable: bool,
        what: Wait,
    },
    /// An APC for an actor.
    Call(usize, Call),
    /// An APC without a routine.
    CallNothing(usize),
    /// An APC for a thread that does not exist.
    CallNobody,
    Batch(Vec<Op>),
    Exit,
    Nothing,
    /// An operation on something that the crate does not have.
    Lacking(Lack),
}

/// What a new object is like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum New {
    Event { auto: bool, set: bool },
    Semaphore { initial: i64, max: i64 },
    Mutex { owned: bool },
    Timer { auto: bool },
}

/// The kinds of objects that have names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Event,
    Semaphore,
    Mutex,
    Timer,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum When {
    /// In so many milliseconds.
    In(u64),
    Past,
    Never,
    /// As far ahead as can be said.
    Max,
}

/// An APC: the tag that it notes, and what it performs before that.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) tag: String,
    pub(crate) does: Option<Box<Op>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Wait {
    One(Name),
    Any(Vec<Name>),
    All(Vec<Name>),
    Signal {
        signal: Name,
        wait: Name,
    },
    /// For nothing.
    Sleep,
    /// For the calls that are queued, if there are any.
    Calls,
}

/// What the crate does not have, or cannot do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lack {
    Sections,
    Others,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sections => "critical sections",
            Self::Others => "other user-mode locks",
        })
    }
}

impl Op {
    /// Whether `is` is true of the operation or of one in it.
    pub(crate) fn any(&self, is: &mut dyn FnMut(&Self) -> bool) -> bool {
        let inner = match self {
            Self::Batch(ops) => ops.iter().any(|op| op.any(is)),
            Self::Call(_, call) | Self::SetTimer { call: Some(call), .. } => {
                call.does.as_ref().is_some_and(|op| op.any(is))
            }
            _ => false,
        };
        inner || is(self)
    }

    /// Whether it is a wait that may end by its deadline.
    pub(crate) fn has_deadline(&self) -> bool {
        matches!(self, Self::Wait { limit: Some(1..), .. })
    }

    /// Whether it has to do with APCs.
    pub(crate) fn is_about_calls(&self) -> bool {
        matches!(
            self,
            Self::Wait { alertable: true, .. }
                | Self::SetTimer { call: Some(_), .. }
                | Self::Call(..)
                | Self::CallNothing(_)
        )
    }

    pub(crate) fn makes_timer(&self) -> bool {
        matches!(self, Self::Create(_, New::Timer { .. }, _))
    }
}

// ===== how they are written =====

/// Reads an operation of one of so many `actors`.
pub(crate) fn operation(text: &str, actors: usize) -> Result<Op, String> {
    if let Some(batch) = text.strip_prefix("batch ") {
        return Ok(Op::Batch(batch.split(" ; ").map(|op| operation(op, actors)).collect::<Result<_, _>>()?));
    }
    let words: Vec<_> = text.split(' ').collect();
    if let Some(lack) = lack(words[0]) {
        return Ok(Op::Lacking(lack));
    }
    if let Some(wait) = wait(&words)? {
        return Ok(wait);
    }
    if let Some(create) = create(&words)? {
        return Ok(create);
    }
    let actor = |word| number(word).and_then(|actor| existing(actor, actors));
    Ok(match *words {
        ["open", kind, handle, label] => Op::Open(slot(handle)?, self::kind(kind)?, self::label(label)?),
        ["dup", handle, of] => Op::Duplicate { slot: slot(handle)?, of: name(of)? },
        ["thread", handle, of] => Op::Thread(slot(handle)?, actor(of)?),
        ["close", handle] => Op::Close(name(handle)?),
        ["set", handle] => Op::Set(name(handle)?),
        ["reset", handle] => Op::Reset(name(handle)?),
        ["pulse", handle] => Op::Pulse(name(handle)?),
        ["release", handle, count] => Op::Release(name(handle)?, number(count)?),
        ["unlock", handle] => Op::Unlock(name(handle)?),
        ["settimer", timer, due, period, ref call @ ..] => Op::SetTimer {
            timer: name(timer)?,
            due: when(due)?,
            period: number(period)?,
            call: match *call {
                [] => None,
                ["apc", ref call @ ..] => Some(self::call(call, actors)?),
                _ => return Err("neither a setting nor a routine".into()),
            },
        },
        ["cancel", handle] => Op::Cancel(name(handle)?),
        ["query", handle] => Op::Query(name(handle)?),
        ["apc", of, ref call @ ..] => Op::Call(actor(of)?, self::call(call, actors)?),
        ["apcnull", of] => Op::CallNothing(actor(of)?),
        ["apcbad"] => Op::CallNobody,
        ["exit"] => Op::Exit,
        ["nop"] => Op::Nothing,
        _ => return Err("an unknown operation".into()),
    })
}

fn create(words: &[&str]) -> Result<Option<Op>, String> {
    let (handle, new, label) = match *words {
        ["event", handle, kind, set, ref label @ ..] => {
            let (auto, set) = (one_of(kind, ["M", "A"])?, one_of(set, ["0", "1"])?);
            (handle, New::Event { auto, set }, label)
        }
        ["sem", handle, initial, max, ref label @ ..] => {
            (handle, New::Semaphore { initial: number(initial)?, max: number(max)? }, label)
        }
        ["mutex", handle, owned, ref label @ ..] => {
            (handle, New::Mutex { owned: one_of(owned, ["0", "1"])? }, label)
        }
        ["timer", handle, kind, ref label @ ..] => {
            (handle, New::Timer { auto: one_of(kind, ["M", "A"])? }, label)
        }
        _ => return Ok(None),
    };
    let label = match *label {
        [] => None,
        [label] => self::label(label)?,
        _ => return Err("more than a name".into()),
    };
    Ok(Some(Op::Create(slot(handle)?, new, label)))
}

fn wait(words: &[&str]) -> Result<Option<Op>, String> {
    let (word, alertable) = match words[0].strip_suffix('x') {
        Some(word) => (word, true),
        None => (words[0], false),
    };
    let (time, what) = match (word, &words[1..]) {
        ("testalert", []) => ("inf", Wait::Calls),
        ("sleep", &[time]) => (time, Wait::Sleep),
        ("wait", &[time, handle]) => (time, Wait::One(name(handle)?)),
        ("any", &[time, ref handles @ ..]) => (time, Wait::Any(names(handles)?)),
        ("all", &[time, ref handles @ ..]) => (time, Wait::All(names(handles)?)),
        ("saw", &[time, signal, wait]) => (time, Wait::Signal { signal: name(signal)?, wait: name(wait)? }),
        _ => return Ok(None),
    };
    let alertable = alertable || matches!(what, Wait::Calls);
    Ok(Some(Op::Wait { limit: limit(time)?, alertable, what }))
}

/// A tag, and perhaps what is done.
fn call(words: &[&str], actors: usize) -> Result<Call, String> {
    let (tag, does) = match *words {
        [tag] => (tag, None),
        [tag, "do", ref op @ ..] if !op.is_empty() => (tag, Some(operation(&op.join(" "), actors)?)),
        _ => return Err("neither a tag nor something to do".into()),
    };
    if matches!(does, Some(Op::Exit | Op::Batch(_))) {
        return Err("an APC performs one operation, and returns".into());
    }
    Ok(Call { tag: tag.to_owned(), does: does.map(Box::new) })
}

/// Whether an operation is about something that the crate lacks.
fn lack(word: &str) -> Option<Lack> {
    match word {
        "cs" | "enter" | "tryenter" | "leave" | "spin" => Some(Lack::Sections),
        "srw" | "srwx" | "srws" | "trysrwx" | "trysrws" | "unsrwx" | "unsrws" | "cv" | "cvsleep"
        | "cvsrwx" | "cvsrws" | "wakeone" | "wakeall" | "barrier" | "arrive" | "once" | "onceexec"
        | "oncebegin" | "oncecomplete" => Some(Lack::Others),
        _ => None,
    }
}

pub(crate) fn existing(actor: usize, actors: usize) -> Result<usize, String> {
    if actor < actors { Ok(actor) } else { Err(format!("there is no actor {actor}")) }
}

pub(crate) fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{word}` is not a number"))
}

fn one_of(word: &str, [no, yes]: [&str; 2]) -> Result<bool, String> {
    match word {
        _ if word == no => Ok(false),
        _ if word == yes => Ok(true),
        _ => Err(format!("`{word}` is neither {no} nor {yes}")),
    }
}

fn kind(word: &str) -> Result<Kind, String> {
    match word {
        "event" => Ok(Kind::Event),
        "sem" => Ok(Kind::Semaphore),
        "mutex" => Ok(Kind::Mutex),
        "timer" => Ok(Kind::Timer),
        _ => Err(format!("`{word}` is no kind of named objects")),
    }
}

fn label(word: &str) -> Result<Label, String> {
    Ok(match word.strip_prefix("rep:").and_then(|repeated| repeated.split_once(':')) {
        Some((part, count)) => Some(part.repeat(number(count)?)),
        None if word == "null" => None,
        None if word == "\"\"" => Some(String::new()),
        None => Some(word.to_owned()),
    })
}

fn when(word: &str) -> Result<When, String> {
    match word {
        "past" => Ok(When::Past),
        "never" => Ok(When::Never),
        "max" => Ok(When::Max),
        _ => number(word).map(When::In),
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
