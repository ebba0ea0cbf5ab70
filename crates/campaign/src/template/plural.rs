//! Words that go with a number, by the plural rules of the text's language (Unicode CLDR).
//!
//! `{{ orders }} {{ orders | plural(one="замовлення", few="замовлення", many="замовлень") }}`. The language is the one in
//! the template's name. What is not here: how a number is written.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

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
    let language = language(&locale).ok_or_else(|| {
        wrong(format!(
            "no plural rules are known for the language `{locale}` of this file's name"
        ))
    })?;
    let word = |category: &PluralCategory| {
        let name = WORDS
            .iter()
            .find(|(known, _)| known == category)
            .map_or("other", |(_, name)| name);
        (name, forms.get::<Option<String>>(name).ok().flatten())
    };
    for (category, example) in &language.needed {
        if let (name, None) = word(category) {
            return Err(wrong(format!(
                "`plural` needs `{name}` for {example} in `{locale}`"
            )));
        }
    }
    // A broken number takes `other`, and where it was not given the form of many.
    let (_, exact) = word(&language.category(number));
    let (_, many) = word(&language.category(f64::from(SHOWN)));
    forms_are_known(&forms)?;
    exact
        .or(many)
        .ok_or_else(|| wrong("`plural` has no form for this number".to_owned()))
}

/// A language, with the categories that its whole numbers need and the first number of each.
struct Language {
    rules: PluralRules,
    needed: Vec<(PluralCategory, u32)>,
}

impl Language {
    fn new(rules: PluralRules) -> Self {
        let mut language = Self {
            rules,
            needed: Vec::new(),
        };
        for number in 0..=SHOWN {
            let category = language.category(f64::from(number));
            if !language.needed.iter().any(|(known, _)| *known == category) {
                language.needed.push((category, number));
            }
        }
        language
    }

    fn category(&self, number: f64) -> PluralCategory {
        self.rules.select(number).unwrap_or(PluralCategory::OTHER)
    }
}

/// What is known of a language, looked up once per thread.
fn language(locale: &str) -> Option<Rc<Language>> {
    thread_local! {
        static KNOWN: RefCell<HashMap<String, Option<Rc<Language>>>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        if let Some(language) = known.get(locale) {
            return language.clone();
        }
        let language = rules(locale).map(|rules| Rc::new(Language::new(rules)));
        known.insert(locale.to_owned(), language.clone());
        language
    })
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
