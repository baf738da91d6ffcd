//! Whether two samples can be told apart, and how small a difference would have been seen.

/// The share of alarms where there is nothing: several things are asked in one run.
pub(crate) const ALPHA: f64 = 0.001;
/// How surely the smallest difference that is told must have been seen.
pub(crate) const POWER: f64 = 0.9;
/// Samples drawn anew for one estimate of power.
const DRAWS: usize = 100;

/// Mann and Whitney's test: the probability that samples of one distribution differ as much in rank as these two, with
/// the normal approximation and its correction for ties (Mann and Whitney 1947; Lehmann, Nonparametrics, section 1.2).
/// Robust against the few requests that wait long for something else.
pub(crate) fn difference(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = a.iter().map(|value| (*value, true)).collect();
    all.extend(b.iter().map(|value| (*value, false)));
    all.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut ranks_of_a, mut ties) = (0.0, 0.0);
    let mut first = 0;
    while first < all.len() {
        let same = all[first..].partition_point(|one| one.0 <= all[first].0);
        let rank = first as f64 + (same as f64 + 1.0) / 2.0;
        let of_a = all[first..first + same].iter().filter(|one| one.1).count();
        ranks_of_a += rank * of_a as f64;
        ties += (same as f64).powi(3) - same as f64;
        first += same;
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let u = ranks_of_a - n * (n + 1.0) / 2.0;
    let total = n + m;
    let variance = n * m / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (u - n * m / 2.0) / variance.sqrt();
    complementary_error(z.abs() / std::f64::consts::SQRT_2)
}

/// The smallest constant delay of one kind that the test would have found in samples of this size with the probability
/// [`POWER`]: tried on pairs of samples drawn from both together, of which one is delayed.
pub(crate) fn smallest_seen(a: &[f64], b: &[f64]) -> f64 {
    let pool: Vec<f64> = a.iter().chain(b).copied().collect();
    let draw = |count: usize, delay: f64| -> Vec<f64> {
        let one = || pool[rand::random_range(0..pool.len())] + delay;
        std::iter::repeat_with(one).take(count).collect()
    };
    let seen = |delay: f64| {
        let found = (0..DRAWS)
            .filter(|_| difference(&draw(a.len(), delay), &draw(b.len(), 0.0)) < ALPHA)
            .count();
        found as f64 / DRAWS as f64 >= POWER
    };
    let mut high = 1e-3;
    while !seen(high) {
        high *= 2.0;
    }
    let mut low = high / 2.0;
    for _ in 0..4 {
        let middle = low.midpoint(high);
        if seen(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// Abramowitz and Stegun 7.1.26, for values that are not negative: right to 1.5e-7.
fn complementary_error(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    polynomial * (-x * x).exp()
}
