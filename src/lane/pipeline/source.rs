//! Where the items of a pipeline come from.

use std::error::Error;
#[cfg(feature = "futures")]
use std::pin::Pin;
use std::task::{Context, Poll};

type Polled<T> = Poll<Option<Result<T, Box<dyn Error + Send + Sync>>>>;

/// Where the items of a [`Pipeline`](super::Pipeline) come from: an iterator or a stream, fallible or not. Sealed.
///
/// # Examples
///
/// A pipeline to be ended elsewhere:
///
/// ```
/// use batons::lane::{Failed, Nothing, Pipeline, Report, Source, pipeline};
///
/// fn count<S: Source<Item: Send + 'static>>(items: Pipeline<S, Nothing>) -> Result<u64, Failed> {
///     let report: Report = items.commit(|_| Ok(())).blocking_run()?;
///     Ok(report.committed)
/// }
/// assert_eq!(count(pipeline(0..7))?, 7);
/// # Ok::<_, Failed>(())
/// ```
pub trait Source: private::Sealed {
    /// What comes from it.
    type Item;

    #[doc(hidden)]
    fn poll_item(&mut self, cx: &mut Context<'_>) -> Polled<Self::Item>;
}

mod private {
    pub trait Sealed {}
    impl<I> Sealed for super::FromIter<I> {}
    impl<I> Sealed for super::FromTryIter<I> {}
    #[cfg(feature = "futures")]
    impl<S> Sealed for super::FromStream<S> {}
    #[cfg(feature = "futures")]
    impl<S> Sealed for super::FromTryStream<S> {}
}

/// The items of an iterator.
///
/// # Examples
///
/// See [`pipeline`](super::pipeline()).
#[derive(Debug)]
pub struct FromIter<I>(pub(super) I);

impl<I: Iterator> Source for FromIter<I> {
    type Item = I::Item;

    fn poll_item(&mut self, _: &mut Context<'_>) -> Polled<I::Item> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

/// The items of an iterator that can fail.
///
/// # Examples
///
/// See [`try_pipeline`](super::try_pipeline).
#[derive(Debug)]
pub struct FromTryIter<I>(pub(super) I);

impl<T, E: Into<Box<dyn Error + Send + Sync>>, I: Iterator<Item = Result<T, E>>> Source for FromTryIter<I> {
    type Item = T;

    fn poll_item(&mut self, _: &mut Context<'_>) -> Polled<T> {
        Poll::Ready(self.0.next().map(|item| item.map_err(Into::into)))
    }
}

/// The items of a stream.
///
/// # Examples
///
/// See [`stream_pipeline`](super::stream_pipeline).
#[cfg(feature = "futures")]
#[derive(Debug)]
pub struct FromStream<S>(pub(super) Pin<Box<S>>);

#[cfg(feature = "futures")]
impl<S: futures::Stream> Source for FromStream<S> {
    type Item = S::Item;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Polled<S::Item> {
        self.0.as_mut().poll_next(cx).map(|item| item.map(Ok))
    }
}

/// The items of a stream that can fail.
///
/// # Examples
///
/// See [`try_stream_pipeline`](super::try_stream_pipeline).
#[cfg(feature = "futures")]
#[derive(Debug)]
pub struct FromTryStream<S>(pub(super) Pin<Box<S>>);

#[cfg(feature = "futures")]
impl<T, E, S> Source for FromTryStream<S>
where
    E: Into<Box<dyn Error + Send + Sync>>,
    S: futures::Stream<Item = Result<T, E>>,
{
    type Item = T;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Polled<T> {
        self.0.as_mut().poll_next(cx).map(|item| item.map(|item| item.map_err(Into::into)))
    }
}
