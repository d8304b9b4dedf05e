//! Median, least and most of a set of samples. On a shared machine the least and the median say
//! something; the mean does not.

use serde::Serialize;

/// What a set of samples comes down to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// The least sample.
    pub min: f64,
    /// The middle sample.
    pub median: f64,
    /// The greatest sample.
    pub max: f64,
    /// All samples in the order in which they were taken.
    pub samples: Vec<f64>,
}

impl Summary {
    /// Of these samples; zeros if there are none.
    pub fn of(samples: Vec<f64>) -> Self {
        let mut sorted = samples.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        Self {
            min: at(0),
            median: at(sorted.len() / 2),
            max: at(sorted.len().saturating_sub(1)),
            samples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        let summary = Summary::of(vec![9.0, 1.0, 5.0]);
        assert!((summary.min - 1.0).abs() < f64::EPSILON);
        assert!((summary.median - 5.0).abs() < f64::EPSILON);
        assert!((summary.max - 9.0).abs() < f64::EPSILON);
        assert_eq!(Summary::of(Vec::new()), Summary::default());
    }
}
