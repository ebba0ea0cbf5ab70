//! Escaping, fallback of locales, and what a marketer is told about a broken template.

use super::*;

const GOOD: &str = "<mjml><mj-head><mj-title>{% if customer.first_name %}{{ customer.first_name }}, {% endif %}your cart</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>{% if cart %}{% for item in cart.items %}{{ item.name | default('goods') }} {% if item.price %}{{ item.price | money }}{% endif %}{% endfor %}{% endif %}</mj-text></mj-column></mj-section></mj-body></mjml>";

fn compile(files: &[(&str, &str)]) -> (Templates, Report) {
    let files = Files(
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    );
    let mut report = Report::default();
    (Templates::compile(&files, &mut report), report)
}

fn facts(name: &str) -> serde_json::Value {
    serde_json::json!({ "customer": { "first_name": name }, "cart": { "items": [{ "name": name, "price": { "minor": 1250, "currency": "EUR" } }] } })
}

#[test]
fn hostile_names_are_escaped_in_html_and_harmless_in_subjects() {
    let (templates, report) = compile(&[("cart/templates/a.email.en.mjml", GOOD)]);
    assert!(report.findings.is_empty(), "{report}");
    let email = templates
        .email(
            "cart",
            "a",
            &["en"],
            &facts("<script>alert(1)</script>{{7*7}}\r\nBcc: x@y.z"),
        )
        .unwrap();
    assert!(!email.html.contains("<script>alert"), "{}", email.html);
    assert!(email.html.contains("{{7*7}}") && email.html.contains("12.50 EUR"));
    assert!(!email.subject.contains(['\r', '\n']));
    assert!(
        email
            .subject
            .starts_with("<script>alert(1)</script>{{7*7}} Bcc: x@y.z, your cart"),
        "{}",
        email.subject
    );
    assert!(email.text.contains("12.50 EUR"));
}

#[test]
fn locales_fall_back() {
    let other = GOOD.replace("your cart", "ваш кошик");
    let (templates, _) = compile(&[
        ("cart/templates/a.email.en.mjml", GOOD),
        ("cart/templates/a.email.uk.mjml", &other),
    ]);
    for (locales, expect) in [
        (&["uk-UA", "en"][..], "ваш кошик"),
        (&["de", "en"], "your cart"),
        (&["de"], "your cart"),
    ] {
        assert!(
            templates
                .email("cart", "a", locales, &facts("A"))
                .unwrap()
                .subject
                .ends_with(expect),
            "{locales:?}"
        );
    }
}

#[test]
fn a_broken_template_is_reported_with_its_line() {
    let wrong = GOOD.replace("customer.first_name }}", "customer.frist_name }}");
    for (text, expect) in [
        (wrong.as_str(), "undefined value"),
        (
            "<mjml><mj-body>\n{% if x %}</mj-body></mjml>",
            "unexpected end of input",
        ),
        ("<mjml><mj-body></mj-body></mjml>", "no subject"),
        ("<mjml><mj-head>", "MJML is wrong"),
        (
            "<mjml><mj-head><mj-title>{% for a in range(99999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}</mj-title></mj-head></mjml>",
            "",
        ),
    ] {
        let (_, report) = compile(&[("cart/templates/a.email.en.mjml", text)]);
        assert!(
            report.to_string().contains(expect) && report.has_errors(),
            "{expect}: {report}"
        );
    }
    let (_, report) = compile(&[("cart/templates/a.mail.en.mjml", GOOD)]);
    assert!(report.to_string().contains("not a name of a template"));
}

#[test]
fn words_go_with_numbers_by_the_rules_of_the_language() {
    let text = |locale: &str, source: &str| {
        let path = format!("c/templates/x.sms.{locale}.txt");
        let files = Files([(path, source.to_owned())].into());
        let mut report = Report::default();
        let templates = Templates::compile(&files, &mut report);
        (templates, report)
    };
    let uk = "{{ orders }} {{ orders | plural(one=\"замовлення\", few=\"замовлення-2\", many=\"замовлень\") }}";
    let (templates, report) = text("uk", uk);
    assert!(!report.has_errors(), "{report}");
    for (orders, wanted) in [
        (1, "1 замовлення"),
        (3, "3 замовлення-2"),
        (5, "5 замовлень"),
        (11, "11 замовлень"),
        (21, "21 замовлення"),
    ] {
        let facts = serde_json::json!({ "orders": orders });
        let made = templates.text("c", "x", Channel::Sms, &["uk"], &facts);
        assert_eq!(made.unwrap(), wanted);
    }
    for (locale, source, expect) in [
        (
            "uk",
            "{{ orders | plural(one=\"a\", many=\"b\") }}",
            "needs `few`",
        ),
        (
            "en",
            "{{ orders | plural(one=\"order\") }}",
            "needs `other`",
        ),
        (
            "en",
            "{{ orders | plural(one=\"order\", other=\"orders\", mny=\"x\") }}",
            "no form `mny`",
        ),
        (
            "en",
            "{{ shop.name | plural(one=\"order\", other=\"orders\") }}",
            "wants a number",
        ),
        (
            "xx",
            "{{ orders | plural(one=\"a\", other=\"b\") }}",
            "no plural rules",
        ),
    ] {
        let (_, report) = text(locale, source);
        assert!(
            report.to_string().contains(expect),
            "`{expect}` is not in: {report}"
        );
    }
}

#[test]
fn a_misspelt_name_inside_an_if_is_found() {
    for (source, expect) in [
        (
            "{% if customer.fist_name %}x{% endif %}",
            "`customer` has no `fist_name`",
        ),
        ("{% if custmer %}x{% endif %}", "texts know no `custmer`"),
        (
            "{% if offer and offer.cod %}x{% endif %}",
            "did you mean `code`?",
        ),
        (
            "{% if entry.anything %}{{ customer.traits.size }}{% endif %}",
            "",
        ),
        (
            "{% for item in items %}{{ item.name | default(\"x\") }}{% endfor %}",
            "",
        ),
    ] {
        let files = Files([("c/templates/x.sms.en.txt".to_owned(), source.to_owned())].into());
        let mut report = Report::default();
        Templates::compile(&files, &mut report);
        let text = report.to_string();
        if expect.is_empty() {
            assert!(
                !text.contains("has no") && !text.contains("know no"),
                "{source}: {text}"
            );
        } else {
            assert!(text.contains(expect), "{source}: {text}");
        }
    }
}

#[test]
fn links_and_languages_are_looked_at() {
    let mail = |link: &str| {
        format!(
            "<mjml><mj-head><mj-title>x</mj-title></mj-head><mj-body><mj-section><mj-column><mj-button href=\"{link}\">x</mj-button></mj-column></mj-section></mj-body></mjml>"
        )
    };
    let (_, report) = compile(&[("c/templates/a.email.en.mjml", &mail("shop.example/cart"))]);
    assert!(report.to_string().contains("leads nowhere"), "{report}");
    let good = mail("https://shop.example/cart");
    let (_, report) = compile(&[
        ("c/templates/a.email.en.mjml", &good),
        ("c/templates/a.email.uk.mjml", &good),
        ("c/templates/b.email.en.mjml", &good),
    ]);
    assert!(!report.has_errors(), "{report}");
    assert!(report.to_string().contains("no text in `uk`"), "{report}");
}
