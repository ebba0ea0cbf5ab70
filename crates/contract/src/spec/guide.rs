//! For the storefront's developers: when to send each event, what it does, and an example of it. `docs/storefront/events.md`
//! is made of this.

use serde_json::{Map, Value, json};

use super::{EventSpec, Field, FieldType, Need, PRODUCT_FIELDS, is_about_the_shop};

/// Event, when to send it, what it does.
const GUIDE: &[(&str, &str, &str)] = &[
    (
        "Page Viewed",
        "Somebody opens a page that has no event of its own.",
        "A visit: delays that wait for silence start anew, and a session goes on.",
    ),
    (
        "Products Searched",
        "Somebody searches the shop.",
        "Kept for conditions; campaigns may begin with it.",
    ),
    (
        "Product List Viewed",
        "A category or a list of goods is shown.",
        "Kept for conditions; interest in its category.",
    ),
    (
        "Product Clicked",
        "A product of a list is clicked.",
        "Kept for conditions.",
    ),
    (
        "Product Viewed",
        "The page of a product is opened.",
        "Begins campaigns for who looked and left; the product is remembered for news of its price and stock.",
    ),
    (
        "Product Added",
        "A product is put into the cart. One event a product, with the quantity that was added.",
        "Opens or grows the cart and begins campaigns for carts that are left.",
    ),
    (
        "Product Removed",
        "A product is taken out of the cart. With a quantity, so many of it; without, all.",
        "Shrinks the cart; a cart without goods ends what asks for it.",
    ),
    (
        "Cart Viewed",
        "The cart is opened.",
        "A visit; changes nothing in the cart.",
    ),
    (
        "Cart Updated",
        "The shop's server knows the whole cart: after each change, also when it is emptied.",
        "Replaces the cart by `products`; a list without goods empties it, one that can't be read changes nothing.",
    ),
    (
        "Checkout Started",
        "The checkout is opened.",
        "Begins campaigns for checkouts that are left; its `email` and `phone` are the customer's.",
    ),
    (
        "Checkout Step Viewed",
        "A step of the checkout is shown.",
        "Kept for conditions.",
    ),
    (
        "Checkout Step Completed",
        "A step of the checkout is done.",
        "Kept for conditions.",
    ),
    (
        "Payment Info Entered",
        "A way to pay is chosen.",
        "Kept for conditions.",
    ),
    (
        "Payment Failed",
        "A payment is refused, or given up.",
        "Begins campaigns that help to pay; `retry_url` leads back.",
    ),
    (
        "Order Completed",
        "An order is placed: at once, from the page of thanks or from the server. Told twice under one `order_id` it is counted once.",
        "**Ends every message that asks for the order**, whoever holds an address it carries; counts for silence, sums and goals; the cart it names is bought.",
    ),
    (
        "Order Updated",
        "Total, goods or status of an order change.",
        "The order is kept as it is now; a status that says cancelled takes it back.",
    ),
    (
        "Order Cancelled",
        "An order is cancelled, before or after it was told.",
        "The order was none: silence, sums and goals are as before it.",
    ),
    (
        "Order Refunded",
        "Money goes back: `total` is how much this time; without it all that is left.",
        "Sums shrink by it.",
    ),
    (
        "Order Shipped",
        "An order is handed to the carrier.",
        "Service messages; no visit of the customer.",
    ),
    (
        "Order Delivered",
        "An order has arrived.",
        "Begins requests for a review; no visit of the customer.",
    ),
    (
        "Coupon Applied",
        "A code is accepted.",
        "Kept for conditions.",
    ),
    (
        "Coupon Entered",
        "A code is typed in.",
        "Kept for conditions.",
    ),
    (
        "Coupon Denied",
        "A code is refused.",
        "Kept for conditions.",
    ),
    (
        "Coupon Removed",
        "A code is taken back.",
        "Kept for conditions.",
    ),
    (
        "Product Added to Wishlist",
        "A product is put on the wish list.",
        "The product is remembered: news of its price and stock reach the customer.",
    ),
    (
        "Product Removed from Wishlist",
        "A product is taken off the wish list.",
        "Its news is told no more.",
    ),
    (
        "Product Reviewed",
        "A review is written.",
        "Ends the request for one, if the product was of that order.",
    ),
    (
        "Promotion Viewed",
        "A banner is shown.",
        "Kept for conditions.",
    ),
    (
        "Promotion Clicked",
        "A banner is clicked.",
        "Kept for conditions.",
    ),
    (
        "Signed Up",
        "An account is made.",
        "Begins welcomes; joins what the device did before.",
    ),
    (
        "Signed In",
        "Somebody logs in.",
        "Joins what the device did before with the account.",
    ),
    (
        "Identified",
        "An identify call: traits of the person are known or change.",
        "Keeps the traits; its `email` and `phone` are the customer's.",
    ),
    (
        "Consent Updated",
        "Somebody says yes or no to a channel, and maybe to a topic, anywhere.",
        "Asked before every message. What nobody understands is a no, never a yes.",
    ),
    (
        "Unsubscribed",
        "A mail tool tells that somebody has unsubscribed.",
        "A no to mail, for whoever holds the address.",
    ),
    (
        "Email Marked as Spam",
        "A mail tool tells of a complaint.",
        "A no to mail that a change of address does not undo.",
    ),
    (
        "Email Bounced",
        "A mail tool tells that an address does not work.",
        "The address is not written to again.",
    ),
    (
        "Email Delivered",
        "A mail tool tells of a delivery.",
        "Kept for conditions; no visit.",
    ),
    (
        "Email Opened",
        "A mail tool tells of an opening.",
        "Kept for conditions; no visit.",
    ),
    (
        "Email Link Clicked",
        "A mail tool tells of a click.",
        "Kept for conditions; no visit.",
    ),
    (
        "Newsletter Subscribed",
        "Somebody signs up for the newsletter.",
        "Begins welcomes. It is no consent: send `Consent Updated` beside it.",
    ),
    (
        "Points Credited",
        "Points of the loyalty programme are given.",
        "The balance, and how far the next level is.",
    ),
    (
        "Points Spent",
        "Points are spent.",
        "The balance; ends what asks to spend them.",
    ),
    ("Points Burnt", "Points expire.", "The balance."),
    (
        "Level Reached",
        "A level of the loyalty programme is reached.",
        "The level.",
    ),
    (
        "Complaint Opened",
        "A customer complains.",
        "No marketing while it is open.",
    ),
    (
        "Complaint Settled",
        "The complaint is settled.",
        "Marketing goes on.",
    ),
    (
        "Survey Answered",
        "A survey is answered.",
        "Ends the request for it; the score is kept.",
    ),
    (
        "Churn Reason Recorded",
        "Somebody learns why a customer left.",
        "The reason is kept, for news of what got better.",
    ),
    (
        "Call Completed",
        "An agent has called.",
        "The result of a step by call.",
    ),
    (
        "Task Completed",
        "A task of the shop's own people is done.",
        "The result of a step by task.",
    ),
    (
        "Invitation Answered",
        "An invitation is answered.",
        "Ends the invitation.",
    ),
    (
        "Product Updated",
        "Price, stock or page of a product change; every product once to begin with. The record's key should be the product id.",
        "The catalogue; a price that changed enough and stock that came or went are told to those who know the product.",
    ),
    (
        "Customer Erased",
        "Somebody asks to be forgotten.",
        "Everything that is kept of the person goes.",
    ),
    (
        "Coupons Added",
        "New single-use codes are there for a pool of the Policy.",
        "They are handed out, each once.",
    ),
    (
        "Stock Alert Requested",
        "Somebody wants to know when a product is back.",
        "The product is remembered; its `email` and `phone` are the customer's.",
    ),
    (
        "News Published",
        "The shop has news for everybody.",
        "Begins campaigns that tell it.",
    ),
    (
        "Improvement Published",
        "The shop has mended why some have left.",
        "Begins campaigns for those who left for that reason.",
    ),
    (
        "Season Published",
        "A season of the shop begins.",
        "Begins campaigns that tell it.",
    ),
    (
        "Gathering Published",
        "The shop invites.",
        "Begins campaigns that invite.",
    ),
];

/// When to send an event of the contract, and what it does.
pub fn guide(spec: &EventSpec) -> (&'static str, &'static str) {
    let mut all = GUIDE.iter();
    all.find(|(name, ..)| *name == spec.name)
        .map_or(("", ""), |(_, when, does)| (when, does))
}

/// An example of an event, as a storefront sends it: every field that it has.
pub fn example(spec: &EventSpec) -> Value {
    let at = "2026-03-02T10:15:00+02:00";
    if spec.name == "Identified" {
        return json!({ "type": "identify", "messageId": "m-1042", "userId": "u-17", "timestamp": at,
            "traits": { "email": "ann@example.com", "phone": "+380501234567", "first_name": "Ann", "birthday": "1990-05-14" } });
    }
    let mut properties: Map<String, Value> = fields(spec.fields);
    if spec.product {
        properties.extend(fields(PRODUCT_FIELDS));
    }
    match spec.name {
        "Consent Updated" => {
            properties.insert("status".into(), "denied".into());
        }
        "Order Updated" => {
            properties.insert("status".into(), "processing".into());
        }
        _ => {}
    }
    let mut call = json!({ "type": "track", "event": spec.name, "messageId": "m-1042", "timestamp": at, "properties": properties });
    if !is_about_the_shop(spec.name) {
        call["userId"] = "u-17".into();
    }
    call
}

fn fields(fields: &[Field]) -> Map<String, Value> {
    let fields = fields.iter();
    fields
        .map(|field| (field.name.to_owned(), value(field)))
        .collect()
}

/// A value as one of this name and type looks.
pub fn value(field: &Field) -> Value {
    match field.name {
        "email" => "ann@example.com".into(),
        "phone" => "+380501234567".into(),
        "currency" => "EUR".into(),
        "order_id" => "o-1001".into(),
        "cart_id" => "c-55".into(),
        "checkout_id" => "co-77".into(),
        "product_id" => "p-300".into(),
        "channel" => "email".into(),
        "topic" => "marketing".into(),
        "status" => "paid".into(),
        "quantity" => 2.into(),
        "rating" => 5.into(),
        "codes" => json!(["SPRING-1", "SPRING-2"]),
        "pool" => "SPRING".into(),
        "query" => "espresso cup".into(),
        "name" => "Espresso cup".into(),
        "category" => "kitchen".into(),
        "brand" => "Lavo".into(),
        "sku" => "LV-300-W".into(),
        "variant" => "white".into(),
        name if name.ends_with("url") => "https://shop.example/p/300".into(),
        name => match field.kind {
            FieldType::Text => name.replace('_', " ").into(),
            FieldType::Number => 3.into(),
            FieldType::Amount => json!(49.9),
            FieldType::Bool => true.into(),
            FieldType::Time => "2026-03-04T12:00:00+02:00".into(),
            FieldType::Texts => json!(["one", "two"]),
            FieldType::Products => {
                json!([{ "product_id": "p-300", "name": "Espresso cup", "price": 49.9, "quantity": 2 }])
            }
        },
    }
}

/// The reference of all events, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(HEAD);
    for spec in super::events() {
        let (when, does) = guide(spec);
        let who = if is_about_the_shop(spec.name) {
            " It names nobody."
        } else {
            ""
        };
        out.push_str(&format!("\n## {}\n\n{when}{who} {does}\n", spec.name));
        if !spec.aliases.is_empty() {
            let aliases = spec.aliases.iter();
            let aliases: Vec<String> = aliases.map(|alias| format!("`{alias}`")).collect();
            out.push_str(&format!("\nAlso known as {}.\n", aliases.join(", ")));
        }
        out.push_str(&table(spec));
        let example = serde_json::to_string_pretty(&example(spec)).unwrap_or_default();
        out.push_str(&format!("\n```json\n{example}\n```\n"));
    }
    out.push_str("\n## Fields of a product\n\nIn `products`, and beside the fields of events about one product.\n");
    out.push_str(&rows(PRODUCT_FIELDS));
    out
}

const HEAD: &str = "# Events, one by one

`make generate` writes this page from the code. What holds for all of them (names, identities, times, amounts, consent) stands in
[../events.md](../events.md); which shape your system's records have in [from-your-shop.md](from-your-shop.md). Fields that are not in a table are
kept as the event's own: conditions read them as `event.name`, up to 32 of an event.
";

fn table(spec: &EventSpec) -> String {
    let mut out = if spec.fields.is_empty() {
        String::new()
    } else {
        rows(spec.fields)
    };
    if spec.product {
        out.push_str("\nIts properties are those of a product: see the end of this page.\n");
    }
    out
}

fn rows(fields: &[Field]) -> String {
    let mut out = String::from("\n| field | type | example |\n|---|---|---|\n");
    for field in fields {
        let kind = match field.kind {
            FieldType::Text => "text",
            FieldType::Number => "number",
            FieldType::Amount => "amount",
            FieldType::Bool => "yes or no",
            FieldType::Products => "products",
            FieldType::Time => "time",
            FieldType::Texts => "texts",
        };
        let needed = if field.need == Need::Required {
            ", needed"
        } else {
            ""
        };
        let name = field.name;
        out.push_str(&format!(
            "| `{name}` | {kind}{needed} | `{}` |\n",
            value(field)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_explained_once() {
        for spec in super::super::events() {
            let (when, does) = guide(spec);
            assert!(!when.is_empty() && !does.is_empty(), "{}", spec.name);
        }
        assert_eq!(GUIDE.len(), super::super::events().count());
    }
}
