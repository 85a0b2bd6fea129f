//! At a real terminal: the question, the answers, the cursor, colour and width.

use crate::support::kubeconfig::{Files, arg};
use crate::support::proxy::Kind;
use crate::support::running::Gate;
use crate::support::terminal::Left;
use crate::support::tool::shell;
use crate::support::{ApiClient, Space, Terminal, plane};

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
    terminal.wait_for("[y/N/l]");
    // All that the question rests on is on the screen by then.
    let text = terminal.text();
    for words in ["sync-1", "sync-5", "SKIP", "PURGE"] {
        assert!(
            text.contains(words),
            "{words} is not above the question\n{text}"
        );
    }
    terminal.type_keys(keys);
    terminal.finish()
}

#[test]
fn the_question_names_counts_context_and_server() {
    let space = three();
    let left = answer(&space, "n\r");
    let question = format!(
        "Purge 3 Jobs in 2 groups of namespace {} from {} ({})? [y/N/l]",
        space.name,
        plane().context(),
        plane().server_url()
    );
    // The screen breaks it where it likes.
    let text = left.text.replace('\n', "");
    assert!(text.contains(&question), "{question}\n{}", left.text);
    left.exits(4);
}

#[test]
fn a_line_that_says_yes_deletes() {
    for line in ["y\r", "Y\r", "yes\r", "YES\r"] {
        let space = three();
        answer(&space, line).exits(0);
        space.holds(&["sync-3", "sync-5"]);
    }
}

/// Ctrl-D is the end of input. Ctrl-U and Backspace take back what was typed, as everywhere.
#[test]
fn anything_else_does_not() {
    let space = three();
    for keys in [
        "n\r",
        "N\r",
        "\r",
        "\u{4}",
        "\u{1b}\r",
        "x\r",
        "yy\r",
        "ye\r",
        "no yes\r",
        "3\r",
        "y\u{15}\r",
        "y\u{7f}\r",
        " \r",
        "ü\r",
    ] {
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

/// One key is no answer yet.
#[test]
fn an_answer_is_given_with_enter() {
    let space = three();
    let mut terminal = Terminal::start(&space.tool(&["--cascade=background"]), 160);
    terminal.wait_for("[y/N/l]");
    terminal.type_keys("yes");
    terminal.wait_for("[y/N/l]: yes");
    space.holds(&ALL);
    terminal.send("\r");
    terminal.finish().exits(0);
    space.holds(&["sync-3", "sync-5"]);
}

#[test]
fn ctrl_c_at_the_question_deletes_nothing_and_gives_the_cursor_back() {
    let space = three();
    for keys in ["\u{3}", "y\u{3}"] {
        let left = answer(&space, keys);
        space.holds(&ALL);
        left.exits(130);
    }
}

/// The shell's job control: the question is asked again when the run goes on, and what was typed before is gone.
#[test]
fn ctrl_z_at_the_question_suspends() {
    let space = three();
    let tool = space.tool(&["--cascade=background"]);
    let script =
        "set -m; \"$@\"; echo suspended; read -r line; echo \"shell: $line\"; fg >/dev/null";
    let mut terminal = Terminal::start(&shell(script, &tool), 160);
    terminal.wait_for("[y/N/l]");
    terminal.type_keys("y\u{1a}");
    terminal.wait_for("suspended");
    terminal.enter("on");
    terminal.wait_for("shell: on");
    crate::support::until("it asks again", || {
        terminal.text().matches("[y/N/l]").count() == 2
    });
    space.holds(&ALL);
    terminal.enter("y");
    terminal.finish().exits(0);
    space.holds(&["sync-3", "sync-5"]);
}

/// What comes after the answer is not for the program that reads the terminal next.
#[test]
fn nothing_that_was_typed_is_left_over() {
    for (line, code) in [("yes\r", 0), ("n\r", 4), ("y\r\r", 0), ("yes\rls\r", 0)] {
        let space = three();
        // Slow enough for all keys to come before the run is over.
        let (proxy, gate) = Gate::before(ApiClient::admin(plane()), move |request| {
            request.kind == Kind::Delete
        });
        let tool = proxy.tool(&space.name, &["--cascade=background"]);
        let script = "\"$@\"; echo \"code $?\"; read -r line; echo \"next: <$line>\"";
        let mut terminal = Terminal::start(&shell(script, &tool), 160);
        terminal.wait_for("[y/N/l]");
        terminal.type_keys(line);
        gate.open();
        terminal.wait_for(&format!("code {code}"));
        terminal.enter("own");
        let left = terminal.finish().exits(0);
        assert!(left.text.contains("next: <own>"), "{line:?}\n{}", left.text);
    }
}

/// A yes is too easily given for very many.
#[test]
fn above_500_jobs_their_number_is_typed() {
    let space = Space::new();
    let jobs: Vec<_> = (0..502)
        .map(|number| space.job("g", &format!("sync-{number:03}"), 600 - number))
        .collect();
    space.seed(&jobs);
    for (line, code) in [
        ("y", 4),
        ("yes", 4),
        ("", 4),
        ("50", 4),
        ("502", 4),
        ("501", 0),
    ] {
        let mut terminal = Terminal::start(&space.tool(&["--cascade=background"]), 200);
        terminal.wait_for("Purge 501 Jobs");
        terminal.wait_for("type 501");
        terminal.enter(line);
        terminal.finish().exits(code);
        let left = if code == 0 { 1 } else { 502 };
        assert_eq!(space.names().len(), left, "{line:?}");
    }
}

#[test]
fn the_whole_plan_can_be_paged() {
    let space = three();
    let mut command = space.tool(&["--cascade=background", "-o", "summary"]);
    command.env("PAGER", "cat -n");
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let mut terminal = Terminal::start(&command, 160);
    terminal.wait_for("[y/N/l]");
    assert!(!terminal.text().contains("sync-1"), "{}", terminal.text());
    terminal.enter("l");
    crate::support::until("it asks again", || {
        terminal.text().matches("[y/N/l]").count() == 2
    });
    let text = terminal.text();
    for words in [
        "     1\t",
        "sync-1",
        "superseded (3 of 3)",
        "2 SKIP, 3 PURGE",
    ] {
        let words = words.replace('\t', "");
        assert!(text.contains(&words), "{words}\n{text}");
    }
    terminal.enter("n");
    terminal.finish().exits(4);
    // Without a pager it is shown all the same.
    for pager in ["/no/such/pager", "false"] {
        let mut command = space.tool(&["-o", "summary"]);
        command.env("PAGER", pager);
        command.env("PATH", std::env::var_os("PATH").unwrap());
        let mut terminal = Terminal::start(&command, 160);
        terminal.wait_for("[y/N/l]");
        terminal.enter("l");
        crate::support::until("it asks again", || {
            terminal.text().matches("[y/N/l]").count() == 2
        });
        assert!(terminal.text().contains("superseded (3 of 3)"));
        terminal.enter("n");
        terminal.finish().exits(4);
    }
    space.holds(&ALL);
}

/// On a narrow terminal a table cuts names. A pager can scroll.
#[test]
fn names_in_the_pager_are_whole() {
    let (space, files) = (Space::new(), Files::new());
    let name = format!("migrate-{}-the-end", "and-so-on-".repeat(4));
    space.seed(&[space.job("g", &name, 2), space.job("g", "sync-1", 1)]);
    let paged = files.path("paged");
    let mut command = space.tool(&["--cascade=background", "--mixed-groups=merge"]);
    command.env("PAGER", format!("tee {}", arg(&paged)));
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let mut terminal = Terminal::start(&command, 60);
    terminal.wait_for("[y/N/l]");
    let text = terminal.text();
    assert!(text.contains("migrate…-the-end"), "{text}");
    terminal.enter("l");
    crate::support::until("it asks again", || {
        terminal.text().matches("[y/N/l]").count() == 2
    });
    terminal.enter("n");
    terminal.finish().exits(4);
    let paged = std::fs::read_to_string(&paged).unwrap();
    assert!(paged.contains(&name) && !paged.contains('…'), "{paged}");
}

/// What matters of a plan of more than three screens is on the last one: what would go, the most first, and the totals.
#[test]
fn a_long_plan_is_shown_as_what_it_would_purge() {
    let space = Space::new();
    let jobs: Vec<_> = (0..120)
        .flat_map(|group| {
            let value = format!("g{group:03}");
            let of_group = if group == 77 { 4 } else { 2 };
            let name = move |number| format!("sync-{group:03}-{number}");
            (0..of_group)
                .map(|number| space.job(&value, &name(number), 600 - i64::from(number)))
                .collect::<Vec<_>>()
        })
        .collect();
    space.seed(&jobs);
    let mut command = space.tool(&["--cascade=background"]);
    command.env("PAGER", "tail -n 3");
    command.env("PATH", std::env::var_os("PATH").unwrap());
    let mut terminal = Terminal::start(&command, 160);
    terminal.wait_for("[y/N/l]");
    let text = terminal.text();
    assert!(!text.contains("sync-"), "{text}");
    let (header, first) = (text.find("NAMESPACE").unwrap(), text.find("g077").unwrap());
    assert!(
        header < first && first < text.find("g000").unwrap(),
        "{text}"
    );
    for words in [
        "more groups with ",
        "kept: 120 newest (--keep)",
        "120 groups, 242 Jobs: 120 SKIP, 122 PURGE",
        "hint: -o table shows each of the 242 Jobs",
        "Purge 122 Jobs in 120 groups",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    terminal.enter("l");
    crate::support::until("it asks again", || {
        terminal.text().matches("[y/N/l]").count() == 2
    });
    terminal.enter("n");
    terminal.finish().exits(4);
    // A form that was asked for is that form.
    let mut terminal = Terminal::start(&space.tool(&["-o", "table"]), 160);
    terminal.wait_for("[y/N/l]");
    assert!(
        terminal.text().contains("sync-119-0"),
        "{}",
        terminal.text()
    );
    terminal.enter("n");
    terminal.finish().exits(4);
    assert_eq!(space.names().len(), 242);
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
    terminal.enter("n");
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
    terminal.enter("n");
    terminal.finish().exits(4);
}
