//! Plans and reports as text, in every form.

use std::io;

use kubectl_jobclean::output::{
    Colour, Headers, Rows, Style, View, json, name, summary,
    table::{self, Columns},
    yaml,
};

use super::document;

/// For a file: no colour, and lines as long as they like.
pub const PLAIN: Style = Style {
    width: None,
    colour: Colour::Off,
    headers: Headers::Show,
    rows: Rows::All,
};

/// For a terminal of `width` columns, without colour.
pub fn columns(width: u16) -> Style {
    Style {
        width: Some(width),
        ..PLAIN
    }
}

fn rendered(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("a Vec takes everything");
    String::from_utf8(out).expect("UTF-8")
}

pub fn as_table(view: View, style: Style) -> String {
    rendered(|out| table::write(out, view, Columns::Normal, style))
}

pub fn as_wide(view: View, style: Style) -> String {
    rendered(|out| table::write(out, view, Columns::Wide, style))
}

pub fn as_summary(view: View, style: Style) -> String {
    rendered(|out| summary::write(out, view, style, None))
}

pub fn as_json(view: View) -> String {
    let text = rendered(|out| json::write(out, view, Rows::All));
    document::from_json(&text);
    text
}

pub fn as_yaml(view: View) -> String {
    let text = rendered(|out| yaml::write(out, view, Rows::All));
    document::from_yaml(&text);
    text
}

pub fn as_names(view: View) -> String {
    rendered(|out| name::write(out, view))
}
