//! Random operations on a completion port, compared step by step with a sequential model that is too simple to
//! be wrong: vectors, written from the documentation.

use batons::{CompletionPort, Packets, TryNextError, futures::NextPacket};
use proptest::{prelude::*, sample::Index};
use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

#[derive(Debug, Clone)]
enum Step {
    Post,
    /// A wait for this many at most, polled once.
    Wait(u32),
    Poll(Index),
    DropWait(Index),
    End(Index),
    Try,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Post),
        6 => (1_u32..4).prop_map(Step::Wait),
        5 => any::<Index>().prop_map(Step::Poll),
        4 => any::<Index>().prop_map(Step::DropWait),
        5 => any::<Index>().prop_map(Step::End),
        2 => Just(Step::Try),
        1 => Just(Step::Close),
    ]
}

// ===== the model =====

/// How a wait in line stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stands {
    Waiting(u32),
    Granted(usize),
    Refused,
}

#[derive(Default)]
struct Model {
    concurrency: u32,
    /// What has not been taken out, those granted and not seen among them.
    packets: VecDeque<u32>,
    queued: usize,
    running: u32,
    closed: bool,
    /// In the order of their first polls.
    waits: Vec<Stands>,
}

impl Model {
    /// What a wait would be told now: nothing, or to stand in line.
    fn judge(&mut self, most: u32) -> Stands {
        let n = self.queued.min(most as usize);
        if n > 0 && self.running < self.concurrency {
            self.queued -= n;
            self.running += 1;
            Stands::Granted(n)
        } else if self.closed && self.queued == 0 {
            Stands::Refused
        } else {
            Stands::Waiting(most)
        }
    }

    /// Serves the line from its head until somebody must wait.
    fn serve(&mut self) {
        for index in 0..self.waits.len() {
            if let Stands::Waiting(most) = self.waits[index] {
                self.waits[index] = self.judge(most);
                if matches!(self.waits[index], Stands::Waiting(_)) {
                    return;
                }
            }
        }
    }

    fn arrive(&mut self, most: u32) -> Stands {
        if self.waits.iter().any(|wait| matches!(wait, Stands::Waiting(_))) {
            return Stands::Waiting(most);
        }
        self.judge(most)
    }

    fn take(&mut self, n: usize) -> Vec<u32> {
        self.packets.drain(..n).collect()
    }

    fn drop_wait(&mut self, index: usize) {
        if let Stands::Granted(n) = self.waits.remove(index) {
            self.queued += n;
            self.running -= 1;
        }
        self.serve();
    }
}

// ===== both sides =====

type Wait<'a> = NextPacket<&'a CompletionPort<u32>, Vec<u32>>;

fn poll<'a>(wait: &mut Wait<'a>) -> Poll<Option<Packets<'a, u32>>> {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop())).map(Result::ok)
}

/// Compares an answer with the model's; the guard that it holds.
fn same<'a>(
    told: Poll<Option<Packets<'a, u32>>>,
    model: &mut Model,
    stands: Stands,
) -> Option<Packets<'a, u32>> {
    match (told, stands) {
        (Poll::Pending, Stands::Waiting(_)) | (Poll::Ready(None), Stands::Refused) => None,
        (Poll::Ready(Some(packets)), Stands::Granted(n)) => {
            assert_eq!(*packets, model.take(n));
            Some(packets)
        }
        (told, stands) => panic!("{told:?} where the model has {stands:?}"),
    }
}

fn run(concurrency: u32, steps: &[Step]) {
    let port = CompletionPort::new(concurrency);
    let mut model = Model { concurrency, ..Model::default() };
    let (mut waits, mut guards) = (Vec::<Wait<'_>>::new(), Vec::new());
    for (number, step) in (0..).zip(steps) {
        match step {
            Step::Post => {
                assert_eq!(port.post(number).is_err(), model.closed);
                if !model.closed {
                    model.packets.push_back(number);
                    model.queued += 1;
                    model.serve();
                }
            }
            &Step::Wait(most) => {
                let mut wait = port.next_many(most);
                let stands = model.arrive(most);
                guards.extend(same(poll(&mut wait), &mut model, stands));
                if matches!(stands, Stands::Waiting(_)) {
                    waits.push(wait);
                    model.waits.push(stands);
                }
            }
            Step::Poll(index) if !waits.is_empty() => {
                let index = index.index(waits.len());
                let stands = model.waits[index];
                guards.extend(same(poll(&mut waits[index]), &mut model, stands));
                if !matches!(stands, Stands::Waiting(_)) {
                    drop(waits.remove(index));
                    model.waits.remove(index);
                }
            }
            Step::DropWait(index) if !waits.is_empty() => {
                let index = index.index(waits.len());
                drop(waits.remove(index));
                model.drop_wait(index);
            }
            Step::End(index) if !guards.is_empty() => {
                drop(guards.swap_remove(index.index(guards.len())));
                model.running -= 1;
                model.serve();
            }
            Step::Try => match (port.try_next(), model.arrive(1)) {
                (Ok(packet), Stands::Granted(1)) => {
                    assert_eq!(vec![packet.into_inner()], model.take(1));
                    model.running -= 1;
                    model.serve();
                }
                (Err(TryNextError::WouldBlock), Stands::Waiting(_))
                | (Err(TryNextError::Closed), Stands::Refused) => {}
                (told, stands) => panic!("{told:?} where the model has {stands:?}"),
            },
            Step::Close => {
                assert_eq!(port.close(), model.closed);
                model.closed = true;
                model.serve();
            }
            Step::Poll(_) | Step::DropWait(_) | Step::End(_) => {}
        }
        assert_eq!((port.len(), port.running()), (model.queued, model.running), "after {step:?}");
    }
    // Nothing is lost: what nobody took is there in order.
    drop((waits, guards));
    let rest: VecDeque<_> =
        std::iter::from_fn(|| port.try_next().ok().map(batons::HeldPacket::into_inner)).collect();
    assert_eq!(rest, model.packets);
    assert_eq!((port.len(), port.running()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_port_does_what_its_model_does(
        concurrency in 1_u32..4,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        run(concurrency, &steps);
    }
}
