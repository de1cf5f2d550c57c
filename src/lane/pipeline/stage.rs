//! What is done with the items of a pipeline.

use super::report::{At, Stage};
use crate::WorkPanic;
use crate::lane::crew::caught;
use std::error::Error;
use std::future::{Future, ready};

/// What a [`Pipeline`](super::Pipeline) does with each item, in one stage or more. Sealed: closures make it.
///
/// # Examples
///
/// See [`Pipeline::work`](super::Pipeline::work).
pub trait Work<T>: private::Sealed + Send + Sync + 'static {
    /// What comes out of it.
    type Out: Send + 'static;

    /// Whether a stage may block its thread.
    #[doc(hidden)]
    const BLOCKS: bool;

    /// How many stages there are.
    #[doc(hidden)]
    const STAGES: usize;

    #[doc(hidden)]
    fn work(&self, item: T) -> impl Future<Output = Result<Self::Out, At>> + Send;
}

mod private {
    pub trait Sealed {}
    impl Sealed for super::Nothing {}
    impl<W, F> Sealed for super::Then<W, F> {}
    impl<W, F> Sealed for super::ThenBlocking<W, F> {}
}

/// No stage yet: items come out as they went in.
///
/// # Examples
///
/// See [`Source`](super::Source).
#[derive(Debug)]
pub struct Nothing(pub(super) ());

impl<T: Send + 'static> Work<T> for Nothing {
    type Out = T;
    const BLOCKS: bool = false;
    const STAGES: usize = 0;

    fn work(&self, item: T) -> impl Future<Output = Result<T, At>> + Send {
        ready(Ok(item))
    }
}

/// A further stage that is a future.
///
/// # Examples
///
/// See [`Pipeline::work`](super::Pipeline::work).
#[derive(Debug)]
pub struct Then<W, F>(pub(super) W, pub(super) F);

impl<T, W, F, Fut, U> Work<T> for Then<W, F>
where
    T: Send,
    W: Work<T>,
    F: Fn(W::Out) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<U, Box<dyn Error + Send + Sync>>> + Send,
    U: Send + 'static,
{
    type Out = U;
    const BLOCKS: bool = W::BLOCKS;
    const STAGES: usize = W::STAGES + 1;

    async fn work(&self, item: T) -> Result<U, At> {
        let before = self.0.work(item).await?;
        let worked = caught(async { (self.1)(before).await }).await;
        At::in_stage(Stage::Work(W::STAGES), worked.unwrap_or_else(|panic| Err(WorkPanic::new(panic).into())))
    }
}

/// A further stage that may block its thread.
///
/// # Examples
///
/// See [`Pipeline::work_blocking`](super::Pipeline::work_blocking).
#[derive(Debug)]
pub struct ThenBlocking<W, F>(pub(super) W, pub(super) F);

impl<T, W, F, U> Work<T> for ThenBlocking<W, F>
where
    T: Send,
    W: Work<T>,
    F: Fn(W::Out) -> Result<U, Box<dyn Error + Send + Sync>> + Send + Sync + 'static,
    U: Send + 'static,
{
    type Out = U;
    const BLOCKS: bool = true;
    const STAGES: usize = W::STAGES + 1;

    async fn work(&self, item: T) -> Result<U, At> {
        let before = self.0.work(item).await?;
        let worked = caught(async { (self.1)(before) }).await;
        At::in_stage(Stage::Work(W::STAGES), worked.unwrap_or_else(|panic| Err(WorkPanic::new(panic).into())))
    }
}
