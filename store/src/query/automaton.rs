//! Terms that match a regular expression, in a text field or under one path of a JSON field.
//!
//! A term of a JSON field is the path, a byte that ends it, the type's byte, and the value; so the expression is put
//! behind a literal prefix, and the search of the term dictionary starts at that prefix.

use std::sync::Arc;

use tantivy::Term;
use tantivy::query::{AutomatonWeight, EnableScoring, Query, Weight};
use tantivy::schema::Field;
use tantivy_fst::{Automaton, Regex};

#[derive(Debug, Clone)]
pub(super) struct RegexTermsQuery {
    field: Field,
    automaton: Arc<Prefixed>,
}

#[derive(Debug)]
struct Prefixed {
    prefix: Box<[u8]>,
    regex: Regex,
}

#[derive(Debug, Clone)]
enum State<S> {
    InPrefix(usize),
    InRegex(S),
    Dead,
}

impl RegexTermsQuery {
    /// `path` is a term of the JSON field that ends with the path and the type; `None` for a text field.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub(super) fn new(field: Field, path: Option<&Term>, pattern: &str) -> Result<Self, String> {
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        let prefix = path.map(|term| term.serialized_value_bytes().into()).unwrap_or_default();
        Ok(Self { field, automaton: Arc::new(Prefixed { prefix, regex }) })
    }
}

impl Query for RegexTermsQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let automaton = Arc::clone(&self.automaton);
        if automaton.prefix.is_empty() {
            return Ok(Box::new(AutomatonWeight::<Prefixed>::new(self.field, automaton)));
        }
        let prefix = automaton.prefix.clone();
        Ok(Box::new(AutomatonWeight::<Prefixed>::new_for_json_path(self.field, automaton, &prefix)))
    }
}

impl Automaton for Prefixed {
    type State = State<<Regex as Automaton>::State>;

    fn start(&self) -> Self::State {
        if self.prefix.is_empty() { State::InRegex(self.regex.start()) } else { State::InPrefix(0) }
    }

    fn is_match(&self, state: &Self::State) -> bool {
        matches!(state, State::InRegex(inner) if self.regex.is_match(inner))
    }

    fn can_match(&self, state: &Self::State) -> bool {
        match state {
            State::InPrefix(_) => true,
            State::InRegex(inner) => self.regex.can_match(inner),
            State::Dead => false,
        }
    }

    fn will_always_match(&self, state: &Self::State) -> bool {
        matches!(state, State::InRegex(inner) if self.regex.will_always_match(inner))
    }

    fn accept(&self, state: &Self::State, byte: u8) -> Self::State {
        match state {
            State::InPrefix(matched) if self.prefix[*matched] == byte => {
                if matched + 1 == self.prefix.len() {
                    State::InRegex(self.regex.start())
                } else {
                    State::InPrefix(matched + 1)
                }
            }
            State::InRegex(inner) => State::InRegex(self.regex.accept(inner, byte)),
            State::InPrefix(_) | State::Dead => State::Dead,
        }
    }
}
