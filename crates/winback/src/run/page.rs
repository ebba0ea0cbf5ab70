//! The page of a backtest: charts and tables in one HTML file without scripts, to be opened from disk.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use winback_contract::{Reason, Timestamp};

use super::compare::Row;
use super::findings::{Findings, MEETING};
use super::report::day;

/// Bars of a chart at most: days are joined until they fit.
const BARS: usize = 100;
/// Size of a chart, in units of its own.
const SIZE: (f64, f64) = (1_000.0, 260.0);
/// Colours that stay apart for most eyes (Okabe and Ito), then greys.
const COLOURS: [&str; 10] = [
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#555555",
    "#999999", "#cccccc",
];

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#222;max-width:1040px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%;font-size:.9rem}\
th,td{text-align:right;padding:.3rem .5rem;border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}\
svg{width:100%;height:auto}.key span{white-space:nowrap;margin-right:1rem}.key i{display:inline-block;width:.8em;height:.8em;margin-right:.35em}\
.note{color:#555;font-size:.9rem}.wide{overflow-x:auto}";

type Series = BTreeMap<String, BTreeMap<String, u64>>;

/// The whole page.
pub(crate) fn html(
    found: &Findings,
    difference: Option<&[Row]>,
    (from, until): (Timestamp, Timestamp),
) -> String {
    let mut sends: Series = Series::new();
    for (campaign, sums) in &found.sums {
        for (day, count) in &sums.by_day {
            sends
                .entry(day.clone())
                .or_default()
                .insert(campaign.clone(), *count);
        }
    }
    let messages: u64 = sends.values().flat_map(BTreeMap::values).sum();
    let mut out = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>Backtest</title>\
         <style>{STYLE}</style><h1>Backtest {} to {}</h1><p>{messages} messages. Nothing was sent: these are past events.",
        day(from),
        day(until)
    );
    out.push_str("<h2>Messages by campaign</h2>");
    out.push_str(&chart(&sends, (from, until)));
    out.push_str("<h2>Steps held by a cap</h2>");
    out.push_str(&chart(&found.capped, (from, until)));
    out.push_str("<h2>Campaigns</h2>");
    out.push_str(&campaigns(found));
    if !found.uplift.is_empty() {
        out.push_str("<h2>Uplift by holdout</h2>");
        out.push_str(&uplift(found));
    }
    if !found.overlaps.is_empty() {
        let _done = write!(
            out,
            "<h2>Customers who heard from two campaigns within {}</h2>",
            MEETING
        );
        let rows = found.overlaps.iter().map(|((first, second), count)| {
            vec![format!("{first}, then {second}"), count.to_string()]
        });
        out.push_str(&table(&["campaigns", "customers"], rows));
    }
    if let Some(rows) = difference {
        out.push_str("<h2>Against the other folder</h2>");
        let pair = |(here, there): (u64, u64)| format!("{here} / {there}");
        let cells = rows.iter().map(|row| {
            vec![
                row.campaign.clone(),
                pair(row.entered),
                pair(row.messages),
                pair(row.bought),
                pair(row.capped),
                pair(row.only),
            ]
        });
        let heads = [
            "this / the other",
            "entered",
            "messages",
            "stopped by purchase",
            "held by a cap",
            "people of one only",
        ];
        out.push_str(&table(&heads, cells));
    }
    out.push_str("</html>\n");
    out
}

fn campaigns(found: &Findings) -> String {
    let rows = found.sums.iter().map(|(name, sums)| {
        let skipped: u64 = sums.skipped.values().sum();
        let of = |reason: Reason| sums.ended.get(&reason).copied().unwrap_or(0).to_string();
        let held: Vec<String> = sums
            .held
            .iter()
            .map(|(reason, count)| format!("{} {count}", reason.as_str()))
            .collect();
        vec![
            name.clone(),
            sums.entered.to_string(),
            sums.sent.values().sum::<u64>().to_string(),
            of(Reason::Converted),
            sums.goals.to_string(),
            skipped.to_string(),
            held.join(", "),
        ]
    });
    let heads = [
        "campaign",
        "entered",
        "messages",
        "stopped by purchase",
        "bought after",
        "steps skipped",
        "held",
    ];
    table(&heads, rows)
}

fn uplift(found: &Findings) -> String {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let rows = found.uplift.iter().map(|one| {
        let (low, high) = one.interval();
        vec![
            one.campaign.clone(),
            format!("{} of {}", one.written.bought, one.written.people),
            percent(one.written.share()),
            format!("{} of {}", one.held_out.bought, one.held_out.people),
            percent(one.held_out.share()),
            format!(
                "{:+.2} ({:+.2} to {:+.2})",
                100.0 * one.difference(),
                100.0 * low,
                100.0 * high
            ),
            format!("{:+.1}", one.won()),
        ]
    });
    let heads = [
        "campaign",
        "written to",
        "",
        "held out",
        "",
        "points (95 %)",
        "buyers won",
    ];
    let note = "<p class=note>Bought within the goal's window, whole windows only. Over past events, where nothing was sent, a difference is noise.";
    format!("{}{note}", table(&heads, rows))
}

fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = String::from("<div class=wide><table><tr>");
    for head in heads {
        let _done = write!(out, "<th>{}", escape(head));
    }
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            let _done = write!(out, "<td>{}", escape(&cell));
        }
    }
    out.push_str("</table></div>");
    out
}

/// Stacked bars over the days of the run, with a key.
fn chart(series: &Series, (from, until): (Timestamp, Timestamp)) -> String {
    let date = |at: Timestamp| day(at).parse::<jiff::civil::Date>();
    let (Ok(first), Ok(last), false) = (date(from), date(until), series.is_empty()) else {
        return "<p class=note>None.".to_owned();
    };
    let between = |later: jiff::civil::Date| (later - first).get_days().max(0) as usize;
    let width = between(last) / BARS + 1;
    let bars = between(last) / width + 1;
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in series.values().flatten() {
        *totals.entry(name).or_default() += count;
    }
    // The largest first: they get the colours that stand out.
    let mut names: Vec<(&str, u64)> = totals.into_iter().collect();
    names.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let colour = |place: usize| COLOURS[place.min(COLOURS.len() - 1)];
    let mut stacks: Vec<BTreeMap<&str, u64>> = vec![BTreeMap::new(); bars];
    for (day, campaigns) in series {
        let Ok(day) = day.parse::<jiff::civil::Date>() else {
            continue;
        };
        for (name, count) in campaigns {
            *stacks[between(day) / width].entry(name).or_default() += count;
        }
    }
    let highest = stacks
        .iter()
        .map(|stack| stack.values().sum::<u64>())
        .max()
        .unwrap_or(1)
        .max(1);
    let (across, up) = SIZE;
    let bar = across / bars as f64;
    let mut out = format!("<svg viewBox=\"0 -16 {across} {}\" role=img>", up + 44.0);
    let _done = write!(
        out,
        "<text x=0 y=-3 font-size=14 fill=#555>{highest}</text><line x1=0 x2={across} y1=0 y2=0 stroke=#ddd /><line x1=0 x2={across} y1={up} y2={up} stroke=#999 />"
    );
    for (place, stack) in stacks.iter().enumerate() {
        let mut top = up;
        for (number, (name, _)) in names.iter().enumerate() {
            let Some(count) = stack.get(name) else {
                continue;
            };
            let height = *count as f64 / highest as f64 * up;
            top -= height;
            let _done = write!(
                out,
                "<rect x={:.1} y={top:.1} width={:.1} height={height:.1} fill=\"{}\"><title>{} {count}</title></rect>",
                place as f64 * bar,
                (bar * 0.9).max(0.5),
                colour(number),
                escape(name)
            );
        }
    }
    let _done = write!(
        out,
        "<text x=0 y={0} font-size=14 fill=#555>{first}</text><text x={across} y={0} font-size=14 fill=#555 text-anchor=end>{last}</text></svg>",
        up + 20.0
    );
    let unit = if width == 1 {
        "A bar is a day.".to_owned()
    } else {
        format!("A bar is {width} days.")
    };
    let _done = write!(out, "<p class=key>");
    for (number, (name, count)) in names.iter().enumerate() {
        let _done = write!(
            out,
            "<span><i style=\"background:{}\"></i>{} {count}</span> ",
            colour(number),
            escape(name)
        );
    }
    let _done = write!(out, "<span class=note>{unit}</span>");
    out
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_joined_until_they_fit_and_nothing_is_lost() {
        let mut series = Series::new();
        for day in ["2026-01-01", "2026-01-02", "2027-06-01"] {
            series
                .entry(day.into())
                .or_default()
                .insert("a<b".into(), 2);
        }
        let run =
            ["2026-01-01", "2027-06-01"].map(|day| Timestamp::parse(&format!("{day}T00:00:00Z")));
        let [Ok(from), Ok(until)] = run else { return };
        let chart = chart(&series, (from, until));
        assert!(chart.contains("A bar is 6 days."), "{chart}");
        assert!(chart.contains("a&lt;b 6</span>"), "{chart}");
        assert_eq!(chart.matches("<rect").count(), 2, "two days in one bar");
        assert!(chart.contains("<title>a&lt;b 4</title>"), "{chart}");
        assert!(super::chart(&Series::new(), (from, until)).contains("None"));
    }
}
