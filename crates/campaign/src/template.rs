//! Texts: minijinja with escaping by channel, MJML for mail, a text part for every mail.
//!
//! Files are `templates/<step>.<channel>.<locale>.<ext>` beside `campaign.yaml`: `mjml` (and optionally `txt`) for
//! email, `txt` for the rest. The subject is the `<mj-title>`. Absent on purpose: includes from data, loaders, network.

mod letter;
mod links;
mod names;
mod plural;
mod samples;

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;
use winback_contract::Channel;

use crate::bundle::Files;
use crate::diagnostic::{Position, Report};
use samples::{samples, samples_with};

/// Instructions one rendering may take; a runaway loop ends here.
const FUEL: u64 = 200_000;
/// Largest text that is made, in bytes.
const LARGEST: usize = 512 * 1024;

/// A mail, ready to send.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Email {
    /// One line.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The text part.
    pub text: String,
}

impl std::fmt::Debug for Email {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Email({} bytes)", self.html.len())
    }
}

/// A text as it would go out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rendered {
    /// A mail.
    Email(Email),
    /// Any other channel.
    Text(String),
}

/// A text for a sample customer.
#[derive(Debug)]
pub struct Preview {
    /// Base name of the template.
    pub step: String,
    /// Its channel.
    pub channel: Channel,
    /// Its locale.
    pub locale: String,
    /// Which sample.
    pub sample: &'static str,
    /// The text.
    pub rendered: Result<Rendered, Failure>,
}

/// A text could not be made; the message names the template and never the person.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct Failure {
    /// Path of the template.
    pub template: String,
    /// Line, if known.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// Whether a value that it asks for is not there.
    pub is_missing: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    folder: String,
    name: String,
    channel: Channel,
}

/// All texts of a bundle.
pub struct Templates {
    environment: Environment<'static>,
    /// Locale to path, by folder, name and channel.
    paths: BTreeMap<Key, BTreeMap<String, String>>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Templates({})", self.paths.len())
    }
}

impl Templates {
    pub(crate) fn compile(files: &Files, report: &mut Report) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(64);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".mjml") {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        environment.add_filter("money", money);
        environment.add_filter("plural", plural::plural);
        let mut paths: BTreeMap<Key, BTreeMap<String, String>> = BTreeMap::new();
        // Layouts that templates of all campaigns may extend or import.
        for (path, text) in files
            .0
            .iter()
            .filter(|(path, _)| path.starts_with("shared/"))
        {
            if let Err(error) = environment.add_template_owned(path.clone(), text.clone()) {
                let at = error.line().map(|line| Position { line, column: 1 });
                report.error(path, at, describe(&error), None);
            }
        }
        for (path, text) in &files.0 {
            let Some((folder, file)) = path
                .split_once("templates/")
                .filter(|(folder, _)| folder.is_empty() || folder.ends_with('/'))
            else {
                continue;
            };
            let Some((key, locale, extension)) = parse(folder, file) else {
                report.error(path, None, "this is not a name of a template", Some("templates are named <step>.<channel>.<locale>.<ext>, such as reminder.email.en.mjml".into()));
                continue;
            };
            if let Err(error) = environment.add_template_owned(path.clone(), text.clone()) {
                report.error(
                    path,
                    error.line().map(|line| Position { line, column: 1 }),
                    describe(&error),
                    None,
                );
                continue;
            }
            if extension == "mjml" || key.channel != Channel::Email {
                paths.entry(key).or_default().insert(locale, path.clone());
            }
        }
        let templates = Self { environment, paths };
        templates.try_samples(report);
        templates.compare_locales(report);
        // A layout has the names of whoever includes it.
        for path in files.0.keys().filter(|path| !path.starts_with("shared/")) {
            if let Ok(template) = templates.environment.get_template(path) {
                names::check(path, template.undeclared_variables(true), report);
            }
        }
        templates
    }

    /// Renders every template for sample customers, so that a wrong name is found before it goes live.
    fn try_samples(&self, report: &mut Report) {
        let samples = samples();
        for (key, by_locale) in &self.paths {
            for path in by_locale.values() {
                for (_, sample) in &samples {
                    let result = if key.channel == Channel::Email {
                        match self.email_at(path, sample) {
                            Ok(mail) => {
                                if let Some(problem) = links::broken(&mail.html) {
                                    let help = "write the whole address, such as https://shop.example/cart; ask first for what may be missing";
                                    report.error(path, None, problem, Some(help.to_owned()));
                                    break;
                                }
                                Ok(())
                            }
                            Err(failure) => Err(failure),
                        }
                    } else {
                        self.text_at(path, sample).map(|_| ())
                    };
                    if let Err(failure) = result {
                        let at = failure.line.map(|line| Position { line, column: 1 });
                        let help = failure.is_missing.then(|| {
                            "no such value, or it may be missing: ask first, as in {% if customer.first_name %}".to_owned()
                        });
                        report.error(&failure.template, at, failure.message, help);
                        break;
                    }
                }
            }
        }
    }

    /// A campaign that speaks a language in one text and not in another would change it on the way.
    fn compare_locales(&self, report: &mut Report) {
        let mut of_folder: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (key, by_locale) in &self.paths {
            let all = of_folder.entry(&key.folder).or_default();
            all.extend(by_locale.keys().map(String::as_str));
        }
        for (key, by_locale) in &self.paths {
            for locale in &of_folder[key.folder.as_str()] {
                if !by_locale.contains_key(*locale) {
                    let text = format!("{}templates/{}.{}", key.folder, key.name, key.channel);
                    let message = format!(
                        "there is no text in `{locale}`, as other steps of the campaign have"
                    );
                    let help = format!(
                        "add {text}.{locale}; until then its readers get the shop's language"
                    );
                    let path = by_locale.values().next().map_or(text, Clone::clone);
                    report.warning(&path, None, message, Some(help));
                }
            }
        }
    }

    /// Whoever's language no text has gets the shop's: that one must be there.
    pub(crate) fn check_language(&self, locale: &str, report: &mut Report) {
        let language = locale.split(['-', '_']).next().unwrap_or(locale);
        let speaks = |by_locale: &BTreeMap<String, String>| {
            by_locale.contains_key(locale) || by_locale.contains_key(language)
        };
        let mut silent: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
        let of_others = self.paths.iter().filter(|(_, all)| !speaks(all));
        for (key, _) in of_others {
            silent.entry(&key.folder).or_default().push(key);
        }
        // One warning for a campaign, at the first of its texts.
        for texts in silent.values() {
            let key = texts[0];
            let Some((first, path)) = self.paths[key].first_key_value() else {
                continue;
            };
            let count = texts.len();
            let message = format!(
                "{count} texts of this campaign are not there in `{language}`, the shop's language"
            );
            let help = format!(
                "add {}templates/{}.{}.{language} and the others, or mend `shop.locale` of the Policy: until then everybody else gets `{first}`",
                key.folder, key.name, key.channel
            );
            report.warning(path, None, message, Some(help));
        }
    }

    /// Fields of `entry` that the texts of a campaign's folder ask for.
    pub(crate) fn entry_fields(&self, folder: &str) -> BTreeSet<String> {
        let of_folder = self.paths.iter().filter(|(key, _)| key.folder == folder);
        of_folder
            .flat_map(|(_, by_locale)| by_locale.values())
            .filter_map(|path| self.environment.get_template(path).ok())
            .flat_map(|template| template.undeclared_variables(true))
            .filter_map(|name| {
                let field = name
                    .strip_prefix("entry.")
                    .or_else(|| name.strip_prefix("answer."))?;
                Some(field.split('.').next().unwrap_or(field).to_owned())
            })
            .collect()
    }

    /// Every text of a campaign for every sample customer. `shown` says of a text which offer its step shows, and whether
    /// it recommends goods.
    pub fn previews(
        &self,
        campaign: &str,
        shown: &dyn Fn(&str) -> (Option<serde_json::Value>, bool),
    ) -> Vec<Preview> {
        let folder = format!("{campaign}/");
        let mut all = Vec::new();
        let own = self
            .paths
            .iter()
            .filter(|(key, _)| key.folder == folder || key.folder.ends_with(&format!("/{folder}")));
        for (key, by_locale) in own {
            let (offer, recommends) = shown(&key.name);
            for (locale, path) in by_locale {
                for (sample, facts) in samples_with(offer.as_ref(), recommends) {
                    let rendered = if key.channel == Channel::Email {
                        self.email_at(path, &facts).map(Rendered::Email)
                    } else {
                        self.text_at(path, &facts).map(Rendered::Text)
                    };
                    all.push(Preview {
                        step: key.name.clone(),
                        channel: key.channel,
                        locale: locale.clone(),
                        sample,
                        rendered,
                    });
                }
            }
        }
        all
    }

    /// Whether a step has a text for a channel in any locale.
    pub fn has(&self, folder: &str, name: &str, channel: Channel) -> bool {
        self.paths.contains_key(&Key {
            folder: folder.to_owned(),
            name: name.to_owned(),
            channel,
        })
    }

    /// The path for the customer's locale: `pt-BR`, then `pt`, then the shop's, then the first there is.
    fn path(&self, campaign: &str, name: &str, channel: Channel, locales: &[&str]) -> Option<&str> {
        let folder_name = format!("{campaign}/");
        let by_locale = self
            .paths
            .iter()
            .find(|(key, _)| {
                (key.folder == folder_name
                    || key.folder.ends_with(&format!("/{folder_name}"))
                    || key.folder.is_empty())
                    && key.name == name
                    && key.channel == channel
            })
            .map(|(_, by_locale)| by_locale)?;
        for wanted in locales {
            let mut wanted = wanted.replace('_', "-");
            loop {
                if let Some((_, path)) = by_locale
                    .iter()
                    .find(|(locale, _)| locale.eq_ignore_ascii_case(&wanted))
                {
                    return Some(path);
                }
                match wanted.rfind('-') {
                    Some(dash) => wanted.truncate(dash),
                    None => break,
                }
            }
        }
        by_locale.values().next().map(String::as_str)
    }

    /// Renders a mail.
    ///
    /// # Errors
    /// [`Failure`] when there is no template, a value is missing, or the MJML is wrong.
    pub fn email(
        &self,
        campaign: &str,
        name: &str,
        locales: &[&str],
        facts: &serde_json::Value,
    ) -> Result<Email, Failure> {
        let path = self
            .path(campaign, name, Channel::Email, locales)
            .ok_or_else(|| Failure {
                template: format!("{campaign}/templates/{name}.email"),
                line: None,
                message: "there is no such template in this bundle".into(),
                is_missing: false,
            })?;
        self.email_at(path, &Value::from(Serde(facts)))
    }

    /// Renders the text of a channel other than email.
    ///
    /// # Errors
    /// [`Failure`] when there is no template, or a value is missing.
    pub fn text(
        &self,
        campaign: &str,
        name: &str,
        channel: Channel,
        locales: &[&str],
        facts: &serde_json::Value,
    ) -> Result<String, Failure> {
        let path = self
            .path(campaign, name, channel, locales)
            .ok_or_else(|| Failure {
                template: format!("{campaign}/templates/{name}.{channel}"),
                line: None,
                message: "there is no such template in this bundle".into(),
                is_missing: false,
            })?;
        let text = self.text_at(path, &Value::from(Serde(facts)))?;
        Ok(text.trim().to_owned())
    }

    fn email_at(&self, path: &str, facts: &Value) -> Result<Email, Failure> {
        let source = self.text_at(path, facts)?;
        let fail = |message: String| Failure {
            template: path.to_owned(),
            line: None,
            message,
            is_missing: false,
        };
        let parsed =
            mrml::parse(&source).map_err(|error| fail(format!("the MJML is wrong: {error}")))?;
        let subject = parsed
            .element
            .get_title()
            .map(|title| one_line(&unescape(&title)))
            .filter(|title| !title.is_empty());
        let subject = subject
            .ok_or_else(|| fail("the mail has no subject: write it into <mj-title>".into()))?;
        let html = parsed
            .element
            .render(&mrml::prelude::render::RenderOptions::default())
            .map_err(|error| fail(format!("the MJML can't be rendered: {error}")))?;
        let written = path.strip_suffix(".mjml").map(|base| format!("{base}.txt"));
        let text = match written.filter(|written| self.environment.get_template(written).is_ok()) {
            Some(written) => self.text_at(&written, facts)?,
            None => letter::of(&html).map_err(|error| fail(format!("no text part: {error}")))?,
        };
        Ok(Email {
            subject,
            html,
            text,
        })
    }

    fn text_at(&self, path: &str, facts: &Value) -> Result<String, Failure> {
        let fail = |error: &minijinja::Error| Failure {
            template: error.name().unwrap_or(path).to_owned(),
            line: error.line(),
            message: describe(error),
            is_missing: error.kind() == minijinja::ErrorKind::UndefinedError,
        };
        let template = self
            .environment
            .get_template(path)
            .map_err(|error| fail(&error))?;
        let text = template.render(facts).map_err(|error| fail(&error))?;
        if text.len() > LARGEST {
            return Err(Failure {
                template: path.to_owned(),
                line: None,
                message: "the text is larger than 512 KiB".into(),
                is_missing: false,
            });
        }
        Ok(text)
    }
}

/// The kind and detail of an error, without the values that caused it.
fn describe(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}

fn parse(folder: &str, file: &str) -> Option<(Key, String, String)> {
    let parts: Vec<&str> = file.split('.').collect();
    let [name, channel, locale, extension] = parts.as_slice() else {
        return None;
    };
    let channel = Channel::parse(channel)?;
    let fits = if channel == Channel::Email {
        ["mjml", "txt"].contains(extension)
    } else {
        *extension == "txt"
    };
    let plain = !name.is_empty() && !name.contains('/') && !locale.is_empty();
    (fits && plain).then(|| {
        let key = Key {
            folder: folder.to_owned(),
            name: (*name).to_owned(),
            channel,
        };
        (key, (*locale).to_owned(), (*extension).to_owned())
    })
}

/// `{"minor": 1999, "currency": "EUR"}` as `19.99 EUR`.
fn money(value: &Value) -> Result<String, minijinja::Error> {
    let wrong = || {
        minijinja::Error::new(
            minijinja::ErrorKind::InvalidOperation,
            "`money` wants an amount, such as item.price",
        )
    };
    let minor = value
        .get_attr("minor")
        .ok()
        .and_then(|minor| i64::try_from(minor).ok())
        .ok_or_else(wrong)?;
    let currency = value.get_attr("currency").map_err(|_| wrong())?;
    let currency = winback_contract::Currency::parse(currency.as_str().unwrap_or_default())
        .map_err(|_| wrong())?;
    Ok(winback_contract::Money { minor, currency }.to_string())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A subject is no HTML: the escapes that the template made are taken back.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#x2f;", "/")
        .replace("&amp;", "&")
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
