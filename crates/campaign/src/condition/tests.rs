//! Conditions against a small shop.

use std::collections::HashMap;

use super::check::Wanted;
use super::*;
use crate::names;

struct Shop;
impl Variables for Shop {
    fn get(&self, name: &str, _fields: Option<&[String]>) -> Option<Value> {
        match name {
            "cart" => Some(Value::from(HashMap::from([("total", Value::Float(300.0))]))),
            "orders" => Some(Value::from(HashMap::from([(
                "silent",
                Value::Duration(chrono::Duration::days(61)),
            )]))),
            _ => None,
        }
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Option<Value> {
        match (function, arguments) {
            ("bought", [Value::String(what), Value::Duration(_)]) => {
                Some(Value::Int(i64::from(what.as_str() == "coffee")))
            }
            _ => None,
        }
    }
}

fn compile(source: &str) -> Result<Condition, String> {
    let allowed: Vec<&str> = names::VARIABLES.iter().map(|(name, _)| *name).collect();
    Condition::compile(source, &allowed).map_err(|problems| {
        let messages: Vec<String> = problems.into_iter().map(|p| p.message).collect();
        messages.join("; ")
    })
}

fn check(source: &str) -> Result<bool, String> {
    compile(source)?
        .holds(&Shop)
        .map_err(|failure| failure.to_string())
}

#[test]
fn conditions_are_judged() {
    assert_eq!(check("cart.total >= 300"), Ok(true));
    assert_eq!(check("cart.total >= 300.5"), Ok(false));
    assert_eq!(check("orders.silent >= days(60)"), Ok(true));
    assert_eq!(check("has(cart.url)"), Ok(false));
    assert_eq!(check("bought('coffee', days(30)) > 0"), Ok(true));
    assert_eq!(check("bought('tea', days(30)) > 0"), Ok(false));
}

#[test]
fn absence_is_an_error_not_a_yes() {
    assert!(
        check("customer.city == 'Kyiv'")
            .unwrap_err()
            .contains("could not be judged")
    );
    assert!(check("cart.url != 'x'").is_err());
    assert!(check("segment('top')").is_err());
    assert!(
        check("cart.total")
            .unwrap_err()
            .contains("instead of yes or no")
    );
}

#[test]
fn names_are_checked() {
    assert_eq!(check("car.total > 1"), Err("unknown value `car`".into()));
    assert_eq!(check("cart.totl > 1"), Err("`cart` has no `totl`".into()));
    assert_eq!(
        check("dayz(3) > days(2)"),
        Err("unknown function `dayz`".into())
    );
    assert!(
        check("cart.total >=")
            .unwrap_err()
            .contains("can't be read")
    );
    assert_eq!(check("'car.totl' == 'x'"), Ok(false));
    assert_eq!(
        check("campaign('cart-left').actve"),
        Err("a campaign has no `actve`".into())
    );
    assert_eq!(
        check("cart.items.exists(line, line.categry == 'tea')"),
        Err("a product has no `categry`".into())
    );
    assert!(
        compile("campaign('cart-left').active || cart.items.exists(line, line.category == 'tea')")
            .is_ok()
    );
    assert!(
        check("bought('coffee') > 1")
            .unwrap_err()
            .contains("takes 2 arguments")
    );
    let condition = compile("segment('top') && bought('x', days(3)) > 0").unwrap();
    assert_eq!(condition.literals("segment"), ["top"]);
}

#[test]
fn types_are_tried_on_samples() {
    let settings = HashMap::from([("cart_min".to_owned(), names::Kind::Number)]);
    let mistyped = |source: &str, wanted| compile(source).unwrap().mistyped(wanted, &settings);
    for good in [
        "cart.open && cart.total >= settings.cart_min && orders.count > 1",
        "orders.silent >= days(60) && event.rating <= 2 && 'x' in order.product_ids",
        "customer.score >= 85 && local(now).hour < 9 && points.balance > 0",
    ] {
        assert_eq!(mistyped(good, Wanted::Answer), None, "{good}");
    }
    for bad in [
        "cart.total",
        "cart.total > 'many'",
        "orders.silent > 60",
        "cart.items > 3",
        "orders.silent > 60 && customer.city == 'Kyiv'",
        "customer.city == 'Kyiv' && (cart.open || orders.silent > '60d')",
        "bought('coffee', 60) == 0",
        "segment('top') && viewed(3, days(2)) > 0",
    ] {
        assert!(mistyped(bad, Wanted::Answer).is_some(), "{bad}");
    }
    assert_eq!(mistyped("points.expires_at", Wanted::Moment), None);
    assert!(mistyped("cart.open", Wanted::Moment).is_some());
}
