//! The points in time of a metrics query. A sample stamped T covers the spans that started in (T - step, T].

/// The steps of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The first sample's stamp.
    pub first_ns: u64,
    pub step_ns: u64,
    pub count: usize,
}

impl Steps {
    /// Steps whose stamps are multiples of the step, from the one before `start_ns` to the one after `end_ns`.
    pub fn aligned(start_ns: u64, end_ns: u64, step_ns: u64) -> Self {
        let first_ns = start_ns / step_ns * step_ns;
        let last_ns = end_ns.div_ceil(step_ns) * step_ns;
        Self { first_ns, step_ns, count: ((last_ns - first_ns) / step_ns) as usize + 1 }
    }

    /// The steps that spans from `start_ns` to `end_ns` belong to, with stamps that are multiples of the step.
    pub fn covering(start_ns: u64, end_ns: u64, step_ns: u64) -> Self {
        let (first, last) = (start_ns.div_ceil(step_ns), end_ns.div_ceil(step_ns));
        Self { first_ns: first * step_ns, step_ns, count: (last - first) as usize + 1 }
    }

    /// Whether the stamps are multiples of the step, so that those of another window are the same.
    pub fn are_aligned(&self) -> bool {
        self.first_ns.is_multiple_of(self.step_ns)
    }

    /// One step for the whole window.
    pub fn single(start_ns: u64, end_ns: u64) -> Self {
        Self { first_ns: end_ns, step_ns: end_ns - start_ns, count: 1 }
    }

    /// The step that a span belongs to.
    pub fn of(&self, time_ns: u64) -> Option<usize> {
        let behind_first = (time_ns + self.step_ns).checked_sub(self.first_ns)?.checked_sub(1)?;
        let step = (behind_first / self.step_ns) as usize;
        (step < self.count).then_some(step)
    }

    pub fn stamp_ms(&self, step: usize) -> u64 {
        (self.first_ns + step as u64 * self.step_ns) / 1_000_000
    }

    /// The times that belong to some step: after the first, up to and with the second.
    pub fn bounds(&self) -> (u64, u64) {
        (self.first_ns.saturating_sub(self.step_ns), self.first_ns + (self.count as u64 - 1) * self.step_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_covers_the_time_up_to_its_stamp() {
        let steps = Steps::aligned(3_000, 47_000, 10_000);
        assert_eq!((steps.first_ns, steps.count), (0, 6));
        assert_eq!(steps.of(0), Some(0));
        assert_eq!(steps.of(1), Some(1));
        assert_eq!(steps.of(10_000), Some(1));
        assert_eq!(steps.of(50_000), Some(5));
        assert_eq!(steps.of(50_001), None);
        let whole = Steps::single(100, 200);
        assert_eq!((whole.of(100), whole.of(101), whole.of(200), whole.of(201)), (None, Some(0), Some(0), None));
    }
}
