//! Words that go with a number, by the plural rules of the text's language (Unicode CLDR).
//!
//! `{{ orders }} {{ orders | plural(one="замовлення", few="замовлення", many="замовлень") }}`. The language is the one in
//! the template's name. What is not here: how a number is written.

use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, State, Value};

/// The categories with the words they are given by.
const WORDS: [(PluralCategory, &str); 6] = [
    (PluralCategory::ZERO, "zero"),
    (PluralCategory::ONE, "one"),
    (PluralCategory::TWO, "two"),
    (PluralCategory::FEW, "few"),
    (PluralCategory::MANY, "many"),
    (PluralCategory::OTHER, "other"),
];
/// Whole numbers up to this one show every category that whole numbers have in any language of the rules.
const SHOWN: u32 = 200;

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// The word for a number. Every form that whole numbers need in the language must be there, whatever the number at hand.
pub(super) fn plural(state: &State<'_, '_>, value: &Value, forms: Kwargs) -> Result<String, Error> {
    let number = f64::try_from(value.clone())
        .map_err(|_| wrong("`plural` wants a number, such as orders".to_owned()))?;
    let locale = locale(state.name());
    let rules = rules(&locale).ok_or_else(|| {
        wrong(format!(
            "no plural rules are known for the language `{locale}` of this file's name"
        ))
    })?;
    let category = |number: f64| rules.select(number).unwrap_or(PluralCategory::OTHER);
    let word = |category: PluralCategory| {
        let name = WORDS
            .iter()
            .find(|(known, _)| *known == category)
            .map_or("other", |(_, name)| name);
        (name, forms.get::<Option<String>>(name).ok().flatten())
    };
    for sample in 0..=SHOWN {
        if let (name, None) = word(category(f64::from(sample))) {
            return Err(wrong(format!(
                "`plural` needs `{name}` for {sample} in `{locale}`"
            )));
        }
    }
    // A broken number takes `other`, and where it was not given the form of many.
    let (_, exact) = word(category(number));
    let (_, many) = word(category(f64::from(SHOWN)));
    forms_are_known(&forms)?;
    exact
        .or(many)
        .ok_or_else(|| wrong("`plural` has no form for this number".to_owned()))
}

fn forms_are_known(forms: &Kwargs) -> Result<(), Error> {
    let unknown = forms
        .args()
        .find(|name| !WORDS.iter().any(|(_, known)| known == name));
    match unknown {
        Some(name) => Err(wrong(format!(
            "`plural` knows no form `{name}`: zero, one, two, few, many, other"
        ))),
        None => Ok(()),
    }
}

/// The language in `reminder.email.uk.mjml`.
fn locale(template: &str) -> String {
    let mut parts = template.rsplit('/').next().unwrap_or_default().rsplit('.');
    parts.next();
    parts.next().unwrap_or_default().to_owned()
}

fn rules(locale: &str) -> Option<PluralRules> {
    let language = locale.split(['-', '_']).next()?;
    let kind = PluralRuleType::CARDINAL;
    let mut known = PluralRules::get_locales(kind).into_iter();
    let known = known.find(|known| known.to_string().eq_ignore_ascii_case(language))?;
    PluralRules::create(known, kind).ok()
}
