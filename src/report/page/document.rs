//! The page around its sections: everything that it needs is in it.

use super::source::Source;
use super::theory;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const UPLOT: &str = include_str!("vendor/uPlot.iife.min.js");
const UPLOT_STYLE: &str = include_str!("vendor/uPlot.min.css");
const UPLOT_LICENSE: &str = include_str!("vendor/uPlot.LICENSE");

/// What the page may load: nothing but what is in it.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// A part of the page under a heading of its own.
pub struct Section {
    id: String,
    title: String,
    body: Markup,
}

impl Section {
    /// A part that links can name.
    pub fn new(id: &str, title: &str, body: Markup) -> Self {
        Self { id: id.into(), title: title.into(), body }
    }
}

/// The whole page; `data` are its figures as JSON.
pub fn document(sources: &[Source<'_>], sections: &[Section], data: &str) -> String {
    let names = sources.iter().map(|source| source.run.label.as_str()).collect::<Vec<&str>>().join(", ");
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Without it a browser asks the server for one.
                link rel="icon" href="data:,";
                meta name="color-scheme" content="light dark";
                title { (names) " – flowqcd report" }
                style { (PreEscaped(UPLOT_STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                (header(&names, sources))
                nav aria-label="Contents" {
                    ul { @for section in sections { li { a href=(format!("#{}", section.id)) { (section.title) } } } }
                }
                main {
                    @for section in sections {
                        section id=(section.id) aria-labelledby=(format!("{}-title", section.id)) {
                            h2 id=(format!("{}-title", section.id)) { (section.title) }
                            (section.body)
                        }
                    }
                }
                (footer())
                script type="application/json" id="plots" { (PreEscaped(in_script(data))) }
                script { (PreEscaped(UPLOT)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn header(names: &str, sources: &[Source<'_>]) -> Markup {
    let theory = |source: &Source<'_>| Some(theory::in_words(&source.spec.as_ref()?.theory, &source.keys));
    let mut theories: Vec<String> = sources.iter().filter_map(theory).collect();
    theories.dedup();
    html! {
        header { h1 { (names) } @for theory in &theories { p.theory { (theory) } } }
    }
}

fn footer() -> Markup {
    html! {
        footer {
            p { "Made by flowqcd " (env!("CARGO_PKG_VERSION")) " from the tables of the run alone." }
            details { summary { "Figures are drawn by uPlot" } pre { (UPLOT_LICENSE.trim()) } }
        }
    }
}

/// JSON that no text in it can take out of its script: of HTML nothing ends or begins without `<`.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_the_script_that_it_is_in() {
        let text = "</script><!--<script>&\"\u{2028}";
        let json = in_script(&serde_json::to_string(text).unwrap());
        assert!(!json.contains('<'), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn what_is_embedded_ends_no_script_and_no_style_and_asks_for_nothing() {
        for text in [STYLE, SCRIPT, UPLOT, UPLOT_STYLE] {
            assert!(!text.contains("</") && !text.contains("<!--"));
            assert!(!text.contains("url(") && !text.contains("@import") && !text.contains("fetch("));
        }
    }
}
