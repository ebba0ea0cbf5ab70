//! Links of a text that lead nowhere: without an address, without a scheme, or with one that no mail may carry.
//!
//! They are looked at in the text as sample customers get it, and never followed.

/// Schemes a text may link to.
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "tel:"];

/// What is wrong with the links of an HTML part; the first of each kind is enough.
pub(super) fn broken(html: &str) -> Option<String> {
    let mut rest = html;
    while let Some(found) = [rest.find("href=\""), rest.find("src=\"")]
        .into_iter()
        .flatten()
        .min()
    {
        let behind = &rest[found..];
        let start = behind.find('"').map_or(behind.len(), |quote| quote + 1);
        let value = &behind[start..];
        let end = value.find('"').unwrap_or(value.len());
        if let Some(problem) = problem(super::unescape(&value[..end]).trim()) {
            return Some(problem);
        }
        rest = &value[end..];
    }
    None
}

fn problem(link: &str) -> Option<String> {
    if link.is_empty() {
        return Some("a link has no address".to_owned());
    }
    let lower = link.to_lowercase();
    if SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) || link.starts_with('#') {
        return None;
    }
    Some(format!(
        "the link `{link}` leads nowhere: it begins with none of {}",
        SCHEMES.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn a_link_needs_an_address_with_a_scheme() {
        for (html, expect) in [
            ("<a href=\"https://shop.example/x\">", None),
            (
                "<a href=\"mailto:care@shop.example\"><img src=\"https://shop.example/p.jpg\">",
                None,
            ),
            ("<a href=\"https:&#x2f;&#x2f;shop.example\">", None),
            ("<a href=\"#top\">", None),
            ("<a href=\"\">", Some("no address")),
            ("<a href=\"shop.example/x\">", Some("shop.example/x")),
            ("<a href=\"JavaScript:alert(1)\">", Some("leads nowhere")),
            ("<a href=\"https://a\"><img src=\" \">", Some("no address")),
            ("<img src=\"\"><a href=\"https://a\">", Some("no address")),
        ] {
            match (broken(html), expect) {
                (None, None) => {}
                (Some(found), Some(part)) => assert!(found.contains(part), "{html}: {found}"),
                (found, _) => panic!("{html}: {found:?}"),
            }
        }
    }
}
