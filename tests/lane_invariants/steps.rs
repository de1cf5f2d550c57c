//! What random programs consist of.

use super::naive::Deposit;
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Ticket,
    TicketAt(u64),
    WaitForTicket(u32),
    DropTicketWait(Index),
    Sync,
    Turn(Index, End),
    /// A wait for the turn that is dropped after one poll.
    Look(Index),
    WaitForTurn(Index),
    /// The task is aborted: the wait and the ticket are dropped.
    Abort(Index),
    Deposit(Index, Deposit),
    Skip(Index),
    Fail(Index),
    Drop(Index),
    Panic(Index),
    Accept(Index),
    Token(Index),
    TicketOf(Index),
    Repair,
    Resize(u32),
    Close,
    Cancel,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Commit,
    Fail,
    Panic,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = any::<Index>;
    let end = prop_oneof![6 => Just(End::Commit), 1 => Just(End::Fail), 1 => Just(End::Panic)];
    let deposit =
        prop_oneof![12 => Just(Deposit::Good), 1 => Just(Deposit::Fails), 1 => Just(Deposit::Panics)];
    let step = prop_oneof![
        12 => Just(Step::Ticket),
        3 => (0_u64..8).prop_map(Step::TicketAt),
        4 => (1_u32..5).prop_map(Step::WaitForTicket),
        1 => which().prop_map(Step::DropTicketWait),
        2 => Just(Step::Sync),
        6 => (which(), end).prop_map(|(which, end)| Step::Turn(which, end)),
        2 => which().prop_map(Step::Look),
        5 => which().prop_map(Step::WaitForTurn),
        1 => which().prop_map(Step::Abort),
        12 => (which(), deposit).prop_map(|(which, deposit)| Step::Deposit(which, deposit)),
        3 => which().prop_map(Step::Skip),
        1 => which().prop_map(Step::Fail),
        1 => which().prop_map(Step::Drop),
        1 => which().prop_map(Step::Panic),
        2 => which().prop_map(Step::Accept),
        1 => which().prop_map(Step::Token),
        1 => which().prop_map(Step::TicketOf),
        2 => Just(Step::Repair),
        1 => (1_u32..7).prop_map(Step::Resize),
        1 => prop_oneof![30 => Just(Step::Ticket), 2 => Just(Step::Close), 1 => Just(Step::Cancel)],
    ];
    proptest::collection::vec(step, 1..80)
}
