//! The page on which somebody says that nothing more is wanted: one button, no script, no login, no address shown.
//!
//! GET changes nothing: mail servers open every link (RFC 8058, section 1). Three languages, by what the browser asks for.

/// What the page says.
struct Words {
    language: &'static str,
    title: &'static str,
    ask: &'static str,
    button: &'static str,
    done: &'static str,
    away: &'static str,
    unknown: &'static str,
}

const WORDS: [Words; 3] = [
    Words {
        language: "en",
        title: "No more messages",
        ask: "You will get no more of these messages on this channel.",
        button: "Unsubscribe",
        done: "Done. You will get no more of these messages.",
        away: "That did not work just now. Please try again in a few minutes.",
        unknown: "This link is not one of ours, or it was cut off. Please open it once more from the message.",
    },
    Words {
        language: "uk",
        title: "Більше жодних повідомлень",
        ask: "Ви більше не отримуватимете таких повідомлень цим каналом.",
        button: "Відписатися",
        done: "Готово. Таких повідомлень більше не буде.",
        away: "Зараз не вдалося. Спробуйте, будь ласка, за кілька хвилин.",
        unknown: "Це посилання не наше або неповне. Відкрийте його, будь ласка, ще раз із повідомлення.",
    },
    Words {
        language: "ru",
        title: "Больше никаких сообщений",
        ask: "Вы больше не будете получать такие сообщения по этому каналу.",
        button: "Отписаться",
        done: "Готово. Таких сообщений больше не будет.",
        away: "Сейчас не получилось. Попробуйте, пожалуйста, через несколько минут.",
        unknown: "Эта ссылка не наша или неполная. Откройте её, пожалуйста, ещё раз из сообщения.",
    },
];

/// What is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    /// The button.
    Ask,
    /// It was written down.
    Done,
    /// It could not be written down.
    Away,
    /// The link is none of ours.
    Unknown,
}

/// The language of those we speak that a browser likes best; English where it likes none.
fn words(accepted: &str) -> &'static Words {
    let liked = accepted.split(',').filter_map(|part| part.trim().get(..2));
    let found = liked
        .filter_map(|language| {
            let language = language.to_ascii_lowercase();
            WORDS.iter().find(|words| words.language == language)
        })
        .next();
    found.unwrap_or(&WORDS[0])
}

/// The page. It posts to its own address, so it holds nothing that came in.
pub(crate) fn page(shown: Shown, accepted: &str) -> String {
    let words = words(accepted);
    let inside = match shown {
        Shown::Ask => format!(
            "<p>{}</p><form method=\"post\"><button type=\"submit\" name=\"List-Unsubscribe\" value=\"One-Click\">{}</button></form>",
            words.ask, words.button
        ),
        Shown::Done => format!("<p role=\"status\">{}</p>", words.done),
        Shown::Away => format!(
            "<p role=\"alert\">{}</p><form method=\"post\"><button type=\"submit\" name=\"List-Unsubscribe\" value=\"One-Click\">{}</button></form>",
            words.away, words.button
        ),
        Shown::Unknown => format!("<p role=\"alert\">{}</p>", words.unknown),
    };
    format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{}</title><style>body{{font:1.125rem/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;\
         padding:0 1.5rem;color:#1b1b1b;background:#fff}}h1{{font-size:1.5rem;line-height:1.25}}button{{font:inherit;padding:.75rem 1.5rem;border:2px solid \
         #0b57d0;border-radius:.5rem;background:#0b57d0;color:#fff;cursor:pointer}}button:focus-visible{{outline:3px solid #1b1b1b;outline-offset:3px}}</style>\
         </head><body><main><h1>{}</h1>{inside}</main></body></html>",
        words.language, words.title, words.title
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_speaks_the_readers_language_and_has_one_button() {
        for (accepted, language) in [
            ("uk-UA,uk;q=0.9,en;q=0.8", "uk"),
            ("ru", "ru"),
            ("de-DE,de;q=0.9,en;q=0.5", "en"),
            ("", "en"),
            ("é,*", "en"),
        ] {
            let page = page(Shown::Ask, accepted);
            assert!(
                page.contains(&format!("<html lang=\"{language}\">")),
                "{accepted}"
            );
            assert_eq!(page.matches("<button").count(), 1);
            assert!(page.contains("method=\"post\"") && !page.contains("<script"));
        }
        assert!(!page(Shown::Done, "en").contains("<button"));
    }
}
