//! What the loss of a number means.

/// What a lane does when a number ends without a result: its ticket was dropped, its task aborted, its holder panicked.
///
/// Whatever the policy, [`Ticket::fail`](super::Ticket::fail) fails the number and tells why; only under [`Stop`](OnFailure::Stop)
/// it stops the lane instead.
///
/// # Examples
///
/// The policies, where the second of three numbers is lost:
///
/// ```
/// use batons::lane::{Lane, OnFailure};
///
/// let committed = |policy| {
///     let lane = Lane::builder().on_failure(policy).committer(Vec::new(), |all, run| {
///         all.extend(run);
///         Ok(())
///     });
///     let (first, second, third) = (lane.try_ticket()?, lane.try_ticket()?, lane.try_ticket()?);
///     first.deposit(1)?;
///     drop(second);
///     let _ = third.deposit(3);
///     Ok::<_, batons::LaneError>(lane.with_value(|all| all.clone()))
/// };
/// assert_eq!(committed(OnFailure::Skip)?, [1, 3]);
/// assert_eq!(committed(OnFailure::Poison)?, [1]);
/// assert_eq!(committed(OnFailure::Stop)?, [1]);
/// # Ok::<_, batons::LaneError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OnFailure {
    /// The number is passed over; the next turn can see it by [`gap`](super::Turn::gap).
    ///
    /// ```
    /// # use batons::lane::{Lane, OnFailure};
    /// let lane: Lane<()> = Lane::builder().on_failure(OnFailure::Skip).build(());
    /// let (lost, mut next) = (lane.try_ticket()?, lane.try_ticket()?);
    /// drop(lost);
    /// assert_eq!(next.try_turn()?.gap(), 1);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    Skip,
    /// Everything below is committed and nothing above ever is; all holders of later tickets learn it at once.
    #[default]
    Poison,
    /// Passed over, and the next turn is told so, as [`LaneError::Gap`](crate::LaneError::Gap), until it accepts it. A run of
    /// deposits is told by [`Run::gap`](super::Run::gap).
    ///
    /// ```
    /// # use batons::{LaneError, lane::{Lane, OnFailure}};
    /// let lane: Lane<()> = Lane::builder().on_failure(OnFailure::Tell).build(());
    /// let (lost, mut next) = (lane.try_ticket()?, lane.try_ticket()?);
    /// drop(lost);
    /// assert!(matches!(next.try_turn(), Err(LaneError::Gap { lost: 1 })));
    /// next.accept_gap();
    /// assert_eq!(next.try_turn()?.gap(), 1);
    /// # Ok::<_, LaneError>(())
    /// ```
    Tell,
    /// The lane stops before the number, until it is [repaired](super::Lane::repair).
    ///
    /// ```
    /// # use batons::lane::{Lane, OnFailure};
    /// let lane: Lane<Vec<u8>> = Lane::builder().on_failure(OnFailure::Stop).build(Vec::new());
    /// let (lost, mut next) = (lane.try_ticket()?, lane.try_ticket()?);
    /// lost.fail("connection reset");
    /// lane.repair(0)?.try_turn()?.push(0); // done again
    /// next.try_turn()?.push(1);
    /// # Ok::<_, batons::LaneError>(())
    /// ```
    Stop,
    /// As `Poison`, but only up to the next [`sync`](super::Lane::sync), as `PostgreSQL`'s pipelines have it.
    ///
    /// ```
    /// # use batons::{LaneError, lane::{Lane, OnFailure}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), LaneError> {
    /// let lane: Lane<()> = Lane::builder().on_failure(OnFailure::UntilSync).build(());
    /// let (lost, mut next) = (lane.ticket().await?, lane.ticket().await?);
    /// let mut point = lane.sync().await?;
    /// lost.fail("syntax error");
    /// assert!(matches!(next.turn().await, Err(LaneError::Poisoned(_))));
    /// assert!(point.turn().await.is_ok());
    /// # Ok(())
    /// # }
    /// ```
    UntilSync,
}
