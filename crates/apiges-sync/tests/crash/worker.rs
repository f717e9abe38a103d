//! The child as its parent sees it: orders go in, and are told again to the next one unless they were acknowledged.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use super::orders::{CHILD, Order, Place};

pub(crate) struct Worker {
    child: Child,
    lines: Receiver<String>,
    orders: VecDeque<(u64, String)>,
    number: u64,
    /// What was said of the last order.
    pub(crate) last: String,
}

impl Worker {
    pub(crate) fn start(place: &Place) -> Self {
        let (child, lines) = started(place);
        Self { child, lines, orders: VecDeque::new(), number: 0, last: String::new() }
    }

    pub(crate) fn send(&mut self, order: Order) {
        self.number += 1;
        let line = format!("{}\n", serde_json::to_string(&(self.number, order)).unwrap());
        self.tell(&line);
        self.orders.push_back((self.number, line));
    }

    /// Who is dead does not hear; the next one is told.
    fn tell(&mut self, line: &str) {
        let _ = self.child.stdin.as_mut().unwrap().write_all(line.as_bytes());
    }

    /// Takes in what was acknowledged.
    pub(crate) fn listen(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            let Some(said) = line.strip_prefix("ack ") else { continue };
            let (number, words) = said.split_once(' ').unwrap();
            let (due, _) = self.orders.pop_front().unwrap();
            assert_eq!(number.parse::<u64>().unwrap(), due);
            words.clone_into(&mut self.last);
        }
    }

    pub(crate) fn waiting(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL, and the next one; `false` if it had ended by itself.
    pub(crate) fn killed_and_started(&mut self, place: &Place) -> bool {
        let running = self.is_alive();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // What it said before it died, up to the last whole line.
        while let Ok(line) = self.lines.recv() {
            let Some(number) = line.strip_prefix("ack ").and_then(|said| said.split(' ').next()) else {
                continue;
            };
            let (due, _) = self.orders.pop_front().unwrap();
            assert_eq!(number.parse::<u64>().unwrap(), due);
        }
        (self.child, self.lines) = started(place);
        let orders: Vec<String> = self.orders.iter().map(|(_, line)| line.clone()).collect();
        orders.iter().for_each(|line| self.tell(line));
        running
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn started(place: &Place) -> (Child, Receiver<String>) {
    let words = OpenOptions::new().create(true).append(true).open(place.folder.join("child.log")).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(CHILD, serde_json::to_string(place).unwrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(words)
        .spawn()
        .unwrap();
    let (send, lines) = channel();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        let mut line = String::new();
        // A line without its end was cut off by the kill.
        while out.read_line(&mut line).is_ok_and(|read| read > 0) && line.ends_with('\n') {
            let _ = send.send(line.trim_end().to_owned());
            line.clear();
        }
    });
    (child, lines)
}
