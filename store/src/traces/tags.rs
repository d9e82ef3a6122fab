//! Tag names and values.
