//! Words in lines that a terminal shows.

/// Characters of a line, at most.
const WIDTH: usize = 100;

/// The words of a text, one space apart.
pub fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// A text in lines that are not too long, all of them indented.
pub fn indented(text: &str, by: usize) -> String {
    let (margin, mut lines) = (" ".repeat(by), vec![String::new()]);
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always one");
        match line.chars().count() {
            0 => line.push_str(word),
            length if by + length + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines.into_iter().map(|line| format!("{margin}{line}")).collect::<Vec<String>>().join("\n")
}

/// A name with what is said of it below.
pub fn entry(name: &str, text: &str) -> String {
    format!("{name}\n{}", indented(text, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words_and_lose_none() {
        let text = "word ".repeat(60) + &"x".repeat(120);
        let shown = indented(&text, 4);
        assert_eq!(in_one_line(&shown), in_one_line(&text));
        let mut lines = shown.lines();
        assert!(lines.by_ref().take(3).all(|line| line.len() <= WIDTH && line.starts_with("    word")));
        assert_eq!(lines.last(), Some(format!("    {}", "x".repeat(120)).as_str()));
    }
}
