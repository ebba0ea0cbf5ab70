//! The script of the shop: every visit of every person over the days, as Segment records in order of time.

use serde_json::{Value, json};
use winback_contract::{Span, Timestamp};

use crate::people::{GOODS, NAMES};
use crate::random::Random;

/// How big and how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of all chance.
    pub seed: u64,
    /// First day.
    pub start: Timestamp,
    /// How many days.
    pub days: i64,
    /// How many people.
    pub people: u64,
}

/// One record of the storefront.
#[derive(Clone, Debug, PartialEq)]
pub struct Raw {
    /// When it happens and arrives.
    pub at: Timestamp,
    /// Key of the record.
    pub key: String,
    /// Segment's JSON.
    pub body: Value,
}

struct Person {
    number: u64,
    user: String,
    device: String,
    name: &'static str,
    /// Whether the person is logged in from the start, or only at the end of a visit, if at all.
    habit: Habit,
    /// Mean days between visits.
    rhythm: i64,
    /// Day after which the person is gone.
    leaves_after: i64,
}

#[derive(Clone, Copy, PartialEq)]
enum Habit {
    LoggedIn,
    LateLogin,
    Guest,
}

struct Script {
    random: Random,
    out: Vec<Raw>,
    messages: u64,
}

/// The whole script, in order of time.
pub fn generate(options: &Options) -> Vec<Raw> {
    let mut script = Script {
        random: Random::new(options.seed),
        out: Vec::new(),
        messages: 0,
    };
    for number in 0..options.people {
        let random = &mut script.random;
        let habit = match random.below(10) {
            0..=5 => Habit::LoggedIn,
            6..=8 => Habit::LateLogin,
            _ => Habit::Guest,
        };
        let gone = if random.percent(35) {
            random.between(0, 14)
        } else {
            options.days
        };
        let person = Person {
            number,
            user: format!("u{number}"),
            device: format!("d{:x}", random.next_u64()),
            name: random.pick(NAMES).copied().unwrap_or("Olha"),
            habit,
            rhythm: random.between(6, 30),
            leaves_after: gone,
        };
        script.life(&person, options);
    }
    script
        .out
        .sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
    script.out
}

impl Script {
    fn life(&mut self, person: &Person, options: &Options) {
        let mut day = self.random.between(0, person.rhythm.min(12));
        let mut visits = 0;
        while day < options.days && (day <= person.leaves_after || visits == 0) {
            let hour = self.random.between(7, 22);
            let at = options.start
                + Span::from_days(day)
                + Span::from_hours(hour)
                + self.seconds(0, 3_600);
            self.visit(person, at, visits == 0);
            visits += 1;
            day += self
                .random
                .between(person.rhythm / 2, person.rhythm * 2)
                .max(1);
        }
    }

    fn seconds(&mut self, from: i64, to: i64) -> Span {
        Span::from_secs(self.random.between(from, to))
    }

    /// Browse; perhaps a cart; perhaps an order, at once or after coming back.
    fn visit(&mut self, person: &Person, start: Timestamp, first: bool) {
        let mut at = start;
        let logged_in = person.habit == Habit::LoggedIn;
        if logged_in || (first && person.habit == Habit::LateLogin && self.random.percent(50)) {
            self.identify(person, at);
        }
        for _ in 0..self.random.between(1, 5) {
            at = at + self.seconds(10, 120);
            let good = self.random.below(GOODS.len() as u64);
            let product = product(good, 1);
            self.track(person, at, logged_in, "Product Viewed", product);
        }
        if !self.random.percent(60) {
            return;
        }
        let cart = format!("c{}-{}", person.number, self.random.below(1_000_000));
        let mut lines = Vec::new();
        for _ in 0..self.random.between(1, 4) {
            at = at + self.seconds(10, 180);
            let mut line = product(
                self.random.below(GOODS.len() as u64),
                self.random.below(2) + 1,
            );
            line["cart_id"] = json!(cart);
            lines.push(line.clone());
            self.track(person, at, logged_in, "Product Added", line);
        }
        if person.habit == Habit::LateLogin && self.random.percent(80) {
            at = at + self.seconds(20, 200);
            self.identify(person, at);
        }
        match self.random.below(100) {
            0..=29 => {
                let pause = self.seconds(60, 600);
                self.order(person, at + pause, &cart, &lines);
            }
            // Left alone, and bought after the first mail.
            30..=54 => {
                let pause = self.seconds(3_600, 20 * 3_600);
                let back = at + pause;
                self.track(
                    person,
                    back,
                    logged_in,
                    "Cart Viewed",
                    json!({ "cart_id": cart }),
                );
                self.order(person, back + Span::from_mins(4), &cart, &lines);
            }
            55..=59 => {
                at = at + self.seconds(60, 600);
                let empty = json!({ "cart_id": cart, "products": [] });
                self.track(person, at, logged_in, "Cart Updated", empty);
            }
            _ => {}
        }
    }

    fn identify(&mut self, person: &Person, at: Timestamp) {
        let traits = json!({ "email": email(person), "firstName": person.name, "locale": "en", "timezone": "Europe/Kyiv" });
        let body = json!({ "type": "identify", "userId": person.user, "anonymousId": person.device, "traits": traits });
        self.emit(person, at, body);
    }

    fn track(
        &mut self,
        person: &Person,
        at: Timestamp,
        logged_in: bool,
        event: &str,
        properties: Value,
    ) {
        let mut body = json!({ "type": "track", "event": event, "anonymousId": person.device, "properties": properties });
        if logged_in {
            body["userId"] = json!(person.user);
        }
        self.emit(person, at, body);
    }

    fn order(&mut self, person: &Person, at: Timestamp, cart: &str, lines: &[Value]) {
        let cents: i64 = lines.iter().map(line_cents).sum();
        let properties = json!({
            "order_id": format!("o-{cart}"), "cart_id": cart, "currency": "EUR", "total": cents as f64 / 100.0,
            "products": lines, "email": email(person),
        });
        let mut body = json!({ "type": "track", "event": "Order Completed", "anonymousId": person.device, "properties": properties });
        if person.habit != Habit::Guest {
            body["userId"] = json!(person.user);
        }
        self.emit(person, at, body);
    }

    fn emit(&mut self, person: &Person, at: Timestamp, mut body: Value) {
        self.messages += 1;
        body["messageId"] = json!(format!("m{}", self.messages));
        body["timestamp"] = json!(at.to_string());
        self.out.push(Raw {
            at,
            key: person.device.clone(),
            body,
        });
    }
}

fn email(person: &Person) -> String {
    format!(
        "{}.{}@example.com",
        person.name.to_lowercase(),
        person.number
    )
}

fn product(index: u64, quantity: u64) -> Value {
    let (id, name, category, cents) = GOODS[usize::try_from(index).unwrap_or(0) % GOODS.len()];
    json!({
        "product_id": id, "name": name, "category": category, "price": cents as f64 / 100.0, "currency": "EUR",
        "quantity": quantity, "url": format!("https://shop.example/p/{id}"),
    })
}

fn line_cents(line: &Value) -> i64 {
    let price = line["price"].as_f64().unwrap_or(0.0);
    (price * 100.0).round() as i64 * line["quantity"].as_i64().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_shop_in_order_of_time() {
        let options = Options {
            seed: 7,
            start: Timestamp::from_millis(0),
            days: 20,
            people: 30,
        };
        let shop = generate(&options);
        assert_eq!(shop, generate(&options));
        assert!(shop.len() > 100 && shop.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert_ne!(shop, generate(&Options { seed: 8, ..options }));
    }
}
