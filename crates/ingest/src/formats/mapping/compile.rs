//! The file of a mapping as it is written, and everything that is wrong with it (see docs/storefront/from-your-shop.md).

use std::collections::BTreeMap;

use cel::Program;
use serde::Deserialize;
use serde_json::Value as Json;
use winback_campaign::diagnostic::{Position, did_you_mean};
use winback_campaign::yaml::{Spanned, position, read as yaml};
use winback_campaign::{Report, names};
use winback_contract::spec;

use super::{Expression, Mapping, Rule, Target, VARIABLES};

/// Longest expression, in bytes.
const LONGEST: usize = 4_096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "apiVersion")]
    api_version: Spanned<String>,
    kind: Spanned<String>,
    events: Vec<EventFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFile {
    /// A name of the contract or of the shop's own; `=` before an expression that gives it.
    name: Spanned<String>,
    when: Option<Spanned<String>>,
    each: Option<Spanned<String>>,
    message_id: Option<Spanned<Json>>,
    time: Option<Spanned<Json>>,
    identities: Spanned<IdentitiesFile>,
    #[serde(default)]
    fields: BTreeMap<String, Spanned<Json>>,
    #[serde(default)]
    traits: BTreeMap<String, Spanned<Json>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentitiesFile {
    user: Option<Spanned<Json>>,
    anonymous: Option<Spanned<Json>>,
    email: Option<Spanned<Json>>,
    phone: Option<Spanned<Json>>,
}

struct Reader<'f> {
    file: &'f str,
    report: Report,
}

/// See [`Mapping::read`].
pub(super) fn read(file: &str, text: &str) -> Result<(Mapping, Report), Report> {
    let mut reader = Reader {
        file,
        report: Report::default(),
    };
    let events = match yaml::<File>(text) {
        Ok(parsed) => reader.file(parsed),
        Err((place, message)) => {
            let help = message.starts_with("mapping values").then(|| {
                "an expression with `: ` in it is written in quotes, or on a line of its own behind `>-`".to_owned()
            });
            reader.report.error(file, place, message, help);
            Vec::new()
        }
    };
    reader.report.sort();
    if reader.report.has_errors() {
        Err(reader.report)
    } else {
        Ok((Mapping { events }, reader.report))
    }
}

/// The names of `record.customer.id`, if the source is nothing else.
fn path(source: &str) -> Option<Vec<String>> {
    let names = source.trim().split('.');
    let is_name = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let all: Vec<&str> = names.collect();
    let is_path = all.iter().all(is_name) && VARIABLES.contains(&all[0]);
    is_path.then(|| all.into_iter().map(str::to_owned).collect())
}

impl Reader<'_> {
    fn file(&mut self, file: File) -> Vec<Rule> {
        for (word, wanted) in [(&file.api_version, "winback/v1"), (&file.kind, "Map")] {
            if word.value != wanted {
                let message = format!("`{}` is not `{wanted}`", word.value);
                self.error(position(word), message, None);
            }
        }
        if file.events.is_empty() {
            self.error(
                None,
                "`events` is empty: nothing would be read".into(),
                None,
            );
        }
        file.events
            .into_iter()
            .map(|event| self.event(event))
            .collect()
    }

    fn event(&mut self, event: EventFile) -> Rule {
        let each = event.each.map(|each| self.text(&each, false));
        let in_list = each.is_some();
        let name = self.name(&event.name, in_list);
        let when = event.when.map(|when| self.text(&when, in_list));
        let who = event.identities;
        let place = position(&who);
        let who = who.value;
        let single = [
            (Target::Call("messageId"), event.message_id),
            (Target::Call("timestamp"), event.time),
            (Target::Call("userId"), who.user),
            (Target::Call("anonymousId"), who.anonymous),
            (Target::Address("email"), who.email),
            (Target::Address("phone"), who.phone),
        ];
        if single[2..].iter().all(|(_, value)| value.is_none()) {
            let help = "name one of user, anonymous, email and phone";
            self.error(place, "nobody is named".into(), Some(help.into()));
        }
        for (target, value) in &single {
            if let Some(value) = value
                && *target != Target::Call("timestamp")
                && !value.value.is_string()
            {
                let message = format!("`{}` is the same for every record", target.text());
                let help = "write an expression, such as record.id".to_owned();
                self.error(position(value), message, Some(help));
            }
        }
        let single = single
            .into_iter()
            .filter_map(|(target, value)| Some((target, value?)));
        let fields = event
            .fields
            .into_iter()
            .map(|(name, value)| (Target::Property(name), value));
        let traits = event
            .traits
            .into_iter()
            .map(|(name, value)| (Target::Trait(name), value));
        let values = single.chain(fields).chain(traits);
        let values = values
            .map(|(target, value)| (target, self.value(&value, in_list)))
            .collect();
        Rule {
            name,
            when,
            each,
            values,
        }
    }

    fn name(&mut self, name: &Spanned<String>, in_list: bool) -> Expression {
        if let Some(source) = name.value.strip_prefix('=') {
            return self.expression(source, position(name), in_list);
        }
        if spec::is_derived(&name.value) {
            let message = format!("`{}` is an event that winback makes itself", name.value);
            self.error(position(name), message, None);
        } else if spec::lookup(&name.value).is_none()
            && let Some(near) = spec::nearest(&name.value)
        {
            let message = format!("`{}` is an event of the shop's own", name.value);
            let help = format!("did you mean `{near}`?");
            self.report
                .warning(self.file, position(name), message, help);
        }
        Expression::Constant(name.value.as_str().into())
    }

    fn value(&mut self, value: &Spanned<Json>, in_list: bool) -> Expression {
        match &value.value {
            Json::String(source) => self.expression(source, position(value), in_list),
            Json::Array(_) | Json::Object(_) => {
                let message = "a list or a map is written as one expression".to_owned();
                let help = ">- and on the next line [{'product_id': record.art}]".to_owned();
                self.error(position(value), message, Some(help));
                Expression::Constant(Json::Null)
            }
            constant => Expression::Constant(constant.clone()),
        }
    }

    fn text(&mut self, source: &Spanned<String>, in_list: bool) -> Expression {
        self.expression(&source.value, position(source), in_list)
    }

    fn expression(&mut self, source: &str, place: Option<Position>, in_list: bool) -> Expression {
        let nothing = Expression::Constant(Json::Null);
        if source.len() > LONGEST {
            let message = format!("an expression is at most {LONGEST} bytes long");
            self.error(place, message, None);
            return nothing;
        }
        let program = match Program::compile(source) {
            Ok(program) => program,
            Err(errors) => {
                let first = errors.errors.first();
                let why = first.map_or("", |error| error.msg.as_str());
                let help = "expressions are CEL; a constant text is written \"'EUR'\"";
                self.error(
                    place,
                    format!("`{source}` can't be read: {why}"),
                    Some(help.into()),
                );
                return nothing;
            }
        };
        let references = program.references();
        let bound = winback_campaign::condition::bound(source);
        for name in references.variables() {
            if name.starts_with('@') || bound.contains(&name) {
                continue;
            }
            if name == "item" && !in_list {
                let help = "`item` is an element of what `each` names";
                self.error(
                    place,
                    "there is no `item` without `each`".into(),
                    Some(help.into()),
                );
            } else if !VARIABLES.contains(&name) {
                let help = did_you_mean(name, VARIABLES.iter().copied());
                let help = help.unwrap_or_else(|| {
                    format!("expressions read record, headers, key and item; a constant text is written \"'{source}'\"")
                });
                self.error(place, format!("there is no `{name}`"), Some(help));
            }
        }
        for name in references.functions() {
            let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if is_word && !names::BUILT_IN.contains(&name) {
                let help = did_you_mean(name, names::BUILT_IN.iter().copied());
                self.error(place, format!("there is no function `{name}`"), help);
            }
        }
        match path(source) {
            Some(path) => Expression::Path(path),
            None => Expression::Judged(program),
        }
    }

    fn error(&mut self, place: Option<Position>, message: String, help: Option<String>) {
        self.report.error(self.file, place, message, help);
    }
}
