//! The line against a sorted map, and its promises about memory and time.

use super::line::Line;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Op {
    Insert(u64),
    Remove(u64),
    Reserve(u64),
    RemoveLowest,
    Drain,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    // Numbers close together, in clusters far apart, and anywhere.
    let number = prop_oneof![4 => 0..40u64, 2 => 1000..1040u64, 1 => 0..70_000u64, 1 => any::<u32>().prop_map(u64::from)];
    let op = prop_oneof![
        8 => number.clone().prop_map(Op::Insert),
        4 => number.clone().prop_map(Op::Remove),
        2 => number.prop_map(Op::Reserve),
        4 => Just(Op::RemoveLowest),
        1 => Just(Op::Drain),
    ];
    proptest::collection::vec(op, 0..200)
}

proptest! {
    #[test]
    fn a_line_is_a_map(ops in ops()) {
        let (mut line, mut model) = (Line::new(), BTreeMap::new());
        let mut tail = 0;
        let mut most = 0;
        for (stamp, op) in ops.into_iter().enumerate() {
            match op {
                Op::Insert(number) => prop_assert_eq!(line.insert(number, stamp), model.insert(number, stamp)),
                Op::Remove(number) => prop_assert_eq!(line.remove(number), model.remove(&number)),
                Op::Reserve(floor) => {
                    tail = tail.max(floor);
                    while model.contains_key(&tail) {
                        tail += 1;
                    }
                    prop_assert_eq!(line.reserve(floor, stamp), tail);
                    model.insert(tail, stamp);
                    tail += 1;
                }
                Op::RemoveLowest => {
                    if let Some((number, item)) = model.pop_first() {
                        prop_assert_eq!(line.remove(number), Some(item));
                    }
                }
                Op::Drain => {
                    let mut drained: Vec<_> = line.drain().collect();
                    drained.sort_unstable();
                    let expected: Vec<_> = std::mem::take(&mut model).into_iter().collect();
                    prop_assert_eq!(drained, expected);
                }
            }
            let mut seen: Vec<_> = line.iter().map(|(number, &item)| (number, item)).collect();
            seen.sort_unstable();
            prop_assert_eq!(&seen, &model.iter().map(|(&number, &item)| (number, item)).collect::<Vec<_>>());
            prop_assert_eq!((line.len(), line.is_empty()), (model.len(), model.is_empty()));
            most = most.max(model.len());
            prop_assert!(line.cells() <= 2 * (2 * (most + 1) + 16), "{} cells for {most}", line.cells());
        }
    }
}

proptest! {
    #[test]
    fn a_line_that_numbers_its_places_stays_in_order(ops in proptest::collection::vec((0..4u8, any::<prop::sample::Index>()), 0..400)) {
        let (mut line, mut model) = (Line::new(), BTreeMap::new());
        for (op, which) in ops {
            match op {
                0 | 1 => {
                    let number = line.push(op);
                    prop_assert!(model.insert(number, op).is_none());
                    prop_assert_eq!(number + 1, line.tail());
                    prop_assert_eq!(model.keys().next_back(), Some(&number));
                }
                2 if !model.is_empty() => {
                    let &number = which.get(&model.keys().copied().collect::<Vec<_>>());
                    prop_assert_eq!(line.remove(number), model.remove(&number));
                }
                _ => {
                    let first = line.find_from(0, |_| true).map(|(number, _)| number);
                    prop_assert_eq!(first, model.keys().next().copied());
                    if let Some(number) = first {
                        prop_assert_eq!(line.remove(number), model.remove(&number));
                    }
                }
            }
            let mut from = 0;
            for (&number, item) in &mut model {
                prop_assert_eq!(line.find_from(from, |_| true), Some((number, item)));
                from = number + 1;
            }
            prop_assert_eq!(line.find_from(from, |_| true), None);
        }
    }
}

#[test]
fn one_far_away_costs_no_table() {
    let mut line = Line::new();
    line.insert(0, ());
    line.insert(65_535, ());
    assert!(line.cells() <= 20);
}

#[test]
fn one_who_stays_while_many_come_and_go_costs_no_table() {
    let mut line = Line::new();
    line.insert(0, ());
    for number in 1..100_000 {
        line.insert(number, ());
        if number > 1 {
            line.remove(number - 1);
        }
    }
    assert_eq!(line.len(), 2);
    assert!(line.cells() <= 2 * (2 * 4 + 16), "{} cells for two", line.cells());
}

#[test]
fn the_ring_moves_to_where_they_stand() {
    let mut line = Line::new();
    line.insert(60_000, ());
    for number in 0..1_000 {
        line.insert(number, ());
    }
    assert!(line.cells() >= 900, "only {} of a thousand neighbours in the ring", line.cells());
}

#[test]
fn coming_and_going_at_a_distance_does_not_stretch_the_ring_every_time() {
    let mut line = Line::new();
    for number in 0..10_000 {
        line.insert(number, ());
    }
    let mut stretched = 0;
    for _ in 0..10_000 {
        let before = line.cells();
        line.insert(15_000, ());
        stretched += line.cells() - before;
        line.remove(15_000);
    }
    assert!(stretched <= 8 * 20_000, "{stretched} cells for 20,000 insertions");
}

#[test]
fn an_empty_line_keeps_little_room() {
    let mut line = Line::new();
    for order in [true, false] {
        for number in 0..100_000 {
            // Every second one far away, so that ring and map both grow.
            line.insert(if number % 2 == 0 { number } else { number << 20 }, ());
        }
        for number in 0..100_000 {
            let number = if order { number } else { 99_999 - number };
            line.remove(if number % 2 == 0 { number } else { number << 20 });
        }
        assert!(line.is_empty());
        assert!(line.room() <= 2 * 256, "room for {} is kept", line.room());
    }
}
