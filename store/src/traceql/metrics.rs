//! Metrics over many traces.
