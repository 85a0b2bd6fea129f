//! Rows in columns, for the eye. A name is never broken over two lines: it is whole, or on a narrow terminal cut in its
//! middle. One long name does not pad all the others.
//!
//! comfy-table lays out a whole table before its first row. So the widths are found once over all rows, and tables are
//! made and written piece by piece.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use comfy_table::{
    Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, Width,
};
use unicode_width::UnicodeWidthStr;

use super::{Colour, Headers, Style};
use crate::text::cut_in_middle;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A word or a time: it needs its place.
    Word,
    /// A number, which ends where the others end.
    Number,
    /// A name, which can be long.
    Name,
    /// Words that may be broken over several lines.
    Words,
}

/// A column that is being measured, or has been.
#[derive(Debug, Clone)]
struct Column {
    header: &'static str,
    holds: Holds,
    /// How many names have each width; empty for other columns.
    names: Vec<u32>,
    /// The width that all but long names need.
    usual: u16,
    /// The width that there is.
    width: u16,
}

/// The columns of a table.
#[derive(Debug)]
pub(super) struct Grid {
    columns: Vec<Column>,
    /// How far the first column stands from the left.
    indent: u16,
    style: Style,
}

/// Spaces between columns.
const GAP: u16 = 2;
/// What gives way first where the terminal is narrow, and the least width that is left to it.
const GIVE_WAY: [(&[Holds], u16); 5] = [
    (&[Holds::Name], 20),
    (&[Holds::Name, Holds::Words], 12),
    (&[Holds::Name], 6),
    (&[Holds::Name, Holds::Words], 6),
    // Never numbers: a part of one is another number.
    (&[Holds::Name, Holds::Words, Holds::Word], 3),
];
/// A name that is this much longer than half of the names are does not pad them.
const LONG: u16 = 20;
/// Rows per table: the layout of a row takes far more memory than its text.
const ROWS: usize = 256;

impl Grid {
    /// Of these columns, the first of which stands so far from the left.
    pub(super) fn new(columns: &[(&'static str, Holds)], indent: u16, style: Style) -> Grid {
        let column = |(header, holds): &(&'static str, Holds)| Column {
            header,
            holds: *holds,
            names: Vec::new(),
            usual: match style.headers {
                Headers::Show => width(header),
                Headers::Hide => 0,
            },
            width: 0,
        };
        Grid {
            columns: columns.iter().map(column).collect(),
            indent,
            style,
        }
    }

    /// Make room for a row.
    pub(super) fn measure<'a>(&mut self, row: impl IntoIterator<Item = Cow<'a, str>>) {
        for (column, text) in self.columns.iter_mut().zip(row) {
            let width = width(&text);
            if column.holds == Holds::Name {
                // What is not there needs no place.
                if width == 0 {
                    continue;
                }
                let place = usize::from(width);
                if column.names.len() <= place {
                    column.names.resize(place + 1, 0);
                }
                column.names[place] += 1;
            } else {
                column.usual = column.usual.max(width);
            }
        }
    }

    /// All rows are measured: fit them onto the terminal, if it is one.
    pub(super) fn fit(&mut self) {
        for column in &mut self.columns {
            let longest = longest_usual(&column.names);
            column.usual = column.usual.max(longest);
        }
        let mut widths: Vec<u16> = self.columns.iter().map(|column| column.usual).collect();
        self.narrow(&mut widths);
        for (column, width) in self.columns.iter_mut().zip(widths) {
            column.width = width;
        }
    }

    /// Write the headers, if they are shown.
    pub(super) fn write_headers(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.style.headers == Headers::Hide {
            return Ok(());
        }
        let headers = self
            .columns
            .iter()
            .map(|column| (column.header.into(), None));
        self.write(out, [headers.collect()])
    }

    /// Write rows of texts and their colours.
    pub(super) fn write<'a>(
        &self,
        out: &mut dyn Write,
        rows: impl IntoIterator<Item = Vec<(Cow<'a, str>, Option<Color>)>>,
    ) -> io::Result<()> {
        let widths: Vec<u16> = self.columns.iter().map(|column| column.width).collect();
        let rows = rows.into_iter();
        let mut usual = Vec::with_capacity(rows.size_hint().0.min(ROWS));
        for row in rows {
            let cells = || row.iter().zip(&self.columns);
            let is_long = cells().any(|((text, _), column)| {
                column.holds == Holds::Name && width(text) > column.usual
            });
            if is_long {
                let needed = cells().map(|((text, _), column)| match column.holds {
                    Holds::Name => width(text).max(column.usual),
                    _ => column.usual,
                });
                let mut own: Vec<u16> = needed.collect();
                self.narrow(&mut own);
                self.write_table(out, usual.drain(..), &widths)?;
                self.write_table(out, [row], &own)?;
                continue;
            }
            usual.push(row);
            if usual.len() == ROWS {
                self.write_table(out, usual.drain(..), &widths)?;
            }
        }
        self.write_table(out, usual, &widths)
    }

    fn write_table<'a>(
        &self,
        out: &mut dyn Write,
        rows: impl IntoIterator<Item = Vec<(Cow<'a, str>, Option<Color>)>>,
        widths: &[u16],
    ) -> io::Result<()> {
        let mut table = Table::new();
        table
            .load_style(comfy_table::presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        match self.style.colour {
            Colour::On => table.enforce_styling(),
            Colour::Off => table.force_no_tty(),
        };
        for row in rows {
            let cells = row.into_iter().zip(&self.columns).zip(widths);
            table.add_row(Row::from(cells.map(|(((text, colour), column), width)| {
                let cell = match column.holds {
                    Holds::Words => Cell::new(text),
                    _ if self.style.width.is_none() => Cell::new(text),
                    _ => Cell::new(cut_in_middle(&text, usize::from(*width))),
                };
                match colour {
                    Some(colour) if self.style.colour == Colour::On => cell.fg(colour),
                    _ => cell,
                }
            })));
        }
        for (index, (column, width)) in self.columns.iter().zip(widths).enumerate() {
            let gap = if index == 0 { self.indent } else { GAP };
            if let Some(laid_out) = table.column_mut(index) {
                laid_out
                    .set_padding((gap, 0))
                    .set_constraint(ColumnConstraint::Absolute(Width::Fixed(
                        width.saturating_add(gap),
                    )));
                if column.holds == Holds::Number {
                    laid_out.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Take from the widest columns until the line fits.
    fn narrow(&self, widths: &mut [u16]) {
        let Some(terminal) = self.style.width else {
            return;
        };
        for (give, narrowest) in GIVE_WAY {
            loop {
                let line = widths.iter().fold(u32::from(self.indent), |line, width| {
                    line + u32::from(width.saturating_add(GAP))
                });
                let excess = (line - u32::from(GAP)).saturating_sub(u32::from(terminal));
                if excess == 0 {
                    return;
                }
                let widest = (self.columns.iter().zip(widths.iter_mut()))
                    .filter(|(column, width)| give.contains(&column.holds) && **width > narrowest)
                    .map(|(_, width)| width)
                    .max_by_key(|width| **width);
                let Some(width) = widest else { break };
                // A little at a time, so that several wide columns share the loss.
                let step = (*width / 8).max(1).min(*width - narrowest);
                *width -= step.min(u16::try_from(excess).unwrap_or(u16::MAX));
            }
        }
    }
}

/// Write a whole table of a few rows without colour.
///
/// # Errors
/// If the writer fails.
pub(crate) fn write_all<const N: usize>(
    out: &mut dyn Write,
    columns: &[(&'static str, Holds); N],
    rows: &[[String; N]],
    style: Style,
) -> io::Result<()> {
    let mut grid = Grid::new(columns, 0, style);
    for row in rows {
        grid.measure(row.iter().map(Cow::from));
    }
    grid.fit();
    grid.write_headers(out)?;
    let cells = |row: &'_ [String; N]| row.clone().map(|text| (text.into(), None)).into();
    grid.write(out, rows.iter().map(cells))
}

fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// The longest name but for those that are much longer than half of them. `names` has how many there are of each width.
fn longest_usual(names: &[u32]) -> u16 {
    let all: u64 = names.iter().map(|count| u64::from(*count)).sum();
    let mut seen = 0;
    let median = names.iter().position(|count| {
        seen += u64::from(*count);
        seen * 2 >= all
    });
    let most = median.unwrap_or_default() + usize::from(LONG);
    let usual = &names[..names.len().min(most + 1)];
    let longest = usual.iter().rposition(|count| *count > 0);
    longest.map_or(0, |longest| u16::try_from(longest).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_name_is_not_usual() {
        let of = |widths: &[usize]| {
            let mut names = vec![0; 300];
            widths.iter().for_each(|width| names[*width] += 1);
            longest_usual(&names)
        };
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[63]), 63);
        assert_eq!(of(&[12, 14, 63]), 14);
        assert_eq!(of(&[12, 14, 34]), 34);
        assert_eq!(of(&[50, 60, 63, 63]), 63);
        assert_eq!(of(&[10, 253]), 10);
    }
}
