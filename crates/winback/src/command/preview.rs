//! `winback preview DIR CAMPAIGN`: the texts of its steps in every channel and locale, as sample customers get them.

use std::path::PathBuf;

use serde_json::{Value, json};
use winback_campaign::model::OfferKind;
use winback_campaign::{Bundle, template::Rendered};

use crate::error::Error;
use crate::output;

/// Arguments of preview.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    folder: PathBuf,
    /// The campaign
    campaign: String,
    /// Only this locale
    #[arg(long)]
    locale: Option<String>,
    /// Write files here instead of printing texts
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let (_, bundle, _) = super::check::compiled(&arguments.folder, "the campaigns have errors")?;
    let offer = offer(&bundle, &arguments.campaign);
    let all = bundle
        .templates
        .previews(&arguments.campaign, offer.as_ref());
    if all.is_empty() {
        return Err(Error::Usage(format!(
            "there is no campaign `{}` with texts",
            arguments.campaign
        )));
    }
    for preview in all {
        if arguments
            .locale
            .as_ref()
            .is_some_and(|only| *only != preview.locale)
        {
            continue;
        }
        let name = format!(
            "{}.{}.{}.{}",
            preview.step, preview.channel, preview.locale, preview.sample
        );
        let rendered = preview
            .rendered
            .map_err(|failure| Error::Findings(failure.to_string()))?;
        match (&arguments.out, &rendered) {
            (None, Rendered::Email(mail)) => {
                output::print(&format!(
                    "=== {name}\nSubject: {}\n\n{}",
                    mail.subject, mail.text
                ));
            }
            (None, Rendered::Text(text)) => output::print(&format!("=== {name}\n{text}\n")),
            (Some(folder), rendered) => {
                let write = |ending: &str, text: &str| -> std::io::Result<()> {
                    std::fs::create_dir_all(folder)?;
                    let path = folder.join(format!("{name}.{ending}"));
                    std::fs::write(&path, text)?;
                    output::print(&path.display().to_string());
                    Ok(())
                };
                let written = match rendered {
                    Rendered::Email(mail) => {
                        write("html", &mail.html).and_then(|()| write("txt", &mail.text))
                    }
                    Rendered::Text(text) => write("txt", text),
                };
                written.map_err(|error| Error::Usage(format!("{}: {error}", folder.display())))?;
            }
        }
    }
    Ok(())
}

/// The first offer of a campaign, as its texts would see it.
fn offer(bundle: &Bundle, campaign: &str) -> Option<Value> {
    let mut steps = bundle.campaign(campaign)?.steps();
    let offer = steps.find_map(|step| step.offer.as_ref())?;
    let coupon = match &offer.kind {
        OfferKind::Coupon(pool) => bundle.policy.coupons.get(pool),
        _ => None,
    };
    let (what, worth) = match &offer.kind {
        OfferKind::Coupon(pool) => (pool.clone(), coupon.and_then(|coupon| coupon.worth.clone())),
        OfferKind::Points(points) => (points.to_string(), Some(points.to_string())),
        OfferKind::FreeDelivery => (String::new(), None),
        OfferKind::Gift(name) | OfferKind::Terms(name) => (name.clone(), None),
    };
    let mut shown = json!({
        "kind": offer.kind.word(),
        "what": what,
        "expires_at": "2026-12-01T00:00:00Z",
        "expires_on": "2026-12-01",
    });
    if let Some(worth) = worth {
        shown["worth"] = json!(worth);
    }
    if let Some(coupon) = coupon {
        // A code of a pool is made up; nobody has it.
        let code = coupon
            .code
            .clone()
            .unwrap_or_else(|| format!("{what}-7K3M9Q"));
        shown["code"] = json!(code);
    }
    Some(shown)
}
