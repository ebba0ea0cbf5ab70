//! `winback preview DIR CAMPAIGN`: the texts of its steps in every channel and locale, as sample customers get them.

use std::path::PathBuf;

use serde_json::{Value, json};
use winback_campaign::model::{Entry, Offer, OfferKind, Step};
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
    let shown = |text: &str| shown(&bundle, &arguments.campaign, text);
    let all = bundle.templates.previews(&arguments.campaign, &shown);
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

/// The offer that a text shows, and whether it recommends goods. A journey keeps the offer of an earlier step.
pub(super) fn shown(bundle: &Bundle, campaign: &str, text: &str) -> (Option<Value>, bool) {
    let Some(campaign) = bundle.campaign(campaign) else {
        return (None, false);
    };
    let steps: Vec<(usize, &Step)> = campaign
        .entries
        .iter()
        .enumerate()
        .filter_map(|(place, entry)| match entry {
            Entry::Step(step) => Some((place, step)),
            _ => None,
        })
        .collect();
    let own: Vec<&(usize, &Step)> = steps
        .iter()
        .filter(|(_, step)| step.template == text)
        .collect();
    let kept = own.iter().find_map(|(place, step)| {
        let earlier = steps
            .iter()
            .filter(|(from, _)| campaign.leads(*from, *place));
        step.offer
            .as_ref()
            .or_else(|| earlier.filter_map(|(_, step)| step.offer.as_ref()).next())
    });
    let recommends = own.iter().any(|(_, step)| step.recommend.is_some());
    (kept.map(|kept| offer(bundle, kept)), recommends)
}

/// An offer as texts would see it.
fn offer(bundle: &Bundle, offer: &Offer) -> Value {
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
    if let Some(upon) = &offer.upon {
        shown["upon"] = json!(upon);
    }
    if let Some(coupon) = coupon {
        // A code of a pool is made up; nobody has it.
        let code = coupon
            .code
            .clone()
            .unwrap_or_else(|| format!("{what}-7K3M9Q"));
        shown["code"] = json!(code);
    }
    shown
}
