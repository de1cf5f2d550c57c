//! A change of the state together with something that lies beside it.

use super::Policy;
use super::header::Header;

impl<P: Policy> Header<P> {
    /// [`change`](Header::change) in one locked section, in which `change` is called exactly once. So what it
    /// does beside the state is done when the state says so, and not before. It must run nothing foreign (R3).
    pub(crate) fn change_once<T>(&self, change: impl FnOnce(u64) -> (u64, T)) -> T {
        self.inside(|still, reach| {
            let (state, told) = change(still.state);
            still.state = state;
            reach.serve(still);
            told
        })
    }
}
