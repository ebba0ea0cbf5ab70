//! Money as integer minor units with an ISO 4217 currency. Floats exist at the edge only.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Three capital letters of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A text that is not three letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three letters of ISO 4217, such as EUR")]
pub struct MalformedCurrency;

impl Currency {
    /// Reads three letters in any case.
    ///
    /// # Errors
    /// [`MalformedCurrency`] when there are not three ASCII letters.
    pub fn parse(text: &str) -> Result<Self, MalformedCurrency> {
        match text.as_bytes() {
            [a, b, c] if text.bytes().all(|byte| byte.is_ascii_alphabetic()) => Ok(Self([
                a.to_ascii_uppercase(),
                b.to_ascii_uppercase(),
                c.to_ascii_uppercase(),
            ])),
            _ => Err(MalformedCurrency),
        }
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// How many decimal digits the minor unit has (ISO 4217, list one).
    pub fn exponent(&self) -> u32 {
        match &self.0 {
            b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG"
            | b"RWF" | b"UGX" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
            b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
            _ => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer, Self::parse)
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Currency".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Z]{3}$" })
    }
}

/// An amount in minor units of a currency: `{"minor": 1999, "currency": "EUR"}` is 19.99 EUR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Money {
    /// In the currency's minor unit (cents, kopiykas, yen).
    pub minor: i64,
    /// ISO 4217.
    pub currency: Currency,
}

impl Money {
    /// From whole units as storefronts send them; `None` when it is not a finite amount in range.
    pub fn from_major(major: f64, currency: Currency) -> Option<Self> {
        let scaled = major * 10_f64.powi(i32::try_from(currency.exponent()).ok()?);
        // 2^53: beyond it a float no longer counts single units.
        (scaled.is_finite() && scaled.abs() < 9_007_199_254_740_992.0).then(|| Self {
            minor: scaled.round() as i64,
            currency,
        })
    }

    /// In whole units, for conditions and for people.
    pub fn to_major(self) -> f64 {
        self.minor as f64 / 10_f64.powi(i32::try_from(self.currency.exponent()).unwrap_or(2))
    }

    /// The same amount `quantity` times.
    pub fn times(self, quantity: u32) -> Self {
        Self {
            minor: self.minor.saturating_mul(i64::from(quantity)),
            currency: self.currency,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.*} {}",
            self.currency.exponent() as usize,
            self.to_major(),
            self.currency
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn major_units_become_minor_ones() {
        let eur = Currency::parse("eur").unwrap();
        let jpy = Currency::parse("JPY").unwrap();
        let kwd = Currency::parse("KWD").unwrap();
        for (major, currency, minor) in [
            (19.99, eur, 1_999),
            (0.1 + 0.2, eur, 30),
            (500.0, jpy, 500),
            (1.234, kwd, 1_234),
        ] {
            let money = Money::from_major(major, currency).unwrap();
            assert_eq!(money.minor, minor);
        }
        assert_eq!(Money::from_major(f64::NAN, eur), None);
        assert_eq!(Money::from_major(1e300, eur), None);
        assert_eq!(
            Money {
                minor: 1_999,
                currency: eur
            }
            .to_string(),
            "19.99 EUR"
        );
        assert!(Currency::parse("EURO").is_err());
    }
}
