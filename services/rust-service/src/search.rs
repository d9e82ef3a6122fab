//! Full-text search over a small set of knowledge entries, in memory, and the graph of what is related to what.
//!
//! Knows neither HTTP nor PostgreSQL. The ranking is BM25 with the title counted as part of the text, several times.
//! *Useful for* hundreds of short entries that fit in memory. *Not for* changing sets: the index is built once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How fast a repeated term stops counting (BM25's k1).
const TERM_SATURATION: f64 = 1.2;
/// How much a long entry is held against it, 0 to 1 (BM25's b).
const LENGTH_PENALTY: f64 = 0.75;
/// A word in the title counts as this many in the body.
const TITLE_WEIGHT: usize = 3;
/// Longest snippet, in characters.
const SNIPPET_CHARS: usize = 160;
/// Words too common in questions to tell entries apart.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i", "in", "is", "it",
    "its", "my", "of", "on", "or", "our", "should", "that", "the", "their", "this", "to", "was", "we", "what", "when",
    "where", "which", "who", "why", "will", "with", "you",
];

/// One entry of the knowledge base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub title: String,
    pub body: String,
    /// Ids of related entries. One direction is enough: [`Index::build`] adds the other.
    pub related: Vec<String>,
}

/// An entry that matches a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit<'a> {
    pub entry: &'a Entry,
    /// More is better; comparable within one answer only.
    pub score: f64,
    /// The part of the body around the first word that matched, on one line.
    pub snippet: String,
    /// Ids of the neighbours in the graph: those that match the query better first, then by id.
    pub related: Vec<&'a str>,
}

/// What [`Index::search`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<'a> {
    /// Best first; equal scores by id.
    pub hits: Vec<Hit<'a>>,
    /// Distinct words of the query that were looked up, stop words left out.
    pub terms: usize,
    /// Entries that matched, before the limit.
    pub matched: usize,
}

/// An inverted index and the graph of related entries. Immutable, so that it is shared without a lock.
#[derive(Debug)]
pub struct Index {
    entries: Vec<Entry>,
    /// Term → (entry, weighted number of occurrences), by entry.
    postings: HashMap<String, Vec<(usize, usize)>>,
    /// Weighted number of words of each entry.
    lengths: Vec<usize>,
    average_length: f64,
    /// Entry → its neighbours.
    graph: Vec<BTreeSet<usize>>,
    dangling: Vec<(String, String)>,
}

impl Index {
    /// Builds the index. Of two entries with one id the later is left out.
    pub fn build(entries: impl IntoIterator<Item = Entry>) -> Self {
        let by_id: BTreeMap<String, Entry> = entries.into_iter().fold(BTreeMap::new(), |mut seen, entry| {
            seen.entry(entry.id.clone()).or_insert(entry);
            seen
        });
        let entries: Vec<Entry> = by_id.into_values().collect();
        let mut postings: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        let mut lengths = Vec::with_capacity(entries.len());
        for (position, entry) in entries.iter().enumerate() {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for term in terms(&entry.title) {
                *counts.entry(term).or_default() += TITLE_WEIGHT;
            }
            for term in terms(&entry.body) {
                *counts.entry(term).or_default() += 1;
            }
            lengths.push(counts.values().sum());
            for (term, count) in counts {
                postings.entry(term).or_default().push((position, count));
            }
        }
        let (graph, dangling) = relate(&entries);
        let total: usize = lengths.iter().sum();
        Self { average_length: total as f64 / entries.len().max(1) as f64, entries, postings, lengths, graph, dangling }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Relations that name an entry that does not exist: (entry, missing id).
    pub fn dangling(&self) -> &[(String, String)] {
        &self.dangling
    }

    /// The best `limit` entries for `query`; none when no word of it is known.
    pub fn search(&self, query: &str, limit: usize) -> Answer<'_> {
        let wanted: BTreeSet<String> = terms(query).collect();
        let mut scores: HashMap<usize, f64> = HashMap::new();
        // In the order of the terms, so that equal queries add up to equal scores, bit by bit.
        for term in &wanted {
            let found = self.postings.get(term).map_or(&[][..], Vec::as_slice);
            let rarity = self.rarity(found.len());
            for &(position, count) in found {
                *scores.entry(position).or_default() += rarity * self.weight(position, count);
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.iter().map(|(&entry, &score)| (entry, score)).collect();
        // Entries are sorted by id, so a position stands for its id.
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let matched = ranked.len();
        let hits = ranked
            .into_iter()
            .take(limit)
            .map(|(position, score)| Hit {
                entry: &self.entries[position],
                score: (score * 10_000.0).round() / 10_000.0,
                snippet: snippet(&self.entries[position].body, &wanted),
                related: self.neighbours(position, &scores),
            })
            .collect();
        Answer { hits, terms: wanted.len(), matched }
    }

    /// BM25's inverse document frequency, in the form that is never negative.
    fn rarity(&self, entries_with_term: usize) -> f64 {
        let (all, with) = (self.entries.len() as f64, entries_with_term as f64);
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }

    fn weight(&self, position: usize, count: usize) -> f64 {
        let relative_length = self.lengths[position] as f64 / self.average_length;
        let count = count as f64;
        count * (TERM_SATURATION + 1.0)
            / (count + TERM_SATURATION * (1.0 - LENGTH_PENALTY + LENGTH_PENALTY * relative_length))
    }

    fn neighbours(&self, position: usize, scores: &HashMap<usize, f64>) -> Vec<&str> {
        let mut neighbours: Vec<usize> = self.graph[position].iter().copied().collect();
        let score = |entry: &usize| scores.get(entry).copied().unwrap_or(0.0);
        neighbours.sort_by(|a, b| score(b).total_cmp(&score(a)).then(a.cmp(b)));
        neighbours.into_iter().map(|entry| self.entries[entry].id.as_str()).collect()
    }
}

/// The graph in both directions, without loops, and the relations that lead nowhere.
fn relate(entries: &[Entry]) -> (Vec<BTreeSet<usize>>, Vec<(String, String)>) {
    let positions: HashMap<&str, usize> =
        entries.iter().enumerate().map(|(position, entry)| (entry.id.as_str(), position)).collect();
    let mut graph = vec![BTreeSet::new(); entries.len()];
    let mut dangling = Vec::new();
    for (from, entry) in entries.iter().enumerate() {
        for related in &entry.related {
            match positions.get(related.as_str()) {
                Some(&to) if to != from => {
                    graph[from].insert(to);
                    graph[to].insert(from);
                }
                Some(_) => {}
                None => dangling.push((entry.id.clone(), related.clone())),
            }
        }
    }
    (graph, dangling)
}

/// The words of a text as they are indexed: lower case, stop words left out, plurals cut.
fn terms(text: &str) -> impl Iterator<Item = String> + '_ {
    words(text).map(|(_, word)| term(word)).filter(|term| !STOP_WORDS.contains(&term.as_str()))
}

/// The words of a text with the byte at which each starts.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// One word as it is indexed. "Spans" and "span" are one term, "class" and "status" stay as they are.
fn term(word: &str) -> String {
    let word = word.to_lowercase();
    let plural = word.chars().count() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us");
    if plural {
        return word[..word.len() - 1].to_owned();
    }
    word
}

/// At most [`SNIPPET_CHARS`] characters of `body` around its first wanted word, cut at words, with "…" where cut.
fn snippet(body: &str, wanted: &BTreeSet<String>) -> String {
    let words_of_body: Vec<&str> = body.split_whitespace().collect();
    let first = words_of_body.iter().position(|word| terms(word).any(|term| wanted.contains(&term))).unwrap_or(0);
    let start = first.saturating_sub(6);
    let mut text = String::from(if start > 0 { "…" } else { "" });
    let mut chars = 0;
    for (offset, word) in words_of_body[start..].iter().enumerate() {
        let length = word.chars().count() + usize::from(offset > 0);
        if chars + length > SNIPPET_CHARS {
            text.push('…');
            break;
        }
        if offset > 0 {
            text.push(' ');
        }
        text.push_str(word);
        chars += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, title: &str, body: &str, related: &[&str]) -> Entry {
        Entry {
            id: id.into(),
            title: title.into(),
            body: body.into(),
            related: related.iter().map(|id| (*id).into()).collect(),
        }
    }

    /// ```text
    /// sampling ── tail ── collector      loner
    /// ```
    fn index() -> Index {
        Index::build([
            entry(
                "tail",
                "Tail sampling",
                "The decision is made when the whole trace has arrived.",
                &["sampling", "collector"],
            ),
            entry("sampling", "Sampling", "Sampling keeps some traces and drops the others.", &[]),
            entry(
                "collector",
                "Collector",
                "Receives spans, batches them and exports them. It can sample traces.",
                &[],
            ),
            entry("loner", "Clock skew", "Two machines disagree about the time.", &["nowhere", "loner"]),
        ])
    }

    fn ids<'a>(answer: &Answer<'a>) -> Vec<&'a str> {
        answer.hits.iter().map(|hit| hit.entry.id.as_str()).collect()
    }

    #[test]
    fn a_word_in_the_title_beats_a_word_in_the_body() {
        let index = index();
        assert_eq!(ids(&index.search("collector", 5)), ["collector"]);
        assert_eq!(ids(&index.search("sampling", 5)), ["sampling", "tail"]);
    }

    #[test]
    fn a_rare_word_weighs_more_than_a_common_one() {
        assert_eq!(ids(&index().search("trace decision", 1)), ["tail"]);
    }

    #[test]
    fn questions_are_searched_without_their_stop_words_case_and_plurals() {
        let index = index();
        let answer = index.search("Why do the SPANS of a Trace…?", 10);
        assert_eq!(answer.terms, 2);
        assert_eq!(answer.matched, 3);
        assert_eq!(answer.hits[0].entry.id, "collector");
    }

    #[test]
    fn nothing_is_found_for_unknown_or_empty_queries() {
        for query in ["", "?!", "the of a", "kubernetes"] {
            assert_eq!(index().search(query, 10).hits, [], "{query:?}");
        }
        assert_eq!(Index::build([]).search("anything", 10).matched, 0);
    }

    #[test]
    fn the_limit_cuts_the_hits_and_not_the_count() {
        let index = index();
        let answer = index.search("trace", 1);
        assert_eq!((answer.hits.len(), answer.matched), (1, 3));
    }

    #[test]
    fn equal_scores_are_ordered_by_id() {
        let index = Index::build(["b", "c", "a"].map(|id| entry(id, "Same", "same words", &[])));
        assert_eq!(ids(&index.search("same", 10)), ["a", "b", "c"]);
    }

    #[test]
    fn relations_hold_both_ways_without_loops() {
        let index = index();
        assert_eq!(index.search("collector", 1).hits[0].related, ["tail"]);
        assert_eq!(index.search("skew", 1).hits[0].related, Vec::<&str>::new());
    }

    #[test]
    fn related_entries_that_match_better_come_first() {
        let index = index();
        assert_eq!(index.search("tail decision collector", 1).hits[0].related, ["collector", "sampling"]);
        assert_eq!(index.search("tail decision sampling", 1).hits[0].related, ["sampling", "collector"]);
    }

    #[test]
    fn a_relation_to_a_missing_entry_is_reported_and_left_out() {
        assert_eq!(index().dangling(), [("loner".to_owned(), "nowhere".to_owned())]);
    }

    #[test]
    fn of_two_entries_with_one_id_the_first_stays() {
        let index = Index::build([entry("x", "First", "one", &[]), entry("x", "Second", "two", &[])]);
        assert_eq!(index.len(), 1);
        assert_eq!(index.search("first", 1).matched, 1);
    }

    #[test]
    fn a_snippet_is_short_and_shows_the_word_that_matched() {
        let long = format!("{} needle {}", "hay ".repeat(100), "straw ".repeat(100));
        let index = Index::build([entry("x", "Haystack", &long, &[])]);
        let snippet = &index.search("needle", 1).hits[0].snippet;
        assert!(snippet.starts_with("…hay") && snippet.ends_with('…'), "{snippet}");
        assert!(snippet.contains("needle"));
        assert!(snippet.chars().count() <= SNIPPET_CHARS + 2);
    }

    #[test]
    fn texts_of_every_script_are_cut_at_characters() {
        let text = "żółć ☃ größe 観測 データ ".repeat(60);
        let index = Index::build([entry("x", "Größe", &text, &[])]);
        assert_eq!(index.search("GRÖSSE größe 観測", 1).matched, 1);
    }
}
