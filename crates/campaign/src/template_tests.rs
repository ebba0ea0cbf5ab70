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
