//! Which objects there are, and what happens to them.

use super::things::Thing;
use super::words::Act;
use super::{Form, Order, Step};
use proptest::{prelude::*, sample::Index};
use std::collections::BTreeSet;

pub(super) fn thing() -> impl Strategy<Value = Thing> {
    let event = (any::<bool>(), any::<bool>()).prop_map(|(auto, set)| Thing::Event {
        auto,
        set,
        pulsed: false,
        resets: 0,
    });
    let semaphore = (0..4_u32, 1..4_u32).prop_map(|(count, max)| Thing::Semaphore {
        count: count.min(max),
        max,
        closed: false,
    });
    let timer = any::<bool>().prop_map(|auto| Thing::Timer { auto, set: false, sets: 0, setting: None });
    prop_oneof![
        4 => event,
        4 => timer,
        3 => semaphore,
        2 => Just(Thing::Mutex { owner: 0, depth: 0, abandoned: false }),
        2 => Just(Thing::Baton { next: 10, held: false, closed: false, skipped: BTreeSet::new() }),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let form = prop_oneof![
        3 => Just(Form::Single),
        4 => Just(Form::Any),
        4 => Just(Form::All),
        2 => Just(Form::SignalAnd),
    ];
    let act = prop_oneof![
        14 => (0..2_usize).prop_map(Act::Poll),
        2 => Just(Act::NoTime),
        6 => Just(Act::Drop),
        1 => Just(Act::Abandon),
    ];
    let members = prop::collection::vec((any::<Index>(), 0..64_u64), 0..5);
    let queue = prop_oneof![Just(None), (0..2_usize).prop_map(Some)];
    prop_oneof![
        3 => (form, members, queue).prop_map(|(form, members, queue)| Step::Wait(form, members, queue)),
        8 => (any::<Index>(), act).prop_map(|(whom, act)| Step::To(whom, act)),
        3 => (any::<Index>(), 0..12_u64, 0..64_u64)
            .prop_map(|(object, which, what)| Step::Tell(object, Order { which, what })),
        2 => (0..12_u64).prop_map(Step::Advance),
        1 => (0..2_usize, any::<bool>()).prop_map(|(queue, again)| Step::Queue(queue, again)),
        // Seldom: nothing is queued after it.
        1 => (0..16_usize).prop_map(|queue| if queue < 2 { Step::CloseQueue(queue) } else { Step::Queue(queue % 2, false) }),
    ]
}
