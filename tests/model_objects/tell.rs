//! What the objects of both sides are told, and whether they are the same then.

use super::real::{OWNERS, Object};
use super::things::{Thing, Verdict};
use super::words::Setting;
use super::{Both, Order};
use batons::SkipError;
use proptest::prelude::*;

impl Both {
    pub(super) fn tell(&mut self, object: usize, order: Order) -> Result<(), TestCaseError> {
        let Order { which, what } = order;
        let small = u32::try_from(what % 4).expect("a small number");
        macro_rules! event {
            ($event:expr) => {
                match which {
                    0..=5 => prop_assert_eq!($event.set(), self.model.set(object)),
                    6..=8 => prop_assert_eq!($event.pulse(), self.model.pulse(object)),
                    _ => prop_assert_eq!($event.reset(), self.model.things[object].reset()),
                }
            };
        }
        match self.world.objects[object] {
            Object::Timer(timer) => match which {
                0..=6 => {
                    let setting = self.setting(object, order);
                    let was = self.world.hands.set(timer, object, setting);
                    prop_assert_eq!(was, self.model.set_timer(object, setting));
                }
                7..=8 => prop_assert_eq!(timer.cancel(), self.model.cancel(object)),
                9..=10 => prop_assert_eq!(timer.try_wait(), self.model.try_wait(object)),
                _ => self.same_timers()?,
            },
            Object::Manual(event) => event!(event),
            Object::Auto(event) => event!(event),
            Object::Semaphore(semaphore) => match which {
                0..=7 => prop_assert_eq!(semaphore.release(small).ok(), self.model.release(object, small)),
                8..=10 => {
                    let max = small.max(1);
                    prop_assert_eq!(semaphore.resize(max), self.model.resize(object, max));
                }
                _ => {
                    semaphore.close();
                    self.model.close(object);
                }
            },
            Object::Mutex(mutex) => {
                let by = what % OWNERS as u64;
                let unlocked = mutex.unlock(self.world.owner(by)).ok();
                prop_assert_eq!(unlocked, self.model.unlock(object, by, false));
            }
            Object::Baton(baton) => {
                let number = self.want(object, what).what;
                if which > 10 {
                    baton.close();
                    self.model.close(object);
                } else {
                    let expected = match self.model.skip(object, number) {
                        Verdict::Refuse(refusal) => Err(SkipError::from(refusal)),
                        _ => Ok(()),
                    };
                    prop_assert_eq!(baton.skip(number), expected);
                }
            }
        }
        Ok(())
    }

    /// No two timers are ever due at once: which expires first is told by when they were begun to be waited for.
    fn setting(&self, object: usize, Order { which, what }: Order) -> Setting {
        let now = self.model.time;
        let due = (now + what % 12) / 4 * 4 + object as u64 - 4;
        let date = what % 3 == 2;
        // The periods after a date in the past are counted from now.
        let is_apart = !date || due >= now || now % 4 == object as u64;
        Setting {
            due,
            date,
            period: if is_apart { [0, 4, 8, 0][super::index(what / 12) % 4] } else { 0 },
            queue: [None, Some(0), Some(1)].get(super::index(which)).copied().flatten(),
        }
    }

    pub(super) fn same(&self, object: usize, thing: &Thing) -> Result<(), TestCaseError> {
        let is_set = match self.world.objects[object] {
            // To look at it is to settle it; so that happens only when it is told to.
            Object::Timer(_) => return Ok(()),
            Object::Manual(event) => event.is_set(),
            Object::Auto(event) => event.is_set(),
            Object::Semaphore(semaphore) => {
                let told = (semaphore.available(), semaphore.max(), semaphore.is_closed());
                let &Thing::Semaphore { count, max, closed } = thing else { unreachable!() };
                prop_assert_eq!(told, (count, max, closed), "semaphore {}", object);
                return Ok(());
            }
            Object::Mutex(mutex) => {
                let owner = (0..OWNERS as u64).find(|&by| mutex.is_owned_by(self.world.owner(by)));
                let &Thing::Mutex { owner: expected, depth, abandoned } = thing else { unreachable!() };
                let expected = (depth > 0).then_some(expected);
                let told = (owner, mutex.depth(), mutex.is_abandoned());
                prop_assert_eq!(told, (expected, depth, abandoned), "mutex {}", object);
                return Ok(());
            }
            Object::Baton(baton) => {
                let shot = baton.snapshot();
                let Thing::Baton { next, held, closed, skipped } = thing else { unreachable!() };
                let told = (shot.next(), shot.is_held(), shot.is_closed());
                prop_assert_eq!(told, (*next, *held, *closed), "baton {}", object);
                prop_assert_eq!(shot.waiting(), self.model.waiting(object), "baton {}", object);
                prop_assert!(skipped.iter().eq(shot.skipped()), "baton {}: {}", object, shot);
                return Ok(());
            }
        };
        let &Thing::Event { set, .. } = thing else { unreachable!() };
        prop_assert_eq!(is_set, set, "event {}", object);
        Ok(())
    }

    pub(super) fn same_timers(&self) -> Result<(), TestCaseError> {
        for (object, thing) in self.model.things.iter().enumerate() {
            if let (Object::Timer(timer), Thing::Timer { set, .. }) = (self.world.objects[object], thing) {
                prop_assert_eq!(timer.is_set(), *set, "timer {}", object);
            }
        }
        Ok(())
    }
}
