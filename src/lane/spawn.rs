//! Work of a ticket that becomes a task only if it must wait.

use super::Ticket;
use super::crew::caught;
use super::losses::Why;
use crate::{Cause, LaneError, WorkPanic};
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use tokio::runtime::Handle;

impl<T: Send + 'static, D: Send + 'static> Ticket<T, D> {
    /// Does `work` and [deposits](Ticket::deposit) its output: here and now if it is done after one poll, in a task of the current tokio
    /// runtime if it must wait.
    ///
    /// A task costs several times what a short piece of work does, and most pieces are short: a reply from memory, a file that is
    /// in the cache. Those that are not wait in their task and hold up nobody but the numbers above. What computes for
    /// long before it first waits does so in the caller; give it to a task or a thread of its own, together with the ticket.
    ///
    /// A panic of the work does not reach the caller: the number fails, as the lane [says of panics](super::LaneBuilder::on_panic), and
    /// the message is the cause. The work goes on when the lane has failed or was cancelled meanwhile, and its output is dropped then.
    ///
    /// # Errors
    ///
    /// As `deposit`, if the work was done here. Of a deposit in the task nobody is told.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime; the number is lost as in any other panic. And, as `deposit` does, if the committer does.
    ///
    /// # Examples
    ///
    /// ```
    /// # use batons::lane::Lane;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), batons::LaneError> {
    /// let lane = Lane::builder().window(16).committer(Vec::new(), |replies, run| {
    ///     replies.extend(run);
    ///     Ok(())
    /// });
    /// lane.ticket().await?.spawn(async {
    ///     tokio::time::sleep(Duration::from_secs(1)).await; // becomes a task
    ///     "slow"
    /// })?;
    /// lane.ticket().await?.spawn(async { "fast" })?; // is deposited already, and committed after the slow one
    /// lane.drain().await?;
    /// assert_eq!(lane.with_value(|replies| replies.clone()), ["slow", "fast"]);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F>(self, work: F) -> Result<(), LaneError>
    where
        F: Future<Output = D> + Send + 'static,
    {
        let runtime = Handle::current();
        let mut work = Box::pin(caught(work));
        // Whatever wakes it between this poll and the task's first one is not missed: the task polls it at once.
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => self.done(done),
            Poll::Pending => {
                // Refused after a failure, which whoever has the lane is told.
                drop(runtime.spawn(async move { drop(self.done(work.await)) }));
                Ok(())
            }
        }
    }

    fn done(mut self, done: thread::Result<D>) -> Result<(), LaneError> {
        match done {
            Ok(output) => self.deposit(output),
            Err(panic) => {
                let policy = self.lane().lock().state.on_panic;
                let cause: Cause = Arc::new(WorkPanic::new(panic));
                self.lose(policy, Why::Told(cause));
                Ok(())
            }
        }
    }
}
