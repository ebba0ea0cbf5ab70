//! What dispatch gets of a booked step: the address, and the facts its texts may show.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use winback_campaign::Campaign;
use winback_contract::message::{
    CartFacts, CustomerFacts, Facts, NewsText, OrderText, PointsText, TaskText, Wish,
};
use winback_contract::{Message, OfferText, Product, Timestamp};

use crate::customer::{Customer, Line};
use crate::facts;
use crate::facts::property::{line, text};
use crate::state::{EntryFacts, Journey, Pending};
use crate::world::World;

/// Most products of one message.
const SHOWN: usize = 12;

/// The message of a pending attempt; `None` when the address or the step is gone.
pub fn message(
    customer: &Customer,
    pending: &Pending,
    not_before: Timestamp,
    world: &World<'_>,
) -> Option<Message> {
    let journey = customer
        .journeys
        .iter()
        .find(|journey| journey.id == pending.journey)?;
    let bundle = world.bundles.get(journey.bundle)?;
    let campaign = bundle.campaign(&journey.campaign)?;
    let step = campaign.step(&pending.step)?;
    let address = customer.profile.address(pending.channel)?.to_owned();
    let asked = facts::Facts {
        journey: Some(journey),
        topic: Some(&campaign.topic),
        ..world.facts(&bundle.policy, customer, not_before)
    };
    let cart = asked.cart_of_journey().map(|cart| CartFacts {
        items: cart.lines.iter().map(Product::from).collect(),
        more: cart.more,
        total: cart.sum(),
        url: cart.url.clone(),
    });
    let order = asked.order_of_journey().map(|order| OrderText {
        id: order.id.clone(),
        total: order.total,
        placed_at: order.placed_at,
        promised_at: order.promised_at,
        product_ids: order
            .products
            .iter()
            .map(|touch| touch.product_id.clone())
            .collect(),
    });
    let items = step
        .show
        .as_ref()
        .and_then(|show| show.list(&asked).ok())
        .map(|list| shown(&list, customer))
        .unwrap_or_default();
    let facts = Facts {
        customer: person(customer),
        cart,
        offer: offer(campaign, journey, not_before),
        orders: customer.orders.count,
        recommend: wish(step, &items, &asked, world),
        recommended: Vec::new(),
        items,
        entry: values(&journey.entry),
        answer: journey.answer.as_deref().map(values).unwrap_or_default(),
        order,
        points: points(customer),
        news: news(journey, world),
        task: step.task.as_ref().map(|task| TaskText {
            team: task.team.clone(),
            due: not_before + task.due,
            may_offer: task.may_offer.clone(),
        }),
        stay_until: (pending.channel == winback_contract::Channel::Ads)
            .then(|| not_before + step.stay),
    };
    Some(Message {
        v: Message::VERSION,
        id: pending.message,
        attempt: pending.attempt,
        customer: world.customer,
        partition: world.partition,
        journey: journey.id,
        campaign: journey.campaign.clone(),
        step: pending.step.clone(),
        template: step.template.clone(),
        channel: pending.channel,
        address,
        bundle: journey.bundle,
        not_before,
        not_after: pending.not_after,
        facts,
    })
}

/// What to recommend: chosen by what sells in this partition, and filled in from the catalogue when it is rendered.
fn wish(
    step: &winback_campaign::Step,
    items: &[Product],
    asked: &facts::Facts<'_>,
    world: &World<'_>,
) -> Option<Wish> {
    let recommend = step.recommend?;
    let mut about: Vec<String> = items.iter().map(|item| item.product_id.clone()).collect();
    let cart = asked.cart_of_journey().into_iter();
    about.extend(
        cart.flat_map(|cart| &cart.lines)
            .map(|line| line.product_id.clone()),
    );
    let order = asked.order_of_journey().into_iter();
    about.extend(
        order
            .flat_map(|order| &order.products)
            .map(|touch| touch.product_id.clone()),
    );
    about.sort_unstable();
    about.dedup();
    let behaviour = &asked.customer.behaviour;
    let mut categories: Vec<String> = Vec::new();
    let of_session = behaviour
        .session
        .iter()
        .flat_map(|session| session.categories.iter().rev());
    let of_views = behaviour
        .views
        .iter()
        .rev()
        .filter_map(|touch| touch.category.as_ref());
    for category in of_session.chain(of_views) {
        if !categories.contains(category) {
            categories.push(category.clone());
        }
    }
    categories.truncate(SHOWN);
    Some(Wish {
        kind: recommend.kind.word().to_owned(),
        count: u32::try_from(recommend.count).unwrap_or(u32::MAX),
        candidates: world
            .sellers
            .candidates(recommend.kind, &about, &categories),
        categories,
        not: about,
    })
}

fn person(customer: &Customer) -> CustomerFacts {
    let profile = &customer.profile;
    CustomerFacts {
        first_name: profile.first_name.clone(),
        last_name: profile.last_name.clone(),
        city: profile.city.clone(),
        locale: profile.locale.clone(),
        level: profile.level.clone(),
        traits: profile.custom.iter().cloned().collect(),
        typed: profile
            .typed
            .iter()
            .map(|(name, field)| (name.clone(), field.json()))
            .collect(),
    }
}

/// Past its end there is no offer (ADR 0015).
fn offer(campaign: &Campaign, journey: &Journey, now: Timestamp) -> Option<OfferText> {
    let offer = journey
        .offer
        .as_ref()
        .filter(|offer| offer.expires_at > now)?;
    let mut made = campaign.steps().filter_map(|step| step.offer.as_ref());
    let upon = made
        .find(|part| part.kind.word() == offer.kind && part.kind.what() == offer.pool)
        .and_then(|part| part.upon.clone());
    Some(OfferText {
        kind: offer.kind.clone(),
        what: offer.pool.clone(),
        code: offer.code.clone(),
        worth: offer.worth.clone(),
        expires_at: offer.expires_at,
        upon,
    })
}

fn points(customer: &Customer) -> Option<PointsText> {
    let points = customer.behaviour.points?;
    Some(PointsText {
        balance: points.balance,
        expiring: points.expiring,
        expires_at: points.expires_at,
        to_next_level: points.to_next_level,
    })
}

/// The announcement that began the journey, else the newest.
fn news(journey: &Journey, world: &World<'_>) -> Option<NewsText> {
    let own = world
        .news
        .iter()
        .find(|news| news.id.to_string() == journey.key);
    let news = own.or_else(|| world.news.iter().max_by_key(|news| news.at))?;
    Some(NewsText {
        title: text(&news.event, "title")?,
        url: news.event.url.clone(),
        text: text(&news.event, "text"),
    })
}

/// Products of a list, with what the state still knows of them.
fn shown(list: &[cel::Value], customer: &Customer) -> Vec<Product> {
    let known = |line: &Line| {
        let carts = customer.carts.iter().flat_map(|cart| &cart.lines);
        let viewed = customer
            .behaviour
            .session
            .iter()
            .flat_map(|session| &session.viewed);
        let ordered = customer.orders.list.iter().rev();
        let ordered = ordered.flat_map(|order| &order.lines);
        let all: Vec<&Line> = carts.chain(viewed).chain(ordered).collect();
        let exact = all.iter().find(|other| other.is_like(line));
        // Lines of older orders know no size.
        let any = || {
            let is_it =
                |other: &&&Line| line.variant().is_none() && other.product_id == line.product_id;
            all.iter().find(is_it)
        };
        exact.or_else(any).copied()
    };
    list.iter()
        .filter_map(line)
        .take(SHOWN)
        .map(|line| Product {
            variant: line.variant().map(str::to_owned),
            ..Product::from(known(&line).unwrap_or(&line))
        })
        .collect()
}

fn values(entry: &EntryFacts) -> BTreeMap<String, Value> {
    let mut map = BTreeMap::from([("name".to_owned(), json!(entry.name))]);
    let mut put = |name: &str, value: Option<&String>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), json!(value));
        }
    };
    put("cart_id", entry.cart_id.as_ref());
    put("order_id", entry.order_id.as_ref());
    put("product_id", entry.product_id.as_ref());
    if let Some(total) = entry.total {
        map.insert("total".to_owned(), json!(total));
    }
    for (name, field) in &entry.fields {
        map.insert(name.clone(), field.json());
    }
    if let Some(item) = entry.item.as_deref() {
        map.insert("item".to_owned(), json!(Product::from(item)));
    }
    map
}
