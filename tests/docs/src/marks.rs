//! Parts of a Markdown file that are made: they stand between two comments that name them.

use controlplane::{Error, Result};

/// The text with the part of this name replaced.
pub fn fill(text: &str, name: &str, part: &str) -> Result<String> {
    let (begin, end) = (
        format!("<!-- cargo docs: {name} -->\n"),
        format!("<!-- end: {name} -->\n"),
    );
    let missing = || {
        Error::new(format!(
            "{} and {} are not in it once",
            begin.trim(),
            end.trim()
        ))
    };
    let (before, rest) = text.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    if after.contains(&begin) || after.contains(&end) {
        return Err(missing());
    }
    Ok(format!("{before}{begin}{part}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::fill;

    const TEXT: &str = "a\n<!-- cargo docs: x -->\nold\n<!-- end: x -->\nb\n";

    #[test]
    fn a_part_is_replaced_and_nothing_else() {
        let filled = fill(TEXT, "x", "new\nlines\n").unwrap();
        assert_eq!(
            filled,
            "a\n<!-- cargo docs: x -->\nnew\nlines\n<!-- end: x -->\nb\n"
        );
        assert_eq!(fill(&filled, "x", "new\nlines\n").unwrap(), filled);
    }

    #[test]
    fn a_part_that_is_not_there_once_is_an_error() {
        assert!(fill(TEXT, "y", "").is_err());
        assert!(fill(&TEXT.repeat(2), "x", "").is_err());
        assert!(fill(&TEXT.replace("<!-- end: x -->\n", ""), "x", "").is_err());
    }
}
