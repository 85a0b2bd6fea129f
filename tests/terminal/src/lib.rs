//! A program in a real terminal, as a person would sit at it: what is on the screen, and the keys.

use std::io::{Read, Write};
use std::num::NonZero;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Long enough for two busy cores; who waits longer has found something.
const PATIENCE: Duration = Duration::from_secs(240);

const ROWS: u16 = 60;

fn sized(size: u16) -> NonZero<u16> {
    NonZero::new(size).unwrap()
}

/// A program in a pseudo-terminal.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    seen: Arc<Mutex<Seen>>,
    reader: Option<thread::JoinHandle<()>>,
    _master: Box<dyn MasterPty + Send>,
}

struct Seen {
    screen: vt100::Parser,
    raw: Vec<u8>,
}

/// How it was left.
pub struct Left {
    /// The exit code as a shell tells it.
    pub code: u32,
    /// The signal that ended it, if one did.
    pub signal: Option<String>,
    /// Everything that was written to it.
    pub raw: String,
    /// The screen's text.
    pub text: String,
    /// Whether the cursor was left hidden.
    pub cursor_hidden: bool,
}

/// What a fast typist needs for a key. In one write, all would be there when the first is read.
const BETWEEN_KEYS: Duration = Duration::from_millis(40);

impl Terminal {
    /// Starts what `command` says in a terminal of this width, as an xterm unless its environment says otherwise.
    pub fn start(command: &Command, columns: u16) -> Self {
        let size = PtySize {
            rows: ROWS,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.env_clear();
        builder.env("TERM", "xterm-256color");
        for (key, value) in command.get_envs() {
            builder.env(key, value.unwrap_or_default());
        }
        builder.cwd(command.get_current_dir().unwrap());
        let child = pair.slave.spawn_command(builder).unwrap();
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let seen = Arc::new(Mutex::new(Seen {
            screen: vt100::Parser::new(sized(ROWS), sized(columns), 0),
            raw: Vec::new(),
        }));
        let keep = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The end of a terminal is an error on Linux.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                let mut seen = keep.lock().unwrap();
                seen.screen.process(&bytes[..count]);
                seen.raw.extend_from_slice(&bytes[..count]);
            }
        });
        Self {
            child,
            writer,
            seen,
            reader: Some(reader),
            _master: pair.master,
        }
    }

    /// The screen's text now.
    pub fn text(&self) -> String {
        self.seen.lock().unwrap().screen.screen().contents()
    }

    /// Everything that was written to it so far.
    pub fn raw(&self) -> Vec<u8> {
        self.seen.lock().unwrap().raw.clone()
    }

    /// Waits until the screen shows this.
    #[track_caller]
    pub fn wait_for(&mut self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Asked first: what it has written before its end may still have to be read.
            let ended = self.child.try_wait().unwrap();
            let is_read = self
                .reader
                .as_ref()
                .is_none_or(thread::JoinHandle::is_finished);
            if self.text().contains(words) {
                return;
            }
            assert!(
                Instant::now() < deadline && (ended.is_none() || !is_read),
                "{words:?} never came; ended: {ended:?}; the screen:\n{}",
                self.text()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Does something while what the program writes is not read, so that it has to wait once it has written a lot.
    pub fn unread(&mut self, act: impl FnOnce(&mut Self)) {
        let seen = Arc::clone(&self.seen);
        let _unread = seen.lock().unwrap();
        act(self);
    }

    /// Types this.
    pub fn send(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Types this as a person does, one key after the other.
    pub fn type_keys(&mut self, keys: &str) {
        for key in keys.chars() {
            self.send(key.encode_utf8(&mut [0; 4]));
            thread::sleep(BETWEEN_KEYS);
        }
    }

    /// Types a line and Enter.
    pub fn enter(&mut self, line: &str) {
        self.type_keys(line);
        self.send("\r");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn finish(mut self) -> Left {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let text = self.text();
                self.child.kill().unwrap();
                panic!("it does not end; the screen:\n{text}");
            }
            thread::sleep(Duration::from_millis(20));
        };
        self.reader.take().unwrap().join().unwrap();
        let seen = self.seen.lock().unwrap();
        Left {
            code: status.exit_code(),
            signal: status.signal().map(str::to_owned),
            raw: String::from_utf8(seen.raw.clone()).unwrap(),
            text: seen.screen.screen().contents(),
            cursor_hidden: seen.screen.screen().hide_cursor(),
        }
    }
}

impl Left {
    /// Fails unless it ended by itself with this code and gave the cursor back.
    #[track_caller]
    pub fn exits(self, code: u32) -> Self {
        assert_eq!(
            (self.code, self.signal.as_deref()),
            (code, None),
            "{}",
            self.text
        );
        assert!(!self.cursor_hidden, "the cursor is hidden\n{}", self.text);
        self
    }

    /// The lines, without escape sequences.
    pub fn plain_lines(&self) -> Vec<String> {
        let mut plain = String::new();
        // A line that is written over, as progress is, is not a line.
        let raw = self.raw.replace("\r\n", "\n");
        let mut rest = raw.chars();
        while let Some(char) = rest.next() {
            match char {
                '\u{1b}' => {
                    // Only CSI sequences end in a letter; nothing else is expected.
                    rest.by_ref().find(|end| end.is_ascii_alphabetic());
                }
                '\r' => plain.truncate(plain.rfind('\n').map_or(0, |end| end + 1)),
                other => plain.push(other),
            }
        }
        plain.lines().map(str::to_owned).collect()
    }
}
