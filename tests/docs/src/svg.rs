//! A terminal's screen as an SVG picture.
//!
//! Every run of like cells is a text of its own, placed and stretched to its columns, so that columns stay straight
//! whatever monospace font the reader has.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

/// The size of a cell and of the letters in it, in pixels.
const WIDTH: f32 = 8.4;
const HEIGHT: f32 = 20.0;
const FONT: u16 = 14;
/// Where a letter's foot stands in its row.
const BASELINE: f32 = 15.0;
/// Between the screen and the frame.
const MARGIN: f32 = 16.0;
const FAMILY: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace";

/// The colours of a picture: those of GitHub's pages, so that it belongs there.
pub struct Theme {
    /// As in the file's name.
    pub name: &'static str,
    background: &'static str,
    frame: &'static str,
    text: &'static str,
    /// ANSI's eight, of which black is for text that is to stand back.
    colours: [&'static str; 8],
}

/// For pages of each kind.
pub const THEMES: [Theme; 2] = [
    Theme {
        name: "light",
        background: "#ffffff",
        frame: "#d1d9e0",
        text: "#1f2328",
        colours: [
            "#59636e", "#cf222e", "#1a7f37", "#8a6100", "#0969da", "#8250df", "#0a7580", "#59636e",
        ],
    },
    Theme {
        name: "dark",
        background: "#0d1117",
        frame: "#3d444d",
        text: "#f0f6fc",
        colours: [
            "#9198a1", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#9198a1",
        ],
    },
];

impl Theme {
    fn colour(&self, color: Color) -> &'static str {
        match color {
            Color::Default | Color::Rgb(..) => self.text,
            // The bright ones are the same: brightness is what the theme is about.
            Color::Idx(index) => self
                .colours
                .get(usize::from(index % 8))
                .filter(|_| index < 16)
                .unwrap_or(&self.text),
        }
    }
}

/// How a run of cells looks.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    color: Color,
    bold: bool,
}

impl Look {
    fn of(cell: &Cell) -> Look {
        Look {
            color: cell.fgcolor(),
            bold: cell.bold(),
        }
    }
}

/// Draws the screen down to its last line; `title` is what it shows, for those who cannot see it.
pub fn draw(screen: &Screen, theme: &Theme, title: &str) -> String {
    let (rows, columns) = used(screen);
    let (wide, high) = (
        f32::from(columns) * WIDTH + 2.0 * MARGIN,
        f32::from(rows) * HEIGHT + 2.0 * MARGIN,
    );
    let mut svg = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{high:.0}\" viewBox=\"0 0 {wide:.0} {high:.0}\" role=\"img\">\n\
         <title>{}</title>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\" fill=\"{}\" stroke=\"{}\"/>\n\
         <g font-family=\"{FAMILY}\" font-size=\"{FONT}\" fill=\"{}\" style=\"white-space: pre\">\n",
        escaped(title),
        wide - 1.0,
        high - 1.0,
        theme.background,
        theme.frame,
        theme.text,
    );
    for row in 0..rows {
        draw_row(&mut svg, screen, row, theme);
    }
    if !screen.hide_cursor() {
        let (row, column) = screen.cursor_position();
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{WIDTH}\" height=\"{:.0}\" opacity=\"0.6\"/>",
            x(column),
            y(row) + 2.0,
            HEIGHT - 4.0,
        );
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// How many rows and columns hold something, or the cursor.
fn used(screen: &Screen) -> (u16, u16) {
    let (_, columns) = screen.size();
    let (mut rows, mut widest) = (0, 0);
    for (row, text) in screen.rows(0, columns.get()).enumerate() {
        let width = text.trim_end().chars().count();
        if width > 0 {
            rows = row + 1;
            widest = widest.max(width);
        }
    }
    let fit = |number| u16::try_from(number).unwrap_or(u16::MAX);
    match (screen.hide_cursor(), screen.cursor_position()) {
        (true, _) => (fit(rows), fit(widest)),
        (false, (row, column)) => (fit(rows).max(row + 1), fit(widest).max(column + 1)),
    }
}

fn draw_row(svg: &mut String, screen: &Screen, row: u16, theme: &Theme) {
    let (_, columns) = screen.size();
    let cells: Vec<&Cell> = (0..columns.get())
        .filter_map(|column| screen.cell(row, column))
        .collect();
    let mut start = 0;
    while let Some(first) = cells.get(start) {
        // Blanks part runs as well: nothing needs to be stretched over them but single ones between words.
        if is_blank(first) {
            start += 1;
            continue;
        }
        let look = Look::of(first);
        let rest = &cells[start..];
        let length = rest
            .iter()
            .enumerate()
            .position(|(at, cell)| {
                let gap = is_blank(cell) && rest.get(at + 1).is_none_or(|next| is_blank(next));
                gap || (Look::of(cell) != look && !is_blank(cell))
            })
            .unwrap_or(rest.len());
        let text: String = rest[..length].iter().map(|cell| symbol(cell)).collect();
        draw_run(svg, (row, start), text.trim_end(), look, theme);
        start += length;
    }
}

fn draw_run(svg: &mut String, (row, column): (u16, usize), text: &str, look: Look, theme: &Theme) {
    let cells = u16::try_from(text.chars().count()).unwrap_or(u16::MAX);
    let column = u16::try_from(column).unwrap_or(u16::MAX);
    let mut attributes = String::new();
    if look.color != Color::Default {
        attributes.push_str(&format!(" fill=\"{}\"", theme.colour(look.color)));
    }
    if look.bold {
        attributes.push_str(" font-weight=\"bold\"");
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\"{attributes}>{}</text>",
        x(column),
        y(row) + BASELINE,
        f32::from(cells) * WIDTH,
        escaped(text),
    );
}

fn x(column: u16) -> f32 {
    MARGIN + f32::from(column) * WIDTH
}

fn y(row: u16) -> f32 {
    MARGIN + f32::from(row) * HEIGHT
}

fn is_blank(cell: &Cell) -> bool {
    matches!(cell.contents(), "" | " ")
}

fn symbol(cell: &Cell) -> &str {
    match cell.contents() {
        "" => " ",
        text => text,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use super::*;

    fn drawn(bytes: &str, theme: &Theme) -> String {
        let size = |number| NonZero::new(number).unwrap();
        let mut parser = vt100::Parser::new(size(5), size(20), 0);
        parser.process(bytes.as_bytes());
        draw(parser.screen(), theme, "a \"title\"")
    }

    fn texts(svg: &str) -> Vec<&str> {
        svg.lines()
            .filter(|line| line.starts_with("<text"))
            .collect()
    }

    #[test]
    fn a_run_stands_at_its_columns_in_its_colour() {
        let [light, _] = &THEMES;
        let svg = drawn(
            "ab c  \u{1b}[31mPURGE\u{1b}[0m\r\n\r\n\u{1b}[1mx<y\u{1b}[0m",
            light,
        );
        assert_eq!(
            texts(&svg),
            [
                "<text x=\"16.0\" y=\"31.0\" textLength=\"33.6\" lengthAdjust=\"spacingAndGlyphs\">ab c</text>",
                "<text x=\"66.4\" y=\"31.0\" textLength=\"42.0\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#cf222e\">PURGE</text>",
                "<text x=\"16.0\" y=\"71.0\" textLength=\"25.2\" lengthAdjust=\"spacingAndGlyphs\" font-weight=\"bold\">x&lt;y</text>",
            ]
        );
        // As wide as the first line.
        assert!(svg.contains("width=\"124\" height=\"92\""), "{svg}");
        assert!(svg.contains("<title>a &quot;title&quot;</title>"), "{svg}");
    }

    #[test]
    fn the_cursor_is_drawn_unless_it_is_hidden() {
        let [_, dark] = &THEMES;
        let cursor = "opacity";
        assert!(drawn("a", dark).contains(cursor));
        assert!(!drawn("a\u{1b}[?25l", dark).contains(cursor));
    }

    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let value = f64::from(value) / 255.0;
            match value <= 0.039_28 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    /// The web's rule for text that everyone can read (WCAG 2, AA).
    #[test]
    fn every_colour_can_be_read() {
        for theme in &THEMES {
            let behind = luminance(theme.background);
            for colour in theme.colours.iter().chain([&theme.text]) {
                let there = luminance(colour);
                let contrast = (there.max(behind) + 0.05) / (there.min(behind) + 0.05);
                assert!(contrast >= 4.5, "{colour} in {}: {contrast}", theme.name);
            }
        }
    }
}
