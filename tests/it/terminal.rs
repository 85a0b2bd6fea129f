//! At a real terminal: the question, the answers, the cursor, colour and width.

use crate::support::terminal::Left;
use crate::support::{Space, Terminal, plane};

fn three() -> Space {
    let space = Space::new();
    space.seed(&[
        space.job("g", "sync-1", 50),
        space.job("g", "sync-2", 40),
        space.job("g", "sync-3", 30),
        space.job("h", "sync-4", 20),
        space.job("h", "sync-5", 10),
    ]);
    space
}

const ALL: [&str; 5] = ["sync-1", "sync-2", "sync-3", "sync-4", "sync-5"];

/// Answers the question with these keys.
fn answer(space: &Space, keys: &str) -> Left {
    let mut terminal = Terminal::start(&space.tool(&["--cascade=background"]), 160);
    terminal.wait_for("Purge ");
    // All that the question rests on is on the screen by then.
    let text = terminal.text();
    for words in ["sync-1", "sync-5", "SKIP", "PURGE"] {
        assert!(
            text.contains(words),
            "{words} is not above the question\n{text}"
        );
    }
    terminal.send(keys);
    terminal.finish()
}

#[test]
fn the_question_names_counts_context_and_server() {
    let space = three();
    let left = answer(&space, "n");
    let question = format!(
        "Purge 3 Jobs in 2 groups from {} ({})?",
        plane().context(),
        plane().server_url()
    );
    assert!(left.text.contains(&question), "{question}\n{}", left.text);
    left.exits(4);
}

#[test]
fn yes_deletes() {
    let space = three();
    let left = answer(&space, "y");
    space.holds(&["sync-3", "sync-5"]);
    left.exits(0);
}

#[test]
fn a_capital_yes_deletes_too() {
    let space = three();
    answer(&space, "Y").exits(0);
    space.holds(&["sync-3", "sync-5"]);
}

#[test]
fn no_enter_end_and_escape_do_not() {
    let space = three();
    for keys in ["n", "N", "\r", "\u{4}", "\u{1b}", "x\r"] {
        let left = answer(&space, keys);
        assert_eq!(
            (left.code, left.signal.as_deref()),
            (4, None),
            "{keys:?}\n{}",
            left.text
        );
        assert!(!left.cursor_hidden, "{keys:?}\n{}", left.text);
    }
    space.holds(&ALL);
}

#[test]
fn ctrl_c_at_the_question_deletes_nothing_and_gives_the_cursor_back() {
    let space = three();
    let left = answer(&space, "\u{3}");
    space.holds(&ALL);
    left.exits(130);
}

#[test]
fn the_cursor_comes_back_after_a_purge() {
    let space = three();
    let mut terminal = Terminal::start(&space.tool(&["--yes", "--cascade=background"]), 120);
    terminal.send("");
    terminal.finish().exits(0);
    space.holds(&["sync-3", "sync-5"]);
}

#[test]
fn nothing_to_purge_asks_nothing() {
    let space = Space::with(&[("sync-1", 1)]);
    let left = Terminal::start(&space.tool(&[]), 120).finish();
    assert!(!left.text.contains("Purge "), "{}", left.text);
    left.exits(0);
}

fn plan_at(space: &Space, columns: u16, environment: &[(&str, &str)]) -> Left {
    let mut command = space.tool(&["--dry-run=client"]);
    command.envs(environment.iter().copied());
    Terminal::start(&command, columns).finish().exits(0)
}

/// Whether a text sets a colour.
fn is_coloured(raw: &str) -> bool {
    raw.split("\u{1b}[").skip(1).any(|rest| {
        let codes = rest
            .split(|char: char| !(char.is_ascii_digit() || char == ';'))
            .next();
        let end = rest.trim_start_matches(|char: char| char.is_ascii_digit() || char == ';');
        end.starts_with('m')
            && codes.unwrap_or_default().split(';').any(|code| {
                matches!(
                    code.parse::<u32>(),
                    Ok(30..=38 | 40..=48 | 90..=97 | 100..=107)
                )
            })
    })
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let space = three();
    let coloured =
        |environment: &[(&str, &str)]| is_coloured(&plan_at(&space, 120, environment).raw);
    assert!(coloured(&[]));
    assert!(!coloured(&[("NO_COLOR", "1")]));
    assert!(!coloured(&[("TERM", "dumb")]));
    // An empty one does not count, by the convention.
    assert!(coloured(&[("NO_COLOR", "")]));
    let piped = space.run(&["--dry-run=client"]).exits(0);
    assert!(
        !piped.out.contains('\u{1b}') && !piped.err.contains('\u{1b}'),
        "{}",
        piped.story()
    );
}

#[test]
fn a_dumb_terminal_gets_no_escape_sequence() {
    let space = three();
    let left = plan_at(&space, 120, &[("TERM", "dumb")]);
    assert!(!left.raw.contains('\u{1b}'), "{:?}", left.raw);
    let mut command = space.tool(&["--cascade=background"]);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(&command, 160);
    terminal.wait_for("Purge ");
    terminal.send("n");
    terminal.finish().exits(4);
    space.holds(&ALL);
}

/// What a row says is there in colour and without: the words do not need it.
#[test]
fn colour_changes_no_word() {
    let space = three();
    let rows = |environment: &[(&str, &str)]| -> Vec<String> {
        plan_at(&space, 120, environment)
            .plain_lines()
            .into_iter()
            .filter(|line| line.contains("sync-"))
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    let plain = rows(&[("NO_COLOR", "1")]);
    assert_eq!(plain.len(), 5);
    assert_eq!(rows(&[]), plain);
}

#[test]
fn the_table_fits_the_terminal() {
    let space = Space::new();
    let long = "postsync-configure-the-manage-application-of-instance";
    let jobs: Vec<_> = (0..4)
        .map(|number| {
            space.job(
                &format!("{long}-group"),
                &format!("{long}-{number}"),
                number,
            )
        })
        .collect();
    space.seed(&jobs);
    for columns in [60, 80, 132, 200] {
        for output in ["table", "wide", "summary"] {
            if output == "wide" && columns < 132 {
                // Its columns do not get narrower than a stamp and a uid can be read in.
                continue;
            }
            let mut command = space.tool(&["--dry-run=client", "-o", output]);
            command.env("NO_COLOR", "1");
            let left = Terminal::start(&command, columns).finish().exits(0);
            // On stderr is what is no table.
            let lines = left.plain_lines();
            let table = lines.iter().filter(|line| !line.starts_with("warning"));
            let widest = table.map(|line| line.chars().count()).max().unwrap();
            assert!(
                widest <= usize::from(columns),
                "{output} at {columns} is {widest} wide:\n{}",
                lines.join("\n")
            );
        }
    }
    // Where there is room nothing is cut.
    let whole = plan_at(&space, 200, &[("NO_COLOR", "1")])
        .plain_lines()
        .join("\n");
    for number in 0..4 {
        assert!(whole.contains(&format!("{long}-{number} ")), "{whole}");
    }
}

/// A pipe has no width: names stay whole for grep.
#[test]
fn a_pipe_gets_whole_names() {
    let long = "postsync-configure-the-manage-application-of-an-instance-0";
    let space = Space::with(&[(long, 1)]);
    for output in ["table", "wide"] {
        space
            .run(&["--dry-run=client", "-o", output])
            .exits(0)
            .shows(&[long]);
    }
}

#[test]
fn totals_come_last_and_stay_on_the_screen() {
    let space = Space::new();
    let jobs: Vec<_> = (0..150)
        .map(|number| space.job("g", &format!("sync-{number}"), number))
        .collect();
    space.seed(&jobs);
    let mut terminal = Terminal::start(&space.tool(&[]), 120);
    terminal.wait_for("Purge 149 Jobs");
    let text = terminal.text();
    assert!(
        text.contains("1 group, 150 Jobs") || text.contains("149 PURGE"),
        "{text}"
    );
    terminal.send("n");
    terminal.finish().exits(4);
}
