//! Tokenizers by Quickwit's names.
//!
//! A token of 255 bytes or more is dropped, as Quickwit does: such values are stored and returned, but not found.

use tantivy::tokenizer::{
    LowerCaser, RawTokenizer, RemoveLongFilter, SimpleTokenizer, TextAnalyzer, TokenizerManager, WhitespaceTokenizer,
};

/// Tokens of this length and more are dropped.
pub const MAX_TOKEN_BYTES: usize = 255;

/// For indexed terms, and (raw and lowercase) for the values of fast fields.
pub fn manager() -> TokenizerManager {
    let manager = TokenizerManager::new();
    let long = || RemoveLongFilter::limit(MAX_TOKEN_BYTES);
    let lowercase = TextAnalyzer::builder(RawTokenizer::default()).filter(LowerCaser).filter(long()).build();
    manager.register("raw", TextAnalyzer::builder(RawTokenizer::default()).filter(long()).build());
    manager.register("raw_lowercase", lowercase.clone());
    manager.register("lowercase", lowercase);
    manager.register(
        "default",
        TextAnalyzer::builder(SimpleTokenizer::default()).filter(long()).filter(LowerCaser).build(),
    );
    manager.register("whitespace", TextAnalyzer::builder(WhitespaceTokenizer::default()).filter(long()).build());
    manager
}

/// Whether the tokenizer lower-cases, so that wildcards and prefixes must too.
pub fn lower_cases(name: &str) -> bool {
    matches!(name, "default" | "lowercase" | "raw_lowercase")
}
