//! `rust-service`: knowledge search for the fleet.
//!
//! At the start the table `knowledge` is read into memory; searches are answered from there, so they go on when
//! PostgreSQL does not.
//!
//! - [`config`]: the settings, checked once
//! - [`search`]: the inverted index and the graph of related entries; knows neither HTTP nor PostgreSQL
//! - [`knowledge`]: the table in PostgreSQL
//! - [`http`]: the routes
//! - [`error`]: what can fail, and how the caller hears of it
//! - [`faults`], [`flagfile`]: deliberate telemetry defects, and the file that switches them
//! - [`telemetry`]: traces, logs and metrics
//! - [`process_metrics`]: the page that Prometheus scrapes
//! - [`service`]: start, stop, flush

pub mod config;
pub mod error;
pub mod faults;
pub mod flagfile;
pub mod http;
pub mod knowledge;
pub mod process_metrics;
pub mod search;
pub mod service;
pub mod telemetry;

#[cfg(test)]
mod capture;
