//! Interleaved repetitions, medians, and ratios of neighbours.
//!
//! What counts here are ratios. A machine that is slow for a second must not make one contender look
//! bad, so every repetition runs all contenders once, each repetition begins with another one, and a
//! ratio is the median of the ratios within the repetitions.

use std::time::{Duration, Instant};

/// A contender: each call is one repetition and answers `K` figures in nanoseconds. One that is NaN
/// says that it gave up; it is not called again.
pub(crate) struct Case<'a, const K: usize> {
    pub(crate) name: &'static str,
    pub(crate) sample: Box<dyn FnMut() -> [f64; K] + 'a>,
}

impl<'a, const K: usize> Case<'a, K> {
    pub(crate) fn new(name: &'static str, sample: impl FnMut() -> [f64; K] + 'a) -> Self {
        Self { name, sample: Box::new(sample) }
    }
}

/// How long to go on.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) repetitions: usize,
    /// A contender that has used this up is done, though not before its third repetition.
    pub(crate) time: Duration,
}

/// One figure of one contender, by repetition.
#[derive(Clone, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    pub(crate) fn median(&self) -> f64 {
        median(self.0.clone())
    }

    pub(crate) fn gave_up(&self) -> bool {
        self.0.iter().any(|sample| sample.is_nan())
    }

    /// The median of the ratios to `other` within each repetition that both took part in.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    match samples.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => samples[middle],
        _ => f64::midpoint(samples[middle - 1], samples[middle]),
    }
}

/// Runs all `cases` in turn, again and again; answers their figures in the order of the cases.
pub(crate) fn interleave<const K: usize>(cases: &mut [Case<'_, K>], effort: Effort) -> Vec<[Series; K]> {
    let mut results: Vec<[Series; K]> =
        cases.iter().map(|_| std::array::from_fn(|_| Series::default())).collect();
    let mut spent = vec![Duration::ZERO; cases.len()];
    for repetition in 0..effort.repetitions {
        for offset in 0..cases.len() {
            let index = (repetition + offset) % cases.len();
            let enough = repetition >= 3 && spent[index] > effort.time;
            if enough || results[index].iter().any(Series::gave_up) {
                continue;
            }
            let start = Instant::now();
            let figures = (cases[index].sample)();
            spent[index] += start.elapsed();
            for (series, figure) in results[index].iter_mut().zip(figures) {
                series.0.push(figure);
            }
        }
    }
    results
}

/// Nanoseconds for each of `count` things that took `time` together.
#[allow(clippy::cast_precision_loss, reason = "a figure of a bench has no 52 bits")]
pub(crate) fn ns_each(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}
