//! Numbers without a waiter: held for one, given up in advance, passed over, put back.

use super::header::{Ask, Header};
use super::place::Place;
use super::{Policy, Verdict};

impl<P: Policy> Header<P> {
    /// Holds the next number that nobody has asked for, and tells it.
    pub(crate) fn reserve(&self) -> u64 {
        let mut still = self.hold_still();
        let floor = self.policy().floor(still.state);
        match self.policy().closed(still.state) {
            Some(_) => floor,
            None => still.queue.line.reserve(floor, Place::Reserved),
        }
    }

    /// Gives up a reserved number, if it still is one: the line passes it over.
    pub(crate) fn forfeit(&self, number: u64) {
        if number < self.policy().floor(self.state()) {
            return;
        }
        self.inside(|still, reach| {
            if let Some(place @ Place::Reserved) = still.queue.line.get_mut(number) {
                *place = Place::Forfeit;
                reach.serve(still);
            }
        });
    }

    /// Passes over a number that nobody asks for, now or when its turn comes.
    pub(crate) fn skip(&self, request: P::Request, number: u64) -> Result<(), P::Refusal> {
        self.inside(|still, reach| {
            match still.consider(Ask { request, number, own: false }) {
                Verdict::Refuse(refusal) => return Err(refusal),
                _ => still.queue.line.enter(number, Place::Forfeit),
            }
            reach.serve(still);
            Ok(())
        })
    }

    /// Puts a number back that was granted to a reservation and never seen. It still holds the object,
    /// so nothing later can have been granted.
    /// False if the object was closed meanwhile.
    pub(super) fn put_back(&self, number: u64) -> bool {
        let mut still = self.hold_still();
        let open = self.policy().closed(still.state).is_none();
        if open {
            still.state = self.policy().undo(still.state);
            still.queue.line.enter(number, Place::Reserved);
        }
        open
    }
}
