//! Queries on logs: what may be asked, read from Quickwit's query language ([`user`]) or Elasticsearch's query DSL
//! ([`elastic`]) into one tree ([`ast`]), and made a tantivy query for one index ([`build`]).

pub mod ast;
mod automaton;
pub mod build;
pub mod elastic;
mod error;
#[cfg(test)]
mod tests;
pub mod user;

pub use ast::QueryAst;
pub use build::build;
pub use error::QueryError;
