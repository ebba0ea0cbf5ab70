//! The text part of a mail, made from its HTML part where the shop wrote none: paragraphs and addresses, no boxes.
//!
//! Tables only lay a mail out, so their cells follow each other as lines. A link's address stands behind its words, on
//! a line of its own, where every mail program makes it clickable. Pictures are told by their alternative text.

use std::cell::RefCell;
use std::rc::Rc;

use html2text::config;
use html2text::render::{TaggedLine, TextDecorator};

/// Columns of a line; a longer address is not broken.
const WIDTH: usize = 72;

/// The text of a page.
pub(super) fn of(html: &str) -> Result<String, html2text::Error> {
    let letter = Letter::default();
    let addresses = letter.addresses.clone();
    let text = config::with_decorator(letter)
        .raw_mode(true)
        .no_table_borders()
        .no_link_wrapping()
        .string_from_read(html.as_bytes(), WIDTH)?;
    Ok(tidied(&with_addresses(&text, &addresses.borrow())))
}

/// Around the number of an address, while lines are broken: signs that no text means anything by (Unicode, private use).
const OPENS: char = '\u{f8f0}';
/// See [`OPENS`].
const CLOSES: char = '\u{f8f1}';

/// The addresses in the places of their numbers: a line is broken around an address, never within it.
fn with_addresses(text: &str, addresses: &[String]) -> String {
    let mut parts = text.split(OPENS);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let numbered = part.split_once(CLOSES);
        let address = numbered
            .and_then(|(number, rest)| Some((addresses.get(number.parse::<usize>().ok()?)?, rest)));
        match address {
            Some((address, rest)) => {
                out.push_str(address);
                out.push_str(rest);
            }
            None => out.push_str(part),
        }
    }
    out
}

/// Without blanks at the ends of lines, and with one empty line where there were many.
fn tidied(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = true;
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            if !empty {
                out.push('\n');
            }
            empty = true;
        } else {
            out.push_str(line);
            out.push('\n');
            empty = false;
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Writes links and pictures the way a person would in a letter.
#[derive(Clone, Debug, Default)]
struct Letter {
    link: String,
    /// Of the whole letter, also of parts that are rendered apart.
    addresses: Rc<RefCell<Vec<String>>>,
}

impl TextDecorator for Letter {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        url.clone_into(&mut self.link);
        (String::new(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        match std::mem::take(&mut self.link) {
            link if link.is_empty() => String::new(),
            link => {
                let mut addresses = self.addresses.borrow_mut();
                addresses.push(link);
                format!(": {OPENS}{}{CLOSES}", addresses.len() - 1)
            }
        }
    }
    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _url: &str, title: &str) -> (String, ()) {
        (title.to_owned(), ())
    }
    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }
    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }
    fn unordered_item_prefix(&self) -> String {
        "- ".to_owned()
    }
    fn ordered_item_prefix(&self, number: i64) -> String {
        format!("{number}. ")
    }
    fn make_subblock_decorator(&self) -> Self {
        self.clone()
    }
    fn decorate_superscript_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_superscript_end(&self) -> String {
        String::new()
    }
    fn finalise(&mut self, _urls: Vec<String>) -> Vec<TaggedLine<()>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    /// An address that is longer than a line still leads somewhere, and words stay apart.
    #[test]
    fn no_address_is_broken_and_no_words_run_together() {
        let long = format!("https://shop.example/cart/{}", "0123456789".repeat(12));
        let html = format!(
            "<table><tr><td><p>Hello Ann,</p><p><a href=\"{long}\">To the cart</a></p></td></tr></table>
            <p><a href=\"https://shop.example/help\">Help</a> <a href=\"mailto:ask@shop.example\">Ask</a>\n<a href=\"{long}\">Unsubscribe</a> now \u{f8f0}9\u{f8f1}</p>"
        );
        let text = of(&html).unwrap();
        assert_eq!(text.matches(&long).count(), 2, "{text}");
        assert!(
            text.contains(
                "Help: https://shop.example/help Ask: mailto:ask@shop.example Unsubscribe: "
            ),
            "{text}"
        );
    }
}
