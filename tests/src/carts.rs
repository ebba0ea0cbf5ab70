//! A shop with one campaign: whoever leaves a cart is reminded by email, unless he buys.

use serde_json::json;

use crate::shop::{Shop, Storefront};
use winback_testkit::Result;

/// Its rules.
pub const POLICY: &str = r#"apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }
  topics: { marketing: { consent: not_denied } }
  groups: { cart: { ended_by: Order Completed } }
  senders: { email: { from: "Shop <hello@shop.example>", unsubscribe: "mailto:out@shop.example" } }
"#;

/// Its mail.
pub const MAIL: &str = "<mjml><mj-head><mj-title>Your cart</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>It waits.</mj-text></mj-column></mj-section></mj-body></mjml>";

/// The campaign, with the delay of the reminder.
pub fn campaign(idle: &str) -> String {
    format!(
        "apiVersion: winback/v1
kind: Campaign
metadata: {{ name: cart, group: cart }}
spec:
  enter: {{ on: Product Added, key: event.cart_id, idle: {idle} }}
  exit: {{ converted: Order Completed }}
  cascade: [ {{ step: reminder, send: [email] }} ]
"
    )
}

/// Opens the shop; see [`Shop::open`].
///
/// # Errors
/// When a part is missing or a command fails.
pub fn open(idle: &str, settings: &[(&str, &str)]) -> Result<Shop> {
    let cart = campaign(idle);
    let campaigns = [
        ("cart/campaign.yaml", cart.as_str()),
        ("cart/templates/reminder.email.en.mjml", MAIL),
    ];
    Shop::open(POLICY, &campaigns, settings)
}

impl Storefront {
    /// Somebody with the address `USER@example.com` leaves a cart.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn leave_cart(&mut self, user: &str) -> Result<()> {
        let device = format!("d-{user}");
        let email = format!("{user}@example.com");
        let traits = json!({ "type": "identify", "userId": user, "anonymousId": device, "traits": { "email": email } });
        self.send(user, &traits)?;
        let line = json!({ "cart_id": format!("k{user}"), "product_id": "p1", "price": 12.5 });
        let added = json!({ "type": "track", "event": "Product Added", "userId": user, "anonymousId": device, "properties": line });
        self.send(user, &added)
    }
}
