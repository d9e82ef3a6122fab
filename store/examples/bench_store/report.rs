//! The table: what was measured, what is aimed at, what the real programs were seen to do.
use std::time::Duration;

/// Durations of one thing done often.
#[derive(Debug, Clone)]
pub struct Times {
    first: Duration,
    sorted: Vec<Duration>,
}

impl Times {
    /// At least one.
    pub fn of(times: Vec<Duration>) -> Self {
        let first = times[0];
        let mut sorted = times;
        sorted.sort_unstable();
        Self { first, sorted }
    }

    /// Milliseconds of the one that was done first.
    pub fn first(&self) -> f64 {
        self.first.as_secs_f64() * 1e3
    }

    /// Milliseconds below which the share lies.
    pub fn at(&self, share: f64) -> f64 {
        let last = self.sorted.len() - 1;
        self.sorted[(last as f64 * share).round() as usize].as_secs_f64() * 1e3
    }
}

/// What a number should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    None,
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met_by(self, number: f64) -> Option<bool> {
        match self {
            Self::None => None,
            Self::AtLeast(limit) => Some(number >= limit),
            Self::AtMost(limit) => Some(number <= limit),
        }
    }

    fn text(self) -> String {
        match self {
            Self::None => String::new(),
            Self::AtLeast(limit) => format!(">= {}", grouped(limit)),
            Self::AtMost(limit) => format!("<= {}", grouped(limit)),
        }
    }
}

struct Row {
    name: String,
    shown: String,
    number: f64,
    goal: Goal,
    recorded: String,
}

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// A line between groups of rows.
    pub fn section(&mut self, name: &str) {
        self.add(name, "", f64::NAN, Goal::None, "");
    }

    /// `number` is what the goal is about, `shown` what people read.
    pub fn add(&mut self, name: &str, shown: &str, number: f64, goal: Goal, recorded: &str) {
        let row = Row { name: name.to_owned(), shown: shown.to_owned(), number, goal, recorded: recorded.to_owned() };
        self.rows.push(row);
    }

    /// The whole table, and which goals are missed.
    pub fn text(&self) -> String {
        let head = ["", "measured", "goal", "", "real program, recorded elsewhere"].map(str::to_owned);
        let lines: Vec<[String; 5]> = std::iter::once(head)
            .chain(self.rows.iter().map(|row| {
                let verdict = match row.goal.is_met_by(row.number) {
                    None => "",
                    Some(true) => "met",
                    Some(false) => "MISSED",
                };
                [row.name.clone(), row.shown.clone(), row.goal.text(), verdict.to_owned(), row.recorded.clone()]
            }))
            .collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        let mut text = String::new();
        for [name, shown, goal, verdict, recorded] in &lines {
            let [a, b, c, d] = widths;
            text += format!("{name:a$}  {shown:>b$}  {goal:>c$}  {verdict:d$}  {recorded}").trim_end();
            text.push('\n');
        }
        let with_goal: Vec<(&Row, bool)> =
            self.rows.iter().filter_map(|row| Some((row, row.goal.is_met_by(row.number)?))).collect();
        let missed: Vec<_> = with_goal.iter().filter(|(_, met)| !met).map(|(row, _)| &*row.name).collect();
        text += &format!("\nGoals met: {} of {}.", with_goal.len() - missed.len(), with_goal.len());
        if !missed.is_empty() {
            text += &format!(" Missed: {}.", missed.iter().map(|name| name.trim()).collect::<Vec<_>>().join("; "));
        }
        text
    }
}

/// A number with its thousands apart.
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = if number < 0.0 { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
