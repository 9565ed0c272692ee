//! Text that fits into a line, and says so where it does not.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_says_so() {
        assert_eq!([beginning("µ = 1.5", 7), beginning("µ = 1.55", 7)], ["µ = 1.5", "µ = 1.…"]);
        assert_eq!([end("runs/a", 6), end("runs/ab", 6), end("ab", 0)], ["runs/a", "…ns/ab", "…"]);
        let facts = ["step 1", "loss 2", "ESS 0.125"].map(str::to_owned);
        assert_eq!(packed(&facts, 15), ["step 1   loss 2", "ESS 0.125"]);
        assert_eq!(packed(&facts, 6), ["step 1", "loss 2", "ESS 0…"]);
    }
}
