//! Text that fits into a line, and says so where it does not.

use ratatui::text::Line;
use ratatui::widgets::Paragraph;

/// The beginning of a text that has no room.
pub fn beginning(text: &str, room: usize) -> String {
    match text.chars().count() > room {
        true => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

/// The end of a text that has no room.
pub fn end(text: &str, room: usize) -> String {
    let left_out = text.chars().count().saturating_sub(room.saturating_sub(1));
    match text.chars().count() > room {
        true => ['…'].into_iter().chain(text.chars().skip(left_out)).collect(),
        false => text.to_owned(),
    }
}

/// Facts in as few lines as they fit into.
pub fn packed(facts: &[String], room: usize) -> Vec<String> {
    const GAP: &str = "   ";
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + GAP.len() + fact.chars().count() <= room => {
                line.push_str(GAP);
                line.push_str(fact);
            }
            _ => lines.push(beginning(fact, room)),
        }
    }
    lines
}

/// Texts in lines of words, which go on after two spaces; the last that there is room for says if there are more.
pub fn wrapped<'a>(texts: impl IntoIterator<Item = &'a str>, width: usize, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > width && !line.trim().is_empty() {
                lines.push(std::mem::replace(&mut line, " ".into()));
            }
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
        lines.push(line);
    }
    if lines.len() > room {
        lines.truncate(room);
        lines.iter_mut().last().into_iter().for_each(|last| last.push_str(" …"));
    }
    lines.into_iter().map(|line| beginning(&line, width)).collect()
}

/// Lines on the screen.
pub fn lines(lines: &[String]) -> Paragraph<'static> {
    Paragraph::new(lines.iter().map(|line| Line::raw(line.clone())).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_go_on_after_spaces_and_say_where_they_are_cut() {
        let texts = ["the tail is heavy", "ok", "unpronounceable"];
        assert_eq!(wrapped(texts, 10, 9), ["the tail", "  is heavy", "ok", "unpronoun…"]);
        assert_eq!(wrapped(texts, 10, 1), ["the tail …"]);
        assert_eq!(wrapped(texts, 10, 2), ["the tail", "  is heav…"]);
        assert!(wrapped(texts, 0, 0).is_empty());
    }

    #[test]
    fn what_has_no_room_says_so() {
        assert_eq!([beginning("µ = 1.5", 7), beginning("µ = 1.55", 7)], ["µ = 1.5", "µ = 1.…"]);
        assert_eq!([end("runs/a", 6), end("runs/ab", 6), end("ab", 0)], ["runs/a", "…ns/ab", "…"]);
        let facts = ["step 1", "loss 2", "ESS 0.125"].map(str::to_owned);
        assert_eq!(packed(&facts, 15), ["step 1   loss 2", "ESS 0.125"]);
        assert_eq!(packed(&facts, 6), ["step 1", "loss 2", "ESS 0…"]);
    }
}
