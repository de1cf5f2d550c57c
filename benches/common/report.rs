//! Tables in Markdown, and the bars.

/// Prints a table, its columns aligned.
pub(crate) fn table(title: &str, header: &[String], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]).chain([&header[column]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!(" {cell:<width$} ") } else { format!(" {cell:>width$} ") }
        });
        format!("|{}|", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.iter().enumerate().map(|(column, &width)| {
        if column == 0 { "-".repeat(width + 2) } else { format!("{}:", "-".repeat(width + 1)) }
    });
    println!("\n{title}\n\n{}", line(header));
    println!("|{}|", rule.collect::<Vec<_>>().join("|"));
    for row in rows {
        println!("{}", line(row));
    }
}

/// `12`, `1,234`, `1.2`: as many digits as a figure of a bench deserves.
pub(crate) fn figure(value: f64) -> String {
    if value < 99.95 { format!("{value:.1}") } else { thousands(&format!("{value:.0}")) }
}

/// A whole number, its thousands apart.
pub(crate) fn count(value: u64) -> String {
    thousands(&value.to_string())
}

fn thousands(digits: &str) -> String {
    let mut apart = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// What the crate promises of its cost, and what was measured.
#[derive(Default)]
pub(crate) struct Bars(Vec<Vec<String>>);

impl Bars {
    pub(crate) fn at_most(&mut self, what: impl Into<String>, measured: f64, bar: f64) {
        self.push(what.into(), measured, format!("≤ {bar}"), measured <= bar);
    }

    pub(crate) fn at_least(&mut self, what: impl Into<String>, measured: f64, bar: f64) {
        self.push(what.into(), measured, format!("≥ {bar}"), measured >= bar);
    }

    fn push(&mut self, what: String, measured: f64, bar: String, met: bool) {
        let verdict = if measured.is_nan() {
            "not measured"
        } else if met {
            "met"
        } else {
            "MISSED"
        };
        self.0.push(vec![what, format!("{measured:.3}"), bar, verdict.into()]);
    }

    /// Prints them. A miss is no failure of the bench: a busy machine must not stop a release.
    pub(crate) fn print(&self) {
        table("Bars", &["figure", "measured", "bar", ""].map(String::from), &self.0);
    }
}
