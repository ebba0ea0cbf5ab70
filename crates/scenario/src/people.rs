//! Names and goods of the synthetic shop.

/// Given names; addresses are made from them under a domain that can't exist.
pub(crate) const NAMES: &[&str] = &[
    "Olha", "Andrii", "Sofia", "Maksym", "Daria", "Taras", "Iryna", "Bohdan", "Anna", "Petro",
    "Kateryna", "Ivan", "Yulia", "Mykola", "Oksana", "Roman", "Lesia", "Vasyl", "Nadia", "Hlib",
];

/// Goods: id, name, category, price in cents.
pub(crate) const GOODS: &[(&str, &str, &str, i64)] = &[
    ("mug-blue", "Blue mug", "kitchen", 1_250),
    ("pan-28", "Frying pan, 28 cm", "kitchen", 3_490),
    ("kettle", "Kettle", "kitchen", 4_900),
    ("knife", "Chef's knife", "kitchen", 5_600),
    ("coffee-1kg", "Coffee beans, 1 kg", "coffee", 1_890),
    ("grinder", "Coffee grinder", "coffee", 6_900),
    ("filter-100", "Paper filters, 100", "coffee", 590),
    ("lamp-desk", "Desk lamp", "home", 3_900),
    ("blanket", "Wool blanket", "home", 7_900),
    ("candle", "Candle", "home", 990),
    ("pillow", "Linen pillow", "home", 2_490),
    ("notebook", "Notebook, dotted", "paper", 890),
    ("pen", "Fountain pen", "paper", 4_500),
    ("backpack", "Backpack, 20 l", "travel", 8_900),
    ("bottle", "Steel bottle", "travel", 2_190),
];
